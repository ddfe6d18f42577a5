"""How the authors of M1 to M4 and of BNSL seek the parameters, after the code they publish.

Alabdulmohsin et al. (NeurIPS 2022), google-research/revisiting_neural_scaling_laws; Caballero et
al. (ICLR 2023), ethancaballero/broken_neural_scaling_laws. Written anew from what these do.
"""

import numpy as np
from scipy.optimize import nnls

import bayes_bnsl as bb

ESTIMATED = {
    "M1": (bb.M1(), "equation"),
    "M2": (bb.M2(), "equation"),
    "M3": (bb.M3(constant=False), "equation"),
    "M4": (bb.M4(), "equation"),
    "BNSL": (bb.BNSL(1), "log1p"),
}
"""What the benchmark's estimators and the authors of BNSL fit, and whose squares they minimise."""

MARGIN = 1e-3
"""How far from the points the benchmark's estimators start and keep their limits."""


def steps(start, stop, step):
    return np.arange(start, stop, step)


def exponents(stop, step, offset):
    """Return 1.25**i + offset: how the authors spread b and d."""
    return 1.25 ** steps(0, stop, step) + offset


# The second grid goes one step of f further than theirs. At f = 0 a break of theirs has no effect,
# as at c = 0; the form in logs has no value there.
ADDITION_GRID = {
    "a": steps(0, 1, 0.1), "b": exponents(40, 2.5, -0.9), "c0": steps(0, 1, 0.25),
    "c": steps(0, 1, 0.25), "d": exponents(40, 2.5, -0.9), "f": steps(0.25, 1, 0.25),
}  # fmt: skip
LIMIT_GRID = {
    "a": steps(0, 2.5, 0.1), "b": exponents(5, 0.25, 1e-8 - 1), "c0": steps(0, 0.2, 0.05),
    "c": steps(0, 8, 0.5), "d": exponents(35, 2.5, 1e-8 - 1), "f": steps(0.05, 0.2, 0.05),
}  # fmt: skip


def as_bnsl_is_fitted(curve, grid):
    """Return their point fit: the best of a grid, refined, squares of log(y + 1)."""
    return bb.fit_points(curve, bb.BNSL(1), objective="log1p", grid=grid, climbs=1)


def search_like_m3(curve, rounds=10_000):
    """Return level, slope and d of M3 as its estimator seeks them, and the loss.

    In turns: the line given d, by linear regression; d given the line, the best of those with which
    the curve goes through one of the points, and of the d before.
    """
    log_x, log_y, d, last = curve.log_x, curve.log_y, 0.0, np.inf
    for _ in range(rounds):
        slope, level = np.polyfit(np.log(1 / curve.x + d), log_y, 1)
        with np.errstate(over="ignore", divide="ignore"):
            through = np.exp((log_y - level) / max(slope, 1e-300)) - np.exp(-log_x)
        tried = np.append(d, through[np.isfinite(through) & (through >= 0)])
        residuals = log_y - level - slope * np.log(1 / curve.x + tried[:, None])
        losses = np.sqrt(np.mean(residuals**2, axis=1))
        d = tried[losses.argmin()]
        if abs(np.exp(level) - last) < 1e-10:
            break
        last = np.exp(level)
    return level, slope, d, losses.min()


def start_of_m2(seen):
    """Return where the estimator of M2 starts: the limit just below the smallest y."""
    limit = seen.y.min() - MARGIN
    slope, level = np.polyfit(seen.log_x, np.log(seen.y - limit), 1)
    return {"a": [np.exp(level)], "b": [slope], "c": [limit]}


def start_of_m4(seen):
    """Return where the estimator of M4 starts: that limit, e_0 at 1 or just above the largest y."""
    limit = seen.y.min() - MARGIN
    e_0 = 1.0 if seen.y.max() < 1 else seen.y.max() + MARGIN
    columns = [np.ones(len(seen)), -seen.log_x, np.log(e_0 - seen.y)]
    (log_beta, minus_c, alpha), _ = nnls(np.stack(columns, axis=1), np.log(seen.y - limit))
    numbers = {"beta": np.exp(log_beta), "c": -minus_c, "alpha": max(alpha, 1e-3)}
    return {name: [value] for name, value in ({"e_0": e_0, "e_inf": limit} | numbers).items()}


STARTS = {"M2": start_of_m2, "M4": start_of_m4}
