"""Curves of one family fitted together, so that each is known better than from its own points.

All curves are one posterior, of which :class:`~bayes_bnsl.family.Family` is the prior and
:func:`~bayes_bnsl.model.build_family_model` the model. Given what the family shares, curves are
independent of one another: so each climbs to modes of its own, and chains start dispersed over
those of all of them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayes_bnsl import nuts
from bayes_bnsl.arguments import Priors, check_arguments, check_family
from bayes_bnsl.curve import Curve
from bayes_bnsl.draws import Draws, Problem
from bayes_bnsl.errors import NotConvergedWarning, warn
from bayes_bnsl.family import Family
from bayes_bnsl.law import Law
from bayes_bnsl.noise import LogNormal, Noise
from bayes_bnsl.optimum import Vector, find_modes
from bayes_bnsl.progress import chains_progress
from bayes_bnsl.result import Fit
from bayes_bnsl.sampling import CREDIBLE, KEPT, check_sampling, next_round
from bayes_bnsl.status import Status

__all__ = ["fit_together"]

N_STARTS = 8
"""Climbs from draws of the prior, for each break and one more; each is one of every curve."""


def fit_together(
    curves: Sequence[Curve],
    law: Law,
    *,
    noise: Noise | None = None,
    priors: Priors | None = None,
    draws: int = 1000,
    chains: int = 4,
    max_gradients: int = 3_000_000,
    tune: int = 1000,
    target_accept: float = 0.9,
    cores: int | None = None,
    seed: int | None = None,
    progress: bool = True,
) -> dict[str, Fit]:
    noise = LogNormal() if noise is None else noise
    checked = check_family(curves)
    for curve in checked.values():
        given = check_arguments(curve, law, noise, priors)
    seed = check_sampling(
        draws=draws, chains=chains, max_gradients=max_gradients, tune=tune,
        target_accept=target_accept, cores=cores, seed=seed,
    )  # fmt: skip
    family = Family(tuple(checked[name] for name in sorted(checked)), law, noise, given)
    generator = np.random.default_rng(seed)
    compiled = nuts.compile_family(family)
    began = time.perf_counter()
    data = family.data()
    of_curve = _members(compiled, family)
    modes = _modes_of_each(compiled, data, of_curve, generator)
    positions = _dispersed(modes, of_curve, chains, generator)
    settings = nuts.Settings(draws, tune, target_accept)
    while True:
        seeds = [int(number) for number in generator.integers(2**31, size=chains)]
        with chains_progress(chains, settings.draws + tune, shown=progress) as report:
            drawn = nuts.sample_with_nutpie(
                compiled, data, positions, seeds, settings, cores=cores or chains, report=report
            )
        steps = chains * float(np.mean(drawn.statistics["n_steps"]))
        drawn = drawn.thinned(max(draws, KEPT))
        parts = [_part(drawn.values, k) for k in range(len(family.curves))]
        problems = [_problem(family, k) for k in range(len(family.curves))]
        parameters = [each.parameters(part) for each, part in zip(problems, parts, strict=True)]
        shared = {name: value for name, value in drawn.values.items() if _is_shared(name)}
        statuses = [
            each.diagnose(shared | part, theta, drawn.statistics)
            for each, part, theta in zip(problems, parts, parameters, strict=True)
        ]
        worst = _worst(statuses)
        if worst.ok or worst.name == "constant_y":
            break
        longer = next_round(settings, worst, most_draws=int(max_gradients / steps))
        if longer == settings:
            break
        settings, positions = longer, drawn.positions[:, -1]
    seconds = time.perf_counter() - began
    print(worst, settings, steps/chains, seconds, drawn.statistics["n_steps"].mean(1), drawn.statistics["diverging"].sum())
    return drawn, family, shared, parameters, statuses


def _is_shared(name: str) -> bool:
    return name.startswith(("z_mean_", "z_spread_"))


def _part(values: Draws, k: int) -> Draws:
    return {name: value[:, :, k] for name, value in values.items() if not _is_shared(name)}


def _problem(family: Family, k: int) -> Problem:
    return Problem(
        family.curves[k], family.law, family.noise, family.curve_priors, family.scales[k]
    )


def _worst(statuses: Sequence[Status]) -> Status:
    return max(statuses, key=lambda each: (not each.ok, each.r_hat, -each.effective_draws))


def _members(compiled: nuts.Compiled, family: Family) -> NDArray[np.int64]:
    """Return which curve each unconstrained coordinate belongs to, -1 for what all share."""
    parts = []
    for name, shape in compiled.shapes.items():
        if _is_shared(name):
            parts.append(np.full(int(np.prod(shape)), -1))
        else:
            parts.append(np.repeat(np.arange(shape[0]), int(np.prod(shape[1:]))))
    return np.concatenate(parts)


def _modes_of_each(
    compiled: nuts.Compiled,
    data: Mapping[str, Any],
    of_curve: NDArray[np.int64],
    generator: np.random.Generator,
) -> list[Vector]:
    """Return the modes of each curve, where the family is what the prior expects it to be."""
    log_density = compiled.log_density(data)
    own = of_curve >= 0

    def whole(position: Vector) -> Vector:
        at = np.zeros(len(of_curve))
        at[own] = position
        return at

    def given_family(position: Vector) -> tuple[float, Vector]:
        value, gradient = log_density(whole(position))
        return float(value), np.asarray(gradient)[own]

    starts = compiled.draw_prior(data, generator, N_STARTS * 1)[:, own]
    climbs = [whole(mode.position) for mode in find_modes(given_family, starts)]
    best, modes = climbs[0].copy(), []
    for k in range(of_curve.max() + 1):
        block = of_curve == k
        heights = []
        for climb in climbs:
            swapped = best.copy()
            swapped[block] = climb[block]
            heights.append(float(log_density(swapped)[0]))
        found: list[Vector] = []
        for j in np.argsort(heights)[::-1]:
            apart = all(np.max(np.abs(climbs[j][block] - each)) > 0.1 for each in found)
            if heights[j] > max(heights) - CREDIBLE and apart:
                found.append(climbs[j][block])
        modes.append(np.stack(found))
        best[block] = found[0]
    return modes


def _dispersed(
    modes: list[Vector], of_curve: NDArray[np.int64], chains: int, generator: np.random.Generator
) -> Vector:
    positions = 0.5 * generator.standard_normal((chains, len(of_curve)))
    for chain, position in enumerate(positions):
        for k, found in enumerate(modes):
            block = of_curve == k
            position[block] = found[chain % len(found)] + 0.05 * position[block]
    return positions
