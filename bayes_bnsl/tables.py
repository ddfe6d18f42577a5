"""Tables that curves are read from: anything with named columns, and CSV files."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bayes_bnsl.columns import counted, shown
from bayes_bnsl.errors import did_you_mean

__all__ = ["CsvTable", "FromTables", "take_column"]


class FromTables:
    """A value made of columns, which its class can take from a table or from a file."""

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
    ) -> Self:
        """Take the columns of a table; their names become those of the axes.

        Parameters
        ----------
        frame : table
            Anything with named columns: a pandas, polars or pyarrow table, a structured array, a
            dict of arrays, an xarray Dataset of 1-D variables. An xarray DataArray serves too:
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
        >>> from bayes_bnsl import Curve
        >>> Curve.from_frame({"tokens": [10, 20], "loss": [3.0, 2.0]}, x="tokens", y="loss")
        <Curve 'curve': 2 points, tokens 10 to 20, loss 2 to 3>
        """
        if hasattr(frame, "to_dataset") and hasattr(frame, "name"):
            frame = frame.to_dataset(name=frame.name or y)
        columns = {
            argument: None if column is None else take_column(frame, column, argument)
            for argument, column in {"x": x, "y": y, "y_se": y_se, "run": run}.items()
        }
        make: Callable[..., Self] = cls
        return make(**columns, name=name, x_name=str(x), y_name=str(y))

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
    ) -> Self:
        r"""Read the columns of a CSV file in UTF-8 with one header line.

        Parameters
        ----------
        path : path_like
            The file.
        x, y, y_se, run : str
            Names of the columns, as for `from_frame`; run labels come as text.
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
        >>> from bayes_bnsl import Curve
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "small.csv"
        >>> _ = path.write_text("tokens,loss\n10,3.0\n20,2.0\n")
        >>> Curve.from_csv(path, x="tokens", y="loss")
        <Curve 'small': 2 points, tokens 10 to 20, loss 2 to 3>
        """
        table = CsvTable.read(path, delimiter=delimiter)
        numeric = {column: table.numbers(column) for column in (x, y, y_se) if column is not None}
        name = Path(path).stem if name is None else name
        try:
            return cls.from_frame(table.columns | numeric, x=x, y=y, y_se=y_se, run=run, name=name)
        except ValueError as error:
            raise ValueError(
                f"{table.path} (row 0 is line {table.lines[0]} of the file): {error}"
            ) from None


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
        text = io.StringIO(_read_text(path), newline="")
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            rows = [(reader.line_num, row) for row in reader if row]
        except csv.Error as error:
            raise ValueError(
                f"{path}, line {reader.line_num}: {error}. Mend the quotes there."
            ) from None
        if not rows:
            raise ValueError(f"{path} is empty. It needs a header line and rows below it.")
        header = [cell.strip() for cell in rows.pop(0)[1]]
        if not rows:
            raise ValueError(f"{path} has a header but no rows. Add rows below it.")
        if twice := sorted({cell for cell in header if header.count(cell) > 1}):
            raise ValueError(
                f"{path}, line 1: the header names {', '.join(map(repr, twice))} more than once. "
                "Rename or drop all but one."
            )
        for line, row in rows:
            if len(row) != len(header):
                raise ValueError(
                    f"{path}, line {line}: {counted(len(row), 'cell')}, but the header names "
                    f"{counted(len(header), 'column')}. Add or quote what is amiss there."
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
                    f"{self.path}, line {line}, column {column!r}: {shown(cell)} is no number. "
                    "Write it plainly, such as 1200 or 1.2e3, or drop the row."
                ) from None
        return result


def take_column(frame: Any, column: Any, argument: str) -> Any:
    """Take one column of anything with named columns."""
    names = _column_names(frame)
    if column not in names:
        raise ValueError(f"{argument}={column!r} is no column. {did_you_mean(column, names)}")
    if names.count(column) > 1:
        raise ValueError(
            f"{argument}={column!r} names {names.count(column)} columns. "
            "Rename or drop all but one."
        )
    return frame[column]


def _column_names(frame: Any) -> list[Any]:
    if names := getattr(getattr(frame, "dtype", None), "names", None):
        return list(names)
    # Asked of the type, since a column of a pandas table is an attribute too. The `columns` of
    # a pyarrow table are no names, hence the order.
    for attribute in ("column_names", "columns", "variables", "keys"):
        if hasattr(type(frame), attribute):
            names = getattr(frame, attribute)
            return list(names() if callable(names) else names)
    raise TypeError(
        f"frame must be a table with named columns, but {shown(frame)} came. Pass arrays to "
        "Curve(x, y), and a path to Curve.from_csv."
    )


def _read_text(path: str | os.PathLike[str]) -> str:
    try:
        content = Path(path).read_bytes()
        text, nul = content.decode("utf-8-sig"), content.find(b"\0")
    except FileNotFoundError:
        raise FileNotFoundError(
            f"There is no file {path}. Mend the path, which is relative to {Path.cwd()}."
        ) from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}. Pass a CSV file.") from None
    except UnicodeDecodeError as error:
        place, what = error.start, "no text in UTF-8"
    else:
        if nul < 0:
            return text
        place, what = nul, "binary, not text"
    line = content[:place].count(b"\n") + 1
    raise ValueError(f"{path}, line {line}: this is {what}. Save it as CSV in UTF-8.")
