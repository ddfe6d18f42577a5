"""Scores, against closed forms for the normal distribution and against scoringrules."""

from __future__ import annotations

import numpy as np
import pytest
import scoringrules
import xarray as xr
from scipy.stats import kstest, lognorm, norm

import bayes_bnsl as bb
from bayes_bnsl.naive import SMALLEST_SPREAD
from bayes_bnsl.scores import LEVELS

MEAN, SD = np.log([2.0, 1.5, 0.2]), 0.1
Y = np.array([2.1, 1.2, 0.2])


def lognormal(mean, sd, *, count=4001, generator=None, **attrs):
    """Forecast a lognormal y by quantiles, or by random draws."""
    mean = np.atleast_1d(mean)
    z = norm.ppf((np.arange(count) + 0.5) / count)[:, None]
    if generator is not None:
        z = generator.standard_normal((count, mean.size))
    y = np.exp(mean + sd * z)
    x = np.arange(1.0, mean.size + 1)
    return xr.Dataset({"y": (("sample", "x"), y)}, coords={"x": x}, attrs=attrs)


class TestRmsle:
    def test_is_the_formula_of_the_paper(self):
        """Written out point by point from appendix A.3 and A.4."""
        errors = [(np.log(Y[i]) - MEAN[i]) ** 2 for i in range(3)]
        mean = sum(errors) / 3
        sd = np.sqrt(sum((error - mean) ** 2 for error in errors) / 2)
        got = bb.rmsle(lognormal(MEAN, SD), Y)
        assert got.rmsle == pytest.approx(np.sqrt(mean))
        assert got.standard_error == pytest.approx(np.sqrt(mean + sd / np.sqrt(3)) - np.sqrt(mean))

    def test_of_one_point_has_no_standard_error(self):
        got = bb.rmsle(lognormal(0.0, SD), np.e)
        assert got.rmsle == pytest.approx(1.0)
        assert np.isnan(got.standard_error)


class TestCrps:
    @pytest.mark.parametrize("log", [True, False])
    def test_is_that_of_scoringrules(self, log):
        ahead = lognormal(MEAN, SD, count=50, generator=np.random.default_rng(1))
        change = np.log if log else np.asarray
        theirs = scoringrules.crps_ensemble(
            change(Y), change(ahead["y"].values.T), estimator="fair"
        )
        np.testing.assert_allclose(bb.crps(ahead, Y, log=log), theirs, rtol=1e-10)

    def test_of_log_y_is_that_of_a_normal(self):
        z = (np.log(Y) - MEAN) / SD
        closed = SD * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))
        np.testing.assert_allclose(bb.crps(lognormal(MEAN, SD), Y), closed, rtol=2e-3)

    def test_of_y_is_that_of_a_lognormal(self):
        theirs = scoringrules.crps_lognormal(Y, MEAN, SD)
        np.testing.assert_allclose(bb.crps(lognormal(MEAN, SD), Y, log=False), theirs, rtol=2e-3)

    def test_does_not_depend_on_the_number_of_draws(self):
        """The mean over many small sets of draws is the score of the distribution."""
        generator = np.random.default_rng(2)
        few = bb.crps(
            lognormal(np.zeros(8000), SD, count=5, generator=generator), [1.1] * 8000
        ).values
        exact = scoringrules.crps_normal(np.log(1.1), 0.0, SD)
        assert np.mean(few) == pytest.approx(exact, abs=4 * np.std(few) / np.sqrt(few.size))

    def test_of_one_value_is_the_absolute_error(self):
        ahead = xr.Dataset({"y": (("sample", "x"), [[2.0]])}, coords={"x": [1.0]})
        assert float(bb.crps(ahead, [5.0], log=False)[0]) == pytest.approx(3.0)

    def test_the_largest_floats_do_not_overflow(self):
        top = np.finfo(float).max
        ahead = xr.Dataset({"y": (("sample", "x"), [[top], [top], [1.0]])}, coords={"x": [1.0]})
        assert np.isfinite(bb.crps(ahead, [1.0], log=False)).all()


class TestIntervals:
    @pytest.mark.parametrize("prob", [0.5, 0.9])
    def test_are_those_of_a_normal(self, prob):
        held = bb.coverage(lognormal(MEAN, SD), Y, prob=prob)
        half = SD * norm.ppf((1 + prob) / 2)
        np.testing.assert_allclose(held["width"], 2 * half, rtol=5e-3)
        inside = np.abs(np.log(Y) - MEAN) < half
        np.testing.assert_array_equal(held["covered"], inside)
        assert set(inside.tolist()) == {True, False}

    def test_agree_with_interval(self, addition_fit):
        ahead = bb.forecast(addition_fit, [800.0, 1600.0], seed=1)
        band = bb.interval(ahead, prob=0.9)["y"]
        inside = [float(band.sel(bound="upper")[0]) * 0.999, float(band.sel(bound="lower")[1]) / 2]
        assert bb.coverage(ahead, inside)["covered"].values.tolist() == [True, False]

    @pytest.mark.parametrize("prob", [0, 1, 1.5])
    def test_need_a_probability(self, prob):
        with pytest.raises(ValueError, match="prob must lie between 0 and 1"):
            bb.coverage(lognormal(MEAN, SD), Y, prob=prob)


