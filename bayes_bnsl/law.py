"""What a scaling law is: one formula in logs, its slope, its questions of sign.

Every law is a limit plus a *power part*, ``y = limit + P(x)``, and the power part is written
once, in logs, as a function of ``u = log x``:

    log y = log P + softplus(log limit - log P).

That one formula serves NumPy arrays, xarray objects (dimensions broadcast by name, breaks
along ``brk``) and PyTensor graphs (pass ``xp=pytensor.tensor``), so the curve that is sampled,
the curve that is forecast and the curve that is drawn cannot differ. Logs keep every law
finite for x from 1e-30 to 1e30 and for breaks as sharp as f = 1e-3.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from bayes_bnsl.logs import Theta, along, is_zero, log, sigmoid, softplus

__all__ = ["Law", "PowerPart", "Segments"]


class PowerPart(NamedTuple):
    """``g = log P`` and its first and second derivative with respect to ``u = log x``."""

    log: Any
    first: Any
    second: Any


class Segments(NamedTuple):
    """The power laws a broken law is made of, in order of x.

    Segment i is ``y - a = exp(log_coefficient[i]) * x**slope[i]``; it meets segment i + 1 at
    ``breaks[i]`` (Caballero et al., ICLR 2023, appendix A.2). Each entry has the shape that the
    parameters had: a float, draws, a DataArray.
    """

    slope: list[Any]
    log_coefficient: list[Any]
    breaks: list[Any]


GREEK = {"alpha": r"\alpha", "beta": r"\beta", "e_0": r"\varepsilon_0", "sigma": r"\sigma"}
GREEK["e_inf"] = r"\varepsilon_\infty"


def latex_symbol(name: str) -> str:
    """Return a parameter's name in LaTeX, such as ``c_{1}`` for ``c1``."""
    letter = name.rstrip("0123456789")
    index, letter = name.removeprefix(letter), letter.rstrip("_").replace("_", r"\_")
    return GREEK.get(name) or (f"{letter}_{{{index}}}" if index else letter)


