"""Leave-one-out: how well a law foresees each point from all the others.

The density of a left-out point is found by Pareto-smoothed importance sampling of the draws
that there are (Vehtari, Gelman, Gabry 2017). Where that is unreliable it is repaired: first the
draws are moved to where the posterior without the point lies (moment matching; Paananen,
Piironen, Buerkner, Vehtari 2021), and if that does not suffice chains go on without it from where
they are: the density of the point is the ratio of the evidences with and without.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import arviz_stats as azs
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import logsumexp

from bayes_bnsl.curve import Curve
from bayes_bnsl.density import (
    has_independent_points,
    log_joint,
    log_likelihood,
    positions,
    refuse_pooled,
    with_densities,
)
from bayes_bnsl.errors import did_you_mean
from bayes_bnsl.evidence import GOOD_ERROR, log_evidence, log_evidence_of
from bayes_bnsl.result import Fit
from bayes_bnsl.sampling import check_counts

__all__ = ["leave_one_out"]

PSIS, MOVED, REFIT, NOT_CONVERGED, NONE = (
    "psis",
    "moment matching",
    "refit",
    "refit did not converge",
    "too few points to refit",
)
"""How the density of a left-out point was found."""

MOVE_ABOVE = 0.4
"""Pareto k above which draws are moved.

Importance sampling is called reliable up to 0.7. But between 0.4 and 0.7 its error is up to 0.4,
where moving the draws leaves less than 0.1 (docs/measure_leave_one_out.py, against a closed form).
"""

GOOD_K = 0.5
"""Largest Pareto k of moved draws that is trusted: above it chains go on without the point.

Up to 0.5 the weights have a finite variance. Above it, after all was tried to move the draws,
errors of more than 1 have been seen (the same, against fits without the point).
"""

FAILS_ABOVE = 0.7
"""Pareto k above which importance sampling fails, and draws were moved far.

There `MOVE_ABOVE` is the largest k of moved draws that is trusted: between it and `GOOD_K` they
have been wrong by 0.6 (the same).
"""

UNITS = ("point", "x", "run")


def leave_one_out(
    fit: Fit,
    *,
    leave_out: str = "point",
    repair: bool = True,
    max_gradients: int = 24_000_000,
    cores: int | None = None,
) -> xr.Dataset:
    """Return the log predictive density of each point, foreseen from all the others.

    Parameters
    ----------
    fit : Fit
        The fitted law.
    leave_out : {"point", "x", "run"}
        What is left out at a time: a point, all replicates at one x, or all points of a run. The
        points of a group are foreseen together.
    repair : bool, default True
        Whether points whose Pareto k is high are repaired: by moment matching above 0.4, and if it
        then is above 0.5, or above 0.4 where it was above 0.7 before, by draws without them and
        their evidence (:func:`log_evidence`).
    max_gradients : int, default 24 million
        Most gradients of a round of tempered chains without a point.
    cores : int, optional
        How many of these chains run at once: as many as there are cores by default.

    Returns
    -------
    xarray.Dataset
        Over the dimension ``left``, with the coordinate ``x``:

        - ``elpd``: log predictive density of y in its units, given all other points;
        - ``lpd``: the same given all points, so that the sum of ``lpd - elpd`` is the effective
          number of parameters;
        - ``pareto_k``: Pareto k of the importance weights that were used, NaN for a refit;
        - ``raw_k``: Pareto k before any repair;
        - ``method``: "psis", "moment matching", "refit", "refit did not converge", or "too few
          points to refit".

        The attribute ``good_k`` is the largest Pareto k that is trusted.

    Raises
    ------
    TypeError
        If `fit` is no Fit.
    ValueError
        If `leave_out` is unknown, the points cannot be left out that way, or the noise is not
        independent from point to point and groups are asked for.

    References
    ----------
    Vehtari, Gelman, Gabry, "Practical Bayesian model evaluation using leave-one-out
    cross-validation and WAIC", Statistics and Computing 27, 2017. Paananen, Piironen, Buerkner,
    Vehtari, "Implicitly adaptive importance sampling", Statistics and Computing 31, 2021.

    Examples
    --------
    >>> from bayes_bnsl import M1, Curve, fit
    >>> x = np.geomspace(10, 1e4, 8)
    >>> points = Curve(x, 3 * x**-0.3 * np.exp(0.02 * np.cos(40 * x)))
    >>> left_out = leave_one_out(fit(points, M1(), priors={"sigma": 0.02}, seed=1, progress=False))
    >>> left_out.sizes["left"], bool((left_out["elpd"] < left_out["lpd"]).all())
    (8, True)
    """
    if not isinstance(fit, Fit):
        raise TypeError(f"fit must be the result of bayes_bnsl.fit; got {fit!r}.")
    check_counts(max_gradients=max_gradients, cores=cores)
    if repair:
        mend = "Pass repair=False, or fit the curve alone with fit."
        refuse_pooled(fit, "repairing high Pareto k", mend)
    labels, group = groups(fit.curve, leave_out)
    if len(labels) < len(fit.curve) and not has_independent_points(fit):
        raise ValueError(
            f"With {fit.noise.name} noise the points of a group depend on one another, so they "
            f"cannot be left out by {leave_out}. Use leave_out='point', or by='lfo'."
        )
    fit = with_densities(fit)
    tree = _grouped(fit, labels, group)
    n_draws = fit.posterior.sizes["chain"] * fit.posterior.sizes["draw"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of high k and of few draws: the result holds every k
        smoothed = azs.loo(tree, pointwise=True)
    raw_k = smoothed.pareto_k.values.copy()
    method = np.full(len(labels), PSIS, dtype=object)
    if repair and (raw_k > MOVE_ABOVE).any():
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            smoothed = azs.loo_moment_match(
                tree, smoothed, *_densities(fit, group), k_threshold=MOVE_ABOVE, pointwise=True
            )
        method[smoothed.pareto_k.values != raw_k] = MOVED
    elpd, pareto_k = smoothed.elpd_i.values.copy(), smoothed.pareto_k.values.copy()
    trusted = np.where(raw_k > FAILS_ABOVE, MOVE_ABOVE, GOOD_K)
    bad = np.flatnonzero(~(pareto_k <= trusted))
    if repair and bad.size:
        of_all = log_evidence(fit).value
        for left in bad:
            method[left], of_others = _refit(
                fit, group == left, int(left), max_gradients=max_gradients, cores=cores
            )
            if of_others is not None:
                elpd[left], pareto_k[left] = of_all - of_others, np.nan
    lpd = logsumexp(tree["log_likelihood"]["y"], axis=(0, 1)) - np.log(n_draws)
    columns = {"elpd": elpd, "lpd": lpd, "pareto_k": pareto_k, "raw_k": raw_k}
    first = np.unique(group, return_index=True)[1]
    return xr.Dataset(
        {name: ("left", values) for name, values in columns.items()}
        | {"method": ("left", method.astype(str))},
        coords={"left": labels, "x": ("left", fit.curve.x[first])},
        attrs={"by": "loo", "leave_out": leave_out, "good_k": GOOD_K},
    )


def groups(curve: Curve, leave_out: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the labels of what is left out, and for each point the number of its label."""
    if leave_out not in UNITS:
        raise ValueError(f"leave_out is {leave_out!r}. {did_you_mean(leave_out, UNITS)}")
    if leave_out == "point":
        labels, group = np.arange(len(curve)), np.arange(len(curve))
    elif leave_out == "x":
        labels, group = np.unique(curve.x, return_inverse=True)
    else:
        if len(curve.runs) < 2 or curve.run_index is None:
            raise ValueError(
                f"The curve {curve.name!r} has {len(curve.runs) or 'no'} run label, and leaving "
                "out a run needs two runs or more. Use leave_out='point' or 'x'."
            )
        labels, group = np.array([str(run) for run in curve.runs]), curve.run_index
    return labels, group


