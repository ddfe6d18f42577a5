"""The Ornstein-Uhlenbeck process along log x: what points of a run say of one another.

The process g has mean zero, stationary standard deviation tau and correlation
``exp(-|distance| / ell)`` in log x. It has no memory beyond its last value (it is Markov), so what
all other points say of one is what the earlier ones say and what the later ones say, each found
in one pass. Arrays hold the points on their first axis, draws of the parameters on the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["continued", "given_earlier", "given_others"]

type Array = NDArray[np.float64]


def given_others(
    residual: Array, variance: Array, tau: Any, ell: Any, log_x: Array
) -> tuple[Array, Array]:
    """Return mean and variance of the process at each point, given all the other points.

    Parameters
    ----------
    residual : ndarray, shape (n, ...)
        Log y less log mu; any number where nothing was observed.
    variance : ndarray, shape (n, ...)
        Variance of the independent noise, above zero; infinite where nothing was observed.
    tau, ell : float or ndarray, shape (...)
        Standard deviation and correlation length.
    log_x : ndarray, shape (n,)
        The points, in rising order.

    Returns
    -------
    mean, variance : ndarray, shape (n, ...)
        Of the process. What was observed at the point itself has no part in them.

    Notes
    -----
    Given the value at a point, the earlier points and the later ones are independent, so
    ``p(g | all) ~ p(g | earlier) p(g | later) / p(g)``, a product of normal densities.
    """
    relative = variance / tau**2  # the process itself has variance 1 from here on
    mean, spread = _filtered(residual, relative, ell, log_x)
    back = slice(None, None, -1)
    later = _filtered(residual[back], relative[back], ell, -log_x[back])
    later_mean, later_spread = later[0][back], later[1][back]
    both = 1 / (1 / spread + 1 / later_spread - 1)
    return both * (mean / spread + later_mean / later_spread), tau**2 * both


def given_earlier(
    residual: Array, variance: Array, tau: Any, ell: Any, log_x: Array
) -> tuple[Array, Array]:
    """Return mean and variance of the process at each point, given the points before it.

    Parameters and results are those of :func:`given_others`; points at the same x come one after
    the other.
    """
    mean, spread = _filtered(residual, variance / tau**2, ell, log_x)
    return mean, tau**2 * spread


def _filtered(residual: Array, variance: Array, ell: Any, log_x: Array) -> tuple[Array, Array]:
    """Filter a process of variance 1: return its mean and variance before each point is seen."""
    mean = np.zeros_like(residual)
    spread = np.ones((len(log_x), *np.broadcast_shapes(variance.shape[1:], np.shape(ell))))
    for i, distance in enumerate(np.diff(log_x)):
        left = 1 / (1 / spread[i] + 1 / variance[i])
        kept = np.exp(-distance / ell)
        mean[i + 1] = kept * (mean[i] + left / variance[i] * (residual[i] - mean[i]))
        spread[i + 1] = kept**2 * left - np.expm1(-2 * distance / ell)
    return mean, spread


def continued(
    generator: np.random.Generator,
    residual: Array,
    variance: Array,
    tau: Array,
    ell: Array,
    seen: Array,
    new: Array,
) -> tuple[Array, Array, Array]:
    """Draw the process at new points, jointly, given what was observed at others.

    Parameters
    ----------
    generator : numpy.random.Generator
        Where the randomness comes from.
    residual, variance : ndarray, shape (n_seen, n_draws)
        Log y less log mu, and the variance of the independent noise.
    tau, ell : ndarray, shape (n_draws,)
        Standard deviation and correlation length.
    seen : ndarray, shape (n_seen,)
        Log x of the points observed; there may be none.
    new : ndarray, shape (n_new,)
        Log x of the new points, in any order; the same x has the same value.

    Returns
    -------
    mean, variance, path : ndarray, shape (n_new, n_draws)
        Of the process at each new point, and one joint draw.

    Notes
    -----
    Matheron's rule: draw a path and observations of it without regard to the data, and add what
    the difference of the data from those observations says of the new points.
    """
    n = len(seen)
    order = np.argsort(np.concatenate([seen, new]), kind="stable")
    rank = np.argsort(order)
    log_x = np.concatenate([seen, new])[order]
    path = _drawn(generator, tau, ell, log_x)
    imagined = path[rank[:n]] + np.sqrt(variance) * generator.standard_normal(variance.shape)
    both = np.zeros((len(log_x), 2, len(tau)))
    both[rank[:n]] = np.stack([residual, residual - imagined], axis=1)
    uncertainty = np.full((len(log_x), 1, len(tau)), np.inf)
    uncertainty[rank[:n], 0] = variance
    mean, spread = (each[rank[n:]] for each in given_others(both, uncertainty, tau, ell, log_x))
    return mean[:, 0], spread[:, 0], path[rank[n:]] + mean[:, 1]


def _drawn(generator: np.random.Generator, tau: Array, ell: Array, log_x: Array) -> Array:
    """Draw paths of the process, shape (n, n_draws)."""
    path = tau * generator.standard_normal((len(log_x), len(tau)))
    for i, distance in enumerate(np.diff(log_x), start=1):
        kept = np.exp(-distance / ell)
        path[i] = kept * path[i - 1] + np.sqrt(-np.expm1(-2 * distance / ell)) * path[i]
    return path
