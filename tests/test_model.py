"""The PyMC model: its names, its priors, its likelihood, and what it refuses."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.stats import kstest, lognorm, multivariate_normal, norm
from scipy.stats import t as student_t

from bayes_bnsl import (
    BNSL,
    M1,
    M2,
    M3,
    M4,
    BestSoFar,
    Correlated,
    Curve,
    Custom,
    LogNormal,
    Prior,
    StudentT,
    build_model,
)  # fmt: skip
from bayes_bnsl import model as models
from bayes_bnsl.arguments import check_arguments
from bayes_bnsl.compiled import compile_law
from bayes_bnsl.draws import Problem
from bayes_bnsl.noise import log_density
from bayes_bnsl.priors import Scale
from bayes_bnsl.transforms import Magnified, Softened, Stretched
from problems import NAMED, PROBLEMS, log_shrinks, simulated, simulated_correlated

QUICK = {"mode": "FAST_COMPILE"}

PRIORS_OF_CUSTOM = {
    "k": Prior("LogNormal", mu=0, sigma=1),
    "r": Prior("LogNormal", mu=0, sigma=1),
    "s": Prior("Normal", mu=0, sigma=1, at_least=0),
}

CASES = [
    pytest.param(
        problem.name,
        PRIORS_OF_CUSTOM if isinstance(problem.law, Custom) else {},
        id=problem.name,
    )
    for problem in PROBLEMS
]
REPLACED = [
    pytest.param(name, priors, id=f"{name}: {priors}")
    for name, priors in [
        ("power law to a limit", {"c0": Prior("Normal", mu=0.34, sigma=0.02)}),
        ("power law to a limit", {"a": 0.0}),
        ("power law to a limit", {"a": Prior("Uniform", lower=0, upper=3)}),
        ("power law to a limit", {"b": Prior("LogNormal", mu=1, sigma=0.5)}),
        ("power law to a limit", {"b": 5.0, "c0": 0.35}),
        ("rising power law", {"c0": Prior("Normal", mu=-0.4, sigma=0.2, at_most=0)}),
        ("one break", {"d": 1e5, "sigma": Prior("HalfNormal", sigma=0.1)}),
        ("double descent", {"c": [-0.6, 1.0], "f": 0.2}),
        ("double descent", {"d": Prior("LogNormal", mu=np.log([1e3, 1e5]), sigma=0.3)}),
        ("double descent", {"f": Prior("Gamma", mu=0.3, sigma=0.1, at_least=0.05)}),
        ("M1", {"sigma": 0.02}),
        ("M2", {"b": Prior("Normal", mu=-0.3, sigma=0.1), "c": 0.2}),
        ("M3", {"d": Prior("LogNormal", mu=-6, sigma=1), "c": 0.0}),
        ("M4, alpha above 1", {"e_0": 3.5, "alpha": Prior("LogNormal", mu=0, sigma=0.5)}),
        ("M4, alpha above 1", {"e_0": Prior("Uniform", lower=1, upper=5), "beta": 200.0}),
    ]
]

each_default = pytest.mark.parametrize("name", [p.name for p in PROBLEMS if p.law.line])
each_case = pytest.mark.parametrize(("name", "priors"), CASES + REPLACED)


def build(name, priors=None, **settings):
    return build_model(simulated(name), NAMED[name].law, priors=priors, **settings)


def draw_free(model, n, seed=1):
    """Return prior draws of the free variables by name, shape (1, n, ...)."""
    draws = pm.draw(model.free_RVs, draws=n, random_seed=seed, **QUICK)
    return {rv.name: value[None] for rv, value in zip(model.free_RVs, draws, strict=True)}


def as_sampled(model, free):
    """Return values of the free variables in the sampler's coordinates, by their names there."""
    moved = [
        rv if transform is None else transform.forward(rv, *rv.owner.inputs)
        for rv, transform in model.rvs_to_transforms.items()
        if rv in model.free_RVs
    ]
    function = pytensor.function(model.free_RVs, moved, on_unused_input="ignore", **QUICK)
    values = function(*(free[rv.name] for rv in model.free_RVs))
    names = [model.rvs_to_values[rv].name for rv in model.free_RVs]
    return dict(zip(names, values, strict=True))


def draw_prior(model, n=100, seed=1):
    with model:
        return pm.sample_prior_predictive(n, random_seed=seed, compile_kwargs=QUICK)


def flat_points(curve, **settings):
    """Return a curve with standard errors of a tenth of y."""
    return Curve(curve.x, curve.y, y_se=0.1 * curve.y, **settings)


