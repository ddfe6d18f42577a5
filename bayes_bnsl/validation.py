"""Backtests: what would have been forecast at each stage of a curve, and how good it was.

From each *origin*, a number of distinct x that have been seen, the laws are fitted to the points
up to there, as a user would have done it then, and forecast those ahead. Naive forecasts from the
same points stand beside them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bayes_bnsl.columns import checked_integer, checked_numbers
from bayes_bnsl.comparison import Comparison
from bayes_bnsl.curve import Curve
from bayes_bnsl.errors import NotConvergedWarning, warn
from bayes_bnsl.forecasting import interval, log_score
from bayes_bnsl.hindsight import NO_LAW, Backtest, forecast_points, status_of, what_failed
from bayes_bnsl.law import Law
from bayes_bnsl.naive import naive_forecasts
from bayes_bnsl.noise import Noise
from bayes_bnsl.point_fit import fit_points
from bayes_bnsl.result import Fit
from bayes_bnsl.sampling import quiet_fit
from bayes_bnsl.scores import coverage, crps
from bayes_bnsl.selection import compare

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["backtest"]

MOST_ORIGINS = 8
"""Origins that are taken unless the user says which."""


SCORES = ("median", "lower", "upper", "inside", "width", "log_error", "log_score", "crps")
COLUMNS = ("origin", "last_x", "horizon", "forecast", "x", "y", *SCORES, "status")


def backtest(
    curve: Curve,
    laws: Law | Sequence[Law],
    *,
    horizons: ArrayLike = (2.0, 10.0),
    origins: Sequence[int] | None = None,
    noise: Noise | Sequence[Noise] | str | None = None,
    point_fits: Law | Sequence[Law] = (),
    prob: float = 0.9,
    seed: int | None = None,
    forecast_settings: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Backtest:
    """Fit to the first points, forecast those ahead, and score; from one origin after another.

    Parameters
    ----------
    curve : Curve
        The points.
    laws : Law or sequence of Law
        What is tested: one law, or the average of several by the weights of :func:`compare`.
    horizons : array_like, shape (k,), default (2, 10)
        How far ahead points are forecast, as factors of the last x seen. A point belongs to the
        smallest one that holds it: up to twice the last x, from there up to ten times it.
    origins : sequence of int, optional
        How many distinct x are seen. By default at most 8 of them, evenly spaced from as many as
        the laws need to all but one, as far as they have points within the horizons.
    noise : Noise, sequence of Noise or "auto", default LogNormal()
        As for :func:`fit` or :func:`compare`.
    point_fits : Law or sequence of Law, optional
        Laws that are fitted by least squares as well (:func:`fit_points`). Their forecasts stand
        beside the naive ones, as "BNSL(1), least squares".
    prob : float, default 0.9
        Probability of the intervals.
    seed : int, optional
        Makes the result repeatable: the seed of every fit and every forecast.
    forecast_settings : mapping, optional
        Passed to :func:`forecast`. Points that have a run that has been seen, or a standard
        error, are forecast as such anyway.
    **settings
        Passed to :func:`fit`, or with several laws to :func:`compare`.

    Returns
    -------
    Backtest
        The table of all forecasts, their summary, and the fits.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be, or no point lies within the horizons.

    Warns
    -----
    NotConvergedWarning
        If fits did not converge, or no law of a comparison had weight; their origins are named.

    Notes
    -----
    Default priors are taken from the points that are seen. Errors from neighbouring origins are
    alike, as most of their points are the same: twenty origins are not twenty curves.

    Examples
    --------
    >>> from bayes_bnsl import M1, simulate
    >>> points = simulate(M1(), {"a": 3.0, "b": -0.3}, np.geomspace(10, 1e4, 12), 0.02, seed=1)
    >>> tested = backtest(points, M1(), origins=[6, 9], priors={"sigma": 0.02}, seed=1)
    >>> tested.summary()["points"].xs("M1", level="forecast").to_dict()
    {2.0: 2, 10.0: 4}
    """
    if not isinstance(curve, Curve):
        raise TypeError(f"curve must be a Curve; got {curve!r}.")
    candidates, beside = _listed(laws, "laws"), _listed(point_fits, "point_fits")
    if not candidates:
        raise TypeError(f"laws must be a law such as BNSL(1), or several of them; got {laws!r}.")
    if not 0 < prob < 1:
        raise ValueError(f"prob must lie between 0 and 1; got {prob!r}.")
    factors = np.unique(checked_numbers(np.atleast_1d(np.asarray(horizons)), "horizons"))
    if not factors[0] > 1:
        raise ValueError(f"horizons are factors of the last x, above one; got {horizons!r}.")
    windows = _windows(curve, candidates, beside, factors, origins)
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else int(seed)
    single = len(candidates) == 1 and isinstance(noise, Noise | str | None)
    sources: dict[int, Fit | Comparison] = {}
    for origin, (seen, _) in windows.items():
        if single:
            sources[origin] = quiet_fit(seen, candidates[0], noise=noise, seed=seed, **settings)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotConvergedWarning)  # said of all origins at once
                sources[origin] = compare(seen, candidates, noise=noise, seed=seed, **settings)
    name = candidates[0].name if single else "average"
    passed_on = dict(forecast_settings or {})
    parts = [
        _scored(name, sources[origin], beside, seen, later, prob, seed, passed_on)
        for origin, (seen, later) in windows.items()
    ]
    table = _joined(parts, factors)
    tested = Backtest(curve, name, table, sources, prob, seed, passed_on)
    if failed := what_failed(tested.statuses):
        warn(
            f"{name} did not converge from every origin of {curve.name!r}: {failed}. Raise "
            "max_gradients, or begin later: origins= takes the numbers of x seen.",
            NotConvergedWarning,
        )
    return tested


def _listed(laws: Law | Sequence[Law], argument: str) -> list[Law]:
    """Return laws as a list."""
    listed = [laws] if isinstance(laws, Law) else list(laws)
    if not all(isinstance(each, Law) for each in listed):
        raise TypeError(
            f"{argument} must be a law such as BNSL(1), or several of them; got {laws!r}."
        )
    return listed


def _windows(
    curve: Curve,
    laws: Sequence[Law],
    beside: Sequence[Law],
    factors: NDArray[np.float64],
    origins: Sequence[int] | None,
) -> dict[int, tuple[Curve, Curve]]:
    """Return what is seen and what is ahead within the horizons, for each origin."""
    places = np.unique(curve.x)
    n = len(places)
    least = max(min(law.min_points for law in laws), *(law.min_points for law in beside), 1)
    if n <= least:
        names = ", ".join(law.name for law in (*laws, *beside))
        raise ValueError(
            f"The curve {curve.name!r} has {n} distinct x; to fit {names} and have a point ahead "
            f"takes at least {least + 1}."
        )
    ahead = {
        origin: (curve.x > last) & (curve.x <= last * factors[-1] * (1 + 1e-9))
        for origin, last in enumerate(places[:-1], start=1)
    }
    if origins is None:
        usable = [origin for origin in range(least, n) if ahead[origin].any()]
        taken = np.linspace(0, len(usable) - 1, min(MOST_ORIGINS, len(usable)))
        chosen = [usable[int(number)] for number in taken.round()]
    else:
        chosen = sorted({checked_integer(origin, "origins") for origin in origins})
        wrong = [origin for origin in chosen if not least <= origin < n]
        if wrong or not chosen:
            raise ValueError(
                f"origins are numbers of distinct x seen, here from {least} to {n - 1}; "
                f"got {wrong or 'none'}."
            )
        chosen = [origin for origin in chosen if ahead[origin].any()]
    if not chosen:
        raise ValueError(
            f"From no origin does a point of {curve.name!r} lie within {factors[-1]:g} times the "
            "last x: give a longer horizon."
        )
    return {
        origin: (curve.take(curve.x <= places[origin - 1]), curve.take(ahead[origin]))
        for origin in chosen
    }


def _scored(
    name: str,
    source: Fit | Comparison,
    beside: Sequence[Law],
    seen: Curve,
    later: Curve,
    prob: float,
    seed: int,
    forecast_settings: Mapping[str, Any],
) -> pd.DataFrame:
    """Return the rows of one origin."""
    import pandas as pd

    parts = []
    status = status_of(source)
    point_fits = [fit_points(seen, law) for law in beside]
    for run, points in _by_run(later):
        x, y_se = points.x, points.y_se
        own = {"forecast": name, "status": status} | dict.fromkeys(SCORES, np.nan)
        if status != NO_LAW:
            ahead = forecast_points(source, x, run, y_se, seed, forecast_settings)
            own |= _scores(ahead, points, prob)
        rows = [own]
        others = {each.name: each.forecast(x) for each in point_fits} | naive_forecasts(seen, x)
        for other, ahead in others.items():
            rows.append({"forecast": other, "status": ""} | _scores(ahead, points, prob))
        common = {"origin": len(np.unique(seen.x)), "last_x": seen.x[-1], "x": x}
        common["y"] = points.to_reported(points.y)
        parts += [pd.DataFrame(common | row) for row in rows]
    return pd.concat(parts, ignore_index=True)


def _scores(ahead: xr.Dataset, points: Curve, prob: float) -> dict[str, Any]:
    """Return the scores of a forecast of some points, one number a point each."""
    y = points.to_reported(points.y)
    lower, median, upper = interval(ahead, prob=prob)["y"].transpose("bound", "x").values
    held = coverage(ahead, y, prob=prob)
    # what is reported leads back to what was modelled the way it came
    modelled = np.maximum(points.to_reported(median), np.finfo(float).tiny)
    return {
        "median": median,
        "lower": lower,
        "upper": upper,
        "inside": held["covered"].values,
        "width": held["width"].values,
        "log_error": points.log_y - np.log(modelled),
        "log_score": log_score(ahead, y).values,
        "crps": crps(ahead, y).values,
    }


def _joined(parts: Sequence[pd.DataFrame], factors: NDArray[np.float64]) -> pd.DataFrame:
    """Return one table, in which each point has its horizon."""
    import pandas as pd

    table = pd.concat(parts, ignore_index=True)
    beyond = (table["x"] / table["last_x"]).to_numpy() / (1 + 1e-9)
    table["horizon"] = factors[np.searchsorted(factors, beyond)]
    table["inside"] = table["inside"].astype("boolean")  # missing where there is no forecast
    return table[list(COLUMNS)]


def _by_run(points: Curve) -> Iterator[tuple[str | int | None, Curve]]:
    if points.run is None:
        yield None, points
    for run in points.runs:
        yield run, points.take(points.run == run)
