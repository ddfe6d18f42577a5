"""What a backtest found: the value `Backtest`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from bayes_bnsl.cards import card, scatter
from bayes_bnsl.columns import checked_number, counted
from bayes_bnsl.comparison import Comparison
from bayes_bnsl.curve import Curve
from bayes_bnsl.forecasting import forecast, interval
from bayes_bnsl.result import Fit
from bayes_bnsl.scores import root_mean_square

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Backtest"]

NO_LAW = "no_law"
"""Status of an origin at which no law of a comparison has weight: there is no forecast."""


@dataclass(frozen=True, eq=False, repr=False)
class Backtest:
    """Forecasts from rolling origins and how good they were; ``print(backtest)`` for the sentences.

    Parameters
    ----------
    curve : Curve
        All points.
    name : str
        What was tested: the law, or "average".
    table : pandas.DataFrame
        A row for each origin, point ahead and forecast (the one that was tested, then point fits
        and the naive ones): ``origin``, the number of distinct x seen; ``last_x``, the last of
        them; ``horizon``, the smallest one that holds the point; ``forecast``; ``x``, ``y``;
        ``median``, ``lower`` and ``upper`` of a new observation; ``inside``, whether y lies between
        them; ``width`` of the interval of log y; ``log_error``, log y less log of the median;
        ``log_score`` of y; ``crps`` of log y; ``status`` of the fit.
    sources : mapping of int to Fit or Comparison
        What each origin's forecast was made from.
    prob : float
        Probability of the intervals.
    seed : int
        Seed of fits and forecasts.
    forecast_settings : mapping
        What was passed on to `forecast`.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> tested = bb.backtest(curve, bb.M1(), origins=[6, 9], priors={"sigma": 0.02}, seed=1)
    >>> tested.statuses
    {6: 'converged', 9: 'converged'}
    """

    curve: Curve
    name: str
    table: pd.DataFrame
    sources: Mapping[int, Fit | Comparison]
    prob: float
    seed: int
    forecast_settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def statuses(self) -> dict[int, str]:
        """Status of each origin: "converged", or what is wrong."""
        return {origin: status_of(source) for origin, source in self.sources.items()}

    def summary(self) -> pd.DataFrame:
        """Return the scores by horizon, beside those of the naive forecasts of the same points.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``horizon`` and ``forecast``: how many ``origins`` and ``points``; ``rmsle``
            and its standard error ``rmsle_error``, as if the points were independent; means of
            ``log_score`` and ``crps``; ``coverage`` and mean ``width`` of the intervals;
            ``rmsle_skill`` and ``crps_skill`` of the naive forecasts, see `score`. Fits that did
            not converge count like all others; points without a forecast are left out.

        Raises
        ------
        ValueError
            If there is no forecast at all.
        """
        import pandas as pd

        known = self.table[self.table["origin"].isin(_with_forecast(self.statuses))]
        if known.empty:
            raise ValueError(f"There is no forecast to score. {what_failed(self.statuses)}.")
        rows: dict[Any, dict[str, float]] = {}
        for (horizon, name), some in known.groupby(["horizon", "forecast"], sort=False):
            error = root_mean_square(some["log_error"].to_numpy())
            rows[horizon, name] = {
                "origins": some["origin"].nunique(),
                "points": len(some),
                "rmsle": error.rmsle,
                "rmsle_error": error.standard_error,
                "log_score": some["log_score"].mean(),
                "crps": some["crps"].mean(),
                "coverage": float(some["inside"].mean()),
                "width": some["width"].mean(),
            }
        for score in ("rmsle", "crps"):
            for (horizon, _), row in rows.items():
                ours = np.float64(rows[horizon, self.name][score])
                with np.errstate(divide="ignore", invalid="ignore"):  # a naive one may be exact
                    row[f"{score}_skill"] = 1 - ours / np.float64(row[score])
        index = pd.MultiIndex.from_tuples(rows, names=["horizon", "forecast"])
        table = pd.DataFrame(list(rows.values()), index=index)
        return table.sort_index(level="horizon", sort_remaining=False, kind="stable")

    def at(self, x: float | None = None) -> pd.DataFrame:
        """Return what each origin before it forecast for one x.

        Parameters
        ----------
        x : float, optional
            Where; by default the last x.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``origin``: ``last_x``; ``lower``, ``median`` and ``upper`` of a new
            observation; ``status``.

        Raises
        ------
        TypeError, ValueError
            If x is no positive number, or no origin lies before it.
        """
        import pandas as pd

        at = float(self.curve.x[-1]) if x is None else checked_number(x, "x")
        there = np.isclose(self.curve.x, at, rtol=1e-12)
        runs = {None} if self.curve.run is None else set(self.curve.run[there])
        run = runs.pop() if len(runs) == 1 else None
        y_se = None
        if self.curve.y_se is not None and there.any():
            y_se = self.curve.y_se[there].max()
        rows = {}
        for origin, source in self.sources.items():
            last = float(source.curve.x[-1])
            if last >= at:
                continue
            row: dict[str, Any] = dict.fromkeys(("lower", "median", "upper"), np.nan)
            if (status := status_of(source)) != NO_LAW:
                ahead = forecast_points(source, [at], run, y_se, self.seed, self.forecast_settings)
                band = interval(ahead, prob=self.prob)["y"].isel(x=0)
                row = {bound: float(band.sel(bound=bound)) for bound in row}
            rows[origin] = {"last_x": last} | row | {"status": status}
        if not rows:
            first = next(iter(self.sources.values())).curve.x[-1]
            raise ValueError(f"x must lie beyond the first origin, {first:g}; got {at:g}.")
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("origin")

    def __str__(self) -> str:
        origins = list(self.sources)
        last = [self.sources[origin].curve.x[-1] for origin in (origins[0], origins[-1])]
        made = f"{counted(len(origins), 'origin')}, {self.curve.x_name} up to {last[0]:g}"
        made += f" ... {last[1]:g}" if len(origins) > 1 else ""
        lines = [f"{self.name} on {self.curve.name!r}, forecast from {made}."]
        if _with_forecast(self.statuses):
            summary = self.summary()
            begin = 1.0
            for horizon in dict.fromkeys(summary.index.get_level_values("horizon")):
                scores = summary.loc[horizon]
                ours = scores.loc[self.name]
                others = scores["rmsle"].drop(index=self.name)
                naive = ", ".join(f"{name} {error:.3g}" for name, error in others.items())
                held = round(ours.coverage * ours.points)
                lines.append(
                    f"{begin:g} to {horizon:g} times the last x: RMSLE {ours.rmsle:.3g} ({naive}); "
                    f"{self.prob:.0%} intervals held {held} of {ours.points:.0f} points."
                )
                begin = horizon
        failed = what_failed(self.statuses)
        return "\n".join([*lines, f"Not to be relied on: {failed}."] if failed else lines)

    def __repr__(self) -> str:
        return f"<Backtest of {self.name} on {self.curve.name!r}>\n{self}"

    def _repr_html_(self) -> str:
        title, *lines = str(self).splitlines()
        caption = f"{counted(len(self.curve), 'point')} on logarithmic axes"
        picture = scatter(self.curve.log_x, self.curve.log_y, caption=caption)
        return card(title, picture=picture, lines=lines)


def forecast_points(
    source: Fit | Comparison,
    x: ArrayLike,
    run: str | int | None,
    y_se: ArrayLike | None,
    seed: int,
    forecast_settings: Mapping[str, Any],
) -> xr.Dataset:
    """Forecast points as what they are known to be: of a run that was seen, with their errors."""
    known = {"run": run if run in source.curve.runs else None, "y_se": y_se, "seed": seed}
    return forecast(source, x, **(known | dict(forecast_settings)))


def status_of(source: Fit | Comparison) -> str:
    """Return "converged", or what is wrong with the fits that make a forecast."""
    if isinstance(source, Fit):
        return source.status.name
    weighty = [fit for label, fit in source.fits.items() if source.weights[label] > 0]
    wrong = [fit.status.name for fit in weighty if not fit.status.ok]
    return NO_LAW if not weighty else next(iter(wrong), "converged")


def _with_forecast(statuses: Mapping[int, str]) -> list[int]:
    return [origin for origin, status in statuses.items() if status != NO_LAW]


def what_failed(statuses: Mapping[int, str]) -> str:
    """Name the origins at which something did not converge."""
    wrong = {origin: status for origin, status in statuses.items() if status != "converged"}
    return ", ".join(f"{origin} x seen ({status})" for origin, status in wrong.items())
