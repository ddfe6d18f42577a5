"""Forecasts of several laws mixed into one, and taken apart again."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import xarray as xr

__all__ = ["is_mixed", "mix", "parts"]

PARTS = "parts"
"""Attribute of a mixed forecast that holds those of each law, as JSON."""


def mix(forecasts: Mapping[str, xr.Dataset], weights: Mapping[str, float]) -> xr.Dataset:
    """Mix forecasts of the same x in proportion to their weights.

    Parameters
    ----------
    forecasts : mapping of str to xarray.Dataset
        Forecasts by label, of every law with a weight above zero.
    weights : mapping of str to float
        Weight of each law; they sum to one.

    Returns
    -------
    xarray.Dataset
        Like a single forecast. Of each law come evenly spaced draws, as many as its weight says;
        the coordinate ``law`` says over ``sample`` whose draw each is, the coordinate ``share``
        over ``candidate`` which weight each law has.
    """
    used = {label: weight for label, weight in weights.items() if weight > 0}
    # as many draws as all can give in these proportions without giving one twice
    size = min(forecasts[label].sizes["sample"] / weight for label, weight in used.items())
    chosen, laws, records = [], [], {}
    for label, weight in used.items():
        each = forecasts[label]
        count = round(size * weight)
        if count == 0:
            continue
        taken = np.linspace(0, each.sizes["sample"] - 1, count).round().astype(int)
        chosen.append(each.isel(sample=taken))
        laws += [label] * count
        records[label] = dict(each.attrs)
    mixed = xr.concat(
        chosen, dim="sample", data_vars="all", join="outer", combine_attrs="drop_conflicts"
    )
    mixed = mixed.assign_coords(
        law=("sample", laws),
        share=("candidate", list(weights.values())),
        candidate=list(weights),
    )
    name = f"average of {', '.join(records)}"
    return mixed.assign_attrs({"law": name, PARTS: json.dumps(records)})


def is_mixed(forecast: xr.Dataset) -> bool:
    """Tell whether a forecast is that of several laws."""
    return PARTS in forecast.attrs


def parts(forecast: xr.Dataset) -> list[xr.Dataset]:
    """Take a mixed forecast apart.

    Parameters
    ----------
    forecast : xarray.Dataset
        What :func:`mix` returned.

    Returns
    -------
    list of xarray.Dataset
        The draws of each law, as a forecast of its own.
    """
    found = []
    for label, record in json.loads(forecast.attrs[PARTS]).items():
        part = forecast.isel(sample=np.flatnonzero(forecast["law"].values == label))
        # what only the noise of another law needs was filled with NaN
        part = part[[name for name, values in part.data_vars.items() if values.notnull().any()]]
        part = part.drop_vars(["law", "share", "candidate"], errors="ignore")
        part.attrs = record
        found.append(part)
    return found
