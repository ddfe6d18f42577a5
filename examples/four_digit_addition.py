"""From a curve to a forecast: four-digit addition, fitted on 14 points, forecast for 3.

Run ``python examples/four_digit_addition.py [folder]``; pictures and the fit go to the folder.
"""

import sys
from pathlib import Path

import numpy as np

import bayes_bnsl as bb


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    seen, later = bb.load_curve("four_digit_addition").split(n=14)
    fit = bb.fit(seen, bb.BNSL(1), seed=1)
    print(fit)
    print(fit.summary().to_string())

    ahead = bb.forecast(fit, later.x, seed=1)
    band = bb.interval(ahead, prob=0.9)["y"]
    print(f"\n{'x':>8} {'measured':>9} {'median':>9}   90% interval of a new observation")
    for x, y in zip(later.x, later.y, strict=True):
        low, median, high = band.sel(x=x).values
        print(f"{x:8.0f} {y:9.4f} {median:9.4f}   {low:.4f} to {high:.4f}")
    error = np.log(band.sel(bound="median").values) - np.log(later.y)
    print(f"\nheld-out RMSLE of the predictive median: {np.sqrt(np.mean(error**2)):.4f}")
    print(f"held-out log score, mean a point: {float(bb.log_score(ahead, later.y).mean()):.2f}")

    bb.plot_forecast(fit, held_out=later).figure.savefig(folder / "forecast.png", dpi=150)
    bb.plot_segments(fit).figure.savefig(folder / "segments.png", dpi=150)
    bb.plot_posterior(fit).savefig(folder / "posterior.png", dpi=100)
    fit.save(folder / "fit.nc")
    names = ("forecast.png", "segments.png", "posterior.png", "fit.nc")
    print("\nwritten: " + ", ".join(str(folder / name) for name in names))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
