"""Pictures of checks: what is drawn and where."""

from __future__ import annotations

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest

import bayes_bnsl as bb
from drawn import areas, edges, labelled, legend_texts


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


class TestPredictive:
    def test_bands_are_those_of_new_points(self, conjugate, conjugate_fit):
        """All is normal, so both bands are known; the noise is as large as that of the points."""
        ax = bb.plot_predictive(conjugate_fit)
        x, low, high = edges(labelled(ax, "90% of points from the posterior"))
        u = conjugate.curve.log_x
        design = np.stack([np.ones_like(u), u], axis=-1)
        precision = design.T @ design / conjugate.sigma**2 + np.eye(2) / conjugate.prior_sd**2
        at = np.stack([np.ones_like(x), np.log(x)], axis=-1)
        spread = np.einsum("ni,ij,nj->n", at, np.linalg.inv(precision), at) + conjugate.sigma**2
        np.testing.assert_allclose(np.log(high / low), 2 * 1.645 * np.sqrt(spread), rtol=0.08)
        _, low, high = edges(labelled(ax, "90% of points from the prior"))
        spread = np.sum(at**2, axis=1) * conjugate.prior_sd**2 + conjugate.sigma**2
        np.testing.assert_allclose(np.log(high / low), 2 * 1.645 * np.sqrt(spread), rtol=0.08)
        points = labelled(ax, "fitted points")
        np.testing.assert_array_equal(points.get_ydata(), conjugate.curve.y)
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")

    def test_a_wide_prior_leaves_the_points_in_sight(self, conjugate):
        wide = dataclasses.replace(conjugate, prior_sd=100.0).fit(draws=200)
        ax = bb.plot_predictive(wide)
        low, high = np.log(ax.get_ylim())
        y = wide.curve.log_y
        assert high - low < 6 * np.ptp(y)
        assert low < y.min()
        assert high > y.max()

    def test_either_alone_where_it_is_told(self, line_fit):
        mine = plt.subplots()[1]
        assert bb.plot_predictive(line_fit, prior=False, log=False, ax=mine) is mine
        assert not [text for text in legend_texts(mine) if "prior" in text]
        assert mine.get_xscale() == "linear"
        assert "M1 on M1: posterior predictive" in mine.get_title()
        assert len(areas(bb.plot_predictive(line_fit, posterior=False))) == 2
        with pytest.raises(ValueError, match="at least one of prior and posterior"):
            bb.plot_predictive(line_fit, prior=False, posterior=False)

    def test_accuracies_are_drawn_as_accuracies(self, accuracy_fit):
        ax = bb.plot_predictive(accuracy_fit)
        assert ax.get_ylabel() == "100 - error"
        _, low, high = edges(labelled(ax, "90% of points from the posterior"))
        assert np.all(np.diff(low) > 0)
        assert np.all(high < 100)
        assert np.all(low < high)

    def test_known_errors_widen_the_band(self, own_fit):
        """Where a point is known less well, a new one of the kind may lie farther off."""
        x, low, high = edges(
            labelled(bb.plot_predictive(own_fit), "90% of points from the posterior")
        )
        curve = own_fit.curve
        errors = np.where(curve.x > 100, 0.3, 0.01) * curve.y
        rough = dataclasses.replace(
            own_fit, curve=bb.Curve(curve.x, curve.y, y_se=errors, run=curve.run)
        )
        _, lower, upper = edges(
            labelled(bb.plot_predictive(rough), "90% of points from the posterior")
        )
        ratio = np.log(upper / lower) / np.log(high / low)
        assert np.all(ratio[x < 50] < 1.2)
        assert np.all(ratio[x > 200] > 3)


class TestResiduals:
    def test_points_and_intervals_left(self, line_fit):
        left, _ = bb.plot_residuals(line_fit)
        curve, theta = line_fit.curve, line_fit.posterior
        log_mu = theta["log_a"].values.ravel() + theta["b"].values.ravel() * curve.log_x[:, None]
        expected = np.median(curve.log_y - log_mu.T, axis=0) / 0.02  # whose noise is known
        points = labelled(left, "points, 90% of the draws")
        np.testing.assert_array_equal(points.get_xdata(), curve.x)
        np.testing.assert_allclose(points.get_ydata(), expected, atol=0.02)
        _, low, high = edges(labelled(left, "90% under LogNormal noise"))
        np.testing.assert_allclose([low.mean(), high.mean()], [-1.645, 1.645], rtol=0.03)
        assert left.get_ylabel() == "residual of log(y) / sd of noise"

    def test_correlation_of_independent_noise_is_none(self, line_fit):
        _, right = bb.plot_residuals(line_fit)
        _, low, high = edges(labelled(right, "90% under LogNormal noise"))
        assert np.all(low < 0)
        assert np.all(high > 0)
        # of n pairs of independent residuals the correlation scatters by about 1 / sqrt(n)
        assert high[0] == pytest.approx(1.645 / np.sqrt(24), rel=0.25)
        assert right.get_xscale() == "log"

    def test_band_of_correlated_noise_follows_its_correlation(self, correlated_fit):
        """The same residuals: expected under correlated noise, far too alike under independent."""
        alone = dataclasses.replace(correlated_fit, noise=bb.LogNormal(), data=correlated_fit.data)
        inside = {}
        for fit in (correlated_fit, alone):
            _, right = bb.plot_residuals(fit)
            x, low, high = edges(labelled(right, f"90% under {fit.noise.name} noise"))
            line = labelled(right, "residuals of the points")
            np.testing.assert_allclose(line.get_xdata(), x)
            inside[fit.noise.name] = low[0] < line.get_ydata()[0] < high[0]
        assert inside == {"Correlated": True, "LogNormal": False}

    def test_pairs_are_of_one_run(self, runs_fit):
        """Points of two runs at one x are no pair, and distances reach half the range."""
        _, right = bb.plot_residuals(runs_fit)
        ratio = labelled(right, "residuals of the points").get_xdata()
        gap = np.diff(np.unique(runs_fit.curve.log_x)).mean()
        assert np.log(ratio[0]) == pytest.approx(max(gap, np.log(ratio[1]) / 2), rel=0.3)
        assert ratio[-1] <= 1.001 * 1e2

    def test_of_few_points_says_so(self, conjugate_fit):
        """Ten points of three runs have too few pairs at any distance."""
        _, right = bb.plot_residuals(conjugate_fit)
        assert [text.get_text() for text in right.texts] == ["fewer than 8 pairs of points"]

    def test_draws_where_it_is_told_and_refuses(self, line_fit):
        mine = plt.subplots(1, 2)[1]
        assert list(bb.plot_residuals(line_fit, log=False, axes=mine)) == list(mine)
        assert mine[0].get_xscale() == "linear"
        with pytest.raises(ValueError, match="prob must lie between 0 and 1; got 90"):
            bb.plot_residuals(line_fit, prob=90)
        with pytest.raises(ValueError, match="axes must be two; got 1"):
            bb.plot_residuals(line_fit, axes=[mine[0]])
