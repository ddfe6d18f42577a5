"""Distributions that PyMC does not have, and the coordinates in which NUTS sees variables."""

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
from pymc.logprob.transforms import IntervalTransform, LogOddsTransform, LogTransform, Transform

from bayes_bnsl import defaults
from bayes_bnsl.kalman import given_earlier
from bayes_bnsl.priors import Prior, Scale

__all__ = [
    "Magnified",
    "Recentred",
    "Standardized",
    "Stretched",
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
    "residual_level",
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


def residual_level(mean_square: Any, scale: Scale) -> Any:
    """Return about where ``z_sigma`` lies, given the mean square of the residuals."""
    size = pt.sqrt(mean_square + defaults.least_scatter(scale) ** 2)
    return pt.log(size / (defaults.NOISE_SHARE * scale.spread))


def end_width(tau: Any, sigma: Any, scale: Scale) -> Any:
    """Return about how uncertain points that stray together leave an end, at most 1: its prior."""
    square = (tau**2 + 0.25 * sigma**2) / scale.spread**2
    return pt.sqrt(square / (1 + square))


def normal(mean: Any, sd: Any, level: Any, size: Any) -> Any:
    """Return a normal variable, which the level does not enter."""
    return pm.Normal.dist(mean, sd, size=size)


def normal_logp(value: Any, mean: Any, sd: Any, level: Any) -> Any:
    """Return the log density of such a variable."""
    return pm.logp(normal(mean, sd, level, None), value)


class Recentred(Transform):
    """What the sampler sees in place of a variable: its distance from where the data have it.

    With few points sigma may be small, and then the law must lie narrowly along the points: a
    funnel, in which transitions diverge. Given the law, sigma follows the size of the residuals,
    so the distance from that hardly depends on the law, and the funnel is gone. Just so, a slope
    is known once limit and level are, for the curve must meet its first points. This is a shift:
    the prior, the posterior and draws from either are untouched.
    """

    name = "recentred"

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Return the distance from the level."""
        return value - _level(inputs)

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Return the variable."""
        return value + _level(inputs)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Return 0: a shift leaves volumes alone."""
        return pt.zeros_like(value)


class Stretched(Transform):
    """What the sampler sees in place of an end of the curve: its distance from the points there.

    With `Correlated` noise points fix the curve as narrowly as they stray together from it, and
    that may be little or much: a funnel. In units of how far they stray it is gone.
    """

    name = "stretched"

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Return the variable in units of the level."""
        return value / _level(inputs)

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Return the variable."""
        return value * _level(inputs)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Return the log of the level."""
        return pt.log(_level(inputs)) + pt.zeros_like(value)


class Magnified(Transform):
    """What the sampler sees in place of the change at a break: how far that bends the curve.

    A change within the data is known as narrowly as points show a bend, that at a break beyond
    them may be anything: for breaks that are not needed, a funnel from the one to the other. The
    sampler sees ``m sinh(z)``, where ``m**2 - 1`` is the square of the bend that a change of 1
    makes, in standard errors of the points. So it sees a width of about 1 everywhere.
    """

    name = "magnified"

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Return the bends, or where there are none the changes themselves."""
        return self._of_breaks(lambda z, bend: pt.sqrt(1 + bend**2) * pt.sinh(z), value, inputs)

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Return the changes."""
        return self._of_breaks(lambda w, bend: pt.arcsinh(w / pt.sqrt(1 + bend**2)), value, inputs)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Return the log derivative of each change."""
        return self._of_breaks(lambda w, bend: -0.5 * pt.log(1 + bend**2 + w**2), value, inputs)

    def _of_breaks(self, function: Any, value: Any, inputs: Any) -> Any:
        """Apply a function to each break by itself: compiled code is better off with scalars."""
        bends = _level(inputs)
        return pt.stack([function(value[i], bends[i]) for i in range(bends.type.shape[0])])


def _level(inputs: Any) -> Any:
    """Return the last parameter of a variable, after its size and before its generator."""
    return inputs[-2]


class Standardized(Transform):
    """What the sampler sees in place of a normal variable: its distance from the mean, in sd.

    Few points say little of a curve of a family, so that its coordinates lie where the family has
    them. If that is a narrow place, so are they: a funnel, which this opens.
    """

    name = "standardized"

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Return the standardized variable."""
        *_, mean, sd = inputs
        return (value - mean) / sd

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Return the variable."""
        *_, mean, sd = inputs
        return mean + sd * value

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Return the log of the standard deviation, once for each entry."""
        *_, sd = inputs
        return pt.log(sd) + pt.zeros_like(value)


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
