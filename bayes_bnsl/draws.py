"""From the sampler's coordinates to labelled draws of the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayes_bnsl import priors as defaults
from bayes_bnsl.curve import Curve
from bayes_bnsl.law import Law
from bayes_bnsl.noise import Noise
from bayes_bnsl.priors import Prior, Scale
from bayes_bnsl.status import Status, diagnose

__all__ = ["Problem"]

Draws = dict[str, NDArray[np.float64]]
"""Arrays of shape (chain, draw), or (chain, draw, brk), by name."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What is fitted to what: all that turns coordinates into parameters."""

    curve: Curve
    law: Law
    noise: Noise
    priors: Mapping[str, Any]
    scale: Scale

    def parameters(self, values: Draws) -> Draws:
        """Return the parameters of the law and the noise for draws of the free variables.

        They come from the function that defines the model (:func:`bayes_bnsl.priors.parameters`),
        here with NumPy.
        """
        given = {
            name: values[name] if isinstance(prior, Prior) else prior
            for name, prior in self.priors.items()
        }

        def coordinate(name: str, *, per_break: bool = False) -> Any:
            return values[f"z_{name}"]

        of_noise = {name: given.pop(name) for name in self.noise.parameters if name in given}
        theta = defaults.parameters(self.law, self.scale, given, coordinate)
        theta |= defaults.noise_parameters(self.noise, self.scale, of_noise, coordinate)
        shape = next(iter(values.values())).shape[:2]
        for name, value in theta.items():
            if isinstance(value, list):  # one entry a break
                entries = [np.broadcast_to(entry, shape) for entry in value]
                theta[name] = np.stack(entries, axis=-1)
        return {name: self._filled(name, theta, shape) for name in self.names}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, with the logarithm of the one that can overflow."""
        logged = tuple(name for name in self.law.line if name.startswith("log_"))
        return (*self.law.parameters, *logged, *self.noise.parameters)

    def _filled(self, name: str, theta: Mapping[str, Any], shape: tuple[int, ...]) -> Any:
        """Return one parameter in full shape, from its logarithm or by it where need be."""
        if name in theta:
            value = theta[name]
        elif name.startswith("log_"):
            value = np.log(theta[name.removeprefix("log_")])
        else:
            with np.errstate(over="ignore"):  # why the logarithm is kept beside it
                value = np.exp(theta[f"log_{name}"])
        if self.law.has_break(name):
            shape = (*shape, self.law.n_breaks)
        return np.broadcast_to(value, shape)

    def diagnose(self, values: Draws, parameters: Draws, divergences: int) -> Status:
        """Judge draws: free variables, parameters, and log mu at the ends and at 10x beyond."""
        quantities: Draws = {}
        for name, array in (values | parameters).items():
            if name.startswith("log_") and name.removeprefix("log_") in parameters:
                continue
            array = parameters.get(f"log_{name}", array)  # the same ranks, without overflow
            label = f"coordinate {name}" if name.startswith("z_") else name
            if array.ndim == 2:
                quantities[label] = array
            else:
                for i in range(array.shape[2]):
                    quantities[f"{label}{i + 1}"] = array[..., i]
        first, last = self.curve.log_x[[0, -1]]
        for label, at in (("first x", first), ("last x", last), ("10x", last + np.log(10))):
            quantities[f"log mu at {label}"] = self.law.log_mu(at, parameters)
        constant_y = np.ptp(self.curve.y) == 0
        return diagnose(quantities, divergences, constant_y=bool(constant_y))

    def log_likelihood(self, parameters: Draws) -> xr.DataArray:
        """Return the log density of each y, dimensions (chain, draw, obs_id)."""
        # without coordinates, which xarray would align at every step of the formula
        posterior = self._dataset(parameters).drop_vars(["chain", "draw", "brk"], errors="ignore")
        theta: dict[str, Any] = {str(name): draws for name, draws in posterior.data_vars.items()}
        log_x, y = (xr.DataArray(v, dims="obs_id") for v in (self.curve.log_x, self.curve.y))
        known = self.curve.y_se
        log_se = None if known is None else xr.DataArray(known, dims="obs_id") / y
        log_density = self.noise.log_density(
            y, self.law.log_mu(log_x, theta), self.noise.scale(theta, log_se)
        )
        return log_density.transpose("chain", "draw", "obs_id")

    def modes(self, values: Draws, log_density: NDArray[np.float64]) -> xr.Dataset:
        """Return the parameters at the modes, dimension ``mode``, with their log density."""
        table = self._dataset(self.parameters(values)).isel(chain=0, drop=True)
        table = table.rename(draw="mode").assign(log_density=("mode", log_density))
        return table.assign_coords(mode=np.arange(len(log_density)))

    def tree(
        self, values: Draws, parameters: Draws, stats: Draws, modes: xr.Dataset
    ) -> xr.DataTree:
        """Return everything as a tree that ArviZ understands."""
        constant = {"x": xr.DataArray(self.curve.x, dims="obs_id")}
        if self.curve.y_se is not None:
            constant["y_se"] = xr.DataArray(self.curve.y_se, dims="obs_id")
        if self.curve.run is not None:
            constant["run"] = xr.DataArray(np.asarray(self.curve.run.tolist()), dims="obs_id")
        points = {"obs_id": np.arange(len(self.curve))}
        groups = {
            "posterior": self._dataset(parameters),
            "coordinates": self._dataset(values),
            "sample_stats": self._dataset(stats),
            "log_likelihood": xr.Dataset({"y": self.log_likelihood(parameters)}, coords=points),
            "observed_data": xr.Dataset({"y": ("obs_id", self.curve.y)}, coords=points),
            "constant_data": xr.Dataset(constant, coords=points),
            "modes": modes,
        }
        for name in ("posterior", "coordinates", "sample_stats", "log_likelihood"):
            groups[name] = groups[name].assign_attrs(sample_dims=["chain", "draw"])
        return xr.DataTree.from_dict(groups)

    def _dataset(self, arrays: Draws) -> xr.Dataset:
        dims = ("chain", "draw", "brk")
        chains, draws = next(iter(arrays.values())).shape[:2]
        coords: dict[str, Any] = {"chain": np.arange(chains), "draw": np.arange(draws)}
        if any(array.ndim == 3 for array in arrays.values()):
            coords["brk"] = np.arange(1, self.law.n_breaks + 1)
        return xr.Dataset(
            {name: (dims[: array.ndim], array) for name, array in arrays.items()}, coords=coords
        )
