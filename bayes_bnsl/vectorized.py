"""Loops over the points of a curve, compiled so that a processor takes several points at once.

A loop that PyTensor compiles takes one point after another: softplus and the logistic function
branch in it and call the C library, and a division by zero ends it. Here they are arithmetic from
beginning to end, sums may be added up in any order, and the number of turns is a multiple of eight:
points of the last turns that do not exist are the last point once more, and count for nothing. Of
such a loop LLVM makes one that takes four or eight points in each turn.

Softplus and the logistic function start from ``e = exp(-|x|)``, which is computed once where a loop
has both. Softplus is ``max(x, 0) + log(1 + e)``, the logistic function ``1 / (1 + e)``, or
``e / (1 + e)`` for negative x. Their relative error is a few units in the last place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from pytensor.graph import Apply, Constant, Op
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.link.numba.cache import compile_numba_function_src
from pytensor.link.numba.dispatch.basic import (
    cache_key_for_constant,
    numba_funcify_and_cache_key,
    numba_njit,
    register_funcify_and_cache_key,
)
from pytensor.scalar import float64
from pytensor.scalar.basic import Composite, TrueDiv
from pytensor.scalar.loop import ScalarLoop
from pytensor.scalar.math import Sigmoid, Softplus
from pytensor.tensor.basic import scalar_from_tensor, tensor_from_scalar
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.math import Sum
from pytensor.tensor.type import dvector

__all__ = ["Loop", "exp_of_negative", "logistic", "softplus", "vectorized"]

AT_ONCE = 8
"""Of this many points the turns of a loop are a multiple: no processor takes more at once."""

LEAST = -708.0
"""The exponential of less is taken for that of this: the least that is a normal number."""

LOWEST_BIT = 1.5 * 2.0**52
"""Added to a number it leaves an integer in its lowest bits."""

LOG_2 = (float.fromhex("0x1.62e42fefap-1"), float.fromhex("0x1.cf79abc9e3b39p-40"))
"""Log of 2 in two parts: the first times an integer is exact."""

LOG2_E = 1 / math.log(2)
"""How many powers of two an e is."""

BIAS, MANTISSA = 1023, 52
"""What is added to the exponent in the bits of a number, and how many bits follow it."""

TAYLOR = tuple(1 / math.factorial(k) for k in range(13, -1, -1))
"""Of the exponential, highest power first: enough up to half the log of 2."""

ATANH = tuple(1 / k for k in range(21, 0, -2))
"""Of atanh(r) / r in powers of r^2, highest first: enough up to a sixth."""

IN_ORDER: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}}
"""Options of the compiler for sums that are written so as to cancel."""

IN_ANY_ORDER: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}}
"""And for those over points."""

CACHE_VERSION = 1
"""To be raised when what is compiled here changes: PyTensor keeps on disk what it compiled."""


def _bits_of(_typing: Any, number: Any) -> Any:
    """Return the bits of a number as an integer."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.bitcast(values[0], ir.IntType(64))

    return types.int64(types.float64), generate


def _number_of(_typing: Any, bits: Any) -> Any:
    """Return the number with such bits."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        return builder.bitcast(values[0], ir.DoubleType())

    return types.float64(types.int64), generate


_bits: Any = intrinsic(_bits_of)
_number: Any = intrinsic(_number_of)


@njit(**IN_ORDER)
def _polynomial(coefficients: Any, x: float) -> float:
    """Evaluate a polynomial, whose highest coefficient comes first."""
    total = 0.0
    for coefficient in coefficients:
        total = total * x + coefficient
    return total


@njit(**IN_ORDER)
def exp_of_negative(x: float) -> float:
    """Return exp(-|x|) of a number: a power of two times a Taylor series."""
    x = max(-abs(x), LEAST)
    shifted = x * LOG2_E + LOWEST_BIT
    power = shifted - LOWEST_BIT
    rest = x - power * LOG_2[0] - power * LOG_2[1]
    return _polynomial(TAYLOR, rest) * _number((_bits(shifted) + BIAS) << MANTISSA)


@njit(**IN_ORDER)
def _log_of_one_and(e: float) -> float:
    """Return log(1 + e) for e from 0 to 1, which is 2 atanh(e / (2 + e))."""
    large = e > math.sqrt(2) - 1
    e = 0.5 * (e - 1.0) if large else e  # half of 1 + e, less 1
    ratio = e / (2.0 + e)
    return 2.0 * ratio * _polynomial(ATANH, ratio * ratio) + (math.log(2) if large else 0.0)


@njit(**IN_ORDER)
def softplus(x: float) -> float:
    """Return log(1 + exp(x)) of a number."""
    return max(x, 0.0) + _log_of_one_and(exp_of_negative(x))


@njit(**IN_ORDER)
def logistic(x: float) -> float:
    """Return 1 / (1 + exp(-x)) of a number."""
    e = exp_of_negative(x)
    return (1.0 if x >= 0 else e) / (1.0 + e)


@njit(**IN_ORDER)
def _quotient(x: float, y: float) -> float:
    """Return x / y of numbers, infinity if y is zero."""
    return x / y


OWN = {
    Softplus: (softplus, "softplus"),
    Sigmoid: (logistic, "logistic"),
    TrueDiv: (_quotient, "quotient"),
}
"""What is called in a loop in the place of what PyTensor compiles, and a name for it."""


class Loop(Op):
    """Arithmetic on each of many points, of which some results are summed.

    Inputs are numbers, and vectors of the same length.

    Parameters
    ----------
    scalar_op : pytensor.scalar.Composite
        The arithmetic.
    along : tuple of bool
        Which inputs are vectors.
    summed : tuple of bool
        Which outputs are sums over the points; the others are vectors.
    """

    __props__ = ("scalar_op", "along", "summed")

    def __init__(
        self, scalar_op: Composite, along: tuple[bool, ...], summed: tuple[bool, ...]
    ) -> None:
        self.scalar_op, self.along, self.summed = scalar_op, along, summed

    def make_node(self, *inputs: Any) -> Any:
        """Return the application of the loop to inputs."""
        outputs: list[Any] = [float64() if each else dvector() for each in self.summed]
        return Apply(self, list(inputs), outputs)

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        """Evaluate the loop with NumPy."""
        points = (np.atleast_1d(each) for each in inputs)
        results: Any = Elemwise(self.scalar_op)(*points, return_list=True)
        for result, summed, output in zip(results, self.summed, outputs, strict=True):
            value = result.eval()
            output[0] = value.sum() if summed else value


class _Writer:
    """Writes operations on numbers as lines of Python, and collects the functions they call."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.called: dict[str, Any] = {"empty": np.empty}
        self.keys = [str(CACHE_VERSION)]

    def write(self, graph: Any, names: Mapping[Any, str]) -> list[str]:
        """Write a graph, given the names of its inputs; return those of its outputs."""
        known = dict(names)
        for node in graph.toposort():
            for constant in set(node.inputs) - set(known):
                known[constant] = self._call(constant.data, cache_key_for_constant(constant.data))
            inputs = [known[each] for each in node.inputs]
            if isinstance(node.op, ScalarLoop) and isinstance(node.inputs[0], Constant):
                outputs = self._repeat(node.op, int(node.inputs[0].data), inputs[1:])
            else:
                outputs = [f"t{len(self.lines)}"]
                own = OWN.get(type(node.op))
                function, key = own or numba_funcify_and_cache_key(node.op, node=node)
                self.lines.append(
                    f"{outputs[0]} = {self._call(function, key)}({', '.join(inputs)})"
                )
            known |= zip(node.outputs, outputs, strict=True)
        return [known[each] for each in graph.outputs]

    def _repeat(self, op: ScalarLoop, times: int, names: list[str]) -> list[str]:
        """Write the steps of an iteration one after the other."""
        updated = len(op.fgraph.outputs)
        for _ in range(times):
            changed = self.write(op.fgraph, dict(zip(op.fgraph.inputs, names, strict=True)))
            names = [*changed, *names[updated:]]
        return names[:updated]

    def _call(self, value: Any, key: Any) -> str:
        """Return a name for a function or a constant."""
        name = f"g{len(self.called)}"
        self.called[name] = value
        self.keys.append(str(key))
        return name


