"""Posteriors by nested sampling: an oracle that shares neither sampler nor formulas with `fit`.

The laws and their default priors are written here a second time, from docs/priors.md and the
papers, and compiled. So a likelihood costs a microsecond, and the random walks of nested sampling
can be long enough to cross a bent ridge.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import exp, expm1, isfinite, log, log1p, pi, sinh

import dynesty
import numpy as np
from dynesty.internal_samplers import InternalSampler, SamplerReturn
from numba import njit
from scipy.special import digamma, ndtr, ndtri, polygamma, softmax

from bayes_bnsl import BNSL, M1, M4
from bayes_bnsl.priors import Scale


@njit
def softplus(t):
    return max(t, 0.0) + log1p(exp(-abs(t)))


@njit
def sigmoid(t):
    return exp(-softplus(-t))


@njit
def ends(z, scale):
    """Return log y of the curve at both ends."""
    return scale.log_y_first + scale.spread * z[0], scale.log_y_last + scale.spread * z[1]


@njit
def write_m1(z, scale, log_x, log_mu):
    """Write log mu of M1 at coordinates: first, last, sigma."""
    first, last = ends(z, scale)
    for j in range(len(log_x)):
        place = (log_x[j] - scale.log_x_first) / (scale.log_x_last - scale.log_x_first)
        log_mu[j] = first + place * (last - first)


def writer_of_bnsl(n):
    """Return what writes log mu of BNSL(n): first, last, sigma, a, then d, f, c of the breaks."""
    mean, sd = float(digamma(2)), float(np.sqrt(polygamma(1, 2)))

    @njit
    def write(z, scale, log_x, log_mu):
        first, last = ends(z, scale)
        log_range = scale.log_x_last - scale.log_x_first
        log_a = min(first, last) - softplus(-1.7 * z[3])
        d, f, c = np.empty(n), np.empty(n), np.empty(n)
        from_first = log(-expm1(log_a - first)) + first
        from_last = log(-expm1(log_a - last)) + last
        place, exponent = 0.0, from_first - from_last
        for i in range(n):
            place += exp(mean + sd * z[4 + i]) / (2 * (n + 1))
            d[i] = place
            f[i] = 0.08 * exp(0.8 * z[4 + n + i]) + scale.gap / 4
            chord = first + min(place, 1.0) * (last - first)
            visible = max(-expm1(log_a - chord), 1e-3)
            within = scale.spread * sinh(z[4 + 2 * n + i]) / visible
            beyond = exponent * expm1(z[4 + 2 * n + i])
            c[i] = within + (beyond - within) * sigmoid((place - 1) / 0.05)
            tilt = f[i] * (softplus((1 - place) / f[i]) - softplus(-place / f[i]))
            exponent += c[i] * (1 - tilt)
        # with x in units of the log range: the power part is a line less the bends, which leads
        # through both ends
        for i in range(n):
            from_first += c[i] * f[i] * softplus(-d[i] / f[i])
            from_last += c[i] * f[i] * softplus((1 - d[i]) / f[i])
        for j in range(len(log_x)):
            t = (log_x[j] - scale.log_x_first) / log_range
            power = from_first + t * (from_last - from_first)
            for i in range(n):
                power -= c[i] * f[i] * softplus((t - d[i]) / f[i])
            log_mu[j] = log_a + softplus(power - log_a)

    return write


@njit
def write_m4(z, scale, log_x, log_mu):
    """Write log mu of M4 at coordinates: first, last, sigma, e_inf, e_0, alpha.

    The root is found in the log-odds w of (y - e_inf) / (e_0 - e_inf), by bisection.
    """
    first, last = ends(z, scale)
    e_inf = exp(min(first, last)) * sigmoid(1.7 * z[3])
    e_0 = exp(max(first, last) + 0.3 * scale.spread * exp(1.5 * z[4]))
    alpha = exp(z[5])
    at_first = log(exp(first) - e_inf) - alpha * log(e_0 - exp(first))
    at_last = log(exp(last) - e_inf) - alpha * log(e_0 - exp(last))
    for j in range(len(log_x)):
        place = (log_x[j] - scale.log_x_first) / (scale.log_x_last - scale.log_x_first)
        goal = at_first + place * (at_last - at_first) - (1 - alpha) * log(e_0 - e_inf)
        # the left side, alpha softplus(w) - softplus(-w), rises between the lines w and alpha w
        bound = abs(goal) * max(1.0, 1 / alpha) + log(2) * (1 + alpha) * max(1.0, 1 / alpha)
        low, high = -bound, bound
        for _ in range(60):
            w = 0.5 * (low + high)
            if alpha * softplus(w) - softplus(-w) < goal:
                low = w
            else:
                high = w
        log_mu[j] = log(e_inf + (e_0 - e_inf) * sigmoid(0.5 * (low + high)))


def names_of(law):
    """Return the names of the coordinates in their order; those of breaks come once a break."""
    if isinstance(law, BNSL):
        return ["first", "last", "sigma", "a", *(x for x in "dfc" for _ in range(law.n_breaks))]
    return ["first", "last", "sigma", *{M1: (), M4: ("e_inf", "e_0", "alpha")}[type(law)]]


@cache
def writer_of(law):
    """Return what writes log mu of a law at coordinates."""
    if isinstance(law, BNSL):
        return writer_of_bnsl(law.n_breaks)
    return {M1: write_m1, M4: write_m4}[type(law)]


def log_mu_at(law, scale, draws, log_x):
    """Return log mu at coordinates, a point a row."""
    out = np.empty((len(draws), len(log_x)))
    for z, row in zip(draws, out, strict=True):
        writer_of(law)(z, scale, log_x, row)
    return out


@cache
def compiled(law):
    """Return the log likelihood of a law at coordinates, and random walks among them."""
    write = writer_of(law)

    @njit
    def log_likelihood(z, scale, log_x, log_y):
        log_mu = np.empty(len(log_x))
        write(z, scale, log_x, log_mu)
        log_sigma = log(0.02 * scale.spread) + z[2]
        square = np.sum((log_y - log_mu) ** 2) * exp(-2 * log_sigma)
        value = -0.5 * square - len(log_x) * (log_sigma + 0.5 * log(2 * pi))
        return value if isfinite(value) else -1e300

    @njit
    def walk(z, live, at_least, steps, generator, scale, log_x, log_y):
        """Walk in the prior, where the likelihood is above a bound.

        A step leads along the difference of two live points (Ter Braak, Statistics and Computing
        2006): its direction and length are those of the region, also where that is bent. Lengths
        of all sizes are tried; a whole difference leads from mode to mode.
        """
        value = log_likelihood(z, scale, log_x, log_y)
        for _ in range(steps):
            one = live[generator.integers(0, len(live))]
            other = live[generator.integers(0, len(live))]
            share = 1.0 if generator.random() < 0.1 else exp(-4 * generator.random())
            proposed = z + share * (one - other)
            if generator.random() < exp(0.5 * (np.sum(z**2) - np.sum(proposed**2))):
                there = log_likelihood(proposed, scale, log_x, log_y)
                if there > at_least:
                    z, value = proposed, there
        return z, value

    return log_likelihood, walk


class Walk(InternalSampler):
    """How dynesty finds a new live point: by a compiled random walk from another one."""

    def __init__(self, *, walk, steps, **others):
        super().__init__(walk=walk, steps=steps, **others)
        self.sampler_kwargs |= {"walk": walk, "steps": steps}

    def prepare_sampler(self, *, nested_sampler, **others):
        """Add the live points, which give the walk its steps."""
        self.sampler_kwargs["live"] = nested_sampler.live_v
        return super().prepare_sampler(nested_sampler=nested_sampler, **others)

    @staticmethod
    def sample(args):
        """Return the end of a walk."""
        walk, live, steps = (args.kwargs[name] for name in ("walk", "live", "steps"))
        z, value = walk(ndtri(args.u), live, args.loglstar, steps, args.rseed)
        return SamplerReturn(ndtr(z), z, value, steps, [], {}, {})


def points_of(curve):
    """Return scale, log x and log y as compiled code takes them."""
    return Scale(*map(float, Scale.of(curve))), curve.log_x.copy(), curve.log_y.copy()


def log_likelihood(curve, law, z):
    """Return the log density of log y at coordinates."""
    return compiled(law)[0](z, *points_of(curve))


def run(curve, law, seed, *, n_live, steps):
    """Run nested sampling from the prior to the posterior."""
    (log_density, walk), points = compiled(law), points_of(curve)
    sampler = dynesty.NestedSampler(
        lambda z: log_density(z, *points), ndtri, len(names_of(law)), nlive=n_live,
        bound="none", sample=Walk(walk=lambda *start: walk(*start, *points), steps=steps),
        rstate=np.random.default_rng(seed),
    )  # fmt: skip
    sampler.run_nested(dlogz=0.01, print_progress=False)
    return sampler.results


@dataclass(frozen=True)
class Moments:
    """Mean and sd of log mu at some x, each with its standard error, and the runs' evidence."""

    mean: np.ndarray
    sd: np.ndarray
    mean_error: np.ndarray
    sd_error: np.ndarray
    log_evidence: np.ndarray
    log_evidence_error: np.ndarray


def moments(curve, law, log_x, *, runs=6, n_live=300, steps=300):
    """Return the moments of log mu at some log x by several runs, weighted by their evidence.

    Their errors are what leaving out one run at a time tells (jackknife). A run by itself thinks
    too well of itself: its walks start from one another, so its strands are not independent.
    """
    made = [run(curve, law, seed, n_live=n_live, steps=steps) for seed in range(runs)]
    values = [log_mu_at(law, Scale.of(curve), one.samples, log_x) for one in made]

    def mean_and_sd(some):
        weights = softmax(np.concatenate([made[i].logwt for i in some]))
        log_mu = np.concatenate([values[i] for i in some])
        mean = weights @ log_mu
        return np.array([mean, np.sqrt(weights @ (log_mu - mean) ** 2)])

    every = set(range(runs))
    without = [mean_and_sd(every - {i}) for i in every]
    evidence = np.array([(one.logz[-1], one.logzerr[-1]) for one in made]).T
    return Moments(*mean_and_sd(every), *(np.sqrt(runs - 1) * np.std(without, axis=0)), *evidence)
