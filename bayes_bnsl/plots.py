"""Every picture: forecasts, the segments of a law, posteriors. Matplotlib axes in, axes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import arviz_plots as azp
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike
from scipy.stats import gaussian_kde

from bayes_bnsl.comparison import Comparison
from bayes_bnsl.curve import Curve
from bayes_bnsl.forecasting import forecast, interval
from bayes_bnsl.law import Law
from bayes_bnsl.laws import BNSL
from bayes_bnsl.overview import assumption
from bayes_bnsl.result import Fit

__all__ = ["plot_forecast", "plot_posterior", "plot_segments"]

# Okabe and Ito's colours, told apart by colour-blind readers.
SEEN, HELD_OUT, BAND, BREAK = "#000000", "#D55E00", "#0072B2", "#009E73"
TICKS = (1, 1.5, 2, 3, 4, 5, 6, 8)
SEGMENTS = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00", "#0072B2", "#F0E442")


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
        Whether both axes are logarithmic.
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
    first, last = curve.x[[0, -1]]
    if to is None:
        to = last * 10 if held_out is None else max(held_out.x[-1] * 1.1, last)
    if not to > first:
        raise ValueError(f"to must be larger than the first x, {first:g}; got {to!r}.")
    grid = np.geomspace(first, to, 200) if log else np.linspace(first, to, 200)
    ahead = forecast(fit, grid, seed=seed, **settings)
    ax = _new_axes(ax)
    for prob, strength in ((0.9, 0.18), (0.5, 0.32)):
        band = interval(ahead, prob=prob)["y"].transpose("bound", "x")
        label = f"{prob:.0%} of new observations"
        ax.fill_between(grid, band[0], band[2], color=BAND, alpha=strength, lw=0, label=label)
    bounds = interval(ahead, prob=0.9)["curve"].transpose("bound", "x")
    ax.plot(grid, bounds[1], color=BAND, label="median curve")
    ax.plot(grid, bounds[0], color=BAND, lw=0.8, ls="--", label="90% interval of the curve")
    ax.plot(grid, bounds[2], color=BAND, lw=0.8, ls="--")
    _dots(ax, curve, SEEN, "fitted points")
    if held_out is not None:
        _dots(ax, held_out, HELD_OUT, "held-out points")
    ax.axvline(last, color="0.4", lw=1, ls=":")
    if log:
        ax.set(xscale="log", yscale="log")
        number_ticks(ax)
    _break_strip(ax, _shares(fit))
    ax.set(xlabel=curve.x_name, ylabel=curve.y_name, xlim=(grid[0] / 1.05, grid[-1] * 1.02))
    beyond = np.log10(to / last)
    ax.set_title(
        f"{ahead.attrs['law']} on {curve.name}: {beyond:.1f} decades beyond the data"
        f"\n{assumption(settings.get('unseen_breaks', 0))}"
        if beyond > 0
        else f"{ahead.attrs['law']} on {curve.name}",
        fontsize="medium",
    )
    ax.legend(fontsize="small", frameon=False)
    return ax


def plot_segments(
    source: Fit | BNSL,
    theta: Mapping[str, Any] | None = None,
    *,
    x: ArrayLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a broken law and the power laws that it is made of.

    Each dashed line is one segment, ``a`` included, labelled with its slope; neighbours meet at
    the breaks, the vertical lines (Caballero et al., ICLR 2023, figure 1).

    Parameters
    ----------
    source : Fit or BNSL
        A fit, whose posterior gives medians and 90 % intervals of the slopes, or a law.
    theta : mapping, optional
        The parameters of the law, if `source` is one.
    x : array_like, optional
        Range to draw over; by default that of the data, or two decades around the breaks.
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
        posterior = source.posterior.stack(sample=("chain", "draw"), create_index=False)
        draws = {str(name): values for name, values in posterior.data_vars.items()}
        x = source.curve.x if x is None else x
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
    if x is None:
        x = (min(breaks) / 100, max(breaks) * 100) if breaks else (1.0, 1e4)
    span = np.asarray(x, dtype=float)
    grid = np.geomspace(span.min(), span.max(), 400)
    u = xr.DataArray(np.log(grid), dims="x")
    ax = _new_axes(ax)
    others = [dim for dim in law.log_mu(u, draws).dims if dim != "x"]
    ax.plot(grid, np.exp(law.log_mu(u, draws)).median(others), color=SEEN, lw=1.8, label="the law")
    low, high = ax.get_ylim()
    edges = [grid[0], *breaks, grid[-1]]
    for i, (slope, level) in enumerate(zip(segments.slope, segments.log_coefficient, strict=True)):
        reach = 3.0 if i else 1.0, 3.0 if i < law.n_breaks else 1.0
        part = np.geomspace(
            max(edges[i] / reach[0], grid[0]), min(edges[i + 1] * reach[1], grid[-1]), 50
        )
        log_part = xr.DataArray(np.log(part), dims="x")
        y = (draws["a"] + np.exp(level + slope * log_part)).median(others)
        label = f"slope {float(slope.median()):.3g}"
        if others:
            tail = slope.quantile([0.05, 0.95]).values
            label += f" [{tail[0]:.3g}, {tail[1]:.3g}]"
        ax.plot(part, y, color=SEGMENTS[i % len(SEGMENTS)], ls="--", lw=1.4, label=label)
    for place in breaks:
        ax.axvline(place, color="0.6", lw=0.8, ls=":")
    if isinstance(source, Fit):
        _dots(ax, source.curve, SEEN, "fitted points")
        ax.set(xlabel=source.curve.x_name, ylabel=source.curve.y_name)
    else:
        ax.set(xlabel="x", ylabel="y")
    ax.set(xscale="log", yscale="log")
    ax.set_ylim(max(low, 1e-300) if low > 0 else None, high)
    number_ticks(ax)
    ax.set_title(
        f"{law.name} and the {law.n_breaks + 1} power laws that it is made of",
        fontsize="medium",
    )
    ax.legend(fontsize="small", frameon=False)
    return ax


def plot_posterior(fit: Fit, *, prob: float = 0.9, **settings: Any) -> Any:
    """Draw the posterior of every parameter in natural units.

    Parameters
    ----------
    fit : Fit
        The fitted law.
    prob : float, default 0.9
        Probability of the intervals marked.
    **settings
        Further arguments of `arviz_plots.plot_dist`.

    Returns
    -------
    arviz_plots.PlotCollection
        The picture, with its figure and axes.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> picture = plot_posterior(fit)
    >>> sorted(picture.viz["plot"].data_vars)
    ['b', 'log_a']
    """
    names = [
        f"log_{name}" if f"log_{name}" in fit.posterior else name
        for name in (*fit.law.parameters, *fit.noise.parameters)
    ]
    names = [name for name in names if np.ptp(fit.posterior[name].values) > 0]  # not fixed
    settings = {"figure_kwargs": {"layout": "constrained"}} | settings
    picture = azp.plot_dist(
        fit.data,
        var_names=names,
        ci_kind="eti",
        ci_prob=prob,
        visuals={"point_estimate_text": False} | settings.pop("visuals", {}),
        **settings,
    )
    if picture.backend == "matplotlib":
        for ax in picture.viz["figure"].item().axes:
            ax.xaxis.set_major_locator(MaxNLocator(4))  # small panels: labels would run together
    return picture


def _new_axes(ax: Axes | None) -> Axes:
    return plt.subplots(figsize=(7, 4.6), layout="constrained")[1] if ax is None else ax


def _dots(ax: Axes, curve: Curve, color: str, label: str) -> None:
    ax.plot(curve.x, curve.to_reported(curve.y), "o", ms=4, color=color, label=label, zorder=3)


def number_ticks(ax: Axes) -> None:
    """Write numbers on a logarithmic axis of less than two decades, where powers are too few."""
    for axis in (ax.xaxis, ax.yaxis):
        low, high = axis.get_view_interval()
        if axis.get_scale() != "log" or low <= 0 or high / low >= 100:
            continue
        if high / low < 2:
            axis.set_major_locator(MaxNLocator(6))
        else:
            axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low > 8 else TICKS))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def _shares(fit: Fit | Comparison) -> list[tuple[Fit, float]]:
    """Return the fits that a forecast is made of, with their shares."""
    if isinstance(fit, Fit):
        return [(fit, 1.0)]
    return [(each, fit.weights[label]) for label, each in fit.fits.items() if fit.weights[label]]


def _break_strip(ax: Axes, shares: list[tuple[Fit, float]]) -> None:
    """Show the posterior of the breaks as a strip along the foot of the axes."""
    label: str | None = "where the breaks are"
    for fit, share in shares:
        grid = np.linspace(fit.curve.log_x[0], fit.curve.log_x[-1], 300)
        for i in range(fit.law.n_breaks):
            log_d = np.log(fit.posterior["d"].isel(brk=i).values.ravel())
            if np.ptp(log_d) == 0 or log_d.max() < grid[0] or log_d.min() > grid[-1]:
                continue  # fixed by the user, or out of sight
            density = gaussian_kde(log_d[:: max(1, len(log_d) // 2000)])(grid)
            ax.fill_between(
                np.exp(grid), 0, 0.12 * share * density / density.max(),
                transform=ax.get_xaxis_transform(), color=BREAK, alpha=0.55, lw=0, label=label,
            )  # fmt: skip
            label = None
