"""The options of the command line: what each is called, means, and is if nobody says it."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["Columns", "Sampling", "with_options"]

Law = Annotated[str, typer.Option("--law", help="Such as BNSL1, BNSL(1), M2.")]
Laws = Annotated[
    list[str] | None,
    typer.Option("--law", metavar="LAW", help="Repeat it, or put commas between: BNSL0,M1."),
]
Noise = Annotated[
    str | None,
    typer.Option(
        help="lognormal (default), student, correlated or best; each may end in -changing. "
        "Or auto: lognormal or correlated, by evidence."
    ),
]
By = Annotated[
    str, typer.Option(help="loo (left-out points), lfo (points ahead) or evidence (quickest).")
]
Seed = Annotated[int, typer.Option(help="Makes the result repeatable.")]
Prob = Annotated[float, typer.Option(help="Probability of the intervals, between 0 and 1.")]
Draws = Annotated[int, typer.Option(help="Draws of each chain.")]
At = Annotated[
    list[str] | None,
    typer.Option(metavar="X", help="Where to forecast; repeat it, or commas: 1e5,1e6."),
]
Times = Annotated[
    list[str] | None,
    typer.Option(metavar="TIMES", help="Where to forecast, in multiples of the last x: 2,10,100."),
]
UnseenBreaks = Annotated[
    str,
    typer.Option(
        help="Breaks to expect beyond the data, per decade; or learned: as many as within them. "
        "The curve goes on falling, or rising, after each. 0: nothing but the law.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Plot = Annotated[Path | None, typer.Option(help="Picture to write: .png, .pdf or .svg.")]
To = Annotated[float | None, typer.Option(help="The x up to which the picture reaches.")]
Workers = Annotated[int, typer.Option(help="Number of processes.")]
OutFolder = Annotated[
    Path,
    typer.Option("--out", help="Folder; a run that was cut short resumes.", show_default=False),
]


@dataclass(frozen=True)
class Columns:
    """Where points come from: a file and its columns."""

    data: Annotated[
        Path, typer.Argument(help="CSV file with one header line; - for stdin.", show_default=False)
    ]
    x: Annotated[str | None, typer.Option("--x", help="Column of x; else the first.")] = None
    y: Annotated[str | None, typer.Option("--y", help="Column of y; else the next.")] = None
    accuracy: Annotated[
        str | None,
        typer.Option(help="Column of an accuracy, in place of --y: its error is modelled."),
    ] = None
    ceiling: Annotated[
        float | None, typer.Option(help="Best --accuracy there can be, such as 100; else 1.")
    ] = None
    y_se: Annotated[
        str | None, typer.Option("--y-se", help="Column of known standard errors of y.")
    ] = None
    run: Annotated[
        str | None, typer.Option(help="Column that says which training run a row is of.")
    ] = None
    delimiter: Annotated[str, typer.Option(help="What stands between two cells; or tab.")] = ","


@dataclass(frozen=True)
class Sampling:
    """How long is sampled, and from which seed."""

    draws: Draws = 1000
    max_gradients: Annotated[
        int | None,
        typer.Option(
            help="Most gradients of a round of tempered chains; else those of the package."
        ),
    ] = None
    seed: Seed = 0

    @property
    def settings(self) -> dict[str, Any]:
        """What was asked for, as keywords; the package has defaults for the rest."""
        return {name: value for name, value in vars(self).items() if value is not None}


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one option for each field of those of its parameters that are dataclasses.

    Typer reads options from a signature; so many commands share a group of options that is
    written once.
    """
    groups: dict[str, Any] = {}
    shown: list[inspect.Parameter] = []
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        kind = parameter.annotation
        if not is_dataclass(kind):
            shown.append(parameter)
            continue
        groups[parameter.name] = kind
        hints = typing.get_type_hints(kind, include_extras=True)
        shown += [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=parameter.empty if field.default is MISSING else field.default,
                annotation=hints[field.name],
            )
            for field in fields(kind)
        ]

    def called(**given: Any) -> None:
        for name, kind in groups.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        command(**given)

    called.__name__, called.__doc__ = command.__name__, command.__doc__
    called.__annotations__ = {each.name: each.annotation for each in shown}
    called.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in shown]
    )
    return called
