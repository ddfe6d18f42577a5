"""Many curves: the same fits as one by one, in any order, on any workers, killed or not."""

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayes_bnsl as bb
from bayes_bnsl import batch as batches
from bayes_bnsl.jobs import Job, make_job, run_job, seed_of, units_of

PRIORS = {"sigma": 0.02}
SETTINGS = {"priors": PRIORS, "draws": 500, "seed": 1, "progress": False}
X = np.geomspace(1, 1e3, 12)


def task(n):
    return bb.simulate(bb.M1(), {"a": 2.0, "b": -0.3}, X, 0.02, seed=n, name=f"../task {n}")


TASKS = [task(n) for n in range(3)]
OWN = bb.Custom(lambda u, p, xp: p["k"] - p["r"] * u, ("k", "r"), "line")
ONE_X = bb.Curve([5, 5], [1.0, 1.1], name="one x")


def fit_tasks(curves=(*TASKS, ONE_X), laws=None, **changed):
    with pytest.warns(bb.FailedFitsWarning, match="1 of 4 fits raised errors.*'one x'"):
        return bb.fit_many(curves, laws or bb.M1(), **SETTINGS | changed)


def same_draws(one, other):
    return one.data["posterior"].to_dataset().identical(other.data["posterior"].to_dataset())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fits") / "made" / "on the way"


@pytest.fixture(scope="module")
def batch(folder):
    return fit_tasks(out=folder)


@pytest.fixture
def fitted_again(monkeypatch):
    """Names of the curves that are fitted in this test."""
    names = []

    def run_and_tell(job):
        names.append(job.curve.name if isinstance(job, Job) else "family")
        return run_job(job)

    monkeypatch.setattr(batches, "run_job", run_and_tell)
    return names