class TestNames:
    @pytest.mark.parametrize(
        ("law", "free", "named"),
        [
            (BNSL(0), "first last a sigma", "a b log_b c0 sigma"),
            (BNSL(2), "first last a c d f sigma", "a b log_b c0 c d f sigma"),
            (M1(), "first last sigma", "a log_a b sigma"),
            (M2(), "first last c sigma", "a log_a b c sigma"),
            (M3(), "first last c d sigma", "a log_a b c d sigma"),
            (M3(constant=False), "first last d sigma", "a log_a b d sigma"),
            (M4(), "first last e_inf e_0 alpha sigma", "e_0 e_inf alpha beta log_beta c sigma"),
        ],
        ids=lambda value: getattr(value, "name", None),
    )
    def test_are_the_letters_of_the_law(self, law, free, named):
        model = build_model(simulated("double descent"), law)
        assert {rv.name for rv in model.free_RVs} == {f"z_{name}" for name in free.split()}
        assert {each.name for each in model.deterministics} == set(named.split())
        assert [rv.name for rv in model.observed_RVs] == ["y"]

    def test_a_parameter_with_a_prior_of_the_users_is_free(self):
        model = build("M1", {"b": Prior("Normal"), "sigma": Prior("HalfNormal")})
        assert {rv.name for rv in model.free_RVs} == {"z_last", "b", "sigma"}
        assert {each.name for each in model.deterministics} == {"a", "log_a"}

    def test_dimensions(self):
        model = build("double descent")
        assert model.coords["brk"] == (1, 2)
        dims = model.named_vars_to_dims
        assert {name for name, of in dims.items() if tuple(of) == ("brk",)} == {
            "c", "d", "f", "resolution", "z_c", "z_d", "z_f",
        }  # fmt: skip
        assert tuple(dims["y"]) == ("obs_id",)
        assert "brk" not in build("M4, alpha above 1").coords  # its c is no break's


class TestParameters:
    @each_case
    def test_numpy_and_pytensor_agree(self, name, priors):
        """What a fit records is what the model that was sampled says."""
        curve, law = simulated(name), NAMED[name].law
        priors = check_arguments(curve, law, LogNormal(), priors)
        model = build(name, priors)
        free = draw_free(model, 5)
        ours = Problem(curve, law, LogNormal(), priors, Scale.of(curve)).parameters(free)
        by_model = pytensor.function(
            model.free_RVs, model.deterministics, on_unused_input="ignore", **QUICK
        )
        compared = set()
        for i in range(5):
            theirs = by_model(*(free[rv.name][0, i] for rv in model.free_RVs))
            for variable, value in zip(model.deterministics, theirs, strict=True):
                np.testing.assert_allclose(
                    ours[variable.name][0, i], value, rtol=1e-10, atol=1e-300,
                    err_msg=variable.name,
                )  # fmt: skip
                compared.add(variable.name)
        assert compared | set(free) >= set(ours)


