"""Tempered chains, against densities whose draws and masses are known."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numba
import numpy as np
import pytest
from arviz_stats.base import array_stats
from numba import types
from scipy.optimize import approx_fprime
from scipy.stats import halfnorm, ks_2samp, kstest, norm, t

from bayes_bnsl.defaults import SPACING_SD
from bayes_bnsl.gaussians import Gaussians
from bayes_bnsl.ladder import MOST_STEPS, MOST_STEPS_FAR, Ladder
from bayes_bnsl.loops import LEAST_DENSITY, follow, mixture
from bayes_bnsl.native import NUMBERS, Posterior, call_callback
from bayes_bnsl.tempering import BROAD, _round, _starts, expected_at_first, rounds
from bayes_bnsl.transforms import RESOLVED

SIGNATURE = types.int64(types.uint64, NUMBERS, NUMBERS, NUMBERS, types.CPointer(types.uint64))


@numba.cfunc(SIGNATURE)
def student(n, z, slope, density, data):
    """Student's t with five degrees of freedom, in any number of dimensions."""
    square = 0.0
    for i in range(n):
        square += z[i] ** 2
    density[0] = -0.5 * (5 + n) * np.log1p(square / 5)
    for i in range(n):
        slope[i] = -(5 + n) * z[i] / (5 + square)
    return 0


@numba.cfunc(SIGNATURE)
def hills(n, z, slope, density, data):
    """Two thirds about -4, one third in a tenth of the width about 4."""
    left = np.log(2 / 3) - 0.5 * (z[0] + 4) ** 2
    right = np.log(1 / 3) - 0.5 * ((z[0] - 4) / 0.1) ** 2 - np.log(0.1)
    density[0] = max(left, right) + np.log1p(np.exp(-abs(left - right)))
    share = np.exp(left - density[0])
    slope[0] = -share * (z[0] + 4) - (1 - share) * (z[0] - 4) / 0.01
    return 0


@numba.cfunc(SIGNATURE)
def half(n, z, slope, density, data):
    """A normal that has no density below zero."""
    density[0], slope[0] = -0.5 * z[0] ** 2, -z[0]
    return 0 if z[0] > 0 else 1


@numba.cfunc(SIGNATURE)
def counted(n, z, slope, density, data):
    """A normal that counts how often it is asked."""
    data[0] += 1
    density[0] = 0.0
    for i in range(n):
        slope[i] = -z[i]
        density[0] -= 0.5 * z[i] ** 2
    return 0


@numba.cfunc(SIGNATURE)
def well(n, z, slope, density, data):
    """A normal so narrow that most trajectories leave it for ever."""
    density[0], slope[0] = -0.5 * (z[0] / 1e-4) ** 2, -z[0] / 1e-8
    return 0 if np.isfinite(density[0]) else 1


@numba.cfunc(SIGNATURE)
def steep(n, z, slope, density, data):
    """The steeper, the further out: what steps can follow there is short."""
    density[0], slope[0] = -(z[0] ** 4), -4 * z[0] ** 3
    return 0 if np.isfinite(density[0]) else 1


UNBROKEN = np.empty((0, 1), np.int64)
"""Where coordinates of breaks lie in a position that has none."""

LEVEL, RATE = -1.0, RESOLVED
"""Log of the median spacing of the breaks below, and what the sampler sees of it."""


@numba.cfunc(SIGNATURE)
def two_breaks(n, z, slope, density, data):
    """Lognormal spacings before two breaks, softened; what else they have is normal."""
    density[0] = 0.0
    for i in range(2):
        softplus = max(z[i], 0.0) + np.log1p(np.exp(-abs(z[i])))
        share = np.exp(z[i] - softplus)
        spacing = np.expm1(RATE * softplus)
        if not 0 < spacing < np.inf:
            return 1
        normal = (np.log(spacing) - LEVEL) / SPACING_SD
        growth = RATE * share * (1 + spacing) / spacing
        density[0] += -0.5 * normal**2 + np.log(growth)
        slope[i] = -normal * growth / SPACING_SD + RATE * share + 1 - share - growth
        density[0] -= 0.5 * (z[2 + i] - i) ** 2
        slope[2 + i] = i - z[2 + i]
    return 0 if np.isfinite(density[0]) else 1


