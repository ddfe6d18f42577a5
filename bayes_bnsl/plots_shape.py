"""Pictures of the shape of a law: its segments, its local slope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from bayes_bnsl.comparison import Comparison
from bayes_bnsl.draws import flattened
from bayes_bnsl.law import Law
from bayes_bnsl.laws import BNSL
from bayes_bnsl.mixture import mix
from bayes_bnsl.plots_style import (
    BLUE,
    COLORS,
    GREY,
    bands,
    ink,
    legend,
    new_axes,
    number_ticks,
)
from bayes_bnsl.result import Fit

__all__ = ["plot_segments", "plot_slope"]

REACH = 3.0
"""Factor of x by which a segment is drawn past its breaks."""


def plot_segments(
    source: Fit | BNSL,
    theta: Mapping[str, Any] | None = None,
    *,
    x: ArrayLike | None = None,
    log: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw a broken law and the power laws that it is made of.

    Each dashed line is one segment, ``a`` included, labelled with its slope; neighbours meet at
    the breaks, the vertical lines (Caballero et al., ICLR 2023, figure 1). Of a curve made by
    `Curve.from_accuracy` it is the error that has segments, and that is drawn.

    Parameters
    ----------
    source : Fit or BNSL
        A fit, whose posterior gives medians and 90 % intervals of the slopes, or a law.
    theta : mapping, optional
        The parameters of the law, if `source` is one.
    x : array_like, optional
        Range to draw over; by default that of the data, longer if a break lies beyond them, or two
        decades around the breaks.
    log : bool, default True
        Whether both axes are logarithmic; on linear ones power laws are no straight lines.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on.

    Raises
    ------
    TypeError
        If the law is not a BNSL, or a law comes without parameters.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 0.1, "b": 2.0, "c0": 0.5, "c": [0.4], "d": [100.0], "f": [0.2]}
    >>> ax = plot_segments(bb.BNSL(1), theta)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['the law', 'slope -0.5', 'slope -0.9']
    """
    law: Law = source.law if isinstance(source, Fit) else source
    if not isinstance(law, BNSL):
        raise TypeError(f"Segments are those of a BNSL; got {law!r}.")
    if isinstance(source, Fit):
        draws = flattened(source.posterior)
    elif theta is None:
        raise TypeError("A law needs its parameters: plot_segments(law, theta).")
    else:
        draws = {
            name: xr.DataArray(np.atleast_1d(value), dims="brk")
            if law.has_break(name)
            else xr.DataArray(value)
            for name, value in theta.items()
        }
    segments = law.segments(draws)
    breaks = [float(place.median()) for place in segments.breaks]
    if x is None and isinstance(source, Fit):
        last = source.curve.x[-1]
        x = [*source.curve.x, *(REACH * place for place in breaks if place > last)]
    elif x is None:
        x = (min(breaks) / 100, max(breaks) * 100) if breaks else (1.0, 1e4)
    span = np.asarray(x, dtype=float)
    grid = np.geomspace(span.min(), span.max(), 400)
    u = xr.DataArray(np.log(grid), dims="x")
    ax = new_axes(ax)
    others = [dim for dim in law.log_mu(u, draws).dims if dim != "x"]
    median = np.exp(law.log_mu(u, draws)).median(others)
    ax.plot(grid, median, color=ink(), lw=1.8, label="the law")
    low, high = ax.get_ylim()
    edges = [grid[0], *breaks, grid[-1]]
    for i, (slope, level) in enumerate(zip(segments.slope, segments.log_coefficient, strict=True)):
        reach = REACH if i else 1.0, REACH if i < law.n_breaks else 1.0
        start, stop = max(edges[i] / reach[0], grid[0]), min(edges[i + 1] * reach[1], grid[-1])
        if start >= stop:
            continue  # out of sight
        part = np.geomspace(start, stop, 50)
        log_part = xr.DataArray(np.log(part), dims="x")
        y = (draws["a"] + np.exp(level + slope * log_part)).median(others)
        label = f"slope {float(slope.median()):.3g}"
        if others:
            tail = slope.quantile([0.05, 0.95]).values
            label += f" [{tail[0]:.3g}, {tail[1]:.3g}]"
        ax.plot(part, y, color=COLORS[i % len(COLORS)], ls="--", lw=1.4, label=label)
    for place in breaks:
        if not grid[0] <= place <= grid[-1]:
            continue
        ax.axvline(place, color=GREY, lw=0.8, ls=":")
    if isinstance(source, Fit):
        curve = source.curve
        ax.plot(curve.x, curve.y, "o", ms=4, color=ink(), label="fitted points", zorder=3)
        ax.set(xlabel=curve.x_name, ylabel=curve.y_name)
    else:
        ax.set(xlabel="x", ylabel="y")
    if log:
        ax.set(xscale="log", yscale="log")
    ax.set_ylim(max(low, 1e-300) if low > 0 else None, high)
    number_ticks(ax)
    parts = f"{law.n_breaks + 1} power laws" if law.n_breaks else "power law"
    ax.set_title(f"{law.name} and the {parts} that it is made of", fontsize="medium")
    legend(ax)
    return ax


