"""From a curve to draws: against a posterior in closed form, PyMC's sampler, and interruptions."""

from __future__ import annotations

import threading

import arviz_stats as azs
import numpy as np
import nutpie
import pymc as pm
import pytest
from scipy.stats import ks_2samp, kstest, lognorm, norm

import bayes_bnsl as bb
from bayes_bnsl import model as models
from bayes_bnsl import nuts, sampling
from bayes_bnsl.compiled import compile_law
from bayes_bnsl.priors import Scale
from problems import NAMED, PROBLEMS, log_shrinks, simulated


def same_draws(one, other):
    """Tell whether two fits hold the same numbers to the last bit."""
    return all(
        one.data[group].to_dataset().identical(other.data[group].to_dataset())
        for group in ("posterior", "coordinates", "sample_stats", "log_likelihood")
    )


def exact_line(curve, sigma):
    """Return mean and covariance of log mu at both ends of a power law with known noise.

    log mu is a straight line between its ends, which are Normal(log y there, spread) a priori.
    """
    scale = Scale.of(curve)
    t = (curve.log_x - scale.log_x_first) / (scale.log_x_last - scale.log_x_first)
    design = np.stack([1 - t, t], axis=1)
    prior_mean = np.array([scale.log_y_first, scale.log_y_last])
    precision = design.T @ design / sigma**2 + np.eye(2) / scale.spread**2
    weighed = design.T @ curve.log_y / sigma**2 + prior_mean / scale.spread**2
    return np.linalg.solve(precision, weighed), np.linalg.inv(precision)


def at_ends(curve, log_x):
    """Return how log mu at some x is made of its values at both ends."""
    t = (log_x - curve.log_x[0]) / (curve.log_x[-1] - curve.log_x[0])
    return np.array([1 - t, t])


def error_of(draws, method):
    """Return the Monte-Carlo error of labelled draws."""
    return float(azs.mcse(draws.rename("it").to_dataset(), method=method)["it"])


class TestAgainstClosedForm:
    @pytest.mark.parametrize("beyond", [0.0, np.log(10)], ids=["last x", "10x"])
    def test_mean_and_sd_of_log_mu(self, line_fit, beyond):
        curve = line_fit.curve
        mean, covariance = exact_line(curve, 0.02)
        log_x = curve.log_x[-1] + beyond
        weights = at_ends(curve, log_x)
        log_mu = line_fit.law.log_mu(log_x, dict(line_fit.posterior.data_vars))
        assert float(log_mu.mean()) == pytest.approx(
            weights @ mean, abs=4 * error_of(log_mu, "mean")
        )
        assert float(log_mu.std()) == pytest.approx(
            np.sqrt(weights @ covariance @ weights), abs=4 * error_of(log_mu, "sd")
        )

    def test_slope(self, line_fit):
        curve = line_fit.curve
        mean, covariance = exact_line(curve, 0.02)
        weights = np.array([-1, 1]) / (curve.log_x[-1] - curve.log_x[0])
        exact = norm(weights @ mean, np.sqrt(weights @ covariance @ weights))
        slope = line_fit.posterior["b"]
        assert float(slope.mean()) == pytest.approx(exact.mean(), abs=4 * error_of(slope, "mean"))
        thinned = slope.values[:, ::4].ravel()
        assert kstest(thinned, exact.cdf).pvalue > 1e-3

    def test_one_free_parameter(self, fit_line, line_curve):
        """Log y is log a plus a known part; the wide prior hardly pulls."""
        fit = fit_line(line_curve, priors={"sigma": 0.02, "b": -0.3}, seed=1)
        rest = line_curve.log_y + 0.3 * line_curve.log_x
        log_a = np.log(fit.posterior["a"].values)
        assert fit.status.ok
        assert log_a.mean() == pytest.approx(rest.mean(), abs=3e-4)
        assert log_a.std() == pytest.approx(0.02 / np.sqrt(len(rest)), rel=0.1)

    def test_without_data_the_prior_comes_back(self, fit_own):
        """Standard errors so large that the points say nothing; own priors among the default."""
        points = simulated("power law to a limit")
        curve = bb.Curve(points.x, points.y, y_se=1e9 * points.y)
        fit = fit_own(curve, draws=4000, seed=1)
        with bb.build_model(curve, fit.law, priors=fit.priors):
            prior = pm.sample_prior_predictive(
                4000, random_seed=2, compile_kwargs={"mode": "FAST_COMPILE"}
            ).prior
        for name in ("a", "c0", "log_b", "sigma"):
            thinned = fit.posterior[name].values[:, ::4].ravel()
            assert ks_2samp(thinned, prior[name].values.ravel()).pvalue > 1e-3, name

    def test_a_prior_of_the_users_pulls_the_posterior(self, own_fit, limit_fit):
        free, pulled = (fit.posterior["c0"] for fit in (limit_fit, own_fit))
        assert 0.3 < float(free.mean()) < 0.4
        assert float(pulled.mean()) < 0.28
        assert float(own_fit.posterior["sigma"].max()) < 0.1

    def test_truth_is_found(self, limit_fit, m4_fit):
        for fit, name in ((limit_fit, "power law to a limit"), (m4_fit, "M4, alpha above 1")):
            problem = NAMED[name]
            ahead = bb.forecast(fit, [problem.x[0], problem.x[-1], 10 * problem.x[-1]], seed=1)
            band = bb.interval(ahead, prob=0.99)["curve"]
            truth = problem.law(band["x"].values, problem.theta)
            assert np.all(band.sel(bound="lower") < truth)
            assert np.all(band.sel(bound="upper") > truth)


