"""Pictures: what is drawn and where, not how it looks."""

from __future__ import annotations

import dataclasses
import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

import bayes_bnsl as bb
from problems import NAMED

FIGURE_1 = NAMED["three breaks"]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def lines(ax, **style):
    """Return the lines of an Axes that have a style, such as ls="--"."""
    return [
        line
        for line in ax.get_lines()
        if all(getattr(line, f"get_{key}")() == value for key, value in style.items())
    ]


def labelled(ax, label):
    """Return what is drawn under a label."""
    (found,) = [each for each in ax.get_children() if str(each.get_label()) == label]
    return found


def edges(band):
    """Return x and the lower and upper edge of a band."""
    (path,) = band.get_paths()
    x, y = path.vertices.T
    at = np.unique(x)
    return (
        at,
        np.array([y[x == each].min() for each in at]),
        np.array([y[x == each].max() for each in at]),
    )


def vertical_lines(ax):
    return [line.get_xdata()[0] for line in ax.get_lines() if len(set(line.get_xdata())) == 1]


class TestPlotForecast:
    @pytest.fixture
    def ax(self, addition, addition_fit):
        return bb.plot_forecast(addition_fit, held_out=addition[1])

    def test_continues_the_run_that_is_named(self, runs_fit):
        """At the last points of each run, the band is about them."""
        last = runs_fit.curve.x[-1]
        for run in ("one", "two"):
            ax = bb.plot_forecast(runs_fit, to=10 * last, run=run)
            x, low, high = edges(labelled(ax, "90% of new observations"))
            end = runs_fit.curve.y[runs_fit.curve.run == run][-1]
            at = np.argmin(np.abs(np.log(x / last)))
            assert low[at] < end < high[at]
            # the run is known there better than the scatter of runs about the law
            theta = runs_fit.posterior
            scatter = float(np.hypot(theta["sigma"], theta["tau"]).median())
            assert np.log(high[at] / low[at]) < 0.8 * 2 * 1.645 * scatter

    def test_draws_on_a_new_figure(self, ax):
        assert isinstance(ax, Axes)
        assert plt.get_fignums() == [ax.figure.number]

    def test_draws_where_it_is_told(self, limit_fit):
        mine = plt.subplots(1, 2)[1][1]
        assert bb.plot_forecast(limit_fit, ax=mine) is mine
        assert len(plt.get_fignums()) == 1
        assert mine.get_lines()

    def test_axes_are_logarithmic_and_named(self, ax, addition):
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
        assert ax.get_xlabel() == addition[0].x_name
        assert ax.get_ylabel() == addition[0].y_name

    def test_axes_may_be_linear(self, limit_fit):
        ax = bb.plot_forecast(limit_fit, log=False)
        assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "linear")
        grid = labelled(ax, "median curve").get_xdata()
        np.testing.assert_allclose(np.diff(grid), np.diff(grid)[0])

    def test_points_are_where_they_were_measured(self, ax, addition):
        for curve, label in zip(addition, ("fitted points", "held-out points"), strict=True):
            drawn = labelled(ax, label)
            np.testing.assert_array_equal(drawn.get_xdata(), curve.x)
            np.testing.assert_array_equal(drawn.get_ydata(), curve.y)
            assert drawn.get_linestyle() == "None"
        assert labelled(ax, "fitted points").get_color() != drawn.get_color()

    def test_bands_are_those_of_the_forecast(self, ax, addition_fit):
        outer, inner = (
            edges(labelled(ax, f"{prob} of new observations")) for prob in ("90%", "50%")
        )
        x, lower, upper = outer
        ahead = bb.interval(bb.forecast(addition_fit, x, seed=0), prob=0.9)["y"]
        np.testing.assert_allclose(lower, ahead.sel(bound="lower"), rtol=1e-6)
        np.testing.assert_allclose(upper, ahead.sel(bound="upper"), rtol=1e-6)
        assert np.all(inner[1] > lower)
        assert np.all(inner[2] < upper)

    def test_curve_has_a_median_and_an_interval(self, ax, addition_fit):
        median = labelled(ax, "median curve")
        x = median.get_xdata()
        band = bb.interval(bb.forecast(addition_fit, x), prob=0.9)["curve"]
        np.testing.assert_allclose(median.get_ydata(), band.sel(bound="median"))
        low, high = lines(ax, linestyle="--")
        np.testing.assert_allclose(low.get_ydata(), band.sel(bound="lower"))
        np.testing.assert_allclose(high.get_ydata(), band.sel(bound="upper"))

    def test_marks_where_the_data_end(self, ax, addition):
        assert vertical_lines(ax) == [addition[0].x[-1]]

    def test_reaches_the_held_out_points(self, ax, addition):
        low, high = ax.get_xlim()
        assert low < addition[0].x[0]
        assert high > addition[1].x[-1]

    @pytest.mark.parametrize(("to", "end"), [(None, 10), (1000, 1000), (0.5, 0.5)])
    def test_reaches_as_far_as_told(self, limit_fit, to, end):
        last = limit_fit.curve.x[-1]
        ax = bb.plot_forecast(limit_fit, to=None if to is None else to * last)
        assert labelled(ax, "median curve").get_xdata()[-1] == pytest.approx(end * last)
        title = ax.get_title()
        assert title.startswith("BNSL(0) on power law to a limit")
        assert ("decades beyond the data" in title) == (end > 1)
        if end > 1:
            assert f"{np.log10(end):.1f} decades" in title
            assert "no break after the last one seen" in title

    def test_strip_of_breaks_lies_within_the_data(self, ax, addition, addition_fit):
        strip = labelled(ax, "where the breaks are")
        x, foot, top = edges(strip)
        assert x[0] == pytest.approx(addition[0].x[0])
        assert x[-1] == pytest.approx(addition[0].x[-1])
        assert np.all(foot == 0)
        assert top.max() == pytest.approx(0.12)
        peak = x[np.argmax(top)]
        low, high = np.quantile(addition_fit.posterior["d"], [0.05, 0.95])
        assert low < peak < high

    def test_a_law_without_breaks_has_no_strip(self, limit_fit):
        ax = bb.plot_forecast(limit_fit)
        assert len([each for each in ax.collections if isinstance(each, PolyCollection)]) == 2

    @pytest.mark.parametrize("place", [600.0, 1e9], ids=["fixed", "beyond"])
    def test_a_break_that_is_no_spread_or_out_of_sight_has_no_strip(self, addition_fit, place):
        data = addition_fit.data.copy(deep=True)
        data["posterior"]["d"][:] = place
        if place > 1e6:
            data["posterior"]["d"][:] *= np.exp(
                0.01 * np.random.default_rng(1).standard_normal(data["posterior"]["d"].shape)
            )
        fit = dataclasses.replace(addition_fit, data=data)
        ax = bb.plot_forecast(fit)
        assert len([each for each in ax.collections if isinstance(each, PolyCollection)]) == 2

    def test_accuracies_are_drawn_as_accuracies(self, accuracy_fit):
        ax = bb.plot_forecast(accuracy_fit, log=False)
        curve = accuracy_fit.curve
        np.testing.assert_allclose(labelled(ax, "fitted points").get_ydata(), 100 - curve.y)
        median = labelled(ax, "median curve").get_ydata()
        assert np.all(np.diff(median) > 0)
        assert np.all(median < 100)

    @pytest.mark.parametrize("which", ["m4_fit", "line_fit", "custom_fit", "own_fit"])
    def test_every_kind_of_fit_can_be_drawn(self, which, request, tmp_path):
        ax = bb.plot_forecast(request.getfixturevalue(which))
        ax.figure.savefig(tmp_path / "picture.png")
        assert (tmp_path / "picture.png").stat().st_size > 5000

    def test_ticks_of_a_short_axis_are_numbers(self, ax):
        ax.figure.canvas.draw()
        texts = [label.get_text() for label in ax.get_yticklabels()]
        assert len(texts) >= 3
        assert all(float(text) > 0 for text in texts)

    def test_refuses_to_end_before_the_data(self, limit_fit):
        with pytest.raises(ValueError, match=r"to must be larger than the first x, 1; got 0\.5"):
            bb.plot_forecast(limit_fit, to=0.5)


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


