"""Scores: how good a forecast was, beside the two forecasts that anybody can make.

All scores but one work on the log scale, where errors are relative: those whose name does not
say otherwise take log y. For a curve made by `Curve.from_accuracy` they take the log of the error
that was modelled, ``ceiling - accuracy``, while what goes in stays an accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bayes_bnsl.curve import Curve
from bayes_bnsl.forecasting import log_score, observations
from bayes_bnsl.naive import naive_forecasts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LogError", "coverage", "crps", "msce", "pit", "rmsle", "score"]

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Probabilities of intervals that `msce` looks at; Lee et al., ICML 2025."""


class LogError(NamedTuple):
    """Root mean squared log error with its standard error.

    Parameters
    ----------
    rmsle : float
        The error.
    standard_error : float
        How uncertain it is.

    Examples
    --------
    >>> error = LogError(rmsle=0.02, standard_error=0.005)
    >>> error.rmsle
    0.02
    """

    rmsle: float
    standard_error: float


def rmsle(forecast: xr.Dataset, y: ArrayLike) -> LogError:
    """Return the root mean squared error of log y, with its standard error.

    ``e_i = (log y_i - log yhat_i)**2``, with yhat the median of the draws of y;
    ``rmsle = sqrt(mean(e))`` and ``standard_error = sqrt(mean(e) + sd(e) / sqrt(n)) - rmsle``
    (Caballero et al., ICLR 2023, appendix A.3 and A.4).

    Parameters
    ----------
    forecast : xarray.Dataset
        From `forecast`.
    y : array_like, shape (n,)
        Observations at the x of the forecast, in its order and units.

    Returns
    -------
    LogError
        ``rmsle`` and ``standard_error``; the latter is NaN for a single observation.

    Raises
    ------
    ValueError
        If there is not one y for each x, or one is out of range.

    Examples
    --------
    >>> ahead = xr.Dataset({"y": (("sample", "x"), [[1.0, 2.0]] * 3)}, coords={"x": [10, 20]})
    >>> error, standard_error = rmsle(ahead, [1.0, 2.0 * np.exp(0.1)])
    >>> round(error, 4), round(standard_error, 4)
    (0.0707, 0.0293)
    """
    draws, observed = _in_logs(forecast, y)
    return root_mean_square(observed - np.median(draws, axis=0))


def root_mean_square(errors: NDArray[np.float64]) -> LogError:
    """Return the root mean square of errors of log y, with its standard error."""
    squares = errors**2
    mean = squares.mean()
    sd = squares.std(ddof=1) if squares.size > 1 else np.nan
    root = np.sqrt(mean)
    return LogError(float(root), float(np.sqrt(mean + sd / np.sqrt(squares.size)) - root))


def crps(forecast: xr.Dataset, y: ArrayLike, *, log: bool = True) -> xr.DataArray:
    """Return the continuous ranked probability score of new observations, one for each x.

    ``CRPS = E|Y - y| - E|Y - Y'| / 2`` for independent draws Y and Y', by the estimator that is
    unbiased for a finite number of draws (Zamo and Naveau, Mathematical Geosciences, 2018).

    Parameters
    ----------
    forecast : xarray.Dataset
        From `forecast`.
    y : array_like, shape (n,)
        Observations at the x of the forecast, in its order and units.
    log : bool, default True
        Whether to score log y, or y in its units.

    Returns
    -------
    DataArray, shape (n,)
        The scores; lower is better. For a forecast of one value it is the absolute error.

    Raises
    ------
    ValueError
        If there is not one y for each x, or one is out of range.

    Examples
    --------
    >>> draws = np.random.default_rng(1).lognormal(0.0, 0.1, size=(4000, 2))
    >>> ahead = xr.Dataset({"y": (("sample", "x"), draws)}, coords={"x": [10.0, 20.0]})
    >>> crps(ahead, [1.0, 1.5]).values.round(2)
    array([0.02, 0.35])
    """
    draws, observed = _in_logs(forecast, y)
    if not log:
        draws, observed = _draws_of(forecast), observations(forecast, y)
    # sums of the largest floats would overflow
    unit = max(np.abs(draws).max(), np.abs(observed).max(), np.finfo(float).tiny)
    draws, observed = draws / unit, observed / unit
    count = len(draws)
    # half the mean distance of two draws is a weighted sum of the sorted ones
    weights = (2 * np.arange(count)[:, None] - count + 1) / (count * max(count - 1, 1))
    apart = np.sum(weights * np.sort(draws, axis=0), axis=0)
    score = np.abs(draws - observed).mean(axis=0) - apart
    return _over_x(forecast, unit * score).rename("crps")