class TestRepeats:
    def test_a_seed_gives_the_same_draws(self, fit_line, line_curve, line_fit):
        again = fit_line(line_curve, seed=1)
        assert same_draws(again, line_fit)
        assert again.status == line_fit.status

    def test_another_seed_others(self, fit_line, line_curve, line_fit):
        assert not np.any(fit_line(line_curve, seed=2).posterior["b"] == line_fit.posterior["b"])

    def test_a_seed_is_drawn_and_kept(self, fit_line, line_curve):
        one, other = fit_line(line_curve), fit_line(line_curve)
        assert one.seed != other.seed
        assert same_draws(fit_line(line_curve, seed=one.seed), one)

    def test_fits_leave_nothing_behind(self, fit_line, line_curve, line_fit, accuracy_fit):
        """Another curve of another length is fitted between two fits of the same one."""
        assert len(accuracy_fit.curve) != len(line_curve)
        other = fit_line(accuracy_fit.curve, seed=1)
        assert same_draws(other, accuracy_fit)
        assert same_draws(fit_line(line_curve, seed=1), line_fit)

    def test_starts_are_of_the_curve_and_not_of_the_one_it_was_compiled_for(
        self, limit_fit, addition
    ):
        law, noise, drawn = limit_fit.law, limit_fit.noise, []
        for curve in (limit_fit.curve, addition[0]):
            compiled = compile_law(curve, law, noise, {})
            data = models.model_data(curve, law, noise, {}, Scale.of(curve))
            starts = compiled.draw_prior(data, np.random.default_rng(3), 8)
            drawn.append(compiled.values(data, starts))
        for name in drawn[0]:  # standard normal, of the same seeds
            np.testing.assert_allclose(drawn[0][name], drawn[1][name], rtol=1e-10, err_msg=name)

    def test_cores_do_not_matter(self, fit_line, line_curve, line_fit):
        assert same_draws(fit_line(line_curve, seed=1, cores=1), line_fit)

    def test_chains_differ(self, line_fit):
        for one in range(4):
            for other in range(one):
                b = line_fit.posterior["b"].values
                assert not np.any(b[one] == b[other])


