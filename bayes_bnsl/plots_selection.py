"""Pictures of comparisons: which law, how many breaks and where, which points are hard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from bayes_bnsl.comparison import Comparison
from bayes_bnsl.curve import Curve
from bayes_bnsl.errors import did_you_mean
from bayes_bnsl.laws import BNSL
from bayes_bnsl.plots_style import (
    BLUE,
    COLORS,
    GREEN,
    GREY,
    ORANGE,
    background,
    dots,
    hill,
    legend,
    new_axes,
    number_ticks,
    scale_axes,
    shade,
)
from bayes_bnsl.result import Fit

__all__ = ["plot_breaks", "plot_compare", "plot_khat"]

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
    ax = new_axes(ax, (7, 1.2 + 0.36 * len(table)))
    similar = comparison.similar
    ax.axvspan(-similar, similar, **shade())
    ax.axvline(0, color=GREY, lw=0.8)
    for height, (label, row) in enumerate(table.iterrows()):
        if np.isnan(row["elpd_diff"]):
            words = str(row["status"]).replace("_", " ")
            ax.text(0, height, f" {words} ", va="center", ha="right", color=GREY, fontsize="small")
            continue
        color = GREEN if label == simplest else BLUE
        converged = row["status"] == "converged"
        ax.errorbar(
            row["elpd_diff"], height, xerr=row["dse"], fmt="o", color=color, ms=6, lw=1.4,
            mfc=color if converged else background(),
        )  # fmt: skip
    what = {"loo": "elpd by LOO", "lfo": "elpd by LFO"}.get(comparison.by, "log evidence")
    right = ax.get_yaxis_transform()
    for height, (label, weight) in enumerate(table["weight"].items()):
        bold = "bold" if label == simplest else "normal"
        ax.text(1.02, height, f"{weight:.2f}", transform=right, va="center", fontweight=bold)
    ax.text(1.02, -0.9, "weight", transform=right, va="center", fontsize="small", color=GREY)
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
            label.set(color=GREEN, fontweight="bold")
    ax.set_title(f"{comparison.curve.name}: {simplest} is recommended", fontsize="medium")
    return ax


def plot_khat(
    source: Comparison | xr.Dataset, *, law: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the Pareto k of each left-out point, before and after repair.

    Above the dotted line importance sampling cannot be trusted. Arrows lead from there to the k
    after the draws were moved; crosses are points without which chains went on.

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
    ax = new_axes(ax, (7, 3.6))
    ax.axhline(good_k, color=GREY, lw=1, ls=":", label=f"largest that can be trusted: {good_k:.2g}")
    moved = method == "moment matching"
    for at, before, after in zip(x[moved], raw[moved], used[moved], strict=True):
        ax.annotate("", (at, after), (at, before), arrowprops={"arrowstyle": "->", "color": GREY})
    for kind, style, color, label in (
        (method == "psis", "o", BLUE, "importance sampling"),
        (moved, "s", GREEN, "after moment matching"),
    ):
        if kind.any():
            ax.plot(x[kind], used[kind], style, ms=5, color=color, label=label)
    if moved.any():
        ax.plot(x[moved], raw[moved], "s", ms=5, mfc=background(), color=GREY, label="before")
    other = ~moved & (method != "psis")
    for kind in dict.fromkeys(method[other]):
        these = method == kind
        ax.plot(x[these], raw[these], "X", ms=7, color=ORANGE, label=str(kind))
    ax.set(xscale="log", xlabel="x of the left-out point", ylabel="Pareto k")
    number_ticks(ax)
    ax.set_ylim(min(0.0, np.min(raw) - 0.05), max(1.0, 1.08 * np.max(raw)))
    ax.set_title(name, fontsize="medium")
    legend(ax)
    return ax


def plot_breaks(
    source: Comparison | Fit, *, log: bool = True, axes: Sequence[Axes] = ()
) -> NDArray[np.object_]:
    """Draw the probability of each number of breaks, and where the breaks are.

    Of a comparison: left, ``comparison.n_breaks``; right, for each number of breaks with a
    probability of one per cent or more, the posterior of the places of the breaks below the points.
    Of a fit the latter alone, each break in its own colour, with median and 90 % interval. Breaks
    may lie beyond the data: the picture reaches as far as their 90 % intervals, and a dotted line
    is where the data end.

    Parameters
    ----------
    source : Comparison or Fit
        What :func:`compare` returned, with laws BNSL(n) among the candidates; or one fit of a law
        with breaks.
    log : bool, default True
        Whether the axes of the points are logarithmic, as for :func:`plot_forecast`.
    axes : sequence of matplotlib.axes.Axes, optional
        Where to draw, two for a comparison, one for a fit; a new figure by default.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (2,) or (1,)
        The pictures, that of the places last.

    Raises
    ------
    TypeError
        If it is neither.
    ValueError
        If no law BNSL(n) converged, the law of a fit has no breaks, or `axes` are too few or many.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> curve = bb.load_curve("four_digit_addition")
    >>> choice = bb.compare(curve, [bb.M1(), bb.BNSL(1)], by="evidence", seed=1, progress=False)
    >>> left, right = plot_breaks(choice)
    >>> left.get_xlabel()
    'number of breaks'
    """
    if not isinstance(source, Fit):
        _check_kind(source, Comparison, "compare")
    wanted = 1 if isinstance(source, Fit) else 2
    if len(axes) not in (0, wanted):
        raise ValueError(f"axes must be {wanted} for a {type(source).__name__}; got {len(axes)}.")
    if isinstance(source, Fit):
        if not source.law.n_breaks:
            raise ValueError(f"{source.law.name} has no breaks to draw.")
        panels = list(axes) or [new_axes(None)]
        rows = [
            (f"break {i + 1}{_extent(log_d)}", [log_d])
            for i, log_d in enumerate(_log_places(source))
        ]
    else:
        probability = source.n_breaks
        if not len(probability):
            raise ValueError("There is no law BNSL(n) with weight to count the breaks of.")
        panels = list(axes)
        if not panels:
            panels += plt.subplots(
                1, 2, figsize=(9, 3.6), width_ratios=(1, 2.4), layout="constrained"
            )[1].tolist()
        _draw_numbers(panels[0], probability, source.curve.name)
        rows = [
            (f"{fit.law.name}, probability {share:.2f}", _log_places(fit))
            for fit in source.fits.values()
            if isinstance(fit.law, BNSL)
            and fit.law.n_breaks > 0
            and (share := float(probability.get(fit.law.n_breaks, 0.0))) >= LEAST_SHOWN
        ]
    _draw_places(panels[-1], source.curve, rows, log=log)
    name = f"{source.law.name} on {source.curve.name}: " if isinstance(source, Fit) else ""
    panels[-1].set_title(f"{name}where the breaks are", fontsize="medium")
    return np.array(panels, dtype=object)


def _draw_numbers(ax: Axes, probability: Any, name: str) -> None:
    """Draw the probability of each number of breaks."""
    ax.bar(probability.index, probability.values, color=BLUE, width=0.6)
    for n, value in probability.items():
        ax.text(n, value + 0.02, f"{value:.2f}", ha="center", fontsize="small")
    ax.set(xticks=list(probability.index), ylim=(0, 1.12), xlabel="number of breaks")
    ax.set(ylabel="probability")
    ax.set_title(name, fontsize="medium")


def _log_places(fit: Fit) -> list[NDArray[np.float64]]:
    """Return draws of the log of the place of each break."""
    d = fit.posterior["d"]
    return [np.log(d.isel(brk=i).values.ravel()) for i in range(fit.law.n_breaks)]


def _extent(log_d: NDArray[np.float64]) -> str:
    """Write median and 90 % interval of a place."""
    low, median, high = np.exp(np.quantile(log_d, [0.05, 0.5, 0.95]))
    return f" at {median:.3g}" + (f" [{low:.3g}, {high:.3g}]" if low < high else "")


def _draw_places(
    ax: Axes, curve: Curve, rows: list[tuple[str, list[NDArray[np.float64]]]], *, log: bool
) -> None:
    """Draw the points above, and a row of hills for each entry below."""
    dots(ax, curve, GREY, "_points", ms=3.5)
    scale_axes(ax, curve, log=log)
    if rows:
        low, high = ax.transData.transform([(1.0, value) for value in ax.get_ylim()])[:, 1]
        foot = ax.transData.inverted().transform((0.0, low - 0.5 * (high - low)))[1]
        ax.set_ylim(bottom=foot)
    reach = [np.quantile(log_d, [0.05, 0.95]) for _, places in rows for log_d in places]
    ends = np.array([np.log(curve.x[[0, -1]]), *reach])
    grid = np.exp(np.linspace(ends.min(), ends.max(), 300))
    for row, (label, places) in enumerate(rows):
        color, shown = COLORS[row % len(COLORS)], label
        foot = 0.02 + 0.3 * row / len(rows)
        for log_d in places:
            if np.ptp(log_d) == 0:
                ax.axvline(np.exp(log_d[0]), color=color, lw=1, label=shown)
            else:
                hill(ax, grid, log_d, foot, 0.26 / len(rows), color, shown)
            shown = "_more"
    if ends.max() > ends[0, 1]:
        ax.axvline(curve.x[-1], color=GREY, lw=1, ls=":", label="end of the data")
    number_ticks(ax)
    if rows:
        legend(ax)


def _check_kind(value: object, kind: type, maker: str) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"Pass what bayes_bnsl.{maker} returned, a {kind.__name__}; got {value!r}.")
