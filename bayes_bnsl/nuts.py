"""NUTS: models compiled once, chains started where they are told. The samplers' one room."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import nutpie
import pymc as pm
from numpy.typing import NDArray
from pymc import pytensorf

from bayes_bnsl import model as models
from bayes_bnsl.arguments import Priors
from bayes_bnsl.curve import Curve
from bayes_bnsl.draws import Draws, Problem
from bayes_bnsl.family import Family
from bayes_bnsl.law import Law
from bayes_bnsl.leaps import Ends, Trajectories
from bayes_bnsl.loops import density_loop, on_cores, trajectory_loop
from bayes_bnsl.noise import Noise
from bayes_bnsl.optimum import LogDensity, Vector

__all__ = [
    "Compiled",
    "Settings",
    "compile_family",
    "compile_law",
    "sample_with_nutpie",
    "sample_with_pymc",
]

STATISTICS = (
    "depth", "diverging", "energy", "logp", "maxdepth_reached", "mean_tree_accept", "n_steps",
    "step_size",
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """How long to sample, and how finely to step."""

    draws: int
    tune: int
    target_accept: float


@dataclass(frozen=True, eq=False)
class Drawn:
    """What a sampler returned: arrays of shape (chain, draw, ...)."""

    values: Draws
    """The free variables, by name."""
    statistics: Draws
    positions: Vector
    """The same draws in unconstrained coordinates, on the last axis."""

    def thinned(self, most: int) -> Drawn:
        """Keep at most so many draws of each chain, evenly spaced, the last among them."""
        step = -(-next(iter(self.values.values())).shape[1] // most)

        def keep(array: Any) -> Any:
            return array[:, ::-1][:, ::step][:, ::-1]

        values = {name: keep(array) for name, array in self.values.items()}
        statistics = {name: keep(array) for name, array in self.statistics.items()}
        return Drawn(values, statistics, keep(self.positions))


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


def sample_with_nutpie(
    compiled: Compiled,
    data: Mapping[str, Any],
    positions: Vector,
    seeds: Sequence[int],
    settings: Settings,
    *,
    cores: int,
    report: Callable[[int], Callable[[list[Any]], None]],
) -> Drawn:
    """Run one chain from each position.

    Parameters
    ----------
    compiled : Compiled
        The model.
    data : mapping
        Data of the curve, from :func:`bayes_bnsl.model.model_data`.
    positions : ndarray, shape (n_chains, n_dimensions)
        Where the chains start, in unconstrained coordinates.
    seeds : sequence of int
        One a chain.
    settings : Settings
        Length and step.
    cores : int
        How many chains run at once.
    report : callable
        ``report(chain)`` is told of the progress of a chain.

    Returns
    -------
    Drawn
        Draws and statistics of every chain.
    """
    model = compiled.with_data(data)
    trees: list[Any] = []
    for start in range(0, len(seeds), cores):
        running = [
            nutpie.sample(
                dataclasses.replace(model, initial_point_func=lambda _, k=k: positions[k]),
                draws=settings.draws,
                tune=settings.tune,
                target_accept=settings.target_accept,
                seed=seeds[k],
                chains=1,
                cores=1,
                adaptation="low_rank",
                blocking=False,
                progress_bar=False,
                progress_callback=report(k),
                save_warmup=False,
                store_unconstrained=True,
            )
            for k in range(start, min(start + cores, len(seeds)))
        ]
        try:
            trees += [chain.wait() for chain in running]
        except BaseException:
            for chain in running:
                chain.cancel()
            raise
    values = {name: _stacked(trees, "posterior", name) for name in compiled.free}
    statistics = {name: _stacked(trees, "sample_stats", name) for name in STATISTICS}
    statistics["jumped"] = np.zeros_like(statistics["diverging"])
    return Drawn(values, statistics, _stacked(trees, "sample_stats", "unconstrained_draw"))


def _stacked(trees: Sequence[Any], group: str, name: str) -> NDArray[np.float64]:
    return np.concatenate([tree[group][name].values for tree in trees])


def sample_with_pymc(
    problem: Problem,
    positions: Vector,
    seed: int,
    settings: Settings,
    *,
    cores: int,
    progress: bool,
) -> Drawn:
    """Run PyMC's own NUTS on the same model from the same positions.

    Returns
    -------
    Drawn
        As :func:`sample_with_nutpie`, without positions.
    """
    model = models.build_model(
        problem.curve, problem.law, noise=problem.noise, priors=problem.priors, scale=problem.scale
    )
    with model:
        point = model.initial_point(0)
        starts = [_as_point(position, point) for position in positions]
        tree = pm.sample(
            draws=settings.draws,
            tune=settings.tune,
            chains=len(positions),
            cores=cores,
            nuts={"target_accept": settings.target_accept},
            nuts_sampler="pymc",
            initvals=[_constrained(model, start) for start in starts],
            random_seed=seed,
            progressbar=progress,
            quiet=True,
            compute_convergence_checks=False,
        )
    values = {variable.name: tree["posterior"][variable.name].values for variable in model.free_RVs}
    names = {"tree_depth": "depth", "reached_max_treedepth": "maxdepth_reached", "lp": "logp"}
    names |= {"acceptance_rate": "mean_tree_accept"}
    statistics = {
        names.get(str(name), str(name)): array.values
        for name, array in tree["sample_stats"].data_vars.items()
    }
    statistics = {name: statistics[name] for name in STATISTICS if name in statistics}
    statistics["jumped"] = np.zeros_like(statistics["diverging"])
    return Drawn(values, statistics, np.empty((len(positions), settings.draws, 0)))


def _as_point(position: Vector, point: Mapping[str, Any]) -> dict[str, Any]:
    """Cut a flat position into the unconstrained values of a model, in their order."""
    cuts = np.cumsum([np.size(value) for value in point.values()])[:-1]
    return {
        name: part.reshape(np.shape(value))
        for (name, value), part in zip(point.items(), np.split(position, cuts), strict=True)
    }


def _constrained(model: pm.Model, point: Mapping[str, Any]) -> dict[str, Any]:
    """Return starting values by free variable; those with a transformation PyMC chooses itself."""
    return {
        variable.name: point[variable.name]
        for variable in model.free_RVs
        if model.rvs_to_transforms[variable] is None
    }
