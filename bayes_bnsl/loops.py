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

SHORTEST = 0.1
"""Of the steps of a trajectory the least size, in units of the largest, log-uniform in between."""

MOST_STEPS = 15
"""Steps of a trajectory: one to so many."""

ENERGY_ERROR = 1000.0
"""Loss of energy from which on a trajectory counts as divergent, as it does for NUTS."""


COMPILED: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz"},
}
"""Options of the compiler: sums in any order, so that several terms are added at once."""


@numba.njit(**COMPILED)
def mixture(
    position: Any, centre: Any, coefficients: Any, gradient: Any, room: Any
) -> float:  # fmt: skip
    """Return the log density of a mixture of Gaussians, and write its gradient.

    Parameters
    ----------
    position : ndarray, shape (n_dimensions,)
        Where.
    centre : ndarray, shape (n_dimensions,)
        What is taken from it first.
    coefficients : ndarray, shape (k, n_products)
        Of the products of what is left in the log density of each component, as
        :attr:`~bayes_bnsl.gaussians.Gaussians.coefficients` has them.
    gradient : ndarray, shape (n_dimensions,)
        Is written to.
    room : tuple of ndarray
        To calculate in: of shapes (n_dimensions,), (n_products,), (n_products,) and (k,).

    Returns
    -------
    float
        The log density.
    """
    dimensions, (k, n) = len(position), coefficients.shape
    moved, products, pulls, shares = room
    for i in range(dimensions):
        moved[i] = position[i] - centre[i]
    m = 0
    for i in range(dimensions):
        for j in range(i, dimensions):
            products[m] = moved[i] * moved[j]
            m += 1
    for i in range(dimensions):
        products[m + i] = moved[i]
    products[n - 1] = 1.0
    top = -np.inf
    for c in range(k):
        sum_ = 0.0
        for m in range(n):
            sum_ += coefficients[c, m] * products[m]
        shares[c] = sum_
        top = max(top, sum_)
    total = 0.0
    for c in range(k):
        shares[c] = np.exp(shares[c] - top)
        total += shares[c]
    pulls[:] = 0.0
    for c in range(k):
        share = shares[c] / total
        if share > LEAST_SHARE:
            for m in range(n):
                pulls[m] += share * coefficients[c, m]
    for i in range(dimensions):
        gradient[i] = pulls[n - 1 - dimensions + i]
    m = 0
    for i in range(dimensions):
        for j in range(i, dimensions):
            gradient[i] += pulls[m] * moved[j]
            gradient[j] += pulls[m] * moved[i]
            m += 1
    return top + np.log(total)


@numba.njit(**COMPILED)
def _density(position: Any, gradient: Any, value: Any, address: int, data: Any) -> float:
    """Return the log density of the posterior, and write its gradient; `value` is room for one."""
    if call_callback(address, position, gradient, value, data) != 0:
        gradient[:] = 0.0
        return LEAST_DENSITY
    return value[0]


