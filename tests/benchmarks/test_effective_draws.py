"""Effective draws per second of log mu at twice the largest x: ours against two rivals.

The rivals sample the same law with the paper's parameters and wide priors: PyMC with target
acceptance 0.95, and emcee with 32 walkers. Run by ``make benchmark``; the numbers to read are in
the printed table, medians over the curves. ``BAYES_BNSL_CURVES=folder`` takes curves of the public
benchmark, 20 of them evenly spaced or ``BAYES_BNSL_COUNT``; otherwise three are simulated.
"""

from __future__ import annotations

import os
import time
import warnings

import emcee
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from arviz_stats.base import array_stats

import bayes_bnsl as bb
from bayes_bnsl.compiled import _compiled, compile_law
from bayes_bnsl.noise import log_density as noise_density

THETA = {"a": 0.3, "b": 3.0, "c0": 0.15, "c": [0.4], "d": [300.0], "f": [0.3]}
SIMULATED = [
    bb.simulate(bb.BNSL(1), THETA, np.geomspace(10, 1e4, n), noise=noise, seed=seed)
    for seed, (n, noise) in enumerate([(12, 0.02), (25, 0.01), (40, 0.005)])
]
WALKERS = 32


def curves(law):
    """Return the curves to measure on: public ones where their folder is given."""
    folder = os.environ.get("BAYES_BNSL_CURVES")
    if not folder:
        return SIMULATED
    enough = [
        each.seen
        for each in bb.read_benchmark(folder)
        if len(np.unique(each.seen.x)) >= law.min_points
    ]
    count = min(int(os.environ.get("BAYES_BNSL_COUNT", "20")), len(enough))
    return [enough[i] for i in np.linspace(0, len(enough) - 1, count).round().astype(int)]


def wide_priors(law, curve):
    """Return mean and sd of normal priors, on logs of the parameters that are so named."""
    of_law = {
        "BNSL(1)": {
            "log_a": (curve.log_y.min() - 1, 2.0),
            "log_b": (0.0, 10.0),
            "c0": (0.0, 1.0),
            "c": (0.0, 1.0),
            "log_d": (curve.log_x.mean(), 2.0),
            "log_f": (-1.0, 1.0),
        },
        "M4": {
            "log_e_0": (curve.log_y.max() + 0.5, 1.0),
            "log_e_inf": (curve.log_y.min() - 1, 2.0),
            "log_alpha": (0.0, 1.0),
            "log_beta": (0.0, 10.0),
            "c": (0.0, 1.0),
        },
    }
    return of_law[law.name] | {"log_sigma": (-3.0, 2.0)}


def law_parameters(law, values, xp):
    """Return the parameters of a law, those of its line in logs as they are."""
    theta = {}
    for name, value in values.items():
        bare = name.removeprefix("log_")
        kept = name == bare or name in law.line
        value = value if kept else xp.exp(value)
        theta[name if kept else bare] = value[..., None] if law.has_break(bare) else value
    return theta


def effective_draws(draws):
    """Bulk effective sample size of draws of shape (chain, draw)."""
    return float(array_stats.ess(draws, chain_axis=0, draw_axis=1, method="bulk"))


def at_twice(law, curve, theta):
    return effective_draws(law.log_mu(curve.log_x[-1] + np.log(2), theta))


def compilation(law):
    """Return the seconds that compiling a law takes, which is done once a process."""
    _compiled.clear()
    began = time.perf_counter()
    compile_law(SIMULATED[0], law, bb.LogNormal(), {})
    return time.perf_counter() - began


def ours(law, curve):
    """Return effective draws and seconds without compilation."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bb.NotConvergedWarning)
        fit = bb.fit(curve, law, seed=1, progress=False)
    theta = {name: values.values for name, values in fit.posterior.data_vars.items()}
    return at_twice(law, curve, theta), fit.seconds


def plain_pymc(law, curve):
    """Return effective draws, and seconds without and with compilation."""
    priors = wide_priors(law, curve)
    began = time.perf_counter()
    with pm.Model():
        # centred, and in the paper's parameters: a log-normal prior is that of the parameter
        values = {
            name: pm.Normal(name, *prior)
            if name in law.line or not name.startswith("log_")
            else pt.log(pm.LogNormal(name.removeprefix("log_"), *prior))
            for name, prior in priors.items()
        }
        sigma = pt.exp(values.pop("log_sigma"))
        log_mu = law.log_mu(pt.as_tensor(curve.log_x), law_parameters(law, values, pt), pt)
        pm.LogNormal("y", mu=log_mu, sigma=sigma, observed=curve.y)
        tree = pm.sample(
            1000, tune=1000, nuts={"target_accept": 0.95}, random_seed=1,
            progressbar=False, quiet=True,
        )  # fmt: skip
    total = time.perf_counter() - began
    posterior = {name: draws.values for name, draws in tree["posterior"].data_vars.items()}
    posterior.pop("sigma")
    theta = {
        name: value[..., None] if law.has_break(name) else value
        for name, value in posterior.items()
    }
    return at_twice(law, curve, theta), tree["posterior"].attrs["sampling_time"], total


def plain_emcee(law, curve, steps=3000):
    """Return effective draws and seconds, twice: there is nothing to compile."""
    priors = wide_priors(law, curve)
    centre, sd = np.array(list(priors.values())).T

    def log_density(z):
        values = dict(zip(priors, z.T[..., None], strict=True))
        sigma = np.exp(values.pop("log_sigma"))
        with np.errstate(invalid="ignore"):  # a limit above e_0 has no curve
            log_mu = law.log_mu(curve.log_x, law_parameters(law, values, np))
        density = noise_density(curve.y, log_mu, sigma).sum(axis=-1)
        density = density - 0.5 * np.sum(((z - centre) / sd) ** 2, axis=-1)
        return np.where(np.isfinite(density), density, -np.inf)

    sampler = emcee.EnsembleSampler(WALKERS, len(priors), log_density, vectorize=True)
    start = centre + 0.1 * np.random.default_rng(1).standard_normal((WALKERS, len(priors)))
    began = time.perf_counter()
    sampler.run_mcmc(start, steps, progress=False)
    seconds = time.perf_counter() - began
    z = sampler.get_chain(discard=steps // 2).swapaxes(0, 1)
    values = dict(zip(priors, np.moveaxis(z, -1, 0), strict=True))
    values.pop("log_sigma")
    return at_twice(law, curve, law_parameters(law, values, np)), seconds, seconds


@pytest.mark.parametrize("rival", [plain_pymc, plain_emcee])
@pytest.mark.parametrize("law", [bb.BNSL(1), bb.M4()], ids=lambda law: law.name)
def test_effective_draws_per_second(benchmark, law, rival):
    once = compilation(law)
    ours(law, SIMULATED[0])  # what is only slow the first time

    def ratios():
        found = []
        for curve in curves(law):
            draws, seconds = ours(law, curve)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what a rival says of its own convergence
                theirs, warm, cold = rival(law, curve)
            found.append(
                (draws / seconds * warm / theirs, draws / (seconds + once) * cold / theirs)
            )
        return np.array(found)

    measured = benchmark.pedantic(ratios, rounds=1)
    print(f"\n{law.name}, ours / {rival.__name__}, {len(measured)} curves")
    for label, column in zip(("without compilation", "with it"), measured.T, strict=True):
        low, middle, high = np.quantile(column, [0.1, 0.5, 0.9])
        benchmark.extra_info[label] = column.tolist()
        print(f"  {label}: median {middle:.1f}, 10 % below {low:.1f}, 10 % above {high:.1f}")
