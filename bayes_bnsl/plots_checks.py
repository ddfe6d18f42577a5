"""Pictures of checks: what prior and posterior foresee of the points, and what is left of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from bayes_bnsl.checks import residuals
from bayes_bnsl.curve import Curve
from bayes_bnsl.draws import flattened
from bayes_bnsl.plots_style import (
    BLUE,
    GREY,
    bands,
    dots,
    ink,
    legend,
    new_axes,
    number_ticks,
    scale_axes,
    shade,
)
from bayes_bnsl.replicates import new_points, prior_draws
from bayes_bnsl.result import Fit

__all__ = ["plot_predictive", "plot_residuals"]

N_BINS = 12
"""Distances at which the autocorrelation is drawn, at most."""

FARTHEST = 300.0
"""Log of what no picture shows."""

FEWEST_PAIRS = 8
"""Pairs of points that a distance needs: the correlation of fewer is noise."""


def plot_predictive(
    fit: Fit,
    *,
    prior: bool = True,
    posterior: bool = True,
    log: bool = True,
    seed: int = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw what the prior and the posterior foresee of points, and the points.

    The grey bands are those of points from the prior, with 50 and 90 per cent: they should hold
    every curve that you would find possible, and little more. The blue ones are those of points
    from the posterior, which should hold about as many of the points as they say. Points of both
    are of runs that start anew: with `Correlated` noise they know no residual that was seen. Known
    standard errors of points count, those between them by interpolation.

    Parameters
    ----------
    fit : Fit
        The fitted law.
    prior, posterior : bool, default True
        Which bands to draw.
    log : bool, default True
        Whether both axes are logarithmic. That of accuracies is linear all the same.
    seed : int, default 0
        Seed of the draws.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on. Bands that are far wider than the points are cut off.

    Raises
    ------
    ValueError
        If neither of the two is to be drawn.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> ax = plot_predictive(fit)
    >>> ax.get_xscale()
    'log'
    """
    if not (prior or posterior):
        raise ValueError("Draw at least one of prior and posterior.")
    curve = fit.curve
    first, last = curve.x[[0, -1]]
    grid = np.geomspace(first, last, 100) if log else np.linspace(first, last, 100)
    generator = np.random.default_rng(seed)
    ax = new_axes(ax)
    if prior:
        theta = flattened(prior_draws(fit, seed=seed))
        bands(ax, grid, _points_along(fit, grid, theta, generator), "points from the prior", GREY)
    if posterior:
        y = _points_along(fit, grid, flattened(fit.posterior), generator)
        median = bands(ax, grid, y, "points from the posterior")
        ax.plot(grid, median, color=BLUE, label="their median")
    dots(ax, curve, ink(), "fitted points")
    scale_axes(ax, curve, log=log)
    ax.set_ylim(*_room_around(curve, ax))
    ax.set_xlim(first / 1.05, last * 1.05)
    number_ticks(ax)
    what = " and ".join(
        name for name, drawn in (("prior", prior), ("posterior", posterior)) if drawn
    )
    ax.set_title(f"{fit.law.name} on {curve.name}: {what} predictive", fontsize="medium")
    legend(ax)
    return ax


