"""Models compiled once and given the data of one curve after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import nutpie
import pymc as pm
from pymc import pytensorf

from bayes_bnsl import model as models
from bayes_bnsl.arguments import Priors
from bayes_bnsl.curve import Curve
from bayes_bnsl.draws import Draws
from bayes_bnsl.family import Family
from bayes_bnsl.law import Law
from bayes_bnsl.leaps import Ends, Trajectories
from bayes_bnsl.loops import density_loop, on_cores, trajectory_loop
from bayes_bnsl.noise import Noise
from bayes_bnsl.optimum import LogDensity, Vector

__all__ = ["Compiled", "compile_family", "compile_law"]


@dataclass(frozen=True)
class Compiled:
    """A compiled model, before it is given the data of a curve."""

    sampler: Any
    free: tuple[str, ...]
    """Names of the free variables."""
    model: pm.Model

    def with_data(self, data: Mapping[str, Any]) -> Any:
        """Return nutpie's model for the data of a curve."""
        names = {variable.name for variable in self.sampler.shared_var_keys}
        return self.sampler.with_data(**{k: v for k, v in data.items() if k in names})

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the free variables, in the order of the unconstrained coordinates."""
        names, _cuts, shapes = self.sampler.shape_info
        by_name = {name: tuple(int(n) for n in s) for name, s in zip(names, shapes, strict=True)}
        return {name: by_name[name] for name in self.free}

    def log_density(self, data: Mapping[str, Any]) -> LogDensity:
        """Return the log density with its gradient: what NUTS calls, for SciPy."""
        return self._bound("logp_func", data)

    def values(self, data: Mapping[str, Any], positions: Vector) -> Draws:
        """Return the free variables at unconstrained positions, each of shape (1, n, ...)."""
        expand = self._bound("expand_func", data)
        flat = np.stack([np.asarray(expand(position)).ravel() for position in positions])
        names, cuts, shapes = self.sampler.shape_info
        at = {
            name: (cut, tuple(shape)) for name, cut, shape in zip(names, cuts, shapes, strict=True)
        }
        return {
            name: flat[None, :, at[name][0]].reshape(1, len(flat), *at[name][1])
            for name in self.free
        }

    def log_densities(self, data: Mapping[str, Any], cores: int) -> Callable[[Vector], Vector]:
        """Return the log density of many positions at once, on so many cores."""
        shared = self._shared(self._density_alone, data)

        def of_many(positions: Vector) -> Vector:
            return on_cores(self._density_loop, cores, [positions], shared)[0]

        return of_many

    def trajectories(self, data: Mapping[str, Any], cores: int) -> Trajectories:
        """Return what follows Hamiltonian trajectories from many positions, on so many cores."""
        _, shared = self._compiled("logp_func", data)

        def of_many(
            positions: Vector, momenta: Vector, sizes: Vector, counts: Any, metric: Vector
        ) -> Ends:
            arrays = [positions, momenta, sizes, counts]
            return Ends(*on_cores(self._trajectory_loop, cores, arrays, [metric, *shared]))

        return of_many

    def _bound(self, function: str, data: Mapping[str, Any]) -> Any:
        """Return one of nutpie's compiled functions of a position, with the data in it."""
        compiled, shared = self._compiled(function, data)
        return lambda position: compiled(np.ascontiguousarray(position), *shared)

    def _compiled(self, function: str, data: Mapping[str, Any]) -> tuple[Any, list[Any]]:
        """Return one of nutpie's functions as Numba compiled it, and the data it is called with."""
        compiled = getattr(self.sampler, function)
        return compiled.vm.jit_fn, self._shared(compiled, data)

    def _shared(self, compiled: Any, data: Mapping[str, Any]) -> list[Any]:
        """Return the data that a compiled function is called with, in its order."""
        shared = self.with_data(data).shared_data
        keys = {variable.name: key for variable, key in self.sampler.shared_var_keys.items()}
        return [
            # what is no data of the curve is the length of a dimension, as the law has it
            shared[keys[variable.name]] if variable.name in keys else variable.get_value()
            for variable in compiled.get_shared()
        ]

    @cached_property
    def _density_alone(self) -> Any:
        """The log density without its gradient, which costs as much again."""
        model = self.model
        (log_density,), position = pytensorf.join_nonshared_inputs(
            model.initial_point(0), [model.logp()], model.value_vars
        )
        with model:  # whose settings say which checks are left out
            return pytensorf.compile(inputs=[position], outputs=log_density, mode="NUMBA")

    @cached_property
    def _density_loop(self) -> Any:
        return density_loop(self._density_alone.vm.jit_fn)

    @cached_property
    def _trajectory_loop(self) -> Any:
        return trajectory_loop(self.sampler.logp_func.vm.jit_fn)

    def draw_prior(
        self, data: Mapping[str, Any], generator: np.random.Generator, count: int
    ) -> Vector:
        """Draw positions from the prior.

        Where a draw lies in unconstrained coordinates depends on the data, and nutpie's function
        takes those of the PyMC model, which may still be of the curve it was compiled for.
        """
        pm.set_data(dict(data), model=self.model)
        seeds = generator.integers(2**31, size=count)
        return np.stack([self.sampler.initial_point_func(int(seed)) for seed in seeds])


_compiled: dict[tuple[Any, ...], Compiled] = {}


def compile_law(curve: Curve, law: Law, noise: Noise, priors: Priors) -> Compiled:
    """Compile the model of a law, or take what was compiled for another curve before."""
    key = models.structure(curve, law, noise, priors)
    return _compile(key, lambda: models.build_model(curve, law, noise=noise, priors=priors))


def compile_family(family: Family) -> Compiled:
    """Compile the model of a family, or take what was compiled for another one like it."""
    return _compile(("family", *family.structure), lambda: models.build_family_model(family))


def _compile(key: tuple[Any, ...], build: Callable[[], pm.Model]) -> Compiled:
    if key not in _compiled:
        model = build()
        # Nutpie stores the free variables alone: draws.py makes the parameters of them in NumPy,
        # in less time than a second compilation takes.
        free = tuple(variable.name for variable in model.free_RVs)
        sampler = nutpie.compile_pymc_model(
            model, var_names=free, default_initialization_strategy="prior", jitter_rvs=set()
        )
        _compiled[key] = Compiled(sampler, free, model)
    return _compiled[key]
