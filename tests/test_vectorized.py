"""Loops over points, beside NumPy and SciPy."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.special import expit

from bayes_bnsl.graphs import QUICK
from bayes_bnsl.vectorized import Loop
from bayes_bnsl.vectors import LANES

ANY = np.concatenate([np.linspace(-745, 745, 2001), np.linspace(-3, 3, 2001), [0.0, -0.0]])
NORMAL = ANY[ANY >= -707]
POSITIVE = np.geomspace(1e-18, 1e18, 2001)
ABOVE_MINUS_ONE = np.concatenate(
    [POSITIVE, -POSITIVE[POSITIVE < 1], POSITIVE[POSITIVE > 1e-15] - 1]
)
LIMITS = np.array([0.0, -1.0, -2.0, 5e-324, np.inf, -np.inf, np.nan])


def function_of(make):
    """Compile a function of a vector; one operation alone is no loop, hence the factor of 1."""
    x, one = pt.dvector(), pt.dscalar()
    function = pytensor.function([x, one], make(x) * one, mode=QUICK)
    assert loops(function)
    return lambda points: function(points, 1.0)


def loops(function):
    return [node for node in function.maker.fgraph.toposort() if isinstance(node.op, Loop)]


@pytest.mark.parametrize(
    ("make", "exact", "points"),
    [
        (pt.softplus, lambda x: np.logaddexp(0, x), NORMAL),
        (pt.sigmoid, expit, NORMAL),
        (pt.log1p, np.log1p, ABOVE_MINUS_ONE),
        (pt.log, np.log, POSITIVE),
        (pt.sqrt, np.sqrt, POSITIVE),
        (pt.exp, np.exp, np.linspace(-700, 700, 501)),
        (lambda x: pt.clip(x, -1.0, 2.0) * x, lambda x: np.clip(x, -1, 2) * x, ANY),
        (lambda x: pt.switch(x > 0.5, x, -2 * x), lambda x: np.where(x > 0.5, x, -2 * x), ANY),
        (lambda x: pt.switch(x <= 0.5, x, -2 * x), lambda x: np.where(x <= 0.5, x, -2 * x), ANY),
        (lambda x: (1 - (x > 0.5)) * x + 1, lambda x: (x <= 0.5) * x + 1, ANY),
        (lambda x: pt.switch(x, 2 * x, 1.0) + 1, lambda x: np.where(x != 0, 2 * x, 1) + 1, ANY),
        (lambda x: pt.maximum(x, 1 - x), lambda x: np.maximum(x, 1 - x), ANY),
        (lambda x: pt.minimum(x, 1 - x), lambda x: np.minimum(x, 1 - x), ANY),
        (lambda x: 2 / (1 + pt.sqr(x)) + x, lambda x: 2 / (1 + x**2) + x, POSITIVE),
    ],
)
def test_operations_are_exact_to_the_last_digits(make, exact, points):
    found = function_of(make)(points)
    np.testing.assert_allclose(found, exact(points), rtol=1e-15)


@pytest.mark.parametrize(
    ("make", "exact"),
    [
        (pt.softplus, lambda x: np.logaddexp(0, x)),
        (pt.sigmoid, expit),
        (pt.log1p, np.log1p),
        (pt.log, np.log),
        (pt.sqrt, np.sqrt),
        (lambda x: pt.maximum(x, 0.5) * x, lambda x: np.maximum(x, 0.5) * x),
        (lambda x: pt.minimum(x, 0.5) * x, lambda x: np.minimum(x, 0.5) * x),
    ],
    ids=["softplus", "logistic", "log1p", "log", "sqrt", "maximum", "minimum"],
)
def test_at_the_ends_and_where_there_is_no_number(make, exact):
    with np.errstate(all="ignore"):
        expected = exact(LIMITS)
    np.testing.assert_allclose(function_of(make)(LIMITS), expected, rtol=1e-15, atol=1e-307)


@cache
def compiled():
    """A function with sums over points, and vectors, that have much in common."""
    x, y, slope = pt.dvector(), pt.dvector(), pt.dscalar()
    curve = pt.softplus(slope * x) - y / slope
    outputs = [curve.sum(), pt.sqr(curve).sum(), pt.sigmoid(slope * x) * curve, curve / y]
    return pytensor.function([x, y, slope], outputs, mode=QUICK)


class TestLoop:
    def test_one_is_made_of_all(self):
        [loop] = loops(compiled())
        assert sorted(loop.op.summed) == [False, False, True, True]

    @pytest.mark.parametrize("n", [0, 1, LANES - 1, LANES, LANES + 1, 2 * LANES, 100])
    def test_points_of_the_last_turn_that_do_not_exist_count_for_nothing(self, n):
        generator = np.random.default_rng(n)
        x, y = generator.standard_normal((2, n))
        curve = np.logaddexp(0, 1.5 * x) - y / 1.5
        found = compiled()(x, y, 1.5)
        np.testing.assert_allclose(found[0], curve.sum(), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(found[1], (curve**2).sum(), rtol=1e-12)
        np.testing.assert_allclose(found[2], expit(1.5 * x) * curve, rtol=1e-12)
        np.testing.assert_allclose(found[3], curve / y, rtol=1e-12)

    def test_compiled_it_is_what_its_operations_are(self):
        [node] = loops(compiled())
        generator = np.random.default_rng(1)
        inputs = [generator.standard_normal(9) if long else 0.7 for long in node.op.along]
        storage = [[None] for _ in node.outputs]
        node.op.perform(node, inputs, storage)
        again = pytensor.function(node.inputs, node.outputs, mode=QUICK)(*inputs)
        for [evaluated], by_loop in zip(storage, again, strict=True):
            np.testing.assert_allclose(by_loop, evaluated, rtol=1e-12)

    def test_division_by_zero_is_infinity_and_no_error(self):
        found = compiled()(np.ones(3), np.array([1.0, 0.0, 2.0]), 1.0)
        assert np.isinf(found[3][1])
        assert np.isfinite(found[0])

    def test_vectors_of_unequal_lengths_are_refused(self):
        with pytest.raises(ValueError, match="Unequal lengths"):
            compiled()(np.ones(3), np.ones(20), 1.0)

    def test_numbers_need_not_lie_side_by_side(self):
        x, y = np.random.default_rng(2).standard_normal((2, 20))
        expected = compiled()(x[::2].copy(), y[::2].copy(), 1.0)
        for found, right in zip(compiled()(x[::2], y[::2], 1.0), expected, strict=True):
            np.testing.assert_array_equal(found, right)

    def test_arithmetic_with_other_operations_is_left_alone(self):
        x = pt.dvector()
        function = pytensor.function([x], pt.sin(x) * x + 1.0, mode=QUICK)
        assert not loops(function)
        np.testing.assert_allclose(function(ANY), np.sin(ANY) * ANY + 1)
