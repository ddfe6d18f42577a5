"""Many curves at once: every law fitted to every curve, one file a fit, and runs that resume."""

from __future__ import annotations

import inspect
import os
import pickle
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from bayes_bnsl.arguments import check_curves, check_family
from bayes_bnsl.columns import checked_integer, counted
from bayes_bnsl.curve import Curve
from bayes_bnsl.errors import FailedFitsWarning, NotConvergedWarning, did_you_mean, warn
from bayes_bnsl.jobs import (
    Job,
    Together,
    failed_row,
    family_labels,
    make_job,
    row_of_file,
    run_job,
    units_of,
    write_whole,
)
from bayes_bnsl.law import Law
from bayes_bnsl.laws import Custom
from bayes_bnsl.noise import Noise
from bayes_bnsl.noises import choices
from bayes_bnsl.pooling import fit_together
from bayes_bnsl.progress import jobs_progress
from bayes_bnsl.result import Fit, load_fit
from bayes_bnsl.sampling import fit as fit_law
from bayes_bnsl.workers import run_jobs

__all__ = ["Batch", "fit_many"]


@dataclass(frozen=True, eq=False, repr=False)
class Batch:
    """Fits of many curves, on disk; ``batch.fit(curve, law)`` loads one.

    Parameters
    ----------
    curves : mapping of str to Curve
        The points, by name.
    laws : mapping of str to Law
        What was fitted to each, by name.
    table : pandas.DataFrame
        One row for each curve and law, in the order they were given: ``curve``, ``law``,
        ``noise``, ``status``, ``ok``, ``reason`` (the status in words), ``seconds``,
        ``n_points``, ``error`` (what was raised instead of a fit, or empty) and ``path`` of the
        file (empty if there is none). The status of a fit that raised is ``error``.
    folder : pathlib.Path
        Where the files are.
    temporary : bool, default False
        Whether the folder is removed once this object is gone.

    Examples
    --------
    >>> import numpy as np
    >>> import bayes_bnsl as bb
    >>> theta = {"a": 3.0, "b": -0.3}
    >>> curve = bb.simulate(bb.M1(), theta, np.geomspace(10, 1e4, 12), noise=0.02, seed=1)
    >>> batch = bb.fit_many([curve], bb.M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> batch.table[["curve", "law", "status"]]
           curve law     status
    0  simulated  M1  converged
    >>> batch.fit("simulated", "M1").status.ok
    True
    """

    curves: Mapping[str, Curve]
    laws: Mapping[str, Law]
    table: pd.DataFrame
    folder: Path
    temporary: bool = False

    def fit(self, curve: str | Curve, law: str | Law) -> Fit:
        """Load one fit.

        Parameters
        ----------
        curve : str or Curve
            The curve or its name.
        law : str or Law
            The law or its name.

        Returns
        -------
        Fit
            The law fitted to the curve.

        Raises
        ------
        ValueError
            If there is no such curve or law, or the fit raised an error.
        """
        curve = curve.name if isinstance(curve, Curve) else curve
        law = law.name if isinstance(law, Law) else law
        for what, name, known in (("curve", curve, self.curves), ("law", law, self.laws)):
            if name not in known:
                raise ValueError(f"The batch has no {what} {name!r}. {did_you_mean(name, known)}")
        rows = self.table[(self.table["curve"] == curve) & (self.table["law"] == law)]
        if error := rows["error"].item():
            raise ValueError(f"There is no fit of {law} to {curve!r}: {error}")
        return load_fit(rows["path"].item(), law=self.laws[law])

    def to_datatree(self) -> xr.DataTree:
        """Return all fits as one tree: ``tree["curve/law/posterior"]``.

        Returns
        -------
        xarray.DataTree
            A node for each curve, in it one for each law that was fitted, with the groups of
            `Fit.data`. Values are read from the files when they are used, so the tree takes
            hardly any memory; those of a batch without `out` are read at once, as its files
            live no longer than it. A slash in a name becomes a bar, ``|``, since slashes
            part the nodes.
        """
        tree = xr.DataTree()
        for row in self.table[self.table["error"] == ""].itertuples():
            fitted = xr.open_datatree(str(row.path), engine="h5netcdf")
            if self.temporary:
                fitted = fitted.load()
                fitted.close()
            fitted.attrs = {"curve": row.curve, "law": row.law, "status": row.status}
            curve, law = (str(name).replace("/", "|") for name in (row.curve, row.law))
            tree[f"{curve}/{law}"] = fitted
        return tree

    def __repr__(self) -> str:
        counts = self.table["status"].value_counts()
        verdicts = ", ".join(f"{count} {status}" for status, count in counts.items())
        return (
            f"<Batch of {counted(len(self.table), 'fit')}: {counted(len(self.curves), 'curve')}, "
            f"{counted(len(self.laws), 'law')}; {verdicts}; in {self.folder}>"
        )