def starts(*centres, size=1.0, n=1000, dimensions=1, seed=1):
    generator = np.random.default_rng(seed)
    return np.stack([c + size * generator.standard_normal((n, dimensions)) for c in centres])


def last_round(callback, draws, *, width=5.0, steps=1000, seed=2, count=3, **settings):
    """Return the last of so many rounds."""
    running = rounds(
        Posterior(callback, []), draws, np.full(draws.shape[-1], width),
        np.random.default_rng(seed), steps=steps, **settings,
    )  # fmt: skip
    for _ in range(count):
        done = next(running)
    return done


def some_mixture(k=3, dimensions=4):
    generator = np.random.default_rng(1)
    factors = generator.standard_normal((k, dimensions, dimensions))
    covariances = factors @ factors.transpose(0, 2, 1) + 0.1 * np.eye(dimensions)
    means = 2 * generator.standard_normal((k, dimensions))
    return Gaussians(generator.dirichlet(np.ones(k)), means, covariances)


def fixed_parts(map_):
    """Return a map as `follow` takes it."""
    return map_.centre, map_.coefficients, map_.means, map_.factors, np.cumsum(map_.weights)


def stacked(pieces):
    """Return the pieces of all levels as `follow` takes them."""
    parts = ((each.centre, each.coefficients, each.factors) for each in pieces)
    return tuple(np.stack(each) for each in zip(*parts, strict=True))


def longest(n_levels):
    """Return how many steps trajectories have at most, the same at all levels."""
    return np.full(n_levels, MOST_STEPS)


def round_piece(dimensions):
    """Return pieces that are one, whose metric is that of a standard normal."""
    return Gaussians(np.ones(1), np.zeros((1, dimensions)), np.eye(dimensions)[None])


class Counting(Posterior):
    """A density that counts how often it is asked."""

    def __init__(self, callback, count):
        super().__init__(callback, [])
        object.__setattr__(self, "data", count)


class TestBreaksThatMove:
    """Nothing else moves here: trajectories are next to nothing."""

    @pytest.fixture
    def moved(self):
        start, piece = np.array([[0.0, 1.0, 0.0, 1.0]]), round_piece(4)
        return follow(
            start, np.full(1, -1), 0, 200_000, 1, np.ones(1), np.full((1, 1), 1e-12), longest(1),
            stacked([piece]), (fixed_parts(piece),) * 2, np.random.default_rng(3),
            two_breaks.address, np.zeros(0, np.uint64), np.array([[0, 2], [1, 3]]), RESOLVED,
        )[0][::20]  # fmt: skip

    def test_places_are_as_likely_as_their_density_says(self, moved):
        places = np.cumsum(np.expm1(RATE * np.logaddexp(0, moved[:, :2])), axis=1)
        generator = np.random.default_rng(4)
        spacings = np.exp(LEVEL + SPACING_SD * generator.standard_normal((200_000, 2)))
        exact = np.cumsum(spacings, axis=1)
        exact = exact[exact[:, 1] < 1.3]
        for own, others in zip(places.T, exact.T, strict=True):
            assert ks_2samp(own, others).pvalue > 1e-3

    def test_what_a_break_has_goes_with_it(self, moved):
        """Exchanged, the coordinates of both are 1 off their means, each by half a unit of log."""
        exchanged = np.isclose(moved[:, 2], 1.0)
        assert np.all(exchanged | np.isclose(moved[:, 2], 0.0))
        assert exchanged.mean() == pytest.approx(1 / (1 + np.e), abs=0.02)


