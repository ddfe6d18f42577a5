"""What the commands that measure for long share: rows of a CSV file, added one by one.

A measurement that was stopped goes on where it was: what has a row is not measured again.
"""

import csv
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import bayes_bnsl as bb

LAWS = {law.name: law for law in (*map(bb.BNSL, range(4)), bb.M1(), bb.M2(), bb.M3(), bb.M4())}


def add_arguments(parser, laws):
    """Add the arguments that every such command has."""
    parser.add_argument("--laws", nargs="+", choices=LAWS, default=laws, metavar="LAW")
    parser.add_argument("--workers", type=int, default=1, help="processes that measure")
    parser.add_argument("--every", type=int, default=1, help="take every k-th curve only")


def chains_at_once(workers):
    """Return how many chains a worker may run at once, for all workers to have a core a chain."""
    return max(1, (os.cpu_count() or 1) // workers)


def measure(path, columns, jobs, work, *, workers=1):
    """Measure what has no row yet, and return all rows of the jobs.

    Parameters
    ----------
    path : path
        The CSV file.
    columns : list of str
        Its header; the first of them tell the jobs apart.
    jobs : dict
        Arguments of `work` by job; a job is the tuple of the first entries of its row, as text.
    work : callable
        Returns the rest of the row as a dict. What it raises is kept in the column ``status``.
    workers : int
        Processes to use; the rows do not depend on it.
    """
    n_keys = len(next(iter(jobs)))
    rows = {tuple(row[name] for name in columns[:n_keys]): row for row in read(path, columns)}
    todo = {job: arguments for job, arguments in jobs.items() if job not in rows}
    print(f"{path}: {len(jobs) - len(todo)} of {len(jobs)} rows are there.", flush=True)
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        for job, result in results(todo, work, workers):
            row = dict(zip(columns, job, strict=False)) | result
            rows[job] = {name: str(row.get(name, "")) for name in columns}
            writer.writerow(rows[job])
            file.flush()
    return [rows[job] for job in jobs]


def read(path, columns):
    """Read the rows of a file; make it if it is not there, and drop a line that was cut off."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or not path.stat().st_size:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(columns)
    text = path.read_bytes()
    if not text.endswith(b"\n"):
        path.write_bytes(text[: text.rfind(b"\n") + 1])
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != columns:
            raise SystemExit(f"{path} has other columns than {columns}. Move it away.")
        return list(reader)


def results(jobs, work, workers):
    """Yield (job, result) as they are done."""
    if workers == 1:
        for job, arguments in jobs.items():
            yield job, guarded(work, arguments)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        running = {pool.submit(guarded, work, arguments): job for job, arguments in jobs.items()}
        for future in as_completed(running):
            yield running[future], future.result()


def guarded(work, arguments):
    """Do the work; an error becomes a row that names it, so that the others are measured."""
    try:
        return work(*arguments)
    except Exception as error:
        return {"status": f"raised {type(error).__name__}: {error}"}


def markdown(header, rows):
    """Return a table as Markdown; columns after the first are aligned to the right."""
    lines = [header, ["---", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def folder_argument(text):
    """Return an existing folder."""
    path = Path(text)
    if not path.is_dir():
        raise SystemExit(f"There is no folder {path}.")
    return path
