"""Pictures of the shape of a law: what is drawn and where."""

from __future__ import annotations

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest

import bayes_bnsl as bb
from drawn import edges, labelled, lines, vertical_lines
from problems import NAMED

FIGURE_1 = NAMED["three breaks"]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


class TestPlotSegments:
    def test_figure_1_of_the_paper(self):
        """Three breaks: four power laws that meet at them."""
        ax = bb.plot_segments(FIGURE_1.law, FIGURE_1.theta)
        dashed = lines(ax, linestyle="--")
        assert len(dashed) == 4
        np.testing.assert_allclose(vertical_lines(ax), FIGURE_1.theta["d"])
        slopes = -(FIGURE_1.theta["c0"] + np.cumsum([0, *FIGURE_1.theta["c"]]))
        assert [line.get_label() for line in dashed] == [f"slope {slope:.3g}" for slope in slopes]
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
        for line, slope in zip(dashed, slopes, strict=True):
            above = np.log(line.get_ydata() - FIGURE_1.theta["a"])[:20]
            measured = np.diff(above) / np.diff(np.log(line.get_xdata()[:20]))
            np.testing.assert_allclose(measured, slope, rtol=1e-4, atol=1e-6)

    def test_neighbours_meet_at_the_breaks(self):
        ax = bb.plot_segments(FIGURE_1.law, FIGURE_1.theta)
        dashed = lines(ax, linestyle="--")
        for place, left, right in zip(FIGURE_1.theta["d"], dashed, dashed[1:], strict=False):
            heights = [
                np.interp(np.log(place), np.log(line.get_xdata()), np.log(line.get_ydata()))
                for line in (left, right)
            ]
            assert heights[0] == pytest.approx(heights[1], abs=0.02)

    def test_the_law_is_drawn_too(self):
        ax = bb.plot_segments(FIGURE_1.law, FIGURE_1.theta, x=FIGURE_1.x)
        drawn = labelled(ax, "the law")
        x = drawn.get_xdata()
        assert (x[0], x[-1]) == pytest.approx((FIGURE_1.x[0], FIGURE_1.x[-1]))
        np.testing.assert_allclose(drawn.get_ydata(), FIGURE_1.law(x, FIGURE_1.theta))

    def test_of_a_fit_have_intervals(self, addition_fit):
        ax = bb.plot_segments(addition_fit)
        first, second = lines(ax, linestyle="--")
        slope = -addition_fit.posterior["c0"]
        low, high = np.quantile(slope, [0.05, 0.95])
        assert first.get_label() == f"slope {np.median(slope):.3g} [{low:.3g}, {high:.3g}]"
        assert second.get_label().startswith("slope -")
        assert vertical_lines(ax) == [pytest.approx(float(addition_fit.posterior["d"].median()))]
        points = labelled(ax, "fitted points")
        np.testing.assert_array_equal(points.get_ydata(), addition_fit.curve.y)
        assert ax.get_xlabel() == addition_fit.curve.x_name

    def test_reach_past_a_break_beyond_the_data(self, addition_fit):
        data = addition_fit.data.copy(deep=True)
        data["posterior"]["d"] *= 100
        fit = dataclasses.replace(addition_fit, data=data)
        place, last = float(data["posterior"]["d"].median()), fit.curve.x[-1]
        ax = bb.plot_segments(fit)
        assert vertical_lines(ax) == [pytest.approx(place)]
        first, second = lines(ax, linestyle="--")
        assert first.get_xdata()[-1] > place
        assert second.get_xdata()[0] < place < second.get_xdata()[-1]
        near = bb.plot_segments(fit, x=fit.curve.x)
        assert len(lines(near, linestyle="--")) == 1
        assert vertical_lines(near) == []
        assert near.get_xlim()[1] < 1.5 * last

    def test_without_breaks_there_is_one(self, limit_fit):
        ax = bb.plot_segments(limit_fit)
        assert len(lines(ax, linestyle="--")) == 1
        assert vertical_lines(ax) == []

    def test_a_law_without_breaks_needs_no_range(self):
        ax = bb.plot_segments(bb.BNSL(0), {"a": 0.1, "b": 2.0, "c0": 0.5})
        assert len(lines(ax, linestyle="--")) == 1

    def test_draws_where_it_is_told(self):
        mine = plt.subplots()[1]
        assert bb.plot_segments(FIGURE_1.law, FIGURE_1.theta, ax=mine) is mine
        assert len(plt.get_fignums()) == 1

    def test_refuses_laws_without_segments(self, m4_fit):
        with pytest.raises(TypeError, match=r"Segments are those of a BNSL; got M4\(\)"):
            bb.plot_segments(m4_fit)

    def test_refuses_a_law_without_parameters(self):
        with pytest.raises(TypeError, match=r"needs its parameters: plot_segments\(law, theta\)"):
            bb.plot_segments(bb.BNSL(1))

    def test_points_and_law_are_on_one_scale(self, addition_fit):
        """Of accuracies the errors have segments; the points are drawn as errors too."""
        curve = addition_fit.curve
        errors = bb.Curve.from_accuracy(curve.x, 100 - curve.y, ceiling=100)
        fit = dataclasses.replace(addition_fit, curve=errors)
        ax = bb.plot_segments(fit)
        points, law = labelled(ax, "fitted points"), labelled(ax, "the law")
        np.testing.assert_allclose(points.get_ydata(), curve.y)
        at = np.interp(curve.x, law.get_xdata(), law.get_ydata())
        np.testing.assert_allclose(at, curve.y, rtol=0.05)
        assert ax.get_ylabel() == "error"

    def test_axes_may_be_linear(self):
        ax = bb.plot_segments(bb.BNSL(0), {"a": 0.1, "b": 2.0, "c0": 0.5}, log=False)
        assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "linear")
        assert ax.get_title() == "BNSL(0) and the power law that it is made of"