def fit_many(
    curves: Sequence[Curve] | Mapping[str, Curve],
    laws: Law | Sequence[Law],
    *,
    noise: Noise | str | None = None,
    pool: bool | Mapping[str, str] = False,
    out: str | os.PathLike[str] | None = None,
    workers: int = 1,
    client: Any = None,
    seed: int | None = None,
    progress: bool = True,
    **settings: Any,
) -> Batch:
    """Fit every law to every curve.

    A fit that raises an error becomes a row of the table with that error; the others go on.

    Parameters
    ----------
    curves : sequence of Curve or mapping of str to Curve
        The points. Names must differ; those of a mapping become the names of its curves.
        `read_curves` cuts a long table into curves.
    laws : Law or sequence of Law
        What is fitted to each.
    noise : Noise or "auto", default LogNormal()
        How y scatters about the curve; with "auto" each fit chooses, as `fit` does, and the column
        ``noise`` says what.
    pool : bool or mapping of str to str, default False
        Whether curves are fitted together, as `fit_together` does: all of them as one family, or
        those that have the same value in a mapping by the name of the curve. A curve that has too
        few points is left out of its family, and is a row with that error.
    out : path_like, optional
        Folder for one netCDF file a fit, made if need be. Fits whose file is there already, for
        the same points, law, noise, priors, settings and `seed`, are not run again; with no
        `seed`, any that were made without one. Fits of `Custom` laws always run again, since
        functions cannot be compared. By default files live as long as the result.
    workers : int, default 1
        Number of processes of this machine. With more than one, the chains of a fit run one
        after the other.
    client : dask.distributed.Client, optional
        A cluster that runs the fits instead; it needs no file system in common.
    seed : int, optional
        Makes the result repeatable: the seed of each fit is made of it and of the names of curve
        and law, or of all curves of a family, so that neither order nor the number of processes
        matters.
    progress : bool, default True
        Whether to show a progress bar, in a terminal or a notebook.
    **settings
        Passed to every `fit` or `fit_together`: ``priors``, ``max_gradients`` and the like.

    Returns
    -------
    Batch
        The table of all fits, each loaded when it is asked for.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it should be.
    RuntimeError
        If other processes cannot start.

    Warns
    -----
    NotConvergedWarning
        If fits did not converge.
    FailedFitsWarning
        If fits raised an error.

    Examples
    --------
    >>> import numpy as np
    >>> from bayes_bnsl import M1
    >>> x = np.geomspace(10, 1000, 8)
    >>> curves = [Curve(x, a * x**-0.3 * (1 + 0.01 * np.cos(x)), name=f"task {a}") for a in (1, 2)]
    >>> batch = fit_many(curves, M1(), priors={"sigma": 0.02}, seed=1, progress=False)
    >>> batch.table[["curve", "law", "status"]]
        curve law     status
    0  task 1  M1  converged
    1  task 2  M1  converged
    >>> batch.fit("task 2", "M1").equation(digits=1)
    'y = 2 * x^(-0.3)'
    """
    by_name, laws_by_name = check_curves(curves), _checked_laws(laws)
    labels = family_labels(pool, by_name)
    _check_settings(
        workers, client, seed, settings, laws_by_name, fit_together if pool else fit_law
    )
    for law in laws_by_name.values() if pool else ():
        check_family({}, law, noise, None)
    if isinstance(noise, str):
        choices(noise)  # a wrong word would fail in every fit
    folder = Path(tempfile.mkdtemp(prefix="bayes_bnsl-") if out is None else out).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    several = workers > 1 or client is not None
    settings = ({"cores": 1} if several else {}) | settings
    wanted = [(curve, law) for curve in by_name.values() for law in laws_by_name.values()]
    units = units_of(wanted, labels, noise, settings.get("priors"))
    jobs: dict[int, Job] = {}
    for unit, pooled in units:
        family = [wanted[i][0] for i in unit] if pooled else []
        jobs |= {i: make_job(*wanted[i], noise, seed, settings, family) for i in unit}
    # functions cannot be compared, so those of Custom laws may have changed
    rows = {
        i: None if isinstance(job.law, Custom) else row_of_file(job, folder)
        for i, job in jobs.items()
    }
    waiting = [each for each in units if any(rows[i] is None for i in each[0])]
    todo = [
        Together(tuple(jobs[i] for i in unit)) if pooled else jobs[unit[0]]
        for unit, pooled in waiting
    ]
    outcomes = run_jobs(run_job, todo, [job.kind for job in todo], workers=workers, client=client)
    total = sum(len(unit) for unit, _ in waiting)
    # closed at once, or processes would outlive an interruption for as long as its traceback
    with closing(outcomes), jobs_progress("fits", total, shown=progress) as done:
        for number, outcome in outcomes:
            for k, i in enumerate(waiting[number][0]):
                if isinstance(outcome, tuple):
                    write_whole(folder / jobs[i].file, outcome[k])
                    rows[i] = row_of_file(jobs[i], folder)
                else:
                    rows[i] = failed_row(jobs[i], str(outcome))
                done()
    table = pd.DataFrame([rows[i] for i in range(len(jobs))])
    _warn_of(table)
    batch = Batch(by_name, laws_by_name, table, folder, temporary=out is None)
    if batch.temporary:
        weakref.finalize(batch, shutil.rmtree, folder, ignore_errors=True)
    return batch


