"""Priors: the defaults of each law, scaled to the curve, and priors of your own.

The default prior of every parameter is written as a transformation of standard normal
*coordinates*, ``z ~ Normal(0, 1)``. That makes it a prior one can draw from directly, a
geometry in which NUTS moves freely, and one model that serves every curve: all that depends
on the curve is its :class:`Scale`. The coordinates are

- ``z_first, z_last``: the curve at both ends of the data, in units of the range of log y.
  They are what the data determine best; level and slope of the law follow from them.
- ``z_<limit>``: the limit as a fraction of the lower end.
- for each break: its place between the ends, its sharpness in units of the log range, and the
  change it makes to the slope *that one sees* on log-log axes. Close to the limit a visible
  change needs a large ``c``; a prior on ``c`` itself ties it to the limit by a curved ridge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import digamma, polygamma

from bayes_bnsl.curve import Curve
from bayes_bnsl.law import Law
from bayes_bnsl.laws import BNSL, M3, M4
from bayes_bnsl.logs import each_break, log_of, sigmoid
from bayes_bnsl.noise import Correlated, Noise, StudentT

__all__ = ["Prior", "Scale"]

NOISE_SHARE = 0.02
"""Prior median of the size of residuals as a share of the range of log y."""


@dataclass(frozen=True, init=False)
class Prior:
    """A prior of your own for one parameter, in the units of the user.

    Parameters
    ----------
    distribution : str
        Name of a continuous PyMC distribution, such as ``"Normal"`` or ``"LogNormal"``.
    at_least, at_most : float, optional
        Bounds; the distribution is truncated to them.
    **parameters : float or sequence of float
        Parameters of the distribution. For parameters of breaks (``c``, ``d``, ``f``) a
        sequence gives one value a break.

    Raises
    ------
    TypeError
        If `distribution` is not a text or a parameter not a number.
    ValueError
        If a parameter is NaN.

    Examples
    --------
    >>> Prior("Normal", mu=0.34, sigma=0.02)
    Prior('Normal', mu=0.34, sigma=0.02)
    >>> Prior("Normal", mu=0.4, sigma=0.2, at_least=0.0)
    Prior('Normal', mu=0.4, sigma=0.2, at_least=0.0)
    """

    distribution: str
    parameters: tuple[tuple[str, float | tuple[float, ...]], ...]
    at_least: float | tuple[float, ...] | None
    at_most: float | tuple[float, ...] | None

    def __init__(
        self,
        distribution: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        **parameters: Any,
    ) -> None:
        if not isinstance(distribution, str):
            raise TypeError(
                f"distribution must be the name of a PyMC distribution such as 'Normal'; "
                f"got {distribution!r}."
            )
        object.__setattr__(self, "distribution", distribution)
        values = {name: _as_numbers(value, name) for name, value in parameters.items()}
        object.__setattr__(self, "parameters", tuple(values.items()))
        for name, bound in {"at_least": at_least, "at_most": at_most}.items():
            object.__setattr__(self, name, None if bound is None else _as_numbers(bound, name))

    @property
    def structure(self) -> tuple[Any, ...]:
        """What a compiled model depends on: all but the numbers."""
        names = tuple(name for name, _ in self.parameters)
        return (self.distribution, names, self.at_least is None, self.at_most is None)

    def constants(self) -> dict[str, Any]:
        """Return the numbers by name, those of the bounds included.

        Returns
        -------
        dict of str to float or tuple of float
            As they were given; bounds that were not are left out.
        """
        bounds = {"at_least": self.at_least, "at_most": self.at_most}
        return dict(self.parameters) | {k: v for k, v in bounds.items() if v is not None}

    def __repr__(self) -> str:
        numbers = "".join(f", {name}={value}" for name, value in self.constants().items())
        return f"Prior({self.distribution!r}{numbers})"


def _as_numbers(value: Any, name: str) -> float | tuple[float, ...]:
    try:
        numbers = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(
            f"{name} must be a number or a sequence of numbers; got {value!r}."
        ) from None
    if np.isnan(numbers).any():
        raise ValueError(f"{name} must be a number; got {value!r}.")
    return float(numbers) if numbers.ndim == 0 else tuple(numbers.tolist())


class Scale(NamedTuple):
    """What the default priors take from a curve.

    Two fits with the same scale have the same priors, though their points differ.

    Parameters
    ----------
    log_x_first, log_x_last : float
        Log x at both ends.
    log_y_first, log_y_last : float
        Mean log y at the first and at the last x.
    spread : float
        Range of log y, at least 0.01 so that a flat curve has a prior too.
    gap : float
        Mean distance of neighbouring x in units of the log range.

    Examples
    --------
    >>> round(float(Scale.of(Curve([1, 10, 100], [4.0, 2.0, 1.0])).spread), 3)
    1.386
    """

    log_x_first: float
    log_x_last: float
    log_y_first: float
    log_y_last: float
    spread: float
    gap: float

    @classmethod
    def of(cls, curve: Curve) -> Scale:
        """Take the scale of a curve.

        Parameters
        ----------
        curve : Curve
            Points at two x or more.

        Returns
        -------
        Scale
            Its ends, range and spacing.
        """
        log_x, log_y = curve.log_x, curve.log_y
        return cls(
            log_x[0],
            log_x[-1],
            log_y[log_x == log_x[0]].mean(),
            log_y[log_x == log_x[-1]].mean(),
            max(np.ptp(log_y), 0.01),
            1 / (len(np.unique(log_x)) - 1),
        )

    def place(self, log_x: Any, xp: Any = np) -> Any:
        """Return where points lie: 0 at the first x and before, 1 at the last one and beyond.

        Parameters
        ----------
        log_x : array_like
            Logarithm of x.
        xp : module, default numpy
            ``numpy`` (also for xarray) or ``pytensor.tensor``.

        Returns
        -------
        array_like
            Places, linear in log x in between.
        """
        log_range = self.log_x_last - self.log_x_first
        return xp.clip((log_x - self.log_x_first) / log_range, 0.0, 1.0)


def parameters(
    law: Law,
    scale: Scale,
    given: Mapping[str, Any],
    coordinate: Callable[..., Any],
    xp: Any = np,
) -> dict[str, Any]:
    """Build every parameter of a law from standard normal coordinates.

    Parameters
    ----------
    law : Law
        The law; a `Custom` one has no defaults.
    scale : Scale
        What the defaults take from the curve.
    given : mapping
        Values of the parameters that have a prior of their own or are fixed.
    coordinate : callable
        ``coordinate(name)`` returns the coordinate ``z_name``, ``coordinate(name, per_break=True)``
        one a break. It is asked only for those that are needed.
    xp : module, default numpy
        ``numpy`` or ``pytensor.tensor``.

    Returns
    -------
    dict
        Values by name; ``log_b``, ``log_d``, ... stand for parameters that could overflow.
    """
    theta = dict(given)
    if not law.line:
        return theta
    level, slope = law.line
    level_given = level.removeprefix("log_") in theta
    log_x = (scale.log_x_first, scale.log_x_last)
    ends = _ends(law, scale, theta, coordinate, xp, pinned=not level_given)

    if isinstance(law, BNSL) and law.n_breaks:
        _add_breaks(law, scale, theta, ends, coordinate, xp)
    if isinstance(law, M3) and "d" not in theta:
        knee = xp.exp(0.7 * coordinate("d"))
        theta["log_d"] = -(scale.log_x_first + (scale.log_x_last - scale.log_x_first) * knee)
    if isinstance(law, M4):
        if "e_0" not in theta:
            above = scale.spread * xp.exp(np.log(0.3) + 1.5 * coordinate("e_0"))
            theta["e_0"] = xp.exp(xp.maximum(*ends) + above)
        if "alpha" not in theta:
            theta["alpha"] = xp.exp(coordinate("alpha"))

    # a slope that is given leads through the last end alone
    line = law.through(log_x, ends if slope not in theta else (ends[1], ends[1]), theta, xp)
    if not level_given:
        return line | theta
    if slope not in theta:
        mean_slope = 2 * scale.spread / (scale.log_x_last - scale.log_x_first)
        theta[slope] = line[slope] + mean_slope * coordinate(slope)
    return theta


def _ends(
    law: Law, scale: Scale, theta: dict[str, Any], coordinate: Any, xp: Any, *, pinned: bool
) -> tuple[Any, Any]:
    """Return log y at both ends, and set the limit in `theta`.

    With a limit of the user's the coordinates are those of ``y - limit``, which stays positive
    whatever the limit; with an ``e_0`` of the user's, log-odds between the limit and ``e_0``.
    """
    names = {"first": pinned and law.line[1] not in theta, "last": pinned}
    moves = [scale.spread * coordinate(name) if free else 0.0 for name, free in names.items()]
    centres = (scale.log_y_first, scale.log_y_last)
    limit = law.limit_name
    if isinstance(law, M4) and "e_0" in theta:
        floor = theta.get("e_inf", 0.0)
        height = theta["e_0"] - floor
        above = [xp.maximum(xp.exp(at) - floor, 0.05 * xp.exp(at)) for at in centres]
        shares = [xp.minimum(each / height, 0.95) for each in above]
        odds = [
            xp.clip(xp.log(share / (1 - share)) + move, -30.0, 20.0)
            for share, move in zip(shares, moves, strict=True)
        ]
        first, last = (xp.log(floor + height * sigmoid(each, xp)) for each in odds)
    elif limit in theta:
        return tuple(
            xp.log(
                theta[limit]
                + xp.exp(move) * xp.maximum(xp.exp(centre) - theta[limit], 0.05 * xp.exp(centre))
            )
            for centre, move in zip(centres, moves, strict=True)
        )
    else:
        first, last = (centre + move for centre, move in zip(centres, moves, strict=True))
    if limit is not None and limit not in theta:
        lower = xp.minimum(first, last) if names["first"] or not pinned else last
        theta[limit] = sigmoid(1.7 * coordinate(limit), xp) * xp.exp(lower)
    return first, last


def _add_breaks(
    law: BNSL, scale: Scale, theta: dict[str, Any], ends: tuple[Any, Any], coordinate: Any, xp: Any
) -> None:
    """Set ``log_d``, ``f`` and ``c`` in `theta`, as lists of one value a break."""
    n = law.n_breaks
    log_range = scale.log_x_last - scale.log_x_first
    if "d" not in theta:
        z = each_break(coordinate("d", per_break=True), n)
        theta["log_d"] = [scale.log_x_first + log_range * p for p in _places(n, z, xp)]
    if "f" not in theta:
        z = each_break(coordinate("f", per_break=True), n)
        theta["f"] = [
            log_range * (xp.exp(np.log(0.08) + 0.8 * z[i]) + 0.25 * scale.gap) for i in range(n)
        ]
    if "c" not in theta:
        z = each_break(coordinate("c", per_break=True), n)
        log_d = each_break(log_of(theta, "d", xp), n)
        theta["c"] = []
        for i in range(n):
            place = (log_d[i] - scale.log_x_first) / log_range
            chord = ends[0] + (ends[1] - ends[0]) * xp.clip(place, 0.0, 1.0)
            visible = xp.maximum(1 - theta["a"] * xp.exp(-chord), 1e-3)
            theta["c"].append(scale.spread / log_range * xp.sinh(z[i]) / visible)


def _places(n: int, z: Any, xp: Any) -> list[Any]:
    """Return n ordered places in (0, 1), close to the cumulative sums of a Dirichlet(2).

    Each stick is logit-normal with the mean and variance of the Beta it stands for, which
    gives it a coordinate with normal tails.
    """
    places, start, rest = [], 0.0, 1.0
    for i in range(n):
        others = 2 * (n - i)
        mean = digamma(2) - digamma(others)
        sd = np.sqrt(polygamma(1, 2) + polygamma(1, others))
        start = start + rest * sigmoid(mean + sd * z[i], xp)
        rest = 1 - start
        places.append(start)
    return places


def noise_parameters(
    noise: Noise,
    scale: Scale,
    given: Mapping[str, Any],
    coordinate: Callable[..., Any],
    xp: Any = np,
) -> dict[str, Any]:
    """Build the parameters of the noise, as `parameters` does those of the law."""
    theta = {name: given[name] for name in noise.parameters if name in given}
    if isinstance(noise, StudentT) and "nu" not in theta:
        theta["nu"] = xp.exp(np.log(8) + 0.8 * coordinate("nu"))
    if isinstance(noise, Correlated) and "ell" not in theta:
        log_range = scale.log_x_last - scale.log_x_first
        theta["ell"] = log_range * (0.1 * xp.exp(coordinate("ell")) + 0.25 * scale.gap)
    sigma_free = not any(name in theta for name in noise.scales)
    tau_free = isinstance(noise, Correlated) and "tau" not in theta
    level: Any = None
    if sigma_free or tau_free:
        level = NOISE_SHARE * scale.spread * xp.exp(coordinate("sigma"))
    if sigma_free and tau_free:  # the level is that of both together, the data know it best
        odds = 1.7 * coordinate("tau")
        theta["tau"] = level * xp.sqrt(sigmoid(odds, xp))
        level = level * xp.sqrt(sigmoid(-odds, xp))
    elif tau_free:
        theta["tau"] = level
    if noise.changing:
        _add_ends_of_sigma(noise, theta, level, coordinate, xp)
    elif sigma_free:
        theta["sigma"] = level
    return theta


def _add_ends_of_sigma(
    noise: Noise, theta: dict[str, Any], level: Any, coordinate: Any, xp: Any
) -> None:
    """Set sigma at the first and at the last x, as far as they are not given."""
    first, last = noise.scales
    if first in theta and last in theta:
        return
    change = xp.exp(coordinate("change"))
    if last in theta:
        theta[first] = theta[last] / change
    elif first in theta:
        theta[last] = theta[first] * change
    else:
        theta[first], theta[last] = level / xp.sqrt(change), level * xp.sqrt(change)