class TestCompiled:
    def test_data_of_another_curve_make_the_model_of_that_curve(self, line_curve):
        """What was compiled for one curve and given another's data is what is compiled for it."""
        law, noise, priors = bb.M1(), bb.LogNormal(), {"sigma": np.array(0.3)}
        other = simulated("M2")
        other = bb.Curve(other.x[:7], other.y[:7])
        used = compile_law(line_curve, law, noise, {"sigma": np.array(0.02)})
        model = bb.build_model(other, law, noise=noise, priors=priors)
        theirs = nutpie.compile_pymc_model(model).logp_func
        data = models.model_data(other, law, bb.LogNormal(), priors, Scale.of(other))
        for position in np.random.default_rng(1).standard_normal((3, 2)):
            ours = used.log_density(data)(position)
            density, slopes = theirs(position)
            assert ours[0] == pytest.approx(density, rel=1e-10)
            np.testing.assert_allclose(ours[1], slopes, rtol=1e-10)

    def test_data_of_another_rank_are_refused(self, line_curve):
        """Compiled code, called at its address, would read what is not there."""
        compiled = compile_law(line_curve, bb.M1(), bb.LogNormal(), {})
        with pytest.raises(ValueError, match="x must have 1 dimensions; got 0"):
            compiled.posterior({"x": np.array(3.0)})

    def test_is_made_once_for_a_structure(self, line_curve, line_fit, accuracy_fit):
        made = [
            compile_law(fit.curve, fit.law, fit.noise, fit.priors)
            for fit in (line_fit, accuracy_fit)
        ]
        assert made[0] is made[1]


class TestFewPoints:
    @pytest.mark.parametrize("seed", [1, 2])
    def test_no_transition_diverges_though_sigma_may_be_small(self, seed):
        # Six points and seven parameters: with sigma itself as a coordinate, three to ten of
        # these 8000 transitions diverge.
        theta = {"a": 2.0, "b": 3.0, "c0": 0.05, "c": 0.3, "d": 60.0, "f": 0.4}
        curve = bb.simulate(bb.BNSL(1), theta, np.geomspace(6, 192, 6), noise=0.003, seed=seed)
        fit = bb.fit(curve, bb.BNSL(1), draws=2000, seed=seed, progress=False)
        assert fit.status.ok
        assert int(fit.data["sample_stats"]["diverging"].sum()) == 0


class TestRounds:
    def test_go_on_until_the_draws_converge(self, fit_line, line_curve):
        fit = fit_line(line_curve, draws=50, seed=1)
        assert fit.status.ok
        assert fit.posterior.sizes["draw"] > 50

    def test_a_small_budget_is_said(self, addition):
        with pytest.warns(bb.NotConvergedWarning, match="Raise max_gradients") as caught:
            fit = bb.fit(addition[0], bb.BNSL(1), draws=20, max_gradients=1, seed=1, progress=False)
        assert not fit.status.ok
        assert fit.posterior.sizes["draw"] == 20
        (warning,) = caught
        assert str(warning.message) == f"BNSL(1) fitted to 'four_digit_addition'. {fit.status}"
        assert warning.filename == __file__  # the line of the user's

    def test_climbs_over_some_of_the_points_end_on_the_top_of_all(self, monkeypatch):
        curve = simulated("one break", noise=0.02, seed=3)
        heights = []
        for most in (1000, 8):
            monkeypatch.setattr(sampling, "MOST_POINTS", most)
            fit = bb.fit(curve, bb.BNSL(1), seed=1, progress=False)
            heights.append(float(fit.data["modes"]["log_density"].max()))
        assert len(curve) > 8
        assert heights[1] == pytest.approx(heights[0], abs=0.01)

    def test_longer_rounds_are_thinned(self):
        values, diverging = np.arange(50.0).reshape(2, 25), np.zeros((2, 25), bool)
        diverging[0, [0, 4, 5, 24]] = diverging[1, 23] = True
        statistics = {"energy": 2 * values, "diverging": diverging}
        drawn = nuts.Drawn({"z": values}, statistics, values[..., None])
        kept = drawn.thinned(10)
        assert kept.values["z"][0].tolist() == list(range(0, 25, 3))  # evenly, the last among them
        np.testing.assert_array_equal(kept.statistics["energy"], 2 * kept.values["z"])
        np.testing.assert_array_equal(kept.positions[..., 0], kept.values["z"])
        after = [kept.values["z"][k][kept.statistics["diverging"][k]].tolist() for k in (0, 1)]
        assert after == [[0.0, 6.0, 24.0], [49.0]]  # the first kept draw after each
        np.testing.assert_array_equal(drawn.thinned(25).statistics["diverging"], diverging)
        assert drawn.thinned(25).values["z"].shape == (2, 25)