@numba.njit(**COMPILED)
def follow(
    positions: Any, restarts: Any, first: int, steps: int, apart: int, levels: Any, sizes: Any,
    metrics: Any, maps: Any, generator: Any, address: int, data: Any,
) -> Any:  # fmt: skip
    """Take steps of one chain at every level: up from one map to the posterior, down to another.

    At level t the density is ``map**(1 - t) * posterior**t``. Levels rise from 0 to 1 and, if there
    is a second map, fall to 0 again. In each step the replicas at level 0 are drawn anew from their
    maps, the others follow a Hamiltonian trajectory, and neighbours change places by a Metropolis
    step: pairs that begin at even and at odd numbers in turn.

    Parameters
    ----------
    positions : ndarray, shape (n_levels, n_dimensions)
        Where the replicas are; the array is written to.
    restarts : ndarray of int, shape (n_levels,)
        Number of the draw from a map that each replica descends from; written to.
    first : int
        Number of the first step.
    steps : int
        How many to take.
    apart : int
        The positions of all replicas are kept of one step in so many.
    levels, sizes : ndarray, shape (n_levels,)
        Levels, and the largest step of the trajectories of each.
    metrics : ndarray, shape (n_levels, n_dimensions, n_dimensions)
        Lower factors: they map standard normal draws to such of the size of a level's density.
    maps : pair of tuples of ndarray
        Of either map its centre and coefficients, as `mixture` takes them; the means of its
        components, the Cholesky factors of their covariances and their cumulated weights.
    generator : numpy.random.Generator
        Where the randomness comes from.
    address : int
        Of the C function that returns the log density of the posterior and its gradient.
    data : ndarray of uint64
        What that function is given.

    Returns
    -------
    tuple of ndarray
        Of the replica at the posterior its positions (steps, n_dimensions), log density, restart,
        energy, number of steps, acceptance and whether it diverged, each (steps,); positions of all
        replicas (n_kept, n_levels, n_dimensions); mean acceptance of the trajectories of each
        level; share of changes of place that were refused to each pair; how many gradients of the
        posterior it took.
    """
    n, dimensions = positions.shape
    top = np.argmax(levels)
    n_products, most = maps[0][1].shape[1], max(len(maps[0][1]), len(maps[1][1]))
    room = np.empty(dimensions), np.empty(n_products), np.empty(n_products), np.empty(most)
    value, posterior, mapped = np.empty(1), np.empty(n), np.zeros(n)
    slopes, slopes_mapped = np.empty((n, dimensions)), np.zeros((n, dimensions))
    for i in range(n):
        posterior[i] = _density(positions[i], slopes[i], value, address, data)
        centre, coefficients = maps[0][:2] if i < top else maps[1][:2]
        mapped[i] = mixture(positions[i], centre, coefficients, slopes_mapped[i], room)
    gradients = n
    draws = np.empty((steps, dimensions))
    places, kept = np.empty((-(-steps // apart), n, dimensions)), 0
    densities, energies, acceptances = np.empty(steps), np.empty(steps), np.empty(steps)
    arrived, counts = np.empty(steps, np.int64), np.empty(steps, np.int64)
    diverging = np.zeros(steps, np.bool_)
    accepted, refused, offered = np.zeros(n), np.zeros(n - 1), np.zeros(n - 1)
    at, momentum = np.empty(dimensions), np.empty(dimensions)
    slope, slope_mapped = np.empty(dimensions), np.empty(dimensions)
    for step in range(steps):
        for level in range(n):
            centre, coefficients, means, factors, cumulated = maps[0] if level < top else maps[1]
            t, metric = levels[level], metrics[level]
            kinetic = 0.0
            for i in range(dimensions):
                momentum[i] = generator.standard_normal()
                kinetic += 0.5 * momentum[i] ** 2
            if t == 0:
                component = np.searchsorted(cumulated, generator.random())
                component = min(component, len(cumulated) - 1)
                for i in range(dimensions):
                    at[i] = means[component, i]
                    for j in range(i + 1):
                        at[i] += factors[component, i, j] * momentum[j]
                positions[level] = at
                posterior[level] = _density(at, slopes[level], value, address, data)
                mapped[level] = mixture(at, centre, coefficients, slopes_mapped[level], room)
                gradients += 1
                restarts[level] = 2 * (first + step) + (level > top)
                continue
            for i in range(dimensions):
                at[i] = positions[level, i]
                slope[i], slope_mapped[i] = slopes[level, i], slopes_mapped[level, i]
            size = sizes[level] * SHORTEST ** generator.random()
            count = generator.integers(1, MOST_STEPS + 1)
            density, density_mapped = posterior[level], mapped[level] if t < 1 else 0.0
            before = t * density + (1 - t) * density_mapped - kinetic
            lost = False
            for leap in range(count + 1):
                # half a kick at either end of the trajectory, whole ones between
                kick = size if 0 < leap < count else 0.5 * size
                for j in range(dimensions):
                    pull = kick * (t * slope[j] + (1 - t) * slope_mapped[j])
                    for i in range(j + 1):
                        momentum[i] += metric[j, i] * pull
                if leap == count:
                    break
                for i in range(dimensions):
                    sum_ = 0.0
                    for j in range(i + 1):
                        sum_ += metric[i, j] * momentum[j]
                    at[i] += size * sum_
                density = _density(at, slope, value, address, data)
                gradients += 1
                if density <= LEAST_DENSITY:
                    break
                if t < 1:
                    density_mapped = mixture(at, centre, coefficients, slope_mapped, room)
                # what blows up soon has no density at all: its energy is lost before
                lost |= t * density + (1 - t) * density_mapped < before - ENERGY_ERROR
            kinetic = 0.0
            for i in range(dimensions):
                kinetic += 0.5 * momentum[i] ** 2
            gain = t * density + (1 - t) * density_mapped - kinetic - before
            if not np.isfinite(gain) or density <= LEAST_DENSITY:
                gain = LEAST_DENSITY
            chance = np.exp(min(gain, 0.0))
            accepted[level] += chance
            if level == top:
                energies[step], counts[step], acceptances[step] = -before, count, chance
                diverging[step] = lost or LEAST_DENSITY < gain < -ENERGY_ERROR
            if generator.random() < chance:
                positions[level], slopes[level], posterior[level] = at, slope, density
                slopes_mapped[level], mapped[level] = slope_mapped, density_mapped
        for pair in range((first + step) % 2 if n > 2 else 0, n - 1, 2):
            other = pair + 1
            if pair == top or other == top:  # whose map is that of its neighbour
                centre, coefficients = maps[0][:2] if pair < top else maps[1][:2]
                mapped[top] = mixture(
                    positions[top], centre, coefficients, slopes_mapped[top], room
                )
            here = posterior[pair] - mapped[pair]
            there = posterior[other] - mapped[other]
            chance = np.exp(min((levels[other] - levels[pair]) * (here - there), 0.0))
            offered[pair] += 1
            refused[pair] += 1 - chance
            if generator.random() < chance:
                posterior[pair], posterior[other] = posterior[other], posterior[pair]
                mapped[pair], mapped[other] = mapped[other], mapped[pair]
                restarts[pair], restarts[other] = restarts[other], restarts[pair]
                for i in range(dimensions):
                    for array in (positions, slopes, slopes_mapped):
                        array[pair, i], array[other, i] = array[other, i], array[pair, i]
        draws[step] = positions[top]
        if (first + step) % apart == 0:
            places[kept] = positions
            kept += 1
        densities[step], arrived[step] = posterior[top], restarts[top]
    return (
        draws, densities, arrived, energies, counts, acceptances, diverging, places[:kept],
        accepted / steps, refused / np.maximum(offered, 1.0), gradients,
    )  # fmt: skip
