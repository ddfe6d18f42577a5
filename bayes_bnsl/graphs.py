"""The graph of a log density and its gradient, written so that it compiles to one loop.

Curves have few points. What a gradient costs is then not the arithmetic but the arrays that one
loop over the points leaves for the next, so the graph is given a form that needs no other loop:

- Coordinates are scalars, also those of breaks, and sums over breaks are written out.
- A sum over the points of several terms becomes a sum of sums, each without the factors that all
  points share: what several parts of a model sum is then summed once.
- A sum that is not only added to others has its gradient taken by itself, which is multiplied by
  what the sum means to the density. Otherwise each point would be multiplied by that, and all of
  them would have to be summed before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.logprob.basic import transformed_conditional_logp
from pymc.logprob.rewriting import logprob_rewrites_db
from pymc.logprob.utils import local_remove_check_parameter
from pytensor.compile.mode import Mode, get_mode
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph import Constant, FunctionGraph, graph_inputs, graph_replace, rewrite_graph
from pytensor.graph.rewriting.basic import MergeOptimizer, dfs_rewriter, node_rewriter
from pytensor.graph.rewriting.db import RewriteDatabaseQuery
from pytensor.graph.traversal import toposort
from pytensor.tensor.basic import Alloc, MakeVector
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.math import Sum, add, mul, sub
from pytensor.tensor.rewriting.math import local_sum_prod_of_mul_or_div
from pytensor.tensor.shape import Shape

from bayes_bnsl.vectorized import vectorized

__all__ = ["coordinates", "gradient", "log_density", "position_of", "value_of"]

SLOW = ("local_greedy_distributor", "local_mul_exp_to_exp_add")
"""Rewrites that take a third of all the time to save divisions, and compute exponentials anew."""

AFTER_FUSION = 49.2
"""When loops are vectorized: PyTensor makes one operation of all arithmetic on points at 49."""

QUICK = get_mode("NUMBA").excluding("inplace_elemwise", *SLOW).register((vectorized, AFTER_FUSION))
"""How graphs are compiled: nor is it looked which array to write over, for one loop leaves none."""

AS_WRITTEN = Mode(get_mode("FAST_COMPILE").linker, "minimum_compile")
"""How graphs are compiled that are evaluated seldom: rewriting them would take longer."""

FEW = 8
"""Longest vector of coordinates that is taken apart into scalars."""


def log_density(model: pm.Model, values: Mapping[Any, Any]) -> Any:
    """Return the log density of the unconstrained values of a model.

    It is that of ``model.logp()``, which canonicalizes the parameters of each variable by
    themselves: what several of them are made of then has several forms, and is computed so often.

    Parameters
    ----------
    model : pymc.Model
        A model without potentials, and without bounds to check.
    values : mapping of TensorVariable to TensorVariable
        What stands for each unconstrained value, from :func:`coordinates`.

    Returns
    -------
    TensorVariable
        A scalar. Whatever takes a loop over the points and depends on data alone, such as log x,
        is a shared variable in it, of which :func:`value_of` knows the value.
    """
    query = RewriteDatabaseQuery(["basic"], exclude=["pre-canonicalize", "post-canonicalize"])
    terms = transformed_conditional_logp(
        model.free_RVs + model.observed_RVs,
        rvs_to_values=model.rvs_to_values,
        rvs_to_transforms=model.rvs_to_transforms,
        ir_rewriter=logprob_rewrites_db.query(query),
    )
    density = graph_replace(pt.add(*(term.sum() for term in terms)), values)
    graph = FunctionGraph(outputs=[density], clone=False)
    for rewriter in (_unchecked, MergeOptimizer(), _sums, MergeOptimizer()):
        rewriter.rewrite(graph)
    return graph_replace(graph.outputs[0], _of_data(graph), strict=False)


def coordinates(shapes: Mapping[Any, tuple[int, ...]]) -> tuple[list[Any], dict[Any, Any]]:
    """Take variables apart, so that derivatives are those of scalars.

    Parameters
    ----------
    shapes : mapping of TensorVariable to tuple of int
        Shapes of the variables.

    Returns
    -------
    list of TensorVariable
        Inputs: scalars, and arrays of which there is too much to take apart.
    dict of TensorVariable to TensorVariable
        What stands for each variable.
    """
    inputs: list[Any] = []
    values: dict[Any, Any] = {}
    for variable, shape in shapes.items():
        if len(shape) > 1 or variable.type.shape != shape or prod(shape) > FEW:
            parts = [pt.tensor(dtype=variable.dtype, shape=shape)]
        else:
            parts = [pt.scalar(dtype=variable.dtype) for _ in range(prod(shape))]
        values[variable] = (
            MakeVector(variable.dtype)(*parts) if parts[0].ndim < len(shape) else parts[0]
        )
        inputs += parts
    return inputs, values


def position_of(inputs: Sequence[Any]) -> tuple[Any, dict[Any, Any]]:
    """Join inputs to a position.

    Parameters
    ----------
    inputs : sequence of TensorVariable
        Variables of known shape.

    Returns
    -------
    TensorVariable
        The position, a vector.
    dict of TensorVariable to TensorVariable
        Where each input lies in it.
    """
    position, start, places = pt.vector("position", dtype="float64"), 0, {}
    for each in inputs:
        stop = start + prod(each.type.shape)
        part = position[start:stop].reshape(each.type.shape) if each.ndim else position[start]
        places[each], start = part, stop
    return position, places


def value_of(variable: Any, data: Mapping[str, Any]) -> NDArray[Any]:
    """Return the value of a shared variable.

    Parameters
    ----------
    variable : SharedVariable
        Data of a model, or made of them by :func:`log_density`.
    data : mapping of str to array_like
        Values of the model's data. One that is not among them is as in the model.

    Returns
    -------
    ndarray
        An array of its own, contiguous.

    Raises
    ------
    ValueError
        If the data have another number of dimensions.
    """
    own, of_data = variable.get_value(), getattr(variable.tag, "of_data", None)
    given = data.get(variable.name, own) if of_data is None else of_data(data)
    value = np.array(given, dtype=own.dtype, order="C")
    if value.ndim != own.ndim:  # compiled code would read beyond what it is given
        raise ValueError(f"{variable.name} must have {own.ndim} dimensions; got {value.ndim}.")
    return value


def gradient(density: Any, inputs: Sequence[Any]) -> tuple[Any, Any]:
    """Return a log density, rewritten, and its gradient.

    Parameters
    ----------
    density : TensorVariable
        A scalar.
    inputs : sequence of TensorVariable
        What it depends on.

    Returns
    -------
    density, slopes : TensorVariable
        A scalar, and a vector of the derivatives with respect to all inputs.
    """
    density = rewrite_graph(density, include=["canonicalize", "stabilize"], exclude=SLOW)
    parts = [part for term in _terms(density) if term.owner for part in term.owner.inputs]
    nodes = [node for node in toposort(parts) if isinstance(node.op, Sum)]
    sums: list[Any] = [node.outputs[0] for node in nodes if node.outputs[0].type.ndim == 0]
    stand_ins = [each.type() for each in sums]
    known = dict(zip(stand_ins, sums, strict=True))
    slopes = _slopes(density, sums, stand_ins, inputs)
    while sums:  # the last one may be made of those before
        each, worth = sums.pop(), slopes.pop(stand_ins.pop(), None)
        if worth is not None:
            for variable, slope in _slopes(each, sums, stand_ins, inputs).items():
                slopes[variable] = slopes.get(variable, 0.0) + worth * slope
    joined = pt.concatenate([pt.flatten(slopes[each]) for each in inputs])
    return density, graph_replace(joined, known, strict=False)


def _slopes(
    cost: Any, sums: Sequence[Any], stand_ins: Sequence[Any], inputs: Sequence[Any]
) -> dict[Any, Any]:
    """Differentiate as if sums were inputs, for which others stand in."""
    opened = graph_replace(cost, dict(zip(sums, stand_ins, strict=True)), strict=False)
    wrt = [*stand_ins, *inputs]
    slopes: Any = pt.grad(opened, wrt, disconnected_inputs="ignore", return_disconnected="none")
    pairs = zip(wrt, slopes, strict=True)
    return {variable: slope for variable, slope in pairs if slope is not None}


def _terms(total: Any) -> list[Any]:
    """Return what is added, without constant factors."""
    op, *inputs = total.owner_op_and_inputs
    changing = [each for each in inputs if not isinstance(each, Constant)]
    if op in (add, sub) or (op == mul and len(changing) == 1):
        return [term for each in changing for term in _terms(each)]
    return [total]


def _of_data(graph: FunctionGraph) -> dict[Any, Any]:
    """Make data of whatever takes a loop over the points and depends on data alone."""
    known: set[Any] = {each for each in graph.inputs if isinstance(each, SharedVariable)}
    loops: set[Any] = set()
    ends: dict[Any, Any] = {}
    for node in graph.toposort():
        if known.isdisjoint(node.inputs) or not all(
            each in known or isinstance(each, Constant) for each in node.inputs
        ):
            ends |= {each: _made_of_data(each) for each in node.inputs if each in loops - set(ends)}
            continue
        known.update(node.outputs)
        long = not all(node.outputs[0].type.broadcastable)
        if long or isinstance(node.op, Shape) or not loops.isdisjoint(node.inputs):
            loops.update(node.outputs)
    return ends


def _made_of_data(expression: Any) -> Any:
    """Return a shared variable for an expression, which knows how to make its value."""
    data = [each for each in graph_inputs([expression]) if isinstance(each, SharedVariable)]
    inputs: list[Any] = [each.type() for each in data]
    output = graph_replace(expression, list(zip(data, inputs, strict=True)))
    function = pytensor.function(inputs, output, mode=AS_WRITTEN)
    made = pytensor.shared(np.asarray(function(*(each.get_value() for each in data))))
    made.tag.of_data = lambda values: function(*(value_of(each, values) for each in data))
    return made


@node_rewriter([Sum])
def _sum_of_terms(_graph: Any, node: Any) -> list[Any] | None:
    """Rewrite ``sum(x + y)`` as ``sum(x) + sum(y)``, for vectors x and scalars or vectors y."""
    [total] = node.inputs
    if (
        total.owner is None
        or total.owner.op not in (add, sub)
        or total.type.broadcastable != (False,)
    ):
        return None
    long = [term for term in total.owner.inputs if term.type.broadcastable == (False,)]
    count = long[0].shape.astype(total.dtype)[0]  # as pt.mean has it, so that both are one
    terms = (
        node.op(term) if term in long else count * term.squeeze(0) for term in total.owner.inputs
    )
    return [total.owner.op(*terms)]


@node_rewriter([Sum])
def _sum_of_few(_graph: Any, node: Any) -> list[Any] | None:
    """Write out the sum of a vector whose length is known."""
    [total] = node.inputs
    if total.ndim != 1 or total.type.shape[0] is None or total.type.shape[0] > FEW:
        return None
    return [add(*(_entry(total, i) for i in range(total.type.shape[0])))]


def _entry(vector: Any, i: int) -> Any:
    """Return an entry of a vector, or the scalar itself, computed without the others."""
    if all(vector.type.broadcastable):
        return vector.squeeze()
    op, *inputs = vector.owner_op_and_inputs
    if isinstance(op, MakeVector):
        return inputs[i]
    if isinstance(op, Alloc):
        return _entry(inputs[0], i)
    if isinstance(op, Elemwise):
        return op(*(_entry(each, i) for each in inputs))
    return vector[i]


@node_rewriter([Shape])
def _length_of_data(_graph: Any, node: Any) -> list[Any] | None:
    """Take the length of a vector from that of which it is made."""
    [vector] = node.inputs
    if vector.type.broadcastable != (False,) or not isinstance(vector.owner_op, Elemwise):
        return None
    long = [each for each in vector.owner.inputs if each.type.broadcastable == (False,)]
    return [node.op(long[0])] if long else None


_unchecked = dfs_rewriter(local_remove_check_parameter)
_sums = dfs_rewriter(_sum_of_few, _sum_of_terms, local_sum_prod_of_mul_or_div, _length_of_data)
