"""The modes of a posterior: on hills whose tops are known, and on the laws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from bayes_bnsl import BNSL, M1, M4, LogNormal
from bayes_bnsl import model as models
from bayes_bnsl.compiled import compile_law
from bayes_bnsl.draws import Problem
from bayes_bnsl.noise import log_density
from bayes_bnsl.optimum import Mode, around, find_modes
from bayes_bnsl.priors import Scale
from problems import NAMED, log_shrinks, simulated

TOPS = np.array([[-3.0, 1.0], [3.0, 0.0], [0.0, -4.0]])
HEIGHTS = np.log([0.2, 0.5, 0.3])


def hills(position):
    """Return log density and gradient of three unit normals in a plane."""
    away = position - TOPS
    each = HEIGHTS - 0.5 * np.sum(away**2, axis=1) - np.log(2 * np.pi)
    total = logsumexp(each)
    return float(total), -np.exp(each - total) @ away


def starts_everywhere(n=20, seed=1):
    return 4 * np.random.default_rng(seed).standard_normal((n, 2))


class TestFindModes:
    def test_finds_every_hill_highest_first(self):
        modes = find_modes(hills, starts_everywhere())
        order = np.argsort(-HEIGHTS)
        np.testing.assert_allclose([mode.position for mode in modes], TOPS[order], atol=0.01)
        expected = HEIGHTS[order] - np.log(2 * np.pi)
        np.testing.assert_allclose([mode.log_density for mode in modes], expected, atol=1e-3)

    def test_climbs_that_meet_are_one_mode(self):
        starts = np.array([[-3.5, 1.0], [-2.5, 1.0], [-3.0, 2.0]])
        assert len(find_modes(hills, starts)) == 1

    def test_modes_that_are_not_apart_are_one(self):
        assert len(find_modes(hills, starts_everywhere(), apart=100.0)) == 1

    def test_gradient_is_zero_at_each(self):
        for mode in find_modes(hills, starts_everywhere()):
            assert np.max(np.abs(hills(mode.position)[1])) < 1e-4

    def test_turns_back_at_the_edge_of_the_support(self):
        def half(position):
            if position[0] < 0:
                return -np.inf, np.full(1, np.nan)
            return float(2 * np.log(position[0]) - position[0]), 2 / position - 1

        (mode,) = find_modes(half, np.array([[0.1], [-1.0], [8.0]]))
        assert mode.position == pytest.approx([2.0], abs=1e-4)

    def test_refuses_a_density_that_is_zero_everywhere(self):
        with pytest.raises(ValueError, match=r"density is zero at every start.*compare them"):
            find_modes(lambda z: (-np.inf, np.zeros_like(z)), starts_everywhere())

    def test_a_climb_may_be_cut_short(self):
        (mode,) = find_modes(hills, np.array([[30.0, 30.0]]), iterations=1)
        assert np.max(np.abs(mode.position - TOPS[1])) > 0.1


class Posterior:
    """The posterior of a law with default priors, at positions of the sampler."""

    def __init__(self, name, law, **settings):
        self.curve, self.law = simulated(name, **settings), law
        self.compiled = compile_law(self.curve, law, LogNormal(), {})
        self.data = models.model_data(self.curve, law, LogNormal(), {}, Scale.of(self.curve))
        self.log_density = self.compiled.log_density(self.data)

    def starts(self, n, seed=1):
        return self.compiled.draw_prior(self.data, np.random.default_rng(seed), n)

    def coordinates(self, position):
        return self.compiled.values(self.data, position[None, None])

    def theta(self, position):
        problem = Problem(self.curve, self.law, LogNormal(), {}, Scale.of(self.curve))
        parameters = problem.parameters(self.coordinates(position))
        return {name: value[0, 0] for name, value in parameters.items()}


LAWS = [
    ("four-digit addition", BNSL(1)),
    ("steep: b overflows", BNSL(1)),
    ("power law to a limit", BNSL(0)),
    ("M4, alpha above 1", M4()),
]
each_law = pytest.mark.parametrize(("name", "law"), LAWS, ids=str)


class TestLogDensity:
    @each_law
    def test_gradient_is_that_of_differences(self, name, law):
        posterior = Posterior(name, law)
        step = 1e-6
        for position in 0.5 * posterior.starts(4):
            gradient = posterior.log_density(position)[1].copy()
            for i, exact in enumerate(gradient):
                there, back = position.copy(), position.copy()
                there[i] += step
                back[i] -= step
                rise = posterior.log_density(there)[0] - posterior.log_density(back)[0]
                assert rise / (2 * step) == pytest.approx(
                    exact, rel=1e-5, abs=1e-5 * np.abs(gradient).max()
                )

    @each_law
    def test_is_prior_times_likelihood(self, name, law):
        posterior = Posterior(name, law)
        curve = posterior.curve
        for position in posterior.starts(3, seed=2):
            theta, z = posterior.theta(position), posterior.coordinates(position)
            assert sum(value.size for value in z.values()) == len(position)
            prior = sum(norm.logpdf(value).sum() for value in z.values())
            log_mu = law.log_mu(curve.log_x, theta)
            likelihood = log_density(curve.y, log_mu, theta["sigma"]).sum()
            own = {name: value[0, 0] for name, value in z.items()}
            expected = prior + likelihood + log_shrinks(curve, theta, own)
            assert posterior.log_density(position)[0] == pytest.approx(expected, rel=1e-9)


class TestModesOfLaws:
    @each_law
    def test_gradient_is_zero_at_each(self, name, law):
        posterior = Posterior(name, law)
        modes = find_modes(posterior.log_density, posterior.starts(16))
        assert modes[0].log_density == max(mode.log_density for mode in modes)
        for mode in modes:
            value, gradient = posterior.log_density(mode.position)
            assert value == pytest.approx(mode.log_density)
            assert np.max(np.abs(gradient)) < 0.1

    def test_without_noise_they_are_the_truth(self):
        law, true = BNSL(1), NAMED["one break"].theta
        posterior = Posterior("one break", law, noise=0.0)
        best = find_modes(posterior.log_density, posterior.starts(16), iterations=3000)[0]
        theta = posterior.theta(best.position)
        for name, value in true.items():
            assert theta[name] == pytest.approx(value, rel=0.02), name
        far = posterior.curve.log_x[-1] + np.log(100)
        assert law.log_mu(far, theta) == pytest.approx(law.log_mu(far, true), abs=1e-3)


def test_priors_that_exclude_the_data_are_named(fit_line, line_curve):
    """The density of a slope that overflows is zero wherever one starts."""
    with pytest.raises(ValueError, match=r"zero at every start\. The priors may exclude the data"):
        fit_line(line_curve, law=M1(), priors={"sigma": 1e-200}, seed=1)


class TestAround:
    def test_draws_have_the_covariance_of_a_normal_posterior(self):
        covariance = np.array([[1e-4, 9e-4], [9e-4, 0.04]])
        precision, top = np.linalg.inv(covariance), np.array([0.3, -1.0])

        def log_density(z):
            return float(-0.5 * (z - top) @ precision @ (z - top)), -precision @ (z - top)

        draws = around(Mode(0.0, top), log_density, 20_000, np.random.default_rng(1))
        np.testing.assert_allclose(draws.mean(axis=0), top, atol=0.01)
        np.testing.assert_allclose(np.cov(draws.T), covariance, rtol=0.05)

    def test_where_the_density_is_flat_or_bends_upward_the_prior_bounds_it(self):
        def log_density(z):
            return float(0.5 * z[0] ** 2 - 50 * z[1] ** 2), np.array([z[0], -100 * z[1]])

        draws = around(Mode(0.0, np.zeros(2)), log_density, 20_000, np.random.default_rng(2))
        np.testing.assert_allclose(draws.std(axis=0), [1.0, 0.1], rtol=0.03)

    def test_at_a_wall_every_draw_has_a_density(self):
        def log_density(z):
            if z[0] > 0:
                return -np.inf, np.full(1, np.nan)
            return float(-0.5 * (z[0] - 1) ** 2), 1 - z

        draws = around(Mode(-0.5, np.zeros(1)), log_density, 500, np.random.default_rng(3))
        assert np.all(draws <= 0)
        assert np.mean(draws < 0) == pytest.approx(0.5, abs=0.1)