@pytest.fixture(scope="module")
def two_kinks():
    """A curve that hardly falls between two breaks: one break can follow one of the two only."""
    u = np.linspace(0, 9, 39)
    first, second = (0.1 * np.logaddexp(0, (u - place) / 0.1) for place in (2.5, 6.5))
    noise = 0.01 * np.random.default_rng(3).standard_normal(39)
    return bb.Curve(np.exp(u), np.exp(-0.3 * u + 0.3 * (first - second) + noise))


@pytest.fixture(scope="module")
def tempered(two_kinks):
    return [bb.fit(two_kinks, bb.BNSL(1), seed=seed, progress=False) for seed in (1, 2)]


class TestTempered:
    def test_without_them_the_chains_disagree(self, two_kinks):
        with pytest.warns(bb.NotConvergedWarning, match="The chains disagree"):
            fit = bb.fit(two_kinks, bb.BNSL(1), max_gradients=1, seed=1, progress=False)
        assert np.all(fit.data["sample_stats"]["restart"] == -1)
        assert fit.status.restarts == 0

    def test_give_each_mode_its_mass_in_every_chain(self, tempered):
        shares = []
        for fit in tempered:
            assert fit.status.ok
            assert fit.status.restarts > 500
            assert f"{fit.status.restarts} fresh starts arrived" in str(fit.status)
            shares.append((fit.posterior["d"] > 100).mean("draw").values.ravel())
        share = np.mean(shares)
        assert 0.6 < share < 0.95
        np.testing.assert_allclose(shares, share, atol=4 * np.sqrt(share * (1 - share) / 200))

    def test_statistics_are_those_of_the_draws(self, tempered):
        fit = tempered[0]
        statistics = fit.data["sample_stats"]
        coordinates = fit.data["coordinates"].to_dataset()
        log_prior = sum(
            norm.logpdf(z).reshape(*z.shape[:2], -1).sum(axis=2)
            for z in (coordinates[name].transpose("chain", "draw", ...) for name in coordinates)
        )
        log_likelihood = fit.data["log_likelihood"]["y"].sum("obs_id")
        theta = {name: fit.posterior[name].values for name in ("d", "f")}
        shrinks = log_shrinks(fit.curve, theta, coordinates)
        expected = log_prior + log_likelihood + shrinks
        np.testing.assert_allclose(statistics["logp"], expected, rtol=1e-9)
        arrived = [len(np.unique(chain[chain >= 0])) for chain in statistics["restart"].values]
        assert sum(arrived) == fit.status.restarts

    def test_a_seed_gives_the_same_draws_on_any_number_of_cores(self, two_kinks, tempered):
        again = bb.fit(two_kinks, bb.BNSL(1), seed=1, cores=1, progress=False)
        assert same_draws(again, tempered[0])

    @pytest.mark.parametrize("seed", [1, 2])
    def test_a_break_that_is_not_needed_takes_no_long_time(self, seed):
        """It may lie in the data with hardly a change of slope, or beyond them with any."""
        x = np.geomspace(1, 1e4, 40)
        theta = {"a": 0.005, "b": 3.0, "c0": 0.5}
        straight = bb.simulate(bb.BNSL(0), theta, x, noise=0.01, seed=seed)
        fit = bb.fit(straight, bb.BNSL(1), max_gradients=2_000_000, seed=seed, progress=False)
        assert fit.status.ok
        change = fit.posterior["c"].sel(brk=1)
        within = fit.posterior["d"].sel(brk=1) < 1e3
        assert 0.02 < within.mean() < 0.98
        spread = [float(change.where(where).std()) for where in (within, ~within)]
        assert spread[1] > 5 * spread[0]

    def test_a_fit_that_mixes_needs_none(self, line_fit):
        assert line_fit.status.restarts == 0
        assert "restart" in line_fit.data["sample_stats"]