class TestRounds:
    def test_heavy_tails_are_kept(self):
        """A map that is fitted to the very draws it moves empties them: the variance falls."""
        draws = starts(0, 0, 0, 0, dimensions=13)
        done = last_round(student, draws, width=1.0, steps=4000)
        assert np.var(done.draws) == pytest.approx(5 / 3, rel=0.07)
        assert kstest(done.draws[:, ::40].reshape(-1, 13)[:, 0], t(5).cdf).pvalue > 1e-3

    def test_a_mode_that_no_chain_has_seen_gets_its_mass_if_it_is_named(self):
        """Far outside of the normal that levels begin with, which alone comes upon it late."""
        draws, modes = starts(-4, -4, -4, -4, size=0.1), np.array([[-4.0], [4.0]])
        done = last_round(hills, draws, width=0.5, steps=2000, modes=modes)
        assert np.mean(done.draws > 0) == pytest.approx(1 / 3, abs=0.05)

    def test_modes_get_their_mass_wherever_chains_started(self):
        done = last_round(hills, starts(-4, 4, 4, 4, size=0.1), steps=2000)
        shares = np.mean(done.draws < 0, axis=(1, 2))
        np.testing.assert_allclose(shares, 2 / 3, atol=0.06)
        right = done.draws[done.draws > 0]
        assert kstest(right[::10], norm(4, 0.1).cdf).pvalue > 1e-3

    def test_a_mode_that_no_chain_has_seen_is_found(self):
        done = last_round(hills, starts(4, 4, 4, 4, size=0.1), steps=2000)
        np.testing.assert_allclose(np.mean(done.draws < 0, axis=(1, 2)), 2 / 3, atol=0.06)

    def test_one_that_draws_of_another_density_had_not_is_found_as_well(self):
        """Of draws that have mixed elsewhere a map is made at once, and the broad normal stays."""
        draws = starts(4, 4, 4, 4, size=0.1)
        done = last_round(hills, draws, steps=1000, count=2, mixed=True)
        np.testing.assert_allclose(np.mean(done.draws < 0, axis=(1, 2)), 2 / 3, atol=0.06)

    def test_where_there_is_no_density_there_are_no_draws(self):
        done = last_round(half, np.abs(starts(1, 1)), steps=4000)
        assert done.draws.min() > 0
        assert kstest(done.draws[:, ::20].ravel(), halfnorm.cdf).pvalue > 1e-3

    def test_the_first_is_from_a_broad_normal_and_the_next_grow(self):
        running = rounds(
            Posterior(hills, []), starts(-4, 4), np.array([5.0]), np.random.default_rng(3),
            steps=100,
        )  # fmt: skip
        done = [next(running) for _ in range(4)]
        assert [each.draws.shape for each in done] == [
            (2, BROAD[-1], 1), (2, 100, 1), (2, 200, 1), (2, 400, 1),
        ]  # fmt: skip
        assert done[0].ladder.levels[-1] == 1
        for each in done[1:]:
            broad, learnt = each.ladder.maps
            assert len(broad.weights) == 1
            assert broad.covariances.item() >= 25
            assert len(learnt.weights) > 1
            assert each.ladder.levels[0] == each.ladder.levels[-1] == 0
            assert np.all(np.diff(np.sign(np.diff(each.ladder.levels))) <= 0)  # up, then down

    def test_cores_do_not_matter(self):
        one, three = (last_round(hills, starts(-4, 4, 4), cores=cores) for cores in (1, 3))
        np.testing.assert_array_equal(one.draws, three.draws)

    def test_another_seed_gives_other_draws(self):
        one, other = (last_round(hills, starts(-4, 4), seed=seed) for seed in (1, 2))
        assert not np.any(one.draws == other.draws)

    def test_statistics_are_those_of_the_replica_at_the_posterior(self):
        done = last_round(half, np.abs(starts(1, 1)))
        np.testing.assert_allclose(done.statistics["logp"], -0.5 * done.draws[..., 0] ** 2)
        restart = done.statistics["restart"]
        assert restart.max() < 2 * restart.shape[1]
        assert len(np.unique(restart[restart % 2 == 0])) > 100  # of the normal
        assert len(np.unique(restart[restart % 2 == 1])) > 100  # of the map that is learnt
        assert not done.statistics["diverging"].any()

    def test_levels_move_to_where_changes_of_place_are_refused(self):
        running = rounds(
            Posterior(student, []), starts(0, 0, dimensions=8), np.full(8, 3.0),
            np.random.default_rng(4), steps=2000,
        )  # fmt: skip
        first = next(running)
        assert np.ptp(first.refusal) < 0.15
        next(running)
        last = next(running)
        top = last.ladder.top
        assert last.ladder.levels[[0, top, -1]].tolist() == [0.0, 1.0, 0.0]
        assert np.ptp(last.refusal[:top]) < 0.15
        assert np.ptp(last.refusal[top:]) < 0.15

    def test_two_of_them_are_one_chain(self):
        running = rounds(
            Posterior(hills, []), starts(-4, 4), np.array([5.0]), np.random.default_rng(3),
            steps=100,
        )  # fmt: skip
        _, before, last = (next(running) for _ in range(3))
        draws, statistics = last.after(before)
        assert draws.shape == (2, 300, 1)
        np.testing.assert_array_equal(draws, np.concatenate([before.draws, last.draws], axis=1))
        assert {array.shape for array in statistics.values()} == {(2, 300)}
        starts_of = statistics["restart"]
        np.testing.assert_array_equal(starts_of < 0, np.concatenate(
            [each.statistics["restart"] < 0 for each in (before, last)], axis=1
        ))  # fmt: skip
        counted = sum(
            len(np.unique(chain[chain >= 0]))
            for each in (before, last)
            for chain in each.statistics["restart"]
        )
        assert sum(len(np.unique(chain[chain >= 0])) for chain in starts_of) == counted
        assert counted > 10
        alone, _ = last.after(None)
        np.testing.assert_array_equal(alone, last.draws)

    def test_what_the_map_leaves_out_is_still_reached(self):
        """Levels that fall to a map of one hill alone, and rise from the normal."""
        left = starts(-4, n=2000)[0]
        ladder = Ladder.broad(
            starts(-4, 4)[:, :, 0].reshape(-1, 1), np.array([5.0]), np.random.default_rng(6)
        ).mapped(left, np.random.default_rng(7))
        maps = tuple(fixed_parts(each) for each in ladder.maps)
        n = len(ladder.levels)
        draws = follow(
            np.full((n, 1), -4.0), np.full(n, -1), 0, 20_000, 1, ladder.levels, ladder.sizes,
            ladder.longest, stacked(ladder.pieces), maps, np.random.default_rng(8), hills.address,
            np.zeros(0, np.uint64), UNBROKEN, RESOLVED,
        )[0]  # fmt: skip
        assert np.mean(draws < 0) == pytest.approx(2 / 3, abs=0.05)

    def test_gradients_are_counted_and_bounded(self):
        budget, count = 2_000_000, np.zeros(1, np.uint64)
        running = rounds(
            Counting(counted, count), starts(0, 0, 0, dimensions=4), np.full(4, 20.0),
            np.random.default_rng(9), steps=1500, max_gradients=budget,
        )  # fmt: skip
        first = next(running)
        assert 0.5 < count.item() / expected_at_first(3) < 1.2
        taken, before = [], count.item()
        for done in running:
            taken.append(count.item() - before)
            before = count.item()
            assert done.gradients == taken[-1]
        assert taken
        assert max(taken) < 1.1 * budget
        assert 2 * taken[-1] > 0.9 * budget
        assert first.draws.shape[1] == BROAD[-1]

    def test_ctrl_c_ends_it(self):
        """As the signal would, which Python delivers between two parts of a round."""

        def interrupted():
            raise KeyboardInterrupt

        before = threading.active_count()
        ladder = Ladder.broad(starts(-4, 4)[0], np.ones(1), np.random.default_rng(1))
        with pytest.raises(KeyboardInterrupt):
            _round(
                Posterior(hills, []), ladder, np.zeros((2, len(ladder.levels), 1)), 10_000, 0.8,
                np.random.default_rng(1), cores=2, tell=interrupted,
            )  # fmt: skip
        assert threading.active_count() == before

    def test_without_a_budget_for_the_first_there_are_none(self):
        draws, few = starts(0, 0), expected_at_first(2) - 1
        posterior, generator = Posterior(hills, []), np.random.default_rng(1)
        assert not list(rounds(posterior, draws, np.ones(1), generator, max_gradients=few))