def _grouped(fit: Fit, labels: NDArray[Any], group: NDArray[np.int64]) -> xr.DataTree:
    """Return the draws with the joint log density of each group."""
    each = fit.data["log_likelihood"].to_dataset()["y"].values
    together = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[together], np.arange(len(labels)))
    joint = np.add.reduceat(each[..., together], starts, axis=-1)
    sampled = {"chain": fit.posterior["chain"], "draw": fit.posterior["draw"]}
    return xr.DataTree.from_dict(
        {
            "posterior": fit.data["coordinates"].to_dataset(),
            "log_likelihood": xr.Dataset({"y": (("chain", "draw", "left"), joint)}, sampled),
        }
    )


def _densities(
    fit: Fit, group: NDArray[np.int64]
) -> tuple[Callable[..., Any], Callable[..., Any], xr.DataArray]:
    """Return what moment matching needs: two log densities, and the draws they are functions of.

    Draws are moved in the coordinates of the sampler, where the posterior is closest to normal.
    """
    draws, apart = positions(fit)
    dims, independent = ("chain", "draw"), has_independent_points(fit)
    last: tuple[Any, Any] = (None, None)

    def likelihood(position: xr.DataArray) -> NDArray[np.float64]:
        nonlocal last
        if last[0] is not position:  # both densities are asked for at the same draws
            last = position, log_likelihood(fit, apart(position.values))
        return last[1]

    def log_density(position: xr.DataArray) -> xr.DataArray:
        each = likelihood(position) if independent else None
        return xr.DataArray(log_joint(fit, apart(position.values), each), dims=dims)

    def log_density_of_group(position: xr.DataArray, left: int) -> xr.DataArray:
        of_group = likelihood(position)[..., group == left]
        return xr.DataArray(of_group.sum(axis=-1), dims=dims)

    coords = {dim: fit.posterior[dim] for dim in dims}
    return log_density, log_density_of_group, xr.DataArray(draws, coords, (*dims, "coordinate"))


def _refit(
    fit: Fit, left: NDArray[np.bool_], number: int, **settings: Any
) -> tuple[str, float | None]:
    """Sample without some points, with the priors of the whole curve: return the evidence."""
    kept = fit.curve.take(~left)
    if len(np.unique(kept.x)) < fit.law.min_points:
        return NONE, None
    seed = (fit.seed + 7919 * (number + 1)) % 2**32
    evidence = log_evidence_of(kept, fit, seed=seed, **settings)
    method = REFIT if evidence.error <= GOOD_ERROR else NOT_CONVERGED
    return method, evidence.value if np.isfinite(evidence.value) else None
