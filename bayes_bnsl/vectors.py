"""Arithmetic on vectors of eight numbers, written as instructions of LLVM.

LLVM maps such vectors to those that the processor has. Softplus, the logistic function and what
they are made of neither branch nor call the C library. Both start from ``e = exp(-|x|)``, which is
computed once where both are asked of the same x. Softplus is ``max(x, 0) + log(1 + e)``, the
logistic function ``1 / (1 + e)``, or ``e / (1 + e)`` for negative x. Their relative error is a few
units in the last place, for x down to -707; below they stay what they are there, 1e-308 and not 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from pytensor.scalar import basic
from pytensor.scalar.math import Sigmoid, Softplus

__all__ = ["BITS", "LANES", "NUMBERS", "OPERATIONS", "Vectors"]

LANES = 8
"""Numbers in a vector: no processor takes more at once."""

NUMBERS = ir.VectorType(ir.DoubleType(), LANES)
BITS = ir.VectorType(ir.IntType(64), LANES)

LEAST = -708.0
"""The exponential of less is taken for that of this: the least that is a normal number."""

LOWEST_BIT = 1.5 * 2.0**52
"""Added to a number it leaves an integer in its lowest bits."""

LOG_2 = (float.fromhex("0x1.62e42fefap-1"), float.fromhex("0x1.cf79abc9e3b39p-40"))
"""Log of 2 in two parts: the first times an integer is exact."""

BIAS, MANTISSA = 1023, 52
"""What is added to the exponent in the bits of a number, and how many bits follow it."""

TAYLOR = tuple(1 / math.factorial(k) for k in range(13, -1, -1))
"""Of the exponential, highest power first: enough up to half the log of 2."""

ATANH = tuple(1 / k for k in range(21, 0, -2))
"""Of atanh(r) / r in powers of r^2, highest first: enough up to a sixth."""

FUSED = ("contract",)
"""Allows to multiply and add in one instruction."""


class Vectors:
    """Writes arithmetic on vectors of numbers, as instructions of LLVM.

    Parameters
    ----------
    builder : llvmlite.ir.IRBuilder
        Where to.
    """

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def each(self, value: Any) -> Any:
        """Return a vector with a value in each lane."""
        builder, kind = self.builder, ir.VectorType(value.type, LANES)
        nothing = ir.Constant(kind, ir.Undefined)
        alone = builder.insert_element(nothing, value, ir.IntType(32)(0))
        places = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(alone, nothing, places)

    def number(self, value: float) -> Any:
        """Return a vector with the same number in each lane."""
        return ir.Constant(NUMBERS, [float(value)] * LANES)

    def call(self, name: str, *vectors: Any) -> Any:
        """Call an intrinsic of LLVM; one that the processor lacks is called lane by lane."""
        kind = ir.FunctionType(NUMBERS, [NUMBERS] * len(vectors))
        module = self.builder.module
        function = cgutils.get_or_insert_function(module, kind, f"llvm.{name}.v{LANES}f64")
        return self.builder.call(function, vectors)

    def polynomial(self, coefficients: Sequence[float], x: Any) -> Any:
        """Evaluate a polynomial, whose highest coefficient comes first."""
        total = self.number(coefficients[0])
        for coefficient in coefficients[1:]:
            product = self.builder.fmul(total, x, flags=FUSED)
            total = self.builder.fadd(product, self.number(coefficient), flags=FUSED)
        return total

    def compare(self, sign: str) -> Callable[[Any, Any], Any]:
        """Return what compares two vectors."""
        return lambda x, y: self.builder.fcmp_ordered(sign, x, y)

    def choose(self, condition: Any, x: Any, y: Any) -> Any:
        """Take numbers of x where a condition holds, or is a number but zero, else of y."""
        if condition.type == NUMBERS:
            condition = self.builder.fcmp_unordered("!=", condition, self.number(0.0))
        return self.builder.select(condition, self.numbers(x), self.numbers(y))

    def numbers(self, value: Any) -> Any:
        """Return 1 where a condition holds and 0 elsewhere; numbers stay what they are."""
        return value if value.type == NUMBERS else self.builder.uitofp(value, NUMBERS)

    def extreme(self, sign: str, x: Any, y: Any) -> Any:
        """Return the greater or smaller numbers; what is no number stays so."""
        missing = self.builder.fcmp_unordered("uno", x, x)
        return self.choose(missing, x, self.choose(self.compare(sign)(x, y), x, y))

    def clip(self, x: Any, least: Any, most: Any) -> Any:
        """Keep numbers within bounds."""
        x = self.choose(self.compare("<")(x, least), least, x)
        return self.choose(self.compare(">")(x, most), most, x)

    def exp_of_negative(self, x: Any) -> Any:
        """Return exp(-|x|): a power of two times a Taylor series."""
        builder, least = self.builder, self.number(LEAST)
        x = builder.fneg(self.call("fabs", x))
        x = self.choose(self.compare("<")(x, least), least, x)
        scaled = builder.fmul(x, self.number(1 / math.log(2)))
        shifted = builder.fadd(scaled, self.number(LOWEST_BIT))
        power = builder.fsub(shifted, self.number(LOWEST_BIT))
        for part in LOG_2:
            x = builder.fsub(x, builder.fmul(power, self.number(part)))
        exponent = builder.add(builder.bitcast(shifted, BITS), ir.Constant(BITS, [BIAS] * LANES))
        bits = builder.shl(exponent, ir.Constant(BITS, [MANTISSA] * LANES))
        return builder.fmul(self.polynomial(TAYLOR, x), builder.bitcast(bits, NUMBERS))

    def log_of_one_and(self, e: Any) -> Any:
        """Return log(1 + e) for e from 0 to 1, which is 2 atanh(e / (2 + e))."""
        builder = self.builder
        large = self.compare(">")(e, self.number(math.sqrt(2) - 1))
        half = builder.fmul(builder.fsub(e, self.number(1.0)), self.number(0.5))
        e = self.choose(large, half, e)  # half of 1 + e, less 1
        ratio = builder.fdiv(e, builder.fadd(e, self.number(2.0)))
        series = self.polynomial(ATANH, builder.fmul(ratio, ratio))
        log = builder.fmul(builder.fadd(ratio, ratio), series)
        return builder.fadd(log, self.choose(large, self.number(math.log(2)), self.number(0.0)))

    def softplus(self, x: Any) -> Any:
        """Return log(1 + exp(x))."""
        log = self.log_of_one_and(self.exp_of_negative(x))
        return self.builder.fadd(self.extreme(">", x, self.number(0.0)), log)

    def logistic(self, x: Any) -> Any:
        """Return 1 / (1 + exp(-x))."""
        e, one = self.exp_of_negative(x), self.number(1.0)
        above = self.choose(self.compare(">=")(x, self.number(0.0)), one, e)
        return self.builder.fdiv(above, self.builder.fadd(one, e))

    def log1p(self, x: Any) -> Any:
        """Return log(1 + x), with the digits that adding to 1 loses."""
        builder, one = self.builder, self.number(1.0)
        total = builder.fadd(one, x)
        lost = builder.fsub(builder.fsub(total, one), x)
        log = self.call("log", total)
        exact = builder.fsub(log, builder.fdiv(lost, total))
        # nothing is lost at -1, nor where 1 is lost itself: there the quotient may be no number
        same = self.compare("==")
        exact = self.choose(same(lost, self.number(0.0)), log, exact)
        return self.choose(same(total, x), log, exact)


OPERATIONS: dict[type, Callable[..., Any]] = {
    basic.Add: lambda to, *terms: reduce(to.builder.fadd, terms),
    basic.Mul: lambda to, *factors: reduce(to.builder.fmul, factors),
    basic.Sub: lambda to, x, y: to.builder.fsub(x, y),
    basic.TrueDiv: lambda to, x, y: to.builder.fdiv(x, y),
    basic.Neg: lambda to, x: to.builder.fneg(x),
    basic.Sqr: lambda to, x: to.builder.fmul(x, x),
    basic.Sqrt: lambda to, x: to.call("sqrt", x),
    basic.Exp: lambda to, x: to.call("exp", x),
    basic.Log: lambda to, x: to.call("log", x),
    basic.Log1p: lambda to, x: to.log1p(x),
    Softplus: lambda to, x: to.softplus(x),
    Sigmoid: lambda to, x: to.logistic(x),
    basic.Maximum: lambda to, x, y: to.extreme(">", x, y),
    basic.Minimum: lambda to, x, y: to.extreme("<", x, y),
    basic.Clip: lambda to, x, least, most: to.clip(x, least, most),
    basic.Switch: lambda to, condition, x, y: to.choose(condition, x, y),
    basic.GT: lambda to, x, y: to.compare(">")(x, y),
    basic.GE: lambda to, x, y: to.compare(">=")(x, y),
    basic.LT: lambda to, x, y: to.compare("<")(x, y),
    basic.LE: lambda to, x, y: to.compare("<=")(x, y),
}
"""What arithmetic on points may be made of, and what writes it."""
