"""A report with its pictures, in a folder."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from bayes_bnsl.comparison import Comparison
from bayes_bnsl.jobs import write_whole
from bayes_bnsl.plots import plot_forecast, plot_segments
from bayes_bnsl.plots_selection import plot_compare
from bayes_bnsl.report import report
from bayes_bnsl.result import Fit

__all__ = ["save_picture", "write_report"]


def write_report(result: Fit | Comparison, folder: str | os.PathLike[str], **settings: Any) -> Path:
    """Write a report and its pictures into a folder.

    Parameters
    ----------
    result : Fit or Comparison
        What is reported.
    folder : path_like
        Where to; it is made if need be.
    **settings
        Passed to `report`: ``x``, ``held_out``, ``prob``, ``unseen_breaks``, ``seed``.

    Returns
    -------
    pathlib.Path
        The file ``report.md`` in the folder; the pictures lie beside it.

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
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    pictures, drawn = {}, {}
    shown = {name: settings[name] for name in ("held_out", "unseen_breaks") if name in settings}
    if isinstance(result, Fit) or result.weights.any():
        drawn["forecast"] = ("Points and forecast", plot_forecast(result, **shown))
    if isinstance(result, Comparison):
        drawn["compare"] = ("Laws compared", plot_compare(result))
    elif result.law.n_breaks:
        drawn["segments"] = ("Segments of the law", plot_segments(result))
    for name, (caption, axes) in drawn.items():
        save_picture(axes, target / f"{name}.png")
        pictures[caption] = f"{name}.png"
    text = report(result, pictures=pictures, **settings)
    write_whole(target / "report.md", text.encode("utf-8", "backslashreplace"))
    return target / "report.md"


def save_picture(axes: Any, path: Path) -> None:
    """Write the picture that axes are of, whole or not at all; the ending says in what form."""
    picture = io.BytesIO()
    axes.figure.savefig(picture, dpi=150, format=path.suffix.removeprefix(".").lower())
    write_whole(path, picture.getvalue())
