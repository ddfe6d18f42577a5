"""What curves of one family share, and how far they agree before the data are seen.

Each curve has the prior that it has alone. What makes curves a family is that their coordinates
hang together: coordinate ``z`` of curve k is

    z_k = sqrt(1 - s**2) z_mean + s e_k,    z_mean, e_k ~ Normal(0, 1),

so that each is standard normal whatever ``s``, the spread within the family, which the data
choose: close to 0 the curves are alike, at 1 they say nothing of one another. The exponent is
shared in the same way, in its own units; the level and the places of breaks are each curve's own.
Where curves end at different x, the limit's coordinate is moved by what the rest of the fall does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayes_bnsl import defaults
from bayes_bnsl.curve import Curve
from bayes_bnsl.law import Law
from bayes_bnsl.logs import sigmoid
from bayes_bnsl.noise import Noise
from bayes_bnsl.priors import Prior, Scale

__all__ = ["Family"]

OWN = frozenset({"last", "first", "d"})
"""Coordinates that curves of a family do not share."""

EXPONENTS_SPREAD, OTHERS_SPREAD = -2.0, -0.5
"""Prior medians of the spread within a family, in log-odds: exponents are what laws share."""


LEAST_SPREAD = 0.02
"""Least spread: a few points cannot tell a smaller one from it, and NUTS cannot follow it down."""


@dataclass(frozen=True, eq=False)
class Family:
    """Curves with the law, the noise and the priors that are fitted to all of them.

    Parameters
    ----------
    curves : tuple of Curve
        The points.
    law : Law
        The functional form.
    noise : Noise
        How y scatters about each curve.
    priors : mapping
        Priors of the user's, of each curve alike; what has one is not shared.
    """

    curves: tuple[Curve, ...]
    law: Law
    noise: Noise
    priors: Mapping[str, Any]

    @cached_property
    def scales(self) -> tuple[Scale, ...]:
        """What the default priors take from each curve; the range of log y is the mean one."""
        scales = [Scale.of(curve) for curve in self.curves]
        spread = float(np.mean([scale.spread for scale in scales]))
        return tuple(scale._replace(spread=spread) for scale in scales)

    @property
    def slope(self) -> str:
        """Name of the exponent."""
        return self.law.line[1]

    @cached_property
    def slope_prior(self) -> Prior:
        """Prior of each curve's exponent: normal, with the quantiles of the default one."""
        mean = Scale(*np.mean(self.scales, axis=0))
        generator = np.random.default_rng(0)  # the prior of a family is always the same

        def coordinate(name: str, *, per_break: bool = False) -> Any:
            return generator.standard_normal((20_000, *[self.law.n_breaks] * per_break))

        draws = defaults.parameters(self.law, mean, {}, coordinate)[self.slope]
        low, middle, high = np.quantile(draws, [0.05, 0.5, 0.95])
        return Prior("Normal", mu=middle, sigma=(high - low) / (2 * 1.645))

    @cached_property
    def limit_shift(self) -> NDArray[np.float64]:
        """How much higher the limit's coordinate lies, the further a curve goes; one a curve.

        The limit is shared as a fraction of the lower end, of which it is the more, the more of the
        fall is done: its odds to the rest of the fall, which shrinks by the exponent.
        """
        ends = np.array([scale.log_x_last for scale in self.scales])
        falls = np.mean([scale.log_y_first - scale.log_y_last for scale in self.scales])
        exponent = np.sign(falls) * np.abs(dict(self.slope_prior.parameters)["mu"])
        return np.asarray(exponent * (ends - ends.mean()) / defaults.UNIFORM)

    @cached_property
    def shared(self) -> tuple[str, ...]:
        """Names of what is shared: the exponent, and coordinates."""
        names: list[str] = []

        def coordinate(name: str, *, per_break: bool = False) -> Any:
            if name not in OWN:
                names.append(name)
            return np.zeros(self.law.n_breaks if per_break else ())

        given: dict[str, Any] = {
            name: np.ones(self.law.n_breaks if self.law.has_break(name) else ())
            for name in (*self.priors, self.slope)
        }
        with np.errstate(all="ignore"):  # only the names matter
            defaults.parameters(self.law, self.scales[0], given, coordinate)
            defaults.noise_parameters(self.noise, self.scales[0], given, coordinate)
        return (*([] if self.slope in self.priors else [self.slope]), *names)

    @property
    def curve_priors(self) -> dict[str, Any]:
        """Return the priors that a curve of the family has by itself."""
        shared = {self.slope: self.slope_prior} if self.slope in self.shared else {}
        return dict(self.priors) | shared

    def agreement(self, name: str, z_mean: Any, z_spread: Any, xp: Any = np) -> tuple[Any, Any]:
        """Return mean and standard deviation of a coordinate in the family.

        Parameters
        ----------
        name : str
            One of `shared`.
        z_mean, z_spread : array_like
            Standard normal coordinates of the family.
        xp : module, default numpy
            ``numpy`` or ``pytensor.tensor``.

        Returns
        -------
        mean, sd : array_like
            In units in which each curve's coordinate is standard normal.
        """
        centre = EXPONENTS_SPREAD if name == self.slope else OTHERS_SPREAD
        sd = LEAST_SPREAD + (1 - LEAST_SPREAD) * sigmoid(centre + z_spread, xp)
        return xp.sqrt(1 - sd**2) * z_mean, sd

    def described(self, values: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        """Return what the curves share, by parameter, from draws of the family's coordinates.

        Parameters
        ----------
        values : mapping of str to ndarray
            Draws of ``z_mean_...`` and ``z_spread_...``, breaks on the last axis.

        Returns
        -------
        dict of str to tuple of ndarray
            Mean and standard deviation within the family, shape (chain, draw): of the exponent in
            its own units, of all else in those of the coordinates. Breaks are counted, as in
            ``c1``.
        """
        found = {}
        for name in self.shared:
            mean, sd = self.agreement(name, values[f"z_mean_{name}"], values[f"z_spread_{name}"])
            if name == self.slope:
                numbers = dict(self.slope_prior.parameters)
                mean, sd = numbers["mu"] + numbers["sigma"] * mean, numbers["sigma"] * sd
            if mean.ndim == 2:
                found[name] = (mean, sd)
            else:
                each = {f"{name}{i + 1}": i for i in range(self.law.n_breaks)}
                found |= {label: (mean[..., i], sd[..., i]) for label, i in each.items()}
        return found

    def data(self) -> dict[str, Any]:
        """Return all that changes from family to family: the values of the model's data."""
        together: dict[str, Any] = {
            "x": np.concatenate([curve.x for curve in self.curves]),
            "y_observed": np.concatenate([curve.y for curve in self.curves]),
            "member": np.repeat(np.arange(len(self.curves)), [len(each) for each in self.curves]),
            "scale": np.array(self.scales).T,
            "limit_shift": self.limit_shift,
        }
        if self.slope in self.shared:
            together["slope"] = np.array([value for _, value in self.slope_prior.parameters])
        if any(curve.y_se is not None for curve in self.curves):
            together["log_se"] = np.concatenate(
                [np.zeros(len(c)) if c.y_se is None else c.y_se / c.y for c in self.curves]
            )
        return together

    @property
    def structure(self) -> tuple[Any, ...]:
        """What a compiled model depends on."""
        numbers = tuple((name, repr(prior)) for name, prior in sorted(self.priors.items()))
        return (len(self.curves), self.law, self.noise, "log_se" in self.data(), numbers)
