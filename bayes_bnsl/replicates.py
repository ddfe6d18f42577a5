"""What a fit could have been: parameters of its prior, and points of prior and posterior."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from bayes_bnsl.columns import checked_integer
from bayes_bnsl.distributions import draws_of
from bayes_bnsl.draws import Problem, flattened
from bayes_bnsl.noise import Points
from bayes_bnsl.result import Fit

__all__ = ["new_points", "prior_draws", "replicate"]

PRIOR_DRAWS = 4000
"""As many as there are of the posterior, unless a fit asks for more."""


def replicate(fit: Fit, *, draws: int = 1000, seed: int = 0) -> xr.DataTree:
    """Draw what ArviZ wants for prior and posterior predictive checks.

    Parameters
    ----------
    fit : Fit
        The fitted law.
    draws : int, default 1000
        How many draws of the prior, and as many of the posterior.
    seed : int, default 0
        Makes the draws repeatable.

    Returns
    -------
    xarray.DataTree
        ``posterior`` (thinned) and ``prior``, the parameters in the user's units;
        ``posterior_predictive`` and ``prior_predictive``, points ``y`` at the x of the curve;
        ``observed_data`` and ``constant_data`` as in ``fit.data``. The points are those of runs
        that start anew: with `Correlated` noise they know nothing of the residuals that were seen.
        ArviZ takes the tree as it is, as in ``arviz_plots.plot_prior_posterior`` and
        ``arviz_plots.plot_ppc_dist``; `plot_predictive` draws such points along x.

    Raises
    ------
    TypeError, ValueError
        If `fit` is no Fit, or `draws` no integer from 1 on.

    Examples
    --------
    >>> from bayes_bnsl import M1, Curve, fit
    >>> x = np.geomspace(10, 1e4, 12)
    >>> points = Curve(x, 3 * x**-0.3 * np.exp(0.02 * np.cos(40 * x)))
    >>> tree = replicate(fit(points, M1(), priors={"sigma": 0.02}, seed=1, progress=False))
    >>> tree["posterior_predictive"]["y"].sizes["obs_id"]
    12
    """
    if not isinstance(fit, Fit):
        raise TypeError(f"fit must be the result of bayes_bnsl.fit; got {fit!r}.")
    if checked_integer(draws, "draws") < 1:
        raise ValueError(f"draws must be 1 or more; got {draws}.")
    generator = np.random.default_rng(seed)
    prior = prior_draws(fit, draws=draws, seed=seed)
    stacked = fit.posterior.stack(sample=("chain", "draw"), create_index=False)
    stacked = stacked.drop_vars(["chain", "draw"], errors="ignore")
    total = stacked.sizes["sample"]
    taken = np.linspace(0, total - 1, min(total, draws)).round().astype(int)
    posterior = stacked.isel(sample=taken).rename(sample="draw").expand_dims("chain")
    posterior = posterior.transpose("chain", "draw", ...)
    posterior = posterior.assign_coords(chain=[0], draw=np.arange(taken.size))
    groups = {"posterior": posterior, "prior": prior}
    sample = {"sample_dims": ["chain", "draw"]}
    for name, of in tuple(groups.items()):
        _, y = new_points(fit, flattened(of), generator)
        points = xr.DataArray(np.exp(y)[None], dims=("chain", "draw", "obs_id"))
        coords = {"chain": [0], "draw": np.arange(y.shape[0]), "obs_id": np.arange(y.shape[1])}
        groups[f"{name}_predictive"] = points.to_dataset(name="y").assign_coords(coords)
    tree = {name: group.assign_attrs(sample) for name, group in groups.items()}
    for name in ("observed_data", "constant_data"):
        tree[name] = fit.data[name].to_dataset()
    return xr.DataTree.from_dict(tree)


def prior_draws(fit: Fit, *, draws: int = PRIOR_DRAWS, seed: int = 0) -> xr.Dataset:
    """Draw the parameters from the priors of a fit.

    Parameters
    ----------
    fit : Fit
        Whose law, noise, priors and scale.
    draws : int, default 4000
        How many.
    seed : int, default 0
        Makes the draws repeatable.

    Returns
    -------
    xarray.Dataset
        The variables of ``fit.posterior``, over one chain.
    """
    generator = np.random.default_rng(seed)
    values = {}
    for name, coordinate in fit.data["coordinates"].to_dataset().data_vars.items():
        shape = (1, draws, *coordinate.shape[2:])
        if name in fit.priors:
            own = int(generator.integers(2**31))
            values[str(name)] = np.asarray(draws_of(fit.priors[str(name)], shape, own))
        else:
            values[str(name)] = generator.standard_normal(shape)
    problem = Problem(fit.curve, fit.law, fit.noise, fit.priors, fit.scale)
    parameters = problem.parameters(values)
    dims = ("chain", "draw", "brk")
    coords: dict[str, Any] = {"chain": [0], "draw": np.arange(draws)}
    if "brk" in fit.posterior.dims:
        coords["brk"] = fit.posterior["brk"].values
    arrays = {name: (dims[: array.ndim], array) for name, array in parameters.items()}
    return xr.Dataset(arrays, coords=coords)


def new_points(
    fit: Fit, theta: dict[str, xr.DataArray], generator: np.random.Generator
) -> tuple[Points, Any]:
    """Draw log y at the points of a fit, as runs that start anew would have it.

    Parameters
    ----------
    fit : Fit
        Whose points, law and noise.
    theta : dict of str to DataArray
        Draws of the parameters over ``sample``, of the posterior or of the prior.
    generator : numpy.random.Generator
        Where the randomness comes from.

    Returns
    -------
    points : Points
        Residuals of the points that were seen, and the scale of their independent noise.
    log_y : ndarray, shape (n_draws, n_points)
        The new points.
    """
    problem = Problem(fit.curve, fit.law, fit.noise, fit.priors, fit.scale)
    of_noise = {name: theta[name].values for name in fit.noise.parameters}
    log_mu, points = problem.points(theta)
    falls = fit.curve.falls
    log_y = np.empty_like(log_mu)
    for members in problem.runs().values():
        log_x, scale = points.log_x[members], points.scale[:, members]
        residual = fit.noise.ahead(of_noise, log_x, scale, None, generator)[2]
        log_y[:, members] = fit.noise.reported(log_mu[:, members] + residual, falls=falls)
    return points, log_y