class TestPrior:
    @each_case
    def test_predicts_positive_numbers(self, name, priors):
        predicted = draw_prior(build(name, priors)).prior_predictive["y"].values
        assert predicted.shape == (1, 100, len(NAMED[name].x))
        assert np.all(np.isfinite(predicted))
        assert np.all(predicted > 0)

    @each_default
    def test_density_is_that_of_standard_normal_coordinates(self, name):
        """Draws from the model are draws from the density that NUTS samples."""
        model, curve, law = build(name), simulated(name), NAMED[name].law
        free = draw_free(model, 3)
        log_density = model.compile_logp(vars=model.free_RVs, **QUICK)
        for i in range(3):
            point = {key: value[0, i] for key, value in free.items()}
            expected = sum(norm.logpdf(value).sum() for value in point.values())
            if isinstance(law, BNSL) and law.n_breaks:
                theta = Problem(curve, law, LogNormal(), {}, Scale.of(curve)).parameters(free)
                breaks = {key: theta[key][0, i] for key in ("d", "f")}
                expected += log_shrinks(curve, breaks, point)
            assert log_density(as_sampled(model, point)) == pytest.approx(expected, rel=1e-12)

    def test_density_with_ends_as_wide_as_points_stray_together(self):
        curve = simulated_correlated(seed=1)
        model = build_model(curve, M1(), noise=Correlated())
        log_density = model.compile_logp(vars=model.free_RVs, **QUICK)
        free = draw_free(model, 3)
        for i in range(3):
            point = {key: value[0, i] for key, value in free.items()}
            tau, sigma = 0.04 * np.exp(1.2 * point["z_tau"]), 0.02 * np.exp(point["z_sigma"])
            variance = tau**2 + 0.25 * sigma**2
            expected = sum(norm.logpdf(value).sum() for value in point.values())
            expected += 2 * 0.5 * np.log(variance / (1 + variance))
            assert log_density(as_sampled(model, point)) == pytest.approx(expected, rel=1e-12)

    def test_one_of_the_users_replaces_the_default(self):
        default = draw_prior(build("M1"), 2000).prior
        mine = draw_prior(build("M1", {"b": Prior("Normal", mu=0.34, sigma=0.02)}), 2000).prior
        assert default["b"].std() > 0.1
        assert mine["b"].mean().item() == pytest.approx(0.34, abs=4 * 0.02 / 2000**0.5)
        assert mine["b"].std().item() == pytest.approx(0.02, rel=0.1)

    def test_a_number_fixes(self):
        prior = draw_prior(build("double descent", {"a": 0.0, "c": [-0.6, 1.0], "f": 0.2})).prior
        assert np.all(prior["a"] == 0)
        assert np.all(prior["c"] == [-0.6, 1.0])
        assert np.all(prior["f"] == 0.2)
        assert prior["f"].shape == (1, 100, 2)

    def test_bounds_truncate(self):
        prior = draw_prior(
            build(
                "double descent",
                {
                    "c0": Prior("Normal", mu=0, sigma=1, at_least=0.5),
                    "sigma": Prior("HalfNormal", sigma=1, at_most=0.3),
                    "c": Prior("Normal", mu=0, sigma=1, at_least=[-1, 0], at_most=[0, 1]),
                },
            ),
            500,
        ).prior
        assert 0.5 < prior["c0"].min() < 0.52
        assert 0.28 < prior["sigma"].max() < 0.3
        np.testing.assert_allclose(prior["c"].min(("chain", "draw")), [-1, 0], atol=0.02)
        np.testing.assert_allclose(prior["c"].max(("chain", "draw")), [0, 1], atol=0.02)

    def test_one_number_a_break(self):
        prior = Prior("Normal", mu=[-5, 5], sigma=0.1)
        drawn = draw_prior(build("double descent", {"c": prior}), 200).prior["c"]
        np.testing.assert_allclose(drawn.mean(("chain", "draw")), [-5, 5], atol=0.02)


class TestLikelihood:
    @each_default
    def test_is_the_density_of_the_noise(self, name):
        curve, law = simulated(name), NAMED[name].law
        model = build(name)
        free = draw_free(model, 2)
        theta = Problem(curve, law, LogNormal(), {}, Scale.of(curve)).parameters(free)
        log_likelihood = model.compile_logp(vars=model.observed_RVs, sum=False, **QUICK)
        for i in range(2):
            here = {key: value[0, i] for key, value in theta.items()}
            point = {key: value[0, i] for key, value in free.items()}
            (ours,) = log_likelihood(as_sampled(model, point))
            log_mu = law.log_mu(curve.log_x, here)
            assert ours.shape == curve.y.shape
            np.testing.assert_allclose(ours, log_density(curve.y, log_mu, here["sigma"]), rtol=1e-9)
            if np.all(np.abs(log_mu) < 700):
                by_scipy = lognorm.logpdf(curve.y, s=here["sigma"], scale=np.exp(log_mu))
                np.testing.assert_allclose(ours, by_scipy, rtol=1e-9)

    def test_adds_standard_errors_in_quadrature(self):
        curve = flat_points(simulated("M1"))
        model = build_model(curve, M1(), priors={"sigma": 0.2})
        (ours,) = model.compile_logp(vars=model.observed_RVs, sum=False, **QUICK)(
            {"z_first": 0.0, "z_last": 0.0}
        )
        slope = (curve.log_y[-1] - curve.log_y[0]) / (curve.log_x[-1] - curve.log_x[0])
        mu = curve.y[0] * (curve.x / curve.x[0]) ** slope
        np.testing.assert_allclose(ours, lognorm.logpdf(curve.y, s=0.05**0.5, scale=mu))


NOISES = [
    (BestSoFar(), {}),
    (StudentT(), {}),
    (Correlated(), {}),
    (LogNormal(changing=True), {}),
    (Correlated(changing=True), {}),
    (StudentT(), {"nu": np.array(4.0), "sigma": Prior("HalfNormal", sigma=0.1)}),
    (Correlated(), {"tau": Prior("HalfNormal", sigma=0.1)}),
    (Correlated(), {"sigma": np.array(0.1), "ell": Prior("LogNormal", mu=0, sigma=1)}),
    (LogNormal(changing=True), {"sigma_first": np.array(0.1)}),
    (Correlated(changing=True), {"sigma_last": np.array(0.1)}),
    (Correlated(changing=True), {"sigma_first": np.array(0.1), "sigma_last": np.array(0.2)}),
]
each_noise = pytest.mark.parametrize(
    ("noise", "priors"), NOISES, ids=[f"{noise.name}: {priors}" for noise, priors in NOISES]
)


