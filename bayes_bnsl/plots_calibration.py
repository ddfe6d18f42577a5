"""Pictures of calibration: how far ranks stray from uniform ones."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from bayes_bnsl.uniformity import Calibration

__all__ = ["plot_calibration"]

# Okabe and Ito's colours; a quantity whose ranks stray stands out in one that none else has.
CALM, ASTRAY = ("#0072B2", "#009E73", "#56B4E9", "#CC79A7", "#000000"), "#D55E00"


def plot_calibration(
    calibration: Calibration, *, prob: float = 0.99, ax: Axes | None = None
) -> Axes:
    """Draw the distribution functions of ranks, less that of uniform ones.

    One thin line a quantity, and the band that each of them stays inside, as a whole and with
    the given probability, if the ranks are uniform. Lines that leave it are thick, orange and
    named. A line above zero left and below zero right is that of a posterior too narrow; one
    that stays above zero of a posterior too high.

    Parameters
    ----------
    calibration : Calibration
        From `calibrate`.
    prob : float, default 0.99
        Probability of the band, for each line.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        What was drawn on.

    Examples
    --------
    >>> from bayes_bnsl import Calibration
    >>> ranks = np.random.default_rng(1).integers(100, size=200)
    >>> ax = plot_calibration(Calibration("an example", {"a": ranks}, ("converged",) * 200))
    >>> ax.get_title()
    'an example: 200 curves, 100% of fits converged'
    """
    if ax is None:
        ax = plt.subplots(figsize=(5, 3.6), layout="constrained")[1]
    share = np.arange(1, calibration.draws + 1) / (calibration.draws + 1)
    at = np.concatenate([[0.0], share, [1.0]])
    lower, upper = (np.pad(edge - share, 1) for edge in calibration.band(prob=prob))
    ax.fill_between(at, lower, upper, color="0.88", lw=0, label=f"{prob:.0%} band")
    ax.axhline(0.0, color="0.6", lw=0.8)
    for i, quantity in enumerate(calibration.ranks):
        strays = calibration.p_value(quantity) < 1 - prob
        ax.plot(
            at, np.pad(calibration.distribution(quantity) - share, 1),
            color=ASTRAY if strays else CALM[i % len(CALM)],
            lw=1.8 if strays else 0.9, alpha=1.0 if strays else 0.75,
            label=quantity if strays else "_" + quantity,
        )  # fmt: skip
    ax.set(xlim=(0, 1), xlabel="rank of the truth / number of draws", ylabel="ECDF difference")
    ax.set_title(
        f"{calibration.name}: {len(calibration.statuses)} curves, "
        f"{calibration.converged:.0%} of fits converged",
        fontsize="medium",
    )
    ax.legend(fontsize="small", frameon=False, loc="lower left", borderaxespad=0.2)
    return ax