class TestPlotSlope:
    def test_of_a_power_law_is_its_exponent(self, line_fit):
        """M1 is ``a x**b``: the local slope is b everywhere."""
        ax = bb.plot_slope(line_fit)
        b = line_fit.posterior["b"].values
        for prob in (0.9, 0.5):
            x, low, high = edges(labelled(ax, f"{prob:.0%} of the draws"))
            tails = np.quantile(b, [(1 - prob) / 2, (1 + prob) / 2])
            np.testing.assert_allclose(low, tails[0])
            np.testing.assert_allclose(high, tails[1])
        np.testing.assert_allclose(labelled(ax, "median").get_ydata(), np.median(b))
        assert x[-1] == pytest.approx(10 * line_fit.curve.x[-1])
        assert labelled(ax, "end of the data").get_xdata()[0] == line_fit.curve.x[-1]
        assert ax.get_xscale() == "log"
        assert ax.get_yscale() == "linear"
        assert "d log (y) / d log x" in ax.get_ylabel()

    def test_is_the_derivative_of_the_curve(self, addition_fit):
        ax = bb.plot_slope(addition_fit, to=2000.0)
        x = labelled(ax, "median").get_xdata()
        step = 1e-5
        beside = np.concatenate([x * np.exp(-step), x * np.exp(step)])
        ends = bb.forecast(addition_fit, beside, unseen_breaks=0)
        low, high = np.split(np.log(ends["curve"].values), 2, axis=1)
        expected = np.median((high - low) / (2 * step), axis=0)
        np.testing.assert_allclose(labelled(ax, "median").get_ydata(), expected, atol=1e-5)

    def test_above_the_limit_the_exponent_stays(self, limit_fit):
        at = {"to": 1e12, "above_limit": True}
        above, seen = bb.plot_slope(limit_fit, **at), bb.plot_slope(limit_fit, to=1e12)
        median = -float(limit_fit.posterior["c0"].median())
        np.testing.assert_allclose(labelled(above, "median").get_ydata(), median)
        assert abs(labelled(seen, "median").get_ydata()[-1]) < 0.05 * abs(median)
        assert "(y - limit)" in above.get_ylabel()

    def test_of_a_comparison_mixes_the_laws(self, line_fit):
        mine = plt.subplots()[1]
        assert bb.plot_slope(bb.compare([line_fit]), log=False, ax=mine) is mine
        b = float(line_fit.posterior["b"].median())
        np.testing.assert_allclose(labelled(mine, "median").get_ydata(), b)
        assert mine.get_xscale() == "linear"

    def test_refuses_to_end_before_the_data(self, line_fit):
        with pytest.raises(ValueError, match=r"to must be larger than the first x, 1; got 0\.5"):
            bb.plot_slope(line_fit, to=0.5)
