"""Curves of a table: told apart by a column, with the names that users gave."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import bayes_bnsl as bb

FRAME = pd.DataFrame(
    {
        "task": ["b", "a", "b", "a", "b"],
        "n": [1, 10, 4, 20, 2],
        "loss": [4.0, 3.0, 2.5, 2.0, 3.0],
        "seed": ["s", "t", "s", "u", "s"],
        "se": [0.1, 0.2, 0.1, 0.2, 0.1],
    }
)
COLUMNS = {"x": "n", "y": "loss", "by": "task"}


@pytest.mark.parametrize(
    "make",
    [lambda f: f, pl.from_pandas, lambda f: f.to_dict("list"), lambda f: f.to_records(index=False)],
    ids=["pandas", "polars", "dict", "structured array"],
)
def test_tables_of_all_kinds(make):
    table = make(FRAME[["task", "n", "loss"]])
    curves = bb.read_curves(table, **COLUMNS)
    assert list(curves) == ["b", "a"]
    assert curves["b"] == bb.Curve([1, 2, 4], [4, 3, 2.5], name="b", x_name="n", y_name="loss")


def test_file_with_runs_and_errors(tmp_path):
    path = tmp_path / "long.csv"
    FRAME.to_csv(path, index=False)
    curves = bb.read_curves(path, **COLUMNS, run="seed", y_se="se")
    assert curves["a"].runs == ("t", "u")
    np.testing.assert_array_equal(curves["a"].y_se, [0.2, 0.2])


def test_without_a_column_there_is_one_curve(tmp_path):
    path = tmp_path / "all.csv"
    FRAME.to_csv(path, index=False)
    (name, curve), *others = bb.read_curves(path, x="n", y="loss").items()
    assert (name, len(curve), others) == ("all", 5, [])
    assert curve == bb.Curve.from_csv(path, x="n", y="loss")


def test_accuracies_may_be_zero():
    table = {"n": [1, 2, 4], "acc": [0.0, 50.0, 75.0]}
    curve = bb.read_curves(table, x="n", y="acc", ceiling=100)["curve"]
    np.testing.assert_array_equal(curve.y, [100, 50, 25])
    assert (curve.ceiling, curve.y_name) == (100, "100 - acc")


def test_names_that_numpy_would_shorten_stay_apart():
    table = {"task": ["a", "a\0", "a", "a\0"], "n": [1, 1, 2, 2], "loss": [4, 3, 2, 1]}
    assert list(bb.read_curves(table, **COLUMNS)) == ["a", "a\0"]


def test_masked_rows_are_refused():
    y = np.ma.masked_array([1.0, 2.0], [False, True])
    with pytest.raises(ValueError, match="y must hold positive numbers, but 1 of 2 is masked"):
        bb.read_curves({"n": [1, 2], "loss": y}, x="n", y="loss")


def test_the_message_names_curve_and_line(tmp_path):
    path = tmp_path / "long.csv"
    FRAME.assign(loss=[4.0, 3.0, 2.5, -2.0, 3.0]).to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"The curve 'a' \(row 0 is line 3 of .*row 1, counted"):
        bb.read_curves(path, **COLUMNS)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"by": "tusk"}, "by='tusk' is no column. Did you mean 'task'?"),
        ({"y": "los"}, "y='los' is no column. Did you mean 'loss'?"),
    ],
)
def test_unknown_columns(changed, message):
    with pytest.raises(ValueError, match=message):
        bb.read_curves(FRAME, **COLUMNS | changed)


def test_missing_names():
    with pytest.raises(ValueError, match=r"by must hold labels.*missing"):
        bb.read_curves(FRAME.assign(task=["a", None, "a", "b", "b"]), **COLUMNS)


class TestFamilies:
    def test_family_of_each_curve(self, tmp_path):
        path = tmp_path / "tasks.csv"
        FRAME.to_csv(path, index=False)
        for table in (FRAME, path):
            assert bb.read_families(table, by="seed", family="task") == {
                "s": "b",
                "t": "a",
                "u": "a",
            }

    def test_a_curve_of_two_families_is_refused(self):
        with pytest.raises(ValueError, match="'a' name the families 't' and 'u' in the column"):
            bb.read_families(FRAME, by="task", family="seed")

    def test_a_missing_column_is_named(self):
        with pytest.raises(ValueError, match="family='kind' is no column"):
            bb.read_families(FRAME, by="task", family="kind")

    def test_it_is_what_a_batch_pools_by(self):
        table = FRAME.assign(kind="sums")
        curves = bb.read_curves(table, **COLUMNS)
        assert set(bb.read_families(table, by="task", family="kind")) == set(curves)