def in_runs():
    """Return points of three runs that share their x, with standard errors."""
    points = simulated("M1")
    x, y = np.tile(points.x, 3), np.concatenate([points.y * level for level in (1, 0.9, 1.1)])
    return Curve(x, y, y_se=0.1 * y, run=np.repeat(["one", "two", "three"], len(points)))


class TestNoise:
    """Noise models other than the default, on a power law of known parameters."""

    LINE = {"a": np.array(5.0), "b": np.array(-0.35)}  # noqa: RUF012

    def density(self, curve, noise, priors):
        """Return the model, one draw of its free variables, and the log density of y there."""
        model = build_model(curve, M1(), noise=noise, priors=self.LINE | priors)
        free = draw_free(model, 2)
        point = {name: value[0, 0] for name, value in free.items()}
        log_density = model.compile_logp(vars=model.observed_RVs, **QUICK)
        problem = Problem(curve, M1(), noise, self.LINE | priors, Scale.of(curve))
        theta = {name: value[0, 0] for name, value in problem.parameters(free).items()}
        return model, theta, log_density(as_sampled(model, point))

    @each_noise
    def test_numpy_and_pytensor_agree(self, noise, priors):
        curve = simulated("M1")
        model = build_model(curve, M1(), noise=noise, priors=self.LINE | priors)
        free = draw_free(model, 3)
        problem = Problem(curve, M1(), noise, self.LINE | priors, Scale.of(curve))
        ours = problem.parameters(free)
        named = [model[name] for name in noise.parameters if name not in free]
        by_model = pytensor.function(model.free_RVs, named, on_unused_input="ignore", **QUICK)
        for i in range(3):
            theirs = by_model(*(free[rv.name][0, i] for rv in model.free_RVs))
            for variable, value in zip(named, theirs, strict=True):
                assert ours[variable.name][0, i] == pytest.approx(value, rel=1e-10)
                assert value > 0

    @pytest.mark.parametrize("curve", [simulated("M1"), in_runs()], ids=["one run", "three runs"])
    @pytest.mark.parametrize("changing", [False, True])
    def test_correlated_density_is_that_of_a_dense_matrix(self, curve, changing):
        _, theta, ours = self.density(curve, Correlated(changing=changing), {})
        u = curve.log_x
        ends = [theta.get(f"sigma_{end}", theta.get("sigma")) for end in ("first", "last")]
        sigma = np.exp(np.interp(u, u[[0, -1]], np.log(ends)))
        covariance = theta["tau"] ** 2 * np.exp(-np.abs(u[:, None] - u[None, :]) / theta["ell"])
        if curve.run is not None:
            covariance *= curve.run[:, None] == curve.run[None, :]
        log_se = 0 if curve.y_se is None else curve.y_se / curve.y
        covariance += np.diag(sigma**2 + log_se**2 * np.ones(len(u)))
        expected = multivariate_normal(np.log(5) - 0.35 * u, covariance).logpdf(curve.log_y)
        assert ours == pytest.approx(expected - curve.log_y.sum(), rel=1e-9)

    @pytest.mark.parametrize("curve", [simulated("M1"), in_runs()], ids=["one run", "three runs"])
    def test_student_density_is_that_of_scipy(self, curve):
        _, theta, ours = self.density(curve, StudentT(), {})
        log_se = 0 if curve.y_se is None else curve.y_se / curve.y
        law = student_t(
            theta["nu"],
            loc=np.log(5) - 0.35 * curve.log_x,
            scale=np.hypot(theta["sigma"], log_se),
        )
        assert ours == pytest.approx(np.sum(law.logpdf(curve.log_y) - curve.log_y), rel=1e-9)

    @pytest.mark.parametrize("falls", [True, False])
    def test_best_so_far_is_the_density_of_records_and_the_chance_of_what_is_no_better(self, falls):
        points, sign = in_runs(), 1 if falls else -1
        y = np.exp(sign * np.log(points.y))
        for label in points.runs:
            of_run = points.run == label
            y[of_run] = (np.minimum if falls else np.maximum).accumulate(y[of_run])
            y[np.flatnonzero(of_run)[2]] = y[np.flatnonzero(of_run)[1]]
        curve = Curve(points.x, y, y_se=0.1 * y, run=points.run)
        given = self.LINE if falls else {"a": np.array(0.2), "b": np.array(0.35)}
        half = Prior("HalfNormal", sigma=1.0)
        model = build_model(curve, M1(), noise=BestSoFar(), priors=given | {"sigma": half})
        ours = model.compile_logp(vars=model.observed_RVs, **QUICK)({"sigma_log__": np.log(0.3)})
        expected = 0.0
        for label in curve.runs:
            last = np.nan
            for x, value in zip(curve.x[curve.run == label], y[curve.run == label], strict=True):
                law = lognorm(s=np.hypot(0.3, 0.1), scale=given["a"] * x ** given["b"])
                beyond = law.logsf(value) if falls else law.logcdf(value)
                expected += beyond if value == last else law.logpdf(value)
                last = value
        assert ours == pytest.approx(expected, rel=1e-7)  # PyMC's root of 2 has seven digits

    def test_best_so_far_prior_never_turns_back_within_a_run(self):
        curve = in_runs()
        best = np.minimum.accumulate(curve.y[curve.run == "one"])
        curve = Curve(
            np.tile(curve.x[::3], 3), np.tile(best, 3), run=np.repeat([1, 2, 3], len(best))
        )
        priors = self.LINE | {"sigma": Prior("Uniform", lower=1.0, upper=1.0001)}
        predicted = draw_prior(build_model(curve, M1(), noise=BestSoFar(), priors=priors), 200)
        log_y = np.log(predicted.prior_predictive["y"].values[0])
        before, after = curve.steps
        assert np.all(log_y[:, after] <= log_y[:, before])
        assert np.mean(log_y[:, after] == log_y[:, before]) > 0.2
        first = curve.x == curve.x[0]  # of which there is no better one before
        residual = log_y[:, first] - np.log(5) + 0.35 * curve.log_x[first]
        assert kstest(residual.ravel(), norm.cdf).pvalue > 1e-3

    def test_correlated_prior_predicts_what_its_density_says(self):
        """The whitened residuals of prior draws are standard normal."""
        curve = in_runs()
        fixed = {name: np.array(value) for name, value in
                 {"sigma": 0.2, "tau": 0.5, "ell": 2.0, "a": 5.0}.items()}  # fmt: skip
        priors = fixed | {"b": Prior("Normal", mu=-0.35, sigma=1e-6)}
        predicted = draw_prior(build_model(curve, M1(), noise=Correlated(), priors=priors), 200)
        log_y = np.log(predicted.prior_predictive["y"].values[0])
        u = curve.log_x
        covariance = 0.25 * np.exp(-np.abs(u[:, None] - u[None, :]) / 2)
        covariance = covariance * (curve.run[:, None] == curve.run[None, :]) + 0.05 * np.eye(len(u))
        white = np.linalg.solve(np.linalg.cholesky(covariance), (log_y - np.log(5) + 0.35 * u).T)
        assert kstest(white.ravel(), norm.cdf).pvalue > 1e-3

    def test_student_prior_has_its_tails(self):
        priors = self.LINE | {
            "nu": np.array(2.0),
            "sigma": Prior("Uniform", lower=0.1, upper=0.1001),
        }
        curve = simulated("M1")
        predicted = draw_prior(build_model(curve, M1(), noise=StudentT(), priors=priors), 200)
        log_y = np.log(predicted.prior_predictive["y"].values[0])
        residual = (log_y - np.log(5) + 0.35 * curve.log_x) / 0.1
        assert kstest(residual.ravel(), student_t(2).cdf).pvalue > 1e-3

    @pytest.mark.parametrize("curve", [simulated("M1"), in_runs()], ids=["one run", "three runs"])
    def test_data_and_names_of_the_model_agree(self, curve):
        model = build_model(curve, M1(), noise=Correlated())
        data = models.model_data(curve, M1(), Correlated(), {}, Scale.of(curve))
        assert {each.name for each in model.data_vars} == set(data)
        for name in set(data) - {"y_observed"}:
            np.testing.assert_array_equal(model[name].get_value(), data[name])


