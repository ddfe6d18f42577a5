"""The filter as an operation of PyTensor, against the dense multivariate normal density."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.stats import multivariate_normal

from bayes_bnsl.kalman import given_earlier

N = 9
RUNS = {
    "one run": np.zeros(N, int),
    "three runs": np.array([0, 1, 0, 2, 2, 0, 1, 1, 0]),
    "a run each": np.arange(N),
}


@pytest.fixture(scope="module", params=["FAST_COMPILE", "NUMBA"])
def filtered(request):
    """Mean, variance, log density of the residuals, and the gradient of that, as one function."""
    inputs = [pt.dvector(), pt.dvector(), pt.dscalar(), pt.dscalar(), pt.dvector(), pt.lvector()]
    residual, variance = inputs[:2]
    mean, spread = given_earlier(*inputs)
    total = spread + variance
    log_density = -0.5 * pt.sum((residual - mean) ** 2 / total + pt.log(2 * np.pi * total))
    outputs = [mean, spread, log_density, *pt.grad(log_density, inputs[:4])]
    return pytensor.function(inputs, outputs, mode=request.param)


def points(run, seed=1):
    generator = np.random.default_rng(seed)
    log_x = np.sort(generator.uniform(0, 3, N))
    log_x[3:6] = log_x[3]
    residual = 0.3 * generator.standard_normal(N)
    return residual, np.exp(generator.uniform(-6, -1, N)), 0.4, 0.7, log_x, RUNS[run]


def covariance(variance, tau, ell, log_x, run):
    process = tau**2 * np.exp(-np.abs(log_x[:, None] - log_x[None, :]) / ell)
    return process * (run[:, None] == run[None, :]) + np.diag(variance)


@pytest.mark.parametrize("run", RUNS)
class TestGivenEarlier:
    def test_factors_the_joint_density(self, filtered, run):
        residual, *others = points(run)
        expected = multivariate_normal(np.zeros(N), covariance(*others)).logpdf(residual)
        assert filtered(residual, *others)[2] == pytest.approx(expected, rel=1e-12)

    def test_each_point_is_told_by_those_before_it(self, filtered, run):
        residual, variance, tau, ell, log_x, of = points(run)
        mean, spread, *_ = filtered(residual, variance, tau, ell, log_x, of)
        whole = covariance(variance, tau, ell, log_x, of)
        for i in range(N):
            gain = np.linalg.solve(whole[:i, :i], whole[:i, i])
            assert mean[i] == pytest.approx(gain @ residual[:i], abs=1e-13)
            assert spread[i] == pytest.approx(tau**2 - gain @ whole[:i, i], rel=1e-10)

    def test_gradient_is_that_of_the_dense_density(self, filtered, run):
        """By the closed form: half of alpha alpha' - C^-1 is the derivative by C."""
        residual, variance, tau, ell, log_x, of = points(run)
        by_residual, by_variance, by_tau, by_ell = filtered(
            residual, variance, tau, ell, log_x, of
        )[3:]
        inverse = np.linalg.inv(covariance(variance, tau, ell, log_x, of))
        alpha = inverse @ residual
        by_covariance = 0.5 * (np.outer(alpha, alpha) - inverse)
        process = covariance(0 * variance, tau, ell, log_x, of)
        distance = np.abs(log_x[:, None] - log_x[None, :])
        np.testing.assert_allclose(by_residual, -alpha, rtol=1e-9)
        np.testing.assert_allclose(by_variance, np.diag(by_covariance), rtol=1e-9)
        assert by_tau == pytest.approx(np.sum(by_covariance * process) * 2 / tau, rel=1e-9)
        by_ell_exact = np.sum(by_covariance * process * distance) / ell**2
        assert by_ell == pytest.approx(by_ell_exact, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("output", [0, 1])
def test_each_output_has_its_own_gradient(output):
    values = points("three runs")
    inputs = [pt.dvector(), pt.dvector(), pt.dscalar(), pt.dscalar(), pt.dvector(), pt.lvector()]
    weights = np.random.default_rng(4).standard_normal(N)
    total = pt.sum(weights * given_earlier(*inputs)[output])
    gradients = pt.grad(total, inputs[:4], disconnected_inputs="ignore")
    function = pytensor.function(inputs, [total, *gradients], mode="FAST_COMPILE")
    exact = np.concatenate([np.ravel(part) for part in function(*values)[1:]])
    at = np.concatenate([np.ravel(value) for value in values[:4]])

    def moved(i, step):
        here = at.copy()
        here[i] += step
        parts = here[:N], here[N : 2 * N], here[-2], here[-1]
        return function(*parts, *values[4:])[0]

    by_differences = [(moved(i, 1e-5) - moved(i, -1e-5)) / 2e-5 for i in range(len(at))]
    np.testing.assert_allclose(exact, by_differences, rtol=1e-4, atol=1e-7)


def test_with_hardly_any_noise_it_is_a_number(filtered):
    residual, variance, *others = points("one run")
    assert np.all(np.isfinite(np.concatenate(
        [np.ravel(part) for part in filtered(residual, 1e-12 * variance, *others)]
    )))  # fmt: skip


def test_without_any_scatter_it_is_no_error(filtered):
    """A climb may look there: it has to see a wall, not an exception."""
    residual, variance, tau, *others = points("one run")
    with np.errstate(invalid="ignore"):
        parts = filtered(residual, 0.0 * variance, 0.0 * tau, *others)
    assert np.isnan(np.ravel(parts[0])).any()
