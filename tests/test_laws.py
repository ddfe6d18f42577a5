"""The laws against closed forms at 50 digits, brentq and astropy, in every array library."""

from __future__ import annotations

import dataclasses
import functools

import mpmath
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
import xarray as xr
from astropy.modeling.powerlaws import SmoothlyBrokenPowerLaw1D
from hypothesis import assume, example, given
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser
from scipy.optimize import brentq

from bayes_bnsl.laws import BNSL, M1, M2, M3, M4, Custom
from problems import PROBLEMS

mp = mpmath.MPContext()
mp.dps = 50

EXTREME = np.geomspace(1e-30, 1e30, 61)

NAMED = {problem.name: problem for problem in PROBLEMS}
FIGURE_1 = NAMED["three breaks"]

each_problem = pytest.mark.parametrize("problem", PROBLEMS, ids=str)
each_problem_with_line = pytest.mark.parametrize(
    "problem", [problem for problem in PROBLEMS if problem.law.line], ids=str
)


def between(low, high):
    return st.floats(low, high)


def log_between(low, high):
    return st.floats(np.log(low), np.log(high)).map(lambda value: float(np.exp(value)))


def textbook(law, x, theta):
    """Return y by the formula of the paper, at 50 digits."""
    x = mp.mpf(x)
    p = {
        k: [mp.mpf(v) for v in value] if np.ndim(value) else mp.mpf(value)
        for k, value in theta.items()
    }
    match law:
        case BNSL():
            y = mp.exp(p["log_b"]) if "log_b" in p else p["b"]
            y *= x ** -p["c0"]
            for c, d, f in zip(*(p.get(name, ()) for name in "cdf"), strict=True):
                y *= (1 + (x / d) ** (1 / f)) ** (-c * f)
            return p["a"] + y
        case M1():  # and M2
            return p["a"] * x ** p["b"] + p.get("c", 0)
        case M3():
            return p["a"] * (1 / x + p["d"]) ** -p["b"] + p.get("c", 0)
        case M4():
            height = p["e_0"] - p["e_inf"]

            def above_and_below(log_odds):  # y - e_inf and e_0 - y, neither by subtraction
                return height / (1 + mp.exp(-log_odds)), height / (1 + mp.exp(log_odds))

            def equation(log_odds):
                above, below = map(mp.log, above_and_below(log_odds))
                return above - p["alpha"] * below - mp.log(p["beta"]) - p["c"] * mp.log(x)

            root = mp.findroot(equation, (-1000, 1000), solver="anderson", maxsteps=1000)
            return p["e_inf"] + above_and_below(root)[0]
        case Custom():
            return mp.exp(law.function(mp.log(x), p, mp))


def numbers(mp_values):
    return np.array([float(value) for value in mp_values])


def exact_slope(problem, x):
    """Return the derivative of log y by log x."""

    def log_y(log_x):
        return mp.log(textbook(problem.law, mp.exp(log_x), problem.theta))

    return mp.diff(log_y, mp.log(x))


def draws_of(problem, n=6):
    """Return n parameter vectors close to those of a problem, on the first axis."""
    rng = np.random.default_rng(1)
    return {
        name: value * (1 + 1e-3 * rng.uniform(-1, 1, (n, *np.shape(value))))
        for name, value in problem.theta.items()
    }


def labelled(theta, chains=2):
    """Return draws as a dataset with dimensions chain, draw and, for breaks, brk."""
    return xr.Dataset(
        {
            name: (
                ("chain", "draw", "brk")[: 1 + value.ndim],
                value.reshape(chains, -1, *value.shape[1:]),
            )
            for name, value in theta.items()
        }
    )


