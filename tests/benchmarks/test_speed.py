"""What a gradient, a compilation, a fit, a comparison and a batch cost. Run by ``make benchmark``.

The numbers to read are in the printed lines: seconds, and how many times those of a rival in the
same run. The rival of the gradient is BNSL(1) written by hand: its derivatives on paper, one loop
over the points, in Numba and in NumPy.
"""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from functools import partial

import numba
import numpy as np
import nutpie
import pytest
from scipy.optimize import approx_fprime

import bayes_bnsl as bb
from bayes_bnsl.compiled import _compiled, compile_law
from bayes_bnsl.model import model_data
from bayes_bnsl.native import Native
from bayes_bnsl.priors import Scale

THETA = {"a": 0.2, "b": 8.0, "c0": 0.15, "c": [0.4], "d": [300.0], "f": [0.3]}
THETA_BY_HAND = np.array(
    [np.log(0.2), np.log(8.0), 0.15, 0.4, np.log(300.0), np.log(0.3), np.log(0.02)]
)
SETTINGS = {"seed": 1, "progress": False}


def curve_of(n_points, seed=1):
    x = np.geomspace(10, 1e4, n_points)
    return bb.simulate(bb.BNSL(1), THETA, x, 0.02, seed=seed, name=f"curve {seed}")


def gradient(curve, law):
    """Return the compiled log density with its gradient, and a position."""
    compiled = compile_law(curve, law, bb.LogNormal(), {})
    data = model_data(curve, law, bb.LogNormal(), {}, Scale.of(curve))
    return compiled.log_density(data), compiled.draw_prior(data, np.random.default_rng(0), 1)[0]


def by_numpy(theta, u, log_y):
    """Return the log likelihood of BNSL(1) and its gradient.

    `theta` holds log a, log b, c0, c1, log d1, log f1 and log sigma.
    """
    log_a, log_b, c0, c1, log_d, log_f, log_sigma = theta
    f, precision = np.exp(log_f), np.exp(-2 * log_sigma)
    z = (u - log_d) / f
    soft, share = np.logaddexp(0.0, z), 1 / (1 + np.exp(-z))
    power = log_b - c0 * u - c1 * f * soft
    log_mu = np.logaddexp(log_a, power)
    residual = log_y - log_mu
    of_power = residual * precision * np.exp(power - log_mu)
    slopes = [
        np.sum(residual * precision * np.exp(log_a - log_mu)),
        np.sum(of_power),
        -np.sum(of_power * u),
        -np.sum(of_power * f * soft),
        np.sum(of_power * c1 * share),
        -np.sum(of_power * c1 * f * (soft - z * share)),
        np.sum(residual**2) * precision - len(u),
    ]
    return -0.5 * precision * np.sum(residual**2) - len(u) * log_sigma, np.array(slopes)


@numba.njit(fastmath=False)
def by_numba(theta, u, log_y):
    """Return the same, point by point."""
    log_a, log_b, c0, c1, log_d, log_f, log_sigma = theta
    f, precision = np.exp(log_f), np.exp(-2 * log_sigma)
    density, slopes = -len(u) * log_sigma, np.zeros(7)
    for i in range(len(u)):
        z = (u[i] - log_d) / f
        tail = np.exp(-abs(z))
        soft = max(z, 0.0) + np.log1p(tail)
        share = 1 / (1 + tail) if z >= 0 else tail / (1 + tail)
        power = log_b - c0 * u[i] - c1 * f * soft
        high, low = max(log_a, power), min(log_a, power)
        ratio = np.exp(low - high)
        residual = log_y[i] - high - np.log1p(ratio)
        below = 1 / (1 + ratio) if log_a >= power else ratio / (1 + ratio)
        slope = residual * precision
        of_power = slope * (1 - below)
        density -= 0.5 * residual * slope
        slopes[0] += slope * below
        slopes[1] += of_power
        slopes[2] -= of_power * u[i]
        slopes[3] -= of_power * f * soft
        slopes[4] += of_power * c1 * share
        slopes[5] -= of_power * c1 * f * (soft - z * share)
        slopes[6] += residual * slope - 1
    return density, slopes