class TestWhatTheSamplerSees:
    @pytest.mark.parametrize(
        ("transform", "level"),
        [
            (Magnified(), [0.0, 1.0, 30.0, 400.0]),
            (Stretched(), [1.0, 0.3, 0.01, 1e-4]),
            (Softened(), [-1.6, -1.6, -0.5, -5.0]),
        ],
    )
    def test_leads_back_with_its_derivative(self, transform, level):
        z = pt.vector("z")
        inputs = (None, 0.0, 1.0, pt.as_tensor(level), None)
        seen = transform.forward(z, *inputs)
        value = pt.vector("value")
        again = transform.backward(value, *inputs)
        slope = pt.grad(again.sum(), value)
        at, log_slope = slope, transform.log_jac_det(value, *inputs)
        both = pytensor.function([value], [again, at, log_slope], **QUICK)
        forth = pytensor.function([z], seen, **QUICK)
        for start in (np.array([0.3, -0.2, 1.5, -2.5]), np.zeros(4)):
            back, derivative, log_derivative = both(forth(start))
            np.testing.assert_allclose(back, start, atol=1e-12)
            np.testing.assert_allclose(log_derivative, np.log(derivative), atol=1e-12)

    def test_is_as_wide_for_breaks_in_the_data_and_beyond(self):
        """Given all else, c is known to 1 / m where points show a bend, and is the prior's else."""
        x = np.geomspace(1, 1e4, 40)
        curve = Curve(x, np.exp(-0.5 * np.log(x) + 0.01 * np.random.default_rng(1).normal(size=40)))
        priors = {"a": np.array(0.0)}
        compiled = compile_law(curve, BNSL(1), LogNormal(), priors)
        data = models.model_data(curve, BNSL(1), LogNormal(), priors, Scale.of(curve))
        for z_d in (0.0, 4.0):
            assert 0.3 < width_of("z_c", compiled, data, z_d=z_d) < 3

    @pytest.mark.parametrize(
        ("law", "priors", "own"),
        [
            (BNSL(1), {}, None),
            (BNSL(3), {}, ["z_f", "z_c"]),
            (BNSL(2), {"c": Prior("Normal", mu=[0.0, 1.0], sigma=1.0), "f": 0.2}, ["c"]),
            (BNSL(2), {"d": Prior("LogNormal", mu=[3.0, 6.0], sigma=1.0)}, None),
        ],
    )
    def test_breaks_that_can_change_their_place_take_along_what_is_theirs(self, law, priors, own):
        curve = simulated("double descent")
        compiled = compile_law(curve, law, LogNormal(), priors)
        posterior = compiled.posterior(
            models.model_data(curve, law, LogNormal(), priors, Scale.of(curve))
        )
        if own is None:
            assert len(posterior.breaks) == 0
            return
        z = np.zeros((1, compiled.dimensions))
        z[0, posterior.breaks] = np.arange(law.n_breaks)[:, None] + 10.0 * np.arange(1 + len(own))
        for column, name in enumerate(["z_d", *own]):
            where = compiled.free.index(name)
            assert compiled.shapes[name] == (law.n_breaks,)
            first = sum(int(np.prod(compiled.shapes[each])) for each in compiled.free[:where])
            expected = 10 * column + np.arange(law.n_breaks)
            np.testing.assert_array_equal(z[0, first : first + law.n_breaks], expected)

    def test_is_as_wide_where_points_stray_little_and_much(self):
        """Given all else, an end is known as narrowly as points stray, and by the prior at most."""
        curve = simulated_correlated(seed=1)
        compiled = compile_law(curve, M1(), Correlated(), {})
        data = models.model_data(curve, M1(), Correlated(), {}, Scale.of(curve))
        for z_tau in (-2.5, 0.0, 2.5):
            assert 0.3 < width_of("z_first", compiled, data, z_tau=z_tau) < 3


