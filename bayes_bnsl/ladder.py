"""What a round of tempered chains is given and what it returns: maps, levels, sizes, draws.

A ladder is learnt from the round before. While a round runs nothing of it changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bayes_bnsl.gaussians import Gaussians
from bayes_bnsl.optimum import Vector

__all__ = ["Ladder", "Round"]

FIRST_LEVELS = 16
"""Levels before anything is known; dense near the broad normal, where little likelihood matters."""

FIRST_LEVELS_DOWN = 6
"""Levels between the posterior and a map that is fitted to draws, before anything is known."""

MOST_LEVELS = 24
"""Levels between either map and the posterior at most."""

NEAR = 0.4
"""Levels from here on are near the posterior: their draws count as its tails."""

MOST_STEPS, MOST_STEPS_FAR = 15, 5
"""Steps of a trajectory at most; and at levels that are not near, if others lead to the posterior.
Few fresh starts come from there, and most gradients would be spent there."""

FIRST_SIZE = 0.2
"""Size of a step before anything is known, in standard deviations within a mode."""

MAPPED = 4000
"""Draws of such tails, and of each of the last two rounds, that a map is fitted to."""


WIDER = 1.4
"""Variances of a map, in units of those fitted to draws. Where it has thinner tails than the
posterior, a replica stays for long."""


@dataclass(frozen=True)
class Ladder:
    """All that is fixed while a round runs."""

    maps: tuple[Gaussians, Gaussians]
    """The density at level 0: where levels begin, and where they end if they fall again."""
    levels: Vector
    """From 0 to 1, and perhaps to 0 again, shape (n_levels,)."""
    sizes: Vector
    """Largest step of the trajectories at each level and piece, shape (n_levels, n_pieces)."""
    pieces: tuple[Gaussians, ...]
    """Of each level a few Gaussians: a trajectory has the metric of one where it begins."""

    @classmethod
    def broad(cls, draws: Vector, width: Vector, generator: np.random.Generator) -> Ladder:
        """Return the first one, from a normal as wide as the prior.

        Parameters
        ----------
        draws : ndarray, shape (n, n_dimensions)
            Draws of chains that need not have mixed: they tell where, and how thick ridges are.
        width : ndarray, shape (n_dimensions,)
            Standard deviations of the prior.
        generator : numpy.random.Generator
            Where the randomness comes from.

        Returns
        -------
        Ladder
            With levels that are a guess.
        """
        levels = np.linspace(0, 1, FIRST_LEVELS) ** 3
        width = np.maximum(width, draws.std(axis=0))
        precise = np.linalg.inv(_covariance_within(draws, generator))
        vague = np.diag(width**-2)
        covariances = [np.linalg.inv((1 - t) * vague + t * precise) for t in levels]
        normal = Gaussians(np.ones(1), draws.mean(axis=0)[None], np.diag(width**2)[None])
        sizes = np.full((FIRST_LEVELS, 1), FIRST_SIZE)
        pieces = tuple(replace(normal, covariances=each[None]) for each in covariances)
        return cls((normal, normal), levels, sizes, pieces)

    @property
    def top(self) -> int:
        """The number of the level that is the posterior."""
        return int(self.levels.argmax())

    @property
    def longest(self) -> NDArray[np.int64]:
        """Most steps of the trajectories of each level, shape (n_levels,)."""
        rising = np.arange(len(self.levels)) < self.top
        far = rising & (self.levels < NEAR) & (self.levels[-1] == 0)
        return np.where(far, MOST_STEPS_FAR, MOST_STEPS)

    def mapped(self, draws: Vector, generator: np.random.Generator) -> Ladder:
        """Return the ladder with a second map, fitted to draws; with levels down to it, if new."""
        fitted = _fitted(draws, generator)
        maps = self.maps[0], replace(fitted, covariances=WIDER * fitted.covariances)
        if self.levels[-1] == 0:
            return replace(self, maps=maps)
        down = np.linspace(1, 0, FIRST_LEVELS_DOWN)[1:]
        sizes = np.concatenate([self.sizes, np.repeat(self.sizes[-1:], len(down), axis=0)])
        pieces = (*self.pieces, *self.pieces[-1:] * len(down))
        return Ladder(maps, np.concatenate([self.levels, down]), sizes, pieces)


@dataclass(frozen=True)
class Round:
    """What chains did at all levels in one round."""

    ladder: Ladder
    draws: Vector
    """Of the posterior, shape (n_chains, n_steps, n_dimensions)."""
    places: Vector
    """Of the replicas at all levels, at some `MAPPED` of the steps of all chains, evenly spaced,
    shape (n_chains, n_kept, n_levels, n_dimensions)."""
    statistics: dict[str, NDArray[Any]]
    """Of the replica at the posterior, each (n_chains, n_steps)."""
    refusal: Vector
    """Share of the changes of place that were refused, shape (n_levels - 1,)."""
    gradients: int
    """How many gradients of the log density it took, with those that adapted its steps."""

    def after(self, before: Round | None) -> tuple[Vector, dict[str, NDArray[Any]]]:
        """Return draws and statistics of a round before this one, and of this one behind them.

        Both are of the same chains. The statistic ``restart`` counts on from one to the other.
        """
        if before is None:
            return self.draws, self.statistics
        own = dict(self.statistics)
        fresh = own["restart"] >= 0
        own["restart"] = own["restart"] + fresh * (before.statistics["restart"].max() + 1)
        statistics = {
            name: np.concatenate([before.statistics[name], own[name]], axis=1) for name in own
        }
        return np.concatenate([before.draws, self.draws], axis=1), statistics

    def some(self, level: int, most: int = MAPPED) -> Vector:
        """Return draws of a level, evenly spaced, shape (n, n_dimensions)."""
        chains, kept = self.places.shape[:2]
        apart = max(1, chains * kept // most)
        return self.places[:, ::apart, level].reshape(-1, self.places.shape[-1])

    def next_ladder(self, generator: np.random.Generator) -> Ladder:
        """Return levels between which as many changes of place are refused everywhere."""
        old = self.ladder
        fitted = [_pieces(self.some(k), generator) for k in range(len(old.levels))]
        size = old.sizes.mean(axis=1)
        top = old.top
        up, down = slice(0, top + 1), slice(None, top - 1 if top else None, -1)
        levels: list[Vector] = []
        sizes: list[Vector] = []
        pieces: list[Gaussians] = []
        for leg, refusal in ((up, self.refusal[:top]), (down, self.refusal[top:][::-1])):
            if not len(refusal):
                continue
            at = old.levels[leg]
            new = _evened(at, refusal)
            nearest = np.abs(new[:, None] - at).argmin(axis=1)
            of_new = np.interp(new, at[1:], size[leg][1:])  # no steps are taken at level 0
            order = slice(None) if not levels else slice(-2, None, -1)  # down from the posterior
            levels.append(new[order])
            sizes.append(of_new[order])
            pieces += [fitted[leg][k] for k in nearest[order]]
        each = np.repeat(np.concatenate(sizes)[:, None], len(fitted[0].weights), axis=1)
        return Ladder(old.maps, np.concatenate(levels), each, tuple(pieces))


def _evened(levels: Vector, refusal: Vector) -> Vector:
    """Return rising levels that share out equally what is refused between them."""
    passed = np.concatenate([[0.0], np.cumsum(np.maximum(refusal, 1e-3))])
    count = int(np.clip(np.ceil(2 * refusal.sum()) + 1, 2, MOST_LEVELS))
    evened = np.interp(np.linspace(0, passed[-1], count), passed, levels)
    evened[0], evened[-1] = 0.0, 1.0
    return evened


def _fitted(draws: Vector, generator: np.random.Generator, *, most: int | None = None) -> Gaussians:
    """Fit a mixture of at most so many Gaussians to draws."""
    centre, size = draws.mean(axis=0), draws.std(axis=0) + 1e-12
    with threadpool_limits(limits=1):
        fitted = Gaussians.fitted((draws - centre) / size, generator, most=most)
    return fitted.moved(centre, size)


def _pieces(draws: Vector, generator: np.random.Generator) -> Gaussians:
    """Fit a few Gaussians to draws: each has the shape of a mode, or of a piece of a ridge."""
    return _fitted(draws, generator, most=max(1, draws.shape[1] // 2))


def _covariance_within(draws: Vector, generator: np.random.Generator) -> Vector:
    """Return the mean covariance within them."""
    few = _pieces(draws, generator)
    return np.einsum("k,kij->ij", few.weights, few.covariances)
