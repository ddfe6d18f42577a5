"""What "Broken Neural Scaling Laws" reports, found again: ``make reproduction DATA=folder``.

Prints the tables of reproduction.md: four-digit addition (figure 4, left) beside the authors'
procedure; how early its break can be foreseen (figure 4, right, and section 6); and M1 to M4 and
BNSL on the 20 language curves of the public benchmark (tables 2 and 4), by posteriors and by least
squares, beside the published errors. The last keeps its fits in files and one row of a CSV file for
each curve; what is there is not measured again. ``addition``, ``limit`` or ``language`` after the
folder prints one part alone.
"""

import argparse
import csv
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from measure_predictability import CUTS, LAW, TARGET, THETA, forecasts
from measuring import chains_at_once, folder_argument, markdown, measure
from published_searches import (
    ADDITION_GRID,
    ESTIMATED,
    LIMIT_GRID,
    STARTS,
    as_bnsl_is_fitted,
    search_like_m3,
)

import bayes_bnsl as bb

PRINTED_RMSLE = 0.0109
LATEST_CUT = 450

RIVALS = [bb.M1(), bb.M2(), bb.M3(), bb.M4()]
FITTED = [*RIVALS, bb.M3(constant=False), *map(bb.BNSL, range(3))]
WAYS = ["M1", "M2", "M3", "M3(constant=False)", "M4", "BNSL"]


def addition():
    """Print figure 4, left."""
    seen, later = bb.load_curve("four_digit_addition").split(n=14)
    point = as_bnsl_is_fitted(seen, ADDITION_GRID)
    theirs = bb.rmsle(point.forecast(later.x), later.y)
    fit = bb.fit(seen, bb.BNSL(1), seed=1, progress=False)
    errors = [bb.rmsle(bb.forecast(fit, later.x, seed=seed), later.y) for seed in range(1, 6)]
    ours = np.median([error.rmsle for error in errors])
    rows = [
        ["RMSLE of the 3 points", f"{PRINTED_RMSLE:.4f}", f"{theirs.rmsle:.4f}", f"{ours:.4f}",
         f"{ours / PRINTED_RMSLE:.2f}"]
    ]  # fmt: skip
    for name, printed in THETA.items():
        draws = fit.posterior[name].values
        low, middle, high = np.quantile(draws, (0.05, 0.5, 0.95))
        printed, found = np.ravel(printed)[0], np.ravel(point.theta[name])[0]
        ours = f"{middle:.4g} ({low:.4g} to {high:.4g})"
        ratio = f"{middle / printed:.3f}"
        rows.append([f"`{name}`", f"{printed:.6g}", f"{found:.6g}", ours, ratio])
    print(markdown(["", "published", "their procedure", "BNSL(1), posterior", "ratio"], rows))
    print(f"\nStandard error of their RMSLE: {theirs.standard_error:.4f}. Ours with five seeds of "
          f"the forecast: {', '.join(f'{error.rmsle:.4f}' for error in errors)}.")  # fmt: skip
    ahead = bb.forecast(fit, later.x, seed=1)
    band = bb.interval(ahead)["y"].transpose("x", "bound").values
    rows = [
        [f"{x:g}", f"{y:.4f}", f"{at:.4f}", f"{median:.4f}", f"{lower:.4f} to {upper:.4f}",
         "yes" if lower < y < upper else "no"]
        for x, y, at, (lower, median, upper) in zip(
            later.x, later.y, bb.BNSL(1)(later.x, point.theta), band, strict=True
        )
    ]  # fmt: skip
    print()
    print(markdown(["x", "y", "their procedure", "median", "90 % band", "held"], rows))


