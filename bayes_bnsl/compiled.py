"""Models compiled once and given the data of one curve after another."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import NDArray
from pymc import pytensorf
from pytensor import config
from pytensor import tensor as pt
from pytensor.graph import graph_replace

from bayes_bnsl import model as models
from bayes_bnsl.arguments import Priors
from bayes_bnsl.curve import Curve
from bayes_bnsl.draws import Draws
from bayes_bnsl.family import Family
from bayes_bnsl.family_model import build_family_model
from bayes_bnsl.graphs import (
    AS_WRITTEN,
    QUICK,
    coordinates,
    gradient,
    log_density,
    position_of,
    value_of,
)
from bayes_bnsl.law import Law
from bayes_bnsl.native import Native, Posterior, gradient_callback
from bayes_bnsl.noise import Noise
from bayes_bnsl.optimum import LogDensity, Vector
from bayes_bnsl.transforms import Softened

__all__ = ["Compiled", "compile_family", "compile_law"]


@dataclass(frozen=True, eq=False)
class Compiled:
    """A compiled model, before it is given the data of a curve.

    Its functions take a position: the unconstrained values of the free variables in one vector.
    """

    model: pm.Model

    def __post_init__(self) -> None:
        """Compile what chains need to start; what else is needed, is compiled when it is."""
        _ = self._callback

    @property
    def free(self) -> list[str]:
        """Names of the free variables, in the order of the coordinates."""
        return [variable.name for variable in self.model.free_RVs]

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the free variables, which no transformation of theirs changes."""
        point = self._prior_draw()
        return {name: np.shape(value) for name, value in zip(self.free, point, strict=True)}

    @property
    def dimensions(self) -> int:
        """Length of a position."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    def draw_prior(
        self, data: Mapping[str, Any], generator: np.random.Generator, count: int
    ) -> Vector:
        """Draw positions from the prior.

        Where a draw lies in unconstrained coordinates depends on the data, and PyMC's function
        takes those of its model, which may still be of the curve it was compiled for.
        """
        pm.set_data(dict(data), model=self.model)
        function = self._prior_draw
        generators = pytensorf.find_rng_nodes(function.maker.fgraph.outputs)
        pytensorf.reseed_rngs(generators, int(generator.integers(2**31)))
        draws = [function() for _ in range(count)]
        return np.stack([np.concatenate([np.ravel(value) for value in draw]) for draw in draws])

    def log_density(self, data: Mapping[str, Any]) -> LogDensity:
        """Return the log density with its gradient: what NUTS calls, for SciPy."""
        call, shared = self._gradient.vm.jit_fn, _shared(self._gradient, data)
        return lambda position: call(np.array(position, order="C"), *shared)

    def values(self, data: Mapping[str, Any], positions: Vector) -> Draws:
        """Return the free variables at positions of shape (..., n_dimensions), each (..., ...)."""
        values = _each(self.constrained, positions, data)
        return {
            name: values[..., cut].reshape(*positions.shape[:-1], *self.shapes[name])
            for name, cut in self._cuts.items()
        }

    def positions(self, data: Mapping[str, Any], values: Draws) -> Vector:
        """Return where the free variables have values of shape (chain, draw, ...).

        It undoes `values`.
        """
        leading = values[self.free[0]].shape[:2]
        joined = [values[name].reshape(*leading, -1) for name in self.free]
        return _each(self.unconstrained, np.concatenate(joined, axis=-1), data)

    def posterior(self, data: Mapping[str, Any]) -> Posterior:
        """Return the log density with its gradient as a C function, and the data it takes."""
        return Posterior(self._callback, _shared(self._gradient, data), self._breaks)

    @cached_property
    def _prior_draw(self) -> Any:
        """What draws the unconstrained values of all free variables from the prior.

        Drawn seldom, so that rewriting its graph would take longer than it brings.
        """
        values = pytensorf.replace_rng_nodes(self._transformed)
        return pytensorf.compile([], values, mode=AS_WRITTEN)

    @property
    def _transformed(self) -> list[Any]:
        """The free variables as the sampler sees them."""
        transforms = self.model.rvs_to_transforms
        return [
            variable
            if transforms[variable] is None
            else transforms[variable].forward(variable, *variable.owner.inputs)
            for variable in self.model.free_RVs
        ]

    @property
    def _cuts(self) -> dict[str, slice]:
        """Where each free variable lies in a position."""
        sizes = [int(np.prod(shape)) for shape in self.shapes.values()]
        ends = pairwise(np.cumsum([0, *sizes]))
        return {name: slice(*between) for name, between in zip(self.free, ends, strict=True)}

    @property
    def _breaks(self) -> NDArray[np.int64]:
        """Where the coordinates of each break lie in a position, its spacing first."""
        transform = self.model.rvs_to_transforms.get(self.model.named_vars.get("z_d"))
        if not isinstance(transform, Softened):
            return np.empty((0, 1), np.int64)
        dims = self.model.named_vars_to_dims
        others = [name for name in self.free if name != "z_d" and dims.get(name) == ("brk",)]
        return np.stack([np.r_[self._cuts[name]] for name in ("z_d", *others)], axis=1)

    def _function(self, outputs: Sequence[Any], inputs: Sequence[Any]) -> Any:
        """Compile outputs that depend on the free variables as a function of a position.

        With arithmetic in the order written: otherwise a process that compiles a function and those
        that load it from disk differ in the last bit, and the same seed leads them to other draws.
        """
        position, places = position_of(inputs)
        outputs = graph_replace(list(outputs), places, strict=False)
        in_order = config.change_flags(numba__fastmath=False)
        with self.model, in_order:  # the model says which checks are left out
            function = pytensorf.compile(inputs=[position], outputs=outputs, mode=QUICK)
            self._native(function)
        return function

    @property
    def _coordinates(self) -> tuple[list[Any], dict[Any, Any]]:
        return coordinates(dict(zip(self.model.value_vars, self.shapes.values(), strict=True)))

    @cached_property
    def _gradient(self) -> Any:
        """The log density with its gradient."""
        inputs, values = self._coordinates
        return self._function(gradient(log_density(self.model, values), inputs), inputs)

    @cached_property
    def constrained(self) -> Any:
        """The free variables as a function of a position, one after the other."""
        inputs, values = self._coordinates
        free = self.model.replace_rvs_by_values(self.model.free_RVs)
        joined = pt.concatenate([value.ravel() for value in free])
        return self._function([graph_replace(joined, values)], inputs)

    @cached_property
    def unconstrained(self) -> Any:
        """A position as a function of the free variables, one after the other."""
        free = zip(self.model.free_RVs, self.shapes.values(), strict=True)
        inputs, values = coordinates(dict(free))
        joined = pt.concatenate([pt.flatten(each) for each in self._transformed])
        return self._function([graph_replace(joined, values, strict=False)], inputs)

    @cached_property
    def _callback(self) -> Any:
        return gradient_callback(self._native(self._gradient))

    def _native(self, function: Any) -> Native:
        return Native.of(function, np.zeros(self.dimensions), *_shared(function, {}))


def _each(function: Any, rows: Vector, data: Mapping[str, Any]) -> Vector:
    """Return what a compiled function returns of each vector along the last axis."""
    call, shared = function.vm.jit_fn, _shared(function, data)
    flat = [call(row, *shared)[0] for row in np.array(rows, order="C").reshape(-1, rows.shape[-1])]
    return np.reshape(flat, rows.shape)


def _shared(function: Any, data: Mapping[str, Any]) -> list[NDArray[Any]]:
    """Return the data that a compiled function is called with, in its order.

    What is not of the curve is the length of a dimension, as the law has it.
    """
    arrays = [value_of(variable, data) for variable in function.get_shared()]
    for array in arrays:
        array.flags.writeable = False
    return arrays


_compiled: dict[tuple[Any, ...], Compiled] = {}


def compile_law(curve: Curve, law: Law, noise: Noise, priors: Priors) -> Compiled:
    """Compile the model of a law, or take what was compiled for another curve before."""
    key = models.structure(curve, law, noise, priors)
    return _compile(key, lambda: models.build_model(curve, law, noise=noise, priors=priors))


def compile_family(family: Family) -> Compiled:
    """Compile the model of a family, or take what was compiled for another one like it."""
    return _compile(("family", *family.structure), lambda: build_family_model(family))


def _compile(key: tuple[Any, ...], build: Callable[[], pm.Model]) -> Compiled:
    if key not in _compiled:
        with _uncollected():
            _compiled[key] = Compiled(build())
    return _compiled[key]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let garbage lie: a growing graph is looked through time and again."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
