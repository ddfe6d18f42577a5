"""Pictures of forecasts: what is drawn and where, not how it looks."""

from __future__ import annotations

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes

import bayes_bnsl as bb
from drawn import areas, edges, labelled, legend_texts, lines, vertical_lines


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


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
        band = bb.interval(bb.forecast(addition_fit, x, seed=0), prob=0.9)["curve"]
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
            assert "allows for breaks beyond the data" in title

    def test_strip_of_breaks_reaches_as_far_as_the_picture(self, ax, addition, addition_fit):
        strip = labelled(ax, "where the breaks are")
        x, foot, top = edges(strip)
        assert x[0] == pytest.approx(addition[0].x[0])
        assert x[-1] == pytest.approx(labelled(ax, "median curve").get_xdata()[-1])
        assert np.all(foot == 0)
        assert top.max() == pytest.approx(0.12)
        peak = x[np.argmax(top)]
        low, high = np.quantile(addition_fit.posterior["d"], [0.05, 0.95])
        assert low < peak < high

    def test_a_law_without_breaks_has_no_strip(self, limit_fit):
        ax = bb.plot_forecast(limit_fit)
        assert len(areas(ax)) == 2

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
        assert len(areas(ax)) == 2

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

    def test_accuracies_are_called_what_they_are(self, accuracy_fit):
        """The label says of which number the values are: accuracies, not the errors fitted."""
        for log in (True, False):
            ax = bb.plot_forecast(accuracy_fit, log=log)
            assert ax.get_ylabel() == "100 - error"
            assert ax.get_yscale() == "linear", "what is lacking to 100 is not seen in logs"
            assert ax.get_xscale() == ("log" if log else "linear")
            shown = labelled(ax, "fitted points").get_ydata()
            np.testing.assert_allclose(shown, 100 - accuracy_fit.curve.y)

    def test_points_can_be_seen_on_a_dark_page(self, line_fit):
        with plt.style.context("dark_background"):
            ax = bb.plot_forecast(line_fit)
            assert labelled(ax, "fitted points").get_color() == "white"


@pytest.fixture(scope="module")
def early(addition):
    return bb.fit(addition[0].split(n=12)[0], bb.BNSL(1), seed=1, progress=False)


class TestPlotForecasts:
    def test_draws_each_with_median_and_band(self, addition, addition_fit, early):
        fits = {"12 points": early, "14 points": addition_fit}
        ax = bb.plot_forecasts(fits, held_out=addition[1])
        assert legend_texts(ax) == [*fits, "held-out points"]
        for (label, fit), band in zip(fits.items(), areas(ax), strict=True):
            line = labelled(ax, label)
            x, low, high = edges(band)
            expected = bb.interval(bb.forecast(fit, x, seed=0), prob=0.9)["curve"]
            np.testing.assert_allclose(line.get_ydata(), expected.sel(bound="median"), rtol=1e-6)
            np.testing.assert_allclose(low, expected.sel(bound="lower"), rtol=1e-6)
            np.testing.assert_allclose(high, expected.sel(bound="upper"), rtol=1e-6)
            (points,) = [
                each
                for each in lines(ax, marker="o")
                if len(each.get_xdata()) == len(fit.curve) and each.get_color() == line.get_color()
            ]
            np.testing.assert_array_equal(points.get_ydata(), fit.curve.y)
        assert vertical_lines(ax) == [early.curve.x[-1]]
        assert x[-1] == pytest.approx(1.1 * addition[1].x[-1])
        styles = {labelled(ax, label).get_linestyle() for label in fits}
        assert len(styles) == 2, "lines must be told apart without colours"

    def test_points_that_all_share_are_drawn_once(self, line_fit):
        ax = bb.plot_forecasts({"one": line_fit, "other": line_fit}, what="y", prob=0.5)
        np.testing.assert_array_equal(labelled(ax, "fitted points").get_ydata(), line_fit.curve.y)
        assert len(lines(ax, marker="o")) == 1
        assert "50% bands of new observations" in ax.get_title()
        assert "allows for breaks beyond the data" in ax.get_title()
        x, low, high = edges(areas(ax)[0])
        expected = bb.interval(bb.forecast(line_fit, x, seed=0), prob=0.5)["y"]
        np.testing.assert_allclose(low, expected.sel(bound="lower"))
        np.testing.assert_allclose(high, expected.sel(bound="upper"))

    def test_of_a_comparison_every_law(self, line_fit, limit_fit):
        fits = {"M1": line_fit, "BNSL(0)": limit_fit}
        assert legend_texts(bb.plot_forecasts(fits))[:2] == list(fits)
        choice = bb.compare([line_fit])
        mine = plt.subplots()[1]
        assert bb.plot_forecasts(choice, ax=mine) is mine
        assert legend_texts(mine) == ["M1", "fitted points"]

    def test_refuses(self, line_fit, accuracy_fit):
        with pytest.raises(TypeError, match="fits must be a Comparison, or fits by name"):
            bb.plot_forecasts(line_fit)
        with pytest.raises(ValueError, match="holds no fit"):
            bb.plot_forecasts({})
        with pytest.raises(ValueError, match="what is 'mean'"):
            bb.plot_forecasts({"one": line_fit}, what="mean")
        with pytest.raises(ValueError, match="y against x, 100 - error against images"):
            bb.plot_forecasts({"one": line_fit, "other": accuracy_fit})
