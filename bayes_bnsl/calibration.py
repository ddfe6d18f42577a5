"""Simulation-based calibration: whether posteriors are what Bayes' rule says they should be.

Parameters are drawn from the prior, a curve is simulated with them, and the curve is fitted. If
prior, model and sampler belong together, the rank of each true value among the draws of its
posterior is uniform over many repetitions (Talts et al. 2018). Ranks of the log likelihood are
taken too: those of parameters alone cannot tell the posterior from the prior (Modrák et al. 2023).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom

from bayes_bnsl import priors as defaults
from bayes_bnsl.columns import checked_integer, checked_numbers
from bayes_bnsl.curve import Curve
from bayes_bnsl.errors import NotConvergedWarning
from bayes_bnsl.law import Law
from bayes_bnsl.noise import LogNormal, Noise
from bayes_bnsl.priors import Scale
from bayes_bnsl.result import Fit
from bayes_bnsl.sampling import fit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Calibration", "Ranks", "calibrate", "draw_curve", "rank_truth"]

DRAWS = 99
"""Draws of each posterior that a true value is ranked among: few enough to be independent."""

SIMULATIONS = 10_000
"""Sets of uniform ranks that a set of ranks is compared with."""

X = np.geomspace(1.0, 1e3, 15)
"""Where curves are simulated unless said otherwise."""

Theta = Mapping[str, xr.DataArray]


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


def default_scale(x: ArrayLike) -> Scale:
    """Return the scale of a curve that falls by a factor of e over some x."""
    at = checked_numbers(x, "x")
    return Scale.of(Curve(np.unique(at), np.geomspace(1.0, np.exp(-1.0), np.unique(at).size)))


def draw_curve(
    law: Law,
    x: ArrayLike = X,
    *,
    scale: Scale | None = None,
    noise: Noise | None = None,
    seed: int | tuple[int, ...] | None = None,
) -> tuple[Curve, dict[str, xr.DataArray]]:
    """Draw parameters from the default priors, and a curve with those parameters.

    Parameters
    ----------
    law : Law
        The functional form.
    x : array_like, shape (n,)
        Where the points lie; 15 points over three decades by default.
    scale : Scale, optional
        What the priors take from a curve; by default that of a curve which falls by a factor
        of e over `x`.
    noise : Noise, default LogNormal()
        How y scatters about the curve.
    seed : int or tuple of int, optional
        Makes the draw repeatable.

    Returns
    -------
    curve : Curve
        The points.
    theta : dict of str to DataArray
        The parameters that made them, by the letters of the law, with dimension ``brk`` where
        there is one value a break.

    Raises
    ------
    ValueError
        If the law has no default priors, or y is too large or small for a float.

    Examples
    --------
    >>> from bayes_bnsl import BNSL
    >>> curve, theta = draw_curve(BNSL(1), [1, 10, 100, 1000], seed=3)
    >>> len(curve), sorted(theta)
    (4, ['a', 'b', 'c', 'c0', 'd', 'f', 'log_b', 'log_d', 'sigma'])
    """
    if not law.line:
        raise ValueError(f"{law.name} has no default priors, so nothing can be drawn from them.")
    noise = LogNormal() if noise is None else noise
    scale = default_scale(x) if scale is None else scale
    at = np.sort(checked_numbers(x, "x"))
    generator = np.random.default_rng(seed)

    def coordinate(_: str, *, per_break: bool = False) -> Any:
        return generator.standard_normal(law.n_breaks if per_break else ())

    drawn = defaults.parameters(law, scale, {}, coordinate)
    drawn |= defaults.noise_parameters(noise, scale, {}, coordinate)
    theta = {
        name: xr.DataArray(value, dims="brk" if np.ndim(value) else ())
        for name, value in drawn.items()
    }
    for name in (*law.parameters, *noise.parameters):
        if name not in theta:
            with np.errstate(over="ignore", under="ignore"):  # why the logarithm is beside it
                theta[name] = xr.apply_ufunc(np.exp, theta[f"log_{name}"])
    log_mu = law.log_mu(np.log(at), {name: value.values for name, value in theta.items()})
    log_y = noise.draw(generator, log_mu, noise.scale(drawn))
    with np.errstate(over="ignore", under="ignore"):  # the curve says which points are no numbers
        return Curve(at, np.exp(log_y), name=f"from the prior of {law.name}"), theta


def rank_truth(fitted: Fit, theta: Theta, *, draws: int = DRAWS) -> dict[str, int]:
    """Rank what a curve was simulated with among the draws of its fit.

    Parameters
    ----------
    fitted : Fit
        The fit of the simulated curve.
    theta : mapping of str to DataArray
        The true parameters, as `draw_curve` returns them.
    draws : int, default 99
        How many of the draws to take, evenly spaced. With so few they are nearly independent,
        as ranks must be to be uniform.

    Returns
    -------
    dict of str to int
        How many of the draws lie below the truth: for every parameter, for log mu at the last
        x and at ten times the last x, and for the log likelihood.
    """
    posterior = fitted.posterior.stack(  # noqa: PD013 (no pandas object)
        sample=("chain", "draw"), create_index=False
    )
    taken = np.linspace(0, posterior.sizes["sample"] - 1, draws).round().astype(int)
    thinned = {str(name): array for name, array in posterior.isel(sample=taken).data_vars.items()}
    true, drawn = (_quantities(fitted, values) for values in (theta, thinned))
    return {name: int((drawn[name] < true[name]).sum()) for name in true}


def _quantities(fitted: Fit, theta: Theta) -> dict[str, xr.DataArray]:
    """Return everything that is ranked, of the truth or of draws."""
    law, noise, curve = fitted.law, fitted.noise, fitted.curve
    found: dict[str, xr.DataArray] = {}
    for name in (*law.parameters, *noise.parameters):
        logged = f"log_{name}"
        value = theta[logged if logged in law.line else name]  # the same ranks, no overflow
        if law.has_break(name):
            found |= {f"{name}{i + 1}": value.isel(brk=i) for i in range(law.n_breaks)}
        else:
            found[name] = value
    last = curve.log_x[-1]
    found["log mu at last x"] = law.log_mu(last, theta)
    found["log mu at 10x"] = law.log_mu(last + np.log(10), theta)
    x, y = (xr.DataArray(values, dims="obs_id") for values in (curve.log_x, curve.y))
    density = noise.log_density(y, law.log_mu(x, theta), noise.scale(theta))
    return found | {"log likelihood": density.sum("obs_id")}


def quantity_names(law: Law, noise: Noise | None = None) -> list[str]:
    """List what `rank_truth` ranks, breaks counted, as in ``c1``."""
    names = [
        [f"{name}{i + 1}" for i in range(law.n_breaks)] if law.has_break(name) else [name]
        for name in (*law.parameters, *(noise or LogNormal()).parameters)
    ]
    return [*chain.from_iterable(names), "log mu at last x", "log mu at 10x", "log likelihood"]


def calibrate(
    law: Law,
    x: ArrayLike = X,
    *,
    scale: Scale | None = None,
    noise: Noise | None = None,
    count: int = 100,
    seed: int = 0,
    **settings: Any,
) -> Calibration:
    """Simulate curves from the prior, fit them, and rank the truth among the draws.

    Every fit counts, converged or not: a fit that went wrong is part of what a user gets. The
    seed of a simulated curve is made of `seed` and its number, so that curves can be fitted in
    any order and in any number of processes.

    Parameters
    ----------
    law : Law
        The functional form.
    x : array_like, shape (n,)
        Where the points lie; 15 points over three decades by default.
    scale : Scale, optional
        What the priors take from a curve; the fits are given the same one. By default that of a
        curve which falls by a factor of e over `x`.
    noise : Noise, default LogNormal()
        How y scatters about the curve.
    count : int, default 100
        How many curves to simulate.
    seed : int, default 0
        Makes the result repeatable.
    **settings
        Further arguments of `fit`.

    Returns
    -------
    Calibration
        The ranks, and what they say.

    Raises
    ------
    ValueError
        If the law has no default priors or `count` is not positive.

    References
    ----------
    Talts, Betancourt, Simpson, Vehtari, Gelman, "Validating Bayesian Inference Algorithms with
    Simulation-Based Calibration", 2018. Modrák et al., "Simulation-Based Calibration Checking
    for Bayesian Computation: The Choice of Test Quantities Shapes Sensitivity", 2023.

    Examples
    --------
    >>> from bayes_bnsl import BNSL
    >>> result = calibrate(BNSL(0), count=3)
    >>> sorted(result.ranks)
    ['a', 'b', 'c0', 'log likelihood', 'log mu at 10x', 'log mu at last x', 'sigma']
    """
    if checked_integer(count, "count") < 1:
        raise ValueError(f"count must be at least 1; got {count}.")
    return Calibration.of(
        law.name,
        (
            calibrate_once(law, i, x, scale=scale, noise=noise, seed=seed, **settings)
            for i in range(count)
        ),
    )


def calibrate_once(
    law: Law,
    number: int,
    x: ArrayLike = X,
    *,
    scale: Scale | None = None,
    noise: Noise | None = None,
    seed: int = 0,
    **settings: Any,
) -> Ranks:
    """Simulate and fit the curve of one number; arguments as for :func:`calibrate`."""
    scale = default_scale(x) if scale is None else scale
    curve, theta = draw_curve(law, x, scale=scale, noise=noise, seed=(seed, number))
    settings = {"seed": number, "progress": False} | settings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConvergedWarning)  # the status is kept
        fitted = fit(curve, law, noise=noise, scale=scale, **settings)
    return Ranks(rank_truth(fitted, theta), fitted.status.name)


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
