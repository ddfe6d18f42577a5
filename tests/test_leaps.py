"""Leaps leave a density as it is, and follow Hamilton's equations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest, norm

from bayes_bnsl import BNSL, LogNormal, load_curve
from bayes_bnsl import model as models
from bayes_bnsl.compiled import compile_law
from bayes_bnsl.leaps import FIRST_STEP, TARGET, Ends, leap
from bayes_bnsl.priors import Scale


def leapfrog(log_density):
    """Trajectories in plain NumPy; ``log_density(z)`` returns the density and its gradient."""

    def one(position, momentum, size, count, metric):
        value, slope = log_density(position)
        before = value - momentum @ momentum / 2
        for _ in range(count):
            momentum = momentum + size / 2 * metric.T @ slope
            position = position + size * metric @ momentum
            value, slope = log_density(position)
            momentum = momentum + size / 2 * metric.T @ slope
        return position, value, value - momentum @ momentum / 2 - before

    def many(positions, momenta, sizes, counts, metric):
        rows = zip(positions, momenta, sizes, counts, strict=True)
        ends = [one(*row, metric) for row in rows]
        return Ends(*(np.array(each) for each in zip(*ends, strict=True)))

    return many


def standard_normal(z):
    return float(norm.logpdf(z).sum()), -z


def ridge(z):
    """The second coordinate winds with the first."""
    off = (z[1] - np.sin(2 * z[0])) / 0.3
    slope = np.array([-z[0] + off * 2 * np.cos(2 * z[0]) / 0.3, -off / 0.3])
    return -0.5 * z[0] ** 2 - 0.5 * off**2, slope


def draws_of_ridge(count, generator):
    first = generator.standard_normal(count)
    return np.stack([first, np.sin(2 * first) + 0.3 * generator.standard_normal(count)], axis=1)


class TestLeap:
    def test_draws_of_a_density_stay_draws_of_it(self):
        generator = np.random.default_rng(1)
        before = draws_of_ridge(2000, generator)
        after, _ = leap(before, leapfrog(ridge), np.diag([1.0, 0.7]), 0.2, generator)
        assert np.mean(np.any(after != before, axis=1)) > 0.9
        assert kstest(after[:, 0], norm.cdf).pvalue > 0.001
        assert kstest((after[:, 1] - np.sin(2 * after[:, 0])) / 0.3, norm.cdf).pvalue > 0.001

    def test_draws_that_are_off_come_nearer(self):
        generator = np.random.default_rng(2)
        z, step = np.full((500, 3), 2.0), 0.3
        for _ in range(4):
            z, step = leap(z, leapfrog(standard_normal), np.eye(3), step, generator)
        assert np.all(np.abs(z.mean(axis=0)) < 4 / np.sqrt(500))
        assert np.all(np.abs(z.std(axis=0) - 1) < 4 / np.sqrt(1000))

    @pytest.mark.parametrize("first", [0.01, 5.0])
    def test_steps_come_to_be_as_large_as_they_may(self, first):
        generator = np.random.default_rng(3)
        z, step = generator.standard_normal((200, 10)), first
        for _ in range(8):
            z, step = leap(z, leapfrog(standard_normal), np.eye(10), step, generator)
        momenta, sizes = generator.standard_normal(z.shape), step * generator.uniform(0.4, 1.2, 200)
        ends = leapfrog(standard_normal)(
            z, momenta, sizes, generator.integers(1, 16, 200), np.eye(10)
        )
        accepted = np.exp(np.minimum(ends.energy_lost, 0)).mean()
        assert accepted == pytest.approx(TARGET, abs=0.12)

    def test_ends_without_density_are_refused(self):
        def half(z):
            inside = z[0] > 0
            return (norm.logpdf(z[0]) if inside else np.nan), -z

        generator = np.random.default_rng(4)
        start = np.abs(generator.standard_normal((1000, 1)))
        z, _ = leap(start, leapfrog(half), np.eye(1), 0.5, generator)
        assert np.all(z > 0)
        assert kstest(2 * norm.cdf(z[:, 0]) - 1, "uniform").pvalue > 0.001

    def test_the_draws_it_is_given_stay_as_they_are(self):
        z = np.zeros((10, 2))
        leap(z, leapfrog(standard_normal), np.eye(2), FIRST_STEP, np.random.default_rng(5))
        assert not z.any()


@pytest.fixture(scope="module")
def problem():
    curve, law, noise = load_curve("four_digit_addition"), BNSL(1), LogNormal()
    compiled = compile_law(curve, law, noise, {})
    data = models.model_data(curve, law, noise, {}, Scale.of(curve))
    generator = np.random.default_rng(6)
    positions = compiled.draw_prior(data, generator, 7)
    momenta = generator.standard_normal(positions.shape)
    metric = 0.1 * np.tril(generator.standard_normal((positions.shape[1],) * 2))
    return compiled, data, (positions, momenta, np.full(7, 0.02), np.arange(1, 8), metric)


class TestCompiledTrajectories:
    def test_they_are_leapfrog_steps(self, problem):
        compiled, data, start = problem
        ends = compiled.trajectories(data, cores=1)(*start)
        expected = leapfrog(compiled.log_density(data))(*start)
        for found, right in zip(ends, expected, strict=True):
            np.testing.assert_allclose(found, right, rtol=1e-8, atol=1e-8)

    def test_threads_change_nothing(self, problem):
        compiled, data, start = problem
        one, three = (compiled.trajectories(data, cores)(*start) for cores in (1, 3))
        for alone, together in zip(one, three, strict=True):
            np.testing.assert_array_equal(alone, together)

    def test_density_at_many_positions(self, problem):
        compiled, data, (positions, *_) = problem
        expected = [compiled.log_density(data)(each)[0] for each in positions]
        found = compiled.log_densities(data, cores=2)(positions)
        np.testing.assert_allclose(found, expected, rtol=1e-9)
