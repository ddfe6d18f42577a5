"""What can be fitted to what: checks of a curve, a law, a noise model and priors, in words."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pymc as pm
import pytensor

from bayes_bnsl.curve import Curve
from bayes_bnsl.errors import did_you_mean
from bayes_bnsl.law import Law
from bayes_bnsl.laws import BNSL, M1
from bayes_bnsl.noise import Noise
from bayes_bnsl.noises import BestSoFar, Correlated
from bayes_bnsl.priors import Prior

__all__ = ["Priors", "check_arguments", "check_curves", "check_family"]

type Priors = Mapping[str, Any]
"""Priors by parameter: a Prior, a number that fixes it, or one number a break."""


def check_arguments(curve: Curve, law: Law, noise: Noise, priors: Priors | None) -> dict[str, Any]:
    """Check what `build_model` was given; return the priors with numbers as arrays."""
    for argument, value, kind in (
        ("curve", curve, Curve),
        ("law", law, Law),
        ("noise", noise, Noise),
        ("priors", priors or {}, Mapping),
    ):
        if not isinstance(value, kind):
            hint = f" Did you mean {value.__name__}()?" if isinstance(value, type) else ""
            raise TypeError(f"{argument} must be a {kind.__name__}; got {value!r}.{hint}")
    _check_enough_points(curve, law)
    if isinstance(noise, BestSoFar):
        _check_best_so_far(curve)
    known = (*law.parameters, *noise.parameters)
    if shared := set(law.parameters).intersection(noise.parameters):
        raise ValueError(
            f"{', '.join(sorted(shared))} is a parameter of {law.name} and of {noise.name} noise. "
            "Give it another name in the law."
        )
    for name in priors or {}:
        if name not in known:
            raise ValueError(
                f"priors names {name!r}, which is no parameter of {law.name} with "
                f"{noise.name} noise. {did_you_mean(name, known)}"
            )
    priors = {
        name: _checked_prior(law, name, value, positive=name in (*law.positive, *noise.parameters))
        for name, value in (priors or {}).items()
    }
    missing = [name for name in law.parameters if not law.line and name not in priors]
    if missing:
        raise ValueError(
            f"{law.name} has no default priors: give one for {', '.join(missing)}, as in "
            f"priors={{{missing[0]!r}: Prior('Normal', mu=0, sigma=1)}}."
        )
    if all(name in priors and not isinstance(priors[name], Prior) for name in known):
        raise ValueError(
            f"priors fixes every parameter of {law.name} and its noise: nothing is left to fit. "
            f"Leave one of them out, such as {noise.parameters[0]}."
        )
    return priors


def _check_enough_points(curve: Curve, law: Law) -> None:
    distinct = len(np.unique(curve.x))
    if distinct < 2:
        raise ValueError(
            f"The curve {curve.name!r} has one x only, {curve.x[0]:g}: no law can be fitted. "
            "Add points at another x."
        )
    if distinct < law.min_points:
        simpler: list[Law] = [BNSL(n) for n in range(law.n_breaks)] or [M1(), BNSL(0)]
        fits = [other.name for other in simpler if other.min_points <= distinct] or ["M1"]
        raise ValueError(
            f"{law.name} needs at least {law.min_points} distinct x; the curve {curve.name!r} has "
            f"{distinct}. {fits[-1]} fits as many as that."
        )


def _check_best_so_far(curve: Curve) -> None:
    before, after = curve.steps
    worse = curve.y[after] > curve.y[before] if curve.falls else curve.y[after] < curve.y[before]
    if np.any(worse):
        i = after[np.argmax(worse)]
        raise ValueError(
            f"The curve {curve.name!r} {'falls' if curve.falls else 'rises'}, but turns back to "
            f"{curve.y[i]:g} at {curve.x_name} {curve.x[i]:g}: that is not the best so far, which "
            "noise=BestSoFar() is for. Use LogNormal() or Correlated()."
        )


def _checked_prior(law: Law, name: str, prior: Any, *, positive: bool) -> Any:
    """Return the prior, or a fixed value as an array; refuse values the parameter cannot have."""
    if isinstance(prior, Prior):
        for key, numbers in prior.constants().items():
            _check_length(law, name, f"has {key}", numbers)
        allowed = (-1e-9, -1.0, -1e3) if positive or name == law.limit_name else ()
        if any(_allows(prior, value) for value in allowed):
            raise ValueError(
                f"The prior of {name}, {prior!r}, allows values below zero, which {name} cannot "
                f"have. Bound it with at_least=0, or use a positive distribution: LogNormal, "
                f"HalfNormal, Gamma."
            )
        _allows(prior, 1.0)
        return prior
    try:
        value = np.asarray(prior, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(
            f"The prior of {name} must be a Prior, or a number to fix it; got {prior!r}."
        ) from None
    _check_length(law, name, "is fixed to", prior)
    lowest = "above zero" if positive else "zero or more" if name == law.limit_name else "finite"
    bad = ~np.isfinite(value) | (value <= 0 if positive else value < 0)
    if np.any(bad if lowest != "finite" else ~np.isfinite(value)):
        raise ValueError(f"{name} is fixed to {prior!r}; it must be {lowest}.")
    return np.broadcast_to(value, (law.n_breaks,)) if law.has_break(name) else value


def _check_length(law: Law, name: str, what: str, numbers: Any) -> None:
    shape = np.shape(numbers)
    if shape not in ((), *([(law.n_breaks,)] if law.has_break(name) else [])):
        raise ValueError(
            f"{name} of {law.name} {what} {numbers!r}, of shape {shape}; it needs "
            + (f"a number, or {law.n_breaks} of them." if law.has_break(name) else "one number.")
        )


@lru_cache(maxsize=256)
def _allows(prior: Prior, value: float) -> bool:
    """Tell whether the density of a prior is above zero at a value."""
    distribution: Any = getattr(pm, prior.distribution, None)
    is_class = isinstance(distribution, type)
    improper = distribution in (pm.Flat, pm.HalfFlat)  # nothing can be drawn from those
    if improper or not (is_class and issubclass(distribution, pm.Continuous)):
        raise ValueError(
            f"{prior.distribution!r} is no proper continuous distribution of PyMC. Names are those "
            "of pymc, such as Normal, LogNormal, HalfNormal, Gamma, Beta, Uniform, StudentT."
        )
    numbers = dict(prior.parameters)
    known = [
        parameter.name
        for parameter in inspect.signature(distribution.dist).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    for name in numbers:  # PyMC itself passes over a name that it does not know
        if name not in known:
            raise ValueError(
                f"{prior!r}: {prior.distribution} has no parameter {name!r}. "
                f"{did_you_mean(name, known)}"
            )
    try:
        variable = distribution.dist(**numbers)
        if (prior.at_least, prior.at_most) != (None, None):
            variable = pm.Truncated.dist(variable, prior.at_least, prior.at_most)
        log_density = pytensor.function([], pm.logp(variable, value), mode="FAST_COMPILE")()
    except Exception as error:
        raise ValueError(f"{prior!r} is not a valid prior: {error}") from error
    return bool(np.any(log_density > -np.inf))


def check_curves(curves: Any) -> dict[str, Curve]:
    """Check many curves; return them by name."""
    if isinstance(curves, Curve):
        curves = [curves]
    if not isinstance(curves, Mapping | Sequence) or isinstance(curves, str):
        raise TypeError(
            f"curves must be a sequence of Curve, or a mapping to them; got {curves!r}."
        )
    given = list(curves.values()) if isinstance(curves, Mapping) else list(curves)
    for curve in given:
        if not isinstance(curve, Curve):
            raise TypeError(f"curves must hold Curve alone; got {curve!r}.")
    if not given:
        raise ValueError("curves is empty: give at least one curve.")
    if isinstance(curves, Mapping):
        return {str(name): replace(curve, name=str(name)) for name, curve in curves.items()}
    names = [curve.name for curve in given]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(
            f"curves has the name {twice[0]!r} more than once. Give each a name of its own, as in "
            "Curve(x, y, name=...), or pass a mapping of names to curves."
        )
    return dict(zip(names, given, strict=True))


def check_family(
    curves: Mapping[str, Curve], law: Law, noise: Any, priors: Priors | None
) -> dict[str, Any]:
    """Check what is fitted to curves of a family; return the priors with numbers as arrays."""
    if isinstance(noise, BestSoFar | Correlated | str):
        raise ValueError(
            f"Curves of a family are fitted together with independent noise; got noise={noise!r}. "
            "Give LogNormal() or StudentT(), or fit each curve alone."
        )
    if isinstance(law, Law) and not law.line:
        raise ValueError(
            f"{law.name} is a law of your own, of which it is not known what curves of a family "
            "share. Take BNSL or one of M1 to M4, or fit each curve alone."
        )
    if isinstance(law, Law) and law.line[0].removeprefix("log_") in (priors or {}):
        raise ValueError(
            f"priors names {law.line[0].removeprefix('log_')!r}, the level of {law.name}, which is "
            "each curve's own in a family. Leave it out, or fit each curve alone."
        )
    checked: dict[str, Any] = {}
    for curve in curves.values():
        checked = check_arguments(curve, law, noise, priors)
    return checked
