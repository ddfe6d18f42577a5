"""The data: `Curve`, the validated points (x, y) that a scaling law is fitted to."""

from __future__ import annotations

import csv
import datetime
import html
import io
import math
import operator
import os
import reprlib
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayes_bnsl.errors import DuplicateRowsWarning, did_you_mean, name_rows

__all__ = ["CsvTable", "Curve", "checked_numbers"]

type FloatArray = NDArray[np.float64]
type Sign = Literal["positive", "non-negative", "finite"]

_DROP = "Drop those rows from every argument first"


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Curve:
    """Points of a scaling curve: positive, finite, sorted by x, immutable.

    Points that share an x are replicates and stay, in the order given; rows that repeat
    another row in every field carry no information and are dropped with a warning.

    Parameters
    ----------
    x : array_like, shape (n_points,)
        Scale of each point (examples, tokens, compute, parameters), above zero.
    y : array_like, shape (n_points,)
        Performance at each point (loss, error rate, reward), above zero.
    y_se : array_like, shape (n_points,), optional
        Known standard error of each y, in the units of y, zero or more.
    run : sequence of hashable, shape (n_points,), optional
        Label of the training run that each point is a checkpoint of.
    name, x_name, y_name : str
        What the curve and its axes are called; the axes may hold units.
    ceiling : float, optional
        Set by `from_accuracy`: the reported quantity is ``ceiling - y``.

    Raises
    ------
    TypeError
        If a value is no real number (text, a boolean, a date), or a name no text.
    ValueError
        If a value is missing, not finite or out of range, or the arguments do not match.

    Warns
    -----
    DuplicateRowsWarning
        If exact duplicates were dropped.

    Examples
    --------
    >>> curve = Curve([1e4, 1e3, 1e5], [2.5, 3.1, 2.2], x_name="tokens", y_name="loss")
    >>> curve
    <Curve 'curve': 3 points, tokens 1000 to 1e+05, loss 2.2 to 3.1>
    >>> curve.x
    array([  1000.,  10000., 100000.])
    """

    x: FloatArray
    y: FloatArray
    y_se: FloatArray | None
    run: NDArray[np.object_] | None
    name: str
    x_name: str
    y_name: str
    ceiling: float | None

    def __init__(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *,
        y_se: ArrayLike | None = None,
        run: Iterable[Any] | None = None,
        name: str = "curve",
        x_name: str = "x",
        y_name: str = "y",
        ceiling: float | None = None,
    ) -> None:
        for argument, text in {"name": name, "x_name": x_name, "y_name": y_name}.items():
            if not isinstance(text, str):
                raise TypeError(f"{argument} must be a str, but {_shown(text)} came.")
        columns: dict[str, NDArray[Any]] = {
            "x": checked_numbers(x, "x"),
            "y": checked_numbers(y, "y"),
        }
        if y_se is not None:
            columns["y_se"] = checked_numbers(y_se, "y_se", sign="non-negative")
        if run is not None:
            columns["run"] = _checked_labels(run)
        _check_rows_match(columns, {"x": x, "y": y, "y_se": y_se, "run": run})

        rows = list(zip(*columns.values(), strict=True))
        # A dict keeps its keys in the order of their first appearance.
        kept = np.array(list({row: number for number, row in enumerate(rows)}.values()))
        if len(kept) < len(rows):
            warnings.warn(
                f"Dropped {len(rows) - len(kept)} of {len(rows)} rows of the curve {name!r}: "
                f"each repeats another row in all of {', '.join(columns)}. If they are replicates "
                "that agree by chance, tell them apart with run=.",
                DuplicateRowsWarning,
                skip_file_prefixes=(f"{Path(__file__).parent}{os.sep}",),
            )
        order = kept[np.argsort(columns["x"][kept], kind="stable")]
        self.__setstate__(
            dict.fromkeys(("y_se", "run"))
            | {field: column[order] for field, column in columns.items()}
            | {"name": name, "x_name": x_name, "y_name": y_name}
            | {"ceiling": None if ceiling is None else _checked_number(ceiling, "ceiling")}
        )

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        # Also called by pickle and copy, which would hand back writeable arrays.
        for field, value in state.items():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
            object.__setattr__(self, field, value)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        x: str,
        y: str,
        y_se: str | None = None,
        run: str | None = None,
        name: str = "curve",
    ) -> Curve:
        """Take the columns of a table; their names become those of the axes.

        Parameters
        ----------
        frame : table
            Anything with named columns: a pandas, polars or pyarrow table, an xarray Dataset of
            1-D variables, a structured array, a dict of arrays. An xarray DataArray serves too:
            its coordinates are columns, and so are its values, called by the name of the array
            or, if it has none, by `y`.
        x, y : str
            Names of the columns of x and y.
        y_se, run : str, optional
            Names of the columns of the standard errors and of the run labels.
        name : str, default "curve"
            What the curve is called.

        Returns
        -------
        Curve
            The points of the frame.

        Raises
        ------
        TypeError
            If the frame has no named columns, or as for `Curve`.
        ValueError
            If a column is missing or there twice, or as for `Curve`.

        Examples
        --------
        >>> Curve.from_frame({"tokens": [10, 20], "loss": [3.0, 2.0]}, x="tokens", y="loss")
        <Curve 'curve': 2 points, tokens 10 to 20, loss 2 to 3>
        """
        if hasattr(frame, "to_dataset") and hasattr(frame, "name"):
            frame = frame.to_dataset(name=frame.name or y)
        chosen = {"x": x, "y": y, "y_se": y_se, "run": run}
        columns: dict[str, Any] = {
            argument: None if column is None else _column(frame, column, argument)
            for argument, column in chosen.items()
        }
        return cls(**columns, name=name, x_name=str(x), y_name=str(y))

    @classmethod
    def from_csv(
        cls,
        path: str | os.PathLike[str],
        *,
        x: str,
        y: str,
        y_se: str | None = None,
        run: str | None = None,
        name: str | None = None,
        delimiter: str = ",",
    ) -> Curve:
        r"""Read the columns of a CSV file in UTF-8 with one header line.

        Parameters
        ----------
        path : path_like
            The file.
        x, y : str
            Names of the columns of x and y.
        y_se, run : str, optional
            Names of the columns of the standard errors and of the run labels.
        name : str, optional
            What the curve is called; the file's name without its ending by default.
        delimiter : str, default ","
            What stands between two cells.

        Returns
        -------
        Curve
            The points of the file.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        TypeError, ValueError
            If the file cannot be read, a cell is no number, or as for `from_frame`.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "small.csv"
        >>> _ = path.write_text("tokens,loss\n10,3.0\n20,2.0\n")
        >>> Curve.from_csv(path, x="tokens", y="loss")
        <Curve 'small': 2 points, tokens 10 to 20, loss 2 to 3>
        """
        table = CsvTable.read(path, delimiter=delimiter)
        numeric = {column: table.numbers(column) for column in (x, y, y_se) if column is not None}
        frame = {**table.columns, **numeric}
        name = Path(path).stem if name is None else name
        try:
            return cls.from_frame(frame, x=x, y=y, y_se=y_se, run=run, name=name)
        except ValueError as error:
            raise ValueError(
                f"{table.path} (row 0 is line {table.lines[0]} of the file): {error}"
            ) from None

    @classmethod
    def from_accuracy(
        cls,
        x: ArrayLike,
        accuracy: ArrayLike,
        *,
        ceiling: float = 1.0,
        y_se: ArrayLike | None = None,
        run: Iterable[Any] | None = None,
        name: str = "curve",
        x_name: str = "x",
        y_name: str = "error",
    ) -> Curve:
        """Model what an accuracy lacks: ``y = ceiling - accuracy``.

        Parameters
        ----------
        x : array_like, shape (n_points,)
            Scale of each point.
        accuracy : array_like, shape (n_points,)
            A performance that grows towards the ceiling and stays below it.
        ceiling : float, default 1.0
            The best there can be, in the units of `accuracy`; 100 for percentages.
        y_se : array_like, shape (n_points,), optional
            Known standard error of each accuracy, which is that of the error too.
        run : sequence of hashable, shape (n_points,), optional
            Label of the training run that each point is a checkpoint of.
        name, x_name, y_name : str
            What the curve and its axes are called; `y_name` names the error that is modelled.

        Returns
        -------
        Curve
            The errors, with `ceiling` set, so that `to_reported` leads back.

        Raises
        ------
        TypeError, ValueError
            If an accuracy is not below the ceiling, or as for `Curve`.

        Examples
        --------
        >>> curve = Curve.from_accuracy([10, 100], [0.5, 0.75])
        >>> curve.y, curve.to_reported(curve.y)
        (array([0.5 , 0.25]), array([0.5 , 0.75]))
        """
        ceiling = _checked_number(ceiling, "ceiling")
        reported = checked_numbers(accuracy, "accuracy", sign="finite")
        mend = "Pass the best value there can be as ceiling, such as ceiling=100 for percentages"
        fault = (reported >= ceiling, "not", mend, ValueError)
        _raise_first([fault], "accuracy", f"numbers below ceiling={ceiling:g}", reported)
        given = {"x": x, "accuracy": accuracy, "y_se": y_se, "run": run}
        _check_rows_match({"x": checked_numbers(x, "x"), "accuracy": reported}, given)
        return cls(
            x,
            ceiling - reported,
            y_se=y_se,
            run=run,
            name=name,
            x_name=x_name,
            y_name=y_name,
            ceiling=ceiling,
        )

    def __len__(self) -> int:
        return len(self.x)

    @property
    def n_points(self) -> int:
        """Number of points, replicates included."""
        return len(self)

    @property
    def log_x(self) -> FloatArray:
        """Natural logarithm of x, shape (n_points,)."""
        return np.log(self.x)

    @property
    def log_y(self) -> FloatArray:
        """Natural logarithm of y, shape (n_points,)."""
        return np.log(self.y)

    @property
    def runs(self) -> tuple[Any, ...]:
        """The distinct run labels in order of first appearance; empty if there are none."""
        return () if self.run is None else tuple(dict.fromkeys(self.run))

    @property
    def run_index(self) -> NDArray[np.int64] | None:
        """Position in `runs` of each point's label, shape (n_points,), if there are labels."""
        if self.run is None:
            return None
        codes = {label: code for code, label in enumerate(self.runs)}
        return np.array([codes[label] for label in self.run], dtype=np.int64)

    def split(self, *, x: float | None = None, n: int | None = None) -> tuple[Curve, Curve]:
        """Cut the curve in two: what is seen, and what comes later.

        Parameters
        ----------
        x : float, optional
            Points up to and including this x are seen.
        n : int, optional
            The first `n` points, by x, are seen. Give either `x` or `n`.

        Returns
        -------
        seen, later : Curve
            Both hold at least one point and keep the names and the ceiling.

        Raises
        ------
        TypeError
            If `x` is no number or `n` no integer.
        ValueError
            If neither or both are given, or a side would be empty.

        Examples
        --------
        >>> seen, later = Curve([1, 2, 4, 8], [4.0, 3.0, 2.5, 2.2]).split(x=2)
        >>> seen.x, later.x
        (array([1., 2.]), array([4., 8.]))
        """
        if (x is None) == (n is None):
            raise ValueError(
                f"split needs either x= or n=, but {'neither' if x is None else 'both'} came."
            )
        if n is not None:
            if isinstance(n, bool | np.bool_) or not hasattr(n, "__index__"):
                raise TypeError(f"n must be an integer, but {_shown(n)} came.")
            n_seen, asked = operator.index(n), f"n={n}"
        else:
            value = _checked_number(x, "x")
            n_seen, asked = int(np.searchsorted(self.x, value, side="right")), f"x={value:g}"
        if not 0 < n_seen < len(self):
            raise ValueError(
                f"split({asked}) leaves no point {'seen' if n_seen <= 0 else 'for later'}: the "
                f"curve has {_count(len(self), 'point')} and {self.x_name} from {self.x[0]:g} to "
                f"{self.x[-1]:g}. Cut inside that range."
            )
        return self._take(slice(n_seen)), self._take(slice(n_seen, None))

    def to_reported(self, y: Any) -> Any:
        """Map modelled values back to what was reported.

        Parameters
        ----------
        y : float or array
            Values on the scale of `Curve.y`; labelled arrays keep their labels.

        Returns
        -------
        float or array
            ``ceiling - y`` for a curve made by `from_accuracy`, otherwise `y`.

        Examples
        --------
        >>> Curve.from_accuracy([10, 100], [40.0, 60.0], ceiling=100).to_reported(25.0)
        75.0
        """
        return y if self.ceiling is None else self.ceiling - y

    def _take(self, rows: slice) -> Curve:
        columns = {field: getattr(self, field) for field in ("x", "y", "y_se", "run")}
        taken: dict[str, Any] = {
            field: None if column is None else column[rows] for field, column in columns.items()
        }
        return replace(self, **taken)

    def _content(self) -> tuple[Any, ...]:
        # Equal bytes mean equal numbers here: there is no NaN and no negative zero.
        return (
            self.x.tobytes(),
            self.y.tobytes(),
            None if self.y_se is None else self.y_se.tobytes(),
            None if self.run is None else tuple(self.run),
            *(self.name, self.x_name, self.y_name, self.ceiling),
        )

    def __eq__(self, other: object) -> bool:
        return self._content() == other._content() if isinstance(other, Curve) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._content())

    def _facts(self) -> list[str]:
        n_replicates = len(self) - len(np.unique(self.x))
        facts = {
            _count(len(self), "point"): True,
            f"{self.x_name} {_extent(self.x)}": True,
            f"{self.y_name} {_extent(self.y)}": True,
            _count(n_replicates, "replicate"): n_replicates,
            _count(len(self.runs), "run"): self.runs,
            "known standard errors": self.y_se is not None,
            f"reported as {self.ceiling} - {self.y_name}": self.ceiling is not None,
        }
        return [fact for fact, holds in facts.items() if holds]

    def __repr__(self) -> str:
        return f"<Curve {self.name!r}: {', '.join(self._facts())}>"

    def _repr_html_(self) -> str:
        facts = "".join(f"<div>{html.escape(fact)}</div>" for fact in self._facts())
        return (
            '<div style="display:inline-flex;gap:1em;align-items:center;padding:.5em .8em;'
            'border:1px solid rgba(128,128,128,.5);border-radius:6px;font-size:90%">'
            f"<div><strong>{html.escape(self.name)}</strong>{facts}</div>{_picture(self)}</div>"
        )


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
        came = f"an array of shape {raw.shape}" if raw.ndim else _shown(values)
        raise ValueError(
            f"{argument} must be one-dimensional, but {came} came. Pass a list or one column."
        )
    if not raw.size:
        raise ValueError(f"{argument} must hold at least one number, but it is empty.")
    masked = np.ma.getmaskarray(values) if np.ma.is_masked(values) else np.zeros(raw.shape, bool)
    faults: list[_Fault] = [(masked, "masked", f"{_DROP}, as .compressed() does", ValueError)]
    if raw.dtype.kind in "iuf":
        with np.errstate(over="ignore", under="ignore"):
            result = raw.astype(np.float64)
    else:
        kinds = [_kind_of_fault(value) for value in raw]
        faults += [
            (np.array([found is kind for found in kinds]), *kind[1:]) for kind in (*_KINDS, _OTHER)
        ]
        result = np.array(
            [_to_float(v) if k is None else 1.0 for v, k in zip(raw, kinds, strict=True)]
        )
    _raise_first(faults + _faults_of_range(result, sign), argument, f"{sign} numbers", raw)
    return result + 0.0  # turns -0.0 into 0.0


