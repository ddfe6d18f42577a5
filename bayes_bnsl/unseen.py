"""Breaks beyond the data: what nobody has measured yet may bend the curve again.

A law goes on for ever with its last slope. Breaks that are yet to come are a Poisson process along
log x, beyond the last point; each multiplies the exponent of the curve by a factor that is as
often above one as below, and is as sharp as the default prior says. The limit stays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayes_bnsl.defaults import sharpness
from bayes_bnsl.law import Law
from bayes_bnsl.logs import is_zero, log, sigmoid, softplus
from bayes_bnsl.priors import Scale

__all__ = ["LEARNED", "bent", "rates"]

LEARNED = "learned"
"""Word for a rate that comes from the number of breaks in the data."""

FAR = 30.0
"""How far in log x beyond the data a law has reached its last slope."""

UNFELT = 25.0
"""How far before its place, in units of its f, a break is not felt: a share of exp(-25) of it."""


def rates(
    unseen_breaks: float | str,
    theta: Any,
    scale: Scale,
    n_draws: int,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """Return the rate of breaks in each draw, per unit of log x.

    Parameters
    ----------
    unseen_breaks : float or "learned"
        Breaks to expect per decade; or to be learned from those that a draw has within the data:
        n breaks over a range R of log x leave ``Gamma(n + 1/2, R)`` of the rate, with the prior
        of Jeffreys.
    theta : mapping of str to DataArray
        Draws of the parameters of the law, over ``sample``.
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
        within = np.zeros(n_draws)
        if "brk" in getattr(theta.get("d"), "dims", ()):
            within = (log(theta["d"]) < scale.log_x_last).sum("brk").values
        return generator.gamma(within + 0.5, 1 / log_range)
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
        Whether the curve goes on in its direction after every new break: falls, if it falls over
        the data as a whole.

    Returns
    -------
    DataArray, dimensions (sample, x)
        Log mu.

    Notes
    -----
    With P the power part of the law and u = log x, a break at d > start multiplies P by
    ``exp(-c f [softplus((u - d) / f) - softplus((start - d) / f)])`` for u > start. With z standard
    normal, a curve that falls as ``P ~ x**-e`` falls as ``x**-(e exp(z))`` after the break, and one
    that falls as a whole but rises as ``x**e`` at its end turns to that: a break makes the exponent
    larger as often as smaller, so that the band widens and its middle stays. For a curve that rises
    over the data as a whole, read rises for falls. Without `falling`, as for breaks within the
    data, ``c = unit sinh(z) / visible`` with ``visible = P / (limit + P)`` at the break. All unseen
    breaks of a draw are equally sharp.
    """
    n_draws, log_range = len(rate), scale.log_x_last - scale.log_x_first
    end = float(log_x.max())
    limit = law.limit(theta)
    f = sharpness(scale, generator.standard_normal(n_draws))
    way = 1 if scale.log_y_last <= scale.log_y_first else -1  # falling or rising
    at_last = law.power(xr.DataArray(np.full(n_draws, start + FAR), dims="sample"), theta).first
    added = np.zeros((n_draws, log_x.size))  # to log P
    places = changes = np.empty((0, n_draws))

    def bend(c: Any, d: Any, f: Any, u: Any) -> Any:
        """Return what breaks add to log P at u."""
        return -c * f * (softplus((np.maximum(u, start) - d) / f) - softplus((start - d) / f))

    place = np.full(n_draws, start)
    exponent_gained = np.zeros(n_draws)
    while True:
        with np.errstate(divide="ignore"):  # a rate of zero: never
            place = place + generator.exponential(size=n_draws) / rate
        z = generator.standard_normal(n_draws)
        reached = np.flatnonzero(place - UNFELT * f < end)  # by all earlier breaks too
        if not reached.size:
            break
        d, sharp, here = place[reached], f[reached], _of(theta, reached)
        power = law.power(xr.DataArray(d, dims="sample"), here)
        if falling:
            # the slope of the law itself may still be on its way
            own = way * np.maximum(way * power.first.values, way * at_last.values[reached])
            exponent = exponent_gained[reached] - own
            c = way * abs(exponent) * np.exp(z[reached]) - exponent
        else:
            visible: Any = 1.0
            if not is_zero(limit):
                earlier = bend(changes[:, reached], places[:, reached], sharp, d).sum(axis=0)
                excess = power.log.values + earlier - log(law.limit(here).values)
                visible = np.maximum(sigmoid(excess), 1e-3)
            c = scale.spread / log_range * np.sinh(z[reached]) / visible
        change = np.zeros(n_draws)
        change[reached] = c
        exponent_gained += change
        changes, places = np.vstack([changes, change]), np.vstack([places, place])
        added[reached] += bend(c[:, None], d[:, None], sharp[:, None], log_x.values)
    log_power = law.power(log_x, theta).log + xr.DataArray(added, dims=("sample", "x"))
    total = log_power if is_zero(limit) else np.logaddexp(log(limit), log_power)
    return total.transpose("sample", "x")


def _of(theta: Any, draws: NDArray[np.int64]) -> dict[str, Any]:
    """Return the parameters of these draws."""
    return {name: theta[name].isel(sample=draws, missing_dims="ignore") for name in theta}