@pytest.mark.parametrize("which", ["own_fit", "correlated_fit", "addition_fit"])
def test_the_way_back_from_values_to_positions(which, request):
    """With bounds, and with coordinates that the sampler sees otherwise."""
    fit = request.getfixturevalue(which)
    compiled = compile_law(fit.curve, fit.law, fit.noise, fit.priors)
    data = models.model_data(fit.curve, fit.law, fit.noise, fit.priors, fit.scale)
    generator = np.random.default_rng(1)
    positions = np.stack([compiled.draw_prior(data, generator, 5) for _ in range(2)])
    again = compiled.positions(data, compiled.values(data, positions))
    np.testing.assert_allclose(again, positions, rtol=1e-9, atol=1e-9)


def width_of(name, compiled, data, **given):
    """Return the sd of what the sampler sees of a coordinate, given one and all others at zero."""
    log_density, number = compiled.log_density(data), compiled.free.index
    seen = np.linspace(-12, 12, 241)
    positions = np.zeros((len(seen), compiled.dimensions))
    for other, value in given.items():
        positions[:, number(other)] = value
    positions[:, number(name)] = seen
    densities = np.array([log_density(position)[0] for position in positions])
    weights = np.exp(densities - densities.max())
    mean = np.average(seen, weights=weights)
    return np.sqrt(np.average((seen - mean) ** 2, weights=weights))