def least_seconds(functions, turns=300, calls=10):
    """Return the least seconds of a call of each, in short turns that others disturb seldom."""
    best = dict.fromkeys(functions, np.inf)
    for _ in range(turns):
        for name, function in functions.items():
            began = time.perf_counter()
            for _ in range(calls):
                function()
            best[name] = min(best[name], (time.perf_counter() - began) / calls)
    return best


def seconds_of(function, *arguments, **settings):
    """Return what a function returns, and how long it takes."""
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bb.BayesBnslWarning)
        result = function(*arguments, **settings)
    return result, time.perf_counter() - began


@pytest.mark.parametrize("n_points", [14, 60, 240, 10_000])
def test_gradient_beside_one_by_hand(benchmark, n_points):
    curve = curve_of(n_points)
    ours, position = gradient(curve, bb.BNSL(1))
    theta, points = THETA_BY_HAND, (curve.log_x, curve.log_y)
    few = curve_of(60)  # of many points finite differences are too rough
    for rival in (by_numpy, by_numba):  # a rival must be right
        density = partial(lambda rival, at: rival(at, few.log_x, few.log_y)[0], rival)
        slopes = rival(theta, few.log_x, few.log_y)[1]
        np.testing.assert_allclose(slopes, approx_fprime(theta, density, 1e-7), rtol=1e-3, atol=0.1)
    best = least_seconds(
        {
            "ours": lambda: ours(position),
            "numba": lambda: by_numba(theta, *points),
            "numpy": lambda: by_numpy(theta, *points),
        },
        turns=300 if n_points < 1000 else 20,
    )
    benchmark.extra_info |= best
    told = ", ".join(
        f"{name} {1e6 * best[name]:.1f} us ({best['ours'] / best[name]:.2f}x)" for name in best
    )
    print(f"\nBNSL(1), {n_points} points, log density and gradient: {told}")
    benchmark(ours, position)


@pytest.mark.parametrize("n_points", [14, 60, 240, 10_000])
def test_gradient_as_nuts_calls_it(benchmark, n_points):
    """Both are called by compiled code; the rival has no priors and no change of coordinates."""
    curve = curve_of(n_points)
    compiled = compile_law(curve, bb.BNSL(1), bb.LogNormal(), {})
    data = model_data(curve, bb.BNSL(1), bb.LogNormal(), {}, Scale.of(curve))
    position = compiled.draw_prior(data, np.random.default_rng(0), 1)[0]
    arguments = (position, *compiled.posterior(data).arrays)
    call = Native.of(compiled._gradient, *arguments).call
    log_x, log_y, count = curve.log_x, curve.log_y, 20_000 if n_points < 1000 else 500

    @numba.njit
    def ours(arguments):
        total = 0.0
        for _ in range(count):
            total += call(arguments)[1][0][()]
        return total

    @numba.njit
    def theirs(theta):
        total = 0.0
        for _ in range(count):
            total += by_numba(theta, log_x, log_y)[0]
        return total

    loops = {"ours": lambda: ours(arguments), "numba": lambda: theirs(THETA_BY_HAND)}
    best = least_seconds(loops, turns=7, calls=1)
    times = {name: 1e6 * seconds / count for name, seconds in best.items()}
    told = f"{times['ours']:.2f} us, {best['ours'] / best['numba']:.2f}x of {times['numba']:.2f} us"
    print(f"\nBNSL(1), {n_points} points, log density and gradient called by compiled code: {told}")
    benchmark(loops["ours"])


COLD = """
import time; began = time.perf_counter()
import warnings; warnings.simplefilter("ignore")
import nutpie
import bayes_bnsl as bb
from bayes_bnsl import nuts
curve, law = bb.load_curve("four_digit_addition"), bb.BNSL({n_breaks})
if {ours}:
    def start(*arguments, **settings):
        print(time.perf_counter() - began)
        raise SystemExit
    nuts.nutpie.sample = start
    bb.fit(curve, law, seed=1, progress=False)
else:
    compiled = nutpie.compile_pymc_model(bb.build_model(curve, law))
    print(time.perf_counter() - began)
"""


