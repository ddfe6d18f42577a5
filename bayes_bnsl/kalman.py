"""The Ornstein-Uhlenbeck process under noise, as an operation of PyTensor with its gradient.

Points of one run deviate from the law together: residual = g + independent noise, where g is an
Ornstein-Uhlenbeck process along log x, of stationary standard deviation tau, and with correlation
``exp(-|distance| / ell)``. The process has no memory beyond its last value, so a Kalman filter
gives what the earlier points of a run say of the next one with a few multiplications a point. In
a graph the filter is one loop, and its gradient another one: a scan would be differentiated step
by step, and cost many times as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_default_op_cache_key

__all__ = ["given_earlier"]

type Vector = NDArray[np.float64]

CACHE_VERSION = 3
"""To be raised when a loop changes: PyTensor keeps compiled loops on disk."""


def given_earlier(
    residual: Any, variance: Any, tau: Any, ell: Any, log_x: Any, run: Any
) -> tuple[Any, Any]:
    """Return mean and variance of the process at each point, given the earlier points of its run.

    Parameters
    ----------
    residual : tensor, shape (n,)
        Log y less log mu.
    variance : tensor, shape (n,)
        Variance of the independent noise, above zero.
    tau, ell : tensor, scalar
        Standard deviation of the process, and its correlation length in log x.
    log_x : tensor, shape (n,)
        Where the points lie, in rising order; points of a run may share an x.
    run : tensor of int, shape (n,)
        Number of the run that each point belongs to, from 0.

    Returns
    -------
    mean, variance : TensorVariable, shape (n,)
        Of the process; with the noise of a point added, those of its residual.
    """
    mean, spread = _FILTER.make_node(residual, variance, tau, ell, log_x, run).outputs
    return mean, spread


class Filter(Op):
    """Mean and variance of the process given the earlier points."""

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        """Return the node of the graph."""
        *numbers, run = inputs
        floats = [pt.cast(pt.as_tensor(each), "float64") for each in numbers]
        return Apply(self, [*floats, pt.cast(run, "int64")], [pt.dvector(), pt.dvector()])

    def infer_shape(self, node: Any, shapes: Any) -> list[Any]:
        """Return the shapes of the outputs."""
        return [shapes[0], shapes[0]]

    def perform(self, node: Any, inputs: Sequence[Any], output_storage: Any) -> None:
        """Run the loop in Python."""
        for storage, value in zip(output_storage, _filter(*inputs), strict=True):
            storage[0] = value

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        """Say which inputs have a gradient: all but where the points lie."""
        return [[True, True]] * 4 + [[False, False]] * 2

    def pullback(
        self, inputs: Sequence[Any], outputs: Sequence[Any], cotangents: Sequence[Any]
    ) -> list[Variable]:
        """Return the gradients, made by one operation."""
        to_outputs = [
            pt.zeros_like(output) if isinstance(cotangent.type, DisconnectedType) else cotangent
            for output, cotangent in zip(outputs, cotangents, strict=True)
        ]
        gradients = _ADJOINT.make_node(*inputs, *to_outputs).outputs
        return [*gradients, DisconnectedType()(), DisconnectedType()()]


class Adjoint(Op):
    """The gradient of a function of the outputs of `Filter`, by its first four inputs."""

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        """Return the node of the graph."""
        outputs = [pt.dvector(), pt.dvector(), pt.dscalar(), pt.dscalar()]
        return Apply(self, [pt.as_tensor(each) for each in inputs], outputs)

    def infer_shape(self, node: Any, shapes: Any) -> list[Any]:
        """Return the shapes of the outputs."""
        return [shapes[0], shapes[0], (), ()]

    def perform(self, node: Any, inputs: Sequence[Any], output_storage: Any) -> None:
        """Run the loop in Python."""
        for storage, value in zip(output_storage, _adjoint(*inputs), strict=True):
            storage[0] = np.asarray(value)


def _filter(
    residual: Vector, variance: Vector, tau: Any, ell: Any, log_x: Vector, run: Any
) -> tuple[Vector, Vector]:
    n = residual.shape[0]
    tau2 = tau.item() ** 2
    rate = 1.0 / ell.item()
    mean, spread = np.zeros(n), np.full(n, tau2)
    last = np.full(n, -1)  # the last point of each run; there are at most n runs
    for i in range(n):
        before = last[run[i]]
        if before >= 0:
            gain = spread[before] / (spread[before] + variance[before])
            lost = -np.expm1((log_x[before] - log_x[i]) * rate)
            kept = 1.0 - lost
            mean[i] = kept * (mean[before] + gain * (residual[before] - mean[before]))
            spread[i] = kept**2 * gain * variance[before] + tau2 * lost * (1.0 + kept)
        last[run[i]] = i
    return mean, spread


def _adjoint(
    residual: Vector, variance: Vector, tau: Any, ell: Any, log_x: Vector, run: Any,
    to_mean: Vector, to_spread: Vector,
) -> tuple[Vector, Vector, float, float]:  # fmt: skip
    n = residual.shape[0]
    tau2 = tau.item() ** 2
    rate = 1.0 / ell.item()
    # the forward loop again, with what the way back needs
    mean, spread, kept = np.zeros(n), np.full(n, tau2), np.zeros(n)
    before, last = np.full(n, -1), np.full(n, -1)
    for i in range(n):
        b = last[run[i]]
        if b >= 0:
            gain = spread[b] / (spread[b] + variance[b])
            lost = -np.expm1((log_x[b] - log_x[i]) * rate)
            kept[i] = 1.0 - lost
            mean[i] = kept[i] * (mean[b] + gain * (residual[b] - mean[b]))
            spread[i] = kept[i] ** 2 * gain * variance[b] + tau2 * lost * (1.0 + kept[i])
            before[i] = b
        last[run[i]] = i
    to_residual, to_variance = np.zeros(n), np.zeros(n)
    by_mean, by_spread = to_mean.copy(), to_spread.copy()
    to_tau2, to_rate = 0.0, 0.0
    for i in range(n - 1, -1, -1):
        b = before[i]
        if b < 0:
            to_tau2 += by_spread[i]
            continue
        total = spread[b] + variance[b]
        gain = spread[b] / total
        surprise = residual[b] - mean[b]
        left = gain * variance[b]  # variance of the process at b, once b was seen
        down, down2 = kept[i] * by_mean[i], kept[i] ** 2 * by_spread[i]
        to_gain = (down * surprise + down2 * variance[b]) / total
        to_residual[b] += down * gain
        to_variance[b] += down2 * gain - to_gain * gain
        by_mean[b] += down * (1.0 - gain)
        by_spread[b] += to_gain * (1.0 - gain)
        to_tau2 += by_spread[i] - down2
        distance = log_x[i] - log_x[b]
        to_rate -= distance * (by_mean[i] * mean[i] + 2.0 * down2 * (left - tau2))
    to_tau = 2.0 * tau.item() * to_tau2
    return to_residual, to_variance, to_tau, -to_rate * rate**2


@register_funcify_default_op_cache_key(Filter)
def _compiled_filter(op: Filter, **settings: Any) -> tuple[Any, int]:
    # a climb may come to a scatter of zero, where the density is no number and no error either
    return numba_njit(_filter, error_model="numpy"), CACHE_VERSION


@register_funcify_default_op_cache_key(Adjoint)
def _compiled_adjoint(op: Adjoint, **settings: Any) -> tuple[Any, int]:
    loop = numba_njit(_adjoint, error_model="numpy")

    @numba_njit
    def adjoint(
        residual: Any, variance: Any, tau: Any, ell: Any, log_x: Any, run: Any, to_mean: Any,
        to_spread: Any,
    ) -> Any:  # fmt: skip
        to_residual, to_variance, to_tau, to_ell = loop(
            residual, variance, tau, ell, log_x, run, to_mean, to_spread
        )
        return to_residual, to_variance, np.asarray(to_tau), np.asarray(to_ell)

    return adjoint, CACHE_VERSION


_FILTER, _ADJOINT = Filter(), Adjoint()
