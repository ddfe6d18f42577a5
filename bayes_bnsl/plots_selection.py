"""Pictures of comparisons and checks: which law, how many breaks, which points are hard."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray
from scipy.stats import gaussian_kde, kstwo

from bayes_bnsl.checks import Checks
from bayes_bnsl.comparison import Comparison
from bayes_bnsl.errors import did_you_mean
from bayes_bnsl.laws import BNSL
from bayes_bnsl.plots import number_ticks

__all__ = ["plot_breaks", "plot_compare", "plot_khat", "plot_loo_pit"]

# Okabe and Ito's colours, told apart by colour-blind readers.
MAIN, CHOSEN, OFF = "#0072B2", "#009E73", "#D55E00"
LEAST_SHOWN = 0.01
"""Probability of a number of breaks below which it is not drawn."""


def plot_compare(comparison: Comparison, *, ax: Axes | None = None) -> Axes:
    """Draw how far each law stays behind the best one.

    Dots are the differences of elpd or log evidence, lines one standard error to either side;
    within the shaded strip laws foresee about equally well. The recommended law is green, laws
    without weight because their fits did not converge are hollow, and the weight of each in the
    average stands at the right.

    Parameters
    ----------
    comparison : Comparison
        What :func:`compare` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on.

    Raises
    ------
    TypeError
        If it is no Comparison.
    ValueError
        If no law can be chosen.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> curve = bb.load_curve("four_digit_addition")
    >>> choice = bb.compare(curve, [bb.M1(), bb.BNSL(1)], by="evidence", seed=1, progress=False)
    >>> ax = plot_compare(choice)
    >>> ax.get_xlabel()
    'log evidence less that of BNSL(1)'
    """
    _check_kind(comparison, Comparison, "compare")
    table, simplest = comparison.table, comparison.simplest
    if ax is None:
        size = (7, 1.2 + 0.36 * len(table))
        ax = plt.subplots(figsize=size, layout="constrained")[1]
    similar = comparison.similar
    ax.axvspan(-similar, similar, color="0.9", lw=0)
    ax.axvline(0, color="0.6", lw=0.8)
    for height, (label, row) in enumerate(table.iterrows()):
        if np.isnan(row["elpd_diff"]):
            words = str(row["status"]).replace("_", " ")
            ax.text(0, height, f" {words} ", va="center", ha="right", color="0.4", fontsize="small")
            continue
        color = CHOSEN if label == simplest else MAIN
        converged = row["status"] == "converged"
        ax.errorbar(
            row["elpd_diff"], height, xerr=row["dse"], fmt="o", color=color, ms=6, lw=1.4,
            mfc=color if converged else "white",
        )  # fmt: skip
    what = {"loo": "elpd by LOO", "lfo": "elpd by LFO"}.get(comparison.by, "log evidence")
    right = ax.get_yaxis_transform()
    for height, (label, weight) in enumerate(table["weight"].items()):
        bold = "bold" if label == simplest else "normal"
        ax.text(1.02, height, f"{weight:.2f}", transform=right, va="center", fontweight=bold)
    ax.text(1.02, -0.9, "weight", transform=right, va="center", fontsize="small", color="0.4")
    ax.set_xscale("symlog", linthresh=2 * similar)
    low = np.nanmin(table["elpd_diff"] - table["dse"].fillna(0))
    high = np.nanmax(table["elpd_diff"] + table["dse"].fillna(0))
    ticks = [-10000, -3000, -1000, -300, -100, -30, -10, -4, 0, 4, 10, 30, 100]
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set(
        xlim=(min(1.2 * low, -6), max(1.2 * high, 1.5)),
        ylim=(len(table) - 0.4, -0.6),
        yticks=range(len(table)),
        yticklabels=table.index,
        xlabel=f"{what} less that of {comparison.best}",
    )
    for label in ax.get_yticklabels():
        if label.get_text() == simplest:
            label.set(color=CHOSEN, fontweight="bold")
    ax.set_title(f"{comparison.curve.name}: {simplest} is recommended", fontsize="medium")
    return ax


def plot_khat(
    source: Comparison | xr.Dataset, *, law: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the Pareto k of each left-out point, before and after repair.

    Above the dotted line importance sampling cannot be trusted. Arrows lead from there to the k
    after the draws were moved; crosses are points for which the law was fitted anew.

    Parameters
    ----------
    source : Comparison or xarray.Dataset
        What :func:`compare` with ``by="loo"``, or :func:`leave_one_out` returned.
    law : str, optional
        Which law of a comparison; the recommended one by default.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on.

    Raises
    ------
    TypeError
        If it is neither.
    ValueError
        If it is not a result of leave-one-out, or there is no such law.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> ax = plot_khat(bb.leave_one_out(fit))
    >>> ax.get_ylabel()
    'Pareto k'
    """
    scores, name = source, "left-out points"
    if isinstance(source, Comparison):
        known = list(source.points["law"].values)
        law = source.simplest if law is None else law
        if law not in known:
            raise ValueError(f"law is {law!r}. {did_you_mean(law, known)}")
        scores, name = source.points.sel(law=law), f"{law} on {source.curve.name}"
    if not isinstance(scores, xr.Dataset):
        raise TypeError(f"Pass what compare or leave_one_out returned; got {source!r}.")
    if "raw_k" not in scores:
        raise ValueError("Pareto k of left-out points come with by='loo'; this is another result.")
    x, raw, used = (scores[key].values for key in ("x", "raw_k", "pareto_k"))
    method = scores["method"].values
    good_k = scores.attrs["good_k"]
    ax = plt.subplots(figsize=(7, 3.6), layout="constrained")[1] if ax is None else ax
    ax.axhline(
        good_k, color="0.4", lw=1, ls=":", label=f"largest that can be trusted: {good_k:.2g}"
    )
    moved = method == "moment matching"
    for at, before, after in zip(x[moved], raw[moved], used[moved], strict=True):
        ax.annotate("", (at, after), (at, before), arrowprops={"arrowstyle": "->", "color": "0.5"})
    for kind, style, color, label in (
        (method == "psis", "o", MAIN, "importance sampling"),
        (moved, "s", CHOSEN, "after moment matching"),
    ):
        if kind.any():
            ax.plot(x[kind], used[kind], style, ms=5, color=color, label=label)
    if moved.any():
        ax.plot(x[moved], raw[moved], "s", ms=5, mfc="white", color="0.5", label="before")
    other = ~moved & (method != "psis")
    for kind in dict.fromkeys(method[other]):
        these = method == kind
        ax.plot(x[these], raw[these], "X", ms=7, color=OFF, label=str(kind))
    ax.set(xscale="log", xlabel="x of the left-out point", ylabel="Pareto k")
    number_ticks(ax)
    ax.set_ylim(min(0.0, np.min(raw) - 0.05), max(1.0, 1.08 * np.max(raw)))
    ax.set_title(name, fontsize="medium")
    ax.legend(fontsize="small", frameon=False)
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
    _check_kind(checks, Checks, "check")
    if not 0 < prob < 1:
        raise ValueError(f"prob must lie between 0 and 1; got {prob!r}.")
    pit = np.sort(checks.pit.values)
    n = len(pit)
    widest = kstwo.ppf(prob, n)  # of Kolmogorov and Smirnov, whose p-value `check` gives
    grid = np.linspace(0, 1, 400)
    low, high = np.maximum(-widest, -grid), np.minimum(widest, 1 - grid)
    ax = plt.subplots(figsize=(5.5, 3.6), layout="constrained")[1] if ax is None else ax
    ax.fill_between(grid, low, high, color="0.88", lw=0, label=f"{prob:.0%} of uniform values")
    ax.axhline(0, color="0.6", lw=0.8)
    corners = np.concatenate([[0.0], np.repeat(pit, 2), [1.0]])
    steps = np.repeat(np.arange(n + 1) / n, 2)
    ax.plot(corners, steps - corners, color=MAIN, lw=1.6, label=f"the {n} points")
    rough = np.sort(checks.pit.values[checks.pit["pareto_k"].values > 0.7])
    if rough.size:
        ax.plot(rough, np.zeros_like(rough), "|", ms=9, color=OFF, label="rough: k above 0.7")
    ax.set(xlim=(0, 1), xlabel="LOO-PIT value", ylabel="share of points below, less the value")
    p = float(checks.table["p"]["loo_pit"])
    ax.set_title(f"{checks.curve.name}: uniform with p = {p:.2f}", fontsize="medium")
    ax.figure.legend(fontsize="small", frameon=False, loc="outside lower center", ncols=3)
    return ax


