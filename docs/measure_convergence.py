"""Convergence of every law on the seen part of every public curve: rows, and a table.

Run by ``make convergence DATA=folder``. One row a curve and law; what has a row is not fitted
again. Seconds are those of the fit without compilation; for seconds that mean something use one
worker and an idle machine.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
from measuring import LAWS, add_arguments, chains_at_once, folder_argument, markdown, measure

import bayes_bnsl as bb

COLUMNS = ["source", "curve", "law", "n_points", "ok", "status", "r_hat", "effective_draws"]
COLUMNS += ["divergences", "seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, list(LAWS))
    parser.add_argument("data", type=folder_argument, help="folder with the public curves")
    parser.add_argument("--rows", type=Path, default=Path("measured", "convergence.csv"))
    options = parser.parse_args()
    curves = bb.read_benchmark(options.data)[:: options.every]
    jobs = {
        (each.source, each.name, law): (each.seen, law, chains_at_once(options.workers))
        for law in options.laws  # a law after the other: each process compiles it once
        for each in curves
    }
    if len(jobs) < len(curves) * len(options.laws):
        raise SystemExit(f"Two curves in a file of {options.data} have the same name.")
    rows = measure(options.rows, COLUMNS, jobs, fit_once, workers=options.workers)
    print(table(rows))


def fit_once(seen, name, cores):
    """Fit a law to the seen part of a curve with default settings, and return its row."""
    law, n_distinct = LAWS[name], len(np.unique(seen.x))
    if n_distinct < law.min_points:
        return {"n_points": len(seen), "status": "too_few_points"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bb.NotConvergedWarning)  # the status has a column
        fit = bb.fit(seen, law, seed=1, cores=cores, progress=False)
    status = fit.status
    return {
        "n_points": len(seen),
        "ok": int(status.ok),
        "status": status.name,
        "r_hat": f"{status.r_hat:.4f}",
        "effective_draws": f"{status.effective_draws:.0f}",
        "divergences": status.divergences,
        "seconds": f"{fit.seconds:.3f}",
    }


def table(rows):
    """Return convergence by law as Markdown."""
    lines = []
    for law in dict.fromkeys(row["law"] for row in rows):
        of_law = [row for row in rows if row["law"] == law]
        tried = [row for row in of_law if row["status"] != "too_few_points"]
        fitted = [row for row in tried if not row["status"].startswith("raised")]
        converged = [row for row in tried if row["ok"] == "1"]
        seconds = [float(row["seconds"]) for row in converged]
        middle, slow = np.quantile(seconds, [0.5, 0.95]) if seconds else (np.nan, np.nan)
        misses = [f"{row['curve']} ({row['status']})" for row in tried if row["ok"] != "1"]
        lines.append(
            [
                law, len(tried), len(of_law) - len(tried),
                f"{len(converged) / len(tried):.3f}" if tried else "-",
                f"{middle:.2f}", f"{slow:.2f}",
                max((row["r_hat"] for row in fitted), key=float, default="-"),
                "; ".join(misses) or "none",
            ]
        )  # fmt: skip
    header = ["law", "curves", "too few points", "share converged", "median s", "95 % s"]
    return markdown([*header, "worst R-hat", "not converged"], lines)


if __name__ == "__main__":
    main()
