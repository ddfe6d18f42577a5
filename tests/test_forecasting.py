"""Forecasts: draws with labels, intervals, and the score of what came."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import kstest, lognorm, norm
from scipy.stats import t as student_t

import bayes_bnsl as bb
from problems import NAMED

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
        xr.testing.assert_allclose(ahead["location"], np.log(ahead["curve"]).rename("location"))
        assert set(ahead.data_vars) == {"curve", "y", "location", "scale"}
        np.testing.assert_array_equal(ahead["x"], addition[1].x)
        assert ahead.attrs["law"] == "BNSL(1)"
        assert ahead.attrs["name"] == "four_digit_addition"
        assert ahead.attrs["status"] == str(addition_fit.status)

    @each_fit
    def test_curve_is_the_law_of_each_draw(self, fit):
        x = np.array([2.0, 0.3]) * fit.curve.x[-1]
        ahead = bb.forecast(fit, x, unseen_breaks=0, seed=1)
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
        one, other = (bb.forecast(limit_fit, [1e5], unseen_breaks=0, seed=seed) for seed in (1, 2))
        xr.testing.assert_identical(one["curve"], other["curve"])

    def test_x_may_come_in_any_order(self, limit_fit):
        shuffled = bb.forecast(limit_fit, [1e6, 1e2, 1e4], seed=1)
        in_order = bb.forecast(limit_fit, [1e2, 1e4, 1e6], seed=1)
        assert shuffled["x"].values.tolist() == [1e6, 1e2, 1e4]
        xr.testing.assert_equal(shuffled["curve"].sortby("x"), in_order["curve"])

    @each_fit
    def test_what_comes_at_one_x_does_not_depend_on_the_others(self, fit):
        x = np.array([1.5, 10.0, 1000.0]) * fit.curve.x[-1]
        alone, together = (bb.forecast(fit, at, seed=1)["curve"] for at in (x[:1], x))
        np.testing.assert_allclose(alone.isel(x=0), together.isel(x=0), rtol=1e-3)

    @pytest.mark.parametrize("kind", [float, int, np.float64, np.array, xr.DataArray])
    def test_a_single_x_is_a_list_of_one(self, limit_fit, kind):
        ahead = bb.forecast(limit_fit, kind(1e5), seed=1)
        assert ahead.sizes["x"] == 1
        xr.testing.assert_identical(ahead, bb.forecast(limit_fit, [1e5], seed=1))

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
        with pytest.raises(TypeError, match=r"must be the result of .*compare; got <xarr"):
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
        ahead = bb.forecast(limit_fit, limit_fit.curve.x[-1] * np.array([1.0, 10.0, 100.0]), seed=1)
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
        for what in ("curve", "y"):  # breaks may take it there to the last digit
            assert np.all(far[what] <= 100)
            assert np.mean(far[what] < 100) > 0.9


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
        y = np.geomspace(0.2, 1.6, 3000)
        density = [np.exp(bb.log_score(at, value).item()) for value in y]
        assert np.trapezoid(density, y) == pytest.approx(1, abs=1e-3)

    def test_prefers_what_was_foreseen(self, ahead, addition):
        good = bb.log_score(ahead, addition[1].y)
        bad = bb.log_score(ahead, 2 * addition[1].y)
        assert np.all(good > bad)

    def test_far_from_every_draw_it_is_a_number(self, ahead):
        assert np.all(np.isfinite(bb.log_score(ahead, [1e6, 1e-6, 1e3])))

    def test_where_the_curve_is_its_ceiling_to_the_last_digit_it_is_a_number(self, accuracy_fit):
        ahead = bb.forecast(accuracy_fit, [1e60], unseen_breaks=0, seed=1)
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

    @pytest.mark.parametrize("lost", ["attributes", "location", "scale"])
    def test_refuses_what_is_no_forecast(self, ahead, lost):
        bare = ahead.drop_attrs() if lost == "attributes" else ahead.drop_vars(lost)
        with pytest.raises(ValueError, match="is no forecast: it lacks location and scale"):
            bb.log_score(bare, [1.0, 1.0, 1.0])


def expected_ahead(fit, sample, x, members):
    """Return mean and covariance of log y at new x for one draw, by dense linear algebra."""
    n_draws = fit.posterior.sizes["draw"]
    draw = fit.posterior.isel(chain=sample // n_draws, draw=sample % n_draws)
    theta = {name: value.item() for name, value in draw.items()}
    seen = fit.curve.log_x[members]
    new = np.log(x)

    def kernel(one, other):
        distance = np.abs(one[:, None] - other[None, :])
        return theta["tau"] ** 2 * np.exp(-distance / theta["ell"])

    noisy = kernel(seen, seen) + theta["sigma"] ** 2 * np.eye(len(seen))
    gain = np.linalg.solve(noisy, kernel(seen, new)).T
    residual = fit.curve.log_y[members] - fit.law.log_mu(seen, theta)
    mean = fit.law.log_mu(new, theta) + gain @ residual
    covariance = kernel(new, new) - gain @ kernel(seen, new)
    return mean, covariance + theta["sigma"] ** 2 * np.eye(len(new))


class TestRunsGoOn:
    """Forecasts with residuals that hang together."""

    x = np.array([1.2e4, 30.0, 1e5, 1.0])

    @pytest.mark.parametrize(
        ("which", "run", "members"),
        [
            ("correlated_fit", None, slice(None)),
            ("runs_fit", "one", slice(0, None, 2)),
            ("runs_fit", "two", slice(1, None, 2)),
            ("runs_fit", None, slice(0, 0)),
        ],
    )
    def test_as_a_dense_matrix_says(self, fit, run, members):
        ahead = bb.forecast(fit, self.x, run=run, unseen_breaks=0, seed=2)
        n = ahead.sizes["sample"]
        white = np.empty((0, 4))
        for sample in np.linspace(0, n - 1, 400).astype(int):
            mean, covariance = expected_ahead(fit, sample, self.x, members)
            here = ahead.isel(sample=sample)
            np.testing.assert_allclose(here["location"], mean, rtol=1e-8)
            np.testing.assert_allclose(here["scale"], np.diag(covariance) ** 0.5, rtol=1e-8)
            residual = np.log(here["y"]) - mean
            whitened = np.linalg.solve(np.linalg.cholesky(covariance), residual)
            white = np.vstack([white, whitened])
        # y of one sample is one path: with its covariance taken away, nothing hangs together
        for column in white.T:
            assert kstest(column, norm.cdf).pvalue > 1e-3
        np.testing.assert_allclose(np.corrcoef(white.T), np.eye(4), atol=0.2)

    def test_the_curve_is_the_law_alone(self, correlated_fit, runs_fit):
        for fit in (correlated_fit, runs_fit):
            ahead = bb.forecast(fit, self.x, unseen_breaks=0, seed=1)
            draw = fit.posterior.isel(chain=0, draw=0)
            law = fit.law(self.x, {name: value.item() for name, value in draw.items()})
            np.testing.assert_allclose(ahead["curve"].isel(sample=0), law, rtol=1e-12)

    def test_the_last_residual_is_carried_forward_and_fades(self, correlated_fit):
        curve = correlated_fit.curve
        ahead = bb.forecast(correlated_fit, curve.x[-1] * np.array([1.01, 10.0, 1e30]), seed=1)
        last = curve.log_y[-1] - np.log(ahead["curve"].isel(x=0)).median().item()
        away = (ahead["location"] - np.log(ahead["curve"])).median("sample").values
        assert abs(last) > 0.02
        assert away[0] == pytest.approx(last, rel=0.2)
        assert abs(away[0]) > 2 * abs(away[1])
        assert away[2] == pytest.approx(0, abs=1e-6)
        scale = ahead["scale"].median("sample").values
        assert scale[0] < scale[1] < scale[2]
        theta = correlated_fit.posterior
        stationary = np.hypot(theta["sigma"], theta["tau"]).median()
        assert scale[2] == pytest.approx(stationary.item())

    def test_several_runs_tell_apart(self, runs_fit):
        at = runs_fit.curve.x[-1] * 1.01
        one, two, new = (bb.forecast(runs_fit, at, run=run, seed=1) for run in ("one", "two", None))
        ends = {
            label: runs_fit.curve.log_y[runs_fit.curve.run == label][-1] for label in ("one", "two")
        }
        for ahead, label in ((one, "one"), (two, "two")):
            assert float(ahead["location"].median()) == pytest.approx(ends[label], abs=0.02)
            assert np.all(ahead["scale"] < new["scale"])
        xr.testing.assert_equal(new["location"], np.log(new["curve"]).rename("location"))

    def test_score_is_that_of_the_conditional_density(self, correlated_fit):
        ahead = bb.forecast(correlated_fit, self.x, seed=1)
        y = ahead["y"].isel(sample=7).values
        density = lognorm.pdf(y, s=ahead["scale"].values, scale=np.exp(ahead["location"].values))
        np.testing.assert_allclose(bb.log_score(ahead, y), np.log(density.mean(axis=0)), rtol=1e-8)

    @pytest.mark.parametrize(
        ("which", "run", "message"),
        [
            ("runs_fit", "tow", r"'correlated' has no run 'tow'. Did you mean 'two'\?"),
            (
                "correlated_fit",
                "one",
                r"'correlated' has no run 'one'. .*no run labels: leave out run",
            ),
            ("custom_fit", 3, r"'custom' has no run 3. There are: 1, 2\."),
        ],
    )
    def test_refuses_a_run_that_is_not_there(self, fit, run, message):
        with pytest.raises(ValueError, match=message):
            bb.forecast(fit, [1.0], run=run)


class TestTails:
    """Forecasts with Student-t noise whose scale changes along x."""

    def test_scatter_as_the_noise_says(self, tails_fit):
        x = np.array([1e-3, 1.0, 1e2, 1e4, 1e9])
        ahead = bb.forecast(tails_fit, x, seed=1)
        theta = tails_fit.posterior.stack(sample=("chain", "draw"))
        first, last = theta["sigma_first"].values, theta["sigma_last"].values
        expected = np.stack([first, first, np.sqrt(first * last), last, last], axis=1)
        np.testing.assert_allclose(ahead["scale"].transpose("sample", "x"), expected, rtol=1e-9)
        np.testing.assert_array_equal(ahead["nu"], theta["nu"].values)
        residual = (np.log(ahead["y"]) - ahead["location"]) / ahead["scale"]
        # the probability of each under its own degrees of freedom is uniform
        place = student_t.cdf(residual.transpose("sample", "x"), ahead["nu"].values[:, None])
        for column in place.T:
            assert kstest(column, "uniform").pvalue > 1e-3

    def test_score_is_that_of_students_t(self, tails_fit):
        ahead = bb.forecast(tails_fit, [1e3, 1e5], seed=1)
        y = np.array([0.3, 0.1])
        density = student_t.pdf(
            np.log(y), ahead["nu"].values[:, None], loc=ahead["location"], scale=ahead["scale"]
        )
        expected = np.log(density.mean(axis=0)) - np.log(y)
        np.testing.assert_allclose(bb.log_score(ahead, y), expected, rtol=1e-8)

    def test_learns_what_the_noise_was(self, tails_fit):
        inside = tails_fit.posterior.quantile([0.01, 0.99], ("chain", "draw"))
        for name, true in (("sigma_first", 0.05), ("sigma_last", 0.005), ("nu", 3.0)):
            assert inside[name][0] < true < inside[name][1]


class TestKnownErrors:
    """Standard errors of the new observations."""

    @pytest.mark.parametrize("which", ["line_fit", "accuracy_fit", "correlated_fit"])
    def test_are_added_in_quadrature(self, fit):
        x = fit.curve.x[-1] * np.array([1.0, 2.0])
        plain, more = (bb.forecast(fit, x, seed=1, y_se=y_se) for y_se in (None, [0.0, 0.05]))
        mu = fit.curve.to_reported(more["curve"])
        np.testing.assert_allclose(
            more["scale"].sel(x=x[0]),
            plain["scale"] if plain["scale"].ndim == 1 else plain["scale"].sel(x=x[0]),
        )
        extra = (
            more["scale"].sel(x=x[1]) ** 2
            - (plain["scale"] if plain["scale"].ndim == 1 else plain["scale"].sel(x=x[1])) ** 2
        )
        np.testing.assert_allclose(extra, (0.05 / mu.sel(x=x[1])) ** 2, rtol=1e-6)
        spread = np.log(fit.curve.to_reported(more["y"])) - more["location"]
        assert kstest((spread / more["scale"]).sel(x=x[1]), norm.cdf).pvalue > 1e-3

    def test_one_number_serves_every_x(self, line_fit):
        one, each = (
            bb.forecast(line_fit, [1.0, 2.0], seed=1, y_se=y_se) for y_se in (0.1, [0.1, 0.1])
        )
        xr.testing.assert_identical(one, each)

    @pytest.mark.parametrize(
        ("y_se", "message"),
        [
            (-0.1, "y_se must hold non-negative numbers"),
            ([0.1, np.nan], "y_se must hold non-negative numbers"),
            ([0.1, 0.1, 0.1], "y_se must be one number, or one for each of the 2 x; got 3"),
        ],
    )
    def test_refuses_what_is_no_error(self, line_fit, y_se, message):
        with pytest.raises(ValueError, match=message):
            bb.forecast(line_fit, [1.0, 2.0], y_se=y_se)


@pytest.mark.slow
def test_correlated_noise_keeps_the_promise_of_the_band_and_lognormal_noise_does_not(
    fit_correlated,
):
    """90 % bands at the next point and at 10x, for 60 curves with residuals that hang together."""
    theta = NAMED["M1"].theta | {"sigma": 0.005, "tau": 0.04, "ell": 1.5}
    x = np.geomspace(1.0, 1e4, 40)
    held = {"Correlated": np.zeros(2), "LogNormal": np.zeros(2)}
    for seed in range(60):
        at = [*x, x[-1] * x[1], 10 * x[-1]]
        seen, later = bb.simulate(bb.M1(), theta, at, bb.Correlated(), seed=seed).split(n=40)
        for fit in (
            fit_correlated(seen, seed=1),
            bb.fit(seen, bb.M1(), seed=1, progress=False),
        ):
            band = bb.interval(bb.forecast(fit, later.x, seed=seed))["y"]
            inside = (band.sel(bound="lower") < later.y) & (later.y < band.sel(bound="upper"))
            held[fit.noise.name] += inside.values
    # three standard errors of 60 trials about 0.9 are 0.78 and 1
    assert np.all(held["Correlated"] >= 47)
    assert held["LogNormal"][1] < 47


def test_forecast_holds_what_its_authors_held_out(ahead, addition):
    """Caballero et al. (ICLR 2023, section 5.3) extrapolate these three points from 14."""
    band = bb.interval(ahead, prob=0.98)["y"]
    assert np.all(band.sel(bound="lower") < addition[1].y)
    assert np.all(band.sel(bound="upper") > addition[1].y)


def test_forecast_is_a_file_that_xarray_writes(ahead, tmp_path):
    ahead.to_netcdf(tmp_path / "ahead.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "ahead.nc", engine="h5netcdf") as back:
        xr.testing.assert_allclose(bb.log_score(back, [1, 1, 1]), bb.log_score(ahead, [1, 1, 1]))
