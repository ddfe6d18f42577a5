"""Public curves fitted, forecast and scored: one row a curve and law, and a summary by source."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayes_bnsl.batch import fit_many
from bayes_bnsl.datasets import BenchmarkCurve
from bayes_bnsl.forecasting import forecast
from bayes_bnsl.jobs import seed_of
from bayes_bnsl.law import Law
from bayes_bnsl.naive import naive_forecasts
from bayes_bnsl.scores import score
from bayes_bnsl.unseen import LEARNED

__all__ = ["published_scores", "score_benchmark", "summarize_scores"]

COLLECTIONS = {"language": {"BB", "LM", "NMT"}, "vision": {"IC"}}
"""Domains of the curves that scores were published of."""

CABALLERO, LEE = "Caballero et al., ICLR 2023, table 4", "Lee et al., ICML 2025"
PUBLISHED = (
    ("language", 20, "M1", 0.0663, None, None, CABALLERO),
    ("language", 20, "M2", 0.0162, None, None, CABALLERO),
    ("language", 20, "M3", 0.0167, None, None, CABALLERO),
    ("language", 20, "M4", 0.0116, None, None, CABALLERO),
    ("language", 20, "BNSL, point fit", 0.0061, None, None, CABALLERO),
    ("vision", 72, "BNSL, point fit", 0.0406, None, None, LEE),
    ("vision", 72, "M4, point fit", 0.0415, None, None, LEE),
    ("vision", 72, "M4, emcee", 0.0422, 3.024, 0.0381, LEE),
    ("vision", 72, "BNSL, emcee", 0.0645, 2.921, 0.0773, LEE),
    ("vision", 72, "LC-PFN", 0.0428, 2.429, 0.1809, LEE),
    ("vision", 72, "NSL-PFN", 0.0280, 3.330, 0.0512, LEE),
)
"""Collection, curves, forecaster, means over curves of RMSLE, log score and MSCE, where from."""


def score_benchmark(
    curves: Sequence[BenchmarkCurve],
    laws: Law | Sequence[Law],
    *,
    out: str | os.PathLike[str] | None = None,
    prob: float = 0.9,
    unseen_breaks: float | str = LEARNED,
    seed: int | None = None,
    **settings: Any,
) -> pd.DataFrame:
    """Fit the points to fit of every curve, forecast the others, and score the forecasts.

    Parameters
    ----------
    curves : sequence of BenchmarkCurve
        From `read_benchmark`.
    laws : Law or sequence of Law
        What is fitted to each.
    out : path_like, optional
        Folder for the fits, as for `fit_many`: with it the run resumes.
    prob : float, default 0.9
        Probability of the intervals that are scored.
    unseen_breaks : float or "learned", default "learned"
        Breaks that the forecasts allow for beyond the data, as for `forecast`. Fits do not depend
        on it.
    seed : int, optional
        Makes the result repeatable.
    **settings
        Passed to `fit_many`.

    Returns
    -------
    pandas.DataFrame
        One row for each curve and law, and one for each naive forecast of a curve: ``source``,
        ``domain``, ``curve``, ``law``, ``status``, ``ok``, ``seconds``, ``n_seen``, ``n_later``,
        ``error``, and the scores of `score`. A naive forecast has the status ``naive``.

    Raises
    ------
    TypeError, ValueError
        As for `fit_many`.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> points = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> curve = bb.BenchmarkCurve(*points.split(n=9), "LM", "loss", "small", "mine.csv")
    >>> settings = {"priors": {"sigma": 0.02}, "progress": False}
    >>> score_benchmark([curve], bb.M1(), seed=1, **settings)[["law", "status", "n_later"]]
                law     status  n_later
    0            M1  converged        3
    1    last value      naive        3
    2  log-log line      naive        3
    """
    names = [curve.name for curve in curves]
    by_name = {
        curve.name if names.count(curve.name) == 1 else f"{curve.source}: {curve.name}": curve
        for curve in curves
    }
    seen = {name: curve.seen for name, curve in by_name.items()}
    batch = fit_many(seen, laws, out=out, seed=seed, **settings)
    rows = []
    for name, curve in by_name.items():
        later = curve.later
        facts = {"source": curve.source, "domain": curve.domain, "curve": name}
        sizes = {"n_seen": len(curve.seen), "n_later": len(later)}
        for fitted in batch.table[batch.table["curve"] == name].itertuples():
            law = str(fitted.law)
            row: dict[str, Any] = facts | {"law": law, "status": fitted.status, "ok": fitted.ok}
            row |= {"seconds": fitted.seconds} | sizes | {"error": fitted.error}
            if not fitted.error:
                seed_here = seed_of(seed, name, law)
                fit = batch.fit(name, law)
                ahead = forecast(fit, later.x, unseen_breaks=unseen_breaks, seed=seed_here)
                row |= _scores(ahead, later.y, prob)
            rows.append(row)
        for law, ahead in naive_forecasts(curve.seen, later.x).items():
            row = facts | {"law": law, "status": "naive", "ok": True, "seconds": 0.0}
            rows.append(row | sizes | {"error": ""} | _scores(ahead, later.y, prob))
    return pd.DataFrame(rows)


def _scores(ahead: Any, y: Any, prob: float) -> dict[str, float]:
    skills = ["rmsle_skill", "crps_skill"]  # of a forecast beside itself
    return dict(score(ahead, y, prob=prob).iloc[0].drop(skills))


def summarize_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Average the scores of a benchmark over curves, by source and law.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `score_benchmark`.

    Returns
    -------
    pandas.DataFrame
        One row for each source and law: ``curves`` that were scored, ``failed`` ones, the share
        of fits that converged (``converged``), mean and median over curves of ``rmsle``, means of
        ``log_score``, ``crps`` and ``msce``, ``coverage`` pooled over all held-out points, and the
        median of ``seconds``.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> points = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> curve = bb.BenchmarkCurve(*points.split(n=9), "LM", "loss", "small", "mine.csv")
    >>> settings = {"priors": {"sigma": 0.02}, "progress": False}
    >>> scores = bb.score_benchmark([curve], bb.M1(), seed=1, **settings)
    >>> summarize_scores(scores)[["source", "law", "curves", "failed"]]
         source           law  curves  failed
    0  mine.csv            M1       1       0
    1  mine.csv    last value       1       0
    2  mine.csv  log-log line       1       0
    """
    rows = []
    for (source, law), group in scores.groupby(["source", "law"], sort=False):
        scored = group[group["error"] == ""]
        points = scored["n_later"].to_numpy()
        row: dict[str, Any] = {"source": source, "law": law, "curves": len(scored)}
        row |= {"failed": len(group) - len(scored), "converged": float(group["ok"].mean())}
        if len(scored):
            row |= {
                "rmsle": scored["rmsle"].mean(),
                "rmsle_median": scored["rmsle"].median(),
                "log_score": scored["log_score"].mean(),
                "crps": scored["crps"].mean(),
                "msce": scored["msce"].mean(),
                "coverage": float(np.average(scored["coverage"], weights=points)),
                "seconds": scored["seconds"].median(),
            }
        rows.append(row)
    return pd.DataFrame(rows)


