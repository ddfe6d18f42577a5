"""Pictures of answers: where a value is reached, and how a forecast moved as points came in."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from bayes_bnsl.comparison import Comparison
from bayes_bnsl.plots import plot_forecast
from bayes_bnsl.plots_style import (
    BLUE,
    GREY,
    ORANGE,
    PINK,
    background,
    hill,
    legend,
    new_axes,
    scale_axes,
)
from bayes_bnsl.questions import x_to_reach
from bayes_bnsl.result import Fit
from bayes_bnsl.validation import Backtest

__all__ = ["plot_backtest", "plot_reach"]


def plot_reach(
    fit: Fit | Comparison,
    y: float,
    *,
    to: float | None = None,
    better: str | None = None,
    seed: int = 0,
    ax: Axes | None = None,
    **settings: Any,
) -> Axes:
    """Draw a forecast, the value that is to be reached, and where the curve reaches it.

    The horizontal line is the value. The hill at the foot is the posterior of the x at which the
    curve first gets there, the thick line under it the 90 % interval, with a dot at the median.

    Parameters
    ----------
    fit : Fit or Comparison
        The fitted law, or several whose forecasts are averaged by their weights.
    y : float
        The value, as for `x_to_reach`.
    to : float, optional
        Largest x to look at; by default 1000 times the last x, of which the picture shows as much
        as the draws need.
    better : {"lower", "higher"}, optional
        As for `x_to_reach`.
    seed : int, default 0
        Seed of the new observations, and of unseen breaks: with that of `x_to_reach` both agree.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    **settings
        Passed to `forecast` and to `plot_forecast`.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on.

    Raises
    ------
    TypeError, ValueError
        As for `x_to_reach`.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> ax = plot_reach(fit, 0.1)
    >>> ax.get_xlabel()
    'x'
    """
    reach = x_to_reach(fit, y, to=to, better=better, seed=seed, **settings)
    draws = reach.draws.values[np.isfinite(reach.draws)]
    far = np.quantile(draws, 0.99) * 1.3 if draws.size else np.inf
    shown = min(max(far, reach.last_x * 1.3), reach.to) if to is None else reach.to
    ax = plot_forecast(fit, to=shown, seed=seed, ax=ax, **settings)
    ax.axhline(y, color=PINK, lw=1.4, label=f"{y:g}")
    foot = ax.get_xaxis_transform()
    left, right = ax.get_xlim()
    if np.unique(draws).size > 1:
        grid = np.geomspace(max(left, reach.after), right, 300)
        label = f"where it is reached ({reach.reached:.0%} by {reach.to:.3g})"
        hill(ax, grid, np.log(draws), 0.03, 0.15, PINK, label)
    lower, median, upper = map(float, reach.interval())
    ax.plot([lower, min(upper, right)], [0.03, 0.03], transform=foot, color=PINK, lw=3)
    if np.isfinite(median):
        ax.plot(median, 0.03, "o", transform=foot, color=PINK, ms=7, mec=background())
    ax.set_xlim(left, right)
    legend(ax, frameon=True, framealpha=0.9, edgecolor="none")  # the line may pass behind it
    return ax


def plot_backtest(
    backtest: Backtest, x: float | None = None, *, log: bool = True, ax: Axes | None = None
) -> Axes:
    """Draw how the forecast for one x moved as points came in.

    Across is the last x that each forecast had seen. The bars and dots are interval and median of
    a new observation, hollow where the fit did not converge; the line is what was measured there.
    The dotted line is the origin from which on every interval held it, if there is one.

    Parameters
    ----------
    backtest : Backtest
        From `backtest`.
    x : float, optional
        What is forecast; by default the last x.
    log : bool, default True
        Whether both axes are logarithmic. That of accuracies is linear all the same.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on.

    Raises
    ------
    TypeError, ValueError
        If `backtest` is none, or no origin lies before x.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> tested = bb.backtest(curve, bb.M1(), origins=[6, 9], priors={"sigma": 0.02}, seed=1)
    >>> ax = plot_backtest(tested)
    >>> ax.get_title()
    'M1 on simulated: forecasts for x = 10000'
    """
    if not isinstance(backtest, Backtest):
        raise TypeError(f"Pass what bayes_bnsl.backtest returned, a Backtest; got {backtest!r}.")
    curve = backtest.curve
    at = float(curve.x[-1]) if x is None else x
    moved = backtest.at(at)
    ax = new_axes(ax, (7, 4))
    label = f"{backtest.prob:.0%} of new observations"
    ax.vlines(
        moved["last_x"], moved["lower"], moved["upper"], color=BLUE, lw=5, alpha=0.35, label=label
    )
    converged = moved["status"] == "converged"
    for some, face, label in (
        (converged, BLUE, "median"),
        (~converged, background(), "not converged"),
    ):
        if some.any():
            ax.plot(
                moved["last_x"][some], moved["median"][some], "o",
                color=BLUE, mfc=face, ms=6, label=label,
            )  # fmt: skip
    measured = curve.to_reported(curve.y[np.isclose(curve.x, at, rtol=1e-12)])
    for number, value in enumerate(measured):
        ax.axhline(value, color=ORANGE, lw=1.4, label="_" if number else f"measured at {at:g}")
    if len(measured):
        inside = [
            bool(np.all((row.lower <= measured) & (measured <= row.upper)))
            for row in moved.itertuples()
        ]
        if inside[-1]:
            since = len(inside) - inside[::-1].index(False) if False in inside else 0
            place = moved["last_x"].iloc[since]
            ax.axvline(place, color=GREY, lw=1, ls=":", label=f"held from {place:g} on")
    scale_axes(ax, curve, log=log)
    ax.set_xlabel(f"last {curve.x_name} seen")
    ax.set_title(
        f"{backtest.name} on {curve.name}: forecasts for {curve.x_name} = {at:g}", fontsize="medium"
    )
    legend(ax)
    return ax
