"""Pictures of comparisons and checks: what is drawn and where."""

from __future__ import annotations

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest

import bayes_bnsl as bb
from drawn import legend_texts


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def choice(addition):
    laws = [bb.BNSL(0), bb.BNSL(1), bb.BNSL(20)]
    return bb.compare(addition[0], laws, seed=1, progress=False)


def texts(ax):
    return [text.get_text().strip() for text in ax.texts]


class TestCompare:
    def test_draws_each_law_with_its_weight(self, choice):
        ax = bb.plot_compare(choice)
        assert [label.get_text() for label in ax.get_yticklabels()] == list(choice.table.index)
        dots = [line for line in ax.get_lines() if line.get_marker() == "o"]
        assert [line.get_xdata()[0] for line in dots] == pytest.approx(
            choice.table["elpd_diff"].dropna().tolist()
        )
        assert {"too few points", "0.00", "weight"} <= set(texts(ax))
        assert "BNSL(1) is recommended" in ax.get_title()

    def test_draws_where_it_is_told(self, choice):
        mine = plt.subplots()[1]
        assert bb.plot_compare(choice, ax=mine) is mine


class TestKhat:
    def test_draws_every_point(self, choice, addition):
        ax = bb.plot_khat(choice)
        drawn = [
            line
            for line in ax.get_lines()
            if line.get_marker() not in ("None", "") and line.get_label() != "before"
        ]
        at = np.sort(np.concatenate([line.get_xdata() for line in drawn]))
        np.testing.assert_array_equal(at, addition[0].x)

    def test_of_another_law_and_of_a_single_fit(self, choice, line_fit):
        assert "BNSL(0) on" in bb.plot_khat(choice, law="BNSL(0)").get_title()
        assert bb.plot_khat(bb.leave_one_out(line_fit)).get_lines()

    def test_refuses(self, choice, line_fit):
        with pytest.raises(ValueError, match=r"law is 'BNSL\(5\)'\. Did you mean"):
            bb.plot_khat(choice, law="BNSL(5)")
        with pytest.raises(TypeError, match="Pass what compare or leave_one_out returned"):
            bb.plot_khat(line_fit)
        with pytest.raises(ValueError, match="come with by='loo'"):
            bb.plot_khat(bb.leave_future_out(line_fit, start=24))