@dataclass(frozen=True)
class Law(ABC):
    """A functional form ``y = law(x; theta)``, positive for every x > 0.

    A new law writes its names, :meth:`limit` and :meth:`power`; evaluation, local slope and
    the questions of sign come from here.
    """

    @property
    def name(self) -> str:
        """Short name, such as ``BNSL(1)``."""
        return type(self).__name__

    @property
    @abstractmethod
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters, in the letters of the paper."""

    @abstractmethod
    def equation(self, symbol: Callable[[str], str], *, latex: bool = False) -> str:
        """Write the right-hand side of ``y = ...``.

        Parameters
        ----------
        symbol : callable
            ``symbol(name)`` is what stands for a parameter; breaks are counted, as in ``c1``.
        latex : bool, default False
            Whether to write LaTeX.

        Returns
        -------
        str
            The formula.
        """

    @property
    def formula(self) -> str:
        """The right-hand side of ``y = ...`` in plain text."""
        return self.equation(str)

    @property
    def latex(self) -> str:
        """The right-hand side of ``y = ...`` in LaTeX."""
        return self.equation(latex_symbol, latex=True)

    def limit(self, theta: Theta) -> Any:
        """Return the constant that the power part is added to.

        Parameters
        ----------
        theta : mapping
            The parameters.

        Returns
        -------
        float or array_like
            The limit; 0 where a law has none.
        """
        return 0.0 if self.limit_name is None else theta[self.limit_name]

    @abstractmethod
    def power(self, log_x: Any, theta: Theta, xp: Any = np) -> PowerPart:
        """Return the power part; parameters as for :meth:`log_mu`.

        Parameters
        ----------
        log_x : array_like, DataArray or TensorVariable
            Natural logarithm of x.
        theta : mapping
            The parameters.
        xp : module, default numpy
            ``numpy`` or ``pytensor.tensor``.

        Returns
        -------
        PowerPart
            Its logarithm and the derivatives of that with respect to ``log x``.
        """

    def through(self, log_x: Any, log_y: Any, theta: Theta, xp: Any = np) -> dict[str, Any]:
        """Return the two parameters of level and slope that lead the curve through two points.

        The values of a curve at both ends of the data are what data determine best, so they
        serve as coordinates of the posterior in place of the level and the slope.

        Parameters
        ----------
        log_x, log_y : pair of scalars
            The two points, in logs.
        theta : mapping
            The other parameters of the law. If the slope is among them, only the level is
            sought, and the curve goes through the second point alone.
        xp : module, default numpy
            ``numpy`` or ``pytensor.tensor``.

        Returns
        -------
        dict of str to scalar
            The missing parameters by name.

        Examples
        --------
        >>> import bayes_bnsl as bb
        >>> line = bb.M1().through(np.log([1.0, 100.0]), np.log([3.0, 0.3]), {})
        >>> round(float(np.exp(line["log_a"])), 6), round(float(line["b"]), 6)
        (3.0, -0.5)
        """
        raise NotImplementedError(f"{self.name} has no line to lead through two points.")

    @property
    def line(self) -> tuple[str, ...]:
        """Names of the level and the slope that :meth:`through` returns; empty if it cannot."""
        return ()

    @property
    def limit_name(self) -> str | None:
        """Name of the limit, or None for a law without."""
        return None

    @property
    def positive(self) -> tuple[str, ...]:
        """Names of the parameters that must be above zero (the limit may be zero)."""
        return ()

    @property
    def n_breaks(self) -> int:
        """Number of breaks; 0 for a law without."""
        return 0

    @property
    def n_parameters(self) -> int:
        """Number of scalars that determine the curve."""
        return sum(self.n_breaks if self.has_break(name) else 1 for name in self.parameters)

    @property
    def min_points(self) -> int:
        """Fewest distinct x that say something of every part: level, slope, limit, each break."""
        return sum(not self.has_break(name) for name in self.parameters) + self.n_breaks

    def has_break(self, parameter: str) -> bool:
        """Tell whether a parameter has one value a break.

        Parameters
        ----------
        parameter : str
            Its name.

        Returns
        -------
        bool
            True for ``c``, ``d`` and ``f`` of a law with breaks.
        """
        return self.n_breaks > 0 and parameter in ("c", "d", "f")

    def log_mu(self, log_x: Any, theta: Theta, xp: Any = np) -> Any:
        """Return ``log y``.

        Parameters
        ----------
        log_x : array_like, DataArray or TensorVariable
            Natural logarithm of x. It broadcasts against the parameters: NumPy draws of shape
            (s,) go in as (s, 1), those of breaks as (s, 1, n_breaks).
        theta : mapping of str to array_like
            Parameter values by name. ``log_b`` may stand for ``b`` (likewise ``log_a``,
            ``log_beta``) where b would overflow. Parameters of breaks have the break on their
            last axis or, for DataArrays, on the dimension ``brk``.
        xp : module, default numpy
            ``numpy`` (also for xarray) or ``pytensor.tensor``.

        Returns
        -------
        array_like, DataArray or TensorVariable
            ``log y`` in broadcast shape.

        Examples
        --------
        >>> import bayes_bnsl as bb
        >>> log_y = bb.M1().log_mu(np.log([1.0, 100.0]), {"a": 3.0, "b": -0.5})
        >>> np.exp(log_y).round(6)
        array([3. , 0.3])
        """
        log_power = self.power(log_x, theta, xp).log
        limit = self.limit(theta)
        if is_zero(limit):
            return log_power
        return log_power + softplus(log(limit, xp) - log_power, xp)

    def __call__(self, x: Any, theta: Theta) -> Any:
        """Return y at x, for NumPy or xarray; parameters as for :meth:`log_mu`."""
        return np.exp(self.log_mu(np.log(x), theta))

    def log_slope(self, log_x: Any, theta: Theta, xp: Any = np) -> Any:
        """Return the local slope ``d log y / d log x``, analytically.

        Parameters
        ----------
        log_x : array_like, DataArray or TensorVariable
            Natural logarithm of x.
        theta : mapping
            The parameters, as for :meth:`log_mu`.
        xp : module, default numpy
            ``numpy`` or ``pytensor.tensor``.

        Returns
        -------
        array_like, DataArray or TensorVariable
            The slope in broadcast shape.

        Examples
        --------
        >>> import bayes_bnsl as bb
        >>> theta = {"a": 0.1, "b": 2.0, "c0": 0.5, "c": [0.4], "d": [100.0], "f": [0.2]}
        >>> bb.BNSL(1).log_slope(np.log([1e-9, 1e9]), theta).round(3)  # -c0; flat at the limit
        array([-0.5, -0. ])
        """
        return self._slope_and_curvature(log_x, theta, xp)[0]

    def is_monotone(self, log_x: Any, theta: Theta) -> Any:
        """Tell whether y never turns over a grid.

        Parameters
        ----------
        log_x : array_like or DataArray
            The grid, along the last axis or its own dimension.
        theta : mapping
            The parameters, as for :meth:`log_mu`.

        Returns
        -------
        bool, array_like or DataArray
            One answer for each draw of the parameters.

        Examples
        --------
        >>> import bayes_bnsl as bb
        >>> theta = {"a": 0.1, "b": 2.0, "c0": 0.5, "c": [0.4], "d": [100.0], "f": [0.2]}
        >>> grid = np.log(np.geomspace(1, 1e4, 100))
        >>> bool(bb.BNSL(1).is_monotone(grid, theta))
        True
        >>> bool(bb.BNSL(1).is_monotone(grid, theta | {"c": [-0.8]}))  # rises after the break
        False
        """
        slope, grid = self.log_slope(log_x, theta), along(log_x)
        return (slope <= 0).all(**grid) | (slope >= 0).all(**grid)

    def has_inflection(self, log_x: Any, theta: Theta) -> Any:
        """Tell whether ``d2y/dx2``, on linear axes, changes sign over a grid.

        With s the local slope, ``x**2 y'' / y = s**2 - s + ds/du``.

        Parameters
        ----------
        log_x : array_like or DataArray
            The grid, along the last axis or its own dimension.
        theta : mapping
            The parameters, as for :meth:`log_mu`.

        Returns
        -------
        bool, array_like or DataArray
            One answer for each draw of the parameters.
        """
        slope, curvature = self._slope_and_curvature(log_x, theta, np)
        terms = (slope**2, -slope, curvature)
        bend, rounding, grid = sum(terms), 1e-10 * sum(map(abs, terms)), along(log_x)
        return (bend > rounding).any(**grid) & (bend < -rounding).any(**grid)

    def _slope_and_curvature(self, log_x: Any, theta: Theta, xp: Any) -> tuple[Any, Any]:
        power = self.power(log_x, theta, xp)
        limit = self.limit(theta)
        if is_zero(limit):
            return power.first, power.second
        share = sigmoid(power.log - log(limit, xp), xp)  # P / y
        return share * power.first, share * (power.second + (1 - share) * power.first**2)
