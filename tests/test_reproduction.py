"""What "Broken Neural Scaling Laws" (Caballero et al., ICLR 2023) reports, found again."""

from __future__ import annotations

import numpy as np
import pytest

import bayes_bnsl as bb
from problems import NAMED

PRINTED = NAMED["four-digit addition"].theta


def steps(start, stop, step):
    return np.arange(start, stop, step)


@pytest.fixture(scope="module")
def authors_fit(addition):
    """Fit four-digit addition from their grid; at f = 0 their break has no effect, nor at c = 0."""
    places = 1.25 ** steps(0, 40, 2.5) - 0.9
    grid = {
        "a": steps(0, 1, 0.1), "b": places, "c0": steps(0, 1, 0.25),
        "c": steps(0, 1, 0.25), "d": places, "f": steps(0.25, 1, 0.25),
    }  # fmt: skip
    return bb.fit_points(addition[0], bb.BNSL(1), objective="log1p", grid=grid, climbs=1)


class TestFigure4Left:
    def test_the_authors_procedure_leads_to_the_parameters_they_print(self, authors_fit):
        for name, value in PRINTED.items():
            np.testing.assert_allclose(authors_fit.theta[name], value, rtol=1e-5, err_msg=name)

    def test_and_to_their_error(self, addition, authors_fit):
        later = addition[1]
        assert bb.rmsle(authors_fit.forecast(later.x), later.y).rmsle == pytest.approx(
            0.0109, abs=5e-5
        )

    def test_starts_from_the_default_prior_lead_to_the_same_minimum(self, addition, authors_fit):
        found = bb.fit_points(addition[0], bb.BNSL(1), objective="log1p")
        assert found.loss == pytest.approx(authors_fit.loss, rel=1e-6)

    def test_the_band_holds_all_held_out_points(self, addition, addition_fit):
        later = addition[1]
        ahead = bb.forecast(addition_fit, later.x, seed=1)
        assert bb.coverage(ahead, later.y)["covered"].all()
        assert bb.rmsle(ahead, later.y).rmsle < 0.0125


class TestSection4:
    """What each form can express. That M1 to M3 cannot is in test_laws.py, for any parameters."""

    X = np.log(np.geomspace(1e-8, 1e8, 4001))

    @pytest.mark.parametrize(
        ("law", "theta"),
        [
            (bb.M1(), {"a": 2.0, "b": -0.3}),
            (bb.M2(), {"a": 2.0, "b": -0.3, "c": 0.1}),
            (bb.M3(), {"a": 2.0, "b": -0.3, "c": 0.1, "d": 0.02}),
        ],
        ids=["M1", "M2", "M3"],
    )
    def test_m1_to_m3_fall_without_inflection(self, law, theta):
        assert law.is_monotone(self.X, theta)
        assert not law.has_inflection(self.X, theta)

    @pytest.mark.parametrize(("alpha", "inflects"), [(0.2, True), (2.0, False)])
    def test_m4_falls_with_an_inflection_or_without(self, alpha, inflects):
        theta = {"e_0": 1.0, "e_inf": 0.1, "alpha": alpha, "beta": 1.0, "c": -0.5}
        assert bb.M4().is_monotone(self.X, theta)
        assert bb.M4().has_inflection(self.X, theta) == inflects

    @pytest.mark.parametrize(
        ("c", "f", "monotone", "inflects"),
        [([0.2], 1.0, True, False), ([2.0], 0.1, True, True), ([-0.6, 1.0], 0.3, False, True)],
        ids=["plain", "sharp fall", "double descent"],
    )
    def test_bnsl_is_bound_by_neither(self, c, f, monotone, inflects):
        n = len(c)
        theta = {"a": 0.05, "b": 3.0, "c0": 0.3, "c": c, "d": [1.0, 1e2][:n], "f": [f] * n}
        law = bb.BNSL(n)
        assert law.is_monotone(self.X, theta) == monotone
        assert law.has_inflection(self.X, theta) == inflects

    def test_double_descent_is_followed_by_bnsl_alone(self):
        problem = NAMED["double descent"]
        curve = bb.simulate(problem.law, problem.theta, problem.x, noise=0.01, seed=1)
        losses = {
            law.name: bb.fit_points(curve, law).loss
            for law in (bb.M1(), bb.M2(), bb.M3(), bb.M4(), bb.BNSL(2))
        }
        assert losses.pop("BNSL(2)") < 0.01
        assert min(losses.values()) > 0.1
