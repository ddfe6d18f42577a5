"""What the command line is given: tables, laws, numbers; each checked, with errors to act on."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bayes_bnsl.errors import did_you_mean
from bayes_bnsl.options import Columns

if TYPE_CHECKING:
    from bayes_bnsl.curve import Curve
    from bayes_bnsl.law import Law
    from bayes_bnsl.tables import CsvTable

__all__ = [
    "checked_end",
    "checked_prob",
    "curve_of",
    "curves_of",
    "families_of",
    "law_of",
    "laws_of",
    "noise_of",
    "numbers_of",
    "places_of",
    "rate_of",
    "table_of",
]


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
    from bayes_bnsl import noises

    if text is None or text == "auto":
        return text
    kinds: dict[str, Any] = {
        "lognormal": noises.LogNormal,
        "student": noises.StudentT,
        "correlated": noises.Correlated,
        "best": noises.BestSoFar,
    }
    name, _, change = text.lower().partition("-")
    if name not in kinds or change not in ("", "changing"):
        known = [*kinds, *(f"{kind}-changing" for kind in kinds), "auto"]
        raise ValueError(f"--noise {text!r} is no noise model. {did_you_mean(text, known)}")
    return kinds[name](changing=bool(change))


def table_of(columns: Columns) -> CsvTable:
    """Read a file, or what comes through a pipe."""
    from bayes_bnsl.tables import CsvTable

    delimiter = {"tab": "\t", "\\t": "\t"}.get(columns.delimiter, columns.delimiter)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ValueError(f"--delimiter is one character, or tab; got {columns.delimiter!r}.")
    path = "/dev/stdin" if str(columns.data) == "-" else columns.data
    return CsvTable.read(path, delimiter=delimiter)


def curves_of(
    columns: Columns, by: str | None = None, table: CsvTable | None = None
) -> dict[str, Curve]:
    """Read the curves of a file, one for each value of a column; without it there is one."""
    from bayes_bnsl.groups import read_curves

    if columns.y is not None and columns.accuracy is not None:
        raise ValueError("Give either --y or --accuracy, not both.")
    if columns.ceiling is not None and columns.accuracy is None:
        raise ValueError("--ceiling is that of --accuracy COLUMN, which is missing. Add it.")
    table = table_of(columns) if table is None else table
    x, y = columns.x, columns.y if columns.accuracy is None else columns.accuracy
    y_option = "--y" if columns.accuracy is None else "--accuracy"
    named = {"--x": x, y_option: y, "--by": by, "--y-se": columns.y_se, "--run": columns.run}
    _check_columns(table, named)
    if x is not None and x == y:
        raise ValueError(f"--x and {y_option} are both {x!r}. Name two columns.")
    left = [each for each in table.columns if each not in named.values()]
    if len(left) < (x is None) + (y is None):
        raise ValueError(
            f"{table.path} has no columns left for x and y, only "
            f"{', '.join(map(repr, table.columns))}. "
            "Say which is which with --x and --y, or what stands between cells with --delimiter."
        )
    x = left.pop(0) if x is None else x
    y = left.pop(0) if y is None else y
    ceiling = 1.0 if columns.accuracy is not None and columns.ceiling is None else columns.ceiling
    return read_curves(table, x=x, y=y, by=by, y_se=columns.y_se, run=columns.run, ceiling=ceiling)


def curve_of(columns: Columns) -> Curve:
    """Read the curve of a file."""
    return next(iter(curves_of(columns).values()))


def families_of(table: CsvTable, by: str | None, pool: str) -> dict[str, str]:
    """Read which family each curve of a file is of."""
    from bayes_bnsl.groups import read_families

    if by is None:
        raise ValueError("--pool needs several curves. Tell them apart with --by COLUMN.")
    _check_columns(table, {"--by": by, "--pool": pool})
    return read_families(table, by=by, family=pool)


def _check_columns(table: CsvTable, named: Mapping[str, str | None]) -> None:
    for option, column in named.items():
        if column is not None and column not in table.columns:
            known = did_you_mean(column, table.columns)
            if len(table.columns) == 1:
                known += " Say what stands between cells with --delimiter."
            raise ValueError(
                f"{table.path} has no column {column!r}, which {option} names. {known}"
            )


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


def checked_end(to: float | None, curve: Curve) -> float | None:
    """Refuse an end of the picture that leaves nothing to draw before anything is fitted."""
    if to is not None and not curve.x[0] < to < math.inf:
        first = f"{curve.x[0]:g}"
        raise ValueError(f"--to must be finite, and beyond the first x, {first}; got {to:g}.")
    return to
