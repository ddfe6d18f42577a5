"""The evidence against closed forms and integrals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

import bayes_bnsl as bb
from bayes_bnsl.density import joint_log_density, log_mean_exp
from bayes_bnsl.evidence import log_ratio
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


def test_the_seed_repeats_it(line_fit):
    assert bb.log_evidence(line_fit) == bb.log_evidence(line_fit)
    assert bb.log_evidence(line_fit, seed=2) != bb.log_evidence(line_fit, seed=3)


def test_needs_a_fit():
    with pytest.raises(TypeError, match=r"must be the result of bayes_bnsl\.fit"):
        bb.log_evidence("BNSL(1)")


def test_another_word_for_noise(line_curve):
    with pytest.raises(ValueError, match="Give 'auto', or a noise model"):
        bb.fit(line_curve, bb.M1(), noise="automatic")
