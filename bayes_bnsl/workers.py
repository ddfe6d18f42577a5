"""Independent jobs over the processes of this machine, or over a Dask cluster.

A process compiles what a kind of job needs once and keeps it, so jobs go to a process that has
seen their kind if there is one. The parent hands out one job at a time and knows who runs what:
if a process dies, that job alone is lost.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from collections import Counter
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

__all__ = ["WorkerDiedError", "run_jobs"]


class WorkerDiedError(RuntimeError):
    """The process that ran a job ended before the job did."""


def run_jobs(
    function: Callable[[Any], Any],
    jobs: Sequence[Any],
    kinds: Sequence[Hashable],
    *,
    workers: int = 1,
    client: Any = None,
) -> Generator[tuple[int, Any]]:
    """Run a function of one argument on many, in any order.

    Close the generator when you leave it early, as `contextlib.closing` does: that ends the
    processes.

    Parameters
    ----------
    function : callable
        What runs; a function of a module, which other processes can import.
    jobs : sequence
        Its arguments, one a job.
    kinds : sequence of hashable
        What each job needs to be compiled for.
    workers : int, default 1
        Number of processes; with one, jobs run in this process.
    client : dask.distributed.Client, optional
        The cluster that runs them instead.

    Yields
    ------
    tuple of int and object
        The position of a job and what the function returned, as soon as it is done; or the
        exception, where a process could not run the job to its end.

    Raises
    ------
    RuntimeError
        If processes cannot be started.
    """
    if client is not None:
        yield from _on_cluster(function, jobs, client)
    elif workers == 1 or len(jobs) < 2:
        for number, job in enumerate(jobs):
            yield number, function(job)
    else:
        yield from _in_processes(function, jobs, kinds, min(workers, len(jobs)))


def _on_cluster(
    function: Callable[[Any], Any], jobs: Sequence[Any], client: Any
) -> Iterator[tuple[int, Any]]:
    from dask.distributed import as_completed

    # a seed that is drawn at random makes equal jobs differ: pure=False
    futures = {client.submit(function, job, pure=False): i for i, job in enumerate(jobs)}
    finished = as_completed(futures)
    try:
        for future in finished:
            error = future.exception()
            number = futures.pop(future)
            yield number, future.result() if error is None else error
            future.release()  # the cluster forgets the result, which is on disk by now
    finally:
        client.cancel(list(futures))


class _Worker:
    """A process, what it runs, and the kinds it has compiled."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        # A forked process would inherit locks of threads that it does not have.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, function))
        with _deaf_to_interrupts():
            self.process.start()
        theirs.close()
        self.started = False
        self.job: int | None = None
        self.kinds: set[Hashable] = set()

    def give(self, number: int, job: Any, kind: Hashable) -> None:
        self.job = number
        self.kinds.add(kind)
        with contextlib.suppress(OSError):  # dead: seen when its answer is awaited
            self.connection.send(job)

    def end(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.join()


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Start processes that never hear Ctrl-C, not even while they import: the parent ends them."""
    if threading.current_thread() is not threading.main_thread():  # no other may change signals
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


def _serve(connection: Connection, function: Callable[[Any], Any]) -> None:
    """Answer jobs until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C, and ends its workers
    connection.send(None)
    with contextlib.suppress(EOFError, OSError):
        while True:
            try:
                answer = function(connection.recv())
            except (EOFError, OSError):
                raise
            except Exception as error:  # such as a job that this process cannot unpickle
                answer = RuntimeError(f"{type(error).__name__}: {error}")
            connection.send(answer)


def _in_processes(
    function: Callable[[Any], Any], jobs: Sequence[Any], kinds: Sequence[Hashable], count: int
) -> Iterator[tuple[int, Any]]:
    waiting = list(range(len(jobs)))
    workers: list[_Worker] = []
    try:
        workers += [_Worker(function) for _ in range(count)]
        while workers:
            ready = wait([worker.connection for worker in workers])[0]
            worker = next(each for each in workers if each.connection is ready)
            number, answer = worker.job, _answer(worker)
            died = isinstance(answer, WorkerDiedError)
            if died or not waiting:
                workers.remove(worker)
                worker.end()
            if died and waiting:
                workers.append(_Worker(function))
            elif waiting:
                chosen = _choose(waiting, kinds, worker, workers)
                waiting.remove(chosen)
                worker.give(chosen, jobs[chosen], kinds[chosen])
            if number is not None:
                yield number, answer
    finally:
        for worker in workers:
            worker.end()


def _answer(worker: _Worker) -> Any:
    """Return what a worker says, or that it died."""
    try:
        answer = worker.connection.recv()
    except (EOFError, OSError):
        worker.process.join()
        code = worker.process.exitcode
        if not worker.started:
            raise RuntimeError(
                f"Other processes cannot start (exit code {code}; their message is above). If "
                "this is a script, put what it does under `if __name__ == '__main__':`, since "
                "every process imports it; a program read from stdin cannot have others. Or pass "
                "workers=1."
            ) from None
        how = f"was killed by signal {-code}" if code and code < 0 else f"ended with code {code}"
        return WorkerDiedError(
            f"The process that ran it {how}; if memory ran out, pass fewer workers."
        )
    worker.started = True
    return answer


def _choose(
    waiting: Sequence[int], kinds: Sequence[Hashable], worker: _Worker, workers: Sequence[_Worker]
) -> int:
    """Return a job of a kind that the worker knows, else that nobody knows, else the commonest."""
    known = set().union(*(other.kinds for other in workers))
    commonest = Counter(kinds[number] for number in waiting).most_common(1)[0][0]
    rules: tuple[Callable[[Hashable], bool], ...] = (
        lambda kind: kind in worker.kinds,
        lambda kind: kind not in known,
        lambda kind: kind == commonest,
    )
    return next(number for rule in rules for number in waiting if rule(kinds[number]))