def published_scores(scores: pd.DataFrame | None = None) -> pd.DataFrame:
    """List the scores of other forecasters that were published on the public benchmark.

    Parameters
    ----------
    scores : pandas.DataFrame, optional
        From `score_benchmark`: only collections that it has curves of are listed.

    Returns
    -------
    pandas.DataFrame
        One row for each ``collection`` ("language" or "vision") and ``forecaster``: the number of
        ``curves`` that were averaged over, their mean ``rmsle`` and, where they were published,
        ``log_score`` and ``msce``, and the ``reference``. They compare with means over the same
        curves alone, that is all of a collection.

    References
    ----------
    Caballero, Gupta, Rish, Krueger, "Broken Neural Scaling Laws", ICLR 2023, table 4, averaged
    over its rows. Lee et al., "Bayesian Neural Scaling Law Extrapolation with Prior-Data Fitted
    Networks", ICML 2025.

    Examples
    --------
    >>> published_scores()["forecaster"].iloc[-1]
    'NSL-PFN'
    """
    columns = ["collection", "curves", "forecaster", "rmsle", "log_score", "msce", "reference"]
    table = pd.DataFrame(PUBLISHED, columns=columns)
    if scores is None:
        return table
    domains = set(scores["domain"])
    known = [name for name, parts in COLLECTIONS.items() if parts & domains]
    return table[table["collection"].isin(known)].reset_index(drop=True)
