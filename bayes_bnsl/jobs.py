"""One fit of a batch, or those of a family: its seed, its file, its row in the table.

The name of a file ends in a digest of all that its fit depends on: points, law, noise, priors,
settings and seed. So a fit is done if its file is there, and nothing is overwritten by a fit of
something else.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bayes_bnsl import storage
from bayes_bnsl.arguments import check_family
from bayes_bnsl.curve import Curve
from bayes_bnsl.errors import NotConvergedWarning
from bayes_bnsl.law import Law
from bayes_bnsl.noise import Noise
from bayes_bnsl.noises import LogNormal
from bayes_bnsl.pooling import fit_together
from bayes_bnsl.result import Fit
from bayes_bnsl.sampling import quiet_fit
from bayes_bnsl.status import Status

__all__ = [
    "Job",
    "Together",
    "failed_row",
    "family_labels",
    "make_job",
    "row_of_file",
    "run_job",
    "seed_of",
    "units_of",
    "write_whole",
]

IRRELEVANT = frozenset({"cores", "progress"})
"""Settings of a fit that leave its result as it is."""


@dataclass(frozen=True)
class Job:
    """One law to fit to one curve."""

    curve: Curve
    law: Law
    noise: Noise | str | None
    settings: Mapping[str, Any]
    file: str

    @property
    def kind(self) -> tuple[Any, ...]:
        """What is compiled for it, as far as it differs within a batch."""
        return (self.law.name, self.curve.y_se is not None)


@dataclass(frozen=True)
class Together:
    """One law to fit to the curves of a family at once."""

    jobs: tuple[Job, ...]
    """One a curve, with the same settings."""

    @property
    def kind(self) -> tuple[Any, ...]:
        """What is compiled for it."""
        return (self.jobs[0].law.name, len(self.jobs))


def family_labels(pool: Any, curves: Mapping[str, Curve]) -> dict[str, str | None]:
    """Return the family of each curve; None where curves are fitted alone."""
    if isinstance(pool, bool):
        return dict.fromkeys(curves, "all" if pool else None)
    if not isinstance(pool, Mapping):
        raise TypeError(f"pool must be True, or a mapping of curves to families; got {pool!r}.")
    for name in curves:
        if name not in pool:
            raise ValueError(f"pool has no family for the curve {name!r}. Add {name!r} to it.")
    return {name: str(pool[name]) for name in curves}


def units_of(
    wanted: Sequence[tuple[Curve, Law]], labels: Mapping[str, str | None], noise: Any, priors: Any
) -> list[tuple[list[int], bool]]:
    """Return the positions of what is fitted at once, and whether as a family."""
    alone: list[tuple[list[int], bool]] = []
    families: dict[tuple[str, str], list[int]] = {}
    for i, (curve, law) in enumerate(wanted):
        label = labels[curve.name]
        try:
            if label is not None:
                check_family({curve.name: curve}, law, noise or LogNormal(), priors)
        except (TypeError, ValueError):
            label = None  # what is wrong with it becomes its row, and not that of its family
        if label is None:
            alone.append(([i], False))
        else:
            families.setdefault((label, law.name), []).append(i)
    return alone + [(family, True) for family in families.values()]


def make_job(
    curve: Curve,
    law: Law,
    noise: Noise | str | None,
    seed: int | None,
    settings: dict[str, Any],
    family: Sequence[Curve] = (),
) -> Job:
    """Return a job with the name of its file, which ends in the digest of its content.

    With a family its result depends on all curves of that, and its seed on all their names.
    """
    content: dict[str, Any] = {
        "curve": _content(curve),
        "law": storage.value_record(law),
        "noise": storage.value_record(noise) if isinstance(noise, Noise) else repr(noise),
        "priors": storage.priors_record(settings.get("priors") or {}),
        "settings": {k: v for k, v in settings.items() if k not in {"priors", *IRRELEVANT}},
        "seed": seed,
    }
    names = [curve.name]
    if family:
        ordered = sorted(family, key=lambda each: each.name)
        names = [each.name for each in ordered]
        content["family"] = [_content(each) for each in ordered]
    text = json.dumps(content, sort_keys=True, default=repr)
    digest = hashlib.sha256(text.encode()).hexdigest()[:20]
    readable = [
        re.sub(r"[^A-Za-z0-9]+", "-", name)[:60].strip("-") for name in (curve.name, law.name)
    ]
    file = ".".join([*filter(None, readable), digest, "nc"])
    return Job(curve, law, noise, settings | {"seed": seed_of(seed, *names, law.name)}, file)


def _content(curve: Curve) -> dict[str, Any]:
    """Return all there is to a curve."""
    columns = {name: getattr(curve, name) for name in ("x", "y", "y_se", "run")}
    lists = {name: None if each is None else each.tolist() for name, each in columns.items()}
    return storage.curve_record(curve) | lists


def run_job(job: Job | Together) -> tuple[bytes, ...] | str:
    """Return the file of each fit, or what was raised.

    It runs in any process, on any machine: the parent writes the files where they belong.
    """
    try:
        with threadpool_limits(1), tempfile.TemporaryDirectory() as aside:
            path = Path(aside, "fit.nc")
            files = []
            for each in _fits(job):
                each.save(path)
                files.append(path.read_bytes())
            return tuple(files)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the sampler is no Exception
        return f"{type(error).__name__}: {error}"


def _fits(job: Job | Together) -> list[Fit]:
    if isinstance(job, Job):
        return [quiet_fit(job.curve, job.law, noise=job.noise, **job.settings)]
    first = job.jobs[0]
    curves = [each.curve for each in job.jobs]
    with warnings.catch_warnings():  # the batch says what became of convergence
        warnings.simplefilter("ignore", NotConvergedWarning)
        settings = {"progress": False, "noise": first.noise} | dict(first.settings)
        return list(fit_together(curves, first.law, **settings).values())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file aside, then rename it, so that it is there whole or not at all."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as aside:
        written = Path(aside, path.name)
        written.write_bytes(content)
        written.replace(path)


def row_of_file(job: Job, folder: Path) -> dict[str, Any] | None:
    """Return the row of a fit that is on disk, if it is."""
    path = folder / job.file
    if not path.is_file():
        return None
    try:
        record = storage.read_record(path)
        status = Status(**record["status"])
        noise = storage.value_from(record["noise"]).name
    except (ValueError, KeyError, TypeError):  # damaged, so it has to be made again
        return None
    return failed_row(job, "") | {
        "noise": noise,
        "status": status.name,
        "ok": status.ok,
        "reason": str(status),
        "seconds": record["seconds"],
        "path": str(path),
    }


def failed_row(job: Job, error: str) -> dict[str, Any]:
    """Return the row of a fit that raised an error."""
    return {
        "curve": job.curve.name,
        "law": job.law.name,
        "noise": (job.noise or LogNormal()).name if isinstance(job.noise, Noise | None) else "",
        "status": "error",
        "ok": False,
        "reason": "",
        "seconds": np.nan,
        "n_points": len(job.curve),
        "error": error,
        "path": "",
    }


def seed_of(seed: int | None, *names: str) -> int | None:
    """Return the seed of one of many, made of that of all and of its names."""
    if seed is None:
        return None
    # surrogates: a name may hold text that is no UTF-8
    digest = hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).digest()
    words = np.frombuffer(digest, dtype="<u4").tolist()
    return int(np.random.SeedSequence([seed, *words]).generate_state(1)[0])