class TestFitMany:
    def test_a_row_for_every_fit_in_order(self, batch):
        table = batch.table
        assert list(table["curve"]) == [*(curve.name for curve in TASKS), "one x"]
        assert list(table["status"]) == ["converged"] * 3 + ["error"]
        assert list(table["ok"]) == [True] * 3 + [False]
        assert list(table["n_points"]) == [12] * 3 + [2]
        assert set(table["law"]) == {"M1"}
        assert set(table["noise"]) == {"LogNormal"}
        assert table["seconds"][:3].gt(0).all()
        assert table["error"][3].startswith("ValueError: The curve 'one x' has one x only")
        assert table["path"][3] == ""
        assert table["reason"][0] == str(batch.fit(TASKS[0], bb.M1()).status)

    def test_fits_are_those_of_fit(self, batch):
        alone = bb.fit(TASKS[1], bb.M1(), **SETTINGS | {"seed": seed_of(1, TASKS[1].name, "M1")})
        assert same_draws(batch.fit("../task 1", "M1"), alone)

    def test_order_does_not_matter(self, batch):
        turned = fit_tasks([ONE_X, *TASKS[::-1]])
        assert list(turned.table["curve"]) == ["one x", *(curve.name for curve in TASKS[::-1])]
        for curve in TASKS:
            assert same_draws(turned.fit(curve, "M1"), batch.fit(curve, "M1"))

    def test_files_are_all_there_is_and_stay_in_the_folder(self, batch, folder):
        paths = [Path(path) for path in batch.table["path"] if path]
        assert sorted(folder.iterdir()) == sorted(paths)
        assert batch.folder == folder.resolve()

    def test_what_is_done_is_not_done_again(self, batch, folder, fitted_again):
        again = fit_tasks(out=folder)
        assert fitted_again == ["one x"]
        pd.testing.assert_frame_equal(again.table, batch.table)

    def test_what_changed_is_done_again(self, batch, folder, fitted_again):
        changed = replace(TASKS[1], y=TASKS[1].y * 1.001)
        again = fit_tasks([TASKS[0], changed, TASKS[2], ONE_X], out=folder)
        assert fitted_again == [changed.name, "one x"]
        assert again.fit(changed, "M1").curve == changed
        assert batch.fit(changed, "M1").curve == TASKS[1]  # nothing was overwritten

    def test_without_a_seed_any_fit_will_do(self, tmp_path, fitted_again):
        for _ in range(2):
            bb.fit_many(TASKS[0], bb.M1(), out=tmp_path, **SETTINGS | {"seed": None})
        assert fitted_again == [TASKS[0].name]

    def test_laws_of_the_user_are_always_fitted(self, tmp_path, fitted_again, custom_fit):
        curve, law, priors = custom_fit.curve, custom_fit.law, custom_fit.priors
        for _ in range(2):
            done = bb.fit_many(curve, law, out=tmp_path, **SETTINGS | {"priors": priors})
        assert len(fitted_again) == 2
        assert done.fit(curve, law).law is law

    def test_doubtful_fits_are_told_of_once(self):
        settings = SETTINGS | {"draws": 20, "max_gradients": 1}
        with pytest.warns(bb.NotConvergedWarning, match="2 of 2 fits did not converge") as told:
            done = bb.fit_many(TASKS[:2], bb.M1(), **settings)
        assert len(told) == 1
        assert not done.table["ok"].any()
        assert set(done.table["error"]) == {""}

    def test_each_fit_chooses_its_noise(self):
        settings = SETTINGS | {"priors": None}
        chosen = bb.fit_many(TASKS[0], bb.M1(), noise="auto", **settings)
        seed = seed_of(1, TASKS[0].name, "M1")
        alone = bb.fit(TASKS[0], bb.M1(), noise="auto", **settings | {"seed": seed})
        assert list(chosen.table["noise"]) == [alone.noise.name]
        assert same_draws(chosen.fit(TASKS[0], "M1"), alone)

    def test_names_of_a_mapping_are_those_of_its_curves(self, folder):
        done = bb.fit_many({"a": TASKS[0], "b": TASKS[0]}, bb.M1(), **SETTINGS)
        assert [done.fit(name, "M1").curve.name for name in ("a", "b")] == ["a", "b"]
        assert not same_draws(done.fit("a", "M1"), done.fit("b", "M1"))

    def test_an_interruption_leaves_what_is_done(self, tmp_path, monkeypatch):
        def interrupted(job):
            if job.curve.name == TASKS[1].name:
                raise KeyboardInterrupt
            return run_job(job)

        monkeypatch.setattr(batches, "run_job", interrupted)
        with pytest.raises(KeyboardInterrupt):
            bb.fit_many(TASKS, bb.M1(), out=tmp_path, **SETTINGS)
        (left,) = tmp_path.iterdir()
        assert bb.load_fit(left).curve == TASKS[0]

    def test_an_interruption_ends_the_processes(self, monkeypatch):
        def interrupted(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(batches, "run_job", repr)  # any text will do for an answer
        monkeypatch.setattr(batches, "failed_row", interrupted)
        with pytest.raises(KeyboardInterrupt) as held:  # with the frames of its traceback
            bb.fit_many(TASKS, bb.M1(), workers=2, **SETTINGS)
        assert multiprocessing.active_children() == []
        assert held.traceback

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"curves": []}, ValueError, "curves is empty"),
            ({"curves": "abc"}, TypeError, "curves must be a sequence of Curve"),
            ({"curves": [1]}, TypeError, "curves must hold Curve alone; got 1"),
            ({"curves": [task(1), task(1)]}, ValueError, "the name '../task 1' more than once"),
            ({"laws": []}, ValueError, "laws is empty"),
            ({"laws": [bb.M1]}, TypeError, r"Did you mean M1\(\)"),
            ({"laws": [bb.M1(), bb.M1()]}, ValueError, "laws has M1 more than once"),
            ({"noise": "white"}, ValueError, "noise is 'white'. Give 'auto', or a noise model"),
            ({"workers": 0}, ValueError, "workers must be at least 1"),
            ({"workers": 2, "laws": OWN}, ValueError, "line cannot be sent to other processes"),
            ({"seed": -1}, ValueError, "seed must be at least 0"),
            ({"client": 3}, TypeError, "client must be a dask.distributed.Client"),
            ({"drawz": 3}, TypeError, "fit takes no argument 'drawz'. Did you mean 'draws'"),
        ],
    )
    def test_arguments(self, arguments, error, message):
        with pytest.raises(error, match=message):
            bb.fit_many(**{"curves": TASKS, "laws": bb.M1()} | arguments)


