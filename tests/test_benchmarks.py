"""Public curves: every score is that of `score`, and summaries average them as they say."""

import numpy as np
import pandas as pd
import pytest

import bayes_bnsl as bb
from bayes_bnsl.jobs import seed_of

SETTINGS = {"priors": {"sigma": 0.02}, "draws": 500, "seed": 1, "progress": False}
X = np.geomspace(1, 1e3, 12)


def public(n, source, n_seen):
    curve = bb.simulate(bb.M1(), {"a": 2.0, "b": -0.3}, X, 0.02, seed=n, name=f"curve {n}")
    seen, later = curve.split(n=n_seen)
    return bb.BenchmarkCurve(seen, later, "LM", "loss", str(n), source)


CURVES = [public(0, "one.csv", 8), public(1, "one.csv", 11), public(1, "two.csv", 10)]


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    return bb.score_benchmark(CURVES, bb.M1(), out=folder, **SETTINGS)


def test_a_row_for_every_law_and_naive_forecast(scores):
    assert list(scores["law"]) == ["M1", "last value", "log-log line"] * 3
    assert list(scores["curve"].unique()) == ["curve 0", "one.csv: curve 1", "two.csv: curve 1"]
    assert list(scores["n_later"].unique()) == [4, 1, 2]
    assert list(scores["status"]) == ["converged", "naive", "naive"] * 3


def test_scores_are_those_of_score(scores):
    seen, later = CURVES[0].seen, CURVES[0].later
    fit = bb.fit(seen, bb.M1(), **SETTINGS | {"seed": seed_of(1, "curve 0", "M1")})
    ahead = bb.forecast(fit, later.x, seed=seed_of(1, "curve 0", "M1"))
    alone = bb.score(ahead, later.y, seen)
    for name in ("rmsle", "log_score", "crps", "coverage", "msce"):
        np.testing.assert_array_equal(scores[name][:3], alone[name])


def test_summary(scores):
    summary = bb.summarize_scores(scores).set_index(["source", "law"])
    assert len(summary) == 6
    ours = scores[(scores["source"] == "one.csv") & (scores["law"] == "M1")]
    row = summary.loc[("one.csv", "M1")]
    assert row["rmsle"] == ours["rmsle"].mean()
    assert row["log_score"] == ours["log_score"].mean()
    inside = (ours["coverage"] * ours["n_later"]).sum() / 5  # of five points in all
    assert row["coverage"] == pytest.approx(inside)
    assert (row["curves"], row["failed"], row["converged"]) == (2, 0, 1.0)


def test_unseen_breaks_widen_the_forecasts_of_the_same_fits(tmp_path, scores):
    settings = SETTINGS | {"out": tmp_path, "unseen_breaks": 2.0}
    wider = bb.score_benchmark(CURVES[:1], bb.M1(), **settings)
    fit = bb.fit(CURVES[0].seen, bb.M1(), **SETTINGS | {"seed": seed_of(1, "curve 0", "M1")})
    seed = seed_of(1, "curve 0", "M1")
    ahead = bb.forecast(fit, CURVES[0].later.x, unseen_breaks=2.0, seed=seed)
    assert wider["crps"].iloc[0] == bb.score(ahead, CURVES[0].later.y)["crps"].iloc[0]
    assert wider["crps"].iloc[0] != scores["crps"].iloc[0]
    assert wider["crps"].iloc[1] == scores["crps"].iloc[1]


def test_published_scores_are_of_the_collections_that_were_scored():
    assert set(bb.published_scores()["collection"]) == {"language", "vision"}
    for domains, collections in (
        (["IC"], {"vision"}),
        (["LM", "Nano"], {"language"}),
        (["x"], set()),
    ):
        table = bb.published_scores(pd.DataFrame({"domain": domains}))
        assert set(table["collection"]) == collections


def test_failures_are_counted_and_not_averaged():
    scores = pd.DataFrame(
        {
            "source": "s", "law": "M1", "ok": [True, False], "error": ["", "ValueError: it"],
            "n_later": [2, 3], "seconds": [1.0, np.nan],
            **{name: [0.5, np.nan] for name in ("rmsle", "log_score", "crps", "msce", "coverage")},
        }
    )  # fmt: skip
    row = bb.summarize_scores(scores).iloc[0]
    assert (row["curves"], row["failed"], row["converged"], row["coverage"]) == (1, 1, 0.5, 0.5)
    nothing = bb.summarize_scores(scores[1:]).iloc[0]
    assert (nothing["curves"], nothing["failed"]) == (0, 1)
