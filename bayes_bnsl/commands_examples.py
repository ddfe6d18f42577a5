"""The commands that need no data: a simulated curve, a demonstration."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

import bayes_bnsl as bb
from bayes_bnsl import options
from bayes_bnsl.commands import forecast_rows, forecast_text, save_picture
from bayes_bnsl.errors import did_you_mean
from bayes_bnsl.inputs import law_of, numbers_of
from bayes_bnsl.terminal import (
    checked_folder,
    checked_output,
    leave,
    print_answer,
    table_text,
    write_table,
)

__all__ = ["app"]

app = typer.Typer()


@app.command(
    epilog="Example: bayes-bnsl simulate --law BNSL1 --set a=0.1 --set b=2 --set c0=0.3 "
    "--set c=0.4 --set d=1e3 --set f=0.2 --from 10 --to 1e5 --noise 0.02 > curve.csv"
)
def simulate(
    law: options.Law,
    given: Annotated[
        list[str],
        typer.Option("--set", metavar="NAME=VALUE", help="One a break: c=0.4,1.2"),
    ],
    first: Annotated[float, typer.Option("--from", help="First x.")] = 1.0,
    last: Annotated[float, typer.Option("--to", help="Last x.")] = 1e4,
    points: Annotated[int, typer.Option(min=1, max=1_000_000, help="Number of points.")] = 30,
    noise: Annotated[float, typer.Option(help="Standard deviation of log y about the law.")] = 0.0,
    seed: options.Seed = 0,
    out: Annotated[Path | None, typer.Option(help="File to write: .csv")] = None,
) -> None:
    """Draw a curve from a law with noise, as CSV."""
    import numpy as np
    import pandas as pd

    checked_output(out, [".csv"])
    form = law_of(law)
    theta: dict[str, Any] = {}
    for each in given:
        name, equals, value = each.partition("=")
        name = name.strip()
        if not equals:
            raise ValueError(f"--set takes NAME=VALUE, such as --set a=0.1; got {each!r}.")
        if name not in form.parameters:
            known = did_you_mean(name, form.parameters)
            raise ValueError(f"--set {each}: {form.name} has no parameter {name!r}. {known}")
        if name in theta:
            raise ValueError(f"--set names {name} more than once. One for each break: c=0.4,1.2")
        numbers = numbers_of([value], f"--set {name}")
        if len(numbers) > 1 and not form.has_break(name):
            raise ValueError(f"--set {each}: {name} of {form.name} is one number.")
        theta[name] = numbers if form.has_break(name) else numbers[0]
    if not 0 < first < last < math.inf:
        raise ValueError(f"--from must be above zero and below --to; got {first:g} and {last:g}.")
    curve = bb.simulate(form, theta, np.geomspace(first, last, points), noise, seed)
    table = pd.DataFrame({"x": curve.x, "y": curve.y})
    if out:
        write_table(out, table)
    else:
        typer.echo(table.to_csv(index=False), nl=False)


@app.command(epilog="Example: bayes-bnsl demo --out demo")
def demo(
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the pictures.")] = None,
    draws: options.Draws = 1000,
    seed: options.Seed = 1,
) -> None:
    """Fit a bundled curve, and forecast its held-out points."""
    if out:
        checked_folder(out)
    seen, later = bb.load_curve("four_digit_addition").split(n=14)
    fitted = bb.fit(seen, bb.BNSL(1), draws=draws, seed=seed)
    ahead = bb.forecast(fitted, later.x, seed=seed)
    table = forecast_rows(fitted, later.x, 0.9, seed=seed)
    table.insert(1, "measured", later.y)
    scores = bb.score(ahead, later.y, seen).rename_axis("forecast").reset_index()
    text = [
        str(fitted),
        forecast_text(table, 0.9, ahead.attrs["unseen_breaks"]),
        table_text(scores),
    ]
    print_answer("\n\n".join(text), None, as_json=False)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        save_picture(bb.plot_forecast(fitted, held_out=later), out / "forecast.png")
        save_picture(bb.plot_segments(fitted), out / "segments.png")
    leave(fitted.status.ok)
