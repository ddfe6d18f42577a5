"""Posterior checks: they find what is wrong, and stay quiet where nothing is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

import bayes_bnsl as bb
from bayes_bnsl import checks
from problems import Conjugate

X = np.geomspace(1.0, 1e4, 30)


@pytest.fixture(scope="module")
def fit_residuals(fit_line):
    """Fit a power law to points that lie off it by given parts of the known noise, 0.02."""

    def fit(residuals, **settings):
        return fit_line(bb.Curve(X, 5 * X**-0.35 * np.exp(0.02 * residuals), **settings), seed=1)

    return fit


def fresh(seed=0):
    return np.random.default_rng(seed).standard_normal(len(X))


def test_quiet_where_the_points_are_as_the_fit_says(fit_residuals):
    found = bb.check(fit_residuals(fresh(3)))
    assert found.ok
    assert str(found) == "Nothing found: the points look like what the fit says they are."
    assert list(found.table.index) == [
        "autocorrelation", "curvature", "outliers", "steadiness", "loo_pit"
    ]  # fmt: skip


def test_neighbours_that_are_alike(fit_residuals):
    """Every wave of residuals fits many times into the range, so that none is a bend."""
    found = bb.check(fit_residuals(1.4 * np.sin(2 * np.pi * np.arange(30) / 6)))
    assert found.table.loc["autocorrelation", "p"] < 0.01
    assert found.table.loc["curvature", "p"] > 0.05
    assert "alike" in str(found)
    assert "noise=Correlated(), or BNSL(1)" in str(found)


def test_neighbours_are_those_of_one_run(fit_residuals):
    """Two runs, one above the other, take turns along x: within each the residuals are alike."""
    sign = np.where(np.arange(30) % 2, 1.0, -1.0)
    alone = bb.check(fit_residuals(sign))
    runs = bb.check(fit_residuals(sign, run=np.where(sign > 0, "upper", "lower")))
    assert alone.table.loc["autocorrelation", "p"] > 0.95
    assert runs.table.loc["autocorrelation", "p"] < 0.01


def test_a_bend(fit_residuals):
    place = np.linspace(-1, 1, 30)
    found = bb.check(fit_residuals(fresh(3) + 4 * place**2))
    assert found.table.loc["curvature", "p"] < 0.01
    assert "bend along x" in str(found)


def test_a_point_far_off(fit_residuals):
    found = bb.check(fit_residuals(np.where(np.arange(30) == 7, 9.0, fresh(3))))
    assert found.table.loc["outliers", "p"] < 0.01
    assert f"The point at x = {X[7]:g} lies far off" in str(found)
    assert "noise=StudentT()" in str(found)


@pytest.mark.parametrize("way", [1, -1], ids=["falling", "rising"])
def test_the_best_values_so_far(way):
    """Of a curve that falls slowly beside its scatter."""
    curve = bb.Curve(X, 5 * X**-0.1 * np.exp(0.03 * np.random.default_rng(5).standard_normal(30)))
    best = np.exp(way * np.minimum.accumulate(curve.log_y))
    fits = (bb.fit(bb.Curve(X, y), bb.M1(), seed=1, progress=False) for y in (curve.y**way, best))
    each, best_so_far = (bb.check(fit) for fit in fits)
    assert each.table.loc["steadiness", "p"] > 0.05
    assert best_so_far.table.loc["steadiness", "p"] < 0.01
    assert "it turns back 0 times" in str(best_so_far)


def test_replicates_and_other_runs_do_not_turn_back():
    """Each run falls; points at the same x, and of the two runs, lie in no order."""
    x = np.repeat(X[::2], 2)
    scatter = 0.02 * np.random.default_rng(6).standard_normal(len(x))
    same = bb.Curve(x, 5 * x**-0.35 * np.exp(scatter))
    runs = np.tile(["upper", "lower"], 15)
    factor = np.where(runs == "upper", 1.5, 1.0)
    two = bb.Curve(np.sort(x) * np.where(runs == "upper", 1.0, 1.1), 5 * factor / x**0.35, run=runs)
    for curve in (same, two):
        assert np.any(np.diff(curve.log_y) > 0)
        assert checks.turning_back(curve, curve.log_y[None]) == 0
        rising = bb.Curve(curve.x, 1 / curve.y, run=curve.run)
        assert checks.turning_back(rising, rising.log_y[None]) == 0
    assert checks.turning_back(two, -two.log_y[None]) == 28  # neighbours in two runs of 15


@pytest.mark.parametrize(("factor", "word"), [(3.0, "narrow"), (0.2, "wide")])
def test_known_noise_that_is_wrong(fit_residuals, factor, word):
    found = bb.check(fit_residuals(factor * fresh(3)))
    assert found.table.loc["loo_pit", "p"] < 0.05
    assert f"intervals are too {word}" in str(found)


def test_p_values_of_a_right_fit_are_not_too_small(fit_residuals):
    """Five per cent of them may be; of the residuals of draws fewer are."""
    tables = [bb.check(fit_residuals(fresh(seed)), seed=seed).table for seed in range(10)]
    p = np.array([table["p"].values for table in tables])
    assert np.mean(p < 0.05) < 0.15
    assert 0.3 < p.mean() < 0.8


def test_loo_pit_is_the_closed_form(conjugate, conjugate_fit):
    curve, found = conjugate.curve, checks.loo_pit(conjugate_fit)
    for i in range(len(curve)):
        others = np.arange(len(curve)) != i
        u, at = curve.log_x[others], curve.log_x[i]
        design, new = np.stack([np.ones_like(u), u]), np.array([1.0, at])
        precision = design @ design.T / conjugate.sigma**2 + np.eye(2) / conjugate.prior_sd**2
        mean = np.linalg.solve(precision, design @ curve.log_y[others] / conjugate.sigma**2)
        sd = np.sqrt(conjugate.sigma**2 + new @ np.linalg.solve(precision, new))
        expected = norm.cdf(curve.log_y[i], new @ mean, sd)
        assert float(found[i]) == pytest.approx(expected, abs=0.03)


def test_the_best_so_far_are_found_and_followed(line_curve):
    """Fresh noise, of which the lowest value so far is told."""
    theta, sigma = {"a": 5.0, "b": -0.1}, {"sigma": 0.05}
    x = np.geomspace(1, 1e4, 40)
    curve = bb.simulate(bb.M1(), theta | sigma, x, bb.BestSoFar(), seed=4)
    plain = bb.fit(curve, bb.M1(), seed=1, progress=False)
    best = bb.fit(curve, bb.M1(), noise=bb.BestSoFar(), seed=1, progress=False)
    assert "noise=BestSoFar()" in str(bb.check(plain))
    bent = bb.Curve(x, 5.0 * x**-0.5 + 1.0)  # what a law cannot follow is no scatter
    found = str(bb.check(bb.fit(bent, bb.M1(), seed=1, progress=False)))
    assert "bend along x" in found
    assert "BestSoFar" not in found
    assert bb.check(best).ok
    smooth = np.convolve(np.pad(curve.y, 1, mode="edge"), [1 / 3] * 3, "valid").round(12)
    found = bb.check(
        bb.fit(bb.Curve(x, smooth), bb.M1(), noise=bb.BestSoFar(), seed=1, progress=False)
    )
    assert "it stays where it was" in str(found)
    truth = 5.0 * 1e5**-0.1
    ahead = bb.forecast(best, [1e5], seed=1, unseen_breaks=0)
    low, middle, high = bb.interval(ahead, prob=0.9)["curve"].values.ravel()
    assert low < truth < high
    assert middle == pytest.approx(truth, rel=0.02)
    assert best.posterior["sigma"].quantile(0.05) < 0.05 < best.posterior["sigma"].quantile(0.95)
    assert plain.posterior["sigma"].quantile(0.95) < 0.05


def test_heavy_tails_foresee_a_point_far_off(line_curve, fit_line):
    far = bb.Curve(line_curve.x, line_curve.y * np.where(np.arange(25) == 9, 1.15, 1.0))
    normal = fit_line(far, seed=1)
    heavy = bb.fit(far, bb.M1(), noise=bb.StudentT(), seed=1, progress=False)
    assert bb.check(normal).table.loc["outliers", "p"] < 0.01
    assert bb.check(heavy).table.loc["outliers", "p"] > 0.05


def test_repeats_with_a_seed_and_shows_itself(line_fit):
    one, again = bb.check(line_fit, seed=4), bb.check(line_fit, seed=4)
    assert one.table.equals(again.table)
    assert "loo_pit" in one._repr_html_()
    assert str(one) in repr(one)


def test_refuses_what_is_no_fit(line_curve):
    with pytest.raises(TypeError, match=r"must be the result of bayes_bnsl\.fit; got <Curve"):
        bb.check(line_curve)


def test_groups_of_the_bank_of_problems():
    """Replicates at one x are points like others."""
    assert bb.check(Conjugate.simulated(seed=1, outlier=0.0, replicates=3, n=6).fit()).ok
