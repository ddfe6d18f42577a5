"""What the command line reads and writes: laws as text, tables, JSON, errors in one line."""

from __future__ import annotations

import json
import math
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from bayes_bnsl.errors import BayesBnslWarning

if TYPE_CHECKING:
    import pandas as pd


__all__ = [
    "PICTURES",
    "Commands",
    "checked_folder",
    "checked_output",
    "leave",
    "print_answer",
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
