"""Measure how well laws are chosen; ``make choosing`` prints the tables of choosing.md.

``breaks``: the number of breaks of simulated curves, 40 points over four decades with 1 % noise,
slopes that change by 0.3 or more at breaks 0.8 decades apart or more. ``curves``: the curves of the
public benchmark in a folder, laws chosen on the points to fit, averages scored on those held out.
One row of a CSV file is written for each curve; a run that was interrupted goes on where it ended.
"""

import argparse
import csv
import multiprocessing
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
import pandas as pd

import bayes_bnsl as bb

BROKEN = [bb.BNSL(n) for n in range(4)]
RIVALS = [bb.M1(), bb.M2(), bb.M3(), bb.M4()]


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


def count_breaks(n_breaks, seed, settings):
    """Return what is chosen for a simulated curve."""
    choice, seconds = compared(simulated(n_breaks, seed), BROKEN, settings)
    row = {"n_breaks": n_breaks, "seed": seed, "seconds": seconds}
    return row | verdict(choice)


def forecast_curve(folder, number, settings):
    """Return what is chosen for a public curve, and how the average forecasts the rest."""
    curve = bb.read_benchmark(folder)[number]
    choice, seconds = compared(curve.seen, [*BROKEN, *RIVALS], settings)
    row = {"curve": curve.name, "source": curve.source, "points": len(curve.seen)}
    row |= {"seconds": seconds} | verdict(choice)
    table = choice.table.query("status == 'converged'")
    close = table[table["elpd_diff"].abs() <= table["dse"].fillna(0.0)].index
    row["winning_set"] = " ".join(close)
    if choice.weights.any():
        ahead = {"average": choice, "simplest": choice.fits[choice.simplest]}
        for name, source in ahead.items():
            forecast = bb.forecast(source, curve.later.x, seed=1)
            median = forecast["y"].median("sample").values
            error = np.log(median) - np.log(curve.later.y)
            row[f"rmsle_{name}"] = float(np.sqrt(np.mean(error**2)))
            row[f"log_score_{name}"] = float(bb.log_score(forecast, curve.later.y).mean())
    return row


def compared(curve, laws, settings):
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bb.NotConvergedWarning)  # the row says it
        choice = bb.compare(curve, laws, seed=1, progress=False, **settings)
    return choice, time.perf_counter() - began


def verdict(choice):
    statuses = choice.table["status"].to_dict()
    row = {"statuses": " ".join(f"{law}:{status}" for law, status in sorted(statuses.items()))}
    row["weights"] = " ".join(f"{law}:{weight:.3f}" for law, weight in choice.weights.items())
    if any(choice.weights):
        row |= {"best": choice.best, "simplest": choice.simplest}
    repairs = "; ".join(choice.table["repairs"])
    row["unrepaired"] = repairs.count("did not converge") + repairs.count("too few")
    return row


def run(measure, tasks, path, workers, columns):
    """Do what no row of the file holds yet, and write each row as it comes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done = set()
    if path.is_file():
        with path.open(newline="") as file:
            done = {row["task"] for row in csv.DictReader(file)}
    left = [task for task in tasks if repr(task[:2]) not in done]
    fresh = not path.is_file() or not path.stat().st_size
    context = multiprocessing.get_context("spawn")
    with path.open("a", newline="") as file, ProcessPoolExecutor(workers, context) as pool:
        writer = csv.DictWriter(file, ["task", *columns], restval="")
        if fresh:
            writer.writeheader()
            file.flush()
        running = {pool.submit(measure, *task): task for task in left}
        for number, each in enumerate(as_completed(running), 1):
            writer.writerow({"task": repr(running[each][:2])} | each.result())
            file.flush()
            print(f"{number} of {len(left)}", flush=True)


COLUMNS = ["seconds", "statuses", "weights", "best", "simplest", "unrepaired"]


def breaks_table(path):
    rows = pd.read_csv(path)
    chosen = rows["simplest"].str.extract(r"(\d)", expand=False).astype(float)
    lines = [
        "| breaks | curves | right | too many | too few | none chosen |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for n, found in chosen.groupby(rows["n_breaks"]):
        counts = (len(found), (found == n).mean(), (found > n).mean(), (found < n).mean())
        shares = " | ".join(f"{share:.0%}" for share in (*counts[1:], found.isna().mean()))
        lines.append(f"| {n} | {counts[0]} | {shares} |")
    return "\n".join(lines)


def curves_table(path):
    rows = pd.read_csv(path)
    rows["bnsl"] = rows["winning_set"].fillna("").str.contains("BNSL")
    rows["source"] = rows["source"].str.removesuffix(".csv")
    lines = [
        "| curves | number | RMSLE, average | RMSLE, simplest | log score, average | "
        "BNSL in the winning set | median seconds |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for source, some in rows.groupby("source"):
        lines.append(
            f"| {source} | {len(some)} | {some['rmsle_average'].mean():.4f} | "
            f"{some['rmsle_simplest'].mean():.4f} | {some['log_score_average'].mean():.2f} | "
            f"{some['bnsl'].mean():.0%} | {some['seconds'].median():.0f} |"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", choices=["breaks", "curves"])
    parser.add_argument("--data", type=Path, help="folder of the public benchmark")
    parser.add_argument("--source", default="", help="only files with this in their name")
    parser.add_argument("--count", type=int, default=60, help="curves of each number of breaks")
    parser.add_argument("--every", type=int, default=1, help="each k-th public curve alone")
    parser.add_argument("--by", choices=["loo", "lfo", "evidence"], default="loo")
    parser.add_argument("--max-gradients", type=int, help="as for fit")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--rows", type=Path, help="the CSV file")
    given = parser.parse_args()
    settings = {"by": given.by}
    if given.max_gradients:
        settings["max_gradients"] = given.max_gradients
    path = given.rows or Path("measured", f"choosing_{given.study}_{given.by}.csv")
    if given.study == "breaks":
        tasks = [(n, seed, settings) for seed in range(given.count) for n in range(3)]
        run(count_breaks, tasks, path, given.workers, ["n_breaks", "seed", *COLUMNS])
        print(breaks_table(path))
    else:
        if given.data is None:
            parser.error("curves needs --data")
        known = enumerate(bb.read_benchmark(given.data))
        numbers = [k for k, curve in known if given.source in curve.source][:: given.every]
        extra = ["curve", "source", "points", "winning_set"]
        extra += [
            f"{score}_{of}" for score in ("rmsle", "log_score") for of in ("average", "simplest")
        ]
        tasks = [(given.data, number, settings) for number in numbers]
        run(forecast_curve, tasks, path, given.workers, [*extra, *COLUMNS])
        print(curves_table(path))


if __name__ == "__main__":
    main()
