"""How well public curves are forecast: ``make forecasts DATA=folder`` prints it in tables.

BNSL(0) to BNSL(2) are fitted to the first points of each curve with lognormal and with correlated
noise, and averaged by evidence over laws, or over laws and noise. Curves of the language part that
never turn back and repeat a value twice or more are fitted with `BestSoFar` too; the last average
takes that for them, and for the others what the one before it takes. Each forecast of the points
held out is made without and with unseen breaks. Scores are those of the published comparison (Lee
et al., ICML 2025): mean RMSLE of the predictive median, mean log score of y, on y divided by the
largest fitted y for the curves of embedding width; and the share of points inside the 90 % band.
Fits are kept in files and one row of a CSV file for each curve and forecast; what is there is not
measured again. With ``--time`` the default call is timed instead: `compare` of the six fits by
evidence, and `forecast`.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import chains_at_once, folder_argument, markdown, measure
from scipy.stats import norm

import bayes_bnsl as bb

LAWS = [bb.BNSL(n) for n in range(3)]
NOISES = {"L": bb.LogNormal(), "C": bb.Correlated(), "B": bb.BestSoFar()}
UNSEEN = {"no": 0.0, "learned": "learned"}
AVERAGES = {"LogNormal": "L", "Correlated": "C", "auto": "LC", "auto or BestSoFar": "LC"}
SCORES = ["rmsle", "log_score", "inside", "points", "crps", "width"]
PARTS = {
    "vision": ["benchmark_vision_part.csv"],
    "language": ["benchmark_language.csv"],
    "nano": ["nano_width.csv"],
    "language + nano": ["benchmark_language.csv", "nano_width.csv"],
}


def fitted(folder, number, curve, law, noise, cores):
    """Return a fit, from its file if there is one."""
    path = folder / f"{number:02d}-{law.n_breaks}-{noise}.nc"
    if not path.exists():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", bb.NotConvergedWarning)
            settings = {"seed": 1, "progress": False, "cores": cores}
            bb.fit(curve, law, noise=NOISES[noise], **settings).save(path)
    return bb.load_fit(path)


def forecast_curve(data, folder, number, cores):
    """Return the row of one curve: every score of every way to forecast it."""
    curve = bb.read_benchmark(data)[number]
    steps = np.diff(curve.seen.y)
    best = np.all(steps <= 0) and np.sum(steps == 0) >= 2 and "language" in curve.source
    fits = {
        f"{law.name}, {NOISES[noise].name}": fitted(folder, number, curve.seen, law, noise, cores)
        for law in LAWS
        for noise in NOISES
        if law.min_points <= len(np.unique(curve.seen.x)) and (noise != "B" or best)
    }
    ways = dict(fits)
    for label, noises in AVERAGES.items():
        kinds = [NOISES[noise] for noise in ("B" if best and "Best" in label else noises)]
        chosen = {name: fit for name, fit in fits.items() if fit.noise in kinds}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", bb.NotConvergedWarning)
            ways[f"average, {label}"] = bb.compare(chosen, by="evidence")
    row = {
        "source": curve.source,
        "status": "converged" if all(fit.status.ok for fit in fits.values()) else "not converged",
        "seconds": f"{sum(fit.seconds for fit in fits.values()):.1f}",
    }
    unit = curve.seen.y.max() if curve.source.startswith("nano") else 1.0
    for label, known in ways.items():
        for name, rate in UNSEEN.items():
            ahead = bb.forecast(known, curve.later.x, unseen_breaks=rate, seed=1)
            scores = scored(ahead, curve.later.y, unit)
            row |= {f"{label}, {name}: {key}": f"{value:.6g}" for key, value in scores.items()}
    return row


def scored(ahead, y, unit):
    """Return the scores of one forecast, as they were published."""
    band = bb.interval(ahead, prob=0.9)["y"].transpose("bound", "x").values
    return {
        "rmsle": bb.rmsle(ahead, y).rmsle,
        "log_score": float(bb.log_score(ahead, y).mean()) + np.log(unit),
        "inside": np.sum((band[0] < y) & (y < band[2])),
        "points": len(y),
        "crps": float(bb.crps(ahead, y).mean()),
        "width": np.mean(np.log(band[2] / band[0])),
    }


def with_hindsight(later):
    """Return RMSLE and log score of a line through the held-out points, with its own scatter."""
    log_y = later.log_y
    residual = log_y - np.polyval(np.polyfit(later.log_x, log_y, 1), later.log_x)
    scatter = np.sqrt(np.mean(residual**2))
    return scatter, np.mean(norm.logpdf(residual, 0, scatter) - log_y)


def time_default_call(curves, every):
    """Print the seconds of the default call for every k-th curve, after one that compiles."""
    seconds = {}
    for number in (0, *range(0, len(curves), every)):
        began = time.perf_counter()
        settings = {"by": "evidence", "noise": "auto", "seed": 1, "progress": False}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", bb.NotConvergedWarning)
            choice = bb.compare(curves[number].seen, LAWS, **settings)
        bb.forecast(choice, curves[number].later.x, seed=1)
        seconds[number] = time.perf_counter() - began
    sources = pd.Series({number: curves[number].source for number in seconds}, name="curves")
    by_source = pd.Series(seconds).groupby(sources)
    shown = [[name, len(some), *np.quantile(some, (0.5, 1))] for name, some in by_source]
    shown.append(["all", len(seconds), *np.quantile(list(seconds.values()), (0.5, 1))])
    lines = [[name, number, f"{median:.1f}", f"{most:.1f}"] for name, number, median, most in shown]
    print(markdown(["curves", "number", "median seconds", "most"], lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=folder_argument, help="folder of the public curves")
    parser.add_argument("--folder", type=Path, default=Path("measured"), help="where rows go")
    parser.add_argument("--workers", type=int, default=1, help="processes that measure")
    parser.add_argument("--every", type=int, default=1, help="take every k-th curve only")
    parser.add_argument("--time", action="store_true", help="time the default call")
    options = parser.parse_args()
    if options.time:
        time_default_call(bb.read_benchmark(options.data), options.every)
        return
    fits = options.folder / "fits"
    fits.mkdir(parents=True, exist_ok=True)
    curves = bb.read_benchmark(options.data)
    ways = [f"{law.name}, {noise.name}" for law in LAWS for noise in NOISES.values()]
    ways += [f"average, {label}" for label in AVERAGES]
    labels = [f"{way}, {name}" for way in ways for name in UNSEEN]
    rows = measure(
        options.folder / "forecasts.csv",
        ["number", "source", "status", "seconds", *(f"{a}: {b}" for a in labels for b in SCORES)],
        {
            (str(number),): (options.data, fits, number, chains_at_once(options.workers))
            for number in range(0, len(curves), options.every)
        },
        forecast_curve,
        workers=options.workers,
    )
    table = pd.DataFrame(rows)
    table = table[~table["status"].str.startswith("raised")]
    print(f"{len(rows) - len(table)} curves raised an error.")
    for part, sources in PARTS.items():
        some = table[table["source"].isin(sources)].replace("", np.nan)
        seconds = some["seconds"].astype(float).median()
        done = (some["status"] == "converged").sum()
        print(f"\n{part}: {len(some)} curves, all fits converged on {done}, {seconds:.0f} s\n")
        shown = []
        for label in labels:
            each = {key: some[f"{label}: {key}"].astype(float) for key in SCORES}
            shown.append(
                [
                    label, int(each["rmsle"].notna().sum()),
                    *(f"{each[key].mean():.{digits}f}" for key, digits in
                      (("rmsle", 4), ("log_score", 2))),
                    f"{each['inside'].sum() / each['points'].sum():.2f}",
                    *(f"{each[key].mean():.4f}" for key in ("crps", "width")),
                ]
            )  # fmt: skip
        heads = ["curves", "RMSLE", "log score", "held", "CRPS", "width"]
        print(markdown(["law, noise, unseen breaks", *heads], shown))
        ahead = [curve.later for curve in curves if curve.source in sources]
        if all(len(later) > 2 for later in ahead):
            rmsle, log_score = np.mean([with_hindsight(later) for later in ahead], axis=0)
            print(f"\nA line through the points held out: {rmsle:.4f}, {log_score:.2f}")


if __name__ == "__main__":
    main()
