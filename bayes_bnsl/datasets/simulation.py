"""Curves made by a law whose parameters are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayes_bnsl.columns import checked_numbers
from bayes_bnsl.curve import Curve
from bayes_bnsl.law import Law
from bayes_bnsl.noise import Noise
from bayes_bnsl.noises import LogNormal

__all__ = ["simulate"]


def simulate(
    law: Law,
    theta: Mapping[str, Any],
    x: ArrayLike,
    noise: float | Noise = 0.0,
    seed: int | np.random.Generator | None = None,
    *,
    run: Iterable[str | int] | None = None,
    name: str = "simulated",
) -> Curve:
    """Draw a curve from a law with noise.

    Parameters
    ----------
    law : Law
        The functional form.
    theta : mapping of str to float or sequence
        Its parameters, and those of the noise if that is given as a model.
    x : array_like, shape (n,)
        Where the points lie.
    noise : float or Noise, default 0
        Standard deviation of log y about the law; or a model, such as `Correlated`, whose
        parameters stand in `theta`.
    seed : int or numpy.random.Generator, optional
        Makes the noise repeatable.
    run : sequence of str or of int, shape (n,), optional
        Label of the run that each point belongs to. `Correlated` residuals hang together within
        a run.
    name : str, default "simulated"
        What the curve is called.

    Returns
    -------
    Curve
        The points.

    Raises
    ------
    ValueError
        If the noise is negative, a parameter is missing, or the law is not positive and finite
        at some x.

    Examples
    --------
    >>> from bayes_bnsl import Correlated, M1
    >>> simulate(M1(), {"a": 2.0, "b": -1.0}, [1.0, 10.0])
    <Curve 'simulated': 2 points, x 1 to 10, y 0.2 to 2>
    >>> theta = {"a": 2.0, "b": -1.0, "sigma": 0.01, "tau": 0.03, "ell": 0.5}
    >>> simulate(M1(), theta, np.geomspace(1, 100, 30), Correlated(), seed=1)
    <Curve 'simulated': 30 points, x 1 to 100, y 0.01962 to 2.064>
    """
    at = checked_numbers(x, "x")
    if not isinstance(noise, Noise):
        if not noise >= 0:
            raise ValueError(f"noise must be zero or more; got {noise!r}.")
        theta, noise = {**theta, "sigma": noise}, LogNormal()
    _check_complete(law.name, law.parameters, theta)
    _check_complete(f"{noise.name} noise", noise.parameters, theta)
    labels = None if run is None else list(run)
    # the curve says which points are no numbers
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        log_mu = law.log_mu(np.log(at), theta)
        y = np.exp(_reported(noise, theta, np.log(at), log_mu, labels, np.random.default_rng(seed)))
    return Curve(at, y, run=labels, name=name)


def _check_complete(what: str, names: Iterable[str], theta: Mapping[str, Any]) -> None:
    missing = [name for name in names if name not in theta and f"log_{name}" not in theta]
    if missing:
        raise ValueError(f"theta lacks {', '.join(missing)}; {what} has {', '.join(names)}.")


def _reported(
    noise: Noise,
    theta: Mapping[str, Any],
    log_x: NDArray[np.float64],
    log_mu: NDArray[np.float64],
    labels: list[str | int] | None,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw log y of every run."""
    sample = {name: np.array([theta[name]], dtype=float) for name in noise.parameters}
    for name, (value,) in sample.items():
        if not (np.isfinite(value) and value >= 0):
            raise ValueError(f"{name} must be zero or more; got {theta[name]!r}.")
    length = np.ptp(log_x) or 1.0
    scale = noise.scale(sample, place=(log_x - log_x.min()) / length) + np.zeros((1, len(log_x)))
    falls = bool(log_mu[log_x.argmax()] <= log_mu[log_x.argmin()])
    log_y = np.empty(len(log_x))
    runs = [None] * len(log_x) if labels is None else labels
    for label in dict.fromkeys(runs):
        of_run = np.flatnonzero([other == label for other in runs])
        _, _, drawn = noise.ahead(sample, log_x[of_run], scale[:, of_run], None, generator)
        rising = np.argsort(log_x[of_run], kind="stable")
        measured = (log_mu[of_run] + drawn[0])[rising]
        log_y[of_run[rising]] = noise.reported(measured, falls=falls)
    return log_y
