"""Comparisons of laws: weights, the recommendation, the table and the sentence."""

from __future__ import annotations

import html

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, softmax

import bayes_bnsl as bb
from bayes_bnsl.comparison import Candidate, Comparison


@pytest.fixture
def compared(line_fit, limit_fit):
    """Make a comparison from the elpd of each point; a fit that converged stands for every law."""

    def make(elpd, *, unconverged=(), **settings):
        candidates = []
        for law, each in elpd.items():
            if each is None:
                candidates.append(
                    Candidate(law.name, law, bb.LogNormal(), "too_few_points", "too few", 0.0)
                )
                continue
            n = len(each)
            scores = xr.Dataset(
                {
                    "elpd": ("left", each),
                    "lpd": ("left", np.asarray(each) + 0.1),
                    "pareto_k": ("left", np.full(n, 0.2)),
                    "raw_k": ("left", np.full(n, 0.2)),
                    "method": ("left", ["psis"] * (n - 1) + ["moment matching"]),
                },
                coords={"left": np.arange(n), "x": ("left", np.arange(1.0, n + 1))},
                attrs={"by": "loo", "good_k": 0.7},
            )
            fit = failed(line_fit) if law in unconverged else line_fit
            status = fit.status
            candidates.append(
                Candidate(law.name, law, fit.noise, status.name, str(status), 1.0, fit, scores)
            )
        return Comparison(line_fit.curve, "loo", tuple(candidates), **settings)

    return make


def failed(fit):
    """Return the fit as if its chains disagreed."""
    import dataclasses

    status = dataclasses.replace(fit.status, name="chains_disagree", r_hat=1.2)
    return dataclasses.replace(fit, status=status)


def random_elpd(*laws, seed=1, n=30, spread=0.6):
    generator = np.random.default_rng(seed)
    return {law: generator.normal(0, spread, n) for law in laws}


class TestWeights:
    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("offset", [0.0, -900.0, 600.0])
    def test_stacking_foresees_best(self, compared, seed, offset):
        """No other weights give the average a higher density of the left-out points."""
        elpd = random_elpd(bb.M1(), bb.M2(), bb.M4(), seed=seed)
        stacked = np.stack(list(elpd.values()), axis=1)
        best = minimize(
            lambda z: -logsumexp(stacked + log_softmax(np.append(z, 0)), axis=1).sum(), np.zeros(2)
        )
        weights = compared({law: each + offset for law, each in elpd.items()}).weights
        np.testing.assert_allclose(weights, softmax(np.append(best.x, 0)), atol=2e-3)
        assert weights.sum() == pytest.approx(1)
        assert list(weights.index) == ["M1", "M2", "M4"]

    def test_a_law_that_is_worse_at_every_point_has_none(self, compared):
        good = np.random.default_rng(0).normal(0, 1, 20)
        weights = compared({bb.M1(): good, bb.M2(): good - 0.5}).weights
        assert weights["M1"] == 1
        assert weights["M2"] == 0

    def test_points_that_a_law_holds_impossible(self, compared):
        good = np.zeros(20)
        bad = np.where(np.arange(20) == 3, -5000.0, 0.5)
        weights = compared({bb.M1(): good, bb.M2(): bad}).weights
        assert 0 < weights["M2"] < 1

    def test_pseudo_bma_is_the_bootstrapped_softmax(self, compared):
        elpd = random_elpd(bb.M1(), bb.M2(), bb.M4())
        stacked = np.stack(list(elpd.values()))
        shares = np.random.default_rng(0).dirichlet(np.ones(30), 20_000)
        expected = softmax(30 * shares @ stacked.T, axis=1).mean(axis=0)
        weights = compared(elpd, method="pseudo_bma").weights
        np.testing.assert_allclose(weights, expected, atol=0.03)

    def test_a_single_law_has_all(self, compared):
        assert compared(random_elpd(bb.M1())).weights["M1"] == 1


