"""The forecasts that anybody can make: the last value again, and a line on logarithmic axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from bayes_bnsl.columns import checked_numbers
from bayes_bnsl.curve import Curve
from bayes_bnsl.logs import exp_in_range

__all__ = ["lognormal_forecast", "naive_forecasts"]

DRAWS = 4000
"""Draws of a naive forecast: quantiles of its distribution, evenly spaced in probability."""

SMALLEST_SPREAD = 1e-3
"""Least standard deviation of log y that a naive forecast claims."""


def naive_forecasts(seen: Curve, x: ArrayLike) -> dict[str, xr.Dataset]:
    """Forecast by the last value, and by a line on logarithmic axes through the last third.

    Both are lognormal. *Last value*: the median is y at the last x (the mean of log y where it
    is repeated), the spread the root mean square of the differences between log y of the points
    of the last third and it. *Log-log line*: least squares through the last third, at least
    three points; the spread is the standard deviation of its residuals.

    Parameters
    ----------
    seen : Curve
        The points to forecast from, two at least.
    x : array_like, shape (n,)
        Where to forecast.

    Returns
    -------
    dict of str to xarray.Dataset
        ``"last value"`` and ``"log-log line"``, each like the result of `forecast`. The draws are
        quantiles of the distribution, so there is no randomness.

    Raises
    ------
    ValueError
        If `seen` has points at one x only, or an x is out of range.

    Examples
    --------
    >>> naive = naive_forecasts(Curve([1, 2, 4, 8], [8.0, 4.0, 2.0, 1.0]), [16.0])
    >>> {name: round(float(ahead["y"].median()), 3) for name, ahead in naive.items()}
    {'last value': 1.0, 'log-log line': 0.5}
    """
    at = checked_numbers(np.atleast_1d(np.asarray(x)), "x")
    if len(np.unique(seen.x)) < 2:
        raise ValueError(
            f"The curve {seen.name!r} has one x only, {seen.x[0]:g}: no line goes through it."
        )
    n_last = min(max(3, -(-len(seen) // 3)), len(seen))
    start = min(len(seen) - n_last, int(np.searchsorted(seen.x, seen.x[-1])) - 1)
    log_x, log_y = seen.log_x[start:], seen.log_y[start:]
    last = log_y[log_x == log_x[-1]].mean()
    others = log_y[log_x < log_x[-1]]
    slope, level = np.polyfit(log_x, log_y, 1)
    residuals = log_y - (level + slope * log_x)
    spare = max(len(residuals) - 2, 1)
    return {
        "last value": lognormal_forecast(
            seen, at, "last value", np.full(at.shape, last), _root_mean_square(others - last)
        ),
        "log-log line": lognormal_forecast(
            seen, at, "log-log line", level + slope * np.log(at),
            _root_mean_square(residuals) * np.sqrt(len(residuals) / spare),
        ),
    }  # fmt: skip


def lognormal_forecast(
    seen: Curve, x: NDArray[np.float64], name: str, log_y: NDArray[np.float64], sd: float
) -> xr.Dataset:
    """Return a lognormal forecast with one curve, in the form that `forecast` returns."""
    sd = max(sd, SMALLEST_SPREAD)
    z = ndtri((np.arange(DRAWS) + 0.5) / DRAWS)
    log_curve = np.broadcast_to(log_y, (DRAWS, x.size))
    draws = {
        key: (("sample", "x"), seen.to_reported(exp_in_range(logged)))  # a line leads anywhere
        for key, logged in (("curve", log_curve), ("y", log_curve + sd * z[:, None]))
    }
    attrs: dict[str, Any] = {"law": name, "name": seen.name}
    attrs |= {"x_name": seen.x_name, "y_name": seen.y_name}
    if seen.ceiling is not None:
        attrs["ceiling"] = seen.ceiling
    return xr.Dataset(
        draws | {"location": (("sample", "x"), log_curve), "scale": ("sample", np.full(DRAWS, sd))},
        coords={"x": x},
        attrs=attrs,
    )


def _root_mean_square(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2)))
