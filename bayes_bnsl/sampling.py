"""From a curve to a fit: climb to the modes, then NUTS, then tempered chains if it did not mix.

Chains of NUTS start dispersed over the modes, and go on with smaller steps if they diverged. If
their draws do not meet the bar of :class:`~bayes_bnsl.status.Status`, chains are tempered
(:func:`~bayes_bnsl.tempering.rounds`), in rounds that grow until their draws do, or the next would
need more than `max_gradients`.
"""

from __future__ import annotations

import os
import time
import warnings
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import numpy as np

from bayes_bnsl import model as models
from bayes_bnsl import nuts, tempering
from bayes_bnsl.arguments import Priors, check_arguments
from bayes_bnsl.compiled import compile_law
from bayes_bnsl.curve import Curve
from bayes_bnsl.draws import Draws, Problem
from bayes_bnsl.errors import NotConvergedWarning, warn
from bayes_bnsl.evidence import log_evidence
from bayes_bnsl.law import Law
from bayes_bnsl.noise import Noise
from bayes_bnsl.noises import LogNormal, choices
from bayes_bnsl.optimum import around, find_modes
from bayes_bnsl.priors import Scale
from bayes_bnsl.progress import chains_progress
from bayes_bnsl.result import Fit
from bayes_bnsl.status import Status

__all__ = ["fit"]

N_STARTS = 16
"""Climbs to modes from draws of the prior, for each break and one more: breaks make modes."""

MOST_POINTS = 1000
"""Points that the climbs from the prior see; from where they end all points are climbed with."""

CREDIBLE = 10.0
"""Modes whose log density is within this of the highest get chains."""

SMALL_STEPS = 0.99
"""Acceptance that NUTS aims at when its steps were too large."""

OFTEN = 0.001
"""Share of transitions that diverged from which on steps were too large, though chains disagree."""

UNMIXED = ("chains_disagree", "divergent", "few_draws")
"""What tempered chains mend."""

KEPT = 1000
"""Draws kept of a tempered chain, or as many as are asked for: longer rounds are thinned."""


