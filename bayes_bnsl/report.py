"""The written report of a fit or a comparison: what a paper should say of it, in Markdown.

Its sections answer the checklist of Li et al., "(Mis)Fitting: a survey of scaling laws", ICLR 2025:
the form and its parameters, the data and what of them was used, the model of the noise, the way
of fitting with its starts and settings, the uncertainty, and whether the fit was checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bayes_bnsl.columns import counted
from bayes_bnsl.comparison import Comparison
from bayes_bnsl.curve import Curve
from bayes_bnsl.markdown import escaped
from bayes_bnsl.paragraphs import (
    about_checks,
    about_comparison,
    about_data,
    about_forecast,
    about_form,
    about_held_out,
    about_noise,
    about_parameters,
    about_priors,
    about_sampling,
    about_software,
)
from bayes_bnsl.result import Fit
from bayes_bnsl.unseen import LEARNED

__all__ = ["report"]


def report(
    result: Fit | Comparison,
    *,
    x: ArrayLike | None = None,
    held_out: Curve | None = None,
    prob: float = 0.9,
    unseen_breaks: float | str = LEARNED,
    seed: int = 0,
    pictures: Mapping[str, str] | None = None,
) -> str:
    """Write what a paper should say of a fit or a comparison, in Markdown.

    Parameters
    ----------
    result : Fit or Comparison
        What is reported; of a comparison every law, and the recommended one in full.
    x : array_like, optional
        Where to forecast; by default 2, 10 and 100 times the last x.
    held_out : Curve, optional
        Points that were not fitted, to score the forecast with.
    prob : float, default 0.9
        Probability of the intervals.
    unseen_breaks : float or "learned", default "learned"
        Breaks that the forecasts allow for beyond the data, as for `forecast`.
    seed : int, default "learned"
        Seed of forecasts and checks.
    pictures : mapping of str to str, optional
        Files of pictures by caption, to be shown in the report.

    Returns
    -------
    str
        The report.

    Raises
    ------
    TypeError
        If `result` is neither a Fit nor a Comparison.

    References
    ----------
    Li, Kudugunta, Zettlemoyer, "(Mis)Fitting: a survey of scaling laws", ICLR 2025.

    Examples
    --------
    >>> from bayes_bnsl import M1, Curve, fit
    >>> n = np.geomspace(10, 1e4, 12)
    >>> points = Curve(n, 3 * n**-0.3 * np.exp(0.02 * np.cos(40 * n)), name="task")
    >>> text = report(fit(points, M1(), priors={"sigma": 0.02}, seed=1, progress=False))
    >>> print(text.splitlines()[0])
    # M1 fitted to task
    """
    if not isinstance(result, Fit | Comparison):
        raise TypeError(
            f"result must be what bayes_bnsl.fit or bayes_bnsl.compare returned; got {result!r}."
        )
    curve = result.curve
    ahead: dict[str, Any] = {"unseen_breaks": unseen_breaks, "seed": seed}
    fitted = result if isinstance(result, Fit) else _chosen(result)
    parts: list[tuple[str, str]] = []
    if isinstance(result, Comparison):
        title = f"{counted(len(result.candidates), 'law')} compared on {curve.name}"
        parts.append(("Comparison", about_comparison(result)))
    else:
        title = f"{result.law.name} fitted to {curve.name}"
    parts.append(("Data", about_data(curve)))
    if fitted is not None:
        which = f"The rest of this report is on {fitted.law.name}. " if fitted != result else ""
        parts += [
            ("Form", which + about_form(fitted)),
            ("Noise", about_noise(fitted)),
            ("Priors", about_priors(fitted, prob)),
            ("Sampling", about_sampling(fitted)),
            ("Parameters", about_parameters(fitted, prob)),
            ("Checks", about_checks(fitted, seed)),
        ]
    has_forecast = isinstance(result, Fit) or bool(result.weights.any())
    if has_forecast:
        at = curve.x[-1] * np.array([2.0, 10.0, 100.0]) if x is None else x
        parts.append(("Forecast", about_forecast(result, at, prob, **ahead)))
    if held_out is not None and has_forecast:
        parts.append(("Held-out points", about_held_out(result, held_out, prob, **ahead)))
    if pictures:
        shown = (f"![{caption}]({path})" for caption, path in pictures.items())
        parts.append(("Pictures", "\n\n".join(shown)))
    parts.append(("Software", about_software()))
    sections = [f"## {heading}\n\n{text}" for heading, text in parts]
    return "\n\n".join([f"# {escaped(title)}", *sections]) + "\n"


def _chosen(comparison: Comparison) -> Fit | None:
    """Return the recommended fit, if any can be."""
    return comparison.fits[comparison.simplest] if comparison.weights.any() else None
