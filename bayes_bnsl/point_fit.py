"""A law fitted by least squares: the point estimates that posteriors are compared with.

What papers on scaling laws do: try many parameters, take those with the smallest squares, and
refine them. It gives one curve and says nothing of how sure it is; the rest of the package does
not use it but for comparison.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.optimize import OptimizeResult, least_squares

from bayes_bnsl.columns import checked_integer, checked_numbers
from bayes_bnsl.curve import Curve
from bayes_bnsl.law import Law
from bayes_bnsl.naive import lognormal_forecast
from bayes_bnsl.squares import (
    OBJECTIVES,
    Residuals,
    Vector,
    bounds_of,
    combinations,
    residuals_of,
    shapes,
    theta_at,
)

__all__ = ["PointFit", "fit_points"]

STEP = float(np.sqrt(np.finfo(float).eps))
"""Step of differences, in units of the coordinate if it is larger than one."""


@dataclass(frozen=True)
class PointFit:
    """One curve through the points, by least squares.

    Parameters
    ----------
    curve : Curve
        The points.
    law : Law
        What was fitted to them.
    theta : dict of str to float or ndarray
        The parameters in the law's letters, those of breaks with one value a break; with ``log_b``
        and the like beside those that may overflow.
    objective : str
        Whose squares are least.
    loss : float
        Root mean square of the residuals of the objective.
    converged : bool
        Whether the refinement came to an end.

    Examples
    --------
    >>> from bayes_bnsl import M1
    >>> line = fit_points(Curve([10, 100, 1000], [2.0, 1.0, 0.5]), M1())
    >>> bool(line.residual_sd < 1e-9), line.converged
    (True, True)
    """

    curve: Curve
    law: Law
    theta: Mapping[str, Any]
    objective: str
    loss: float
    converged: bool

    @property
    def residual_sd(self) -> float:
        """Standard deviation of log y about the curve, the parameters counted as spent."""
        residuals = self.curve.log_y - self.law.log_mu(self.curve.log_x, self.theta)
        spare = max(len(residuals) - self.law.n_parameters, 1)
        return float(np.sqrt(np.sum(residuals**2) / spare))

    def forecast(self, x: ArrayLike) -> xr.Dataset:
        """Forecast as if the parameters were known: lognormal about the curve.

        Parameters
        ----------
        x : array_like, shape (n,)
            Where to forecast.

        Returns
        -------
        xarray.Dataset
            Like the result of `forecast`. The draws are quantiles of the distribution, so there
            is no randomness.

        Raises
        ------
        ValueError
            If an x is out of range.
        """
        at = checked_numbers(np.atleast_1d(np.asarray(x)), "x")
        log_y = self.law.log_mu(np.log(at), self.theta)
        return lognormal_forecast(self.curve, at, self.name, log_y, self.residual_sd)

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return f"{self.law.name}, least squares"

    def __repr__(self) -> str:
        def number(name: str) -> str:
            if name in self.theta:
                return f"{float(self.theta[name]):.3g}"
            letter, index = name.rstrip("0123456789"), int(name.lstrip("cdf"))
            return f"{self.theta[letter][index - 1]:.3g}"

        end = "" if self.converged else " Not at a minimum: the refinement was cut short."
        return (
            f"<PointFit of {self.law.name} to {self.curve.name!r}, {len(self.curve)} points>\n"
            f"y = {self.law.equation(number)}\n"
            f"Residuals of {self.objective!r} have a root mean square of {self.loss:.3g}.{end}"
        )


def fit_points(
    curve: Curve,
    law: Law,
    *,
    objective: str = "log",
    grid: Mapping[str, ArrayLike] | None = None,
    climbs: int = 20,
) -> PointFit:
    """Fit a law by least squares, from the best of many starts.

    Parameters
    ----------
    curve : Curve
        The points. Their standard errors and runs are not looked at.
    law : Law
        The functional form.
    objective : {"log", "log1p", "equation"}
        Whose squares are summed. "log": ``log y - log mu``, the maximum of the likelihood of
        `LogNormal` noise. "log1p": ``log(y + 1) - log(mu + 1)``, which Caballero et al. (ICLR 2023)
        minimise. "equation": what is left of the equation of the law that is linear in level and
        slope, such as ``log(y - c) - log(a x**b)`` for M2, which Alabdulmohsin et al. (NeurIPS
        2022) minimise; the same as "log" for a law without a limit.
    grid : mapping of str to array_like, optional
        Values of every parameter, in the units of the user, and all their combinations are the
        starts, as in `scipy.optimize.brute`; each break takes the values of its letter. By default
        shapes are spread over the default prior of the law by a Sobol sequence, and level and
        slope found for each by linear regression.
    climbs : int, default 20
        How many of the best starts are refined, by a trust-region method (`least_squares` of
        SciPy). The limit stays between zero and the largest y, or for "equation" below the
        smallest; M4's ``e_0`` above the largest.

    Returns
    -------
    PointFit
        The parameters with the smallest squares.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be, the curve has fewer distinct x than the law needs,
        or the squares are infinite at every start.

    Examples
    --------
    >>> from bayes_bnsl import M2
    >>> x = np.geomspace(1, 1e4, 10)
    >>> fit_points(Curve(x, 0.5 + 2 * x**-0.4), M2())
    <PointFit of M2 to 'curve', 10 points>
    y = 2 * x^-0.4 + 0.5
    Residuals of 'log' have a root mean square of ...
    """
    if not isinstance(curve, Curve):
        raise TypeError(f"curve must be a Curve; got {curve!r}.")
    if not isinstance(law, Law):
        raise TypeError(f"law must be a law such as BNSL(1); got {law!r}.")
    if objective not in OBJECTIVES:
        raise ValueError(f"objective must be one of {', '.join(OBJECTIVES)}; got {objective!r}.")
    if checked_integer(climbs, "climbs") < 1:
        raise ValueError(f"climbs must be 1 or more; got {climbs}.")
    if not law.line and (objective == "equation" or grid is None):
        raise ValueError(
            f"{law.name} has no equation and no default priors that lead to starts: give grid= "
            "values of every parameter, and take the objective 'log' or 'log1p'."
        )
    if (distinct := len(np.unique(curve.x))) < law.min_points:
        raise ValueError(
            f"{law.name} needs {law.min_points} distinct x; the curve {curve.name!r} has "
            f"{distinct}."
        )
    residuals = residuals_of(curve, law, objective)
    lower, upper = bounds_of(curve, law, objective)
    squares, starts = [], []
    with np.errstate(all="ignore"):  # a start may be anywhere
        blocks = [shapes(curve, law)] if grid is None else combinations(law, grid, len(curve))
        for block in blocks:
            sums = np.sum(residuals(block) ** 2, axis=-1)
            best = np.argsort(sums)[:climbs]  # NaN comes last
            squares.append(sums[best])
            starts.append(block[best])
        order = np.argsort(np.concatenate(squares))[:climbs]
        tried = np.unique(np.clip(np.concatenate(starts)[order], lower, upper), axis=0)
        tried = tried[np.isfinite(residuals(tried)).all(axis=-1)]
        if not len(tried):
            raise ValueError(
                f"The squares of {law.name} on {curve.name!r} are infinite at every start: give "
                "grid= other values."
            )
        climbed = [_climb(residuals, start, (lower, upper)) for start in tried]
        end = min(climbed, key=lambda each: float(each.cost))
        found = theta_at(law, end.x)
    kept = [name for name in (*law.parameters, *law.line[:1]) if name in found]
    theta = {name: np.array(v) if np.ndim(v := found[name]) else float(v) for name in kept}
    loss = float(np.sqrt(np.mean(end.fun**2)))
    return PointFit(curve, law, theta, objective, loss, bool(end.success))


def _climb(residuals: Residuals, start: Vector, bounds: tuple[Vector, Vector]) -> OptimizeResult:
    """Refine a start; steps to where residuals are not finite are shortened."""

    def slopes(at: Vector) -> Vector:  # all differences in one call, none beyond a bound
        step = STEP * np.maximum(1.0, np.abs(at))
        step = np.where(at + step > bounds[1], -step, step)
        return np.asarray((residuals(at + np.diag(step)) - residuals(at)) / step[:, None]).T

    return least_squares(
        residuals, start, slopes, bounds, x_scale="jac", max_nfev=500,
        ftol=1e-11, xtol=1e-11, gtol=1e-11,
    )  # fmt: skip
