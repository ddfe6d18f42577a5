"""Tempered chains: from a map of the posterior to the posterior itself, level by level.

NUTS moves well within a mode and seldom from one to another, and thin bent ridges hold it up. So
each chain gets replicas at several *levels*: at level t the density is ``map**(1 - t) *
posterior**t``, with a map that one can draw from. At level 0 the replica is drawn anew in each
step, and neighbouring replicas change places by Metropolis steps; so fresh draws arrive at the
posterior, and bring every mode in proportion to its mass.

There are two maps. Levels rise from a normal as wide as the prior to the posterior, and fall from
there to a mixture of Gaussians that is fitted to draws. By the mixture draws arrive fast; by the
normal they arrive wherever there is posterior mass, also where the mixture has none.

Whatever a round uses is fixed before it begins: map, levels, sizes of steps. So its draws are those
of an ordinary Markov chain, be the map good or bad, and R-hat and effective sample size mean what
they always mean. Each round learns from those before, and is longer.

References
----------
Syed, Bouchard-Côté, Deligiannidis, Doucet, "Non-reversible parallel tempering: a scalable highly
parallel MCMC scheme", Journal of the Royal Statistical Society B 84, 2022. Surjanovic, Syed,
Bouchard-Côté, Campbell, "Parallel tempering with a variational reference", NeurIPS 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bayes_bnsl.gaussians import Gaussians
from bayes_bnsl.loops import MOST_STEPS, follow
from bayes_bnsl.native import Posterior
from bayes_bnsl.optimum import Vector
from bayes_bnsl.progress import jobs_progress

__all__ = ["Ladder", "Round", "least_gradients", "rounds"]

FIRST_LEVELS = 16
"""Levels before anything is known; dense near the broad normal, where little likelihood matters."""

FIRST_LEVELS_DOWN = 6
"""Levels between the posterior and a map that is fitted to draws, before anything is known."""

MOST_LEVELS = 24
"""Levels between either map and the posterior at most."""

FIRST_SIZE = 0.2
"""Size of a step before anything is known, in standard deviations within a mode."""

TUNING = 10
"""Times that a round adapts the sizes of its steps before it begins, each by less than before."""

BETWEEN = (25, 0.02)
"""Steps in between, at least, and as a share of those of the round."""

AT_ONCE = 250
"""Steps between two looks at the keyboard."""

BROAD = (250, 1000)
"""Steps of the first two rounds, which have no map but the normal: they find modes and tails."""

LOWEST = 0.4
"""Levels of those rounds from which on their draws count as tails of the posterior."""

MAPPED = 4000
"""Draws of such tails, and of each of the last two rounds, that a map is fitted to."""


@dataclass(frozen=True)
class Ladder:
    """All that is fixed while a round runs."""

    maps: tuple[Gaussians, Gaussians]
    """The density at level 0: where levels begin, and where they end if they fall again."""
    levels: Vector
    """From 0 to 1, and perhaps to 0 again, shape (n_levels,)."""
    sizes: Vector
    """Largest step of the trajectories at each level, shape (n_levels,)."""
    metrics: Vector
    """Lower factors of covariances within a mode, shape (n_levels, n_dimensions, n_dimensions)."""

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
        precise = np.linalg.inv(_within(draws, generator))
        vague = np.diag(width**-2)
        covariances = [np.linalg.inv((1 - t) * vague + t * precise) for t in levels]
        normal = Gaussians(np.ones(1), draws.mean(axis=0)[None], np.diag(width**2)[None])
        sizes = np.full(FIRST_LEVELS, FIRST_SIZE)
        return cls((normal, normal), levels, sizes, np.linalg.cholesky(covariances))

    @property
    def top(self) -> int:
        """The number of the level that is the posterior."""
        return int(self.levels.argmax())

    def mapped(self, draws: Vector, generator: np.random.Generator) -> Ladder:
        """Return the ladder with a second map, fitted to draws; with levels down to it, if new."""
        maps = self.maps[0], _fitted(draws, generator)
        if self.levels[-1] == 0:
            return replace(self, maps=maps)
        down = np.linspace(1, 0, FIRST_LEVELS_DOWN)[1:]
        last = (np.repeat(each[-1:], len(down), axis=0) for each in (self.sizes, self.metrics))
        sizes, metrics = (
            np.concatenate(pair) for pair in zip((self.sizes, self.metrics), last, strict=True)
        )
        return Ladder(maps, np.concatenate([self.levels, down]), sizes, metrics)


@dataclass(frozen=True)
class Round:
    """What chains did at all levels in one round."""

    ladder: Ladder
    places: Vector
    """Shape (n_chains, n_steps, n_levels, n_dimensions)."""
    statistics: dict[str, NDArray[Any]]
    """Of the replica at the posterior, each (n_chains, n_steps)."""
    refusal: Vector
    """Share of the changes of place that were refused, shape (n_levels - 1,)."""

    @property
    def gradients(self) -> float:
        """How many gradients of the log density it took."""
        return float(self.statistics["n_steps"].sum()) * np.count_nonzero(self.ladder.levels)

    @property
    def draws(self) -> Vector:
        """Draws of the posterior, shape (n_chains, n_steps, n_dimensions)."""
        return self.places[:, :, self.ladder.top]

    def some(self, level: int, most: int = MAPPED) -> Vector:
        """Return draws of a level, evenly spaced, shape (n, n_dimensions)."""
        chains, steps = self.places.shape[:2]
        apart = max(1, chains * steps // most)
        return self.places[:, ::apart, level].reshape(-1, self.places.shape[-1])

    def next_ladder(self, generator: np.random.Generator) -> Ladder:
        """Return levels between which as many changes of place are refused everywhere."""
        old = self.ladder
        within = [_within(self.some(k), generator) for k in range(len(old.levels))]
        metrics = np.linalg.cholesky(within)
        top = old.top
        up, down = slice(0, top + 1), slice(None, top - 1 if top else None, -1)
        parts: list[list[Vector]] = []
        for leg, refusal in ((up, self.refusal[:top]), (down, self.refusal[top:][::-1])):
            if not len(refusal):
                continue
            at = old.levels[leg]
            levels = _evened(at, refusal)
            nearest = np.abs(levels[:, None] - at).argmin(axis=1)
            sizes = np.interp(levels, at[1:], old.sizes[leg][1:])  # no steps are taken at level 0
            parts.append([levels, sizes, metrics[leg][nearest]])
        if len(parts) == 2:  # down from the posterior, which is there already
            parts[1] = [each[-2::-1] for each in parts[1]]
        return Ladder(old.maps, *(np.concatenate(each) for each in zip(*parts, strict=True)))


def _evened(levels: Vector, refusal: Vector) -> Vector:
    """Return rising levels that share out equally what is refused between them."""
    passed = np.concatenate([[0.0], np.cumsum(np.maximum(refusal, 1e-3))])
    count = int(np.clip(np.ceil(2 * refusal.sum()) + 1, 2, MOST_LEVELS))
    evened = np.interp(np.linspace(0, passed[-1], count), passed, levels)
    evened[0], evened[-1] = 0.0, 1.0
    return evened


def least_gradients(chains: int) -> int:
    """Return how many gradients the first rounds take at most."""
    return chains * sum(BROAD) * (FIRST_LEVELS - 1) * (1 + MOST_STEPS) // 2


def rounds(
    posterior: Posterior,
    draws: Vector,
    width: Vector,
    generator: np.random.Generator,
    *,
    steps: int = 1000,
    target_accept: float = 0.8,
    cores: int = 1,
    progress: bool = False,
) -> Iterator[Round]:
    """Run ever longer rounds of tempered chains.

    Parameters
    ----------
    posterior : Posterior
        The density to sample from.
    draws : ndarray, shape (n_chains, n_draws, n_dimensions)
        Where chains have been that did not mix; there they start.
    width : ndarray, shape (n_dimensions,)
        Standard deviations of the prior.
    generator : numpy.random.Generator
        Where the randomness comes from; each chain gets a generator of its own.
    steps : int, default 1000
        Of the first round whose map is fitted to draws; every further one has twice as many.
    target_accept : float, default 0.8
        Share of the trajectories that should be accepted; more of them after rounds that diverged.
    cores : int, default 1
        How many chains run at once; draws do not depend on it.
    progress : bool, default False
        Whether to show a progress bar for each round.

    Yields
    ------
    Round
        The draws of each are from the posterior, if the round was long enough for chains to
        forget where they started.
    """

    def run(ladder: Ladder, starts: Vector, count: int, target_accept: float) -> Round:
        with jobs_progress(
            f"tempered, {count} steps", -(-count // AT_ONCE), shown=progress
        ) as tell:
            return _round(
                posterior, ladder, starts, count, target_accept, generator, cores=cores, tell=tell
            )

    ladder = Ladder.broad(draws.reshape(-1, draws.shape[-1]), width, generator)
    for count in BROAD:
        done = run(ladder, _starts(draws, ladder, generator), count, target_accept)
        ladder, draws = done.next_ladder(generator), done.draws
    yield done
    hot = np.flatnonzero((done.ladder.levels >= LOWEST) & (done.ladder.levels < 1))
    tails = [done.some(int(level), MAPPED // max(len(hot), 1)) for level in hot]
    seen = [done.some(done.ladder.top)]
    while True:
        ladder = ladder.mapped(np.concatenate([*tails, *seen[-2:]]), generator)
        done = run(ladder, _starts(draws, ladder, generator), steps, target_accept)
        yield done
        if done.statistics["diverging"].any():
            target_accept = 1 - (1 - target_accept) / 2
        ladder, draws, steps = done.next_ladder(generator), done.draws, 2 * steps
        seen.append(done.some(done.ladder.top))


def _round(
    posterior: Posterior,
    ladder: Ladder,
    starts: Vector,
    steps: int,
    target_accept: float,
    generator: np.random.Generator,
    *,
    cores: int,
    tell: Callable[[], None],
) -> Round:
    """Adapt the sizes of the steps, and then run one round; tell of every part of it."""
    chains = len(starts)
    own = generator.spawn(chains)
    places = [np.array(each, order="C") for each in starts]
    restarts = [np.full(len(ladder.levels), -1) for _ in range(chains)]
    maps = tuple(
        (each.constants, each.means, each.whitening, each.factors, np.cumsum(each.weights))
        for each in ladder.maps
    )

    def run(chain: int, first: int, count: int) -> Any:
        return follow(
            places[chain], restarts[chain], first, count, ladder.levels, ladder.sizes,
            ladder.metrics, maps, own[chain], posterior.callback.address, posterior.data,
        )  # fmt: skip

    with ThreadPoolExecutor(min(cores, chains)) as pool:

        def all_chains(first: int, count: int) -> list[Any]:
            """Run all chains, and wait for all."""
            return list(pool.map(lambda chain: run(chain, first, count), range(chains)))

        between = max(BETWEEN[0], int(BETWEEN[1] * steps))
        for time in range(1, TUNING + 1):
            accepted = np.mean([each[7] for each in all_chains(-1, between)], axis=0)
            change = 2 * (accepted - target_accept) / np.sqrt(time)
            ladder = replace(ladder, sizes=ladder.sizes * np.exp(change))
        for each in restarts:
            each[:] = -1
        parts = []
        for first in range(0, steps, AT_ONCE):
            parts.append(all_chains(first, min(AT_ONCE, steps - first)))
            tell()
    by_chain = (
        [np.concatenate(each) for each in zip(*(part[chain][:7] for part in parts), strict=True)]
        for chain in range(chains)
    )
    where, *rest = (np.stack(each) for each in zip(*by_chain, strict=True))
    names = ("logp", "restart", "energy", "n_steps", "mean_tree_accept", "diverging")
    lengths = [len(part[0][1]) for part in parts]
    refusal = np.average(
        [np.mean([each[8] for each in part], axis=0) for part in parts], axis=0, weights=lengths
    )
    return Round(ladder, where, dict(zip(names, rest, strict=True)), refusal)


def _starts(draws: Vector, ladder: Ladder, generator: np.random.Generator) -> Vector:
    """Return where the replicas of each chain start: at draws of its own, the last at the top.

    Not where those of a like level were. What is likely by one map may be so unlikely by the next
    that it would be sent up to the posterior, for being less unlikely there.
    """
    chains, steps = draws.shape[:2]
    numbers = generator.integers(steps, size=(chains, len(ladder.levels)))
    starts = draws[np.arange(chains)[:, None], numbers]
    starts[:, ladder.top] = draws[:, -1]
    return starts


def _fitted(draws: Vector, generator: np.random.Generator) -> Gaussians:
    """Fit a map to draws."""
    centre, size = draws.mean(axis=0), draws.std(axis=0)
    with threadpool_limits(limits=1):
        return Gaussians.fitted((draws - centre) / size, generator).moved(centre, size)


def _within(draws: Vector, generator: np.random.Generator) -> Vector:
    """Return the mean covariance within a few Gaussians: the size and shape of a mode."""
    centre, size = draws.mean(axis=0), draws.std(axis=0) + 1e-12
    with threadpool_limits(limits=1):
        few = Gaussians.fitted((draws - centre) / size, generator, most=max(1, len(size) // 2))
    few = few.moved(centre, size)
    return np.einsum("k,kij->ij", few.weights, few.covariances)
