"""Jumps leave a density as it is, and weigh modes that the draws had wrong."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import kstest, multivariate_normal, norm

from bayes_bnsl.jumps import jump

LEFT, RIGHT = np.full(6, -3.0), np.full(6, 3.0)


def two_modes(z):
    """Log density: three parts in the left mode, one part in the narrower right one."""
    parts = [
        np.log(0.75) + multivariate_normal(LEFT).logpdf(z),
        np.log(0.25) + multivariate_normal(RIGHT, 0.1).logpdf(z),
    ]
    return logsumexp(parts, axis=0)


def draws_of(left, right, seed=1):
    """So many draws from each of the modes."""
    generator = np.random.default_rng(seed)
    z = generator.standard_normal((left + right, 6))
    z[:left] += LEFT
    z[left:] = RIGHT + np.sqrt(0.1) * z[left:]
    return z


def banana(z):
    """Log density of a bent ridge: the second coordinate follows the square of the first."""
    return norm.logpdf(z[:, 0]) + norm.logpdf(z[:, 1], z[:, 0] ** 2, 0.2)


class TestJump:
    @pytest.mark.parametrize("left", [1000, 2000, 3800])
    def test_modes_get_their_mass_whatever_share_of_the_draws_they_had(self, left):
        z, _, moved, _ = jump(draws_of(left, 4000 - left), two_modes, np.random.default_rng(2))
        assert np.mean(z[:, 0] < 0) == pytest.approx(0.75, abs=4 * np.sqrt(0.1875 / 4000))
        assert moved.mean() > 0.9

    def test_draws_of_the_density_stay_draws_of_it(self):
        generator = np.random.default_rng(3)
        first = generator.standard_normal(4000)
        z = np.stack([first, first**2 + 0.2 * generator.standard_normal(4000)], axis=1)
        z, _, moved, _ = jump(z, banana, generator)
        assert moved.mean() > 0.8
        assert kstest(z[:, 0], norm.cdf).pvalue > 0.001
        assert kstest((z[:, 1] - z[:, 0] ** 2) / 0.2, norm.cdf).pvalue > 0.001

    def test_a_correlated_chain_becomes_nearly_independent_draws(self):
        generator = np.random.default_rng(4)
        chain = np.empty((4000, 1))
        chain[0] = 0.0
        for i in range(1, len(chain)):
            chain[i] = 0.99 * chain[i - 1] + np.sqrt(1 - 0.99**2) * generator.standard_normal(1)
        z, *_ = jump(chain, lambda z: norm.logpdf(z[:, 0]), generator)
        before, after = (np.corrcoef(c[:-1, 0], c[1:, 0])[0, 1] for c in (chain, z))
        assert before > 0.95
        assert abs(after) < 0.1

    def test_density_of_the_draws_comes_back_with_them(self):
        z, log_density, moved, _ = jump(draws_of(500, 500), two_modes, np.random.default_rng(5))
        np.testing.assert_allclose(log_density, two_modes(z), rtol=1e-9)
        assert moved.dtype == bool

    def test_proposals_without_density_are_refused(self):
        def half(z):
            with np.errstate(divide="ignore"):
                return np.where(z[:, 0] > 0, norm.logpdf(z[:, 0]), -np.inf)

        start = np.abs(np.random.default_rng(6).standard_normal((1000, 1)))
        z, *_ = jump(start, half, np.random.default_rng(7))
        assert np.all(z > 0)
        assert kstest(2 * norm.cdf(z[:, 0]) - 1, "uniform").pvalue > 0.001

    def test_the_seed_repeats_the_jumps(self):
        first, second = (
            jump(draws_of(300, 300), two_modes, np.random.default_rng(8))[0] for _ in range(2)
        )
        np.testing.assert_array_equal(first, second)

    def test_draws_reach_modes_that_only_others_have_visited(self):
        start = draws_of(2000, 0)
        alone = jump(start, two_modes, np.random.default_rng(10)).positions
        assert np.mean(alone[:, 0] < 0) > 0.99
        shown = jump(start, two_modes, np.random.default_rng(10), visited=draws_of(2000, 2000))
        share = np.mean(shown.positions[:, 0] < 0)
        assert share == pytest.approx(0.75, abs=4 * np.sqrt(0.1875 / 2000))

    def test_the_number_of_cores_changes_nothing(self):
        one, three = (
            jump(draws_of(300, 300), two_modes, np.random.default_rng(11), cores=cores)
            for cores in (1, 3)
        )
        for ours, theirs in zip(one, three, strict=True):
            np.testing.assert_array_equal(ours, theirs)

    def test_few_draws_are_enough_for_a_mixture(self):
        z, *_ = jump(draws_of(12, 8), two_modes, np.random.default_rng(9))
        assert np.all(np.isfinite(z))
