"""How the forecast of a curve with one sharp break collapses as the points come near the break.

The curve is that of four-digit addition with the parameters printed by Caballero et al. (ICLR
2023, section 6): a break at x = 613, points every 5 from x = 160, scatter of one part in ten
thousand. Fitted up to several x, with the default priors, which prefer a break inside the data,
and with priors that let it lie anywhere up to x = 2000 and be strong. Prints the table of
forecasts.md and draws docs/pictures/predictability.png; takes some minutes. With ``--scatter`` or
``--cuts`` it prints the table alone.
"""

import argparse
import warnings

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from make_pictures import BLUE, ORANGE, save

import bayes_bnsl as bb

LAW = bb.BNSL(1)
THETA = {
    "a": 0.41388453,
    "b": 2.27727229,
    "c0": 0.05507735,
    "c": [5.66290382],
    "d": [612.583617],
    "f": [0.05919304],
}
SCATTER = 1e-4
TARGET = 1600.0
CUTS = (390, 405, 415, 430, 450, 480, 520)
PRIORS = {
    "default": None,
    "break up to 2000": {
        "d": bb.Prior("Uniform", lower=160, upper=2000),
        "c": bb.Prior("Normal", mu=0, sigma=5),
    },
}


def forecasts(scatter=SCATTER, cuts=CUTS, seed=1):
    """Yield the cut, the kind of priors, the status, and the band of the curve at the target."""
    curve = bb.simulate(LAW, THETA, np.arange(160.0, 1000.0, 5.0), scatter, seed=seed)
    for cut in cuts:
        seen, _ = curve.split(x=cut)
        for kind, priors in PRIORS.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", bb.NotConvergedWarning)  # the table says it
                fit = bb.fit(seen, LAW, priors=priors, seed=seed, progress=False)
            band = bb.interval(bb.forecast(fit, [TARGET], seed=seed))["curve"].isel(x=0)
            yield cut, kind, fit.status.name, band.values


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scatter", type=float, default=SCATTER, help="noise of log y")
    parser.add_argument("--cuts", type=float, nargs="+", default=CUTS, help="last x to fit to")
    given = parser.parse_args()
    truth = float(LAW(TARGET, THETA))
    print(f"The curve at {TARGET:g} is {truth:.4f}.\n")
    print("| fitted up to | priors | 90% band of the curve | upper / lower | holds it | status |")
    print("|--:|---|--:|--:|---|---|")
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
    panels = dict(zip(PRIORS, axes, strict=True))
    for cut, kind, status, (lower, median, upper) in forecasts(given.scatter, given.cuts):
        holds = "yes" if lower < truth < upper else "no"
        print(
            f"| {cut:g} | {kind} | {lower:.3f} to {upper:.3f} | {upper / lower:.3g} | {holds} "
            f"| {status} |",
            flush=True,
        )
        ax = panels[kind]
        first = cut == given.cuts[0]
        label = "90% of the curve" if first else None
        ax.plot([cut, cut], [lower, upper], color=BLUE, lw=5, alpha=0.35, label=label)
        filled = BLUE if status == "converged" else "white"
        ax.plot(cut, median, "o", color=BLUE, mfc=filled, label="median" if first else None)
    for kind, ax in panels.items():
        ax.axhline(truth, color=ORANGE, lw=1.4, label="truth")
        ax.set(xlabel="fitted up to x", yscale="log")
        ax.set_title(f"priors: {kind}", fontsize="medium")
    axes[1].legend(fontsize="small", frameon=False)
    axes[0].set_ylabel(f"the curve at x = {TARGET:g}")
    if (given.scatter, given.cuts) == (SCATTER, CUTS):
        save(figure, "predictability")


if __name__ == "__main__":
    main()
