"""A report with its pictures, as files."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bayes_bnsl.comparison import Comparison
from bayes_bnsl.jobs import write_whole
from bayes_bnsl.page import html_page
from bayes_bnsl.plots import plot_forecast
from bayes_bnsl.plots_selection import plot_compare
from bayes_bnsl.plots_shape import plot_segments
from bayes_bnsl.report import report
from bayes_bnsl.result import Fit

__all__ = ["PAGES", "save_picture", "write_report"]

PAGES = (".html", ".md")
"""Endings of names that are files; any other is a folder."""


def write_report(result: Fit | Comparison, path: str | os.PathLike[str], **settings: Any) -> Path:
    """Write a report and its pictures.

    Parameters
    ----------
    result : Fit or Comparison
        What is reported.
    path : path_like
        Where to. A name that ends in ``.html`` becomes one page with the pictures in it, which
        needs no other file; one that ends in ``.md`` becomes Markdown with the pictures beside it;
        any other is a folder for ``report.md`` and its pictures. Folders are made if need be.
    **settings
        Passed to `report`: ``x``, ``held_out``, ``prob``, ``unseen_breaks``, ``seed``.

    Returns
    -------
    pathlib.Path
        The file that holds the text.

    Examples
    --------
    >>> import tempfile
    >>> import bayes_bnsl as bb
    >>> import numpy as np
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_report(fit, folder)
    >>> path.name
    'report.md'
    """
    target = Path(path)
    kind = target.suffix.lower()
    prefix = f"{target.stem}-" if kind == ".md" else ""
    if kind not in PAGES:
        target /= "report.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    drawn = {}
    shown = {name: settings[name] for name in ("held_out", "unseen_breaks") if name in settings}
    if isinstance(result, Fit) or result.weights.any():
        drawn["forecast"] = ("Points and forecast", plot_forecast(result, **shown))
    if isinstance(result, Comparison):
        drawn["compare"] = ("Laws compared", plot_compare(result))
    elif result.law.n_breaks:
        drawn["segments"] = ("Segments of the law", plot_segments(result))
    files = {f"{prefix}{name}.png": _picture(axes, "png") for name, (_, axes) in drawn.items()}
    captions = (caption for caption, _ in drawn.values())
    text = report(result, pictures=dict(zip(captions, map(quote, files), strict=True)), **settings)
    if kind == ".html":
        text = html_page(text, files)
    else:
        for name, picture in files.items():
            write_whole(target.with_name(name), picture)
    write_whole(target, text.encode("utf-8", "backslashreplace"))
    return target


def save_picture(axes: Any, path: Path) -> None:
    """Write the picture that axes are of, whole or not at all; the ending says in what form."""
    write_whole(path, _picture(axes, path.suffix.removeprefix(".").lower()))


def _picture(axes: Any, form: str) -> bytes:
    picture = io.BytesIO()
    axes.figure.savefig(picture, dpi=150, format=form)
    return picture.getvalue()
