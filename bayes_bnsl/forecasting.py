"""Forecasts: labelled draws of the curve and of a new observation, their intervals and score.

``curve`` is the law's mean function, uncertain because its parameters are; ``y`` is a new
observation, which scatters about it. A band of the first says where the curve is, a band of
the second where a point will be. The two are kept apart everywhere.

Where log y is expected in each draw, and how far it scatters about that, stands beside them, for
every noise model alike: with independent noise the curve itself and the scale of the noise, with
`Correlated` noise what the points of the run say of the next ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from bayes_bnsl import storage, unseen
from bayes_bnsl.columns import Fault, checked_number, checked_numbers, refuse
from bayes_bnsl.comparison import Comparison
from bayes_bnsl.draws import Problem, flattened
from bayes_bnsl.errors import did_you_mean
from bayes_bnsl.logs import SMALLEST, exp_in_range
from bayes_bnsl.mixture import is_mixed, mix, parts
from bayes_bnsl.noise import log_density
from bayes_bnsl.noises import Correlated
from bayes_bnsl.result import Fit

__all__ = ["forecast", "interval", "log_score"]


def forecast(
    fit: Fit | Comparison,
    x: ArrayLike,
    *,
    run: str | int | None = None,
    y_se: ArrayLike | None = None,
    unseen_breaks: float | str = unseen.LEARNED,
    falling: bool = True,
    seed: int | None = None,
) -> xr.Dataset:
    """Draw the curve and new observations at any x.

    Parameters
    ----------
    fit : Fit or Comparison
        The fitted law; or several of them, whose forecasts are mixed by their weights.
    x : array_like, shape (n,)
        Where to forecast: positive, in any order, inside the data or beyond.
    run : str or int, optional
        The run that the new observations continue, which matters if its residuals are
        `Correlated`. By default they continue the run there is; if there are several, they are
        those of a new one.
    y_se : array_like, shape () or (n,), optional
        Known standard error of the new observations, in the units of y, added to the noise in
        quadrature.
    unseen_breaks : float or "learned", default "learned"
        How many breaks to expect per decade beyond the data. Each draw of the curve gets breaks of
        its own there: a Poisson process in log x. "learned" takes the rate from the breaks that the
        draw has within the data: n of them over R decades leave ``Gamma(n + 1/2, R)``. With 0
        nothing but the law is assumed to come: the last slope goes on for ever.
    falling : bool, default True
        Whether the curve goes on in its direction after each unseen break: falls, as losses and
        errors do, if it falls over the data as a whole. A break then multiplies the exponent by a
        lognormal factor, as often above one as below. Otherwise the slope changes as it does at
        breaks within the data, by the default prior, and the curve may turn.
    seed : int, optional
        Makes the draws of ``y``, and of unseen breaks, repeatable.

    Returns
    -------
    xarray.Dataset
        Over (sample, x): ``curve``, the law, and ``y``, new observations, drawn jointly for
        each sample, both in the units of the user's y (of the reported quantity for a curve
        made by `Curve.from_accuracy`). What is known of log y in each sample: ``location``,
        ``scale`` (over sample alone if it is the same at all x), and with `StudentT` noise
        ``nu``. Coordinates ``decades_beyond`` and ``ranges_beyond``: how far beyond the data each
        x lies, in factors of ten, and in units of the range of log x that the data cover. Of a
        Comparison there are as many draws of each law as its weight says; coordinates ``law``:
        over ``sample``, whose draw it is; ``share``: over ``candidate``, the weight of each law.

    Raises
    ------
    TypeError, ValueError
        If `fit` is neither a Fit nor a Comparison, an x is not a positive finite number, `y_se` or
        `unseen_breaks` is negative, there is no such run, or no law of a Comparison has any weight.

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
        settings = {"run": run, "y_se": y_se, "unseen_breaks": unseen_breaks, "falling": falling}
        return _averaged(fit, x, seed, **settings)
    if not isinstance(fit, Fit):
        raise TypeError(
            f"fit must be the result of bayes_bnsl.fit or bayes_bnsl.compare; got {fit!r}."
        )
    at = checked_numbers(_listed(x), "x")
    curve, noise = fit.curve, fit.noise
    problem = Problem(curve, fit.law, noise, fit.priors, fit.scale)
    theta = flattened(fit.posterior)
    log_x = xr.DataArray(np.log(at), dims="x")
    generator = np.random.default_rng(seed)
    log_mu = fit.law.log_mu(log_x, theta).transpose("sample", "x")
    if _checked_rate(unseen_breaks) != 0:
        n_draws = log_mu.sizes["sample"]
        own = generator.spawn(1)[0]
        rate = unseen.rates(unseen_breaks, theta, fit.scale, n_draws, own)
        last = float(curve.log_x[-1])
        log_mu = unseen.bent(fit.law, theta, log_x, last, fit.scale, rate, own, falling=falling)
    log_se = None
    if y_se is not None:  # far beyond the data y may be too small to divide by
        log_se = _checked_errors(y_se, at) / np.exp(np.maximum(log_mu, SMALLEST / 3))
    scale = noise.scale(theta, log_se, place=fit.scale.place(log_x)).transpose("sample", ...)
    members = _members(problem, run)
    seen = None if members is None else problem.points(theta)[1].of(members)
    location, total, residual = noise.ahead(
        {name: theta[name].values for name in noise.parameters},
        log_x.values,
        xr.broadcast(scale, log_mu)[0].transpose("sample", "x").values,
        seen,
        generator,
    )
    if isinstance(noise, Correlated):
        scale = log_mu.copy(data=total)
    draws = {
        name: curve.to_reported(exp_in_range(logged))
        for name, logged in (("curve", log_mu), ("y", log_mu + residual))
    }
    draws |= {"location": log_mu + location, "scale": scale}
    if "nu" in noise.parameters:
        draws["nu"] = theta["nu"]
    beyond = np.maximum(np.log10(at) - np.log10(curve.x[-1]), 0.0)
    decades = np.log10(curve.x[-1]) - np.log10(curve.x[0])
    return xr.Dataset(
        draws,
        coords={
            "x": at,
            "decades_beyond": ("x", beyond),
            "ranges_beyond": ("x", beyond / decades),
        },
        attrs=storage.forecast_record(fit) | {"unseen_breaks": unseen_breaks},
    )


