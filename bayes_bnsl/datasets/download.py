"""The public benchmark fetched from where its authors published it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bayes_bnsl.datasets.benchmark import is_benchmark
from bayes_bnsl.errors import did_you_mean
from bayes_bnsl.tables import CsvTable

__all__ = ["fetch_benchmark"]

ADDRESS = (
    "https://raw.githubusercontent.com/google-research/google-research/"
    "9853680c781781bd8d3de20aa61c7373ce059913/revisiting_neural_scaling_laws/data"
)
"""The folder of the benchmark's CSV files at one commit, whose content cannot change."""

FILES = ("benchmark.lang.csv", "benchmark.vision.csv")


def fetch_benchmark(
    folder: str | os.PathLike[str] | None = None,
    *,
    hashes: Mapping[str, str] | None = None,
    address: str = ADDRESS,
) -> Path:
    """Download the CSV files of the public benchmark, unless they are there already.

    They are about a megabyte, under the Apache License 2.0.

    Parameters
    ----------
    folder : path_like, optional
        Where to keep them; it is made if need be. By default a folder of the user's cache, such as
        ``~/.cache/bayes_bnsl/benchmark``.
    hashes : mapping of str to str, optional
        SHA-256 in hexadecimal of each file by name (``benchmark.lang.csv``,
        ``benchmark.vision.csv``), as ``sha256sum`` prints it: write down those of the files that
        you measured with, and nobody measures with others unawares. A file in the folder with
        another hash is fetched again; a fetched one is refused and not kept. Files without a hash
        must only have the columns of the benchmark; what they hold is fixed by the address, which
        names one commit of a git repository.
    address : str, optional
        Address of the folder they are fetched from, such as that of a mirror.

    Returns
    -------
    pathlib.Path
        The folder, for `read_benchmark`.

    Raises
    ------
    ConnectionError
        If a file cannot be fetched whole. Nothing is kept of it.
    ValueError
        If a file is not what it should be, or `hashes` names another file.

    References
    ----------
    Alabdulmohsin, Neyshabur, Zhai, "Revisiting Neural Scaling Laws in Language and Vision",
    NeurIPS 2022.

    Examples
    --------
    >>> from bayes_bnsl import read_benchmark
    >>> curves = read_benchmark(fetch_benchmark())  # doctest: +SKIP
    """
    import pooch
    from requests import RequestException

    expected = dict(hashes or {})
    for name in expected:
        if name not in FILES:
            raise ValueError(f"hashes names {name!r}. {did_you_mean(name, FILES)}")
    target = Path(pooch.os_cache("bayes_bnsl") / "benchmark" if folder is None else folder)
    for name in FILES:
        source = f"{address.rstrip('/')}/{name}"
        known = f"sha256:{expected[name].lower()}" if name in expected else None
        try:
            with _quiet(pooch.get_logger()):
                pooch.retrieve(source, known, fname=name, path=target)
        except RequestException as error:
            raise ConnectionError(
                f"{source} was not fetched: {error}. Try again with a network, or put the file "
                f"into {target} yourself."
            ) from error
        except ValueError as error:
            raise ValueError(
                f"{source} was not kept: {error} Mend `hashes` if you expect this file, else the "
                "address."
            ) from error
        _check_columns(target / name, source)
    return target


def _check_columns(path: Path, source: str) -> None:
    """Refuse a file that is no part of the benchmark, such as the page of a network's login."""
    try:
        right = is_benchmark(CsvTable.read(path))
    except ValueError:
        right = False
    if not right:
        path.unlink()
        raise ValueError(
            f"{source} is no part of the benchmark: it lacks its columns. It was not kept; look at "
            "what that address shows in a browser."
        )


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Keep what a library says of its progress from the terminal."""
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
