"""Loops over the points of a curve that take eight of them in each turn.

A loop that PyTensor compiles takes one point after another: softplus and the logistic function
branch in it and call the C library, and a division by zero ends it. Here the same arithmetic is
written for vectors. Sums are added up lane by lane, so that their digits do not depend on the
compiler. In the last turn, points that do not exist are the last point once more, and count for
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from pytensor.graph import Apply, Constant, Op
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.link.numba.cache import compile_numba_function_src
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key
from pytensor.scalar import float64
from pytensor.scalar.basic import Composite, Switch
from pytensor.scalar.loop import ScalarLoop
from pytensor.tensor.basic import scalar_from_tensor, tensor_from_scalar
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.math import Sum
from pytensor.tensor.type import dvector

from bayes_bnsl.vectors import BITS, LANES, NUMBERS, OPERATIONS, Vectors

__all__ = ["Loop", "vectorized"]

CACHE_VERSION = 3
"""To be raised when what is compiled here changes: PyTensor keeps on disk what it compiled."""


class NotArithmeticError(Exception):
    """An operation on points that cannot be written for vectors."""


class Program:
    """The operations of a scalar graph, one after the other, with iterations written out.

    Parameters
    ----------
    graph : pytensor FunctionGraph
        Of operations on numbers.

    Raises
    ------
    NotArithmeticError
        If one of them is not among `OPERATIONS`.
    """

    def __init__(self, graph: Any) -> None:
        self.constants: dict[int, Any] = {}
        self.steps: list[tuple[type, tuple[int, ...], int]] = []
        self.size = len(graph.inputs)
        self.results = self._add(graph, list(range(self.size)))

    def _add(self, graph: Any, inputs: Sequence[int]) -> list[int]:
        """Append a graph, given the places of its inputs; return those of its outputs."""
        places = dict(zip(graph.inputs, inputs, strict=True))
        for node in graph.toposort():
            for constant in node.inputs:
                if constant not in places:
                    self.constants[self.size] = constant.data.item()
                    places[constant] = self._new()
            found = [places[each] for each in node.inputs]
            op = node.op
            if isinstance(op, Composite):
                outputs = self._add(op.fgraph, found)
            elif self._is_repetition(node):
                outputs = found[1 : 1 + len(node.outputs)]
                for _ in range(int(node.inputs[0].data)):
                    outputs = self._add(op.fgraph, [*outputs, *found[1 + len(node.outputs) :]])
            else:
                if type(op) not in OPERATIONS:
                    raise NotArithmeticError(type(op).__name__)
                outputs = [self._new()]
                self.steps.append((type(op), tuple(found), outputs[0]))
            places |= zip(node.outputs, outputs, strict=True)
        return [places[each] for each in graph.outputs]

    @staticmethod
    def _is_repetition(node: Any) -> bool:
        """Say whether a node repeats a graph as often as is known."""
        op = node.op
        return (
            isinstance(op, ScalarLoop) and not op.is_while and isinstance(node.inputs[0], Constant)
        )

    @classmethod
    def can_be(cls, graph: Any) -> bool:
        """Say whether a graph has no operations but those of `OPERATIONS`."""
        try:
            cls(graph)
        except NotArithmeticError:
            return False
        return True

    def _new(self) -> int:
        self.size += 1
        return self.size - 1

    def __str__(self) -> str:
        steps = [(kind.__name__, *rest) for kind, *rest in self.steps]
        return f"{self.constants} {steps} {self.results}"

    def write(self, to: Vectors, inputs: Sequence[Any]) -> list[Any]:
        """Write all operations, given vectors for the inputs; return vectors of the results."""
        values = dict(enumerate(inputs))
        for place, constant in self.constants.items():
            values[place] = to.number(constant)
        for kind, places, place in self.steps:
            given = [values[each] for each in places]
            if kind is not Switch:
                given = [to.numbers(each) for each in given]
            values[place] = OPERATIONS[kind](to, *given)
        return [to.numbers(values[each]) for each in self.results]


class Loop(Op):
    """Arithmetic on each of many points, of which some results are summed.

    Inputs are numbers, and vectors of the same length.

    Parameters
    ----------
    scalar_op : pytensor.scalar.Composite
        The arithmetic, made of `OPERATIONS`.
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
        """Evaluate the loop with the operations that it was made of."""
        points = (np.atleast_1d(each) for each in inputs)
        results: Any = Elemwise(self.scalar_op)(*points, return_list=True)
        for result, summed, output in zip(results, self.summed, outputs, strict=True):
            value = result.eval()
            output[0] = value.sum() if summed else value


