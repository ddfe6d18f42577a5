"""Regimes: exponents, their probabilities and the dimension, against closed forms."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import bayes_bnsl as bb
from problems import NAMED, simulated


def with_draws(fit, law, draws, x):
    """Return a fit whose posterior is what a test says; scalars are the same in every draw."""
    n_draws = max(np.shape(value)[0] for value in draws.values() if np.ndim(value))
    posterior = {}
    for name, value in draws.items():
        if law.has_break(name):
            per_break = np.broadcast_to(value, (1, n_draws, law.n_breaks))
            posterior[name] = ("chain", "draw", "brk"), per_break
        else:
            posterior[name] = ("chain", "draw"), np.broadcast_to(value, (1, n_draws))
    coords = {"brk": np.arange(1, law.n_breaks + 1)} if law.n_breaks else {}
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(posterior, coords)})
    curve = bb.Curve(x, np.ones(len(x)), name="given", x_name="tokens")
    return replace(fit, law=law, curve=curve, data=tree)


@pytest.fixture(scope="module")
def even(limit_fit):
    """A power law whose exponent lies evenly between 0.5 and 1.5."""
    exponent = 0.5 + (np.arange(1000) + 0.5) / 1000
    return with_draws(limit_fit, bb.BNSL(0), {"a": 0.1, "b": 2.0, "c0": exponent}, [1.0, 100.0])


def shares(found, segment=1):
    kinds = ["variance-limited", "resolution-limited", "steeper", "not falling"]
    return found.table.loc[segment, kinds].tolist()


@pytest.mark.parametrize(
    ("band", "expected"),
    [(0.1, [0.2, 0.4, 0.4, 0]), (0.3, [0.6, 0.2, 0.2, 0]), (0, [0, 0.5, 0.5, 0])],
)
def test_probabilities_are_the_mass_of_four_ranges(even, band, expected):
    found = bb.regimes(even, band=band)
    assert shares(found) == pytest.approx(expected)
    np.testing.assert_allclose(found.probability.sum("regime"), 1)


def test_intervals_and_the_dimension_of_the_resolution_limited_draws(even):
    row = bb.regimes(even, prob=0.8, order=2).table.loc[1]
    bounds = row[["exponent_lower", "exponent", "exponent_upper"]].tolist()
    assert bounds == pytest.approx([0.6, 1.0, 1.4], abs=1e-3)
    # of the draws between 0.5 and 0.9 a tenth lies below 0.54 and a tenth above 0.86
    bounds = row[["dimension_lower", "dimension", "dimension_upper"]].tolist()
    assert bounds == pytest.approx([2 / 0.86, 2 / 0.7, 2 / 0.54], rel=2e-3)
    assert (row["first_x"], row["last_x"]) == (1, 100)


def test_exponents_of_figure_1_in_exact_segments(limit_fit):
    problem = NAMED["three breaks"]  # Caballero et al., ICLR 2023, figure 1
    theta = problem.theta | {"a": np.full(40, problem.theta["a"])}
    found = bb.regimes(with_draws(limit_fit, problem.law, theta, problem.x))
    table = found.table
    assert table["exponent"].tolist() == pytest.approx([0.05, 0.54, -0.271, 1.829])
    assert table["first_x"].tolist() == pytest.approx([1e2, 3e6, 1e14, 2e20])
    assert table["last_x"].tolist() == pytest.approx([3e6, 1e14, 2e20, 1e22])
    np.testing.assert_allclose(table["dimension"], [80, 4 / 0.54, np.nan, np.nan])
    kinds = table[["resolution-limited", "not falling", "steeper"]].values
    np.testing.assert_array_equal(kinds, [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])


def test_local_exponent_is_that_of_the_curve_in_the_middle(limit_fit):
    problem = NAMED["one break"]
    theta = problem.theta | {"a": np.full(40, problem.theta["a"])}
    found = bb.regimes(with_draws(limit_fit, problem.law, theta, problem.x)).table
    d, last = problem.theta["d"][0], problem.x[-1]
    middle = np.array([np.sqrt(problem.x[0] * d), np.sqrt(d * last)])
    step = 1e-4
    above = [
        np.log(problem.law(middle * factor, problem.theta) - problem.theta["a"])
        for factor in (np.exp(-step), np.exp(step))
    ]
    slope = (above[1] - above[0]) / (2 * step)
    np.testing.assert_allclose(found["local"], -slope, rtol=1e-6)


def test_a_break_too_smooth_to_show_the_exponent_is_told(limit_fit):
    given = {"a": np.full(9, 0.1), "b": 2.0, "c0": 0.2, "c": [0.8], "d": [10.0]}
    sharp, smooth = (
        str(bb.regimes(with_draws(limit_fit, bb.BNSL(1), given | {"f": [f]}, [1.0, 100.0])))
        for f in (0.05, 2.0)
    )
    assert "too smooth" not in sharp
    assert smooth.count("too smooth") == 2


def test_simulated_power_law(limit_fit):
    truth = NAMED["power law to a limit"].theta["c0"]
    row = bb.regimes(limit_fit).table.loc[1]
    assert row["exponent_lower"] < truth < row["exponent_upper"]
    assert row["resolution-limited"] > 0.99
    bounds = 4 / row[["exponent_upper", "exponent", "exponent_lower"]].values
    ends = row[["dimension_lower", "dimension", "dimension_upper"]].values
    np.testing.assert_allclose(ends, bounds, rtol=0.02)


def test_variance_limited_curve_is_told_from_a_resolution_limited_one(limit_fit):
    del limit_fit  # its kind is compiled by then
    x = np.geomspace(32, 32768, 21)
    curve = bb.simulate(bb.BNSL(0), {"a": 0.5, "b": 16.0, "c0": 1.0}, x, 0.001, seed=3)
    found = bb.regimes(bb.fit(curve, bb.BNSL(0), seed=1, progress=False))
    row = found.table.loc[1]
    assert row["exponent_lower"] < 1 < row["exponent_upper"]
    assert row["variance-limited"] > 0.95
    assert np.isnan(row["dimension"])
    assert "dimension" not in str(found)


def test_segments_of_a_fit_are_sums_of_its_parameters(addition_fit):
    found = bb.regimes(addition_fit, prob=0.5)
    posterior = addition_fit.posterior
    first, last = posterior["c0"], posterior["c0"] + posterior["c"].sel(brk=1)
    for segment, draws in ((1, first), (2, last)):
        row = found.table.loc[segment]
        expected = np.quantile(draws, [0.25, 0.5, 0.75])
        bounds = row[["exponent_lower", "exponent", "exponent_upper"]].astype(float)
        np.testing.assert_allclose(bounds, expected)
        np.testing.assert_array_equal(
            np.sort(found.draws["exponent"].sel(segment=segment)), np.sort(draws.values.ravel())
        )
    breaks = float(posterior["d"].median())
    assert found.table.loc[1, "last_x"] == found.table.loc[2, "first_x"] == pytest.approx(breaks)
    assert (found.table.loc[1, "first_x"], found.table.loc[2, "last_x"]) == (160, 736)


def test_what_is_said(addition_fit, even):
    text = str(bb.regimes(addition_fit))
    first, last = text.splitlines()
    assert first.startswith("Segment 1 of 2, training examples 160 to ")
    assert (
        "resolution-limited 100%. If resolution-limited, the dimension is 4 / exponent = " in first
    )
    assert "steeper 100%." in last
    assert "dimension" not in last
    mixed = str(bb.regimes(even))
    assert "Segment 1 of 1, tokens 1 to 100: exponent 1 (90% interval 0.55 to 1.45)" in mixed
    assert "resolution-limited 40%" in mixed
    assert "variance-limited 20%" in mixed
    assert "not falling" not in mixed
    found = bb.regimes(addition_fit)
    for shown in (repr(found), found._repr_html_()):
        assert "Converged" in shown
        assert "four_digit_addition" in shown


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"order": 0}, "order must be above 0"),
        ({"band": -0.1}, "band must be at least 0 and below 1"),
        ({"band": 1}, "band must be at least 0 and below 1"),
        ({"prob": 1}, "prob must lie between 0 and 1"),
        ({"order": np.nan}, "order must be one finite number"),
    ],
)
def test_numbers_out_of_range(even, settings, message):
    with pytest.raises(ValueError, match=message):
        bb.regimes(even, **settings)


def test_what_is_no_fit_of_a_bnsl(m4_fit):
    with pytest.raises(ValueError, match=r"The law is M4.*Fit BNSL\(0\)"):
        bb.regimes(m4_fit)
    with pytest.raises(TypeError, match=r"fit must be the result of bayes_bnsl\.fit"):
        bb.regimes(simulated("M1"))
