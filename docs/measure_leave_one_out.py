"""Measure the estimators of leave-one-out against what is known; numbers of choosing.md.

``line``: ten points on a line, where the density of each point given the others has a closed form.
``surprise``: BNSL(1) and one surprising point of four-digit addition: the mean density over draws
that have not seen it, and the ratio of the evidences with and without it, from several seeds.
``refits``: the smallest public curves with eight points or more, eight laws, and for each point
that ratio, of long fits with and without it; where the mean density over the draws of the latter is
certain enough, both are compared. One row of a CSV file is written for each curve and law.
``simulated``: of 8 curves of 9 to 12 points and five laws, the errors of importance sampling, after
draws were moved, and of all repairs together, against such a ratio, by Pareto k.
"""

import argparse
import sys
import warnings
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import LAWS, chains_at_once, folder_argument, markdown, measure

import bayes_bnsl as bb
from bayes_bnsl.density import joint_log_density, log_mean_exp

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from problems import Conjugate

SURPRISE = 15  # x = 864
EDGES = (-1.0, 0.4, 0.7, 10.0)

CERTAIN = 0.02
"""Monte Carlo error of a mean density, as a share of it, up to which it is compared."""


def on_a_line():
    """Print the largest errors in elpd of a point, by the Pareto k of importance sampling."""
    found = []
    for seed in range(3, 19):
        problem = Conjugate.simulated(seed=seed, outlier=5.0 * (seed % 3))
        fit, each = problem.fit(), np.arange(len(problem.curve))
        exact = np.array([problem.log_predictive(each == i, each != i) for i in each])
        raw, repaired = (bb.leave_one_out(fit, repair=repair) for repair in (False, True))
        errors = (abs(scores["elpd"].values - exact) for scores in (raw, repaired))
        found += list(zip(raw["pareto_k"].values, *errors, strict=True))
    k, raw, repaired = np.array(found).T
    for low, high in pairwise(EDGES):
        these = (k > low) & (k <= high)
        print(f"k {low:.1f} to {high:.1f}, {these.sum()} points; error, median and largest:")
        for name, errors in (("importance sampling", raw[these]), ("repaired", repaired[these])):
            print(f"    {name}: {np.median(errors):.3f}, {errors.max():.3f}")


def surprise():
    """Print both estimates for the surprising point."""
    curve = bb.load_curve("four_digit_addition")
    left = np.arange(len(curve)) == SURPRISE
    for seed in range(1, 7):
        settings = {"seed": seed, "progress": False}
        whole = bb.fit(curve, bb.BNSL(1), **settings)
        without = bb.fit(curve.take(~left), bb.BNSL(1), scale=whole.scale, **settings)
        ratio = bb.log_evidence(whole).value - bb.log_evidence(without).value
        print(
            f"x = {curve.x[SURPRISE]:g}, seed {seed}: "
            f"mean {log_mean_exp(joint_log_density(without, curve.take(left))):.2f}, "
            f"ratio of evidences {ratio:.2f}"
        )


def few_points(seed):
    """Return a simulated curve of 9 to 12 points, with up to two breaks."""
    generator = np.random.default_rng(seed)
    n_breaks = int(generator.integers(3))
    theta = {"a": generator.uniform(0, 0.4), "b": 2.0, "c0": generator.uniform(0.1, 0.5)}
    if n_breaks:
        signs = generator.choice([-1, 1], n_breaks)
        theta |= {
            "c": generator.uniform(0.2, 1, n_breaks) * signs,
            "d": np.sort(np.exp(generator.uniform(1, 6, n_breaks))),
            "f": generator.uniform(0.1, 0.5, n_breaks),
        }
    x = np.geomspace(1, 1e3, generator.integers(9, 13))
    sigma = 0.01 * np.exp(generator.normal(0, 0.7))
    return bb.simulate(bb.BNSL(n_breaks), theta, x, sigma, seed=seed)


