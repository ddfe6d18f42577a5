"""What a report says of data, form, noise, priors, sampling, checks and forecasts, in Markdown."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

import numpy as np
import pandas as pd

from bayes_bnsl.checks import check
from bayes_bnsl.columns import counted, extent
from bayes_bnsl.comparison import Comparison
from bayes_bnsl.curve import Curve
from bayes_bnsl.draws import Problem
from bayes_bnsl.forecasting import forecast
from bayes_bnsl.markdown import escaped, markdown_table
from bayes_bnsl.overview import assumption, forecast_table
from bayes_bnsl.priors import Prior
from bayes_bnsl.result import Fit
from bayes_bnsl.scores import score
from bayes_bnsl.sensitivity import sensitivity

__all__ = [
    "about_checks",
    "about_comparison",
    "about_data",
    "about_forecast",
    "about_form",
    "about_held_out",
    "about_noise",
    "about_parameters",
    "about_priors",
    "about_sampling",
    "about_software",
]

PACKAGES = ("bayes-bnsl", "pymc", "pytensor", "nutpie", "arviz-stats", "numpy", "scipy")

MOST_POINTS = 60
"""Points that are listed; of longer curves the first and last stand for all."""

PRIOR_DRAWS = 20_000
"""Draws of the default priors for their quantiles."""

JUDGED_BY = {
    "evidence": "`elpd` is the log evidence: the log density of all points, foreseen from the "
    "priors alone, so that it depends on these; `se` is its Monte Carlo error. `elpd_diff` and "
    "`dse` are the difference from the best law, the log of a Bayes factor, and its Monte Carlo "
    "error. Weights are the probabilities of the laws, all being equally probable before.",
    "loo": "`elpd` is the log density that a law foresees of left-out points, summed; ",
    "lfo": "`elpd` is the log density that a law foresees of points ahead (leave-future-out), "
    "summed; ",
}
"""What the numbers of a comparison are."""


def about_comparison(comparison: Comparison) -> str:
    """Say what the laws foresee, and with what weights."""
    table = comparison.table.replace("", np.nan).dropna(axis="columns", how="all")
    meaning = JUDGED_BY[comparison.by]
    if comparison.by != "evidence":
        meaning += (
            "`elpd_diff` and `dse` are the difference from the best law and its standard error. "
            f"Weights by {comparison.method.replace('_', '-')}."
        )
    text = [f"{comparison}", markdown_table(table), meaning]
    if comparison.weights.any() and len(comparison.n_breaks):
        shares = ", ".join(f"{n}: {share:.2f}" for n, share in comparison.n_breaks.items())
        text.append(f"Probability of each number of breaks, among the laws BNSL(n): {shares}.")
    return "\n\n".join(text)


def about_form(fitted: Fit) -> str:
    """Say what the formula is, and how many of its parameters were free."""
    law = fitted.law
    counts = f"{counted(law.n_parameters, 'free parameter')} of the law"
    fixed = [name for name, prior in fitted.priors.items() if not isinstance(prior, Prior)]
    if fixed:
        counts += f", of which {', '.join(fixed)} fixed"
    return (
        f"`y = {law.formula}` ({counts}), fitted on the scale of log y, all parameters at once.\n\n"
        f"$$y = {law.latex}$$\n\n"
        f"With posterior medians: `{fitted.equation(digits=4)}`"
    )


def about_data(curve: Curve) -> str:
    """Say what was fitted."""
    replicates = len(curve) - len(np.unique(curve.x))
    facts = [
        f"{counted(len(curve), 'point')}, all of which were fitted, unweighted",
        f"{curve.x_name} from {extent(curve.x)} ({np.log10(curve.x[-1] / curve.x[0]):.2f} decades)",
        f"{curve.y_name} from {extent(curve.y)}",
        f"{counted(replicates, 'replicate')} at x that stand more than once",
        counted(len(curve.runs), "run")
        if curve.runs
        else "no run labels: points count as one run, if their noise hangs together",
        "known standard errors, added to the noise in quadrature"
        if curve.y_se is not None
        else "no known standard errors",
    ]
    if curve.ceiling is not None:
        facts.append(f"what was reported is {curve.ceiling:g} less the y that is fitted")
    columns: dict[str, Any] = {curve.x_name: curve.x, curve.y_name: curve.y}
    if curve.y_se is not None:
        columns["standard error"] = curve.y_se
    if curve.run is not None:
        columns["run"] = curve.run
    table = pd.DataFrame(columns)
    note = "Every point:"
    if len(table) > MOST_POINTS:
        table = pd.concat([table.head(5), table.tail(5)])
        note = "The first and the last five points:"
    return (
        "\n".join(f"- {escaped(fact)}" for fact in facts)
        + "\n\nRows that repeat another row in every field are dropped when data are read, with a "
        "warning. What was left out before then, this report cannot know: say it beside.\n\n"
        f"{note}\n\n{markdown_table(table)}"
    )


def about_noise(fitted: Fit) -> str:
    """Say how residuals are modelled."""
    meaning = {
        "LogNormal": "residuals of log y are normal and independent",
        "StudentT": "residuals of log y follow Student's t and are independent",
        "BestSoFar": "y is the best so far of measurements with normal, independent residuals",
        "Correlated": "residuals of log y of one run hang together along log x",
    }
    kind = type(fitted.noise).__name__
    changing = ", with a scale that changes along log x" if fitted.noise.changing else ""
    return (
        f"{fitted.noise.name}: {meaning.get(kind, kind)}{changing}. "
        f"Parameters: {', '.join(fitted.noise.parameters)}."
    )


def about_priors(fitted: Fit, prob: float) -> str:
    """Say what was believed before, and what the forecast owes to it."""
    own = [
        f"- `{name}`: `{prior!r}`" if isinstance(prior, Prior) else f"- `{name}`: fixed to {prior}"
        for name, prior in fitted.priors.items()
    ]
    scale = ", ".join(f"{name} {value:.4g}" for name, value in fitted.scale._asdict().items())
    text = ["\n".join(["Given by the user:", "", *own]) if own else "None given by the user."]
    text.append(
        f"All others are the defaults of bayes_bnsl, which are scaled to the curve by: {scale}."
    )
    if not any(isinstance(prior, Prior) for prior in fitted.priors.values()):
        text.append("Prior and posterior of every parameter:")
        text.append(markdown_table(_before_and_after(fitted, prob)))
    try:
        text.append(str(sensitivity(fitted)))
    except (TypeError, ValueError) as error:
        text.append(f"Sensitivity to the priors was not computed: {error}")
    return "\n\n".join(text)


def _before_and_after(fitted: Fit, prob: float) -> pd.DataFrame:
    """Return quantiles of the default priors beside those of the posterior."""
    generator = np.random.default_rng(0)
    coordinates = fitted.data["coordinates"].to_dataset()
    values = {
        str(name): generator.standard_normal((1, PRIOR_DRAWS, *draws.shape[2:]))
        for name, draws in coordinates.data_vars.items()
    }
    problem = Problem(fitted.curve, fitted.law, fitted.noise, fitted.priors, fitted.scale)
    prior = problem.parameters(values)
    levels = ((1 - prob) / 2, 0.5, (1 + prob) / 2)
    rows = []
    for name in problem.names:
        if f"log_{name}" in problem.names:
            continue  # the logarithm says the same, and does not overflow
        for i in range(fitted.law.n_breaks if fitted.law.has_break(name) else 1):
            each = slice(None) if not fitted.law.has_break(name) else i
            row: dict[str, Any] = {"parameter": name if each != i else f"{name}{i + 1}"}
            for when, draws in (("prior", prior[name]), ("post", fitted.posterior[name].values)):
                part = draws if draws.ndim == 2 else draws[..., i]
                for level, value in zip(levels, np.quantile(part, levels), strict=True):
                    row[f"{when} {100 * level:g}%"] = float(value)
            rows.append(row)
    return pd.DataFrame(rows)


def about_sampling(fitted: Fit) -> str:
    """Say how draws were made, and whether they converged."""
    posterior, modes = fitted.posterior, fitted.data["modes"].to_dataset()
    steps = float(fitted.data["sample_stats"]["n_steps"].mean())
    tempered = fitted.status.restarts > 0
    then, where = (", then tempered chains", " at each level") if tempered else ("", "")
    return (
        "Starts: climbs by L-BFGS-B from draws of the prior found "
        f"{counted(modes.sizes['mode'], 'mode')}; chains start dispersed over those that are "
        "credible. Sampler: NUTS, unless PyMC's was asked for that of nutpie with a mass matrix "
        f"adapted to low rank{then}, in rounds that grow until the draws meet the bar or the "
        "budget is spent. Kept: "
        f"{counted(posterior.sizes['chain'], 'chain')} of "
        f"{counted(posterior.sizes['draw'], 'draw')}, {steps:.1f} gradients a draw{where}, seed "
        f"{fitted.seed}, {fitted.seconds:.1f} s without compilation.\n\n"
        f"**{escaped(str(fitted.status))}** (`{fitted.status.name}`; the bar: R-hat at most 1.01, "
        "at least 400 effective draws of every parameter and of log mu at both ends of the data "
        "and at ten times the last x, no divergence, and of tempered chains at least 100 fresh "
        "starts.)"
    )


def about_parameters(fitted: Fit, prob: float) -> str:
    """List the parameters with their intervals."""
    table = fitted.summary(prob=prob, rounded=False).rename_axis("parameter")
    return (
        f"Equal-tailed intervals of {prob:.0%}; in the units of the data.\n\n"
        f"{markdown_table(table)}"
    )


def about_checks(fitted: Fit, seed: int) -> str:
    """Say whether the points look like what the fit says they are."""
    checks = check(fitted, seed=seed)
    found = checks.table[["p"]].rename_axis("check")
    return f"{escaped(str(checks))}\n\n{markdown_table(found)}"


def about_forecast(result: Fit | Comparison, x: Any, prob: float, **ahead: Any) -> str:
    """List forecasts with their intervals."""
    table = forecast_table(forecast(result, x, **ahead), prob=prob)
    averaged = isinstance(result, Comparison)
    return (
        f"{'Average of the laws by their weights. ' if averaged else ''}Equal-tailed intervals of "
        f"{prob:.0%} and medians: of the curve (`curve`), and of a new observation (`y`). The "
        f"forecast {assumption(ahead['unseen_breaks'])}.\n\n"
        f"{markdown_table(table)}"
    )


def about_held_out(result: Fit | Comparison, held_out: Curve, prob: float, **ahead: Any) -> str:
    """List how good forecasts of points held out were."""
    foreseen = forecast(result, held_out.x, **ahead)
    table = score(foreseen, held_out.to_reported(held_out.y), result.curve, prob=prob)
    return (
        f"{counted(len(held_out), 'point')} that were not fitted, {held_out.x_name} from "
        f"{extent(held_out.x)}, beside naive forecasts:\n\n"
        f"{markdown_table(table.rename_axis('forecast'))}"
    )


def about_software() -> str:
    """Name the versions."""
    versions = [f"{name} {metadata.version(name)}" for name in PACKAGES]
    return (
        f"Versions when this was written: {', '.join(versions)}, Python "
        f"{platform.python_version()} on {platform.system()}."
    )