@functools.cache
def compiled(law, names):
    """Return a function of log x and the parameters: log y, slope, gradients of sum(log y)."""
    log_x = pt.vector("log_x")
    theta = {name: pt.vector(name) if law.has_break(name) else pt.scalar(name) for name in names}
    log_y = law.log_mu(log_x, theta, pt)
    gradients = pytensor.grad(log_y.sum(), list(theta.values()))
    outputs = [log_y, law.log_slope(log_x, theta, pt), *gradients]
    return pytensor.function([log_x, *theta.values()], outputs, mode="NUMBA")


def in_pytensor(law, x, theta):
    """Return log y, the local slope and the gradients by name."""
    log_y, slope, *gradients = compiled(law, tuple(theta))(np.log(x), *theta.values())
    return log_y, slope, dict(zip(theta, gradients, strict=True))


def is_zero_limit(law, name, value):
    # log 0 has no derivative; a limit of 0 is not a parameter to be estimated.
    return name == law.limit_name and value == 0


# --- values -------------------------------------------------------------------------------


@each_problem
def test_numpy_xarray_and_pytensor_agree(problem):
    law, x, theta = problem.law, problem.x, draws_of(problem)
    draws = [{name: value[i] for name, value in theta.items()} for i in range(6)]
    y = np.stack([law(x, draw) for draw in draws])

    broadcast = law(x, {name: value[:, None] for name, value in theta.items()})
    np.testing.assert_allclose(broadcast, y, rtol=1e-12)

    by_name = law(xr.DataArray(x, dims="x"), labelled(theta))
    assert dict(by_name.sizes) == {"chain": 2, "draw": 3, "x": len(x)}
    by_name = by_name.transpose("chain", "draw", "x").values.reshape(y.shape)
    np.testing.assert_allclose(by_name, y, rtol=1e-12)

    graph = np.exp([in_pytensor(law, x, draw)[0] for draw in draws])
    np.testing.assert_allclose(graph, y, rtol=1e-12)


@each_problem
def test_is_the_formula_of_the_paper(problem):
    exact = numbers(textbook(problem.law, x, problem.theta) for x in problem.x)
    np.testing.assert_allclose(problem.law(problem.x, problem.theta), exact, rtol=1e-12)


