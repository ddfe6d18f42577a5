"""The modes of a posterior: multi-start MAP with SciPy and exact gradients.

The posterior of a broken power law has several modes: two breaks can change roles, a limit
just under the data can stand for a slow last slope. All distinct ones are kept; NUTS starts
its chains dispersed over them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, approx_fprime, minimize
from threadpoolctl import threadpool_limits

__all__ = ["Mode", "around", "find_modes"]

type Vector = NDArray[np.float64]
type LogDensity = Callable[[Vector], tuple[float, Vector]]
"""Log density and its gradient at a position in the sampler's coordinates."""


FLAT = 0.1
"""Largest slope at a mode, per prior standard deviation."""

CLEARLY = 1.0
"""How much higher than every top a climb must have come that did not reach one, to be kept."""

REMEMBERED = 20
"""Steps from which L-BFGS learns the curvature: more than a law of three breaks has parameters."""

STEP = 1e-6
"""Between the gradients whose difference is a curvature, in prior standard deviations."""


@dataclass(frozen=True)
class Mode:
    """A local maximum of the posterior density of the sampler's coordinates."""

    log_density: float
    position: Vector


def find_modes(
    log_density: LogDensity, starts: Vector, *, apart: float = 0.1, iterations: int = 500
) -> list[Mode]:
    """Climb from every start by L-BFGS and keep the distinct optima.

    Parameters
    ----------
    log_density : callable
        Returns the log density and its gradient at a position.
    starts : ndarray, shape (n_starts, n_dimensions)
        Where to climb from, such as draws from the prior.
    apart : float, default 0.1
        Optima closer than this in every coordinate, in prior standard deviations, are one.
    iterations : int, default 500
        Most steps of one climb.

    Returns
    -------
    list of Mode
        Highest density first. Starts where the density is zero are left out, and so are
        climbs that did not reach a top, if others reached one as high.

    Raises
    ------
    ValueError
        If the density is zero at every start.

    Examples
    --------
    >>> def two_hills(z):
    ...     left, right = np.exp(-0.5 * (z + 2) ** 2), 2 * np.exp(-0.5 * (z - 2) ** 2)
    ...     gradient = (-(z + 2) * left - (z - 2) * right) / (left + right)
    ...     return float(np.log(left + right)[0]), gradient
    >>> [
    ...     round(float(mode.position[0]), 1)
    ...     for mode in find_modes(two_hills, np.array([[-1.0], [1.0]]))
    ... ]
    [2.0, -2.0]
    """

    def cost(position: Vector) -> tuple[float, Vector]:
        value, gradient = log_density(position)
        value = float(value)
        if not (isfinite(value) and np.isfinite(gradient).all()):
            return 1e10, np.zeros_like(position)  # a wall: L-BFGS steps back from it
        return -value, -gradient

    def climb(start: Vector) -> OptimizeResult:
        for _ in range(3):  # on a ridge L-BFGS may stop short, and goes on when begun anew
            options = {"maxiter": iterations, "maxcor": REMEMBERED, "ftol": 1e-12}
            result = minimize(cost, start, jac=True, method="L-BFGS-B", options=options)
            if np.max(np.abs(result.jac)) <= FLAT:
                break
            start = result.x
        return result

    with threadpool_limits(limits=1, user_api="blas"):  # threads cost more than they bring here
        climbs = [climb(start) for start in starts if np.isfinite(log_density(start)[0])]
    if not climbs:
        raise ValueError(
            "The posterior density is zero at every start. The priors may exclude the data: "
            "compare them with the range of x and y."
        )
    tops = [each for each in climbs if np.max(np.abs(each.jac)) <= FLAT]
    highest = max((-each.fun for each in tops), default=-np.inf)
    climbs = tops + [each for each in climbs if -each.fun > highest + CLEARLY]
    modes: list[Mode] = []
    for each in sorted(climbs, key=lambda each: each.fun):
        if all(np.max(np.abs(each.x - mode.position)) > apart for mode in modes):
            modes.append(Mode(-float(each.fun), each.x))
    return modes


def around(mode: Mode, log_density: LogDensity, n: int, generator: np.random.Generator) -> Vector:
    """Draw from the normal approximation of the posterior at a mode.

    Parameters
    ----------
    mode : Mode
        The mode.
    log_density : callable
        As for :func:`find_modes`.
    n : int
        How many.
    generator : numpy.random.Generator
        Where the randomness comes from.

    Returns
    -------
    ndarray, shape (n, n_dimensions)
        Positions. Where the density is flatter than the prior, or has a wall, the normal is as
        wide as the prior; draws from where NUTS could not start are moved to the mode.
    """
    curvature = -approx_fprime(mode.position, lambda z: log_density(z)[1], STEP)
    curvature = np.nan_to_num(np.atleast_2d(curvature), nan=0.0, posinf=0.0, neginf=0.0)
    values, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
    # the symmetric root changes little with the curvature; signs of vectors may change at once
    root = vectors / np.sqrt(np.maximum(values, 1.0)) @ vectors.T
    drawn = mode.position + generator.standard_normal((n, len(mode.position))) @ root
    possible = [all(np.all(np.isfinite(part)) for part in log_density(each)) for each in drawn]
    return np.where(np.reshape(possible, (n, 1)), drawn, mode.position)
