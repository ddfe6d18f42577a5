"""The law as a PyMC model. Every random variable of the package is made in this room.

One model serves every curve: the points, what the default priors take from the curve and the
numbers of the user's priors are ``pm.Data``, so a compiled model is used again for another
curve of any length.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pymc.distributions.transforms import _default_transform
from pymc.logprob.transforms import IntervalTransform, LogOddsTransform, LogTransform, Transform

from bayes_bnsl import priors as defaults
from bayes_bnsl.curve import Curve
from bayes_bnsl.errors import did_you_mean
from bayes_bnsl.law import Law
from bayes_bnsl.laws import BNSL, M1
from bayes_bnsl.noise import LogNormal, Noise
from bayes_bnsl.priors import Prior, Scale

__all__ = ["build_model"]

type Priors = Mapping[str, Any]
"""Priors by parameter: a Prior, a number that fixes it, or one number a break."""


def build_model(
    curve: Curve, law: Law, *, noise: Noise | None = None, priors: Priors | None = None
) -> pm.Model:
    """Build the PyMC model of a law for a curve.

    Parameters
    ----------
    curve : Curve
        The points to fit.
    law : Law
        The functional form.
    noise : Noise, default LogNormal()
        How y scatters about the curve.
    priors : mapping of str to Prior or float, optional
        Priors that replace the default of a parameter, by its name in the law's formula or
        ``sigma``. A number fixes the parameter; for parameters of breaks a sequence gives
        one number a break.

    Returns
    -------
    pymc.Model
        Its free variables are the standard normal coordinates ``z_...`` of the parameters that
        have default priors, and the parameters that have a prior of the user's. All parameters
        of the law and of the noise stand in it by name, in the user's units, with ``log_b``
        beside ``b`` (``log_a``, ``log_beta`` for other laws).

    Raises
    ------
    ValueError
        If the curve has too few points for the law, a prior has an unknown name or
        distribution or allows values that the parameter cannot have, or a `Custom` law lacks
        a prior.
    TypeError
        If an argument is of the wrong kind.

    Examples
    --------
    >>> import numpy as np
    >>> from bayes_bnsl import BNSL, Curve, Prior
    >>> x = np.geomspace(10, 1e4, 8)
    >>> model = build_model(Curve(x, 3 * x**-0.3), BNSL(0), priors={"a": 0.0})
    >>> [variable.name for variable in model.free_RVs]
    ['z_first', 'z_last', 'z_sigma']
    """
    noise = LogNormal() if noise is None else noise
    priors = check_arguments(curve, law, noise, priors)
    data = model_data(curve, law, priors)
    coords = {"brk": np.arange(1, law.n_breaks + 1)} if law.n_breaks else None
    with pm.Model(coords=coords, check_bounds=False) as model:
        constant = {
            name: pm.Data(name, value, dims=dims_of(law, name, np.ndim(value)))
            for name, value in data.items()
        }
        given = {name: _given(law, name, prior, constant) for name, prior in priors.items()}
        scale = Scale(*(constant["scale"][i] for i in range(len(Scale._fields))))

        def coordinate(name: str, *, per_break: bool = False) -> Any:
            return pm.Normal(f"z_{name}", 0.0, 1.0, dims="brk" if per_break else None)

        of_noise = {name: given.pop(name) for name in noise.parameters if name in given}
        theta = defaults.parameters(law, scale, given, coordinate, pt)
        log_mu = law.log_mu(pt.log(constant["x"]), theta, pt)
        residual = _residual_level(pt.log(constant["y_observed"]) - log_mu, scale)

        def recentred(name: str) -> Any:
            return pm.CustomDist(
                f"z_{name}",
                residual,
                logp=_standard_normal_logp,
                dist=_standard_normal,
                transform=Recentred(),
            )

        theta |= defaults.noise_parameters(noise, scale, of_noise, recentred, pt)
        _name_parameters(law, noise, theta, model)
        pm.LogNormal(
            "y",
            mu=log_mu,
            sigma=noise.scale(theta, constant.get("log_se"), pt),
            observed=constant["y_observed"],
            dims="obs_id",
        )
    return model


def _residual_level(residuals: Any, scale: Scale) -> Any:
    """Return about where ``z_sigma`` lies, given the law: the log of the residuals' size."""
    floor = 0.1 * defaults.NOISE_SHARE * scale.spread
    size = pt.sqrt(pt.mean(residuals**2) + floor**2)
    return pt.log(size / (defaults.NOISE_SHARE * scale.spread))


def _standard_normal(level: Any, size: Any) -> Any:
    """Return the prior of ``z_sigma``, which the level of the residuals does not enter."""
    return pm.Normal.dist(0.0, 1.0, size=size)


def _standard_normal_logp(value: Any, level: Any) -> Any:
    return pm.logp(_standard_normal(level, None), value)


