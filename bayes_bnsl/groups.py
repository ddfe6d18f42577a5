"""Curves of a table: one, or as many as a column tells apart."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from bayes_bnsl.columns import checked_labels
from bayes_bnsl.curve import Curve
from bayes_bnsl.tables import CsvTable, take_column

__all__ = ["read_curves", "read_families"]


def read_curves(
    table: Any,
    *,
    x: str,
    y: str,
    by: str | None = None,
    y_se: str | None = None,
    run: str | None = None,
    ceiling: float | None = None,
    delimiter: str = ",",
) -> dict[str, Curve]:
    """Read the curves of a table, one for each value of a column.

    Parameters
    ----------
    table : table or path_like
        Anything with named columns, as for `Curve.from_frame`; or a CSV file, as for
        `Curve.from_csv`.
    x, y : str
        Names of the columns of x and y.
    by : str, optional
        Name of the column that says which curve a row belongs to; without it there is one curve.
    y_se, run : str, optional
        Names of the columns of the standard errors and of the run labels.
    ceiling : float, optional
        The best y there can be, if y is an accuracy: what it lacks is modelled, as in
        `Curve.from_accuracy`.
    delimiter : str, default ","
        What stands between two cells of a file.

    Returns
    -------
    dict of str to Curve
        The curves by name, in order of first appearance.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    TypeError, ValueError
        If a column is missing, or a curve is invalid; the message names the curve, whose rows
        are counted by themselves.

    Examples
    --------
    >>> table = {"task": ["a", "b", "a", "b"], "n": [1, 1, 2, 2], "loss": [4.0, 3.0, 3.0, 2.0]}
    >>> read_curves(table, x="n", y="loss", by="task")["b"]
    <Curve 'b': 2 points, n 1 to 2, loss 2 to 3>
    """
    path: str | None = None
    lines: list[int] = []
    if isinstance(table, str | os.PathLike):
        table = CsvTable.read(table, delimiter=delimiter)
    if isinstance(table, CsvTable):
        path, lines = table.path, table.lines
        numbers = {name: table.numbers(name) for name in (x, y, y_se) if name is not None}
        table = table.columns | numbers
    given = {"x": x, "y": y, "y_se": y_se, "run": run}
    columns = {
        argument: _as_array(take_column(table, name, argument))
        for argument, name in given.items()
        if name is not None
    }
    labels = [Path(path).stem if path else "curve"] * len(columns["x"])
    if by is not None:
        labels = [str(label) for label in checked_labels(take_column(table, by, "by"), "by")]
    curves = {}
    for name in dict.fromkeys(labels):
        rows = np.flatnonzero([label == name for label in labels])
        parts = {argument: column[rows] for argument, column in columns.items()}
        try:
            curves[name] = _curve_of(parts, name=name, x_name=x, y_name=y, ceiling=ceiling)
        except (TypeError, ValueError) as error:
            where = f" (row 0 is line {lines[rows[0]]} of {path})" if path else ""
            raise type(error)(f"The curve {name!r}{where}: {error}") from None
    return curves


def read_families(table: Any, *, by: str, family: str, delimiter: str = ",") -> dict[str, str]:
    """Read which family each curve of a table belongs to: what ``fit_many(..., pool=)`` takes.

    Parameters
    ----------
    table : table or path_like
        As for `read_curves`.
    by : str
        Name of the column that says which curve a row belongs to.
    family : str
        Name of the column that says of which family that curve is.
    delimiter : str, default ","
        What stands between two cells of a file.

    Returns
    -------
    dict of str to str
        The family of each curve, by the name of the curve, in order of first appearance.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    TypeError, ValueError
        If a column is missing or has empty cells, or the rows of a curve name several families.

    Examples
    --------
    >>> table = {"task": ["add", "add", "sort", "sort"], "kind": ["sums", "sums", "lists", "lists"]}
    >>> read_families(table, by="task", family="kind")
    {'add': 'sums', 'sort': 'lists'}
    """
    if isinstance(table, str | os.PathLike):
        table = CsvTable.read(table, delimiter=delimiter)
    if isinstance(table, CsvTable):
        table = table.columns
    curves, labels = (
        [str(label) for label in checked_labels(take_column(table, name, argument), argument)]
        for argument, name in (("by", by), ("family", family))
    )
    families = dict(zip(curves, labels, strict=True))
    for curve, label in zip(curves, labels, strict=True):
        if families[curve] != label:
            raise ValueError(
                f"The rows of the curve {curve!r} name the families {label!r} and "
                f"{families[curve]!r} in the column {family!r}. A curve belongs to one: check "
                f"that {by!r} tells the curves apart."
            )
    return families


def _curve_of(
    columns: dict[str, Any], *, name: str, x_name: str, y_name: str, ceiling: float | None
) -> Curve:
    """Make a curve of y, or of what an accuracy lacks."""
    names: dict[str, Any] = {"name": name, "x_name": x_name}
    if ceiling is None:
        return Curve(**columns, **names, y_name=y_name)
    accuracy = columns.pop("y")
    lacking = f"{ceiling:g} - {y_name}"
    return Curve.from_accuracy(
        columns.pop("x"), accuracy, ceiling=ceiling, **columns, **names, y_name=lacking
    )


def _as_array(column: Any) -> Any:
    """Let rows be taken from a column; masks stay, and a list is not turned into text."""
    return np.asanyarray(column, dtype=None if hasattr(column, "__array__") else object)
