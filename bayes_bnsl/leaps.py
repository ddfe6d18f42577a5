"""Leaps within modes: short Hamiltonian trajectories of all draws at once.

Jumps cannot move draws from where their mixture fits badly, thin ends of bent ridges, and NUTS
would need long chains to carry them away one by one. Hamiltonian Monte Carlo, a few steps of every
draw between one jump and the next, brings them to places from which they can jump. It leaves the
posterior as it is (Duane et al. 1987; Neal 2011); the number of steps and their size vary from draw
to draw, so that no trajectory comes round to where it began.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayes_bnsl.optimum import Vector

__all__ = ["FIRST_STEP", "Ends", "Trajectories", "leap"]

LEAPS = 2
"""Trajectories of each draw."""

MOST_STEPS = 15
"""Steps of a trajectory: one to so many."""

FIRST_STEP = 0.05
"""Size of a step before anything is known, in standard deviations within a mode."""

TARGET = 0.75
"""Share of the trajectories that should be accepted; the size of the steps follows from it."""


class Ends(NamedTuple):
    """Where trajectories end."""

    positions: Vector
    """Shape (n_draws, n_dimensions)."""
    log_density: Vector
    """Shape (n_draws,)."""
    energy_lost: Vector
    """By how much the energy fell on the way, but for the errors of the steps zero."""


type Trajectories = Callable[[Vector, Vector, Vector, NDArray[np.int64], Vector], Ends]
"""``trajectories(positions, momenta, sizes, counts, metric)`` follows one from each position."""


def leap(
    positions: Vector,
    trajectories: Trajectories,
    metric: Vector,
    step: float,
    generator: np.random.Generator,
) -> tuple[Vector, float]:
    """Move draws along Hamiltonian trajectories, and adapt the size of the steps.

    Parameters
    ----------
    positions : ndarray, shape (n_draws, n_dimensions)
        Draws of all chains.
    trajectories : callable
        Follows trajectories by leapfrog steps.
    metric : ndarray, shape (n_dimensions, n_dimensions)
        Maps standard normal draws to draws of the size and shape of a mode.
    step : float
        Size of a step, in standard deviations.
    generator : numpy.random.Generator
        Where the randomness comes from.

    Returns
    -------
    positions : ndarray, shape (n_draws, n_dimensions)
        The draws after their leaps, each in its place.
    step : float
        Size of the steps for the next leaps.
    """
    now, count = positions.copy(), len(positions)
    for _ in range(LEAPS):
        ends = trajectories(
            now,
            generator.standard_normal(now.shape),
            step * generator.uniform(0.4, 1.2, count),
            generator.integers(1, MOST_STEPS, count, endpoint=True),
            metric,
        )
        lost = np.where(np.isfinite(ends.energy_lost), ends.energy_lost, -np.inf)
        accepted = np.log(generator.uniform(size=count)) < lost
        now[accepted] = ends.positions[accepted]
        step *= np.exp(1.5 * (np.exp(np.minimum(lost, 0.0)).mean() - TARGET))
    return now, float(step)
