"""Simulation-based calibration: whether posteriors are what Bayes' rule says they should be.

Parameters are drawn from the prior, a curve is simulated with them, and the curve is fitted. If
prior, model and sampler belong together, the rank of each true value among the draws of its
posterior is uniform over many repetitions (Talts et al. 2018). Ranks of the log likelihood are
taken too: those of parameters alone cannot tell the posterior from the prior (Modrák et al. 2023).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from bayes_bnsl import defaults
from bayes_bnsl.columns import checked_integer, checked_numbers
from bayes_bnsl.curve import Curve
from bayes_bnsl.datasets import simulate
from bayes_bnsl.draws import Problem
from bayes_bnsl.errors import NotConvergedWarning
from bayes_bnsl.law import Law
from bayes_bnsl.noise import Noise
from bayes_bnsl.noises import LogNormal
from bayes_bnsl.priors import Scale
from bayes_bnsl.result import Fit
from bayes_bnsl.sampling import fit
from bayes_bnsl.uniformity import DRAWS, Calibration, Ranks

__all__ = ["calibrate", "draw_curve", "rank_truth"]

X = np.geomspace(1.0, 1e3, 15)
"""Where curves are simulated unless said otherwise."""

Theta = Mapping[str, xr.DataArray]


def default_scale(x: ArrayLike) -> Scale:
    """Return the scale of a curve that falls by a factor of e over some x."""
    at = checked_numbers(x, "x")
    return Scale.of(Curve(np.unique(at), np.geomspace(1.0, np.exp(-1.0), np.unique(at).size)))


def draw_curve(
    law: Law,
    x: ArrayLike = X,
    *,
    scale: Scale | None = None,
    noise: Noise | None = None,
    seed: int | tuple[int, ...] | None = None,
) -> tuple[Curve, dict[str, xr.DataArray]]:
    """Draw parameters from the default priors, and a curve with those parameters.

    Parameters
    ----------
    law : Law
        The functional form.
    x : array_like, shape (n,)
        Where the points lie; 15 points over three decades by default.
    scale : Scale, optional
        What the priors take from a curve; by default that of a curve which falls by a factor
        of e over `x`.
    noise : Noise, default LogNormal()
        How y scatters about the curve.
    seed : int or tuple of int, optional
        Makes the draw repeatable.

    Returns
    -------
    curve : Curve
        The points.
    theta : dict of str to DataArray
        The parameters that made them, by the letters of the law, with dimension ``brk`` where
        there is one value a break.

    Raises
    ------
    ValueError
        If the law has no default priors, or y is too large or small for a float.

    Examples
    --------
    >>> from bayes_bnsl import BNSL
    >>> curve, theta = draw_curve(BNSL(1), [1, 10, 100, 1000], seed=3)
    >>> len(curve), sorted(theta)
    (4, ['a', 'b', 'c', 'c0', 'd', 'f', 'log_b', 'log_d', 'sigma'])
    """
    if not law.line:
        raise ValueError(f"{law.name} has no default priors, so nothing can be drawn from them.")
    noise = LogNormal() if noise is None else noise
    scale = default_scale(x) if scale is None else scale
    at = np.sort(checked_numbers(x, "x"))
    generator = np.random.default_rng(seed)

    def coordinate(_: str, *, per_break: bool = False) -> Any:
        return generator.standard_normal(law.n_breaks if per_break else ())

    drawn = defaults.parameters(law, scale, {}, coordinate)
    drawn |= defaults.noise_parameters(noise, scale, {}, coordinate)
    theta = {
        name: xr.DataArray(value, dims="brk" if np.ndim(value) else ())
        for name, value in drawn.items()
    }
    for name in (*law.parameters, *noise.parameters):
        if name not in theta:
            with np.errstate(over="ignore", under="ignore"):  # why the logarithm is beside it
                theta[name] = xr.apply_ufunc(np.exp, theta[f"log_{name}"])
    values = {name: value.values for name, value in theta.items()}
    curve = simulate(law, values, at, noise, generator, name=f"from the prior of {law.name}")
    return curve, theta


def rank_truth(fitted: Fit, theta: Theta, *, draws: int = DRAWS) -> dict[str, int]:
    """Rank what a curve was simulated with among the draws of its fit.

    Parameters
    ----------
    fitted : Fit
        The fit of the simulated curve.
    theta : mapping of str to DataArray
        The true parameters, as `draw_curve` returns them.
    draws : int, default 99
        How many of the draws to take, evenly spaced. With so few they are nearly independent,
        as ranks must be to be uniform.

    Returns
    -------
    dict of str to int
        How many of the draws lie below the truth: for every parameter, for log mu at the last
        x and at ten times the last x, and for the log likelihood.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> curve, theta = bb.draw_curve(bb.BNSL(0), seed=3)
    >>> ranks = rank_truth(bb.fit(curve, bb.BNSL(0), seed=1, progress=False), theta)
    >>> all(0 <= rank <= 99 for rank in ranks.values())
    True
    """
    posterior = fitted.posterior.stack(sample=("chain", "draw"), create_index=False)
    posterior = posterior.drop_vars(["chain", "draw"], errors="ignore")
    taken = np.linspace(0, posterior.sizes["sample"] - 1, draws).round().astype(int)
    thinned = {str(name): array for name, array in posterior.isel(sample=taken).data_vars.items()}
    true, drawn = (_quantities(fitted, values) for values in (theta, thinned))
    return {name: int((drawn[name] < true[name]).sum()) for name in true}


def _quantities(fitted: Fit, theta: Theta) -> dict[str, xr.DataArray]:
    """Return everything that is ranked, of the truth or of draws."""
    law, noise, curve = fitted.law, fitted.noise, fitted.curve
    found: dict[str, xr.DataArray] = {}
    for name in (*law.parameters, *noise.parameters):
        logged = f"log_{name}"
        value = theta[logged if logged in law.line else name]  # the same ranks, no overflow
        if law.has_break(name):
            found |= {f"{name}{i + 1}": value.isel(brk=i) for i in range(law.n_breaks)}
        else:
            found[name] = value
    last = curve.log_x[-1]
    found["log mu at last x"] = law.log_mu(last, theta)
    found["log mu at 10x"] = law.log_mu(last + np.log(10), theta)
    draws = xr.Dataset(dict(theta))
    if "sample" not in draws.dims:
        draws = draws.expand_dims("sample")
    problem = Problem(curve, law, noise, fitted.priors, fitted.scale)
    density = problem.joint_log_likelihood({str(k): v for k, v in draws.data_vars.items()})
    return found | {"log likelihood": xr.DataArray(density, dims="sample").squeeze()}


def quantity_names(law: Law, noise: Noise | None = None) -> list[str]:
    """List what `rank_truth` ranks, breaks counted, as in ``c1``."""
    names = [
        [f"{name}{i + 1}" for i in range(law.n_breaks)] if law.has_break(name) else [name]
        for name in (*law.parameters, *(noise or LogNormal()).parameters)
    ]
    return [*chain.from_iterable(names), "log mu at last x", "log mu at 10x", "log likelihood"]


def calibrate(
    law: Law,
    x: ArrayLike = X,
    *,
    scale: Scale | None = None,
    noise: Noise | None = None,
    count: int = 100,
    seed: int = 0,
    **settings: Any,
) -> Calibration:
    """Simulate curves from the prior, fit them, and rank the truth among the draws.

    Every fit counts, converged or not: a fit that went wrong is part of what a user gets. The
    seed of a simulated curve is made of `seed` and its number, so that curves can be fitted in
    any order and in any number of processes.

    Parameters
    ----------
    law : Law
        The functional form.
    x : array_like, shape (n,)
        Where the points lie; 15 points over three decades by default.
    scale : Scale, optional
        What the priors take from a curve; the fits are given the same one. By default that of a
        curve which falls by a factor of e over `x`.
    noise : Noise, default LogNormal()
        How y scatters about the curve.
    count : int, default 100
        How many curves to simulate.
    seed : int, default 0
        Makes the result repeatable.
    **settings
        Further arguments of `fit`.

    Returns
    -------
    Calibration
        The ranks, and what they say.

    Raises
    ------
    ValueError
        If the law has no default priors or `count` is not positive.

    References
    ----------
    Talts, Betancourt, Simpson, Vehtari, Gelman, "Validating Bayesian Inference Algorithms with
    Simulation-Based Calibration", 2018. Modrák et al., "Simulation-Based Calibration Checking
    for Bayesian Computation: The Choice of Test Quantities Shapes Sensitivity", 2023.

    Examples
    --------
    >>> from bayes_bnsl import BNSL
    >>> result = calibrate(BNSL(0), count=3)
    >>> sorted(result.ranks)
    ['a', 'b', 'c0', 'log likelihood', 'log mu at 10x', 'log mu at last x', 'sigma']
    """
    if checked_integer(count, "count") < 1:
        raise ValueError(f"count must be at least 1; got {count}.")
    return Calibration.of(
        law.name,
        (
            calibrate_once(law, i, x, scale=scale, noise=noise, seed=seed, **settings)
            for i in range(count)
        ),
    )


def calibrate_once(
    law: Law,
    number: int,
    x: ArrayLike = X,
    *,
    scale: Scale | None = None,
    noise: Noise | None = None,
    seed: int = 0,
    **settings: Any,
) -> Ranks:
    """Simulate and fit the curve of one number; arguments as for :func:`calibrate`."""
    scale = default_scale(x) if scale is None else scale
    curve, theta = draw_curve(law, x, scale=scale, noise=noise, seed=(seed, number))
    settings = {"seed": number, "progress": False} | settings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)  # the status is kept
        fitted = fit(curve, law, noise=noise, scale=scale, **settings)
    return Ranks(rank_truth(fitted, theta), fitted.status.name)
