"""Leave-future-out, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

import bayes_bnsl as bb
from problems import Conjugate


def exact(problem, left, horizon):
    place = np.searchsorted(np.unique(problem.curve.x), problem.curve.x)
    return np.array(
        [
            problem.log_predictive((place >= seen) & (place < seen + horizon), place < seen)
            for seen in left
        ]
    )


@pytest.mark.parametrize("horizon", [1, 3])
def test_agrees_with_the_closed_form(conjugate, conjugate_fit, horizon):
    ahead = bb.leave_future_out(conjugate_fit, horizon=horizon, start=4)
    assert ahead["left"].values.tolist() == list(range(4, 10, horizon))
    np.testing.assert_array_equal(ahead["x"], np.unique(conjugate.curve.x)[ahead["left"]])
    assert ahead["method"][0] == "refit"
    np.testing.assert_allclose(
        ahead["elpd"], exact(conjugate, ahead["left"].values, horizon), atol=0.15
    )


def test_draws_are_used_again_while_that_is_reliable(conjugate_fit):
    ahead = bb.leave_future_out(conjugate_fit, start=5)
    reused = ahead["method"].values == "psis"
    assert 0 < reused.sum() < len(reused)
    assert np.all(ahead["pareto_k"].values[reused] <= 0.5)
    assert np.all(np.isnan(ahead["pareto_k"].values[~reused]))


def test_a_surprise_is_foreseen_as_the_closed_form_says():
    """Its mean density over draws that have not seen it hangs on the few that come near."""
    problem = Conjugate.simulated(seed=5, outlier=20.0)
    ahead = bb.leave_future_out(problem.fit(), start=9)
    np.testing.assert_allclose(ahead["elpd"], exact(problem, [9], 1), atol=0.1)


def test_replicates_come_together():
    problem = Conjugate.simulated(seed=4, outlier=0.0, replicates=2, n=5)
    ahead = bb.leave_future_out(problem.fit(), start=3)
    assert ahead["left"].values.tolist() == [3, 4]
    np.testing.assert_allclose(ahead["elpd"], exact(problem, [3, 4], 1), atol=0.15)


def test_knows_nothing_of_the_future(line_fit, fit_line):
    """The same points up to a forecast give the same forecast, whatever comes later."""
    changed = bb.Curve(line_fit.curve.x, np.append(line_fit.curve.y[:-1], 9.0))
    one, other = (
        bb.leave_future_out(fit, start=22) for fit in (line_fit, fit_line(changed, seed=1))
    )
    np.testing.assert_array_equal(one["elpd"][:2], other["elpd"][:2])
    assert one["elpd"][2] > other["elpd"][2]


def test_forecasts_are_all_of_the_same_length(conjugate_fit):
    assert bb.leave_future_out(conjugate_fit, start=5, horizon=3)["left"].values.tolist() == [7]


def test_starts_with_half_of_the_points(conjugate_fit):
    assert bb.leave_future_out(conjugate_fit)["left"][0] == 5


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"start": 1}, ValueError, "start is 1, but the law needs at least 2"),
        ({"start": 10}, ValueError, "too few to see 10 and foresee 1"),
        ({"horizon": 6}, ValueError, "horizon must lie between 1 and 5"),
        ({"start": True}, TypeError, "start must be an integer; got True"),
    ],
)
def test_refuses(conjugate_fit, arguments, error, message):
    with pytest.raises(error, match=message):
        bb.leave_future_out(conjugate_fit, **arguments)


def test_refuses_what_is_no_fit(line_curve):
    with pytest.raises(TypeError, match=r"must be the result of bayes_bnsl\.fit; got <Curve"):
        bb.leave_future_out(line_curve)
