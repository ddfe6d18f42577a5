"""Questions that a forecast answers: where is a value reached, how likely is it, what is gained.

Everything is read off the draws that :func:`~bayes_bnsl.forecasting.forecast` returns, so it holds
for a fit and for an average of laws alike, and the keywords of `forecast` are passed on to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from bayes_bnsl.answers import Reach
from bayes_bnsl.columns import checked_number, checked_numbers
from bayes_bnsl.comparison import Comparison
from bayes_bnsl.errors import did_you_mean
from bayes_bnsl.forecasting import forecast
from bayes_bnsl.result import Fit

__all__ = ["gain", "probability", "x_to_reach"]

FARTHEST = 1000.0
"""How far beyond the data a value is looked for unless the user says: a factor of the last x."""

CELLS_PER_DECADE = 50
"""Cells of the grid on which a curve is followed; within a cell it is a power law."""


def x_to_reach(
    fit: Fit | Comparison,
    y: float,
    *,
    to: float | None = None,
    after: float | None = None,
    better: str | None = None,
    **settings: Any,
) -> Reach:
    """Return how large x has to be for the curve to reach a value.

    For each draw of the curve: the smallest x at which it is at most `y`, or at least `y` if
    higher is better. A curve that turns, as with double descent, may leave that side again; what
    is returned is the first x. A single new observation has no such x: among ever more noisy ones,
    some will be there by chance.

    Parameters
    ----------
    fit : Fit or Comparison
        The fitted law; or several of them, whose forecasts are mixed by their weights.
    y : float
        The value, in the units that are reported: an accuracy for a curve made by
        `Curve.from_accuracy`.
    to : float, optional
        Largest x to look at; by default 1000 times the last x of the data.
    after : float, optional
        Smallest x to look at; by default the first x of the data.
    better : {"lower", "higher"}, optional
        Whether the curve is there when it is at most `y` or at least `y`. By default lower is
        better, and higher for accuracies.
    **settings
        Passed to `forecast`.

    Returns
    -------
    Reach
        The draws, their interval, the probability that it is reached at all.

    Raises
    ------
    TypeError, ValueError
        If `y` is no number that the curve can have, `to` does not lie beyond `after`, `better` is
        neither word, or as for `forecast`.

    Notes
    -----
    The draws are followed on a grid of 50 cells a decade, and are power laws within a cell.

    Examples
    --------
    >>> from bayes_bnsl import M1, Curve, fit
    >>> x = np.geomspace(10, 1e4, 12)
    >>> points = Curve(x, 3 * x**-0.3 * np.exp(0.01 * np.cos(40 * x)), x_name="tokens")
    >>> line = fit(points, M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> print(x_to_reach(line, 0.06))  # 3 x^-0.3 = 0.06 at 460 000
    The curve first falls to 0.06 at tokens = ..., ... times the last x; 90% interval ... to ....
    Probability of reaching it: 9...% by 1e+07.
    """
    _check_fit(fit)
    curve = fit.curve
    target = checked_number(y, "y")
    modelled = curve.to_reported(target)  # its own inverse
    if not modelled > 0:
        limit = "above zero" if curve.ceiling is None else f"below ceiling={curve.ceiling:g}"
        raise ValueError(f"y must lie {limit} to be reached; got {y!r}.")
    better = better or ("lower" if curve.ceiling is None else "higher")
    if better not in ("lower", "higher"):
        raise ValueError(f"better is {better!r}. {did_you_mean(better, ('lower', 'higher'))}")
    first, last = curve.x[[0, -1]]
    after = float(first) if after is None else checked_number(after, "after")
    to = float(max(last, after) * FARTHEST) if to is None else checked_number(to, "to")
    if not 0 < after < to:
        raise ValueError(
            f"after and to must be the ends of a range of positive x; got {after:g} and {to:g}."
        )
    cells = max(2, round(CELLS_PER_DECADE * np.log10(to / after)))
    ahead = forecast(fit, np.geomspace(after, to, cells + 1), **settings)
    draws = curve.to_reported(ahead["curve"].transpose("sample", "x"))
    # an accuracy may be its ceiling to the last digit, and its error have no logarithm
    missing = np.log(np.maximum(draws, np.finfo(float).tiny).values) - np.log(modelled)
    falls = (better == "lower") == (curve.ceiling is None)
    grid = np.log(ahead["x"].values)
    log_x = _first_crossing(grid, missing if falls else -missing)
    needed = np.where(log_x == grid[0], after, np.exp(log_x))  # `after` to the last digit
    found = draws.isel(x=0, drop=True).copy(data=needed).rename("x")
    return Reach(found.assign_attrs(ahead.attrs), target, better, after, to, float(last))


def probability(
    forecast: xr.Dataset,
    *,
    below: float | None = None,
    above: float | None = None,
    what: str = "y",
) -> xr.DataArray:
    """Return the probability that a forecast lies below or above a value, or between two.

    Parameters
    ----------
    forecast : xarray.Dataset
        From `forecast`, or from `gain`.
    below, above : float, optional
        The bounds, in the units of the forecast; one of them or both.
    what : {"y", "curve"}
        Whether a new observation is meant, or the curve.

    Returns
    -------
    xarray.DataArray
        The share of the draws, over x.

    Raises
    ------
    TypeError, ValueError
        If there is no bound, one is no number, or `what` is no variable of the forecast.

    Examples
    --------
    >>> draws = (("sample", "x"), [[1.0, 4.0], [2.0, 5.0]])
    >>> ahead = xr.Dataset({"curve": draws, "y": draws}, coords={"x": [10.0, 20.0]})
    >>> probability(ahead, above=1.5, below=4.5).values
    array([0.5, 0.5])
    """
    if below is None and above is None:
        raise TypeError("probability needs below= or above=, or both: probability(ahead, below=2).")
    if what not in ("y", "curve"):
        raise ValueError(f"what is {what!r}. {did_you_mean(what, ('y', 'curve'))}")
    if not isinstance(forecast, xr.Dataset) or what not in forecast:
        raise TypeError(
            f"forecast must be what bayes_bnsl.forecast returned, with {what!r} over sample and x; "
            f"got {type(forecast).__name__}."
        )
    draws = forecast[what]
    inside = xr.ones_like(draws, dtype=bool)
    if below is not None:
        inside &= draws < checked_number(below, "below")
    if above is not None:
        inside &= draws > checked_number(above, "above")
    return inside.mean("sample").rename("probability")


def gain(
    fit: Fit | Comparison, x1: float, x2: ArrayLike, *, kind: str = "ratio", **settings: Any
) -> xr.Dataset:
    """Return how y changes from one x to others, draw by draw.

    Both ends come from the same draw of the parameters, so that what is uncertain about both
    alike, such as the level, cancels: the change is known better than the bands suggest.

    Parameters
    ----------
    fit : Fit or Comparison
        The fitted law; or several of them, whose forecasts are mixed by their weights.
    x1 : float
        Where the change begins.
    x2 : array_like, shape () or (n,)
        Where it ends.
    kind : {"ratio", "difference"}
        ``y(x2) / y(x1)``, or ``y(x2) - y(x1)``. For a curve made by `Curve.from_accuracy`, the
        ratio of the errors ``ceiling - accuracy``, or the difference of the accuracies.
    **settings
        Passed to `forecast`, whose x are x1 and then x2.

    Returns
    -------
    xarray.Dataset
        Over (sample, x), with x those of `x2`: ``curve``, the change of the curve, and ``y``, that
        from a new observation at x1 to a new one at x2. `interval` and `probability` work on it.

    Raises
    ------
    TypeError, ValueError
        If `kind` is neither word, or as for `forecast`.

    Examples
    --------
    >>> from bayes_bnsl import M1, Curve, fit, interval
    >>> x = np.geomspace(10, 1e4, 12)
    >>> points = Curve(x, 3 * x**-0.3 * np.exp(0.01 * np.cos(40 * x)))
    >>> line = fit(points, M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> tenfold = gain(line, 1e4, 1e5, seed=1)  # 10^-0.3 is 0.50
    >>> interval(tenfold)["curve"].sel(x=1e5).values.round(1)
    array([0.5, 0.5, 0.5])
    """
    _check_fit(fit)
    if kind not in ("ratio", "difference"):
        raise ValueError(f"kind is {kind!r}. {did_you_mean(kind, ('ratio', 'difference'))}")
    (begin,) = checked_numbers([checked_number(x1, "x1")], "x1")
    ends = checked_numbers(np.atleast_1d(np.asarray(x2)), "x2")
    ahead = forecast(fit, [begin, *ends], **settings)
    values = ahead[["curve", "y"]]
    before, after = values.isel(x=0, drop=True), values.isel(x=slice(1, None))
    if kind == "ratio":
        changes = fit.curve.to_reported(after) / fit.curve.to_reported(before)
    else:
        changes = after - before
    return changes.assign_attrs(ahead.attrs, kind=kind, x1=float(begin))


def _first_crossing(log_x: Any, missing: Any) -> Any:
    """Return where each row first falls to zero, linear within a cell; infinite if nowhere."""
    there = missing <= 0
    cell = np.argmax(there, axis=1)  # the first one, or 0 if there is none
    row, left = np.arange(len(missing)), np.maximum(cell - 1, 0)
    before, now = missing[row, left], missing[row, cell]
    inside = cell > 0
    share = np.where(inside, before / np.where(inside, before - now, 1.0), 0.0)
    found = log_x[left] + share * (log_x[cell] - log_x[left])
    return np.where(there.any(axis=1), found, np.inf)


def _check_fit(fit: Any) -> None:
    if not isinstance(fit, Fit | Comparison):
        raise TypeError(
            f"fit must be the result of bayes_bnsl.fit or bayes_bnsl.compare; got {fit!r}."
        )
