"""Tempered chains: from a map of the posterior to the posterior itself, level by level.

NUTS moves well within a mode and seldom from one to another, and thin bent ridges hold it up. So
each chain gets replicas at several *levels*: at level t the density is ``map**(1 - t) *
posterior**t``, with a map that one can draw from. At level 0 the replica is drawn anew in each
step, and neighbouring replicas change places by Metropolis steps; so fresh draws arrive at the
posterior, and bring every mode in proportion to its mass.

There are two maps. Levels rise from a normal as wide as the prior to the posterior, and fall from
there to a mixture of Gaussians that is fitted to draws. By the mixture draws arrive fast; by the
normal they arrive wherever there is posterior mass, also where the mixture has none. Before there
is a mixture, all depends on that way; then it is a net, and trajectories far from the posterior are
shorter there.

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
from dataclasses import replace
from typing import Any

import numpy as np

from bayes_bnsl.ladder import (
    FIRST_LEVELS,
    FIRST_LEVELS_DOWN,
    MAPPED,
    MOST_STEPS,
    NEAR,
    Ladder,
    Round,
)
from bayes_bnsl.loops import follow
from bayes_bnsl.native import Posterior
from bayes_bnsl.optimum import Vector
from bayes_bnsl.progress import jobs_progress
from bayes_bnsl.transforms import RESOLVED

__all__ = ["rounds"]

TUNING = 10
"""Times that a round adapts the sizes of its steps before it begins, each by less than before."""

BETWEEN = (25, 0.005)
"""Steps in between, at least, and as a share of those of the round."""

AT_ONCE = 250
"""Steps between two looks at the keyboard."""

BROAD = (250, 1000)
"""Steps of the first two rounds, which have no map but the normal: they find modes and tails."""


def rounds(
    posterior: Posterior,
    draws: Vector,
    width: Vector,
    generator: np.random.Generator,
    *,
    modes: Vector | None = None,
    mixed: bool = False,
    steps: int = 1000,
    max_gradients: float = np.inf,
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
        Where chains have been; there they start.
    width : ndarray, shape (n_dimensions,)
        Standard deviations of the prior.
    generator : numpy.random.Generator
        Where the randomness comes from; each chain gets a generator of its own.
    modes : ndarray, shape (n, n_dimensions), optional
        Positions near tops of the density, highest first, whether or not the chains have been
        there: in the two rounds that find modes, replicas near the posterior start there.
    mixed : bool, default False
        Whether they have mixed, in nearly the same density: then a map can be fitted to them.
        Otherwise two rounds come first that find modes and tails.
    steps : int, default 1000
        Of the first round whose map is fitted to draws; every further one has twice as many.
    max_gradients : float, default infinity
        There is no round that would take more, at the rate of the one before it, and none at all if
        the first two are expected to.
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

    flat = draws.reshape(-1, draws.shape[-1])
    ladder = Ladder.broad(flat, width, generator)
    tails: list[Vector] = []
    seen = [flat[:: -(-len(flat) // MAPPED)]]
    rate = expected_rate(len(draws), FIRST_LEVELS + FIRST_LEVELS_DOWN)
    if not mixed:
        if expected_at_first(len(draws)) > max_gradients:
            return
        for count in BROAD:
            done = run(ladder, _starts(draws, ladder, generator, modes), count, target_accept)
            ladder, draws = done.next_ladder(generator), done.draws
        yield done
        hot = np.flatnonzero((done.ladder.levels >= NEAR) & (done.ladder.levels < 1))
        tails = [done.some(int(level), MAPPED // max(len(hot), 1)) for level in hot]
        seen, rate = [done.some(done.ladder.top)], done.gradients / done.draws.shape[1]
    while rate * steps <= max_gradients:
        ladder = ladder.mapped(np.concatenate([*tails, *seen[-2:]]), generator)
        done = run(ladder, _starts(draws, ladder, generator), steps, target_accept)
        yield done
        if done.statistics["diverging"].any():
            target_accept = 1 - (1 - target_accept) / 2
        ladder, draws, rate = done.next_ladder(generator), done.draws, done.gradients / steps
        seen.append(done.some(done.ladder.top))
        steps *= 2


def expected_rate(chains: int, levels: int) -> float:
    """Return how many gradients a step will take, about."""
    return chains * levels * (1 + MOST_STEPS) / 2


def expected_at_first(chains: int) -> int:
    """Return how many gradients the first two rounds will take, about."""
    steps = sum(BROAD) + len(BROAD) * TUNING * BETWEEN[0]
    return int(steps * expected_rate(chains, FIRST_LEVELS))


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
    apart = -(-steps * chains // MAPPED)
    maps = tuple(
        (each.centre, each.coefficients, each.means, each.factors, np.cumsum(each.weights))
        for each in ladder.maps
    )
    parts_of = ((each.centre, each.coefficients, each.factors) for each in ladder.pieces)
    pieces = tuple(np.stack(each) for each in zip(*parts_of, strict=True))

    def run(chain: int, first: int, count: int) -> Any:
        return follow(
            places[chain], restarts[chain], first, count, apart, ladder.levels, ladder.sizes,
            ladder.longest, pieces, maps, own[chain], posterior.callback.address, posterior.data,
            posterior.breaks, RESOLVED,
        )  # fmt: skip

    with ThreadPoolExecutor(min(cores, chains)) as pool:

        def all_chains(first: int, count: int) -> list[Any]:
            """Run all chains, and wait for all."""
            return list(pool.map(lambda chain: run(chain, first, count), range(chains)))

        between, gradients = max(BETWEEN[0], int(BETWEEN[1] * steps)), 0
        for time in range(1, TUNING + 1):
            tuned = all_chains(-1, between)
            tried, accepted = (np.sum([each[k] for each in tuned], axis=0) for k in (8, 9))
            gradients += sum(each[11] for each in tuned)
            missed = (accepted - target_accept * tried) / np.maximum(tried, 1)
            change = 2 * missed / np.sqrt(time)
            ladder = replace(ladder, sizes=ladder.sizes * np.exp(change))
        for each in restarts:
            each[:] = -1
        parts = []
        for first in range(0, steps, AT_ONCE):
            parts.append(all_chains(first, min(AT_ONCE, steps - first)))
            tell()
    by_chain = (
        [np.concatenate(each) for each in zip(*(part[chain][:8] for part in parts), strict=True)]
        for chain in range(chains)
    )
    draws, *rest, where = (np.stack(each) for each in zip(*by_chain, strict=True))
    names = ("logp", "restart", "energy", "n_steps", "mean_tree_accept", "diverging")
    lengths = [len(part[0][1]) for part in parts]
    refusal = np.average(
        [np.mean([each[10] for each in part], axis=0) for part in parts], axis=0, weights=lengths
    )
    gradients += sum(each[11] for part in parts for each in part)
    return Round(ladder, draws, where, dict(zip(names, rest, strict=True)), refusal, gradients)


def _starts(
    draws: Vector, ladder: Ladder, generator: np.random.Generator, modes: Vector | None = None
) -> Vector:
    """Return where the replicas of each chain start: at draws of its own, the last at the top.

    Or near the posterior, where a mode is not forgotten at once, each at another of the modes.

    Not where those of a like level were. What is likely by one map may be so unlikely by the next
    that it would be sent up to the posterior, for being less unlikely there.
    """
    chains, steps = draws.shape[:2]
    numbers = generator.integers(steps, size=(chains, len(ladder.levels)))
    starts = draws[np.arange(chains)[:, None], numbers]
    starts[:, ladder.top] = draws[:, -1]
    if modes is not None:
        near = np.flatnonzero((ladder.levels >= NEAR) & (ladder.levels < 1))[::-1]
        turn = np.arange(chains * len(near)).reshape(len(near), chains).T
        starts[:, near] = modes[turn % len(modes)]
    return starts
