"""Backtests compared with the fits, forecasts and scores that they are made of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_bnsl as bb
from problems import NAMED

KNOWN = {"sigma": 0.02}


def power_law(x, *, run=None, **settings):
    return bb.simulate(bb.M1(), NAMED["M1"].theta, x, 0.02, seed=4, run=run, **settings)


def rows_of(tested, forecast, **where):
    """Return the rows of a forecast, of one origin or one horizon if it is given."""
    table = tested.table[tested.table["forecast"] == forecast]
    for column, value in where.items():
        table = table[table[column] == value]
    return table


@pytest.fixture(scope="module")
def curve():
    return power_law(np.geomspace(1, 1e3, 12), name="line")


@pytest.fixture(scope="module")
def tested(curve):
    return bb.backtest(curve, bb.M1(), origins=[8, 4], priors=KNOWN, seed=7)


class TestBacktest:
    def test_one_law_chooses_its_noise_as_a_fit_does(self, curve):
        one = bb.backtest(curve, bb.M1(), origins=[10], noise="auto", draws=500, seed=7)
        seen = curve.split(n=10)[0]
        fit = bb.fit(seen, bb.M1(), noise="auto", draws=500, seed=7, progress=False)
        assert one.name == "M1"
        assert one.sources[10].noise == fit.noise
        np.testing.assert_array_equal(one.sources[10].posterior["a"], fit.posterior["a"])

    def test_a_row_is_a_fit_a_forecast_and_its_scores(self, curve, tested):
        seen, later = curve.split(n=8)
        fit = bb.fit(seen, bb.M1(), priors=KNOWN, seed=7, progress=False)
        later = later.take(later.x <= 10 * seen.x[-1])
        ahead = bb.forecast(fit, later.x, seed=7)
        rows = rows_of(tested, "M1", origin=8)
        band = bb.interval(ahead)["y"].transpose("bound", "x").values
        held = bb.coverage(ahead, later.y)
        expected = {
            "x": later.x,
            "y": later.y,
            "lower": band[0],
            "median": band[1],
            "upper": band[2],
            "inside": held["covered"],
            "width": held["width"],
            "log_score": bb.log_score(ahead, later.y),
            "crps": bb.crps(ahead, later.y),
        }
        for name, values in expected.items():
            np.testing.assert_array_equal(rows[name], values, err_msg=name)
        np.testing.assert_array_equal(rows["last_x"], np.full(len(later), seen.x[-1]))
        np.testing.assert_allclose(rows["log_error"], np.log(later.y / band[1]), rtol=1e-12)
        assert set(rows["status"]) == {"converged"}
        assert list(tested.table["origin"].unique()) == [4, 8]

    def test_naive_forecasts_are_those_of_the_same_points(self, curve, tested):
        seen, later = curve.split(n=8)
        later = later.take(later.x <= 10 * seen.x[-1])
        for name, ahead in bb.naive_forecasts(seen, later.x).items():
            rows = rows_of(tested, name, origin=8)
            np.testing.assert_array_equal(rows["log_score"], bb.log_score(ahead, later.y))
            assert set(rows["status"]) == {""}

    def test_point_fits_stand_beside_the_naive_forecasts(self, curve):
        beside = [bb.M1(), bb.BNSL(1)]
        tested = bb.backtest(
            curve, bb.M1(), origins=[8], point_fits=beside, priors=KNOWN, draws=100, seed=7
        )
        seen, later = curve.split(n=8)
        later = later.take(later.x <= 10 * seen.x[-1])
        for law in beside:
            rows = rows_of(tested, f"{law.name}, least squares")
            ahead = bb.fit_points(seen, law).forecast(later.x)
            np.testing.assert_array_equal(rows["log_score"], bb.log_score(ahead, later.y))
        assert list(tested.summary().loc[10.0].index) == [
            "M1", "M1, least squares", "BNSL(1), least squares", "last value", "log-log line",
        ]  # fmt: skip

    def test_origins_suffice_for_point_fits(self, curve):
        with pytest.raises(ValueError, match="here from 7 to 11; got"):
            bb.backtest(curve, bb.M1(), origins=[5], point_fits=bb.BNSL(4))
        with pytest.raises(TypeError, match="point_fits must be a law such as"):
            bb.backtest(curve, bb.M1(), point_fits="M1")

    def test_a_point_belongs_to_the_smallest_horizon_that_holds_it(self):
        curve = power_law([1, 2, 4, 8, 16, 40, 80])
        tested = bb.backtest(curve, bb.M1(), origins=[3], horizons=[10, 2, 4], priors=KNOWN, seed=1)
        ours = rows_of(tested, "M1")
        assert dict(zip(ours["x"], ours["horizon"], strict=True)) == {8: 2, 16: 4, 40: 10}

    def test_takes_origins_evenly_where_there_are_points_ahead(self):
        curve = power_law([1, 2, 4, 8, 16, 32, 64, 1e4])  # from 64 nothing within 10 times
        tested = bb.backtest(curve, bb.M1(), priors=KNOWN, seed=1, draws=200)
        assert list(tested.sources) == [2, 3, 4, 5, 6]
        many = power_law(np.geomspace(1, 1e3, 30))
        tested = bb.backtest(many, bb.M1(), horizons=2, priors=KNOWN, seed=1, draws=200)
        assert list(tested.sources) == [2, 6, 10, 14, 17, 21, 25, 29]
        assert set(tested.table["horizon"]) == {2.0}

    def test_replicates_are_seen_together(self):
        curve = power_law([1, 1, 2, 2, 4, 4, 8, 8])
        tested = bb.backtest(curve, bb.M1(), origins=[3], priors=KNOWN, seed=1)
        assert len(tested.sources[3].curve) == 6
        assert rows_of(tested, "M1")["x"].tolist() == [8.0, 8.0]
        assert tested.at().loc[3, "last_x"] == 4.0

    def test_accuracies_are_scored_as_accuracies(self):
        errors = power_law(np.geomspace(1, 1e3, 10))
        accuracies = 10 - errors.y
        curve = bb.Curve.from_accuracy(errors.x, accuracies, ceiling=10)
        one, other = (
            bb.backtest(each, bb.M1(), origins=[6], priors=KNOWN, seed=1).table
            for each in (curve, errors)
        )
        np.testing.assert_array_equal(one["y"], 10 - other["y"])
        np.testing.assert_allclose(one["median"], 10 - other["median"], rtol=1e-6)
        for score in ("log_error", "log_score", "crps", "width"):
            np.testing.assert_allclose(one[score], other[score], rtol=1e-6, atol=1e-8)

    def test_points_of_a_run_go_on_from_it(self, fit_correlated, runs_fit):
        curve = runs_fit.curve
        n = len(np.unique(curve.x))
        origin = n - 2
        tested = bb.backtest(curve, bb.M1(), origins=[origin], noise=bb.Correlated(), seed=1)
        last = np.unique(curve.x)[origin - 1]
        fit = fit_correlated(curve.take(curve.x <= last), seed=1)
        for run in curve.runs:
            later = curve.take((curve.x > last) & (curve.run == run))
            ahead = bb.forecast(fit, later.x, run=run, seed=1)
            rows = rows_of(tested, "M1")
            rows = rows[rows["y"].isin(later.y)]
            np.testing.assert_array_equal(rows["log_score"], bb.log_score(ahead, later.y))

    def test_points_with_known_errors_are_forecast_with_them(self, own_fit, fit_own):
        curve = own_fit.curve
        settings = {"priors": fit_own.keywords["priors"], "origins": [20], "seed": 1}
        tested = bb.backtest(curve, bb.BNSL(0), horizons=2, **settings)
        (source,) = tested.sources.values()
        later = curve.take((curve.x > source.curve.x[-1]) & (curve.x <= 2 * source.curve.x[-1]))
        ahead = bb.forecast(source, later.x, y_se=later.y_se, seed=1)
        rows = rows_of(tested, "BNSL(0)")
        np.testing.assert_array_equal(rows["log_score"], bb.log_score(ahead, later.y))
        last = bb.forecast(source, curve.x[-1], y_se=curve.y_se[-1], seed=1)
        assert tested.at()["upper"].item() == bb.interval(last)["y"].sel(bound="upper").item()
        without = bb.backtest(
            curve, bb.BNSL(0), horizons=2, forecast_settings={"y_se": None}, **settings
        )
        assert (rows_of(without, "BNSL(0)")["width"] < rows["width"]).all()

    def test_one_that_did_not_converge_is_flagged_and_counted(self, curve):
        with pytest.warns(
            bb.NotConvergedWarning,
            match=r"M1 .*: 6 x seen \(chains_disagree\)\. Raise max_gradients",
        ) as caught:
            tested = bb.backtest(
                curve, bb.M1(), origins=[6], priors=KNOWN, seed=1, draws=20, max_gradients=1
            )
        assert caught[0].filename == __file__
        assert len(caught) == 1
        assert tested.statuses == {6: "chains_disagree"}
        assert rows_of(tested, "M1")["status"].unique().tolist() == ["chains_disagree"]
        assert tested.summary().loc[(2.0, "M1"), "points"] == 1
        assert "Not to be relied on: 6 x seen (chains_disagree)." in str(tested)

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"laws": "M1"}, TypeError, r"laws must be a law such as BNSL\(1\)"),
            ({"laws": []}, TypeError, "laws must be a law"),
            ({"horizons": [1.0, 2.0]}, ValueError, "horizons are factors of the last x, above one"),
            ({"horizons": 1.1}, ValueError, r"From no origin does a point .* 1\.1 times"),
            ({"origins": [1]}, ValueError, r"origins are .* from 2 to 11; got \[1\]"),
            ({"origins": [12]}, ValueError, r"from 2 to 11; got \[12\]"),
            ({"origins": []}, ValueError, "got none"),
            ({"origins": [2.5]}, TypeError, "origins must be an integer"),
            ({"prob": 90}, ValueError, "prob must lie between 0 and 1"),
            ({"laws": bb.BNSL(20)}, ValueError, r"to fit BNSL\(20\) and have a point ahead"),
        ],
    )
    def test_refuses(self, curve, arguments, error, message):
        with pytest.raises(error, match=message):
            bb.backtest(curve, **({"laws": bb.M1()} | arguments))

    def test_refuses_what_is_no_curve(self, line_fit):
        with pytest.raises(TypeError, match="curve must be a Curve; got <Fit"):
            bb.backtest(line_fit, bb.M1())


class TestAverage:
    laws = (bb.M1(), bb.M1())  # of one kind, which is compiled already

    def test_is_that_of_a_comparison(self, curve):
        settings = {"priors": KNOWN, "seed": 2}
        tested = bb.backtest(curve, self.laws, origins=[8], horizons=2, **settings)
        seen, later = curve.split(n=8)
        choice = bb.compare(seen, self.laws, progress=False, **settings)
        later = later.take(later.x <= 2 * seen.x[-1])
        ahead = bb.forecast(choice, later.x, seed=2)
        rows = rows_of(tested, "average")
        np.testing.assert_allclose(rows["log_score"], bb.log_score(ahead, later.y), rtol=1e-9)
        pd.testing.assert_series_equal(tested.sources[8].weights, choice.weights)
        assert str(tested).startswith("average on 'line'")

    def test_no_forecast_where_no_law_has_weight(self, curve):
        settings = {"priors": KNOWN, "seed": 1, "draws": 20, "max_gradients": 1}
        with pytest.warns(bb.NotConvergedWarning, match=r"average did .* 6 x seen \(no_law\)"):
            tested = bb.backtest(curve, self.laws, origins=[6], **settings)
        ours = rows_of(tested, "average")
        assert len(ours)
        assert ours["median"].isna().all()
        assert ours["inside"].isna().all()
        assert rows_of(tested, "last value")["median"].notna().all()
        assert tested.at()["median"].isna().all()
        with pytest.raises(ValueError, match=r"no forecast to score\. 6 x seen \(no_law\)"):
            tested.summary()
        assert "no_law" in str(tested)
        assert "no_law" in tested._repr_html_()
        with pytest.warns(bb.NotConvergedWarning, match=r"6 x seen \(chains_disagree\)"):
            tested = bb.backtest(
                curve, self.laws, origins=[6], include_unconverged=True, **settings
            )
        assert rows_of(tested, "average")["median"].notna().all()


class TestSummary:
    def test_is_made_of_the_rows(self, tested):
        summary = tested.summary()
        for (horizon, name), row in summary.iterrows():
            some = rows_of(tested, name, horizon=horizon)
            assert row["points"] == len(some)
            assert row["origins"] == some["origin"].nunique()
            assert row["rmsle"] == pytest.approx(np.sqrt((some["log_error"] ** 2).mean()))
            assert row["coverage"] == pytest.approx(some["inside"].mean())
            for score in ("log_score", "crps", "width"):
                assert row[score] == pytest.approx(some[score].mean())
        far = summary.loc[10.0]
        skill = 1 - far.loc["M1", "rmsle"] / far.loc["last value", "rmsle"]
        assert far.loc["last value", "rmsle_skill"] == pytest.approx(skill)
        assert far.loc["M1", "crps_skill"] == 0.0

    def test_error_of_one_origin_is_that_of_score(self, curve):
        tested = bb.backtest(curve, bb.M1(), origins=[8], horizons=10, priors=KNOWN, seed=1)
        source = tested.sources[8]
        later = curve.take((curve.x > source.curve.x[-1]) & (curve.x <= 10 * source.curve.x[-1]))
        scored = bb.score(bb.forecast(source, later.x, seed=1), later.y, source.curve)
        ours = tested.summary().loc[10.0]
        for name in ("rmsle", "rmsle_error", "log_score", "crps", "coverage", "width"):
            np.testing.assert_allclose(ours[name], scored[name], rtol=1e-6, err_msg=name)
        for name in ("rmsle_skill", "crps_skill"):
            np.testing.assert_allclose(ours[name], scored[name], atol=1e-6, err_msg=name)

    def test_in_words(self, tested):
        first, near, far = str(tested).splitlines()
        assert first.startswith(
            "M1 on 'line', forecast from 2 origins, x up to 6.57933 ... 81.1131."
        )
        error = tested.summary().loc[(2.0, "M1"), "rmsle"]
        assert near.startswith(f"1 to 2 times the last x: RMSLE {error:.3g} (last value ")
        assert far.startswith("2 to 10 times the last x: ")
        assert "90% intervals held" in tested._repr_html_()
        assert "Backtest of M1 on 'line'" in repr(tested)


class TestAt:
    def test_is_what_each_origin_forecast(self, tested):
        moved = tested.at()
        for origin, source in tested.sources.items():
            band = bb.interval(bb.forecast(source, [tested.curve.x[-1]], seed=7))["y"]
            bounds = ["lower", "median", "upper"]
            np.testing.assert_array_equal(
                moved.loc[origin, bounds].to_numpy(float), band.sel(bound=bounds).values.ravel()
            )

    def test_leaves_out_origins_that_are_not_before_it(self, tested):
        assert list(tested.at(float(tested.curve.x[6])).index) == [4]

    def test_refuses(self, tested):
        with pytest.raises(ValueError, match=r"x must lie beyond the first origin, 6\.57933"):
            tested.at(2.0)