class TestPit:
    def test_is_the_distribution_function(self):
        exact = norm.cdf((np.log(Y) - MEAN) / SD)
        np.testing.assert_allclose(bb.pit(lognormal(MEAN, SD), Y), exact, atol=1e-3)

    def test_is_uniform_for_a_calibrated_forecast(self):
        y = np.exp(SD * np.random.default_rng(3).standard_normal(500))
        values = bb.pit(lognormal(np.zeros(500), SD), y)
        assert kstest(values, "uniform").pvalue > 1e-3
        assert kstest(bb.pit(lognormal(np.zeros(500), SD / 2), y), "uniform").pvalue < 1e-6

    def test_counts_half_of_those_equal(self):
        ahead = xr.Dataset({"y": (("sample", "x"), [[1.0], [2.0], [2.0], [3.0]])}, {"x": [1.0]})
        assert float(bb.pit(ahead, [2.0])[0]) == 0.5


class TestMsce:
    def test_of_one_observation_by_a_perfect_forecast(self):
        """The share covered is 0 or 1, with the level as its probability."""
        expected = np.mean([level * (1 - level) for level in LEVELS])
        generator = np.random.default_rng(4)
        ahead = lognormal(0.0, 1.0, count=501)
        got = [bb.msce(ahead, np.exp(generator.standard_normal(1))) for _ in range(600)]
        assert np.mean(got) == pytest.approx(expected, abs=4 * np.std(got) / np.sqrt(len(got)))
        assert round(expected, 3) == 0.144

    def test_of_given_levels(self):
        ahead = lognormal([0.0, 0.0], 1.0)
        assert bb.msce(ahead, [1.0, 1e9], levels=[0.5, 0.9]) == pytest.approx(0.08)


class TestNaive:
    @pytest.fixture
    def seen(self):
        x = np.geomspace(1, 1e3, 11)
        wiggle = 0.05 * np.cos(9 * np.arange(11))
        return bb.Curve(x, 3 * x**-0.4 * np.exp(wiggle))

    def test_last_value(self, seen):
        ahead = bb.naive_forecasts(seen, [1e4, 1e5])["last value"]
        np.testing.assert_allclose(ahead["y"].median("sample"), seen.y[-1], rtol=1e-3)
        off = seen.log_y[7:10] - seen.log_y[10]
        assert float(ahead["scale"][0]) == pytest.approx(np.sqrt(np.mean(off**2)))

    def test_line_through_the_last_third(self, seen):
        x_last, y_last = seen.log_x[7:], seen.log_y[7:]  # 4 of 11 points
        design = np.stack([np.ones(4), x_last], axis=1)
        weights, (squares,), *_ = np.linalg.lstsq(design, y_last)
        ahead = bb.naive_forecasts(seen, [1e4, 1e5])["log-log line"]
        line = np.exp(weights[0] + weights[1] * np.log([1e4, 1e5]))
        np.testing.assert_allclose(ahead["curve"].isel(sample=0), line)
        assert float(ahead["scale"][0]) == pytest.approx(np.sqrt(squares / 2))

    def test_spread_of_the_draws_is_the_scale(self, seen):
        for ahead in bb.naive_forecasts(seen, [1e4]).values():
            sd = float(np.log(ahead["y"]).std())
            assert sd == pytest.approx(float(ahead["scale"][0]), rel=0.01)

    def test_log_score_is_that_of_a_lognormal(self, seen):
        for ahead in bb.naive_forecasts(seen, [1e4]).values():
            exact = lognorm.logpdf(
                0.1, s=float(ahead["scale"][0]), scale=float(ahead["curve"].isel(sample=0)[0])
            )
            assert float(bb.log_score(ahead, 0.1)[0]) == pytest.approx(exact)

    def test_points_on_a_line_leave_a_least_spread(self):
        x = np.array([1.0, 10.0, 100.0, 1000.0])
        ahead = bb.naive_forecasts(bb.Curve(x, x**-0.5), [1e4])["log-log line"]
        assert float(ahead["scale"][0]) == SMALLEST_SPREAD

    def test_replicates_at_the_end(self):
        curve = bb.Curve([1, 10, 100, 100, 100], [4.0, 2.0, 1.0, 1.1, 0.9])
        naive = bb.naive_forecasts(curve, [1e3])
        middle = np.exp(np.mean(np.log([1.0, 1.1, 0.9])))
        assert float(naive["last value"]["y"].median()) == pytest.approx(middle, rel=1e-3)
        line = middle / (2 / middle)  # the last third has one x: the point before it joins
        assert float(naive["log-log line"]["y"].median()) == pytest.approx(line, rel=1e-2)

    def test_of_accuracies_are_accuracies(self):
        x = np.geomspace(1, 1e3, 9)
        curve = bb.Curve.from_accuracy(x, 1 - 0.5 * x**-0.3)
        ahead = bb.naive_forecasts(curve, [1e4])["log-log line"]
        assert float(ahead["y"].median()) == pytest.approx(1 - 0.5 * 1e4**-0.3, abs=1e-4)
        assert np.isfinite(bb.log_score(ahead, 0.96)).all()

    def test_need_two_x(self):
        with pytest.raises(ValueError, match="one x only"):
            bb.naive_forecasts(bb.Curve([1, 1], [1.0, 2.0]), [10])

    def test_a_line_that_leads_out_of_all_numbers(self):
        seen = bb.Curve([1, 2, 4], [1e-100, 1.0, 1e200])
        ahead = bb.naive_forecasts(seen, [1e3])["log-log line"]  # warnings are errors here
        assert (ahead["y"].values > 1e308).all()
        assert np.isfinite(ahead["location"].values).all()
        assert np.isfinite(bb.crps(ahead, [1.0], log=False)).all()


