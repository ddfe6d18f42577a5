"""The data: what a `Curve` accepts, keeps, refuses and shows."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import decimal
import enum
import pickle
import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from bayes_bnsl.curve import Curve
from bayes_bnsl.errors import BayesBnslWarning, DuplicateRowsWarning

GOOD = [1.0, 2.0, 3.0]

positive = st.floats(min_value=1e-300, max_value=1e300)
# Few values, so that equal x and equal rows are common.
few = st.sampled_from([0.5, 1.0, 2.0, 4.0])
rows_with_ties = st.lists(st.tuples(few, few), min_size=1, max_size=30)
distinct_rows = st.lists(st.tuples(positive, positive), min_size=1, max_size=30, unique=True)


class Seed(enum.IntEnum):
    FIRST = 1


def curve_of(rows, **keywords):
    x, y = zip(*rows, strict=True)
    return Curve(x, y, **keywords)


def rows_of(curve):
    return list(zip(curve.x.tolist(), curve.y.tolist(), strict=True))


# --- what it keeps ------------------------------------------------------------------------


def test_sorts_every_column_by_x():
    curve = Curve([3, 1, 2], [30, 10, 20], y_se=[0.3, 0.1, 0.2], run=["c", "a", "b"])
    assert curve.x.tolist() == [1, 2, 3]
    assert curve.y.tolist() == [10, 20, 30]
    assert curve.y_se.tolist() == [0.1, 0.2, 0.3]
    assert curve.run.tolist() == ["a", "b", "c"]
    assert len(curve) == curve.n_points == 3


def test_logs_are_natural():
    curve = Curve([1, np.e], [1, np.e**2])
    np.testing.assert_allclose(curve.log_x, [0, 1])
    np.testing.assert_allclose(curve.log_y, [0, 2])


def test_scatter_is_that_about_a_smooth_curve():
    x = np.sort(np.exp(np.random.default_rng(1).uniform(0, 9, 2000)))
    smooth = np.log(0.1 + 3 * x**-0.4)
    noise = np.random.default_rng(2).standard_normal(2000)
    for size in (0.01, 0.1):
        assert Curve(x, np.exp(smooth + size * noise)).scatter == pytest.approx(size, rel=0.06)
    assert Curve(x, 3 * x**-0.4).scatter < 1e-12
    assert Curve([1, 2], [3, 2]).scatter == 0
    replicates = Curve(np.repeat(x[:500], 4), np.exp(0.1 * noise))
    assert replicates.scatter == pytest.approx(0.1, rel=0.1)


def test_one_point_far_off_hardly_changes_the_scatter():
    x = np.geomspace(1, 1e4, 40)
    log_y = -0.3 * np.log(x) + 0.01 * np.random.default_rng(1).standard_normal(40)
    before = Curve(x, np.exp(log_y)).scatter
    log_y[20] += 1.0
    assert Curve(x, np.exp(log_y)).scatter < 1.3 * before


def test_replicates_keep_the_order_given():
    assert Curve([2, 1, 2, 2], [5, 1, 7, 6]).y.tolist() == [1, 5, 7, 6]


def test_exact_duplicates_are_dropped_and_counted():
    with pytest.warns(DuplicateRowsWarning, match=r"Dropped 2 of 5 rows .*'mine'.*x, y") as caught:
        curve = Curve([1, 2, 1, 1, 1], [5, 6, 5, 5, 7], name="mine")
    assert rows_of(curve) == [(1, 5), (1, 7), (2, 6)]
    assert caught[0].filename == __file__
    assert issubclass(DuplicateRowsWarning, BayesBnslWarning)
    assert issubclass(BayesBnslWarning, UserWarning)


def test_the_warning_points_at_the_caller_of_a_constructor():
    with pytest.warns(DuplicateRowsWarning) as caught:
        Curve.from_frame({"a": [1, 1], "b": [2, 2]}, x="a", y="b")
    assert caught[0].filename == __file__


@pytest.mark.parametrize("extra", [{"run": ["a", "b"]}, {"y_se": [0.1, 0.2]}])
def test_rows_that_differ_in_any_field_are_no_duplicates(extra):
    assert len(Curve([1, 1], [2, 2], **extra)) == 2


def test_arrays_are_read_only_copies_of_float64():
    x = np.array([1, 2, 3], dtype=np.float32)
    curve = Curve(x, GOOD, y_se=[0, 0, 0], run=["a", "a", "b"])
    x[0] = 99
    assert curve.x[0] == 1
    for copied in (curve, copy.deepcopy(curve), pickle.loads(pickle.dumps(curve))):
        assert copied.x.dtype == copied.y.dtype == copied.y_se.dtype == np.float64
        for array in (copied.x, copied.y, copied.y_se, copied.run):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = array[1]
    with pytest.raises(dataclasses.FrozenInstanceError):
        curve.name = "other"


def test_runs_and_their_codes():
    curve = Curve([3, 1, 2], GOOD, run=["seed 1", "b", "seed 1"])
    assert curve.runs == ("b", "seed 1")
    assert curve.run_index.tolist() == [0, 1, 1]
    assert Curve(GOOD, GOOD).runs == ()
    assert Curve(GOOD, GOOD).run_index is None


def test_run_labels_from_a_generator():
    assert Curve(GOOD, GOOD, run=(label for label in "aba")).run_index.tolist() == [0, 1, 0]


RUN_LABELS = [
    np.array([7, 8, 7]),
    np.array(["a", "b", "a"]),
    [np.int64(7), 8, np.uint8(7)],
    [np.str_("a"), "b", "a"],
    [Seed.FIRST, 2, Seed.FIRST],
    [2**63 - 1, -(2**63), 2**63 - 1],
    pd.Series(["a", "b", "a"]),
    pd.Series([7, 8, 7], dtype="Int64"),
    pl.Series(["a", "b", "a"]),
    xr.DataArray(["a", "b", "a"]),
    ["", "β", ""],
]


@pytest.mark.parametrize("labels", RUN_LABELS)
def test_run_labels_from_any_column(labels):
    curve = Curve(GOOD, GOOD, run=labels)
    assert curve.run_index.tolist() == [0, 1, 0]
    assert {type(label) for label in curve.run} in ({str}, {int})


@pytest.mark.parametrize("labels", RUN_LABELS)
def test_run_labels_can_be_saved(labels, tmp_path):
    pytest.importorskip("h5py")
    curve = Curve(GOOD, GOOD, run=labels)
    dataset = xr.Dataset({"run": ("obs_id", curve.run)}, coords={"runs": list(curve.runs)})
    dataset.to_netcdf(tmp_path / "runs.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "runs.nc", engine="h5netcdf") as loaded:
        assert loaded["run"].values.tolist() == curve.run.tolist()
        assert loaded["runs"].values.tolist() == list(curve.runs)


def test_all_x_or_all_y_may_be_equal():
    assert len(Curve([1, 1], [2, 3])) == 2
    assert len(Curve([1, 2], [3, 3])) == 2
    assert len(Curve([1], [3])) == 1


@pytest.mark.parametrize(
    "values",
    [
        (1, 2, 3),
        range(1, 4),
        np.array([1, 2, 3], dtype=np.uint8),
        np.array([1, 2, 3], dtype=np.float16),
        np.ma.array([1.0, 2.0, 3.0], mask=False),
        [decimal.Decimal(1), np.float32(2), 3],
        pd.Series([1, 2, 3], dtype="Int64"),
        pl.Series([1, 2, 3]),
        xr.DataArray([1, 2, 3]),
    ],
)
def test_accepts_any_column_of_numbers(values):
    assert Curve(values, values).x.tolist() == [1, 2, 3]


def test_equality_and_hash_are_by_content():
    curve = Curve([2, 1], [3, 4], y_se=[0.0, 0.1], run=["a", "b"])
    same = Curve([1, 2], [4, 3], y_se=[0.1, -0.0], run=["b", "a"])
    assert curve == same
    assert hash(curve) == hash(same)
    assert curve != "curve"
    changes = [
        {"y": [4, 3.5]},
        {"y_se": None},
        {"run": ["a", "a"]},
        {"name": "other"},
        {"x_name": "tokens"},
        {"ceiling": 1.0},
    ]
    for change in changes:
        assert dataclasses.replace(curve, **change) != curve


# --- invariants ---------------------------------------------------------------------------


@given(rows_with_ties)
def test_holds_each_distinct_row_once_sorted_by_x(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DuplicateRowsWarning)
        curve = curve_of(rows)
    assert sorted(rows_of(curve)) == sorted(set(rows))
    assert np.all(np.diff(curve.x) >= 0)
    # Stable: among equal x, rows come as they first appeared.
    assert rows_of(curve) == sorted(dict.fromkeys(rows), key=lambda row: row[0])


@given(distinct_rows.filter(lambda rows: len({x for x, _ in rows}) == len(rows)), st.randoms())
def test_order_of_rows_does_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))
    assert curve_of(rows) == curve_of(shuffled)
    assert hash(curve_of(rows)) == hash(curve_of(shuffled))


@given(distinct_rows.filter(lambda rows: len(rows) > 1), st.data())
def test_parts_of_a_split_join_to_the_whole(rows, data):
    whole = curve_of(rows, name="name", x_name="tokens", y_name="loss", ceiling=1e301)
    n = data.draw(st.integers(1, len(rows) - 1))
    parts = [whole.split(n=n)]
    cut = whole.x[n - 1]
    if cut < whole.x[-1]:
        by_value = whole.split(x=cut)
        assert by_value[0].x.max() <= cut < by_value[1].x.min()
        parts.append(by_value)
    assert len(parts[0][0]) == n
    for seen, later in parts:
        assert rows_of(seen) + rows_of(later) == rows_of(whole)
        for part in (seen, later):
            assert (part.name, part.x_name, part.y_name) == ("name", "tokens", "loss")
            assert part.ceiling == whole.ceiling


def test_split_carries_standard_errors_and_runs():
    seen, later = Curve(GOOD, GOOD, y_se=[0.1, 0.2, 0.3], run=["a", "b", "b"]).split(x=1.5)
    assert (seen.y_se.tolist(), later.y_se.tolist()) == ([0.1], [0.2, 0.3])
    assert (seen.run.tolist(), later.runs) == (["a"], ("b",))


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({}, ValueError, "either x= or n=, but neither"),
        ({"x": 1, "n": 1}, ValueError, "either x= or n=, but both"),
        ({"x": 0.5}, ValueError, r"split\(x=0.5\) leaves no point seen.*tokens from 1 to 3"),
        ({"x": 3}, ValueError, r"split\(x=3\) leaves no point for later.*3 points"),
        ({"n": 0}, ValueError, r"split\(n=0\) leaves no point seen.*3 points"),
        ({"n": -1}, ValueError, r"split\(n=-1\) leaves no point seen"),
        ({"n": 3}, ValueError, r"split\(n=3\) leaves no point for later"),
        ({"n": 1.0}, TypeError, "n must be an integer, but 1.0 came"),
        ({"n": True}, TypeError, "n must be an integer, but True came"),
        ({"x": "2"}, TypeError, "x must be one finite number, but '2' came"),
        ({"x": [2]}, TypeError, r"x must be one finite number, but \[2\] came"),
        ({"x": float("nan")}, ValueError, "x must be one finite number, but nan came"),
    ],
)
def test_split_says_what_is_wrong(keywords, error, message):
    with pytest.raises(error, match=message):
        Curve(GOOD, GOOD, x_name="tokens").split(**keywords)


# --- what it refuses ----------------------------------------------------------------------

BAD_COLUMNS = [
    # values, error, what the message says besides the argument
    ([1, np.nan, np.nan], ValueError, r"2 of 3 are NaN \(rows 1, 2, .*Drop those rows"),
    ([1, 2, np.inf], ValueError, r"1 of 3 is infinite .*\(row 2, .*inf\).*larger unit"),
    ([0, 1, 2], ValueError, r"1 of 3 is zero \(row 0, .*the first is 0\).*logarithm"),
    ([1, -2, 3], ValueError, r"1 of 3 is negative \(row 1, .*the first is -2\).*logarithm"),
    ([-1] * 8, ValueError, r"8 of 8 are negative \(rows 0, 1, 2, 3, 4 and 3 more, "),
    ([1, 2, 5e-324], ValueError, r"too small for a float .*\(row 2, .*smaller unit"),
    ([1, 10**400, 2], ValueError, r"too large for a float \(row 1, .*about 400 digits"),
    (np.array([1, 2, "1e4000"], dtype=np.longdouble), ValueError, r"too large .*\(row 2, "),
    (["1", "2", "3"], TypeError, r"3 of 3 are text \(rows 0, 1, 2, .*'1'\).*float\(\)"),
    ([1.0, "2", 3], TypeError, r"1 of 3 is text \(row 1, .*'2'\)"),
    (np.array(["1", "2", "3"]), TypeError, r"3 of 3 are text"),
    (pd.Series(["1", "2", "3"]), TypeError, r"3 of 3 are text"),
    (pl.Series(["1", "2", "3"]), TypeError, r"3 of 3 are text"),
    ([1, b"2", 3], TypeError, r"1 of 3 is text \(row 1, "),
    ([1, None, 3], ValueError, r"1 of 3 is missing \(row 1, .*None\).*Drop those rows"),
    (np.array([1, pd.NA, 3], dtype=object), TypeError, r"no number \(row 1, .*Pass numbers"),
    (pl.Series([1, None, 3]), ValueError, r"1 of 3 is NaN \(row 1, "),
    ([1.0, True, 2.0], TypeError, r"1 of 3 is boolean \(row 1, .*True\).*Pass numbers"),
    (np.array([True, True, False]), TypeError, r"3 of 3 are boolean"),
    ([1, 2j, 3], TypeError, r"1 of 3 is complex \(row 1, .*real part"),
    (np.array([1, 2, 3], dtype=complex), TypeError, r"3 of 3 are complex"),
    (
        np.array(["2024-01-01", "2024-01-02", "2024-01-03"], dtype="datetime64[ns]"),
        TypeError,
        r"3 of 3 are a date or a duration \(rows 0, 1, 2, .*2024-01-01.*hours since",
    ),
    (np.array([1, 2, 3], dtype="timedelta64[s]"), TypeError, r"3 of 3 are a date or a duration"),
    ([1, datetime.date(2024, 1, 1), 3], TypeError, r"1 of 3 is a date or a duration \(row 1, "),
    ([1, object(), 3], TypeError, r"1 of 3 is no number \(row 1, "),
    ([[1], [1, 2], [3]], TypeError, r"3 of 3 are no number \(rows 0, 1, 2, "),
    (
        np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False]),
        ValueError,
        r"1 of 3 is masked \(row 1, .*\.compressed\(\)",
    ),
    ([[1, 2, 3]], ValueError, r"one-dimensional, but an array of shape \(1, 3\) came.*column"),
    (pd.DataFrame({"a": GOOD}), ValueError, r"one-dimensional, .*shape \(3, 1\)"),
    (5.0, ValueError, r"one-dimensional, but 5.0 came.*Pass a list"),
    (None, ValueError, r"one-dimensional, but None came"),
    ("123", ValueError, r"one-dimensional, but '123' came"),
    ({1, 2, 3}, ValueError, r"one-dimensional, but \{1, 2, 3\} came"),
    ((value for value in GOOD), ValueError, r"one-dimensional, but <generator"),
    ([], ValueError, r"at least one number, but it is empty"),
    (np.array([]), ValueError, r"at least one number, but it is empty"),
]


@pytest.mark.parametrize(("values", "error", "message"), BAD_COLUMNS)
@pytest.mark.parametrize("argument", ["x", "y"])
def test_refuses_a_bad_column(argument, values, error, message):
    with pytest.raises(error, match=rf"^{argument} must .*{message}"):
        Curve(**{"x": GOOD, "y": GOOD, argument: values})


NEITHER = r"all text or all 64-bit integers, but {} neither \({}, .*Pass text .*str\(label\)"
NO_FLOAT = "ceiling must be one finite number"

BAD_ARGUMENTS = [
    ("y", [1, 2], ValueError, r"x has 3, y has 2"),
    ("y_se", [0.1, -0.1, 0.1], ValueError, r"y_se must hold non-negative .*negative \(row 1, "),
    ("y_se", [0.1, np.nan, 0.1], ValueError, r"y_se .*1 of 3 is NaN \(row 1, "),
    ("y_se", [0.1, np.inf, 0.1], ValueError, r"y_se .*infinite.*\(row 1, "),
    ("y_se", [0.1, "0", 0.1], TypeError, r"y_se .*text \(row 1, "),
    ("y_se", [0.1, 0.1], ValueError, r"x has 3, y has 3, y_se has 2"),
    ("y_se", 0.1, ValueError, r"y_se must be one-dimensional"),
    ("run", "abc", TypeError, r"run must hold one label per point, but 'abc' came.*\[label\]"),
    ("run", 1, TypeError, r"run must hold one label per point, but 1 came"),
    ("run", [], ValueError, r"x has 3, y has 3, run has 0"),
    ("run", ["a", "b"], ValueError, r"x has 3, y has 3, run has 2"),
    ("run", ["a", [], "b"], TypeError, NEITHER.format("1 of 3 is", "row 1")),
    ("run", ["a", ("b", []), "c"], TypeError, NEITHER.format("1 of 3 is", "row 1")),
    (
        "run",
        [("a", 1), ("a", 2), ("b", 1)],
        TypeError,
        NEITHER.format("3 of 3 are", "rows 0, 1, 2"),
    ),
    ("run", np.ones((3, 1)), TypeError, NEITHER.format("3 of 3 are", "rows 0, 1, 2")),
    ("run", np.ones((3, 2)), TypeError, NEITHER.format("3 of 3 are", "rows 0, 1, 2")),
    ("run", np.array([0.5, 1.5, 0.5]), TypeError, NEITHER.format("3 of 3 are", "rows 0, 1, 2")),
    ("run", [1, np.float64(2), 3], TypeError, NEITHER.format("1 of 3 is", "row 1")),
    ("run", [1, 2, True], TypeError, NEITHER.format("1 of 3 is", "row 2")),
    ("run", ["a", b"b", "c"], TypeError, NEITHER.format("1 of 3 is", "row 1")),
    ("run", [1, 2, 2**63], TypeError, NEITHER.format("1 of 3 is", "row 2")),
    (
        "run",
        np.array(["2024-01-01", "2024-01-02", "2024-01-03"], dtype="datetime64[ns]"),
        TypeError,
        NEITHER.format("3 of 3 are", "rows 0, 1, 2"),
    ),
    ("run", ["a", 1, 2], TypeError, r"2 of 3 are an integer beside text \(rows 1, 2, .*Pass text"),
    ("run", ["a", None, "b"], ValueError, r"1 of 3 is missing \(row 1, .*every point"),
    ("run", ["a", np.nan, pd.NA], ValueError, r"2 of 3 are missing \(rows 1, 2, "),
    ("run", pd.Series([7, None, 7]), ValueError, r"1 of 3 is missing \(row 1, "),
    ("run", np.ma.array([7, 8, 7], mask=[0, 1, 0]), ValueError, r"1 of 3 is missing \(row 1, "),
    ("ceiling", "1", TypeError, NO_FLOAT),
    ("ceiling", True, TypeError, NO_FLOAT),
    ("ceiling", np.nan, ValueError, NO_FLOAT),
    *(
        (argument, text, TypeError, f"{argument} must be a str, but {re.escape(repr(text))} came")
        for argument in ("name", "x_name", "y_name")
        for text in (None, 3, b"name")
    ),
]


@pytest.mark.parametrize(("argument", "value", "error", "message"), BAD_ARGUMENTS)
def test_refuses_a_bad_argument(argument, value, error, message):
    with pytest.raises(error, match=message):
        Curve(**{"x": GOOD, "y": GOOD, argument: value})


def test_refuses_pandas_columns_of_different_index():
    x, y = pd.Series(GOOD), pd.Series(GOOD, index=[0, 2, 1])
    with pytest.raises(ValueError, match=r"x and y have different index.*\.to_numpy\(\)"):
        Curve(x, y)
    with pytest.raises(ValueError, match="x and y_se have different index"):
        Curve(x, x, y_se=y)
    with pytest.raises(ValueError, match="x and run have different index"):
        Curve(x, x, run=y.astype(str))
    with pytest.raises(ValueError, match="x and accuracy have different index"):
        Curve.from_accuracy(x, y / 10)
    assert len(Curve(x, y.to_numpy())) == 3
    assert len(Curve(x, GOOD)) == 3
    assert len(Curve(x, pd.Series(GOOD, index=[0.0, 1.0, 2.0]))) == 3


def test_refuses_xarray_columns_of_different_labels():
    x = xr.DataArray(GOOD, dims="point", coords={"point": [0, 1, 2]})
    with pytest.raises(ValueError, match="x and y have different index"):
        Curve(x, x.rename(point="step"))
    with pytest.raises(ValueError, match="x and y have different index"):
        Curve(x, x.assign_coords(point=[0, 2, 1]))
    assert len(Curve(x, x.copy())) == 3


def test_one_message_at_a_time_and_types_before_values():
    with pytest.raises(TypeError, match=r"1 of 4 is text \(row 3, "):
        Curve([0, None, 1, "2"], [1, 2, 3, 4])


# --- from tables --------------------------------------------------------------------------

COLUMNS = {
    "tokens": [20.0, 10.0, 30.0],
    "loss": [2.0, 3.0, 1.5],
    "spread": [0.2, 0.1, 0.3],
    "seed": ["a", "a", "b"],
}
EXPECTED = Curve(
    COLUMNS["tokens"],
    COLUMNS["loss"],
    y_se=COLUMNS["spread"],
    run=COLUMNS["seed"],
    name="mine",
    x_name="tokens",
    y_name="loss",
)
CHOICE = {"x": "tokens", "y": "loss", "y_se": "spread", "run": "seed"}

TABLES = {
    "dict": COLUMNS,
    "pandas": pd.DataFrame(COLUMNS),
    "pandas, other index": pd.DataFrame(COLUMNS, index=[5, 5, 7]),
    "polars": pl.DataFrame(COLUMNS),
    "xarray": xr.Dataset({name: ("point", column) for name, column in COLUMNS.items()}),
    "structured": np.rec.fromarrays(list(COLUMNS.values()), names=list(COLUMNS)),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_from_frame_of_any_kind(table):
    assert Curve.from_frame(table, **CHOICE, name="mine") == EXPECTED


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_from_frame_lists_the_columns_there_are(table):
    message = "x='token' is no column. Did you mean 'tokens'.* 'tokens', 'loss', 'spread', 'seed'"
    with pytest.raises(ValueError, match=message):
        Curve.from_frame(table, x="token", y="loss")


@pytest.mark.parametrize("name", [None, "loss"])
def test_from_frame_of_a_data_array(name):
    array = xr.DataArray(
        COLUMNS["loss"], dims="tokens", coords={"tokens": COLUMNS["tokens"]}, name=name
    )
    expected = Curve(COLUMNS["tokens"], COLUMNS["loss"], x_name="tokens", y_name="loss")
    assert Curve.from_frame(array, x="tokens", y="loss") == expected
    if name:
        with pytest.raises(ValueError, match="y='reward' is no column"):
            Curve.from_frame(array, x="tokens", y="reward")


def test_from_frame_refuses_a_column_that_stands_twice():
    frame = pd.DataFrame([[1, 2, 3]], columns=["tokens", "loss", "loss"])
    with pytest.raises(ValueError, match=r"y='loss' names 2 columns. Rename or drop"):
        Curve.from_frame(frame, x="tokens", y="loss")


def test_from_frame_refuses_what_has_no_columns():
    with pytest.raises(TypeError, match=r"named columns, but \[1, 2\].*Curve.from_csv"):
        Curve.from_frame([1, 2], x="tokens", y="loss")


def test_from_frame_of_columns_called_like_attributes_of_tables():
    frame = pd.DataFrame({"column_names": [1, 2], "dtype": [3, 4], "variables": [5, 6]})
    assert rows_of(Curve.from_frame(frame, x="column_names", y="dtype")) == [(1, 3), (2, 4)]


def test_from_frame_names_the_rows_of_bad_values():
    with pytest.raises(ValueError, match=r"y must hold positive numbers.*NaN \(row 1, "):
        Curve.from_frame(pd.DataFrame({"a": [1, 2], "b": [1, None]}), x="a", y="b")


# --- from files ---------------------------------------------------------------------------


def written(tmp_path, content):
    path = tmp_path / "mine.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


TEXT = "tokens,loss,spread,seed\n20,2,.2,a\n10,3,.1,a\n30,1.5,3e-1,b\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        TEXT.replace("\n", "\r\n"),
        TEXT.encode("utf-8-sig"),
        TEXT.replace(",", " , ").replace(" a", "a").replace(" b", "b"),
        TEXT.replace("20,", '"20",'),
        TEXT.replace("\n", "\n\n"),
        TEXT.rstrip("\n"),
    ],
    ids=["plain", "crlf", "bom", "spaces", "quotes", "blank lines", "no last newline"],
)
def test_from_csv(tmp_path, content):
    assert Curve.from_csv(written(tmp_path, content), **CHOICE) == EXPECTED


def test_from_csv_with_another_delimiter_and_name(tmp_path):
    path = written(tmp_path, TEXT.replace(",", ";"))
    curve = Curve.from_csv(str(path), **CHOICE, name="other", delimiter=";")
    assert curve == dataclasses.replace(EXPECTED, name="other")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"is empty. It needs a header"),
        ("\n\n", r"is empty. It needs a header"),
        ("tokens,loss\n", r"has a header but no rows. Add rows"),
        (b"tokens,loss\n1,\x00\n", r", line 2: this is binary.*Save it as CSV in UTF-8"),
        (b"tokens,loss\n1,2\n1,\xff\n", r", line 3: this is no text in UTF-8. Save it"),
        (TEXT.encode("utf-16"), r", line 1: this is no text in UTF-8"),
        ("tokens,loss\n1,2\n1\n", r", line 3: 1 cell, but the header names 2 columns"),
        ("tokens,loss\n1,2,3\n", r", line 2: 3 cells, but the header names 2 columns"),
        ("tokens,loss,loss\n1,2,3\n", r", line 1: .*'loss' more than once. Rename"),
        ("tokens,loss\n1,2\n\n3,x\n", r", line 4, column 'loss': 'x' is no number. Write it"),
        ('tokens,loss\n"1,000",2\n', r", line 2, column 'tokens': '1,000' is no number"),
        ("tokens,loss\n,2\n", r", line 2, column 'tokens': '' is no number.*drop the row"),
        ('tokens,loss\n1,"2\n', r", line 2: .*Mend the quotes"),
        ("tokens,los\n1,2\n", r"no column 'loss'. Did you mean 'los'\?.* 'tokens', 'los'"),
        ("tokens,loss\n1,2\n2,0\n", r"row 0 is line 2 .*y must hold .*zero \(row 1, "),
        ("tokens,loss\n1,nan\n", r"y must hold .*NaN \(row 0, "),
    ],
)
def test_from_csv_says_what_is_wrong(tmp_path, content, message):
    path = written(tmp_path, content)
    with pytest.raises(ValueError, match=re.escape(str(path)) + ".*" + message):
        Curve.from_csv(path, x="tokens", y="loss")


def test_from_csv_without_a_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*none\.csv. Mend the path"):
        Curve.from_csv(tmp_path / "none.csv", x="tokens", y="loss")
    with pytest.raises(ValueError, match=r"cannot be read: .*irectory"):
        Curve.from_csv(tmp_path, x="tokens", y="loss")


# --- from an accuracy ---------------------------------------------------------------------


def test_from_accuracy_models_the_error_and_leads_back():
    curve = Curve.from_accuracy(
        [1, 2], [40, 75], ceiling=100, y_se=[1, 2], run=["a", "a"], name="n", x_name="t", y_name="e"
    )
    assert rows_of(curve) == [(1, 60), (2, 25)]
    assert (curve.y_se.tolist(), curve.runs, curve.ceiling) == ([1, 2], ("a",), 100)
    assert (curve.name, curve.x_name, curve.y_name) == ("n", "t", "e")
    assert curve.to_reported(curve.y).tolist() == [40, 75]
    assert curve.split(n=1)[1].to_reported(25.0) == 75.0
    assert isinstance(curve.to_reported(xr.DataArray(curve.y)), xr.DataArray)


def test_without_a_ceiling_y_is_as_reported():
    assert Curve(GOOD, GOOD).to_reported(2.5) == 2.5


def test_from_accuracy_allows_values_below_zero():
    assert Curve.from_accuracy([1, 2, 3], [-0.5, 0.0, 0.5]).y.tolist() == [1.5, 1.0, 0.5]


@pytest.mark.parametrize(
    ("accuracy", "error", "message"),
    [
        ([0.5, 1.0, 87], ValueError, r"below ceiling=1, but 2 of 3 .*\(rows 1, 2, .*ceiling=100"),
        ([0.5, np.nan, 0.6], ValueError, r"accuracy .*NaN \(row 1, "),
        ([0.5, "0.6", 0.6], TypeError, r"accuracy .*text \(row 1, "),
        ([0.5], ValueError, r"x has 3, accuracy has 1"),
    ],
)
def test_from_accuracy_says_what_is_wrong(accuracy, error, message):
    with pytest.raises(error, match=message):
        Curve.from_accuracy(GOOD, accuracy)


# --- what it shows ------------------------------------------------------------------------


def test_repr_tells_the_facts():
    curve = Curve.from_accuracy(
        [1000, 1000, 4000],
        [0.5, 0.25, 0.75],
        y_se=[0.1, 0.1, 0.1],
        run=["a", "b", "b"],
        name="sums",
        x_name="training examples",
    )
    assert repr(curve) == (
        "<Curve 'sums': 3 points, training examples 1000 to 4000, error 0.25 to 0.75, "
        "1 replicate, 2 runs, known standard errors, reported as 1 - error>"
    )
    assert repr(Curve([1], [2])) == "<Curve 'curve': 1 point, x 1, y 2>"


def test_what_is_reported_has_a_name():
    assert Curve([1], [2], y_name="loss").reported_name == "loss"
    accuracy = Curve.from_accuracy([10, 100], [50.0, 75.0], ceiling=100.0, y_name="top-1 error")
    assert accuracy.reported_name == "100 - top-1 error"


def test_html_escapes_names_and_draws_every_point():
    curve = Curve([1, 10, 100], [3, 2, 1], name="<b>", x_name="a & b", y_name="'<script>'")
    card = curve._repr_html_()
    assert "&lt;b&gt;" in card
    assert "a &amp; b 1 to 100" in card
    assert "<script>" not in card
    assert card.count("<circle") == 3
    assert "currentColor" in card
    # Evenly spaced on logarithmic axes, increasing to the right, decreasing downwards.
    assert re.findall(r'cx="([\d.]+)"', card) == ["8.0", "100.0", "192.0"]
    heights = [float(height) for height in re.findall(r'cy="([\d.]+)"', card)]
    assert heights == sorted(heights)


def test_html_of_long_and_of_flat_curves():
    steps = np.arange(1, 5001)
    assert Curve(steps, 1 / steps)._repr_html_().count("<circle") == 200
    assert "nan" not in Curve([1, 1], [2, 3])._repr_html_()
