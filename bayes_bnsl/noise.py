"""Observation models: what they all have in common.

The residual of a point is ``log y - log mu``; a scale of 0.01 is one per cent of y. A known
standard error of a point is added in quadrature.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from bayes_bnsl.curve import Curve

__all__ = ["Noise", "Points", "log_density"]

type Array = NDArray[np.float64]


class Points(NamedTuple):
    """Points of one run about the curves of many draws."""

    log_x: Array
    """Shape (n_points,), in rising order."""
    residual: Array
    """Log y less log mu, shape (n_draws, n_points)."""
    scale: Array
    """What `Noise.scale` says of them, shape (n_draws, n_points)."""

    def of(self, members: Any) -> Points:
        """Return some of the points."""
        return Points(*(part[..., members] for part in self))


@dataclass(frozen=True)
class Noise(ABC):
    """How y scatters about the curve.

    Parameters
    ----------
    changing : bool, default False
        Whether the scale of the independent noise changes along x: ``log sigma`` is then a
        straight line in log x, from ``sigma_first`` at the first x to ``sigma_last`` at the last
        one, and stays what it is there beyond them.
    """

    changing: bool = False

    @property
    @abstractmethod
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters, all of them positive."""

    @property
    def name(self) -> str:
        """Short name."""
        return f"{type(self).__name__}{'(changing=True)' if self.changing else ''}"

    @property
    def scales(self) -> tuple[str, ...]:
        """Names of the parameters that give the scale of the independent noise."""
        return ("sigma_first", "sigma_last") if self.changing else ("sigma",)

    def scale(
        self, theta: Mapping[str, Any], log_se: Any = None, xp: Any = np, *, place: Any = 0.0
    ) -> Any:
        """Return the scale of the independent noise of log y.

        Parameters
        ----------
        theta : mapping
            Parameter values.
        log_se : array_like, optional
            Known standard error of each log y, that is ``y_se / y``.
        xp : module, default numpy
            ``numpy`` or ``pytensor.tensor``.
        place : array_like, default 0
            Where the points lie, from 0 at the first x to 1 at the last one
            (:meth:`bayes_bnsl.priors.Scale.place`); only noise that changes asks for it.

        Returns
        -------
        array_like
            ``sigma``, or ``sqrt(sigma**2 + log_se**2)``.

        Examples
        --------
        >>> from bayes_bnsl import LogNormal
        >>> LogNormal().scale({"sigma": 0.03}, log_se=0.04)
        np.float64(0.05)
        """
        if self.changing:
            first, last = (xp.log(theta[name]) for name in self.scales)
            sigma = xp.exp((1 - place) * first + place * last)
        else:
            sigma = theta["sigma"]
        return sigma if log_se is None else xp.sqrt(sigma**2 + log_se**2)

    def expected(
        self, given: Callable[..., Any], theta: Mapping[str, Array], points: Points
    ) -> tuple[Array, Array]:
        """Return where the residual of each point is expected, given other points of its run.

        Parameters
        ----------
        given : callable
            Which others: :func:`~bayes_bnsl.process.given_others` for all of them, or
            :func:`~bayes_bnsl.process.given_earlier` for those before it, whose densities multiply
            to that of all points together.
        theta : mapping
            Draws of the parameters, shape (n_draws,).
        points : Points
            The points of a run.

        Returns
        -------
        location, scale : ndarray, shape (n_draws, n_points)
            Of the residual, which is the point's own scatter about what the others say.
        """
        return np.zeros_like(points.residual), points.scale

    def ahead(
        self,
        theta: Mapping[str, Array],
        log_x: Array,
        scale: Array,
        seen: Points | None,
        generator: np.random.Generator,
    ) -> tuple[Array, Array, Array]:
        """Return where new residuals are expected, and draw them.

        Parameters
        ----------
        theta : mapping
            Draws of the parameters, shape (n_draws,).
        log_x : ndarray, shape (n_new,)
            Where the new points lie, in any order.
        scale : ndarray, shape (n_draws, n_new)
            What :meth:`scale` says of them.
        seen : Points, optional
            The points of the run that the new ones belong to; none for a new run.
        generator : numpy.random.Generator
            Where the randomness comes from.

        Returns
        -------
        location, scale, residual : ndarray, shape (n_draws, n_new)
            The residuals of a draw are drawn jointly; location and scale are those of each.
        """
        residual = scale * self._standard(theta, np.shape(scale), generator)
        return np.zeros_like(residual), scale, residual

    def bounds(self, curve: Curve) -> Array | None:
        """Return which points are bounds alone, if there may be any.

        Parameters
        ----------
        curve : Curve
            The points.

        Returns
        -------
        ndarray, shape (n_points,), or None
            1 where the measurement may have been any value from y up, -1 where any down from it,
            0 where it was y; None of noise that has no bounds.
        """
        return None

    def reported(self, log_y: Array, *, falls: bool) -> Array:
        """Return what is reported of the measurements of a run.

        Parameters
        ----------
        log_y : ndarray, shape (..., n_points)
            Logarithms of the measurements, in rising order of x.
        falls : bool
            Whether the curve falls.

        Returns
        -------
        ndarray, shape (..., n_points)
            The logarithms that are told: all of them, but with `BestSoFar`.
        """
        return log_y

    def _standard(
        self, theta: Mapping[str, Array], shape: tuple[int, ...], generator: np.random.Generator
    ) -> Array:
        """Draw independent noise of scale 1."""
        return generator.standard_normal(shape)


def log_density(y: Any, location: Any, scale: Any, nu: Any = None) -> Any:
    """Return the log density of y (not of log y), for NumPy or xarray.

    Parameters
    ----------
    y : array_like
        Observations.
    location, scale : array_like
        Of log y.
    nu : array_like, optional
        Degrees of freedom; a normal distribution of log y without.

    Returns
    -------
    array_like
        Log densities in broadcast shape.

    Examples
    --------
    >>> round(float(log_density(2.0, np.log(2.0), 0.1)), 4)
    0.6905
    """
    log_y = np.log(y)
    square = ((log_y - location) / scale) ** 2
    if nu is None:
        standard = -0.5 * square - 0.5 * np.log(2 * np.pi)
    else:
        standard = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * np.log(nu * np.pi)
        standard = standard - (nu + 1) / 2 * np.log1p(square / nu)
    return standard - np.log(scale) - log_y
