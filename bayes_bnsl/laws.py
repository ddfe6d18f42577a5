"""The laws themselves: BNSL with any number of breaks, M1 to M4, and a law of your own.

Each class is the formula of its paper in the paper's letters; what all laws share is in
:mod:`bayes_bnsl.law`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from bayes_bnsl.law import (
    Law,
    PowerPart,
    Segments,
    Theta,
    each_break,
    line_through,
    log,
    log_excess,
    log_of,
    sigmoid,
    softplus,
)

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

    @property
    def formula(self) -> str:
        """The right-hand side in plain text."""
        factors = "".join(
            f" (1 + (x/d{i})^(1/f{i}))^(-c{i} f{i})" for i in range(1, self.n_breaks + 1)
        )
        return f"a + b x^(-c0){factors}"

    @property
    def latex(self) -> str:
        """The right-hand side in LaTeX."""
        factors = "".join(
            rf" \left(1 + (x/d_{{{i}}})^{{1/f_{{{i}}}}}\right)^{{-c_{{{i}}} f_{{{i}}}}}"
            for i in range(1, self.n_breaks + 1)
        )
        return rf"a + b\,x^{{-c_0}}{factors}"

    @property
    def line(self) -> tuple[str, ...]:
        """Names of level and slope."""
        return ("log_b", "c0")

    def limit(self, theta: Theta) -> Any:
        """Return ``a``."""
        return theta["a"]

    def _breaks(self, log_x: Any, theta: Theta, xp: Any) -> list[tuple[Any, Any, Any]]:
        """Return ``(c_i, f_i, log(x / d_i) / f_i)`` for each break."""
        each = (each_break(theta[name], self.n_breaks) for name in self.parameters[3:])
        return [(c, f, (log_x - log(d, xp)) / f) for c, d, f in zip(*each, strict=True)]

    def power(self, log_x: Any, theta: Theta, xp: Any = np) -> PowerPart:
        """Return the log of the power part and its derivatives."""
        value = log_of(theta, "b", xp) - theta["c0"] * log_x
        first = -theta["c0"] + 0.0 * log_x
        second = 0.0 * first
        for c, f, t in self._breaks(log_x, theta, xp):
            done = sigmoid(t, xp)
            value = value - c * f * softplus(t, xp)
            first = first - c * done
            second = second - c / f * done * (1 - done)
        return PowerPart(value, first, second)

    def through(self, log_x: Any, log_y: Any, theta: Theta, xp: Any = np) -> dict[str, Any]:
        """Return ``log_b`` and ``c0`` of the curve through two points."""
        straight = [
            log_excess(y, theta["a"], xp)
            + sum(c * f * softplus(t, xp) for c, f, t in self._breaks(x, theta, xp))
            for x, y in zip(log_x, log_y, strict=True)
        ]
        level, slope = line_through(log_x, straight)
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
        """
        slope, log_coefficient = [-theta["c0"]], [log_of(theta, "b")]
        breaks = [each_break(theta[name], self.n_breaks) for name in self.parameters[3:]]
        for c, d, _ in zip(*breaks, strict=True):
            slope.append(slope[-1] - c)
            log_coefficient.append(log_coefficient[-1] + c * np.log(d))
        return Segments(slope, log_coefficient, breaks[1] if breaks else [])


@dataclass(frozen=True)
class M1(Law):
    """Power law ``y = a x**b`` (Caballero et al., ICLR 2023, table 1)."""

    parameters: ClassVar[tuple[str, ...]] = ("a", "b")
    line = ("log_a", "b")
    formula = "a x^b"
    latex = r"a\,x^{b}"

    def limit(self, theta: Theta) -> Any:
        """Return 0: this law has no limit."""
        return 0.0

    def power(self, log_x: Any, theta: Theta, xp: Any = np) -> PowerPart:
        """Return the log of the power part and its derivatives."""
        zero = 0.0 * log_x
        return PowerPart(log_of(theta, "a", xp) + theta["b"] * log_x, theta["b"] + zero, zero)

    def through(self, log_x: Any, log_y: Any, theta: Theta, xp: Any = np) -> dict[str, Any]:
        """Return ``log_a`` and ``b`` of the curve through two points."""
        straight = [log_excess(y, self.limit(theta), xp) for y in log_y]
        return dict(zip(self.line, line_through(log_x, straight), strict=True))


@dataclass(frozen=True)
class M2(M1):
    """Power law with a limit, ``y = a x**b + c`` (Caballero et al., ICLR 2023, table 1)."""

    parameters: ClassVar[tuple[str, ...]] = ("a", "b", "c")
    formula = "a x^b + c"
    latex = r"a\,x^{b} + c"

    def limit(self, theta: Theta) -> Any:
        """Return ``c``."""
        return theta["c"]