def pit(forecast: xr.Dataset, y: ArrayLike) -> xr.DataArray:
    """Return the probability that the forecast gave to values below the observed ones.

    The probability integral transform: uniform on (0, 1) over many observations, if forecasts
    are calibrated.

    Parameters
    ----------
    forecast : xarray.Dataset
        From `forecast`.
    y : array_like, shape (n,)
        Observations at the x of the forecast, in its order and units.

    Returns
    -------
    DataArray, shape (n,)
        Share of the draws of y below the observation, half of those equal to it included.

    Raises
    ------
    ValueError
        If there is not one y for each x, or one is out of range.

    Examples
    --------
    >>> draws = np.random.default_rng(1).lognormal(0.0, 0.1, size=(4000, 2))
    >>> ahead = xr.Dataset({"y": (("sample", "x"), draws)}, coords={"x": [10.0, 20.0]})
    >>> pit(ahead, [1.0, 1.5]).values.round(1)
    array([0.5, 1. ])
    """
    draws, observed = _draws_of(forecast), observations(forecast, y)
    below = (draws < observed).mean(axis=0) + 0.5 * (draws == observed).mean(axis=0)
    return _over_x(forecast, below).rename("pit")


def coverage(forecast: xr.Dataset, y: ArrayLike, *, prob: float = 0.9) -> xr.Dataset:
    """Tell which observations lie in the equal-tailed interval of y, and how wide it is.

    Parameters
    ----------
    forecast : xarray.Dataset
        From `forecast`.
    y : array_like, shape (n,)
        Observations at the x of the forecast, in its order and units.
    prob : float, default 0.9
        Probability inside the interval.

    Returns
    -------
    xarray.Dataset
        ``covered`` (bool) and ``width`` (of the interval of log y) over x.

    Raises
    ------
    ValueError
        If there is not one y for each x, one is out of range, or `prob` is not between 0 and 1.

    Examples
    --------
    >>> draws = np.random.default_rng(1).lognormal(0.0, 0.1, size=(4000, 2))
    >>> ahead = xr.Dataset({"y": (("sample", "x"), draws)}, coords={"x": [10.0, 20.0]})
    >>> coverage(ahead, [1.0, 1.5], prob=0.9)["covered"].values
    array([ True, False])
    """
    if not 0 < prob < 1:
        raise ValueError(f"prob must lie between 0 and 1; got {prob!r}.")
    draws, observed = _in_logs(forecast, y)
    lower, upper = np.quantile(draws, _edges(prob), axis=0)
    inside = (lower <= observed) & (observed <= upper)
    columns = {"covered": _over_x(forecast, inside), "width": _over_x(forecast, upper - lower)}
    return xr.Dataset(columns, attrs={"prob": prob})


def msce(forecast: xr.Dataset, y: ArrayLike, *, levels: Sequence[float] = LEVELS) -> float:
    """Return the mean squared calibration error of the intervals of one curve.

    The mean over levels of the squared difference between the share of observations inside the
    interval and its level (Lee et al., ICML 2025). It is not zero for a perfect forecast of
    finitely many observations: for a single one its expectation is 0.144. Compare its mean over
    many curves with that, or look at pooled coverage.

    Parameters
    ----------
    forecast : xarray.Dataset
        From `forecast`.
    y : array_like, shape (n,)
        Observations at the x of the forecast, in its order and units.
    levels : sequence of float
        Probabilities of the intervals.

    Returns
    -------
    float
        The error; lower is better.

    Raises
    ------
    ValueError
        If there is not one y for each x, one is out of range, or a level is not between 0 and 1.

    Examples
    --------
    >>> draws = np.random.default_rng(1).lognormal(0.0, 0.1, size=(4000, 2))
    >>> ahead = xr.Dataset({"y": (("sample", "x"), draws)}, coords={"x": [10.0, 20.0]})
    >>> round(msce(ahead, [1.0, 1.5], levels=[0.5, 0.9]), 2)
    0.08
    """
    wrong = [level for level in levels if not 0 < level < 1]
    if wrong:
        raise ValueError(f"levels must lie between 0 and 1; got {wrong}.")
    draws, observed = _in_logs(forecast, y)
    lower, upper = np.quantile(draws, _edges(np.array(levels)), axis=0)
    shares = ((lower <= observed) & (observed <= upper)).mean(axis=-1)
    return float(np.mean((shares - np.array(levels)) ** 2))


