"""Quantiles of the default priors; prints the table of priors.md.

The curve is one whose log x and log y both span 1, from 0 to 1 and from 0 to -1, at 14 evenly
spaced x. Every number of the table is then in the unit that its row names.
"""

import numpy as np

from bayes_bnsl import BNSL, M1, M2, M3, M4, Correlated, LogNormal, Scale, StudentT, defaults

SCALE = Scale(0.0, 1.0, 0.0, -1.0, spread=1.0, gap=1 / 13)
DRAWS = 1_000_000


def draw(law, noise=None, seed=0):
    """Return prior draws of log y at both ends and of every parameter."""
    generator = np.random.default_rng(seed)
    z = {}

    def coordinate(name, *, per_break=False):
        shape = (DRAWS, law.n_breaks) if per_break else (DRAWS,)
        z[name] = generator.standard_normal(shape)
        return z[name]

    theta = defaults.parameters(law, SCALE, {}, coordinate)
    theta |= defaults.noise_parameters(noise or LogNormal(), SCALE, {}, coordinate)
    ends = SCALE.log_y_first + z["first"], SCALE.log_y_last + z["last"]
    return ends, theta


def rows():
    """Return (laws, what, unit, draws) for each row."""
    ends, zero = draw(BNSL(0))
    (first, last), one = draw(BNSL(1))
    _, two = draw(BNSL(2))
    _, m1 = draw(M1())
    _, correlated = draw(M1(), Correlated())
    _, tails = draw(M1(), StudentT(changing=True))
    _, m2 = draw(M2())
    _, m3 = draw(M3())
    ends_m4, m4 = draw(M4())
    chord = first + (last - first) * one["log_d"][0]
    visible = one["c"][0] * (1 - one["a"] * np.exp(-chord))
    mean = "mean slope"
    return [
        ("all", "log y at the first x, less the mean there", "spread", ends[0]),
        ("all", "log y at the last x, less the mean there", "spread", ends[1] + 1),
        (
            "BNSL, M2, M3, M4",
            "limit (`a`, `c`, `c`, `e_inf`)",
            "lower end",
            zero["a"] / np.exp(np.minimum(*ends)),
        ),
        ("BNSL(1)", "place of the break", "log range", one["log_d"][0]),
        ("BNSL(2)", "place of the first break", "log range", two["log_d"][0]),
        ("BNSL(2)", "place of the second break", "log range", two["log_d"][1]),
        ("BNSL", "`f`, for 14 points", "log range", one["f"][0]),
        ("BNSL(1)", "change of the visible slope", mean, visible),
        ("BNSL(1)", "`c`", mean, one["c"][0]),
        ("BNSL(0)", "`c0`", mean, zero["c0"]),
        ("BNSL(1)", "`c0`", mean, one["c0"]),
        ("M1", "`b`", mean, m1["b"]),
        ("M2", "`b`", mean, m2["b"]),
        ("M3", "knee, log(1/`d`) less log of the first x", "log range", -m3["log_d"]),
        ("M3", "`b`", mean, m3["b"]),
        (
            "M4",
            "log `e_0` above the higher end",
            "spread",
            np.log(m4["e_0"]) - np.maximum(*ends_m4),
        ),
        ("M4", "`alpha`", "1", m4["alpha"]),
        ("M4", "`c`", mean, m4["c"]),
        ("all", "`sigma`", "spread", one["sigma"]),
        ("`Correlated`", "`tau`", "spread", correlated["tau"]),
        ("`Correlated`", "`ell`, for 14 points", "log range", correlated["ell"]),
        ("`StudentT`", "`nu`", "1", tails["nu"]),
        (
            "`changing=True`",
            "`sigma_last` / `sigma_first`",
            "1",
            tails["sigma_last"] / tails["sigma_first"],
        ),
    ]


def table():
    """Return the table as Markdown."""
    lines = ["| law or noise | parameter | unit | 5 % | 50 % | 95 % |", "|---|---|---|--:|--:|--:|"]
    for laws, what, unit, draws in rows():
        cells = (written(value) for value in np.quantile(draws, (0.05, 0.5, 0.95)))
        lines.append(f"| {laws} | {what} | {unit} | {' | '.join(cells)} |")
    return "\n".join(lines)


def written(value):
    """Write a quantile with two digits; a million draws leave a zero uncertain by 0.003."""
    return "0" if abs(value) < 0.003 else f"{value:.2g}"


if __name__ == "__main__":
    print(table())