class TestNumberOfBreaks:
    def test_is_that_of_the_broken_laws_alone(self, compared):
        elpd = random_elpd(*(bb.BNSL(n) for n in range(3)), bb.M1())
        probability = compared(elpd).n_breaks
        assert list(probability.index) == [0, 1, 2]
        assert probability.sum() == pytest.approx(1)
        elpd.pop(bb.M1())
        np.testing.assert_allclose(probability, compared(elpd).n_breaks)

    def test_knows_when_it_is_clear(self, compared):
        elpd = {bb.BNSL(0): np.full(40, -2.0), bb.BNSL(1): np.linspace(0.9, 1.1, 40)}
        assert compared(elpd).n_breaks[1] > 0.99

    def test_is_empty_without_them(self, compared):
        assert len(compared(random_elpd(bb.M1())).n_breaks) == 0


class TestRecommendation:
    def test_simpler_within_four(self, compared):
        base = np.zeros(20)
        choice = compared({bb.BNSL(0): base, bb.BNSL(1): base + 3.9 / 20})
        assert (choice.best, choice.simplest) == ("BNSL(1)", "BNSL(0)")

    def test_not_simpler_beyond_four(self, compared):
        base = np.zeros(20)
        choice = compared({bb.BNSL(0): base, bb.BNSL(1): base + 4.1 / 20})
        assert choice.simplest == "BNSL(1)"

    def test_simpler_within_a_standard_error(self, compared):
        generator = np.random.default_rng(0)
        noisy = generator.normal(0, 8, 20)
        elpd = {bb.BNSL(0): np.zeros(20), bb.BNSL(1): noisy - noisy.mean() + 10 / 20}
        choice = compared(elpd)
        assert choice.table.loc["BNSL(0)", "elpd_diff"] == pytest.approx(-10)
        assert choice.table.loc["BNSL(0)", "dse"] > 10
        assert choice.simplest == "BNSL(0)"

    def test_of_laws_as_simple_the_one_that_was_given_first(self, compared):
        base = np.zeros(20)
        assert compared({bb.BNSL(0): base, bb.M2(): base + 0.1}).simplest == "BNSL(0)"
        assert compared({bb.M2(): base, bb.BNSL(0): base + 0.1}).simplest == "M2"


class TestEvidence:
    @pytest.fixture
    def judged(self, line_fit):
        """Make a comparison from log evidences."""

        def make(evidence, error=0.01):
            candidates = [
                Candidate(
                    law.name, law, line_fit.noise, "converged", "", 1.0, line_fit,
                    xr.Dataset(
                        {"elpd": ("left", [value]), "error": ("left", [error])}, {"left": ["all"]}
                    ),
                )
                for law, value in evidence.items()
            ]  # fmt: skip
            return Comparison(line_fit.curve, "evidence", tuple(candidates), "probability")

        return make

    def test_weights_are_probabilities(self, judged):
        choice = judged({bb.BNSL(0): 700.0, bb.BNSL(1): 700.0 + np.log(3), bb.M1(): -50.0})
        np.testing.assert_allclose(choice.weights, [0.25, 0.75, 0], atol=1e-12)
        np.testing.assert_allclose(choice.n_breaks, [0.25, 0.75])

    def test_simpler_only_if_hardly_worse(self, judged):
        assert judged({bb.BNSL(0): 0.0, bb.BNSL(1): 0.9}).simplest == "BNSL(0)"
        assert judged({bb.BNSL(0): 0.0, bb.BNSL(1): 1.1}).simplest == "BNSL(1)"

    def test_simpler_within_the_monte_carlo_error(self, judged):
        assert judged({bb.BNSL(0): 0.0, bb.BNSL(1): 1.4}, error=1.0).simplest == "BNSL(0)"

    def test_errors_are_those_of_monte_carlo(self, judged):
        table = judged({bb.BNSL(0): 1.0, bb.M1(): 3.0}, error=0.3).table
        assert list(table.index) == ["M1", "BNSL(0)"]
        np.testing.assert_allclose(table["se"], 0.3)
        np.testing.assert_allclose(table["dse"], [0, 0.3 * np.sqrt(2)])
        assert table["p_eff"].isna().all()

    def test_words(self, judged):
        told = str(judged({bb.BNSL(0): 0.0, bb.M1(): 2.0}))
        assert told == (
            "M1 has the highest evidence on 'M1', with probability 0.88, by 2.0 ± 0.0 before "
            "BNSL(0). No simpler law comes close to it: use it."
        )


