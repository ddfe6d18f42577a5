"""One fit of a batch: its seed, its file, its row in the table.

The name of a file ends in a digest of all that its fit depends on: points, law, noise, priors,
settings and seed. So a fit is done if its file is there, and nothing is overwritten by a fit of
something else.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bayes_bnsl import storage
from bayes_bnsl.curve import Curve
from bayes_bnsl.law import Law
from bayes_bnsl.loo import quiet_fit
from bayes_bnsl.noise import LogNormal, Noise
from bayes_bnsl.status import Status

__all__ = ["Job", "failed_row", "make_job", "row_of_file", "run_job", "seed_of", "write_whole"]

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


def make_job(
    curve: Curve, law: Law, noise: Noise | str | None, seed: int | None, settings: dict[str, Any]
) -> Job:
    """Return a job with the name of its file, which ends in the digest of its content."""
    columns = {name: getattr(curve, name) for name in ("x", "y", "y_se", "run")}
    content = {
        "curve": storage.curve_record(curve)
        | {name: None if each is None else each.tolist() for name, each in columns.items()},
        "law": storage.value_record(law),
        "noise": storage.value_record(noise) if isinstance(noise, Noise) else repr(noise),
        "priors": storage.priors_record(settings.get("priors") or {}),
        "settings": {k: v for k, v in settings.items() if k not in {"priors", *IRRELEVANT}},
        "seed": seed,
    }
    text = json.dumps(content, sort_keys=True, default=repr)
    digest = hashlib.sha256(text.encode()).hexdigest()[:20]
    readable = [
        re.sub(r"[^A-Za-z0-9]+", "-", name)[:60].strip("-") for name in (curve.name, law.name)
    ]
    file = ".".join([*filter(None, readable), digest, "nc"])
    return Job(curve, law, noise, settings | {"seed": seed_of(seed, curve.name, law.name)}, file)


def run_job(job: Job) -> bytes | str:
    """Return the file of a fit, or what was raised.

    It runs in any process, on any machine: the parent writes the file where it belongs.
    """
    try:
        with threadpool_limits(1), tempfile.TemporaryDirectory() as aside:
            path = Path(aside, "fit.nc")
            quiet_fit(job.curve, job.law, noise=job.noise, **job.settings).save(path)
            return path.read_bytes()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the sampler is no Exception
        return f"{type(error).__name__}: {error}"


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
