"""What the command line reads and writes: laws as text, tables, JSON, errors in one line."""

from __future__ import annotations

import json
import math
import os
import re
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from bayes_bnsl.errors import BayesBnslWarning, did_you_mean
from bayes_bnsl.options import Columns

if TYPE_CHECKING:
    import pandas as pd

    from bayes_bnsl.curve import Curve
    from bayes_bnsl.law import Law

__all__ = [
    "PICTURES",
    "Commands",
    "checked_end",
    "checked_folder",
    "checked_output",
    "checked_prob",
    "curve_of",
    "curves_of",
    "law_of",
    "laws_of",
    "leave",
    "noise_of",
    "numbers_of",
    "places_of",
    "print_answer",
    "rate_of",
    "records",
    "table_text",
    "write_table",
]

DOUBTFUL, BAD_INPUT, DEFECT, INTERRUPTED, UNHEARD = 1, 2, 3, 130, 141
"""Exit codes: fitted but not to be trusted, bad input, an error of ours, Ctrl-C, a pipe closed.

The last two are what the shell says of programs that a signal ended.
"""

PICTURES = (".pdf", ".png", ".svg")
"""Endings of pictures."""


class Commands(TyperGroup):
    """The commands, whose warnings and errors are one line each on stderr."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **more: Any) -> Any:
        """Read what stands before the command; without anything there is help."""
        given = list(args)
        try:
            return super().make_context(info_name, args, *rest, **more)
        except typer.TyperException as error:
            if not given:
                raise
            code, message = _verdict(error)
            _say("Error", message)
            raise typer.Exit(code) from None

    def invoke(self, ctx: Any) -> Any:
        """Run a command; leave with a code that says what became of it."""
        with warnings.catch_warnings():
            warnings.simplefilter("always", BayesBnslWarning)
            warnings.showwarning = _show_warning  # type: ignore[assignment]
            try:
                return super().invoke(ctx)
            except (typer.Exit, typer.Abort):
                raise
            except BrokenPipeError:  # such as `| head`, which has read enough
                sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - else it fails at exit
                raise typer.Exit(UNHEARD) from None
            except (KeyboardInterrupt, Exception) as error:
                if ctx.params.get("debug"):
                    traceback.print_exc()
                code, message = _verdict(error)
                _say("Error", message)
                raise typer.Exit(code) from None


def _verdict(error: BaseException) -> tuple[int, str]:
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "Interrupted. Files that were written are whole."
    if isinstance(error, typer.TyperException):
        message = getattr(error, "format_message", lambda: str(error))()
        return BAD_INPUT, f"{message.rstrip('.')}. See --help."
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return BAD_INPUT, f"{where}{error.strerror}. Give another path, or mend this one."
    if isinstance(error, ValueError | TypeError | OSError):
        return BAD_INPUT, str(error)
    return DEFECT, (
        f"{type(error).__name__}: {error}. This is a defect of bayes-bnsl; "
        "`bayes-bnsl --debug ...` shows where it happened."
    )


def _show_warning(message: Warning | str, category: type[Warning], *_: Any) -> None:
    _say("Warning" if issubclass(category, BayesBnslWarning) else category.__name__, message)


def _say(what: str, message: object) -> None:
    line = " ".join(str(message).split())
    encoding = sys.stderr.encoding or "utf-8"
    print(f"{what}: {line}".encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)


def law_of(text: str) -> Law:
    """Make the law that a text names, such as ``BNSL(2)``, ``bnsl2`` or ``M1``."""
    from bayes_bnsl import laws

    plain = re.sub(r"[\s()=_:-]", "", text).lower()
    if found := re.fullmatch(r"bnsl(\d{1,3})", plain):
        return laws.BNSL(int(found[1]))
    known: dict[str, Law] = {"m1": laws.M1(), "m2": laws.M2(), "m3": laws.M3(), "m4": laws.M4()}
    known["m3constantfalse"] = laws.M3(constant=False)
    if plain in known:
        return known[plain]
    names = ("BNSL(0)", "BNSL(1)", "BNSL(2)", *(law.name for law in known.values()))
    raise ValueError(f"--law {text!r} is no law. {did_you_mean(text, names)}")


def laws_of(texts: Sequence[str]) -> list[Law]:
    """Make the laws of options that are repeated, or hold several between commas."""
    return [law_of(part) for text in texts for part in text.split(",") if part.strip()]


def noise_of(text: str | None) -> Any:
    """Make the noise that a text names; ``auto`` is left to `fit`."""
    from bayes_bnsl import noise

    if text is None or text == "auto":
        return text
    kinds: dict[str, Any] = {
        "lognormal": noise.LogNormal,
        "student": noise.StudentT,
        "correlated": noise.Correlated,
    }
    name, _, change = text.lower().partition("-")
    if name not in kinds or change not in ("", "changing"):
        known = [*kinds, *(f"{kind}-changing" for kind in kinds), "auto"]
        raise ValueError(f"--noise {text!r} is no noise model. {did_you_mean(text, known)}")
    return kinds[name](changing=bool(change))


def curves_of(columns: Columns, by: str | None = None) -> dict[str, Curve]:
    """Read the curves of a file, one for each value of a column; without it there is one."""
    from bayes_bnsl.groups import read_curves
    from bayes_bnsl.tables import CsvTable

    if columns.y is not None and columns.accuracy is not None:
        raise ValueError("Give either --y or --accuracy, not both.")
    if columns.ceiling is not None and columns.accuracy is None:
        raise ValueError("--ceiling is that of --accuracy COLUMN, which is missing. Add it.")
    delimiter = {"tab": "\t", "\\t": "\t"}.get(columns.delimiter, columns.delimiter)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ValueError(f"--delimiter is one character, or tab; got {columns.delimiter!r}.")
    path = "/dev/stdin" if str(columns.data) == "-" else columns.data
    table = CsvTable.read(path, delimiter=delimiter)
    x, y = columns.x, columns.y if columns.accuracy is None else columns.accuracy
    y_option = "--y" if columns.accuracy is None else "--accuracy"
    named = {"--x": x, y_option: y, "--by": by, "--y-se": columns.y_se, "--run": columns.run}
    for option, column in named.items():
        if column is not None and column not in table.columns:
            known = did_you_mean(column, table.columns)
            if len(table.columns) == 1:
                known += " Say what stands between cells with --delimiter."
            raise ValueError(f"{path} has no column {column!r}, which {option} names. {known}")
    if x is not None and x == y:
        raise ValueError(f"--x and {y_option} are both {x!r}. Name two columns.")
    left = [each for each in table.columns if each not in named.values()]
    if len(left) < (x is None) + (y is None):
        raise ValueError(
            f"{path} has no columns left for x and y, only {', '.join(map(repr, table.columns))}. "
            "Say which is which with --x and --y, or what stands between cells with --delimiter."
        )
    x = left.pop(0) if x is None else x
    y = left.pop(0) if y is None else y
    ceiling = 1.0 if columns.accuracy is not None and columns.ceiling is None else columns.ceiling
    return read_curves(table, x=x, y=y, by=by, y_se=columns.y_se, run=columns.run, ceiling=ceiling)


def curve_of(columns: Columns) -> Curve:
    """Read the curve of a file."""
    return next(iter(curves_of(columns).values()))


def numbers_of(texts: Sequence[str] | None, option: str) -> list[float]:
    """Read numbers of options that are repeated, or hold several between commas."""
    parts = [part for text in texts or () for part in text.split(",") if part.strip()]
    if texts and not parts:
        raise ValueError(f"{option} is empty. Give numbers, or leave it out.")
    try:
        return [float(part) for part in parts]
    except ValueError as error:
        raise ValueError(f"{option} takes numbers, such as {option} 1e5,1e6; {error}.") from None


def places_of(texts: Sequence[str] | None, option: str) -> list[float]:
    """Read numbers that x, or multiples of it, can be."""
    numbers = numbers_of(texts, option)
    for number in numbers:
        if not 0 < number < math.inf:
            raise ValueError(f"{option} takes positive finite numbers; got {number:g}.")
    return numbers


def rate_of(text: str) -> float | str:
    """Read how many breaks to expect beyond the data."""
    if text == "learned":
        return text
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate < math.inf:
        raise ValueError(
            f"--unseen-breaks takes breaks per decade, such as 0.5, or the word learned; "
            f"got {text!r}."
        )
    return rate


def checked_prob(prob: float) -> float:
    """Refuse what is no probability before anything is fitted."""
    if not 0 < prob < 1:
        raise ValueError(f"--prob must lie between 0 and 1, such as 0.9; got {prob:g}.")
    return prob


def checked_output(path: Path | None, suffixes: Sequence[str]) -> Path | None:
    """Refuse a file that cannot be written before anything is fitted."""
    if path is None:
        return None
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"{path} must end in {' or '.join(suffixes)}, which says what to write.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder. Give the name of a file in it.")
    if not path.parent.is_dir():
        raise ValueError(f"There is no folder {path.parent} for {path.name}. Make it first.")
    _check_writable(path.parent)
    return path


def checked_folder(path: Path) -> Path:
    """Refuse a folder that cannot be written to before anything is fitted."""
    existing = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not existing.is_dir():
        raise ValueError(f"--out {path} cannot be a folder: {existing} is a file. Give another.")
    _check_writable(existing)
    return path


def checked_end(to: float | None, curve: Curve) -> float | None:
    """Refuse an end of the picture that leaves nothing to draw before anything is fitted."""
    if to is not None and not curve.x[0] < to < math.inf:
        first = f"{curve.x[0]:g}"
        raise ValueError(f"--to must be finite, and beyond the first x, {first}; got {to:g}.")
    return to


def _check_writable(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"You may not write into the folder {folder.absolute()}. Give another.")


def print_answer(text: str, answer: Any, *, as_json: bool) -> None:
    """Print for people, or the same as JSON and nothing else."""
    if as_json:
        text = json.dumps(_plain(answer), indent=2, allow_nan=False)
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def leave(trusted: bool) -> None:
    """End a command whose result is not to be trusted with the code that says so."""
    if not trusted:
        raise typer.Exit(DOUBTFUL)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table, its index included if that says something."""
    if table.index.name is not None or not hasattr(table.index, "step"):
        table = table.rename_axis(str(table.index.name or "name")).reset_index()
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def table_text(table: pd.DataFrame, *, index: bool = False) -> str:
    """Write a table in plain text with four significant digits."""
    return str(table.to_string(index=index, float_format=lambda value: f"{value:.4g}"))


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, whole or not at all."""
    from bayes_bnsl.jobs import write_whole

    write_whole(path, table.to_csv(index=False).encode("utf-8", "backslashreplace"))


def _plain(value: Any) -> Any:
    """Return what JSON can hold; numbers that are not finite become null."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