type _Fault = tuple[NDArray[np.bool_], str, str, type[Exception]]
type _Kind = tuple[tuple[type, ...], str, str, type[Exception]]

# Order matters: a numpy duration is also an integer, and a boolean is also an int.
_KINDS: tuple[_Kind, ...] = (
    ((bool, np.bool_), "boolean", "Pass numbers; True and False have no scale", TypeError),
    ((str, bytes), "text", "Convert it to numbers, such as with float()", TypeError),
    (
        (np.datetime64, np.timedelta64, datetime.date, datetime.time, datetime.timedelta),
        "a date or a duration",
        "Pass a number, such as the hours since the start",
        TypeError,
    ),
    ((complex, np.complexfloating), "complex", "Pass its real part or modulus", TypeError),
    ((type(None),), "missing", _DROP, ValueError),
)
_OTHER: _Kind = (
    (object,),
    "no number",
    "Pass numbers, and drop the rows that have none",
    TypeError,
)


def _kind_of_fault(value: object) -> _Kind | None:
    for kind in _KINDS:
        if isinstance(value, kind[0]):
            return kind
    return None if hasattr(value, "__float__") and np.ndim(value) == 0 else _OTHER  # type: ignore[arg-type]


def _to_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # such as 10**400
        return math.inf


def _faults_of_range(values: FloatArray, sign: Sign) -> list[_Fault]:
    tiny = float(np.finfo(np.float64).tiny)
    no_logarithm = f"{_DROP}: only positive numbers have a logarithm"
    faults = [
        (np.isnan(values), "NaN", _DROP),
        (np.isinf(values), "infinite or too large for a float", f"{_DROP}, or use a larger unit"),
    ]
    if sign == "positive":
        too_small = (values > 0) & (values < tiny)
        faults += [
            (values == 0, "zero", no_logarithm),
            (values < 0, "negative", no_logarithm),
            (too_small, f"too small for a float (below {tiny:.2g})", "Use a smaller unit"),
        ]
    elif sign == "non-negative":
        faults += [(values < 0, "negative", "Pass sizes, which have no sign")]
    return [(mask, what, mend, ValueError) for mask, what, mend in faults]


