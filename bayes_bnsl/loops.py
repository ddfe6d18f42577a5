"""Loops of Numba over many positions, outside Python: threads run them side by side."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from bayes_bnsl.native import Native

__all__ = ["density_loop", "on_cores", "trajectory_loop"]

type Array = NDArray[np.float64]


def density_loop(log_density: Native) -> Any:
    """Return a loop that evaluates a density at many positions.

    Parameters
    ----------
    log_density : Native
        Returns the log density of a position.

    Returns
    -------
    callable
        ``loop(positions, *data)`` returns log densities of shape (n,), in a tuple.
    """
    call = log_density.call

    @numba.njit(nogil=True)
    def loop(positions: Any, *data: Any) -> Any:
        densities = np.empty(len(positions))
        for i in range(len(positions)):
            failed, (value,) = call((positions[i], *data))
            densities[i] = -np.inf if failed else value[()]
        return (densities,)

    return loop


def trajectory_loop(gradient: Native) -> Any:
    """Return a loop that follows a Hamiltonian trajectory from each of many positions.

    Parameters
    ----------
    gradient : Native
        Returns the log density of a position and its gradient.

    Returns
    -------
    callable
        ``loop(positions, momenta, sizes, counts, metric, *data)`` takes ``counts`` leapfrog steps
        of ``sizes`` and returns positions, log densities, and the energy that was lost.
    """
    call = gradient.call

    @numba.njit(nogil=True)
    def evaluated(position: Any, data: Any) -> Any:
        failed, (log_density, slope) = call((position, *data))
        return -np.inf if failed else log_density[()], slope

    @numba.njit(nogil=True)
    def loop(positions: Any, momenta: Any, sizes: Any, counts: Any, metric: Any, *data: Any) -> Any:
        ends, densities = np.empty_like(positions), np.empty(len(positions))
        lost = np.empty(len(positions))
        for i in range(len(positions)):
            position, momentum, size = positions[i].copy(), momenta[i].copy(), sizes[i]
            log_density, slope = evaluated(position, data)
            before = log_density - 0.5 * np.dot(momentum, momentum)
            for _ in range(counts[i]):
                momentum += 0.5 * size * np.dot(metric.T, slope)
                position += size * np.dot(metric, momentum)
                log_density, slope = evaluated(position, data)
                momentum += 0.5 * size * np.dot(metric.T, slope)
            ends[i], densities[i] = position, log_density
            lost[i] = log_density - 0.5 * np.dot(momentum, momentum) - before
        return ends, densities, lost

    return loop


def on_cores(loop: Any, cores: int, arrays: Sequence[Array], data: Sequence[Any]) -> list[Array]:
    """Run a loop on so many threads.

    Parameters
    ----------
    loop : callable
        One of the above.
    cores : int
        How many threads.
    arrays : sequence of ndarray, shape (n, ...)
        What it loops over: each thread gets some of the rows.
    data : sequence
        What all threads get.

    Returns
    -------
    list of ndarray
        What the loop returns, in the order of the rows.
    """
    parts = zip(*(np.array_split(np.array(a, order="C"), cores) for a in arrays), strict=True)
    with ThreadPoolExecutor(cores) as pool:
        results = list(pool.map(lambda part: loop(*part, *data), parts))
    return [np.concatenate(each) for each in zip(*results, strict=True)]