def plot_breaks(comparison: Comparison) -> NDArray[np.object_]:
    """Draw the probability of each number of breaks, and where the breaks are.

    Left, ``comparison.n_breaks``. Right, for each number of breaks with a probability of one per
    cent or more, the posterior of the places of the breaks above the points.

    Parameters
    ----------
    comparison : Comparison
        What :func:`compare` returned, with laws BNSL(n) among the candidates.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (2,)
        The two pictures.

    Raises
    ------
    TypeError
        If it is no Comparison.
    ValueError
        If it has no law BNSL(n) that converged.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> curve = bb.load_curve("four_digit_addition")
    >>> choice = bb.compare(curve, [bb.M1(), bb.BNSL(1)], by="evidence", seed=1, progress=False)
    >>> left, right = plot_breaks(choice)
    >>> left.get_xlabel()
    'number of breaks'
    """
    _check_kind(comparison, Comparison, "compare")
    probability, curve = comparison.n_breaks, comparison.curve
    if not len(probability):
        raise ValueError("There is no law BNSL(n) with weight to count the breaks of.")
    _, axes = plt.subplots(
        1, 2, figsize=(9, 3.6), width_ratios=(1, 2.4), layout="constrained", squeeze=False
    )
    left, right = axes[0]
    left.bar(probability.index, probability.values, color=MAIN, width=0.6)
    for n, value in probability.items():
        left.text(n, value + 0.02, f"{value:.2f}", ha="center", fontsize="small")
    left.set(xticks=list(probability.index), ylim=(0, 1.12), xlabel="number of breaks")
    left.set_ylabel("probability")
    right.plot(curve.x, curve.to_reported(curve.y), "o", ms=3.5, color="0.45", zorder=3)
    right.set(xscale="log", yscale="log" if curve.ceiling is None else "linear")
    right.set(xlabel=curve.x_name, ylabel=curve.y_name)
    grid = np.linspace(curve.log_x[0], curve.log_x[-1], 300)
    shown = [
        (fit.law.n_breaks, share, fit)
        for fit in comparison.fits.values()
        if isinstance(fit.law, BNSL)
        and fit.law.n_breaks > 0
        and (share := float(probability.get(fit.law.n_breaks, 0.0))) >= LEAST_SHOWN
    ]
    if shown:  # the points above, the places of breaks below
        low, high = right.transData.transform([(1.0, value) for value in right.get_ylim()])[:, 1]
        foot = right.transData.inverted().transform((0.0, low - 0.5 * (high - low)))[1]
        right.set_ylim(bottom=foot)
    number_ticks(right)
    colors = (MAIN, OFF, CHOSEN, "#CC79A7")
    for row, (n, share, fit) in enumerate(shown):
        foot = 0.02 + 0.3 * row / max(len(shown), 1)
        for i in range(n):
            log_d = np.log(fit.posterior["d"].isel(brk=i).values.ravel())
            if np.ptp(log_d) == 0:
                right.axvline(np.exp(log_d[0]), color=colors[row % 4], lw=1)
                continue
            density = gaussian_kde(log_d[:: max(1, len(log_d) // 2000)])(grid)
            right.fill_between(
                np.exp(grid), foot, foot + 0.26 / len(shown) * density / density.max(),
                transform=right.get_xaxis_transform(), color=colors[row % 4], alpha=0.55, lw=0,
                label=f"{fit.law.name}, probability {share:.2f}" if i == 0 else None,
            )  # fmt: skip
    if shown:
        right.legend(fontsize="small", frameon=False)
    right.set_title("where the breaks are", fontsize="medium")
    left.set_title(curve.name, fontsize="medium")
    return axes[0]


def _check_kind(value: object, kind: type, maker: str) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"Pass what bayes_bnsl.{maker} returned, a {kind.__name__}; got {value!r}.")
