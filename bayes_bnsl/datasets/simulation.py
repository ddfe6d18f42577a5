"""Curves made by a law whose parameters are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bayes_bnsl.columns import checked_numbers
from bayes_bnsl.curve import Curve
from bayes_bnsl.law import Law

__all__ = ["simulate"]


def simulate(
    law: Law,
    theta: Mapping[str, Any],
    x: ArrayLike,
    noise: float = 0.0,
    seed: int | None = None,
    *,
    name: str = "simulated",
) -> Curve:
    """Draw a curve from a law with lognormal noise.

    Parameters
    ----------
    law : Law
        The functional form.
    theta : mapping of str to float or sequence
        Its parameters.
    x : array_like, shape (n,)
        Where the points lie.
    noise : float, default 0
        Standard deviation of log y about the law.
    seed : int, optional
        Makes the noise repeatable.
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
    >>> from bayes_bnsl import M1
    >>> simulate(M1(), {"a": 2.0, "b": -1.0}, [1.0, 10.0])
    <Curve 'simulated': 2 points, x 1 to 10, y 0.2 to 2>
    """
    at = checked_numbers(x, "x")
    if not noise >= 0:
        raise ValueError(f"noise must be zero or more; got {noise!r}.")
    missing = [key for key in law.parameters if key not in theta and f"log_{key}" not in theta]
    if missing:
        raise ValueError(
            f"theta lacks {', '.join(missing)}; {law.name} has {', '.join(law.parameters)}."
        )
    with np.errstate(invalid="ignore"):  # the curve says which points are no numbers
        log_mu = law.log_mu(np.log(at), theta)
    scatter = noise * np.random.default_rng(seed).standard_normal(at.shape)
    return Curve(at, np.exp(log_mu + scatter), name=name)
