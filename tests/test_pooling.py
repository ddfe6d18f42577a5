"""Curves of a family fitted together: against integrals, against the prior, and in words."""

from dataclasses import replace

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from scipy.special import expit
from scipy.stats import norm

import bayes_bnsl as bb
from bayes_bnsl.draws import Problem
from bayes_bnsl.family import Family
from bayes_bnsl.family_model import build_family_model

KNOWN = {"sigma": 0.02}
SETTINGS = {"priors": KNOWN, "progress": False, "seed": 1}


def line(slope, n, *, noise=0.02, seed=1, decades=2.0):
    """Return n points of a power law; the noise is known, so that all is Gaussian."""
    x = np.geomspace(10, 10 ** (1 + decades), n)
    y = 2 * x**slope * np.exp(noise * np.random.default_rng(seed).standard_normal(n))
    return bb.Curve(x, y, name=f"slope {slope}")


LINES = [line(-0.30, 8), line(-0.36, 8, seed=2), line(-0.40, 3, seed=3, decades=0.2)]
"""The last one is so short that its slope alone would be known to 0.06."""


@pytest.fixture(scope="module")
def fits():
    return bb.fit_together(LINES, bb.M1(), **SETTINGS)


def draws(fit, name):
    return fit.posterior[name].values


def family_of(curves, law, noise=None, priors=None):
    return Family(tuple(curves), law, noise or bb.LogNormal(), priors or {})


def exact_slopes(family, curves):
    """Return mean and sd of each slope, and of the family's spread, by integrals on a grid.

    Given mean and spread of the slopes in the family, each curve is a linear model with Gaussian
    priors: of the slope, and of the level at the last x.
    """
    prior = dict(family.slope_prior.parameters)
    z = np.linspace(-5, 5, 401)
    z_mean, z_spread = np.meshgrid(z, z, indexing="ij")
    s = 0.02 + 0.98 * expit(-2 + z_spread)
    mu = prior["mu"] + prior["sigma"] * np.sqrt(1 - s**2) * z_mean
    tau = prior["sigma"] * s
    log_weight = norm.logpdf(z_mean) + norm.logpdf(z_spread)
    moments = []
    for curve, scale in zip(curves, family.scales, strict=True):
        u = curve.log_x - scale.log_x_last
        gap = curve.log_y - scale.log_y_last
        # marginalised over the level: gap ~ Normal(slope u, noise + level)
        covariance = KNOWN["sigma"] ** 2 * np.eye(len(u)) + scale.spread**2
        precision = np.linalg.inv(covariance)
        info, seen = u @ precision @ u, u @ precision @ gap
        best = seen / info
        log_weight = log_weight + norm.logpdf(best, mu, np.sqrt(tau**2 + 1 / info))
        variance = 1 / (info + 1 / tau**2)
        moments.append((variance * (seen + mu / tau**2), variance))
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    slopes = []
    for mean, variance in moments:
        centre = (weight * mean).sum()
        slopes.append((centre, np.sqrt((weight * (variance + (mean - centre) ** 2)).sum())))
    return slopes, ((weight * mu).sum(), (weight * tau).sum())


class TestAgainstIntegrals:
    def test_slopes_shrink_as_they_must(self, fits):
        curves = sorted(LINES, key=lambda curve: curve.name)
        slopes, (mean, spread) = exact_slopes(family_of(curves, bb.M1(), priors=KNOWN), curves)
        for curve, (centre, sd) in zip(curves, slopes, strict=True):
            found = draws(fits[curve.name], "b")
            assert fits[curve.name].status.ok
            assert abs(found.mean() - centre) < 0.15 * sd
            assert abs(found.std() / sd - 1) < 0.1
        about = fits[curves[0].name].data["family"].to_dataset().sel(parameter="b")
        assert abs(float(about["mean"].mean()) - mean) < 0.15 * float(about["mean"].std())
        assert abs(float(about["spread"].mean()) - spread) < 0.15 * float(about["spread"].std())

    def test_a_family_of_one_has_the_prior_of_the_curve_alone(self):
        curve = LINES[2]
        fit = bb.fit_together([curve], bb.M1(), **SETTINGS)[curve.name]
        family = family_of([curve], bb.M1(), priors=KNOWN)
        prior, scale = dict(fit.priors["b"].parameters), fit.scale
        assert fit.priors["b"] == family.slope_prior
        u = curve.log_x - scale.log_x_last
        design = np.stack([np.ones_like(u), u], axis=1)
        precision = design.T @ design / KNOWN["sigma"] ** 2
        precision += np.diag([scale.spread**-2, prior["sigma"] ** -2])
        seen = design.T @ (curve.log_y - scale.log_y_last) / KNOWN["sigma"] ** 2
        seen += [0.0, prior["mu"] / prior["sigma"] ** 2]
        mean, covariance = np.linalg.solve(precision, seen), np.linalg.inv(precision)
        found, sd = draws(fit, "b"), np.sqrt(covariance[1, 1])
        assert abs(found.mean() - mean[1]) < 0.15 * sd
        assert abs(found.std() / sd - 1) < 0.1


