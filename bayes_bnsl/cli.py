"""The command ``bayes-bnsl``: it parses, calls the package, and prints."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import bayes_bnsl as bb
from bayes_bnsl import terminal
from bayes_bnsl.terminal import (
    PICTURES,
    checked_output,
    laws_of,
    noise_of,
    numbers_of,
    print_answer,
    records,
    table_text,
    write_table,
)

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(
    cls=terminal.Commands,
    help="Bayesian broken neural scaling laws: fit, compare, forecast.",
    epilog="Exit codes: 0 fine; 1 fitted, but not to be trusted; 2 bad input; 3 a defect of "
    "bayes-bnsl itself; 130 interrupted. Start with: bayes-bnsl demo",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Data = Annotated[Path, typer.Argument(help="CSV file with one header line.", show_default=False)]
X = Annotated[str | None, typer.Option("--x", help="Column of x; the first by default.")]
Y = Annotated[str | None, typer.Option("--y", help="Column of y; the second by default.")]
Accuracy = Annotated[
    str | None, typer.Option(help="Column of an accuracy, in place of --y: its error is modelled.")
]
Ceiling = Annotated[float, typer.Option(help="Best accuracy there can be, such as 100.")]
YSe = Annotated[str | None, typer.Option("--y-se", help="Column of known standard errors of y.")]
Run = Annotated[str | None, typer.Option(help="Column that says which training run a row is of.")]
Delimiter = Annotated[str, typer.Option(help="What stands between two cells.")]
OneLaw = Annotated[str, typer.Option("--law", help="Such as BNSL1, BNSL(1), M2.")]
Laws = Annotated[
    list[str] | None, typer.Option("--law", help="Repeat it, or put commas between: BNSL0,M1.")
]
Noise = Annotated[
    str | None,
    typer.Option(help="lognormal (default), student or correlated; each may end in -changing."),
]
Draws = Annotated[int, typer.Option(help="Draws of each chain in the first round.")]
MaxGradients = Annotated[int, typer.Option(help="Most gradients of a round of sampling.")]
Seed = Annotated[int, typer.Option(help="Makes the result repeatable.")]
Prob = Annotated[float, typer.Option(help="Probability of the intervals.")]
At = Annotated[
    list[str] | None, typer.Option(help="Where to forecast; repeat it, or commas: 1e5,1e6.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Plot = Annotated[Path | None, typer.Option(help="Picture to write: .png, .pdf or .svg.")]
To = Annotated[float | None, typer.Option(help="The x up to which the picture reaches.")]
Workers = Annotated[int, typer.Option(help="Number of processes.")]
OutFolder = Annotated[
    Path,
    typer.Option("--out", help="Folder; a run that was cut short resumes.", show_default=False),
]


@app.callback()
def _all(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    # pictures are written, never shown
    os.environ["MPLBACKEND"] = "Agg"


@app.command(
    epilog="Example: bayes-bnsl fit runs.csv --x tokens --y loss --law BNSL1 --at 1e6 "
    "--out fit.nc --plot fit.png"
)
def fit(
    data: Data,
    x: X = None,
    y: Y = None,
    accuracy: Accuracy = None,
    ceiling: Ceiling = 1.0,
    y_se: YSe = None,
    run: Run = None,
    delimiter: Delimiter = ",",
    law: OneLaw = "BNSL(1)",
    noise: Noise = None,
    until: Annotated[float | None, typer.Option(help="Fit x up to it; score on the rest.")] = None,
    at: At = None,
    prob: Prob = 0.9,
    draws: Draws = 1000,
    max_gradients: MaxGradients = 3_000_000,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="netCDF file for the fit: .nc")] = None,
    plot: Plot = None,
    to: To = None,
    json: Json = False,
) -> None:
    """Fit a law to a curve."""
    checked_output(out, [".nc"]), checked_output(plot, PICTURES)
    places = numbers_of(at or [], "--at")
    curve = _one_curve(data, x, y, accuracy, ceiling, y_se, run, delimiter)
    seen, later = (curve, None) if until is None else curve.split(x=until)
    fitted = bb.fit(
        seen, terminal.law_of(law), noise=noise_of(noise), draws=draws,
        max_gradients=max_gradients, seed=seed, progress=not json,
    )  # fmt: skip
    text = [repr(fitted), fitted.summary(prob=prob).to_string()]
    answer = _described(fitted, prob)
    if places:
        table = _forecast(fitted, places, prob, seed)
        text.append(table_text(table))
        answer["forecast"] = records(table)
    if later is not None:
        reported = later.to_reported(later.y)
        ahead = bb.forecast(fitted, later.x, seed=seed)
        scores = bb.score(ahead, reported, seen, prob=prob).rename_axis("forecast")
        text.append(table_text(scores.reset_index()))
        answer["scores"] = records(scores)
    if out:
        fitted.save(out)
    if plot:
        _save_picture(bb.plot_forecast(fitted, held_out=later, to=to, seed=seed), plot)
    print_answer("\n\n".join(text), answer, as_json=json)
    _leave(fitted.status.ok)


@app.command(epilog="Example: bayes-bnsl compare runs.csv --law BNSL0,BNSL1,M1 --at 1e6")
def compare(
    data: Data,
    x: X = None,
    y: Y = None,
    accuracy: Accuracy = None,
    ceiling: Ceiling = 1.0,
    y_se: YSe = None,
    run: Run = None,
    delimiter: Delimiter = ",",
    law: Laws = None,
    noise: Noise = None,
    by: Annotated[str, typer.Option(help="loo (left-out points) or lfo (points ahead).")] = "loo",
    at: At = None,
    prob: Prob = 0.9,
    draws: Draws = 1000,
    max_gradients: MaxGradients = 3_000_000,
    seed: Seed = 0,
    plot: Plot = None,
    json: Json = False,
) -> None:
    """Compare laws by what they foresee of points they have not seen."""
    checked_output(plot, PICTURES)
    places = numbers_of(at or [], "--at")
    curve = _one_curve(data, x, y, accuracy, ceiling, y_se, run, delimiter)
    choice = bb.compare(
        curve, laws_of(law) if law else None, by=by, noise=noise_of(noise), draws=draws,
        max_gradients=max_gradients, seed=seed, progress=not json,
    )  # fmt: skip
    chosen = bool(choice.weights.any())
    text = [table_text(choice.table.reset_index()), str(choice)]
    answer: dict[str, Any] = {"table": records(choice.table), "verdict": str(choice)}
    answer |= {"best": choice.best, "simplest": choice.simplest} if chosen else {}
    if places and chosen:
        table = _forecast(choice, places, prob, seed)
        text.append(table_text(table))
        answer["forecast"] = records(table)
    if plot and chosen:
        _save_picture(bb.plot_compare(choice), plot)
    print_answer("\n\n".join(text), answer, as_json=json)
    _leave(chosen)


@app.command(epilog="Example: bayes-bnsl forecast fit.nc --at 1e5,1e6 --out ahead.csv")
def forecast(
    source: Annotated[Path, typer.Argument(help="A fit that was saved: .nc")],
    at: At = None,
    times: Annotated[
        list[str] | None, typer.Option(help="Where, in multiples of the last x: 2,10,100.")
    ] = None,
    run: Annotated[str | None, typer.Option(help="The run that goes on.")] = None,
    prob: Prob = 0.9,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Table to write: .csv")] = None,
    plot: Plot = None,
    to: To = None,
    json: Json = False,
) -> None:
    """Forecast the curve and new observations from a saved fit."""
    checked_output(out, [".csv"]), checked_output(plot, PICTURES)
    fitted = bb.load_fit(source)
    places = numbers_of(at or [], "--at")
    last = float(fitted.curve.x[-1])
    places += [last * factor for factor in numbers_of(times or [], "--times")]
    table = _forecast(fitted, places or [last * 2, last * 10, last * 100], prob, seed, run=run)
    if out:
        write_table(out, table)
    if plot:
        drawn = bb.plot_forecast(fitted, to=to or table["x"].max(), run=run, seed=seed)
        _save_picture(drawn, plot)
    answer = {"law": fitted.law.name, "prob": prob, "forecast": records(table)}
    print_answer(table_text(table), answer | _verdict(fitted), as_json=json)
    _leave(fitted.status.ok)


@app.command(
    epilog="Example: bayes-bnsl batch tasks.csv --by task --x tokens --y loss --law BNSL1,M1 "
    "--out fits --workers 2"
)
def batch(
    data: Data,
    out: OutFolder,
    by: Annotated[str | None, typer.Option(help="Column that tells the curves apart.")] = None,
    x: X = None,
    y: Y = None,
    accuracy: Accuracy = None,
    ceiling: Ceiling = 1.0,
    y_se: YSe = None,
    run: Run = None,
    delimiter: Delimiter = ",",
    law: Laws = None,
    noise: Noise = None,
    times: Annotated[
        list[str] | None, typer.Option(help="Where to forecast, in multiples of the last x.")
    ] = None,
    prob: Prob = 0.9,
    workers: Workers = 1,
    draws: Draws = 1000,
    max_gradients: MaxGradients = 3_000_000,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Fit laws to many curves; writes fits, table.csv and, with --times, forecasts.csv."""
    factors = numbers_of(times or [], "--times")
    curves = _curves(data, by, x, y, accuracy, ceiling, y_se, run, delimiter)
    done = bb.fit_many(
        curves, laws_of(law or ["BNSL(1)"]), noise=noise_of(noise), out=out, workers=workers,
        draws=draws, max_gradients=max_gradients, seed=seed, progress=not json,
    )  # fmt: skip
    write_table(out / "table.csv", done.table)
    answer = {"folder": str(done.folder), "fits": records(done.table)}
    shown = done.table.drop(columns=["reason", "error", "path"])
    text = [table_text(shown), repr(done)]
    if factors and (done.table["error"] == "").any():
        ahead = bb.forecast_many(done, times=factors, prob=prob, seed=seed)
        write_table(out / "forecasts.csv", ahead)
        text.append(table_text(ahead))
        answer["forecasts"] = records(ahead)
    print_answer("\n\n".join(text), answer, as_json=json)
    _leave(bool(done.table["ok"].all()))


