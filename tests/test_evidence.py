"""The evidence against closed forms and integrals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

import bayes_bnsl as bb
from bayes_bnsl.density import joint_log_density, log_mean_exp
from bayes_bnsl.evidence import GOOD_ERROR, log_evidence_of, log_ratio
from bayes_bnsl.sampling import quiet_fit
from problems import simulated
from test_nested_sampling import exact_moments


def test_of_a_conjugate_law(conjugate, conjugate_fit):
    """Known noise, normal priors of the user's: the density of the points is normal."""
    exact = conjugate.log_evidence(np.ones(len(conjugate.curve), dtype=bool))
    found = bb.log_evidence(conjugate_fit)
    assert found.value == pytest.approx(exact, abs=0.02)
    assert found.error < 0.02


def test_with_default_priors():
    """A power law with unknown sigma, whose evidence one integral gives, as a density of log y."""
    curve = simulated("M1").take(slice(None, None, 4))
    exact = exact_moments(curve, curve.log_x)[2] - curve.log_y.sum()
    found = bb.log_evidence(bb.fit(curve, bb.M1(), seed=1, progress=False))
    assert found.value == pytest.approx(exact, abs=0.03)


def test_is_that_of_the_points_one_after_the_other(correlated_fit, fit_correlated):
    """The evidence of more points is what was foreseen of them from the others."""
    seen, later = correlated_fit.curve.split(n=30)
    before = fit_correlated(seen, scale=correlated_fit.scale, seed=1)
    foreseen = log_mean_exp(joint_log_density(before, later))
    grown = bb.log_evidence(correlated_fit).value - bb.log_evidence(before).value
    assert grown == pytest.approx(foreseen, abs=0.2)


def test_prefers_the_truth(correlated_fit, line_curve):
    """Points whose residuals hang together say so; those of independent points do not."""
    alone = bb.fit(correlated_fit.curve, bb.M1(), seed=1, progress=False)
    assert bb.log_evidence(correlated_fit).value > bb.log_evidence(alone).value + 5
    chosen = bb.fit(line_curve, bb.M1(), noise="auto", seed=1, progress=False)
    assert chosen.noise == bb.LogNormal()


def test_a_ratio_of_evidences_by_bennett():
    """Draws without a point rarely come where its density is; with those that know it, they do."""
    generator = np.random.default_rng(0)
    y, errors = 5.0, {"mean": [], "both": []}
    for _ in range(20):
        prior, posterior = generator.normal(0, 1, 4000), generator.normal(y / 2, 0.5**0.5, 4000)
        without, given = norm.logpdf(y, prior, 1), norm.logpdf(y, posterior, 1)
        exact = norm.logpdf(y, 0, 2**0.5)
        errors["mean"].append(log_mean_exp(without) - exact)
        errors["both"].append(log_ratio(given, without) - exact)
    assert np.std(errors["both"]) < 0.5 * np.std(errors["mean"])
    assert abs(np.mean(errors["both"])) < 0.02


def test_does_not_take_copies_for_news(addition_fit):
    """Draws of a chain that moves slowly are near copies of one another."""
    independent = bb.log_evidence(addition_fit)
    groups = {name: addition_fit.data[name].to_dataset() for name in ("posterior", "coordinates")}
    copied = np.repeat(np.arange(0, 1000, 10), 10)
    data = {
        name: group.isel(draw=copied).assign_coords(draw=np.arange(1000))
        for name, group in groups.items()
    }
    slow = replace(addition_fit, data=xr.DataTree.from_dict(data))
    found = bb.log_evidence(slow)
    assert found.value == pytest.approx(independent.value, abs=0.15)


class TestOfOtherPoints:
    """Chains go on from the draws of a fit to other points than those it was made to."""

    @pytest.mark.parametrize("left", [[0], [19, 20], list(range(10, 15))])
    def test_in_closed_form(self, conjugate, conjugate_fit, left):
        kept = ~np.isin(np.arange(len(conjugate.curve)), left)
        found = log_evidence_of(conjugate.curve.take(kept), conjugate_fit, seed=1)
        assert found.value == pytest.approx(conjugate.log_evidence(kept), abs=0.05)
        assert found.error < 0.05

    @pytest.mark.parametrize("which", ["own_fit", "correlated_fit", "tails_fit", "addition_fit"])
    def test_as_a_fit_to_them_has_it(self, which, request):
        """With bounded priors, residuals that hang together, heavy tails and breaks."""
        fit = request.getfixturevalue(which)
        kept = fit.curve.take(np.delete(np.arange(len(fit.curve)), 4))
        again = quiet_fit(
            kept, fit.law, noise=fit.noise, priors=fit.priors, scale=fit.scale, seed=2
        )
        found = log_evidence_of(kept, fit, seed=1)
        assert found.error <= GOOD_ERROR
        assert found.value == pytest.approx(bb.log_evidence(again).value, abs=0.1)

    def test_says_when_there_was_none(self, addition_fit):
        found = log_evidence_of(addition_fit.curve, addition_fit, seed=1, max_gradients=1)
        assert np.isnan(found.value)
        assert found.error == np.inf


def test_the_seed_repeats_it(line_fit):
    assert bb.log_evidence(line_fit) == bb.log_evidence(line_fit)
    assert bb.log_evidence(line_fit, seed=2) != bb.log_evidence(line_fit, seed=3)


def test_needs_a_fit():
    with pytest.raises(TypeError, match=r"must be the result of bayes_bnsl\.fit"):
        bb.log_evidence("BNSL(1)")


def test_another_word_for_noise(line_curve):
    with pytest.raises(ValueError, match="Give 'auto', or a noise model"):
        bb.fit(line_curve, bb.M1(), noise="automatic")
