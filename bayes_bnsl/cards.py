"""Cards: what a notebook shows for a value, as text and one small picture in HTML.

All colours are the page's own or a grey between its two extremes, so that a card is as legible
on a dark page as on a light one.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["card", "scatter"]

_BOX = (
    "display:inline-flex;flex-wrap:wrap;gap:.5em 1em;align-items:center;padding:.5em .8em;"
    "color:inherit;max-width:100%;box-sizing:border-box;"
    "border:1px solid rgba(128,128,128,.5);border-radius:6px;font-size:90%"
)
# Notebooks stripe tables, and push their cells to the right.
_ROW = "background:none;text-align:left"
_CELL = "padding:0 1em 0 0;text-align:left"
_TABLE = "margin:.3em 0 0;border:none;border-collapse:collapse;color:inherit;font-size:inherit"
_HEAD = f"{_CELL};opacity:.65;font-weight:normal"
_LINE = "margin:.2em 0;max-width:44em"

_WIDTH, _HEIGHT, _MARGIN = 200, 120, 8
_MOST_DOTS = 200


def card(
    title: str,
    rows: Iterable[tuple[str, ...]] = (),
    picture: str = "",
    *,
    lines: Iterable[str] = (),
    header: tuple[str, ...] = (),
) -> str:
    """Lay out a value in HTML.

    Parameters
    ----------
    title : str
        What the value is called.
    rows : iterable of tuple of str, optional
        The cells of a table below; they align in columns.
    picture : str, optional
        Markup of what stands to the right, as it is; all other text is escaped.
    lines : iterable of str, optional
        Sentences between title and table.
    header : tuple of str, optional
        Names of the columns.

    Returns
    -------
    str
        One element of HTML.

    Examples
    --------
    >>> "<td" in card("sums", [("c0", "0.3 to 0.4"), ("converged",)])
    True
    """
    said = "".join(f'<div style="{_LINE}">{html.escape(line)}</div>' for line in lines)
    table = [_table_row(header, "th", _HEAD)] if header else []
    table += [_table_row(row, "td", _CELL) for row in rows]
    laid_out = f'<table style="{_TABLE}">{"".join(table)}</table>' if table else ""
    return (
        f'<div style="{_BOX}"><div><strong>{html.escape(title)}</strong>{said}{laid_out}</div>'
        f"{picture}</div>"
    )


def _table_row(cells: Iterable[str], tag: str, style: str) -> str:
    inside = "".join(f'<{tag} style="{style}">{html.escape(cell)}</{tag}>' for cell in cells)
    return f'<tr style="{_ROW}">{inside}</tr>'


def scatter(
    x: ArrayLike,
    y: ArrayLike,
    *,
    caption: str,
    line: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike] | None = None,
) -> str:
    """Draw dots between two axes, to fill the picture.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Where the dots lie; take logarithms first for logarithmic axes.
    caption : str
        What the picture shows, for those who point at it or have it read out.
    line : tuple of array_like, shape (m,), optional
        Where a line runs among the dots, and the band about it: x, lower edge, middle, upper edge.

    Returns
    -------
    str
        A small SVG, with two hundred evenly spaced dots of a longer series.

    Examples
    --------
    >>> scatter([1, 2, 3], [4, 5, 6], caption="three dots").count("<circle")
    3
    """
    across, down = np.asarray(x, dtype=float), -np.asarray(y, dtype=float)
    # A long series would swell the notebook, and these many dots show its shape.
    taken = np.linspace(0, across.size - 1, num=min(across.size, _MOST_DOTS)).astype(int)
    along, *edges = (np.asarray(part, dtype=float) for part in line or ((),) * 4)
    h_along, h_dots = _fill((along, across[taken]), _WIDTH)
    *v_edges, v_dots = _fill((*(-edge for edge in edges), down[taken]), _HEIGHT)
    dots = "".join(
        f'<circle cx="{h:.1f}" cy="{v:.1f}" r="2"/>' for h, v in zip(h_dots, v_dots, strict=True)
    )
    curve = ""
    if line is not None:
        lower, middle, upper = v_edges
        band = _path(np.concatenate([h_along, h_along[::-1]]), np.concatenate([lower, upper[::-1]]))
        curve = (
            f'<path d="{band}Z" fill-opacity=".25"/>'
            f'<path d="{_path(h_along, middle)}" fill="none" stroke="currentColor"/>'
        )
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'style="flex:none" fill="currentColor" role="img"><title>{html.escape(caption)}</title>'
        f'<path d="M2 2V{_HEIGHT - 2}H{_WIDTH - 2}" fill="none" stroke="currentColor" '
        f'stroke-opacity=".5"/>{curve}{dots}</svg>'
    )


def _path(across: NDArray[np.float64], down: NDArray[np.float64]) -> str:
    return "M" + "L".join(f"{h:.1f} {v:.1f}" for h, v in zip(across, down, strict=True))


def _fill(parts: tuple[NDArray[np.float64], ...], size: int) -> list[NDArray[np.float64]]:
    """Spread values over a side of the picture, or put them in its middle if all are equal."""
    values = np.concatenate(parts)
    span = np.ptp(values)
    share = (values - values.min()) / span if span else np.full_like(values, 0.5)
    placed = _MARGIN + (size - 2 * _MARGIN) * share
    return np.split(placed, np.cumsum([part.size for part in parts])[:-1])
