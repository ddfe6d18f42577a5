"""Calibration: right posteriors pass, wrong ones are found, and the test keeps its level."""

from __future__ import annotations

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pymc as pm
import pytest
import xarray as xr
from arviz_stats.ecdf_utils import ecdf_pit
from matplotlib.collections import PolyCollection
from scipy.stats import binom, ks_2samp

import bayes_bnsl as bb
from bayes_bnsl import calibration as rooms
from bayes_bnsl.calibration import calibrate_once, quantity_names
from bayes_bnsl.uniformity import Calibration, Ranks

COUNT = 24


@pytest.fixture(scope="module")
def fitted():
    """Fits of curves from the prior, with what made them."""
    found = []
    for number in range(COUNT):
        curve, theta = bb.draw_curve(bb.BNSL(0), scale=rooms.default_scale(rooms.X), seed=number)
        scale = rooms.default_scale(rooms.X)
        found.append((bb.fit(curve, bb.BNSL(0), scale=scale, seed=number, progress=False), theta))
    return found


def gathered(fitted, change=lambda posterior: posterior):
    """Calibrate fits whose draws are changed."""
    rows = []
    for fit, theta in fitted:
        data = fit.data.copy()
        data["posterior"] = xr.DataTree(change(fit.posterior))
        other = dataclasses.replace(fit, data=data)
        rows.append(Ranks(bb.rank_truth(other, theta), fit.status.name))
    return Calibration.of("BNSL(0)", rows)


def conjugate(count, *, widen=1.0, shift=0.0, seed=1):
    """Rank a normal mean with a normal prior, seen once, among draws of its posterior."""
    generator = np.random.default_rng(seed)
    mean = generator.standard_normal(count)
    seen = mean + generator.standard_normal(count)
    spread = widen * np.sqrt(0.5)
    draws = seen / 2 + shift + spread * generator.standard_normal((99, count))
    return of_ranks((draws < mean).sum(axis=0))


def of_ranks(ranks, draws=99):
    return Calibration("case", {"mean": np.asarray(ranks)}, ("converged",) * len(ranks), draws)


class TestUniformity:
    def test_an_exact_posterior_passes(self):
        assert bool(conjugate(300).table()["uniform"].all())

    @pytest.mark.parametrize(
        ("wrong", "mean_rank", "spread"),
        [
            ({"widen": 0.6}, 0.5, 1.2),
            ({"widen": 1.7}, 0.5, 0.68),
            ({"shift": 0.3}, 0.38, 0.95),
        ],
        ids=["too narrow", "too wide", "too high"],
    )
    def test_a_wrong_posterior_is_found(self, wrong, mean_rank, spread):
        verdict = conjugate(300, **wrong).table().loc["mean"]
        assert not verdict["uniform"]
        assert verdict["p_value"] < 0.001
        assert verdict["mean_rank"] == pytest.approx(mean_rank, abs=0.06)
        assert verdict["spread"] == pytest.approx(spread, abs=0.08)

    def test_level_is_what_it_says(self):
        """Of sets of uniform ranks one in ten has a p-value below 0.1."""
        generator = np.random.default_rng(2)
        p = [of_ranks(generator.integers(100, size=50)).p_value("mean") for _ in range(1000)]
        assert binom.cdf(np.sum(np.array(p) <= 0.1), 1000, 0.1) > 1e-3
        assert 0.07 < np.mean(np.array(p) <= 0.1) < 0.13

    @pytest.mark.parametrize("prob", [0.9, 0.99])
    def test_band_is_that_of_arviz(self, prob):
        lower, upper = of_ranks(np.zeros(300, int)).band(prob=prob)
        at, _, arviz_lower, arviz_upper = ecdf_pit(np.linspace(0, 1, 300), prob, 3000)
        share = np.arange(1, 100) / 100
        np.testing.assert_allclose(lower, np.interp(share, at, arviz_lower), atol=2.5 / 300)
        np.testing.assert_allclose(upper, np.interp(share, at, arviz_upper), atol=2.5 / 300)

    def test_outside_the_band_is_a_small_p_value(self):
        generator = np.random.default_rng(3)
        seen = set()
        for _ in range(200):
            each = of_ranks((99 * generator.beta(1.2, 1, size=60)).astype(int))
            lower, upper = each.band(prob=0.9)
            at = each.distribution("mean")
            outside = bool(np.any((at < lower) | (at > upper)))
            assert outside == (each.p_value("mean") < 0.1)
            seen.add(outside)
        assert seen == {True, False}

    def test_distribution_counts_ranks_up_to_each(self):
        np.testing.assert_allclose(of_ranks([0, 0, 2, 3], 3).distribution("mean"), [0.5, 0.5, 0.75])


