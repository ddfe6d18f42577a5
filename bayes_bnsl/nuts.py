"""NUTS: chains started where they are told. The samplers' one room."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import nutpie
import pymc as pm
from numpy.typing import NDArray
from nutpie.compile_pymc import CompiledPyMCModel

from bayes_bnsl import model as models
from bayes_bnsl.compiled import Compiled
from bayes_bnsl.draws import Draws, Problem
from bayes_bnsl.native import copy_callback
from bayes_bnsl.optimum import Vector

__all__ = ["Drawn", "Settings", "sample_with_nutpie", "sample_with_pymc"]

POSITION = "position"
"""What nutpie calls a draw."""

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
        """Keep at most so many draws of each chain, evenly spaced, the last among them.

        What diverged on the way to a draw that is kept counts as its own: no divergence is lost.
        """
        n_draws = self.positions.shape[1]
        step = -(-n_draws // most)

        def keep(array: Any) -> Any:
            return array[:, ::-1][:, ::step][:, ::-1]

        values = {name: keep(array) for name, array in self.values.items()}
        statistics = {name: keep(array) for name, array in self.statistics.items()}
        backwards, firsts = self.statistics["diverging"][:, ::-1], np.arange(0, n_draws, step)
        statistics["diverging"] = np.logical_or.reduceat(backwards, firsts, axis=1)[:, ::-1]
        return Drawn(values, statistics, keep(self.positions))


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
    model = _nutpie_model(compiled, data)
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
            )
            for k in range(start, min(start + cores, len(seeds)))
        ]
        try:
            _ = compiled.constrained  # the first time this compiles, while the chains run
            trees += [chain.wait() for chain in running]
        except BaseException:
            for chain in running:
                chain.cancel()
            raise
    statistics = {name: _stacked(trees, "sample_stats", name) for name in STATISTICS}
    statistics["restart"] = np.full(statistics["diverging"].shape, -1)
    drawn = _stacked(trees, "posterior", POSITION)
    return Drawn(compiled.values(data, drawn), statistics, drawn)


def _nutpie_model(compiled: Compiled, data: Mapping[str, Any]) -> CompiledPyMCModel:
    """Return nutpie's model: of a draw it keeps the position alone."""
    posterior = compiled.posterior(data)
    n = compiled.dimensions
    return CompiledPyMCModel(
        dims={},
        compiled_logp_func=posterior.callback,
        compiled_expand_func=copy_callback(),
        initial_point_func=lambda _: np.zeros(n),
        shared_data=dict(enumerate(posterior.arrays)),  # which lie at the addresses in user_data
        shared_var_keys={},
        user_data=posterior.data,
        n_expanded=n,
        shape_info=([POSITION], [slice(0, n)], [(n,)]),
        logp_func=None,
        expand_func=None,
        _n_dim=n,
        _shapes={POSITION: (n,)},
        _coords={},
    )


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
    statistics["restart"] = np.full(statistics["diverging"].shape, -1)
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
