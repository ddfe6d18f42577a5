"""How well the curves measured with this package are forecast: ``make own-curves``.

BNSL(0) to BNSL(2) are fitted to the first 70 % of the points of each bundled curve, with lognormal
noise and with correlated noise, and averaged by evidence; the other points are forecast. Then the
curves of random features, whose exponents are known, are fitted as a whole and their exponents
set beside the theory's. One row of a CSV file for each curve; what is there is not measured again.
"""

import argparse
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from measuring import chains_at_once, markdown, measure
from PIL import Image

import bayes_bnsl as bb
from bayes_bnsl.datasets import curve_names

LAWS = [bb.BNSL(n) for n in range(3)]
SHARE_SEEN = 0.7
NOISES = {"LogNormal": bb.LogNormal(), "Correlated": bb.Correlated()}
WAYS = {"LogNormal": ("LogNormal",), "auto": tuple(NOISES)}
FORECAST = [
    *("seen", "later", "factor", "inside", "inside_unbroken"),
    *("rmsle", "naive_rmsle", "log_score", "log_score_unbroken"),
    *("best", "status", "seconds"),
]
BOUNDS = ["exponent_lower", "exponent", "exponent_upper"]
KINDS = ["variance-limited", "resolution-limited"]
THEORY = {
    "random_features_data_resolution": 0.5,
    "random_features_width_resolution": 0.5,
    "random_features_data_variance": 1.0,
    "random_features_width_variance": 1.0,
}


def compared(folder, name, part, noises, cores):
    """Return the laws compared by evidence; fits come from their files if there are any."""
    curve = parts(name)[part]
    fits = {}
    for law in LAWS:
        for noise in noises:
            path = folder / f"{name}-{part}-{law.n_breaks}-{noise}.nc"
            if not path.exists():
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", bb.NotConvergedWarning)
                    settings = {"seed": 1, "progress": False, "cores": cores}
                    bb.fit(curve, law, noise=NOISES[noise], **settings).save(path)
            label = law.name if len(noises) == 1 else f"{law.name}, {noise}"
            fits[label] = bb.load_fit(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bb.NotConvergedWarning)
        return bb.compare(fits, by="evidence")


def parts(name):
    """Return a curve, what is seen of it, and what is held out."""
    curve = bb.load_curve(name)
    seen, later = curve.split(n=round(SHARE_SEEN * len(curve)))
    return {"all": curve, "seen": seen, "later": later}


def forecast_curve(folder, name, noises, cores):
    """Return the row of one curve."""
    seen, later = (parts(name)[part] for part in ("seen", "later"))
    choice = compared(folder, name, "seen", noises, cores)
    fits = choice.fits.values()
    ahead = bb.forecast(choice, later.x, y_se=later.y_se, seed=1)
    unbroken = bb.forecast(choice, later.x, y_se=later.y_se, unseen_breaks=0, seed=1)
    naive = bb.naive_forecasts(seen, later.x).values()
    return {
        "seen": len(seen),
        "later": len(later),
        "factor": f"{later.x[-1] / seen.x[-1]:.3g}",
        "inside": inside(ahead, later),
        "inside_unbroken": inside(unbroken, later),
        "rmsle": f"{bb.rmsle(ahead, later.y).rmsle:.4f}",
        "naive_rmsle": f"{min(bb.rmsle(each, later.y).rmsle for each in naive):.4f}",
        "log_score": f"{float(bb.log_score(ahead, later.y).mean()):.3f}",
        "log_score_unbroken": f"{float(bb.log_score(unbroken, later.y).mean()):.3f}",
        "best": choice.best,
        "status": "converged" if all(fit.status.ok for fit in fits) else "not converged",
        "seconds": f"{sum(fit.seconds for fit in fits):.1f}",
    }


def inside(ahead, later):
    """Return how many points lie within the 90 % band."""
    lower, _, upper = bb.interval(ahead, prob=0.9)["y"].transpose("bound", "x").values
    return int(np.sum((lower < later.y) & (later.y < upper)))


def find_exponent(folder, name, law, cores):
    """Return the exponent of the last segment; the law is "best" for the most probable one."""
    choice = compared(folder, name, "all", ("LogNormal",), cores)
    fit = choice.fits[choice.best if law == "best" else law]
    found = bb.regimes(fit).table.iloc[-1]
    row = {column: f"{found[column]:.3f}" for column in (*BOUNDS, *KINDS, "first_x")}
    return row | {"fitted": fit.law.name, "status": fit.status.name}


def picture(folder, names):
    """Draw the forecasts that were measured, with default noise."""
    figure, axes = plt.subplots(5, 3, figsize=(12, 15), layout="constrained")
    for ax, name in zip(axes.flat, names, strict=False):
        choice = compared(folder, name, "seen", ("LogNormal",), 1)
        bb.plot_forecast(choice, held_out=parts(name)["later"], ax=ax)
        ax.set_title(name, fontsize="medium")
        entries = ax.get_legend_handles_labels()
        ax.get_legend().remove()
    spare = list(axes.flat)[len(names) :]
    for ax in spare:
        ax.set_axis_off()
    spare[0].legend(*entries, loc="center")
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("measured"), help="where rows go")
    parser.add_argument("--workers", type=int, default=1, help="processes that measure")
    parser.add_argument(
        "--picture", type=Path, help="draw the forecasts of the fits that are there"
    )
    options = parser.parse_args()
    cores = chains_at_once(options.workers)
    fits = options.folder / "own_fits"
    fits.mkdir(parents=True, exist_ok=True)
    names = [name for name in curve_names() if name != "four_digit_addition"]
    if options.picture:
        picture(fits, names).savefig(options.picture, dpi=80)
        smaller = Image.open(options.picture).convert("RGB").quantize(64, dither=Image.Dither.NONE)
        smaller.save(options.picture, optimize=True)
        return
    exponents = measure(
        options.folder / "own_exponents.csv",
        ["curve", "law", *BOUNDS, *KINDS, "first_x", "fitted", "status"],
        {(name, law): (fits, name, law, cores) for name in THEORY for law in ("BNSL(0)", "best")},
        find_exponent,
        workers=options.workers,
    )
    forecasts = measure(
        options.folder / "own_curves.csv",
        ["curve", "noise", *FORECAST],
        {
            (name, label): (fits, name, noises, cores)
            for label, noises in WAYS.items()
            for name in names
        },
        forecast_curve,
        workers=options.workers,
    )
    table = pd.DataFrame(forecasts)
    counts = ["seen", "later", "inside", "inside_unbroken"]
    table[counts] = table[counts].astype(int)
    header = ["curve", "seen", "held out", "up to", "within", "within, no unseen breaks"]
    header += ["RMSLE", "naive RMSLE", "log score", "log score, no unseen breaks", "best law"]
    shown = ["curve", *counts[:2], "factor", *counts[2:], "rmsle", "naive_rmsle"]
    shown += ["log_score", "log_score_unbroken", "best"]
    for label in WAYS:
        some = table[table["noise"] == label]
        shares = some[counts[2:]].sum() / some["later"].sum()
        print(f"\n{label}: share of held-out points within the band {shares.round(2).to_dict()}\n")
        print(markdown(header, some[shown].values.tolist()))
    print()
    rows = [
        [
            row["curve"], row["fitted"], THEORY[row["curve"]], row["exponent"],
            f"{row['exponent_lower']} to {row['exponent_upper']}", *(row[kind] for kind in KINDS),
        ]
        for row in exponents
    ]  # fmt: skip
    print(markdown(["curve", "law", "theory", "median", "90 % interval", *KINDS], rows))


if __name__ == "__main__":
    main()