def _checked_rate(unseen_breaks: float | str) -> float | str:
    if unseen_breaks == unseen.LEARNED:
        return unseen_breaks
    if isinstance(unseen_breaks, str):
        raise ValueError(
            f"unseen_breaks is {unseen_breaks!r}. Give {unseen.LEARNED!r}, or breaks per decade."
        )
    rate = checked_number(unseen_breaks, "unseen_breaks")
    if rate < 0:
        raise ValueError(f"unseen_breaks must not be negative; got {unseen_breaks!r}.")
    return rate


def _checked_errors(y_se: ArrayLike, at: Any) -> xr.DataArray:
    errors = checked_numbers(_listed(y_se), "y_se", sign="non-negative")
    if len(errors) not in (1, len(at)):
        raise ValueError(
            f"y_se must be one number, or one for each of the {len(at)} x; got {len(errors)}."
        )
    return xr.DataArray(np.broadcast_to(errors, at.shape), dims="x")


def _members(problem: Problem, run: str | int | None) -> Any:
    """Return which points are of the run that goes on; none if it is a new one."""
    runs = problem.runs()
    if run is None:
        return next(iter(runs.values())) if len(runs) == 1 else None
    if run not in runs:
        labels = problem.curve.runs
        raise ValueError(
            f"The curve {problem.curve.name!r} has no run {run!r}. "
            + (
                did_you_mean(run, labels)
                if labels
                else "Its points have no run labels: leave out run=."
            )
        )
    return runs[run]


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

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> band = interval(bb.forecast(fit, [1e5], seed=1), prob=0.9)
    >>> band["y"].sizes, band["bound"].values.tolist()
    (Frozen({'bound': 3, 'x': 1}), ['lower', 'median', 'upper'])
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

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> ahead = bb.forecast(fit, [1e5], seed=1)
    >>> bool(log_score(ahead, 3 * 1e5**-0.3) > log_score(ahead, 0.2))
    True
    """
    if is_mixed(forecast):
        n_draws = forecast.sizes["sample"]
        scores = [
            log_score(part, y) + np.log(part.sizes["sample"] / n_draws) for part in parts(forecast)
        ]
        return xr.zeros_like(scores[0]) + logsumexp(scores, axis=0)
    if not {"location", "scale"} <= set(forecast) or "y_name" not in forecast.attrs:
        raise ValueError(
            "This Dataset is no forecast: it lacks location and scale of log y, or the attributes "
            "that say what y is. Pass what bayes_bnsl.forecast returned; some xarray operations "
            "drop attributes."
        )
    values, ceiling = observations(forecast, y), forecast.attrs.get("ceiling")
    observed = xr.DataArray(values if ceiling is None else ceiling - values, dims="x")
    density = log_density(observed, forecast["location"], forecast["scale"], forecast.get("nu"))
    return xr.apply_ufunc(
        lambda values: logsumexp(values, axis=-1) - np.log(values.shape[-1]),
        density,
        input_core_dims=[["sample"]],
    ).rename("log_score")


def observations(forecast: xr.Dataset, y: ArrayLike) -> NDArray[np.float64]:
    """Check observations at the x of a forecast, and return them in its units."""
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
    return values


def _averaged(
    comparison: Comparison, x: ArrayLike, seed: int | None, **settings: Any
) -> xr.Dataset:
    """Mix the forecasts of the laws that have weight."""
    weights = {str(label): float(weight) for label, weight in comparison.weights.items()}
    if not any(weights.values()):
        raise ValueError(f"No law has weight. {comparison}")
    seeds = np.random.SeedSequence(seed).generate_state(len(weights))
    forecasts = {
        label: forecast(comparison.fits[label], x, seed=int(each), **settings)
        for (label, weight), each in zip(weights.items(), seeds, strict=True)
        if weight > 0
    }
    return mix(forecasts, weights)


def _listed(values: Any) -> Any:
    """Let a single number stand for a list of one."""
    return values if np.ndim(values) else [values]
