"""Settings for every test."""

import os
from functools import partial

import hypothesis
import numpy as np
import pytest

import bayes_bnsl as bb
from problems import NAMED, Conjugate, simulated, simulated_correlated

# Pictures are drawn without a screen, also in the processes that tests start.
os.environ["MPLBACKEND"] = "Agg"

# Compilation makes the time of an example say nothing. On a server the examples are the same
# every time, so that a failure there is a failure everywhere.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("server", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("server" if os.environ.get("CI") else "local")


# Fits that many tests look at and none changes. A law with another set of priors is compiled
# anew, which takes seconds, so most tests make do with the kinds that are here.


@pytest.fixture(scope="session")
def addition():
    """Four-digit addition: the 14 points that its authors fit, and the 3 that they hold out."""
    return bb.load_curve("four_digit_addition").split(n=14)


@pytest.fixture(scope="session")
def addition_fit(addition):
    return bb.fit(addition[0], bb.BNSL(1), seed=1, progress=False)


@pytest.fixture(scope="session")
def limit_fit():
    """A power law to a limit, with default priors."""
    return bb.fit(simulated("power law to a limit"), bb.BNSL(0), seed=1, progress=False)


@pytest.fixture(scope="session")
def m4_fit():
    return bb.fit(simulated("M4, alpha above 1"), bb.M4(), seed=1, progress=False)


@pytest.fixture(scope="session")
def line_curve():
    return simulated("M1")


@pytest.fixture(scope="session")
def fit_line():
    """Fit a power law with known noise: the quickest kind, whose posterior is Gaussian."""
    return partial(bb.fit, law=bb.M1(), priors={"sigma": 0.02}, progress=False)


@pytest.fixture(scope="session")
def line_fit(line_curve, fit_line):
    return fit_line(line_curve, seed=1)


@pytest.fixture(scope="session")
def accuracy_fit(fit_line):
    """A fit to accuracies in per cent, whose errors follow a power law."""
    x = np.geomspace(10, 1e4, 12)
    error = 60 * x**-0.35 * np.exp(0.02 * np.random.default_rng(2).standard_normal(12))
    names = {"name": "digits", "x_name": "images"}
    return fit_line(bb.Curve.from_accuracy(x, 100 - error, ceiling=100, **names), seed=1)


@pytest.fixture(scope="session")
def fit_own():
    """Fit a power law to a limit with priors of the user's, to points with standard errors."""
    priors = {
        "c0": bb.Prior("Normal", mu=0.2, sigma=0.01),
        "sigma": bb.Prior("HalfNormal", sigma=0.05, at_most=0.1),
    }
    return partial(bb.fit, law=bb.BNSL(0), priors=priors, progress=False)


@pytest.fixture(scope="session")
def own_fit(fit_own):
    points = simulated("power law to a limit")
    runs = ["warm-up"] * 5 + ["long"] * 20
    curve = bb.Curve(
        points.x, points.y, y_se=0.01 * points.y, run=runs,
        name="own", x_name="tokens", y_name="loss",
    )  # fmt: skip
    return fit_own(curve, seed=1)


@pytest.fixture(scope="session")
def conjugate():
    """A law, points and priors for which every posterior is known in closed form."""
    return Conjugate.simulated(seed=3, outlier=0.0)


@pytest.fixture(scope="session")
def conjugate_fit(conjugate):
    return conjugate.fit()


@pytest.fixture(scope="session")
def custom_fit():
    """A law of the user's, to points of two numbered runs."""
    points = simulated("custom")
    curve = bb.Curve(points.x, points.y, run=[1, 2] * 12 + [1], name="custom")
    priors = {
        "k": bb.Prior("LogNormal", mu=0.0, sigma=1.0),
        "r": bb.Prior("LogNormal", mu=0.0, sigma=1.0),
        "s": bb.Prior("Normal", mu=0.0, sigma=1.0, at_least=0.0),
    }
    return bb.fit(curve, NAMED["custom"].law, priors=priors, seed=1, progress=False)


@pytest.fixture(scope="session")
def fit_correlated():
    """Fit a power law with residuals that hang together."""
    return partial(bb.fit, law=bb.M1(), noise=bb.Correlated(), progress=False)


@pytest.fixture(scope="session")
def correlated_fit(fit_correlated):
    """One run of a power law, whose last residuals are far from it."""
    return fit_correlated(simulated_correlated(seed=8), seed=1)


@pytest.fixture(scope="session")
def runs_fit(fit_correlated):
    """Two runs of a power law, with points of both at each x."""
    return fit_correlated(simulated_correlated(seed=2, run=("one", "two")), seed=1)


@pytest.fixture(scope="session")
def tails_fit():
    """A power law with noise of heavy tails, which grows smaller along x."""
    theta = NAMED["M1"].theta | {"sigma_first": 0.05, "sigma_last": 0.005, "nu": 3.0}
    noise = bb.StudentT(changing=True)
    curve = bb.simulate(bb.M1(), theta, np.geomspace(1, 1e4, 60), noise, seed=5, name="tails")
    return bb.fit(curve, bb.M1(), noise=noise, seed=1, progress=False)
