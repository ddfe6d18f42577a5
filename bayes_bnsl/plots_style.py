"""What all pictures share: colours, axes, ticks, bands, points.

The colours are Okabe and Ito's, which colour-blind readers tell apart. What is drawn in ink takes
the colour of the page's text, and shades are transparent, so that pictures suit dark themes of
matplotlib (``plt.style.use("dark_background")``) as they suit paper.
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray
from scipy.stats import gaussian_kde

from bayes_bnsl.curve import Curve

__all__ = [
    "BLUE",
    "COLORS",
    "GREEN",
    "GREY",
    "ORANGE",
    "PINK",
    "background",
    "bands",
    "dots",
    "hill",
    "ink",
    "legend",
    "new_axes",
    "number_ticks",
    "scale_axes",
    "shade",
    "strengths",
]

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
COLORS = (BLUE, ORANGE, GREEN, PINK, "#E69F00", "#56B4E9")
GREY = "0.5"
STRENGTHS = {0.9: 0.18, 0.5: 0.32}
"""How opaque the band of a probability is on a light page; bands lie over each other."""
TICKS = (1, 1.5, 2, 3, 4, 5, 6, 8)
MOST_DRAWS = 2000
"""Draws that a density is estimated from."""


def ink() -> Any:
    """Return the colour of what is neither data of another kind nor a model."""
    return plt.rcParams["text.color"]


def background() -> Any:
    """Return the colour inside of hollow markers."""
    return plt.rcParams["axes.facecolor"]


def strengths() -> dict[float, float]:
    """Return how opaque the band of each probability is, more on a dark page, which swallows it."""
    dark = np.mean(to_rgb(background())) < 0.5
    return {prob: 1.8 * strength if dark else strength for prob, strength in STRENGTHS.items()}


def shade() -> dict[str, Any]:
    """Return the style of areas that say where something is expected to be."""
    return {"color": ink(), "alpha": 0.12, "lw": 0}


def new_axes(ax: Axes | None, size: tuple[float, float] = (7, 4.6)) -> Axes:
    """Return the given axes, or those of a new figure."""
    return plt.subplots(figsize=size, layout="constrained")[1] if ax is None else ax


def scale_axes(ax: Axes, curve: Curve, *, log: bool) -> None:
    """Name the axes after a curve, and make them logarithmic.

    The axis of accuracies stays linear: what they lack of the ceiling is not seen on a
    logarithmic one, and they may be zero.
    """
    if log:
        ax.set_xscale("log")
        if curve.ceiling is None:
            ax.set_yscale("log")
        number_ticks(ax)
    ax.set(xlabel=curve.x_name, ylabel=curve.reported_name)


def dots(ax: Axes, curve: Curve, color: Any, label: str, **style: Any) -> Line2D:
    """Draw the points of a curve as they were reported."""
    style = {"ms": 4, "color": color, "label": label, "zorder": 3} | style
    return ax.plot(curve.x, curve.to_reported(curve.y), "o", **style)[0]


def bands(
    ax: Axes, x: ArrayLike, draws: NDArray[np.float64], what: str, color: Any = BLUE
) -> NDArray[np.float64]:
    """Draw the equal-tailed bands of draws, shape (n_draws, n_x), and return their median."""
    for prob, strength in strengths().items():
        low, high = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
        label = f"{prob:.0%} of {what}"
        ax.fill_between(x, low, high, color=color, alpha=strength, lw=0, label=label)
    return np.asarray(np.median(draws, axis=0))


def hill(
    ax: Axes,
    x: ArrayLike,
    log_draws: NDArray[np.float64],
    foot: float,
    height: float,
    color: Any,
    label: str | None,
) -> None:
    """Draw the density of log x over a range of x, at a height in shares of the axes.

    The bandwidth is Silverman's (1986, equation 3.31), which a few draws far away do not widen,
    but never finer than x.
    """
    thinned = log_draws[:: max(1, log_draws.size // MOST_DRAWS)]
    log_x = np.log(x)
    spread = np.std(thinned, ddof=1)
    middle = np.subtract(*np.quantile(thinned, [0.75, 0.25])) / 1.34
    bandwidth = 0.9 * min(spread, middle or spread) * thinned.size**-0.2
    bandwidth = max(bandwidth, np.ptp(log_x) / log_x.size)
    density = gaussian_kde(thinned, bw_method=bandwidth / spread)(log_x)
    if not density.max() > 0:
        return  # out of sight
    ax.fill_between(
        x, foot, foot + height * density / density.max(),
        transform=ax.get_xaxis_transform(), color=color, alpha=0.55, lw=0, label=label,
    )  # fmt: skip


def legend(ax: Axes, **settings: Any) -> None:
    """Draw the legend, if there is anything to explain."""
    if "handles" in settings or ax.get_legend_handles_labels()[0]:
        ax.legend(**{"fontsize": "small", "frameon": False} | settings)


def number_ticks(ax: Axes) -> None:
    """Write numbers on a logarithmic axis of less than two decades, where powers are too few."""
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() != "log" or min(axis.get_view_interval()) <= 0:
            continue
        decades = float(np.ptp(np.log10(axis.get_view_interval())))
        if decades >= 2:
            continue
        if decades < np.log10(2):
            axis.set_major_locator(MaxNLocator(6))
        else:
            axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades > np.log10(8) else TICKS))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
