"""The density of a fit at any draws: its prior, its points, and points it has not seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import logsumexp

from bayes_bnsl import model as models
from bayes_bnsl.curve import Curve
from bayes_bnsl.draws import Draws, Problem, flattened
from bayes_bnsl.result import Fit

__all__ = [
    "has_independent_points",
    "joint_log_density",
    "log_evidence_ratio",
    "log_likelihood",
    "log_mean_exp",
    "log_prior",
    "with_densities",
]


def has_independent_points(fit: Fit) -> bool:
    """Tell whether the points are independent of one another, given the parameters.

    Where they are not, as with `Correlated` noise, ``log_likelihood`` holds the density of each
    point given all the others, and no sum of it is that of several points.
    """
    return "tau" not in fit.noise.parameters


def with_densities(fit: Fit) -> Fit:
    """Return a fit with those draws alone for which it holds the density of every point.

    These are all draws, except of curves so long that the densities would fill the memory; they are
    numbered anew.
    """
    kept = fit.data["log_likelihood"].to_dataset()["draw"].values
    if kept.size == fit.posterior.sizes["draw"]:
        return fit
    groups = {name: fit.data[name].to_dataset() for name in fit.data.children}
    for name, group in groups.items():
        if "draw" in group.dims:
            groups[name] = group.sel(draw=kept).assign_coords(draw=np.arange(kept.size))
    return replace(fit, data=xr.DataTree.from_dict(groups))


def log_prior(fit: Fit, values: Draws) -> Draws:
    """Return the log prior density of every free variable.

    Parameters
    ----------
    fit : Fit
        Whose priors.
    values : dict of ndarray, shape (chain, draw) or (chain, draw, brk)
        Draws of the free variables: what the group ``coordinates`` of the fit holds.

    Returns
    -------
    dict of ndarray
        In the shapes of `values`.
    """
    return {
        name: models.log_density_of(fit.priors[name], draws.ndim)(draws)
        if name in fit.priors
        else -0.5 * (draws**2 + np.log(2 * np.pi))
        for name, draws in values.items()
    }


def log_likelihood(fit: Fit, values: Draws) -> NDArray[np.float64]:
    """Return the log density of each y for draws of the free variables.

    Parameters
    ----------
    fit : Fit
        Whose points.
    values : dict of ndarray, shape (chain, draw) or (chain, draw, brk)
        Draws of the free variables.

    Returns
    -------
    ndarray, shape (chain, draw, n_points)
        Minus 1e300 where the parameters are impossible.
    """
    problem = Problem(fit.curve, fit.law, fit.noise, fit.priors, fit.scale)
    dims = ("chain", "draw", "brk")
    arrays = {name: (dims[: v.ndim], v) for name, v in problem.parameters(values).items()}
    density = problem.log_likelihood(xr.Dataset(arrays)).values
    return np.where(np.isfinite(density), density, -1e300)


def joint_log_density(fit: Fit, points: Curve) -> NDArray[np.float64]:
    """Return the log density of new points together, for each draw.

    Parameters
    ----------
    fit : Fit
        What was learnt from other points.
    points : Curve
        The new points; a known standard error of theirs is taken into account, and with
        `Correlated` noise the fitted points of their runs.

    Returns
    -------
    ndarray, shape (n_draws,)
        Log density of y.
    """

    def joint(curve: Curve) -> NDArray[np.float64]:
        problem = Problem(curve, fit.law, fit.noise, fit.priors, fit.scale)
        return problem.joint_log_likelihood(flattened(fit.posterior))

    if has_independent_points(fit):
        return joint(points)
    return joint(_together(fit.curve, points)) - joint(fit.curve)


def _together(curve: Curve, more: Curve) -> Curve:
    """Return the points of two parts of a curve."""
    columns = {field: column for field, column in vars(curve).items() if np.ndim(column)}
    joined: dict[str, Any] = {
        field: np.concatenate([column, getattr(more, field)]) for field, column in columns.items()
    }
    return replace(curve, **joined)


def log_mean_exp(values: NDArray[np.float64], log_weights: Any = None) -> float:
    """Return the log of the mean of exponentials, weighted if there are normalised weights."""
    if log_weights is None:
        log_weights = -np.log(np.size(values))
    return float(logsumexp(values + log_weights))


def log_evidence_ratio(without: NDArray[np.float64], given: NDArray[np.float64]) -> float:
    """Return the log predictive density of points from draws without and with them.

    The mean density over the draws that have not seen the points hangs on its few largest terms if
    the points are a surprise. The draws that have seen them lie where those terms come from, and
    Bennett's acceptance ratio weighs both in the way that has the least error.

    Parameters
    ----------
    without, given : ndarray, shape (n_draws,)
        Joint log density of the points, for draws of the posterior that does not know them and
        of the one that does.

    Returns
    -------
    float
        Log of the ratio of the two posteriors' normalising constants.

    References
    ----------
    Bennett, "Efficient estimation of free energy differences from Monte Carlo data", Journal of
    Computational Physics 22, 1976; Meng, Wong, "Simulating ratios of normalizing constants via a
    simple identity", Statistica Sinica 6, 1996.

    Examples
    --------
    >>> generator = np.random.default_rng(1)
    >>> def log_density(mean):  # of y = 1 ~ Normal(mean, 1)
    ...     return -0.5 * (1 - mean) ** 2 - 0.5 * np.log(2 * np.pi)
    >>> prior, posterior = generator.normal(0, 1, 9000), generator.normal(0.5, 0.5**0.5, 9000)
    >>> exact = -0.25 - 0.5 * np.log(4 * np.pi)  # y ~ Normal(0, sqrt(2))
    >>> bool(abs(log_evidence_ratio(log_density(prior), log_density(posterior)) - exact) < 0.01)
    True
    """
    total = without.size + given.size
    share_without, share_given = np.log(without.size / total), np.log(given.size / total)

    def excess(ratio: float) -> float:
        upper = log_mean_exp(without - np.logaddexp(share_given + without, share_without + ratio))
        lower = log_mean_exp(-np.logaddexp(share_given + given, share_without + ratio))
        return upper - lower - ratio

    # The root lies between what either set of draws says alone, up to their Monte Carlo error.
    ends = log_mean_exp(without), -log_mean_exp(-given)
    low, high = min(ends) - 1.0, max(ends) + 1.0
    while excess(low) < 0:
        low -= high - low
    while excess(high) > 0:
        high += high - low
    return float(brentq(excess, low, high))
