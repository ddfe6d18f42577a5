"""Jobs over processes: every job is answered once, by a process that lives as long as its parent.

The jobs are expressions for `eval`, which every process can import.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bayes_bnsl import workers
from bayes_bnsl.workers import WorkerDiedError, run_jobs

PID = "__import__('os').getpid()"


def run(jobs, **settings):
    return dict(run_jobs(eval, jobs, [0] * len(jobs), **settings))


def test_one_worker_runs_jobs_here():
    pid = multiprocessing.current_process().pid
    assert run(["1 + 1", PID]) == {0: 2, 1: pid}


def test_processes_answer_every_job_once_and_are_gone_afterwards():
    found = run([f"({n}, {PID})" for n in range(9)], workers=3)
    assert {number: answer[0] for number, answer in found.items()} == {n: n for n in range(9)}
    assert multiprocessing.current_process().pid not in {pid for _, pid in found.values()}
    assert multiprocessing.active_children() == []


def test_a_process_that_dies_loses_its_job_alone():
    jobs = ["1", "__import__('os')._exit(7)", "3", "__import__('os').kill(" + PID + ", 9)", "5"]
    found = run(jobs, workers=2)
    died = {number: str(answer) for number, answer in found.items() if number in (1, 3)}
    assert {number: found[number] for number in (0, 2, 4)} == {0: 1, 2: 3, 4: 5}
    assert all(isinstance(found[number], WorkerDiedError) for number in died)
    assert "ended with code 7" in died[1]
    assert "killed by signal 9" in died[3]


def test_an_error_is_an_answer():
    found = run(["1 / 0", "2"], workers=2)
    assert found[1] == 2
    assert str(found[0]) == "ZeroDivisionError: division by zero"


def test_leaving_early_ends_the_processes():
    answers = run_jobs(eval, ["1", "__import__('time').sleep(60)", "3"], [0] * 3, workers=2)
    next(answers)
    answers.close()
    assert multiprocessing.active_children() == []


class HandlerAtStart:
    """A function that says how Ctrl-C was handled when its process had hardly begun."""

    def __reduce__(self):
        return eval, ("(lambda seen: lambda _: seen)(__import__('signal').getsignal(2))",)


def test_processes_never_hear_an_interruption():
    before = signal.getsignal(signal.SIGINT)
    found = dict(run_jobs(HandlerAtStart(), [0, 1], [0, 0], workers=2))
    assert set(found.values()) == {signal.SIG_IGN}
    assert signal.getsignal(signal.SIGINT) is before


def test_a_script_without_guard_is_told_to_have_one(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from bayes_bnsl.workers import run_jobs\n"
        "print(list(run_jobs(eval, ['1', '2'], [0, 0], workers=2)))\n"
    )
    done = subprocess.run(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": str(Path(workers.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    assert "put what it does under `if __name__ == '__main__':`" in done.stderr


@pytest.mark.parametrize(
    ("known", "others", "chosen"),
    [
        ({"a"}, {"b"}, 1),  # what it knows
        (set(), {"a"}, 0),  # what nobody knows
        (set(), {"a", "b", "c"}, 2),  # what there is most of
        ({"d"}, {"a", "b", "c"}, 2),
    ],
)
def test_kinds_are_compiled_as_seldom_as_can_be(known, others, chosen):
    free, busy = SimpleNamespace(kinds=known), SimpleNamespace(kinds=others)
    kinds = ["b", "a", "c", "c"]
    assert workers._choose(range(4), kinds, free, [free, busy]) == chosen


def test_a_cluster_answers_every_job():
    distributed = pytest.importorskip("dask.distributed")
    with distributed.Client(processes=False, n_workers=1, threads_per_worker=1,
                            dashboard_address=None) as client:  # fmt: skip
        found = run(["1 + 1", "1 / 0", "3"], client=client)
    assert (found[0], found[2]) == (2, 3)
    assert isinstance(found[1], ZeroDivisionError)