def limit():
    """Print figure 4, right, and section 6."""
    truth = float(LAW(TARGET, THETA))
    print(f"The curve at {TARGET:g} is {truth:.4f}.")
    print("\nTheir procedure on every x from 1, no scatter:\n")
    rows = []
    for cut in (390, 405):
        x = np.arange(1.0, cut + 1)
        found = as_bnsl_is_fitted(bb.Curve(x, LAW(x, THETA)), LIMIT_GRID)
        end = float(LAW(TARGET, found.theta))
        rows.append([f"{cut}", f"{end:.4f}", f"{end / truth:.4f}", f"{found.theta['d'][0]:.1f}",
                     f"{found.loss:.1e}"])  # fmt: skip
    head = ["fitted up to", f"at {TARGET:g}", "ratio to the truth", "`d`", "residuals"]
    print(markdown(head, rows), flush=True)
    cuts = [cut for cut in CUTS if cut <= LATEST_CUT]
    rows, widths = [], {}
    for cut, kind, status, (lower, _, upper) in forecasts(cuts=cuts):
        widths.setdefault(kind, []).append(upper - lower)
        holds = "yes" if lower < truth < upper else "no"
        band = f"{lower:.3f} to {upper:.3f}"
        rows.append([f"{cut:g}", kind, band, f"{upper / lower:.3g}", holds, status])
    print("\nPoints every 5 from x = 160, scatter of one part in ten thousand:\n")
    print(markdown(["fitted up to", "priors", "90 % band", "upper / lower", "holds", ""], rows))
    for kind, each in widths.items():
        shrinks = f"{each[0] / each[-1]:.3g} times"
        print(f"\n{kind}: from {cuts[0]} to {cuts[-1]} the band shrinks {shrinks}.")


def fitted(folder, number, seen, law, cores):
    """Return a fit, from its file if there is one."""
    path = folder / f"{number:02d}-{law.name}.nc"
    if not path.exists():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", bb.NotConvergedWarning)  # the row says it
            bb.fit(seen, law, seed=1, progress=False, cores=cores).save(path)
    return bb.load_fit(path)


def measure_curve(data, folder, number, cores):
    """Return the row of one curve."""
    curve = bb.read_benchmark(data)[number]
    seen, later = curve.seen, curve.later
    fits = {
        law.name: fitted(folder, number, seen, law, cores)
        for law in FITTED
        if law.min_points <= len(np.unique(seen.x))
    }
    broken = {name: fits.pop(name) for name in list(fits) if name.startswith("BNSL")}
    known = fits | {"BNSL": bb.compare(broken, by="evidence")}
    row = {
        "domain": curve.domain, "task": curve.task, "model": curve.model,
        "status": "converged" if all(f.status.ok for f in (fits | broken).values()) else "not",
        "breaks": known["BNSL"].weights.idxmax(),
    }  # fmt: skip
    apart = {}
    for way in WAYS:
        ahead = bb.forecast(known[way], later.x, seed=1)
        row[f"{way}: rmsle"] = f"{bb.rmsle(ahead, later.y).rmsle:.6g}"
        row[f"{way}: log score"] = f"{float(bb.log_score(ahead, later.y).mean()):.6g}"
        row[f"{way}: inside"] = int(bb.coverage(ahead, later.y)["covered"].sum())
        errors = np.log(ahead["curve"].transpose("sample", "x").values / later.y)
        apart[way] = np.sort(np.sqrt(np.mean(errors**2, axis=1)))
    row["points"] = len(later)
    rivals = {law.name: apart[law.name] for law in RIVALS}
    for name, errors in rivals.items():
        row[f"p BNSL before {name}"] = f"{farther(errors, apart['BNSL']).mean():.3f}"
    for name, errors in (rivals | {"BNSL": apart["BNSL"]}).items():
        others = [apart[other] for other in (*rivals, "BNSL") if other != name]
        all_farther = np.prod([farther(each, errors) for each in others], axis=0)
        row[f"p best {name}"] = f"{all_farther.mean():.3f}"
    return row


