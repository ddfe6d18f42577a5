"""The verdict on draws, and its words."""

from __future__ import annotations

import arviz_stats as azs
import numpy as np
import pytest

from bayes_bnsl.status import SENTENCES, Status, diagnose


def draws(n=1000, seed=1):
    return np.random.default_rng(seed).standard_normal((4, n))


def wandering(n=1000, seed=1):
    """Draws of chains that agree but move slowly."""
    steps = draws(n, seed)
    for i in range(1, n):
        steps[:, i] += 0.95 * steps[:, i - 1]
    return steps


def apart(by=3.0):
    return draws() + np.array([[0.0], [0.0], [0.0], [by]])


class TestDiagnose:
    def test_good_draws_have_converged(self):
        status = diagnose({"a": draws(seed=1), "b": draws(seed=2)}, 0)
        assert status.name == "converged"
        assert status.ok
        assert status.r_hat <= 1.01
        assert status.effective_draws >= 400

    def test_numbers_are_those_of_arviz(self):
        quantities = {"a": draws(300, seed=1), "b": wandering(seed=2)[:, :300]}
        status = diagnose(quantities, 0)
        r_hat = {name: float(azs.rhat(value)) for name, value in quantities.items()}
        effective = {
            name: min(
                float(azs.ess(value, method="bulk")),
                float(azs.ess(value, method="tail", prob=(0.05, 0.95))),
            )
            for name, value in quantities.items()
        }
        assert status.r_hat == pytest.approx(max(r_hat.values()))
        assert status.effective_draws == pytest.approx(min(effective.values()))
        assert status.worst_r_hat == max(r_hat, key=r_hat.get)
        assert status.worst_effective_draws == min(effective, key=effective.get)

    def test_chains_apart_disagree(self):
        status = diagnose({"a": draws(), "f1": apart()}, 0)
        assert status.name == "chains_disagree"
        assert status.worst_r_hat == "f1"
        assert not status.ok

    def test_one_chain_of_another_width_disagrees(self):
        assert diagnose({"a": draws() * [[1], [1], [1], [9]]}, 0).name == "chains_disagree"

    def test_chains_that_never_moved_disagree(self):
        stuck = np.broadcast_to([[0.0], [1.0], [2.0], [3.0]], (4, 500))
        assert diagnose({"a": draws(), "b": stuck}, 0).name == "chains_disagree"

    def test_what_is_no_number_disagrees(self):
        broken = draws()
        broken[2, 17] = np.nan
        status = diagnose({"a": draws(), "b": broken}, 0)
        assert status.name == "chains_disagree"
        assert status.worst_r_hat == "b"

    def test_a_divergence_is_one_too_many(self):
        for restarts in (None, 500):  # of NUTS, and of tempered chains
            status = diagnose({"a": draws()}, 1, restarts=restarts)
            assert (status.name, status.divergences) == ("divergent", 1)

    def test_slow_chains_are_few_draws(self):
        status = diagnose({"a": draws(8000), "b": wandering(8000)[:, :3200]}, 0)
        assert status.r_hat <= 1.01
        assert (status.name, status.worst_effective_draws) == ("few_draws", "b")

    def test_a_constant_passes(self):
        status = diagnose({"a": draws(), "sigma": np.full((4, 1000), 0.02)}, 0)
        assert status.name == "converged"

    def test_few_fresh_starts_are_said(self):
        assert diagnose({"a": draws()}, 0, restarts=100).ok
        status = diagnose({"a": draws()}, 0, restarts=99)
        assert status.name == "few_restarts"
        assert "only 99 fresh starts arrived" in str(status)

    def test_the_gravest_verdict_counts(self):
        assert diagnose({"a": apart()}, 7, constant_y=True).name == "constant_y"
        assert diagnose({"a": apart()}, 7).name == "chains_disagree"
        assert diagnose({"a": wandering(8000)}, 7).name == "divergent"


class TestSentences:
    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("converged", ["R-hat at most 1.005", "at least 312 effective draws"]),
            ("divergent", ["3 divergences: ", "narrower priors", "max_gradients"]),
            ("chains_disagree", ["disagree about c0 (R-hat 1.005", "several modes", "Raise"]),
            ("few_draws", ["Only 312 effective draws of f1", "400", "Raise max_gradients"]),
            ("constant_y", ["All y are equal", "Check that the right column"]),
        ],
    )
    def test_say_what_it_means_and_what_to_do(self, name, words):
        text = str(Status(name, 1.0049, 312.4, 3, "c0", "f1"))
        assert [word for word in words if word not in text] == []
        assert "{" not in text
        assert text.endswith(".")

    def test_there_is_one_for_each_verdict(self):
        assert set(SENTENCES) == {
            "converged", "divergent", "chains_disagree", "few_draws", "few_restarts", "constant_y",
        }  # fmt: skip
        assert [name for name in SENTENCES if Status(name, 1, 1, 0, "", "").ok] == ["converged"]


class TestStatusOfAFit:
    @pytest.mark.parametrize("which", ["addition_fit", "m4_fit", "own_fit", "line_fit"])
    def test_meets_the_bar_by_arviz(self, which, request):
        """Every parameter, and log mu at both ends and ten times beyond, checked anew."""
        fit = request.getfixturevalue(which)
        assert fit.status.ok, str(fit.status)
        theta = dict(fit.posterior.data_vars)
        quantities = fit.posterior.drop_vars(
            [name for name in theta if np.ptp(theta[name].values) == 0]
        )
        for label, x in enumerate([fit.curve.x[0], fit.curve.x[-1], 10 * fit.curve.x[-1]]):
            quantities[f"mu{label}"] = fit.law.log_mu(np.log(x), theta)
        for name, r_hat in azs.rhat(quantities).items():
            assert np.all(r_hat <= 1.01), name
        for method, prob in (("bulk", None), ("tail", (0.05, 0.95))):
            for name, effective in azs.ess(quantities, method=method, prob=prob).items():
                assert np.all(effective >= 400), name
        assert not fit.data["sample_stats"]["diverging"].any()
