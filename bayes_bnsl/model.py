"""The law as a PyMC model. Random variables are made in this room, and in that of families alone.

One model serves every curve: the points, what the default priors take from the curve and the
numbers of the user's priors are ``pm.Data``, so a compiled model is used again for another
curve of any length.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayes_bnsl import defaults
from bayes_bnsl.arguments import Priors, check_arguments
from bayes_bnsl.curve import Curve
from bayes_bnsl.distributions import (
    best_so_far,
    best_so_far_logp,
    correlated,
    correlated_logp,
    log_normal,
    log_normal_logp,
    log_student,
    normal,
    normal_logp,
    support,
)
from bayes_bnsl.law import Law
from bayes_bnsl.laws import BNSL
from bayes_bnsl.noise import Noise
from bayes_bnsl.noises import BestSoFar, Correlated, LogNormal, StudentT
from bayes_bnsl.priors import Prior, Scale
from bayes_bnsl.transforms import (
    Magnified,
    Recentred,
    Softened,
    Stretched,
    end_width,
    residual_level,
)

__all__ = ["build_model", "given_as", "seen_as"]


def build_model(
    curve: Curve,
    law: Law,
    *,
    noise: Noise | None = None,
    priors: Priors | None = None,
    scale: Scale | None = None,
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
        among the parameters of the noise, such as ``sigma``. A number fixes the parameter; for
        parameters of breaks a sequence gives one number a break.
    scale : Scale, default Scale.of(curve)
        What the default priors take from a curve. Give that of the whole curve when you fit a
        part of it and mean the same priors.

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
    data = model_data(curve, law, noise, priors, scale or Scale.of(curve))
    coords = {"brk": np.arange(1, law.n_breaks + 1)} if law.n_breaks else None
    with pm.Model(coords=coords, check_bounds=False) as model:
        constant = {
            name: pm.Data(name, value, dims=dims_of(law, name, np.ndim(value)))
            for name, value in data.items()
        }
        given = {
            name: given_as(law, name, prior, constant, "brk" if law.has_break(name) else None)
            for name, prior in priors.items()
        }
        of_curve = Scale(*(constant["scale"][i] for i in range(len(Scale._fields))))

        widths: dict[str, Any] = {}

        def coordinate(name: str, *, per_break: bool = False) -> Any:
            if name in widths:
                return seen_as(Stretched(), f"z_{name}", 0.0, 1.0, widths[name])
            if not per_break:
                return pm.Normal(f"z_{name}", 0.0, 1.0)
            if name == "d" and law.n_breaks > 1:  # the places of others are sums
                level = np.full(law.n_breaks, np.log(defaults.spacing(law.n_breaks, 0.0)))
                return seen_as(Softened(), "z_d", 0.0, 1.0, level, "brk", shape=law.n_breaks)
            return pm.Normal(f"z_{name}", 0.0, 1.0, shape=law.n_breaks, dims="brk")

        def change(bends: list[Any]) -> Any:
            level = pt.stack([constant["resolution"][i] * bend for i, bend in enumerate(bends)])
            return seen_as(Magnified(), "z_c", 0.0, 1.0, level, "brk", shape=law.n_breaks)

        of_noise = {name: given.pop(name) for name in noise.parameters if name in given}
        if isinstance(noise, Correlated):  # the law lies where the noise lets it
            of_noise = defaults.noise_parameters(noise, of_curve, of_noise, coordinate, pt)
            sigma = noise.scale(of_noise, xp=pt, place=0.5)
            widths |= dict.fromkeys(("first", "last"), end_width(of_noise["tau"], sigma, of_curve))
        theta = defaults.parameters(law, of_curve, given, coordinate, pt, change=change)
        log_x = pt.log(constant["x"])
        log_mu = law.log_mu(log_x, theta, pt)
        residual = pt.log(constant["y_observed"]) - log_mu
        level = residual_level(pt.mean(residual**2), of_curve)

        def of_residuals(name: str) -> Any:
            if name != "sigma":
                return coordinate(name)
            return seen_as(Recentred(), "z_sigma", 0.0, 1.0, level)

        theta |= defaults.noise_parameters(noise, of_curve, of_noise, of_residuals, pt)
        _name_parameters(law, noise, theta, model)
        place = of_curve.place(log_x, pt)
        scatter = noise.scale(theta, constant.get("log_se"), pt, place=place)
        observed = {"observed": constant["y_observed"], "dims": "obs_id"}
        if isinstance(noise, Correlated):
            variance = scatter**2 + pt.zeros_like(log_mu)
            of_process = (theta["tau"], theta["ell"], log_x, constant["run"])
            pm.CustomDist(
                "y", log_mu, variance, *of_process,
                logp=correlated_logp, dist=correlated,
                signature="(n),(n),(),(),(n),(n)->(n)", **observed,
            )  # fmt: skip
        elif isinstance(noise, BestSoFar):
            falls = pt.le(of_curve.log_y_last, of_curve.log_y_first)
            pm.CustomDist(
                "y", log_mu, scatter + pt.zeros_like(log_mu), constant["bound"], constant["run"],
                falls, logp=best_so_far_logp, dist=best_so_far,
                signature="(n),(n),(n),(n),()->(n)", **observed,
            )  # fmt: skip
        elif isinstance(noise, StudentT):
            pm.CustomDist("y", log_mu, scatter, theta["nu"], dist=log_student, **observed)
        else:
            pm.CustomDist("y", log_mu, scatter, logp=log_normal_logp, dist=log_normal, **observed)
    return model


def seen_as(
    transform: Any, name: str, mean: Any, sd: Any, level: Any, dims: str | None = None, **size: Any
) -> Any:
    """Make a normal variable that the sampler sees through a transform with a level."""
    return pm.CustomDist(
        name, mean, sd, level, logp=normal_logp, dist=normal, transform=transform, dims=dims, **size
    )


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


def model_data(
    curve: Curve, law: Law, noise: Noise, priors: Priors, scale: Scale
) -> dict[str, Any]:
    """Return all that changes from curve to curve: the values of the model's ``pm.Data``."""
    data: dict[str, Any] = {"x": curve.x, "y_observed": curve.y}
    if curve.y_se is not None:
        data["log_se"] = curve.y_se / curve.y
    if isinstance(noise, BestSoFar):
        data["bound"] = noise.bounds(curve)
    if isinstance(noise, BestSoFar | Correlated):
        data["run"] = np.zeros(len(curve), int) if curve.run is None else curve.run_index
    data["scale"] = np.array(scale)
    if isinstance(law, BNSL) and law.n_breaks and "c" not in priors:
        scatter = max(curve.scatter, defaults.least_scatter(scale))
        freedom = max(len(curve) - law.n_parameters, 0)
        data["resolution"] = np.full(law.n_breaks, scale.spread / scatter * np.sqrt(freedom))
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
    of_breaks = name.startswith("prior_") or name == "resolution"
    return "brk" if of_breaks else "scale_id" if name == "scale" else "obs_id"


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


def given_as(law: Law, name: str, prior: Any, constant: Mapping[str, Any], dims: Any) -> Any:
    """Return a parameter that the user fixed or gave a prior."""
    if not isinstance(prior, Prior):
        return constant[f"prior_{name}_value"]
    numbers = {key: constant[f"prior_{name}_{key}"] for key in prior.constants()}
    at_least, at_most = numbers.pop("at_least", None), numbers.pop("at_most", None)
    distribution = getattr(pm, prior.distribution)
    if at_least is None and at_most is None:
        return distribution(name, **numbers, dims=dims)
    base = distribution.dist(**numbers)
    lowest, highest = support(base)  # without them NUTS would run into the bound that is not given
    at_least = lowest if at_least is None else at_least
    at_most = highest if at_most is None else at_most
    return pm.Truncated(name, base, at_least, at_most, dims=dims)
