"""What is known of where a curve reaches a value: the value `Reach`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayes_bnsl.cards import card, scatter

__all__ = ["Reach"]


@dataclass(frozen=True, eq=False, repr=False)
class Reach:
    """Where the curve reaches a value; ``print(reach)`` for the sentence.

    Parameters
    ----------
    draws : xarray.DataArray
        Over ``sample``: the x at which each draw of the curve is there, infinite if it is not up to
        `to`, and `after` if it is there already. The attributes are those of the forecast.
    y : float
        The value, in the units that are reported.
    better : {"lower", "higher"}
        Whether a curve is there when it is at most `y` or at least `y`.
    after, to : float
        The x between which it was looked for.
    last_x : float
        Where the data end.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> print(bb.x_to_reach(fit, 0.1))
    The curve first falls to 0.1 at x = ..., 8... times the last x; 90% interval ... to ....
    Probability of reaching it: 99...% by 1e+07.
    """

    draws: xr.DataArray
    y: float
    better: str
    after: float
    to: float
    last_x: float

    @property
    def reached(self) -> float:
        """Probability that the curve is there at some x up to `to`."""
        return float(np.isfinite(self.draws).mean())

    def interval(self, *, prob: float = 0.9) -> xr.DataArray:
        """Return the equal-tailed interval and the median of the x that is needed.

        Parameters
        ----------
        prob : float, default 0.9
            Probability inside the interval.

        Returns
        -------
        xarray.DataArray
            Over bound: lower, median, upper. Infinite where that quantile is beyond `to`.

        Raises
        ------
        ValueError
            If `prob` is not between 0 and 1.

        Examples
        --------
        >>> draws = xr.DataArray([10.0, 20.0, 30.0, np.inf], dims="sample")
        >>> reach = Reach(draws, 0.5, "lower", after=1.0, to=1000.0, last_x=5.0)
        >>> reach.interval(prob=0.5).values, reach.reached
        (array([10., 20., 30.]), 0.75)
        """
        if not 0 < prob < 1:
            raise ValueError(f"prob must lie between 0 and 1; got {prob!r}.")
        levels = np.array([(1 - prob) / 2, 0.5, (1 + prob) / 2])
        # a quantile is one of the draws: between a finite and an infinite one there is nothing
        values = np.quantile(self.draws.values, levels, method="inverted_cdf")
        bounds = {"bound": ["lower", "median", "upper"]}
        return xr.DataArray(
            values, coords=bounds, name="x", attrs=self.draws.attrs | {"prob": prob}
        )

    def __str__(self) -> str:
        lower, median, upper = map(float, self.interval())
        moves = "falls" if self.better == "lower" else "rises"
        if median == np.inf:
            text = f"More likely than not the curve {moves} to {self.y:g} nowhere up to "
            text += f"{self._x_name} = {self.to:g}"
        else:
            text = f"The curve first {moves} to {self.y:g} at "
            text += f"{self._x_name} = {self._written(median)}"
        if self.last_x < median < np.inf:
            text += f", {median / self.last_x:.3g} times the last x"
        if lower != upper:
            text += f"; 90% interval {self._written(lower)} to {self._written(upper)}"
        return f"{text}. Probability of reaching it: {self.reached:.1%} by {self.to:g}."

    @property
    def _x_name(self) -> str:
        return str(self.draws.attrs.get("x_name", "x"))

    def _written(self, x: float) -> str:
        if x == np.inf:
            return f"beyond {self.to:g}"
        return f"{x:.4g}" if x > self.after else f"{x:.4g} or before"

    def __repr__(self) -> str:
        return f"<Reach of {self.y:g} by {self.draws.attrs['law']}>\n{self}"

    def _repr_html_(self) -> str:
        lower, median, upper = map(self._written, map(float, self.interval()))
        rows = [
            ("median", median),
            ("90% interval", f"{lower} to {upper}"),
            (f"reached by {self.to:g}", f"{self.reached:.1%}"),
        ]
        x = np.sort(self.draws.values[np.isfinite(self.draws)])
        share = (np.arange(x.size) + 1) / self.draws.size
        caption = f"probability that {self._x_name} suffices, along its logarithm"
        picture = scatter(np.log(x), share, caption=caption) if x.size else ""
        return card(f"{self._x_name} to reach {self.y:g}", rows, picture)