@register_funcify_and_cache_key(Loop)
def _compiled_loop(op: Loop, node: Any, **settings: Any) -> tuple[Any, str | None]:
    """Write the loop in Python, with a line for each operation, and compile it."""
    writer, graph = _Writer(), op.scalar_op.fgraph
    names = [f"x{i}" for i in range(len(graph.inputs))]
    vectors = [name for name, along in zip(names, op.along, strict=True) if along]
    within = [f"{name}[i]" if along else name for name, along in zip(names, op.along, strict=True)]
    results = writer.write(graph, dict(zip(graph.inputs, within, strict=True)))
    returned = [f"y{i}" if summed else f"y{i}[:n]" for i, summed in enumerate(op.summed)]
    source = "\n".join(
        [
            f"def loop({', '.join(names)}):",
            f" n = len({vectors[0]})",
            *(
                f" if len({name}) != n: raise ValueError('Unequal lengths.')"
                for name in vectors[1:]
            ),
            f" turns = (n + {AT_ONCE - 1}) // {AT_ONCE} * {AT_ONCE}",
            *(f" y{i} = {0.0 if summed else 'empty(turns)'}" for i, summed in enumerate(op.summed)),
            " for turn in range(turns):",
            "  i = min(turn, n - 1)",
            *(f"  {line}" for line in writer.lines),
            *(
                f"  y{i} += {result} if turn < n else 0.0" if summed else f"  y{i}[turn] = {result}"
                for i, (result, summed) in enumerate(zip(results, op.summed, strict=True))
            ),
            f" return {', '.join(returned)}",
        ]
    )
    keys = writer.keys
    key = None if "None" in keys else sha256("".join([source, *keys]).encode()).hexdigest()
    function = compile_numba_function_src(source, "loop", writer.called, cache_key=key)
    return numba_njit(function, **IN_ANY_ORDER), key


@node_rewriter([Elemwise])
def _as_loop(graph: Any, node: Any) -> dict[Any, Any] | None:
    """Replace arithmetic on points, and sums of it, by a loop."""
    op, outputs = node.op, node.outputs
    if not isinstance(op.scalar_op, Composite) or any(
        each.type.broadcastable != (False,) or each.type.dtype != "float64" for each in outputs
    ):
        return None
    clients = [[client for client, _ in graph.clients[each]] for each in outputs]
    summed = [all(isinstance(client.op, Sum) for client in each) for each in clients]
    along = [not each.type.broadcastable[0] for each in node.inputs]
    inputs = (
        each if long else scalar_from_tensor(each.squeeze(0))
        for each, long in zip(node.inputs, along, strict=True)
    )
    loop = Loop(op.scalar_op, tuple(along), tuple(summed))
    results: Any = loop(*inputs, return_list=True)
    replaced: dict[Any, Any] = {}
    for output, result, total, after in zip(outputs, results, summed, clients, strict=True):
        if total:
            replaced |= {client.outputs[0]: tensor_from_scalar(result) for client in after}
        else:
            replaced[output] = result
    return replaced


vectorized = dfs_rewriter(_as_loop)
"""Rewrites a graph, after all arithmetic on points is one operation, so that it has such loops."""
