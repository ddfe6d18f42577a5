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
    "display:inline-flex;gap:1em;align-items:center;padding:.5em .8em;color:inherit;"
    "border:1px solid rgba(128,128,128,.5);border-radius:6px;font-size:90%"
)
# Notebooks stripe tables, and push their cells to the right.
_ROW = "background:none;text-align:left"
_CELL = "padding:0 1em 0 0;text-align:left"

_WIDTH, _HEIGHT, _MARGIN = 160, 80, 8
_MOST_DOTS = 200


def card(title: str, rows: Iterable[tuple[str, ...]], picture: str = "") -> str:
    """Lay out a value in HTML.

    Parameters
    ----------
    title : str
        What the value is called.
    rows : iterable of tuple of str
        The cells of each line below the title; they align in columns.
    picture : str, optional
        Markup of what stands to the right, as it is; all other text is escaped.

    Returns
    -------
    str
        One element of HTML.

    Examples
    --------
    >>> "<td" in card("sums", [("c0", "0.3 to 0.4"), ("converged",)])
    True
    """
    lines = "".join(
        f'<tr style="{_ROW}">'
        + "".join(f'<td style="{_CELL}">{html.escape(cell)}</td>' for cell in row)
        + "</tr>"
        for row in rows
    )
    return (
        f'<div style="{_BOX}"><div><strong>{html.escape(title)}</strong>'
        f'<table style="margin:0;border:none;color:inherit">{lines}</table></div>{picture}</div>'
    )


def scatter(x: ArrayLike, y: ArrayLike, *, caption: str) -> str:
    """Draw dots between two axes, to fill the picture.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Where the dots lie; take logarithms first for logarithmic axes.
    caption : str
        What the picture shows, for those who point at it or have it read out.

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
    dots = "".join(
        f'<circle cx="{h:.1f}" cy="{v:.1f}" r="2"/>'
        for h, v in zip(_fill(across[taken], _WIDTH), _fill(down[taken], _HEIGHT), strict=True)
    )
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'fill="currentColor" role="img"><title>{html.escape(caption)}</title>'
        f'<path d="M2 2V{_HEIGHT - 2}H{_WIDTH - 2}" fill="none" stroke="currentColor" '
        f'stroke-opacity=".5"/>{dots}</svg>'
    )


def _fill(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Spread values over a side of the picture, or put them in its middle if all are equal."""
    span = np.ptp(values)
    share = (values - values.min()) / span if span else np.full_like(values, 0.5)
    return _MARGIN + (size - 2 * _MARGIN) * share
