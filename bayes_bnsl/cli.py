"""The command ``bayes-bnsl``, which holds all commands."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from bayes_bnsl import commands, commands_examples, commands_many, terminal

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
for room in (commands, commands_many, commands_examples):
    app.add_typer(room.app)


@app.callback()
def _all(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    # pictures are written, never shown
    os.environ["MPLBACKEND"] = "Agg"


def main() -> None:
    """Run the command line."""
    app(prog_name="bayes-bnsl")