@register_funcify_and_cache_key(Loop)
def _compiled_loop(op: Loop, node: Any, **settings: Any) -> tuple[Any, str]:
    """Compile the loop, as a function that makes room for its results and takes all turns."""
    program = Program(op.scalar_op.fgraph)
    names = [f"x{k}" for k in range(len(op.along))]
    vectors = [name for name, along in zip(names, op.along, strict=True) if along]
    kept = [f"y{k}" for k, summed in enumerate(op.summed) if not summed]
    results = [f"room[{k}, 0]" if summed else f"y{k}[:n]" for k, summed in enumerate(op.summed)]
    others = [f"len({name}) != n" for name in vectors[1:]]
    source = "\n".join(
        [
            f"def loop({', '.join(names)}):",
            f" n = len({vectors[0]})",
            *(f" if {other}: raise ValueError('Unequal lengths.')" for other in others),
            *(f" {name} = contiguous({name})" for name in vectors),
            f" turns = (n + {LANES - 1}) // {LANES}",
            *(f" {name} = empty({LANES} * turns)" for name in kept),
            f" room = zeros(({len(results) + len(vectors)}, {LANES}))",
            f" for lane in range({LANES} if n else 0):",
            f"  i = min({LANES} * (turns - 1) + lane, n - 1)",
            *(f"  room[{k}, lane] = {name}[i]" for k, name in enumerate(vectors, len(results))),
            " for turn in range(turns):",
            f"  take(turn, n, {_tuple(names)}, room, {_tuple(kept)})",
            f" for k in range({len(results)}):",
            "  for half in (4, 2, 1):",
            "   for lane in range(half): room[k, lane] += room[k, lane + half]",
            f" return {', '.join(results)}",
        ]
    )
    called = {"empty": np.empty, "zeros": np.zeros, "contiguous": np.ascontiguousarray}
    called["take"] = _turn(op, program)
    key = sha256(f"{CACHE_VERSION} {source} {program}".encode()).hexdigest()
    function = compile_numba_function_src(source, "loop", called, cache_key=key)
    return numba_njit(function, error_model="numpy", fastmath=False), key


def _turn(op: Loop, program: Program) -> Any:
    """Return what takes one turn: ``take(turn, n, inputs, room, kept)``.

    Results of the points are added to the rows of ``room``, or written to ``kept``. Behind these
    rows ``room`` has the points of the last turn, a row for each vector.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        turn, n, inputs, room, kept = values
        of_inputs, of_room, of_kept = signature.args[2:]
        integer, to = context.get_value_type(types.intp), Vectors(builder)

        def at(kind: Any, array: Any, row: Any) -> Any:
            """Return a pointer to the vector in a row of an array."""
            data = context.make_array(kind)(context, builder, array).data
            return builder.gep(builder.bitcast(data, NUMBERS.as_pointer()), [row])

        def load(pointer: Any) -> Any:
            vector = builder.load(pointer)
            vector.align = 8  # of a number: that is all that NumPy promises
            return vector

        begin = builder.mul(turn, integer(LANES))
        whole = builder.icmp_signed("<=", builder.add(begin, integer(LANES)), n)
        operands, row = [], len(op.summed)
        for k, (kind, along) in enumerate(zip(of_inputs, op.along, strict=True)):
            value = builder.extract_value(inputs, k)
            if along:
                here, there = at(kind, value, turn), at(of_room, room, integer(row))
                operands.append(load(builder.select(whole, here, there)))
                row += 1
            else:
                number = kind if kind == types.boolean else types.float64
                operands.append(to.each(context.cast(builder, value, kind, number)))
        lanes = builder.add(to.each(begin), ir.Constant(BITS, list(range(LANES))))
        exists = builder.icmp_signed("<", lanes, to.each(n))
        row = 0
        for k, (result, summed) in enumerate(
            zip(program.write(to, operands), op.summed, strict=True)
        ):
            if summed:
                place = at(of_room, room, integer(k))
                counted = builder.select(exists, result, to.number(0.0))
                builder.store(builder.fadd(load(place), counted), place, align=8)
            else:
                place = at(of_kept[row], builder.extract_value(kept, row), turn)
                builder.store(result, place, align=8)
                row += 1
        return context.get_dummy_value()

    def take(_typing: Any, turn: Any, n: Any, inputs: Any, room: Any, kept: Any) -> Any:
        return types.none(turn, n, inputs, room, kept), generate

    return intrinsic(take)


def _tuple(names: Sequence[str]) -> str:
    """Write a tuple in Python."""
    return f"({''.join(f'{name}, ' for name in names)})"


@node_rewriter([Elemwise])
def _as_loop(graph: Any, node: Any) -> dict[Any, Any] | None:
    """Replace arithmetic on points, and sums of it, by a loop."""
    op, outputs = node.op, node.outputs
    along = [not all(each.type.broadcastable) for each in node.inputs]
    arrays = [*outputs, *(each for each, long in zip(node.inputs, along, strict=True) if long)]
    if not any(along) or any(each.type != dvector for each in arrays):
        return None
    if not isinstance(op.scalar_op, Composite) or not Program.can_be(op.scalar_op.fgraph):
        return None
    clients = [[client for client, _ in graph.clients[each]] for each in outputs]
    summed = [all(isinstance(client.op, Sum) for client in each) for each in clients]
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
