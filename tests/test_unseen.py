"""Breaks beyond the data: how many, how strong, and what they leave as it was."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import kstest, norm

import bayes_bnsl as bb
from bayes_bnsl import unseen
from bayes_bnsl.priors import Scale
from problems import simulated

N = 4000
DECADE = np.log(10)


@pytest.fixture(scope="module")
def points():
    return simulated("power law to a limit")


def draws(**values):
    """Return the same parameters in every draw."""
    return {name: xr.DataArray(np.full(N, value), dims="sample") for name, value in values.items()}


def bent(points, law, theta, decades, *, rate, seed=1, **settings):
    """Return log mu so many decades beyond the data, without and with unseen breaks."""
    start = points.log_x[-1]
    log_x = xr.DataArray(start + DECADE * np.asarray(decades), dims="x")
    plain = xr.broadcast(law.log_mu(log_x, theta), theta["a"])[0].transpose("sample", "x")
    generator = np.random.default_rng(seed)
    rates = np.full(N, rate / DECADE)
    scale = Scale.of(points)
    return plain, unseen.bent(law, theta, log_x, start, scale, rates, generator, **settings)


LINE = {"a": 0.0, "log_b": 1.0, "c0": 0.2}


def test_nothing_changes_within_the_data(points):
    plain, changed = bent(points, bb.BNSL(0), draws(**LINE), [-3, -1, 0, 1], rate=5.0)
    np.testing.assert_allclose(changed[:, :3], plain[:, :3], rtol=0, atol=1e-12)
    assert (abs(changed[:, 3] - plain[:, 3]) > 1e-3).mean() > 0.9


@pytest.mark.parametrize("rate", [0.2, 1.0])
def test_as_many_as_the_rate_says(points, rate):
    """A draw keeps its slope over t decades with probability exp(-rate t)."""
    far = [200.0, 200.01]  # far enough for breaks that are on their way not to matter
    plain, changed = bent(points, bb.BNSL(0), draws(**LINE), far, rate=rate / 200)
    slope = np.diff(changed, axis=1) - np.diff(plain, axis=1)
    same = float((abs(slope) < 1e-9).mean())
    assert same == pytest.approx(np.exp(-rate), abs=4 * np.sqrt(0.25 / N))


@pytest.mark.parametrize("falling", [False, True])
def test_what_a_break_changes(points, falling):
    """Log of the factor of the exponent is standard normal; or asinh of the change in slope."""
    theta = draws(**LINE)
    far = [400.0, 400.01]  # so far that few breaks are only half done there
    _, changed = bent(points, bb.BNSL(0), theta, far, rate=0.0001, falling=falling)
    scale = Scale.of(points)
    exponent = -(np.diff(changed, axis=1) / (0.01 * DECADE)).ravel()
    exponent = exponent[abs(exponent - LINE["c0"]) > 1e-9]
    assert exponent.size > 100
    unit = scale.spread / (scale.log_x_last - scale.log_x_first)
    change = np.log(exponent / LINE["c0"]) if falling else np.arcsinh((exponent - 0.2) / unit)
    assert kstest(change, norm.cdf).pvalue > 1e-3


def test_the_middle_of_the_band_stays(points):
    plain, changed = bent(points, bb.BNSL(0), draws(**LINE), [1.0], rate=0.3)
    above, below = (float((side > 1e-9).mean()) for side in (changed - plain, plain - changed))
    assert above == pytest.approx(below, abs=0.03)
    assert above > 0.1


def test_a_curve_that_falls_goes_on_falling(points):
    theta = draws(a=0.2, log_b=1.0, c0=0.2)
    decades = np.linspace(0, 6, 40)
    _, changed = bent(points, bb.BNSL(0), theta, decades, rate=2.0)
    assert np.all(np.diff(changed, axis=1) < 1e-9)
    assert np.all(changed > np.log(0.2) - 1e-12)
    _, free = bent(points, bb.BNSL(0), theta, decades, rate=2.0, falling=False)
    assert (np.diff(free, axis=1) > 0).any(axis=1).mean() > 0.3


def test_a_curve_that_rises_turns_at_the_next_break(points):
    theta = draws(a=0.0, log_b=1.0, c0=-0.2)
    plain, changed = bent(points, bb.BNSL(0), theta, [30.0, 30.01], rate=0.5)
    assert np.all(np.diff(plain, axis=1) > 0)
    assert (np.diff(changed, axis=1) < 0).mean() > 0.999


def test_a_curve_that_rises_as_a_whole_goes_on_rising(points):
    rising = bb.Curve(points.x, 1 / points.y)
    theta = draws(a=0.0, log_b=-2.0, c0=-0.2)
    _, changed = bent(rising, bb.BNSL(0), theta, np.linspace(0, 6, 40), rate=2.0)
    assert np.all(np.diff(changed, axis=1) > -1e-9)


def test_the_first_breaks_do_not_know_how_far_one_looks(points):
    theta = draws(**LINE)
    _, near = bent(points, bb.BNSL(0), theta, [1.0], rate=0.7)
    _, both = bent(points, bb.BNSL(0), theta, [1.0, 5.0], rate=0.7)
    assert (abs(near - both[:, :1]) < 0.01).mean() > 0.98


def test_the_rate_is_learned_from_the_breaks_in_the_data(points):
    scale = Scale.of(points)
    log_range = points.log_x[-1] - points.log_x[0]
    last = points.x[-1]
    places = {"none": [], "two": [last / 9, last / 3], "one of two": [last / 9, last * 3]}
    for d, n in zip(places.values(), (0, 2, 1), strict=True):
        theta = {"d": xr.DataArray(np.tile(d, (20_000, 1)), dims=("sample", "brk"))}
        learned = unseen.rates("learned", theta, scale, 20_000, np.random.default_rng(1))
        assert learned.mean() * log_range == pytest.approx(n + 0.5, rel=0.05)
        assert learned.var() * log_range**2 == pytest.approx(n + 0.5, rel=0.1)


class TestForecast:
    def test_widens_the_band_and_leaves_the_data_alone(self, limit_fit):
        x = [limit_fit.curve.x[-1] * 0.9, limit_fit.curve.x[-1] * 30]
        plain, open_ = (
            bb.forecast(limit_fit, x, unseen_breaks=rate, seed=1) for rate in (0, "learned")
        )
        np.testing.assert_allclose(open_["curve"][:, 0], plain["curve"][:, 0])
        widths = [
            float(np.log(band.sel(bound="upper") / band.sel(bound="lower"))[1])
            for band in (bb.interval(each)["curve"] for each in (plain, open_))
        ]
        assert widths[1] > 1.3 * widths[0]
        assert (plain.attrs["unseen_breaks"], open_.attrs["unseen_breaks"]) == (0.0, "learned")

    def test_none_is_the_law_alone(self, limit_fit):
        x = limit_fit.curve.x[-1] * np.array([1.0, 10.0])
        alone = bb.forecast(limit_fit, x, unseen_breaks=0, seed=4)["curve"]
        theta = limit_fit.posterior.stack(sample=("chain", "draw"), create_index=False)
        law = np.exp(limit_fit.law.log_mu(xr.DataArray(np.log(x), dims="x"), theta))
        np.testing.assert_allclose(alone, law.transpose("sample", "x"), rtol=1e-12)

    def test_they_are_learned_if_nothing_is_said(self, limit_fit):
        x = limit_fit.curve.x[-1] * np.array([1.0, 10.0])
        learned = bb.forecast(limit_fit, x, unseen_breaks="learned", seed=4)
        xr.testing.assert_identical(learned, bb.forecast(limit_fit, x, seed=4))

    def test_of_a_law_without_a_limit(self, line_fit):
        x = line_fit.curve.x[-1] * np.array([10.0, 100.0])
        ahead = bb.forecast(line_fit, x, unseen_breaks=1.0, seed=1)
        again = bb.forecast(line_fit, x, unseen_breaks=1.0, seed=1)
        xr.testing.assert_identical(ahead, again)
        assert np.isfinite(ahead["y"]).all()

    def test_units_of_distance(self, line_fit):
        first, last = line_fit.curve.x[[0, -1]]
        ahead = bb.forecast(line_fit, [first, last, last * (last / first)], seed=1)
        np.testing.assert_allclose(ahead["ranges_beyond"], [0, 0, 1], atol=1e-12)

    @pytest.mark.parametrize(
        ("rate", "message"),
        [(-1, "must not be negative"), ("some", "Give 'learned'"), (np.nan, "one finite number")],
    )
    def test_what_a_rate_is(self, line_fit, rate, message):
        with pytest.raises(ValueError, match=message):
            bb.forecast(line_fit, [1e5], unseen_breaks=rate)