class TestFits:
    def test_posteriors_of_the_package_pass(self, fitted):
        result = gathered(fitted)
        assert list(result.ranks) == quantity_names(bb.BNSL(0))
        assert bool((result.table()["p_value"] > 0.001).all())

    def test_a_halved_sigma_is_found(self, fitted):
        result = gathered(fitted, lambda draws: draws.assign(sigma=draws["sigma"] / 2))
        table = result.table()
        assert table.loc["sigma", "p_value"] < 0.001
        assert table.loc["sigma", "mean_rank"] > 0.8
        assert "sigma" in repr(result)
        assert table.loc["c0", "uniform"]

    def test_a_forecast_too_sure_is_found(self, fitted):
        def narrowed(draws):
            return draws.median() + 0.3 * (draws - draws.median())

        table = gathered(fitted, narrowed).table()
        assert table.loc["log mu at last x", "spread"] > 1.25
        assert table["p_value"].min() < 0.01

    def test_the_prior_in_place_of_the_posterior_is_found_by_the_likelihood(self, fitted):
        """Ranks of parameters among prior draws are uniform; why the likelihood is ranked."""
        prior = [bb.draw_curve(bb.BNSL(0), seed=(9, i))[1] for i in range(99)]

        def of_prior(draws):
            names = list(draws.data_vars)
            drawn = {name: np.array([[float(theta[name]) for theta in prior]]) for name in names}
            return xr.Dataset({name: (("chain", "draw"), drawn[name]) for name in names})

        table = gathered(fitted, of_prior).table()
        assert table.loc["c0", "p_value"] > 0.001
        assert table.loc["log likelihood", "p_value"] < 0.001

    def test_fits_that_did_not_converge_count(self):
        result = bb.calibrate(bb.BNSL(0), count=3, draws=20, max_gradients=1)
        assert result.converged < 1
        assert len(result.statuses) == 3
        assert all(ranks.size == 3 for ranks in result.ranks.values())
        assert f"{result.converged:.0%} of fits converged" in repr(result)

    def test_a_curve_depends_on_its_number_alone(self):
        both = bb.calibrate(bb.BNSL(0), count=2, seed=5)
        second = calibrate_once(bb.BNSL(0), 1, seed=5)
        assert {name: ranks[1] for name, ranks in both.ranks.items()} == second.ranks
        assert calibrate_once(bb.BNSL(0), 1, seed=6) != second

    def test_a_law_without_priors_is_refused(self):
        law = bb.Custom(lambda u, p, xp: p["k"] + 0 * u, ("k",))
        with pytest.raises(ValueError, match="no default priors"):
            bb.calibrate(law)

    def test_a_count_is_needed(self):
        with pytest.raises(ValueError, match="count must be at least 1"):
            bb.calibrate(bb.BNSL(0), count=0)
        with pytest.raises(ValueError, match="results is empty"):
            Calibration.of("none", [])


class TestDrawCurve:
    def test_draws_from_the_prior_of_the_model(self):
        """Against PyMC's own draws from the model that is fitted."""
        scale = rooms.default_scale(rooms.X)
        curve, theta = bb.draw_curve(bb.BNSL(2), scale=scale, seed=1)
        with bb.build_model(curve, bb.BNSL(2), scale=scale):
            mode = {"mode": "FAST_COMPILE"}
            theirs = pm.sample_prior_predictive(800, random_seed=2, compile_kwargs=mode)
        ours = [bb.draw_curve(bb.BNSL(2), scale=scale, seed=(3, i)) for i in range(800)]
        for name in theta:
            if name == "log_d":
                continue
            for i in range(theta[name].size):
                one = [float(np.ravel(drawn[name])[i]) for _, drawn in ours]
                other = theirs["prior"][name].values.reshape(800, -1)[:, i]
                assert ks_2samp(one, other).pvalue > 1e-3, (name, i)
        y = theirs["prior_predictive"]["y"].values.reshape(800, -1)
        for i in (0, 7, 14):
            assert ks_2samp([each.y[i] for each, _ in ours], y[:, i]).pvalue > 1e-3, i

    @pytest.mark.parametrize(
        "law",
        [*map(bb.BNSL, range(4)), bb.M1(), bb.M2(), bb.M3(), bb.M4()],
        ids=lambda law: law.name,
    )
    def test_draws_are_curves_one_could_meet(self, law):
        """The prior has no tail of curves that no float holds, or no sampler can fit."""
        ranges = [np.ptp(bb.draw_curve(law, seed=(4, i))[0].log_y) for i in range(400)]
        assert np.quantile(ranges, 0.99) < 5  # with a scale whose spread is 1

    def test_the_scale_moves_the_curve(self):
        scale = rooms.default_scale(rooms.X)._replace(log_y_first=100.0, log_y_last=99.0)
        curve, _ = bb.draw_curve(bb.M1(), scale=scale, seed=1)
        assert np.all(np.abs(curve.log_y - 99.5) < 5)

    def test_what_no_float_can_hold_is_said(self):
        scale = rooms.default_scale(rooms.X)._replace(log_y_first=800.0, log_y_last=799.0)
        with pytest.raises(ValueError, match="infinite"):
            bb.draw_curve(bb.M1(), scale=scale, seed=1)


class TestPicture:
    @pytest.fixture
    def result(self):
        good = np.random.default_rng(1).integers(100, size=200)
        ranks = {"good": good, "bad": (good / 2).astype(int)}
        return Calibration("law", ranks, ("converged",) * 150 + ("divergent",) * 50)

    def test_shows_the_band_and_names_what_leaves_it(self, result):
        ax = bb.plot_calibration(result)
        _, labels = ax.get_legend_handles_labels()
        assert labels == ["99% band", "bad"]
        assert "200 curves, 75% of fits converged" in ax.get_title()
        lines = {str(line.get_label()): line for line in ax.get_lines()}
        share = np.arange(1, 100) / 100
        np.testing.assert_allclose(
            lines["_good"].get_ydata()[1:-1], result.distribution("good") - share
        )
        (band,) = [each for each in ax.get_children() if isinstance(each, PolyCollection)]
        lower, upper = result.band()
        (path,) = band.get_paths()
        assert path.vertices[:, 1].max() == pytest.approx(np.max(upper - share))
        assert path.vertices[:, 1].min() == pytest.approx(np.min(lower - share))
        plt.close("all")

    def test_draws_where_it_is_told(self, result):
        mine = plt.subplots()[1]
        assert bb.plot_calibration(result, ax=mine) is mine
        plt.close("all")


@pytest.mark.slow
def test_the_best_so_far_are_calibrated():
    found = bb.calibrate(bb.BNSL(0), noise=bb.BestSoFar(), count=150, seed=3)
    assert str(found).endswith("100% of fits converged, all ranks uniform>")
