"""Pictures of parameters: each beside its prior, and in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import arviz_plots as azp
import numpy as np
import xarray as xr
from arviz_stats.base import array_stats
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bayes_bnsl.errors import did_you_mean
from bayes_bnsl.laws import BNSL
from bayes_bnsl.plots_style import BLUE, GREY, ORANGE
from bayes_bnsl.replicates import prior_draws
from bayes_bnsl.result import Fit

__all__ = ["plot_pairs", "plot_posterior"]

LAST_SLOPE = "last slope"
PRIOR_DRAWS = 100_000
"""So many that a narrow posterior too has some of them within its panel."""


def plot_posterior(fit: Fit, *, prob: float = 0.9, prior: bool = True, **settings: Any) -> Any:
    """Draw the posterior of every parameter in natural units, and its prior behind it.

    The dot is the mean, the line the equal-tailed interval. The grey area is the density of the
    prior, on the same scale, as far as the panel of the posterior reaches: where it is hardly seen,
    the data said far more than the prior; where both agree, they said nothing.

    Parameters
    ----------
    fit : Fit
        The fitted law.
    prob : float, default 0.9
        Probability of the intervals marked.
    prior : bool, default True
        Whether to draw the priors, with the backend matplotlib.
    **settings
        Further arguments of `arviz_plots.plot_dist`.

    Returns
    -------
    arviz_plots.PlotCollection
        The picture; its figure is ``picture.viz["figure"].item()``.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> picture = plot_posterior(fit)
    >>> sorted(picture.viz["plot"].data_vars)
    ['b', 'log_a']
    """
    posterior = _drawn_parameters(fit)
    settings = {"figure_kwargs": {"layout": "constrained"}} | settings
    picture = azp.plot_dist(
        fit.data,
        var_names=list(posterior),
        ci_kind="eti",
        ci_prob=prob,
        visuals={"point_estimate_text": False} | settings.pop("visuals", {}),
        **settings,
    )
    if picture.backend == "matplotlib":
        draws = prior_draws(fit, draws=PRIOR_DRAWS) if prior else {}
        areas: list[Any] = []
        for name in posterior:
            panels = picture.viz["plot"][name]
            for place in np.ndindex(panels.shape):
                ax = panels.values[place]
                ax.xaxis.set_major_locator(MaxNLocator(4))  # labels would run together
                if prior:
                    # panels may be those of chains too, which share their prior
                    at = {k: i for k, i in zip(panels.dims, place, strict=True) if k == "brk"}
                    areas += _draw_prior(ax, draws[name].isel(chain=0, **at).values)
        if areas:
            figure = picture.viz["figure"].item()
            figure.legend(
                handles=areas[:1], loc="outside lower right", fontsize="small", frameon=False
            )
    return picture


def plot_pairs(fit: Fit, names: Sequence[str] | None = None, **settings: Any) -> Any:
    """Draw parameters in pairs, which shows the ridges along which they cannot be told apart.

    Orange are divergent transitions, if there were any.

    Parameters
    ----------
    fit : Fit
        The fitted law.
    names : sequence of str, optional
        Parameters of the law and the noise; those of breaks are counted, as in ``"c1"``.
        ``"last slope"`` is the slope of the last segment of a BNSL. By default the limit against
        the last slope, and place and sharpness of the last break; for other laws all parameters.
    **settings
        Further arguments of `arviz_plots.plot_pair`.

    Returns
    -------
    arviz_plots.PlotMatrix
        The picture; its figure is ``picture.viz["figure"].item()``.

    Raises
    ------
    ValueError
        If there is no such parameter, it is fixed, or there is less than a pair.

    Examples
    --------
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> fit = bb.fit(curve, bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> picture = plot_pairs(fit, ["log_a", "b"])
    """
    known = _quantities(fit)
    names = _default_pairs(fit, known) if names is None else list(names)
    for name in names:
        if name not in known:
            raise ValueError(
                f"names holds {name!r}, which is no parameter of the fit, or fixed. "
                f"{did_you_mean(name, known)}"
            )
    if len(names) < 2:
        raise ValueError(f"Give two names or more to draw pairs; got {names}.")
    groups = {"posterior": xr.Dataset({name: known[name] for name in names})}
    groups["posterior"].attrs["sample_dims"] = ["chain", "draw"]
    groups["sample_stats"] = fit.data["sample_stats"].to_dataset()
    size = 2.1 * len(names) + 0.8
    settings = {"figure_kwargs": {"layout": "constrained", "figsize": (size, size)}} | settings
    scatter = {"color": BLUE, "alpha": 0.15, "size": 4, "width": 0}
    visuals: dict[str, Any] = {"scatter": scatter, "divergence": {"color": ORANGE}}
    picture = azp.plot_pair(
        xr.DataTree.from_dict(groups),
        marginal_kind="kde",
        visuals=visuals | settings.pop("visuals", {}),
        **settings,
    )
    if picture.backend == "matplotlib":
        for ax in picture.viz["figure"].item().axes:
            for axis in (ax.xaxis, ax.yaxis):
                axis.set_major_locator(MaxNLocator(3))
        for i in range(len(names)):
            # heights of densities are in units of their own, and say nothing to the row
            picture.viz["plot"].values[i, i].tick_params(left=False, labelleft=False)
    return picture


def _drawn_parameters(fit: Fit) -> dict[str, xr.DataArray]:
    """Return the parameters that are not fixed, in logarithms where they can overflow."""
    posterior = fit.posterior
    names = [
        f"log_{name}" if f"log_{name}" in posterior else name
        for name in (*fit.law.parameters, *fit.noise.parameters)
    ]
    return {name: posterior[name] for name in names if np.ptp(posterior[name].values) > 0}


def _quantities(fit: Fit) -> dict[str, xr.DataArray]:
    """Return every scalar that can be drawn against another, breaks counted."""
    found: dict[str, xr.DataArray] = {}
    for name, draws in _drawn_parameters(fit).items():
        if "brk" in draws.dims:
            parts = {f"{name}{i}": draws.sel(brk=i, drop=True) for i in draws["brk"].values}
            found |= {label: part for label, part in parts.items() if np.ptp(part.values) > 0}
        else:
            found[name] = draws
    if isinstance(fit.law, BNSL):
        theta = {str(name): draws for name, draws in fit.posterior.data_vars.items()}
        slope = fit.law.segments(theta).slope[-1].drop_vars("brk", errors="ignore")
        if np.ptp(slope.values) > 0:
            found[LAST_SLOPE] = slope
    return found


def _default_pairs(fit: Fit, known: dict[str, xr.DataArray]) -> list[str]:
    n = fit.law.n_breaks
    names = ["a", LAST_SLOPE, f"d{n}", f"f{n}"] if n else ["a", LAST_SLOPE, "sigma"]
    return [name for name in names if name in known] if LAST_SLOPE in known else list(known)


def _draw_prior(ax: Any, draws: NDArray[np.float64]) -> list[Any]:
    """Draw the density of a prior behind that of the posterior, and return what was drawn."""
    limits = low, high = ax.get_xlim()
    beyond = (high - low) / 2  # at the ends of what it is made of, the slope of a density is lost
    near = draws[(draws >= low - beyond) & (draws <= high + beyond)]
    if near.size < 2 or np.ptp(near) == 0:
        return []  # the prior has next to nothing here, or is a single value
    at, density, _ = array_stats.kde(near, bound_correction=True)
    height = density * near.size / draws.size
    seen = (at >= low) & (at <= high)
    area = ax.fill_between(
        at[seen], 0, height[seen], color=GREY, alpha=0.4, lw=0.5, zorder=0, label="prior"
    )
    ax.set_xlim(limits)
    return [area]