def _checked_laws(laws: Any) -> dict[str, Law]:
    given = [laws] if isinstance(laws, Law) else list(laws)
    for law in given:
        if not isinstance(law, Law):
            hint = f" Did you mean {law.__name__}()?" if isinstance(law, type) else ""
            raise TypeError(f"laws must hold laws such as BNSL(1); got {law!r}.{hint}")
    if not given:
        raise ValueError("laws is empty: give at least one law.")
    names = [law.name for law in given]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"laws has {twice[0]} more than once. Each needs a name of its own.")
    return dict(zip(names, given, strict=True))


def _check_settings(
    workers: int,
    client: Any,
    seed: int | None,
    settings: Mapping[str, Any],
    laws: Any,
    function: Callable[..., Any],
) -> None:
    if checked_integer(workers, "workers") < 1:
        raise ValueError(f"workers must be at least 1; got {workers}.")
    if seed is not None and checked_integer(seed, "seed") < 0:
        raise ValueError(f"seed must be at least 0; got {seed}.")
    if client is not None and not hasattr(client, "submit"):
        raise TypeError(f"client must be a dask.distributed.Client; got {client!r}.")
    known = list(inspect.signature(function).parameters)[2:]
    for name in settings:
        if name not in known:
            raise TypeError(
                f"{function.__name__} takes no argument {name!r}. {did_you_mean(name, known)}"
            )
    for law in laws.values() if workers > 1 else ():
        try:
            pickle.dumps(law)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ValueError(
                f"{law.name} cannot be sent to other processes ({error}). Define its function at "
                "the top of a module, not as a lambda, or pass workers=1."
            ) from None


def _warn_of(table: pd.DataFrame) -> None:
    """Say how many fits are not to be relied on."""
    failed = table[table["error"] != ""]
    if len(failed):
        first = failed.iloc[0]
        warn(
            f"{len(failed)} of {counted(len(table), 'fit')} raised errors, which stand in the "
            f"column 'error' of the table. The first, {first['law']} fitted to {first['curve']!r}: "
            f"{first['error']}",
            FailedFitsWarning,
        )
    doubtful = table[~table["ok"] & (table["error"] == "")]
    if len(doubtful):
        first = doubtful.iloc[0]
        warn(
            f"{len(doubtful)} of {counted(len(table), 'fit')} did not converge; the table says "
            f"why. The first, {first['law']} fitted to {first['curve']!r}: {first['reason']}",
            NotConvergedWarning,
        )
