"""The Ornstein-Uhlenbeck process against dense Gaussian conditionals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, multivariate_normal, norm

from bayes_bnsl.process import continued, given_earlier, given_others

LOG_X = np.array([0.0, 0.1, 0.1, 0.5, 1.3, 1.3, 1.3, 4.0])
TAU, ELL = np.array([0.3, 1.0]), np.array([0.2, 2.0])


def kernel(tau, ell, one, other):
    return tau**2 * np.exp(-np.abs(one[:, None] - other[None, :]) / ell)


def conditional(tau, ell, residual, variance, seen, new):
    """Return mean and covariance of the process at new points, by dense linear algebra."""
    noisy = kernel(tau, ell, seen, seen) + np.diag(variance)
    gain = np.linalg.solve(noisy, kernel(tau, ell, seen, new)).T
    return gain @ residual, kernel(tau, ell, new, new) - gain @ kernel(tau, ell, seen, new)


@pytest.fixture(scope="module")
def observed():
    """Residuals and variances of the noise of two draws, which differ from point to point."""
    generator = np.random.default_rng(1)
    shape = (len(LOG_X), 2)
    return generator.standard_normal(shape), np.exp(generator.uniform(-8, 1, shape))


def test_each_point_given_all_others(observed):
    residual, variance = observed
    mean, spread = given_others(residual, variance, TAU, ELL, LOG_X)
    for draw in range(2):
        for i in range(len(LOG_X)):
            others = np.arange(len(LOG_X)) != i
            expected, covariance = conditional(
                TAU[draw], ELL[draw], residual[others, draw], variance[others, draw],
                LOG_X[others], LOG_X[[i]],
            )  # fmt: skip
            assert mean[i, draw] == pytest.approx(expected.item(), rel=1e-9)
            assert spread[i, draw] == pytest.approx(covariance.item(), rel=1e-9)


def test_one_after_the_other_they_are_all_together(observed):
    """The densities of the points, each given those before, multiply to that of all of them."""
    residual, variance = observed
    mean, spread = given_earlier(residual, variance, TAU, ELL, LOG_X)
    one_by_one = norm.logpdf(residual, mean, np.sqrt(spread + variance)).sum(axis=0)
    for draw in range(2):
        covariance = kernel(TAU[draw], ELL[draw], LOG_X, LOG_X) + np.diag(variance[:, draw])
        together = multivariate_normal.logpdf(residual[:, draw], cov=covariance)
        assert one_by_one[draw] == pytest.approx(together, rel=1e-9)


def test_a_point_alone_knows_the_stationary_spread():
    mean, spread = given_others(np.ones((1, 2)), np.ones((1, 2)), TAU, ELL, np.zeros(1))
    np.testing.assert_array_equal(mean, 0)
    np.testing.assert_allclose(spread, [TAU**2])


@pytest.mark.parametrize("noise", [1e-14, 1e6])
def test_with_hardly_any_noise_or_process_it_is_a_number(noise):
    residual = np.random.default_rng(2).standard_normal((len(LOG_X), 2))
    mean, spread = given_others(residual, np.full(residual.shape, noise), TAU, ELL, LOG_X)
    assert np.all(np.isfinite(mean))
    assert np.all(spread > 0)
    assert np.all(spread <= TAU**2)


NEW = np.array([4.5, 0.3, 10.0, 1.3, -1.0, 4.5])  # between, at, before and beyond; twice the same


class TestContinued:
    def test_is_the_conditional_of_the_points_seen(self, observed):
        residual, variance = observed
        mean, spread, _ = continued(
            np.random.default_rng(1), residual, variance, TAU, ELL, LOG_X, NEW
        )
        for draw in range(2):
            expected, covariance = conditional(
                TAU[draw], ELL[draw], residual[:, draw], variance[:, draw], LOG_X, NEW
            )
            np.testing.assert_allclose(mean[:, draw], expected, rtol=1e-9)
            np.testing.assert_allclose(spread[:, draw], np.diag(covariance), rtol=1e-9)

    @pytest.mark.parametrize("n_seen", [0, len(LOG_X)])
    def test_paths_are_drawn_jointly(self, observed, n_seen):
        n, new = 4000, NEW[:-1]
        residual, variance = (np.repeat(part[:n_seen, :1], n, axis=1) for part in observed)
        tau, ell = np.full(n, TAU[0]), np.full(n, ELL[0])
        seen = LOG_X[:n_seen]
        *_, path = continued(np.random.default_rng(3), residual, variance, tau, ell, seen, new)
        mean, covariance = conditional(TAU[0], ELL[0], residual[:, 0], variance[:, 0], seen, new)
        # squared Mahalanobis lengths of the mean, and of each draw
        law = multivariate_normal(mean, covariance / n)
        assert -2 * law.logpdf(path.mean(axis=1)) + 2 * law.logpdf(mean) < chi2(5).ppf(0.999)
        np.testing.assert_allclose(np.cov(path), covariance, atol=5 * TAU[0] ** 2 / n**0.5)

    def test_the_same_x_has_the_same_value(self, observed):
        *_, path = continued(np.random.default_rng(3), *observed, TAU, ELL, LOG_X, NEW)
        np.testing.assert_allclose(path[0], path[-1], rtol=1e-9)

    def test_far_away_the_points_are_forgotten(self, observed):
        far = np.array([LOG_X[-1] + 60 * ELL.max()])
        mean, spread, _ = continued(np.random.default_rng(3), *observed, TAU, ELL, LOG_X, far)
        np.testing.assert_allclose(mean, 0, atol=1e-12)
        np.testing.assert_allclose(spread, [TAU**2])