@pytest.mark.parametrize("n_breaks", [0, 1, 2, 3])
def test_cold_start(benchmark, n_breaks):
    """Seconds from a new Python until the first chain starts, PyTensor's cache filled, with climbs.

    The rival is nutpie's own compilation of the same model, without climbs.
    """

    def seconds(ours):
        command = [sys.executable, "-c", COLD.format(n_breaks=n_breaks, ours=ours)]
        runs = [
            subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(4)
        ]
        return np.median([float(run.stdout) for run in runs[1:]])  # the first one fills the cache

    ours, theirs = benchmark.pedantic(seconds, (True,), rounds=1), seconds(False)
    print(f"\nBNSL({n_breaks}), chains start after {ours:.1f} s; nutpie {theirs / ours:.2f}x")


@pytest.mark.parametrize("law", [bb.BNSL(0), bb.BNSL(1), bb.BNSL(3), bb.M4()], ids=str)
def test_compilation_beside_that_of_every_parameter(benchmark, law):
    """The rival compiles the parameters too, which we make of the draws in NumPy."""
    curve = curve_of(25)

    def rival():
        model = bb.build_model(curve, law)
        return nutpie.compile_pymc_model(model, default_initialization_strategy="prior")

    compile_law(curve, bb.M1(), bb.LogNormal(), {})  # what is slow only the first time
    _compiled.clear()
    _, ours = seconds_of(compile_law, curve, law, bb.LogNormal(), {})
    _, theirs = seconds_of(rival)
    print(f"\n{law.name} compiled in {ours:.1f} s; with all parameters {theirs / ours:.2f}x")
    benchmark.pedantic(compile_law, (curve, law, bb.LogNormal(), {}), rounds=1)


@pytest.mark.parametrize("law", [bb.M1(), bb.BNSL(0), bb.BNSL(1), bb.M4()], ids=str)
def test_fit_beside_its_gradients(benchmark, law):
    """The rival does nothing but the gradients of the draws that were kept, on one core."""
    curve = curve_of(25)
    function, position = gradient(curve, law)
    one = least_seconds({"gradient": lambda: function(position)})["gradient"]
    fit, _ = seconds_of(bb.fit, curve, law, **SETTINGS)
    count = int(fit.data["sample_stats"]["n_steps"].sum())
    print(
        f"\n{law.name}, 25 points: {fit.seconds:.2f} s; {count} gradients of its draws are "
        f"{count * one:.2f} s ({fit.seconds / count / one:.1f}x)"
    )
    benchmark.pedantic(bb.fit, (curve, law), SETTINGS, rounds=3)


@pytest.mark.parametrize("by", ["loo", "evidence"])
def test_comparison_beside_its_fits(benchmark, by):
    curve = curve_of(25)
    fits = [bb.fit(curve, law, **SETTINGS) for law in (bb.M1(), bb.BNSL(0), bb.BNSL(1))]
    _, judged = seconds_of(bb.compare, fits, by=by, progress=False)
    fitted = sum(fit.seconds for fit in fits)
    print(f"\n3 laws by {by}: {judged:.2f} s, {judged / fitted:.2f}x their fits")
    benchmark.pedantic(bb.compare, (fits,), {"by": by, "progress": False}, rounds=1)


def test_batch_beside_a_loop(benchmark, tmp_path):
    curves = [curve_of(25, seed) for seed in range(12)]
    bb.fit(curves[0], bb.BNSL(0), **SETTINGS)  # compiles
    _, loop = seconds_of(lambda: [bb.fit(curve, bb.BNSL(0), **SETTINGS) for curve in curves])
    _, batch = seconds_of(bb.fit_many, curves, bb.BNSL(0), out=tmp_path / "fits", **SETTINGS)
    _, again = seconds_of(bb.fit_many, curves, bb.BNSL(0), out=tmp_path / "fits", **SETTINGS)
    print(
        f"\n12 curves in a loop {loop:.1f} s; as a batch {batch / loop:.2f}x, resumed "
        f"{again / loop:.2f}x"
    )
    benchmark.pedantic(
        bb.fit_many, (curves, bb.BNSL(0)), {"out": tmp_path / "fits", **SETTINGS}, rounds=1
    )
