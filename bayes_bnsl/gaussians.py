"""Mixtures of many Gaussians: maps of a posterior, fitted to draws by expectation-maximization.

The log of a Gaussian is linear in the products of coordinates: so the densities of all components
at a block of positions are one product of matrices, and the moments that each component takes from
the block are another.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.cluster.vq import kmeans2

from bayes_bnsl.optimum import Vector

__all__ = ["Gaussians"]

COMPONENTS = 4
"""Most components for each dimension; ridges bend, and each piece wants its own."""

DRAWS = 10
"""Least draws of a component for each dimension."""

BLOCK = 1000
"""Positions that are worked on at once: their products fit into the cache of a core."""

ROUNDS = 10
"""Of expectation-maximization: what more of them gain is fitted to these draws, not others."""

LEAST_VARIANCE = 1e-6
"""Added to the variance within a component, where that of all draws is 1."""


@dataclass(frozen=True)
class Gaussians:
    """A mixture of Gaussians."""

    weights: Vector
    """Shares of the components, shape (k,)."""
    means: Vector
    """Shape (k, n_dimensions)."""
    covariances: Vector
    """Shape (k, n_dimensions, n_dimensions)."""

    @classmethod
    def fitted(
        cls,
        draws: Vector,
        generator: np.random.Generator,
        *,
        most: int | None = None,
    ) -> Gaussians:
        """Fit by expectation-maximization, begun by k-means.

        Parameters
        ----------
        draws : ndarray, shape (n, n_dimensions)
            With mean 0 and standard deviation 1.
        generator : numpy.random.Generator
            Where the randomness comes from.
        most : int, optional
            Most components.

        Returns
        -------
        Gaussians
            The mixture: the more draws, the more components.
        """
        n, dimensions = draws.shape
        most = COMPONENTS * dimensions if most is None else most
        k = int(np.clip(n // (DRAWS * dimensions), 1, most))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a component without draws does no harm
            labels = kmeans2(draws, k, iter=5, minit="++", rng=generator)[1]
        mixture = cls._of_moments(np.eye(k)[labels].T @ _products(draws), dimensions)
        for _ in range(ROUNDS):
            moments = np.sum([mixture._moments(block) for block in _blocks(draws)], axis=0)
            mixture = cls._of_moments(moments, dimensions)
        return mixture

    @classmethod
    def _of_moments(cls, moments: Vector, dimensions: int) -> Gaussians:
        """Return the mixture whose components have these sums of products."""
        counts = moments[:, -1] + 1e-10
        means = moments[:, -1 - dimensions : -1] / counts[:, None]
        squares = np.zeros((len(counts), dimensions, dimensions))
        rows, columns = np.triu_indices(dimensions)
        squares[:, rows, columns] = squares[:, columns, rows] = (
            moments[:, : len(rows)] / counts[:, None]
        )
        covariances = squares - means[:, :, None] * means[:, None, :]
        covariances += LEAST_VARIANCE * np.eye(dimensions)
        return cls(counts / counts.sum(), means, covariances)

    def moved(self, centre: Vector, size: Vector) -> Gaussians:
        """Return the mixture of ``centre + size * draw``.

        Parameters
        ----------
        centre, size : ndarray, shape (n_dimensions,)
            Where its draws are moved to, and by how much they are stretched before.
        """
        covariances = self.covariances * size[:, None] * size
        return Gaussians(self.weights, centre + size * self.means, covariances)

    @cached_property
    def factors(self) -> Vector:
        """Lower Cholesky factors of the covariances, shape (k, n_dimensions, n_dimensions)."""
        return np.linalg.cholesky(self.covariances)

    @cached_property
    def centre(self) -> Vector:
        """The mean: products are those of distances from it, or else digits would cancel."""
        return self.weights @ self.means

    @cached_property
    def coefficients(self) -> Vector:
        """Of the products of distances from the centre in the log density of each component.

        One row a component. Products of two come first, by rows of the upper triangle of a matrix;
        then the distances, then 1.
        """
        dimensions, means = self.means.shape[1], self.means - self.centre
        rows, columns = np.triu_indices(dimensions)
        precisions = np.linalg.inv(self.covariances)
        linear = np.einsum("kij,kj->ki", precisions, means)
        constant = np.log(self.weights) - 0.5 * (
            np.einsum("ki,ki->k", linear, means)
            + np.linalg.slogdet(self.covariances)[1]
            + dimensions * np.log(2 * np.pi)
        )
        quadratic = precisions[:, rows, columns] * np.where(rows == columns, -0.5, -1.0)
        return np.column_stack([quadratic, linear, constant])

    def _members(self, block: Vector) -> tuple[Vector, Vector]:
        """Return the share of each component in the density, and the log density."""
        logs = _products(block - self.centre) @ self.coefficients.T
        top = logs.max(axis=1, keepdims=True)
        shares = np.exp(logs - top)
        total = shares.sum(axis=1, keepdims=True)
        return shares / total, (top + np.log(total))[:, 0]

    def _moments(self, block: Vector) -> Vector:
        """Return the sums of products that each component takes from a block, shape (k, ...)."""
        return self._members(block)[0].T @ _products(block)

    def log_density(self, positions: Vector) -> Vector:
        """Return the log density at positions of shape (n, n_dimensions), shape (n,)."""
        return np.concatenate([self._members(block)[1] for block in _blocks(positions)])

    def draw(self, n: int, generator: np.random.Generator) -> Vector:
        """Draw n positions, in no order, shape (n, n_dimensions)."""
        component = generator.choice(len(self.weights), size=n, p=self.weights)
        standard = generator.standard_normal((n, self.means.shape[1]))
        return self.means[component] + np.einsum("nij,nj->ni", self.factors[component], standard)


def _products(positions: Vector) -> Vector:
    """Return the products of two coordinates, the coordinates and 1 along the last axis."""
    rows, columns = np.triu_indices(positions.shape[1])
    ones = np.ones((len(positions), 1))
    return np.hstack([positions[:, rows] * positions[:, columns], positions, ones])


def _blocks(positions: Vector) -> list[Vector]:
    return [positions[first : first + BLOCK] for first in range(0, len(positions), BLOCK)]
