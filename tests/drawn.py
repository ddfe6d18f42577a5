"""What was drawn on axes, for tests to look at."""

from __future__ import annotations

import numpy as np
from matplotlib.collections import PolyCollection

__all__ = ["areas", "edges", "labelled", "legend_texts", "lines", "vertical_lines"]


def lines(ax, **style):
    """Return the lines of an Axes that have a style, such as ls="--"."""
    return [
        line
        for line in ax.get_lines()
        if all(getattr(line, f"get_{key}")() == value for key, value in style.items())
    ]


def labelled(ax, label):
    """Return what is drawn under a label."""
    (found,) = [each for each in ax.get_children() if str(each.get_label()) == label]
    return found


def edges(band):
    """Return x and the lower and upper edge of a band."""
    (path,) = band.get_paths()
    x, y = path.vertices.T
    at = np.unique(x)
    return (
        at,
        np.array([y[x == each].min() for each in at]),
        np.array([y[x == each].max() for each in at]),
    )


def vertical_lines(ax):
    return [line.get_xdata()[0] for line in ax.get_lines() if len(set(line.get_xdata())) == 1]


def areas(ax):
    """Return what is filled: bands, hills."""
    return [each for each in ax.collections if isinstance(each, PolyCollection)]


def legend_texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]