def estimate_curve(data, number):
    """Return the row of one curve by least squares: where their searches end, and the minimum."""
    curve = bb.read_benchmark(data)[number]
    row = {"status": "converged"}
    for name, (law, objective) in ESTIMATED.items():
        ends = {"minimum": bb.fit_points(curve.seen, law, objective=objective)}
        if name in STARTS:
            ends["search"] = bb.fit_points(
                curve.seen, law, objective=objective, grid=STARTS[name](curve.seen), climbs=1
            )
        for end, found in ends.items():
            row[f"{name}: {end}"] = f"{error_at(law, found.theta, curve.later):.6g}"
            row[f"{name}: loss of {end}"] = f"{found.loss:.6g}"
    level, slope, d, loss = search_like_m3(curve.seen)
    theta = {"log_a": level, "b": -slope, "d": d}
    row["M3: search"] = f"{error_at(bb.M3(constant=False), theta, curve.later):.6g}"
    row["M3: loss of search"] = f"{loss:.6g}"
    return row


def error_at(law, theta, later):
    """Return the RMSLE of a curve."""
    errors = later.log_y - law.log_mu(later.log_x, theta)
    return np.sqrt(np.mean(errors**2))


def farther(errors, than):
    """Return the share of some sorted errors that is larger, for each of others."""
    return 1 - np.searchsorted(errors, than) / len(errors)


def as_table(rows):
    """Return the rows of curves that raised no error, scores as numbers."""
    table = pd.DataFrame(rows)
    raised = table["status"].str.startswith("raised")
    for number, status in table.loc[raised, ["number", "status"]].itertuples(index=False):
        print(f"Curve {number} {status}")
    words = ["number", "domain", "task", "model", "status", "breaks"]
    scores = table.columns.difference(words)
    return table[~raised].replace("", np.nan).astype(dict.fromkeys(scores, float))


def published(data):
    """Return the published errors by task and model."""
    with (data / "published_rmsle_language.csv").open(encoding="utf-8") as file:
        return {(row["bench_task"], plain(row["bench_model"])): row for row in csv.DictReader(file)}


def plain(model):
    """Return the name of a model; one that is a number may be written in several ways."""
    try:
        return f"{float(model):g}"
    except ValueError:
        return model


def language(data, folder, workers):
    """Print tables 2 and 4."""
    fits = folder / "reproduction"
    fits.mkdir(parents=True, exist_ok=True)
    columns = ["number", "domain", "task", "model", "status", "breaks", "points"]
    columns += [f"{way}: {what}" for way in WAYS for what in ("rmsle", "log score", "inside")]
    columns += [f"p BNSL before {law.name}" for law in RIVALS]
    columns += [f"p best {name}" for name in (*(law.name for law in RIVALS), "BNSL")]
    numbers = [
        number
        for number, curve in enumerate(bb.read_benchmark(data))
        if curve.source == "benchmark_language.csv"
    ]
    jobs = {(str(number),): (data, fits, number, chains_at_once(workers)) for number in numbers}
    path = folder / "reproduction.csv"
    table = as_table(measure(path, columns, jobs, measure_curve, workers=workers))
    ends = [f"{name}: {end}" for name in ESTIMATED for end in ("minimum", "search")]
    ends += [f"{name}: loss of {end}" for name in ESTIMATED for end in ("minimum", "search")]
    jobs = {(str(number),): (data, number) for number in numbers}
    path, columns = folder / "reproduction_least_squares.csv", ["number", "status", *ends]
    least = as_table(measure(path, columns, jobs, estimate_curve, workers=workers))
    table = table.merge(least.drop(columns="status"), on="number")
    theirs = published(data)
    for name in ESTIMATED:
        table[f"{name}: published"] = [
            float(theirs[task, plain(model)][name])
            for task, model in zip(table["task"], table["model"], strict=True)
        ]
    print_errors(table)
    print_shares(table)


