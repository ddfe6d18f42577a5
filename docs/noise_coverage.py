"""How often 90 % bands hold, by what the residuals are and what is assumed of them.

Prints the table of noise.md: of 50 simulated curves of 40 points, how many of the observations at
the next point, at twice and at ten times the last x lay inside the band. Takes some minutes.
"""

import numpy as np

import bayes_bnsl as bb

LAW = bb.BNSL(0)
THETA = {"a": 0.2, "b": 6.0, "c0": 0.3, "sigma": 0.01, "tau": 0.03, "ell": 1.0}
X = np.geomspace(1.0, 1e4, 40)
AHEAD = {"next point": X[-1] * (X[1] / X[0]), "2x": 2 * X[-1], "10x": 10 * X[-1]}
INDEPENDENT, CORRELATED = bb.LogNormal(), bb.Correlated()
N_CURVES = 50


def held(truth, assumed, seed):
    """Tell whether the observations ahead of one simulated curve lie in the 90 % band."""
    at = np.array(sorted([*X, *AHEAD.values()]))
    theta = THETA if truth == CORRELATED else THETA | {"sigma": np.hypot(0.01, 0.03)}
    seen, later = bb.simulate(LAW, theta, at, truth, seed=seed).split(n=len(X))
    fit = bb.fit(seen, LAW, noise=assumed, seed=seed, progress=False)
    band = bb.interval(bb.forecast(fit, later.x, unseen_breaks=0, seed=seed), prob=0.9)["y"]
    return (band.sel(bound="lower") < later.y) & (later.y < band.sel(bound="upper"))


def main():
    print(f"| residuals are | assumed | {' | '.join(AHEAD)} |")
    print("|---|---|--:|--:|--:|")
    for truth in (INDEPENDENT, CORRELATED):
        for assumed in (INDEPENDENT, CORRELATED):
            shares = sum(held(truth, assumed, seed).values for seed in range(N_CURVES)) / N_CURVES
            cells = " | ".join(f"{share:.0%}" for share in shares)
            print(f"| `{truth.name}` | `{assumed.name}` | {cells} |", flush=True)


if __name__ == "__main__":
    main()
