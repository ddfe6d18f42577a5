"""One progress bar for all chains or jobs, in a terminal or a notebook; nothing in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["chains_progress", "jobs_progress"]


@contextmanager
def chains_progress(chains: int, steps: int, *, shown: bool) -> Iterator[Callable[..., Any]]:
    """Show how far the chains of a round are.

    Parameters
    ----------
    chains : int
        Number of chains.
    steps : int
        Steps of each, adaptation included.
    shown : bool
        Whether to show it at all.

    Yields
    ------
    callable
        ``report(chain)`` returns the callback of a chain, which takes nutpie's list of
        ``ChainProgress``.
    """
    console = Console()
    visible = shown and (console.is_terminal or console.is_jupyter)
    done, divergent = [0] * chains, [0] * chains
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} steps, {task.fields[divergent]} divergent"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not visible, transient=True) as bar:
        task = bar.add_task(f"{chains} chains", total=chains * steps, divergent=0)

        def report(chain: int) -> Callable[[list[Any]], None]:
            def callback(states: list[Any]) -> None:
                done[chain], divergent[chain] = states[0].finished_draws, states[0].divergences
                bar.update(task, completed=sum(done), divergent=sum(divergent))

            return callback

        yield report


@contextmanager
def jobs_progress(what: str, total: int, *, shown: bool) -> Iterator[Callable[[], None]]:
    """Show how many jobs are done.

    Parameters
    ----------
    what : str
        What is counted.
    total : int
        Number of jobs.
    shown : bool
        Whether to show it at all.

    Yields
    ------
    callable
        To be called after each job.
    """
    console = Console()
    visible = shown and (console.is_terminal or console.is_jupyter)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not visible, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)