def fit(
    curve: Curve,
    law: Law,
    *,
    noise: Noise | str | None = None,
    priors: Priors | None = None,
    scale: Scale | None = None,
    draws: int = 1000,
    chains: int = 4,
    max_gradients: int = 24_000_000,
    tune: int = 500,
    target_accept: float = 0.8,
    sampler: str = "nutpie",
    cores: int | None = None,
    seed: int | None = None,
    progress: bool = True,
) -> Fit:
    """Fit a law to a curve: MAP by SciPy, NUTS, and tempered chains until draws have converged.

    Parameters
    ----------
    curve : Curve
        The points.
    law : Law
        The functional form, such as ``BNSL(1)``.
    noise : Noise or "auto", default LogNormal()
        How y scatters about the curve; `Correlated()` for checkpoints of one run. With "auto" the
        law is fitted with either, and the fit with the higher evidence returned
        (:func:`log_evidence`); one that did not converge only if the other did not either.
    priors : mapping of str to Prior or float, optional
        Priors that replace defaults, by the name of the parameter; a number fixes it.
    scale : Scale, default Scale.of(curve)
        What the default priors take from a curve. Give that of the whole curve when you fit a
        part of it and mean the same priors.
    draws : int, default 1000
        Draws of each chain.
    chains : int, default 4
        Number of chains, at least 2.
    max_gradients : int, default 24 million
        Most gradients of the log density that a round of tempered chains may take; rounds grow
        until the draws have converged or the next one would need more. 24 million take about
        half a minute on two cores for 50 points and three breaks.
    tune : int, default 500
        Steps of NUTS at the start that adapt it and are not kept.
    target_accept : float, default 0.8
        Acceptance that the step is adapted to. Chains that diverge go on with smaller steps.
    sampler : {"nutpie", "pymc"}
        Whose NUTS: nutpie's, or PyMC's own, which is slower, and is not followed by tempered
        chains.
    cores : int, optional
        How many chains run at once: by default all of NUTS, and of tempered ones as many as there
        are cores.
    seed : int, optional
        Makes the result repeatable. Drawn at random, and kept in the fit, by default.
    progress : bool, default True
        Whether to show a progress bar, in a terminal or a notebook.

    Returns
    -------
    Fit
        Draws, status, curve and law.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be; see also :func:`build_model`.

    Warns
    -----
    NotConvergedWarning
        If the draws do not meet the bar, with the sentence of ``fit.status``.

    Examples
    --------
    >>> from bayes_bnsl import BNSL, load_curve
    >>> seen, later = load_curve("four_digit_addition").split(n=14)
    >>> result = fit(seen, BNSL(1), seed=1, progress=False)
    >>> result.status.ok
    True
    """
    if isinstance(noise, str):
        given = {
            "priors": priors, "scale": scale, "draws": draws, "chains": chains, "tune": tune,
            "max_gradients": max_gradients, "target_accept": target_accept, "sampler": sampler,
            "cores": cores, "seed": seed, "progress": progress,
        }  # fmt: skip
        fits = [quiet_fit(curve, law, noise=each, **given) for each in choices(noise)]
        return announced(max(fits, key=lambda each: (each.status.ok, log_evidence(each).value)))
    noise = LogNormal() if noise is None else noise
    priors = check_arguments(curve, law, noise, priors)
    if sampler not in ("nutpie", "pymc"):
        raise ValueError(f"sampler must be 'nutpie' or 'pymc'; got {sampler!r}.")
    seed = check_sampling(
        draws=draws, chains=chains, max_gradients=max_gradients, tune=tune,
        target_accept=target_accept, cores=cores, seed=seed,
    )  # fmt: skip
    generator = np.random.default_rng(seed)
    scale = Scale.of(curve) if scale is None else scale
    problem = Problem(curve, law, noise, priors, scale)

    compiled = compile_law(curve, law, noise, priors)
    began = time.perf_counter()
    data = models.model_data(curve, law, noise, priors, scale)
    starts = prior = compiled.draw_prior(data, generator, N_STARTS * (1 + law.n_breaks))
    if len(curve) > MOST_POINTS:  # tops of some of the points are near those of all
        some = curve.take(np.linspace(0, len(curve) - 1, MOST_POINTS).round().astype(int))
        rough_data = models.model_data(some, law, noise, priors, scale)
        rough_data |= {name: value for name, value in data.items() if name == "resolution"}
        rough = compiled.log_density(rough_data)  # in the coordinates of all points
        starts = np.stack([mode.position for mode in find_modes(rough, starts)])
    log_density = compiled.log_density(data)
    modes = find_modes(log_density, starts)
    credible = [mode for mode in modes if mode.log_density > modes[0].log_density - CREDIBLE]
    positions = np.concatenate(
        [around(credible[k % len(credible)], log_density, 1, generator) for k in range(chains)]
    )

    def sampled(positions: Any, target_accept: float) -> nuts.Drawn:
        """Return draws of NUTS."""
        settings = nuts.Settings(draws, tune, target_accept)
        if sampler == "pymc":
            return nuts.sample_with_pymc(
                problem, positions, seed, settings, cores=cores or chains, progress=progress
            )
        seeds = [int(number) for number in generator.integers(2**31, size=chains)]
        with chains_progress(chains, draws + tune, shown=progress) as report:
            return nuts.sample_with_nutpie(
                compiled, data, positions, seeds, settings, cores=cores or chains, report=report
            )

    def judged(drawn: nuts.Drawn) -> tuple[nuts.Drawn, Draws, Status]:
        """Return the draws that are kept, the parameters, and whether to trust them."""
        kept = drawn.thinned(max(draws, KEPT))
        kept = replace(kept, values=kept.values or compiled.values(data, kept.positions))
        parameters = problem.parameters(kept.values)
        return kept, parameters, problem.diagnose(kept.values, parameters, kept.statistics)

    drawn, parameters, status = judged(sampled(positions, target_accept))
    often = np.mean(drawn.statistics["diverging"]) > OFTEN
    if sampler == "nutpie" and (often or status.name == "divergent"):
        smaller = max(target_accept, SMALL_STEPS)
        drawn, parameters, status = judged(sampled(drawn.positions[:, -1], smaller))
    if sampler == "nutpie" and status.name in UNMIXED:
        tops = np.concatenate([around(mode, log_density, 1, generator) for mode in credible])
        tempered = tempering.rounds(
            compiled.posterior(data), drawn.positions, prior.std(axis=0), generator, modes=tops,
            steps=max(draws, KEPT), max_gradients=max_gradients, target_accept=target_accept,
            cores=cores or os.cpu_count() or 1, progress=progress,
        )  # fmt: skip
        before = None
        for done in tempered:
            if done.draws.shape[1] >= draws:
                both, statistics = done.after(before)
                drawn, parameters, status = judged(nuts.Drawn({}, statistics, both))
                before = done
            if status.ok:
                break
    seconds = time.perf_counter() - began
    at_modes = compiled.values(data, np.stack([mode.position for mode in modes])[None])
    heights = np.array([mode.log_density for mode in modes])
    tree = problem.tree(
        drawn.values, parameters, drawn.statistics, problem.modes(at_modes, heights)
    )
    return announced(Fit(curve, law, noise, priors, scale, tree, status, seconds, seed))


def quiet_fit(curve: Curve, law: Law, **settings: Any) -> Fit:
    """Fit one of many; whoever asked for it says what became of its convergence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)
        return fit(curve, law, **({"progress": False} | settings))


def announced(done: Fit) -> Fit:
    """Warn if a fit did not converge."""
    if not done.status.ok:
        warn(f"{done.law.name} fitted to {done.curve.name!r}. {done.status}", NotConvergedWarning)
    return done


def check_sampling(*, target_accept: Any, seed: Any, **counts: Any) -> int:
    """Check the settings of the sampler; return the seed, drawn at random if none was given."""
    check_counts(seed=seed, **counts)
    if not isinstance(target_accept, Real) or not 0 < float(target_accept) < 1:
        raise ValueError(f"target_accept must lie between 0 and 1; got {target_accept!r}.")
    return int(np.random.SeedSequence().generate_state(1)[0] if seed is None else seed)


def check_counts(**counts: Any) -> None:
    """Check that settings are whole numbers, and large enough; some of them may be left open."""
    least, open_ = {"chains": 2, "seed": 0}, ("cores", "seed")
    for name, count in counts.items():
        if count is None and name in open_:
            continue
        if isinstance(count, bool) or not isinstance(count, Integral):
            raise TypeError(f"{name} must be an integer; got {count!r}.")
        if count < least.get(name, 1):
            raise ValueError(f"{name} must be at least {least.get(name, 1)}; got {count}.")