def _edges(prob: Any) -> NDArray[np.float64]:
    """Return the probabilities below the edges of equal-tailed intervals."""
    return np.stack([(1 - prob) / 2, (1 + prob) / 2])


def score(
    forecast: xr.Dataset, y: ArrayLike, seen: Curve | None = None, *, prob: float = 0.9
) -> pd.DataFrame:
    """Score a forecast, beside naive ones.

    Parameters
    ----------
    forecast : xarray.Dataset
        From `forecast`.
    y : array_like, shape (n,)
        Observations at the x of the forecast, in its order and units.
    seen : Curve, optional
        The points that the forecast was made from; the naive forecasts are made from them too
        and have rows of their own.
    prob : float, default 0.9
        Probability of the intervals for ``coverage`` and ``width``.

    Returns
    -------
    pandas.DataFrame
        One row a forecast, the one given first. Means over the observations: ``rmsle`` and
        ``rmsle_error`` (its standard error), ``log_score`` (of y; higher is better), ``crps``
        (of log y), ``crps_y`` (of y), ``coverage``, ``width`` (of the interval of log y),
        ``msce``. ``rmsle_skill`` and ``crps_skill`` of a naive forecast are
        ``1 - ours / theirs``: the share of its error that the given forecast does without, below
        zero where the naive one was better.

    Raises
    ------
    ValueError
        If there is not one y for each x, or one is out of range.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> seen, later = bb.load_curve("four_digit_addition").split(x=736)
    >>> ahead = bb.forecast(bb.fit(seen, bb.BNSL(1), seed=1, progress=False), later.x, seed=1)
    >>> table = score(ahead, later.y, seen)
    >>> list(table.index)
    ['BNSL(1)', 'last value', 'log-log line']
    >>> bool(table.loc["last value", "crps_skill"] > 0.9)
    True
    """
    import pandas as pd

    rows = {forecast.attrs.get("law", "forecast"): _row(forecast, y, prob)}
    if seen is not None:
        naive = naive_forecasts(seen, forecast["x"].values)
        rows |= {name: _row(ahead, y, prob) for name, ahead in naive.items()}
    table = pd.DataFrame.from_dict(rows, orient="index")
    for name in ("rmsle", "crps"):
        with np.errstate(divide="ignore", invalid="ignore"):  # a naive forecast may hit the point
            table[f"{name}_skill"] = 1 - table[name].iloc[0] / table[name]
    return table


def _row(forecast: xr.Dataset, y: ArrayLike, prob: float) -> dict[str, float]:
    held = coverage(forecast, y, prob=prob)
    error = rmsle(forecast, y)
    return {
        "rmsle": error.rmsle,
        "rmsle_error": error.standard_error,
        "log_score": float(log_score(forecast, y).mean()),
        "crps": float(crps(forecast, y).mean()),
        "crps_y": float(crps(forecast, y, log=False).mean()),
        "coverage": float(held["covered"].mean()),
        "width": float(held["width"].mean()),
        "msce": msce(forecast, y),
    }


def _in_logs(forecast: xr.Dataset, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return draws, shape (sample, x), and observations of the log of what was modelled."""
    ceiling = forecast.attrs.get("ceiling")
    observed, draws = observations(forecast, y), _draws_of(forecast)
    if ceiling is not None:
        draws, observed = ceiling - draws, ceiling - observed
    # far beyond the data an accuracy is its ceiling to the last digit
    return np.log(np.maximum(draws, np.finfo(float).tiny)), np.log(observed)


def _draws_of(forecast: xr.Dataset) -> NDArray[np.float64]:
    return np.asarray(forecast["y"].transpose("sample", "x").values)


def _over_x(forecast: xr.Dataset, values: NDArray[Any]) -> xr.DataArray:
    return xr.DataArray(values, dims="x", coords=forecast["x"].coords)