@dataclass(frozen=True)
class M3(Law):
    """Shifted power law ``y = a (1/x + d)**(-b) + c``, b < 0 where y falls.

    Caballero et al., ICLR 2023, table 1. Beyond ``x = 1/d`` the curve goes flat.

    Parameters
    ----------
    constant : bool, default True
        Whether there is a limit ``c``. The public benchmark of Alabdulmohsin et al. (2022)
        estimates M3 without it.
    """

    constant: bool = True

    line = ("log_a", "b")

    @property
    def name(self) -> str:
        """``M3``, or ``M3(constant=False)``."""
        return "M3" if self.constant else "M3(constant=False)"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return ("a", "b", "c", "d") if self.constant else ("a", "b", "d")

    @property
    def formula(self) -> str:
        """The right-hand side in plain text."""
        return "a (1/x + d)^(-b)" + (" + c" if self.constant else "")

    @property
    def latex(self) -> str:
        """The right-hand side in LaTeX."""
        return r"a\left(x^{-1} + d\right)^{-b}" + (" + c" if self.constant else "")

    def limit(self, theta: Theta) -> Any:
        """Return ``c``, or 0 without a constant."""
        return theta["c"] if self.constant else 0.0

    def power(self, log_x: Any, theta: Theta, xp: Any = np) -> PowerPart:
        """Return the log of the power part and its derivatives."""
        shift = log_of(theta, "d", xp) + log_x
        flat = sigmoid(shift, xp)
        return PowerPart(
            log_of(theta, "a", xp) + theta["b"] * (log_x - softplus(shift, xp)),
            theta["b"] * (1 - flat),
            -theta["b"] * flat * (1 - flat),
        )

    def through(self, log_x: Any, log_y: Any, theta: Theta, xp: Any = np) -> dict[str, Any]:
        """Return ``log_a`` and ``b`` of the curve through two points."""
        log_d = log_of(theta, "d", xp)
        level, slope = line_through(
            [x - softplus(log_d + x, xp) for x in log_x],
            [log_excess(y, self.limit(theta), xp) for y in log_y],
        )
        return {"log_a": level, "b": slope}


@dataclass(frozen=True)
class M4(Law):
    """Sigmoid-like law, ``(y - e_inf) / (e_0 - y)**alpha = beta x**c``.

    Alabdulmohsin et al. (2022); Caballero et al., ICLR 2023, equation 2. ``e_0`` is the value
    at x = 0, ``e_inf`` the limit; c < 0 where y falls, alpha > 0. With w the log-odds of
    ``p = (y - e_inf) / (e_0 - e_inf)`` the equation reads

        log p - alpha log(1 - p) = log beta + c log x - (1 - alpha) log(e_0 - e_inf),

    whose left side rises in w with a curvature of one sign, so that Halley's iteration from
    the nearer asymptote cannot miss the root.
    """

    parameters = ("e_0", "e_inf", "alpha", "beta", "c")
    line = ("log_beta", "c")
    formula = "y with (y - e_inf) / (e_0 - y)^alpha = beta x^c"
    latex = (
        r"y \;\text{ with }\; \frac{y - \varepsilon_\infty}"
        r"{(\varepsilon_0 - y)^{\alpha}} = \beta x^{c}"
    )

    def limit(self, theta: Theta) -> Any:
        """Return ``e_inf``."""
        return theta["e_inf"]

    def power(self, log_x: Any, theta: Theta, xp: Any = np) -> PowerPart:
        """Return the log of the power part and its derivatives."""
        alpha, c = theta["alpha"], theta["c"]
        log_range = log(theta["e_0"] - theta["e_inf"], xp)
        w = _log_odds(log_of(theta, "beta", xp) + c * log_x - (1 - alpha) * log_range, alpha, xp)
        p = sigmoid(w, xp)
        w_first = c / (1 + (alpha - 1) * p)
        w_second = -(alpha - 1) * p * (1 - p) / c * w_first**3
        return PowerPart(
            log_range - softplus(-w, xp),
            (1 - p) * w_first,
            (1 - p) * (w_second - p * w_first**2),
        )

    def through(self, log_x: Any, log_y: Any, theta: Theta, xp: Any = np) -> dict[str, Any]:
        """Return ``log_beta`` and ``c`` of the curve through two points."""
        left = [
            log_excess(y, theta["e_inf"], xp) - theta["alpha"] * log(theta["e_0"] - xp.exp(y), xp)
            for y in log_y
        ]
        return dict(zip(self.line, line_through(log_x, left), strict=True))


def _log_odds(t: Any, alpha: Any, xp: Any) -> Any:
    """Return w with ``w + (alpha - 1) log(1 + e**w) = t``.

    Six of Halley's iterations reach rounding error for alpha from 1e-3 to 1e3. They are cut
    out of the gradient: one Newton step from the root, with constants in place of the root and
    the slope, carries the exact derivatives of the implicit function.
    """
    start, power = (t, alpha) if xp is np else (_constant(t), _constant(alpha))
    w = xp.where(start < 0, start, start / power)
    for _ in range(6):
        p = sigmoid(w, xp)
        slope = 1 + (power - 1) * p
        step = (w + (power - 1) * softplus(w, xp) - start) / slope
        w = w - step / (1 - 0.5 * step * (power - 1) * p * (1 - p) / slope)
    slope = 1 + (power - 1) * sigmoid(w, xp)
    return w - (w + (alpha - 1) * softplus(w, xp) - t) / slope


def _constant(value: Any) -> Any:
    from pytensor.gradient import disconnected_grad

    return disconnected_grad(value)


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

    @property
    def formula(self) -> str:
        """The right-hand side in plain text."""
        return f"{self.label}(x; {', '.join(self.parameters)})"

    @property
    def latex(self) -> str:
        """The right-hand side in LaTeX."""
        return rf"\mathrm{{{self.label}}}(x; {', '.join(self.parameters)})"

    def limit(self, theta: Theta) -> Any:
        """Return 0: the function is the whole curve."""
        return 0.0

    def power(self, log_x: Any, theta: Theta, xp: Any = np) -> PowerPart:
        """Return ``log y``; its derivatives are central differences of the function."""
        step = 1e-4
        low, middle, high = (
            self.function(log_x + shift, theta, xp) for shift in (-step, 0.0, step)
        )
        return PowerPart(middle, (high - low) / (2 * step), (high - 2 * middle + low) / step**2)
