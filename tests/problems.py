"""The bank of problems that feeds every test: a law, its true parameters, where it is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import multivariate_normal

import bayes_bnsl as bb
from bayes_bnsl.datasets import simulate
from bayes_bnsl.law import Law
from bayes_bnsl.laws import BNSL, M1, M2, M3, M4, Custom
from bayes_bnsl.noises import Correlated

__all__ = [
    "NAMED",
    "PROBLEMS",
    "Conjugate",
    "Problem",
    "log_shrinks",
    "simulated",
    "simulated_correlated",
]


@dataclass(frozen=True, eq=False)
class Problem:
    """Points at ``x`` of a law whose parameters are known; ``noise`` is the sd of log y."""

    name: str
    law: Law
    theta: Mapping[str, Any]
    x: np.ndarray
    noise: float = 0.02

    def __str__(self) -> str:
        return self.name


def broken(*, c, d, f, **line):
    """Return the parameters of a BNSL with breaks."""
    return line | {"c": np.array(c), "d": np.array(d), "f": np.array(f)}


def saturating(log_x, theta, xp):
    """Return log y of y = k + r / (1 + x**s)."""
    return xp.log(theta["k"] + theta["r"] / (1 + xp.exp(theta["s"] * log_x)))


SMALL = np.geomspace(1.0, 1e4, 25)
WIDE = np.geomspace(1e1, 1e9, 33)

PROBLEMS = (
    Problem("power law to a limit", BNSL(0), {"a": 0.3, "b": 5.0, "c0": 0.35}, SMALL),
    Problem("power law to zero", BNSL(0), {"a": 0.0, "b": 5.0, "c0": 0.35}, SMALL),
    Problem("rising power law", BNSL(0), {"a": 0.3, "b": 0.1, "c0": -0.4}, SMALL),
    Problem(
        "one break",
        BNSL(1),
        broken(a=0.2, b=8.0, c0=0.15, c=[0.4], d=[1e5], f=[0.6]),
        WIDE,
    ),
    Problem(
        "four-digit addition",  # Caballero et al., ICLR 2023, section 5.3
        BNSL(1),
        broken(
            a=0.41388453,
            b=2.27727229,
            c0=0.05507735,
            c=[5.66290382],
            d=[612.583617],
            f=[0.05919304],
        ),
        np.geomspace(160.0, 928.0, 17),
    ),
    Problem(
        "steep: b overflows",  # b = exp(829)
        BNSL(1),
        broken(a=0.01, log_b=829.0, c0=60.0, c=[-59.5], d=[1e6], f=[0.1]),
        np.geomspace(5e5, 3e7, 20),
    ),
    Problem(
        "double descent",
        BNSL(2),
        broken(a=0.05, b=3.0, c0=0.3, c=[-0.6, 1.0], d=[1e3, 1e5], f=[0.2, 0.3]),
        WIDE,
    ),
    Problem(
        "three breaks",  # Caballero et al., ICLR 2023, figure 1
        BNSL(3),
        broken(
            a=1e-3,
            b=4.66e3,
            c0=0.05,
            c=[0.49, -0.811, 2.1],
            d=[3e6, 1e14, 2e20],
            f=[1.1, 1.425, 0.05],
        ),
        np.geomspace(1e2, 1e22, 61),
    ),
    Problem("M1", M1(), {"a": 5.0, "b": -0.35}, SMALL),
    Problem("M2", M2(), {"a": 5.0, "b": -0.35, "c": 0.3}, SMALL),
    Problem("M3", M3(), {"a": 5.0, "b": -0.6, "c": 0.3, "d": 2e-3}, SMALL),
    Problem("M3 to zero", M3(constant=False), {"a": 5.0, "b": -0.6, "d": 2e-3}, SMALL),
    Problem(
        "M4, alpha below 1",
        M4(),
        {"e_0": 0.9, "e_inf": 0.1, "alpha": 0.4, "beta": 30.0, "c": -0.5},
        SMALL,
    ),
    Problem(
        "M4, alpha near 1",
        M4(),
        {"e_0": 2.3, "e_inf": 0.2, "alpha": 1 + 1e-6, "beta": 40.0, "c": -0.7},
        SMALL,
    ),
    Problem(
        "M4, alpha above 1",
        M4(),
        {"e_0": 3.0, "e_inf": 0.05, "alpha": 2.5, "beta": 200.0, "c": -0.9},
        SMALL,
    ),
    Problem(
        "custom",
        Custom(saturating, ("k", "r", "s"), "saturating"),
        {"k": 0.4, "r": 2.0, "s": 0.6},
        SMALL,
    ),
)

NAMED = {problem.name: problem for problem in PROBLEMS}


def simulated(name, *, seed=1, noise=None):
    """Return a curve of a problem, with its noise or another."""
    problem = NAMED[name]
    noise = problem.noise if noise is None else noise
    return simulate(problem.law, problem.theta, problem.x, noise, seed, name=name)


def simulated_correlated(*, seed, run=(None,), n=40):
    """Return a power law with residuals that hang together, n points of each run."""
    theta = NAMED["M1"].theta | {"sigma": 0.005, "tau": 0.04, "ell": 1.0}
    x = np.tile(np.geomspace(1.0, 1e4, n), len(run))
    labels = None if run == (None,) else np.repeat(run, n).tolist()
    return simulate(M1(), theta, x, Correlated(), seed, run=labels, name="correlated")


def straight(log_x, theta, xp):
    """Return log y of a power law, linear in its parameters."""
    return theta["k"] + theta["s"] * log_x


@dataclass(frozen=True, eq=False)
class Conjugate:
    """Log y linear in parameters with normal priors, and known noise: all is normal."""

    curve: bb.Curve
    sigma: float = 0.1
    prior_sd: float = 1.0
    law = Custom(straight, ("k", "s"), "straight")

    @classmethod
    def simulated(cls, *, seed, outlier, replicates=1, n=10):
        """Points of a line; the last one lies off by so many standard deviations."""
        generator = np.random.default_rng(seed)
        x = np.repeat(np.geomspace(0.1, 10.0, n), replicates)
        log_y = 0.5 - 0.3 * np.log(x) + cls.sigma * generator.standard_normal(x.size)
        log_y[-1] += outlier * cls.sigma
        runs = [f"run {i}" for i in np.arange(x.size) % 3]
        return cls(bb.Curve(x, np.exp(log_y), run=runs, name="straight"))

    def fit(self, **settings):
        priors = {name: bb.Prior("Normal", mu=0.0, sigma=self.prior_sd) for name in ("k", "s")}
        priors |= {"sigma": self.sigma}
        return bb.fit(self.curve, self.law, priors=priors, seed=1, progress=False, **settings)

    def log_evidence(self, rows):
        """Return the log density of y of some points together, from the prior alone."""
        if not np.any(rows):
            return 0.0
        u, log_y = self.curve.log_x[rows], self.curve.log_y[rows]
        design = np.stack([np.ones_like(u), u], axis=-1)
        covariance = self.prior_sd**2 * design @ design.T + self.sigma**2 * np.eye(len(u))
        return multivariate_normal.logpdf(log_y, cov=covariance) - log_y.sum()

    def log_predictive(self, new, given):
        """Return the log density of the points `new`, given others; both are masks of rows."""
        return self.log_evidence(new | given) - self.log_evidence(given)


def log_shrinks(curve, theta, coordinates):
    """Return the log derivative of z_c and z_d by what the sampler sees in their place.

    Of each draw, the sum over breaks, which are the last axis; 0 for a law without. In place of z_c
    that is m sinh(z_c); in place of z_d, if there are several, v with a spacing of
    expm1(softplus(v) / 20) of the log range.
    """
    if "z_c" not in coordinates:
        return 0.0
    z_c = coordinates["z_c"]
    first, last = curve.log_x[[0, -1]]
    log_d, f = np.log(theta["d"]), theta["f"]
    left, middle, right = (
        f * np.logaddexp(0, (x - log_d) / f) for x in (first, (first + last) / 2, last)
    )
    bend = ((left + right) / 2 - middle) / (last - first)
    freedom = max(len(curve) - 3 - 3 * np.shape(z_c)[-1], 0)
    spread = np.ptp(curve.log_y)
    error = max(curve.scatter, 0.002 * spread) / spread
    magnified = np.hypot(1, np.sqrt(freedom) * bend / error)
    shrinks = -np.log(magnified * np.cosh(z_c)).sum(axis=-1)
    if np.shape(z_c)[-1] == 1:
        return shrinks
    places = (log_d - first) / (last - first)
    spacings = np.diff(places, axis=-1, prepend=0.0)
    share = -np.expm1(-20 * np.log1p(spacings))  # sigmoid(v)
    per_log = (1 + spacings) / spacings * share / 20
    return shrinks + np.log(per_log / np.sqrt(np.pi**2 / 6 - 1)).sum(axis=-1)