def _raise_first(faults: list[_Fault], argument: str, expected: str, raw: NDArray[Any]) -> None:
    """Raise the first fault that any row has, naming its rows."""
    for mask, what, mend, error in faults:
        rows = np.flatnonzero(mask)
        if rows.size:
            raise error(
                f"{argument} must hold {expected}, but {rows.size} of {mask.size} "
                f"{'is' if rows.size == 1 else 'are'} {what} ({name_rows(rows.tolist())}, counted "
                f"from 0; the first is {_shown(raw[rows[0]])}). {mend}."
            )


def _checked_number(value: Any, argument: str) -> float:
    if np.ndim(value) or _kind_of_fault(value) is not None or not math.isfinite(_to_float(value)):
        raise (TypeError if np.ndim(value) or _kind_of_fault(value) else ValueError)(
            f"{argument} must be one finite number, but {_shown(value)} came."
        )
    return float(value)


def _checked_labels(values: Iterable[Any]) -> NDArray[np.object_]:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(
            f"run must hold one label per point, but {_shown(values)} came. For one run in all, "
            "pass [label] * len(x)."
        )
    has_array = hasattr(values, "__array__")
    labels = np.atleast_1d(np.asarray(values)).tolist() if has_array else list(values)
    result = np.empty(len(labels), dtype=object)
    # Filling one by one keeps a tuple a label instead of a second dimension.
    for row, label in enumerate(labels):
        result[row] = label
    faults: list[_Fault] = [
        (
            np.array([not _is_hashable(label) for label in labels], bool),
            "not hashable",
            "Pass text or numbers",
            TypeError,
        ),
        (
            np.array([_is_missing(label) for label in labels], bool),
            "missing",
            "Name the run of every point, or leave out run=",
            ValueError,
        ),
    ]
    _raise_first(faults, "run", "hashable labels", result)
    return result


