"""What more points, breaks, curves and processes cost: ``make scaling`` prints it in tables.

Points: BNSL(1) on curves of 10 to 100,000 points; seconds of a gradient and of a whole fit with
default settings, and the most memory the process had. Breaks: seconds of a gradient and of
compilation. Curves: power laws fitted to 1 to 1000 curves in a batch. Workers: a batch of BNSL(1)
in one and in two processes, with chains one after the other in both. Each row comes from a process
of its own; what has a row is not measured again. Leave the machine alone meanwhile.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from measuring import markdown, measure

import bayes_bnsl as bb
from bayes_bnsl.compiled import compile_law
from bayes_bnsl.model import model_data
from bayes_bnsl.priors import Scale

POINTS = (10, 100, 1000, 10_000, 100_000)
BREAKS = range(7)
CURVES = (1, 10, 100, 1000)
WORKERS = (1, 2)
BATCH = 200  # curves: compiling, once in each process, is little beside them
THETA = {"a": 0.2, "b": 8.0, "c0": 0.15, "c": [0.4], "d": [1e5], "f": [0.6]}
SETTINGS = {"seed": 1, "progress": False}


def curve_of(n_points, seed=1):
    x = np.geomspace(1e2, 1e8, n_points)
    return bb.simulate(bb.BNSL(1), THETA, x, 0.02, seed=seed, name=f"curve {seed}")


def gradient(curve, law):
    """Return the least seconds of a gradient, and those of compilation."""
    began = time.perf_counter()
    compiled = compile_law(curve, law, bb.LogNormal(), {})
    compilation = time.perf_counter() - began
    data = model_data(curve, law, bb.LogNormal(), {}, Scale.of(curve))
    function = compiled.log_density(data)
    position = compiled.draw_prior(data, np.random.default_rng(0), 1)[0]
    calls = max(1, 2000 // len(curve))
    best = np.inf
    for _ in range(50):  # short turns: some of them are not disturbed by others on the machine
        began = time.perf_counter()
        for _ in range(calls):
            function(position)
        best = min(best, (time.perf_counter() - began) / calls)
    return best, compilation


def memory():
    """Return the most memory that this process had, in GiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30:.2f}"


def of_points(n_points):
    curve = curve_of(n_points)
    one, _ = gradient(curve, bb.BNSL(1))
    fit = bb.fit(curve, bb.BNSL(1), **SETTINGS)
    return {
        "status": fit.status.name, "seconds": f"{fit.seconds:.1f}", "gradient": f"{one:.3g}",
        "gradients": int(fit.data["sample_stats"]["n_steps"].sum()), "memory": memory(),
    }  # fmt: skip


def of_breaks(n_breaks):
    one, compilation = gradient(curve_of(200), bb.BNSL(n_breaks))
    return {"seconds": f"{compilation:.1f}", "gradient": f"{one:.3g}", "memory": memory()}


def of_curves(n_curves):
    x = np.geomspace(1, 1e3, 12)
    curves = [
        bb.simulate(bb.M1(), {"a": 2.0, "b": -0.3}, x, 0.02, seed=n, name=f"curve {n}")
        for n in range(n_curves)
    ]
    bb.fit(curves[0], bb.M1(), **SETTINGS)  # compiles
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        batch = bb.fit_many(curves, bb.M1(), out=folder, **SETTINGS)
        seconds = time.perf_counter() - began
    ok = batch.table["ok"].sum()
    return {"status": f"{ok} converged", "seconds": f"{seconds:.1f}", "memory": memory()}


def of_workers(workers):
    curves = [curve_of(40, seed) for seed in range(BATCH)]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        batch = bb.fit_many(curves, bb.BNSL(1), out=folder, workers=workers, cores=1, **SETTINGS)
        seconds = time.perf_counter() - began
    ok = batch.table["ok"].sum()
    return {"status": f"{ok} converged", "seconds": f"{seconds:.1f}", "memory": memory()}


def alone(work, number):
    """Do the work in a process of its own, whose memory nobody else has used."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(quietly, work, number).result()


def quietly(work, number):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bb.BayesBnslWarning)
        return work(number)


PARTS = {
    "points": (POINTS, of_points),
    "breaks": (BREAKS, of_breaks),
    "curves": (CURVES, of_curves),
    "workers": (WORKERS, of_workers),
}
COLUMNS = ["part", "number", "status", "seconds", "gradient", "gradients", "memory"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all unless some are named")
    parser.add_argument("--most", type=float, default=np.inf, help="leave out larger numbers")
    parser.add_argument("--rows", type=Path, default=Path("measured", "scaling.csv"))
    options = parser.parse_args()
    for part in options.parts or PARTS:
        numbers, work = PARTS[part]
        rows = measure(
            options.rows,
            COLUMNS,
            {(part, str(number)): (work, number) for number in numbers if number <= options.most},
            alone,
        )
        shown = [
            [row["number"], row["status"], row["seconds"], row["gradient"], row["gradients"],
             row["memory"], f"{growth:.2f}" if np.isfinite(growth) else ""]
            for row, growth in zip(rows, growths(rows), strict=True)
        ]  # fmt: skip
        header = [part, "status", "seconds", "of a gradient", "gradients of draws", "GiB", "growth"]
        print(f"\n{markdown(header, shown)}\n")
    print("Growth is the power of the number that the seconds grew with, from row to row.")


def growths(rows):
    """Return the slope of log seconds against log number from each row to the next."""
    seconds = [float(row["seconds"] or "nan") for row in rows]
    numbers = [float(row["number"]) for row in rows]
    with np.errstate(all="ignore"):
        slopes = np.diff(np.log(seconds)) / np.diff(np.log(numbers))
    return [np.nan, *slopes]


if __name__ == "__main__":
    main()
