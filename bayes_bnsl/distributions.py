"""Distributions that PyMC does not have, and densities and draws of priors of the user's."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pymc.distributions.dist_math import normal_lccdf
from pymc.distributions.transforms import _default_transform
from pymc.logprob.transforms import IntervalTransform, LogOddsTransform, LogTransform

from bayes_bnsl.kalman import given_earlier
from bayes_bnsl.priors import Prior

__all__ = [
    "best_so_far",
    "best_so_far_logp",
    "correlated",
    "correlated_logp",
    "draws_of",
    "log_density_of",
    "log_normal",
    "log_normal_logp",
    "log_student",
    "normal",
    "normal_logp",
    "support",
]


def log_normal(log_mu: Any, scatter: Any, size: Any) -> Any:
    """Return y whose logarithm has a normal distribution."""
    return pt.exp(pm.Normal.dist(log_mu, scatter, size=size))


def log_normal_logp(y: Any, log_mu: Any, scatter: Any) -> Any:
    """Return the log density of such y, which are positive.

    PyMC's own asks each of them whether it is.
    """
    log_y = pt.log(y)
    square = (log_y - log_mu) ** 2 / scatter**2
    return -0.5 * square - pt.log(scatter) - log_y - 0.5 * np.log(2 * np.pi)


def best_so_far(log_mu: Any, scatter: Any, bound: Any, run: Any, falls: Any, size: Any) -> Any:
    """Return the best such y up to each point of a run."""
    log_y = pm.MvNormal.dist(mu=log_mu, cov=pt.diag(scatter**2), size=size)
    number = pt.arange(run.shape[0])
    others = pt.neq(run[:, None], run[None, :]) | (number[:, None] < number[None, :])
    sign = pt.switch(falls, 1.0, -1.0)
    return pt.exp(sign * pt.min(pt.switch(others, np.inf, sign * log_y[..., None, :]), axis=-1))


def best_so_far_logp(y: Any, log_mu: Any, scatter: Any, bound: Any, run: Any, falls: Any) -> Any:
    """Return the log density of all y together; where y is a bound, of what lies beyond."""
    beyond = normal_lccdf(0.0, 1.0, bound * (pt.log(y) - log_mu) / scatter)
    return pt.sum(pt.switch(pt.eq(bound, 0.0), log_normal_logp(y, log_mu, scatter), beyond))


def log_student(log_mu: Any, scatter: Any, nu: Any, size: Any) -> Any:
    """Return y whose logarithm has a Student-t distribution."""
    return pt.exp(pm.StudentT.dist(nu=nu, mu=log_mu, sigma=scatter, size=size))


def correlated(
    log_mu: Any, variance: Any, tau: Any, ell: Any, log_x: Any, run: Any, size: Any
) -> Any:
    """Return y whose residuals are an Ornstein-Uhlenbeck process a run, and noise."""
    distance = pt.abs(log_x[:, None] - log_x[None, :])
    together = pt.eq(run[:, None], run[None, :])
    covariance = together * tau**2 * pt.exp(-distance / ell) + pt.diag(variance)
    return pt.exp(pm.MvNormal.dist(mu=log_mu, cov=covariance, size=size))


def correlated_logp(
    y: Any, log_mu: Any, variance: Any, tau: Any, ell: Any, log_x: Any, run: Any
) -> Any:
    """Return the joint log density of y: each point given the earlier ones of its run."""
    residual = pt.log(y) - log_mu
    mean, spread = given_earlier(residual, variance, tau, ell, log_x, run)
    points = pm.logp(pm.LogNormal.dist(log_mu + mean, pt.sqrt(spread + variance)), y)
    return pt.sum(points)


def normal(mean: Any, sd: Any, level: Any, size: Any) -> Any:
    """Return a normal variable, which the level does not enter."""
    return pm.Normal.dist(mean, sd, size=size)


def normal_logp(value: Any, mean: Any, sd: Any, level: Any) -> Any:
    """Return the log density of such a variable."""
    return pm.logp(normal(mean, sd, level, None), value)


@lru_cache(maxsize=256)
def log_density_of(prior: Prior, ndim: int) -> Callable[[Any], Any]:
    """Return the log density of a prior of the user's, as a function of arrays.

    Parameters
    ----------
    prior : Prior
        The prior; numbers that differ by break belong to the last axis.
    ndim : int
        Number of axes of the arrays.

    Returns
    -------
    callable
        Maps values to log densities, minus infinity where the prior has no mass.
    """
    variable = _variable(prior)
    value = pt.tensor("value", dtype="float64", shape=(None,) * ndim)
    return pytensor.function([value], pm.logp(variable, value), mode="FAST_COMPILE")


def draws_of(prior: Prior, shape: tuple[int, ...], seed: int) -> Any:
    """Draw from a prior of the user's.

    Parameters
    ----------
    prior : Prior
        The prior; numbers that differ by break belong to the last axis.
    shape : tuple of int
        Shape of what is returned.
    seed : int
        Makes the draws repeatable.

    Returns
    -------
    ndarray
        The draws.
    """
    return pm.draw(_variable(prior, shape=shape), random_seed=seed, mode="FAST_COMPILE")


def _variable(prior: Prior, **settings: Any) -> Any:
    """Return a variable with a prior of the user's, outside of any model."""
    base, bounds = getattr(pm, prior.distribution).dist, (prior.at_least, prior.at_most)
    if bounds == (None, None):
        return base(**dict(prior.parameters), **settings)
    return pm.Truncated.dist(base(**dict(prior.parameters)), *bounds, **settings)


def support(variable: Any) -> tuple[Any, Any]:
    """Return the bounds of a distribution, as its own transformation has them."""
    transform = _default_transform(variable.owner.op, variable)
    if isinstance(transform, LogTransform):
        return 0.0, None
    if isinstance(transform, LogOddsTransform):
        return 0.0, 1.0
    if isinstance(transform, IntervalTransform):
        return transform.args_fn(*variable.owner.inputs)
    return None, None
