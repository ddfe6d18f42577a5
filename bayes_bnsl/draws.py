"""From the sampler's coordinates to labelled draws of the parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import norm

from bayes_bnsl import defaults
from bayes_bnsl.curve import Curve
from bayes_bnsl.law import Law
from bayes_bnsl.noise import Noise, Points, log_density
from bayes_bnsl.priors import Prior, Scale
from bayes_bnsl.process import given_earlier, given_others
from bayes_bnsl.status import Status, diagnose

__all__ = ["Problem", "flattened"]

Draws = dict[str, NDArray[np.float64]]
"""Arrays of shape (chain, draw), or (chain, draw, brk), by name."""

MOST_DENSITIES = 40_000_000
"""Densities of a point at a draw that are kept: 4000 draws for 10,000 points, in 320 MB.

Of longer curves they are kept for every k-th draw, as the density of one point among so many hardly
differs from draw to draw.
"""

AT_ONCE = 1_000_000
"""Densities that are computed at once: each takes a dozen arrays of that size on the way."""


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

        They come from the function that defines the model (:func:`bayes_bnsl.defaults.parameters`),
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

    def diagnose(self, values: Draws, parameters: Draws, statistics: Draws) -> Status:
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
        return diagnose(
            quantities,
            divergences=int(statistics["diverging"].sum()),
            restarts=_restarts(statistics["restart"]),
            constant_y=bool(np.ptp(self.curve.y) == 0),
        )

    def log_likelihood(self, posterior: xr.Dataset) -> xr.DataArray:
        """Return the log density of each y given the parameters and all other points.

        Parameters
        ----------
        posterior : xarray.Dataset
            Draws of the parameters, dimensions (chain, draw).

        Returns
        -------
        DataArray, dimensions (chain, draw, obs_id)
            With independent noise the density of the point alone. With `Correlated` noise the
            others of its run say where it is expected: that is what leaving one out needs
            (Buerkner, Gabry and Vehtari, Computational Statistics 36, 2021), and their sum is
            not the joint log density. If all would be more than `MOST_DENSITIES`, it is that of
            every k-th draw; the coordinate ``draw`` says of which.
        """
        n_chains, n_draws = posterior.sizes["chain"], posterior.sizes["draw"]
        most = max(1, MOST_DENSITIES // (n_chains * len(self.curve)))
        step = -(-n_draws // most)
        kept = posterior.isel(draw=slice((n_draws - 1) % step, None, step))
        density = np.concatenate(list(self._densities(given_others, flattened(kept))))
        shape = (n_chains, kept.sizes["draw"], len(self.curve))
        labels = {name: kept[name] for name in ("chain", "draw")}
        return xr.DataArray(density.reshape(shape), labels, dims=("chain", "draw", "obs_id"))

    def joint_log_likelihood(self, theta: Mapping[str, xr.DataArray]) -> NDArray[np.float64]:
        """Return the log density of all y together, shape (sample,), for flattened draws."""
        return np.concatenate([each.sum(axis=1) for each in self._densities(given_earlier, theta)])

    def _densities(
        self, given: Callable[..., Any], theta: Mapping[str, xr.DataArray]
    ) -> Iterator[NDArray[np.float64]]:
        """Yield the log density of each y given what is expected of it, (sample, n_points).

        It comes in parts, some samples at a time: all at once a long curve would fill the memory.
        """
        at_once = max(1, AT_ONCE // len(self.curve))
        for start in range(0, next(iter(theta.values())).sizes["sample"], at_once):
            some = slice(start, start + at_once)
            part = {name: draws.isel(sample=some) for name, draws in theta.items()}
            yield self._density(given, part)

    def _density(
        self, given: Callable[..., Any], theta: Mapping[str, xr.DataArray]
    ) -> NDArray[np.float64]:
        log_mu, points = self.points(theta)
        location, scale = np.empty_like(log_mu), np.empty_like(log_mu)
        of_noise = {name: theta[name].values for name in self.noise.parameters}
        for members in self.runs().values():
            some = points.of(members)
            location[:, members], scale[:, members] = self.noise.expected(given, of_noise, some)
        nu = of_noise["nu"][:, None] if "nu" in of_noise else None
        density = np.asarray(log_density(self.curve.y, log_mu + location, scale, nu))
        bound = self.noise.bounds(self.curve)
        if bound is None:
            return density
        standard = (points.residual - location) / scale
        return np.where(bound == 0, density, norm.logsf(bound * standard))

    def points(self, theta: Mapping[str, xr.DataArray]) -> tuple[NDArray[np.float64], Points]:
        """Return log mu at each point, shape (sample, n_points), and the points about it."""
        curve = self.curve
        log_x = xr.DataArray(curve.log_x, dims="obs_id")
        log_mu = self.law.log_mu(log_x, theta)
        log_se = None
        if curve.y_se is not None:
            log_se = xr.DataArray(curve.y_se / curve.y, dims="obs_id")
        scale = self.noise.scale(theta, log_se, place=self.scale.place(log_x))
        log_mu, scale = (
            each.transpose("sample", "obs_id").values for each in xr.broadcast(log_mu, scale)
        )
        return log_mu, Points(curve.log_x, curve.log_y - log_mu, scale)

    def runs(self) -> dict[str | int | None, NDArray[np.int64]]:
        """Return which points belong to each run; without labels all are of one, `None`."""
        index = self.curve.run_index
        if index is None:
            return {None: np.arange(len(self.curve))}
        return {label: np.flatnonzero(index == i) for i, label in enumerate(self.curve.runs)}

    def modes(self, values: Draws, log_density: NDArray[np.float64]) -> xr.Dataset:
        """Return the parameters at the modes, dimension ``mode``, with their log density."""
        table = self._dataset(self.parameters(values)).isel(chain=0, drop=True)
        table = table.rename(draw="mode").assign(log_density=("mode", log_density))
        return table.assign_coords(mode=np.arange(len(log_density)))

    def tree(
        self, values: Draws, parameters: Draws, stats: Draws, modes: xr.Dataset
    ) -> xr.DataTree:
        """Return everything as a tree that ArviZ understands."""
        posterior = self._dataset(parameters)
        x = xr.DataArray(self.curve.x, dims="obs_id")
        y = xr.DataArray(self.curve.y, dims="obs_id")
        constant = {"x": x}
        if self.curve.y_se is not None:
            constant["y_se"] = xr.DataArray(self.curve.y_se, dims="obs_id")
        if self.curve.run is not None:
            constant["run"] = xr.DataArray(np.asarray(self.curve.run.tolist()), dims="obs_id")
        points = {"obs_id": np.arange(len(self.curve))}
        groups = {
            "posterior": posterior,
            "coordinates": self._dataset(values),
            "sample_stats": self._dataset(stats),
            "log_likelihood": xr.Dataset({"y": self.log_likelihood(posterior)}, coords=points),
            "observed_data": xr.Dataset({"y": y}, coords=points),
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


def _restarts(numbers: NDArray[Any]) -> int | None:
    """Return how many fresh starts of tempered chains arrived; None for chains of NUTS.

    ``numbers`` says which draw of the map each draw descends from, -1 for those from before.
    """
    counts = [len(np.unique(chain[chain >= 0])) for chain in numbers]
    return sum(counts) if np.any(numbers >= 0) else None


def flattened(posterior: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return draws by name, with chains and draws in one dimension, ``sample``."""
    stacked = posterior.stack(sample=("chain", "draw"), create_index=False)
    stacked = stacked.drop_vars(["chain", "draw"], errors="ignore")
    return {str(name): draws for name, draws in stacked.data_vars.items()}
