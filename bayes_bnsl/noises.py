"""The noise models: how measured y scatter about the curve, on the log scale.

With `LogNormal` and `StudentT` the residuals are independent; with `Correlated` those of one run
hang together, so points say something of their neighbours, and the last ones of what comes next.
With `BestSoFar` some points are bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayes_bnsl.curve import Curve
from bayes_bnsl.noise import Noise, Points
from bayes_bnsl.process import continued

__all__ = ["BestSoFar", "Correlated", "LogNormal", "StudentT", "choices"]

type Array = NDArray[np.float64]

DRAWS_AT_ONCE = 2000
"""Draws of the parameters whose forecasts are made together, to bound the memory."""


@dataclass(frozen=True)
class LogNormal(Noise):
    """``log y ~ Normal(log mu, sigma)``, independent from point to point.

    Parameters
    ----------
    changing : bool, default False
        Whether sigma changes along x, log-linearly from ``sigma_first`` to ``sigma_last``.

    Examples
    --------
    >>> LogNormal().parameters
    ('sigma',)
    >>> LogNormal(changing=True).parameters
    ('sigma_first', 'sigma_last')
    """

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return self.scales


@dataclass(frozen=True)
class BestSoFar(LogNormal):
    """Measurements with the scatter of `LogNormal`, of which the best so far is reported.

    Of a curve that falls y is the lowest measurement of its run up to that point; of one that
    rises, the highest. Where y is that of the point before, the measurement was no better, and
    all that is known of it is that bound: in place of the density of y stands the probability of
    what lies beyond, ``Phi((log mu - log y) / sigma)`` if the curve falls. A forecast is of a
    single measurement.

    Parameters
    ----------
    changing : bool, default False
        Whether sigma changes along x, log-linearly from ``sigma_first`` to ``sigma_last``.

    References
    ----------
    Tobin, "Estimation of relationships for limited dependent variables", Econometrica 26 (1958).

    Examples
    --------
    >>> BestSoFar().parameters
    ('sigma',)
    >>> BestSoFar().bounds(Curve([1, 2, 4, 8], [0.9, 0.7, 0.7, 0.6]))
    array([0., 0., 1., 0.])
    """

    def bounds(self, curve: Curve) -> Array:
        """Return which points are bounds alone: where y is that of the point before."""
        bound, (before, after) = np.zeros(len(curve)), curve.steps
        bound[after[curve.y[after] == curve.y[before]]] = 1.0 if curve.falls else -1.0
        return bound

    def reported(self, log_y: Array, *, falls: bool) -> Array:
        """Return the best up to each point."""
        best: Any = np.minimum if falls else np.maximum
        return np.asarray(best.accumulate(log_y, axis=-1))


@dataclass(frozen=True)
class StudentT(Noise):
    """``log y ~ StudentT(nu, log mu, sigma)``, independent: now and then a point lies far off.

    Such a point moves the curve less than it would with `LogNormal`. ``sigma`` is the scale of
    the distribution; its standard deviation is ``sigma * sqrt(nu / (nu - 2))``, infinite for nu
    up to 2.

    Parameters
    ----------
    changing : bool, default False
        Whether sigma changes along x, log-linearly from ``sigma_first`` to ``sigma_last``.

    Examples
    --------
    >>> StudentT().parameters
    ('sigma', 'nu')
    """

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return (*self.scales, "nu")

    def _standard(
        self, theta: Mapping[str, Array], shape: tuple[int, ...], generator: np.random.Generator
    ) -> Array:
        return generator.standard_t(np.asarray(theta["nu"])[..., None], shape)


@dataclass(frozen=True)
class Correlated(Noise):
    """Residuals that hang together along a run, as those of checkpoints do.

    ``log y = log mu + g + e``: g is an Ornstein-Uhlenbeck process along log x, of stationary
    standard deviation ``tau`` and with correlation ``exp(-|distance in log x| / ell)``; e is
    independent noise of standard deviation ``sigma``. Points of one run at the same x share g.
    Runs (`Curve.run`) have processes of their own, with the same tau and ell; without labels all
    points are of one run. A forecast that continues a run carries its last residuals forward:
    they fade with the correlation, and the spread grows to the stationary one.

    Parameters
    ----------
    changing : bool, default False
        Whether sigma changes along x, log-linearly from ``sigma_first`` to ``sigma_last``.

    References
    ----------
    Uhlenbeck and Ornstein, "On the theory of the Brownian motion", Physical Review 36 (1930).
    Foreman-Mackey et al., "Fast and scalable Gaussian process modeling with applications to
    astronomical time series", Astronomical Journal 154 (2017).

    Examples
    --------
    >>> Correlated().parameters
    ('sigma', 'tau', 'ell')
    """

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return (*self.scales, "tau", "ell")

    def expected(
        self, given: Callable[..., Any], theta: Mapping[str, Array], points: Points
    ) -> tuple[Array, Array]:
        """Return where the residual of each point is expected, given other points of its run."""
        variance = points.scale.T**2
        mean, spread = given(points.residual.T, variance, theta["tau"], theta["ell"], points.log_x)
        return mean.T, np.sqrt(spread + variance).T

    def ahead(
        self,
        theta: Mapping[str, Array],
        log_x: Array,
        scale: Array,
        seen: Points | None,
        generator: np.random.Generator,
    ) -> tuple[Array, Array, Array]:
        """Return where new residuals of a run are expected, and draw them jointly."""
        location, total, residual = (np.empty(scale.shape) for _ in range(3))
        seen = seen or Points(np.empty(0), *np.empty((2, len(scale), 0)))
        for start in range(0, len(scale), DRAWS_AT_ONCE):
            some = slice(start, start + DRAWS_AT_ONCE)
            mean, spread, path = continued(
                generator, seen.residual[some].T, seen.scale[some].T ** 2, theta["tau"][some],
                theta["ell"][some], seen.log_x, log_x,
            )  # fmt: skip
            fresh = scale[some] * generator.standard_normal(scale[some].shape)
            location[some], residual[some] = mean.T, path.T + fresh
            total[some] = np.sqrt(spread.T + scale[some] ** 2)
        return location, total, residual


def choices(noise: str) -> tuple[Noise, ...]:
    """Return the models that ``noise="auto"`` chooses from: without and with memory.

    Raises
    ------
    ValueError
        If it is another word.
    """
    if noise != "auto":
        raise ValueError(f"noise is {noise!r}. Give 'auto', or a noise model such as Correlated().")
    return LogNormal(), Correlated()
