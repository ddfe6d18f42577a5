"""The commands for one curve: they parse, call the package, and print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import bayes_bnsl as bb
from bayes_bnsl import options
from bayes_bnsl.inputs import (
    checked_end,
    checked_prob,
    curve_of,
    law_of,
    laws_of,
    noise_of,
    numbers_of,
    places_of,
    rate_of,
)
from bayes_bnsl.options import Columns, Sampling, with_options
from bayes_bnsl.terminal import (
    PICTURES,
    checked_folder,
    checked_output,
    leave,
    print_answer,
    records,
    table_text,
    write_table,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["app", "forecast_rows", "forecast_text", "save_picture"]

app = typer.Typer()


@app.command(
    epilog="Example: bayes-bnsl fit runs.csv --x tokens --y loss --law BNSL1 --at 1e6 "
    "--out fit.nc --plot fit.png"
)
@with_options
def fit(
    *,
    columns: Columns,
    law: options.Law = "BNSL(1)",
    noise: options.Noise = None,
    until: Annotated[float | None, typer.Option(help="Fit x up to it; score on the rest.")] = None,
    at: options.At = None,
    unseen_breaks: options.UnseenBreaks = "learned",
    prob: options.Prob = 0.9,
    sampling: Sampling,
    out: Annotated[Path | None, typer.Option(help="netCDF file for the fit: .nc")] = None,
    plot: options.Plot = None,
    to: options.To = None,
    json: options.Json = False,
) -> None:
    """Fit a law to a curve."""
    checked_output(out, [".nc"]), checked_output(plot, PICTURES), checked_prob(prob)
    places = places_of(at, "--at")
    beyond: dict[str, Any] = {"unseen_breaks": rate_of(unseen_breaks), "seed": sampling.seed}
    curve = curve_of(columns)
    checked_end(to, curve)
    seen, later = (curve, None) if until is None else curve.split(x=until)
    fitted = bb.fit(
        seen, law_of(law), noise=noise_of(noise), progress=not json, **sampling.settings
    )
    text = [repr(fitted), fitted.summary(prob=prob).to_string()]
    answer = _described(fitted, prob)
    if places:
        table = forecast_rows(fitted, places, prob, **beyond)
        text.append(forecast_text(table, prob, beyond["unseen_breaks"]))
        answer["forecast"] = records(table)
    if later is not None:
        ahead = bb.forecast(fitted, later.x, **beyond)
        scores = bb.score(ahead, later.to_reported(later.y), seen, prob=prob)
        scores = scores.rename_axis("forecast").reset_index()
        text.append(table_text(scores))
        answer["scores"] = records(scores)
    if out:
        fitted.save(out)
    if plot:
        if to is None and places:  # the picture reaches what was asked for
            to = max(*places, 10 * float(seen.x[-1]), float(curve.x[-1]))
        save_picture(bb.plot_forecast(fitted, held_out=later, to=to, **beyond), plot)
    print_answer("\n\n".join(text), answer, as_json=json)
    leave(fitted.status.ok)


@app.command(epilog="Example: bayes-bnsl compare runs.csv --law BNSL0,BNSL1,M1 --at 1e6")
@with_options
def compare(
    *,
    columns: Columns,
    law: options.Laws = None,
    noise: options.Noise = None,
    by: options.By = "loo",
    at: options.At = None,
    unseen_breaks: options.UnseenBreaks = "learned",
    prob: options.Prob = 0.9,
    sampling: Sampling,
    plot: options.Plot = None,
    json: options.Json = False,
) -> None:
    """Compare laws by what they foresee, or by their evidence."""
    checked_output(plot, PICTURES), checked_prob(prob)
    places, rate = places_of(at, "--at"), rate_of(unseen_breaks)
    choice = bb.compare(
        curve_of(columns), laws_of(law) if law else None, by=by, noise=noise_of(noise),
        progress=not json, **sampling.settings,
    )  # fmt: skip
    chosen = bool(choice.weights.any())
    text = [table_text(choice.table.reset_index()), str(choice)]
    answer: dict[str, Any] = {"by": by, "table": records(choice.table), "verdict": str(choice)}
    answer |= {"best": choice.best, "simplest": choice.simplest} if chosen else {}
    if places and chosen:
        table = forecast_rows(choice, places, prob, unseen_breaks=rate, seed=sampling.seed)
        text.append(forecast_text(table, prob, rate))
        answer["forecast"] = records(table)
    if plot and chosen:
        save_picture(bb.plot_compare(choice), plot)
    print_answer("\n\n".join(text), answer, as_json=json)
    leave(chosen)


@app.command(epilog="Example: bayes-bnsl forecast fit.nc --at 1e5,1e6 --out ahead.csv")
def forecast(
    source: Annotated[Path, typer.Argument(help="A fit that was saved: .nc", show_default=False)],
    at: options.At = None,
    times: options.Times = None,
    run: Annotated[str | None, typer.Option(help="The run that goes on.")] = None,
    unseen_breaks: options.UnseenBreaks = "learned",
    prob: options.Prob = 0.9,
    seed: options.Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Table to write: .csv")] = None,
    plot: options.Plot = None,
    to: options.To = None,
    json: options.Json = False,
) -> None:
    """Forecast the curve and new observations from a saved fit."""
    checked_output(out, [".csv"]), checked_output(plot, PICTURES), checked_prob(prob)
    places, factors = places_of(at, "--at"), places_of(times, "--times")
    rate = rate_of(unseen_breaks)
    fitted = bb.load_fit(source)
    checked_end(to, fitted.curve)
    last = float(fitted.curve.x[-1])
    if not places:
        factors = factors or [2.0, 10.0, 100.0]
    places += [last * factor for factor in factors]
    # runs may be numbers, which nobody can tell from their text here
    known = {str(label): label for label in fitted.curve.runs}
    which: dict[str, Any] = {"run": known.get(str(run), run), "unseen_breaks": rate, "seed": seed}
    table = forecast_rows(fitted, places, prob, **which)
    if out:
        write_table(out, table)
    if plot:
        save_picture(bb.plot_forecast(fitted, to=to or table["x"].max(), **which), plot)
    answer = {"law": fitted.law.name, "prob": prob, "unseen_breaks": rate}
    answer |= {"forecast": records(table)} | _verdict(fitted)
    print_answer(forecast_text(table, prob, rate), answer, as_json=json)
    leave(fitted.status.ok)


@app.command(
    epilog="Example: bayes-bnsl backtest runs.csv --law BNSL1 --horizons 2,10 --plot tested.png"
)
@with_options
def backtest(
    *,
    columns: Columns,
    law: options.Laws = None,
    noise: options.Noise = None,
    horizons: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TIMES",
            help="How far to forecast, in multiples of the last x seen; 2,10 by default.",
        ),
    ] = None,
    origins: Annotated[
        list[str] | None,
        typer.Option(
            metavar="N", help="Numbers of distinct x seen, such as 8,12; up to 8 by default."
        ),
    ] = None,
    unseen_breaks: options.UnseenBreaks = "learned",
    prob: options.Prob = 0.9,
    sampling: Sampling,
    csv: Annotated[Path | None, typer.Option(help="Table of all forecasts: .csv")] = None,
    plot: options.Plot = None,
    json: options.Json = False,
) -> None:
    """Forecast from one stage of a curve after another, and score.

    At each origin the laws are fitted to the points up to there, and forecast those ahead, beside
    naive forecasts.
    """
    checked_output(csv, [".csv"]), checked_output(plot, PICTURES), checked_prob(prob)
    factors = places_of(horizons, "--horizons") or [2.0, 10.0]
    counts = numbers_of(origins, "--origins")
    if any(not count.is_integer() for count in counts):
        raise ValueError(f"--origins takes whole numbers, such as 8,12; got {counts}.")
    tested = bb.backtest(
        curve_of(columns), laws_of(law or ["BNSL(1)"]), noise=noise_of(noise), prob=prob,
        horizons=factors, origins=[int(count) for count in counts] or None,
        forecast_settings={"unseen_breaks": rate_of(unseen_breaks)}, **sampling.settings,
    )  # fmt: skip
    statuses = tested.statuses.values()
    last = tested.at().reset_index()
    text = [f"Forecasts of the last x:\n{table_text(last)}"]
    answer = {"verdict": str(tested), "ok": set(statuses) == {"converged"}, "last": records(last)}
    answer["forecasts"] = records(tested.table)
    if tested.table["median"].notna().any():
        summary = tested.summary().reset_index()
        text.append(table_text(summary))
        answer["summary"] = records(summary)
    if csv:
        write_table(csv, tested.table)
    if plot:
        save_picture(bb.plot_backtest(tested), plot)
    print_answer("\n\n".join([*text, str(tested)]), answer, as_json=json)
    leave(bool(answer["ok"]))


@app.command(
    epilog="Examples: bayes-bnsl report fit.nc --out report.html; "
    "bayes-bnsl report runs.csv --law BNSL0,BNSL1 --by evidence --out report"
)
@with_options
def report(
    *,
    columns: Columns,
    out: Annotated[
        Path,
        typer.Option(
            help="One page: .html; Markdown: .md; else a folder for report.md and its pictures.",
            show_default=False,
        ),
    ],
    law: options.Laws = None,
    noise: options.Noise = None,
    by: options.By = "loo",
    at: options.At = None,
    unseen_breaks: options.UnseenBreaks = "learned",
    prob: options.Prob = 0.9,
    sampling: Sampling,
) -> None:
    """Write what a paper should say of a fit or a comparison.

    DATA is a CSV file to fit, or a saved fit (.nc), which keeps its own law, noise and columns.
    """
    from bayes_bnsl.album import PAGES

    checked_output(out, PAGES) if out.suffix.lower() in PAGES else checked_folder(out)
    checked_prob(prob)
    places, rate = places_of(at, "--at") or None, rate_of(unseen_breaks)
    result: Any
    if columns.data.suffix.lower() == ".nc":
        if columns != Columns(columns.data) or law or noise or by != "loo":
            raise ValueError(
                f"{columns.data} is a saved fit, which has its own points, law and noise. Leave "
                "out the options that choose them, or give a CSV file."
            )
        result = bb.load_fit(columns.data)
    else:
        curve, laws = curve_of(columns), laws_of(law or ["BNSL(1)"])
        settings: dict[str, Any] = {"noise": noise_of(noise), **sampling.settings}
        if len(laws) == 1:
            result = bb.fit(curve, laws[0], **settings)
        else:
            result = bb.compare(curve, laws, by=by, **settings)
    path = bb.write_report(result, out, x=places, prob=prob, unseen_breaks=rate, seed=sampling.seed)
    print_answer(str(path), None, as_json=False)
    leave(result.status.ok if isinstance(result, bb.Fit) else bool(result.weights.any()))


def forecast_rows(source: Any, places: Any, prob: float, **settings: Any) -> pd.DataFrame:
    """Return a forecast as a table."""
    from bayes_bnsl.overview import forecast_table

    return forecast_table(bb.forecast(source, places, **settings), prob=prob)


def forecast_text(table: pd.DataFrame, prob: float, unseen_breaks: float | str) -> str:
    """Write a forecast for people, with what its intervals hold and assume."""
    from bayes_bnsl.overview import assumption

    return (
        f"{table_text(table)}\nIntervals of {prob:.0%}; the forecast {assumption(unseen_breaks)}."
    )


def save_picture(axes: Any, path: Path) -> None:
    """Write the picture that axes are of."""
    from bayes_bnsl import album

    album.save_picture(axes, path)


def _verdict(fitted: bb.Fit) -> dict[str, Any]:
    status = fitted.status
    return {"ok": status.ok, "status": status.name, "reason": str(status)}


def _described(fitted: bb.Fit, prob: float) -> dict[str, Any]:
    summary = fitted.summary(prob=prob, rounded=False).rename_axis("parameter")
    return {
        "version": bb.__version__,
        "curve": fitted.curve.name,
        "n_points": len(fitted.curve),
        "law": fitted.law.name,
        "noise": fitted.noise.name,
        "equation": fitted.equation(digits=6),
        **_verdict(fitted),
        "seed": fitted.seed,
        "seconds": fitted.seconds,
        "parameters": records(summary),
    }
