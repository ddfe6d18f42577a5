"""Pictures of forecasts: one with all its parts, or several over each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from bayes_bnsl.comparison import Comparison
from bayes_bnsl.curve import Curve
from bayes_bnsl.forecasting import forecast, interval
from bayes_bnsl.overview import assumption
from bayes_bnsl.plots_style import (
    BLUE,
    COLORS,
    GREEN,
    GREY,
    ORANGE,
    dots,
    hill,
    ink,
    legend,
    new_axes,
    scale_axes,
    strengths,
)
from bayes_bnsl.result import Fit

__all__ = ["plot_forecast", "plot_forecasts"]


def plot_forecast(
    fit: Fit | Comparison,
    *,
    to: float | None = None,
    held_out: Curve | None = None,
    log: bool = True,
    seed: int = 0,
    ax: Axes | None = None,
    **settings: Any,
) -> Axes:
    """Draw a fit and its forecast.

    The bands are those of a new observation, with 50 and 90 per cent; the dashed lines hold the
    curve itself with 90 per cent. The strip at the foot is the posterior of where the breaks
    are; the dotted line is where the data end.

    Parameters
    ----------
    fit : Fit or Comparison
        The fitted law, or several whose forecasts are averaged by their weights.
    to : float, optional
        Largest x; by default the largest held-out x, or ten times the end of the data.
    held_out : Curve, optional
        Points that were not fitted, shown in another colour.
    log : bool, default True
        Whether both axes are logarithmic. That of accuracies is linear all the same: they are drawn
        as they were reported, and may be zero.
    seed : int, default 0
        Seed of the new observations, and of unseen breaks.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    **settings
        Of the forecast: ``run``, ``unseen_breaks`` and the like, as for :func:`forecast`.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on.

    Raises
    ------
    ValueError
        If `to` is not beyond the first x, or there is no such run.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> ax = plot_forecast(fit, to=1e6)
    >>> ax.get_xlabel(), ax.get_xscale()
    ('x', 'log')
    """
    curve = fit.curve
    last = curve.x[-1]
    grid = _grid(curve, to, held_out, log=log)
    ahead = forecast(fit, grid, seed=seed, **settings)
    ax = new_axes(ax)
    for prob, strength in strengths().items():
        band = interval(ahead, prob=prob)["y"].transpose("bound", "x")
        label = f"{prob:.0%} of new observations"
        ax.fill_between(grid, band[0], band[2], color=BLUE, alpha=strength, lw=0, label=label)
    bounds = interval(ahead, prob=0.9)["curve"].transpose("bound", "x")
    ax.plot(grid, bounds[1], color=BLUE, label="median curve")
    ax.plot(grid, bounds[0], color=BLUE, lw=0.8, ls="--", label="90% interval of the curve")
    ax.plot(grid, bounds[2], color=BLUE, lw=0.8, ls="--")
    dots(ax, curve, ink(), "fitted points")
    if held_out is not None:
        dots(ax, held_out, ORANGE, "held-out points")
    ax.axvline(last, color=GREY, lw=1, ls=":")
    scale_axes(ax, curve, log=log)
    _break_strip(ax, _shares(fit), grid)
    ax.set_xlim(*_margins(grid, log=log))
    beyond = np.log10(grid[-1] / last)
    ax.set_title(
        f"{ahead.attrs['law']} on {curve.name}: {beyond:.1f} decades beyond the data"
        f"\n{assumption(ahead.attrs['unseen_breaks'])}"
        if beyond > 0
        else f"{ahead.attrs['law']} on {curve.name}",
        fontsize="medium",
    )
    legend(ax)
    return ax


def plot_forecasts(
    fits: Mapping[str, Fit | Comparison] | Comparison,
    *,
    what: str = "curve",
    prob: float = 0.9,
    to: float | None = None,
    held_out: Curve | None = None,
    log: bool = True,
    seed: int = 0,
    ax: Axes | None = None,
    **settings: Any,
) -> Axes:
    """Draw forecasts over each other: of several laws, noise models or parts of the data.

    Of each the median and one band. Points that all were fitted to are drawn once; otherwise each
    forecast has those that it saw in its own colour. The dotted line is where the data end that
    were seen by all.

    Parameters
    ----------
    fits : mapping of str to Fit or Comparison, or Comparison
        The forecasts by what the legend calls them, such as ``{"12 points": early, "all": fit}``.
        Of a Comparison each law that was fitted, whatever its weight.
    what : {"curve", "y"}, default "curve"
        Whether the bands are those of the curve or of a new observation.
    prob : float, default 0.9
        Probability of the bands.
    to : float, optional
        Largest x; by default the largest held-out x, or ten times the end of the longest data.
    held_out : Curve, optional
        Points that no law was fitted to.
    log : bool, default True
        Whether both axes are logarithmic, as for :func:`plot_forecast`.
    seed : int, default 0
        Seed of the new observations, and of unseen breaks.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    **settings
        Of the forecasts, as for :func:`forecast`.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on.

    Raises
    ------
    TypeError
        If `fits` is neither.
    ValueError
        If there is no fit, `what` or `prob` is out of range, or the curves differ in what their
        axes are called.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> ax = plot_forecasts({"half": fit, "whole": fit}, to=1e6)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['half', 'whole', 'fitted points']
    """
    sources: Mapping[str, Any] = fits.fits if isinstance(fits, Comparison) else fits
    if not isinstance(sources, Mapping):
        raise TypeError(
            "fits must be a Comparison, or fits by name such as {'early': fit, 'all': other}; "
            f"got {fits!r}."
        )
    if not sources:
        raise ValueError("fits holds no fit to draw.")
    if what not in ("curve", "y"):
        raise ValueError(f"what is {what!r}. Give 'curve', or 'y' for new observations.")
    curves = [each.curve for each in sources.values()]
    if len({(each.x_name, each.reported_name) for each in curves}) > 1:
        names = ", ".join(f"{each.reported_name} against {each.x_name}" for each in curves)
        raise ValueError(f"The curves must share their axes to be drawn together; got {names}.")
    longest = max(curves, key=lambda each: each.x[-1])
    start = min(curves, key=lambda each: each.x[0])
    grid = _grid(longest, to, held_out, log=log, first=start.x[0])
    ax = new_axes(ax)
    shared = len(set(curves)) == 1
    handles: dict[str, Any] = {}
    for i, (label, source) in enumerate(sources.items()):
        color = COLORS[i % len(COLORS)]
        ahead = forecast(source, grid, seed=seed, **settings)
        bounds = interval(ahead, prob=prob)[what]
        lower, median, upper = bounds.transpose("bound", "x")
        band = ax.fill_between(grid, lower, upper, color=color, alpha=strengths()[0.9], lw=0)
        (line,) = ax.plot(grid, median, color=color, ls=DASHES[i % len(DASHES)], label=label)
        handles[label] = (band, line)
        if not shared:  # the first ones stay in sight below the later ones
            size = 3 + 2.0 * (len(curves) - i)
            handles[label] += (dots(ax, source.curve, color, "_points", ms=size),)
    if shared:
        handles["fitted points"] = dots(ax, curves[0], ink(), "fitted points")
    if held_out is not None:
        label = "held-out points"
        handles[label] = dots(ax, held_out, ink(), label, mfc="none")
    ax.axvline(min(each.x[-1] for each in curves), color=GREY, lw=1, ls=":")
    scale_axes(ax, longest, log=log)
    ax.set_xlim(*_margins(grid, log=log))
    named = {each.name: None for each in curves}
    of = "new observations" if what == "y" else "the curve"
    ax.set_title(
        f"{', '.join(named)}: medians and {prob:.0%} bands of {of}"
        f"\n{assumption(ahead.attrs['unseen_breaks'])}",
        fontsize="medium",
    )
    legend(ax, handles=list(handles.values()), labels=list(handles))
    return ax


DASHES = ("-", "--", "-.", ":")
"""Lines that are told apart without colours too."""


def _grid(
    curve: Curve,
    to: float | None,
    held_out: Curve | None,
    *,
    log: bool,
    first: float | None = None,
) -> NDArray[np.float64]:
    """Return where to draw, up to ten times the data, the held-out points, or `to`."""
    last = curve.x[-1]
    first = curve.x[0] if first is None else first
    if to is None:
        to = last * 10 if held_out is None else max(held_out.x[-1] * 1.1, last)
    if not to > first:
        raise ValueError(f"to must be larger than the first x, {first:g}; got {to!r}.")
    return np.geomspace(first, to, 200) if log else np.linspace(first, to, 200)


def _margins(grid: NDArray[np.float64], *, log: bool) -> tuple[float, float]:
    """Return limits of the axis that keep the first and the last point off the frame."""
    if log:
        return grid[0] / 1.05, grid[-1] * 1.02
    margin = 0.02 * np.ptp(grid)
    return grid[0] - margin, grid[-1] + margin


def _shares(fit: Fit | Comparison) -> list[tuple[Fit, float]]:
    """Return the fits that a forecast is made of, with their shares."""
    if isinstance(fit, Fit):
        return [(fit, 1.0)]
    return [(each, fit.weights[label]) for label, each in fit.fits.items() if fit.weights[label]]


def _break_strip(ax: Axes, shares: list[tuple[Fit, float]], grid: NDArray[np.float64]) -> None:
    """Show the posterior of the breaks as a strip along the foot of the axes."""
    label: str | None = "where the breaks are"
    for fit, share in shares:
        for i in range(fit.law.n_breaks):
            log_d = np.log(fit.posterior["d"].isel(brk=i).values.ravel())
            first, last = np.log(grid[[0, -1]])
            if np.ptp(log_d) == 0 or log_d.max() < first or log_d.min() > last:
                continue  # fixed by the user, or out of sight
            hill(ax, grid, log_d, 0.0, 0.12 * share, GREEN, label)
            label = None