def plot_slope(
    source: Fit | Comparison,
    *,
    to: float | None = None,
    above_limit: bool = False,
    log: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw the local slope of the curve, the exponent that one sees, against x.

    The slope is ``d log y / d log x`` of each draw of the law, with bands of 50 and 90 per cent. It
    is level along a power law and moves at a break; close to the limit it fades to zero, though the
    exponent of what is left above the limit stays: `above_limit` draws that one. The dotted line is
    where the data end; the bands beyond it take it that no further break comes.

    Parameters
    ----------
    source : Fit or Comparison
        The fitted law, or several whose draws are mixed by their weights.
    to : float, optional
        Largest x; by default ten times the end of the data.
    above_limit : bool, default False
        Whether to draw ``d log(y - limit) / d log x``.
    log : bool, default True
        Whether the axis of x is logarithmic.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on.

    Raises
    ------
    ValueError
        If `to` is not beyond the first x, or no law of a Comparison has weight.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> ax = plot_slope(fit)
    >>> ax.get_xscale()
    'log'
    """
    curve = source.curve
    first, last = curve.x[[0, -1]]
    to = 10 * last if to is None else to
    if not to > first:
        raise ValueError(f"to must be larger than the first x, {first:g}; got {to!r}.")
    grid = np.geomspace(first, to, 200) if log else np.linspace(first, to, 200)
    draws = _slopes(source, grid, above_limit=above_limit)
    ax = new_axes(ax)
    median = bands(ax, grid, draws["slope"].transpose("sample", "x").values, "the draws")
    ax.plot(grid, median, color=BLUE, label="median")
    low, high = ax.get_ylim()
    if low < 0 < high:  # a slope far from zero would shrink to a line beside it
        ax.axhline(0.0, color=GREY, lw=0.8)
    ax.axvline(last, color=GREY, lw=1, ls=":", label="end of the data")
    if log:
        ax.set_xscale("log")
    number_ticks(ax)
    what = f"({curve.y_name} - limit)" if above_limit else f"({curve.y_name})"
    ax.set(
        xlabel=curve.x_name,
        ylabel=f"local slope, d log {what} / d log x",
        xlim=(grid[0], grid[-1]),
    )
    ax.set_title(f"{draws.attrs['law']} on {curve.name}: local slope", fontsize="medium")
    legend(ax)
    return ax


def _slopes(source: Fit | Comparison, grid: Any, *, above_limit: bool) -> xr.Dataset:
    """Return draws of the local slope, dimensions (sample, x)."""
    if isinstance(source, Comparison):
        weights = {str(label): float(weight) for label, weight in source.weights.items()}
        if not any(weights.values()):
            raise ValueError(f"No law has weight. {source}")
        some = {
            label: _slopes(source.fits[label], grid, above_limit=above_limit)
            for label, weight in weights.items()
            if weight > 0
        }
        return mix(some, weights)
    law, theta = source.law, flattened(source.posterior)
    u = xr.DataArray(np.log(grid), dims="x")
    slope = law.power(u, theta).first if above_limit else law.log_slope(u, theta)
    slope = slope.broadcast_like(u + theta[law.parameters[-1]].isel(brk=0, missing_dims="ignore"))
    return xr.Dataset({"slope": slope}, attrs={"law": law.name})