@each_problem
def test_finite_and_right_from_1e_minus_30_to_1e30(problem):
    law, theta = problem.law, problem.theta
    log_y, slope, gradients = in_pytensor(law, EXTREME, theta)
    exact = numbers(mp.log(textbook(law, x, theta)) for x in EXTREME)
    np.testing.assert_allclose(law.log_mu(np.log(EXTREME), theta), exact, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(log_y, exact, rtol=1e-12, atol=1e-12)
    assert np.isfinite(law.log_slope(np.log(EXTREME), theta)).all()
    assert np.isfinite(slope).all()
    for name, gradient in gradients.items():
        if not is_zero_limit(law, name, theta[name]):
            assert np.isfinite(gradient).all(), name


@given(st.data())
def test_bnsl_with_any_parameters(data):
    law = BNSL(data.draw(st.integers(0, 3)))
    x = data.draw(log_between(1e-10, 1e30))
    each = {
        "c": between(-3, 3),
        "d": log_between(1e-10, 1e30),
        "f": log_between(1e-3, 1e2),
    }
    theta = {
        name: [data.draw(values) for _ in range(law.n_breaks)] for name, values in each.items()
    }
    theta |= {
        "a": data.draw(st.just(0.0) | log_between(1e-12, 1e12)),
        "c0": data.draw(between(-3, 3)),
    }
    # The offset that puts log y where a float can hold y.
    level = law.power(np.log(x), theta | {"log_b": 0.0}).log
    theta["log_b"] = data.draw(between(-600, 600)) - level
    assert law(x, theta) == pytest.approx(float(textbook(law, x, theta)), rel=1e-10)
    if abs(theta["log_b"]) < 700:
        theta["b"] = np.exp(theta.pop("log_b"))
        assert law(x, theta) == pytest.approx(float(textbook(law, x, theta)), rel=1e-10)


@given(
    b=log_between(1e-3, 1e3),
    c0=between(-3, 3),
    c=between(-3, 3),
    d=log_between(1e-3, 1e3),
    f=log_between(1e-2, 10),
)
def test_one_break_is_astropys_smoothly_broken_power_law(b, c0, c, d, f):
    # Theirs is A (x/d)**(-alpha_1) * ((1 + (x/d)**(1/delta)) / 2)**((alpha_1 - alpha_2) delta).
    assume(abs(c) > 1e-3)
    theirs = SmoothlyBrokenPowerLaw1D(
        amplitude=b * d**-c0 * 2 ** (-c * f), x_break=d, alpha_1=c0, alpha_2=c0 + c, delta=f
    )
    x = np.geomspace(1e-6, 1e6, 25)
    theta = {"a": 0.0, "b": b, "c0": c0, "c": [c], "d": [d], "f": [f]}
    np.testing.assert_allclose(BNSL(1)(x, theta), theirs(x), rtol=1e-10)


@st.composite
def m4_parameters(draw, signs=(-1, 1)):
    e_inf = draw(st.just(0.0) | log_between(1e-3, 1e1))
    return {
        "e_0": e_inf + draw(log_between(1e-2, 1e2)),
        "e_inf": e_inf,
        "alpha": draw(st.just(1.0) | log_between(1e-2, 1e2)),
        "beta": draw(log_between(1e-6, 1e6)),
        "c": draw(st.sampled_from(signs)) * draw(log_between(1e-2, 5)),
    }


# Where the iteration comes last to its root.
SLOW = {"e_0": 1.0, "e_inf": 0.0, "alpha": 1000.0, "beta": 1.0, "c": -1e-8}


@example(theta=SLOW, x=50.0)
@given(theta=m4_parameters(), x=log_between(1e-10, 1e30))
def test_m4_solves_its_equation(theta, x):
    log_height = np.log(theta["e_0"] - theta["e_inf"])
    right = np.log(theta["beta"]) + theta["c"] * np.log(x)

    def equation(log_share):  # of the way from e_inf to e_0
        log_rest = np.log(-np.expm1(log_share))
        return log_share + log_height - theta["alpha"] * (log_rest + log_height) - right

    top = -1e-300
    root = brentq(equation, -1e6, top, xtol=1e-12) if equation(top) > 0 else top
    assert M4().power(np.log(x), theta).log == pytest.approx(root + log_height, rel=0, abs=1e-10)
    assert M4()(x, theta) == pytest.approx(theta["e_inf"] + np.exp(root + log_height), rel=1e-10)


@pytest.mark.parametrize(
    ("law", "theta"),
    [
        (BNSL(0), {"b": 2.0, "c0": 0.5}),
        (BNSL(1), {"b": 2.0, "c0": 0.5, "c": [0.3], "d": [40.0], "f": [0.2]}),
        (M2(), {"a": 2.0, "b": -0.5}),
        (M3(), {"a": 2.0, "b": -0.5, "d": 1e-3}),
        (M4(), {"e_0": 2.0, "alpha": 1.5, "beta": 3.0, "c": -0.5}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_limit_of_zero_leaves_the_power_part(law, theta):  # warnings are errors here
    x = np.geomspace(1, 1e6, 7)
    power = law.power(np.log(x), theta | {law.limit_name: 0.0})
    for zero in (0, 0.0, np.float64(0), np.array(0.0), np.zeros(7), np.zeros((1, 1))):
        given_zero = theta | {law.limit_name: zero}
        np.testing.assert_allclose(law(x, given_zero).squeeze(), np.exp(power.log), rtol=1e-14)
        slope = law.log_slope(np.log(x), given_zero)
        np.testing.assert_allclose(slope.squeeze(), power.first, rtol=1e-14)
    zero_or_more = law(x, theta | {law.limit_name: np.array([[0.0], [0.1]])})
    if law != M4():  # whose power part depends on the limit
        np.testing.assert_allclose(zero_or_more[1] - zero_or_more[0], 0.1, rtol=1e-12)
    np.testing.assert_allclose(zero_or_more[0], np.exp(power.log), rtol=1e-14)


# --- derivatives --------------------------------------------------------------------------


@each_problem
def test_gradients_by_every_parameter(problem):
    law, theta = problem.law, problem.theta
    _, _, gradients = in_pytensor(law, problem.x, theta)
    for name, value in theta.items():
        if is_zero_limit(law, name, value):
            continue
        for i in np.ndindex(np.shape(value)):

            def total(v, name=name, i=i):
                changed = np.array(theta[name], dtype=object)
                changed[i] = v
                changed = theta | {name: changed if i else v}
                return sum(mp.log(textbook(law, x, changed)) for x in problem.x)

            exact = float(mp.diff(total, np.asarray(value)[i]))
            assert gradients[name][i] == pytest.approx(exact, rel=1e-6, abs=0), (name, i)


@each_problem
def test_local_slope(problem):
    exact = numbers(exact_slope(problem, x) for x in problem.x)
    # A law of one's own is differentiated numerically.
    tolerance = 1e-7 if isinstance(problem.law, Custom) else 1e-11
    slope = problem.law.log_slope(np.log(problem.x), problem.theta)
    np.testing.assert_allclose(slope, exact, rtol=tolerance, atol=tolerance)
    slope = in_pytensor(problem.law, problem.x, problem.theta)[1]
    np.testing.assert_allclose(slope, exact, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("problem", [p for p in PROBLEMS if p is not NAMED["custom"]], ids=str)
def test_derivatives_of_the_power_part(problem):
    law, theta = problem.law, problem.theta

    def log_power(log_x):
        return mp.log(textbook(law, mp.exp(log_x), theta) - mp.mpf(law.limit(theta)))

    power = law.power(np.log(problem.x), theta)
    for order, derivative in enumerate(power):
        exact = numbers(mp.diff(log_power, mp.log(x), order) for x in problem.x)
        np.testing.assert_allclose(derivative + 0 * power.log, exact, rtol=1e-9, atol=1e-11)


# --- shape --------------------------------------------------------------------------------


@each_problem
def test_turns_and_inflections_are_those_of_the_exact_curve(problem):
    law, theta, log_x = problem.law, problem.theta, np.log(problem.x)
    rises = numbers(exact_slope(problem, x) for x in problem.x) > 0
    bends_up = numbers(mp.diff(lambda x: textbook(law, x, theta), x, 2) for x in problem.x) > 0
    assert law.is_monotone(log_x, theta) == (rises.all() or not rises.any())
    assert law.has_inflection(log_x, theta) == (bends_up.any() and not bends_up.all())
    # Between which points is as good a question: it finds the place.
    pairs = np.stack([log_x[:-1], log_x[1:]], axis=-1)
    np.testing.assert_array_equal(law.is_monotone(pairs, theta), rises[:-1] == rises[1:])
    np.testing.assert_array_equal(law.has_inflection(pairs, theta), bends_up[:-1] != bends_up[1:])


@pytest.mark.parametrize(
    ("name", "monotone", "inflection"),
    [
        ("power law to a limit", True, False),
        ("rising power law", True, False),
        ("four-digit addition", True, True),
        ("double descent", False, True),
        ("three breaks", False, True),
        ("M3", True, False),
        ("M4, alpha below 1", True, True),
        ("M4, alpha above 1", True, False),
    ],
)
def test_shapes_that_one_knows(name, monotone, inflection):
    law, theta, log_x = NAMED[name].law, NAMED[name].theta, np.log(NAMED[name].x)
    assert law.is_monotone(log_x, theta) == monotone
    assert law.has_inflection(log_x, theta) == inflection


def flat_beyond_one(log_x, theta, xp):
    return theta["f"] * np.logaddexp(0, log_x / theta["f"]) - log_x


@pytest.mark.parametrize(
    ("law", "theta"),
    [
        (NAMED["custom"].law, NAMED["custom"].theta),  # flat at both ends
        (Custom(flat_beyond_one, ("f",)), {"f": 0.7}),  # flat by a difference of large numbers
        (M2(), {"a": 0.7, "b": 1.0, "c": 0.3}),  # straight
        (M2(), {"a": 0.7, "b": 2.0, "c": 0.3}),
    ],
    ids=["custom", "flat", "straight", "parabola"],
)
def test_rounding_neither_turns_nor_bends(law, theta):
    log_x = np.linspace(-69, 69, 2001)
    assert law.is_monotone(log_x, theta)
    assert not law.has_inflection(log_x, theta)


@given(
    law=st.sampled_from([M1(), M2(), M3(), M3(constant=False)]),
    a=log_between(1e-6, 1e6),
    b=log_between(1e-2, 5),
    c=st.just(0.0) | log_between(1e-6, 1e6),
    d=log_between(1e-6, 1e6),
)
def test_m1_to_m3_neither_turn_nor_inflect(law, a, b, c, d):
    theta = {"a": a, "b": -b, "c": c, "d": d}
    log_x = np.log(EXTREME)
    assert law.is_monotone(log_x, theta)
    assert not law.has_inflection(log_x, theta)


@given(theta=m4_parameters(signs=[-1]))
def test_m4_never_turns_and_inflects_where_c_outweighs_alpha(theta):
    # Near x = 0, e_0 - y goes as x**(-c / alpha): concave, or else convex like all the rest.
    ratio = -theta["c"] / theta["alpha"]
    assume(not 0.8 < ratio < 1.25)
    height = theta["e_0"] - theta["e_inf"]
    left_side = np.r_[-30:30:600j] * max(1, theta["alpha"])
    log_x = left_side - np.log(theta["beta"]) + (1 - theta["alpha"]) * np.log(height)
    log_x = np.sort(log_x / theta["c"])
    assert M4().is_monotone(log_x, theta)
    assert M4().has_inflection(log_x, theta) == (ratio > 1)


@each_problem
def test_turns_and_inflections_of_labelled_draws(problem):
    # Draws of one parameter only, so that x is not always the last dimension.
    log_x = np.log(problem.x)
    for name, draws in labelled(draws_of(problem)).items():
        theta = problem.theta | {name: draws}
        for question in (problem.law.is_monotone, problem.law.has_inflection):
            answer = question(xr.DataArray(log_x, dims="x"), theta)
            assert set(answer.dims) <= {"chain", "draw"}
            assert (answer == question(log_x, problem.theta)).all()


# --- segments -----------------------------------------------------------------------------


def test_segments_of_figure_1():
    theta = FIGURE_1.theta
    segments = FIGURE_1.law.segments(theta)
    np.testing.assert_allclose(segments.slope, [-0.05, -0.54, 0.271, -1.829], rtol=1e-12)
    np.testing.assert_allclose(segments.breaks, theta["d"], rtol=1e-12)
    assert len(segments.log_coefficient) == 4
    assert segments.log_coefficient[0] == np.log(theta["b"])
    lines = np.array([segments.log_coefficient, segments.slope]).T
    left, right = (
        np.array([line @ (1, np.log(d)) for line, d in zip(part, theta["d"], strict=True)])
        for part in (lines[:-1], lines[1:])
    )
    np.testing.assert_allclose(left, right, rtol=1e-12)

    x = np.geomspace(1e-10, 1e30, 401)
    at = np.searchsorted(theta["d"], x)
    distance = np.log(FIGURE_1.law(x, theta | {"a": 0.0})) - (
        lines[at, 0] + lines[at, 1] * np.log(x)
    )
    # From each break, with t = |log(x / d)| / f, the curve is c f log(1 + exp(-t)) away.
    t = np.abs(np.log(x[:, None] / theta["d"])) / theta["f"]
    np.testing.assert_allclose(
        distance, -(theta["c"] * theta["f"] * np.log1p(np.exp(-t))).sum(axis=1), atol=1e-11
    )
    inside = t.min(axis=1) > 5
    assert set(at[inside]) == {0, 1, 2, 3}
    assert np.abs(distance[inside]).max() < 0.01
    above = FIGURE_1.law(x, theta) - theta["a"]
    np.testing.assert_allclose(
        np.log(above[x < 1e21]), np.log(FIGURE_1.law(x, theta | {"a": 0.0}))[x < 1e21], atol=1e-9
    )


def test_segments_of_draws_and_of_no_break():
    draws = draws_of(FIGURE_1)
    by_name = FIGURE_1.law.segments(labelled(draws))
    for i, (chain, draw) in enumerate(np.ndindex(2, 3)):
        one = FIGURE_1.law.segments({name: value[i] for name, value in draws.items()})
        for part, expected in zip(by_name, one, strict=True):
            got = [value.isel(chain=chain, draw=draw) for value in part]
            assert all(value.dims == () for value in got)
            np.testing.assert_allclose(got, expected, rtol=1e-14)

    line = BNSL(0).segments({"a": 0.1, "log_b": 2.0, "c0": 0.5})
    assert line == ([-0.5], [2.0], [])


# --- through two points -------------------------------------------------------------------


def without_line(problem):
    names = {name.removeprefix("log_") for name in problem.law.line}
    return {k: v for k, v in problem.theta.items() if k.removeprefix("log_") not in names}


@each_problem_with_line
def test_through_leads_the_curve_through_two_points(problem):
    law, rest = problem.law, without_line(problem)
    log_x = np.log(problem.x[[0, -1]])
    log_y = np.log(law.limit(rest) + np.array([0.6, 0.3]))
    line = law.through(log_x, log_y, rest)
    assert tuple(line) == law.line
    np.testing.assert_allclose(law.log_mu(log_x, rest | line), log_y, rtol=0, atol=1e-10)

    points = [pt.as_tensor(values) for values in (log_x, log_y)]
    graph = law.through(*([values[0], values[1]] for values in points), rest, pt)
    for name in law.line:
        assert graph[name].eval(mode=pytensor.compile.mode.Mode(linker="py")) == pytest.approx(
            line[name], rel=1e-12
        )

    # With the slope given, the curve goes through the second point.
    _, slope = law.line
    known = rest | {slope: 1.1 * line[slope]}
    line = law.through(log_x, log_y, known)
    assert line[slope] == known[slope]
    log_y_again = law.log_mu(log_x, known | line)
    assert log_y_again[1] == pytest.approx(log_y[1], abs=1e-10)
    assert abs(log_y_again[0] - log_y[0]) > 1e-4


@each_problem_with_line
def test_through_points_of_the_law_recovers_its_parameters(problem):
    law, theta = problem.law, problem.theta
    log_x = np.log(problem.x[[1, -2]])
    line = law.through(log_x, law.log_mu(log_x, theta), without_line(problem))
    for name, value in line.items():
        plain = name.removeprefix("log_")
        expected = theta[name] if name in theta else np.log(theta[plain])
        assert value == pytest.approx(expected, rel=1e-9, abs=1e-9), name


def test_a_law_of_ones_own_has_no_line():
    problem = NAMED["custom"]
    assert problem.law.line == ()
    with pytest.raises(NotImplementedError, match="saturating has no line"):
        problem.law.through((0.0, 1.0), (1.0, 0.0), problem.theta)


# --- names --------------------------------------------------------------------------------

custom = NAMED["custom"].law


@pytest.mark.parametrize(
    ("law", "name", "parameters", "n_parameters", "min_points"),
    [
        (BNSL(0), "BNSL(0)", ("a", "b", "c0"), 3, 3),
        (BNSL(), "BNSL(1)", ("a", "b", "c0", "c", "d", "f"), 6, 4),
        (BNSL(np.int64(2)), "BNSL(2)", ("a", "b", "c0", "c", "d", "f"), 9, 5),
        (M1(), "M1", ("a", "b"), 2, 2),
        (M2(), "M2", ("a", "b", "c"), 3, 3),
        (M3(), "M3", ("a", "b", "c", "d"), 4, 4),
        (M3(constant=False), "M3(constant=False)", ("a", "b", "d"), 3, 3),
        (M4(), "M4", ("e_0", "e_inf", "alpha", "beta", "c"), 5, 5),
        (custom, "saturating", ("k", "r", "s"), 3, 3),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_names_and_counts(law, name, parameters, n_parameters, min_points):
    assert law.name == name
    assert law.parameters == parameters
    assert (law.n_parameters, law.min_points) == (n_parameters, min_points)
    assert {p for p in parameters if law.has_break(p)} == (
        {"c", "d", "f"} if law.n_breaks else set()
    )


@pytest.mark.parametrize(
    "problem",
    [p for p in PROBLEMS if set(p.theta) == set(p.law.parameters) and p is not NAMED["custom"]],
    ids=str,
)
def test_the_formula_in_text_is_the_law(problem):
    law, x = problem.law, problem.x
    y = law(x, problem.theta)
    values = {"x": x, "y": y}
    for name, value in problem.theta.items():
        if law.has_break(name):
            values |= {f"{name}{i}": v for i, v in enumerate(value, 1)}
        else:
            values[name] = value
    python = law.formula.removeprefix("y where ").replace("^", "**")
    left, _, right = python.rpartition(" = ")
    np.testing.assert_allclose(eval(left or "y", values), eval(right, values), rtol=1e-9)


@each_problem
def test_latex_can_be_drawn(problem):
    law = problem.law
    MathTextParser("path").parse(f"${law.latex}$")
    for i in range(1, law.n_breaks + 1):
        assert all(f"{name}_{{{i}}}" in law.latex for name in "cdf")
    assert f"_{{{law.n_breaks + 1}}}" not in law.latex


@pytest.mark.parametrize(
    ("name", "latex"),
    [("E", "E"), ("k_max", r"k\_max"), ("x_0", "x_{0}"), ("x12", "x_{12}"), ("alpha", r"\alpha")],
)
def test_names_of_ones_own_can_be_drawn(name, latex):
    law = Custom(np.add, (name, "s"), f"50 % of {name}")
    assert law.formula == f"50 % of {name}(x; {name}, s)"
    assert law.latex.endswith(f"}}(x; {latex}, s)")
    MathTextParser("path").parse(f"${law.latex}$")


def test_laws_are_values():
    laws = [BNSL(0), BNSL(1), M1(), M2(), M3(), M3(constant=False), M4(), custom]
    assert len({*laws, BNSL(), M1(), M3(constant=True)}) == len(laws)
    with pytest.raises(dataclasses.FrozenInstanceError):
        BNSL(1).n_breaks = 2


# --- bad input ----------------------------------------------------------------------------


@pytest.mark.parametrize("n_breaks", [1.0, True, "1", None, np.float64(2)])
def test_breaks_are_counted_in_integers(n_breaks):
    with pytest.raises(TypeError, match=r"n_breaks must be an integer.*got "):
        BNSL(n_breaks)


def test_no_fewer_than_zero_breaks():
    with pytest.raises(ValueError, match=r"n_breaks must be 0 or more; got -1"):
        BNSL(-1)


def test_a_law_of_ones_own_needs_a_function_and_names():
    with pytest.raises(TypeError, match=r"function must be callable; got 'a x\^b'"):
        Custom("a x^b", ("a", "b"))
    for parameters in ((), [], "ab", None):
        with pytest.raises(ValueError, match="parameters must be a sequence of names"):
            Custom(np.add, parameters)
    assert Custom(np.add, ["a", "b"]).parameters == ("a", "b")