class TestStructure:
    def test_is_that_of_every_curve(self):
        one, other = simulated("M1"), simulated("double descent")
        assert len(one) != len(other)
        key = models.structure(one, BNSL(1), LogNormal(), {})
        assert key == models.structure(other, BNSL(1), LogNormal(), {})
        assert hash(key) == hash(models.structure(other, BNSL(1), LogNormal(), {}))

    def test_holds_no_numbers(self):
        one = {"c0": Prior("Normal", mu=1, sigma=2), "a": np.array(0.0)}
        other = {"a": np.array(0.5), "c0": Prior("Normal", mu=3, sigma=4)}
        curve = simulated("M1")
        assert models.structure(curve, BNSL(1), LogNormal(), one) == models.structure(
            curve, BNSL(1), LogNormal(), other
        )

    @pytest.mark.parametrize(
        "change",
        [
            {"law": BNSL(2)},
            {"law": M3(constant=False)},
            {"noise": StudentT()},
            {"noise": LogNormal(changing=True)},
            {"curve": flat_points(simulated("M1"))},
            {"priors": {"a": np.array(0.0)}},
            {"priors": {"a": Prior("HalfNormal")}},
            {"priors": {"a": Prior("HalfNormal", at_most=1)}},
        ],
        ids=str,
    )
    def test_differs_where_the_model_does(self, change):
        plain = {
            "curve": simulated("M1"), "law": BNSL(1), "noise": LogNormal(), "priors": {},
        }  # fmt: skip
        assert models.structure(**plain) != models.structure(**plain | change)

    def test_the_scale_of_another_curve_gives_its_priors(self):
        whole = flat_points(simulated("power law to a limit"))
        part, _ = whole.split(n=len(whole) - 3)
        point = {"z_first": 0.3, "z_last": -0.2, "z_a": 0.5}
        a = [
            model["a"].eval({model[name]: value for name, value in point.items()})
            for model in (
                build_model(whole, BNSL(0)),
                build_model(part, BNSL(0), scale=Scale.of(whole)),
                build_model(part, BNSL(0)),
            )
        ]
        assert a[0] == a[1] != a[2]

    def test_data_and_names_of_the_model_agree(self):
        priors = {"c0": Prior("Normal", mu=1, sigma=2, at_least=0), "a": np.array(0.0)}
        curve = flat_points(simulated("power law to a limit"))
        model = build_model(curve, BNSL(0), priors=priors)
        data = models.model_data(curve, BNSL(0), LogNormal(), priors, Scale.of(curve))
        assert {each.name for each in model.data_vars} == set(data)
        for name, value in data.items():
            expected = curve.y if name == "y_observed" else value
            np.testing.assert_array_equal(model[name].get_value(), expected)


def own(distribution, **numbers):
    return Prior(distribution, **numbers)