class TestFamily:
    @pytest.mark.parametrize(
        ("law", "noise"),
        [
            (bb.BNSL(0), bb.LogNormal()),
            (bb.BNSL(2), bb.StudentT(changing=True)),
            (bb.M3(), bb.LogNormal()),
        ],
        ids=str,
    )
    def test_a_draw_of_the_prior(self, law, noise):
        """The model and its results agree on what coordinates mean; curves keep their priors."""
        curves = [line(-0.3, n, seed=n, decades=1 + n / 10) for n in (9, 12, 20)]
        curves[1] = replace(curves[1], y_se=0.05 * curves[1].y)
        family = family_of(curves, law, noise)
        model = build_family_model(family)
        location, scatter = (
            model["y"].owner.inputs[-3:-1] if noise == bb.LogNormal() else (None, None)
        )
        wanted = [*model.free_RVs] + ([location, scatter] if location is not None else [])
        drawn = pm.draw(wanted, draws=1500, random_seed=1, mode="FAST_COMPILE")
        values = {rv.name: array for rv, array in zip(model.free_RVs, drawn, strict=False)}
        assert {name for name in values if "mean" in name} == {
            f"z_mean_{name}" for name in family.shared
        }
        for name in (*family.shared, "last"):
            of_slope = name == family.slope
            own = values[name if of_slope else f"z_{name}"]
            if of_slope:
                prior = dict(family.slope_prior.parameters)
                own = (own - prior["mu"]) / prior["sigma"]
            if name == law.limit_name:
                own = own - family.limit_shift
            assert np.all(abs(own.mean(axis=0)) < 0.12)
            assert np.all(abs(own.std(axis=0) - 1) < 0.1)
            together = np.corrcoef(
                own[:, 0].reshape(1500, -1)[:, 0], own[:, 1].reshape(1500, -1)[:, 0]
            )
            if name == "last":
                assert abs(together[0, 1]) < 0.1
            else:
                assert together[0, 1] > (0.9 if of_slope else 0.6)
        if location is None:
            return
        start = 0
        for k, curve in enumerate(curves):
            own = {
                name: array[None, :, k]
                for name, array in values.items()
                if not name.startswith(("z_mean", "z_spread"))
            }
            problem = Problem(curve, law, noise, family.curve_priors, family.scales[k])
            dims = ("chain", "draw", "brk")
            posterior = xr.Dataset(
                {n: (dims[: v.ndim], v) for n, v in problem.parameters(own).items()}
            )
            theta = {n: v.isel(chain=0).rename(draw="sample") for n, v in posterior.items()}
            log_mu, points = problem.points(theta)
            here = slice(start, start + len(curve))
            np.testing.assert_allclose(log_mu, drawn[-2][:, here], rtol=1e-6, atol=1e-9)
            np.testing.assert_allclose(points.scale, drawn[-1][:, here], rtol=1e-9)
            start += len(curve)

    @pytest.mark.parametrize("c0", [0.35, -0.35])
    def test_limits_of_shorter_curves_are_smaller_fractions(self, c0):
        """One curve cut at different x has one limit, which the coordinates should agree on."""
        x, theta = np.geomspace(1, 1e3, 16), {"a": 0.3, "b": 3.0, "c0": c0}
        curve = bb.Curve(x, bb.BNSL(0)(x, theta))
        parts = [replace(curve.take(slice(n)), name=str(n)) for n in (8, 12, 16)]
        share = np.array([0.3 / part.y[-1] for part in parts])
        z = np.log(share / (1 - share)) / 1.7
        family = family_of(parts, bb.BNSL(0))
        assert np.ptp(z - family.limit_shift) < 0.4 * np.ptp(z)

    def test_what_has_a_prior_is_not_shared(self):
        family = family_of(LINES, bb.BNSL(1), priors={"a": np.array(0.0), "f": np.array([0.5])})
        assert family.shared == ("c0", "c", "sigma")
        fixed = {"c0": bb.Prior("Normal", mu=0.3, sigma=0.1)}
        assert family_of(LINES, bb.BNSL(0), priors=fixed).shared == ("a", "sigma")


