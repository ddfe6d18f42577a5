"""Columns of numbers and labels as users pass them, checked, and words for what is amiss."""

from __future__ import annotations

import datetime
import math
import operator
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayes_bnsl.errors import name_rows

__all__ = [
    "Fault",
    "FloatArray",
    "checked_columns",
    "checked_integer",
    "checked_labels",
    "checked_number",
    "checked_numbers",
    "checked_text",
    "counted",
    "extent",
    "refuse",
    "shown",
]

type FloatArray = NDArray[np.float64]
type Sign = Literal["positive", "non-negative", "finite"]

_DROP = "Drop those rows from every argument first"

# What came instead of a number: its types, and the mend. Order matters: a numpy duration is
# also an integer, and a boolean is also an int.
_NO_NUMBERS: dict[str, tuple[tuple[type, ...], str]] = {
    "boolean": ((bool, np.bool_), "Pass numbers; True and False have no scale"),
    "text": ((str, bytes), "Convert it to numbers, such as with float()"),
    "a date or a duration": (
        (np.datetime64, np.timedelta64, datetime.date, datetime.time, datetime.timedelta),
        "Pass a number, such as the hours since the start",
    ),
    "complex": ((complex, np.complexfloating), "Pass its real part or modulus"),
    "missing": ((type(None),), _DROP),
    "no number": ((), "Pass numbers, and drop the rows that have none"),
}


class Fault(NamedTuple):
    """What is amiss in some rows of a column, and how to mend it."""

    rows: NDArray[np.bool_]
    what: str
    mend: str
    error: type[Exception] = ValueError


def refuse(faults: Iterable[Fault], argument: str, expected: str, raw: NDArray[Any]) -> None:
    """Raise the first fault that any row has, naming its rows."""
    for fault in faults:
        rows = np.flatnonzero(fault.rows)
        if rows.size:
            raise fault.error(
                f"{argument} must hold {expected}, but {rows.size} of {raw.size} "
                f"{'is' if rows.size == 1 else 'are'} {fault.what} ({name_rows(rows.tolist())}, "
                f"counted from 0; the first is {shown(raw[rows[0]])}). {fault.mend}."
            )


def checked_columns(
    given: Mapping[str, tuple[Any, Sign | Literal["labels"]]],
) -> dict[str, NDArray[Any]]:
    """Check columns whose rows belong together.

    Of each argument comes what was passed and what it should hold. The columns must be equally
    long and, where their rows are labelled, equally labelled.
    """
    columns: dict[str, NDArray[Any]] = {
        argument: (
            checked_labels(values, argument)
            if kind == "labels"
            else checked_numbers(values, argument, sign=kind)
        )
        for argument, (values, kind) in given.items()
    }
    if len({column.size for column in columns.values()}) > 1:
        listed = ", ".join(f"{argument} has {column.size}" for argument, column in columns.items())
        raise ValueError(
            f"Every point needs one value in each argument, but {listed}. Mend the lengths."
        )
    first, *others = given
    for other in others:
        if not _same_index(given[first][0], given[other][0]):
            raise ValueError(
                f"{first} and {other} have different indexes, and rows would be paired by "
                "position. Align them first, or pass .to_numpy() of both if the positions agree."
            )
    return columns


def checked_numbers(values: ArrayLike, argument: str, *, sign: Sign = "positive") -> FloatArray:
    """Turn what a user passed into a one-dimensional array of finite floats.

    Parameters
    ----------
    values : array_like, shape (n,)
        What came.
    argument : str
        What to call it in messages.
    sign : {"positive", "non-negative", "finite"}
        Which numbers are allowed.

    Returns
    -------
    numpy.ndarray, shape (n,)
        A new array of float64.

    Raises
    ------
    TypeError
        If a value is no real number.
    ValueError
        If the shape is wrong or empty, or a value is missing, not finite or out of range.

    Examples
    --------
    >>> checked_numbers([3, 1], "x")
    array([3., 1.])
    """
    # A list is read value by value, since numpy would turn [1.0, "2"] into text throughout.
    raw = np.asarray(values, dtype=None if hasattr(values, "__array__") else object)
    if raw.ndim != 1:
        came = f"an array of shape {raw.shape}" if raw.ndim else shown(values)
        raise ValueError(
            f"{argument} must be one-dimensional, but {came} came. Pass a list or one column."
        )
    if not raw.size:
        raise ValueError(f"{argument} must hold at least one number, but it is empty.")
    masked = np.asarray(np.ma.getmask(values))
    faults = [Fault(masked, "masked", f"{_DROP}, as .compressed() does")]
    if raw.dtype.kind in "iuf":
        with np.errstate(over="ignore", under="ignore"):
            result = raw.astype(np.float64)
    else:
        came_instead = [_instead_of_number(value) for value in raw]
        faults += [
            Fault(
                np.array([found == what for found in came_instead]),
                what,
                mend,
                ValueError if what == "missing" else TypeError,
            )
            for what, (_, mend) in _NO_NUMBERS.items()
        ]
        result = np.array(
            [1.0 if w else _to_float(v) for v, w in zip(raw, came_instead, strict=True)]
        )
    refuse(faults + _faults_of_range(result, sign), argument, f"{sign} numbers", raw)
    return result + 0.0  # turns -0.0 into 0.0


