"""Text and tables in Markdown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["escaped", "markdown_table"]


def markdown_table(table: pd.DataFrame) -> str:
    """Write a table in Markdown, its index in the first column if that has a name.

    Parameters
    ----------
    table : pandas.DataFrame
        The table.

    Returns
    -------
    str
        The table, with four significant digits.
    """
    if table.index.name is not None:
        table = table.reset_index()
    numeric = [pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]
    rows = [list(map(str, table.columns)), ["--:" if each else "---" for each in numeric]]
    rows += [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(map(escaped, row))} |" for row in rows)


def escaped(text: str) -> str:
    """Return a text on one line in which nothing is taken for a table or a tag."""
    return " ".join(text.replace("|", r"\|").replace("<", "&lt;").split())


def _cell(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
