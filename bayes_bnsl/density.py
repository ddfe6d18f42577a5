"""The density of a fit at any draws: its prior, its points, and points it has not seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import logsumexp

from bayes_bnsl import model as models
from bayes_bnsl.curve import Curve
from bayes_bnsl.draws import Draws, Problem
from bayes_bnsl.forecasting import forecast, log_score
from bayes_bnsl.result import Fit

__all__ = [
    "joint_log_density",
    "log_evidence_ratio",
    "log_mean_exp",
    "log_predictive",
    "log_prior",
    "points_are_independent",
    "problem_of",
]


def problem_of(fit: Fit) -> Problem:
    """Return what a fit was made from."""
    return Problem(fit.curve, fit.law, fit.noise, fit.priors, fit.scale)


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


def points_are_independent(fit: Fit) -> bool:
    """Tell whether the points are independent of one another, given the parameters.

    Where they are not, as with residuals that are correlated along x, ``log_likelihood`` holds
    the density of each point given all the others, and no sum of it is that of several points.
    """
    first = fit.posterior.isel(draw=slice(1))
    parameters = {str(name): draws.values for name, draws in first.data_vars.items()}
    middle = len(fit.curve) // 2  # the point that has the most to do with others
    alone = replace(problem_of(fit), curve=fit.curve.take([middle])).log_likelihood(parameters)
    stored = fit.data["log_likelihood"].to_dataset()["y"].isel(draw=slice(1), obs_id=[middle])
    return bool(np.allclose(alone, stored))


def joint_log_density(fit: Fit, points: Curve) -> NDArray[np.float64]:
    """Return the log density of some points together, for each draw, shape (n_draws,).

    A known standard error of the points is taken into account. Right for points that are
    independent of one another and of the fitted ones, given the parameters.
    """
    parameters = {str(name): draws.values for name, draws in fit.posterior.data_vars.items()}
    each = replace(problem_of(fit), curve=points).log_likelihood(parameters)
    return each.sum("obs_id").values.ravel()


def log_predictive(fit: Fit, points: Curve, *, independent: bool = True) -> float:
    """Return the log predictive density of new points, of all of them together.

    Parameters
    ----------
    fit : Fit
        What was learnt from other points.
    points : Curve
        The new points.
    independent : bool, default True
        What :func:`points_are_independent` says. If not, the points go through the forecast, one
        by one.

    Returns
    -------
    float
        Log of the joint density of y, averaged over the draws.
    """
    if not independent:
        return float(log_score(forecast(fit, points.x), points.to_reported(points.y)).sum())
    return log_mean_exp(joint_log_density(fit, points))


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