class TestFamilies:
    """Curves fitted together: the same kind as in test_pooling.py."""

    def fit_family(self, curves=(*TASKS, ONE_X), **changed):
        return fit_tasks(curves, pool=True, **changed)

    def test_fits_are_those_of_fit_together(self, tmp_path, fitted_again):
        done = self.fit_family(out=tmp_path)
        assert list(done.table["curve"]) == [*(curve.name for curve in TASKS), "one x"]
        assert list(done.table["ok"]) == [True] * 3 + [False]
        assert fitted_again == ["one x", "family"]
        names = sorted(curve.name for curve in TASKS)
        settings = SETTINGS | {"seed": seed_of(1, *names, "M1")}
        together = bb.fit_together(TASKS, bb.M1(), **settings)
        for curve in TASKS:
            fit = done.fit(curve, "M1")
            assert fit.is_pooled
            assert same_draws(fit, together[curve.name])
        again = self.fit_family([ONE_X, *TASKS[::-1]], out=tmp_path)
        assert fitted_again == ["one x", "family", "one x"]  # what is done is not done again
        assert same_draws(again.fit(TASKS[1], "M1"), done.fit(TASKS[1], "M1"))

    def test_one_curve_that_changed_changes_all(self):
        changed = [replace(TASKS[0], y=TASKS[0].y * 1.001), *TASKS[1:]]
        files = {
            tuple(sorted(make_job(each, bb.M1(), None, 1, {}, family).file for each in family))
            for family in (TASKS, changed, TASKS[::-1], TASKS[1:])
        }
        assert len(files) == 3
        assert make_job(TASKS[0], bb.M1(), None, 1, {}).file not in {
            f for each in files for f in each
        }

    def test_families_by_name(self):
        labels = {"../task 0": "a", "../task 1": "b", "../task 2": "a"}
        wanted = [(curve, law) for curve in TASKS for law in (bb.M1(), bb.BNSL(0))]
        assert units_of(wanted, labels, None, None) == [
            ([0, 4], True), ([1, 5], True), ([2], True), ([3], True)
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"pool": "task"}, TypeError, "pool must be True, or a mapping"),
            ({"pool": {"../task 0": "a"}}, ValueError, "no family for the curve '../task 1'"),
            ({"pool": True, "laws": OWN}, ValueError, "line is a law of your own"),
            ({"pool": True, "noise": "auto"}, ValueError, "independent noise"),
            ({"pool": True, "scale": 3}, TypeError, "fit_together takes no argument 'scale'"),
        ],
    )
    def test_arguments(self, arguments, error, message):
        with pytest.raises(error, match=message):
            bb.fit_many(**{"curves": TASKS, "laws": bb.M1()} | arguments)


class TestBatch:
    @pytest.mark.parametrize(
        ("curve", "law", "message"),
        [
            ("task", "M1", "The batch has no curve 'task'. Did you mean"),
            ("../task 1", "M2", "The batch has no law 'M2'. There are: 'M1'."),
            ("one x", "M1", "There is no fit of M1 to 'one x': ValueError: The curve"),
        ],
    )
    def test_what_is_not_there(self, batch, curve, law, message):
        with pytest.raises(ValueError, match=message):
            batch.fit(curve, law)

    def test_repr(self, batch):
        assert repr(batch).startswith(
            "<Batch of 4 fits: 4 curves, 1 law; 3 converged, 1 error; in "
        )

    def test_tree_of_all_fits(self, batch):
        tree = batch.to_datatree()
        assert list(tree.children) == ["..|task 0", "..|task 1", "..|task 2"]
        node = tree["..|task 1/M1"]
        assert node.attrs == {"curve": "../task 1", "law": "M1", "status": "converged"}
        values = node["posterior"]["a"]
        assert not values.variable._in_memory  # it takes no memory before it is used
        np.testing.assert_array_equal(values, batch.fit("../task 1", "M1").posterior["a"])
        node.close()

    def test_without_a_folder_files_live_as_long_as_the_batch(self):
        done = bb.fit_many(TASKS[0], bb.M1(), **SETTINGS)
        folder, tree = done.folder, done.to_datatree()
        assert list(folder.iterdir())
        del done
        gc.collect()
        assert not folder.exists()
        assert tree["..|task 0/M1/posterior"]["a"].values.all()