def _is_hashable(label: object) -> bool:
    try:
        hash(label)
    except TypeError:  # a tuple may hold a list, which its type does not tell
        return False
    return True


def _is_missing(label: object) -> bool:
    if label is None or not _is_hashable(label):
        return label is None
    # NaN and NaT deny that they equal themselves; pandas.NA answers neither yes nor no.
    equal = label == label
    return not (isinstance(equal, bool | np.bool_) and equal)


def _check_rows_match(columns: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raise unless the columns are equally long and, where labelled, equally labelled."""
    lengths = {argument: len(column) for argument, column in columns.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{argument} has {length}" for argument, length in lengths.items())
        raise ValueError(
            f"Every point needs one value in each argument, but {listed}. Mend the lengths."
        )
    first, *others = columns
    for other in others:
        if not _same_labels(given[first], given[other]):
            raise ValueError(
                f"{first} and {other} have different indexes, and rows would be paired by "
                "position. Align them first, or pass .to_numpy() of both if the positions agree."
            )


def _same_labels(one: Any, other: Any) -> bool:
    """Whether two columns have equal row labels (pandas indexes, xarray dimensions), or none."""
    if hasattr(one, "dims") and hasattr(other, "dims"):
        shared = set(one.indexes) & set(other.indexes)
        return one.dims == other.dims and all(
            one.indexes[name].equals(other.indexes[name]) for name in shared
        )
    indexes = [getattr(column, "index", None) for column in (one, other)]
    # The index of a list is a method, and has no labels.
    return not all(hasattr(index, "equals") for index in indexes) or indexes[0].equals(indexes[1])  # type: ignore[union-attr]


def _column(frame: Any, column: Any, argument: str) -> Any:
    """Take one column of anything with named columns."""
    names = getattr(getattr(frame, "dtype", None), "names", None)
    for attribute in ("column_names", "columns", "variables", "keys"):
        if names is None:
            names = getattr(frame, attribute, None)
    if names is None:
        raise TypeError(
            f"frame must be a table with named columns, but {_shown(frame)} came. Pass arrays to "
            "Curve(x, y), and a path to Curve.from_csv."
        )
    names = list(names() if callable(names) else names)
    if column not in names:
        raise ValueError(f"{argument}={column!r} is no column. {did_you_mean(column, names)}")
    if names.count(column) > 1:
        raise ValueError(
            f"{argument}={column!r} names {names.count(column)} columns. "
            "Rename or drop all but one."
        )
    return frame[column]


@dataclass(frozen=True)
class CsvTable:
    """A CSV file as text: named columns of cells, and the line each row ends on.

    Parameters
    ----------
    path : str
        The file.
    columns : dict of str to list of str
        The cells below each header.
    lines : list of int
        Line number of each row in the file, counted from one.
    """

    path: str
    columns: dict[str, list[str]]
    lines: list[int]

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, delimiter: str = ",") -> CsvTable:
        """Read a file in UTF-8 with one header line.

        Parameters
        ----------
        path : path_like
            The file.
        delimiter : str, default ","
            What stands between two cells.

        Returns
        -------
        CsvTable
            The cells, with blank lines left out.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is unreadable, binary, empty, ragged, or a header stands twice.
        """
        try:
            with Path(path).open(encoding="utf-8-sig", newline="") as file:
                text = file.read()
        except FileNotFoundError:
            raise FileNotFoundError(
                f"There is no file {path}. Mend the path, which is relative to {Path.cwd()}."
            ) from None
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}. Pass a CSV file.") from None
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise ValueError(
                f"{path}, line {line}: this is no text in UTF-8. Save it as CSV in UTF-8."
            ) from None
        if "\0" in text:
            line = text[: text.index("\0")].count("\n") + 1
            raise ValueError(
                f"{path}, line {line}: this is binary, not text. Save it as CSV in UTF-8."
            )
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            rows = [(reader.line_num, row) for row in reader if row]
        except csv.Error as error:
            raise ValueError(
                f"{path}, line {reader.line_num}: {error}. Mend the quotes there."
            ) from None
        if not rows:
            raise ValueError(f"{path} is empty. It needs a header line and rows below it.")
        header = [cell.strip() for cell in rows.pop(0)[1]]
        twice = sorted({cell for cell in header if header.count(cell) > 1})
        if twice:
            raise ValueError(
                f"{path}, line 1: the header names {', '.join(map(repr, twice))} more than once. "
                "Rename or drop all but one."
            )
        if not rows:
            raise ValueError(f"{path} has a header but no rows. Add rows below it.")
        for line, row in rows:
            if len(row) != len(header):
                raise ValueError(
                    f"{path}, line {line}: {_count(len(row), 'cell')}, but the header names "
                    f"{_count(len(header), 'column')}. Add or quote what is amiss there."
                )
        cells = zip(*(row for _, row in rows), strict=True)
        columns = {name: list(column) for name, column in zip(header, cells, strict=True)}
        return cls(str(path), columns, [line for line, _ in rows])

    def numbers(self, column: str) -> list[float]:
        """Read the cells of a column as numbers.

        Parameters
        ----------
        column : str
            Its header.

        Returns
        -------
        list of float
            One number per row.

        Raises
        ------
        ValueError
            If there is no such column, or a cell is no number.
        """
        if column not in self.columns:
            raise ValueError(
                f"{self.path} has no column {column!r}. {did_you_mean(column, self.columns)}"
            )
        result = []
        for line, cell in zip(self.lines, self.columns[column], strict=True):
            try:
                result.append(float(cell))
            except ValueError:
                raise ValueError(
                    f"{self.path}, line {line}, column {column!r}: {_shown(cell)} is no number. "
                    "Write it plainly, such as 1200 or 1.2e3, or drop the row."
                ) from None
        return result


def _shown(value: object) -> str:
    if isinstance(value, np.datetime64 | np.timedelta64):
        return str(value)
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, int) and value.bit_length() > 100:  # Python will not write huge integers
        return f"an integer of about {int(value.bit_length() * math.log10(2))} digits"
    return reprlib.repr(value)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _extent(values: FloatArray) -> str:
    lowest, highest = f"{values.min():.4g}", f"{values.max():.4g}"
    return lowest if lowest == highest else f"{lowest} to {highest}"


def _picture(curve: Curve) -> str:
    """Draw the points on logarithmic axes as a small SVG, legible on light and dark."""
    # A long training run would swell the notebook, and two hundred points show its shape.
    rows = np.unique(np.linspace(0, len(curve) - 1, num=min(len(curve), 200)).astype(int))
    across = 8 + 144 * _unit(curve.log_x[rows])
    down = 72 - 64 * _unit(curve.log_y[rows])
    dots = "".join(
        f'<circle cx="{h:.1f}" cy="{v:.1f}" r="2"/>' for h, v in zip(across, down, strict=True)
    )
    return (
        '<svg width="160" height="80" viewBox="0 0 160 80" fill="currentColor" role="img">'
        "<title>the points on logarithmic axes</title>"
        '<path d="M2 2V78H158" fill="none" stroke="currentColor" stroke-opacity=".5"/>'
        f"{dots}</svg>"
    )


def _unit(values: FloatArray) -> FloatArray:
    """Scale to 0 ... 1, or to the middle if all values are equal."""
    span = np.ptp(values)
    return (values - values.min()) / span if span else np.full_like(values, 0.5)