class TestFits:
    def test_the_order_of_curves_does_not_matter(self, fits):
        turned = bb.fit_together(LINES[::-1], bb.M1(), **SETTINGS)
        assert list(turned) == [curve.name for curve in LINES[::-1]]
        assert list(fits) == [curve.name for curve in LINES]
        for name, fit in fits.items():
            assert fit.posterior.identical(turned[name].posterior)

    def test_the_same_points_three_times(self):
        same = {str(i): LINES[0] for i in range(3)}
        fits = bb.fit_together(same, bb.M1(), **SETTINGS)
        means = [draws(fit, "b").mean() for fit in fits.values()]
        assert np.ptp(means) < 0.2 * draws(fits["0"], "b").std()
        assert float(fits["0"].data["family"]["spread"].median()) < 0.04

    def test_the_short_curve_borrows(self):
        """Its slope is known from its own points to 0.06, and better with the others'."""
        short = LINES[2]
        family = [line(-0.42, 8), line(-0.41, 8, seed=2), short]
        fit = bb.fit_together(family, bb.M1(), **SETTINGS)[short.name]
        alone = 0.02 / np.sqrt(np.sum((short.log_x - short.log_x.mean()) ** 2))
        assert draws(fit, "b").std() < 0.8 * alone

    def test_each_is_a_fit(self, fits, tmp_path):
        fit = fits[LINES[2].name]
        assert fit.is_pooled
        assert repr(fit).splitlines()[0] == (
            "<Fit of M1 to 'slope -0.4', 3 points, together with its family>"
        )
        assert fit.data["family"].attrs["n_curves"] == 3
        fit.save(tmp_path / "fit.nc")
        again = bb.load_fit(tmp_path / "fit.nc")
        assert again.is_pooled
        assert again.data["family"].to_dataset().equals(fit.data["family"].to_dataset())
        ahead = bb.forecast(again, [1e3, 1e4], seed=1)
        assert ahead.identical(bb.forecast(fit, [1e3, 1e4], seed=1))
        left_out = bb.leave_one_out(fit, repair=False)
        assert left_out.sizes["left"] == 3

    @pytest.mark.parametrize(
        "function", [bb.log_evidence, bb.sensitivity, bb.leave_one_out, bb.leave_future_out]
    )
    def test_what_needs_the_curve_alone(self, fits, function):
        with pytest.raises(ValueError, match=r"together with its family.*[Ff]it the curve"):
            function(fits[LINES[0].name])


OWN = bb.Custom(lambda u, p, xp: p["k"] - p["r"] * u, ("k", "r"), "line")


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"curves": []}, ValueError, "curves is empty"),
        ({"curves": [LINES[0], LINES[0]]}, ValueError, "the name 'slope -0.3' more than once"),
        ({"curves": [1]}, TypeError, "curves must hold Curve alone; got 1"),
        ({"law": bb.M1}, TypeError, r"law must be a Law; got .*Did you mean M1\(\)"),
        ({"law": OWN}, ValueError, "line is a law of your own.*Take BNSL"),
        ({"law": bb.BNSL(2)}, ValueError, r"BNSL\(2\) needs at least 5 distinct x; .*'slope -0.4'"),
        ({"noise": bb.Correlated()}, ValueError, r"independent noise; got noise=Correlated"),
        ({"noise": "auto"}, ValueError, "independent noise; got noise='auto'"),
        ({"noise": bb.BestSoFar()}, ValueError, r"independent noise; got noise=BestSoFar"),
        ({"priors": {"a": 2.0}}, ValueError, "priors names 'a', the level of M1"),
        ({"draws": 0}, ValueError, "draws must be at least 1"),
        ({"chains": 1}, ValueError, "chains must be at least 2"),
    ],
)
def test_arguments(changed, error, message):
    arguments = {"curves": LINES, "law": bb.M1(), **SETTINGS} | changed
    with pytest.raises(error, match=message):
        bb.fit_together(**arguments)


@pytest.mark.slow  # two laws of 6 curves each, and each curve alone
@pytest.mark.parametrize("law", [bb.BNSL(0), bb.BNSL(1)], ids=str)
def test_forecasts_of_a_family_are_nearer(law):
    generator = np.random.default_rng(4)
    x = np.geomspace(10, 1e3, 10)
    errors = {"alone": [], "together": []}
    curves, truth = [], []
    for i in range(6):
        theta = {"a": 0.05 * np.exp(generator.normal()), "b": 3.0, "c0": 0.35}
        theta["c0"] *= 1 + 0.1 * generator.standard_normal()
        curves.append(bb.simulate(bb.BNSL(0), theta, x, 0.02, seed=i, name=str(i)))
        truth.append(bb.BNSL(0)(1e4, theta))
    together = bb.fit_together(curves, law, seed=1, progress=False)
    assert all(fit.status.ok for fit in together.values())
    for curve, y in zip(curves, truth, strict=True):
        alone = bb.fit(curve, law, seed=1, progress=False)
        for way, fit in (("alone", alone), ("together", together[curve.name])):
            middle = bb.forecast(fit, [1e4], seed=1)["curve"].median().item()
            errors[way].append(np.log(middle / y))
    assert np.std(errors["together"]) < np.std(errors["alone"])