@pytest.fixture(scope="module")
def table(addition, addition_fit):
    seen, later = addition
    return bb.score(bb.forecast(addition_fit, later.x, seed=1), later.y, seen)


class TestScore:
    def test_has_a_row_for_each_forecast(self, table, addition, addition_fit):
        seen, later = addition
        ahead = bb.forecast(addition_fit, later.x, seed=1)
        assert list(table.index) == ["BNSL(1)", "last value", "log-log line"]
        assert table.loc["BNSL(1)", "rmsle"] == bb.rmsle(ahead, later.y).rmsle
        assert table.loc["BNSL(1)", "log_score"] == float(bb.log_score(ahead, later.y).mean())
        naive = bb.naive_forecasts(seen, later.x)["last value"]
        assert table.loc["last value", "crps"] == float(bb.crps(naive, later.y).mean())
        assert not table.isna().any(axis=None)

    def test_skill_is_the_share_of_the_error_spared(self, table):
        ours, naive = table.loc["BNSL(1)"], table.loc["log-log line"]
        assert naive["rmsle_skill"] == pytest.approx(1 - ours["rmsle"] / naive["rmsle"])
        assert (ours["rmsle_skill"], ours["crps_skill"]) == (0, 0)
        assert table.loc["last value", "rmsle_skill"] > 0.8  # the break has begun

    def test_without_the_points_there_is_one_row(self):
        table = bb.score(lognormal_with_curve(), Y)
        assert list(table.index) == ["forecast"]

    def test_accuracies_score_like_the_errors_they_stand_for(self):
        errors = lognormal_with_curve()
        accuracies = 1 - errors[["curve", "y"]]
        accuracies = accuracies.assign(location=errors["location"], scale=errors["scale"])
        accuracies = accuracies.assign_attrs(errors.attrs, ceiling=1.0)
        one, other = bb.score(errors, Y), bb.score(accuracies, 1 - Y)
        np.testing.assert_allclose(one, other, rtol=1e-9)
        np.testing.assert_allclose(bb.pit(errors, Y), 1 - bb.pit(accuracies, 1 - Y))

    def test_order_of_dimensions_does_not_matter(self):
        ahead = lognormal_with_curve()
        turned = ahead.transpose("x", ...)
        np.testing.assert_array_equal(bb.score(ahead, Y), bb.score(turned, Y))


def lognormal_with_curve():
    ahead = lognormal(MEAN, SD, y_name="y")
    location = xr.DataArray(np.broadcast_to(MEAN, (4001, 3)), dims=("sample", "x"))
    scale = ("sample", np.full(4001, SD))
    return ahead.assign(curve=np.exp(location), location=location, scale=scale)


@pytest.mark.parametrize("function", [bb.rmsle, bb.crps, bb.pit, bb.coverage, bb.msce, bb.score])
class TestErrors:
    def test_one_y_for_each_x(self, function):
        with pytest.raises(ValueError, match="one value for each of the 3 x"):
            function(lognormal(MEAN, SD), Y[:2])

    def test_y_is_positive(self, function):
        with pytest.raises(ValueError, match="y must hold positive"):
            function(lognormal(MEAN, SD), [1.0, -1.0, 2.0])

    def test_an_accuracy_is_below_its_ceiling(self, function):
        with pytest.raises(ValueError, match="numbers below ceiling=1"):
            function(lognormal(MEAN - 3, SD, ceiling=1.0), [0.9, 0.9, 1.0])