class TestFlatCurve:
    def test_constant_y_is_said(self, fit_line):
        curve = bb.Curve([1, 10, 100, 1000], [2.0, 2.0, 2.0, 2.0])
        with pytest.warns(bb.NotConvergedWarning, match="All y are equal"):
            fit = fit_line(curve, seed=1)
        assert fit.status.name == "constant_y"
        assert not fit.status.ok
        assert float(fit.posterior["b"].mean()) == pytest.approx(0, abs=0.01)


@pytest.fixture(scope="module")
def by_pymc(fit_line, line_curve):
    return fit_line(line_curve, sampler="pymc", cores=1, seed=3)


class TestPyMCSampler:
    def test_agrees_with_nutpie(self, by_pymc, line_fit):
        log_x = line_fit.curve.log_x[-1]
        means, errors = [], []
        for fit in (by_pymc, line_fit):
            log_mu = fit.law.log_mu(log_x, dict(fit.posterior.data_vars))
            means.append(float(log_mu.mean()))
            errors.append(error_of(log_mu, "mean"))
        assert means[0] == pytest.approx(means[1], abs=4 * np.hypot(*errors))
        assert means[0] != means[1]

    def test_records_the_same(self, by_pymc, line_fit):
        assert by_pymc.status.ok
        for group in ("posterior", "coordinates", "log_likelihood", "sample_stats"):
            ours, theirs = (fit.data[group].to_dataset() for fit in (by_pymc, line_fit))
            assert set(ours.data_vars) == set(theirs.data_vars), group
            assert ours.sizes == theirs.sizes


class TestInterrupted:
    def test_stops_every_chain_and_leaves_nothing_behind(
        self, fit_line, line_curve, line_fit, monkeypatch
    ):
        sample, chains = nutpie.sample, []

        class Chain:
            def __init__(self, running, *, broken):
                self.running, self.broken, self.cancelled = running, broken, False

            def wait(self):
                if self.broken:
                    raise KeyboardInterrupt("Ctrl-C")
                return self.running.wait()

            def cancel(self):
                self.cancelled = True
                self.running.cancel()

        def interrupted(*args, **settings):
            running = sample(*args, **settings)
            chains.append(Chain(running, broken=len(chains) == 1))
            return chains[-1]

        before = threading.active_count()
        monkeypatch.setattr(nutpie, "sample", interrupted)
        with pytest.raises(KeyboardInterrupt, match="Ctrl-C"):
            fit_line(line_curve, draws=50_000, seed=1)
        assert len(chains) == 4
        assert all(chain.cancelled for chain in chains)
        assert threading.active_count() == before
        monkeypatch.undo()
        assert same_draws(fit_line(line_curve, seed=1), line_fit)


class TestProgress:
    def test_is_not_written_to_a_pipe(self, fit_line, line_curve, capsys):
        fit_line(line_curve, seed=1, progress=True)
        assert capsys.readouterr() == ("", "")


