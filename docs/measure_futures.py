"""How often 90 % bands hold on simulated futures; ``make futures`` prints a table of forecasts.md.

Curves are drawn from the default priors of BNSL(1), 2, 10 and 100 times the last x are held out,
and forecasts are scored on new observations there. ``model``: 20 points with lognormal noise, as
the fit assumes. ``few``: 8 points. ``correlated``: residuals that hang together. ``hidden``: a
break within the decade beyond the data, after which the curve falls by 1.5 to 4 times its slope or
by a share of it as small. ``simple``: 50 points of a curve with three breaks and 0.4 % noise, to
which one break and `Correlated` noise are fitted. One row of a CSV file is written for each curve
and way to forecast it.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import chains_at_once, markdown, measure

import bayes_bnsl as bb

HORIZONS = (2, 10, 100)
LAW = bb.BNSL(1)
SCENARIOS = ("model", "few", "correlated", "hidden", "simple")
N_POINTS = {"few": 8, "simple": 50}
WAYS = ("BNSL(1)", "average")
LAWS = [bb.BNSL(n) for n in range(3)]
FORECASTS = {"": 0.0, " + unseen": "learned"}
SCORES = ("inside", "width", "crps")


def simulated(scenario, number):
    """Return the points of one curve, and those ahead."""
    seed = (SCENARIOS.index(scenario), number)
    generator = np.random.default_rng(seed)
    x = np.geomspace(1, 1e3, N_POINTS.get(scenario, 20))
    drawn = bb.BNSL(3) if scenario == "simple" else LAW
    noise = bb.Correlated() if scenario == "correlated" else bb.LogNormal()
    ahead = x[-1] * np.array(HORIZONS, dtype=float)
    while True:  # until the curve falls, as losses do, and y is a number
        try:
            _, theta = bb.draw_curve(drawn, x, noise=noise, seed=int(generator.integers(2**31)))
        except ValueError:
            continue
        theta = {name: value.values for name, value in theta.items()}
        law = drawn
        if scenario == "simple":
            theta["sigma"] = 0.004
        elif scenario == "hidden":
            law, theta = bb.BNSL(2), broken_again(theta, np.log(x[-1]), generator)
        slopes = law.log_slope(np.log(np.array([x[-1], ahead[-1]])), theta)
        if np.all(slopes < 0):
            break
    curve = bb.simulate(law, theta, np.append(x, ahead), noise, int(generator.integers(2**31)))
    return curve.split(n=len(x))


def broken_again(theta, end, generator):
    """Return the parameters with one more break within the decade beyond the data."""
    log_d = end + np.log(10) * generator.uniform()
    exponent = theta["c0"] + theta["c"].sum()
    factor = np.exp(generator.uniform(np.log(1.5), np.log(4)) * generator.choice([-1, 1]))
    added = {"c": exponent * (factor - 1), "log_d": log_d, "f": 0.3, "d": np.exp(log_d)}
    return theta | {name: np.append(theta[name], value) for name, value in added.items()}


def forecast_once(scenario, number, way, cores):
    """Return the row of one curve."""
    seen, later = simulated(scenario, number)
    settings = {"seed": number, "progress": False, "cores": cores}
    if way == "average":
        known = bb.compare(seen, LAWS, by="evidence", noise="auto", **settings)
        row = {"status": " ".join(str(share) for share in known.weights.round(3))}
    else:
        noise = bb.Correlated() if scenario in ("correlated", "simple") else bb.LogNormal()
        known = bb.fit(seen, LAW, noise=noise, **settings)
        row = {"status": known.status.name}
    for label, rate in FORECASTS.items():
        ahead = bb.forecast(known, later.x, unseen_breaks=rate, seed=number)
        band = bb.interval(ahead, prob=0.9)["y"].transpose("bound", "x").values
        row |= spread("inside" + label, (band[0] < later.y) & (later.y < band[2]))
        row |= spread("width" + label, np.log(band[2] / band[0]))
        row |= spread("crps" + label, bb.crps(ahead, later.y).values)
    return row


def spread(name, values):
    """Return one entry for each horizon."""
    return {f"{name} {h}x": f"{value:.6g}" for h, value in zip(HORIZONS, 1.0 * values, strict=True)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1, help="processes that measure")
    parser.add_argument("--count", type=int, default=200, help="curves of each kind")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--folder", type=Path, default=Path("measured"), help="where rows go")
    options = parser.parse_args()
    names = [f"{s}{f} {h}x" for s in SCORES for f in FORECASTS for h in HORIZONS]
    shown = []
    for scenario in options.scenarios:
        for way in options.ways:
            rows = measure(
                options.folder / f"futures_{scenario}_{way.replace(' ', '_')}.csv",
                ["number", "status", *names],
                {
                    (str(number),): (scenario, number, way, chains_at_once(options.workers))
                    for number in range(options.count)
                },
                forecast_once,
                workers=options.workers,
            )
            table = pd.DataFrame(rows)
            raised = table["status"].str.startswith("raised")
            scores = table.loc[~raised, names].astype(float)
            for label in FORECASTS:
                cells = [
                    f"{function(scores[f'{name}{label} {h}x']):.{digits}f}"
                    for name, function, digits in (
                        ("inside", np.mean, 2), ("width", np.median, 2), ("crps", np.mean, 4)
                    )
                    for h in HORIZONS
                ]  # fmt: skip
                shown.append([scenario, way + label, str(len(scores)), *cells])
    heads = [f"{name} {h}x" for name in ("held", "width", "CRPS") for h in HORIZONS]
    print(markdown(["curves", "forecast", "number", *heads], shown))


if __name__ == "__main__":
    main()
