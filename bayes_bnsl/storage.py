"""Fits on disk: netCDF with the description of the fit as JSON; never a pickle."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np
import xarray as xr

from bayes_bnsl import laws, noises
from bayes_bnsl.curve import Curve
from bayes_bnsl.laws import Custom
from bayes_bnsl.priors import Prior

RECORD = "bayes_bnsl"
"""Attribute of the root group that holds the description."""


def write(path: str | os.PathLike[str], data: xr.DataTree, record: Mapping[str, Any]) -> None:
    """Write a tree with its description beside the target, then rename."""
    target = Path(path)
    if not target.parent.is_dir():
        raise ValueError(
            f"Cannot write {target.name}: the directory {target.parent} does not exist. "
            "Make it first."
        )
    if target.is_dir():
        raise ValueError(f"Cannot write {target}: it is a directory. Name a file in it.")
    tree = data.copy()
    tree.attrs[RECORD] = json.dumps(record)
    # In a directory of its own, the file gets the permissions that the user's files have.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as aside:
        tree.to_netcdf(Path(aside, target.name), engine="h5netcdf")
        Path(aside, target.name).replace(target)


def read(path: str | os.PathLike[str]) -> tuple[xr.DataTree, dict[str, Any]]:
    """Read a tree and its description."""
    source = Path(path)
    if not source.is_file():
        raise FileNotFoundError(f"There is no file {source}.")
    try:
        with xr.open_datatree(source, engine="h5netcdf") as tree:
            data = tree.load()
            record = json.loads(data.attrs.pop(RECORD))
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise damaged(path, error) from error
    return data, record


def read_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the description alone, without the draws."""
    try:
        with h5netcdf.File(path, "r") as file:
            return dict(json.loads(file.attrs[RECORD]))
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise damaged(path, error) from error


def damaged(path: str | os.PathLike[str], error: Exception) -> ValueError:
    """Say that a file holds no fit."""
    return ValueError(
        f"{path} is damaged, or is no fit saved by bayes_bnsl ({type(error).__name__}: {error}). "
        "Save the fit again."
    )


def value_record(value: Any) -> dict[str, Any]:
    """Describe a law or a noise model by class and fields."""
    if isinstance(value, Custom):
        return {"type": "Custom", "label": value.label}
    return {"type": type(value).__name__, **asdict(value)}


def value_from(record: Mapping[str, Any]) -> Any:
    """Make the law or the noise model again."""
    fields = dict(record)
    name = fields.pop("type")
    if name == "Custom":
        raise ValueError(
            f"This fit is of a law of your own, {fields['label']!r}, whose function is not in the "
            "file. Pass it: load_fit(path, law=...)."
        )
    known = {kind: getattr(room, kind) for room in (laws, noises) for kind in room.__all__}
    return known[name](**fields)


def priors_record(priors: Mapping[str, Any]) -> dict[str, Any]:
    """Describe priors and fixed values."""
    return {
        name: {"distribution": prior.distribution, **prior.constants()}
        if isinstance(prior, Prior)
        else np.asarray(prior).tolist()
        for name, prior in priors.items()
    }


def priors_from(record: Mapping[str, Any]) -> dict[str, Any]:
    """Make the priors again."""
    return {
        name: Prior(**value) if isinstance(value, dict) else np.asarray(value, dtype=float)
        for name, value in record.items()
    }


def curve_record(curve: Curve) -> dict[str, Any]:
    """Describe what of a curve is not in the data groups."""
    return {key: getattr(curve, key) for key in ("name", "x_name", "y_name", "ceiling")}


def curve_from(record: Mapping[str, Any], data: xr.DataTree) -> Curve:
    """Make the curve again from the data groups."""
    constant = data["constant_data"].to_dataset()
    columns: dict[str, Any] = dict(record)
    columns |= {name: constant[name].values for name in ("y_se", "run") if name in constant}
    return Curve(constant["x"].values, data["observed_data"].to_dataset()["y"].values, **columns)


def forecast_record(fit: Any) -> dict[str, Any]:
    """Describe where a forecast comes from, in attributes that netCDF can hold."""
    curve = fit.curve
    record = {
        "law": fit.law.name,
        "noise": json.dumps(value_record(fit.noise)),
        "name": curve.name,
        "x_name": curve.x_name,
        "y_name": curve.y_name,
        "status": str(fit.status),
    }
    return record if curve.ceiling is None else record | {"ceiling": curve.ceiling}
