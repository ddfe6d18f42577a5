"""Choosing a law for a curve: from the points to the table and the averaged forecast."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.special import logsumexp

import bayes_bnsl as bb

LAWS = [bb.BNSL(0), bb.BNSL(1), bb.M4()]


@pytest.fixture(scope="module")
def choice(addition):
    seen, later = addition
    whole = bb.Curve(np.append(seen.x, later.x), np.append(seen.y, later.y), name=seen.name)
    return bb.compare(whole, [*LAWS, bb.BNSL(20)], seed=1, progress=False)


class TestCompare:
    def test_finds_the_break(self, choice):
        assert choice.best == choice.simplest == "BNSL(1)"
        assert choice.n_breaks[1] > 0.9
        assert set(choice.fits) == {"BNSL(0)", "BNSL(1)", "M4"}

    def test_a_law_that_needs_more_points_is_a_row(self, choice):
        assert choice.table.loc["BNSL(20)", "status"] == "too_few_points"
        assert choice.weights["BNSL(20)"] == 0

    def test_fits_stand_for_themselves(self, choice):
        again = bb.compare({"straight": choice.fits["BNSL(0)"], "broken": choice.fits["BNSL(1)"]})
        assert again.best == "broken"
        assert again.fits["broken"] is choice.fits["BNSL(1)"]
        assert again.table.loc["broken", "elpd"] == choice.table.loc["BNSL(1)", "elpd"]

    def test_fits_of_one_law_are_told_apart(self, line_fit, fit_line, line_curve):
        choice = bb.compare([line_fit, fit_line(line_curve, seed=2)])
        assert list(choice.fits) == ["M1 #1", "M1 #2"]
        assert choice.table["elpd_diff"].abs().max() < 0.2

    def test_says_once_what_did_not_converge(self, addition):
        with pytest.warns(bb.NotConvergedWarning, match=r"1 of 1 laws did not .* no weight: M4"):
            bb.compare(addition[0], [bb.M4()], draws=10, max_gradients=1, seed=1, progress=False)

    def test_leave_future_out_and_a_window_too_small_for_a_law(self, choice):
        line = choice.fits["BNSL(0)"]
        ahead = bb.compare([line], by="lfo", horizon=3, start=14)
        np.testing.assert_array_equal(ahead.points["left"], [14])
        assert ahead.by == "lfo"
        assert np.isnan(ahead.table["p_eff"]).all()
        assert "foresees the points ahead" in str(ahead)


class TestRefuses:
    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"by": "waic"}, ValueError, "by is 'waic'"),
            ({"laws": []}, ValueError, "laws is empty"),
            ({"laws": ["BNSL(1)"]}, TypeError, r"laws must hold laws such as BNSL\(1\), or fits"),
            ({"weights": "stack"}, ValueError, r"weights is 'stack'\. Did you mean 'stacking'"),
            ({"by": "lfo", "start": 25}, ValueError, "too few to see 25"),
            ({"by": "lfo", "horizon": 0}, ValueError, "horizon must lie between"),
            ({"by": "lfo", "horizon": 1.5}, TypeError, "horizon must be an integer"),
        ],
    )
    def test_arguments(self, line_curve, arguments, error, message):
        with pytest.raises(error, match=message):
            bb.compare(line_curve, **arguments)

    def test_probabilities_beside_densities(self, line_curve):
        with pytest.raises(ValueError, match="BestSoFar compares with no other noise"):
            bb.compare(line_curve, noise=[bb.BestSoFar(), bb.LogNormal()])

    def test_what_is_not_the_best_so_far(self):
        curve = bb.Curve([1, 2, 4, 8], [4.0, 3.0, 3.1, 2.0])
        with pytest.raises(ValueError, match=r"falls, but turns back to 3.1 at x 4: that is not"):
            bb.compare(curve, noise=bb.BestSoFar())

    def test_fits_to_different_points(self, line_fit, limit_fit):
        with pytest.raises(ValueError, match=r"the same points alone; BNSL\(0\) was fitted to"):
            bb.compare([line_fit, limit_fit])

    def test_laws_for_fits(self, line_fit):
        with pytest.raises(TypeError, match="laws and noise belong to a curve"):
            bb.compare([line_fit], [bb.M1()])

    def test_what_is_no_curve(self):
        with pytest.raises(TypeError, match="curve must be a Curve, or fits"):
            bb.compare(bb.M1())


@pytest.fixture(scope="module")
def pair(line_fit):
    """Two laws that share the weight, and their forecast."""
    limit = bb.fit(line_fit.curve, bb.BNSL(0), seed=1, progress=False)
    choice = bb.compare({"line": line_fit, "limit": limit}, weights="pseudo_bma")
    return choice, bb.forecast(choice, [2e4, 1e5], seed=1)


class TestAveragedForecast:
    def test_has_the_draws_of_each_law_by_weight(self, pair):
        choice, ahead = pair
        assert 0.02 < choice.weights["limit"] < 0.98
        shares = {label: float((ahead["law"] == label).mean()) for label in choice.weights.index}
        assert shares == pytest.approx(choice.weights.to_dict(), abs=0.01)
        assert dict(zip(ahead["candidate"].values, ahead["share"].values, strict=True)) == (
            pytest.approx(choice.weights.to_dict())
        )
        assert ahead["curve"].dims == ahead["y"].dims == ("sample", "x")
        assert ahead.attrs["law"] == "average of line, limit"

    def test_score_is_the_density_of_the_mixture(self, pair):
        choice, ahead = pair
        y = ahead["curve"].median("sample").values
        each = [
            bb.log_score(bb.forecast(fit, [2e4, 1e5], seed=1), y) for fit in choice.fits.values()
        ]
        expected = logsumexp(each, axis=0, b=choice.weights.values[:, None])
        np.testing.assert_allclose(bb.log_score(ahead, y), expected, atol=0.02)

    def test_interval_is_that_of_all_draws(self, pair):
        _, ahead = pair
        band = bb.interval(ahead, prob=0.8)["y"]
        np.testing.assert_allclose(
            band.transpose("bound", "x"), np.quantile(ahead["y"], [0.1, 0.5, 0.9], axis=0)
        )

    def test_a_seed_repeats_it(self, pair):
        choice, ahead = pair
        xr.testing.assert_identical(ahead, bb.forecast(choice, [2e4, 1e5], seed=1))

    def test_is_a_file_that_xarray_writes(self, pair, tmp_path):
        _, ahead = pair
        ahead.to_netcdf(tmp_path / "ahead.nc", engine="h5netcdf")
        with xr.open_dataset(tmp_path / "ahead.nc", engine="h5netcdf") as back:
            y = ahead["y"].isel(sample=0).values
            xr.testing.assert_allclose(bb.log_score(back.load(), y), bb.log_score(ahead, y))

    def test_laws_with_different_noise(self, line_fit, line_curve):
        heavy = bb.fit(line_curve, bb.M1(), noise=bb.StudentT(), seed=1, progress=False)
        choice = bb.compare({"normal": line_fit, "heavy": heavy}, weights="pseudo_bma")
        ahead = bb.forecast(choice, [2e4], seed=1)
        y = 1.02 * ahead["curve"].median("sample").values
        each = [bb.log_score(bb.forecast(fit, [2e4], seed=1), y) for fit in choice.fits.values()]
        expected = logsumexp(each, axis=0, b=choice.weights.values[:, None])
        np.testing.assert_allclose(bb.log_score(ahead, y), expected, atol=0.02)