class TestTables:
    def test_forecasts_are_those_of_forecast(self, batch):
        table = bb.forecast_many(batch, times=[2, 10], prob=0.8, seed=3)
        assert len(table) == 6
        row = table.iloc[3]
        assert (row["curve"], row["law"], row["ok"]) == ("../task 1", "M1", True)
        at = TASKS[1].x[-1] * 10
        ahead = bb.forecast(
            batch.fit("../task 1", "M1"),
            [TASKS[1].x[-1] * 2, at],
            seed=seed_of(3, "../task 1", "M1"),
        )
        bounds = bb.interval(ahead, prob=0.8).sel(x=at)
        assert row["x"] == at
        assert np.isclose(row["decades_beyond"], 1)
        for name in ("curve", "y"):
            for bound in ("lower", "median", "upper"):
                assert row[f"{name}_{bound}"] == float(bounds[name].sel(bound=bound))

    def test_forecasts_with_unseen_breaks(self, batch):
        table = bb.forecast_many(batch, [1e4], unseen_breaks=1.0, seed=3)
        seed = seed_of(3, "../task 0", "M1")
        ahead = bb.forecast(batch.fit("../task 0", "M1"), [1e4], unseen_breaks=1.0, seed=seed)
        upper = bb.interval(ahead)["curve"].sel(bound="upper")
        assert table["curve_upper"][0] == float(upper.item())

    def test_each_curve_at_places_of_its_own(self, batch):
        table = bb.forecast_many(batch, {curve.name: [10.0 + i] for i, curve in enumerate(TASKS)})
        assert list(table["x"]) == [10.0, 11.0, 12.0]
        same = bb.forecast_many(batch, [7.0])
        assert list(same["x"]) == [7.0] * 3

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({}, TypeError, "Give either x or times; got neither"),
            ({"x": [1.0], "times": [2.0]}, TypeError, "Give either x or times; got both"),
            ({"x": {"../task 0": [1.0]}}, ValueError, "x has no entry for the curve '../task 1'"),
            ({"times": [-1.0]}, ValueError, "times must hold positive numbers"),
        ],
    )
    def test_arguments_of_forecasts(self, batch, arguments, error, message):
        with pytest.raises(error, match=message):
            bb.forecast_many(batch, **arguments)

    def test_comparisons_are_those_of_compare(self, batch, line_fit):
        table = bb.compare_many(batch, seed=1, progress=False)
        assert list(table["curve"]) == [curve.name for curve in TASKS]
        alone = bb.compare([batch.fit("../task 0", "M1")], seed=1, progress=False)
        assert np.isclose(table["elpd"][0], alone.table["elpd"].iloc[0])
        assert table["best"].all()
        assert table["simplest"].all()

    @pytest.mark.parametrize("function", [bb.forecast_many, bb.compare_many])
    def test_they_take_a_batch(self, function):
        with pytest.raises(TypeError, match=r"batch must be the result of bayes_bnsl\.fit_many"):
            function([1])

    @pytest.mark.parametrize(
        "function", [lambda b: bb.forecast_many(b, times=2.0), bb.compare_many]
    )
    def test_nothing_but_errors(self, function):
        with pytest.warns(bb.FailedFitsWarning, match="1 of 1 fit raised"):
            failed = bb.fit_many(ONE_X, bb.M1(), **SETTINGS)
        with pytest.raises(ValueError, match="all raised errors"):
            function(failed)


@pytest.mark.slow  # each process imports and compiles
@pytest.mark.parametrize("where", ["processes", "cluster"])
def test_workers_do_not_matter(where, batch):
    if where == "processes":
        other = fit_tasks(workers=2)
    else:
        distributed = pytest.importorskip("dask.distributed")
        with (
            distributed.LocalCluster(
                n_workers=1, threads_per_worker=1, dashboard_address=None
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            other = fit_tasks(client=client)
    for curve in TASKS:
        assert same_draws(other.fit(curve, "M1"), batch.fit(curve, "M1"))


SCRIPT = """
import numpy as np
import bayes_bnsl as bb

if __name__ == "__main__":
    x = np.geomspace(1, 1e3, 12)
    curves = [
        bb.simulate(bb.M1(), {"a": 2.0, "b": -0.3}, x, 0.02, seed=n, name=f"task {n}")
        for n in range(12)
    ]
    bb.fit_many(curves, bb.M1(), workers=WORKERS, out="fits", seed=1, priors={"sigma": 0.02})
    print("done")
"""


@pytest.mark.slow  # two runs of a program of its own
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_goes_on_where_it_was(tmp_path, workers):
    (tmp_path / "many.py").write_text(SCRIPT.replace("WORKERS", str(workers)))
    start = {
        "args": [sys.executable, "many.py"],
        "cwd": tmp_path,
        "env": {**os.environ, "PYTHONPATH": str(Path(batches.__file__).parents[1])},
        "text": True,
        "stdout": subprocess.PIPE,
    }
    killed = subprocess.Popen(**start)
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("fits/*.nc"))) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)  # workers hold the pipe: it closes once they are gone too
    left = {path: path.read_bytes() for path in tmp_path.glob("fits/*.nc")}
    assert 2 <= len(left) < 12
    for path in left:
        bb.load_fit(path)
    assert subprocess.run(**start, check=True).stdout == "done\n"
    assert len(list(tmp_path.glob("fits/*.nc"))) == 12
    assert all(path.read_bytes() == content for path, content in left.items())
