"""Observation models against SciPy."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
import pytest
import xarray as xr
from scipy.stats import kstest, lognorm, norm, t

from bayes_bnsl.curve import Curve
from bayes_bnsl.noise import Noise, Points, log_density
from bayes_bnsl.noises import BestSoFar, Correlated, LogNormal, StudentT
from bayes_bnsl.process import given_others


class TestScale:
    def test_is_sigma_without_standard_errors(self):
        assert LogNormal().scale({"sigma": 0.3}) == 0.3

    def test_adds_standard_errors_in_quadrature(self):
        scale = LogNormal().scale({"sigma": 0.3}, np.array([0.0, 0.4]))
        np.testing.assert_allclose(scale, [0.3, 0.5], rtol=1e-15)

    def test_serves_pytensor(self):
        scale = LogNormal().scale({"sigma": pt.constant(0.3)}, pt.constant([0.0, 0.4]), pt)
        np.testing.assert_allclose(scale.eval(), [0.3, 0.5], rtol=1e-15)

    def test_serves_labelled_draws(self):
        sigma = xr.DataArray([0.3, 0.6], dims="sample")
        log_se = xr.DataArray([0.0, 0.4, 0.8], dims="obs_id")
        scale = LogNormal().scale({"sigma": sigma}, log_se)
        assert scale.dims == ("sample", "obs_id")
        assert float(scale[1, 2]) == pytest.approx(1.0)


class TestChangingScale:
    """Sigma that changes along x."""

    def test_is_log_linear_between_the_ends(self):
        theta = {"sigma_first": 0.1, "sigma_last": 0.001}
        scale = LogNormal(changing=True).scale(theta, place=np.array([0.0, 0.5, 1.0]))
        np.testing.assert_allclose(scale, [0.1, 0.01, 0.001], rtol=1e-12)

    def test_adds_standard_errors_in_quadrature(self):
        theta = {"sigma_first": 0.3, "sigma_last": 0.4}
        scale = StudentT(changing=True).scale(theta, 0.4, place=np.array([0.0, 1.0]))
        np.testing.assert_allclose(scale, [0.5, 0.4 * 2**0.5], rtol=1e-12)

    def test_serves_labelled_draws(self):
        theta = {
            f"sigma_{end}": xr.DataArray([0.3, 0.6], dims="sample") for end in ("first", "last")
        }
        place = xr.DataArray([0.0, 0.3, 1.0], dims="x")
        scale = Correlated(changing=True).scale(theta, place=place)
        assert dict(scale.sizes) == {"x": 3, "sample": 2}
        np.testing.assert_allclose(scale.sel(sample=1), 0.6)

    @pytest.mark.parametrize("kind", [LogNormal, StudentT, Correlated])
    def test_replaces_sigma_by_two(self, kind):
        plain, changing = kind(), kind(changing=True)
        assert plain != changing
        assert plain.parameters[0] == "sigma"
        assert changing.parameters == ("sigma_first", "sigma_last", *plain.parameters[1:])
        assert changing.name == f"{plain.name}(changing=True)"


class TestLogDensity:
    @pytest.mark.parametrize("scale", [1e-4, 0.1, 3.0])
    def test_is_that_of_scipy(self, scale):
        log_mu = np.array([-20.0, -1.0, 0.0, 5.0])
        y = np.exp(log_mu + scale * np.array([-3.0, 0.0, 0.5, 2.0]))
        expected = lognorm.logpdf(y, s=scale, scale=np.exp(log_mu))
        np.testing.assert_allclose(log_density(y, log_mu, scale), expected, rtol=1e-9)

    @pytest.mark.parametrize("nu", [0.7, 4.0, 1e4])
    def test_with_degrees_of_freedom_it_is_that_of_students_t(self, nu):
        log_mu = np.array([-20.0, -1.0, 0.0, 5.0])
        y = np.exp(log_mu + 0.1 * np.array([-30.0, 0.0, 0.5, 2.0]))
        expected = t.logpdf(np.log(y), nu, loc=log_mu, scale=0.1) - np.log(y)
        np.testing.assert_allclose(log_density(y, log_mu, 0.1, nu), expected, rtol=1e-8)

    def test_broadcasts_by_name(self):
        y = xr.DataArray([1.0, 2.0], dims="obs_id")
        log_mu = xr.DataArray([[0.0], [0.1], [0.2]], dims=("sample", "brk"))
        nu = xr.DataArray([3.0, 4.0, 5.0], dims="sample")
        density = log_density(y, log_mu, 0.5, nu)
        assert dict(density.sizes) == {"obs_id": 2, "sample": 3, "brk": 1}
        expected = t.logpdf(np.log(2.0), 5.0, loc=0.2, scale=0.5) - np.log(2.0)
        assert density.sel(obs_id=1, sample=2).item() == pytest.approx(expected)


THETA = {
    "sigma": np.full(20_000, 0.2), "nu": np.full(20_000, 3.0),
    "tau": np.full(20_000, 0.5), "ell": np.full(20_000, 1.5),
}  # fmt: skip


def drawn(noise, log_x, seen=None, seed=1):
    scale = np.full((20_000, len(log_x)), 0.2)
    return noise.ahead(THETA, np.array(log_x), scale, seen, np.random.default_rng(seed))


class TestBestSoFar:
    X = (1, 2, 4, 8, 16, 32)

    def test_bounds_are_where_a_run_stays_where_it_was(self):
        falling = Curve(self.X, [9, 8, 8, 7, 7, 7])
        np.testing.assert_array_equal(BestSoFar().bounds(falling), [0, 0, 1, 0, 1, 1])
        rising = Curve(self.X, [1, 2, 2, 3, 3, 4])
        np.testing.assert_array_equal(BestSoFar().bounds(rising), [0, 0, -1, 0, -1, 0])
        two = Curve(self.X, [9, 9, 8, 9, 8, 7], run=list("ababab"))
        np.testing.assert_array_equal(BestSoFar().bounds(two), [0, 0, 0, 1, 1, 0])
        assert LogNormal().bounds(falling) is None

    def test_reported_is_the_best_up_to_each_point(self):
        measured = np.array([[3.0, 1.0, 2.0], [1.0, 2.0, 3.0]])
        low, high = (BestSoFar().reported(measured, falls=falls) for falls in (True, False))
        np.testing.assert_array_equal(low, [[3, 1, 1], [1, 1, 1]])
        np.testing.assert_array_equal(high, [[3, 3, 3], [1, 2, 3]])
        assert LogNormal().reported(measured, falls=True) is measured


class TestAhead:
    """Residuals of new observations."""

    @pytest.mark.parametrize(
        ("noise", "law"),
        [
            (LogNormal(), norm(0, 0.2)),
            (StudentT(), t(3, 0, 0.2)),
            (Correlated(), norm(0, 0.29**0.5)),
        ],
        ids=lambda value: getattr(value, "name", ""),
    )
    def test_scatter_as_the_noise_says(self, noise, law):
        location, scale, residual = drawn(noise, [0.0, 100.0])
        assert np.all(location == 0)
        np.testing.assert_allclose(scale, 0.29**0.5 if noise == Correlated() else 0.2)
        for column in residual.T:
            assert kstest(column, law.cdf).pvalue > 1e-3
        assert abs(np.corrcoef(residual.T)[0, 1]) < 4 / 20_000**0.5

    def test_each_draw_has_its_own_scale(self):
        scale = np.repeat([[1e-6], [1.0]], 5000, axis=1)
        *_, residual = LogNormal().ahead({}, np.zeros(5000), scale, None, np.random.default_rng(1))
        np.testing.assert_allclose(residual.std(axis=1), scale[:, 0], rtol=0.1)

    def test_correlated_ones_at_one_x_share_the_process(self):
        *_, residual = drawn(Correlated(), [1.0, 1.0, 2.5])
        expected = np.array(
            [[0.29, 0.25, 0.25 / np.e], [0.25, 0.29, 0.25 / np.e], 2 * [0.25 / np.e] + [0.29]]
        )
        np.testing.assert_allclose(np.cov(residual.T), expected, atol=0.01)

    def test_correlated_ones_carry_the_last_residual_forward(self):
        seen = Points(np.array([0.0]), np.full((20_000, 1), 0.6), np.full((20_000, 1), 0.2))
        location, scale, residual = drawn(Correlated(), [0.0, 1.5, 90.0], seen)
        share = 0.25 / 0.29  # of what was seen that is the process
        expected = 0.6 * share * np.array([1, 1 / np.e, 0])
        np.testing.assert_allclose(location, np.broadcast_to(expected, (20_000, 3)), atol=1e-12)
        variance = 0.25 * (1 - share * np.exp(-2 * np.array([0, 1, 60]))) + 0.04
        np.testing.assert_allclose(scale**2, np.broadcast_to(variance, (20_000, 3)))
        for column, mean, square in zip(residual.T, expected, variance, strict=True):
            assert kstest(column, norm(mean, square**0.5).cdf).pvalue > 1e-3

    @pytest.mark.parametrize("noise", [LogNormal(), StudentT()], ids=str)
    def test_independent_ones_forget_what_was_seen(self, noise):
        seen = Points(np.array([0.0]), np.full((20_000, 1), 0.6), np.full((20_000, 1), 0.2))
        for one, other in zip(drawn(noise, [0.0], seen), drawn(noise, [0.0]), strict=True):
            np.testing.assert_array_equal(one, other)


class TestGivenOthers:
    points = Points(
        np.array([0.0, 0.3, 0.3, 2.0]),
        np.array([[0.2, -0.1, 0.4, 0.3], [1.0, 0.0, 0.1, -2.0]]),
        np.array([[0.2, 0.1, 0.1, 0.3], [0.5, 0.5, 0.5, 0.5]]),
    )

    @pytest.mark.parametrize("noise", [LogNormal(), StudentT(changing=True)], ids=str)
    def test_independent_residuals_say_nothing_of_each_other(self, noise):
        location, scale = noise.expected(given_others, {}, self.points)
        assert np.all(location == 0)
        np.testing.assert_array_equal(scale, self.points.scale)

    def test_correlated_residuals_do(self):
        theta = {"tau": np.array([0.3, 0.5]), "ell": np.array([1.0, 0.2])}
        location, scale = Correlated().expected(given_others, theta, self.points)
        for i, (tau, ell) in enumerate(zip(*theta.values(), strict=True)):
            distance = np.abs(np.subtract.outer(self.points.log_x, self.points.log_x))
            whole = tau**2 * np.exp(-distance / ell) + np.diag(self.points.scale[i] ** 2)
            inverse = np.linalg.inv(whole)
            # Sundararajan and Keerthi, "Predictive approaches for choosing hyperparameters" (2001)
            left_out = self.points.residual[i] - (inverse @ self.points.residual[i]) / np.diag(
                inverse
            )
            np.testing.assert_allclose(location[i], left_out, rtol=1e-9)
            np.testing.assert_allclose(scale[i], np.diag(inverse) ** -0.5, rtol=1e-9)


def test_a_noise_must_name_its_parameters():
    with pytest.raises(TypeError, match="abstract"):
        Noise()
