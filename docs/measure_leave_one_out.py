"""Measure the estimators of leave-one-out against what is known; numbers of choosing.md.

First ten points on a line, where the density of each point given the others has a closed form.
Then BNSL(1) and one surprising point of four-digit addition: the mean density over draws that have
not seen it, and Bennett's acceptance ratio of draws without and with it, from several seeds.
"""

import sys
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np

import bayes_bnsl as bb
from bayes_bnsl.density import joint_log_density, log_evidence_ratio, log_mean_exp

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from problems import Conjugate

SURPRISE = 15  # x = 864
EDGES = (-1.0, 0.4, 0.7, 10.0)


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
    whole = bb.fit(curve, bb.BNSL(1), seed=1, draws=4000, progress=False)
    left = np.arange(len(curve)) == SURPRISE
    given = joint_log_density(whole, curve.take(left))
    for seed in range(100, 106):
        without = bb.fit(
            curve.take(~left), bb.BNSL(1), scale=whole.scale, seed=seed, draws=4000, progress=False
        )
        density = joint_log_density(without, curve.take(left))
        print(
            f"x = {curve.x[SURPRISE]:g}, seed {seed}: mean {log_mean_exp(density):.1f}, "
            f"acceptance ratio {log_evidence_ratio(density, given):.1f}"
        )


if __name__ == "__main__":
    warnings.simplefilter("error")
    on_a_line()
    surprise()
