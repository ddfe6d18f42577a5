"""Forecasts and comparisons in tables and words: of one fit, of all fits of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bayes_bnsl.batch import Batch
from bayes_bnsl.columns import checked_numbers
from bayes_bnsl.errors import did_you_mean
from bayes_bnsl.forecasting import forecast, interval
from bayes_bnsl.jobs import seed_of
from bayes_bnsl.progress import jobs_progress
from bayes_bnsl.selection import compare

__all__ = ["assumption", "compare_many", "forecast_many", "forecast_table"]


def forecast_many(
    batch: Batch,
    x: ArrayLike | Mapping[str, ArrayLike] | None = None,
    *,
    times: ArrayLike | None = None,
    prob: float = 0.9,
    seed: int | None = None,
    **settings: Any,
) -> pd.DataFrame:
    """Forecast every curve by every law that was fitted to it.

    Parameters
    ----------
    batch : Batch
        From `fit_many`.
    x : array_like or mapping of str to array_like, optional
        Where to forecast: the same x for all curves, or those of each curve by its name.
    times : array_like, optional
        Where to forecast, in multiples of the last x of each curve. Give either `x` or `times`.
    prob : float, default 0.9
        Probability inside the intervals.
    seed : int, optional
        Makes the result repeatable, whatever else is in the batch.
    **settings
        Passed to `forecast`: ``unseen_breaks`` and the like.

    Returns
    -------
    pandas.DataFrame
        One row for each curve, law and x: ``curve``, ``law``, ``ok`` (whether the fit
        converged), ``x``, ``decades_beyond`` (the data), and the equal-tailed interval and
        median of the curve (``curve_lower``, ``curve_median``, ``curve_upper``) and of a new
        observation (``y_lower``, ``y_median``, ``y_upper``). Fits that raised have no rows.

    Raises
    ------
    TypeError, ValueError
        If neither or both of `x` and `times` are given, an x is no positive number, or a curve
        has none.

    Examples
    --------
    >>> from bayes_bnsl import M1, Curve, fit_many
    >>> x = np.geomspace(10, 1000, 8)
    >>> curve = Curve(x, 2 * x**-0.3 * (1 + 0.01 * np.cos(x)), name="task")
    >>> batch = fit_many([curve], M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> forecast_many(batch, times=[2, 10], seed=1)[["law", "x", "y_median"]].round(2)
      law        x  y_median
    0  M1   2000.0       0.2
    1  M1  10000.0       0.1
    """
    if not isinstance(batch, Batch):
        raise TypeError(f"batch must be the result of bayes_bnsl.fit_many; got {batch!r}.")
    if (x is None) == (times is None):
        raise TypeError(f"Give either x or times; got {'neither' if x is None else 'both'}.")
    factors = None if times is None else checked_numbers(np.atleast_1d(np.asarray(times)), "times")
    tables = []
    for row in batch.table[batch.table["error"] == ""].itertuples():
        name, law = str(row.curve), str(row.law)
        if factors is not None:
            at: Any = batch.curves[name].x[-1] * factors
        elif isinstance(x, Mapping):
            if name not in x:
                raise ValueError(f"x has no entry for the curve {name!r}. {did_you_mean(name, x)}")
            at = x[name]
        else:
            at = x
        ahead = forecast(batch.fit(name, law), at, seed=seed_of(seed, name, law), **settings)
        table = forecast_table(ahead, prob=prob)
        table.insert(0, "ok", bool(row.ok))
        table.insert(0, "law", law)
        table.insert(0, "curve", name)
        tables.append(table)
    if not tables:
        raise ValueError(f"No fit of {batch!r} can forecast: all raised errors; see batch.table.")
    return pd.concat(tables, ignore_index=True)


def forecast_table(ahead: Any, *, prob: float = 0.9) -> pd.DataFrame:
    """Return the intervals of a forecast, one row an x."""
    bounds = interval(ahead, prob=prob)
    columns = {name: np.asarray(ahead[name]) for name in ("x", "decades_beyond")}
    for what in ("curve", "y"):
        for bound in ("lower", "median", "upper"):
            columns[f"{what}_{bound}"] = bounds[what].sel(bound=bound).values
    return pd.DataFrame(columns)


def assumption(unseen_breaks: float | str) -> str:
    """Say what a forecast assumes of breaks beyond the data."""
    if unseen_breaks == 0:
        return "assumes no break after the last one seen"
    rate = "as many as within them"
    if not isinstance(unseen_breaks, str):
        rate = f"{unseen_breaks:g} a decade"
    return f"allows for breaks beyond the data, {rate}"


def compare_many(
    batch: Batch, *, progress: bool = True, seed: int | None = None, **settings: Any
) -> pd.DataFrame:
    """Compare the laws that were fitted to each curve.

    Parameters
    ----------
    batch : Batch
        From `fit_many`.
    progress : bool, default True
        Whether to show a progress bar, in a terminal or a notebook.
    seed : int, optional
        Makes the result repeatable, whatever else is in the batch.
    **settings
        Passed to `compare`: ``by``, ``weights``, ``include_unconverged`` and the like.

    Returns
    -------
    pandas.DataFrame
        The tables of all comparisons below one another: ``curve``, ``law``, the columns of
        `Comparison.table`, and ``best`` and ``simplest``, which are true in the row of that law
        if there is one. Fits that raised have no rows.

    Raises
    ------
    TypeError, ValueError
        If `batch` is no Batch, or as for `compare`.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> batch = bb.fit_many([curve], [bb.M1(), bb.BNSL(0)], seed=1, progress=False)
    >>> compare_many(batch, by="evidence", seed=1, progress=False)[["curve", "law", "simplest"]]
           curve      law  simplest
    0  simulated       M1      True
    1  simulated  BNSL(0)     False
    """
    if not isinstance(batch, Batch):
        raise TypeError(f"batch must be the result of bayes_bnsl.fit_many; got {batch!r}.")
    tables = []
    fitted = batch.table[batch.table["error"] == ""]
    with jobs_progress("comparisons", fitted["curve"].nunique(), shown=progress) as done:
        for name, rows in fitted.groupby("curve", sort=False):
            fits = {law: batch.fit(str(name), law) for law in rows["law"]}
            choice = compare(fits, seed=seed_of(seed, str(name)), progress=False, **settings)
            table = choice.table.reset_index()
            chosen = bool(choice.weights.any())
            for column in ("simplest", "best"):
                label = getattr(choice, column) if chosen else None
                table.insert(1, column, table["law"] == label)
            table.insert(0, "curve", name)
            tables.append(table)
            done()
    if not tables:
        raise ValueError(f"No fit of {batch!r} can be compared: all raised errors.")
    return pd.concat(tables, ignore_index=True)
