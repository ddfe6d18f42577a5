"""Microseconds a gradient with each noise model, beside LogNormal. Run by ``make benchmark``."""

from __future__ import annotations

import time

import numpy as np
import pytest

import bayes_bnsl as bb
from bayes_bnsl.compiled import compile_law
from bayes_bnsl.model import model_data
from bayes_bnsl.priors import Scale

THETA = {"a": 0.2, "b": 8.0, "c0": 0.3, "c": [0.3], "d": [100.0], "f": [0.3]}
THETA |= {"sigma": 0.01, "tau": 0.03, "ell": 0.5}
NOISES = (bb.LogNormal(), bb.StudentT(), bb.Correlated())


def gradient(curve, law, noise):
    """Return the compiled log density with its gradient, and a position."""
    compiled = compile_law(curve, law, noise, {})
    data = model_data(curve, law, noise, {}, Scale.of(curve))
    return compiled.log_density(data), compiled.draw_prior(data, np.random.default_rng(0), 1)[0]


@pytest.mark.parametrize("n_points", [60, 240])
@pytest.mark.parametrize("n_breaks", [0, 1])
def test_gradient(benchmark, n_breaks, n_points):
    law = bb.BNSL(n_breaks)
    x = np.geomspace(1, 1e4, n_points)
    curve = bb.simulate(law, THETA, x, bb.Correlated(), seed=3)
    made = {noise.name: gradient(curve, law, noise) for noise in NOISES}
    best = dict.fromkeys(made, np.inf)
    for _ in range(500):  # short turns: some of them are not disturbed by others on the machine
        for name, (function, position) in made.items():
            began = time.perf_counter()
            for _ in range(20):
                function(position)
            best[name] = min(best[name], (time.perf_counter() - began) / 20)
    ratios = {name: best[name] / best["LogNormal"] for name in made}
    benchmark.extra_info |= ratios
    told = ", ".join(f"{name} {1e6 * best[name]:.1f} us ({ratios[name]:.1f}x)" for name in made)
    print(f"\n{law.name}, {n_points} points: {told}")
    benchmark(lambda: made["Correlated"][0](made["Correlated"][1]))
