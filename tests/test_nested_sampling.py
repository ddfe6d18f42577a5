"""The posterior beyond the data, against nested sampling: hard curves, simulated and real."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

import arviz_stats as azs
import numpy as np
import pytest
from scipy.special import logsumexp, softmax
from scipy.stats import chi2, multivariate_normal, norm

import bayes_bnsl as bb
import nested
from bayes_bnsl import defaults
from bayes_bnsl.priors import Scale
from problems import NAMED, simulated

FOLDER = "BAYES_BNSL_CURVES"
BEYOND = {"last x": 1.0, "2x": 2.0, "10x": 10.0}

SHARP = {"a": 0.4, "b": 2.3, "c0": 0.06, "c": [4.0], "d": [600.0], "f": [0.05]}


def public_curve(name):
    """Return the seen part of a public curve, if its folder is known."""
    folder = os.environ.get(FOLDER)
    if not folder:
        pytest.skip(f"needs the public curves: {FOLDER}=folder names where they are")
    (found,) = [each.seen for each in bb.read_benchmark(folder) if each.name == name]
    return found


class Case(NamedTuple):
    """A curve, a law for it, and how nested sampling goes about it."""

    curve: Callable[[], bb.Curve]
    law: bb.Law
    oracle: Mapping[str, int] = {}


CASES = {
    "double descent": Case(lambda: simulated("double descent"), NAMED["double descent"].law),
    "sharp break near the end": Case(
        lambda: bb.simulate(bb.BNSL(1), SHARP, np.geomspace(160, 740, 14), noise=0.005, seed=1),
        bb.BNSL(1),
    ),
    "M4": Case(lambda: simulated("M4, alpha above 1"), bb.M4()),
    "two breaks where there is one": Case(
        lambda: simulated("one break"),
        bb.BNSL(2),
        {"n_live": 500, "steps": 1500},  # with walks of 300 the runs contradict each other
    ),
    "language model, two breaks": Case(
        lambda: public_curve("LM / val_loss / 1.34e+08"), bb.BNSL(2)
    ),
    "translation, two breaks": Case(
        lambda: public_curve("NMT / log_perplexity / 6 Enc, 28 Dec"),
        bb.BNSL(2),
        {"n_live": 600},
    ),
}


def exact_moments(curve, log_x):
    """Return mean and sd of log mu of a power law whose sigma is unknown, and the log evidence.

    Given sigma the posterior is Gaussian: log mu is a line between its ends, which are
    Normal(log y there, spread). What remains is an integral over sigma.
    """
    scale = Scale.of(curve)

    def design(u):
        t = (u - scale.log_x_first) / (scale.log_x_last - scale.log_x_first)
        return np.stack([1 - t, t], axis=-1)

    centre, h = np.array([scale.log_y_first, scale.log_y_last]), design(curve.log_x)
    z = np.linspace(-6, 6, 2001)
    weights, means, variances = [], [], []
    for sigma in defaults.NOISE_SHARE * scale.spread * np.exp(z):
        precision = h.T @ h / sigma**2 + np.eye(2) / scale.spread**2
        mean = np.linalg.solve(precision, h.T @ curve.log_y / sigma**2 + centre / scale.spread**2)
        at = design(log_x)
        means.append(at @ mean)
        variances.append(np.einsum("ij,jk,ik->i", at, np.linalg.inv(precision), at))
        covariance = sigma**2 * np.eye(len(curve)) + scale.spread**2 * h @ h.T
        weights.append(multivariate_normal.logpdf(curve.log_y, h @ centre, covariance))
    weights = np.array(weights) + norm.logpdf(z)
    log_evidence = logsumexp(weights) + np.log(z[1] - z[0])
    weights = softmax(weights)
    mean = weights @ np.array(means)
    return (
        mean,
        np.sqrt(weights @ (np.array(variances) + (np.array(means) - mean) ** 2)),
        log_evidence,
    )


@pytest.mark.parametrize("law", [bb.M1(), bb.M4(), *map(bb.BNSL, range(4))], ids=str)
def test_both_implementations_agree(law):
    """Laws and priors as the oracle has them, against those of the package."""
    curve = simulated("one break")
    scale, log_x = Scale.of(curve), np.append(curve.log_x, curve.log_x[-1] + np.log([2.0, 10.0]))
    names = np.array(nested.names_of(law))
    for z in np.random.default_rng(1).standard_normal((50, len(names))):

        def coordinate(name, *, per_break=False, z=z):
            found = z[names == name]
            return found if per_break else found.item()

        theta = defaults.parameters(law, scale, {}, coordinate)
        theta |= defaults.noise_parameters(bb.LogNormal(), scale, {}, coordinate)
        log_mu = law.log_mu(log_x, theta)
        np.testing.assert_allclose(
            nested.log_mu_at(law, scale, [z], log_x)[0], log_mu, rtol=1e-10, atol=1e-10
        )
        log_likelihood = norm.logpdf(curve.log_y, log_mu[: len(curve)], theta["sigma"]).sum()
        np.testing.assert_allclose(nested.log_likelihood(curve, law, z), log_likelihood, rtol=1e-9)


def test_the_oracle_itself():
    """Against a posterior, and an evidence, that one integral gives."""
    curve = simulated("M1")
    curve = bb.Curve(curve.x[::4], curve.y[::4])
    log_x = curve.log_x[-1] + np.log([1.0, 10.0])
    mean, sd, log_evidence = exact_moments(curve, log_x)
    got = nested.moments(curve, bb.M1(), log_x, n_live=100, steps=50)
    np.testing.assert_array_less(np.abs(got.mean - mean), 4 * got.mean_error)
    np.testing.assert_array_less(np.abs(got.sd - sd), 4 * got.sd_error)
    np.testing.assert_array_less(got.mean_error, 0.1 * sd)
    pull = (got.log_evidence - log_evidence) / got.log_evidence_error
    assert abs(pull.sum()) < 4 * np.sqrt(len(pull))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_moments_agree_with_nested_sampling(name):
    make, law, settings = CASES[name]
    curve = make()
    log_x = curve.log_x[-1] + np.log(list(BEYOND.values()))
    oracle = nested.moments(curve, law, log_x, **settings)
    print(f"\n{name}: log evidence of the runs {np.round(oracle.log_evidence, 1)}")
    pull = oracle.log_evidence - oracle.log_evidence.mean()
    pull /= oracle.log_evidence_error
    assert pull @ pull < chi2.isf(1e-3, len(pull) - 1), "the runs contradict each other: no oracle"
    fit = bb.fit(curve, law, seed=1, progress=False)
    assert fit.status.ok
    evidence = bb.log_evidence(fit).value + curve.log_y.sum()  # of log y, as the oracle's
    apart, error = evidence - oracle.log_evidence.mean(), np.hypot(*oracle.log_evidence_error[:2])
    print(f"{name}: log evidence {evidence:.2f}, {apart:+.2f} from the oracle, +- {error:.2f}")
    assert abs(apart) < 3 * error
    theta, apart_at = dict(fit.posterior.data_vars), []
    for i, label in enumerate(BEYOND):
        log_mu = law.log_mu(log_x[i], theta).rename("it").to_dataset()
        for of_oracle, error, ours, method in (
            (oracle.mean, oracle.mean_error, log_mu["it"].mean(), "mean"),
            (oracle.sd, oracle.sd_error, log_mu["it"].std(), "sd"),
        ):
            both = np.hypot(error[i], float(azs.mcse(log_mu, method=method)["it"]))
            apart = abs(float(ours) - of_oracle[i])
            print(
                f"{name}, {label}, {method}: {float(ours):.4f} and {of_oracle[i]:.4f}, "
                f"{apart / both:.1f} standard errors or {apart / oracle.sd[i]:.3f} sd apart; "
                f"error of the oracle {error[i] / oracle.sd[i]:.3f} sd"
            )
            assert both < 0.15 * oracle.sd[i], "too uncertain to tell anything"
            if apart > max(3 * both, 0.02 * oracle.sd[i]):
                apart_at.append((label, method))
    assert not apart_at