class TestBreaks:
    def test_draws_probabilities_and_places(self, choice):
        left, right = bb.plot_breaks(choice)
        assert [bar.get_height() for bar in left.patches] == pytest.approx(choice.n_breaks.tolist())
        (hill,) = [each for each in right.collections if "BNSL(1)" in str(each.get_label())]
        x, height = hill.get_paths()[0].vertices.T
        median = float(choice.fits["BNSL(1)"].posterior["d"].median())
        assert x[np.argmax(height)] == pytest.approx(median, rel=0.05)
        low, high = np.log(right.get_ylim())
        lowest = (np.log(choice.curve.y.min()) - low) / (high - low)
        assert height.max() < lowest, "hills cover the points"

    def test_of_a_fit_has_a_hill_for_each_break(self, addition_fit):
        (ax,) = bb.plot_breaks(addition_fit)
        log_d = np.log(addition_fit.posterior["d"].values.ravel())
        low, median, high = np.exp(np.quantile(log_d, [0.05, 0.5, 0.95]))
        (hill,) = ax.collections
        assert hill.get_label() == f"break 1 at {median:.3g} [{low:.3g}, {high:.3g}]"
        x, height = hill.get_paths()[0].vertices.T
        assert low < x[np.argmax(height)] < high
        assert (ax.get_xscale(), ax.get_xlabel()) == ("log", addition_fit.curve.x_name)

    def test_reaches_as_far_as_the_breaks(self, addition_fit):
        (near,) = bb.plot_breaks(addition_fit)
        last = addition_fit.curve.x[-1]
        assert near.get_xlim()[1] < 1.5 * last
        assert "end of the data" not in legend_texts(near)
        data = addition_fit.data.copy(deep=True)
        d = data["posterior"]["d"]
        d[:] = last * (d / d.median()) ** 20  # half of the draws beyond the data
        (far,) = bb.plot_breaks(dataclasses.replace(addition_fit, data=data))
        (hill,) = far.collections
        x, height = hill.get_paths()[0].vertices.T
        assert x.max() == pytest.approx(float(d.quantile(0.95)))
        beyond = np.unique(x[x > last])
        assert len(beyond) > 20
        assert height[np.isin(x, beyond)].max() > 0.1
        assert "end of the data" in legend_texts(far)
        (end,) = [line for line in far.get_lines() if line.get_label() == "end of the data"]
        assert end.get_xdata()[0] == last

    def test_draws_far_away_do_not_smear_a_hill(self, addition_fit):
        """A break that is known to 1 % in seven draws of eight is drawn as a narrow hill."""
        data = addition_fit.data.copy(deep=True)
        first, last = addition_fit.curve.x[[0, -1]]
        generator = np.random.default_rng(1)
        d = data["posterior"]["d"]
        d[:] = 600 * np.exp(0.01 * generator.standard_normal(d.shape))
        d[:, ::8] = generator.uniform(first, last, d[:, ::8].shape)
        (ax,) = bb.plot_breaks(dataclasses.replace(addition_fit, data=data))
        x, height = ax.collections[0].get_paths()[0].vertices.T
        foot, top = height.min(), height.max()
        upper = x[height > (foot + top) / 2]
        assert 575 < upper.min() < upper.max() < 625

    def test_an_exact_break_is_still_seen(self, addition_fit):
        data = addition_fit.data.copy(deep=True)
        data["posterior"]["d"][:] = 600 * (data["posterior"]["d"] / 600) ** 1e-6
        (ax,) = bb.plot_breaks(dataclasses.replace(addition_fit, data=data))
        x, height = ax.collections[0].get_paths()[0].vertices.T
        assert x[np.argmax(height)] == pytest.approx(600, rel=0.01)

    def test_a_fixed_break_beyond_the_data_is_a_line(self, addition_fit):
        data = addition_fit.data.copy(deep=True)
        data["posterior"]["d"][:] = 1e5
        (ax,) = bb.plot_breaks(dataclasses.replace(addition_fit, data=data))
        assert not ax.collections
        (line,) = [line for line in ax.get_lines() if line.get_label() == "break 1 at 1e+05"]
        assert line.get_xdata()[0] == pytest.approx(1e5)
        assert ax.get_xlim()[1] > 1e5

    def test_draws_where_it_is_told(self, choice, addition_fit):
        mine = plt.subplots(1, 3)[1]
        drawn = bb.plot_breaks(choice, axes=mine[:2])
        assert list(drawn) == list(mine[:2])
        assert bb.plot_breaks(addition_fit, log=False, axes=mine[2:])[0] is mine[2]
        assert mine[2].get_xscale() == "linear"
        assert len(plt.get_fignums()) == 1

    def test_refuses_a_law_without_breaks_and_too_few_axes(self, choice, line_fit):
        with pytest.raises(ValueError, match=r"M1 has no breaks to draw"):
            bb.plot_breaks(line_fit)
        with pytest.raises(ValueError, match="axes must be 2 for a Comparison; got 1"):
            bb.plot_breaks(choice, axes=[plt.subplots()[1]])
        with pytest.raises(TypeError, match=r"Pass what bayes_bnsl\.compare returned"):
            bb.plot_breaks(line_fit.curve)

    def test_refuses_a_comparison_without_broken_laws(self, line_fit):
        with pytest.raises(ValueError, match=r"no law BNSL\(n\) with weight"):
            bb.plot_breaks(bb.compare([line_fit]))


def test_forecast_of_a_comparison(choice):
    ax = bb.plot_forecast(choice, to=2000)
    assert ax.get_title().startswith("average of BNSL(1) on")
    assert "where the breaks are" in [str(each.get_label()) for each in ax.collections]
