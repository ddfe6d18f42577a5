"""Pictures of answers and backtests: what is drawn and where."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

import bayes_bnsl as bb
from problems import NAMED


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def tested():
    curve = bb.simulate(NAMED["M1"].law, NAMED["M1"].theta, np.geomspace(1, 1e3, 12), 0.02, 1)
    return bb.backtest(curve, bb.M1(), origins=[3, 5, 8], priors={"sigma": 0.02}, seed=1)


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


class TestReach:
    def test_draws_the_value_and_where_it_is_reached(self, line_fit):
        ax = bb.plot_reach(line_fit, 0.03, unseen_breaks=0)
        reach = bb.x_to_reach(line_fit, 0.03, unseen_breaks=0)
        (dot,) = [line for line in ax.get_lines() if line.get_markersize() == 7]
        assert dot.get_xdata()[0] == float(reach.interval().sel(bound="median"))
        assert {"0.03", "where it is reached (100% by 1e+07)"} <= set(labels(ax))
        right = ax.get_xlim()[1]
        assert float(reach.interval().sel(bound="upper")) < right < 1e7
        assert ax.get_xscale() == ax.get_yscale() == "log"

    def test_what_is_never_reached_has_no_hill(self, line_fit):
        ax = bb.plot_reach(line_fit, 100.0, better="higher", to=1e5)
        assert not [label for label in labels(ax) if "reached" in label]
        assert ax.get_xlim()[1] == pytest.approx(1.02e5)

    def test_passes_settings_on(self, line_fit):
        near, far = (bb.plot_reach(line_fit, 0.03, unseen_breaks=rate) for rate in (0.0, 1.0))
        assert far.get_xlim()[1] > near.get_xlim()[1]
        assert near.get_title() != far.get_title()

    def test_of_accuracies_where_it_is_told(self, accuracy_fit):
        mine = plt.subplots()[1]
        assert bb.plot_reach(accuracy_fit, 99.0, ax=mine) is mine
        assert "99" in labels(mine)


class TestBacktest:
    def test_draws_each_origin_and_the_truth(self, tested):
        ax = bb.plot_backtest(tested)
        moved = tested.at()
        (dots,) = [line for line in ax.get_lines() if line.get_label() == "median"]
        np.testing.assert_array_equal(dots.get_xdata(), tested.curve.x[[2, 4, 7]])
        np.testing.assert_array_equal(dots.get_ydata(), moved["median"])
        (truth,) = [line for line in ax.get_lines() if "measured at" in str(line.get_label())]
        assert truth.get_ydata()[0] == tested.curve.y[-1]
        inside = (moved["lower"] <= tested.curve.y[-1]) & (tested.curve.y[-1] <= moved["upper"])
        held = [label for label in labels(ax) if label.startswith("held from")]
        since = moved["last_x"][inside[::-1].cummin()[::-1]]
        assert held == ([f"held from {since.iloc[0]:g} on"] if len(since) else [])

    def test_of_an_x_between(self, tested):
        ax = bb.plot_backtest(tested, 20.0)
        assert "x = 20" in ax.get_title()
        assert not [label for label in labels(ax) if "measured" in label]

    def test_refuses(self, tested, line_fit):
        with pytest.raises(TypeError, match=r"Pass what bayes_bnsl\.backtest returned"):
            bb.plot_backtest(line_fit)
        with pytest.raises(ValueError, match="x must lie beyond the first origin"):
            bb.plot_backtest(tested, 1.0)
