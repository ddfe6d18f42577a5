"""Breaks beyond the data: what nobody has measured yet may bend the curve again.

A law goes on for ever with its last slope. Breaks that are yet to come are a Poisson process along
log x, beyond the last point; each changes the slope that one sees by as much as the default prior
lets a break within the data change it, and is as sharp as that prior says. The limit stays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri_exp

from bayes_bnsl.defaults import sharpness
from bayes_bnsl.law import Law
from bayes_bnsl.logs import is_zero, log, sigmoid, softplus
from bayes_bnsl.priors import Scale

__all__ = ["LEARNED", "bent", "rates"]

LEARNED = "learned"
"""Word for a rate that comes from the number of breaks in the data."""

STEEPEST = 8.0
"""Coordinate of a change of slope that is drawn at most: some thousand times the mean slope."""


def rates(
    unseen_breaks: float | str,
    law: Law,
    scale: Scale,
    n_draws: int,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """Return the rate of breaks in each draw, per unit of log x.

    Parameters
    ----------
    unseen_breaks : float or "learned"
        Breaks to expect per decade; or to be learned from those that the law has within the data:
        n breaks over a range R of log x leave ``Gamma(n + 1/2, R)`` of the rate, with the prior
        of Jeffreys.
    law : Law
        The law.
    scale : Scale
        Where the data lie.
    n_draws : int
        Number of draws.
    generator : numpy.random.Generator
        Where the randomness comes from.

    Returns
    -------
    ndarray, shape (n_draws,)
        Rates.
    """
    if unseen_breaks == LEARNED:
        log_range = scale.log_x_last - scale.log_x_first
        return generator.gamma(law.n_breaks + 0.5, 1 / log_range, n_draws)
    return np.full(n_draws, float(unseen_breaks) / np.log(10))


def bent(
    law: Law,
    theta: Any,
    log_x: xr.DataArray,
    start: float,
    scale: Scale,
    rate: NDArray[np.float64],
    generator: np.random.Generator,
    *,
    falling: bool = True,
) -> xr.DataArray:
    """Return log mu with breaks beyond the data added to each draw.

    Parameters
    ----------
    law : Law
        The law.
    theta : mapping of str to DataArray
        Draws of its parameters, over ``sample``.
    log_x : DataArray, dimension x
        Where to evaluate; up to `start` nothing changes.
    start : float
        Log x of the last point.
    scale : Scale
        Of the default priors.
    rate : ndarray, shape (n_draws,)
        Breaks per unit of log x.
    generator : numpy.random.Generator
        Where the randomness comes from. Breaks nearer than an x do not depend on whether the
        forecast goes farther.
    falling : bool, default True
        Whether the curve falls after every new break.

    Returns
    -------
    DataArray, dimensions (sample, x)
        Log mu.

    Notes
    -----
    With P the power part of the law and u = log x, a break at d > start multiplies P by
    ``exp(-c f [softplus((u - d) / f) - softplus((start - d) / f)])`` for u > start. Its change of
    slope is ``c = unit sinh(z) / visible``, with z standard normal, ``unit`` that of the default
    prior and ``visible = P / (limit + P)`` at the break. With `falling`, z is drawn from the part
    of the normal distribution that leaves P falling. All unseen breaks of a draw are equally sharp.
    """
    n_draws, log_range = len(rate), scale.log_x_last - scale.log_x_first
    end = float(log_x.max())
    limit = law.limit(theta)
    log_limit = None if is_zero(limit) else log(limit)
    unit = scale.spread / log_range
    f = xr.DataArray(sharpness(scale, generator.standard_normal(n_draws)), dims="sample")
    at_end = law.power(xr.DataArray(np.full(n_draws, end), dims="sample"), theta).first
    breaks: list[tuple[Any, Any]] = []

    def bends(u: xr.DataArray) -> Any:
        """Return what the breaks so far add to log P."""
        beyond = np.maximum(u, start)
        return 0.0 * u - sum(
            c * f * (softplus((beyond - d) / f) - softplus((start - d) / f)) for c, d in breaks
        )

    place = np.full(n_draws, start)
    slope = np.zeros(n_draws)
    while True:
        with np.errstate(divide="ignore"):  # a rate of zero: never
            place = place + generator.exponential(size=n_draws) / rate
        uniform = generator.uniform(size=n_draws)
        reached = place - 8 * f.values < end
        if not reached.any():
            break
        d = xr.DataArray(np.where(reached, place, end), dims="sample")
        power = law.power(d, theta)
        visible: Any = 1.0
        if log_limit is not None:
            visible = np.maximum(sigmoid(power.log + bends(d) - log_limit), 1e-3)
        # the slope of the law itself may still be on its way
        steepest = (np.maximum(power.first, at_end) + slope) * visible / unit
        least = np.arcsinh(steepest) if falling else -np.inf
        z = np.minimum(_normal_above(np.asarray(least), uniform), STEEPEST)
        c = np.where(reached, unit / visible * np.sinh(z), 0.0)
        slope = slope - c
        breaks.append((xr.DataArray(c, dims="sample"), d))
    log_power = law.power(log_x, theta).log + bends(log_x)
    total = log_power if log_limit is None else log_power + softplus(log_limit - log_power)
    return total.transpose("sample", "x")


def _normal_above(least: Any, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw standard normal numbers above a bound, by the inverse of the distribution function."""
    return -ndtri_exp(np.log(uniform) + log_ndtr(-least))
