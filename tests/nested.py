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
from dynesty.utils import resample_run
from scipy.special import ndtri

from bayes_bnsl import LogNormal, priors
from bayes_bnsl.priors import Scale

NOISE = LogNormal()
RESAMPLINGS = 40


@dataclass(frozen=True)
class Moments:
    """Mean and sd of log mu at some x, each with its Monte-Carlo standard error."""

    mean: np.ndarray
    sd: np.ndarray
    mean_error: np.ndarray
    sd_error: np.ndarray


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


def moments(curve, law, log_x, *, n_live=400, seed=1, scale=None):
    """Return the moments of log mu at some log x by nested sampling."""
    scale = Scale.of(curve) if scale is None else scale
    function, (_, n_dims) = compiled(law), coordinates_of(law)
    points = (np.array(scale, dtype=float), curve.log_x.copy(), curve.log_y.copy())
    generator = np.random.default_rng(seed)
    for z in generator.standard_normal((20, n_dims)):
        np.testing.assert_allclose(
            function(z, *points), log_likelihood(law, scale, curve, z), rtol=1e-9
        )
    sampler = dynesty.NestedSampler(
        lambda z: float(function(z, *points)),
        ndtri, n_dims, nlive=n_live, sample="rslice", bootstrap=0, rstate=generator,
    )  # fmt: skip
    sampler.run_nested(dlogz=0.05, print_progress=False)
    run = sampler.results

    def of(result):
        theta = theta_of(law, scale, result.samples)
        theta = {
            name: np.stack(value, axis=-1)[:, None] if isinstance(value, list) else value[:, None]
            for name, value in theta.items()
        }
        log_mu, weights = law.log_mu(np.asarray(log_x), theta), result.importance_weights()
        mean = weights @ log_mu
        return mean, np.sqrt(weights @ (log_mu - mean) ** 2)

    mean, sd = of(run)
    # bootstrap over the strands of single live points that the run consists of
    again = [of(resample_run(run, rstate=generator)) for _ in range(RESAMPLINGS)]
    means, sds = (np.stack(each) for each in zip(*again, strict=True))
    return Moments(mean, sd, means.std(axis=0, ddof=1), sds.std(axis=0, ddof=1))
