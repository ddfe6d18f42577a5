"""Curves of one family fitted together, so that each is known better than from its own points.

All curves are one posterior, of which :class:`~bayes_bnsl.family.Family` is the prior and
:func:`~bayes_bnsl.family_model.build_family_model` the model. Given what the family shares, curves
are independent of one another: so each climbs to modes of its own, and chains start dispersed over
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
from bayes_bnsl.arguments import Priors, check_curves, check_family
from bayes_bnsl.columns import counted
from bayes_bnsl.compiled import Compiled, compile_family
from bayes_bnsl.curve import Curve
from bayes_bnsl.draws import Draws, Problem
from bayes_bnsl.errors import NotConvergedWarning, warn
from bayes_bnsl.family import Family
from bayes_bnsl.law import Law
from bayes_bnsl.noise import Noise
from bayes_bnsl.noises import LogNormal
from bayes_bnsl.optimum import Vector, find_modes
from bayes_bnsl.progress import chains_progress
from bayes_bnsl.result import Fit
from bayes_bnsl.sampling import CREDIBLE, KEPT, check_sampling
from bayes_bnsl.status import LEAST_EFFECTIVE_DRAWS, Status

__all__ = ["fit_together"]

N_STARTS = 8
"""Climbs from draws of the prior, for each break and one more; each is one of every curve."""


def fit_together(
    curves: Sequence[Curve] | Mapping[str, Curve],
    law: Law,
    *,
    noise: Noise | None = None,
    priors: Priors | None = None,
    draws: int = 1000,
    chains: int = 4,
    max_gradients: int = 3_000_000,
    tune: int = 1000,
    target_accept: float = 0.95,
    cores: int | None = None,
    seed: int | None = None,
    progress: bool = True,
) -> dict[str, Fit]:
    """Fit a law to the curves of one family at once, so that short ones borrow from all.

    The exponent, the limit as a fraction of the lower end, changes of slope, sharpness and noise of
    the curves are draws from distributions whose means and spreads are fitted too: the more the
    curves agree, the more each is drawn to the others (partial pooling). The level and the places
    of breaks are each curve's own.

    Parameters
    ----------
    curves : sequence of Curve or mapping of str to Curve
        The family. Names must differ; those of a mapping become the names of its curves.
    law : Law
        The functional form of all; no `Custom` one.
    noise : Noise, default LogNormal()
        How y scatters about each curve: `LogNormal` or `StudentT`.
    priors : mapping of str to Prior or float, optional
        Priors of every curve that replace defaults; a number fixes the parameter. What has a prior
        here is not shared.
    draws : int, default 1000
        Draws of each chain in the first round.
    chains : int, default 4
        Number of chains, at least 2.
    max_gradients : int, default 3 million
        Most gradients, each of all curves together, that a round may take; as for :func:`fit`.
    tune : int, default 1000
        Steps at the start of each round that adapt the sampler and are not kept.
    target_accept : float, default 0.95
        Acceptance that the step is adapted to; rounds after divergent ones take smaller steps.
    cores : int, optional
        How many chains run at once, all of them by default.
    seed : int, optional
        Makes the result repeatable, in whatever order the curves come.
    progress : bool, default True
        Whether to show a progress bar, in a terminal or a notebook.

    Returns
    -------
    dict of str to Fit
        One a curve, by name, in the order given. ``fit.data["family"]`` holds the draws of what
        the curves share, over (chain, draw, parameter): ``mean`` and ``spread``, of the exponent in
        its own units, of all else in those of the coordinates. ``fit.status`` judges the draws of
        the curve and those of the family; ``fit.seconds`` is the share of each curve.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; see also :func:`build_model`.

    Warns
    -----
    NotConvergedWarning
        If draws do not meet the bar.

    Notes
    -----
    Coordinate z of curve k is ``sqrt(1 - s**2) z_mean + s e_k``, where ``z_mean`` and ``e_k`` are
    standard normal, so each curve has the prior that it has alone, whatever the spread ``s``:
    ``0.02 + 0.98 sigmoid(mu + z)``, where mu is -2 for the exponent and -0.5 for all else. The
    exponent is normal with the quantiles (5, 50, 95 %) of its default prior, and the default priors
    take from the curves, in place of the range of log y of each, the mean one.

    References
    ----------
    Gelman et al., "Bayesian Data Analysis", third edition, 2013, chapter 5.

    Examples
    --------
    >>> from bayes_bnsl import M1
    >>> x = np.geomspace(10, 1000, 6)
    >>> slopes = (0.3, 0.32, 0.33)
    >>> family = [Curve(x, 2 * x**-c * (1 + 0.01 * np.cos(x)), name=f"{c}") for c in slopes]
    >>> fits = fit_together(family, M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> fits["0.33"].equation(digits=1)
    'y = 2 * x^(-0.3)'
    >>> fits["0.33"].data["family"]["parameter"].values.tolist()
    ['b']
    """
    noise = LogNormal() if noise is None else noise
    by_name = check_curves(curves)
    given = check_family(by_name, law, noise, priors)
    seed = check_sampling(
        draws=draws, chains=chains, max_gradients=max_gradients, tune=tune,
        target_accept=target_accept, cores=cores, seed=seed,
    )  # fmt: skip
    names = sorted(by_name)  # the order given must not matter
    family = Family(tuple(by_name[name] for name in names), law, noise, given)
    problems = [
        Problem(curve, law, noise, family.curve_priors, scale)
        for curve, scale in zip(family.curves, family.scales, strict=True)
    ]
    generator = np.random.default_rng(seed)
    compiled = compile_family(family)
    began = time.perf_counter()
    data = family.data()
    members = _members(compiled)
    modes = _modes(compiled, data, members, generator, N_STARTS * (1 + law.n_breaks))
    positions = _dispersed(modes, members, chains, generator)
    settings = nuts.Settings(draws, tune, target_accept)
    while True:
        seeds = [int(number) for number in generator.integers(2**31, size=chains)]
        with chains_progress(chains, settings.draws + tune, shown=progress) as report:
            drawn = nuts.sample_with_nutpie(
                compiled, data, positions, seeds, settings, cores=cores or chains, report=report
            )
        steps = chains * float(np.mean(drawn.statistics["n_steps"]))
        drawn = drawn.thinned(max(draws, KEPT))
        shared, own = _parted(drawn.values, len(names))
        theta = [problem.parameters(each) for problem, each in zip(problems, own, strict=True)]
        statuses = [
            problem.diagnose(shared | each, parameters, drawn.statistics)
            for problem, each, parameters in zip(problems, own, theta, strict=True)
        ]
        unfinished = [each for each in statuses if each.name not in ("converged", "constant_y")]
        if not unfinished:
            break
        worst = min(unfinished, key=lambda each: each.effective_draws)
        longer = _next_round(settings, worst, most_draws=int(max_gradients / steps))
        if longer == settings:
            break
        settings, positions = longer, drawn.positions[:, -1]
    seconds = (time.perf_counter() - began) / len(names)
    about_family = _family_dataset(family, shared)
    fits = {}
    for k, name in enumerate(names):
        heights, at = modes[k]
        at_modes = _parted(compiled.values(data, at[None]), len(names))[1][k]
        tree = problems[k].tree(
            own[k], theta[k], drawn.statistics, problems[k].modes(at_modes, heights)
        )
        tree["family"] = about_family
        fits[name] = Fit(
            family.curves[k], law, noise, family.curve_priors, family.scales[k],
            tree, statuses[k], seconds, seed,
        )  # fmt: skip
    _announce(fits)
    return {name: fits[name] for name in by_name}


def _next_round(settings: nuts.Settings, status: Status, most_draws: int) -> nuts.Settings:
    """Return more draws if the round had too few, smaller steps if it diverged.

    The settings come back as they are when what is lacking is out of reach.
    """
    lacking = 2 * LEAST_EFFECTIVE_DRAWS / max(status.effective_draws, 1.0)
    least = 1 if status.name == "divergent" else 2
    most = 3 if status.divergences else 8  # a chain that diverged tells little of what is needed
    growth = int(np.clip(np.ceil(lacking), least, most))
    draws = min(settings.draws * growth, most_draws)
    if draws < settings.draws * least:
        return settings
    finer = 5.0 if status.divergences else 1.0
    return nuts.Settings(draws, settings.tune, 1 - (1 - settings.target_accept) / finer)


def _is_shared(name: str) -> bool:
    return name.startswith(("z_mean_", "z_spread_"))


def _parted(values: Draws, count: int) -> tuple[Draws, list[Draws]]:
    """Return the draws of what is shared, and those of each curve."""
    shared = {name: array for name, array in values.items() if _is_shared(name)}
    own = {name: array for name, array in values.items() if name not in shared}
    return shared, [{name: array[:, :, k] for name, array in own.items()} for k in range(count)]


def _family_dataset(family: Family, shared: Draws) -> xr.Dataset:
    """Return the draws of means and spreads within the family."""
    about = family.described(shared)
    dims = ("parameter", "chain", "draw")
    if not about:
        return xr.Dataset(attrs={"n_curves": len(family.curves)})
    both = {
        label: (dims, np.stack([pair[i] for pair in about.values()]))
        for i, label in enumerate(("mean", "spread"))
    }
    table = xr.Dataset(both, coords={"parameter": list(about)})
    table = table.assign_coords({dim: np.arange(table.sizes[dim]) for dim in dims[1:]})
    attrs = {"n_curves": len(family.curves), "sample_dims": ["chain", "draw"]}
    return table.transpose("chain", "draw", "parameter").assign_attrs(attrs)


def _announce(fits: Mapping[str, Fit]) -> None:
    """Warn if fits did not converge."""
    doubtful = [each for each in fits.values() if not each.status.ok]
    if doubtful:
        first = doubtful[0]
        warn(
            f"{len(doubtful)} of {counted(len(fits), 'curve')} of a family did not converge. The "
            f"first, {first.law.name} fitted to {first.curve.name!r}: {first.status}",
            NotConvergedWarning,
        )


def _members(compiled: Compiled) -> NDArray[np.int64]:
    """Return which curve each unconstrained coordinate belongs to, -1 where it is shared."""
    parts = [
        np.full(int(np.prod(shape)), -1)
        if _is_shared(name)
        else np.repeat(np.arange(shape[0]), int(np.prod(shape[1:])))
        for name, shape in compiled.shapes.items()
    ]
    return np.concatenate(parts)


def _modes(
    compiled: Compiled,
    data: Mapping[str, Any],
    members: NDArray[np.int64],
    generator: np.random.Generator,
    count: int,
) -> list[tuple[Vector, Vector]]:
    """Return heights and positions of the credible modes of each curve, from so many climbs.

    The family is held where its prior has the median: the highest density of all together is of no
    use, for it grows without bound as curves become alike. Then curves are independent, so what one
    climb found for a curve goes with what others found for the rest.
    """
    log_density = compiled.log_density(data)
    own = members >= 0

    def whole(position: Vector) -> Vector:
        at = np.zeros(len(members))
        at[own] = position
        return at

    def of_curves(position: Vector) -> tuple[float, Vector]:
        value, gradient = log_density(whole(position))
        return float(value), np.asarray(gradient)[own]

    starts = compiled.draw_prior(data, generator, count)[:, own]
    climbs = [whole(mode.position) for mode in find_modes(of_curves, starts)]
    best, modes = climbs[0].copy(), []
    for k in range(members.max() + 1):
        block = members == k
        swapped = np.repeat(best[None], len(climbs), axis=0)
        swapped[:, block] = np.stack(climbs)[:, block]
        heights = np.array([float(log_density(at)[0]) for at in swapped])
        found: list[int] = []
        for i in np.argsort(-heights):
            apart = np.abs(swapped[i] - swapped[found]).max(axis=1, initial=0.0)
            if heights[i] > heights.max() - CREDIBLE and np.all(apart > 0.1):
                found.append(i)
        modes.append((heights[found], swapped[found]))
        best = swapped[found[0]]
    return modes


def _dispersed(
    modes: list[tuple[Vector, Vector]],
    members: NDArray[np.int64],
    chains: int,
    generator: np.random.Generator,
) -> Vector:
    """Return a start for each chain, over the modes of each curve in turn."""
    positions = 0.5 * generator.standard_normal((chains, len(members)))
    for chain, position in enumerate(positions):
        for k, (_, found) in enumerate(modes):
            block = members == k
            position[block] = found[chain % len(found)][block] + 0.1 * position[block]
    return positions
