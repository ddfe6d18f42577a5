"""The model of curves that share what a `Family` says: one entry a curve in every variable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayes_bnsl import defaults
from bayes_bnsl.distributions import (
    log_normal,
    log_normal_logp,
    log_student,
)
from bayes_bnsl.family import Family
from bayes_bnsl.law import Law
from bayes_bnsl.model import given_as, seen_as
from bayes_bnsl.noises import StudentT
from bayes_bnsl.priors import Prior, Scale
from bayes_bnsl.transforms import Recentred, Standardized, residual_level

__all__ = ["build_family_model"]


def build_family_model(family: Family) -> pm.Model:
    """Build the PyMC model of curves that share what `Family` says.

    Its free variables are those of :func:`build_model` with one entry a curve, the slope itself in
    place of ``z_first``, and for all that is shared ``z_mean_...`` and ``z_spread_...``.

    Parameters
    ----------
    family : Family
        The curves, and what is fitted to them.

    Returns
    -------
    pymc.Model
        Dimension ``curve``, in the order of the family.
    """
    law, noise = family.law, family.noise
    coords = {"curve": np.arange(len(family.curves))}
    if law.n_breaks:
        coords["brk"] = np.arange(1, law.n_breaks + 1)
    with pm.Model(coords=coords, check_bounds=False) as model:
        constant = {name: pm.Data(name, value) for name, value in family.data().items()}
        of_curves = Scale(*(constant["scale"][i] for i in range(len(Scale._fields))))
        member, made = constant["member"], {}

        def dims(name: str) -> tuple[str, ...]:
            return ("curve", "brk") if law.has_break(name) else ("curve",)

        def shared(name: str) -> tuple[Any, Any]:
            """Return mean and standard deviation of a coordinate in the family."""
            own = dims(name)[1:]
            z_mean = pm.Normal(f"z_mean_{name}", 0.0, 1.0, dims=own)
            z_spread = pm.Normal(f"z_spread_{name}", 0.0, 1.0, dims=own)
            return family.agreement(name, z_mean, z_spread, pt)

        def coordinate(name: str, *, per_break: bool = False) -> Any:
            if name not in made and name in family.shared:
                mean, sd = shared(name)
                if name == law.limit_name:
                    mean = mean + constant["limit_shift"]
                made[name] = pm.Normal(
                    f"z_{name}", mean, sd, dims=dims(name), transform=Standardized()
                )
            elif name not in made:
                made[name] = pm.Normal(f"z_{name}", 0.0, 1.0, dims=dims(name))
            return made[name]

        given = {name: _own(law, name, prior, dims(name)) for name, prior in family.priors.items()}
        of_noise = {name: given.pop(name) for name in noise.parameters if name in given}
        slope = family.slope
        if slope in family.shared:
            flat = defaults.parameters(law, of_curves, given | {slope: 0.0}, coordinate, pt)
            centre, unit = constant["slope"][0], constant["slope"][1]
            mean, sd = shared(slope)
            level = _slope_through(law, of_curves, flat)
            given[slope] = seen_as(
                Recentred(), slope, centre + unit * mean, unit * sd, level, "curve"
            )
        theta = defaults.parameters(law, of_curves, given, coordinate, pt)
        log_x = pt.log(constant["x"])
        log_mu = law.log_mu(log_x, _of_points(theta, member), pt)
        residual = pt.log(constant["y_observed"]) - log_mu
        belongs = pt.eq(member[None, :], pt.arange(len(family.curves))[:, None])
        mean_square = pt.sum(belongs * residual**2, axis=1) / pt.sum(belongs, axis=1)
        level = residual_level(mean_square, of_curves)

        def of_residuals(name: str) -> Any:
            if name != "sigma":
                return coordinate(name)
            return seen_as(Recentred(), "z_sigma", *shared(name), level, "curve")

        theta = defaults.noise_parameters(noise, of_curves, of_noise, of_residuals, pt)
        theta = _of_points(theta, member)
        place = Scale(*_of_points(of_curves._asdict(), member).values()).place(log_x, pt)
        scatter = noise.scale(theta, constant.get("log_se"), pt, place=place)
        if isinstance(noise, StudentT):
            pm.CustomDist(
                "y", log_mu, scatter, theta["nu"], dist=log_student,
                observed=constant["y_observed"],
            )  # fmt: skip
        else:
            pm.CustomDist(
                "y", log_mu, scatter, logp=log_normal_logp, dist=log_normal,
                observed=constant["y_observed"],
            )  # fmt: skip
    return model


def _own(law: Law, name: str, prior: Any, dims: tuple[str, ...]) -> Any:
    """Return a parameter that the user fixed for all curves, or gave a prior in each."""
    numbers = prior.constants() if isinstance(prior, Prior) else {"value": prior}
    constant = {
        f"prior_{name}_{key}": np.broadcast_to(
            value, (law.n_breaks,) if law.has_break(name) else ()
        )
        for key, value in numbers.items()
    }
    return given_as(law, name, prior, constant, dims)


def _of_points(theta: Mapping[str, Any], member: Any) -> dict[str, Any]:
    """Return the parameters of the curve that each point belongs to."""

    def each(value: Any) -> Any:
        of_all = isinstance(value, np.ndarray) or np.ndim(value) == 0  # one value for all curves
        return value if of_all else value[member]

    return {
        name: [each(entry) for entry in value] if isinstance(value, list) else each(value)
        for name, value in theta.items()
    }


def _slope_through(law: Law, scale: Scale, theta: Mapping[str, Any]) -> Any:
    """Return the slope that leads each curve through its first points, given all else.

    A limit above them leaves them 5 % of what it leaves the last ones.
    """
    limit = law.limit(theta)
    last = law.log_mu(scale.log_x_last, theta, pt)
    above = pt.maximum(pt.exp(scale.log_y_first) - limit, 0.05 * (pt.exp(last) - limit))
    ends = (scale.log_x_first, scale.log_x_last), (pt.log(limit + above), last)
    others = {name: value for name, value in theta.items() if name not in law.line}
    return law.through(*ends, others, pt)[law.line[1]]
