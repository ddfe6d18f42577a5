"""The result of a fit: draws as an xarray DataTree with the law, the curve and a status."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import arviz_stats as azs
import numpy as np
import xarray as xr

from bayes_bnsl import storage
from bayes_bnsl.cards import card, scatter
from bayes_bnsl.curve import Curve
from bayes_bnsl.draws import flattened
from bayes_bnsl.law import Law
from bayes_bnsl.noise import Noise
from bayes_bnsl.noises import LogNormal
from bayes_bnsl.priors import Scale
from bayes_bnsl.status import Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Fit", "load_fit", "sketch"]

SKETCHED = 400
"""Draws that the curve on a card is drawn from."""


@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """A law fitted to a curve.

    Parameters
    ----------
    curve : Curve
        The points.
    law : Law
        The functional form.
    noise : Noise
        The observation model.
    priors : mapping
        Priors that replaced defaults.
    scale : Scale
        What the default priors took from the curve.
    data : xarray.DataTree
        Groups ``posterior`` (the parameters by the letters of the law, in the user's units),
        ``sample_stats``, ``log_likelihood`` (of curves with more than about 10,000 points for every
        k-th draw only), ``observed_data``, ``constant_data``;
        ``coordinates``: the same draws in the sampler's coordinates; ``modes``: the parameters
        at every distinct mode that was found, with the log posterior density of the coordinates
        there, highest first; ``family``, of a curve that was fitted together with others: what they
        share. Every ArviZ function works on it.
    status : Status
        Whether the draws can be trusted; ``print(fit.status)``.
    seconds : float
        Wall time of the fit without compilation.
    seed : int
        Seed that repeats the fit.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> print(fit.equation(digits=2), fit.status.name)
    y = 3 * x^(-0.3) converged
    >>> fit.posterior["b"].sizes
    Frozen({'chain': 4, 'draw': 1000})
    """

    curve: Curve
    law: Law
    noise: Noise
    priors: Mapping[str, Any]
    scale: Scale
    data: xr.DataTree
    status: Status
    seconds: float
    seed: int

    @property
    def posterior(self) -> xr.Dataset:
        """The draws of the parameters, dimensions (chain, draw) and brk."""
        return self.data["posterior"].to_dataset()

    @property
    def is_pooled(self) -> bool:
        """Whether the curve was fitted together with others of its family (`fit_together`)."""
        return "family" in self.data

    def summary(self, *, prob: float = 0.9, rounded: bool = True) -> pd.DataFrame:
        """Return a table of the parameters with intervals and diagnostics.

        Of medians, as in `equation`: where a break may lie far beyond the data, means of its place
        say nothing.

        Parameters
        ----------
        prob : float, default 0.9
            Probability of the equal-tailed interval.
        rounded : bool, default True
            Whether numbers are rounded, for people, to the digits that their errors leave.

        Returns
        -------
        pandas.DataFrame
            One row a parameter: median, median absolute deviation (``mad``, 0.67 standard
            deviations of a normal distribution), interval, effective sample sizes, R-hat.
        """
        # a fixed parameter has no R-hat, and the square of one near 1e300 no number
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            rounding = "auto" if rounded else "none"
            return azs.summary(self.data, kind="all_median", ci_prob=prob, round_to=rounding)

    def equation(self, *, latex: bool = False, digits: int = 3) -> str:
        """Return the law with the posterior medians in place of the letters.

        Parameters
        ----------
        latex : bool, default False
            Whether to write LaTeX.
        digits : int, default 3
            Significant digits.

        Returns
        -------
        str
            ``y = ...``
        """
        median = self.posterior.median(("chain", "draw"))

        def number(name: str) -> str:
            letter, index = name, None
            if name not in median:
                letter, index = name.rstrip("0123456789"), int(name.lstrip("cdf"))
            value = median[letter] if index is None else median[letter].sel(brk=index)
            log = float(median[f"log_{name}"]) if f"log_{name}" in median else None
            return _written(float(value), digits, latex=latex, log=log)

        return f"y = {self.law.equation(number, latex=latex)}"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fit to a netCDF file, whole or not at all.

        Parameters
        ----------
        path : str or path
            Where to; an existing file is replaced once the new one is complete.

        Raises
        ------
        ValueError
            If the directory does not exist.
        """
        storage.write(path, self.data, self._record())

    def _record(self) -> dict[str, Any]:
        return {
            "curve": storage.curve_record(self.curve),
            "law": storage.value_record(self.law),
            "noise": storage.value_record(self.noise),
            "priors": storage.priors_record(self.priors),
            "scale": self.scale._asdict(),
            "status": vars(self.status),
            "seconds": self.seconds,
            "seed": self.seed,
        }

    @property
    def _kind(self) -> str:
        """Name the law, and the noise where it is not the default."""
        usual = self.noise == LogNormal()
        return self.law.name if usual else f"{self.law.name} with {self.noise.name} noise"

    def __repr__(self) -> str:
        together = ", together with its family" if self.is_pooled else ""
        return (
            f"<Fit of {self._kind} to {self.curve.name!r}, {len(self.curve)} points{together}>\n"
            f"{self.equation()}\n{self.status}"
        )

    def _repr_html_(self) -> str:
        return card(
            f"{self._kind} fitted to {self.curve.name}",
            _rows(self.posterior, (*self.law.parameters, *self.noise.parameters)),
            sketch(self),
            lines=(self.equation(), str(self.status)),
            header=("", "median", "90% interval"),
        )


def load_fit(path: str | os.PathLike[str], *, law: Law | None = None) -> Fit:
    """Read a fit that `Fit.save` wrote. Nothing in the file is executed.

    Parameters
    ----------
    path : str or path
        The file.
    law : Law, optional
        The law of the fit, needed if it is a `Custom` one: a function is not saved.

    Returns
    -------
    Fit
        The same fit; it forecasts the same numbers to the last bit.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, was not written by this package, or needs `law`.

    Examples
    --------
    >>> import tempfile
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fit.save(f"{folder}/fit.nc")
    ...     again = load_fit(f"{folder}/fit.nc")
    >>> again.posterior.identical(fit.posterior)
    True
    """
    data, record = storage.read(path)
    try:
        return Fit(
            curve=storage.curve_from(record["curve"], data),
            law=law or storage.value_from(record["law"]),
            noise=storage.value_from(record["noise"]),
            priors=storage.priors_from(record["priors"]),
            scale=Scale(**record["scale"]),
            data=data,
            status=Status(**record["status"]),
            seconds=record["seconds"],
            seed=record["seed"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise storage.damaged(path, error) from error


def sketch(fit: Fit) -> str:
    """Draw the points and the curve of a fit for its card, on logarithmic axes."""
    curve = fit.curve
    log_x = np.linspace(curve.log_x[0], curve.log_x[-1], 60)
    every = max(1, fit.posterior.sizes["draw"] * fit.posterior.sizes["chain"] // SKETCHED)
    theta = flattened(fit.posterior.isel(draw=slice(None, None, every)))
    log_mu = fit.law.log_mu(xr.DataArray(log_x, dims="at"), theta)
    edges = np.quantile(log_mu.transpose("sample", "at"), [0.05, 0.5, 0.95], axis=0)
    caption = f"{len(curve)} points, median and 90% interval of the curve, on logarithmic axes"
    return scatter(curve.log_x, curve.log_y, caption=caption, line=(log_x, *edges))


def _rows(posterior: xr.Dataset, names: Iterable[str]) -> list[tuple[str, ...]]:
    """Write median and 90 % interval of each parameter, breaks counted."""
    rows: list[tuple[str, ...]] = []
    for name in names:
        draws = posterior[name]
        parts = [(name, draws)]
        if "brk" in draws.dims:
            parts = [(f"{name}{i}", draws.sel(brk=i)) for i in draws["brk"].values]
        for label, part in parts:
            low, median, high = np.quantile(part.values, [0.05, 0.5, 0.95])
            extent = f"{low:.3g} to {high:.3g}" if low < high else "fixed"
            rows.append((label, f"{median:.3g}", extent))
    return rows


def _written(value: float, digits: int, *, latex: bool, log: float | None = None) -> str:
    """Write a number with so many significant digits, in brackets if it is negative.

    One that overflowed is written from its logarithm.
    """
    text = f"{value:.{digits}g}"
    if log is not None and value in (0.0, np.inf):
        exponent, fraction = divmod(log / np.log(10), 1)
        text = f"{10**fraction:.{digits}g}e{exponent:+.0f}"
    if latex and "e" in text:
        mantissa, exponent = text.split("e")
        text = rf"{mantissa}\times 10^{{{int(exponent)}}}"
    return f"({text})" if value < 0 else text
