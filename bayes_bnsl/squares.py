"""What least squares minimise, over which coordinates, and where the search starts.

Coordinates, shape (..., n_parameters), are the parameters in the order of the law, one number a
break, those that must be positive in logs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import batched, product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from scipy.stats import qmc

from bayes_bnsl import defaults
from bayes_bnsl.columns import checked_numbers
from bayes_bnsl.curve import Curve
from bayes_bnsl.law import Law
from bayes_bnsl.laws import M4
from bayes_bnsl.logs import log_of
from bayes_bnsl.priors import Scale

__all__ = ["OBJECTIVES", "bounds_of", "combinations", "residuals_of", "shapes", "theta_at"]

type Vector = NDArray[np.float64]
type Residuals = Callable[[Vector], Vector]

OBJECTIVES = ("log", "log1p", "equation")

SHAPES = 2048
"""Shapes that are tried without a grid; a power of two, as a Sobol sequence likes it."""

LARGEST_BLOCK = 1_000_000
"""Residuals that are computed at once when a grid is tried."""

LOG_ALPHA = (np.log(1e-3), np.log(1e3))
"""Where the root that M4 is defined by is found to rounding error."""

MARGIN = 1e-9
"""How far the limit, and the value at x = 0 of M4, stay from the points, relatively."""


def _letters(law: Law) -> list[str]:
    """Return the parameter that each coordinate belongs to."""
    return [
        name for name in law.parameters for _ in range(law.n_breaks if law.has_break(name) else 1)
    ]


def theta_at(law: Law, coordinates: Vector) -> dict[str, Any]:
    """Return the parameters at coordinates: shape (...), those of breaks (..., n_breaks)."""
    letters, theta = np.array(_letters(law)), {}
    for name in law.parameters:
        values = coordinates[..., letters == name]
        values = values if law.has_break(name) else values[..., 0]
        if name in law.positive:
            theta[f"log_{name}"] = values
        theta[name] = np.exp(values) if name in law.positive else values
    return theta


def coordinates_of(law: Law, theta: Mapping[str, Any]) -> Vector:
    """Return the coordinates of parameters, the inverse of `theta_at`."""
    columns = []
    for name in law.parameters:
        values = log_of(theta, name) if name in law.positive else theta[name]
        columns.append(values if law.has_break(name) else np.expand_dims(values, -1))
    return np.concatenate(columns, axis=-1)


def bounds_of(curve: Curve, law: Law, objective: str) -> tuple[Vector, Vector]:
    """Return the least and the largest coordinates."""
    letters = _letters(law)
    lower, upper = np.full(len(letters), -np.inf), np.full(len(letters), np.inf)
    if law.limit_name is not None:
        limit = letters.index(law.limit_name)
        below = curve.y.min() * (1 - MARGIN)
        lower[limit], upper[limit] = 0.0, below if objective == "equation" else curve.y.max()
    if isinstance(law, M4):
        lower[letters.index("e_0")] = np.log(curve.y.max()) + MARGIN
        alpha = letters.index("alpha")
        lower[alpha], upper[alpha] = LOG_ALPHA
    return lower, upper


def residuals_of(curve: Curve, law: Law, objective: str) -> Residuals:
    """Return the residuals as a function of coordinates, (..., n_parameters) to (..., n_points)."""

    def in_logs(coordinates: Vector) -> Vector:
        log_mu = law.log_mu(curve.log_x, theta_at(law, coordinates[..., None, :]))
        return np.asarray(curve.log_y - log_mu)

    def plus_one(coordinates: Vector) -> Vector:
        log_mu = law.log_mu(curve.log_x, theta_at(law, coordinates[..., None, :]))
        return np.asarray(np.log1p(curve.y) - np.logaddexp(0.0, log_mu))

    def of_equation(coordinates: Vector) -> Vector:
        theta = theta_at(law, coordinates[..., None, :])
        level = law.line[0]
        others = {name: value for name, value in theta.items() if name not in _names(level)}
        return np.asarray(_level_through(curve, law, others) - theta[level])

    return {"log": in_logs, "log1p": plus_one, "equation": of_equation}[objective]


def _names(level: str) -> tuple[str, str]:
    return level, level.removeprefix("log_")


def _level_through(curve: Curve, law: Law, theta: Mapping[str, Any]) -> Any:
    """Return the level of the curve through each point, given all other parameters."""
    x, y = curve.log_x, curve.log_y
    return law.through((x, x), (y, y), theta)[law.line[0]]


def shapes(curve: Curve, law: Law) -> Vector:
    """Spread shapes over the default prior, and lead the best line of each through the points."""
    sobol = qmc.Sobol(law.n_parameters, rng=0).random(SHAPES)
    columns = iter(ndtri(sobol).T)

    def coordinate(name: str, *, per_break: bool = False) -> Any:
        if name in ("first", "last"):  # the line is sought below
            return np.zeros(SHAPES)
        count = law.n_breaks if per_break else 1
        values = [next(columns) for _ in range(count)]
        return np.stack(values, axis=-1) if per_break else values[0]

    drawn = defaults.parameters(law, Scale.of(curve), {}, coordinate)
    level, slope = law.line
    shape = {
        name: np.stack(value, axis=-1) if isinstance(value, list) else value
        for name, value in drawn.items()
        if name not in (*_names(level), slope)
    }
    at_points = {
        name: value[:, None, :] if value.ndim > 1 else value[:, None]
        for name, value in shape.items()
    }
    # a level that falls by `run` for each unit of slope: the best line has least variance
    flat, steep = (
        np.broadcast_to(_level_through(curve, law, at_points | {slope: s}), (SHAPES, len(curve)))
        for s in (0.0, 1.0)
    )
    run = flat - steep
    run_apart = run - run.mean(axis=-1, keepdims=True)
    best = np.sum(run_apart * flat, axis=-1) / np.sum(run_apart**2, axis=-1)
    line = {slope: best, level: np.mean(flat - best[:, None] * run, axis=-1)}
    sizes = {name: np.broadcast_to(value, SHAPES) for name, value in line.items()}
    return coordinates_of(law, shape | sizes)


def combinations(law: Law, grid: Mapping[str, ArrayLike], n_points: int) -> Iterator[Vector]:
    """Yield all combinations of the values of a grid, in blocks."""
    if set(grid) != set(law.parameters):
        raise ValueError(
            f"grid must hold values of {', '.join(law.parameters)}; got "
            f"{', '.join(grid) or 'none'}."
        )
    axes = []
    for name in _letters(law):
        sign: Any = "positive" if name in law.positive else "finite"
        values = checked_numbers(grid[name], f"grid[{name!r}]", sign=sign)
        axes.append(np.log(values) if name in law.positive else values)
    for block in batched(product(*axes), max(1, LARGEST_BLOCK // n_points)):
        yield np.array(block)
