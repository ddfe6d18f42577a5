"""Pictures of PIT values and coverage: what is drawn and where."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

import bayes_bnsl as bb
from drawn import areas, edges, labelled


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


class TestLooPit:
    def test_draws_the_distribution_function(self, line_fit):
        found = bb.check(line_fit)
        ax = bb.plot_loo_pit(found)
        (line,) = [each for each in ax.get_lines() if "points" in str(each.get_label())]
        value, excess = np.array(line.get_data())
        below = [np.mean(found.pit.values <= each) for each in value[2:-1:2]]
        np.testing.assert_allclose(excess[2:-1:2] + value[2:-1:2], below, atol=1e-9)

    def test_refuses(self, line_fit):
        with pytest.raises(TypeError, match=r"Pass what bayes_bnsl\.check returned, a Checks"):
            bb.plot_loo_pit(line_fit)
        with pytest.raises(ValueError, match="prob must lie between 0 and 1"):
            bb.plot_loo_pit(bb.check(line_fit), prob=95)


class TestPit:
    def test_of_a_forecast(self, addition, addition_fit):
        later = addition[1]
        values = bb.pit(bb.forecast(addition_fit, later.x, seed=1), later.y)
        mine = plt.subplots()[1]
        assert bb.plot_pit(values, ax=mine) is mine
        line = labelled(mine, "the 3 points")
        np.testing.assert_array_equal(np.unique(line.get_xdata())[1:-1], np.unique(values))

    def test_band_holds_uniform_values_as_often_as_it_says(self):
        generator = np.random.default_rng(1)
        ax = bb.plot_pit(generator.random(20), prob=0.8)
        _, low, high = edges(areas(ax)[0])
        kept = []
        for _ in range(2000):
            values = np.sort(generator.random(20))
            steps = np.arange(21) / 20
            excess = np.concatenate([steps[1:] - values, steps[:-1] - values])
            kept.append(excess.max() < high.max() and excess.min() > low.min())
        assert np.mean(kept) == pytest.approx(0.8, abs=0.04)


class TestCoverage:
    def test_counts_the_points_inside(self):
        """PIT 0.5 lies in every interval, 0.04 and 0.97 in that of 92 and 94 per cent alone."""
        ax = bb.plot_coverage([0.5, 0.3, 0.04, 0.97])
        line = labelled(ax, "the 4 points")
        x, y = line.get_data()
        np.testing.assert_allclose(x, [0, 0, 0.4, 0.92, 0.94, 1])
        np.testing.assert_allclose(y, [0, 0.25, 0.5, 0.75, 1, 1])
        assert ax.get_title() == "50% intervals hold 50%, 90% intervals 50%"

    def test_agrees_with_the_coverage_of_a_forecast(self, line_fit):
        x = np.geomspace(1e4, 1e6, 200)
        y = 5 * x**-0.35 * np.exp(0.02 * np.random.default_rng(4).standard_normal(200))
        ahead = bb.forecast(line_fit, x, seed=1)
        ax = bb.plot_coverage(bb.pit(ahead, y))
        at, share = labelled(ax, "the 200 points").get_data()
        for prob in (0.5, 0.8, 0.9):
            inside = bb.coverage(ahead, y, prob=prob)["covered"].mean()
            assert share[np.searchsorted(at, prob) - 1] == pytest.approx(float(inside), abs=0.011)

    def test_of_checks(self, line_fit):
        found = bb.check(line_fit)
        mine = plt.subplots()[1]
        assert bb.plot_coverage(found, ax=mine) is mine
        at = labelled(mine, "the 25 points").get_xdata()[1:-1]
        np.testing.assert_allclose(at, np.sort(np.abs(2 * found.pit.values - 1)))

    def test_refuses(self):
        with pytest.raises(ValueError, match=r"are probabilities, at most 1; got 1\.5"):
            bb.plot_coverage([0.5, 1.5])
        with pytest.raises(ValueError, match="pit"):
            bb.plot_pit([-0.5])
        with pytest.raises(ValueError, match="prob must lie between 0 and 1; got 95"):
            bb.plot_coverage([0.5], prob=95)
