"""The law as a PyMC model. Every random variable of the package is made in this room.

One model serves every curve: the points, what the default priors take from the curve and the
numbers of the user's priors are ``pm.Data``, so a compiled model is used again for another
curve of any length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pymc.distributions.transforms import _default_transform
from pymc.logprob.transforms import IntervalTransform, LogOddsTransform, LogTransform, Transform

from bayes_bnsl import defaults
from bayes_bnsl.arguments import Priors, check_arguments
from bayes_bnsl.curve import Curve
from bayes_bnsl.kalman import given_earlier
from bayes_bnsl.law import Law
from bayes_bnsl.noise import Correlated, LogNormal, Noise, StudentT
from bayes_bnsl.priors import Prior, Scale

__all__ = ["build_model"]


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
        given = {name: _given(law, name, prior, constant) for name, prior in priors.items()}
        of_curve = Scale(*(constant["scale"][i] for i in range(len(Scale._fields))))

        def coordinate(name: str, *, per_break: bool = False) -> Any:
            return pm.Normal(f"z_{name}", 0.0, 1.0, dims="brk" if per_break else None)

        of_noise = {name: given.pop(name) for name in noise.parameters if name in given}
        theta = defaults.parameters(law, of_curve, given, coordinate, pt)
        log_x = pt.log(constant["x"])
        log_mu = law.log_mu(log_x, theta, pt)
        residual = _residual_level(pt.log(constant["y_observed"]) - log_mu, of_curve)

        def of_residuals(name: str) -> Any:
            if name != "sigma":
                return coordinate(name)
            return pm.CustomDist(
                f"z_{name}",
                residual,
                logp=_standard_normal_logp,
                dist=_standard_normal,
                transform=Recentred(),
            )

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
                logp=_correlated_logp, dist=_correlated,
                signature="(n),(n),(),(),(n),(n)->(n)", **observed,
            )  # fmt: skip
        elif isinstance(noise, StudentT):
            pm.CustomDist("y", log_mu, scatter, theta["nu"], dist=_log_student, **observed)
        else:
            pm.LogNormal("y", mu=log_mu, sigma=scatter, **observed)
    return model


def _log_student(log_mu: Any, scatter: Any, nu: Any, size: Any) -> Any:
    """Return y whose logarithm has a Student-t distribution."""
    return pt.exp(pm.StudentT.dist(nu=nu, mu=log_mu, sigma=scatter, size=size))


def _correlated(
    log_mu: Any, variance: Any, tau: Any, ell: Any, log_x: Any, run: Any, size: Any
) -> Any:
    """Return y whose residuals are an Ornstein-Uhlenbeck process a run, and noise."""
    distance = pt.abs(log_x[:, None] - log_x[None, :])
    together = pt.eq(run[:, None], run[None, :])
    covariance = together * tau**2 * pt.exp(-distance / ell) + pt.diag(variance)
    return pt.exp(pm.MvNormal.dist(mu=log_mu, cov=covariance, size=size))


def _correlated_logp(
    y: Any, log_mu: Any, variance: Any, tau: Any, ell: Any, log_x: Any, run: Any
) -> Any:
    """Return the joint log density of y: each point given the earlier ones of its run."""
    residual = pt.log(y) - log_mu
    mean, spread = given_earlier(residual, variance, tau, ell, log_x, run)
    points = pm.logp(pm.LogNormal.dist(log_mu + mean, pt.sqrt(spread + variance)), y)
    return pt.sum(points)


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


def model_data(
    curve: Curve, law: Law, noise: Noise, priors: Priors, scale: Scale
) -> dict[str, Any]:
    """Return all that changes from curve to curve: the values of the model's ``pm.Data``."""
    data: dict[str, Any] = {"x": curve.x, "y_observed": curve.y}
    if curve.y_se is not None:
        data["log_se"] = curve.y_se / curve.y
    if isinstance(noise, Correlated):
        data["run"] = np.zeros(len(curve), int) if curve.run is None else curve.run_index
    data["scale"] = np.array(scale)
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


@lru_cache(maxsize=256)
def log_density_of(prior: Prior, ndim: int) -> Callable[[Any], Any]:
    """Return the log density of a prior of the user's, as a function of arrays.

    Parameters
    ----------
    prior : Prior
        The prior; numbers that differ by break belong to the last axis.
    ndim : int
        Number of axes of the arrays.

    Returns
    -------
    callable
        Maps values to log densities, minus infinity where the prior has no mass.
    """
    variable = _variable(prior)
    value = pt.tensor("value", dtype="float64", shape=(None,) * ndim)
    return pytensor.function([value], pm.logp(variable, value), mode="FAST_COMPILE")


def draws_of(prior: Prior, shape: tuple[int, ...], seed: int) -> Any:
    """Draw from a prior of the user's.

    Parameters
    ----------
    prior : Prior
        The prior; numbers that differ by break belong to the last axis.
    shape : tuple of int
        Shape of what is returned.
    seed : int
        Makes the draws repeatable.

    Returns
    -------
    ndarray
        The draws.
    """
    return pm.draw(_variable(prior, shape=shape), random_seed=seed, mode="FAST_COMPILE")


def _variable(prior: Prior, **settings: Any) -> Any:
    """Return a variable with a prior of the user's, outside of any model."""
    base, bounds = getattr(pm, prior.distribution).dist, (prior.at_least, prior.at_most)
    if bounds == (None, None):
        return base(**dict(prior.parameters), **settings)
    return pm.Truncated.dist(base(**dict(prior.parameters)), *bounds, **settings)


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
