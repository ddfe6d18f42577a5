"""Curves made by a law whose parameters are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest, norm
from scipy.stats import t as student_t

from bayes_bnsl import BNSL, M1, Correlated, LogNormal, StudentT, simulate
from problems import PROBLEMS

LINE = {"a": 2.0, "b": -0.5}


@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_without_noise_the_points_lie_on_the_law(problem):
    curve = simulate(problem.law, problem.theta, problem.x)
    np.testing.assert_array_equal(curve.x, problem.x)
    np.testing.assert_allclose(curve.y, problem.law(problem.x, problem.theta), rtol=1e-14)


def test_noise_is_lognormal_about_the_law():
    x = np.geomspace(1, 1e6, 5000)
    curve = simulate(M1(), LINE, x, noise=0.1, seed=3)
    residual = curve.log_y - np.log(M1()(x, LINE))
    assert kstest(residual, norm(0, 0.1).cdf).pvalue > 1e-3


def test_a_number_is_the_sigma_of_lognormal_noise():
    x = np.geomspace(1, 100, 8)
    model = simulate(M1(), LINE | {"sigma": 0.1}, x, LogNormal(), seed=1)
    assert model == simulate(M1(), LINE, x, 0.1, seed=1)


def test_noise_may_have_tails():
    x = np.geomspace(1, 1e6, 5000)
    curve = simulate(M1(), LINE | {"sigma": 0.1, "nu": 2.0}, x, StudentT(), seed=3)
    residual = (curve.log_y - np.log(M1()(x, LINE))) / 0.1
    assert kstest(residual, student_t(2).cdf).pvalue > 1e-3


def test_noise_may_change_along_x():
    x = np.geomspace(1, 1e6, 5000)
    ends = {"sigma_first": 0.1, "sigma_last": 0.001}
    curve = simulate(M1(), LINE | ends, x, LogNormal(changing=True), seed=3)
    scale = 0.1 * 0.01 ** (np.log(x) / np.log(1e6))
    residual = (curve.log_y - np.log(M1()(x, LINE))) / scale
    assert kstest(residual, norm.cdf).pvalue > 1e-3


def test_correlated_residuals_hang_together_within_a_run():
    """Whitened with the covariance of the process they are standard normal."""
    x = np.geomspace(1, 1e3, 400)
    run = ["left", "right"] * 200
    theta = LINE | {"sigma": 0.02, "tau": 0.1, "ell": 0.5}
    curve = simulate(M1(), theta, x, Correlated(), seed=3, run=run)
    assert curve.run.tolist() == run
    u = np.log(x)
    covariance = 0.01 * np.exp(-2 * np.abs(u[:, None] - u[None, :]))
    covariance *= curve.run[:, None] == curve.run[None, :]
    covariance += 0.02**2 * np.eye(400)
    residual = curve.log_y - np.log(M1()(x, LINE))
    white = np.linalg.solve(np.linalg.cholesky(covariance), residual)
    assert kstest(white, norm.cdf).pvalue > 1e-3
    assert np.corrcoef(residual[:-2], residual[2:])[0, 1] > 0.8
    assert abs(np.corrcoef(residual[::2], residual[1::2])[0, 1]) < 0.5


def test_a_seed_repeats_the_noise():
    x = np.geomspace(1, 100, 8)
    one, again, other = (simulate(M1(), LINE, x, noise=0.1, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other
    assert simulate(M1(), LINE, x, noise=0.1) != simulate(M1(), LINE, x, noise=0.1)


def test_x_may_come_in_any_order():
    curve = simulate(M1(), LINE, [100.0, 1.0])
    np.testing.assert_allclose(curve.y, [2.0, 0.2])


def test_the_logarithm_stands_for_a_parameter_that_overflows():
    theta = {"a": 0.0, "log_b": 829.0, "c0": 60.0}
    curve = simulate(BNSL(0), theta, [1e6, 1e7])
    np.testing.assert_allclose(curve.log_y, 829 - 60 * np.log([1e6, 1e7]))


def test_a_curve_may_have_a_name():
    assert simulate(M1(), LINE, [1.0, 2.0], name="toy").name == "toy"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"noise": -0.1}, ValueError, "noise must be zero or more; got -0.1"),
        ({"noise": np.nan}, ValueError, "noise must be zero or more; got nan"),
        ({"theta": {"a": 2.0}}, ValueError, "theta lacks b; M1 has a, b"),
        (
            {"noise": Correlated(), "theta": LINE | {"sigma": 0.1}},
            ValueError,
            "theta lacks tau, ell; Correlated noise has sigma, tau, ell",
        ),
        (
            {"noise": StudentT(), "theta": LINE | {"sigma": 0.1, "nu": -1}},
            ValueError,
            "nu must be zero or more; got -1",
        ),
        ({"x": [1.0, 0.0]}, ValueError, "x must hold positive numbers, but 1 of 2 is zero"),
        ({"x": "text"}, ValueError, "x must be one-dimensional"),
        (
            {"theta": {"a": -2.0, "b": 1.0}},
            ValueError,
            "y must hold.*but 2 of 2 are NaN",
        ),
    ],
)
def test_refuses_what_makes_no_curve(arguments, error, message):
    with pytest.raises(error, match=message):
        simulate(**{"law": M1(), "theta": LINE, "x": [1.0, 10.0]} | arguments)