class TestTree:
    def test_log_likelihood_is_that_of_the_noise(self, own_fit):
        """Known standard errors are part of it."""
        curve, theta = own_fit.curve, own_fit.posterior.isel(chain=1, draw=7)
        mu = theta["a"].item() + theta["b"].item() * curve.x ** -theta["c0"].item()
        scale = np.sqrt(theta["sigma"].item() ** 2 + 0.01**2)
        np.testing.assert_allclose(
            own_fit.data["log_likelihood"]["y"].isel(chain=1, draw=7),
            lognorm.logpdf(curve.y, s=scale, scale=mu),
            rtol=1e-9,
        )

    def test_parameters_are_those_of_the_coordinates(self, own_fit, addition_fit):
        coordinates = own_fit.data["coordinates"].to_dataset()
        assert set(coordinates) == {"z_last", "z_a", "c0", "sigma"}
        for name in ("c0", "sigma"):
            np.testing.assert_array_equal(coordinates[name], own_fit.posterior[name])
        assert set(addition_fit.data["coordinates"].data_vars) == {
            "z_first", "z_last", "z_a", "z_c", "z_d", "z_f", "z_sigma",
        }  # fmt: skip
        assert addition_fit.data["coordinates"]["z_d"].dims == ("chain", "draw", "brk")

    def test_modes_are_those_of_the_posterior(self, addition_fit, own_fit):
        """Their parameters are those of the law; the highest comes first."""
        for fit in (addition_fit, own_fit):
            modes = fit.data["modes"].to_dataset()
            assert set(modes) == {*fit.posterior, "log_density"}
            assert np.all(np.diff(modes["log_density"]) <= 0)
            for name in fit.law.parameters:
                low, high = fit.posterior[name].min(), fit.posterior[name].max()
                assert low <= np.squeeze(modes[name].isel(mode=0)) <= high, name

    def test_a_fixed_parameter_is_there_too(self, line_fit):
        assert np.all(line_fit.posterior["sigma"] == 0.02)
        assert line_fit.posterior["sigma"].dims == ("chain", "draw")

    def test_a_steep_law_converges_though_its_offset_overflows(self):
        fit = bb.fit(simulated("steep: b overflows"), bb.BNSL(1), seed=1, progress=False)
        assert fit.status.ok
        assert np.all(np.isinf(fit.posterior["b"]))
        assert float(fit.posterior["log_b"].mean()) == pytest.approx(829, rel=0.01)


class TestRefuses:
    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"chains": 1}, ValueError, "chains must be at least 2; got 1"),
            ({"chains": 2.0}, TypeError, r"chains must be an integer; got 2\.0"),
            ({"draws": 0}, ValueError, "draws must be at least 1; got 0"),
            ({"draws": 1.5}, TypeError, r"draws must be an integer; got 1\.5"),
            ({"draws": True}, TypeError, "draws must be an integer; got True"),
            ({"tune": -1}, ValueError, "tune must be at least 1; got -1"),
            ({"max_gradients": 1e6}, TypeError, r"max_gradients must be an integer; got 1000000\."),
            ({"cores": 0}, ValueError, "cores must be at least 1; got 0"),
            ({"seed": -1}, ValueError, "seed must be at least 0; got -1"),
            ({"seed": 1.5}, TypeError, r"seed must be an integer; got 1\.5"),
            ({"seed": "one"}, TypeError, "seed must be an integer; got 'one'"),
            ({"sampler": "stan"}, ValueError, "sampler must be 'nutpie' or 'pymc'; got 'stan'"),
            ({"target_accept": 1}, ValueError, "target_accept must lie between 0 and 1; got 1"),
            ({"target_accept": 0}, ValueError, "target_accept must lie between 0 and 1; got 0"),
            ({"target_accept": "x"}, ValueError, "target_accept must lie between 0 and 1; got 'x'"),
            ({"law": bb.BNSL}, TypeError, r"law must be a Law; .*Did you mean BNSL\(\)\?"),
            ({"curve": [1, 2]}, TypeError, r"curve must be a Curve; got \[1, 2\]"),
            ({"noise": 0.1}, TypeError, "noise must be a Noise; got 0.1"),
            ({"noise": "normal"}, ValueError, "noise is 'normal'. Give 'auto', or a noise model"),
            ({"noise": bb.LogNormal}, TypeError, r"noise must be a Noise; .*mean LogNormal\(\)"),
            ({"priors": {"z": 1.0}}, ValueError, "priors names 'z', which is no parameter of M1"),
            ({"law": bb.BNSL(30)}, ValueError, r"BNSL\(30\) needs at least 33 distinct x"),
        ],
    )
    def test_arguments_before_it_compiles(self, line_curve, arguments, error, message):
        settings = {"curve": line_curve, "law": bb.M1(), "progress": False} | arguments
        with pytest.raises(error, match=message):
            bb.fit(**settings)