class TestPlotPosterior:
    @pytest.mark.parametrize(
        ("which", "names"),
        [
            ("addition_fit", ["a", "log_b", "c0", "c", "d", "f", "sigma"]),
            ("m4_fit", ["e_0", "e_inf", "alpha", "log_beta", "c", "sigma"]),
            ("custom_fit", ["k", "r", "s", "sigma"]),
        ],
    )
    def test_has_a_panel_for_each_parameter(self, which, names, request):
        picture = bb.plot_posterior(request.getfixturevalue(which))
        assert set(picture.viz["plot"].dataset.data_vars) == set(names)

    def test_leaves_out_what_is_fixed(self, line_fit):
        picture = bb.plot_posterior(line_fit)
        assert set(picture.viz["plot"].dataset.data_vars) == {"log_a", "b"}

    def test_labels_of_ticks_do_not_run_together(self, addition_fit):
        figure = bb.plot_posterior(addition_fit).viz["figure"].item()
        figure.draw_without_rendering()
        for ax in figure.axes:
            boxes = [label.get_window_extent() for label in ax.get_xticklabels()]
            boxes = [box for box in boxes if ax.bbox.x0 <= (box.x0 + box.x1) / 2 <= ax.bbox.x1]
            assert len(boxes) >= 2
            assert all(one.x1 < other.x0 for one, other in itertools.pairwise(boxes))

    def test_passes_settings_on(self, limit_fit):
        picture = bb.plot_posterior(limit_fit, visuals={"title": False}, backend="none")
        assert picture.backend == "none"
        assert "title" not in {*map(str, picture.viz.children), *map(str, picture.viz)}
