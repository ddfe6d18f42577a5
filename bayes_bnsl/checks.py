"""Whether the points look like what the fit says they are: posterior checks, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from arviz_stats.base import array_stats
from numpy.typing import NDArray
from scipy.stats import kstest, norm
from scipy.stats import t as student_t

from bayes_bnsl.cards import card, scatter
from bayes_bnsl.curve import Curve
from bayes_bnsl.density import with_densities
from bayes_bnsl.draws import Problem, flattened
from bayes_bnsl.laws import BNSL
from bayes_bnsl.noise import Points
from bayes_bnsl.noises import BestSoFar, Correlated, StudentT
from bayes_bnsl.process import given_others
from bayes_bnsl.replicates import new_points
from bayes_bnsl.result import Fit

__all__ = ["Checks", "check"]

type Residuals = NDArray[np.float64]
"""Residuals in units of the noise, shape (n_draws, n_points)."""

SUSPICIOUS = 0.05
"""Probability below which a check speaks up."""

MOST_DRAWS = 4000
"""Draws that are compared with replicated points; more make no p-value clearer."""


@dataclass(frozen=True, eq=False, repr=False)
class Checks:
    """What posterior checks say of a fit; ``print(checks)`` for the sentences.

    Parameters
    ----------
    curve : Curve
        The points.
    table : pandas.DataFrame
        One row for each check: ``p`` and ``sentence``.
    pit : xarray.DataArray
        LOO-PIT value of each point: the probability, given all others, of a y below the one
        that was measured. They are uniform if the fit is right. Coordinates ``x`` and
        ``pareto_k``; where the latter is above 0.7 a value is rough.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> checks = bb.check(fit)
    >>> checks.ok, list(checks.table.index)
    (True, ['autocorrelation', 'curvature', 'outliers', 'steadiness', 'loo_pit'])
    """

    curve: Curve
    table: pd.DataFrame
    pit: xr.DataArray

    @property
    def ok(self) -> bool:
        """Whether no check found anything."""
        return bool((self.table["p"] >= SUSPICIOUS).all())

    def __str__(self) -> str:
        found = self.table.loc[self.table["p"] < SUSPICIOUS, "sentence"]
        return "\n".join(found) or "Nothing found: the points look like what the fit says they are."

    def __repr__(self) -> str:
        return f"<Checks of a fit to {self.curve.name!r}>\n{self}"

    def _repr_html_(self) -> str:
        rows = [(str(name), f"{row['p']:.3f}") for name, row in self.table.iterrows()]
        caption = "LOO-PIT values along log x"
        return card(
            f"Posterior checks of a fit to {self.curve.name}",
            rows,
            scatter(self.curve.log_x, self.pit, caption=caption),
            lines=str(self).splitlines(),
            header=("", "p"),
        )


def check(fit: Fit, *, seed: int = 0) -> Checks:
    """Check a fit against points replicated from it.

    The residuals of the points, in units of the noise, are compared with those of points that
    the fit itself would make, draw by draw. A small p-value says that the points do something
    that the fit does not.

    Parameters
    ----------
    fit : Fit
        The fitted law.
    seed : int, default 0
        Seed of the replicated points.

    Returns
    -------
    Checks
        ``autocorrelation``: are neighbouring residuals of a run alike; ``curvature``: do the
        residuals bend along x; ``outliers``: is the largest residual far larger than the others;
        ``steadiness``: does y turn back from point to point as often as such a scatter makes it, or
        less often, as the best values so far and smoothed values do (with `BestSoFar`: does it stay
        where it was as often); ``loo_pit``: do the points scatter as widely as foreseen from one
        another.

    Raises
    ------
    TypeError
        If `fit` is no Fit.

    References
    ----------
    Gelman, Meng, Stern, "Posterior predictive assessment of model fitness via realized
    discrepancies", Statistica Sinica 6, 1996. Vehtari, Gelman, Gabry, Statistics and Computing
    27, 2017, for LOO-PIT.

    Examples
    --------
    >>> from bayes_bnsl import M1, Curve, fit
    >>> x = np.geomspace(10, 1e4, 30)
    >>> wave = Curve(x, 3 * x**-0.3 * np.exp(0.05 * np.sin(3 * np.log(x))))
    >>> print(check(fit(wave, M1(), priors={"sigma": 0.02}, seed=1, progress=False)))
    Residuals of neighbouring points are alike (p = 0.000): ...
    """
    if not isinstance(fit, Fit):
        raise TypeError(f"fit must be the result of bayes_bnsl.fit; got {fit!r}.")
    fit = with_densities(fit)
    points, log_y = new_points(fit, _some_draws(fit), np.random.default_rng(seed))
    seen, replicated = _in_units_of_noise(fit, points, log_y)
    stays = isinstance(fit.noise, BestSoFar)  # then nothing turns back
    turns = int(turning_back(fit.curve, fit.curve.log_y[None], stays=stays)[0])
    turns_replicated = turning_back(fit.curve, log_y, stays=stays)
    pit = loo_pit(fit, seed=seed)
    p_values = {
        name: float(np.mean(statistic(fit.curve, replicated) >= statistic(fit.curve, seen)))
        for name, statistic in STATISTICS.items()
    }
    p_values["steadiness"] = float(np.mean(turns_replicated <= turns))
    p_values["loo_pit"] = float(kstest(pit.values, "uniform").pvalue)
    found = {
        "misfit": p_values["curvature"] < SUSPICIOUS,
        "x": fit.curve.x[np.argmax(np.median(np.abs(seen), axis=0))],
        "turns": turns,
        "expected": np.median(turns_replicated),
        "wide": float(np.mean(np.abs(pit.values - 0.5))) > 0.25,  # what uniform values have
    }
    sentences = {name: _sentence(name, p, fit, **found) for name, p in p_values.items()}
    table = pd.DataFrame({"p": p_values, "sentence": sentences}).rename_axis("check")
    return Checks(fit.curve, table, pit)


def loo_pit(fit: Fit, *, seed: int = 0) -> xr.DataArray:
    """Return the LOO-PIT value of each point, by importance sampling of the draws.

    Of a point that is a bound alone it is drawn at random among those of the values there can be.
    """
    problem = Problem(fit.curve, fit.law, fit.noise, fit.priors, fit.scale)
    theta = flattened(fit.posterior)
    of_noise = {name: theta[name].values for name in fit.noise.parameters}
    _, points = problem.points(theta)
    below = np.empty_like(points.residual)
    for members in problem.runs().values():
        location, scale = fit.noise.expected(given_others, of_noise, points.of(members))
        standard = (points.residual[:, members] - location) / scale
        if isinstance(fit.noise, StudentT):
            below[:, members] = student_t.cdf(standard, of_noise["nu"][:, None])
        else:
            below[:, members] = norm.cdf(standard)
    bound = fit.noise.bounds(fit.curve)
    if bound is not None:  # any value beyond the bound is as good
        share = np.random.default_rng(seed).random(len(fit.curve))
        beyond = np.where(bound > 0, below + share * (1 - below), share * below)
        below = np.where(bound == 0, below, beyond)
    each = fit.data["log_likelihood"].to_dataset()["y"].values.reshape(len(below), -1)
    log_weights, k = array_stats.psislw(each.T)
    pit = np.clip(np.sum(np.exp(log_weights) * below.T, axis=1), 0.0, 1.0)
    coords = {"x": ("obs_id", fit.curve.x), "pareto_k": ("obs_id", np.asarray(k))}
    return xr.DataArray(pit, dims="obs_id", coords=coords, name="pit")


def residuals(fit: Fit, generator: np.random.Generator) -> tuple[Residuals, Residuals]:
    """Return residuals of the points and of replicated points, in units of the noise.

    Parameters
    ----------
    fit : Fit
        The fitted law.
    generator : numpy.random.Generator
        Where the replicated points come from.

    Returns
    -------
    seen, replicated : ndarray, shape (n_draws, n_points)
        Log y less log mu of each draw, over the scale of the independent noise.
    """
    return _in_units_of_noise(fit, *new_points(fit, _some_draws(fit), generator))


def _in_units_of_noise(fit: Fit, points: Points, log_y: Any) -> tuple[Residuals, Residuals]:
    """Return what :func:`residuals` does, of replicated points that are there already."""
    log_mu = fit.curve.log_y - points.residual
    return points.residual / points.scale, (log_y - log_mu) / points.scale


def _some_draws(fit: Fit) -> dict[str, xr.DataArray]:
    """Return at most `MOST_DRAWS` draws of the parameters, evenly spaced."""
    total = fit.posterior.sizes["chain"] * fit.posterior.sizes["draw"]
    taken = np.linspace(0, total - 1, min(total, MOST_DRAWS)).astype(int)
    return {name: draws.isel(sample=taken) for name, draws in flattened(fit.posterior).items()}


def turning_back(curve: Curve, log_y: Any, *, stays: bool = False) -> NDArray[np.int64]:
    """Return how often each row of log y turns back between neighbours: rises, if y falls.

    With `stays` it counts too how often it stays where it was.
    """
    before, after = curve.steps
    apart = curve.x[before] < curve.x[after]  # replicates are in no order
    rise = log_y[:, after[apart]] - log_y[:, before[apart]]
    back = rise if curve.falls else -rise
    return (back >= 0 if stays else back > 0).sum(axis=1)


def _autocorrelation(curve: Curve, residuals: Residuals) -> NDArray[np.float64]:
    """Return the correlation of neighbours, which are those of one run."""
    before, after = curve.steps
    products = residuals[:, before] * residuals[:, after]
    return products.sum(axis=1) / (residuals**2).sum(axis=1)


def _curvature(curve: Curve, residuals: Residuals) -> NDArray[np.float64]:
    """Return the share of the residuals that a parabola and a cubic in log x explain."""
    place = np.interp(curve.log_x, curve.log_x[[0, -1]], [-1.0, 1.0])
    powers = np.vander(place, 4, increasing=True)
    bends = np.linalg.qr(powers)[0][:, 2:]  # what of them a straight line does not explain
    return ((residuals @ bends) ** 2).sum(axis=1) / (residuals**2).sum(axis=1)


def _outliers(curve: Curve, residuals: Residuals) -> NDArray[np.float64]:
    """Return the share of the largest residual, squared, in all of them."""
    return (residuals**2).max(axis=1) / (residuals**2).sum(axis=1)


STATISTICS: Mapping[str, Callable[[Curve, Residuals], NDArray[np.float64]]] = {
    "autocorrelation": _autocorrelation,
    "curvature": _curvature,
    "outliers": _outliers,
}


def _sentence(
    name: str,
    p: float,
    fit: Fit,
    *,
    x: float,
    turns: int,
    expected: float,
    wide: bool,
    misfit: bool,
) -> str:
    """Say what a check found and what to do."""
    if p >= SUSPICIOUS:
        return "Nothing found."
    law, best = fit.law, isinstance(fit.noise, BestSoFar)
    stiffer = f"BNSL({law.n_breaks + 1})" if isinstance(law, BNSL) else "BNSL(1)"
    mends = {
        "autocorrelation": (
            "Residuals of neighbouring points are alike (p = {p:.3f}): the points of a run depend "
            "on one another, or the law is too stiff. Use "
            + (stiffer if isinstance(fit.noise, Correlated) else "noise=Correlated(), or {stiffer}")
            + "."
        ),
        "curvature": (
            "The residuals bend along x (p = {p:.3f}): {law} cannot follow the points. Use "
            "{stiffer}."
        ),
        "outliers": (
            "The point at x = {x:g} lies far off (p = {p:.3f}). Check it"
            + ("." if isinstance(fit.noise, StudentT) else ", or use noise=StudentT().")
        ),
        "steadiness": (
            "y goes on in one direction more steadily than such a scatter lets it (p = {p:.3f}): "
            "it "
            + ("stays where it was" if best else "turns back")
            + " {turns} times from a point to the next, not {expected:.0f}. "
            + (
                "As the law does not follow the points, that may be for no other reason: mend that "
                "first."
                if misfit
                else "If these are smoothed, or read off between others, fit the measurements "
                "themselves: new ones will scatter more than the band of y says."
                if best
                else "If these are the best values so far, or smoothed ones, fit the measurements "
                "themselves: new ones will scatter more than the band of y says. If of the best so "
                "far you have no others, use noise=BestSoFar()."
            )
        ),
        "loo_pit": (
            "The points scatter {how} than foreseen from one another (LOO-PIT, p = {p:.3f}): "
            "intervals are too {width}. See plot_loo_pit."
        ),
    }
    return mends[name].format(
        p=p,
        law=law.name,
        stiffer=stiffer,
        x=x,
        turns=turns,
        expected=expected,
        how="more" if wide else "less",
        width="narrow" if wide else "wide",
    )
