"""The laws: BNSL with any number of breaks, and a law of your own; with them the rivals.

Each class is the formula of its paper in the paper's letters; what all laws share is in
:mod:`bayes_bnsl.law`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from bayes_bnsl.law import Law, PowerPart, Segments
from bayes_bnsl.logs import Theta, each_break, line_through, log_excess, log_of, sigmoid, softplus
from bayes_bnsl.rivals import M1, M2, M3, M4

__all__ = ["BNSL", "M1", "M2", "M3", "M4", "Custom"]


@dataclass(frozen=True)
class BNSL(Law):
    """Broken neural scaling law: a smooth chain of ``n_breaks + 1`` power laws.

    ``y = a + b x**(-c0) * prod_i (1 + (x / d_i)**(1 / f_i))**(-c_i f_i)``
    (Caballero et al., ICLR 2023, equation 1): ``a`` the limit, ``b`` the offset, ``c0`` the
    first slope, ``c_i`` the change of slope at break i, ``d_i`` its place, ``f_i`` its
    sharpness (small is sharp). ``c_i`` may have either sign.

    Parameters
    ----------
    n_breaks : int, default 1
        Number of breaks, 0 or more.

    Raises
    ------
    TypeError
        If ``n_breaks`` is not an integer.
    ValueError
        If ``n_breaks`` is negative.

    Examples
    --------
    >>> theta = {"a": 0.1, "b": 2.0, "c0": 0.5, "c": [0.4], "d": [100.0], "f": [0.2]}
    >>> round(float(BNSL(1)(1e4, theta)), 6)
    0.10317
    """

    n_breaks: int = 1

    def __post_init__(self) -> None:
        n = self.n_breaks
        if isinstance(n, bool) or not isinstance(n, Integral):
            raise TypeError(f"n_breaks must be an integer such as 0, 1 or 2; got {n!r}.")
        if n < 0:
            raise ValueError(f"n_breaks must be 0 or more; got {n}. BNSL(0) has no break.")

    @property
    def name(self) -> str:
        """Short name, such as ``BNSL(1)``."""
        return f"BNSL({self.n_breaks})"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return ("a", "b", "c0", *(("c", "d", "f") if self.n_breaks else ()))

    def equation(self, symbol: Callable[[str], str], *, latex: bool = False) -> str:
        """Write the right-hand side of ``y = ...``."""
        text = (
            rf"{symbol('a')} + {symbol('b')}\,x^{{-{symbol('c0')}}}"
            if latex
            else f"{symbol('a')} + {symbol('b')} * x^(-{symbol('c0')})"
        )
        for i in range(1, self.n_breaks + 1):
            c, d, f = (symbol(f"{name}{i}") for name in ("c", "d", "f"))
            text += (
                rf" \left(1 + (x/{d})^{{1/{f}}}\right)^{{-{c} \cdot {f}}}"
                if latex
                else f" * (1 + (x/{d})^(1/{f}))^(-{c}*{f})"
            )
        return text

    @property
    def line(self) -> tuple[str, ...]:
        """Names of level and slope."""
        return ("log_b", "c0")

    limit_name = "a"

    @property
    def positive(self) -> tuple[str, ...]:
        """Names of the parameters above zero."""
        return ("b", "d", "f")

    def _each_break(self, theta: Theta, xp: Any = np) -> list[tuple[Any, Any, Any]]:
        """Return ``(c_i, log d_i, f_i)`` for each break."""
        if not self.n_breaks:
            return []
        values = (theta["c"], log_of(theta, "d", xp), theta["f"])
        return list(zip(*(each_break(v, self.n_breaks) for v in values), strict=True))

    def power(self, log_x: Any, theta: Theta, xp: Any = np) -> PowerPart:
        """Return the log of the power part and its derivatives."""
        value = log_of(theta, "b", xp) - theta["c0"] * log_x
        first = -theta["c0"] + 0.0 * log_x
        second = 0.0 * first
        for c, log_d, f in self._each_break(theta, xp):
            t = (log_x - log_d) / f
            done = sigmoid(t, xp)
            value = value - c * f * softplus(t, xp)
            first = first - c * done
            second = second - c / f * done * (1 - done)
        return PowerPart(value, first, second)

    def through(self, log_x: Any, log_y: Any, theta: Theta, xp: Any = np) -> dict[str, Any]:
        """Return ``log_b`` and ``c0`` of the curve through two points."""
        breaks = self._each_break(theta, xp)
        straight = [
            log_excess(y, theta["a"], xp)
            + sum(c * f * softplus((x - log_d) / f, xp) for c, log_d, f in breaks)
            for x, y in zip(log_x, log_y, strict=True)
        ]
        slope = -theta["c0"] if "c0" in theta else None
        level, slope = line_through(log_x, straight, slope)
        return {"log_b": level, "c0": -slope}

    def segments(self, theta: Theta) -> Segments:
        """Return the ``n_breaks + 1`` power laws that the curve is made of.

        Parameters
        ----------
        theta : mapping
            Parameter values as for :meth:`log_mu`, with breaks in increasing order of d.

        Returns
        -------
        Segments
            Slopes, log coefficients and the places where neighbours meet.

        Examples
        --------
        >>> theta = {"a": 0.1, "b": 2.0, "c0": 0.5, "c": [0.4], "d": [100.0], "f": [0.2]}
        >>> parts = BNSL(1).segments(theta)
        >>> parts.slope, [round(float(place), 6) for place in parts.breaks]
        ([-0.5, -0.9], [100.0])
        """
        slope, log_coefficient, breaks = [-theta["c0"]], [log_of(theta, "b")], []
        for c, log_d, _ in self._each_break(theta):
            slope.append(slope[-1] - c)
            log_coefficient.append(log_coefficient[-1] + c * log_d)
            breaks.append(np.exp(log_d))
        return Segments(slope, log_coefficient, breaks)


@dataclass(frozen=True)
class Custom(Law):
    """A law of your own.

    Parameters
    ----------
    function : callable
        ``function(log_x, theta, xp)`` returning ``log y`` in terms of ``xp.exp``, ``xp.log``
        and the like, where xp is ``numpy`` or ``pytensor.tensor``.
    parameters : sequence of str
        The names in ``theta``. Each needs a prior when the law is fitted.
    label : str, default "Custom"
        Name shown in tables and pictures.

    Examples
    --------
    >>> law = Custom(lambda u, p, xp: p["k"] - p["r"] * xp.exp(-u), ("k", "r"), "saturating")
    >>> round(float(law(10.0, {"k": 1.0, "r": 2.0})), 4)
    2.2255
    """

    function: Callable[[Any, Theta, Any], Any]
    parameters: tuple[str, ...] = ()
    label: str = "Custom"

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise TypeError(f"function must be callable; got {self.function!r}.")
        if isinstance(self.parameters, str) or not self.parameters:
            raise ValueError(
                f"parameters must be a sequence of names such as ('a', 'b'); got "
                f"{self.parameters!r}."
            )
        object.__setattr__(self, "parameters", tuple(self.parameters))

    @property
    def name(self) -> str:
        """The label."""
        return self.label

    def equation(self, symbol: Callable[[str], str], *, latex: bool = False) -> str:
        """Write the label and the parameters."""
        values = ", ".join(map(symbol, self.parameters))
        label = re.sub(r"([ _%$#{}])", r"\\\1", self.label)
        return rf"\mathrm{{{label}}}(x; {values})" if latex else f"{self.label}(x; {values})"

    def power(self, log_x: Any, theta: Theta, xp: Any = np) -> PowerPart:
        """Return ``log y``; its derivatives are central differences of the function."""
        step = 1e-4
        low, middle, high = (
            self.function(log_x + shift, theta, xp) for shift in (-step, 0.0, step)
        )
        rise, bend = high - low, high - 2 * middle + low
        rounding = 4e-15 * (1 + abs(log_x) + abs(middle))  # a difference below has no sign
        return PowerPart(
            middle,
            (abs(rise) > rounding) * rise / (2 * step),
            (abs(bend) > rounding) * bend / step**2,
        )
