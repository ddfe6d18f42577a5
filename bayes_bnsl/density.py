"""The density of a fit at any draws: its prior, its points, and points it has not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import logsumexp

from bayes_bnsl.curve import Curve
from bayes_bnsl.distributions import log_density_of
from bayes_bnsl.draws import Draws, Problem, flattened
from bayes_bnsl.loops import LEAST_DENSITY
from bayes_bnsl.result import Fit

__all__ = [
    "has_independent_points",
    "joint_log_density",
    "log_joint",
    "log_likelihood",
    "log_mean_exp",
    "log_prior",
    "positions",
    "refuse_pooled",
    "with_densities",
]


def has_independent_points(fit: Fit) -> bool:
    """Tell whether the points are independent of one another, given the parameters.

    Where they are not, as with `Correlated` noise, ``log_likelihood`` holds the density of each
    point given all the others, and no sum of it is that of several points.
    """
    return "tau" not in fit.noise.parameters


def with_densities(fit: Fit) -> Fit:
    """Return a fit with those draws alone for which it holds the density of every point.

    These are all draws, except of curves so long that the densities would fill the memory; they are
    numbered anew.
    """
    kept = fit.data["log_likelihood"].to_dataset()["draw"].values
    if kept.size == fit.posterior.sizes["draw"]:
        return fit
    groups = {name: fit.data[name].to_dataset() for name in fit.data.children}
    for name, group in groups.items():
        if "draw" in group.dims:
            groups[name] = group.sel(draw=kept).assign_coords(draw=np.arange(kept.size))
    return replace(fit, data=xr.DataTree.from_dict(groups))


def refuse_pooled(fit: Fit, what: str, mend: str) -> None:
    """Refuse what needs a prior that does not depend on the points of other curves.

    Raises
    ------
    ValueError
        If the curve was fitted together with others of its family.
    """
    if fit.is_pooled:
        raise ValueError(
            f"{fit.curve.name!r} was fitted together with its family, whose other curves are part "
            f"of what is believed of it, and {what} needs the prior of the curve alone. {mend}"
        )


def positions(fit: Fit) -> tuple[NDArray[np.float64], Callable[[NDArray[np.float64]], Draws]]:
    """Return draws of the free variables side by side, and what takes such positions apart.

    Returns
    -------
    ndarray, shape (chain, draw, n_dimensions)
        What the group ``coordinates`` of the fit holds.
    callable
        Returns the free variables by name, for positions of shape (chain, draw, n_dimensions).
    """
    coordinates = fit.data["coordinates"].to_dataset().data_vars
    shapes = {str(name): draws.shape[2:] for name, draws in coordinates.items()}
    flat = [draws.values.reshape(*draws.shape[:2], -1) for draws in coordinates.values()]
    cuts = np.cumsum([part.shape[-1] for part in flat])[:-1]

    def apart(at: NDArray[np.float64]) -> Draws:
        parts = zip(shapes.items(), np.split(at, cuts, axis=-1), strict=True)
        return {name: part.reshape(*at.shape[:2], *shape) for (name, shape), part in parts}

    return np.concatenate(flat, axis=-1), apart


def log_prior(fit: Fit, values: Draws) -> Draws:
    """Return the log prior density of every free variable.

    Parameters
    ----------
    fit : Fit
        Whose priors.
    values : dict of ndarray, shape (chain, draw) or (chain, draw, brk)
        Draws of the free variables: what the group ``coordinates`` of the fit holds.

    Returns
    -------
    dict of ndarray
        In the shapes of `values`.
    """
    return {
        name: log_density_of(fit.priors[name], draws.ndim)(draws)
        if name in fit.priors
        else -0.5 * (draws**2 + np.log(2 * np.pi))
        for name, draws in values.items()
    }


@np.errstate(all="ignore")  # draws may be impossible
def log_likelihood(fit: Fit, values: Draws) -> NDArray[np.float64]:
    """Return the log density of each y for draws of the free variables.

    Parameters
    ----------
    fit : Fit
        Whose points.
    values : dict of ndarray, shape (chain, draw) or (chain, draw, brk)
        Draws of the free variables.

    Returns
    -------
    ndarray, shape (chain, draw, n_points)
        `LEAST_DENSITY` where the parameters are impossible.
    """
    problem, theta = _parameters(fit, values)
    density = problem.log_likelihood(theta).values
    return np.where(np.isfinite(density), density, LEAST_DENSITY)


@np.errstate(all="ignore")
def log_joint(
    fit: Fit, values: Draws, likelihood: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return log prior plus log density of all y together, of shape (chain, draw).

    Parameters are those of :func:`log_likelihood`, and so is the density of impossible ones. What
    that returns may be given, if points are independent: then it is not calculated again.
    """
    if likelihood is None:
        problem, theta = _parameters(fit, values)
        density = problem.joint_log_likelihood(flattened(theta))
        density = density.reshape(theta.sizes["chain"], theta.sizes["draw"])
    else:
        density = likelihood.sum(axis=-1)
    for each in log_prior(fit, values).values():
        density = density + each.reshape(*density.shape, -1).sum(axis=-1)
    return np.where(np.isfinite(density), density, LEAST_DENSITY)


def _parameters(fit: Fit, values: Draws) -> tuple[Problem, xr.Dataset]:
    """Return what was fitted, and the parameters for draws of its free variables."""
    problem = Problem(fit.curve, fit.law, fit.noise, fit.priors, fit.scale)
    dims = ("chain", "draw", "brk")
    theta = {name: (dims[: v.ndim], v) for name, v in problem.parameters(values).items()}
    return problem, xr.Dataset(theta)


def joint_log_density(fit: Fit, points: Curve) -> NDArray[np.float64]:
    """Return the log density of new points together, for each draw.

    Parameters
    ----------
    fit : Fit
        What was learnt from other points.
    points : Curve
        The new points; a known standard error of theirs is taken into account, and with
        `Correlated` noise the fitted points of their runs.

    Returns
    -------
    ndarray, shape (n_draws,)
        Log density of y.
    """

    def joint(curve: Curve) -> NDArray[np.float64]:
        problem = Problem(curve, fit.law, fit.noise, fit.priors, fit.scale)
        return problem.joint_log_likelihood(flattened(fit.posterior))

    if has_independent_points(fit):
        return joint(points)
    return joint(_together(fit.curve, points)) - joint(fit.curve)


def _together(curve: Curve, more: Curve) -> Curve:
    """Return the points of two parts of a curve."""
    columns = {field: column for field, column in vars(curve).items() if np.ndim(column)}
    joined: dict[str, Any] = {
        field: np.concatenate([column, getattr(more, field)]) for field, column in columns.items()
    }
    return replace(curve, **joined)


def log_mean_exp(values: NDArray[np.float64], log_weights: Any = None) -> float:
    """Return the log of the mean of exponentials, weighted if there are normalised weights."""
    if log_weights is None:
        log_weights = -np.log(np.size(values))
    return float(logsumexp(values + log_weights))