class TestRefuses:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"curve": [1, 2, 3]}, r"curve must be a Curve; got \[1, 2, 3\]"),
            ({"law": BNSL}, r"law must be a Law; got .*Did you mean BNSL\(\)\?"),
            ({"law": "BNSL"}, "law must be a Law; got 'BNSL'"),
            ({"noise": LogNormal}, r"noise must be a Noise; .*Did you mean LogNormal\(\)\?"),
            ({"noise": 0.1}, "noise must be a Noise; got 0.1"),
            ({"noise": Correlated}, r"noise must be a Noise; .*Did you mean Correlated\(\)\?"),
            ({"priors": [("a", 0.0)]}, "priors must be a Mapping; got"),
            ({"priors": {"a": "low"}}, "The prior of a must be a Prior, or a number.*got 'low'"),
        ],
    )
    def test_arguments_of_the_wrong_kind(self, arguments, message):
        with pytest.raises(TypeError, match=message):
            build_model(**{"curve": simulated("M1"), "law": BNSL(0)} | arguments)

    @pytest.mark.parametrize(
        ("law", "priors", "message"),
        [
            (BNSL(0), {"c_0": 0.3}, "'c_0', which is no parameter of BNSL.0. with LogNormal noise"),
            (BNSL(0), {"c_0": 0.3}, r"\. Did you mean 'c0'\? There are: 'a', 'b', 'c0', 'sigma'\."),
            (BNSL(0), {"d": 0.3}, "There are: 'a', 'b', 'c0', 'sigma'"),
            (BNSL(0), {"c0": own("Nrmal", mu=1)}, "'Nrmal' is no proper continuous distribution"),
            (BNSL(0), {"c0": own("Poisson", mu=1)}, "'Poisson' is no proper continuous"),
            (BNSL(0), {"c0": own("sample")}, "'sample' is no proper continuous"),
            (BNSL(0), {"c0": own("Flat")}, "'Flat' is no proper continuous"),
            (
                BNSL(0),
                {"c0": own("Normal", my=1)},
                "Normal has no parameter 'my'. There",
            ),
            (BNSL(0), {"c0": own("LogNormal", m=1)}, "has no parameter 'm'.*'mu', 'sigma', 'tau'"),
            (BNSL(0), {"c0": own("Normal", mu=0, sigma=-1)}, "not a valid prior: sigma > 0"),
            (BNSL(0), {"c0": own("Normal", sigma=1, tau=1)}, "not a valid prior"),
            (BNSL(0), {"c0": own("StudentT")}, "not a valid prior: .*nu"),
            (BNSL(0), {"c0": own("Normal", at_least=2, at_most=1)}, "valid prior: lower_bound <="),
            (BNSL(0), {"c0": own("Normal", mu=[1, 2])}, "c0 of BNSL.0. has mu .*needs one number"),
            (BNSL(2), {"c": own("Normal", mu=[1, 2, 3])}, r"shape \(3,\); it needs a number, or 2"),
            (BNSL(0), {"a": own("Normal", mu=1)}, "prior of a, .* allows values below zero.*Bound"),
            (BNSL(0), {"b": own("Laplace", mu=1, b=1)}, "prior of b, .* allows values below zero"),
            (BNSL(0), {"sigma": own("StudentT", nu=3)}, "prior of sigma, .* allows values below"),
            (M2(), {"c": own("Uniform", lower=-2, upper=2)}, "prior of c, .* allows values below"),
            (M4(), {"alpha": own("Normal", mu=1)}, "prior of alpha, .* allows values below zero"),
            (BNSL(0), {"a": -1.0}, "a is fixed to -1.0; it must be zero or more"),
            (BNSL(0), {"b": 0.0}, "b is fixed to 0.0; it must be above zero"),
            (BNSL(0), {"sigma": 0}, "sigma is fixed to 0; it must be above zero"),
            (BNSL(0), {"c0": np.inf}, "c0 is fixed to inf; it must be finite"),
            (BNSL(0), {"c0": None}, "c0 is fixed to None; it must be finite"),
            (BNSL(0), {"c0": [1, 2]}, r"c0 of BNSL\(0\) is fixed to \[1, 2\].*needs one number"),
            (BNSL(2), {"d": [1, 2, 3]}, "d of BNSL.2. is fixed to .*a number, or 2 of them"),
            (BNSL(2), {"d": [1, 0]}, r"d is fixed to \[1, 0\]; it must be above zero"),
            (M1(), {"a": 1, "b": 1, "sigma": 1}, "fixes every parameter of M1 .*nothing is left"),
            (NAMED["custom"].law, {}, "saturating has no default priors: give one for k, r, s"),
            (
                Custom(lambda u, theta, xp: -theta["sigma"] * u, ("sigma",), "mine"),
                {"sigma": 1.0},
                "sigma is a parameter of mine and of LogNormal noise. Give it another name",
            ),
            (NAMED["custom"].law, {"r": 1.0}, "give one for k, s, as in priors=.'k': Prior"),
        ],
    )
    def test_priors_that_cannot_be(self, law, priors, message):
        with pytest.raises(ValueError, match=message):
            build_model(simulated("M1"), law, priors=priors)

    @pytest.mark.parametrize(
        ("law", "n", "message"),
        [
            (BNSL(0), 2, r"BNSL\(0\) needs at least 3 distinct x; the curve 'c' has 2. M1 fits"),
            (BNSL(2), 4, r"BNSL\(2\) needs at least 5 distinct x; .*has 4. BNSL\(1\) fits as many"),
            (BNSL(3), 3, r"needs at least 6 distinct x; .*has 3. BNSL\(0\) fits as many"),
            (BNSL(3), 2, r"needs at least 6 distinct x; .*has 2. M1 fits as many"),
            (M2(), 2, "M2 needs at least 3 distinct x; .*has 2. M1 fits"),
            (M4(), 4, r"M4 needs at least 5 distinct x; .*has 4. BNSL\(0\) fits as many"),
            (M1(), 1, "The curve 'c' has one x only, 10: no law can be fitted. Add points"),
        ],
    )
    def test_too_few_points(self, law, n, message):
        x = np.repeat(10.0 ** np.arange(1, n + 1), 2)  # replicates do not help
        curve = Curve(x, 1 + np.random.default_rng(1).random(2 * n), name="c")
        with pytest.raises(ValueError, match=message):
            build_model(curve, law)

    def test_as_few_points_as_that_can_be_fitted(self):
        for law in (M1(), BNSL(0), BNSL(2), M4()):
            x = 10.0 ** np.arange(law.min_points)
            assert build_model(Curve(x, 1 / x), law).free_RVs
