"""Whether ranks are uniform: what simulation-based calibration is judged by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Calibration", "Ranks"]

DRAWS = 99
"""Draws of each posterior that a true value is ranked among: few enough to be independent."""

SIMULATIONS = 10_000
"""Sets of uniform ranks that a set of ranks is compared with."""


class Ranks(NamedTuple):
    """What one simulated curve taught: the rank of each quantity, and how the fit went.

    Parameters
    ----------
    ranks : mapping of str to int
        How many of the draws lie below the true value, by quantity.
    status : str
        ``name`` of the fit's status.
    """

    ranks: Mapping[str, int]
    status: str


@dataclass(frozen=True, eq=False)
class Calibration:
    """Ranks of the truth over many simulated curves, and whether they are uniform.

    Parameters
    ----------
    name : str
        What was calibrated, such as the name of a law.
    ranks : mapping of str to ndarray, shape (n_curves,)
        Rank of the truth among the draws, by quantity: 0 to `draws`.
    statuses : tuple of str
        ``name`` of the status of every fit.
    draws : int, default 99
        How many draws the truth was ranked among.

    Examples
    --------
    >>> ranks = np.random.default_rng(1).integers(100, size=(2, 200))
    >>> calibration = Calibration(
    ...     "an example", {"right": ranks[0], "too high": ranks[1] // 2}, ("converged",) * 200
    ... )
    >>> calibration
    <Calibration of an example: 200 curves, 100% of fits converged, not uniform: too high>
    """

    name: str
    ranks: Mapping[str, NDArray[np.int64]]
    statuses: tuple[str, ...]
    draws: int = DRAWS

    @classmethod
    def of(cls, name: str, results: Iterable[Ranks], *, draws: int = DRAWS) -> Calibration:
        """Gather the ranks of many simulated curves.

        Parameters
        ----------
        name : str
            What was calibrated.
        results : iterable of Ranks
            One for each simulated curve.
        draws : int, default 99
            How many draws the truth was ranked among.

        Returns
        -------
        Calibration
            All of them.

        Raises
        ------
        ValueError
            If there is none.

        Examples
        --------
        >>> results = [Ranks({"a": rank}, "converged") for rank in (3, 50, 98)]
        >>> Calibration.of("an example", results).ranks["a"]
        array([ 3, 50, 98])
        """
        rows = list(results)
        if not rows:
            raise ValueError("results is empty: there is no simulated curve to judge by.")
        ranks = {key: np.array([row.ranks[key] for row in rows]) for key in rows[0].ranks}
        return cls(name, ranks, tuple(row.status for row in rows), draws)

    @property
    def converged(self) -> float:
        """Share of the fits that converged."""
        return float(np.mean([status == "converged" for status in self.statuses]))

    def band(self, *, prob: float = 0.99) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return where the distribution function of uniform ranks lies as a whole.

        Parameters
        ----------
        prob : float, default 0.99
            Probability that it stays inside everywhere.

        Returns
        -------
        lower, upper : ndarray, shape (draws,)
            Smallest and largest share of curves whose rank is at most 0, 1, ..., draws - 1.

        References
        ----------
        Säilynoja, Bürkner, Vehtari, "Graphical test for discrete uniformity and its applications
        in goodness-of-fit evaluation and multiple sample comparison", 2022.

        Examples
        --------
        >>> lower, upper = Calibration("an example", {}, ("converged",) * 100).band(prob=0.9)
        >>> lower.shape, bool((lower <= upper).all())
        ((99,), True)
        """
        n_curves = len(self.statuses)
        inside = self._p_values(_tails(n_curves, self.draws)) >= 1 - prob
        counts = np.arange(n_curves + 1)[:, None]
        lower = np.where(inside, counts, n_curves).min(axis=0)
        upper = np.where(inside, counts, 0).max(axis=0)
        return lower / n_curves, upper / n_curves

    def distribution(self, quantity: str) -> NDArray[np.float64]:
        """Return the distribution function of the ranks of a quantity.

        Parameters
        ----------
        quantity : str
            One of `ranks`.

        Returns
        -------
        ndarray, shape (draws,)
            Share of curves whose rank is at most 0, 1, ..., draws - 1.
        """
        counts = np.bincount(self.ranks[quantity], minlength=self.draws + 1)
        return counts.cumsum()[:-1] / len(self.statuses)

    def p_value(self, quantity: str) -> float:
        """Return how often uniform ranks would stray as far as those of a quantity.

        Parameters
        ----------
        quantity : str
            One of `ranks`.

        Returns
        -------
        float
            Below ``1 - prob`` where the distribution function leaves ``band(prob=prob)``.

        Examples
        --------
        >>> same = Calibration("an example", {"a": np.full(50, 40)}, ("converged",) * 50)
        >>> same.p_value("a") < 0.001
        True
        """
        n_curves = len(self.statuses)
        counts = (self.distribution(quantity) * n_curves).round().astype(int)
        smallest = _tails(n_curves, self.draws)[counts, np.arange(self.draws)].min()
        return float(self._p_values(smallest))

    def _p_values(self, tails: Any) -> Any:
        """Return how often the smallest tail probability of uniform ranks is as small as these."""
        simulated = _smallest_tails(len(self.statuses), self.draws)
        return (1 + np.searchsorted(simulated, tails, side="right")) / (1 + simulated.size)

    def table(self, *, prob: float = 0.99) -> pd.DataFrame:
        """Return a verdict on each quantity.

        Parameters
        ----------
        prob : float, default 0.99
            Probability of the simultaneous band that uniform ranks stay inside.

        Returns
        -------
        pandas.DataFrame
            One row a quantity: ``mean_rank`` as a fraction (0.5 if the posterior is not
            shifted), ``spread``: standard deviation of the ranks over that of uniform ones
            (above 1 if the posterior is too narrow), ``p_value``, and whether the ranks are
            ``uniform``.
        """
        import pandas as pd

        uniform_sd = np.sqrt(((self.draws + 1) ** 2 - 1) / 12)
        rows = {
            name: {
                "mean_rank": ranks.mean() / self.draws,
                "spread": ranks.std() / uniform_sd,
                "p_value": self.p_value(name),
                "uniform": self.p_value(name) >= 1 - prob,
            }
            for name, ranks in self.ranks.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index")

    def __repr__(self) -> str:
        astray = [name for name in self.ranks if self.p_value(name) < 0.01]
        verdict = f"not uniform: {', '.join(astray)}" if astray else "all ranks uniform"
        return (
            f"<Calibration of {self.name}: {len(self.statuses)} curves, {self.converged:.0%} of "
            f"fits converged, {verdict}>"
        )


def _tails(n_curves: int, draws: int) -> NDArray[np.float64]:
    """Return the smaller tail probability of each count of ranks up to 0, 1, ..., draws - 1."""
    share = np.arange(1, draws + 1) / (draws + 1)
    counts = np.arange(n_curves + 1)[:, None]
    return np.minimum(binom.cdf(counts, n_curves, share), binom.sf(counts - 1, n_curves, share))


@lru_cache(maxsize=16)
def _smallest_tails(n_curves: int, draws: int) -> NDArray[np.float64]:
    """Return the smallest tail probability of uniform ranks in many simulations, sorted."""
    generator = np.random.default_rng(0)
    table = _tails(n_curves, draws)
    at = np.arange(draws)
    smallest = np.empty(SIMULATIONS)
    for i in range(SIMULATIONS):
        ranks = generator.integers(draws + 1, size=n_curves)
        counts = np.bincount(ranks, minlength=draws + 1).cumsum()[:-1]
        smallest[i] = table[counts, at].min()
    return np.sort(smallest)
