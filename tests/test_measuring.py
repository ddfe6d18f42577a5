"""The commands that measure for long: they go on where they were, and their tables are right."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

import bayes_bnsl as bb
from bayes_bnsl.calibration import quantity_names
from bayes_bnsl.uniformity import Calibration

DOCS = Path(__file__).parent.parent / "docs"
COLUMNS = ["name", "status", "value"]


@pytest.fixture
def load(monkeypatch):
    """Import a script of the documentation."""
    monkeypatch.syspath_prepend(str(DOCS))
    yield importlib.import_module
    scripts = ("measure_calibration", "measure_convergence", "measure_scaling", "make_pictures")
    for name in ("measuring", *scripts):
        sys.modules.pop(name, None)


def squared(number):
    return {"status": "converged", "value": number**2}


class TestMeasure:
    def test_measures_what_has_no_row(self, load, tmp_path):
        measuring, path, asked = load("measuring"), tmp_path / "deep" / "rows.csv", []

        def work(number):
            asked.append(number)
            return squared(number)

        jobs = {(name,): (number,) for name, number in (("a", 1), ("b", 2))}
        first = measuring.measure(path, COLUMNS, jobs, work)
        again = measuring.measure(path, COLUMNS, {("c",): (3,)} | jobs, work)
        assert asked == [1, 2, 3]
        assert first == again[1:]
        assert [row["value"] for row in again] == ["9", "1", "4"]

    def test_a_line_cut_off_is_measured_again(self, load, tmp_path):
        measuring, path = load("measuring"), tmp_path / "rows.csv"
        path.write_text("name,status,value\na,converged,1\nb,conv")
        rows = measuring.measure(path, COLUMNS, {("a",): (7,), ("b",): (2,)}, squared)
        assert [row["value"] for row in rows] == ["1", "4"]
        assert path.read_text().splitlines() == [
            ",".join(COLUMNS),
            "a,converged,1",
            "b,converged,4",
        ]

    def test_an_error_is_a_row(self, load, tmp_path):
        measuring, path = load("measuring"), tmp_path / "rows.csv"
        jobs = {("bad",): ("text",), ("good",): (2,)}
        bad, good = measuring.measure(path, COLUMNS, jobs, squared)
        assert bad["status"].startswith("raised TypeError: unsupported operand")
        assert good["value"] == "4"

    def test_another_file_is_left_alone(self, load, tmp_path):
        path = tmp_path / "rows.csv"
        path.write_text("x,y\n1,2\n")
        with pytest.raises(SystemExit, match="has other columns"):
            load("measuring").measure(path, COLUMNS, {("a",): (1,)}, squared)
        assert path.read_text() == "x,y\n1,2\n"

    def test_processes_share_the_work(self, load, tmp_path):
        measuring = load("measuring")
        rows = {
            workers: measuring.measure(
                tmp_path / f"{workers}.csv", COLUMNS,
                {(str(i),): ({"status": "ok", "value": i},) for i in range(3)}, dict,
                workers=workers,
            )
            for workers in (1, 2)
        }  # fmt: skip
        assert rows[1] == rows[2]
        assert [row["value"] for row in rows[1]] == ["0", "1", "2"]


class TestConvergence:
    def test_a_curve_too_short_for_a_law_is_not_fitted(self, load):
        seen = bb.Curve([1, 2, 3], [3.0, 2.0, 1.5])
        assert load("measure_convergence").fit_once(seen, "BNSL(2)", 1) == {
            "n_points": 3,
            "status": "too_few_points",
        }

    def test_a_row_is_what_the_fit_says(self, load):
        seen, _ = bb.load_curve("four_digit_addition").split(n=6)
        row = load("measure_convergence").fit_once(seen, "BNSL(0)", 2)
        fit = bb.fit(seen, bb.BNSL(0), seed=1, progress=False)
        assert (row["ok"], row["status"]) == (int(fit.status.ok), fit.status.name)
        assert row["effective_draws"] == f"{fit.status.effective_draws:.0f}"

    def test_table(self, load):
        def row(curve, **others):
            found = {"curve": curve, "law": "M1", "ok": "1", "status": "converged"}
            return found | {"r_hat": "1.002", "seconds": "1.0"} | others

        rows = [
            *(row(f"good {i}", seconds=str(i)) for i in range(1, 4)),
            row("bad", ok="0", status="divergent", r_hat="1.2", seconds="99"),
            row("short", ok="", status="too_few_points", r_hat="", seconds=""),
            row("worse", ok="", status="raised ValueError: no", r_hat="", seconds=""),
        ]
        line = load("measure_convergence").table(rows).splitlines()[-1]
        assert line == (
            "| M1 | 5 | 1 | 0.600 | 2.00 | 2.90 | 1.2 | "
            "bad (divergent); worse (raised ValueError: no) |"
        )


class TestCalibration:
    def test_rows_lead_back_to_the_ranks(self, load):
        script = load("measure_calibration")
        names = quantity_names(bb.BNSL(1))
        rows = [
            {name: str(10 * i + k) for k, name in enumerate(names)} | {"status": status}
            for i, status in enumerate(("converged", "divergent"))
        ]
        result = script.gathered("BNSL(1)", rows)
        assert result.statuses == ("converged", "divergent")
        assert {name: ranks.tolist() for name, ranks in result.ranks.items()} == {
            name: [k, 10 + k] for k, name in enumerate(names)
        }

    def test_table_and_picture(self, load, tmp_path):
        script = load("measure_calibration")
        even = np.arange(200) % 100
        ranks = {"fine": even, "askew": even // 2}
        result = Calibration("M1", ranks, ("converged",) * 150 + ("few_draws",) * 50)
        line = script.table([result], {"M1": 3}).splitlines()[-1]
        assert line == "| M1 | 200 | 0.750 | 3 | 2 | 0.0001 (askew) | 0.000 | askew |"
        script.draw([result], tmp_path / "picture.png")
        assert (tmp_path / "picture.png").stat().st_size > 2_000


def test_scaling_of_points_and_its_growth(load):
    scaling = load("measure_scaling")
    row = scaling.of_points(12)
    assert row["status"] == "converged"
    assert set(row) <= set(scaling.COLUMNS)
    assert 0 < float(row["gradient"]) < float(row["seconds"])
    rows = [{"number": str(n), "seconds": str(3 * n**1.5)} for n in (1, 10, 100)]
    np.testing.assert_allclose(scaling.growths(rows), [np.nan, 1.5, 1.5])
