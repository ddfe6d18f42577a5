"""Observation models: how measured y scatter about the curve, on the log scale.

The residual of a point is ``log y - log mu``; a scale of 0.01 is one per cent of y. A known
standard error of a point is added in quadrature. With `LogNormal` and `StudentT` the residuals
are independent; with `Correlated` those of one run hang together, so points say something of
their neighbours, and the last ones of what comes next. With `BestSoFar` some points are bounds.
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
from bayes_bnsl.process import continued

__all__ = [
    "BestSoFar",
    "Correlated",
    "LogNormal",
    "Noise",
    "Points",
    "StudentT",
    "choices",
    "log_density",
]

type Array = NDArray[np.float64]

DRAWS_AT_ONCE = 2000
"""Draws of the parameters whose forecasts are made together, to bound the memory."""


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
