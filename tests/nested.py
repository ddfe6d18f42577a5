"""Posteriors by nested sampling: an oracle that shares neither sampler nor gradients with NUTS.

The log likelihood is compiled, since nested sampling evaluates it some hundred thousand times;
that it is the one written with NumPy is checked before it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import dynesty
import numpy as np
import pytensor
import pytensor.tensor as pt
from scipy.special import logsumexp, ndtri, softmax
from scipy.stats import multivariate_t, norm

from bayes_bnsl import LogNormal, priors
from bayes_bnsl.priors import Scale

NOISE = LogNormal()


@dataclass(frozen=True)
class Moments:
    """Mean and sd of log mu at some x, each with its Monte-Carlo standard error."""

    mean: np.ndarray
    sd: np.ndarray
    mean_error: np.ndarray
    sd_error: np.ndarray
    effective_draws: float
    largest_weight: float


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


def as_columns(theta):
    """Let parameters of many points broadcast against x: a point a row, breaks last."""
    return {
        name: np.stack(value, axis=-1)[:, None] if isinstance(value, list) else value[:, None]
        for name, value in theta.items()
    }


def log_likelihood(law, scale, curve, z):
    """Return the log density of log y at coordinates, a point a row, with NumPy."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # far out, as weight 0
        theta = as_columns(theta_of(law, scale, z))
        residuals = curve.log_y - law.log_mu(curve.log_x, theta)
        value = gaussian(residuals, theta["sigma"][:, 0], theta["sigma"], len(curve))
    return np.where(np.isfinite(value), value, -np.inf)


def gaussian(residuals, sigma, column, count, xp=np):
    return -0.5 * xp.sum((residuals / column) ** 2, axis=-1) - count * xp.log(sigma)


@cache
def compiled(law):
    """Compile the log likelihood of a law, as a function of coordinates, scale and points."""
    z, scale, log_x, log_y = (pt.dvector(name) for name in ("z", "scale", "log_x", "log_y"))
    theta = theta_of(law, Scale(*(scale[i] for i in range(len(Scale._fields)))), z, pt)
    residuals, sigma = log_y - law.log_mu(log_x, theta, pt), theta["sigma"]
    value = gaussian(residuals, sigma, sigma, log_y.shape[0], pt)
    function = pytensor.function([z, scale, log_x, log_y], value, mode="NUMBA")
    function.trust_input = True
    return function


def nested_draws(curve, law, scale, generator, *, n_live, slices):
    """Draw coordinates from the posterior by nested sampling."""
    function, (_, n_dims) = compiled(law), coordinates_of(law)
    points = (np.array(scale, dtype=float), curve.log_x.copy(), curve.log_y.copy())
    some = generator.standard_normal((20, n_dims))
    np.testing.assert_allclose(
        [function(z, *points) for z in some], log_likelihood(law, scale, curve, some), rtol=1e-9
    )
    sampler = dynesty.NestedSampler(
        lambda z: float(function(z, *points)), ndtri, n_dims, nlive=n_live,
        sample="rslice", bound="single", slices=slices, bootstrap=0, rstate=generator,
    )  # fmt: skip
    sampler.run_nested(dlogz=0.05, print_progress=False)
    return sampler.results.samples_equal(rstate=generator)


class Mixture:
    """Multivariate t distributions at some of the draws, as wide as the draws near by."""

    def __init__(self, draws, generator, *, centres=800, neighbours=200, widen=2.0, df=4):
        self.generator, self.df = generator, df
        self.mean, self.white = draws.mean(axis=0), np.linalg.cholesky(np.cov(draws.T))
        white = np.linalg.solve(self.white, (draws - self.mean).T).T
        self.centres = white[generator.choice(len(white), centres)]
        n_dims = draws.shape[1]
        roots = []
        for centre in self.centres:
            near = np.argsort(np.sum((white - centre) ** 2, axis=1))[:neighbours]
            roots.append(np.linalg.cholesky(widen * np.cov(white[near].T) + 1e-3 * np.eye(n_dims)))
        self.roots, self.inverses = np.stack(roots), np.linalg.inv(roots)
        self.constants = multivariate_t(np.zeros(n_dims), np.eye(n_dims), df).logpdf(
            np.zeros(n_dims)
        ) - np.log(np.diagonal(self.roots, axis1=1, axis2=2)).sum(axis=1)
        self.constants -= np.log(centres) + np.log(np.diag(self.white)).sum()

    def draw(self, count):
        """Return draws and their log densities."""
        n_dims = len(self.mean)
        which = self.generator.integers(len(self.centres), size=count)
        normal = self.generator.standard_normal((count, n_dims))
        tails = np.sqrt(self.df / self.generator.chisquare(self.df, size=count))[:, None]
        white = self.centres[which] + tails * np.einsum("nij,nj->ni", self.roots[which], normal)
        density = np.concatenate(
            [self.log_density(part) for part in np.array_split(white, -(-count // 400))]
        )
        return white @ self.white.T + self.mean, density

    def log_density(self, white):
        apart = white[:, None] - self.centres
        squares = np.sum(np.einsum("kij,nkj->nki", self.inverses, apart) ** 2, axis=-1)
        power = (self.df + white.shape[1]) / 2
        return logsumexp(self.constants - power * np.log1p(squares / self.df), axis=1)


def moments(curve, law, log_x, *, n_live=300, slices=10, count=30_000, seed=1):
    """Return the moments of log mu at some log x by nested and importance sampling.

    Nested sampling finds where the posterior is, all its modes. Along a bent ridge its steps may be
    too short to reach the ends, and it does not know that. So what it found serves as the proposal,
    widened, of importance sampling, three times over: its weights are exact, and tell if it fails.
    """
    scale, generator = Scale.of(curve), np.random.default_rng(seed)
    draws = nested_draws(curve, law, scale, generator, n_live=n_live, slices=slices)
    for widen, temper, many in (
        (4.0, 0.3, count),
        (3.0, 0.6, count),
        (2.5, 1.0, 4 * count),
    ):
        z, proposed = Mixture(draws, generator, widen=widen).draw(many)
        prior = norm.logpdf(z).sum(axis=1)
        log_weights = log_likelihood(law, scale, curve, z) + prior - proposed
        weights = softmax(log_weights)
        # without replacement, and tempered while few draws have most of the weight: the next
        # mixture needs draws that differ, also where this one was too thin
        kept = generator.choice(many, 4000, replace=False, p=softmax(temper * log_weights))
        draws = z[kept]
    theta = as_columns(theta_of(law, scale, z[weights > 0]))
    weights = weights[weights > 0]
    log_mu = law.log_mu(np.asarray(log_x), theta)
    mean = weights @ log_mu
    squares = (log_mu - mean) ** 2
    variance = weights @ squares
    errors = [np.sqrt(weights**2 @ (each**2)) for each in (log_mu - mean, squares - variance)]
    sd = np.sqrt(variance)
    return Moments(mean, sd, errors[0], errors[1] / (2 * sd), 1 / np.sum(weights**2), weights.max())