@pytest.mark.slow
@pytest.mark.parametrize("problem", [p for p in PROBLEMS if p.law.line], ids=str)
def test_every_problem_converges_to_the_truth(problem):
    fit = bb.fit(simulated(problem.name, seed=5), problem.law, seed=5, progress=False)
    assert fit.status.ok
    x = [problem.x[0], np.sqrt(problem.x[0] * problem.x[-1]), problem.x[-1]]
    band = bb.interval(bb.forecast(fit, x, seed=5), prob=0.999)["curve"]
    truth = problem.law(np.array(x), problem.theta)
    assert np.all(band.sel(bound="lower") < truth)
    assert np.all(band.sel(bound="upper") > truth)


@pytest.mark.slow
@pytest.mark.parametrize("law", [bb.BNSL(1), bb.M4()], ids=lambda law: law.name)
def test_without_data_default_priors_come_back(law):
    points = simulated("one break")
    curve = bb.Curve(points.x, points.y, y_se=1e9 * points.y)
    fit = bb.fit(curve, law, draws=4000, seed=1, progress=False)
    with bb.build_model(curve, law):
        prior = pm.sample_prior_predictive(
            4000, random_seed=2, compile_kwargs={"mode": "FAST_COMPILE"}
        ).prior
    for name, draws in fit.posterior.items():
        if not np.all(np.isfinite(draws)):
            continue
        thinned = draws.values[:, ::8].ravel()
        assert ks_2samp(thinned, prior[name].values.ravel()).pvalue > 1e-3, name


@pytest.mark.slow
def test_intervals_hold_what_they_say():
    """Coverage of the curve at 10x over curves drawn from the prior of a power law."""
    law, x = bb.BNSL(0), np.geomspace(1.0, 1e3, 20)
    template = bb.Curve(x, 3 * x**-0.3)
    generator = np.random.default_rng(11)
    inside, n = 0, 100
    for i in range(n):
        theta = {"a": generator.uniform(0, 0.3), "b": 3.0, "c0": generator.uniform(0.2, 0.5)}
        curve = bb.simulate(law, theta, template.x, 0.03, seed=i)
        fit = bb.fit(curve, law, draws=500, seed=i, progress=False)
        band = bb.interval(bb.forecast(fit, 10 * x[-1], seed=i), prob=0.8)["curve"].squeeze()
        inside += bool(band[0] < law(10 * x[-1], theta) < band[2])
    # The parameters are drawn from a narrower range than the prior: not fewer than it says.
    assert inside / n > 0.8 - 3 * np.sqrt(0.8 * 0.2 / n)


