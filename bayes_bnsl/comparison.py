"""Several laws for one curve: what each foresees of points it has not seen, and their weights."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import arviz_stats as azs
import numpy as np
import pandas as pd
import xarray as xr
from arviz_stats.utils import ELPDDataLOO
from scipy.special import softmax

from bayes_bnsl.cards import card
from bayes_bnsl.curve import Curve
from bayes_bnsl.law import Law
from bayes_bnsl.laws import BNSL
from bayes_bnsl.noise import Noise
from bayes_bnsl.result import Fit, sketch

__all__ = ["Candidate", "Comparison"]

SIMILAR = 4.0
"""Laws whose elpd differ by less than this foresee about equally well (Sivula et al. 2025)."""

HARDLY = 1.0
"""Laws whose log evidence differs by less than this: not worth a mention (Kass, Raftery 1995)."""

METHODS = {"stacking": "stacking", "pseudo_bma": "BB-pseudo-BMA"}
"""Weights by our name and by that of arviz_stats."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """One law of a comparison.

    Parameters
    ----------
    label : str
        What it is called in tables and pictures.
    law : Law
        The functional form.
    noise : Noise
        The observation model.
    status : str
        Name of the status of its fit, or ``too_few_points``.
    reason : str
        The status in words.
    seconds : float
        Time of the fit and of all that was done to foresee left-out points.
    fit : Fit, optional
        The fit to all points, unless there are too few.
    scores : xarray.Dataset, optional
        What :func:`leave_one_out` or :func:`leave_future_out` returned; the log evidence as the
        one ``elpd`` of all points, with its ``error``.
    """

    label: str
    law: Law
    noise: Noise
    status: str
    reason: str
    seconds: float
    fit: Fit | None = None
    scores: xr.Dataset | None = None

    @property
    def n_parameters(self) -> int:
        """Number of scalars of the law and of the noise."""
        return self.law.n_parameters + len(self.noise.parameters)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """What several laws foresee of points that they have not seen.

    Parameters
    ----------
    curve : Curve
        The points.
    by : str
        "evidence", "loo" or "lfo".
    candidates : sequence of Candidate
        The laws in the order they were given.
    method : {"stacking", "pseudo_bma", "probability"}
        Which weights.
    include_unconverged : bool
        Whether laws whose fit did not converge are given weight.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> curve = bb.load_curve("four_digit_addition")
    >>> choice = bb.compare(curve, [bb.M1(), bb.BNSL(1)], by="evidence", seed=1, progress=False)
    >>> choice.simplest, choice.weights.round(2).to_dict()
    ('BNSL(1)', {'M1': 0.0, 'BNSL(1)': 1.0})
    """

    curve: Curve
    by: str
    candidates: Sequence[Candidate]
    method: str = "stacking"
    include_unconverged: bool = False

    @property
    def fits(self) -> dict[str, Fit]:
        """The fit of each law by its label."""
        return {each.label: each.fit for each in self.candidates if each.fit is not None}

    @cached_property
    def points(self) -> xr.Dataset:
        """What each law foresees of each left-out point, over the dimensions (law, left)."""
        scored = {each.label: each.scores for each in self.candidates if each.scores is not None}
        table = xr.concat(list(scored.values()), dim="law", combine_attrs="drop_conflicts")
        return table.assign_coords(law=list(scored))

    @cached_property
    def weights(self) -> pd.Series:
        """Weight of each law in an averaged forecast; they sum to one, or are all zero."""
        weights = pd.Series(0.0, index=[each.label for each in self.candidates], name="weight")
        weights.update(self._weigh(list(self._eligible), self.method))
        return weights

    @cached_property
    def n_breaks(self) -> pd.Series:
        """Probability of each number of breaks, from the laws BNSL(n) alone.

        By evidence they are posterior probabilities, all numbers being equally probable before.
        Otherwise they are the weights of pseudo-BMA with the Bayesian bootstrap (Yao et al. 2018),
        which, unlike stacking weights, say how well each law foresees by itself.
        """
        broken = {
            label: each.law.n_breaks
            for label, each in self._eligible.items()
            if isinstance(each.law, BNSL)
        }
        method = "probability" if self.by == "evidence" else "pseudo_bma"
        weights = self._weigh(list(broken), method)
        weights.index = pd.Index([broken[label] for label in broken], name="n_breaks")
        return weights.groupby(level=0).sum().rename("probability")

    @property
    def best(self) -> str:
        """Label of the law with the highest elpd, or evidence."""
        self._check_any()
        return max(self._eligible, key=lambda label: self._elpd(label).sum())

    @property
    def simplest(self) -> str:
        """Label of the simplest law that foresees about as well as the best: the recommendation.

        The one with the fewest parameters among those whose elpd is within 4, or within one
        standard error of the difference, of the highest; of equals, the one that was given first.
        By evidence, which asks more of laws that can do more, those within 1 count.
        """
        differences = {label: self._difference(label, self.best) for label in self._eligible}
        close = [
            self._eligible[label]
            for label, (difference, error) in differences.items()
            if -difference <= np.fmax(self.similar, error)
        ]
        return min(close, key=lambda each: each.n_parameters).label

    @property
    def similar(self) -> float:
        """Difference of elpd, or of log evidence, below which laws foresee about equally well."""
        return HARDLY if self.by == "evidence" else SIMILAR

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each law, indexed by its label, the highest elpd first.

        Columns: ``elpd`` and its standard error ``se``, by evidence the log evidence and its Monte
        Carlo error; ``elpd_diff`` from the best law and its error ``dse``; ``p_eff``, the effective
        number of parameters (by "loo" alone); ``weight``; ``worst_k``, the largest Pareto k that
        was used; ``status`` of the fit; ``seconds``; ``repairs``: what was done for which points.
        """
        rows = {}
        for each in self.candidates:
            row: dict[str, Any] = dict.fromkeys(
                ("elpd", "se", "elpd_diff", "dse", "p_eff", "weight", "worst_k"), np.nan
            )
            if each.scores is not None:
                row["elpd"], row["se"] = self._difference(each.label)
                if self._eligible:
                    row["elpd_diff"], row["dse"] = self._difference(each.label, self.best)
                if "lpd" in each.scores:
                    row["p_eff"] = float((each.scores["lpd"] - each.scores["elpd"]).sum())
                if "pareto_k" in each.scores:
                    row["worst_k"] = float(each.scores["pareto_k"].max())  # NaN are left out
            row["weight"] = self.weights[each.label]
            row |= {"status": each.status, "seconds": each.seconds}
            row["repairs"] = "" if each.scores is None else _repairs(each.scores)
            rows[each.label] = row
        table = pd.DataFrame.from_dict(rows, orient="index")
        return table.sort_values("elpd", ascending=False, kind="stable").rename_axis("law")

    @property
    def _eligible(self) -> dict[str, Candidate]:
        """The laws that may be chosen or given weight."""
        return {
            each.label: each
            for each in self.candidates
            if each.scores is not None
            and each.fit is not None
            and (each.fit.status.ok or self.include_unconverged)
        }

    def _check_any(self) -> None:
        if not self._eligible:
            raise ValueError(
                f"No law can be chosen for {self.curve.name!r}: {_excluded(self.candidates)}. Pass "
                "include_unconverged=True to go on all the same, or fit simpler laws."
            )

    def _elpd(self, label: str) -> Any:
        return self.points["elpd"].sel(law=label).values

    def _difference(self, label: str, reference: str | None = None) -> tuple[float, float]:
        """Return the elpd of a law, less that of a reference, and its standard error."""
        each = self._elpd(label)
        if reference is not None:
            each = each - self._elpd(reference)
        if self.by == "evidence":
            laws = [name for name in (label, reference) if name is not None]
            errors = self.points["error"].sel(law=laws if label != reference else [])
            return float(each.sum()), float(np.sqrt((errors**2).sum()))
        se = np.sqrt(each.size * np.var(each, ddof=1)) if each.size > 1 else np.nan
        return float(each.sum()), float(se)

    def _weigh(self, labels: list[str], method: str) -> pd.Series:
        """Return the weights of some laws: probabilities, or by a method of arviz_stats."""
        if len(labels) < 2:
            return pd.Series(1.0, index=labels)
        elpd = np.stack([self._elpd(label) for label in labels])
        if method == "probability":
            return pd.Series(softmax(elpd.sum(axis=1)), index=labels)
        elpd = np.maximum(elpd - elpd.max(axis=0), -500.0)  # weights hang on differences alone
        scores = {
            label: ELPDDataLOO(
                elpd=each.sum(), se=0.0, p=0.0, n_samples=1, n_data_points=each.size,
                scale="log", warning=False, good_k=0.7, elpd_i=xr.DataArray(each, dims="left"),
                pareto_k=xr.zeros_like(xr.DataArray(each, dims="left")),
            )
            for label, each in zip(labels, elpd, strict=True)
        }  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of high k, which the table shows
            weights = azs.compare(scores, method=METHODS[method], round_to="none")["weight"]
        weights = weights.where(weights > 1e-6, 0.0)  # the optimizer's zero
        return (weights / weights.sum()).reindex(labels)

    def __str__(self) -> str:
        if not self._eligible:
            return f"No law can be chosen: {_excluded(self.candidates)}."
        best, simplest = self.best, self.simplest
        others = self.table.drop(index=best)
        others = others[[label in self._eligible for label in others.index]]
        if self.by == "evidence":
            text = f"{best} has the highest evidence on {self.curve.name!r}"
            text += f", with probability {self.weights[best]:.2f}"
        else:
            future = "the points ahead" if self.by == "lfo" else "left-out points"
            text = f"{best} foresees {future} of {self.curve.name!r} best"
        if len(others):
            second = others.iloc[0]
            text += f", by {-second.elpd_diff:.1f} ± {second.dse:.1f} before {second.name}"
        text += ". "
        if simplest == best:
            text += "No simpler law comes close to it: use it."
        else:
            row = self.table.loc[simplest]
            text += (
                f"{simplest} is simpler and does about as well ({row.elpd_diff:.1f} ± "
                f"{row.dse:.1f}): use it, or the average of all."
            )
        excluded = _excluded(each for each in self.candidates if each.label not in self._eligible)
        return f"{text} Without weight: {excluded}." if excluded else text

    def __repr__(self) -> str:
        shown = self.table.drop(columns="repairs").to_string(float_format="{:.2f}".format)
        by = self.by if self.by == "evidence" else self.by.upper()
        return f"<Comparison of {len(self.candidates)} laws by {by}>\n{shown}\n{self}"

    def _repr_html_(self) -> str:
        columns = ("elpd_diff", "dse", "weight")
        rows = []
        for label, row in self.table.iterrows():
            cells = ("" if np.isnan(value) else f"{value:.2f}" for value in row[list(columns)])
            rows.append((str(label), *cells, str(row["status"]).replace("_", " ")))
        shown = self.fits[self.simplest] if self._eligible else None
        return card(
            f"{len(self.candidates)} laws on {self.curve.name}",
            rows,
            "" if shown is None else sketch(shown),
            lines=(str(self),),
            header=("", *columns, "status"),
        )


def _excluded(candidates: Any) -> str:
    return "; ".join(f"{each.label} ({each.status})" for each in candidates)


def _repairs(scores: xr.Dataset) -> str:
    """Say for which of the left-out points something was done, and what."""
    if "method" not in scores:
        return ""
    methods = scores["method"].values
    found = {}
    for method in dict.fromkeys(methods[methods != "psis"]):
        labels = scores["left"].values[methods == method]
        found[method] = ", ".join(f"{label:g}" if np.isreal(label) else label for label in labels)
    return "; ".join(f"{method}: {labels}" for method, labels in found.items())
