"""Pictures of calibration: how far ranks, PIT values and coverage stray from the ideal."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kstest, kstwo

from bayes_bnsl.checks import Checks
from bayes_bnsl.columns import checked_numbers
from bayes_bnsl.plots_style import BLUE, GREEN, GREY, ORANGE, PINK, ink, legend, new_axes, shade
from bayes_bnsl.uniformity import Calibration

__all__ = ["plot_calibration", "plot_coverage", "plot_loo_pit", "plot_pit"]

ROUGH = 0.7
"""Pareto k above which a LOO-PIT value is rough."""


def plot_calibration(
    calibration: Calibration, *, prob: float = 0.99, ax: Axes | None = None
) -> Axes:
    """Draw the distribution functions of ranks, less that of uniform ones.

    One thin line a quantity, and the band that each of them stays inside, as a whole and with
    the given probability, if the ranks are uniform. Lines that leave it are thick, orange and
    named. A line above zero left and below zero right is that of a posterior too narrow; one
    that stays above zero of a posterior too high.

    Parameters
    ----------
    calibration : Calibration
        From `calibrate`.
    prob : float, default 0.99
        Probability of the band, for each line.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on.

    Examples
    --------
    >>> from bayes_bnsl import Calibration
    >>> ranks = np.random.default_rng(1).integers(100, size=200)
    >>> ax = plot_calibration(Calibration("an example", {"a": ranks}, ("converged",) * 200))
    >>> ax.get_title()
    'an example: 200 curves, 100% of fits converged'
    """
    ax = new_axes(ax, (5, 3.6))
    share = np.arange(1, calibration.draws + 1) / (calibration.draws + 1)
    at = np.concatenate([[0.0], share, [1.0]])
    lower, upper = (np.pad(edge - share, 1) for edge in calibration.band(prob=prob))
    ax.fill_between(at, lower, upper, label=f"{prob:.0%} band", **shade())
    ax.axhline(0.0, color=GREY, lw=0.8)
    calm = (BLUE, GREEN, "#56B4E9", PINK, ink())
    for i, quantity in enumerate(calibration.ranks):
        strays = calibration.p_value(quantity) < 1 - prob
        ax.plot(
            at, np.pad(calibration.distribution(quantity) - share, 1),
            color=ORANGE if strays else calm[i % len(calm)],
            lw=1.8 if strays else 0.9, alpha=1.0 if strays else 0.75,
            label=quantity if strays else "_" + quantity,
        )  # fmt: skip
    ax.set(xlim=(0, 1), xlabel="rank of the truth / number of draws", ylabel="ECDF difference")
    ax.set_title(
        f"{calibration.name}: {len(calibration.statuses)} curves, "
        f"{calibration.converged:.0%} of fits converged",
        fontsize="medium",
    )
    legend(ax, loc="lower left", borderaxespad=0.2)
    return ax


def plot_pit(pit: ArrayLike, *, prob: float = 0.95, ax: Axes | None = None) -> Axes:
    """Draw the distribution function of PIT values, less that of uniform ones.

    The line stays inside the band with the given probability if forecasts are calibrated and the
    points independent of one another. Above zero left and below zero right: intervals are too
    narrow; the reverse: too wide.

    Parameters
    ----------
    pit : array_like
        From :func:`pit`, of one forecast or of many together.
    prob : float, default 0.95
        Probability of the band, for the line as a whole (Kolmogorov and Smirnov).
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on.

    Raises
    ------
    TypeError, ValueError
        If a value or `prob` is not between 0 and 1.

    Examples
    --------
    >>> ax = plot_pit([0.2, 0.5, 0.9])
    >>> ax.get_xlabel()
    'PIT value'
    """
    values = _checked(pit, prob)
    ax = new_axes(ax, (5.5, 3.6))
    _draw_uniform(ax, values, prob)
    ax.set(xlabel="PIT value", ylabel="share of points below, less the value")
    p = float(kstest(values, "uniform").pvalue)
    ax.set_title(f"PIT values: uniform with p = {p:.2f}", fontsize="medium")
    return ax


def plot_loo_pit(checks: Checks, *, prob: float = 0.95, ax: Axes | None = None) -> Axes:
    """Draw the distribution function of LOO-PIT values, less that of uniform ones.

    The line stays inside the band with the given probability if the points scatter as the fit
    foresees. Above zero left and below zero right: intervals are too narrow; the reverse: too
    wide.

    Parameters
    ----------
    checks : Checks
        What :func:`check` returned.
    prob : float, default 0.95
        Probability of the band.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on.

    Raises
    ------
    TypeError
        If it is no Checks.
    ValueError
        If `prob` is not between 0 and 1.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> ax = plot_loo_pit(bb.check(fit))
    >>> ax.get_xlabel()
    'LOO-PIT value'
    """
    if not isinstance(checks, Checks):
        raise TypeError(f"Pass what bayes_bnsl.check returned, a Checks; got {checks!r}.")
    ax = plot_pit(checks.pit.values, prob=prob, ax=ax)
    rough = np.sort(checks.pit.values[checks.pit["pareto_k"].values > ROUGH])
    if rough.size:
        label = f"rough: k above {ROUGH}"
        ax.plot(rough, np.zeros_like(rough), "|", ms=9, color=ORANGE, label=label)
        legend(ax, loc="upper right")
    ax.set_xlabel("LOO-PIT value")
    p = float(checks.table["p"]["loo_pit"])
    ax.set_title(f"{checks.curve.name}: uniform with p = {p:.2f}", fontsize="medium")
    return ax


def plot_coverage(pit: Checks | ArrayLike, *, prob: float = 0.95, ax: Axes | None = None) -> Axes:
    """Draw how many points lie in equal-tailed intervals, against how many should.

    A line below the diagonal is that of intervals too narrow. It stays inside the band, as a whole
    and with the given probability, if intervals hold what they promise and the points are
    independent of one another; those of one forecast seldom are.

    Parameters
    ----------
    pit : Checks or array_like
        What :func:`check` returned, for the fitted points; or PIT values of points ahead, from
        :func:`pit`, of one forecast or of many together.
    prob : float, default 0.95
        Probability of the band.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on.

    Raises
    ------
    TypeError, ValueError
        If a value or `prob` is not between 0 and 1.

    Examples
    --------
    >>> plot_coverage([0.2, 0.5, 0.9, 0.97]).get_title()
    '50% intervals hold 25%, 90% intervals 75%'
    """
    values = _checked(pit.pit.values if isinstance(pit, Checks) else pit, prob)
    n = values.size
    ax = new_axes(ax, (4.6, 4.4))
    # a point lies in the interval of every probability from this one on
    needed = np.sort(np.abs(2 * values - 1))
    widest = kstwo.ppf(prob, n)
    grid = np.linspace(0, 1, 400)
    low, high = np.maximum(grid - widest, 0.0), np.minimum(grid + widest, 1.0)
    ax.fill_between(grid, low, high, label=f"{prob:.0%} of calibrated forecasts", **shade())
    ax.plot([0, 1], [0, 1], color=GREY, lw=0.8)
    ax.step(
        np.concatenate([[0.0], needed, [1.0]]),
        np.concatenate([[0.0], np.arange(1, n + 1) / n, [1.0]]),
        where="post", color=BLUE, lw=1.6, label=_counted(n),
    )  # fmt: skip
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    ax.set(xlabel="probability of the interval", ylabel="share of points inside")
    half, most = ((needed <= level).mean() for level in (0.5, 0.9))
    ax.set_title(f"50% intervals hold {half:.0%}, 90% intervals {most:.0%}", fontsize="medium")
    legend(ax, loc="upper left")
    return ax


def _checked(pit: ArrayLike, prob: float) -> NDArray[np.float64]:
    if not 0 < prob < 1:
        raise ValueError(f"prob must lie between 0 and 1; got {prob!r}.")
    values = np.asarray(checked_numbers(np.ravel(pit), "pit", sign="non-negative"))
    if (values > 1).any():
        raise ValueError(f"PIT values are probabilities, at most 1; got {values.max():g}.")
    return values


def _draw_uniform(ax: Axes, values: NDArray[np.float64], prob: float) -> None:
    """Draw the distribution function of values less the diagonal, and the band of uniform ones."""
    n = values.size
    widest = kstwo.ppf(prob, n)  # of Kolmogorov and Smirnov, whose p-value `check` gives
    grid = np.linspace(0, 1, 400)
    low, high = np.maximum(-widest, -grid), np.minimum(widest, 1 - grid)
    ax.fill_between(grid, low, high, label=f"{prob:.0%} of uniform values", **shade())
    ax.axhline(0, color=GREY, lw=0.8)
    corners = np.concatenate([[0.0], np.repeat(np.sort(values), 2), [1.0]])
    steps = np.repeat(np.arange(n + 1) / n, 2)
    ax.plot(corners, steps - corners, color=BLUE, lw=1.6, label=_counted(n))
    ax.set(xlim=(0, 1))
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.35 * (high - low))  # room for the legend
    legend(ax, loc="upper right")


def _counted(n: int) -> str:
    return f"the {n} points" if n > 1 else "the one point"
