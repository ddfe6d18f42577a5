"""Whether draws can be trusted, in words.

The bar: rank-normalised R-hat at most 1.01 and bulk and tail effective sample size at least
400 for every parameter and for log mu at both ends of the data and at ten times their end,
and no divergence; if chains had to be tempered, at least 100 fresh starts arrived.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from arviz_stats.base import array_stats
from numpy.typing import NDArray

from bayes_bnsl.columns import counted
from bayes_bnsl.errors import more_about

__all__ = ["Status", "diagnose"]

MOST_R_HAT = 1.01
LEAST_EFFECTIVE_DRAWS = 400
LEAST_RESTARTS = 100

SENTENCES = {
    "converged": (
        "Converged: R-hat at most {r_hat:.3f}, at least {effective_draws:.0f} effective draws "
        "of every quantity, no divergence.{by_tempering}"
    ),
    "divergent": (
        "{divergent}: the sampler could not follow the posterior into "
        "its narrowest part, so intervals may be too short. Use fewer breaks, give narrower "
        "priors, or raise max_gradients."
    ),
    "chains_disagree": (
        "The chains disagree about {worst_r_hat} (R-hat {r_hat:.3f}, should be at most 1.01): "
        "they are too short, or there are several modes that they visited too seldom to weigh "
        "(fit.data['modes'] lists them). Do not rely on the intervals. Raise max_gradients, use "
        "fewer breaks, or give a prior that rules a mode out."
    ),
    "few_draws": (
        "Only {effective_draws:.0f} effective draws of {worst_effective_draws} (should be at "
        "least 400): the ends of intervals are noisy. Raise max_gradients."
    ),
    "few_restarts": (
        "Chains had to be tempered, and only {restarts} fresh starts arrived at the posterior "
        "(should be at least 100): how much each mode weighs is uncertain, and so are the ends of "
        "intervals. Raise max_gradients, use fewer breaks, or give a prior that rules a mode out."
    ),
    "constant_y": (
        "All y are equal, so the points say nothing about slopes or noise: what you see is the "
        "prior. Check that the right column was read."
    ),
}

BY_TEMPERING = (
    " NUTS alone did not mix: chains were tempered, and {restarts} fresh starts arrived, which "
    "gives each mode its mass."
)


@dataclass(frozen=True)
class Status:
    """Verdict on the draws of a fit; ``str(status)`` is a sentence.

    Parameters
    ----------
    name : str
        ``converged``, ``divergent``, ``chains_disagree``, ``few_draws``, ``few_restarts``
        or ``constant_y``.
    r_hat : float
        Largest rank-normalised R-hat.
    effective_draws : float
        Smallest bulk or tail effective sample size.
    divergences : int
        Number of divergent transitions; of tempered chains, of kept draws with one since the last.
    worst_r_hat, worst_effective_draws : str
        The quantities those two belong to.
    restarts : int, default 0
        How many fresh starts arrived at the posterior, where chains had to be tempered.

    Examples
    --------
    >>> status = Status("few_draws", 1.004, 312.0, 0, "a", "f1")
    >>> status.ok
    False
    >>> print(status)
    Only 312 effective draws of f1 (should be at least 400): the ends of intervals are noisy.
    Raise max_gradients. More: docs/faq.md#few_draws.
    """

    name: str
    r_hat: float
    effective_draws: float
    divergences: int
    worst_r_hat: str
    worst_effective_draws: str
    restarts: int = 0

    @property
    def ok(self) -> bool:
        """Whether the draws meet the bar."""
        return self.name == "converged"

    def __str__(self) -> str:
        by_tempering = BY_TEMPERING.format(**vars(self)) if self.restarts else ""
        divergent = counted(self.divergences, "divergence")
        sentence = SENTENCES[self.name].format(
            **vars(self), by_tempering=by_tempering, divergent=divergent
        )
        return sentence if self.ok else f"{sentence} {more_about(self.name)}"


def diagnose(
    quantities: Mapping[str, NDArray[np.float64]],
    divergences: int,
    *,
    restarts: int | None = None,
    constant_y: bool = False,
) -> Status:
    """Judge draws by R-hat, effective sample size and divergences.

    Parameters
    ----------
    quantities : mapping of str to ndarray, shape (n_chains, n_draws)
        Everything that has to have converged, by name. Constants pass.
    divergences : int
        Number of divergent transitions.
    restarts : int, optional
        How many fresh starts arrived at the posterior, if chains were tempered.
    constant_y : bool, default False
        Whether all y of the data are equal.

    Returns
    -------
    Status
        The gravest verdict that applies.

    Examples
    --------
    >>> draws = np.random.default_rng(1).normal(size=(4, 1000))
    >>> diagnose({"a": draws}, 0).name
    'converged'
    >>> diagnose({"a": draws + [[0], [0], [0], [3]]}, 0).name
    'chains_disagree'
    """
    axes = {"chain_axis": 0, "draw_axis": 1}
    r_hats, effective = {}, {}
    for name, draws in quantities.items():
        if np.ptp(draws) == 0:
            continue
        r_hats[name] = float(array_stats.rhat(draws, **axes))
        bulk = array_stats.ess(draws, method="bulk", **axes)
        tail = array_stats.ess(draws, method="tail", prob=(0.05, 0.95), **axes)
        effective[name] = float(min(bulk, tail))
    worst_r_hat = max(r_hats, key=lambda name: np.nan_to_num(r_hats[name], nan=np.inf))
    fewest = min(effective, key=lambda name: np.nan_to_num(effective[name], nan=-np.inf))
    if constant_y:
        verdict = "constant_y"
    elif not r_hats[worst_r_hat] <= MOST_R_HAT:
        verdict = "chains_disagree"
    elif divergences:
        verdict = "divergent"
    elif not effective[fewest] >= LEAST_EFFECTIVE_DRAWS:
        verdict = "few_draws"
    elif restarts is not None and restarts < LEAST_RESTARTS:
        verdict = "few_restarts"
    else:
        verdict = "converged"
    return Status(
        verdict, r_hats[worst_r_hat], effective[fewest], divergences, worst_r_hat, fewest,
        restarts or 0,
    )  # fmt: skip
