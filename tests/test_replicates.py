"""Draws of the prior, and points of prior and posterior."""

from __future__ import annotations

import arviz_plots as azp
import arviz_stats as azs
import numpy as np
import pytest
from scipy.stats import kstest, norm

import bayes_bnsl as bb
from bayes_bnsl.replicates import new_points, prior_draws


def test_prior_of_the_users_has_its_distribution(own_fit):
    draws = prior_draws(own_fit, draws=4000, seed=2)
    assert kstest(draws["c0"].values.ravel(), norm(0.2, 0.01).cdf).pvalue > 0.001
    sigma = draws["sigma"].values.ravel()
    inside = norm(0, 0.05).cdf([0, 0.1])

    def half_normal(value):
        return (norm(0, 0.05).cdf(value) - inside[0]) / np.ptp(inside)

    assert kstest(sigma, half_normal).pvalue > 0.001
    assert sigma.max() < 0.1


def test_default_priors_are_those_that_curves_are_drawn_from(addition_fit):
    """Independent way: `draw_curve` makes one curve after another."""
    draws = prior_draws(addition_fit, draws=3000, seed=1)
    assert set(draws) == set(addition_fit.posterior)
    assert draws["c"].sizes == {"chain": 1, "draw": 3000, "brk": 1}
    curve, law = addition_fit.curve, addition_fit.law
    others = [
        bb.draw_curve(law, curve.x, scale=addition_fit.scale, seed=seed)[1] for seed in range(400)
    ]
    for name in ("a", "c0", "c", "d", "f", "sigma"):
        one, other = draws[name].values.ravel(), np.ravel([theta[name] for theta in others])
        places = np.searchsorted(np.sort(one), other) / one.size
        assert kstest(places, "uniform").pvalue > 1e-3, name


def test_points_of_the_posterior_scatter_as_the_noise_says(conjugate, conjugate_fit):
    """All is normal: a new point has the variance of the line and of the noise."""
    tree = bb.replicate(conjugate_fit, draws=4000, seed=3)
    log_y = np.log(tree["posterior_predictive"]["y"].values[0])
    u = conjugate.curve.log_x
    design = np.stack([np.ones_like(u), u], axis=-1)
    precision = design.T @ design / conjugate.sigma**2 + np.eye(2) / conjugate.prior_sd**2
    covariance = np.linalg.inv(precision)
    mean = design @ covariance @ design.T @ conjugate.curve.log_y / conjugate.sigma**2
    sd = np.sqrt(np.diag(design @ covariance @ design.T) + conjugate.sigma**2)
    np.testing.assert_allclose(log_y.mean(axis=0), mean, atol=5 * sd.max() / np.sqrt(4000))
    np.testing.assert_allclose(log_y.std(axis=0), sd, rtol=0.06)
    prior = np.log(tree["prior_predictive"]["y"].values[0])
    of_prior = np.sqrt(np.diag(design @ design.T) * conjugate.prior_sd**2 + conjugate.sigma**2)
    np.testing.assert_allclose(prior.std(axis=0), of_prior, rtol=0.06)


def test_arviz_takes_the_tree(line_fit):
    tree = bb.replicate(line_fit, draws=300, seed=1)
    assert set(tree.children) == {
        "posterior", "prior", "posterior_predictive", "prior_predictive",
        "observed_data", "constant_data",
    }  # fmt: skip
    for name in ("posterior", "prior"):
        assert tree[name].attrs["sample_dims"] == ["chain", "draw"]
        assert tree[name].sizes["draw"] == 300
    assert np.isfinite(azs.eti(tree, group="prior", prob=0.9)["b"]).all()
    picture = azp.plot_prior_posterior(tree, var_names=["b"], backend="none")
    assert set(picture.viz["plot"].dataset.data_vars) == {"b"}
    assert azp.plot_ppc_dist(tree, backend="none").viz
    again = bb.replicate(line_fit, draws=300, seed=1)
    assert tree.equals(again)


def test_runs_start_anew(correlated_fit):
    """Replicated residuals have the stationary variance, wherever those that were seen ended."""
    tree = bb.replicate(correlated_fit, draws=4000, seed=5)
    draws = tree["posterior"].to_dataset().isel(chain=0)
    log_mu = correlated_fit.law.log_mu(
        np.log(correlated_fit.curve.x),
        {name: draws[name].values[:, None] for name in ("log_a", "a", "b")},
    )
    last = np.log(tree["posterior_predictive"]["y"].values[0]) - log_mu
    total = np.hypot(draws["sigma"], draws["tau"]).values
    assert np.std(last[:, -1] / total) == pytest.approx(1.0, rel=0.05)


def test_new_points_keep_the_scale_of_known_errors(own_fit):
    theta = {
        str(name): draws.stack(sample=("chain", "draw"), create_index=False)
        for name, draws in own_fit.posterior.data_vars.items()
    }
    points, log_y = new_points(own_fit, theta, np.random.default_rng(1))
    assert log_y.shape == points.residual.shape == points.scale.shape
    assert np.all(points.scale >= 0.01)


def test_refuses(line_fit, line_curve):
    with pytest.raises(TypeError, match=r"must be the result of bayes_bnsl\.fit; got <Curve"):
        bb.replicate(line_curve)
    with pytest.raises(ValueError, match="draws must be 1 or more; got 0"):
        bb.replicate(line_fit, draws=0)
