"""Leave-future-out: how well a law foresees the points ahead from those before them.

The law is fitted to the first points, forecasts the next ones, takes them in, and so on to the
end (Bürkner, Gabry, Vehtari 2020). Leave-one-out asks a law to fill gaps between points;
whoever extrapolates wants to know this instead.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import xarray as xr
from arviz_stats.base import array_stats
from numpy.typing import NDArray

from bayes_bnsl.curve import Curve
from bayes_bnsl.density import (
    has_independent_points,
    joint_log_density,
    log_mean_exp,
    refuse_pooled,
)
from bayes_bnsl.evidence import GOOD_ERROR, log_evidence, log_evidence_of, of_chains
from bayes_bnsl.loo import GOOD_K, NOT_CONVERGED, PSIS, REFIT
from bayes_bnsl.result import Fit
from bayes_bnsl.sampling import quiet_fit

__all__ = ["leave_future_out"]


def leave_future_out(
    fit: Fit, *, horizon: int = 1, start: int | None = None, **settings: Any
) -> xr.Dataset:
    """Return the log predictive density of points ahead, foreseen from all before them.

    Parameters
    ----------
    fit : Fit
        The law with its noise and priors. Its draws are not used: they know the future.
    horizon : int, default 1
        How many x are foreseen together. The next forecast begins where they end, so that each
        point is foreseen once.
    start : int, optional
        How many distinct x are seen before the first forecast; by default half of them, or as many
        as the law needs if that is more. Raised as far as it takes for all forecasts to be of
        `horizon` x.
    **settings
        Of the fits, as for :func:`fit`: ``draws``, ``max_gradients`` and the like.

    Returns
    -------
    xarray.Dataset
        Over the dimension ``left``, the number of x seen before a forecast, with the coordinate
        ``x``, the first one that is foreseen:

        - ``elpd``: log predictive density of y in its units, of the points of a forecast together;
        - ``pareto_k``: Pareto k of the importance weights, NaN where the law was fitted;
        - ``method``: "refit", "refit did not converge", or "psis" where the draws of the last fit
          were weighted by the points that have come since.

    Raises
    ------
    TypeError
        If `fit` is no Fit, or `horizon` or `start` no integer.
    ValueError
        If there are too few points for that `horizon` and `start`.

    Notes
    -----
    Each fit takes its default priors from the points it sees, as a user would have had them; up
    to the next fit the priors stay what they are. The density of points ahead is its mean over the
    draws, which hangs on a few of them if the points are a surprise (Pareto k above 0.5). Then the
    law is fitted with these points too, and the density is the ratio of the two evidences.

    References
    ----------
    Bürkner, Gabry, Vehtari, "Approximate leave-future-out cross-validation for Bayesian time series
    models", Journal of Statistical Computation and Simulation 90, 2020.

    Examples
    --------
    >>> from bayes_bnsl import M1, Curve, fit
    >>> x = np.geomspace(10, 1e4, 8)
    >>> points = Curve(x, 3 * x**-0.3 * np.exp(0.02 * np.cos(40 * x)))
    >>> line = fit(points, M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> ahead = leave_future_out(line, horizon=2)
    >>> ahead["left"].values
    array([4, 6])
    """
    if not isinstance(fit, Fit):
        raise TypeError(f"fit must be the result of bayes_bnsl.fit; got {fit!r}.")
    refuse_pooled(fit, "a fit of its first points", "Fit the curve alone with fit.")
    curve = fit.curve
    first = first_window(curve, fit.law.min_points, start, horizon)
    places = np.unique(curve.x)
    independent = has_independent_points(fit)
    rows: list[tuple[float, float, str]] = []
    last, fitted = None, first
    for seen in range(first, len(places), horizon):
        ahead = _between(curve, places, seen, seen + horizon)
        if last is not None and independent:
            since = joint_log_density(last, _between(curve, places, fitted, seen))
            foreseen = joint_log_density(last, ahead)
            log_weights, k = _weighted(since)
            if max(k, _weighted(since + foreseen)[1]) <= GOOD_K:
                rows.append((log_mean_exp(foreseen, log_weights), k, PSIS))
                continue
        past = _between(curve, places, 0, seen)
        last, fitted = _refit(fit, past, seen, settings), seen
        foreseen, converged = joint_log_density(last, ahead), last.status.ok
        elpd = log_mean_exp(foreseen)
        if _weighted(foreseen)[1] > GOOD_K:
            more = _between(curve, places, 0, seen + horizon)
            both = log_evidence_of(more, last, seed=last.seed, **of_chains(settings))
            elpd = both.value - log_evidence(last).value
            converged &= both.error <= GOOD_ERROR
        rows.append((elpd, np.nan, REFIT if converged else NOT_CONVERGED))
    seen_counts = np.arange(first, len(places), horizon)
    columns = zip(("elpd", "pareto_k", "method"), zip(*rows, strict=True), strict=True)
    return xr.Dataset(
        {name: ("left", list(values)) for name, values in columns},
        coords={"left": seen_counts, "x": ("left", places[seen_counts])},
        attrs={"by": "lfo", "horizon": horizon},
    )


def first_window(curve: Curve, needed: int, start: int | None, horizon: int) -> int:
    """Return how many distinct x are seen before the first forecast."""
    n = len(np.unique(curve.x))
    for name, value in {"horizon": horizon, "start": n if start is None else start}.items():
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise TypeError(f"{name} must be an integer; got {value!r}.")
    first = max(needed, -(-n // 2)) if start is None else int(start)
    if first < needed:
        raise ValueError(f"start is {start}, but the law needs at least {needed} distinct x.")
    if horizon < 1 or n - first < horizon:
        raise ValueError(
            f"The curve {curve.name!r} has {n} distinct x, too few to see {first} and foresee "
            f"{horizon} of them: horizon must lie between 1 and {max(n - first, 1)}. Give a "
            "smaller horizon or start."
        )
    return first + (n - first) % horizon


def _between(curve: Curve, places: Any, low: int, high: int) -> Curve:
    """Return the points whose x are numbered from low up to high, high left out."""
    number = np.searchsorted(places, curve.x)
    return curve.take((number >= low) & (number < high))


def _weighted(log_weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return smoothed and normalised log weights, and their Pareto k."""
    with np.errstate(over="ignore"):  # of quantiles that are then cut off at the largest weight
        smoothed, k = array_stats.psislw(-log_weights)
    return np.asarray(smoothed), float(k)


def _refit(fit: Fit, past: Curve, seen: int, settings: dict[str, Any]) -> Fit:
    seed = (fit.seed + 7919 * seen) % 2**32
    own = {"noise": fit.noise, "priors": fit.priors, "seed": seed}
    return quiet_fit(past, fit.law, **(own | settings))
