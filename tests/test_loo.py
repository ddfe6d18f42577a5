"""Leave-one-out, against closed forms and fits without the points."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

import bayes_bnsl as bb
from bayes_bnsl import loo, sampling
from problems import Conjugate


def exact(problem, leave_out="point"):
    """Return the closed form of elpd for each left-out group."""
    labels, group = loo.groups(problem.curve, leave_out)
    return np.array([problem.log_predictive(group == k, group != k) for k in range(len(labels))])


@pytest.fixture(scope="module")
def surprising():
    """The last point lies where the others do not expect it."""
    problem = Conjugate.simulated(seed=5, outlier=14.0)
    return problem, problem.fit()


class TestClosedForm:
    def test_every_point(self, conjugate, conjugate_fit):
        left_out = bb.leave_one_out(conjugate_fit)
        np.testing.assert_allclose(left_out["elpd"], exact(conjugate), atol=0.1)
        assert float(left_out["elpd"].sum()) == pytest.approx(exact(conjugate).sum(), abs=0.2)
        assert {"psis", "moment matching"} == set(left_out["method"].values)
        np.testing.assert_array_equal(left_out["x"], conjugate.curve.x)

    def test_effective_number_of_parameters(self):
        """Two of them and known noise, if the points scatter as the noise says."""
        problem = Conjugate.simulated(seed=0, outlier=0.0, n=40)
        left_out = bb.leave_one_out(problem.fit())
        assert 1 < float((left_out["lpd"] - left_out["elpd"]).sum()) < 3

    def test_moment_matching_repairs_what_importance_sampling_misses(self, surprising):
        problem, fit = surprising
        raw, repaired = (bb.leave_one_out(fit, repair=repair) for repair in (False, True))
        assert raw["pareto_k"][-1] > raw.attrs["good_k"]
        assert repaired["method"][-1] == "moment matching"
        assert repaired["pareto_k"][-1] <= raw.attrs["good_k"] < repaired["raw_k"][-1]
        wrong, error = (abs(each["elpd"][-1] - exact(problem)[-1]) for each in (raw, repaired))
        assert error < 0.2 < wrong

    def test_a_fit_without_the_point_repairs_what_is_left(self, monkeypatch):
        problem = Conjugate.simulated(seed=5, outlier=6.0)
        fit = problem.fit()
        monkeypatch.setattr(loo.azs, "loo_moment_match", lambda tree, result, *_, **__: result)
        repaired = bb.leave_one_out(fit)
        assert repaired["raw_k"][-1] > repaired.attrs["good_k"]
        assert repaired["method"][-1] == "refit"
        assert np.isnan(repaired["pareto_k"][-1])
        assert repaired["elpd"][-1] == pytest.approx(exact(problem)[-1], abs=0.2)

    @pytest.mark.parametrize("leave_out", ["x", "run"])
    def test_groups(self, leave_out):
        problem = Conjugate.simulated(seed=4, outlier=0.0, replicates=3, n=6)
        left_out = bb.leave_one_out(problem.fit(), leave_out=leave_out)
        assert left_out.sizes["left"] == {"x": 6, "run": 3}[leave_out]
        np.testing.assert_allclose(left_out["elpd"], exact(problem, leave_out), atol=0.1)


class TestRefit:
    def test_a_surprise_costs_what_the_evidences_say(self, monkeypatch):
        """The mean density over draws without the point is -16 to -32, from seed to seed."""
        monkeypatch.setattr(loo.azs, "loo_moment_match", lambda tree, result, *_, **__: result)
        fit = bb.fit(bb.load_curve("four_digit_addition"), bb.BNSL(1), seed=1, progress=False)
        densities = []
        for seed in (1, 2):
            left = fit.curve.x == 864
            again = sampling.quiet_fit(fit.curve.take(~left), fit.law, scale=fit.scale, seed=seed)
            densities.append(bb.log_evidence(fit).value - bb.log_evidence(again).value)
        left_out = bb.leave_one_out(fit)
        assert left_out["method"][15] == "refit"
        np.testing.assert_allclose(densities, float(left_out["elpd"][15]), atol=0.1)

    def test_says_when_there_are_too_few_points(self, monkeypatch, line_fit, fit_line):
        few = bb.fit(
            line_fit.curve.take([0, 24]), bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False
        )
        monkeypatch.setattr(loo.azs, "loo_moment_match", lambda tree, result, *_, **__: result)
        left_out = bb.leave_one_out(few)
        bad = left_out["raw_k"] > left_out.attrs["good_k"]
        assert bad.any()
        assert np.all(left_out["method"].values[bad] == "too few points to refit")
        assert np.all(left_out["pareto_k"].values[bad] == left_out["raw_k"].values[bad])

    def test_says_when_a_fit_did_not_converge_and_takes_the_seed(self, monkeypatch, addition_fit):
        monkeypatch.setattr(loo.azs, "loo_moment_match", lambda tree, result, *_, **__: result)
        one, again = (bb.leave_one_out(addition_fit, max_gradients=1) for _ in range(2))
        assert "refit did not converge" in one["method"]
        np.testing.assert_array_equal(one["elpd"], again["elpd"])


class TestCorrelated:
    def test_a_point_is_foreseen_from_the_others_of_its_run(self, runs_fit):
        """The fit without a point, asked for it in its run, agrees with importance sampling."""
        left_out = bb.leave_one_out(runs_fit, repair=False)
        number = int(np.argmin(left_out["raw_k"].values))
        left = np.arange(len(runs_fit.curve)) == number
        method, of_others = loo._refit(runs_fit, left, number)
        assert method == "refit"
        elpd = bb.log_evidence(runs_fit).value - of_others
        assert elpd == pytest.approx(float(left_out["elpd"][number]), abs=0.05)

    def test_draws_are_moved_to_where_a_surprise_is_none(self, fit_correlated, correlated_fit):
        """The density of all points together is not the sum of those given all others."""
        curve = correlated_fit.curve.take(slice(None, None, 5))
        surprise = bb.Curve(curve.x, curve.y * np.where(np.arange(len(curve)) == 4, 1.3, 1.0))
        fit = fit_correlated(surprise, seed=1)
        raw, moved = (bb.leave_one_out(fit, repair=repair).isel(left=4) for repair in (False, True))
        assert moved["method"] == "moment matching"
        _, of_others = loo._refit(fit, np.arange(len(curve)) == 4, 4)
        exact = bb.log_evidence(fit).value - of_others
        assert abs(moved["elpd"] - exact) < 0.2 < abs(raw["elpd"] - exact)

    def test_groups_depend_on_one_another(self, runs_fit):
        with pytest.raises(ValueError, match="depend on one another, so they cannot be left out"):
            bb.leave_one_out(runs_fit, leave_out="run")


@pytest.mark.slow
@pytest.mark.parametrize("which", ["addition_fit", "limit_fit", "m4_fit", "own_fit"])
def test_agrees_with_a_fit_without_each_point(which, request):
    fit = request.getfixturevalue(which)
    left_out = bb.leave_one_out(fit)
    exact = np.empty(len(fit.curve))
    for i in range(len(fit.curve)):
        others = np.arange(len(fit.curve)) != i
        again = sampling.quiet_fit(
            fit.curve.take(others), fit.law, priors=fit.priors, scale=fit.scale,
            seed=100 + i,
        )  # fmt: skip
        if not again.status.ok:  # of one point in fourteen the others leave two modes
            exact[i] = np.nan
            continue
        known = 0 if fit.curve.y_se is None else fit.curve.y_se[i] / fit.curve.y[i]
        theta = {name: draws.values for name, draws in again.posterior.data_vars.items()}
        log_mu = fit.law.log_mu(fit.curve.log_x[i], theta)
        log_y = fit.curve.log_y[i]
        scale = np.sqrt(theta["sigma"] ** 2 + known**2)
        density = norm.logpdf(log_y, log_mu, scale) - log_y
        exact[i] = logsumexp(density) - np.log(density.size)
    assert np.isnan(exact).sum() <= 1
    trusted = left_out["pareto_k"].values <= 0.7
    expected = exact > -3  # the mean density of a surprise hangs on a few draws
    np.testing.assert_allclose(
        left_out["elpd"].values[trusted & expected], exact[trusted & expected], atol=0.2
    )
    assert abs(float(left_out["elpd"][expected].sum()) - exact[expected].sum()) < 0.5


class TestRefuses:
    def test_what_is_no_fit(self, line_curve):
        with pytest.raises(TypeError, match=r"must be the result of bayes_bnsl\.fit; got <Curve"):
            bb.leave_one_out(line_curve)

    def test_an_unknown_unit(self, line_fit):
        with pytest.raises(ValueError, match=r"leave_out is 'points'\. Did you mean 'point'"):
            bb.leave_one_out(line_fit, leave_out="points")

    def test_runs_where_there_are_none(self, line_fit):
        with pytest.raises(ValueError, match=r"needs two runs or more\. Use leave_out='point'"):
            bb.leave_one_out(line_fit, leave_out="run")
