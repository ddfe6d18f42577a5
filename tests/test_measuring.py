"""The commands that measure for long: they go on where they were, and their tables are right."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayes_bnsl as bb
from bayes_bnsl.calibration import quantity_names
from bayes_bnsl.uniformity import Calibration
from problems import simulated

DOCS = Path(__file__).parent.parent / "docs"
COLUMNS = ["name", "status", "value"]


@pytest.fixture
def load(monkeypatch):
    """Import a script of the documentation."""
    monkeypatch.syspath_prepend(str(DOCS))
    yield importlib.import_module
    for name in [
        name for name in sys.modules if name.startswith(("measur", "make_pictures", "published"))
    ]:
        sys.modules.pop(name)


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


class TestReproduction:
    def test_prints_all_parts_unless_some_are_named(self, load, monkeypatch, tmp_path, capsys):
        script = load("measure_reproduction")
        for part in (parts := ["addition", "limit", "language"]):
            monkeypatch.setattr(script, part, lambda *_: None)
        for named in ([], ["limit"]):
            monkeypatch.setattr(sys, "argv", ["measure_reproduction.py", str(tmp_path), *named])
            script.main()
            assert capsys.readouterr().out.split() == (named or parts)

    def test_probability_of_being_closer(self, load):
        script = load("measure_reproduction")
        ours, theirs = np.random.default_rng(1).exponential([[1.0], [3.0]], (2, 4000))
        pairs = script.farther(np.sort(theirs), ours).mean()
        assert pairs == np.mean(theirs[:, None] > ours)
        assert pairs == pytest.approx(3 / (1 + 3), abs=0.02)  # of exponentials with rates 1 and 1/3

    def test_names_of_models_are_matched_however_numbers_are_written(self, load):
        plain = load("measure_reproduction").plain
        assert plain("1.07e+9") == plain("1.07e+09") == plain("1070000000")
        assert plain("6 Enc, 6 Dec") == "6 Enc, 6 Dec"

    def test_shares_of_curves_and_means(self, load, capsys):
        script = load("measure_reproduction")
        names = ["M1", "M2", "M3", "M4", "BNSL"]
        rows = []
        for best in ("M1", "M1", "BNSL", "M4"):
            row = {"domain": "BB", "task": best, "model": "x", "points": 2, "breaks": "BNSL(0)"}
            for name in names:
                error = 0.1 if name == best or (best == "M4" and name == "M2") else 0.3
                row |= {f"{name}: {what}": error for what in ("published", "minimum", "rmsle")}
                row |= {f"{name}: search": np.nan if name == "M1" else error}
                row |= {f"{name}: log score": -error, f"{name}: inside": 1}
                row |= {f"p best {name}": float(name == best), f"p BNSL before {name}": 0.25}
            rows.append(row)
        script.print_shares(pd.DataFrame(rows))
        lines = capsys.readouterr().out.splitlines()
        for way in (
            "published RMSLE",
            "RMSLE, where searches end",
            "RMSLE, posterior",
            "log score, posterior",
        ):
            assert f"| {way} | 50 | 25 | 0 | 25 | 25 |" in lines
        assert "| expected by the posteriors | 50 | 0 | 0 | 25 | 25 |" in lines
        assert "| RMSLE | 0.2 | 0.25 | 0.3 | 0.25 | 0.25 |" in lines
        assert "| held by 90 % bands | 0.50 | 0.50 | 0.50 | 0.50 | 0.50 |" in lines
        assert "| BB M4 x | BNSL(0) | 0.25 | 0.25 | 0.25 | 0.25 | 0.00 |" in lines

    def test_the_search_of_m3_ends_at_a_line_where_there_is_one(self, load):
        x = np.geomspace(1, 1e4, 9)
        found = load("published_searches").search_like_m3(bb.Curve(x, 3 * x**-0.2))
        np.testing.assert_allclose(found, [np.log(3), 0.2, 0, 0], atol=1e-6)

    def test_the_search_of_m3_does_not_beat_least_squares(self, load):
        curve = simulated("M3 to zero")
        *_, loss = load("published_searches").search_like_m3(curve)
        least = bb.fit_points(curve, bb.M3(constant=False)).loss
        assert least <= loss < 1.5 * least

    @pytest.mark.slow
    def test_a_folder_of_curves_becomes_tables(self, load, tmp_path, capsys):
        script = load("measure_reproduction")
        curve = bb.load_curve("four_digit_addition")
        table = pd.DataFrame({"domain": "LM", "task": "addition", "model": "7", "x": curve.x})
        split = ["fit"] * 14 + ["held_out"] * 3
        table.assign(y=curve.y, split=split).to_csv(
            tmp_path / "benchmark_language.csv", index=False
        )
        published = {"M1": 0.5, "M2": 0.5, "M3": 0.5, "M4": 0.5, "BNSL": 0.0109}
        pd.DataFrame([published | {"bench_task": "addition", "bench_model": "7.0"}]).to_csv(
            tmp_path / "published_rmsle_language.csv", index=False
        )
        for _ in range(2):  # the second time from what was kept
            script.language(tmp_path, tmp_path, 1)
            out = capsys.readouterr().out
            assert "| published RMSLE | 0 | 0 | 0 | 0 | 100 |" in out
            assert "| log score, posterior | 0 | 0 | 0 | 0 | 100 |" in out
            assert "| BNSL | – | 1, 1 | – | 1.0" in out
