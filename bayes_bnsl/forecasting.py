"""Forecasts: labelled draws of the curve and of a new observation, their intervals and score.

``curve`` is the law's mean function, uncertain because its parameters are; ``y`` is a new
observation, which scatters about it. A band of the first says where the curve is, a band of
the second where a point will be. The two are kept apart everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from bayes_bnsl import storage
from bayes_bnsl.columns import Fault, checked_numbers, refuse
from bayes_bnsl.comparison import Comparison
from bayes_bnsl.mixture import is_mixed, mix, parts
from bayes_bnsl.result import Fit

__all__ = ["forecast", "interval", "log_score"]

LARGEST_LOG = float(np.log(np.finfo(float).max))


def forecast(fit: Fit | Comparison, x: ArrayLike, *, seed: int | None = None) -> xr.Dataset:
    """Draw the curve and new observations at any x.

    Parameters
    ----------
    fit : Fit or Comparison
        The fitted law; or several of them, whose forecasts are mixed by their weights.
    x : array_like, shape (n,)
        Where to forecast: positive, in any order, inside the data or beyond.
    seed : int, optional
        Makes the draws of ``y`` repeatable; ``curve`` needs none.

    Returns
    -------
    xarray.Dataset
        ``curve`` and ``y`` over (sample, x) in the units of the user's y (of the reported
        quantity for a curve made by `Curve.from_accuracy`), ``scale``: the standard deviation
        of log y of each sample; coordinate ``decades_beyond``: how far beyond the data each x
        lies, in factors of ten. Of a Comparison there are as many draws of each law as its weight
        says; coordinates ``law``: over ``sample``, whose draw it is; ``share``: over
        ``candidate``, the weight of each law.

    Raises
    ------
    TypeError, ValueError
        If `fit` is neither a Fit nor a Comparison, an x is not a positive finite number, or no law
        of a Comparison has any weight.

    Examples
    --------
    >>> from bayes_bnsl import BNSL, Curve, fit
    >>> x = np.geomspace(10, 1e4, 12)
    >>> points = Curve(x, (0.2 + 3 * x**-0.3) * np.exp(0.01 * np.cos(40 * x)))
    >>> ahead = forecast(fit(points, BNSL(0), seed=1, progress=False), [1e5, 1e6], seed=1)
    >>> ahead["curve"].dims
    ('sample', 'x')
    >>> bool(interval(ahead)["curve"].sel(x=1e5, bound="lower") < 0.2 + 3 * 1e5**-0.3)
    True
    """
    if isinstance(fit, Comparison):
        return _averaged(fit, x, seed)
    if not isinstance(fit, Fit):
        raise TypeError(
            f"fit must be the result of bayes_bnsl.fit or bayes_bnsl.compare; got {fit!r}."
        )
    at = checked_numbers(_listed(x), "x")
    curve = fit.curve
    posterior = fit.posterior.stack(sample=("chain", "draw"), create_index=False)
    theta = {str(name): draws for name, draws in posterior.data_vars.items()}
    log_mu = fit.law.log_mu(xr.DataArray(np.log(at), dims="x"), theta)
    log_mu = log_mu.transpose("sample", "x")
    scale = fit.noise.scale(theta).drop_vars(["chain", "draw"], errors="ignore")
    generator = np.random.default_rng(seed)
    log_y = log_mu.copy(data=fit.noise.draw(generator, log_mu.values, scale.values[:, None]))
    beyond = np.log10(at) - np.log10(curve.x[-1])
    draws = {
        name: curve.to_reported(np.exp(np.minimum(logged, LARGEST_LOG)))
        for name, logged in (("curve", log_mu), ("y", log_y))
    }
    return xr.Dataset(
        draws | {"scale": scale},
        coords={"x": at, "decades_beyond": ("x", np.maximum(beyond, 0.0))},
        attrs=storage.forecast_record(fit),
    )


def interval(forecast: xr.Dataset, *, prob: float = 0.9) -> xr.Dataset:
    """Return the equal-tailed interval and the median of a forecast.

    Parameters
    ----------
    forecast : xarray.Dataset
        From :func:`forecast`.
    prob : float, default 0.9
        Probability inside the interval.

    Returns
    -------
    xarray.Dataset
        ``curve`` and ``y`` over (bound, x), with bound lower, median, upper.

    Raises
    ------
    ValueError
        If `prob` is not between 0 and 1.
    """
    if not 0 < prob < 1:
        raise ValueError(f"prob must lie between 0 and 1; got {prob!r}.")
    tail = (1 - prob) / 2
    bounds = forecast[["curve", "y"]].quantile([tail, 0.5, 1 - tail], dim="sample")
    bounds = bounds.rename(quantile="bound").assign_coords(bound=["lower", "median", "upper"])
    return bounds.assign_attrs(forecast.attrs, prob=prob)


def log_score(forecast: xr.Dataset, y: ArrayLike) -> xr.DataArray:
    """Return the log predictive density of new observations, one for each x.

    Parameters
    ----------
    forecast : xarray.Dataset
        From :func:`forecast`.
    y : array_like, shape (n,)
        Observations at the x of the forecast, in its order and units.

    Returns
    -------
    DataArray, shape (n,)
        Log of the density of y, averaged over the draws. Higher is better.

    Raises
    ------
    ValueError
        If there is not one y for each x, or one is out of range.
    """
    if is_mixed(forecast):
        n_draws = forecast.sizes["sample"]
        scores = [
            log_score(part, y) + np.log(part.sizes["sample"] / n_draws) for part in parts(forecast)
        ]
        return xr.zeros_like(scores[0]) + logsumexp(scores, axis=0)
    ceiling = forecast.attrs.get("ceiling")
    values = checked_numbers(_listed(y), "y", sign="positive" if ceiling is None else "finite")
    if values.shape != forecast["x"].shape:
        raise ValueError(
            f"y must hold one value for each of the {forecast['x'].size} x of the forecast; "
            f"got {values.size}."
        )
    if ceiling is not None:
        fault = Fault(values >= ceiling, "not", "An error of zero has no logarithm")
        refuse([fault], "y", f"numbers below ceiling={ceiling:g}", values)
    observed = xr.DataArray(values, dims="x")
    mean: Any = forecast["curve"]
    if ceiling is not None:
        # far beyond the data an accuracy is its ceiling to the last digit
        observed, mean = ceiling - observed, np.maximum(ceiling - mean, np.finfo(float).tiny)
    noise = storage.noise_of(forecast)
    density = noise.log_density(observed, np.log(mean), forecast["scale"])
    return xr.apply_ufunc(
        lambda values: logsumexp(values, axis=-1) - np.log(values.shape[-1]),
        density,
        input_core_dims=[["sample"]],
    ).rename("log_score")


def _averaged(comparison: Comparison, x: ArrayLike, seed: int | None) -> xr.Dataset:
    """Mix the forecasts of the laws that have weight."""
    weights = {str(label): float(weight) for label, weight in comparison.weights.items()}
    if not any(weights.values()):
        raise ValueError(f"No law has weight. {comparison}")
    seeds = np.random.SeedSequence(seed).generate_state(len(weights))
    forecasts = {
        label: forecast(comparison.fits[label], x, seed=int(each))
        for (label, weight), each in zip(weights.items(), seeds, strict=True)
        if weight > 0
    }
    return mix(forecasts, weights)


def _listed(values: Any) -> Any:
    """Let a single number stand for a list of one."""
    return values if np.ndim(values) else [values]
