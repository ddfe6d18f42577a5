"""The evidence for a law: the density of all its points, foreseen from the priors alone.

The evidence, or marginal likelihood, is the product of the densities of the points, each foreseen
from those before it; so it asks of a law what leave-future-out asks, from the first point on. Laws
that were fitted to the same points have probabilities in proportion to it. It is found by bridge
sampling between the draws of a fit and a mixture of Gaussians that is fitted to them. That of a few
points less, or more, takes no other fit: chains of the one that there is are tempered to the new
posterior.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import brentq
from threadpoolctl import threadpool_limits

from bayes_bnsl import model as models
from bayes_bnsl import tempering
from bayes_bnsl.compiled import compile_law
from bayes_bnsl.curve import Curve
from bayes_bnsl.density import log_joint, log_mean_exp, positions, refuse_pooled
from bayes_bnsl.gaussians import Gaussians
from bayes_bnsl.loops import LEAST_DENSITY
from bayes_bnsl.optimum import Vector
from bayes_bnsl.result import Fit

__all__ = ["Evidence", "log_evidence", "log_evidence_of"]

GOOD_ERROR = 0.1
"""Largest error of a log evidence for which chains are tempered no longer."""

N_PRIOR = 24
"""Draws of the prior that tell how wide it is."""

JUDGED = 1000
"""Draws of each chain that an evidence is found from."""


class Evidence(NamedTuple):
    """The log evidence and its Monte Carlo error.

    Parameters
    ----------
    value : float
        Log density of all y together, in their units.
    error : float
        Half the difference of two estimates, each from one half of the chains judged by the other.

    Examples
    --------
    >>> evidence = Evidence(value=25.3, error=0.02)
    >>> evidence.value
    25.3
    """

    value: float
    error: float


def log_evidence(fit: Fit, *, seed: int | None = None) -> Evidence:
    """Return the log evidence (log marginal likelihood) of a fit.

    Parameters
    ----------
    fit : Fit
        The fitted law. It should have converged: the draws have to know where the posterior is.
    seed : int, optional
        Of the proposals; that of the fit by default.

    Returns
    -------
    Evidence
        ``value`` and ``error``. Laws and noise models that were fitted to the same points compare
        by the difference of their values, the log of the Bayes factor.

    Raises
    ------
    TypeError
        If `fit` is no Fit.

    Notes
    -----
    A mixture of Gaussians is fitted to the first half of the chains, and Bennett's acceptance ratio
    compares draws of it with those of the other chains, in the coordinates of the sampler; then the
    halves change places, and the mean of both is returned. Were both halves from the same chains,
    each draw would have a near copy among those that the mixture was fitted to: it seems to know
    the posterior better than it does, and the evidence comes out too low.

    References
    ----------
    Meng, Wong, "Simulating ratios of normalizing constants via a simple identity", Statistica
    Sinica 6, 1996; Gronau et al., "A tutorial on bridge sampling", Journal of Mathematical
    Psychology 81, 2017.

    Examples
    --------
    >>> from bayes_bnsl import BNSL, M1, fit, load_curve
    >>> curve = load_curve("four_digit_addition")
    >>> straight, broken = (fit(curve, law, seed=1, progress=False) for law in (M1(), BNSL(1)))
    >>> bool(log_evidence(broken).value > log_evidence(straight).value + 20)
    True
    """
    if not isinstance(fit, Fit):
        raise TypeError(f"fit must be the result of bayes_bnsl.fit; got {fit!r}.")
    refuse_pooled(fit, "the evidence", "Fit the curve alone with fit.")
    draws, apart = positions(fit)

    def log_density(at: Vector) -> Vector:
        return log_joint(fit, apart(at[None]))[0]

    return _from_halves(
        draws, log_density, np.random.default_rng(fit.seed if seed is None else seed)
    )


def log_evidence_of(
    curve: Curve,
    fit: Fit,
    *,
    seed: int,
    max_gradients: float = 24_000_000,
    cores: int | None = None,
) -> Evidence:
    """Return the log evidence of a fitted law, with its noise and priors, for other points.

    Parameters
    ----------
    curve : Curve
        Points that are nearly those of the fit: without some of them, or with some more.
    fit : Fit
        Where the draws are that chains start from. It should have converged.
    seed : int
        Makes the result repeatable.
    max_gradients : float, default 24 million
        Rounds of tempered chains (:func:`bayes_bnsl.tempering.rounds`) grow until the error is at
        most `GOOD_ERROR`, or the next would need more gradients.
    cores : int, optional
        How many chains run at once: as many as there are cores by default.

    Returns
    -------
    Evidence
        As from :func:`log_evidence`; its error is infinite if there was no round.
    """
    compiled = compile_law(curve, fit.law, fit.noise, fit.priors)
    data = models.model_data(curve, fit.law, fit.noise, fit.priors, fit.scale)
    coordinates = fit.data["coordinates"].to_dataset().data_vars
    draws = compiled.positions(data, {str(name): each.values for name, each in coordinates.items()})
    generator = np.random.default_rng(seed)
    height = compiled.log_density(data)

    def log_density(at: Vector) -> Vector:
        heights = np.array([height(each)[0] for each in at], dtype=float)
        return np.where(np.isfinite(heights), heights, LEAST_DENSITY)

    found = Evidence(np.nan, np.inf)
    for done in tempering.rounds(
        compiled.posterior(data), draws, compiled.draw_prior(data, generator, N_PRIOR).std(axis=0),
        generator, mixed=True, max_gradients=max_gradients, cores=cores or os.cpu_count() or 1,
    ):  # fmt: skip
        apart = -(-done.draws.shape[1] // JUDGED)
        found = _from_halves(done.draws[:, ::apart], log_density, generator)
        if found.error <= GOOD_ERROR:
            break
    return found


def of_chains(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a fit that :func:`log_evidence_of` takes as well."""
    return {name: settings[name] for name in ("max_gradients", "cores") if name in settings}