def checked_number(value: Any, argument: str) -> float:
    """Turn what a user passed into one finite float."""
    wrong_type = np.ndim(value) > 0 or _instead_of_number(value) is not None
    if wrong_type or not math.isfinite(_to_float(value)):
        raise (TypeError if wrong_type else ValueError)(
            f"{argument} must be one finite number, but {shown(value)} came."
        )
    return float(value)


def checked_integer(value: Any, argument: str) -> int:
    """Turn what a user passed into an integer; a boolean is none."""
    try:
        if not isinstance(value, bool | np.bool_):
            return operator.index(value)
    except TypeError:
        pass
    raise TypeError(f"{argument} must be an integer, but {shown(value)} came.")


def checked_labels(values: Any, argument: str) -> NDArray[np.object_]:
    """Turn what a user passed into labels that any file can hold: all str, or all int."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(
            f"{argument} must hold one label per point, but {shown(values)} came. For one "
            f"{argument} in all, pass [label] * len(x)."
        )
    cells = np.atleast_1d(np.asanyarray(values)) if hasattr(values, "__array__") else values
    # One by one, a tuple is one wrong label instead of a second dimension.
    raw = np.fromiter(cells, dtype=np.object_)
    labels = np.array([_plain_label(value) for value in raw], dtype=object)
    kinds = np.array([type(label).__name__ for label in labels], dtype=object)
    name_all = f"Name the {argument} of every point, or leave out {argument}="
    as_text = f"Pass text throughout, such as [str(label) for label in {argument}]"
    faults = [
        Fault(np.array([_is_missing(value) for value in raw], bool), "missing", name_all),
        Fault(kinds == "NoneType", "neither", as_text, TypeError),
        Fault((kinds == "int") & ("str" in kinds), "an integer beside text", as_text, TypeError),
    ]
    refuse(faults, argument, "labels, all text or all 64-bit integers", raw)
    return labels


def checked_text(value: Any, argument: str) -> str:
    """Return what a user passed if it is text."""
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a str, but {shown(value)} came.")
    return value


def shown(value: object) -> str:
    """Write a value in short, whatever it is."""
    if isinstance(value, np.datetime64 | np.timedelta64):
        return str(value)
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, int) and value.bit_length() > 100:  # Python will not write huge integers
        return f"an integer of about {int(value.bit_length() * math.log10(2))} digits"
    return reprlib.repr(value)


def counted(number: int, noun: str) -> str:
    """Write how many there are of something."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def extent(values: FloatArray) -> str:
    """Write from where to where values lie."""
    lowest, highest = f"{values.min():.4g}", f"{values.max():.4g}"
    return lowest if lowest == highest else f"{lowest} to {highest}"


def _instead_of_number(value: Any) -> str | None:
    for what, (types, _) in _NO_NUMBERS.items():
        if isinstance(value, types):
            return what
    return None if hasattr(value, "__float__") and np.ndim(value) == 0 else "no number"


def _to_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # such as 10**400
        return math.inf


def _faults_of_range(values: FloatArray, sign: Sign) -> list[Fault]:
    tiny = float(np.finfo(np.float64).tiny)
    no_logarithm = f"{_DROP}: only positive numbers have a logarithm"
    of_any_sign = [
        Fault(np.isnan(values), "NaN", _DROP),
        Fault(
            np.isinf(values), "infinite or too large for a float", f"{_DROP}, or use a larger unit"
        ),
    ]
    of_sign: dict[Sign, list[Fault]] = {
        "finite": [],
        "non-negative": [Fault(values < 0, "negative", "Pass sizes, which have no sign")],
        "positive": [
            Fault(values == 0, "zero", no_logarithm),
            Fault(values < 0, "negative", no_logarithm),
            Fault(values < tiny, f"too small for a float (below {tiny:.2g})", "Use a smaller unit"),
        ],
    }
    return of_any_sign + of_sign[sign]


def _plain_label(value: Any) -> str | int | None:
    """Strip what numpy and enumerations add to text and integers; None for anything else."""
    if isinstance(value, str):
        return str.__str__(value)
    try:
        integer = checked_integer(value, "label")
    except TypeError:
        return None
    return integer if -(2**63) <= integer < 2**63 else None


def _is_missing(value: Any) -> bool:
    # NaN and NaT deny that they equal themselves; pandas.NA answers neither yes nor no.
    equal = value == value
    certain = isinstance(equal, bool | np.bool_) and equal
    return value is None or not (certain or np.ndim(equal))


def _same_index(one: Any, other: Any) -> bool:
    """Whether two columns have equal row labels (pandas indexes, xarray dimensions), or none."""
    if hasattr(one, "dims") and hasattr(other, "dims"):
        shared = set(one.indexes) & set(other.indexes)
        return one.dims == other.dims and all(
            one.indexes[name].equals(other.indexes[name]) for name in shared
        )
    indexes: list[Any] = [getattr(column, "index", None) for column in (one, other)]
    # The index of a list is a method, and has no labels.
    return not all(hasattr(index, "equals") for index in indexes) or indexes[0].equals(indexes[1])
