"""The default priors against what their definitions promise, and priors of the user's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import gamma, kstest

from bayes_bnsl import defaults
from bayes_bnsl.curve import Curve
from bayes_bnsl.laws import BNSL, M1, M2, M3, M4
from bayes_bnsl.noises import Correlated, LogNormal
from bayes_bnsl.priors import Prior, Scale
from problems import PROBLEMS, simulated

LAWS = (BNSL(0), BNSL(1), BNSL(3), M1(), M2(), M3(), M3(constant=False), M4())
SCALE = Scale(np.log(10), np.log(1e5), np.log(3.0), np.log(0.5), spread=np.log(6.0), gap=0.1)
N_DRAWS = 20_000

each_law = pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)


class Coordinates:
    """Standard normal coordinates, drawn when they are asked for, and kept."""

    def __init__(self, n_breaks, *, draws=N_DRAWS, seed=1, narrowed=1.0):
        self.n_breaks, self.draws, self.narrowed = n_breaks, draws, narrowed
        self.generator = np.random.default_rng(seed)
        self.drawn = {}

    def __call__(self, name, *, per_break=False):
        assert name not in self.drawn
        shape = (self.draws, self.n_breaks) if per_break else (self.draws,)
        self.drawn[name] = self.narrowed * self.generator.standard_normal(shape)
        return self.drawn[name]


def draw(law, scale=SCALE, given=None, **settings):
    """Return the coordinates and the parameters that they make, breaks on the last axis."""
    z = Coordinates(law.n_breaks, **settings)
    theta = defaults.parameters(law, scale, given or {}, z)
    return z.drawn, {
        name: np.stack(value, axis=-1) if isinstance(value, list) else value
        for name, value in theta.items()
    }


def log_mu(law, log_x, theta):
    """Return log y at one x for draws of parameters."""
    column = {
        name: value[:, None] if np.ndim(value) == 1 + law.has_break(name.removeprefix("log_"))
        else value
        for name, value in theta.items()
    }  # fmt: skip
    return law.log_mu(np.array([log_x]), column)[:, 0]


class TestPrior:
    def test_says_how_it_was_made(self):
        text = "Prior('Normal', mu=0.4, sigma=0.2, at_least=0.0)"
        assert repr(Prior("Normal", mu=0.4, sigma=0.2, at_least=0)) == text
        assert eval(text) == Prior("Normal", mu=0.4, sigma=0.2, at_least=0.0)

    def test_numbers_come_with_their_bounds(self):
        prior = Prior("Normal", mu=[0, 1], sigma=2, at_most=3)
        assert prior.constants() == {"mu": (0.0, 1.0), "sigma": 2.0, "at_most": 3.0}

    def test_structure_holds_all_but_the_numbers(self):
        one, other = Prior("Normal", mu=1, sigma=2), Prior("Normal", mu=5, sigma=6)
        assert one.structure == other.structure
        assert one != other
        assert one.structure != Prior("Normal", mu=1, sigma=2, at_least=0).structure
        assert one.structure != Prior("Normal", mu=1, sigma=2, at_most=0).structure
        assert one.structure != Prior("Normal", mu=1, tau=2).structure
        assert one.structure != Prior("Laplace", mu=1, sigma=2).structure

    def test_equal_priors_are_one_key(self):
        assert len({Prior("Normal", mu=[1, 2]), Prior("Normal", mu=(1.0, 2.0))}) == 1

    def test_cannot_be_changed(self):
        with pytest.raises(AttributeError, match="cannot assign to field"):
            Prior("Normal").distribution = "Gamma"

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            (((3,), {}), TypeError, "distribution must be the name of a PyMC distribution.*got 3"),
            ((("Normal",), {"mu": "x"}), TypeError, "mu must be a number or a sequence.*got 'x'"),
            ((("Normal",), {"mu": np.nan}), ValueError, "mu must be a number; got nan"),
            ((("Normal",), {"mu": [0, np.nan]}), ValueError, r"mu must be a number; got \[0, nan"),
            ((("Normal",), {"at_least": "x"}), TypeError, "at_least must be a number.*got 'x'"),
            ((("Normal",), {"at_most": np.nan}), ValueError, "at_most must be a number; got nan"),
        ],
    )
    def test_refuses_what_is_no_number(self, arguments, error, message):
        (positional, named) = arguments
        with pytest.raises(error, match=message):
            Prior(*positional, **named)


class TestScale:
    def test_takes_ends_spread_and_gap_from_the_curve(self):
        scale = Scale.of(Curve([1, 10, 100, 1000, 10_000], [5.0, 8.0, 2.0, 1.0, 2.0]))
        expected = (0, np.log(1e4), np.log(5), np.log(2), np.log(8), 0.25)
        np.testing.assert_allclose(scale, expected, rtol=1e-14)

    def test_replicates_at_an_end_are_averaged_on_the_log_scale(self):
        scale = Scale.of(Curve([1, 1, 10, 10, 10], [4.0, 9.0, 1.0, 2.0, 4.0]))
        assert scale.log_y_first == pytest.approx(np.log(6))
        assert scale.log_y_last == pytest.approx(np.log(2))
        assert scale.gap == 1

    def test_a_flat_curve_has_a_spread(self):
        assert Scale.of(Curve([1, 2, 4], [3.0, 3.0, 3.0])).spread == 0.01


class TestParameters:
    @each_law
    def test_coordinates_are_the_curve_at_both_ends(self, law):
        z, theta = draw(law, draws=500)
        for end in ("first", "last"):
            log_x, log_y = getattr(SCALE, f"log_x_{end}"), getattr(SCALE, f"log_y_{end}")
            np.testing.assert_allclose(
                log_mu(law, log_x, theta), log_y + SCALE.spread * z[end], rtol=1e-8, atol=1e-8
            )

    @pytest.mark.parametrize(
        ("law", "names"),
        [
            (BNSL(0), {"first", "last", "a"}),
            (BNSL(2), {"first", "last", "a", "c", "d", "f"}),
            (M1(), {"first", "last"}),
            (M2(), {"first", "last", "c"}),
            (M3(), {"first", "last", "c", "d"}),
            (M3(constant=False), {"first", "last", "d"}),
            (M4(), {"first", "last", "e_inf", "e_0", "alpha"}),
        ],
        ids=str,
    )
    def test_as_many_coordinates_as_parameters(self, law, names):
        z, theta = draw(law, draws=3)
        assert set(z) == names
        assert {name.removeprefix("log_") for name in theta} == set(law.parameters)

    @pytest.mark.parametrize(
        ("law", "given", "names"),
        [
            (BNSL(0), {"a": 0.0}, {"first", "last"}),
            (BNSL(0), {"c0": 0.3}, {"last", "a"}),
            (BNSL(0), {"b": 5.0}, {"a", "c0"}),
            (BNSL(0), {"b": 5.0, "c0": 0.3}, {"a"}),
            (M1(), {"a": 5.0}, {"b"}),
            (M4(), {"e_0": 9.0, "alpha": 1.0}, {"first", "last", "e_inf"}),
        ],
        ids=str,
    )
    def test_what_is_given_needs_no_coordinate(self, law, given, names):
        z, theta = draw(law, given=given, draws=200)
        assert set(z) == names
        assert {name: theta[name] for name in given} == given
        assert np.all(np.isfinite(log_mu(law, SCALE.log_x_last, theta)))

    @each_law
    @given(log_of_x=st.floats(-40, 40), log_of_y=st.floats(-40, 40), seed=st.integers(0, 2**32 - 1))
    def test_units_of_x_and_y_do_not_matter(self, law, log_of_x, log_of_y, seed):
        """The curves that the same coordinates make move with the units."""
        moved = SCALE._replace(
            log_x_first=SCALE.log_x_first + log_of_x,
            log_x_last=SCALE.log_x_last + log_of_x,
            log_y_first=SCALE.log_y_first + log_of_y,
            log_y_last=SCALE.log_y_last + log_of_y,
        )
        here, there = (
            draw(law, scale, draws=5, seed=seed, narrowed=0.7)[1] for scale in (SCALE, moved)
        )
        for log_x in (SCALE.log_x_first, 0.5 * SCALE.log_x_last, SCALE.log_x_last + 2):
            np.testing.assert_allclose(
                log_mu(law, log_x + log_of_x, there),
                log_mu(law, log_x, here) + log_of_y,
                rtol=1e-7,
                atol=1e-7,
            )

    @pytest.mark.parametrize("law", [BNSL(0), BNSL(2), M2(), M3(), M4()], ids=lambda law: law.name)
    def test_the_limit_is_a_fraction_of_the_lower_end(self, law):
        z, theta = draw(law, draws=500)
        ends = [
            np.exp(log_mu(law, log_x, theta)) for log_x in (SCALE.log_x_first, SCALE.log_x_last)
        ]
        fraction = theta[law.limit_name] / np.minimum(*ends)
        np.testing.assert_allclose(fraction, expit(1.7 * z[law.limit_name]), rtol=1e-7)

    @pytest.mark.parametrize("law", [BNSL(0), BNSL(2), M2(), M3()], ids=lambda law: law.name)
    def test_a_limit_of_the_users_stays_below_the_curve(self, law):
        limit = np.random.default_rng(2).uniform(0, 5, N_DRAWS)  # also above the data
        _, theta = draw(law, given={law.limit_name: limit})
        for log_x in (SCALE.log_x_first, SCALE.log_x_last):
            assert np.all(np.exp(log_mu(law, log_x, theta)) > limit)

    @pytest.mark.parametrize("limit", [{}, {"e_inf": 0.1}], ids=str)
    def test_an_e_0_of_the_users_stays_above_the_curve(self, limit):
        e_0 = np.random.default_rng(2).uniform(0.2, 5, N_DRAWS)  # also below the data
        _, theta = draw(M4(), given={"e_0": e_0} | limit)
        for log_x in (SCALE.log_x_first, SCALE.log_x_last):
            y = np.exp(log_mu(M4(), log_x, theta))
            assert np.all(y < e_0)
            assert np.all(y > theta["e_inf"])

    def test_an_e_0_far_above_the_data_changes_nothing(self):
        z, theta = draw(M4(), given={"e_0": 1e6, "e_inf": 0.0}, draws=500)
        for end in ("first", "last"):
            log_x, log_y = getattr(SCALE, f"log_x_{end}"), getattr(SCALE, f"log_y_{end}")
            low = np.abs(z[end]) < 2
            expected = (log_y + SCALE.spread * z[end])[low]
            np.testing.assert_allclose(log_mu(M4(), log_x, theta)[low], expected, atol=2e-4)

    @pytest.mark.parametrize("n", [1, 2, 4])
    def test_breaks_lie_in_order_and_may_lie_beyond_the_data(self, n):
        _, theta = draw(BNSL(n))
        first = np.full((N_DRAWS, 1), SCALE.log_x_first)
        assert np.all(np.diff(np.concatenate([first, theta["log_d"]], axis=1), axis=1) > 0)
        beyond = np.mean(theta["log_d"] > SCALE.log_x_last, axis=0)
        exact = gamma(2 * np.arange(1, n + 1)).sf(2 * (n + 1))
        np.testing.assert_allclose(beyond, exact, atol=0.06)

    @pytest.mark.parametrize("n", [1, 2, 4])
    def test_spacings_of_breaks_are_those_of_a_dirichlet(self, n):
        """Gamma(2) with mean 1 / (n + 1): n + 1 of them over their sum are a Dirichlet(2)."""
        _, theta = draw(BNSL(n))
        places = (theta["log_d"] - SCALE.log_x_first) / (SCALE.log_x_last - SCALE.log_x_first)
        for spacing in np.diff(places, axis=1, prepend=0.0).T:
            assert kstest(spacing, gamma(2, scale=0.5 / (n + 1)).cdf).statistic < 0.055

    def test_a_break_is_no_sharper_than_the_points_can_show(self):
        _, theta = draw(BNSL(2))
        in_log_range = theta["f"] / (SCALE.log_x_last - SCALE.log_x_first)
        assert np.all(in_log_range > 0.25 * SCALE.gap)
        assert np.median(in_log_range) == pytest.approx(0.08 + 0.25 * SCALE.gap, rel=0.03)

    def test_a_change_of_slope_is_what_one_sees(self):
        """c times the share of the power part in y, at the break, on the line between the ends."""
        law = BNSL(1)
        z, theta = draw(law, draws=2000)
        log_range = SCALE.log_x_last - SCALE.log_x_first
        place = (theta["log_d"][:, 0] - SCALE.log_x_first) / log_range
        ends = [log_mu(law, log_x, theta) for log_x in SCALE[:2]]
        share = 1 - theta["a"] * np.exp(-(ends[0] + (ends[1] - ends[0]) * place))
        inside = (share > 2e-3) & (place < 0.4)
        seen = (theta["c"][:, 0] * share)[inside]
        expected = (SCALE.spread / log_range * np.sinh(z["c"][:, 0]))[inside]
        assert len(seen) > 900
        np.testing.assert_allclose(seen, expected, rtol=1e-3, atol=1e-3)

    @pytest.mark.parametrize("n", [1, 2])
    def test_a_break_beyond_the_data_multiplies_the_exponent(self, n):
        law = BNSL(n)
        z, theta = draw(law, given={"f": [0.01] * n})
        behind = theta["c0"] + theta["c"].sum(axis=1)
        ahead = theta["log_d"][:, -1] > SCALE.log_x_last + 5.0  # half the log range
        assert ahead.sum() > 400
        factor = (behind / (behind - theta["c"][:, -1]))[ahead]
        np.testing.assert_allclose(factor, np.exp(z["c"][ahead, -1]), rtol=0.02)

    def test_a_break_beyond_the_data_when_the_first_slope_is_given(self):
        z, theta = draw(BNSL(1), given={"f": [0.01], "c0": 0.4})
        ahead = theta["log_d"][:, 0] > SCALE.log_x_last + 5.0
        np.testing.assert_allclose(
            theta["c"][ahead, 0], 0.4 * np.expm1(z["c"][ahead, 0]), rtol=0.01, atol=1e-3
        )

    @pytest.mark.parametrize("problem", [p for p in PROBLEMS if p.law.line], ids=str)
    def test_prior_draws_are_usable_numbers(self, problem):
        law, scale = problem.law, Scale.of(simulated(problem.name))
        _, theta = draw(law, scale)
        for name in set(law.positive) & set(theta):
            assert np.all(theta[name] > 0)
        for log_x in (scale.log_x_first, scale.log_x_last + np.log(10)):
            assert np.all(np.isfinite(log_mu(law, log_x, theta)))


class TestNoiseParameters:
    def test_sigma_is_a_fraction_of_the_spread(self):
        z = Coordinates(0)
        sigma = defaults.noise_parameters(LogNormal(), SCALE, {}, z)["sigma"]
        np.testing.assert_allclose(np.log(sigma), np.log(0.02 * SCALE.spread) + z.drawn["sigma"])

    def test_sigma_may_be_given(self):
        z = Coordinates(0)
        assert defaults.noise_parameters(LogNormal(), SCALE, {"sigma": 0.3, "a": 1}, z) == {
            "sigma": 0.3
        }
        assert z.drawn == {}

    def test_points_stray_together_by_a_share_of_the_spread(self):
        z = Coordinates(0)
        theta = defaults.noise_parameters(Correlated(), SCALE, {}, z)
        log_range = SCALE.log_x_last - SCALE.log_x_first
        for name, centre, width in (("sigma", 0.02, 1.0), ("tau", 0.04, 1.2)):
            expected = np.log(centre * SCALE.spread) + width * z.drawn[name]
            np.testing.assert_allclose(np.log(theta[name]), expected)
        reach = theta["ell"] / log_range - 0.25 * SCALE.gap
        np.testing.assert_allclose(np.log(reach), np.log(0.3) + 1.5 * z.drawn["ell"])

    @pytest.mark.parametrize("fixed", ["sigma", "tau", "ell"])
    def test_what_is_given_of_correlated_noise_leaves_the_others_alone(self, fixed):
        z, asked = {"sigma": 0.3, "tau": -1.0, "ell": 0.7}, []

        def coordinate(name):
            asked.append(name)
            return z[name]

        free = defaults.noise_parameters(Correlated(), SCALE, {}, z.__getitem__)
        theta = defaults.noise_parameters(Correlated(), SCALE, {fixed: 0.5}, coordinate)
        assert theta == free | {fixed: 0.5}
        assert sorted(asked) == sorted(set(z) - {fixed})
