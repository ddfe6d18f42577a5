"""The commands for many curves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import bayes_bnsl as bb
from bayes_bnsl import options
from bayes_bnsl.inputs import (
    checked_prob,
    curves_of,
    families_of,
    laws_of,
    noise_of,
    places_of,
    rate_of,
    table_of,
)
from bayes_bnsl.options import Columns, Sampling, with_options
from bayes_bnsl.terminal import (
    checked_folder,
    leave,
    print_answer,
    records,
    table_text,
    write_table,
)

__all__ = ["app"]

app = typer.Typer()


@app.command(
    epilog="Example: bayes-bnsl batch tasks.csv --by task --x tokens --y loss --law BNSL1,M1 "
    "--out fits --workers 2"
)
@with_options
def batch(
    *,
    columns: Columns,
    out: options.OutFolder,
    by: Annotated[str | None, typer.Option(help="Column that tells the curves apart.")] = None,
    pool: Annotated[
        str | None,
        typer.Option(
            help="Column of families, whose curves are fitted together and learn from one another."
        ),
    ] = None,
    law: options.Laws = None,
    noise: options.Noise = None,
    times: options.Times = None,
    unseen_breaks: options.UnseenBreaks = "learned",
    prob: options.Prob = 0.9,
    workers: options.Workers = 1,
    sampling: Sampling,
    json: options.Json = False,
) -> None:
    """Fit laws to many curves, one file a fit.

    Writes table.csv beside the fits and, with --times, forecasts.csv. A fit that fails is a row.
    """
    checked_folder(out), checked_prob(prob)
    factors, rate = places_of(times, "--times"), rate_of(unseen_breaks)
    table = table_of(columns)
    families = False if pool is None else families_of(table, by, pool)
    done = bb.fit_many(
        curves_of(columns, by, table), laws_of(law or ["BNSL(1)"]), noise=noise_of(noise),
        pool=families, out=out, workers=workers, progress=not json, **sampling.settings,
    )  # fmt: skip
    write_table(out / "table.csv", done.table)
    answer = {"folder": str(done.folder), "fits": records(done.table)}
    shown = done.table.drop(columns=["reason", "error", "path"])
    text = [table_text(shown), repr(done)]
    if factors and (done.table["error"] == "").any():
        ahead = bb.forecast_many(
            done, times=factors, prob=prob, unseen_breaks=rate, seed=sampling.seed
        )
        write_table(out / "forecasts.csv", ahead)
        text.append(table_text(ahead))
        answer["forecasts"] = records(ahead)
    print_answer("\n\n".join(text), answer, as_json=json)
    leave(bool(done.table["ok"].all()))


@app.command(
    epilog="Example: bayes-bnsl benchmark --data curves --out measured --law BNSL1,M4 --workers 2 "
    "--unseen-breaks learned"
)
@with_options
def benchmark(
    *,
    out: options.OutFolder,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the public benchmark's CSV files; else they are fetched."),
    ] = None,
    law: options.Laws = None,
    noise: options.Noise = None,
    unseen_breaks: options.UnseenBreaks = "learned",
    prob: options.Prob = 0.9,
    workers: options.Workers = 1,
    sampling: Sampling,
    json: options.Json = False,
) -> None:
    """Fit, forecast and score public curves.

    Writes scores.csv and summary.csv beside the fits, and prints what others have published.
    """
    checked_folder(out), checked_prob(prob)
    rate = rate_of(unseen_breaks)
    folder = bb.fetch_benchmark() if data is None else data
    scores = bb.score_benchmark(
        bb.read_benchmark(folder), laws_of(law or ["BNSL(1)"]), noise=noise_of(noise), out=out,
        prob=prob, unseen_breaks=rate, workers=workers, progress=not json, **sampling.settings,
    )  # fmt: skip
    summary, published = bb.summarize_scores(scores), bb.published_scores(scores)
    write_table(out / "scores.csv", scores)
    write_table(out / "summary.csv", summary)
    answer: dict[str, Any] = {"unseen_breaks": rate, "scores": records(scores)}
    answer |= {"summary": records(summary), "published": records(published)}
    text = [table_text(summary)]
    if len(published):
        text.append(f"Published, on all curves of a collection:\n{table_text(published)}")
    print_answer("\n\n".join(text), answer, as_json=json)
    leave(bool(scores["ok"].all()))
