"""What pooling gains on simulated families; ``make pooling`` prints a table of many.md.

A family is 12 curves ``y = a + b x**-c0`` of 8 points each. Exponents are normal about 0.35, b and
a lognormal (medians 3 and 0.16, log sd 0.5 and 0.7), the noise of a family is between 1 and 3 %.
``one decade``, ``two decades``: of x, and exponents that differ by 10 %. ``short``: two decades,
but every other curve ends after its first 4 points. ``unlike``: one decade, and exponents that
differ by 50 %, so there is little to share. Each curve is forecast at 10 times its last x, fitted
alone and together with its family. Nothing of the package draws the families. One row of a CSV
file is written for each family.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import LAWS, chains_at_once, markdown, measure

import bayes_bnsl as bb

N_CURVES, N_POINTS = 12, 8
SCENARIOS = {  # spread of the exponents, decades of x
    "one decade": (0.1, 1),
    "two decades": (0.1, 2),
    "short": (0.1, 2),
    "unlike": (0.5, 1),
}
SCORES = ("rmsle", "inside y", "inside curve", "width", "converged", "seconds")


def simulated(scenario, number):
    """Return the curves of a family, and for each x ahead, the curve and an observation there."""
    generator = np.random.default_rng((list(SCENARIOS).index(scenario), number))
    spread, decades = SCENARIOS[scenario]
    noise = np.exp(generator.uniform(np.log(0.01), np.log(0.03)))
    family, ahead = [], []
    while len(family) < N_CURVES:
        c0 = 0.35 * (1 + spread * generator.standard_normal())
        b = np.exp(np.log(3.0) + 0.5 * generator.standard_normal())
        a = np.exp(np.log(0.16) + 0.7 * generator.standard_normal())
        if c0 < 0.02:
            continue  # a curve that does not fall
        x = np.geomspace(10, 10 * 10**decades, N_POINTS)
        if scenario == "short" and len(family) % 2:
            x = x[: N_POINTS // 2]
        x = np.append(x, 10 * x[-1])
        curve = a + b * x**-c0
        y = curve * np.exp(noise * generator.standard_normal(len(x)))
        family.append(bb.Curve(x[:-1], y[:-1], name=f"curve {len(family)}"))
        ahead.append((x[-1], curve[-1], y[-1]))
    return family, ahead


def measure_family(scenario, number, law, cores):
    """Return the row of one family."""
    family, ahead = simulated(scenario, number)
    settings = {"seed": number, "progress": False, "cores": cores}
    ways = {
        "alone": {curve.name: bb.fit(curve, LAWS[law], **settings) for curve in family},
        "together": bb.fit_together(family, LAWS[law], **settings),
    }
    row = {"status": "measured"}
    for way, fits in ways.items():
        found = []
        for fit, (x, curve, y) in zip(fits.values(), ahead, strict=True):
            bands = bb.interval(bb.forecast(fit, [x], seed=number), prob=0.9).isel(x=0)
            lower, middle, upper = bands["y"].transpose("bound").values
            low, _, high = bands["curve"].transpose("bound").values
            inside = lower < y < upper, low < curve < high
            error = np.log(middle / y) ** 2
            found.append(
                (error, *inside, np.log(upper / lower), fit.status.ok, fit.seconds * N_CURVES)
            )
        values = np.mean(found, axis=0)
        values[0] = np.sqrt(values[0])
        row |= {f"{s} {way}": f"{v:.6g}" for s, v in zip(SCORES, values, strict=True)}
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1, help="processes that measure")
    parser.add_argument("--count", type=int, default=12, help="families of each kind")
    parser.add_argument("--law", choices=LAWS, default="BNSL(0)")
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--folder", type=Path, default=Path("measured"), help="where rows go")
    options = parser.parse_args()
    names = [f"{score} {way}" for score in SCORES for way in ("alone", "together")]
    shown = []
    for scenario in options.scenarios:
        rows = measure(
            options.folder / f"pooling_{scenario.replace(' ', '_')}_{options.law}.csv",
            ["number", "status", *names],
            {
                (str(number),): (scenario, number, options.law, chains_at_once(options.workers))
                for number in range(options.count)
            },
            measure_family,
            workers=options.workers,
        )
        table = pd.DataFrame(rows)
        done = table[table["status"] == "measured"]
        if len(done) < len(table):
            print(table.loc[table["status"] != "measured", ["number", "status"]])
        scores = done[names].astype(float)
        for way in ("alone", "together"):
            mean = scores[[f"{score} {way}" for score in SCORES]].mean()
            cells = [
                f"{value:.{digits}f}"
                for value, digits in zip(mean, (4, 2, 2, 3, 2, 0), strict=True)
            ]
            shown.append([scenario, way, *cells])
        gain = 1 - scores["rmsle together"] / scores["rmsle alone"]
        ratio = scores["rmsle together"].mean() / scores["rmsle alone"].mean()
        print(
            f"{scenario}: RMSLE {1 - ratio:+.0%} lower together; lower in {(gain > 0).sum()} of "
            f"{len(gain)} families."
        )
    header = ["family", "curves fitted", "RMSLE", "y inside", "curve inside", "width of 90 % band"]
    print(markdown([*header, "converged", "seconds"], shown))


if __name__ == "__main__":
    main()
