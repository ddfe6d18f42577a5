"""The older laws M1 to M4, which broken neural scaling laws are compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bayes_bnsl.implicit import log_odds
from bayes_bnsl.law import Law, PowerPart
from bayes_bnsl.logs import Theta, line_through, log, log_excess, log_of, sigmoid, softplus

__all__ = ["M1", "M2", "M3", "M4"]


@dataclass(frozen=True)
class M1(Law):
    """Power law ``y = a x**b`` (Caballero et al., ICLR 2023, table 1).

    Examples
    --------
    >>> round(float(M1()(100.0, {"a": 3.0, "b": -0.5})), 6)
    0.3
    """

    parameters: ClassVar[tuple[str, ...]] = ("a", "b")
    line = ("log_a", "b")
    positive = ("a",)

    def equation(self, symbol: Callable[[str], str], *, latex: bool = False) -> str:
        """Write the right-hand side of ``y = ...``."""
        a, b = symbol("a"), symbol("b")
        text = rf"{a}\,x^{{{b}}}" if latex else f"{a} * x^{b}"
        return text if self.limit_name is None else f"{text} + {symbol(self.limit_name)}"

    def power(self, log_x: Any, theta: Theta, xp: Any = np) -> PowerPart:
        """Return the log of the power part and its derivatives."""
        zero = 0.0 * log_x
        return PowerPart(log_of(theta, "a", xp) + theta["b"] * log_x, theta["b"] + zero, zero)

    def through(self, log_x: Any, log_y: Any, theta: Theta, xp: Any = np) -> dict[str, Any]:
        """Return ``log_a`` and ``b`` of the curve through two points."""
        straight = [log_excess(y, self.limit(theta), xp) for y in log_y]
        return dict(zip(self.line, line_through(log_x, straight, theta.get("b")), strict=True))


@dataclass(frozen=True)
class M2(M1):
    """Power law with a limit, ``y = a x**b + c`` (Caballero et al., ICLR 2023, table 1).

    Examples
    --------
    >>> round(float(M2()(100.0, {"a": 3.0, "b": -0.5, "c": 0.1})), 6)
    0.4
    """

    parameters: ClassVar[tuple[str, ...]] = ("a", "b", "c")
    limit_name = "c"


@dataclass(frozen=True)
class M3(Law):
    """Shifted power law ``y = a (1/x + d)**(-b) + c``, b < 0 where y falls.

    Caballero et al., ICLR 2023, table 1. Beyond ``x = 1/d`` the curve goes flat.

    Parameters
    ----------
    constant : bool, default True
        Whether there is a limit ``c``. The public benchmark of Alabdulmohsin et al. (2022)
        estimates M3 without it.

    Examples
    --------
    >>> theta = {"a": 3.0, "b": -0.5, "c": 0.1, "d": 1e-4}
    >>> M3()(np.array([1e2, 1e4, 1e8]), theta).round(4)  # flat beyond x = 1/d
    array([0.4015, 0.1424, 0.13  ])
    """

    constant: bool = True

    line = ("log_a", "b")
    positive = ("a", "d")

    @property
    def name(self) -> str:
        """``M3``, or ``M3(constant=False)``."""
        return "M3" if self.constant else "M3(constant=False)"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return ("a", "b", "c", "d") if self.constant else ("a", "b", "d")

    def equation(self, symbol: Callable[[str], str], *, latex: bool = False) -> str:
        """Write the right-hand side of ``y = ...``."""
        a, b, d = symbol("a"), symbol("b"), symbol("d")
        text = rf"{a}\left(x^{{-1}} + {d}\right)^{{-{b}}}" if latex else f"{a} * (1/x + {d})^(-{b})"
        return f"{text} + {symbol('c')}" if self.constant else text

    @property
    def limit_name(self) -> str | None:
        """``c``, if there is one."""
        return "c" if self.constant else None

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
            theta.get("b"),
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

    Examples
    --------
    >>> theta = {"e_0": 1.0, "e_inf": 0.1, "alpha": 1.0, "beta": 100.0, "c": -1.0}
    >>> M4()(np.array([1e-3, 1e2, 1e6]), theta).round(4)
    array([1.    , 0.55  , 0.1001])
    """

    parameters = ("e_0", "e_inf", "alpha", "beta", "c")
    line = ("log_beta", "c")
    limit_name = "e_inf"
    positive = ("e_0", "alpha", "beta")

    def equation(self, symbol: Callable[[str], str], *, latex: bool = False) -> str:
        """Write y implicitly."""
        e_0, e_inf, alpha, beta, c = map(symbol, self.parameters)
        if latex:
            left = rf"(y - {e_inf}) / ({e_0} - y)^{{{alpha}}}"
            return rf"y \mathrm{{\ where\ }} {left} = {beta}\,x^{{{c}}}"
        return f"y where (y - {e_inf}) / ({e_0} - y)^{alpha} = {beta} * x^{c}"

    def power(self, log_x: Any, theta: Theta, xp: Any = np) -> PowerPart:
        """Return the log of the power part and its derivatives."""
        alpha, c = theta["alpha"], theta["c"]
        log_range = log(theta["e_0"] - theta["e_inf"], xp)
        w = log_odds(log_of(theta, "beta", xp) + c * log_x - (1 - alpha) * log_range, alpha, xp)
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
        return dict(zip(self.line, line_through(log_x, left, theta.get("c")), strict=True))
