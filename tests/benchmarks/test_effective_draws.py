"""Effective draws per second of log mu at twice the largest x: ours against two rivals.

The rivals sample the same law with the paper's parameters and wide priors: PyMC with its
defaults, and emcee with 32 walkers. Run by ``make benchmark``; the numbers to read are the
ratios in ``extra_info`` and in the printed line, medians over the curves.
"""

from __future__ import annotations

import time
import warnings

import emcee
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from arviz_stats.base import array_stats

import bayes_bnsl as bb
from bayes_bnsl.noise import log_density

THETA = {"a": 0.3, "b": 3.0, "c0": 0.15, "c": [0.4], "d": [300.0], "f": [0.3]}
CURVES = [
    bb.simulate(bb.BNSL(1), THETA, np.geomspace(10, 1e4, n), noise=noise, seed=seed)
    for seed, (n, noise) in enumerate([(12, 0.02), (25, 0.01), (40, 0.005)])
]


def effective_draws(draws):
    """Bulk effective sample size of draws of shape (chain, draw)."""
    return float(array_stats.ess(draws, chain_axis=0, draw_axis=1, method="bulk"))


def log_mu_at_twice(curve, theta):
    return bb.BNSL(1).log_mu(curve.log_x[-1] + np.log(2), theta)


def ours(curve):
    fit = bb.fit(curve, bb.BNSL(1), seed=1, progress=False)
    theta = {name: values.values for name, values in fit.posterior.data_vars.items()}
    return effective_draws(log_mu_at_twice(curve, theta)) / fit.seconds


def plain_pymc(curve):
    with pm.Model():
        a = pm.HalfNormal("a", 1.0)
        b = pm.LogNormal("b", 0.0, 3.0)
        c0, c = pm.Normal("c0", 0.0, 1.0), pm.Normal("c", 0.0, 1.0)
        middle = curve.log_x.mean()
        d = pm.LogNormal("d", middle, 2.0)
        f = pm.LogNormal("f", -1.0, 1.0)
        sigma = pm.HalfNormal("sigma", 0.2)
        x = pt.as_tensor(curve.x)
        mu = a + b * x ** (-c0) * (1 + (x / d) ** (1 / f)) ** (-c * f)
        pm.LogNormal("y", mu=pt.log(mu), sigma=sigma, observed=curve.y)
        tree = pm.sample(random_seed=1, progressbar=False, quiet=True)
        seconds = tree["posterior"].attrs["sampling_time"]  # without compilation, as ours
    posterior = {name: values.values for name, values in tree["posterior"].data_vars.items()}
    posterior |= {name: posterior[name][..., None] for name in ("c", "d", "f")}
    return effective_draws(log_mu_at_twice(curve, posterior)) / seconds


def plain_emcee(curve, steps=3000):
    def theta_of(z):
        return {
            "a": np.exp(z[..., 0]), "log_b": z[..., 1], "c0": z[..., 2], "c": z[..., 3, None],
            "log_d": z[..., 4, None], "f": np.exp(z[..., 5, None]),
        }  # fmt: skip

    scale = np.array([2.0, 3.0, 1.0, 1.0, 2.0, 1.0, 2.0])
    centre = np.array([-1.0, 0.0, 0.0, 0.0, curve.log_x.mean(), -1.0, -3.0])

    def posterior(z):
        prior = -0.5 * np.sum(((z - centre) / scale) ** 2, axis=-1)
        theta = {
            k: v[..., None] if v.ndim == 1 else v[..., None, :] for k, v in theta_of(z).items()
        }
        log_mu = bb.BNSL(1).log_mu(curve.log_x, theta)
        sigma = np.exp(z[:, -1:])
        return prior + log_density(curve.y, log_mu, sigma).sum(axis=-1)

    sampler = emcee.EnsembleSampler(32, 7, posterior, vectorize=True)
    start = centre + 0.1 * np.random.default_rng(1).standard_normal((32, 7))
    began = time.perf_counter()
    sampler.run_mcmc(start, steps, progress=False)
    seconds = time.perf_counter() - began
    z = sampler.get_chain(discard=steps // 2).swapaxes(0, 1)
    return effective_draws(log_mu_at_twice(curve, theta_of(z))) / seconds


@pytest.mark.parametrize("rival", [plain_pymc, plain_emcee])
def test_effective_draws_per_second(benchmark, rival):
    for curve in CURVES:
        ours(curve)  # compiled before anything is timed

    def ratios():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a rival says of its own convergence
            return [ours(curve) / rival(curve) for curve in CURVES]

    measured = benchmark.pedantic(ratios, rounds=1)
    benchmark.extra_info["ratios"] = measured
    print(f"\nours / {rival.__name__}: median {np.median(measured):.1f}, {np.round(measured, 1)}")
