"""Choosing the law: every candidate fitted, and judged by what it foresees of unseen points."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from bayes_bnsl.comparison import Candidate, Comparison
from bayes_bnsl.curve import Curve
from bayes_bnsl.errors import NotConvergedWarning, did_you_mean, warn
from bayes_bnsl.evidence import log_evidence, of_chains
from bayes_bnsl.future import first_window, leave_future_out
from bayes_bnsl.law import Law
from bayes_bnsl.laws import BNSL, M1, M2, M3, M4
from bayes_bnsl.loo import leave_one_out
from bayes_bnsl.noise import Noise
from bayes_bnsl.noises import BestSoFar, LogNormal, choices
from bayes_bnsl.result import Fit
from bayes_bnsl.sampling import quiet_fit

__all__ = ["compare"]

LAWS: tuple[Law, ...] = (*(BNSL(n) for n in range(4)), M1(), M2(), M3(), M4())
"""What is compared unless the user says otherwise."""

WEIGHTS = {
    "loo": ("stacking", "pseudo_bma"),
    "lfo": ("stacking", "pseudo_bma"),
    "evidence": ("probability",),
}
"""The weights there are for each way to judge."""


def compare(
    curve: Curve | Sequence[Fit] | Mapping[str, Fit],
    laws: Sequence[Law | Fit] | None = None,
    *,
    by: str = "loo",
    noise: Noise | Sequence[Noise] | str | None = None,
    weights: str | None = None,
    include_unconverged: bool = False,
    leave_out: str = "point",
    horizon: int = 1,
    start: int | None = None,
    seed: int | None = None,
    **settings: Any,
) -> Comparison:
    """Compare laws by how well they foresee points that they have not seen.

    Parameters
    ----------
    curve : Curve, sequence of Fit or mapping of str to Fit
        The points; or fits to the same points, with labels of your own if it is a mapping.
    laws : sequence of Law or Fit, default BNSL(0) to BNSL(3), M1 to M4
        What is compared on a curve. A Fit stands for itself, with its own priors.
    by : {"loo", "lfo", "evidence"}
        What is left out: each point in turn (:func:`leave_one_out`), which asks how well a law
        fills gaps; or the points ahead (:func:`leave_future_out`), which asks how well it
        extrapolates and takes longer. "evidence" asks how probable each law is, given the points
        and its priors (:func:`log_evidence`), and is the quickest.
    noise : Noise, sequence of Noise or "auto", default LogNormal()
        How y scatters about the curve; with several, every law is fitted with each. All scores
        are densities of y, so that they compare. "auto" means LogNormal() and Correlated().
    weights : {"stacking", "pseudo_bma", "probability"}, optional
        How the weights are found: those with which the average foresees best, the default, or by
        the elpd of each law with the Bayesian bootstrap (Yao et al. 2018). By evidence they are the
        probabilities of the laws, all being equally probable before.
    include_unconverged : bool, default False
        Whether laws whose fit did not converge are given weight and may be chosen.
    leave_out : {"point", "x", "run"}
        For "loo": what is left out at a time.
    horizon : int, default 1
        For "lfo": how many x ahead are foreseen together.
    start : int, optional
        For "lfo": how many x are seen before the first forecast; by default half of them, or as
        many as the laws need if that is more.
    seed : int, optional
        Makes the result repeatable.
    **settings
        Passed to every :func:`fit`: ``priors`` that all laws share, ``max_gradients``, ``draws``,
        ``progress`` and the like.

    Returns
    -------
    Comparison
        Table, weights, the recommended law, the fits; ``forecast`` averages it.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be, or fits are of different points.

    Warns
    -----
    NotConvergedWarning
        If laws are without weight because their fits did not converge.

    References
    ----------
    Yao, Vehtari, Simpson, Gelman, "Using stacking to average Bayesian predictive distributions",
    Bayesian Analysis 13, 2018.

    Examples
    --------
    >>> from bayes_bnsl import BNSL, M1, load_curve
    >>> choice = compare(load_curve("four_digit_addition"), [BNSL(1), M1()], seed=1, progress=False)
    >>> choice.simplest
    'BNSL(1)'
    """
    if by not in WEIGHTS:
        raise ValueError(f"by is {by!r}. {did_you_mean(by, WEIGHTS)}")
    weights = weights or WEIGHTS[by][0]
    if weights not in WEIGHTS[by]:
        raise ValueError(f"weights is {weights!r}. {did_you_mean(weights, WEIGHTS[by])}")
    curve, wanted = _wanted(curve, laws, noise)
    seen = len(np.unique(curve.x))
    if by == "lfo":
        least = min(law.min_points for _, law, _, _ in wanted)
        seen = first_window(curve, least, start, horizon)
    candidates = []
    for label, law, each, done in wanted:
        if law.min_points > seen:
            reason = f"{law.name} needs {law.min_points} distinct x; there are {seen}."
            candidates.append(Candidate(label, law, each, "too_few_points", reason, 0.0))
            continue
        result = done or quiet_fit(curve, law, noise=each, seed=seed, **settings)
        began = time.perf_counter()
        scores: xr.Dataset | None = None
        worth = result.status.ok or include_unconverged
        if by == "loo":
            own = of_chains(settings)
            scores = leave_one_out(result, leave_out=leave_out, repair=worth, **own)
        elif by == "evidence":
            value, error = log_evidence(result)
            columns = {"elpd": ("left", [value]), "error": ("left", [error])}
            scores = xr.Dataset(columns, {"left": ["all"]}, attrs={"by": by})
        elif worth:
            own = {key: value for key, value in settings.items() if key not in ("priors", "scale")}
            scores = leave_future_out(result, start=seen, horizon=horizon, **own)
        seconds = result.seconds + time.perf_counter() - began
        status = result.status
        candidates.append(
            Candidate(label, law, each, status.name, str(status), seconds, result, scores)
        )
    comparison = Comparison(curve, by, tuple(candidates), weights, include_unconverged)
    failed = [each for each in candidates if each.fit is not None and not each.fit.status.ok]
    if failed:
        weightless = "" if include_unconverged else " and have no weight"
        warn(
            f"{len(failed)} of {len(candidates)} laws did not converge on {curve.name!r}"
            f"{weightless}: {', '.join(f'{each.label} ({each.status})' for each in failed)}. "
            "Raise max_gradients, or leave them out.",
            NotConvergedWarning,
        )
    return comparison


class Wanted(NamedTuple):
    """One law to compare, and its fit if there is one already."""

    label: str
    law: Law
    noise: Noise
    fit: Fit | None


def _wanted(
    curve: Curve | Sequence[Fit] | Mapping[str, Fit],
    laws: Sequence[Law | Fit] | None,
    noise: Noise | Sequence[Noise] | str | None,
) -> tuple[Curve, list[Wanted]]:
    """Return the points and what is compared on them, each under a label of its own."""
    given: list[Any] = [None]
    if isinstance(curve, Mapping):
        given, labels = list(curve.values()), [str(label) for label in curve]
    elif not isinstance(curve, Curve):
        given, labels = list(curve) if isinstance(curve, Sequence) else [curve], []
    if not isinstance(curve, Curve):
        if not given or not all(isinstance(each, Fit) for each in given):
            raise TypeError(
                f"curve must be a Curve, or fits to the same points; got {curve!r}. For laws on a "
                "curve call compare(curve, laws)."
            )
        if laws is not None or noise is not None:
            raise TypeError("laws and noise belong to a curve; fits have their own.")
        points = given[0].curve
    else:
        points, given, labels = curve, list(LAWS if laws is None else laws), []
    if isinstance(noise, str):
        noise = choices(noise)
    noises: list[Any] = list(noise) if isinstance(noise, Sequence) else [noise or LogNormal()]
    wanted: list[Wanted] = []
    for each in given:
        if isinstance(each, Fit):
            if each.curve != points:
                raise ValueError(
                    f"Fits can be compared on the same points alone; {each.law.name} was fitted to "
                    f"{each.curve!r}, not to {points!r}."
                )
            wanted.append(Wanted(each.law.name, each.law, each.noise, each))
        elif isinstance(each, Law):
            wanted += [Wanted(each.name, each, kind, None) for kind in noises]
        else:
            raise TypeError(f"laws must hold laws such as BNSL(1), or fits; got {each!r}.")
    if not wanted:
        raise ValueError("laws is empty: give at least one law.")
    if len({isinstance(each.noise, BestSoFar) for each in wanted}) > 1:
        raise ValueError(
            "BestSoFar compares with no other noise: where y repeats it has a probability, the "
            "others a density. Compare laws with BestSoFar alone, or without it."
        )
    if not labels:
        several = len({repr(kind) for _, _, kind, _ in wanted}) > 1
        names = [f"{name}, {kind.name}" if several else name for name, _, kind, _ in wanted]
        labels = [
            name if names.count(name) == 1 else f"{name} #{names[: i + 1].count(name)}"
            for i, name in enumerate(names)
        ]
    return points, [each._replace(label=label) for label, each in zip(labels, wanted, strict=True)]
