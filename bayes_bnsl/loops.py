"""The inner loop of tempered chains, compiled by Numba once for all laws and kept on disk.

A law enters as the address of the C function that NUTS calls too, so nothing is compiled anew for
another law, or in another process. What is compiled together stands in this one file: Numba
compiles anew what it keeps if the file changed, and sees no other.
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

LARGEST_GAIN = 500.0
"""Gain in log density of which the exponential is taken: more would not be a number."""

ENERGY_ERROR = 1000.0
"""Loss of energy from which on a trajectory counts as divergent, as it does for NUTS."""

FARTHEST = 1.3
"""Places that breaks are moved to, and from, lie below this; the last x is at 1."""

ATTEMPTS = (1.0, 0.1, 0.01)
"""Sizes of the steps of a trajectory, and of those that follow it from the same start while they
diverge, in units of the first."""


COMPILED: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz"},
}
"""Options of the compiler: sums in any order, so that several terms are added at once."""

INLINED: dict[str, Any] = COMPILED | {"inline": "always"}
"""Options of what is called here. A function of its own would be compiled twice, by itself and with
its caller, to sums in another order: a process that compiles it would use the one, a process that
loads it the other, and the same seed would not give the same draws in both."""


@numba.njit(**INLINED)
def _shares(position: Any, centre: Any, coefficients: Any, room: Any) -> float:
    """Write the share of each component in the density of a mixture, as the last part of `room`.

    Returns the log density; `mixture` says what the arguments are. The first parts of `room` then
    hold distances from the centre, and their products.
    """
    dimensions, (k, n) = len(position), coefficients.shape
    moved, products, _, shares = room
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
    for c in range(k):
        shares[c] /= total
    return top + np.log(total)


@numba.njit(**INLINED)
def mixture(position: Any, centre: Any, coefficients: Any, gradient: Any, room: Any) -> float:
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
    density = _shares(position, centre, coefficients, room)
    dimensions, (k, n) = len(position), coefficients.shape
    moved, _, pulls, shares = room
    pulls[:] = 0.0
    for c in range(k):
        if shares[c] > LEAST_SHARE:
            for m in range(n):
                pulls[m] += shares[c] * coefficients[c, m]
    for i in range(dimensions):
        gradient[i] = pulls[n - 1 - dimensions + i]
    m = 0
    for i in range(dimensions):
        for j in range(i, dimensions):
            gradient[i] += pulls[m] * moved[j]
            gradient[j] += pulls[m] * moved[i]
            m += 1
    return density


@numba.njit(**INLINED)
def _density(position: Any, gradient: Any, value: Any, address: int, data: Any) -> float:
    """Return the log density of the posterior, and write its gradient; `value` is room for one."""
    if call_callback(address, position, gradient, value, data) != 0:
        gradient[:] = 0.0
        return LEAST_DENSITY
    return value[0]


@numba.njit(**INLINED)
def _trajectory(
    begin: Any, before: float, size: float, count: int, tempered: Any, end: Any, value: Any,
    room: Any,
) -> Any:  # fmt: skip
    """Follow a Hamiltonian trajectory.

    Parameters
    ----------
    begin : sequence of four ndarray, each of shape (n_dimensions,)
        Position, momentum, gradient of the log density of the posterior and of the map.
    before : float
        Log density less kinetic energy where it begins.
    size, count : float, int
        Of its steps.
    tempered : tuple
        Level, metric, centre and coefficients of the map, address of the posterior and its data.
    end : ndarray, shape (4, n_dimensions)
        Like `begin`, where it ends; written to.
    value, room
        To calculate in.

    Returns
    -------
    tuple
        Whether it diverges, which it does either both forth and back or neither; number of
        gradients; gain in log density less kinetic energy; log density of posterior and map.
    """
    t, metric, centre, coefficients, address, data = tempered
    at, momentum, slope, slope_mapped = end[0], end[1], end[2], end[3]
    dimensions = len(at)
    for i in range(dimensions):
        at[i], momentum[i] = begin[0][i], begin[1][i]
        slope[i], slope_mapped[i] = begin[2][i], begin[3][i]
    lowest, density, density_mapped, leaps = np.inf, LEAST_DENSITY, 0.0, 0
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
        leaps += 1
        if density <= LEAST_DENSITY:
            break
        if t < 1:
            density_mapped = mixture(at, centre, coefficients, slope_mapped, room)
        lowest = min(lowest, t * density + (1 - t) * density_mapped)
    kinetic = 0.0
    for i in range(dimensions):
        kinetic += 0.5 * momentum[i] ** 2
    after = t * density + (1 - t) * density_mapped - kinetic
    if not np.isfinite(after) or density <= LEAST_DENSITY:
        return lowest < before - ENERGY_ERROR, leaps, LEAST_DENSITY, density, density_mapped
    # from its end it has to look the same, but where that lies too high ever to be left so
    highest = max(before, after) if after < before + ENERGY_ERROR else before
    diverges = min(lowest, after) < highest - ENERGY_ERROR
    return diverges, leaps, after - before, density, density_mapped


@numba.njit(**INLINED)
def _attempts(
    begin: Any, before: float, size: float, count: int, tempered: Any, end: Any, beyond: Any,
    value: Any, room: Any,
) -> Any:  # fmt: skip
    """Follow a trajectory, in shorter steps while it diverges, and see whether it can be taken.

    From where shorter steps end the longer ones must diverge as well: then as many come back as go.

    Parameters
    ----------
    begin, before, size, count, tempered, end, value, room
        As for :func:`_trajectory`; `end` has the momentum of the way back.
    beyond : ndarray, shape (4, n_dimensions)
        Like `end`, for the ways back.

    Returns
    -------
    tuple
        Number of the last attempt; whether it diverges; number of gradients of all; gain, the least
        one where the end is not to be taken; log density of posterior and map.
    """
    taken = 0
    for attempt in range(len(ATTEMPTS)):
        diverges, leaps, gain, density, density_mapped = _trajectory(
            begin, before, size * ATTEMPTS[attempt], count, tempered, end, value, room
        )
        taken += leaps
        if not diverges:
            break
    if diverges:
        gain = LEAST_DENSITY
    elif gain > LEAST_DENSITY:
        end[1] = -end[1]
        for earlier in range(attempt):
            back, leaps = _trajectory(
                end, before + gain, size * ATTEMPTS[earlier], count, tempered, beyond, value, room
            )[:2]
            taken += leaps
            if not back:
                gain = LEAST_DENSITY
                break
    return attempt, diverges, taken, gain, density, density_mapped


@numba.njit(**INLINED)
def _relocated(
    begin: Any, breaks: Any, resolved: float, generator: Any, end: Any, places: Any, order: Any
) -> float:  # fmt: skip
    """Move one break to another place, before or behind others, with all else that is its own.

    Any break is as likely to be moved, to any place as likely, so the way back is as likely as the
    way there. Volumes of places are what they were, those of spacings are not.

    Parameters
    ----------
    begin : ndarray, shape (n_dimensions,)
        A position.
    breaks : ndarray of int, shape (n_breaks, n_coordinates)
        Where the coordinates of each break lie in it: first the spacing before the break, as
        :class:`~bayes_bnsl.transforms.Softened` shows it.
    resolved : float
        That of these spacings.
    generator : numpy.random.Generator
        Where the randomness comes from.
    end : ndarray, shape (n_dimensions,)
        Where the break is moved; written to.
    places, order : ndarray, shape (n_breaks,)
        To calculate in, the second of int.

    Returns
    -------
    float
        Log of the volume that spacings take after the move, in units of that before; or
        `LEAST_DENSITY`, if the break is farther out than any is moved to.
    """
    count = len(breaks)
    place, volume = 0.0, 0.0
    for i in range(count):
        seen = begin[breaks[i, 0]]
        softplus = max(seen, 0.0) + np.log1p(np.exp(-abs(seen)))
        place += np.expm1(resolved * softplus)
        places[i], order[i] = place, i
        volume += resolved * softplus + seen - softplus
    moved = generator.integers(0, count)
    if places[moved] > FARTHEST:
        return LEAST_DENSITY
    places[moved] = FARTHEST * generator.random()
    for i in range(1, count):
        j = i
        while j > 0 and places[order[j]] < places[order[j - 1]]:
            order[j], order[j - 1] = order[j - 1], order[j]
            j -= 1
    for i in range(len(begin)):
        end[i] = begin[i]
    place = 0.0
    for i in range(count):
        own = order[i]
        softplus = np.log1p(places[own] - place) / resolved
        seen = softplus + np.log(-np.expm1(-softplus))
        place = places[own]
        volume -= resolved * softplus + seen - softplus
        end[breaks[i, 0]] = seen
        for k in range(1, breaks.shape[1]):
            end[breaks[i, k]] = begin[breaks[own, k]]
    return volume


@numba.njit(**COMPILED)
def follow(
    positions: Any, restarts: Any, first: int, steps: int, apart: int, levels: Any, sizes: Any,
    longest: Any, pieces: Any, maps: Any, generator: Any, address: int, data: Any, breaks: Any,
    resolved: float,
) -> Any:  # fmt: skip
    """Take steps of one chain at every level: up from one map to the posterior, down to another.

    At level t the density is ``map**(1 - t) * posterior**t``. Levels rise from 0 to 1 and, if there
    is a second map, fall to 0 again. In each step the replicas at level 0 are drawn anew from their
    maps, the others follow a Hamiltonian trajectory, then one of their breaks may move to another
    place among the others, and neighbours change places by a Metropolis step: pairs that begin at
    even and at odd numbers in turn.

    The metric of a trajectory is that of a piece, drawn by the shares of all where it begins, and
    its end is accepted by the ratio of densities times that of the shares of the piece: position
    and piece together then come back as often as they go (Craiu, Rosenthal and Yang, "Learn from
    thy neighbor", Journal of the American Statistical Association 104, 2009, have proposals that
    depend on the region).

    A trajectory that diverges is followed from the same start in steps of a tenth, and if that
    diverges too of a hundredth (Modi, Barnett and Carpenter, "Delayed rejection Hamiltonian Monte
    Carlo for sampling multiscale distributions", Bayesian Analysis 2024, have it for those that are
    refused).

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
    levels : ndarray, shape (n_levels,)
        Levels.
    sizes : ndarray, shape (n_levels, n_pieces)
        The largest step of the trajectories of each level with the metric of each piece.
    longest : ndarray of int, shape (n_levels,)
        Most steps of the trajectories of each level: they take one to so many.
    pieces : tuple of ndarray
        A mixture of few Gaussians for each level, of about the shape of its density: centres,
        coefficients, and Cholesky factors of the covariances, which are the metrics.
    maps : pair of tuples of ndarray
        Of either map its centre and coefficients, as `mixture` takes them; the means of its
        components, the Cholesky factors of their covariances and their cumulated weights.
    generator : numpy.random.Generator
        Where the randomness comes from.
    address : int
        Of the C function that returns the log density of the posterior and its gradient.
    data : ndarray of uint64
        What that function is given.
    breaks : ndarray of int, shape (n_breaks, n_coordinates)
        Where the coordinates of each break lie in a position, as `_relocated` takes them; without
        rows no break is moved.
    resolved : float
        As `_relocated` takes it.

    Returns
    -------
    tuple of ndarray
        Of the replica at the posterior its positions (steps, n_dimensions), log density, restart,
        energy, number of leaps, acceptance and whether every attempt diverged, each (steps,);
        positions of all replicas (n_kept, n_levels, n_dimensions); number of trajectories of each
        level with each piece, and sum of the acceptances of their first attempts; share of changes
        of place that were refused to each pair; how many gradients of the posterior it took.
    """
    n, dimensions = positions.shape
    top = np.argmax(levels)
    n_products = maps[0][1].shape[1]
    most = max(len(maps[0][1]), len(maps[1][1]), sizes.shape[1])
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
    n_pieces, shares = sizes.shape[1], room[3]
    accepted, tried = np.zeros((n, n_pieces)), np.zeros((n, n_pieces))
    refused, offered = np.zeros(n - 1), np.zeros(n - 1)
    at, momentum = np.empty(dimensions), np.empty(dimensions)
    end, beyond = np.empty((4, dimensions)), np.empty((4, dimensions))
    places_of_breaks, order = np.empty(len(breaks)), np.empty(len(breaks), np.int64)
    for step in range(steps):
        for level in range(n):
            centre, coefficients, means, factors, cumulated = maps[0] if level < top else maps[1]
            t = levels[level]
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
            around, parts = pieces[0][level], pieces[1][level]
            _shares(positions[level], around, parts, room)
            piece, left = 0, generator.random() - shares[0]
            while left > 0 and piece < n_pieces - 1:
                piece += 1
                left -= shares[piece]
            share = shares[piece]
            size = sizes[level, piece] * SHORTEST ** generator.random()
            count = generator.integers(1, longest[level] + 1)
            before = t * posterior[level] + (1 - t) * mapped[level] - kinetic
            begin = positions[level], momentum, slopes[level], slopes_mapped[level]
            tempered = t, pieces[2][level, piece], centre, coefficients, address, data
            attempt, diverges, leaps, gain, density, density_mapped = _attempts(
                begin, before, size, count, tempered, end, beyond, value, room
            )
            gradients += leaps
            chance = 0.0
            if gain > LEAST_DENSITY:  # it could as well begin with that piece where it ends
                _shares(end[0], around, parts, room)
                chance = min(np.exp(min(gain, LARGEST_GAIN)) * shares[piece] / share, 1.0)
            tried[level, piece] += 1.0
            accepted[level, piece] += chance if attempt == 0 else 0.0  # the first is adapted
            if level == top:
                energies[step], counts[step], acceptances[step] = -before, leaps, chance
                diverging[step] = diverges
            if generator.random() < chance:
                positions[level], slopes[level], slopes_mapped[level] = end[0], end[2], end[3]
                posterior[level], mapped[level] = density, density_mapped
            if not len(breaks):
                continue
            volume = _relocated(
                positions[level], breaks, resolved, generator, end[0], places_of_breaks, order
            )
            if volume == LEAST_DENSITY:
                continue
            density = _density(end[0], end[2], value, address, data)
            gradients += 1
            if density <= LEAST_DENSITY:
                continue
            if t < 1:
                density_mapped = mixture(end[0], centre, coefficients, end[3], room)
            before = t * posterior[level] + (1 - t) * mapped[level]
            gain = t * density + (1 - t) * density_mapped + volume - before
            if generator.random() < np.exp(min(gain, 0.0)):
                positions[level], slopes[level], slopes_mapped[level] = end[0], end[2], end[3]
                posterior[level], mapped[level] = density, density_mapped
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
        tried, accepted, refused / np.maximum(offered, 1.0), gradients,
    )  # fmt: skip
