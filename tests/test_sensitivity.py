"""What a forecast owes to the priors."""

from __future__ import annotations

import numpy as np
import pytest

import bayes_bnsl as bb
from problems import Conjugate


def test_a_prior_against_the_points_is_named():
    """The prior of the slope is far narrower than what the points say, and elsewhere."""
    problem = Conjugate.simulated(seed=0, outlier=0.0, n=6)
    priors = {
        "k": bb.Prior("Normal", mu=0.0, sigma=10.0),
        "s": bb.Prior("Normal", mu=0.3, sigma=0.05),
        "sigma": 0.3,
    }
    fit = bb.fit(problem.curve, problem.law, priors=priors, seed=1, progress=False)
    found = bb.sensitivity(fit, x=1e4)
    table = found.table
    assert list(table.index) == ["log y at 10000", "k", "s"]
    assert table.loc["log y at 10000", "prior of s"] > 0.1 > table.loc["k", "prior of s"]
    assert (table["prior of k"] < 0.01).all()
    assert "Your forecast of log y at 10000 depends on the prior of s" in str(found)
    assert "depends on the prior of k" not in str(found)


def test_points_that_decide_leave_nothing_to_the_prior(line_fit):
    found = bb.sensitivity(line_fit)
    assert str(found) == "No forecast and no parameter depends on a prior noticeably."
    assert (found.table["likelihood"] > 0.05).all()
    assert np.allclose(found.table["prior"], 0, atol=0.05)


def test_holds_every_free_parameter_and_prior(addition_fit):
    table = bb.sensitivity(addition_fit, x=[1e3, 1e4]).table
    assert list(table.index) == [
        "log y at 1000", "log y at 10000", "a", "b", "c0", "c1", "d1", "f1",
    ]  # fmt: skip
    assert list(table.columns) == ["likelihood", "prior"] + [
        f"prior of {name}" for name in ("first", "last", "a", "d", "f", "c", "sigma")
    ]
    assert table.notna().all(axis=None)


def test_shows_itself(line_fit):
    found = bb.sensitivity(line_fit)
    assert "M1 on 'M1'" in repr(found)
    assert "prior of first" in found._repr_html_()


def test_refuses(line_fit, line_curve):
    with pytest.raises(TypeError, match=r"must be the result of bayes_bnsl\.fit; got <Curve"):
        bb.sensitivity(line_curve)
    with pytest.raises(ValueError, match="x must hold positive numbers"):
        bb.sensitivity(line_fit, x=[-1.0])
