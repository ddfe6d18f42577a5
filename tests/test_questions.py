"""Answers compared with laws that can be solved for x, and with draws that are known exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import brentq

import bayes_bnsl as bb
from problems import NAMED, simulated


def exact_fit(fit, problem):
    """Return a fit whose draws are all the true parameters of a problem."""
    law, theta = problem.law, problem.theta | {"sigma": 0.02}
    shape = {"chain": 2, "draw": 50}
    posterior = xr.Dataset(
        {
            name: xr.DataArray(value, dims="brk" if law.has_break(name) else ()).expand_dims(shape)
            for name, value in theta.items()
        }
    )
    data = xr.DataTree.from_dict({"posterior": posterior})
    return replace(fit, curve=simulated(problem.name), law=law, priors={}, data=data)


def flat(fit):
    return {name: values.values.ravel() for name, values in fit.posterior.items()}


@pytest.fixture(scope="module")
def average(line_curve, fit_line):
    """Two fits of one law, which average to nothing but more draws of it."""
    return bb.compare({f"seed {seed}": fit_line(line_curve, seed=seed) for seed in (1, 2)})


class TestXToReach:
    def test_inverts_a_power_law(self, line_fit):
        theta = flat(line_fit)
        reach = bb.x_to_reach(line_fit, 0.01, to=1e9, unseen_breaks=0)
        np.testing.assert_allclose(reach.draws, (0.01 / theta["a"]) ** (1 / theta["b"]), rtol=1e-9)
        assert reach.reached == 1.0

    def test_inverts_a_power_law_to_a_limit(self, limit_fit):
        theta = flat(limit_fit)
        y = float(np.quantile(theta["a"], 0.4))  # of most draws the limit is above
        reach = bb.x_to_reach(limit_fit, y, to=1e9, unseen_breaks=0)
        above = np.maximum(y - theta["a"], 1e-30)
        needed = np.exp(np.log(above / theta["b"]) / -theta["c0"])
        needed[needed > 1e9] = np.inf
        # within a cell of the grid the curve is not quite a power law
        np.testing.assert_allclose(reach.draws, needed, rtol=1e-3)
        assert reach.reached == np.isfinite(needed).mean() < 0.4
        assert np.isinf(reach.interval().sel(bound=["median", "upper"])).all()
        assert str(reach).startswith("More likely than not the curve falls to 0.29")
        assert "nowhere up to x = 1e+09; 90% interval" in str(reach)

    def test_a_farther_end_takes_nothing_back(self, limit_fit):
        near, far = (bb.x_to_reach(limit_fit, 0.35, to=to, unseen_breaks=0) for to in (1e5, 1e8))
        both = np.isfinite(near.draws)
        np.testing.assert_allclose(near.draws[both], far.draws[both], rtol=1e-3)
        assert (far.draws[~both] > 0.999e5).all()

    def test_is_the_first_x_of_a_curve_that_turns(self, line_fit):
        problem = NAMED["double descent"]
        fit = exact_fit(line_fit, problem)
        law, theta = problem.law, problem.theta
        y = float(law(3e3, theta))  # on the way up again: reached before, left, reached again
        alone = {"unseen_breaks": 0}
        (first,) = np.unique(bb.x_to_reach(fit, y, **alone).draws)
        root = brentq(lambda u: float(law(np.exp(u), theta)) - y, np.log(10), np.log(900))
        assert first == pytest.approx(np.exp(root), rel=1e-4)
        (again,) = np.unique(bb.x_to_reach(fit, y, after=1e4, **alone).draws)
        root = brentq(lambda u: float(law(np.exp(u), theta)) - y, np.log(1e4), np.log(1e9))
        assert again == pytest.approx(np.exp(root), rel=1e-4)
        (rising,) = np.unique(bb.x_to_reach(fit, y, better="higher", after=1e3, **alone).draws)
        assert rising == pytest.approx(3e3, rel=1e-4)

    def test_what_is_there_already_starts_where_the_look_begins(self, line_fit):
        first = line_fit.curve.x[0]
        reach = bb.x_to_reach(line_fit, 100.0)
        np.testing.assert_array_equal(reach.draws, np.full(reach.draws.size, first))
        assert f"at x = {first:g} or before. Probability" in str(reach)
        for after in (10.0, 50.0, 1e3 / 3):  # exp(log(x)) is not quite x
            later = bb.x_to_reach(line_fit, 100.0, after=after)
            np.testing.assert_array_equal(later.draws, np.full(later.draws.size, after))
            assert "or before" in str(later)

    def test_never_reached(self, line_fit):
        reach = bb.x_to_reach(line_fit, 100.0, better="higher")
        assert reach.reached == 0.0
        assert np.isinf(reach.interval()).all()
        assert str(reach) == (
            "More likely than not the curve rises to 100 nowhere up to x = 1e+07. "
            "Probability of reaching it: 0.0% by 1e+07."
        )
        assert "beyond 1e+07" in reach._repr_html_()

    def test_an_accuracy_is_reached_from_below(self, accuracy_fit):
        theta = flat(accuracy_fit)
        reach = bb.x_to_reach(accuracy_fit, 99.0, to=1e7, unseen_breaks=0)
        np.testing.assert_allclose(reach.draws, (1.0 / theta["a"]) ** (1 / theta["b"]), rtol=1e-9)
        assert str(reach).startswith("The curve first rises to 99 at images = ")

    def test_an_interval_is_made_of_draws(self, line_fit):
        reach = bb.x_to_reach(line_fit, 0.01, to=1e9)
        lower, median, upper = reach.interval(prob=0.5).values
        below = [float((reach.draws <= each).mean()) for each in (lower, median, upper)]
        assert below == pytest.approx([0.25, 0.5, 0.75], abs=1e-3)
        assert {lower, median, upper} <= set(reach.draws.values)

    def test_of_an_average_mixes_the_draws(self, average):
        reach = bb.x_to_reach(average, 0.01, to=1e9, unseen_breaks=0)
        shares = reach.draws["law"].to_series().value_counts(normalize=True)
        for label, fit in average.fits.items():
            theta = flat(fit)
            every = (0.01 / theta["a"]) ** (1 / theta["b"])
            if average.weights[label] > 0:
                assert shares[label] == pytest.approx(average.weights[label], abs=1e-3)
                ours = np.log(reach.draws.values[reach.draws["law"] == label])
                apart = np.abs(np.log(every)[:, None] - ours[:50]).min(axis=0)
                assert apart.max() < 1e-8

    def test_tells_how_far_beyond_the_data(self, line_fit):
        reach = bb.x_to_reach(line_fit, 0.01, to=1e9)
        median = float(reach.interval().sel(bound="median"))
        assert f"{median / line_fit.curve.x[-1]:.3g} times the last x" in str(reach)
        assert "90% interval" in reach._repr_html_()
        assert "Reach of 0.01 by M1" in repr(reach)

    def test_allows_for_unseen_breaks(self, line_fit):
        straight, bent = (
            bb.x_to_reach(line_fit, 0.01, to=1e12, unseen_breaks=rate, seed=1).interval().values
            for rate in (0.0, 1.0)
        )
        assert bent[0] < straight[0] < straight[2] < bent[2]
        seen = [bb.x_to_reach(line_fit, 0.5, unseen_breaks=rate, seed=1) for rate in (0.0, 1.0)]
        np.testing.assert_allclose(seen[0].draws, seen[1].draws, rtol=1e-9)  # within the data

    def test_passes_settings_on(self, line_fit):
        with pytest.raises(ValueError, match="has no run 'seven'"):
            bb.x_to_reach(line_fit, 0.1, run="seven")

    @pytest.mark.parametrize(
        ("y", "settings", "error", "message"),
        [
            (0.0, {}, ValueError, r"y must lie above zero to be reached; got 0\.0"),
            ([1.0], {}, TypeError, "y must be one finite number"),
            (0.1, {"to": 0.5}, ValueError, "after and to must be the ends of a range"),
            (0.1, {"after": -1.0}, ValueError, "after and to must be the ends of a range"),
            (0.1, {"better": "low"}, ValueError, r"better is 'low'\. Did you mean 'lower'\?"),
        ],
    )
    def test_refuses(self, line_fit, y, settings, error, message):
        with pytest.raises(error, match=message):
            bb.x_to_reach(line_fit, y, **settings)

    def test_refuses_what_is_no_fit_and_what_no_curve_has(self, line_curve, accuracy_fit):
        with pytest.raises(TypeError, match=r"fit must be the result of bayes_bnsl\.fit"):
            bb.x_to_reach(line_curve, 0.1)
        with pytest.raises(ValueError, match="y must lie below ceiling=100"):
            bb.x_to_reach(accuracy_fit, 100.0)
        with pytest.raises(ValueError, match="prob must lie between 0 and 1"):
            bb.x_to_reach(accuracy_fit, 90.0).interval(prob=1.0)


class TestProbability:
    @pytest.fixture
    def ahead(self):
        draws = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]])
        values = {"curve": (("sample", "x"), draws), "y": (("sample", "x"), draws + 1)}
        return xr.Dataset(values, coords={"x": [1.0, 2.0]})

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ({"below": 3.5}, [0.5, 0.0]),
            ({"below": 3.5, "what": "curve"}, [0.75, 0.0]),
            ({"above": 3.5}, [0.5, 1.0]),
            ({"above": 2.5, "below": 25.0}, [0.75, 0.5]),
        ],
    )
    def test_counts_draws(self, ahead, asked, expected):
        found = bb.probability(ahead, **asked)
        assert found.values.tolist() == expected
        assert found["x"].values.tolist() == [1.0, 2.0]

    def test_agrees_with_where_the_curve_is_reached(self, line_fit):
        reach = bb.x_to_reach(line_fit, 0.1, to=1e6, seed=1)
        x = reach.interval(prob=0.5).values
        there = bb.probability(bb.forecast(line_fit, x, seed=1), below=0.1, what="curve")
        by_then = [float((reach.draws < each).mean()) for each in x]
        assert there.values == pytest.approx(by_then, abs=3e-3)

    @pytest.mark.parametrize(
        ("asked", "error", "message"),
        [
            ({}, TypeError, "needs below= or above="),
            ({"below": "2"}, TypeError, "below must be one finite number"),
            ({"below": 2, "what": "mean"}, ValueError, r"what is 'mean'\. There are: 'y', 'curve'"),
        ],
    )
    def test_refuses(self, ahead, asked, error, message):
        with pytest.raises(error, match=message):
            bb.probability(ahead, **asked)

    def test_refuses_what_is_no_forecast(self, ahead):
        with pytest.raises(TypeError, match=r"with 'y' over sample and x; got Dataset"):
            bb.probability(ahead[["curve"]], below=1.0)


class TestGain:
    def test_of_a_power_law_is_a_power_of_the_ratio(self, line_fit):
        change = bb.gain(line_fit, 1e4, [1e5, 1e6], unseen_breaks=0)
        for factor in (10.0, 100.0):
            expected = factor ** flat(line_fit)["b"]
            np.testing.assert_allclose(change["curve"].sel(x=1e4 * factor), expected, rtol=1e-9)

    def test_of_observations_has_the_noise_of_both(self, line_fit):
        change = bb.gain(line_fit, 1e4, 1e5, seed=1)
        noise = np.log(change["y"] / change["curve"]).std().item()
        assert noise == pytest.approx(0.02 * np.sqrt(2), rel=0.05)

    def test_is_known_better_than_both_ends(self, line_fit):
        ahead = np.log(bb.forecast(line_fit, [1.0, 2.0], seed=1)["curve"])
        apart = np.sqrt((ahead.std("sample") ** 2).sum()).item()
        assert np.log(bb.gain(line_fit, 1.0, 2.0)["curve"]).std().item() < 0.5 * apart

    def test_difference(self, line_fit):
        change = bb.gain(line_fit, 1e4, 1e5, kind="difference", seed=1)
        ahead = bb.forecast(line_fit, [1e4, 1e5], seed=1)
        for name in ("curve", "y"):
            np.testing.assert_allclose(
                change[name].isel(x=0), ahead[name].isel(x=1) - ahead[name].isel(x=0), rtol=1e-12
            )

    def test_of_accuracies_is_the_ratio_of_errors_or_the_difference_of_accuracies(
        self, accuracy_fit
    ):
        theta = flat(accuracy_fit)
        ratio = bb.gain(accuracy_fit, 1e4, 1e5, unseen_breaks=0)["curve"].values.ravel()
        np.testing.assert_allclose(ratio, 10 ** theta["b"], rtol=1e-9)
        gained = bb.gain(accuracy_fit, 1e4, 1e5, kind="difference", unseen_breaks=0)
        gained = gained["curve"].values.ravel()
        errors = (theta["a"] * x ** theta["b"] for x in (1e4, 1e5))
        np.testing.assert_allclose(gained, np.subtract(*errors), rtol=1e-6)
        assert (gained > 0).all()

    def test_intervals_and_probabilities_of_it(self, average):
        change = bb.gain(average, 1e4, [1e5, 1e6], seed=1)
        band = bb.interval(change)["curve"].sel(bound="median")
        assert band.values == pytest.approx([10**-0.35, 100**-0.35], rel=0.05)
        assert bb.probability(change, below=1.0).values.tolist() == [1.0, 1.0]
        assert set(change["law"].values) <= set(average.fits)

    def test_passes_settings_on(self, line_fit):
        plain, rough = (bb.gain(line_fit, 10, 20, y_se=y_se, seed=1) for y_se in (None, 1.0))
        assert rough["y"].std() > 2 * plain["y"].std()
        xr.testing.assert_identical(rough["curve"], plain["curve"])

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ((1e4, 1e5, "quotient"), ValueError, r"kind is 'quotient'\. .*There are: 'ratio'"),
            ((-1.0, 1e5, "ratio"), ValueError, "x1 must hold positive numbers"),
            ((1.0, [1e5, 0.0], "ratio"), ValueError, "x2 must hold positive numbers"),
        ],
    )
    def test_refuses(self, line_fit, arguments, error, message):
        x1, x2, kind = arguments
        with pytest.raises(error, match=message):
            bb.gain(line_fit, x1, x2, kind=kind)
