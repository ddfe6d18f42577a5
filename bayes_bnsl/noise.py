"""Observation models: how a measured y scatters about the curve, on the log scale.

A noise model is a density of y around ``log mu``; its scale is that of log y, so 0.01 is one
per cent. A known standard error of a point is added in quadrature.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

__all__ = ["LogNormal", "Noise"]


@dataclass(frozen=True)
class Noise(ABC):
    """A density of y around the curve.

    The model that is sampled and the forecasts both go through :meth:`scale`; the sampled
    density itself is made where all random variables are made, in :mod:`bayes_bnsl.model`.
    """

    parameters: ClassVar[tuple[str, ...]]

    @property
    def name(self) -> str:
        """Short name."""
        return type(self).__name__

    def scale(self, theta: Mapping[str, Any], log_se: Any = None, xp: Any = np) -> Any:
        """Return the standard deviation of log y.

        Parameters
        ----------
        theta : mapping
            Parameter values, with ``sigma``.
        log_se : array_like, optional
            Known standard error of each log y, that is ``y_se / y``.
        xp : module, default numpy
            ``numpy`` or ``pytensor.tensor``.

        Returns
        -------
        array_like
            ``sigma``, or ``sqrt(sigma**2 + log_se**2)``.
        """
        sigma = theta["sigma"]
        return sigma if log_se is None else xp.sqrt(sigma**2 + log_se**2)

    @abstractmethod
    def log_density(self, y: Any, log_mu: Any, scale: Any) -> Any:
        """Return the log density of y (not of log y), for NumPy or xarray.

        Parameters
        ----------
        y : array_like
            Observations.
        log_mu : array_like
            Logarithm of the curve there.
        scale : array_like
            What :meth:`scale` returned.

        Returns
        -------
        array_like
            Log densities in broadcast shape.
        """

    @abstractmethod
    def draw(self, generator: np.random.Generator, log_mu: Any, scale: Any) -> Any:
        """Return new observations of log y.

        Parameters
        ----------
        generator : numpy.random.Generator
            Where the randomness comes from.
        log_mu : array_like
            Logarithm of the curve.
        scale : array_like
            What :meth:`scale` returned.

        Returns
        -------
        numpy.ndarray
            One log y for each ``log_mu``.
        """


@dataclass(frozen=True)
class LogNormal(Noise):
    """``log y ~ Normal(log mu, sigma)``, independent from point to point.

    Examples
    --------
    >>> round(float(LogNormal().log_density(2.0, np.log(2.0), 0.1)), 4)
    0.6905
    """

    parameters: ClassVar[tuple[str, ...]] = ("sigma",)

    def log_density(self, y: Any, log_mu: Any, scale: Any) -> Any:
        """Return the log density of y."""
        log_y = np.log(y)
        return (
            -0.5 * ((log_y - log_mu) / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi) - log_y
        )

    def draw(self, generator: np.random.Generator, log_mu: Any, scale: Any) -> Any:
        """Return a new observation of log y."""
        return log_mu + scale * generator.standard_normal(np.shape(log_mu))
