"""Measure how well laws are chosen; ``make choosing`` prints the tables of choosing.md.

``breaks``: the number of breaks of simulated curves, 40 points over four decades with 1 % noise,
slopes that change by 0.3 or more at breaks 0.8 decades apart or more. ``curves``: the curves of the
public benchmark in a folder, laws chosen on the points to fit, averages scored on those held out.
The same fits are compared by leave-one-out and by evidence. One row of a CSV file is written for
each curve; a run that was interrupted goes on where it ended.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import chains_at_once, folder_argument, markdown, measure

import bayes_bnsl as bb

BROKEN = [bb.BNSL(n) for n in range(4)]
RIVALS = [bb.M1(), bb.M2(), bb.M3(), bb.M4()]
WAYS = ["loo", "evidence"]


def simulated(n_breaks, seed):
    """Return a curve with so many breaks that points can show."""
    generator = np.random.default_rng([n_breaks, seed])
    log_x = np.linspace(0, np.log(1e4), 40)
    decade = np.log(10)
    while True:
        log_d = np.sort(generator.uniform(0.6 * decade, 3.4 * decade, n_breaks))
        if np.all(np.diff(log_d) >= 0.8 * decade):
            break
    theta = {
        "a": 0.0,
        "b": 3.0,
        "c0": generator.uniform(0.1, 0.6),
        "c": generator.uniform(0.3, 1.0, n_breaks) * generator.choice([-1, 1], n_breaks),
        "d": np.exp(log_d),
        "f": generator.uniform(0.1, 0.4, n_breaks),
    }
    power = bb.BNSL(n_breaks)(np.exp(log_x), theta)
    theta["a"] = generator.uniform(0.0, 0.3) * power.min()
    name = f"{n_breaks} breaks, seed {seed}"
    return bb.simulate(bb.BNSL(n_breaks), theta, np.exp(log_x), 0.01, seed, name=name)


def count_breaks(n_breaks, seed, cores):
    """Return the row of a simulated curve: what is chosen for it."""
    return verdicts(*compared(simulated(n_breaks, seed), BROKEN, cores))


def choose_law(folder, number, cores):
    """Return the row of a public curve: what is chosen for it, and how that forecasts the rest."""
    curve = bb.read_benchmark(folder)[number]
    choices, seconds = compared(curve.seen, [*BROKEN, *RIVALS], cores)
    row = {"curve": curve.name, "source": curve.source, "points": len(curve.seen)}
    row |= verdicts(choices, seconds)
    for way, choice in choices.items():
        if choice.weights.any():
            ahead = {"average": choice, "simplest": choice.fits[choice.simplest]}
            for name, source in ahead.items():
                forecast = bb.forecast(source, curve.later.x, seed=1)
                score = bb.log_score(forecast, curve.later.y).mean()
                row[f"{way} rmsle {name}"] = f"{bb.rmsle(forecast, curve.later.y).rmsle:.6g}"
                row[f"{way} log_score {name}"] = f"{float(score):.6g}"
    return row


def compared(curve, laws, cores):
    """Return comparisons by leave-one-out and, of the same fits, by evidence; and its seconds."""
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bb.NotConvergedWarning)  # the row says it
        first = bb.compare(curve, laws, by=WAYS[0], seed=1, progress=False, cores=cores)
        seconds = time.perf_counter() - began
        others = {way: bb.compare(first.fits, by=way) for way in WAYS[1:]}
    return {WAYS[0]: first} | others, seconds


def verdicts(choices, seconds):
    """Return what each comparison says."""
    row = {"seconds": f"{seconds:.1f}"}
    for way, choice in choices.items():
        table = choice.table
        row["statuses"] = " ".join(table["status"].sort_index())
        for column in ("elpd_diff", "dse", "weight"):
            each = table[column].dropna()
            row[f"{way} {column}"] = "; ".join(f"{law}: {value:.3f}" for law, value in each.items())
        if choice.weights.any():
            close = table.index[table["elpd_diff"].abs() <= table["dse"].fillna(0.0)]
            row |= {f"{way} best": choice.best, f"{way} simplest": choice.simplest}
            row[f"{way} winning set"] = " ".join(close)
    repairs = "; ".join(choices[WAYS[0]].table["repairs"])
    row["unrepaired"] = repairs.count("did not converge") + repairs.count("too few")
    return row


def breaks_table(rows):
    """Return how often the number of breaks is found, as Markdown."""
    lines = []
    for way in WAYS:
        for n in sorted(set(rows["n_breaks"])):
            some = rows[rows["n_breaks"] == n]
            found = some[f"{way} simplest"].str.extract(r"(\d)", expand=False).astype(float)
            shares = ((found == int(n)), (found > int(n)), (found < int(n)), found.isna())
            lines.append([way, n, len(some), *(f"{share.mean():.0%}" for share in shares)])
    return markdown(
        ["by", "breaks", "curves", "right", "too many", "too few", "none chosen"], lines
    )


def curves_table(rows):
    """Return how averages and recommended laws forecast, as Markdown."""
    lines = []
    for way in WAYS:
        for source, some in rows.groupby("source"):
            scores = [
                f"{some[f'{way} {score} {of}'].astype(float).mean():.{digits}f}"
                for score, of, digits in (
                    ("rmsle", "average", 4),
                    ("rmsle", "simplest", 4),
                    ("log_score", "average", 2),
                )
            ]
            wins = some[f"{way} winning set"].str.contains("BNSL").mean()
            seconds = some["seconds"].astype(float).median()
            name = source.removesuffix(".csv")
            lines.append([f"{name}, {way}", len(some), *scores, f"{wins:.0%}", f"{seconds:.0f}"])
    header = ["curves", "number", "RMSLE, average", "RMSLE, simplest", "log score, average"]
    return markdown([*header, "BNSL in the winning set", "median seconds"], lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", choices=["breaks", "curves"])
    parser.add_argument("--data", type=folder_argument, help="folder of the public benchmark")
    parser.add_argument("--source", default="", help="only files with this in their name")
    parser.add_argument("--count", type=int, default=60, help="curves of each number of breaks")
    parser.add_argument("--folder", type=Path, default=Path("measured"), help="where rows go")
    parser.add_argument("--workers", type=int, default=1, help="processes that measure")
    options = parser.parse_args()
    if options.study == "curves" and options.data is None:
        parser.error("curves needs --data")
    cores = chains_at_once(options.workers)
    if options.study == "breaks":
        work, keys = count_breaks, ["n_breaks", "seed"]
        jobs = {
            (str(n), str(seed)): (n, seed, cores) for seed in range(options.count) for n in range(3)
        }
    else:
        known = enumerate(bb.read_benchmark(options.data))
        numbers = [number for number, curve in known if options.source in curve.source]
        work, keys = choose_law, ["number"]
        jobs = {(str(number),): (options.data, number, cores) for number in numbers}
    columns = [*keys, "status", "seconds", "statuses", "unrepaired"]
    said = ["best", "simplest", "winning set", "elpd_diff", "dse", "weight"]
    if options.study == "curves":
        columns += ["curve", "source", "points"]
        said += [
            f"{score} {of}" for score in ("rmsle", "log_score") for of in ("average", "simplest")
        ]
    columns += [f"{way} {what}" for way in WAYS for what in said]
    path = options.folder / f"choosing_{options.study}.csv"
    rows = pd.DataFrame(measure(path, columns, jobs, work, workers=options.workers))
    raised = rows["status"].str.startswith("raised")
    print(f"{raised.sum()} of {len(rows)} curves raised an error.")
    table = breaks_table if options.study == "breaks" else curves_table
    print(table(rows[~raised].replace("", np.nan)))


if __name__ == "__main__":
    main()