class Recentred(Transform):
    """What the sampler sees in place of ``z_sigma``: its distance from the residuals' level.

    With few points sigma may be small, and then the law must lie narrowly along the points: a
    funnel, in which transitions diverge. Given the law, sigma follows the size of the residuals,
    so the distance from that hardly depends on the law, and the funnel is gone. This is a shift:
    the prior, the posterior and draws from either are untouched.
    """

    name = "recentred"

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Return the distance from the level."""
        _size, level, _generator = inputs
        return value - level

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Return ``z_sigma``."""
        _size, level, _generator = inputs
        return value + level

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Return 0: a shift leaves volumes alone."""
        return pt.zeros_like(value)


def _name_parameters(law: Law, noise: Noise, theta: dict[str, Any], model: pm.Model) -> None:
    """Give every parameter its name in the model, and its logarithm where that is kept."""
    for name in (*law.parameters, *noise.parameters):
        dims = "brk" if law.has_break(name) else None
        logged = theta.get(f"log_{name}")
        if isinstance(logged, list):
            logged = pt.stack(logged)
        if f"log_{name}" in law.line and logged is None:
            logged = pt.log(theta[name])
        if f"log_{name}" in law.line:
            pm.Deterministic(f"log_{name}", logged)
        if name not in model.named_vars:
            value = theta[name] if name in theta else pt.exp(logged)
            pm.Deterministic(name, pt.stack(value) if isinstance(value, list) else value, dims=dims)


def model_data(curve: Curve, law: Law, priors: Priors) -> dict[str, Any]:
    """Return all that changes from curve to curve: the values of the model's ``pm.Data``."""
    data: dict[str, Any] = {"x": curve.x, "y_observed": curve.y}
    if curve.y_se is not None:
        data["log_se"] = curve.y_se / curve.y
    data["scale"] = np.array(Scale.of(curve))
    for name, prior in priors.items():
        numbers = prior.constants() if isinstance(prior, Prior) else {"value": prior}
        for key, value in numbers.items():
            shape = (law.n_breaks,) if law.has_break(name) else ()
            data[f"prior_{name}_{key}"] = np.broadcast_to(np.asarray(value, dtype=float), shape)
    return data


def dims_of(law: Law, name: str, ndim: int) -> str | None:
    """Return the dimension of a constant of the model."""
    if ndim == 0:
        return None
    return "brk" if name.startswith("prior_") else "scale_id" if name == "scale" else "obs_id"


def structure(curve: Curve, law: Law, noise: Noise, priors: Priors) -> tuple[Any, ...]:
    """Return what a compiled model depends on; equal structures share one compilation."""
    return (
        law,
        noise,
        curve.y_se is not None,
        tuple(
            (name, prior.structure if isinstance(prior, Prior) else "fixed")
            for name, prior in sorted(priors.items())
        ),
    )


def _given(law: Law, name: str, prior: Any, constant: Mapping[str, Any]) -> Any:
    """Return a parameter that the user fixed or gave a prior."""
    if not isinstance(prior, Prior):
        return constant[f"prior_{name}_value"]
    numbers = {key: constant[f"prior_{name}_{key}"] for key in prior.constants()}
    at_least, at_most = numbers.pop("at_least", None), numbers.pop("at_most", None)
    distribution = getattr(pm, prior.distribution)
    dims = "brk" if law.has_break(name) else None
    if at_least is None and at_most is None:
        return distribution(name, **numbers, dims=dims)
    base = distribution.dist(**numbers)
    lowest, highest = _support(base)  # without them NUTS would run into the bound that is not given
    at_least = lowest if at_least is None else at_least
    at_most = highest if at_most is None else at_most
    return pm.Truncated(name, base, at_least, at_most, dims=dims)


def _support(variable: Any) -> tuple[Any, Any]:
    """Return the bounds of a distribution, as its own transformation has them."""
    transform = _default_transform(variable.owner.op, variable)
    if isinstance(transform, LogTransform):
        return 0.0, None
    if isinstance(transform, LogOddsTransform):
        return 0.0, 1.0
    if isinstance(transform, IntervalTransform):
        return transform.args_fn(*variable.owner.inputs)
    return None, None


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
    known = (*law.parameters, *noise.parameters)
    for name in priors or {}:
        if name not in known:
            raise ValueError(
                f"priors names {name!r}, which is no parameter of {law.name} with "
                f"{noise.name} noise. {did_you_mean(name, known)}"
            )
    priors = {name: _checked_prior(law, name, value) for name, value in (priors or {}).items()}
    missing = [name for name in law.parameters if not law.line and name not in priors]
    if missing:
        raise ValueError(
            f"{law.name} has no default priors: give one for {', '.join(missing)}, as in "
            f"priors={{{missing[0]!r}: Prior('Normal', mu=0, sigma=1)}}."
        )
    if all(name in priors and not isinstance(priors[name], Prior) for name in known):
        raise ValueError(
            f"priors fixes every parameter of {law.name} and its noise: nothing is left to fit. "
            "Leave one of them out, such as sigma."
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


def _checked_prior(law: Law, name: str, prior: Any) -> Any:
    """Return the prior, or a fixed value as an array; refuse values the parameter cannot have."""
    positive = name in law.positive or name == "sigma"
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