class TestStarts:
    def test_each_mode_has_a_replica_near_the_posterior(self):
        """At random one in twelve modes is left out more often than not."""
        draws, generator = starts(0, 0, 0, 0), np.random.default_rng(1)
        ladder = Ladder.broad(draws[0], np.ones(1), generator)
        modes = 100.0 + np.arange(12)[:, None]
        at = _starts(draws, ladder, generator, modes)[:, :, 0]
        near = (ladder.levels >= 0.4) & (ladder.levels < 1)
        assert np.all(np.unique(at[:, near]) == modes[:, 0])
        assert np.all(np.isin(at[:, ~near], draws))
        np.testing.assert_array_equal(at[:, ladder.top], draws[:, -1, 0])


class TestLadder:
    def test_the_broad_one_is_as_wide_as_the_prior_and_the_draws(self):
        draws = starts(0, dimensions=2)[0] * [10.0, 0.1]
        ladder = Ladder.broad(draws, np.ones(2), np.random.default_rng(1))
        widths = np.sqrt(np.diagonal(ladder.maps[0].covariances[0]))
        np.testing.assert_allclose(widths, [draws[:, 0].std(), 1.0])
        np.testing.assert_allclose(ladder.pieces[0].factors[0], np.diag(widths), rtol=1e-10)
        at_last = ladder.pieces[-1].covariances[0]
        np.testing.assert_allclose(at_last, np.cov(draws.T), rtol=0.2, atol=0.1)

    def test_far_levels_have_short_trajectories_once_others_lead_to_the_posterior(self):
        draws = starts(-4, 4)[:, :, 0].reshape(-1, 1)
        ladder = Ladder.broad(draws, np.ones(1), np.random.default_rng(1))
        assert np.all(ladder.longest == MOST_STEPS)
        ladder = ladder.mapped(draws, np.random.default_rng(1))
        short = ladder.longest == MOST_STEPS_FAR
        assert np.all(short[: ladder.top] == (ladder.levels[: ladder.top] < 0.4))
        assert not short[ladder.top :].any()
        assert np.all(ladder.longest[~short] == MOST_STEPS)