def plot_residuals(
    fit: Fit, *, prob: float = 0.9, log: bool = True, seed: int = 0, axes: Sequence[Axes] = ()
) -> NDArray[np.object_]:
    """Draw the residuals against x, and how alike they are at each distance.

    Left, ``log y - log mu`` of each point in units of its independent noise, the median of the
    draws and its interval; the shade is where the noise model expects residuals. Right, the
    correlation of the residuals of two points of a run by their distance, in factors of x; the
    shade holds, at each distance by itself, that of points replicated from the fit. A line that
    leaves it at short distances says that neighbours are more alike than the noise model takes
    them to be.

    Parameters
    ----------
    fit : Fit
        The fitted law.
    prob : float, default 0.9
        Probability of intervals and shades.
    log : bool, default True
        Whether the axis of x is logarithmic; that of distances always is.
    seed : int, default 0
        Seed of the replicated points.
    axes : sequence of two matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (2,)
        The two pictures.

    Raises
    ------
    ValueError
        If `prob` is not between 0 and 1, or `axes` are not two.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> axes = plot_residuals(fit)
    >>> len(axes)
    2
    """
    if not 0 < prob < 1:
        raise ValueError(f"prob must lie between 0 and 1; got {prob!r}.")
    if len(axes) not in (0, 2):
        raise ValueError(f"axes must be two; got {len(axes)}.")
    if not len(axes):
        axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")[1]
    left, right = axes
    curve, tails = fit.curve, [(1 - prob) / 2, 0.5, (1 + prob) / 2]
    seen, replicated = residuals(fit, np.random.default_rng(seed))
    lower, median, upper = np.quantile(seen, tails, axis=0)
    low, _, high = np.quantile(replicated, tails, axis=0)
    label = f"{prob:.0%} under {fit.noise.name} noise"
    left.fill_between(curve.x, low, high, label=label, **shade())
    left.axhline(0.0, color=GREY, lw=0.8)
    left.vlines(curve.x, lower, upper, color=BLUE, lw=1.2)
    left.plot(curve.x, median, "o", ms=4, color=BLUE, label=f"points, {prob:.0%} of the draws")
    if log:
        left.set_xscale("log")
    left.set(xlabel=curve.x_name, ylabel=f"residual of log({curve.y_name}) / sd of noise")
    left.set_title(f"{fit.law.name} on {curve.name}", fontsize="medium")
    bins = _bins(curve)
    if bins:
        at = np.exp([distance for distance, _, _ in bins])
        expected = np.quantile(_correlogram(replicated, bins), tails, axis=0)
        found = np.quantile(_correlogram(seen, bins), tails, axis=0)
        right.fill_between(at, expected[0], expected[2], label=label, **shade())
        right.vlines(at, found[0], found[2], color=BLUE, lw=1.2)
        right.plot(at, found[1], "o-", ms=4, lw=1, color=BLUE, label="residuals of the points")
    else:
        right.text(
            0.5, 0.6, f"fewer than {FEWEST_PAIRS} pairs of points",
            transform=right.transAxes, ha="center",
        )  # fmt: skip
    right.axhline(0.0, color=GREY, lw=0.8)
    right.set_xscale("log")
    right.set(xlabel=f"ratio of {curve.x_name}", ylabel="correlation of residuals")
    right.set_title("autocorrelation along log x", fontsize="medium")
    for ax in (left, right):
        number_ticks(ax)
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.3 * (high - low))  # of the legend
        legend(ax, loc="upper right", ncols=2)
    return np.array([left, right], dtype=object)


def _points_along(
    fit: Fit, grid: NDArray[np.float64], theta: dict[str, xr.DataArray], generator: Any
) -> NDArray[np.float64]:
    """Draw points at any x, shape (n_draws, n_x), as they are reported."""
    curve = fit.curve
    errors = None
    if curve.y_se is not None:
        errors = np.interp(np.log(grid), curve.log_x, curve.y_se / curve.y)
    along = replace(fit, curve=Curve(grid, np.ones_like(grid), y_se=errors))
    log_y = new_points(along, theta, generator)[1]
    y = np.exp(np.clip(log_y, -FARTHEST, FARTHEST))  # the prior may reach anywhere
    return np.asarray(curve.to_reported(y))


def _room_around(curve: Curve, ax: Axes) -> tuple[float, float]:
    """Return limits that show all that is drawn, up to twice the points' range to each side."""
    logged, y, ceiling = ax.get_yscale() == "log", curve.to_reported(curve.y), curve.ceiling
    to, back = (np.log, np.exp) if logged else (np.asarray, np.asarray)
    low, high = to(ax.get_ylim())
    first, last = to(np.array([y.min(), y.max()]))
    room = 2 * max(last - first, 0.01 if logged else 0.01 * abs(last))
    bottom, top = back(np.array([max(low, first - room), min(high, last + room)]))
    if not logged and ceiling is None:
        bottom = max(bottom, 0.0)
    elif ceiling is not None:
        top = min(top, ceiling + 0.05 * (ceiling - bottom))
    return float(bottom), float(top)


def _bins(curve: Curve) -> list[tuple[float, NDArray[np.int64], NDArray[np.int64]]]:
    """Return mean distances in log x, and the pairs of points of one run that far apart."""
    run = np.zeros(len(curve), dtype=int) if curve.run_index is None else curve.run_index
    first, second = np.triu_indices(len(curve), k=1)
    distance = curve.log_x[second] - curve.log_x[first]
    reach = np.ptp(curve.log_x) / 2  # beyond it the same few points make every pair
    near = (run[first] == run[second]) & (distance > 0) & (distance <= reach)
    first, second, distance = first[near], second[near], distance[near]
    gaps = np.diff(np.unique(curve.log_x))
    width = max(float(np.median(gaps)), reach / N_BINS) if gaps.size else 1.0
    number = np.round(distance / width)
    of_bins = (np.flatnonzero(number == each) for each in np.unique(number))
    return [
        (float(distance[of].mean()), first[of], second[of])
        for of in of_bins
        if of.size >= FEWEST_PAIRS
    ]


def _correlogram(
    values: NDArray[np.float64], bins: list[tuple[float, Any, Any]]
) -> NDArray[np.float64]:
    """Return the correlation at each distance, shape (n_draws, n_bins)."""
    variance = (values**2).mean(axis=1)
    return np.stack(
        [(values[:, one] * values[:, other]).mean(axis=1) / variance for _, one, other in bins],
        axis=1,
    )
