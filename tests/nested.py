"""Posteriors by nested sampling: an oracle that shares neither sampler nor gradients with NUTS.

The log likelihood is compiled, since nested sampling evaluates it a million times; that it is
the one written with NumPy is checked before it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import dynesty
import numpy as np
import pytensor
import pytensor.tensor as pt
from dynesty.utils import merge_runs, resample_run
from scipy.special import ndtri

from bayes_bnsl import LogNormal, priors
from bayes_bnsl.priors import Scale

NOISE = LogNormal()
RESAMPLINGS = 40


@dataclass(frozen=True)
class Moments:
    """Mean and sd of log mu at some x, each with its Monte-Carlo standard error; the evidence."""

    mean: np.ndarray
    sd: np.ndarray
    mean_error: np.ndarray
    sd_error: np.ndarray
    evidence: np.ndarray
    """Its logarithm in each run, and the error that the run claims."""
    evidence_error: np.ndarray


def coordinates_of(law):
    """Return where each standard normal coordinate stands in a vector, by name, and its length."""
    places, count = {}, 0

    def note(name, *, per_break=False):
        nonlocal count
        size = law.n_breaks if per_break else 1
        places[name] = slice(count, count + size) if per_break else count
        count += size
        return np.zeros(size) if per_break else 0.0

    scale = Scale(0.0, 1.0, 0.0, -1.0, 1.0, 0.1)
    priors.parameters(law, scale, {}, note)
    priors.noise_parameters(NOISE, scale, {}, note)
    return places, count


def theta_of(law, scale, z, xp=np):
    """Return the parameters at coordinates; those of many points come with a point a row."""
    places, _ = coordinates_of(law)

    def coordinate(name, *, per_break=False):
        return z[..., places[name]]

    theta = priors.parameters(law, scale, {}, coordinate, xp)
    return theta | priors.noise_parameters(NOISE, scale, {}, coordinate, xp)


def log_likelihood(law, scale, curve, z):
    """Return the log density of log y at coordinates, with NumPy."""
    theta = theta_of(law, scale, z)
    residuals = curve.log_y - law.log_mu(curve.log_x, theta)
    return gaussian(residuals, theta["sigma"])


def gaussian(residuals, sigma, xp=np):
    return -0.5 * xp.sum((residuals / sigma) ** 2) - residuals.shape[0] * xp.log(sigma)


@cache
def compiled(law):
    """Compile the log likelihood of a law, as a function of coordinates, scale and points."""
    z, scale, log_x, log_y = (pt.dvector(name) for name in ("z", "scale", "log_x", "log_y"))
    theta = theta_of(law, Scale(*(scale[i] for i in range(len(Scale._fields)))), z, pt)
    value = gaussian(log_y - law.log_mu(log_x, theta, pt), theta["sigma"], pt)
    function = pytensor.function([z, scale, log_x, log_y], value, mode="NUMBA")
    function.trust_input = True
    return function


def nested_run(curve, law, scale, generator, *, n_live, slices):
    """Run nested sampling once.

    One ellipsoid about all live points sets the scale of the steps. Many small ones, the default,
    follow a bent ridge so closely that the steps are too short to go along it: mass at its ends is
    missed, which shows in an evidence that is too low and differs from run to run.
    """
    function, (_, n_dims) = compiled(law), coordinates_of(law)
    points = (np.array(scale, dtype=float), curve.log_x.copy(), curve.log_y.copy())
    for z in generator.standard_normal((20, n_dims)):
        np.testing.assert_allclose(
            function(z, *points), log_likelihood(law, scale, curve, z), rtol=1e-9
        )
    sampler = dynesty.NestedSampler(
        lambda z: float(function(z, *points)), ndtri, n_dims, nlive=n_live,
        sample="rslice", bound="single", slices=slices, bootstrap=0, rstate=generator,
    )  # fmt: skip
    sampler.run_nested(dlogz=0.05, print_progress=False)
    return sampler.results


def weighted_moments(run, law, scale, log_x):
    """Return mean and sd of log mu over the weighted points of a run."""
    theta = {
        name: np.stack(value, axis=-1)[:, None] if isinstance(value, list) else value[:, None]
        for name, value in theta_of(law, scale, run.samples).items()
    }
    log_mu, weights = law.log_mu(np.asarray(log_x), theta), run.importance_weights()
    mean = weights @ log_mu
    return np.stack([mean, np.sqrt(weights @ (log_mu - mean) ** 2)])


def moments(curve, law, log_x, *, n_runs=3, n_live=200, slices=15, seed=1):
    """Return the moments of log mu at some log x by nested sampling.

    Independent runs are merged. The standard errors are those of resampling the strands of
    single live points that the merged run consists of, or those of the differences between
    the runs where these are larger: a run that missed something does not know it.
    """
    scale = Scale.of(curve)
    generators = np.random.default_rng(seed).spawn(n_runs)
    runs = [
        nested_run(curve, law, scale, generator, n_live=n_live, slices=slices)
        for generator in generators
    ]
    merged = merge_runs(runs, print_progress=False)
    each = np.stack([weighted_moments(run, law, scale, log_x) for run in runs])
    again = [
        weighted_moments(resample_run(merged, rstate=generators[0]), law, scale, log_x)
        for _ in range(RESAMPLINGS)
    ]
    errors = np.maximum(np.std(again, axis=0, ddof=1), each.std(axis=0, ddof=1) / np.sqrt(n_runs))
    evidence = np.array([run.logz[-1] for run in runs])
    return Moments(
        *weighted_moments(merged, law, scale, log_x), *errors,
        evidence, np.array([run.logzerr[-1] for run in runs]),
    )  # fmt: skip
