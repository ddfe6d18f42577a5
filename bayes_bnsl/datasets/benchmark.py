"""The reader of the public benchmark of scaling curves.

Alabdulmohsin, Neyshabur, Zhai, "Revisiting Neural Scaling Laws in Language and Vision", NeurIPS
2022, published in the folder revisiting_neural_scaling_laws of google-research/google-research. The
curves do not come with the package.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bayes_bnsl.curve import Curve
from bayes_bnsl.tables import CsvTable

__all__ = ["BenchmarkCurve", "read_benchmark"]


@dataclass(frozen=True)
class BenchmarkCurve:
    """One curve of the benchmark, cut into what is fitted and what is held out.

    Parameters
    ----------
    seen : Curve
        The points to fit.
    later : Curve
        The points held out, to score a forecast with.
    domain, task, model : str
        Which curve it is: IC (images), NMT (translation), LM (language), BB (BIG-Bench).
    source : str
        Name of the file it was read from.

    Examples
    --------
    >>> seen, later = Curve([10, 20, 40], [3.0, 2.6, 2.3], name="LM / loss / small").split(n=2)
    >>> curve = BenchmarkCurve(seen, later, "LM", "loss", "small", "mine.csv")
    >>> curve.name, len(curve.later)
    ('LM / loss / small', 1)
    """

    seen: Curve
    later: Curve
    domain: str
    task: str
    model: str
    source: str

    @property
    def name(self) -> str:
        """Domain, task and model in one line, as both of its curves are called."""
        return self.seen.name


@dataclass(frozen=True)
class _Form:
    """Names of the columns in one form of the benchmark, and the marks of its two splits."""

    domain: str
    task: str
    model: str
    x: str
    y: str
    split: str
    seen: str
    later: str

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.domain, self.task, self.model, self.x, self.y, self.split)


_TIDY = _Form("domain", "task", "model", "x", "y", "split", "fit", "held_out")
_ORIGINAL = _Form("Domain", "Task", "Model", "Seen Examples", "Loss", "Training", "1", "0")

_PUBLIC_DOMAINS = frozenset({"BB", "IC", "LM", "NMT"})


def read_benchmark(folder: str | os.PathLike[str]) -> list[BenchmarkCurve]:
    r"""Read every curve of the public benchmark in a folder of CSV files.

    Both forms are read: the original one, with columns ``Domain, Task, Model, Seen Examples,
    Loss, Training`` (1 to fit, 0 held out), and the tidy one, with columns ``domain, task, model,
    x, y, split`` (``fit`` or ``held_out``). Files without these columns are passed over. Rows
    that stand several times, as those of the original language models do, are taken once.

    Parameters
    ----------
    folder : path_like
        Where the CSV files lie.

    Returns
    -------
    list of BenchmarkCurve
        By name of file, then in order of first appearance.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If no file in it has the columns, a file cannot be read, a split mark is unknown, or a
        curve is invalid or has nothing seen or nothing held out.

    References
    ----------
    Alabdulmohsin, Neyshabur, Zhai, "Revisiting Neural Scaling Laws in Language and Vision",
    NeurIPS 2022.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> rows = "domain,task,model,x,y,split\nLM,loss,small,10,3,fit\nLM,loss,small,20,2,held_out\n"
    >>> _ = (folder / "tidy.csv").write_text(rows)
    >>> [curve.name for curve in read_benchmark(folder)]
    ['LM / loss / small']
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"There is no folder {folder}. Pass the one with the CSV files.")
    tables = [CsvTable.read(path) for path in sorted(Path(folder).glob("*.csv"))]
    curves = [
        curve for table in tables for form in _forms_of(table) for curve in _curves_of(table, form)
    ]
    if not curves:
        raise ValueError(
            f"No CSV file in {folder} has the columns {', '.join(_TIDY.columns)} or "
            f"{', '.join(_ORIGINAL.columns)}; files there: "
            f"{', '.join(Path(table.path).name for table in tables) or 'none'}."
        )
    return curves


def is_benchmark(table: CsvTable) -> bool:
    """Tell whether a table has the columns of the benchmark in either form."""
    return bool(_forms_of(table))


def _forms_of(table: CsvTable) -> list[_Form]:
    return [form for form in (_TIDY, _ORIGINAL) if set(form.columns) <= set(table.columns)]


def _curves_of(table: CsvTable, form: _Form) -> list[BenchmarkCurve]:
    keys = zip(*(table.columns[name] for name in (form.domain, form.task, form.model)), strict=True)
    marks = table.columns[form.split]
    points = zip(table.numbers(form.x), table.numbers(form.y), strict=True)
    # Nested dicts keep the order of first appearance and hold each point once.
    found: dict[tuple[str, ...], dict[str, dict[tuple[float, float], None]]] = {}
    for key, mark, point, line in zip(keys, marks, points, table.lines, strict=True):
        if mark not in (form.seen, form.later):
            raise ValueError(
                f"{table.path}, line {line}, column {form.split!r}: {mark!r} is neither "
                f"{form.seen!r} nor {form.later!r}."
            )
        found.setdefault(key, {form.seen: {}, form.later: {}})[mark][point] = None
    return [_curve_of(table, key, parts, form) for key, parts in found.items()]


def _curve_of(
    table: CsvTable,
    key: tuple[str, ...],
    parts: Mapping[str, Mapping[tuple[float, float], None]],
    form: _Form,
) -> BenchmarkCurve:
    domain, task, model = key
    name = " / ".join(key)
    is_public = domain in _PUBLIC_DOMAINS
    curves = []
    for mark in (form.seen, form.later):
        if not parts[mark]:
            raise ValueError(f"{table.path}: the curve {name!r} has no row marked {mark!r}.")
        x, y = zip(*parts[mark], strict=True)
        try:
            curves.append(
                Curve(
                    x,
                    y,
                    name=name,
                    x_name="examples or tokens seen" if is_public else "x",
                    y_name="loss or error" if is_public else task,
                )
            )
        except ValueError as error:
            raise ValueError(f"{table.path}, curve {name!r}, {mark!r} rows: {error}") from None
    seen, later = curves
    return BenchmarkCurve(seen, later, domain, task, model, source=Path(table.path).name)
