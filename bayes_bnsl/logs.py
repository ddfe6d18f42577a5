"""Arithmetic in logs, the same for NumPy, xarray and PyTensor.

Laws are written with these; the argument ``xp`` says whose arrays they work on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = [
    "LARGEST",
    "SMALLEST",
    "Theta",
    "along",
    "each_break",
    "exp_in_range",
    "is_zero",
    "line_through",
    "log",
    "log_excess",
    "log_of",
    "sigmoid",
    "softplus",
]

SMALLEST, LARGEST = np.log([np.finfo(float).tiny, np.finfo(float).max])
"""Logs of what a float can hold."""

Theta = Mapping[str, Any]
"""Parameter values by name: floats, arrays (breaks last), DataArrays or tensors."""


def softplus(t: Any, xp: Any = np) -> Any:
    """Return ``log(1 + exp(t))`` without overflow."""
    return np.logaddexp(0.0, t) if xp is np else xp.softplus(t)


def sigmoid(t: Any, xp: Any = np) -> Any:
    """Return ``1 / (1 + exp(-t))`` without overflow."""
    return np.exp(-np.logaddexp(0.0, -t)) if xp is np else xp.sigmoid(t)


def log(value: Any, xp: Any = np) -> Any:
    """Return the natural logarithm; a limit of exactly 0 is legal and gives -inf."""
    with np.errstate(divide="ignore"):
        return xp.log(value)


def exp_in_range(logged: Any) -> Any:
    """Return the exponential, or the smallest or largest float where it is none."""
    return np.exp(np.clip(logged, SMALLEST, LARGEST))


def log_of(theta: Theta, name: str, xp: Any = np) -> Any:
    """Return ``log theta[name]``, from ``log_name`` where given: it cannot overflow."""
    logged = theta.get(f"log_{name}")
    return log(theta[name], xp) if logged is None else logged


def each_break(value: Any, n_breaks: int) -> list[Any]:
    """Split a parameter of the breaks into one value a break.

    Raises
    ------
    ValueError
        If it has another number of values.
    """
    if "brk" in getattr(value, "dims", ()):
        entries = [value.isel(brk=i, drop=True) for i in range(value.sizes["brk"])]
    elif isinstance(value, (list, tuple)):
        entries = list(value)
    elif getattr(value, "ndim", 0) == 0:
        entries = [value]
    else:
        # the length of a tensor is not known before it has a value
        count = value.shape[-1] if isinstance(value, np.ndarray) else n_breaks
        entries = [value[..., i] for i in range(count)]
    if len(entries) != n_breaks:
        raise ValueError(
            f"A law of {n_breaks} breaks needs {n_breaks} values of each of c, d and f; got "
            f"{len(entries)}."
        )
    return entries


def along(log_x: Any) -> dict[str, Any]:
    """Say where a grid lies: on dimensions with names, which may come in any order, or last."""
    return {"dim": log_x.dims} if hasattr(log_x, "dims") else {"axis": -1}


def is_zero(limit: Any) -> bool:
    """Tell whether a limit is the number 0, so that the law is its power part alone."""
    return isinstance(limit, (int, float)) and limit == 0


def log_excess(log_y: Any, limit: Any, xp: Any) -> Any:
    """Return ``log(y - limit)``."""
    return log_y if is_zero(limit) else log_y + xp.log1p(-limit * xp.exp(-log_y))


def line_through(at: Any, value: Any, slope: Any = None) -> tuple[Any, Any]:
    """Return level and slope of a line through two points, or of known slope through the last."""
    if slope is None:
        slope = (value[1] - value[0]) / (at[1] - at[0])
    return value[1] - slope * at[1], slope
