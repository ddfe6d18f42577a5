"""Least squares against exact curves, SciPy's own fits and the published fit of the paper."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import curve_fit, minimize

import bayes_bnsl as bb
from bayes_bnsl.squares import combinations, shapes, theta_at
from problems import NAMED, PROBLEMS, simulated

OWN = NAMED["custom"]


def squares(curve, law, theta):
    return np.sum((curve.log_y - law.log_mu(curve.log_x, theta)) ** 2)


class TestFitPoints:
    @pytest.mark.parametrize("objective", ["log", "log1p", "equation"])
    @pytest.mark.parametrize(
        "name",
        ["power law to a limit", "one break", "double descent", "M1", "M2", "M3", "M3 to zero",
         "M4, alpha below 1", "M4, alpha above 1"],
    )  # fmt: skip
    def test_points_without_noise_are_met(self, name, objective):
        problem, curve = NAMED[name], simulated(name, noise=0.0)
        found = bb.fit_points(curve, problem.law, objective=objective)
        np.testing.assert_allclose(problem.law(curve.x, found.theta), curve.y, rtol=1e-4)

    @pytest.mark.parametrize("problem", [p for p in PROBLEMS if p.law.line], ids=str)
    def test_squares_are_no_larger_than_those_of_the_truth(self, problem):
        curve = simulated(problem.name)
        found = bb.fit_points(curve, problem.law)
        assert squares(curve, problem.law, found.theta) <= squares(
            curve, problem.law, problem.theta
        )
        assert found.loss == pytest.approx(
            np.sqrt(squares(curve, problem.law, found.theta) / len(curve)), rel=1e-9
        )

    def test_a_line_is_that_of_linear_regression(self):
        curve = simulated("M1")
        slope, level = np.polyfit(curve.log_x, curve.log_y, 1)
        for objective in ("log", "equation"):
            theta = bb.fit_points(curve, bb.M1(), objective=objective).theta
            assert theta["b"] == pytest.approx(slope, rel=1e-7)
            assert np.log(theta["a"]) == pytest.approx(level, rel=1e-7)

    def test_curve_fit_of_scipy_finds_the_same(self):
        curve = simulated("M2")

        def log_mu(x, a, b, c):
            return np.log(a * x**b + c)

        theirs, _ = curve_fit(log_mu, curve.x, curve.log_y, p0=[4.0, -0.3, 0.2])
        theta = bb.fit_points(curve, bb.M2()).theta
        np.testing.assert_allclose([theta[name] for name in "abc"], theirs, rtol=1e-4)

    def test_the_equation_of_m2_is_that_of_its_estimator(self):
        curve = simulated("M2")

        def cost(limit):  # Alabdulmohsin et al.: the line is found by linear regression
            excess = np.log(curve.y - limit[0])
            return np.polyfit(curve.log_x, excess, 1, full=True)[1][0]

        theirs = minimize(cost, [0.2], bounds=[(0.0, curve.y.min() - 1e-6)], method="Nelder-Mead")
        found = bb.fit_points(curve, bb.M2(), objective="equation")
        assert found.theta["c"] == pytest.approx(theirs.x[0], rel=1e-3)
        assert found.loss == pytest.approx(np.sqrt(theirs.fun / len(curve)), rel=1e-6)

    def test_the_equation_of_m4_is_that_of_its_estimator(self):
        curve = simulated("M4, alpha above 1")
        found = bb.fit_points(curve, bb.M4(), objective="equation")
        p = found.theta
        left = (curve.y - p["e_inf"]) / (p["e_0"] - curve.y) ** p["alpha"]
        residuals = np.log(left) - np.log(p["beta"] * curve.x ** p["c"])
        assert found.loss == pytest.approx(np.sqrt(np.mean(residuals**2)), rel=1e-6)
        assert p["e_0"] > curve.y.max()
        assert 0 <= p["e_inf"] < curve.y.min()

    def test_the_limit_is_never_negative(self):
        x = np.geomspace(1, 1e3, 12)
        curve = bb.Curve(x, np.exp(-0.3 * np.log(x) - 0.03 * np.log(x) ** 2))
        assert bb.fit_points(curve, bb.BNSL(0)).theta["a"] == pytest.approx(0, abs=1e-6)

    def test_a_law_of_the_users_needs_a_grid(self):
        curve = simulated("custom", noise=0.0)
        with pytest.raises(ValueError, match=r"saturating has no equation .* give grid="):
            bb.fit_points(curve, OWN.law)
        with pytest.raises(ValueError, match="infinite at every start: give grid= other values"):
            bb.fit_points(curve, OWN.law, grid={"k": [-9.0], "r": [1.0], "s": [1.0]})
        grid = {"k": [0.1, 1.0], "r": [1.0, 3.0], "s": [0.3, 1.0]}
        found = bb.fit_points(curve, OWN.law, grid=grid)
        for name, value in OWN.theta.items():
            assert found.theta[name] == pytest.approx(value, rel=1e-5)

    def test_a_longer_search_is_not_worse(self):
        curve = simulated("three breaks")
        one, many = (bb.fit_points(curve, bb.BNSL(3), climbs=n) for n in (1, 5))
        assert many.loss <= one.loss * (1 + 1e-9)

    def test_the_same_every_time(self, addition):
        first, again = (bb.fit_points(addition[0], bb.BNSL(1)) for _ in range(2))
        assert first.theta == again.theta

    def test_shown(self, addition):
        text = repr(bb.fit_points(addition[0], bb.BNSL(1), objective="log1p"))
        assert "y = 0.414 + 2.28 * x^(-0.0551) * (1 + (x/613)^(1/0.0592))^(-5.66*0.0592)" in text

    @pytest.mark.parametrize(
        ("settings", "error", "words"),
        [
            ({"curve": [1, 2]}, TypeError, "curve must be a Curve; got"),
            ({"law": "M2"}, TypeError, r"law must be a law such as BNSL\(1\); got 'M2'"),
            ({"objective": "mse"}, ValueError, "one of log, log1p, equation; got 'mse'"),
            ({"climbs": 0}, ValueError, "climbs must be 1 or more; got 0"),
            ({"law": bb.BNSL(30)}, ValueError, r"BNSL\(30\) needs 33 distinct x; .* has 25"),
            ({"grid": {"a": [1.0]}}, ValueError, "grid must hold values of a, b, c; got a"),
            ({"grid": {"a": [0.0], "b": [-1.0], "c": [0.1]}}, ValueError, r"grid\['a'\] must hold"),
        ],
    )
    def test_what_is_refused(self, settings, error, words):
        with pytest.raises(error, match=words):
            bb.fit_points(**({"curve": simulated("M2"), "law": bb.M2()} | settings))


class TestForecast:
    def test_lognormal_about_the_curve_with_the_parameters_counted(self):
        curve = simulated("M1")
        found = bb.fit_points(curve, bb.M1())
        ahead = found.forecast([1e5, 1e6])
        slope, level = np.polyfit(curve.log_x, curve.log_y, 1)
        residuals = curve.log_y - level - slope * curve.log_x
        sd = np.sqrt(np.sum(residuals**2) / (len(curve) - 2))
        np.testing.assert_allclose(
            np.log(ahead["curve"].isel(sample=0)), level + slope * np.log([1e5, 1e6]), rtol=1e-7
        )
        assert np.log(ahead["y"]).std("sample").values == pytest.approx([sd, sd], rel=5e-3)
        assert ahead.attrs["law"] == "M1, least squares"
        assert np.isfinite(bb.log_score(ahead, [0.1, 0.05])).all()

    def test_accuracies_are_turned_back(self):
        x = np.geomspace(10, 1e4, 12)
        curve = bb.Curve.from_accuracy(x, 100 - 60 * x**-0.35, ceiling=100)
        ahead = bb.fit_points(curve, bb.M1()).forecast([1e5])
        assert float(ahead["curve"].median()) == pytest.approx(100 - 60 * 1e5**-0.35, rel=1e-6)


class TestStarts:
    def test_the_best_line_of_a_shape_has_the_least_squares(self):
        problem = NAMED["M3"]
        curve = simulated("M3")
        tried = theta_at(problem.law, shapes(curve, problem.law)[:50])
        for i in range(50):
            theta = {name: value[i] for name, value in tried.items()}
            if not theta["c"] < curve.y.min():
                continue
            shape = np.log(1 / curve.x + theta["d"])
            minus_b, log_a = np.polyfit(shape, np.log(curve.y - theta["c"]), 1)
            assert theta["b"] == pytest.approx(-minus_b, rel=1e-6)
            assert theta["log_a"] == pytest.approx(log_a, rel=1e-6, abs=1e-8)

    def test_all_combinations_of_a_grid_once(self):
        grid = {"a": [1.0, 2.0], "b": [-1.0, -2.0, -3.0], "c": [0.0, 0.5]}
        blocks = list(combinations(bb.M2(), grid, n_points=200_000))
        assert [len(block) for block in blocks] == [5, 5, 2]
        theta = theta_at(bb.M2(), np.concatenate(blocks))
        found = {tuple(np.round(row, 12)) for row in np.stack([theta[n] for n in "abc"], axis=1)}
        assert found == {(a, b, c) for a in grid["a"] for b in grid["b"] for c in grid["c"]}
