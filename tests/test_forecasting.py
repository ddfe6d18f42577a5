"""Forecasts: draws with labels, intervals, and the score of what came."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import kstest, lognorm, norm

import bayes_bnsl as bb

FITS = ("addition_fit", "limit_fit", "m4_fit", "line_fit", "accuracy_fit", "own_fit", "custom_fit")

each_fit = pytest.mark.parametrize("which", FITS)


@pytest.fixture
def fit(which, request):
    return request.getfixturevalue(which)


@pytest.fixture(scope="module")
def ahead(addition, addition_fit):
    return bb.forecast(addition_fit, addition[1].x, seed=1)


class TestForecast:
    def test_has_labels(self, ahead, addition, addition_fit):
        n = 4 * addition_fit.posterior.sizes["draw"]
        assert ahead["curve"].dims == ahead["y"].dims == ("sample", "x")
        assert ahead.sizes == {"sample": n, "x": 3}
        assert ahead["scale"].dims == ("sample",)
        np.testing.assert_array_equal(ahead["x"], addition[1].x)
        assert ahead.attrs["law"] == "BNSL(1)"
        assert ahead.attrs["name"] == "four_digit_addition"
        assert ahead.attrs["status"] == str(addition_fit.status)

    @each_fit
    def test_curve_is_the_law_of_each_draw(self, fit):
        x = np.array([2.0, 0.3]) * fit.curve.x[-1]
        ahead = bb.forecast(fit, x, seed=1)
        n_draws = fit.posterior.sizes["draw"]
        for sample in (0, n_draws + 3, 4 * n_draws - 1):
            theta = fit.posterior.isel(chain=sample // n_draws, draw=sample % n_draws)
            law = fit.law(x, {name: value.values for name, value in theta.items()})
            expected = law if fit.curve.ceiling is None else fit.curve.ceiling - law
            np.testing.assert_allclose(ahead["curve"].isel(sample=sample), expected, rtol=1e-12)
            assert ahead["scale"].values[sample] == theta["sigma"].item()

    def test_says_how_far_beyond_the_data(self, limit_fit):
        last = limit_fit.curve.x[-1]
        ahead = bb.forecast(limit_fit, [last / 7, last, 10 * last, 1000 * last])
        np.testing.assert_allclose(ahead["decades_beyond"], [0, 0, 1, 3], atol=1e-12)

    @each_fit
    def test_a_new_observation_scatters_as_the_noise_says(self, fit):
        x = fit.curve.x[-1] * np.array([1.0, 2.0])
        ahead = bb.forecast(fit, x, seed=3)
        y, curve = (
            value if fit.curve.ceiling is None else fit.curve.ceiling - value
            for value in (ahead["y"], ahead["curve"])
        )
        residual = ((np.log(y) - np.log(curve)) / ahead["scale"]).values
        for column in residual.T:
            assert kstest(column, norm.cdf).pvalue > 1e-3
        assert abs(np.corrcoef(residual.T)[0, 1]) < 4 / len(residual) ** 0.5

    def test_a_seed_repeats_the_observations(self, limit_fit):
        one, again, other = (bb.forecast(limit_fit, [1e5], seed=seed) for seed in (1, 1, 2))
        xr.testing.assert_identical(one, again)
        assert not np.any(one["y"] == other["y"])
        xr.testing.assert_identical(one["curve"], other["curve"])

    def test_x_may_come_in_any_order(self, limit_fit):
        shuffled = bb.forecast(limit_fit, [1e6, 1e2, 1e4])
        in_order = bb.forecast(limit_fit, [1e2, 1e4, 1e6])
        assert shuffled["x"].values.tolist() == [1e6, 1e2, 1e4]
        xr.testing.assert_equal(shuffled["curve"].sortby("x"), in_order["curve"])

    @pytest.mark.parametrize("kind", [float, int, np.float64, np.array, xr.DataArray])
    def test_a_single_x_is_a_list_of_one(self, limit_fit, kind):
        ahead = bb.forecast(limit_fit, kind(1e5))
        assert ahead.sizes["x"] == 1
        xr.testing.assert_identical(ahead["curve"], bb.forecast(limit_fit, [1e5])["curve"])

    @each_fit
    @pytest.mark.parametrize("factor", [1e3, 1e12])
    def test_far_beyond_the_data_it_is_a_number(self, fit, factor):
        ahead = bb.forecast(fit, [factor * fit.curve.x[-1], fit.curve.x[0] / factor], seed=1)
        assert np.all(np.isfinite(ahead["curve"]))
        assert np.all(np.isfinite(ahead["y"]))

    def test_what_overflows_is_the_largest_number(self, line_fit):
        steep = bb.forecast(line_fit, 1e-300, seed=1)
        assert np.all(np.isfinite(steep["y"]))

    @pytest.mark.parametrize(
        ("x", "error", "message"),
        [
            (0, ValueError, "x must hold positive numbers, but 1 of 1 is zero"),
            ([1.0, -2.0], ValueError, r"x must hold positive numbers.*negative \(row 1"),
            ([np.nan], ValueError, "x must hold positive numbers, but 1 of 1 is NaN"),
            (np.inf, ValueError, "x must hold positive numbers, but 1 of 1 is infinite"),
            ([], ValueError, "x must hold at least one number, but it is empty"),
            ([[1.0, 2.0]], ValueError, "x must be one-dimensional, but an array of shape"),
            ("far", TypeError, "x must hold positive numbers, but 1 of 1 is text"),
            (None, ValueError, "x must hold positive numbers, but 1 of 1 is missing"),
        ],
    )
    def test_refuses_x(self, limit_fit, x, error, message):
        with pytest.raises(error, match=message):
            bb.forecast(limit_fit, x)

    def test_refuses_what_is_no_fit(self, limit_fit):
        with pytest.raises(
            TypeError, match=r"must be the result of bayes_bnsl\.fit or .*; got <xarr"
        ):
            bb.forecast(limit_fit.data, [1.0])


class TestInterval:
    def test_holds_the_quantiles(self, ahead):
        band = bb.interval(ahead, prob=0.8)
        assert band["bound"].values.tolist() == ["lower", "median", "upper"]
        for name in ("curve", "y"):
            expected = np.quantile(ahead[name].values, [0.1, 0.5, 0.9], axis=0)
            np.testing.assert_allclose(band[name].transpose("bound", "x"), expected)
        assert band.attrs["prob"] == 0.8

    @pytest.mark.parametrize("which", ["addition_fit", "accuracy_fit"])
    def test_grows_with_its_probability(self, fit):
        ahead = bb.forecast(fit, [1.5 * fit.curve.x[-1], 5 * fit.curve.x[-1]], seed=1)
        bands = [bb.interval(ahead, prob=prob) for prob in (0.2, 0.5, 0.9, 0.99)]
        for name in ("curve", "y"):
            lower, median, upper = (
                np.stack([band[name].sel(bound=bound) for band in bands])
                for bound in ("lower", "median", "upper")
            )
            assert np.all(np.diff(lower, axis=0) < 0)
            assert np.all(np.diff(upper, axis=0) > 0)
            assert np.all(np.diff(median, axis=0) == 0)
            assert np.all((lower < median) & (median < upper))

    def test_of_an_observation_is_wider_than_of_the_curve(self, limit_fit):
        band = bb.interval(bb.forecast(limit_fit, [1.0, 100.0, 1e4], seed=1))
        width = band.sel(bound="upper") - band.sel(bound="lower")
        assert np.all(width["y"] > width["curve"])

    def test_grows_beyond_the_data(self, limit_fit):
        ahead = bb.forecast(limit_fit, limit_fit.curve.x[-1] * np.array([1.0, 10.0, 100.0]))
        band = np.log(bb.interval(ahead)["curve"])
        width = band.sel(bound="upper") - band.sel(bound="lower")
        assert np.all(np.diff(width) > 0)

    @pytest.mark.parametrize("prob", [0, 1, -0.5, 90, np.nan])
    def test_refuses_what_is_no_probability(self, ahead, prob):
        with pytest.raises(ValueError, match=f"prob must lie between 0 and 1; got {prob}"):
            bb.interval(ahead, prob=prob)


class TestAccuracy:
    def test_comes_back_in_the_units_of_the_user(self, accuracy_fit):
        ahead = bb.forecast(accuracy_fit, accuracy_fit.curve.x, seed=1)
        band = bb.interval(ahead)["curve"]
        reported = accuracy_fit.curve.to_reported(accuracy_fit.curve.y)
        np.testing.assert_allclose(band.sel(bound="median"), reported, rtol=0.03)
        assert np.all(band.sel(bound="lower") < band.sel(bound="upper"))
        assert np.all(np.diff(band.sel(bound="median")) > 0)
        assert ahead.attrs["ceiling"] == 100

    def test_stays_below_the_ceiling(self, accuracy_fit):
        far = bb.forecast(accuracy_fit, [1e6, 1e9], seed=1)
        assert np.all(far["curve"] < 100)
        assert np.all(far["y"] < 100)


class TestLogScore:
    @each_fit
    def test_is_the_mean_density_of_the_draws(self, fit):
        x = fit.curve.x[-1] * np.array([1.2, 3.0])
        ahead = bb.forecast(fit, x, seed=1)
        ceiling = fit.curve.ceiling
        sigma, mu = ahead["scale"].values, ahead["curve"].values
        observed = np.median(ahead["y"], axis=0) * [1.0, 0.999]
        error, mu = (observed, mu) if ceiling is None else (ceiling - observed, ceiling - mu)
        density = lognorm.pdf(error, s=sigma[:, None], scale=mu)
        score = bb.log_score(ahead, observed)
        assert score.dims == ("x",)
        assert score.name == "log_score"
        np.testing.assert_array_equal(score["x"], x)
        np.testing.assert_allclose(score, np.log(density.mean(axis=0)), rtol=1e-8)

    def test_a_density_integrates_to_one(self, ahead):
        at = ahead.isel(x=[2], sample=slice(None, None, 20))
        y = np.linspace(0.3, 1.2, 1000)
        density = [np.exp(bb.log_score(at, value).item()) for value in y]
        assert np.trapezoid(density, y) == pytest.approx(1, abs=1e-3)

    def test_prefers_what_was_foreseen(self, ahead, addition):
        good = bb.log_score(ahead, addition[1].y)
        bad = bb.log_score(ahead, 2 * addition[1].y)
        assert np.all(good > bad)

    def test_far_from_every_draw_it_is_a_number(self, ahead):
        assert np.all(np.isfinite(bb.log_score(ahead, [1e6, 1e-6, 1e3])))

    def test_where_the_curve_is_its_ceiling_to_the_last_digit_it_is_a_number(self, accuracy_fit):
        ahead = bb.forecast(accuracy_fit, [1e60], seed=1)
        assert np.all(ahead["curve"] == 100)
        assert np.isfinite(bb.log_score(ahead, 99.9))

    def test_reads_an_accuracy_of_zero(self, accuracy_fit):
        """A good system may score nothing: that is unlikely, not impossible."""
        ahead = bb.forecast(accuracy_fit, [1e5, 1e6], seed=1)
        unlikely, likely = (bb.log_score(ahead, [value, 98.0])[0] for value in (0.0, 98.9))
        assert -np.inf < unlikely < likely

    def test_refuses_an_accuracy_at_the_ceiling(self, accuracy_fit):
        ahead = bb.forecast(accuracy_fit, [1e5, 1e6], seed=1)
        with pytest.raises(ValueError, match=r"y must hold numbers below ceiling=100.*row 1"):
            bb.log_score(ahead, [99.0, 100.0])

    @pytest.mark.parametrize(
        ("y", "error", "message"),
        [
            ([1.0, 2.0], ValueError, "one value for each of the 3 x of the forecast; got 2"),
            ([1.0, 2.0, 0.0], ValueError, r"y must hold positive.*zero \(row 2"),
            ([1.0, 2.0, np.nan], ValueError, "y must hold positive numbers.*NaN"),
            (["a", 1.0, 2.0], TypeError, "y must hold positive numbers.*text"),
        ],
    )
    def test_refuses_y(self, ahead, y, error, message):
        with pytest.raises(error, match=message):
            bb.log_score(ahead, y)

    def test_refuses_what_is_no_forecast(self, ahead):
        bare = ahead.drop_attrs()
        with pytest.raises(ValueError, match=r"is no forecast: its attributes do not name a noise"):
            bb.log_score(bare, [1.0, 1.0, 1.0])


def test_forecast_holds_what_its_authors_held_out(ahead, addition):
    """Caballero et al. (ICLR 2023, section 5.3) extrapolate these three points from 14."""
    band = bb.interval(ahead, prob=0.98)["y"]
    assert np.all(band.sel(bound="lower") < addition[1].y)
    assert np.all(band.sel(bound="upper") > addition[1].y)


def test_forecast_is_a_file_that_xarray_writes(ahead, tmp_path):
    ahead.to_netcdf(tmp_path / "ahead.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "ahead.nc", engine="h5netcdf") as back:
        xr.testing.assert_allclose(bb.log_score(back, [1, 1, 1]), bb.log_score(ahead, [1, 1, 1]))
