"""Loops over points, beside NumPy and SciPy."""

from __future__ import annotations

from functools import cache

import numba
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.special import expit

from bayes_bnsl.graphs import QUICK
from bayes_bnsl.vectorized import Loop, exp_of_negative, logistic, softplus

X = np.concatenate([np.linspace(-745, 745, 20_001), np.linspace(-3, 3, 20_001), [0.0, -0.0]])


@numba.njit
def each_of(function, x):
    values = np.empty_like(x)
    for i in range(len(x)):
        values[i] = function(x[i])
    return values


class TestFunctions:
    @pytest.mark.parametrize(
        ("function", "exact"),
        [
            (softplus, lambda x: np.logaddexp(0, x)),
            (logistic, expit),
            (exp_of_negative, lambda x: np.exp(-abs(x))),
        ],
    )
    def test_is_exact_to_the_last_digits(self, function, exact):
        found, expected = each_of(function, X), exact(X)
        np.testing.assert_allclose(found, expected, rtol=1e-15, atol=1e-300)

    def test_infinity_and_what_is_no_number(self):
        x = np.array([np.inf, -np.inf, np.nan])
        np.testing.assert_allclose(each_of(softplus, x), [np.inf, 0, np.nan], atol=1e-300)
        np.testing.assert_allclose(each_of(logistic, x), [1, 0, np.nan], atol=1e-300)


@cache
def compiled():
    """A function with sums over points, and vectors, that have much in common."""
    x, y, slope = pt.dvector(), pt.dvector(), pt.dscalar()
    curve = pt.softplus(slope * x) - y / slope
    outputs = [curve.sum(), pt.sqr(curve).sum(), pt.sigmoid(slope * x) * curve, curve / y]
    return pytensor.function([x, y, slope], outputs, mode=QUICK)


class TestLoop:
    def test_one_loop_is_made_of_all(self):
        loops = [node for node in compiled().maker.fgraph.toposort() if isinstance(node.op, Loop)]
        assert len(loops) == 1
        assert sorted(loops[0].op.summed) == [False, False, True, True]

    @pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 16, 100])
    def test_points_of_the_last_turns_that_do_not_exist_count_for_nothing(self, n):
        generator = np.random.default_rng(n)
        x, y = generator.standard_normal((2, n))
        curve = np.logaddexp(0, 1.5 * x) - y / 1.5
        found = compiled()(x, y, 1.5)
        np.testing.assert_allclose(found[0], curve.sum(), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(found[1], (curve**2).sum(), rtol=1e-12)
        np.testing.assert_allclose(found[2], expit(1.5 * x) * curve, rtol=1e-12)
        np.testing.assert_allclose(found[3], curve / y, rtol=1e-12)

    def test_it_says_what_numpy_says(self):
        [node] = [n for n in compiled().maker.fgraph.toposort() if isinstance(n.op, Loop)]
        generator = np.random.default_rng(1)
        inputs = [generator.standard_normal(9) if long else 0.7 for long in node.op.along]
        storage = [[None] for _ in node.outputs]
        node.op.perform(node, inputs, storage)
        again = pytensor.function(node.inputs, node.outputs, mode=QUICK)(*inputs)
        for [by_numpy], by_loop in zip(storage, again, strict=True):
            np.testing.assert_allclose(by_loop, by_numpy, rtol=1e-12)

    def test_division_by_zero_is_infinity_and_no_error(self):
        found = compiled()(np.ones(3), np.array([1.0, 0.0, 2.0]), 1.0)
        assert np.isinf(found[3][1])
        assert np.isfinite(found[0])

    def test_vectors_of_unequal_length_are_refused(self):
        with pytest.raises(ValueError, match="Unequal lengths"):
            compiled()(np.ones(3), np.ones(20), 1.0)