class TestLoops:
    def test_the_mixture_is_that_of_the_map_with_its_gradient(self):
        map_ = some_mixture()
        slope, room = np.empty(4), (np.empty(4), np.empty(15), np.empty(15), np.empty(3))

        def density(z):
            return mixture(z, map_.centre, map_.coefficients, slope, room)

        for z in 3 * np.random.default_rng(2).standard_normal((20, 4)):
            assert density(z) == pytest.approx(map_.log_density(z[None]).item(), rel=1e-9)
            found = slope.copy()
            np.testing.assert_allclose(found, approx_fprime(z, density, 1e-6), rtol=1e-3, atol=1e-4)

    def test_short_steps_lose_no_energy_at_any_level(self):
        map_, levels = some_mixture(dimensions=3), np.array([0.0, 0.3, 1.0, 0.3, 0.0])
        fixed = fixed_parts(map_)
        accepted = [
            follow(
                np.zeros((5, 3)), np.full(5, -1), 0, 50, 1, levels, np.full((5, 1), size),
                longest(5), stacked([round_piece(3)] * 5), (fixed, fixed), np.random.default_rng(5),
                student.address, np.zeros(0, np.uint64), UNBROKEN, RESOLVED,
            )[9][1:-1] / 50
            for size in (0.02, 0.2, 200.0)
        ]  # fmt: skip
        assert np.all(accepted[0] > 0.999)
        assert np.all(accepted[1] > 0.9)
        assert np.all(accepted[2] < 0.1)

    def alone(self, callback, size, steps, pieces=None):
        """Return what `follow` does next to a map so far away that no draw of it arrives."""
        map_ = Gaussians(np.ones(1), np.full((1, 1), 1e3), np.ones((1, 1, 1)))
        pieces = pieces or round_piece(1)
        return follow(
            np.zeros((2, 1)), np.full(2, -1), 0, steps, 1, np.array([0.0, 1.0]),
            np.full((2, len(pieces.weights)), size), longest(2), stacked([pieces] * 2),
            (fixed_parts(map_),) * 2, np.random.default_rng(5), callback.address,
            np.zeros(0, np.uint64), UNBROKEN, RESOLVED,
        )  # fmt: skip

    def check_steep(self, done):
        """Compare draws from exp(-z**4), whose fourth power is a Gamma(1/4), of variance 1/4."""
        fourth = done[0][:, 0] ** 4
        error = 0.5 / np.sqrt(array_stats.ess(fourth[None], chain_axis=0, draw_axis=1))
        assert error < 0.01
        assert fourth.mean() == pytest.approx(0.25, abs=4 * error)

    @pytest.mark.parametrize("size", [1.0, 10.0, 100.0])
    def test_trajectories_that_blow_up_diverge_however_fast(self, size):
        """Shorter steps are of no help: it is a ten thousandth wide."""
        accepted, diverging = self.alone(well, size, 500)[5:7]
        assert np.mean(accepted < 1e-3) > 0.9
        assert np.mean(diverging[accepted < 1e-3]) > 0.9

    @pytest.mark.parametrize("size", [1.0, 2.0, 5.0])
    def test_what_diverges_is_followed_in_shorter_steps_and_draws_stay_true(self, size):
        """If shorter steps could end where longer ones do not diverge, this would be off by 6."""
        done = self.alone(steep, size, 1_000_000)
        self.check_steep(done)
        assert not done[6].any()
        assert done[4].max() > 2 * MOST_STEPS  # of several attempts

    def test_draws_stay_true_whatever_the_pieces(self):
        """Without the ratio of their shares this would be off by far."""
        pieces = Gaussians(
            np.array([0.3, 0.7]), np.array([[-1.0], [1.0]]), np.array([[[0.04]], [[4.0]]])
        )
        done = self.alone(steep, 0.5, 100_000, pieces)
        self.check_steep(done)
        tried = done[8][1]
        assert tried.sum() == 100_000
        assert tried.min() > 1000

    def test_each_piece_has_a_size_of_step_of_its_own(self):
        """Which is adapted so that trajectories with its metric are accepted."""
        ladder = last_round(student, starts(0, 0, dimensions=8), steps=2000).ladder
        n = len(ladder.levels)
        done = follow(
            np.zeros((n, 8)), np.full(n, -1), 0, 4000, 1, ladder.levels, ladder.sizes,
            ladder.longest, stacked(ladder.pieces),
            tuple(fixed_parts(each) for each in ladder.maps), np.random.default_rng(5),
            student.address, np.zeros(0, np.uint64), UNBROKEN, RESOLVED,
        )  # fmt: skip
        tried, accepted = (each[ladder.levels > 0] for each in done[8:10])
        assert tried.shape == (np.sum(ladder.levels > 0), 4)
        often = tried > 200
        assert often.mean() > 0.5
        np.testing.assert_allclose(accepted[often] / tried[often], 0.8, atol=0.15)

    def test_a_function_is_called_at_its_address(self):
        @numba.njit
        def called(z, slope, value):
            return call_callback(address, z, slope, value, np.zeros(0, np.uint64))

        address, slope, value = half.address, np.zeros(1), np.zeros(1)
        assert called(np.array([2.0]), slope, value) == 0
        assert (slope.item(), value.item()) == (-2.0, -2.0)
        assert called(np.array([-2.0]), slope, value) == 1

    def test_a_start_without_density_is_left(self):
        done = last_round(half, -np.abs(starts(1, 1)))
        assert np.all(done.statistics["logp"][:, -1] > LEAST_DENSITY)


ROUNDS = f"""
import sys; sys.path.append({str(Path(__file__).parent)!r})
import hashlib
from bayes_bnsl.loops import follow
from test_tempering import last_round, starts, student
done = last_round(student, starts(0, 0, dimensions=8), steps=500, count=2)
print(follow.stats.cache_misses.total())
print(hashlib.md5(done.draws.tobytes()).hexdigest())
"""


def test_a_process_that_loads_the_loop_draws_what_the_one_that_compiled_it_drew(tmp_path):
    """The levels rise from a normal and fall to a mixture of several."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    said = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", ROUNDS],
            env=environment, capture_output=True, text=True, check=True,
        ).stdout.split()
        for _ in range(2)
    ]  # fmt: skip
    assert [each[0] for each in said] == ["1", "0"], "how often each has compiled"
    assert said[0][1] == said[1][1]