class TestNoise:
    """Fits with noise other than the default."""

    def test_correlated_noise_is_learned(self, correlated_fit, runs_fit):
        for fit in (correlated_fit, runs_fit):
            assert fit.status.ok
            inside = fit.posterior.quantile([0.005, 0.995], ("chain", "draw"))
            for name, true in {"a": 5.0, "b": -0.35, "tau": 0.04, "ell": 1.0}.items():
                assert inside[name][0] < true < inside[name][1], name

    def test_chains_that_diverge_go_on_with_smaller_steps(self, monkeypatch):
        theta = {"a": 0.12, "b": 6.0, "c0": 0.22, "sigma": 0.004, "tau": 0.02, "ell": 0.8}
        x = np.geomspace(1e3, 1e6, 42)
        curve = bb.simulate(bb.BNSL(0), theta, x, bb.Correlated(), seed=1)
        settings = {"noise": bb.Correlated(), "max_gradients": 1, "seed": 1, "progress": False}
        fit = bb.fit(curve, bb.BNSL(0), **settings)
        assert fit.status.ok, str(fit.status)
        assert fit.status.restarts == 0  # no chain was tempered
        monkeypatch.setattr(sampling, "SMALL_STEPS", 0.8)
        with pytest.warns(bb.NotConvergedWarning):
            assert bb.fit(curve, bb.BNSL(0), **settings).status.divergences > 4

    def test_one_compilation_serves_one_run_and_several(self, correlated_fit, runs_fit):
        made = [
            compile_law(fit.curve, fit.law, fit.noise, fit.priors)
            for fit in (correlated_fit, runs_fit)
        ]
        assert made[0] is made[1]

    def test_a_bad_point_moves_the_curve_less_with_tails(self, tails_fit):
        """Nine points follow the law and one is off by half: StudentT lets it be."""
        x = np.geomspace(1, 1e4, 60)
        y = 5 * x**-0.35 * np.exp(0.005 * np.random.default_rng(1).standard_normal(60))
        y[-3:-1] *= 1.5
        curve = bb.Curve(x, y)
        errors = []
        for noise in (tails_fit.noise, bb.LogNormal()):
            fit = bb.fit(curve, bb.M1(), noise=noise, seed=1, progress=False)
            errors.append(abs(fit.posterior["b"].median().item() + 0.35))
        assert errors[0] < 0.3 * errors[1]

    def test_log_likelihood_leaves_each_point_out(self, correlated_fit, runs_fit):
        """Against the closed form of Sundararajan and Keerthi (2001), for some draws."""
        for fit in (correlated_fit, runs_fit):
            curve, pointwise = fit.curve, fit.data["log_likelihood"]["y"]
            distance = np.abs(np.subtract.outer(curve.log_x, curve.log_x))
            together = 1.0 if curve.run is None else curve.run[:, None] == curve.run[None, :]
            for draw in (0, 500, 999):
                theta = fit.posterior.isel(chain=1, draw=draw)
                sigma, tau, ell = (theta[name].item() for name in ("sigma", "tau", "ell"))
                process = tau**2 * np.exp(-distance / ell) * together
                inverse = np.linalg.inv(process + sigma**2 * np.eye(len(curve)))
                numbers = {name: value.item() for name, value in theta.items()}
                residual = curve.log_y - fit.law.log_mu(curve.log_x, numbers)
                scale = np.diag(inverse) ** -0.5
                expected = norm.logpdf(inverse @ residual * scale**2, scale=scale) - curve.log_y
                ours = pointwise.isel(chain=1, draw=draw)
                np.testing.assert_allclose(ours, expected, rtol=1e-7)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("noise", "priors"),
        [
            (bb.StudentT(), {"nu": bb.Prior("Gamma", mu=10, sigma=5), "sigma": 0.02}),
            (bb.Correlated(), {"ell": 1.0, "tau": bb.Prior("LogNormal", mu=-3, sigma=1)}),
            (bb.Correlated(changing=True), {}),
        ],
        ids=["StudentT", "Correlated", "changing"],
    )
    def test_serves_both_samplers_and_the_users_priors(self, correlated_fit, noise, priors):
        fits = [
            bb.fit(correlated_fit.curve, bb.M1(), noise=noise, priors=priors, seed=1,
                   sampler=sampler, draws=2000, cores=1, progress=False)
            for sampler in ("nutpie", "pymc")
        ]  # fmt: skip
        for name in ("log_a", "b", *noise.parameters):
            values = [fit.posterior[name] for fit in fits]
            if isinstance(priors.get(name), float):
                assert all(np.all(value == priors[name]) for value in values)
                continue
            errors = [error_of(value, "mean") for value in values]
            means = [float(value.mean()) for value in values]
            assert means[0] == pytest.approx(means[1], abs=5 * np.hypot(*errors)), name

    @pytest.mark.slow
    @pytest.mark.parametrize("n_breaks", [0, 1])
    def test_default_fits_with_correlated_noise_converge(self, n_breaks):
        theta = {"a": 0.2, "b": 8.0, "c0": 0.15, "c": [0.4], "d": [3e3], "f": [0.4]}
        theta |= {"sigma": 0.004, "tau": 0.02}
        for seed, (n, ell) in enumerate([(30, 0.3), (30, 1.0), (45, 0.5), (60, 1.5)]):
            x = np.geomspace(10, 1e6, n)
            law = bb.BNSL(n_breaks)
            curve = bb.simulate(law, theta | {"ell": ell}, x, bb.Correlated(), seed=seed)
            fit = bb.fit(curve, law, noise=bb.Correlated(), seed=seed, progress=False)
            assert fit.status.ok, f"{n} points: {fit.status}"
