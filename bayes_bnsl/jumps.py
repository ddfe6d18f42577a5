"""Jumps between modes: Metropolis steps to draws of a mixture that was fitted to the chains.

NUTS moves well within a mode and seldom from one to another, so chains may take very long to
weigh modes that all of them have seen. What they have seen is enough to draw a map, though: a
mixture of Gaussians is fitted to the draws of all chains, and each draw is then moved by
Metropolis-Hastings steps with independent proposals from the mixture. These leave the posterior
as it is, carry draws from any mode to any other in proportion to the mass of each, and make
neighbouring draws of a chain nearly independent. Draws where the mixture fits badly stay, as
NUTS left them. Adaptive chains of this kind: Holden, Hauge and Holden (2009), Gabrie, Rotskoff
and Vanden-Eijnden (2022).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from threadpoolctl import threadpool_limits

from bayes_bnsl.gaussians import Gaussians
from bayes_bnsl.optimum import Vector

__all__ = ["Jumped", "jump"]

UNMOVED = 0.02
"""Share of the draws that may stay where they were: it bounds what is left of wrong weights."""

MOST_STEPS = 50
"""Steps that are taken at most, where parts of the posterior are out of the mixture's reach."""

STEPS_AT_ONCE = 10
"""Steps whose proposals are drawn and evaluated together: large pieces of work for all cores."""

NOWHERE = -1e300
"""Log of a density that is zero, which one can calculate with."""


class Jumped(NamedTuple):
    """Draws after their jumps, each in its place."""

    positions: Vector
    """Shape (n_draws, n_dimensions)."""
    log_density: Vector
    """The density there, shape (n_draws,)."""
    moved: NDArray[np.bool_]
    """Which have moved at all, shape (n_draws,)."""
    metric: Vector
    """Root of the mean covariance within a Gaussian, shape (n_dimensions, n_dimensions)."""


def jump(
    positions: Vector,
    log_density: Callable[[Vector], Vector],
    generator: np.random.Generator,
    *,
    visited: Vector | None = None,
    cores: int = 1,
) -> Jumped:
    """Move draws by Metropolis steps with independent proposals from a mixture fitted to them.

    Parameters
    ----------
    positions : ndarray, shape (n_draws, n_dimensions)
        Draws of all chains.
    log_density : callable
        Returns the log densities, shape (n,), at positions of shape (n, n_dimensions).
    generator : numpy.random.Generator
        Where the randomness comes from.
    visited : ndarray, shape (n_visited, n_dimensions), optional
        What the mixture is fitted to, the draws themselves by default: the more, the finer it is.
    cores : int, default 1
        How many cores evaluate the density of the mixture.

    Returns
    -------
    Jumped
        The draws after their steps, and the size and shape of what they were mapped with.

    Examples
    --------
    Two hills, the left one twice as high, and draws that know the hills but not their weights:

    >>> def log_density(z):
    ...     left, right = 2 * np.exp(-0.5 * (z + 4) ** 2), np.exp(-0.5 * (z - 4) ** 2)
    ...     return np.log(left + right)[:, 0]
    >>> generator = np.random.default_rng(1)
    >>> draws = generator.standard_normal((4000, 1)) + np.repeat([-4, 4], [1000, 3000])[:, None]
    >>> jumped = jump(draws, log_density, generator)
    >>> round(float(np.mean(jumped.positions < 0)), 1), round(float(jumped.moved.mean()), 1)
    (0.7, 1.0)
    """
    visited = positions if visited is None else visited
    centre, size = visited.mean(axis=0), visited.std(axis=0)
    now = (positions - centre) / size
    moved = np.zeros(len(now), dtype=bool)
    with threadpool_limits(limits=1):  # these are threads of their own, and the same draws
        mixture = Gaussians.fitted((visited - centre) / size, generator, cores=cores)

        def densities(at: Vector) -> tuple[Vector, Vector]:
            """Return the log density, and how far it exceeds that of the mixture."""
            density = log_density(centre + size * at)
            excess = density - mixture.log_density(at, cores=cores)
            return density, np.nan_to_num(excess, nan=NOWHERE, neginf=NOWHERE)

        def proposals(steps: int) -> Iterator[tuple[Vector, Vector, Vector]]:
            """Propose a place for every draw so many times, with what `densities` returns."""
            for first in range(0, steps, STEPS_AT_ONCE):
                count = min(STEPS_AT_ONCE, steps - first)
                there = mixture.draw(count * len(now), generator)
                yield from zip(
                    *(np.split(each, count) for each in (there, *densities(there))), strict=True
                )

        density, excess = densities(now)
        (_, _, excess_proposed), *_ = proposals(1)
        for there, density_there, excess_there in proposals(_steps(excess, excess_proposed)):
            accepted = np.log(generator.uniform(size=len(now))) < excess_there - excess
            now[accepted], density[accepted] = there[accepted], density_there[accepted]
            excess[accepted] = excess_there[accepted]
            moved |= accepted
        within = np.einsum("k,kij->ij", mixture.weights, mixture.covariances)
    metric = size[:, None] * np.linalg.cholesky(within)
    return Jumped(centre + size * now, density, moved, metric)


def _steps(excess: Vector, excess_proposed: Vector) -> int:
    """Return how many steps move nearly all draws: those that are here, and those of the posterior.

    The latter are the proposals, weighted. They matter where the draws have a mode too seldom.
    """
    some = slice(None, None, max(len(excess) // 500, 1))
    weights = softmax(excess_proposed[some])
    steps = np.arange(1, MOST_STEPS + 1)
    unmoved = np.zeros(MOST_STEPS)
    for start, weight in ((excess[some], 1 / len(weights)), (excess_proposed[some], weights)):
        refusal = 1 - np.exp(np.minimum(excess_proposed - start[:, None], 0.0)).mean(axis=1)
        share = np.sum(np.atleast_1d(weight)[:, None] * refusal[:, None] ** steps, axis=0)
        unmoved = np.maximum(unmoved, share)
    enough = steps[unmoved <= UNMOVED]
    return int(enough[0]) if enough.size else MOST_STEPS
