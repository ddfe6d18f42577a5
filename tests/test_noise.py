"""Observation models against SciPy."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
import pytest
import xarray as xr
from scipy.stats import kstest, lognorm, norm

from bayes_bnsl.noise import LogNormal, Noise


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


class TestLogNormal:
    def test_names(self):
        assert LogNormal().name == "LogNormal"
        assert LogNormal().parameters == ("sigma",)
        assert LogNormal() == LogNormal()

    @pytest.mark.parametrize("scale", [1e-4, 0.1, 3.0])
    def test_density_is_that_of_scipy(self, scale):
        log_mu = np.array([-20.0, -1.0, 0.0, 5.0])
        y = np.exp(log_mu + scale * np.array([-3.0, 0.0, 0.5, 2.0]))
        expected = lognorm.logpdf(y, s=scale, scale=np.exp(log_mu))
        np.testing.assert_allclose(LogNormal().log_density(y, log_mu, scale), expected, rtol=1e-9)

    def test_density_broadcasts_by_name(self):
        y = xr.DataArray([1.0, 2.0], dims="obs_id")
        log_mu = xr.DataArray([[0.0], [0.1], [0.2]], dims=("sample", "brk"))
        density = LogNormal().log_density(y, log_mu, 0.5)
        assert dict(density.sizes) == {"obs_id": 2, "sample": 3, "brk": 1}
        expected = lognorm.logpdf(2.0, s=0.5, scale=np.exp(0.2))
        assert density.sel(obs_id=1, sample=2).item() == pytest.approx(expected)

    def test_draws_have_the_density(self):
        log_mu = np.full((20_000, 2), [3.0, -1.0])
        log_y = LogNormal().draw(np.random.default_rng(1), log_mu, np.array([0.1, 2.0]))
        assert log_y.shape == log_mu.shape
        for column, (centre, scale) in enumerate([(3.0, 0.1), (-1.0, 2.0)]):
            assert kstest(log_y[:, column], norm(centre, scale).cdf).pvalue > 1e-3

    def test_each_draw_has_its_own_scale(self):
        scale = np.array([[1e-6], [1.0]])
        log_y = LogNormal().draw(np.random.default_rng(1), np.zeros((2, 1000)), scale)
        np.testing.assert_allclose(log_y.std(axis=1), scale[:, 0], rtol=0.1)


def test_a_noise_must_say_its_density():
    with pytest.raises(TypeError, match="abstract"):
        Noise()
