"""The density of a fit at any draws."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import expon, norm, truncnorm

import bayes_bnsl as bb
from bayes_bnsl import density, draws
from bayes_bnsl.distributions import log_density_of
from bayes_bnsl.draws import Problem, flattened
from problems import log_shrinks


def coordinates(fit):
    return {str(k): v.values for k, v in fit.data["coordinates"].to_dataset().data_vars.items()}


@pytest.mark.parametrize("which", ["limit_fit", "addition_fit", "own_fit", "custom_fit"])
def test_prior_and_likelihood_are_what_was_sampled(which, request):
    """Up to the Jacobian of the transformations of the user's priors, which `own_fit` has."""
    fit = request.getfixturevalue(which)
    values = coordinates(fit)
    prior = sum(
        each.reshape(*each.shape[:2], -1).sum(axis=-1)
        for each in density.log_prior(fit, values).values()
    )
    likelihood = density.log_likelihood(fit, values)
    np.testing.assert_allclose(likelihood, fit.data["log_likelihood"]["y"], rtol=1e-9)
    total = prior + likelihood.sum(axis=-1)
    for known in (None, likelihood):
        np.testing.assert_allclose(density.log_joint(fit, values, known), total, rtol=1e-9)
    if which == "addition_fit":
        theta = {name: fit.posterior[name].values for name in ("d", "f")}
        total = total + log_shrinks(fit.curve, theta, values)
    if which in ("limit_fit", "addition_fit"):
        sampled = fit.data["sample_stats"]["logp"].values
        np.testing.assert_allclose(total - total.mean(), sampled - sampled.mean(), atol=1e-6)
    assert np.all(np.isfinite(total))


@pytest.mark.parametrize(
    ("prior", "expected"),
    [
        (bb.Prior("Normal", mu=0.4, sigma=0.2), norm(0.4, 0.2)),
        (bb.Prior("Exponential", lam=2.0), expon(scale=0.5)),
        (
            bb.Prior("Normal", mu=0.4, sigma=0.2, at_least=0.0),
            truncnorm(-2, np.inf, loc=0.4, scale=0.2),
        ),
    ],
)
def test_priors_of_the_user(prior, expected):
    values = np.array([[-0.5, 0.1], [0.4, 2.0]])
    np.testing.assert_allclose(log_density_of(prior, 2)(values), expected.logpdf(values), rtol=1e-6)


def test_priors_that_differ_by_break():
    prior = bb.Prior("Normal", mu=[0.0, 2.0], sigma=[1.0, 0.5])
    values = np.random.default_rng(0).normal(size=(3, 4, 2))
    expected = norm([0.0, 2.0], [1.0, 0.5]).logpdf(values)
    np.testing.assert_allclose(log_density_of(prior, 3)(values), expected)


def test_new_points_with_known_errors(conjugate_fit, conjugate):
    """They are foreseen less sharply, and together."""
    posterior = conjugate_fit.posterior
    k, s = (posterior[name].values.ravel() for name in ("k", "s"))
    new = bb.Curve([2.0, 20.0], [1.5, 0.8], y_se=[0.3, 0.0])
    expected = -new.log_y.sum()
    for i, error in enumerate([0.3 / 1.5, 0.0]):
        expected = expected + norm.logpdf(
            new.log_y[i], k + s * new.log_x[i], np.hypot(conjugate.sigma, error)
        )
    np.testing.assert_allclose(density.joint_log_density(conjugate_fit, new), expected, rtol=1e-6)


@pytest.fixture(scope="module")
def few(fit_line, line_curve):
    """A fit of which 100 of 1000 draws of a chain keep the densities of the points."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(draws, "MOST_DENSITIES", 400 * len(line_curve) + 3)
        return fit_line(line_curve, seed=1)


class TestLongCurves:
    """Densities of all points at all draws may be more than memory holds."""

    def test_every_kth_draw_is_kept(self, few, line_fit):
        kept, every = (fit.data["log_likelihood"]["y"] for fit in (few, line_fit))
        assert kept["draw"].values.tolist() == list(range(9, 1000, 10))
        xr.testing.assert_identical(kept, every.sel(draw=kept["draw"]))
        xr.testing.assert_identical(few.posterior, line_fit.posterior)

    def test_leaving_points_out_and_checks_go_by_those_draws(self, few, line_fit):
        alone = density.with_densities(few)
        for name in ("posterior", "coordinates", "sample_stats", "log_likelihood"):
            assert alone.data[name].sizes["draw"] == 100
        assert density.with_densities(line_fit) is line_fit
        some, every = (bb.leave_one_out(fit)["elpd"] for fit in (few, line_fit))
        np.testing.assert_allclose(some, every, atol=0.1)
        pit = [bb.check(fit).pit for fit in (few, line_fit)]
        np.testing.assert_allclose(*pit, atol=0.05)
        table = [bb.sensitivity(fit).table for fit in (few, line_fit)]
        np.testing.assert_allclose(*table, rtol=1e-9)

    @pytest.mark.parametrize("name", ["own_fit", "runs_fit", "tails_fit"])
    def test_parts_are_the_whole(self, name, request, monkeypatch):
        fit = request.getfixturevalue(name)
        problem = Problem(fit.curve, fit.law, fit.noise, fit.priors, fit.scale)
        joint = problem.joint_log_likelihood(flattened(fit.posterior))
        monkeypatch.setattr(draws, "AT_ONCE", 777 * len(fit.curve))
        each, together = (
            problem.log_likelihood(fit.posterior),
            problem.joint_log_likelihood(flattened(fit.posterior)),
        )
        np.testing.assert_allclose(each, fit.data["log_likelihood"]["y"], rtol=1e-12)
        np.testing.assert_allclose(together, joint, rtol=1e-12)