class TestUnconverged:
    def test_has_no_weight_and_is_not_chosen(self, compared):
        elpd = {bb.M1(): np.zeros(20), bb.M2(): np.ones(20)}
        choice = compared(elpd, unconverged=[bb.M2()])
        assert choice.best == choice.simplest == "M1"
        assert choice.weights["M2"] == 0
        assert choice.table.loc["M2", "status"] == "chains_disagree"
        assert choice.table.loc["M2", "elpd_diff"] == pytest.approx(20)
        assert "Without weight: M2 (chains_disagree)" in str(choice)

    def test_has_weight_if_that_is_asked_for(self, compared):
        elpd = {bb.M1(): np.zeros(20), bb.M2(): np.ones(20)}
        choice = compared(elpd, unconverged=[bb.M2()], include_unconverged=True)
        assert choice.best == "M2"
        assert choice.weights["M2"] == 1

    def test_if_none_converged_no_law_can_be_chosen(self, compared):
        choice = compared(random_elpd(bb.M1()), unconverged=[bb.M1()])
        assert "No law can be chosen" in str(choice)
        assert choice.weights["M1"] == 0
        assert "M1" in choice.table.index
        with pytest.raises(ValueError, match=r"include_unconverged=True"):
            choice.best  # noqa: B018
        with pytest.raises(ValueError, match="No law has weight"):
            bb.forecast(choice, [1e5])


class TestTable:
    def test_holds_every_law_the_best_first(self, compared):
        elpd = random_elpd(bb.BNSL(0), bb.M1(), bb.M4()) | {bb.BNSL(3): None}
        choice = compared(elpd)
        table = choice.table
        assert list(table.columns) == [
            "elpd", "se", "elpd_diff", "dse", "p_eff", "weight", "worst_k", "status", "seconds",
            "repairs",
        ]  # fmt: skip
        assert table.index[0] == choice.best
        assert table.index[-1] == "BNSL(3)"
        assert table.loc["BNSL(3)", "status"] == "too_few_points"
        assert np.isnan(table.loc["BNSL(3)", "elpd"])
        each = elpd[bb.M4()]
        assert table.loc["M4", "elpd"] == pytest.approx(each.sum())
        assert table.loc["M4", "se"] == pytest.approx(np.sqrt(30) * each.std(ddof=1))
        assert table.loc["M4", "p_eff"] == pytest.approx(3.0)
        assert table.loc["M4", "repairs"] == "moment matching: 29"
        difference = each - elpd[next(law for law in elpd if law.name == choice.best)]
        assert table.loc["M4", "dse"] == pytest.approx(np.sqrt(30) * difference.std(ddof=1))

    def test_says_it_in_words(self, compared):
        base = np.zeros(20)
        choice = compared({bb.BNSL(0): base, bb.BNSL(1): base + 3 / 20})
        assert str(choice) == (
            "BNSL(1) foresees left-out points of 'M1' best, by 3.0 ± 0.0 before BNSL(0). BNSL(0) "
            "is simpler and does about as well (-3.0 ± 0.0): use it, or the average of all."
        )

    def test_shows_itself(self, compared):
        choice = compared(random_elpd(bb.BNSL(0), bb.M1()))
        assert "by LOO" in repr(choice)
        page = choice._repr_html_()
        assert page.count("<tr") == 3
        assert "2 laws on M1" in page
        assert html.escape(str(choice)) in page