def simulated():
    """Print the errors in elpd of a point, by Pareto k before draws were moved and after."""
    warnings.simplefilter("ignore", bb.NotConvergedWarning)
    found = []
    for seed in range(8):
        curve = few_points(seed)
        for law in (bb.M3(), bb.M4(), *map(bb.BNSL, range(3))):
            fit = bb.fit(curve, law, seed=1, progress=False)
            if not fit.status.ok:
                continue
            raw, repaired = (bb.leave_one_out(fit, repair=each) for each in (False, True))
            moved = bb.leave_one_out(fit, max_gradients=1)  # too few for chains to go on
            long = bb.fit(curve, law, seed=9, draws=2000, progress=False)
            for left in np.flatnonzero(raw["raw_k"] > EDGES[1] - 0.1):
                others = np.arange(len(curve)) != left
                without = bb.fit(curve.take(others), law, scale=fit.scale, seed=2, progress=False)
                exact = bb.log_evidence(long).value - bb.log_evidence(without).value
                if without.status.ok:
                    of_each = [scores["elpd"].values[left] for scores in (raw, moved, repaired)]
                    errors = np.abs(np.array(of_each) - exact)
                    both = (each["pareto_k"].values[left] for each in (raw, moved))
                    found.append([*both, *errors])
            print(f"{curve.name}, {law.name}: {len(found)} points so far", flush=True)
    before, after, *errors = np.array(found).T
    lines = []
    for (low, high), (least, most) in product(
        pairwise((EDGES[1] - 0.1, EDGES[1], EDGES[2], np.inf)),
        pairwise((-np.inf, 0.4, 0.5, np.inf)),
    ):
        these = (before > low) & (before <= high) & (after > least) & (after <= most)
        if these.any():
            of_each = [
                f"{q:.2f}" for each in errors for q in np.quantile(each[these], (0.5, 0.9, 1))
            ]
            lines.append([f"{low:g} to {high:g}", f"{least:g} to {most:g}", these.sum(), *of_each])
    names = [
        heading
        for way in ("importance sampling", "moved", "repaired")
        for heading in (f"{way}, median", "90 %", "largest")
    ]
    print(markdown(["Pareto k", "after moving", "points", *names], lines))


def small_curves(folder):
    """Return the numbers of the smallest curves with eight points or more, and the curves."""
    seen = {number: curve.seen for number, curve in enumerate(bb.read_benchmark(folder))}
    large = [number for number in seen if len(seen[number]) >= 8]
    return {number: seen[number] for number in sorted(large, key=lambda n: len(seen[n]))[:5]}


def against_refits(folder, number, label, cores):
    """Return the row of one law and curve: leave-one-out beside a fit without each point."""
    curve, law = small_curves(folder)[number], LAWS[label]
    settings = {"progress": False, "cores": cores}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bb.NotConvergedWarning)  # the row says it
        fit = bb.fit(curve, law, seed=1, **settings)
        scores = bb.leave_one_out(fit, cores=cores)
        settings |= {"scale": fit.scale, "seed": 2, "draws": 2000}
        # its error is in the ratio of every point: four times the draws
        whole = bb.fit(curve, law, **(settings | {"draws": 8000}))
        exact, apart, converged = [], [], fit.status.ok and whole.status.ok
        for left in np.eye(len(curve), dtype=bool):
            without = bb.fit(curve.take(~left), law, **settings)
            exact.append(bb.log_evidence(whole).value - bb.log_evidence(without).value)
            density = joint_log_density(without, curve.take(left))
            share = np.exp(density - log_mean_exp(density))
            if share.std() < CERTAIN * np.sqrt(density.size):
                apart.append(abs(log_mean_exp(density) - exact[-1]))
            converged &= without.status.ok
    errors = np.abs(scores["elpd"].values - exact)
    estimated = scores["method"].values != "refit"
    return {
        "curve": curve.name,
        "status": "converged" if converged else "not all converged",
        "points": len(curve),
        "refits": int(np.sum(~estimated)),
        "error of elpd": f"{abs(scores['elpd'].values.sum() - np.sum(exact)):.4f}",
        "largest of a point": f"{errors.max():.4f}",
        "largest estimated": f"{errors[estimated].max(initial=0.0):.4f}",
        "lowest elpd of a point": f"{np.min(exact):.2f}",
        "means": len(apart),
        "largest of a mean": f"{max(apart, default=0.0):.4f}",
    }


def refits(options):
    """Print how far leave-one-out is from exact refits."""
    columns = [
        *("number", "law", "curve", "status", "points", "refits", "error of elpd"),
        *("largest of a point", "largest estimated", "lowest elpd of a point"),
        *("means", "largest of a mean"),
    ]
    jobs = {
        (str(number), law): (options.data, number, law, chains_at_once(options.workers))
        for law in sorted(LAWS, key=lambda law: LAWS[law].n_parameters)  # the quick ones first
        for number in small_curves(options.data)
    }
    path = options.folder / "leave_one_out.csv"
    rows = pd.DataFrame(
        measure(path, columns, jobs, against_refits, workers=options.workers)
    ).sort_values(["number", "law"])
    print(markdown(columns[1:], rows[columns[1:]].values.tolist()))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", choices=["line", "surprise", "simulated", "refits"])
    parser.add_argument("--data", type=folder_argument, help="folder of the public benchmark")
    parser.add_argument("--folder", type=Path, default=Path("measured"), help="where rows go")
    parser.add_argument("--workers", type=int, default=1, help="processes that measure")
    options = parser.parse_args()
    if options.study == "refits":
        if options.data is None:
            parser.error("refits needs --data")
        refits(options)
        return
    warnings.simplefilter("error")
    {"line": on_a_line, "surprise": surprise, "simulated": simulated}[options.study]()


if __name__ == "__main__":
    main()
