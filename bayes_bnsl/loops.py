"""The inner loop of tempered chains, compiled by Numba once for all laws and kept on disk.

A law enters as the address of the C function that NUTS calls too, so nothing is compiled anew for
another law, or in another process.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from bayes_bnsl.native import call_callback

__all__ = ["LEAST_DENSITY", "follow", "mixture"]

LEAST_DENSITY = -1e300
"""Log of a density that is zero, which one can calculate with."""

LEAST_SHARE = 1e-12
"""Share in the density of a mixture from which a component enters the gradient."""

SHORTEST = 0.3
"""Of the steps of a trajectory the least size, in units of the largest, log-uniform in between."""

MOST_STEPS = 15
"""Steps of a trajectory: one to so many."""

ENERGY_ERROR = 1000.0
"""Loss of energy from which on a trajectory counts as divergent, as it does for NUTS."""


@numba.njit(nogil=True, cache=True, error_model="numpy")
def mixture(
    position: Any, constants: Any, means: Any, whitening: Any,
    gradient: Any, white: Any, shares: Any,
) -> float:  # fmt: skip
    """Return the log density of a mixture of Gaussians, and write its gradient.

    Parameters
    ----------
    position : ndarray, shape (n_dimensions,)
        Where.
    constants : ndarray, shape (k,)
        Log weight of each component less the log of what normalizes it.
    means : ndarray, shape (k, n_dimensions)
        Centres.
    whitening : ndarray, shape (k, n_dimensions, n_dimensions)
        Inverse of the lower Cholesky factor of each covariance.
    gradient : ndarray, shape (n_dimensions,)
        Is written to.
    white, shares : ndarray, shape (k, n_dimensions) and (k,)
        Room to calculate in.

    Returns
    -------
    float
        The log density.
    """
    k, dimensions = means.shape
    top = -np.inf
    for c in range(k):
        square = 0.0
        for i in range(dimensions):
            sum_ = 0.0
            for j in range(i + 1):
                sum_ += whitening[c, i, j] * (position[j] - means[c, j])
            white[c, i] = sum_
            square += sum_ * sum_
        shares[c] = constants[c] - 0.5 * square
        top = max(top, shares[c])
    total = 0.0
    for c in range(k):
        shares[c] = np.exp(shares[c] - top)
        total += shares[c]
    gradient[:] = 0.0
    for c in range(k):
        share = shares[c] / total
        if share > LEAST_SHARE:
            for i in range(dimensions):
                pull = share * white[c, i]
                for j in range(i + 1):
                    gradient[j] -= pull * whitening[c, i, j]
    return top + np.log(total)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _density(position: Any, gradient: Any, address: int, data: Any) -> float:
    """Return the log density of the posterior, and write its gradient."""
    value = np.empty(1)
    if call_callback(address, position, gradient, value, data) != 0:
        gradient[:] = 0.0
        return LEAST_DENSITY
    return value[0]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def follow(
    positions: Any, restarts: Any, first: int, steps: int, levels: Any, sizes: Any, metrics: Any,
    constants: Any, means: Any, whitening: Any, factors: Any, cumulated: Any,
    generator: Any, address: int, data: Any,
) -> Any:  # fmt: skip
    """Take steps of one chain at every level, from a mixture of Gaussians to the posterior.

    At level t the density is ``mixture**(1 - t) * posterior**t``. In each step the replica at level
    0 is drawn anew from the mixture, the others follow a Hamiltonian trajectory, and neighbours
    change places by a Metropolis step: pairs that begin at even and at odd levels in turn.

    Parameters
    ----------
    positions : ndarray, shape (n_levels, n_dimensions)
        Where the replicas are; the array is written to.
    restarts : ndarray of int, shape (n_levels,)
        Number of the draw from the mixture that each replica descends from; written to.
    first : int
        Number of the first step.
    steps : int
        How many to take.
    levels, sizes : ndarray, shape (n_levels,)
        Levels from 0 to 1, and the largest step of the trajectories of each.
    metrics : ndarray, shape (n_levels, n_dimensions, n_dimensions)
        Lower factors: they map standard normal draws to such of the size of a level's density.
    constants, means, whitening : ndarray
        The mixture, as `mixture` takes it.
    factors : ndarray, shape (k, n_dimensions, n_dimensions)
        Lower Cholesky factors of its covariances.
    cumulated : ndarray, shape (k,)
        Cumulated weights of its components.
    generator : numpy.random.Generator
        Where the randomness comes from.
    address : int
        Of the C function that returns the log density of the posterior and its gradient.
    data : ndarray of uint64
        What that function is given.

    Returns
    -------
    tuple of ndarray
        Positions (steps, n_levels, n_dimensions); of the replica at the posterior its log density,
        restart, energy, number of steps, acceptance and whether it diverged, each (steps,); mean
        acceptance of the trajectories of each level; share of changes of place that were refused to
        each pair.
    """
    n, dimensions = positions.shape
    k = len(constants)
    white, shares = np.empty((k, dimensions)), np.empty(k)
    posterior, map_ = np.empty(n), np.empty(n)
    slopes, slopes_map = np.empty((n, dimensions)), np.empty((n, dimensions))
    for i in range(n):
        posterior[i] = _density(positions[i], slopes[i], address, data)
        map_[i] = mixture(positions[i], constants, means, whitening, slopes_map[i], white, shares)
    places = np.empty((steps, n, dimensions))
    densities, energies, acceptances = np.empty(steps), np.empty(steps), np.empty(steps)
    arrived, counts = np.empty(steps, np.int64), np.empty(steps, np.int64)
    diverging = np.zeros(steps, np.bool_)
    accepted, refused, offered = np.zeros(n), np.zeros(n - 1), np.zeros(n - 1)
    at, momentum, pull = np.empty(dimensions), np.empty(dimensions), np.empty(dimensions)
    slope, slope_map = np.empty(dimensions), np.empty(dimensions)
    for step in range(steps):
        component = min(np.searchsorted(cumulated, generator.random()), k - 1)
        for i in range(dimensions):
            momentum[i] = generator.standard_normal()
        for i in range(dimensions):
            positions[0, i] = means[component, i]
            for j in range(i + 1):
                positions[0, i] += factors[component, i, j] * momentum[j]
        posterior[0] = _density(positions[0], slopes[0], address, data)
        map_[0] = mixture(positions[0], constants, means, whitening, slopes_map[0], white, shares)
        restarts[0] = first + step
        for level in range(1, n):
            t, metric = levels[level], metrics[level]
            kinetic = 0.0
            for i in range(dimensions):
                at[i] = positions[level, i]
                momentum[i] = generator.standard_normal()
                kinetic += 0.5 * momentum[i] ** 2
                slope[i], slope_map[i] = slopes[level, i], slopes_map[level, i]
            size = sizes[level] * SHORTEST ** generator.random()
            count = generator.integers(1, MOST_STEPS + 1)
            before = t * posterior[level] + (1 - t) * map_[level] - kinetic
            density, density_map = posterior[level], map_[level]
            for leap in range(count + 1):
                # half a kick at either end of the trajectory, whole ones between
                kick = size if 0 < leap < count else 0.5 * size
                for i in range(dimensions):
                    pull[i] = t * slope[i] + (1 - t) * slope_map[i]
                for i in range(dimensions):
                    sum_ = 0.0
                    for j in range(i, dimensions):
                        sum_ += metric[j, i] * pull[j]
                    momentum[i] += kick * sum_
                if leap == count:
                    break
                for i in range(dimensions):
                    sum_ = 0.0
                    for j in range(i + 1):
                        sum_ += metric[i, j] * momentum[j]
                    at[i] += size * sum_
                density = _density(at, slope, address, data)
                if density <= LEAST_DENSITY:
                    break
                if t < 1:
                    density_map = mixture(at, constants, means, whitening, slope_map, white, shares)
            kinetic = 0.0
            for i in range(dimensions):
                kinetic += 0.5 * momentum[i] ** 2
            gain = t * density + (1 - t) * density_map - kinetic - before
            if not np.isfinite(gain):
                gain = LEAST_DENSITY
            chance = np.exp(min(gain, 0.0))
            accepted[level] += chance
            if level == n - 1:
                energies[step], counts[step], acceptances[step] = -before, count, chance
                diverging[step] = gain < -ENERGY_ERROR and density > LEAST_DENSITY
            if generator.random() < chance:
                if t == 1:
                    density_map = mixture(at, constants, means, whitening, slope_map, white, shares)
                positions[level], posterior[level], map_[level] = at, density, density_map
                slopes[level], slopes_map[level] = slope, slope_map
        for pair in range(step % 2 if n > 2 else 0, n - 1, 2):
            other = pair + 1
            here = posterior[pair] - map_[pair]
            there = posterior[other] - map_[other]
            chance = np.exp(min((levels[other] - levels[pair]) * (here - there), 0.0))
            offered[pair] += 1
            refused[pair] += 1 - chance
            if generator.random() < chance:
                posterior[pair], posterior[other] = posterior[other], posterior[pair]
                map_[pair], map_[other] = map_[other], map_[pair]
                restarts[pair], restarts[other] = restarts[other], restarts[pair]
                for i in range(dimensions):
                    for array in (positions, slopes, slopes_map):
                        array[pair, i], array[other, i] = array[other, i], array[pair, i]
        places[step] = positions
        densities[step], arrived[step] = posterior[n - 1], restarts[n - 1]
    return (
        places, densities, arrived, energies, counts, acceptances, diverging,
        accepted / steps, refused / np.maximum(offered, 1.0),
    )  # fmt: skip
