"""Which mechanism each segment of a law points to, and the dimension of data it implies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayes_bnsl import storage
from bayes_bnsl.cards import card
from bayes_bnsl.columns import checked_number
from bayes_bnsl.draws import flattened
from bayes_bnsl.laws import BNSL
from bayes_bnsl.result import Fit

__all__ = ["Regimes", "regimes"]

KINDS = ("variance-limited", "resolution-limited", "steeper", "not falling")

WORTH_NAMING = 0.05
"""Probability from which a regime is named, and its dimension given."""


@dataclass(frozen=True, eq=False, repr=False)
class Regimes:
    """What the exponents of the segments say; ``print(found)`` for the sentences.

    Parameters
    ----------
    draws : xarray.Dataset
        Over ``sample`` and ``segment`` (counted from 1 in order of x): ``exponent``; ``local``, the
        exponent that the smooth curve has in the middle of the segment, on the axis of log x;
        ``first_x`` and ``last_x``, between which the segment lies within the data. The attributes
        are those of a forecast.
    order : float
        The loss is taken to vanish with this power of the distance between points.
    band : float
        How far from 1 an exponent still counts as 1.
    prob : float
        Probability inside the intervals.

    Examples
    --------
    >>> exponent = [[0.4], [0.6], [0.95], [1.05]]
    >>> draws = xr.Dataset({"exponent": (("sample", "segment"), exponent)})
    >>> found = Regimes(draws.assign_coords(segment=[1]), order=4.0, band=0.1, prob=0.9)
    >>> found.probability.sel(segment=1).values
    array([0.5, 0.5, 0. , 0. ])
    """

    draws: xr.Dataset
    order: float
    band: float
    prob: float

    @property
    def probability(self) -> xr.DataArray:
        """Probability of each regime, over ``segment`` and ``regime``; each row sums to one."""
        exponent = self.draws["exponent"]
        falls, least, most = exponent > 0, 1 - self.band, 1 + self.band
        masks = {
            "variance-limited": (exponent >= least) & (exponent <= most),
            "resolution-limited": falls & (exponent < least),
            "steeper": exponent > most,
            "not falling": ~falls,
        }
        shares = [masks[kind].mean("sample") for kind in KINDS]
        return xr.concat(shares, dim=pd.Index(KINDS, name="regime")).transpose("segment", "regime")

    @property
    def dimension(self) -> xr.DataArray:
        """Draws of ``order / exponent``, missing where a draw is not resolution-limited."""
        exponent = self.draws["exponent"]
        known = (exponent > 0) & (exponent < 1 - self.band)
        return (self.order / exponent.where(known)).rename("dimension")

    @property
    def table(self) -> pd.DataFrame:
        """One row a segment.

        ``first_x`` and ``last_x`` (medians); ``exponent`` and ``dimension`` (medians) with
        ``_lower`` and ``_upper`` ends of their intervals; ``local`` (median); the probability
        of each regime. The dimension is that of the resolution-limited draws, and missing if
        those are fewer than one in twenty.
        """
        levels = {"lower": (1 - self.prob) / 2, "median": 0.5, "upper": (1 + self.prob) / 2}
        probability, dimension = self.probability, self.dimension
        rows = {}
        for segment in self.draws["segment"].values:
            row = self.draws.sel(segment=segment)
            share = probability.sel(segment=segment)
            of_dimension = dimension.sel(segment=segment).dropna("sample").values
            if share.sel(regime="resolution-limited") < WORTH_NAMING:
                of_dimension = np.array([np.nan])
            line = {name: float(row[name].median()) for name in ("first_x", "last_x")}
            values = {"exponent": row["exponent"].values, "dimension": of_dimension}
            for name, draws in values.items():
                for bound, level in levels.items():
                    label = name if bound == "median" else f"{name}_{bound}"
                    line[label] = float(np.quantile(draws, level))
            line["local"] = float(row["local"].median())
            rows[segment] = line | {kind: float(share.sel(regime=kind)) for kind in KINDS}
        columns = [
            *("first_x", "last_x", "exponent_lower", "exponent", "exponent_upper", "local"),
            *KINDS,
            *("dimension_lower", "dimension", "dimension_upper"),
        ]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("segment")

    def __str__(self) -> str:
        return "\n".join(self._sentence(*row) for row in self.table.iterrows())

    def _sentence(self, segment: object, row: pd.Series) -> str:
        shares = row[list(KINDS)].sort_values(ascending=False)
        named = [f"{kind} {p:.0%}" for kind, p in shares[shares >= WORTH_NAMING].items()]
        text = (
            f"Segment {segment} of {self.draws.sizes['segment']}, {self.draws.attrs['x_name']} "
            f"{row['first_x']:.3g} to {row['last_x']:.3g}: exponent {row['exponent']:.3g} "
            f"({self.prob:.0%} interval {row['exponent_lower']:.3g} to "
            f"{row['exponent_upper']:.3g}); {', '.join(named)}."
        )
        if np.isfinite(row["dimension"]):
            text += (
                f" If resolution-limited, the dimension is {self.order:g} / exponent = "
                f"{row['dimension']:.3g} ({row['dimension_lower']:.3g} to "
                f"{row['dimension_upper']:.3g})."
            )
        if abs(row["local"] - row["exponent"]) > self.band * max(1.0, abs(row["exponent"])):
            text += (
                f" In the middle of the segment the curve falls with exponent {row['local']:.3g}: "
                "its breaks are too smooth, or too near, for the exponent itself to be seen."
            )
        return text

    def __repr__(self) -> str:
        attrs = self.draws.attrs
        return f"<Regimes of {attrs['law']} fitted to {attrs['name']!r}>\n{self}\n{attrs['status']}"

    def _repr_html_(self) -> str:
        rows = [(sentence,) for sentence in str(self).splitlines()]
        attrs = self.draws.attrs
        rows.append((attrs["status"],))
        return card(f"Regimes of {attrs['law']} fitted to {attrs['name']}", rows)


def regimes(fit: Fit, *, order: float = 4.0, band: float = 0.1, prob: float = 0.9) -> Regimes:
    r"""Tell which regime of scaling the exponent of each segment points to.

    Segment i of a BNSL is the power law ``y - a = A x**(-e_i)`` with ``e_i = c0 + c_1 + ... + c_i``
    and the limit a of the fit. The theory knows two reasons for a loss to fall:

    - *variance-limited*: x is far beyond what the other resource can use, and the loss comes to
      its own limit with exponent 1, whatever the data and the model;
    - *resolution-limited*: x is the bottleneck, and the loss falls as ever more of the data's
      manifold is resolved, typically with an exponent below 1. N points of a manifold of dimension
      d are ``N**(-1/d)`` apart, and a loss that vanishes with the power `order` of that distance
      falls with ``e = order / d``.

    The probabilities are the posterior masses of four ranges that share out the line:
    variance-limited, ``|e - 1| <= band``; resolution-limited, ``0 < e < 1 - band``; steeper,
    ``e > 1 + band``; not falling, ``e <= 0``. They are statements about the exponent alone: the
    theory also allows resolution-limited exponents of 1 and more, for d up to `order`, and those
    cannot be told from the others by a curve.

    Parameters
    ----------
    fit : Fit
        A fit of a BNSL, with any number of breaks.
    order : float, default 4
        Power of the distance between points with which the loss vanishes: 4 for squared error or
        cross-entropy of a smooth target that the model follows to first order, as networks of
        piecewise linear units do; 2 if it follows it to order zero, as nearest neighbours do; half
        of each for a loss that is linear near its minimum, such as absolute error.
    band : float, default 0.1
        How far from 1 an exponent still counts as 1; at least 0, less than 1.
    prob : float, default 0.9
        Probability inside the intervals.

    Returns
    -------
    Regimes
        The sentences, their table, and the draws.

    Raises
    ------
    TypeError
        If `fit` is no Fit.
    ValueError
        If its law is no BNSL, or a number is out of range.

    References
    ----------
    Bahri, Dyer, Kaplan, Lee, Sharma, "Explaining neural scaling laws", PNAS 121, 2024: four
    regimes, and 4/d as the exponent of generic smooth data and a lower bound of it in theory, so
    that ``order / e`` is the smallest d that the exponent admits. Caballero et al., ICLR 2023,
    appendix A.2: the segments.

    Examples
    --------
    >>> from bayes_bnsl import BNSL, Curve, fit
    >>> x = np.geomspace(10, 1e4, 16)
    >>> points = Curve(x, (0.2 + 3 * x**-0.5) * np.exp(0.001 * np.cos(40 * x)))
    >>> found = regimes(fit(points, BNSL(0), seed=1, progress=False))
    >>> print(found)
    Segment 1 of 1, x 10 to 1e+04: exponent 0.5 (90% interval ... to ...);
    resolution-limited 100%. If resolution-limited, the dimension is 4 / exponent = ... (...).
    >>> round(float(found.table.loc[1, "dimension"]))
    8
    """
    if not isinstance(fit, Fit):
        raise TypeError(
            f"fit must be the result of bayes_bnsl.fit; got {fit!r}. Of a comparison, pass one of "
            "its fits."
        )
    if not isinstance(fit.law, BNSL):
        raise ValueError(
            f"The law is {fit.law.name}, and only a BNSL is made of segments. Fit BNSL(0) for one "
            "power law to a limit, BNSL(1) for two."
        )
    order, band, prob = (
        checked_number(value, name)
        for name, value in (("order", order), ("band", band), ("prob", prob))
    )
    if not order > 0:
        raise ValueError(f"order must be above 0; got {order!r}.")
    if not 0 <= band < 1:
        raise ValueError(f"band must be at least 0 and below 1; got {band!r}.")
    if not 0 < prob < 1:
        raise ValueError(f"prob must lie between 0 and 1; got {prob!r}.")
    return Regimes(_exponents(fit, fit.law), order, band, prob)


def _exponents(fit: Fit, law: BNSL) -> xr.Dataset:
    """Return the exponents of every segment and where it lies, for every draw."""
    theta = flattened(fit.posterior)
    segments = law.segments(theta)
    first, last = fit.curve.x[0], fit.curve.x[-1]
    sample = xr.ones_like(segments.slope[0])
    breaks = [place.clip(first, last) for place in segments.breaks]
    edges = [first * sample, *breaks, last * sample]
    lines = []
    for slope, left, right in zip(segments.slope, edges[:-1], edges[1:], strict=True):
        middle = (np.log(left) + np.log(right)) / 2
        local = -law.power(middle, theta).first
        lines.append(
            xr.Dataset({"exponent": -slope, "local": local, "first_x": left, "last_x": right})
        )
    labels = pd.Index(range(1, len(lines) + 1), name="segment")
    together = xr.concat(lines, dim=labels).transpose("sample", "segment")
    return together.assign_attrs(storage.forecast_record(fit))
