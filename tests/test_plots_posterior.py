"""Pictures of parameters: what is drawn and where."""

from __future__ import annotations

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import norm

import bayes_bnsl as bb
from drawn import areas, edges


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


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

    def test_prior_is_behind_on_the_same_scale(self, own_fit):
        """The areas are densities: that of a normal prior of the user's is known."""
        picture = bb.plot_posterior(own_fit)
        ax = picture.viz["plot"]["c0"].item()
        (area,) = areas(ax)
        assert area.get_label() == "prior"
        x, foot, top = edges(area)
        expected = norm.pdf(x, 0.2, 0.01)
        assert np.all(foot == 0)
        assert x[0] >= ax.get_xlim()[0]
        assert x[-1] <= ax.get_xlim()[1]
        np.testing.assert_allclose(top, expected, atol=0.1 * expected.max())
        (legend,) = picture.viz["figure"].item().legends
        assert [text.get_text() for text in legend.get_texts()] == ["prior"]

    def test_each_chain_may_have_its_panel(self, limit_fit):
        picture = bb.plot_posterior(limit_fit, cols=["__variable__", "chain"])
        panels = picture.viz["plot"]["c0"].values
        assert panels.size == limit_fit.posterior.sizes["chain"]
        assert all(len(areas(ax)) == 1 for ax in panels.ravel())

    def test_without_prior(self, limit_fit):
        picture = bb.plot_posterior(limit_fit, prior=False)
        assert not any(areas(ax) for ax in picture.viz["figure"].item().axes)


class TestPlotPairs:
    def test_limit_against_last_slope(self, addition_fit):
        picture = bb.plot_pairs(addition_fit, ["a", "last slope"])
        ax = picture.viz["plot"].values[1, 0]
        cloud, *_ = ax.collections
        theta = addition_fit.posterior
        slope = -(theta["c0"] + theta["c"].sum("brk"))
        draws = np.stack([theta["a"].values.ravel(), slope.values.ravel()], axis=1)
        drawn = np.asarray(cloud.get_offsets())  # ArviZ takes some of them
        assert len(drawn) >= 500
        nearest = [draws[np.argmin(np.abs(draws[:, 0] - each))] for each in drawn[:, 0]]
        np.testing.assert_allclose(drawn, nearest)
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("a", "last slope")

    @pytest.mark.parametrize(
        ("which", "names"),
        [
            ("addition_fit", ["a", "last slope", "d1", "f1"]),
            ("limit_fit", ["a", "last slope", "sigma"]),
            ("line_fit", ["log_a", "b"]),
        ],
    )
    def test_says_by_itself_what_to_draw(self, which, names, request):
        picture = bb.plot_pairs(request.getfixturevalue(which))
        axes = picture.viz["plot"].values
        assert [ax.get_xlabel() for ax in axes[-1]] == names

    def test_refuses(self, line_fit):
        with pytest.raises(ValueError, match=r"'sigma', which is no parameter of the fit, or fix"):
            bb.plot_pairs(line_fit, ["b", "sigma"])
        with pytest.raises(ValueError, match="Give two names or more"):
            bb.plot_pairs(line_fit, ["b"])
