"""The bundled curves and the reader of the public benchmark."""

from __future__ import annotations

from importlib import resources

import pytest

from bayes_bnsl.datasets import BenchmarkCurve, curve_names, load_curve, read_benchmark

TIDY = """\
domain,task,model,x,y,split
LM,loss,big,10,3.0,fit
Nano,width,m,6,9.0,fit
LM,loss,big,40,2.0,held_out
LM,loss,big,20,2.5,fit
Nano,width,m,12,8.0,held_out
"""

ORIGINAL = """\
Domain,Task,Model,Seen Examples,Loss,Training
BB,"('date', '1-shot')",262M,100,0.9,1
BB,"('date', '1-shot')",262M,100,0.9,1
BB,"('date', '1-shot')",262M,100,0.90,1
BB,"('date', '1-shot')",262M,200,0.8,0
BB,"('date', '1-shot')",262M,2e2,0.8,0
"""


# --- bundled curves -----------------------------------------------------------------------


def test_four_digit_addition_is_as_published():
    curve = load_curve("four_digit_addition")
    assert len(curve) == 17
    assert (curve.x[0], curve.y[0]) == (160, 2.13809046)
    assert (curve.x[13], curve.y[13]) == (736, 0.96559684)
    assert (curve.x[-1], curve.y[-1]) == (928, 0.55695445)
    assert curve.x.sum() == 9120
    assert curve.y.sum() == pytest.approx(27.80173455, abs=1e-9)
    assert curve.name == "four_digit_addition"
    assert (curve.x_name, curve.y_name) == ("training examples", "test cross-entropy")
    assert [len(part) for part in curve.split(x=736)] == [14, 3]


@pytest.mark.parametrize("name", curve_names())
def test_every_bundled_curve_loads_and_tells_its_source(name):
    assert load_curve(name).name == name
    source = resources.files("bayes_bnsl.datasets") / "data" / f"{name}.md"
    assert "Source:" in source.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["four_digit_adition", "../secret", "", None])
def test_an_unknown_name_lists_the_known_ones(name):
    with pytest.raises(ValueError, match=r"is no bundled curve.*'four_digit_addition'"):
        load_curve(name)


# --- the benchmark ------------------------------------------------------------------------


def test_reads_both_forms_in_order_of_file_and_appearance(tmp_path):
    (tmp_path / "b_tidy.csv").write_text(TIDY)
    (tmp_path / "a_original.csv").write_text(ORIGINAL)
    (tmp_path / "0_other.csv").write_text("domain,task\nLM,loss\n")
    (tmp_path / "notes.txt").write_text("not a table")
    curves = read_benchmark(tmp_path)
    assert [(curve.name, curve.source) for curve in curves] == [
        ("BB / ('date', '1-shot') / 262M", "a_original.csv"),
        ("LM / loss / big", "b_tidy.csv"),
        ("Nano / width / m", "b_tidy.csv"),
    ]
    assert all(isinstance(curve, BenchmarkCurve) for curve in curves)
    date, loss, nano = curves
    assert (date.domain, date.task, date.model) == ("BB", "('date', '1-shot')", "262M")
    assert (loss.seen.x.tolist(), loss.seen.y.tolist()) == ([10, 20], [3, 2.5])
    assert (loss.later.x.tolist(), loss.later.y.tolist()) == ([40], [2])
    assert loss.seen.name == loss.later.name == loss.name
    assert (loss.seen.x_name, loss.seen.y_name) == ("examples or tokens seen", "loss or error")
    assert (nano.later.x_name, nano.later.y_name) == ("x", "width")


def test_rows_that_stand_several_times_are_taken_once_without_a_warning(tmp_path):
    (tmp_path / "original.csv").write_text(ORIGINAL)
    (curve,) = read_benchmark(str(tmp_path))  # warnings are errors here
    assert (curve.seen.x.tolist(), curve.later.x.tolist()) == ([100], [200])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", r"No CSV file in .*domain, task.*Seen Examples.*files there: mine\.csv"),
        (TIDY.replace(",fit", ",train"), r"mine\.csv, line 2, column 'split': 'train' is neither"),
        (TIDY.replace("held_out", "fit"), r"'LM / loss / big' has no row marked 'held_out'"),
        (ORIGINAL.replace(",1\n", ",0\n"), r"has no row marked '1'"),
        (TIDY.replace("2.5", "-2.5"), r"'LM / loss / big', 'fit' rows: y must .*negative \(row 1"),
        (TIDY.replace("2.5", "low"), r"mine\.csv, line 5, column 'y': 'low' is no number"),
        ("", r"mine\.csv is empty"),
    ],
)
def test_says_what_is_wrong(tmp_path, content, message):
    (tmp_path / "mine.csv").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_benchmark(tmp_path)


def test_a_folder_without_tables(tmp_path):
    with pytest.raises(ValueError, match=r"No CSV file in .*files there: none"):
        read_benchmark(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        read_benchmark(tmp_path / "none")
