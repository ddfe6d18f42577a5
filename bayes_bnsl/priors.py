"""Priors of your own, and what the default ones take from a curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from bayes_bnsl.curve import Curve

__all__ = ["Prior", "Scale"]


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

        Examples
        --------
        >>> Prior("Normal", mu=0.4, sigma=0.2, at_least=0.0).constants()
        {'mu': 0.4, 'sigma': 0.2, 'at_least': 0.0}
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

        Examples
        --------
        >>> Scale.of(Curve([1, 10, 100], [4.0, 2.0, 1.0])).gap
        0.5
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
