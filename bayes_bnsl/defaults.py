"""Default priors: the parameters of each law and noise as functions of standard normal coordinates.

The default prior of every parameter is written as a transformation of standard normal
*coordinates*, ``z ~ Normal(0, 1)``. That makes it a prior one can draw from directly, a
geometry in which NUTS moves freely, and one model that serves every curve: all that depends
on the curve is its :class:`Scale`. The coordinates are

- ``z_first, z_last``: the curve at both ends of the data, in units of the range of log y.
  They are what the data determine best; level and slope of the law follow from them.
- ``z_<limit>``: the limit as a fraction of the lower end.
- for each break: its distance from the one before, which may reach beyond the data; its sharpness
  in units of the log range; and the change it makes to the slope *that one sees* on log-log axes.
  Close to the limit a visible change needs a large ``c``; a prior on ``c`` itself ties it to the
  limit by a curved ridge. A break beyond the data multiplies the exponent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import digamma, polygamma

from bayes_bnsl.law import Law
from bayes_bnsl.laws import BNSL, M3, M4
from bayes_bnsl.logs import each_break, log_excess, log_of, sigmoid, softplus
from bayes_bnsl.noise import Noise
from bayes_bnsl.noises import Correlated, StudentT
from bayes_bnsl.priors import Scale

__all__ = ["least_scatter", "noise_parameters", "parameters", "sharpness", "spacing"]

NOISE_SHARE = 0.02
"""Prior median of the scatter from point to point, as a share of the range of log y."""

MISFIT_SHARE = 0.04
"""Prior median of how far points stray together, as a share of the range of log y."""

AT_THE_END = 0.05
"""How wide, in units of the log range, the passage is from breaks in the data to those beyond."""

SPACING_SD = np.sqrt(polygamma(1, 2))
"""Standard deviation of the log of a spacing of breaks."""

UNIFORM = 1.7
"""Log-odds for a coordinate of 1: the share is then close to uniform on (0, 1)."""


def parameters(
    law: Law,
    scale: Scale,
    given: Mapping[str, Any],
    coordinate: Callable[..., Any],
    xp: Any = np,
    *,
    change: Callable[[list[Any]], Any] | None = None,
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
    change : callable, optional
        Returns the coordinates ``z_c``, given how far a change of 1 at each break would bend the
        curve; ``coordinate("c", per_break=True)`` does, by default.

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
        _add_breaks(law, scale, theta, ends, coordinate, change, xp)
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
        theta[limit] = sigmoid(UNIFORM * coordinate(limit), xp) * xp.exp(lower)
    return first, last


def _add_breaks(
    law: BNSL,
    scale: Scale,
    theta: dict[str, Any],
    ends: tuple[Any, Any],
    coordinate: Callable[..., Any],
    change: Callable[[list[Any]], Any] | None,
    xp: Any,
) -> None:
    """Set ``log_d``, ``f`` and ``c`` in `theta`, as lists of one value a break."""
    n = law.n_breaks
    log_range = scale.log_x_last - scale.log_x_first
    if "d" not in theta:
        z = each_break(coordinate("d", per_break=True), n)
        theta["log_d"] = [scale.log_x_first + log_range * place for place in _places(n, z, xp)]
    if "f" not in theta:
        z = each_break(coordinate("f", per_break=True), n)
        theta["f"] = [sharpness(scale, z[i], xp) for i in range(n)]
    if "c" not in theta:
        z = change(_bends(n, scale, theta, xp)) if change else coordinate("c", per_break=True)
        theta["c"] = _changes(n, scale, theta, ends, each_break(z, n), xp)


def _changes(
    n: int, scale: Scale, theta: Mapping[str, Any], ends: tuple[Any, Any], z: Any, xp: Any
) -> list[Any]:
    """Return ``c`` of each break.

    What a break changes within the data is in proportion to the mean slope that one sees, and of
    either sign. What it changes beyond them multiplies the exponent: a curve that falls falls on.
    """
    log_range = scale.log_x_last - scale.log_x_first
    log_d, f = each_break(log_of(theta, "d", xp), n), each_break(theta["f"], n)
    # what the exponent would be behind the breaks so far, if the curve had no others
    if "c0" in theta:
        exponent = theta["c0"]
    else:
        first, last = (log_excess(end, theta["a"], xp) for end in ends)
        exponent = (first - last) / log_range
    changes = []
    for i in range(n):
        place = (log_d[i] - scale.log_x_first) / log_range
        chord = ends[0] + (ends[1] - ends[0]) * xp.clip(place, 0.0, 1.0)
        visible = xp.maximum(1 - theta["a"] * xp.exp(-chord), 1e-3)
        seen = scale.spread / log_range * xp.sinh(z[i]) / visible
        to_come = exponent * xp.expm1(z[i])
        beyond = sigmoid((place - 1) / AT_THE_END, xp)
        changes.append((1 - beyond) * seen + beyond * to_come)
        tilt: Any = 0.0
        if "c0" not in theta:  # both ends stay: a change within the data tilts what comes before
            first, last = (
                f[i] * softplus((x - log_d[i]) / f[i], xp)
                for x in (scale.log_x_first, scale.log_x_last)
            )
            tilt = (last - first) / log_range
        exponent = exponent + changes[i] * (1 - tilt)
    return changes


def _bends(n: int, scale: Scale, theta: Mapping[str, Any], xp: Any) -> list[Any]:
    """Return how far a visible change of slope of 1 at each break bends the curve from its chord.

    That is midway between both ends of the data, in units of the log range. Little is left of it
    if the break lies beyond them.
    """
    log_d, f = each_break(log_of(theta, "d", xp), n), each_break(theta["f"], n)
    ends = scale.log_x_first, scale.log_x_last
    log_range, places = ends[1] - ends[0], (ends[0], ends[1], 0.5 * (ends[0] + ends[1]))
    bends = []
    for i in range(n):
        first, last, middle = (f[i] * softplus((x - log_d[i]) / f[i], xp) for x in places)
        bends.append((0.5 * (first + last) - middle) / log_range)
    return bends


def least_scatter(scale: Scale) -> Any:
    """Return the least scatter that coordinates are made for; data may well have less."""
    return 0.1 * NOISE_SHARE * scale.spread


def sharpness(scale: Scale, z: Any, xp: Any = np) -> Any:
    """Return ``f`` from its coordinate: no sharper than the spacing of the points can show."""
    log_range = scale.log_x_last - scale.log_x_first
    return log_range * (xp.exp(np.log(0.08) + 0.8 * z) + 0.25 * scale.gap)


def _places(n: int, z: Any, xp: Any) -> list[Any]:
    """Return n ordered places, 0 at the first x and 1 at the last: sums of independent spacings."""
    places, place = [], 0.0
    for i in range(n):
        place = place + spacing(n, z[i], xp)
        places.append(place)
    return places


def spacing(n: int, z: Any, xp: Any = np) -> Any:
    """Return the spacing before one of n breaks from its coordinate, as a share of the log range.

    It is lognormal with the mean and variance of the log of a Gamma(2) whose mean is 1 / (n + 1).
    Divided by their sum, n + 1 such spacings are a Dirichlet(2); but where the data end says
    nothing of where breaks are, so the last one may lie beyond.
    """
    return xp.exp(digamma(2) + SPACING_SD * z) / (2 * (n + 1))


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
    if isinstance(noise, Correlated):
        if "tau" not in theta:
            theta["tau"] = MISFIT_SHARE * scale.spread * xp.exp(1.2 * coordinate("tau"))
        if "ell" not in theta:
            log_range = scale.log_x_last - scale.log_x_first
            reach = 0.3 * xp.exp(1.5 * coordinate("ell"))
            theta["ell"] = log_range * (reach + 0.25 * scale.gap)
    level: Any = None
    if not any(name in theta for name in noise.scales):
        level = NOISE_SHARE * scale.spread * xp.exp(coordinate("sigma"))
    if noise.changing:
        _add_ends_of_sigma(noise, theta, level, coordinate, xp)
    elif level is not None:
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