def print_errors(table):
    """Print table 4: published errors, those of the same estimators, those of posteriors."""
    print("\nRMSLE in thousandths: published; where their search ends; minimum; posterior\n")
    rows, counts = [], []
    for _, row in table.iterrows():
        cells = [f"{row['domain']} {row['task']} {row['model']}"]
        for name in ESTIMATED:
            keys = ("published", "search", "minimum")
            each = [row[f"{name}: {key}"] for key in keys] + [row[f"{posterior(name)}: rmsle"]]
            cells.append("; ".join("–" if np.isnan(e) else f"{1e3 * e:.3g}" for e in each))
        rows.append(cells)
    print(markdown(["curve", *ESTIMATED], rows))
    for name in ESTIMATED:
        printed = table[f"{name}: published"]
        cells = [name]
        for error in ("search", "minimum"):
            ratio = table[f"{name}: {error}"] / printed
            near = [int((np.abs(ratio - 1) <= off).sum()) for off in (0.1, 0.25)]
            cells.append("–" if ratio.isna().all() else f"{near[0]}, {near[1]}")
        short = table[f"{name}: loss of search"] / table[f"{name}: loss of minimum"]
        cells.append("–" if short.isna().all() else f"{short.median():.2f}, {short.max():.2f}")
        cells.append(f"{(table[f'{posterior(name)}: rmsle'] / printed).median():.2f}")
        counts.append(cells)
    print(f"\nBeside the published, of {len(table)} curves:\n")
    head = ["law", "search: within 10, 25 %", "minimum: within 10, 25 %",
            "residuals of search / minimum: median, most", "posterior / published"]  # fmt: skip
    print(markdown(head, counts))


def posterior(name):
    """Return the law whose posterior stands beside an estimator."""
    return "M3(constant=False)" if name == "M3" else name


def print_shares(table):
    """Print table 2: on how many curves each law is best, and how sure that is."""
    names = [*(law.name for law in RIVALS), "BNSL"]
    ways = {
        "published RMSLE": table[[f"{name}: published" for name in names]],
        "RMSLE, where searches end": pd.concat(
            [table[f"{name}: search"].fillna(table[f"{name}: minimum"]) for name in names], axis=1
        ),
        "RMSLE, least squares": table[[f"{name}: minimum" for name in names]],
        "RMSLE, posterior": table[[f"{name}: rmsle" for name in names]],
        "log score, posterior": -table[[f"{name}: log score" for name in names]],
    }
    rows = []
    for way, scores in ways.items():
        lead = scores.values - scores.values.min(axis=1, keepdims=True)
        best = lead <= 1e-9 * np.abs(scores.values)
        rows.append([way, *(f"{100 * share:.0f}" for share in best.mean(axis=0))])
    expected = table[[f"p best {name}" for name in names]].mean(axis=0)
    rows.append(["expected by the posteriors", *(f"{100 * share:.0f}" for share in expected)])
    print("\nShare of curves on which a law is best, in per cent; who ties is best too\n")
    print(markdown(["by", *names], rows))
    rows = []
    for way, column in (("RMSLE", "rmsle"), ("log score", "log score")):
        rows.append([way, *(f"{table[f'{name}: {column}'].mean():.4g}" for name in names)])
    inside = [table[f"{name}: inside"].sum() / table["points"].sum() for name in names]
    rows.append(["held by 90 % bands", *(f"{share:.2f}" for share in inside)])
    print("\nMeans over curves\n")
    print(markdown(["", *names], rows))
    print("\nProbability that BNSL's curve is closer to the points held out\n")
    before = [f"p BNSL before {law.name}" for law in RIVALS]
    rows = [
        [f"{row['domain']} {row['task']} {row['model']}", row["breaks"],
         *(f"{row[name]:.2f}" for name in (*before, "p best BNSL"))]
        for _, row in table.iterrows()
    ]  # fmt: skip
    heads = [f"than {law.name}'s" for law in RIVALS]
    print(markdown(["curve", "most probable", *heads, "than all four"], rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=folder_argument, help="folder of the public curves")
    parser.add_argument("parts", nargs="*", choices=["addition", "limit", "language"])
    parser.add_argument("--folder", type=Path, default=Path("measured"), help="where rows go")
    parser.add_argument("--workers", type=int, default=1, help="processes that measure")
    options = parser.parse_args()
    parts = {
        "addition": addition,
        "limit": limit,
        "language": lambda: language(options.data, options.folder, options.workers),
    }
    for name in options.parts or parts:
        print(f"\n{name}\n", flush=True)
        parts[name]()


if __name__ == "__main__":
    main()