@app.command(
    epilog="Example: bayes-bnsl benchmark --data curves --out measured --law BNSL1,M4 --workers 2"
)
def benchmark(
    data: Annotated[Path, typer.Option(help="Folder of the public benchmark's CSV files.")],
    out: OutFolder,
    law: Laws = None,
    noise: Noise = None,
    prob: Prob = 0.9,
    workers: Workers = 1,
    draws: Draws = 1000,
    max_gradients: MaxGradients = 3_000_000,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Fit, forecast and score public curves; writes fits, scores.csv and summary.csv."""
    from bayes_bnsl.benchmarks import score_benchmark, summarize_scores

    scores = score_benchmark(
        bb.read_benchmark(data), laws_of(law or ["BNSL(1)"]), noise=noise_of(noise), out=out,
        prob=prob, workers=workers, draws=draws, max_gradients=max_gradients, seed=seed,
        progress=not json,
    )  # fmt: skip
    summary = summarize_scores(scores)
    write_table(out / "scores.csv", scores)
    write_table(out / "summary.csv", summary)
    answer = {"scores": records(scores), "summary": records(summary)}
    print_answer(table_text(summary), answer, as_json=json)
    _leave(bool(scores["ok"].all()))


@app.command(
    epilog="Example: bayes-bnsl simulate --law BNSL1 --set a=0.1 --set b=2 --set c0=0.3 "
    "--set c=0.4 --set d=1e3 --set f=0.2 --from 10 --to 1e5 --noise 0.02 > curve.csv"
)
def simulate(
    law: OneLaw,
    given: Annotated[list[str], typer.Option("--set", help="NAME=VALUE; one a break: c=0.4,1.2")],
    first: Annotated[float, typer.Option("--from", help="First x.")] = 1.0,
    last: Annotated[float, typer.Option("--to", help="Last x.")] = 1e4,
    points: Annotated[int, typer.Option(min=1, max=1_000_000, help="Number of points.")] = 30,
    noise: Annotated[float, typer.Option(help="Standard deviation of log y about the law.")] = 0.0,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="File to write: .csv")] = None,
) -> None:
    """Draw a curve from a law with noise, as CSV."""
    import numpy as np
    import pandas as pd

    checked_output(out, [".csv"])
    theta: dict[str, Any] = {}
    for each in given:
        name, equals, value = each.partition("=")
        numbers = numbers_of([value], "--set")
        if not (equals and numbers):
            raise ValueError(f"--set takes NAME=VALUE, such as --set a=0.1; got {each!r}.")
        theta[name.strip()] = numbers if name.strip() in ("c", "d", "f") else numbers[0]
    form = terminal.law_of(law)
    if form.n_breaks == 0:
        theta = {k: v[0] if isinstance(v, list) else v for k, v in theta.items()}
    if not 0 < first < last:
        raise ValueError(f"--from must be above zero and below --to; got {first:g} and {last:g}.")
    curve = bb.simulate(form, theta, np.geomspace(first, last, points), noise, seed)
    table = pd.DataFrame({"x": curve.x, "y": curve.y})
    if out:
        write_table(out, table)
    else:
        typer.echo(table.to_csv(index=False), nl=False)


@app.command(
    epilog="Examples: bayes-bnsl report fit.nc --out report; "
    "bayes-bnsl report runs.csv --law BNSL0,BNSL1 --out report"
)
def report(
    source: Annotated[Path, typer.Argument(help="A saved fit (.nc), or a CSV file to fit.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for report.md and its pictures.")],
    x: X = None,
    y: Y = None,
    accuracy: Accuracy = None,
    ceiling: Ceiling = 1.0,
    y_se: YSe = None,
    run: Run = None,
    delimiter: Delimiter = ",",
    law: Laws = None,
    noise: Noise = None,
    at: At = None,
    draws: Draws = 1000,
    max_gradients: MaxGradients = 3_000_000,
    seed: Seed = 0,
) -> None:
    """Write what a paper should say of a fit, or of several laws that are compared."""
    places = numbers_of(at or [], "--at") or None
    if source.suffix == ".nc":
        result: Any = bb.load_fit(source)
    else:
        curve = _one_curve(source, x, y, accuracy, ceiling, y_se, run, delimiter)
        forms = laws_of(law or ["BNSL(1)"])
        settings: dict[str, Any] = {"noise": noise_of(noise), "draws": draws, "seed": seed}
        settings["max_gradients"] = max_gradients
        if len(forms) == 1:
            result = bb.fit(curve, forms[0], **settings)
        else:
            result = bb.compare(curve, forms, **settings)
    print_answer(str(bb.write_report(result, out, x=places, seed=seed)), None, as_json=False)
    _leave(result.status.ok if isinstance(result, bb.Fit) else bool(result.weights.any()))


@app.command(epilog="Example: bayes-bnsl demo --out demo")
def demo(
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the pictures.")] = None,
    draws: Draws = 1000,
    seed: Seed = 1,
) -> None:
    """Fit a bundled curve, and forecast the points that its authors held out."""
    seen, later = bb.load_curve("four_digit_addition").split(n=14)
    fitted = bb.fit(seen, bb.BNSL(1), draws=draws, seed=seed)
    ahead = bb.forecast(fitted, later.x, seed=seed)
    table = _forecast(fitted, later.x, 0.9, seed)
    table.insert(1, "measured", later.y)
    scores = bb.score(ahead, later.y, seen).rename_axis("forecast").reset_index()
    print_answer(f"{fitted}\n\n{table_text(table)}\n\n{table_text(scores)}", None, as_json=False)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        _save_picture(bb.plot_forecast(fitted, held_out=later), out / "forecast.png")
        _save_picture(bb.plot_segments(fitted), out / "segments.png")
    _leave(fitted.status.ok)


def main() -> None:
    """Run the command line."""
    app(prog_name="bayes-bnsl")


def _leave(trusted: bool) -> None:
    if not trusted:
        raise typer.Exit(terminal.DOUBTFUL)


def _curves(
    path: Path, by: str | None, x: str | None, y: str | None, accuracy: str | None,
    ceiling: float, y_se: str | None, run: str | None, delimiter: str,
) -> dict[str, bb.Curve]:  # fmt: skip
    if y is not None and accuracy is not None:
        raise ValueError("Give either --y or --accuracy, not both.")
    y = y if accuracy is None else accuracy
    if x is None or y is None:
        from bayes_bnsl.tables import CsvTable

        header = [each for each in CsvTable.read(path, delimiter=delimiter).columns if each != by]
        if len(header) < 2:
            raise ValueError(f"{path} has fewer than two columns for x and y: {header}.")
        x, y = x or header[0], y or header[1]
    best = None if accuracy is None else ceiling
    return bb.read_curves(
        path, x=x, y=y, by=by, y_se=y_se, run=run, ceiling=best, delimiter=delimiter
    )


def _one_curve(path: Path, *columns: Any) -> bb.Curve:
    return next(iter(_curves(path, None, *columns).values()))


def _forecast(source: Any, places: Any, prob: float, seed: int, **which: Any) -> pd.DataFrame:
    from bayes_bnsl.overview import forecast_table

    return forecast_table(bb.forecast(source, places, seed=seed, **which), prob=prob)


def _save_picture(axes: Any, path: Path) -> None:
    from bayes_bnsl.album import save_picture

    save_picture(axes, path)


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
