"""What a forecast owes to the priors: power-scaling of each prior and of the likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import arviz_stats as azs
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from bayes_bnsl.cards import card
from bayes_bnsl.columns import checked_numbers
from bayes_bnsl.density import log_prior, refuse_pooled
from bayes_bnsl.draws import Problem, flattened
from bayes_bnsl.result import Fit

__all__ = ["Sensitivity", "sensitivity"]

NOTICEABLE = 0.05
"""Change of a distribution, per doubling of a prior's weight, that is worth a word."""


FORECAST = "log y at "


@dataclass(frozen=True, eq=False, repr=False)
class Sensitivity:
    """How much posterior quantities depend on each prior; ``print`` it for the sentences.

    Parameters
    ----------
    name : str
        Law and curve.
    table : pandas.DataFrame
        One row for each quantity: the forecasts, then the parameters of the law. Columns:
        ``likelihood``; ``prior``, that of all priors together; ``prior of ...`` each alone.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> owed = bb.sensitivity(fit, [1e5])
    >>> list(owed.table.index)
    ['log y at 100000', 'a', 'b']
    """

    name: str
    table: pd.DataFrame

    def __str__(self) -> str:
        found = []
        for quantity, row in self.table.iterrows():
            each = row.drop(["likelihood", "prior"])
            named = each[each >= NOTICEABLE].sort_values(ascending=False).index
            if len(named):
                who = (
                    "Your forecast of" if str(quantity).startswith(FORECAST) else "The posterior of"
                )
                hardly = ", and hardly on the points" if row["likelihood"] < NOTICEABLE else ""
                found.append(f"{who} {quantity} depends on the {', the '.join(named)}{hardly}.")
        return "\n".join(found) or "No forecast and no parameter depends on a prior noticeably."

    def __repr__(self) -> str:
        shown = self.table.to_string(float_format="{:.2f}".format)
        return f"<Sensitivity of {self.name}>\n{shown}\n{self}"

    def _repr_html_(self) -> str:
        rows = [
            (str(quantity), *(f"{value:.2f}" for value in row))
            for quantity, row in self.table.iterrows()
        ]
        header = ("", *map(str, self.table.columns))
        return card(
            f"Sensitivity of {self.name}", rows, lines=str(self).splitlines(), header=header
        )


def sensitivity(fit: Fit, x: ArrayLike | None = None) -> Sensitivity:
    """Tell how much the forecast and the parameters depend on each prior.

    Each prior is raised to a power slightly above and below one, which makes it a little
    narrower or wider, and the draws are weighted accordingly; so is the likelihood.

    Parameters
    ----------
    fit : Fit
        The fitted law.
    x : array_like, optional
        Where to forecast; by default 2, 10 and 100 times the last x.

    Returns
    -------
    Sensitivity
        The distance that the distribution of each quantity moves, per doubling of the power. From
        0.05 on a dependence is worth knowing of. Default priors are called by the parameter that
        they decide on; ``first`` and ``last`` are those of the curve at both ends of the points.

    Raises
    ------
    TypeError, ValueError
        If `fit` is no Fit, or an x is not a positive finite number.

    References
    ----------
    Kallioinen, Paananen, Buerkner, Vehtari, "Detecting and diagnosing prior and likelihood
    sensitivity with power-scaling", Statistics and Computing 34, 2024.

    Examples
    --------
    >>> from bayes_bnsl import M1, Curve, fit
    >>> x = np.geomspace(10, 1e4, 12)
    >>> points = Curve(x, 3 * x**-0.3 * np.exp(0.02 * np.cos(40 * x)))
    >>> print(sensitivity(fit(points, M1(), priors={"sigma": 0.02}, seed=1, progress=False)))
    No forecast and no parameter depends on a prior noticeably.
    """
    if not isinstance(fit, Fit):
        raise TypeError(f"fit must be the result of bayes_bnsl.fit; got {fit!r}.")
    refuse_pooled(fit, "sensitivity to it", "Fit the curve alone with fit.")
    at: Any = fit.curve.x[-1] * np.array([2.0, 10.0, 100.0]) if x is None else x
    at = checked_numbers(at if np.ndim(at) else [at], "x")
    coordinates = fit.data["coordinates"].to_dataset()
    prior = log_prior(fit, {str(k): v.values for k, v in coordinates.data_vars.items()})
    quantities, priors = _quantities(fit, at), {}
    for name, density in prior.items():
        priors[name] = (("chain", "draw"), density.reshape(*density.shape[:2], -1).sum(axis=-1))
    groups = {"posterior": quantities, "log_prior": xr.Dataset(priors, coordinates.coords)}
    tree = xr.DataTree.from_dict(groups | {"log_likelihood": _likelihood(fit)})
    columns = {
        "likelihood": azs.psense(tree, group="likelihood"),
        "prior": azs.psense(tree, group="prior"),
    }
    for name in priors:
        label = f"prior of {name.removeprefix('z_')}"
        columns[label] = azs.psense(tree, group="prior", group_var_names=name)
    table = pd.DataFrame(
        {
            label: {str(k): float(v) for k, v in found.data_vars.items()}
            for label, found in columns.items()
        }
    )
    return Sensitivity(f"{fit.law.name} on {fit.curve.name!r}", table)


def _quantities(fit: Fit, at: Any) -> xr.Dataset:
    """Return draws of the forecasts and of every free parameter, one variable each."""
    posterior = fit.posterior
    theta = {str(name): draws for name, draws in posterior.data_vars.items()}
    found = {f"{FORECAST}{x:g}": fit.law.log_mu(float(np.log(x)), theta) for x in at}
    for name in fit.law.parameters:
        draws = posterior[f"log_{name}" if f"log_{name}" in posterior else name]
        parts = {name: draws}
        if "brk" in draws.dims:
            parts = {f"{name}{i}": draws.sel(brk=i, drop=True) for i in draws["brk"].values}
        found |= {label: part for label, part in parts.items() if np.ptp(part.values) > 0}
    return xr.Dataset(found)


def _likelihood(fit: Fit) -> xr.Dataset:
    """Return the joint log density of the points for each draw."""
    problem = Problem(fit.curve, fit.law, fit.noise, fit.priors, fit.scale)
    joint = problem.joint_log_likelihood(flattened(fit.posterior))
    labels = {name: fit.posterior[name] for name in ("chain", "draw")}
    shape = tuple(label.size for label in labels.values())
    return xr.Dataset({"y": (tuple(labels), joint.reshape(shape))}, labels)