def _from_halves(
    draws: Vector, log_density: Callable[[Vector], Vector], generator: np.random.Generator
) -> Evidence:
    """Return the evidence from draws of shape (chain, draw, n_dimensions)."""
    # of whole chains: neighbours in a chain are alike
    halves = np.array_split(draws.reshape(-1, draws.shape[-1]), 2)
    with threadpool_limits(limits=1, user_api="blas"):
        first, second = (
            _bridged(mine, other, log_density, generator) for mine, other in (halves, halves[::-1])
        )
    return Evidence((first + second) / 2, abs(first - second) / 2)


def _bridged(
    known: Vector,
    draws: Vector,
    log_density: Callable[[Vector], Vector],
    generator: np.random.Generator,
) -> float:
    """Return the log of the integral of a density, by draws of it and of a mixture."""
    centre, size = known.mean(axis=0), known.std(axis=0)
    mixture = Gaussians.fitted((known - centre) / size, generator)
    proposed = mixture.draw(len(draws), generator)

    def excess(at: Vector) -> Vector:
        return log_density(centre + size * at) - mixture.log_density(at) + np.log(size).sum()

    return log_ratio(excess((draws - centre) / size), excess(proposed))


def log_ratio(numerator: Vector, denominator: Vector) -> float:
    """Return the log of the ratio of the integrals of two densities, from draws of both.

    Bennett's acceptance ratio weighs both sets of draws in the way that has the least error.

    Parameters
    ----------
    numerator, denominator : ndarray, shape (n_draws,)
        Log of the density that is integrated in the numerator less log of the other one, at draws
        of the first and of the second.

    Returns
    -------
    float
        Log of the ratio.

    References
    ----------
    Bennett, "Efficient estimation of free energy differences from Monte Carlo data", Journal of
    Computational Physics 22, 1976.

    Examples
    --------
    >>> generator = np.random.default_rng(1)
    >>> wide, narrow = generator.normal(0, 2, 9000), generator.normal(0, 1, 9000)
    >>> def excess(at):  # of exp(-at**2 / 8) over exp(-at**2 / 2), whose integrals are as 2 to 1
    ...     return -(at**2) / 8 + at**2 / 2
    >>> bool(abs(log_ratio(excess(wide), excess(narrow)) - np.log(2)) < 0.02)
    True
    """
    total = numerator.size + denominator.size
    share, other_share = np.log(numerator.size / total), np.log(denominator.size / total)

    def excess(ratio: float) -> float:
        upper = denominator - np.logaddexp(share + denominator, other_share + ratio)
        lower = -np.logaddexp(share + numerator, other_share + ratio)
        return log_mean_exp(upper) - log_mean_exp(lower) - ratio

    # The root lies between what either set of draws says alone, up to their Monte Carlo error.
    ends = log_mean_exp(denominator), -log_mean_exp(-numerator)
    low, high = min(ends) - 1.0, max(ends) + 1.0
    while excess(low) < 0:
        low -= high - low
    while excess(high) > 0:
        high += high - low
    return float(brentq(excess, low, high))
