"""The command line: what it prints and writes, its exit codes, and one line for every error."""

import json
import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import bayes_bnsl as bb
from bayes_bnsl import cli, inputs, terminal
from bayes_bnsl.arguments import check_arguments

ROOT = Path(cli.__file__).parents[1]
X = np.geomspace(1, 1e3, 12)
QUICK = ["--draws", "500", "--law", "M1"]


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(each) for each in arguments], prog_name="bayes-bnsl")


def error_of(done):
    """Return the error of a command that was refused, which is one line and nothing else."""
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    return line


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def data(folder):
    curve = bb.simulate(bb.M1(), {"a": 2.0, "b": -0.3}, X, 0.02, seed=1)
    path = folder / "runs.csv"
    pd.DataFrame({"tokens": curve.x, "loss": curve.y}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def fitted(data, folder):
    """The answer of a fit, with all that it writes."""
    done = run(
        "fit", data, *QUICK, "--until", "300", "--at", "1e4,1e5", "--out", folder / "fit.nc",
        "--plot", folder / "fit.png", "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


class TestFit:
    def test_json_says_what_the_fit_does(self, fitted, data, folder):
        fit = bb.load_fit(folder / "fit.nc")
        assert fit.curve == bb.Curve.from_csv(data, x="tokens", y="loss").split(x=300)[0]
        assert (fitted["law"], fitted["noise"], fitted["seed"]) == ("M1", "LogNormal", 0)
        assert (fitted["ok"], fitted["status"]) == (True, "converged")
        assert fitted["n_points"] == len(fit.curve) == 10
        values = {row["parameter"]: row["median"] for row in fitted["parameters"]}
        assert values["a"] == float(fit.posterior["a"].median())
        assert [row["x"] for row in fitted["forecast"]] == [1e4, 1e5]
        ahead = bb.interval(bb.forecast(fit, [1e4, 1e5], seed=0))
        assert fitted["forecast"][1]["y_upper"] == float(ahead["y"].sel(x=1e5, bound="upper"))
        assert [row["forecast"] for row in fitted["scores"]] == ["M1", "last value", "log-log line"]

    def test_picture(self, fitted, folder):
        assert (folder / "fit.png").read_bytes().startswith(b"\x89PNG")

    def test_picture_reaches_what_was_asked_for(self, data, folder, monkeypatch):
        drawn, plot = [], bb.plot_forecast
        monkeypatch.setattr(
            bb, "plot_forecast", lambda *a, **k: drawn.append(plot(*a, **k)) or drawn[-1]
        )
        for at, end in (("1e6", 1e6), ("2e3", 1e4)):
            run("fit", data, *QUICK, "--at", at, "--plot", folder / "far.png")
            assert end <= drawn.pop().get_xlim()[1] < 1.1 * end

    def test_text_for_people(self, data):
        done = run("fit", data, *QUICK, "--x", "tokens", "--y", "loss", "--at", "1e5")
        assert done.exit_code == 0
        assert "Converged: R-hat" in done.stdout
        assert "curve_median" in done.stdout
        assert "Intervals of 90%; the forecast allows for breaks beyond" in done.stdout
        assert "\x1b" not in done.output  # no colours, no bar
        assert done.stderr == ""

    def test_a_doubtful_fit_is_told_by_the_exit_code(self, data):
        done = run("fit", data, "--law", "m1", "--draws", "20", "--max-gradients", "1")
        assert done.exit_code == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith("Warning: M1 fitted to 'runs'. ")

    def test_accuracies(self, folder):
        path = folder / "accuracy.csv"
        pd.DataFrame({"n": X, "acc": 100 - 60 * X**-0.35}).to_csv(path, index=False)
        done = run(
            "fit", path, *QUICK, "--accuracy", "acc", "--ceiling", "100", "--at", "1e4",
            "--until", "300", "--json",
        )  # fmt: skip
        ahead = json.loads(done.stdout)["forecast"][0]
        assert ahead["curve_median"] == pytest.approx(100 - 60 * 1e4**-0.35, abs=0.1)
        assert json.loads(done.stdout)["scores"][0]["rmsle"] < 0.05

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["nowhere.csv"], "There is no file nowhere.csv"),
            (["DATA", "--law", "BNSL"], "--law 'BNSL' is no law. Did you mean 'BNSL(2)'"),
            (["DATA", "--noise", "white"], "--noise 'white' is no noise model. There are:"),
            (
                ["DATA", "--x", "tokns"],
                "has no column 'tokns', which --x names. Did you mean 'tokens'",
            ),
            (["DATA", "--run", "job"], "has no column 'job', which --run names. There are"),
            (["DATA", "--x", "loss", "--y", "loss"], "--x and --y are both 'loss'"),
            (["DATA", "--y-se", "loss"], "has no columns left for x and y, only 'tokens', 'loss'"),
            (["DATA", "--ceiling", "100"], "--ceiling is that of --accuracy"),
            (["DATA", "--delimiter", ";"], "only 'tokens,loss'. Say which is which with --x"),
            (
                ["DATA", "--delimiter", ";", "--x", "tokens"],
                "There are: 'tokens,loss'. Say what stands between cells with --delimiter",
            ),
            (["DATA", "--delimiter", ";;"], "--delimiter is one character, or tab; got ';;'"),
            (["DATA", "--at", "1e5;2"], "--at takes numbers"),
            (["DATA", "--at", "0"], "--at takes positive finite numbers; got 0"),
            (["DATA", "--at", "inf"], "--at takes positive finite numbers; got inf"),
            (["DATA", "--at", ""], "--at is empty"),
            (["DATA", "--prob", "90"], "--prob must lie between 0 and 1"),
            (["DATA", "--to", "0.5"], "--to must be finite, and beyond the first x, 1; got 0.5"),
            (["DATA", "--unseen-breaks", "often"], "--unseen-breaks takes breaks per decade"),
            (["DATA", "--unseen-breaks", "-1"], "or the word learned; got '-1'"),
            (["FOLDER"], "cannot be read: Is a directory"),
            (["DATA", "--plot", "FOLDER.png"], "is a folder. Give the name of a file in it"),
            (["DATA", "--out", "fit.pkl"], "fit.pkl must end in .nc"),
            (["DATA", "--plot", "no/such/folder.png"], "There is no folder no/such"),
            (["DATA", "--until", "1e9"], "leaves no point for later"),
            (["DATA", "--y", "loss", "--accuracy", "loss"], "either --y or --accuracy"),
            (["DATA", "--law", "BNSL20"], "BNSL(20) needs at least 23"),
            (["DATA", "--draws", "many"], "Invalid value for '--draws'"),
            (["DATA", "--drws", "1"], "No such option: --drws (Possible options: --draws). See"),
            ([], "Missing argument"),
        ],
    )
    def test_bad_input_is_one_line(self, data, arguments, message, tmp_path):
        (tmp_path / "folder.png").mkdir()
        meant = {"DATA": data, "FOLDER": tmp_path, "FOLDER.png": tmp_path / "folder.png"}
        assert message in error_of(run("fit", *(meant.get(each, each) for each in arguments)))

    def test_columns_that_are_not_named_are_the_first_that_are_left(self, data, tmp_path):
        table = pd.read_csv(data)
        table[["loss", "tokens"]].to_csv(tmp_path / "runs.csv", sep="\t", index=False)
        command = ["fit", tmp_path / "runs.csv", *QUICK, "--y", "loss", "--json"]
        answers = [run(*command, "--delimiter", text) for text in ("tab", "\\t")]
        values = [json.loads(done.stdout)["parameters"] for done in answers]
        assert values[0] == values[1]
        expected = json.loads(run("fit", data, *QUICK, "--json").stdout)["parameters"]
        assert values[0] == expected

    def test_debug_shows_the_traceback(self):
        done = run("--debug", "fit", "nowhere.csv")
        assert done.exit_code == 2
        assert "Traceback" in done.stderr

    def test_a_defect_has_a_code_of_its_own(self, data, monkeypatch):
        def broken(*_, **__):
            raise KeyError("oops")

        monkeypatch.setattr(bb, "fit", broken)
        done = run("fit", data)
        assert done.exit_code == 3
        assert "KeyError: 'oops'. This is a defect" in done.stderr
        assert len(done.stderr.splitlines()) == 1

    def test_interruption_has_a_code_of_its_own(self, data, monkeypatch):
        def interrupted(*_, **__):
            raise KeyboardInterrupt

        monkeypatch.setattr(bb, "fit", interrupted)
        done = run("fit", data)
        assert done.exit_code == 130
        assert done.stderr.startswith("Error: Interrupted.")


class TestOtherCommands:
    def test_forecast_of_a_saved_fit(self, fitted, folder):
        done = run(
            "forecast", folder / "fit.nc", "--at", "1e4", "--at", "1e5", "--json",
            "--out", folder / "ahead.csv", "--plot", folder / "ahead.pdf",
        )  # fmt: skip
        assert done.exit_code == 0
        assert json.loads(done.stdout)["forecast"] == fitted["forecast"]
        table = pd.read_csv(folder / "ahead.csv")
        assert table["y_lower"].tolist() == [row["y_lower"] for row in fitted["forecast"]]
        assert (folder / "ahead.pdf").read_bytes().startswith(b"%PDF")

    def test_forecast_in_multiples(self, fitted, folder):
        done = run("forecast", folder / "fit.nc", "--times", "2,10", "--json")
        last = bb.load_fit(folder / "fit.nc").curve.x[-1]
        assert [row["x"] for row in json.loads(done.stdout)["forecast"]] == [last * 2, last * 10]

    def test_forecast_of_what_is_no_fit(self, data):
        assert "is damaged, or is no fit" in error_of(run("forecast", data))

    def test_compare(self, data, folder):
        done = run(
            "compare", data, "--law", "M1,BNSL0", "--draws", "500", "--at", "1e4", "--json",
            "--plot", folder / "compare.svg",
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        answer = json.loads(done.stdout)
        assert {row["law"] for row in answer["table"]} == {"M1", "BNSL(0)"}
        assert answer["simplest"] == "M1"
        assert answer["forecast"][0]["curve_median"] == pytest.approx(2 * 1e4**-0.3, rel=0.1)
        assert "<svg" in (folder / "compare.svg").read_text()

    def test_unseen_breaks(self, fitted, folder):
        fit = bb.load_fit(folder / "fit.nc")
        allows = "allows for breaks beyond the data"
        for text, rate, words in (
            ("learned", "learned", f"{allows}, as many as within them"),
            ("2", 2.0, f"{allows}, 2 a decade"),
        ):
            command = ["forecast", folder / "fit.nc", "--at", "1e5", "--unseen-breaks", text]
            answer = json.loads(run(*command, "--json").stdout)
            ahead = bb.interval(bb.forecast(fit, [1e5], unseen_breaks=rate, seed=0))["curve"]
            assert answer["unseen_breaks"] == rate
            assert answer["forecast"][0]["curve_upper"] == float(ahead.sel(bound="upper").item())
            alone = bb.interval(bb.forecast(fit, [1e5], unseen_breaks=0, seed=0))["curve"]
            assert f"the forecast {words}" in run(*command, "--prob", "0.8").stdout
            assert answer["forecast"][0]["curve_upper"] > float(alone.sel(bound="upper").item())

    def test_compare_by_evidence(self, data):
        command = ["compare", data, "--law", "M1,BNSL0", "--draws", "500", "--by", "evidence"]
        answer = json.loads(run(*command, "--json").stdout)
        assert answer["by"] == "evidence"
        assert sum(row["weight"] for row in answer["table"]) == pytest.approx(1)
        assert "has the highest evidence on 'runs', with probability" in answer["verdict"]

    def test_backtest(self, data, tmp_path):
        done = run(
            "backtest", data, *QUICK, "--origins", "8,10", "--horizons", "3", "--json",
            "--csv", tmp_path / "all.csv", "--plot", tmp_path / "tested.png",
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        answer = json.loads(done.stdout)
        curve = bb.Curve.from_csv(data, x="tokens", y="loss")
        tested = bb.backtest(curve, bb.M1(), horizons=3, origins=[8, 10], draws=500, seed=0)
        assert answer["verdict"] == str(tested)
        assert [row["log_error"] for row in answer["forecasts"]] == list(tested.table["log_error"])
        assert answer["summary"][0]["rmsle"] == tested.summary()["rmsle"].iloc[0]
        assert [row["median"] for row in answer["last"]] == list(tested.at()["median"])
        assert len(pd.read_csv(tmp_path / "all.csv")) == len(tested.table)
        assert (tmp_path / "tested.png").read_bytes().startswith(b"\x89PNG")

    def test_a_backtest_of_doubtful_fits_is_told_by_the_exit_code(self, data):
        short = ["--law", "M1", "--draws", "20", "--max-gradients", "1", "--origins", "8"]
        done = run("backtest", data, *short)
        assert done.exit_code == 1
        assert "Not to be relied on: 8 x seen (" in done.stdout

    def test_batch_goes_on_after_an_error_and_resumes(self, data, folder, tmp_path):
        points = pd.read_csv(data)
        parts = [points.assign(task="../a"), points[:2].assign(task="b", tokens=5.0)]
        pd.concat(parts).to_csv(tmp_path / "tasks.csv", index=False)
        command = ["batch", tmp_path / "tasks.csv", *QUICK, "--by", "task", "--x", "tokens"]
        command += ["--y", "loss", "--times", "10", "--out", tmp_path / "fits"]
        done = run(*command)
        assert done.exit_code == 1
        assert "Warning: 1 of 2 fits raised errors" in done.stderr
        files = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "fits").glob("*.nc")}
        assert len(files) == 1
        answer = json.loads(run(*command, "--json").stdout)
        again = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "fits").glob("*.nc")}
        assert again == files
        assert [row["status"] for row in answer["fits"]] == ["converged", "error"]
        table = pd.read_csv(tmp_path / "fits" / "table.csv", keep_default_na=False)
        assert list(table["curve"]) == ["../a", "b"]
        ahead = pd.read_csv(tmp_path / "fits" / "forecasts.csv")
        assert ahead["x"].tolist() == pytest.approx([points["tokens"].max() * 10])

    def test_batch_pools_the_families_of_a_column(self, data, tmp_path):
        points = pd.read_csv(data)
        parts = [points.assign(task=name, kind=kind) for name, kind in ("aA", "bA", "cB")]
        pd.concat(parts).to_csv(tmp_path / "tasks.csv", index=False)
        command = ["batch", tmp_path / "tasks.csv", "--law", "M1", "--draws", "300"]
        command += ["--max-gradients", "1", "--x", "tokens", "--y", "loss", "--pool", "kind"]
        done = run(*command, "--out", tmp_path / "fits", "--by", "task", "--json")
        rows = json.loads(done.stdout)["fits"]
        means = [bb.load_fit(row["path"]).data["family/mean"].values for row in rows]
        assert [row["curve"] for row in rows] == ["a", "b", "c"]
        assert np.array_equal(means[0], means[1])
        assert not np.array_equal(means[0], means[2])
        refused = run(*command, "--out", tmp_path / "none")
        assert refused.exit_code == 2
        assert "Tell them apart with --by COLUMN" in refused.stderr
        wrong = run(*command, "--pool", "kin", "--by", "task", "--out", tmp_path / "none")
        assert wrong.exit_code == 2
        assert "no column 'kin', which --pool names. Did you mean 'kind'?" in wrong.stderr

    def test_simulate_makes_what_fit_reads(self, tmp_path):
        theta = ["--set", "a=0.1", "--set", "b=2", "--set", "c0=0.3", "--set", "c=0.4,-0.2"]
        theta += ["--set", "d=100,1e3", "--set", "f=0.2,0.1"]
        command = ["simulate", "--law", "BNSL2", *theta, "--points", "20", "--from", "10"]
        done = run(*command)
        assert done.exit_code == 0
        assert run(*command, "--out", tmp_path / "it.csv").stdout == ""
        assert (tmp_path / "it.csv").read_bytes().decode() == done.stdout
        curve = bb.Curve.from_csv(tmp_path / "it.csv", x="x", y="y")
        values = {"a": 0.1, "b": 2.0, "c0": 0.3, "c": [0.4, -0.2], "d": [100, 1e3], "f": [0.2, 0.1]}
        np.testing.assert_allclose(curve.y, bb.BNSL(2)(curve.x, values), rtol=1e-12)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--set", "a"], "--set takes NAME=VALUE"),
            (["--set", "q=1"], "--set q=1: M1 has no parameter 'q'. There are: 'a', 'b'"),
            (["--set", "a=1,2"], "a of M1 is one number"),
            (["--set", "a=1", "--set", "a=2"], "--set names a more than once"),
            (
                ["--set", "a=1", "--set", "b=1", "--to", "inf"],
                "--from must be above zero and below",
            ),
            (["--set", "a=1"], "theta lacks b"),
            (["--set", "a=1", "--set", "b=-1", "--from", "10", "--to", "1"], "--from must be"),
        ],
    )
    def test_simulate_refuses(self, arguments, message):
        assert message in error_of(run("simulate", "--law", "M1", *arguments))

    def test_report(self, fitted, folder):
        done = run("report", folder / "fit.nc", "--out", folder / "report")
        assert done.exit_code == 0
        text = (folder / "report" / "report.md").read_text()
        assert done.stdout.strip() == str(folder / "report" / "report.md")
        assert "# M1 fitted to runs" in text
        assert (folder / "report" / "forecast.png").is_file()
        page = folder / "page.HTML"
        assert run("report", folder / "fit.nc", "--out", page).stdout.strip() == str(page)
        assert "<h1>M1 fitted to runs</h1>" in page.read_text()

    def test_benchmark(self, tmp_path):
        rows = []
        for n in range(2):
            curve = bb.simulate(bb.M1(), {"a": 2.0, "b": -0.3}, X, 0.02, seed=n)
            points = zip(curve.x, curve.y, strict=True)
            rows += [
                ("IC", "bird", f"model {n}", x, y, "fit" if x < 300 else "held_out")
                for x, y in points
            ]
        columns = ["domain", "task", "model", "x", "y", "split"]
        pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "public.csv", index=False)
        done = run(
            "benchmark", "--data", tmp_path, "--out", tmp_path / "out", *QUICK, "--json",
            "--unseen-breaks", "0",
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        summary = {row["law"]: row for row in json.loads(done.stdout)["summary"]}
        scores = pd.read_csv(tmp_path / "out" / "scores.csv", keep_default_na=False)
        assert len(scores) == 6
        ours = scores[scores["law"] == "M1"]
        assert summary["M1"]["curves"] == 2
        assert summary["M1"]["rmsle"] == pytest.approx(ours["rmsle"].astype(float).mean())
        assert summary["M1"]["rmsle"] < 0.1 < summary["last value"]["rmsle"]

        again = run(
            "benchmark", "--data", tmp_path, "--out", tmp_path / "out", *QUICK,
            "--unseen-breaks", "learned",
        )  # fmt: skip
        assert again.exit_code == 0, again.output
        table, published = again.stdout.split("Published, on all curves of a collection:\n")
        assert re.search(r"vision +72 +NSL-PFN +0\.028 +3\.33", published)
        assert "M1" in table
        assert "language" not in published
        wider = pd.read_csv(tmp_path / "out" / "scores.csv", keep_default_na=False)
        naive = scores["law"] != "M1"
        pd.testing.assert_frame_equal(wider[naive], scores[naive])
        crps = [each.loc[~naive, "crps"].astype(float).to_numpy() for each in (scores, wider)]
        assert (crps[0] != crps[1]).all()
        seconds = [each.loc[~naive, "seconds"].tolist() for each in (scores, wider)]
        assert seconds[0] == seconds[1]  # the same fits, which are on disk

    def test_benchmark_that_cannot_be_fetched(self, tmp_path, monkeypatch):
        from_nowhere = partial(bb.fetch_benchmark, tmp_path, address="http://127.0.0.1:9")
        monkeypatch.setattr(bb, "fetch_benchmark", from_nowhere)
        line = error_of(run("benchmark", "--out", tmp_path / "out"))
        assert "benchmark.lang.csv was not fetched" in line

    def test_demo(self, tmp_path):
        done = run("demo", "--out", tmp_path / "demo")
        assert done.exit_code == 0, done.output
        assert "BNSL(1)" in done.stdout
        assert "measured" in done.stdout
        assert {path.name for path in (tmp_path / "demo").iterdir()} == {
            "forecast.png", "segments.png"
        }  # fmt: skip

    @pytest.mark.parametrize("command", typer.main.get_command(cli.app).commands)
    def test_every_command_has_help_with_an_example(self, command):
        done = run(command, "--help")
        assert done.exit_code == 0
        assert f"bayes-bnsl {command} " in done.stdout.split("Example")[1]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["backtest", "DATA", "--origins", "1.5"], "--origins takes whole numbers"),
            (["batch", "DATA", "--out", "DATA"], "cannot be a folder"),
            (["batch", "DATA", "--out", "DATA/in"], "cannot be a folder"),
            (
                ["batch", "DATA", "--out", "OUT", "--by", "task"],
                "no column 'task', which --by names",
            ),
            (["batch", "DATA", "--out", "OUT", "--times", "0"], "--times takes positive"),
            (["benchmark", "--out", "OUT", "--unseen-breaks", "few"], "--unseen-breaks takes"),
            (["demo", "--out", "DATA"], "cannot be a folder"),
            (
                ["report", "fit.nc", "--law", "M1", "--out", "OUT"],
                "is a saved fit, which has its own",
            ),
            (["report", "fit.nc", "--out", "no/such/page.html"], "There is no folder no/such"),
            (["--fast", "demo"], "No such option: --fast. See --help."),
        ],
    )
    def test_bad_input_is_refused_before_anything_is_done(self, data, tmp_path, arguments, message):
        meant = {"DATA": data, "DATA/in": data / "in", "OUT": tmp_path / "out"}
        assert message in error_of(run(*(meant.get(each, each) for each in arguments)))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
    def test_a_folder_that_nobody_may_write_to(self, data, tmp_path):
        tmp_path.chmod(0o500)
        for command in (["batch", data, "--out", tmp_path / "fits"], ["demo", "--out", tmp_path]):
            assert "You may not write into the folder" in error_of(run(*command))

    def test_what_the_system_refuses_is_said_in_its_words(self, tmp_path):
        path = tmp_path / f"{'long' * 100}.csv"
        line = error_of(
            run("simulate", "--law", "M1", "--set", "a=1", "--set", "b=-1", "--out", path)
        )
        assert path.name in line
        assert "File name too long. Give another path, or mend this one." in line
        assert "Errno" not in line

    def test_unknown_command(self):
        assert "No such command 'fitt'. Did you mean 'fit'?" in error_of(run("fitt"))


class TestText:
    @pytest.mark.parametrize(
        ("text", "law"),
        [
            ("BNSL(2)", bb.BNSL(2)),
            ("bnsl0", bb.BNSL(0)),
            ("BNSL-1", bb.BNSL(1)),
            (" m4 ", bb.M4()),
            ("M3(constant=False)", bb.M3(constant=False)),
        ],
    )
    def test_laws(self, text, law):
        assert inputs.law_of(text) == law
        assert inputs.law_of(law.name) == law

    def test_several_laws(self):
        assert inputs.laws_of(["BNSL(0),M1", "M2,"]) == [bb.BNSL(0), bb.M1(), bb.M2()]

    @pytest.mark.parametrize(
        ("text", "noise"),
        [
            (None, None),
            ("auto", "auto"),
            ("lognormal", bb.LogNormal()),
            ("Student-changing", bb.StudentT(changing=True)),
            ("correlated", bb.Correlated()),
            ("best", bb.BestSoFar()),
        ],
    )
    def test_noise(self, text, noise):
        assert inputs.noise_of(text) == noise

    def test_json_holds_no_nan(self, capsys):
        answer = {"a": np.float64("nan"), "b": [np.int64(3), np.bool_(True), float("inf")]}
        terminal.print_answer("", answer, as_json=True)
        assert json.loads(capsys.readouterr().out) == {"a": None, "b": [3, True, None]}


def in_process_of_its_own(*arguments, **settings):
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        timeout=120,
        **settings,
    )


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from bayes_bnsl.cli import main; sys.argv = ['bayes-bnsl', 'fit', '--help']\n"
        "try: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    )
    done = in_process_of_its_own("-c", code, text=True)
    assert done.stdout.startswith("Usage: bayes-bnsl fit")
    loaded = done.stderr.split()
    heavy = ("numpy", "pandas", "xarray", "pymc", "pytensor", "matplotlib", "scipy", "rich.table")
    assert [name for name in heavy if name in loaded] == []


def test_a_reader_that_leaves_ends_it_quietly():
    command = ["-m", "bayes_bnsl", "simulate", "--law", "M1", "--set", "a=2", "--set", "b=-1"]
    with subprocess.Popen(
        [sys.executable, *command, "--points", "200000"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout.read(4) == b"x,y\n"
        process.stdout.close()
        assert (process.wait(timeout=120), process.stderr.read()) == (141, b"")


def test_as_a_module_in_a_pipe():
    made = in_process_of_its_own(
        "-m", "bayes_bnsl", "simulate", "--law", "M1", "--set", "a=2", "--set", "b=-1"
    )
    assert (made.returncode, made.stderr) == (0, b"")
    refused = in_process_of_its_own("-m", "bayes_bnsl", "fit", "-", input=b"x,y\n1,\xff\n")
    assert refused.returncode == 2
    assert refused.stderr == (
        b"Error: /dev/stdin, line 2: this is no text in UTF-8. Save it as CSV in UTF-8.\n"
    )


CELLS = st.one_of(
    st.floats(1e-3, 1e6).map(str),
    st.integers(-3, 10**400).map(str),
    st.sampled_from(
        ["", "nan", "inf", "-1", "1e999", "1_000", " 7 ", '"', '"8"', "0x10", "é", "\0"]
    ),
    st.text(max_size=5),
)
ROWS = st.lists(st.lists(CELLS, min_size=2, max_size=3).map(",".join), max_size=6)
GOOD_ROWS = st.lists(st.tuples(st.floats(1, 1e6), st.floats(0.1, 10)), min_size=1, max_size=6).map(
    lambda rows: [f"{x},{y}" for x, y in rows]
)


@st.composite
def csv_bytes(draw):
    """Draw what may stand in a file that somebody calls CSV."""
    header = draw(st.sampled_from(["x,y", "x,y,run", "x,x", "x", "", "tokens;loss", '"x","y"']))
    lines = [header, *draw(ROWS | GOOD_ROWS)]
    text = draw(st.sampled_from(["\n", "\r\n", "\r"])).join(lines) + draw(
        st.sampled_from(["", "\n"])
    )
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]))
    return text.encode(encoding, "replace")


def checked(curve, law, **_):
    """Stand for a fit where reading is what is tested: refuse what a fit would refuse."""
    check_arguments(curve, law, bb.LogNormal(), None)
    raise typer.Exit(0)


def check_done(done):
    """Check that a command ended as it may, and said so in lines."""
    assert done.exit_code in (0, 1, 2), done.output
    assert isinstance(done.exception, SystemExit | None)
    lines = done.stderr.splitlines()
    known = ("Error: ", "Warning: ", "RuntimeWarning: overflow")
    assert all(line.startswith(known) for line in lines)
    assert len([line for line in lines if line.startswith("Error")]) == (done.exit_code == 2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(content=csv_bytes() | st.binary(max_size=60), columns=st.sampled_from([[], ["--x", "x"]]))
def test_any_bytes_are_read_or_refused_in_words(content, columns, tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bb, "fit", checked)
        check_done(run("fit", path, "--law", "M1", *columns))


NASTY_CELLS = CELLS | st.sampled_from(
    [
        "5e-324", "1e308", "-0.0", "1e-300", "１２", "1e5000", "0x1p3", "1,5", "+7", "NaN", "True",
        '"a\n1"', '"1\r\n"', '"1""2"', "1" * 400, "None", "\ufeff3", "\u20283", "=1+1", "\t5\t",
    ]
)  # fmt: skip
TASKS = st.sampled_from(
    [
        "../up", "/etc/passwd", "a/b", "..", ".", "~", "C:\\x", "nul", "-rf", "$HOME", "%2e%2e",
        "x" * 300,
    ]
)  # fmt: skip
TASKS |= st.text(st.characters(categories="LNPSZ", exclude_characters='",\u2028\u2029'), max_size=8)
FINITE = st.floats(1e-300, 1e300) | st.floats(1e-3, 1e6)


@st.composite
def nasty_tables(draw):
    """Draw a table of three columns in which most rows are good, and how it is written."""
    good = st.tuples(FINITE, FINITE, TASKS).map(lambda row: f"{row[0]},{row[1]},{row[2]}")
    bad = st.lists(NASTY_CELLS, max_size=4).map(",".join)
    kinds = [good] * draw(st.integers(1, 20)) + [bad] * draw(st.integers(0, 1))
    lines = ["x,y,task", *draw(st.lists(st.one_of(kinds), max_size=12))]
    end = draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n"]))
    encoding = draw(st.sampled_from(["utf-8"] * 6 + ["utf-8-sig", "utf-16", "utf-32", "cp1252"]))
    text = end.join(lines) + draw(st.sampled_from(["", end, end + " ", end + "\x1a"]))
    return text.encode(encoding, "replace")


OPTIONS = st.sampled_from(
    [
        [], ["--x", "y", "--y", "x"], ["--run", "task"], ["--y-se", "task"], ["--accuracy", "y"],
        ["--accuracy", "y", "--ceiling", "1e301"], ["--delimiter", ";"], ["--delimiter", "tab"],
        ["--until", "100"], ["--at", "1e9"], ["--unseen-breaks", "learned", "--at", "1e300"],
        ["--json"],
    ]
)  # fmt: skip


def outside(folder):
    """List what lies beside the output folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path != folder)


@pytest.mark.slow
@pytest.mark.filterwarnings("default:overflow encountered:RuntimeWarning")  # y may be 1e300
@settings(
    max_examples=10_000,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    content=nasty_tables() | csv_bytes() | st.binary(max_size=80),
    options=OPTIONS,
    fits=st.integers(0, 9).map(lambda digit: digit == 5),
)
def test_ten_thousand_files_are_fitted_or_refused_in_words(content, options, fits, tmp_path):
    """One in ten of what can be fitted is, in earnest; of the others reading is tested."""
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    quickly = ["--law", "M1", "--draws", "10", "--max-gradients", "1"]
    with pytest.MonkeyPatch.context() as patch:
        if not fits:
            patch.setattr(bb, "fit", checked)
        done = run("fit", path, *quickly, *options)
    check_done(done)
    event(f"{'fitted' if fits else 'read'}: exit code {done.exit_code}")


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tasks=st.lists(TASKS, min_size=1, max_size=3, unique=True))
def test_names_of_curves_lead_nowhere(tasks, tmp_path, monkeypatch):
    """Fits are written to files called after curves, whose names may look like paths."""
    here, data, out = tmp_path / "here", tmp_path / "data.csv", tmp_path / "out"
    here.mkdir(exist_ok=True)
    monkeypatch.chdir(here)
    shutil.rmtree(out, ignore_errors=True)
    rows = [(x, 3 / x, task) for task in tasks for x in (1.0, 10.0, 100.0)]
    pd.DataFrame(rows, columns=["x", "y", "task"]).to_csv(data, index=False)
    quickly = ["--law", "M1", "--draws", "10", "--max-gradients", "1", "--by", "task"]
    check_done(run("batch", data, "--out", out, *quickly))
    assert [path for path in outside(tmp_path) if not path.startswith("out/")] == [
        "data.csv", "here", "out"
    ]  # fmt: skip
    assert len(list(out.glob("*.nc"))) == len(tasks)


@pytest.mark.slow
@pytest.mark.parametrize("last", ["", "7,seven", '"7', "7,7,7", "7,\0"])
def test_a_million_rows(last, tmp_path):
    rows = [f"{10 + i % 8},{3 / (10 + i % 8)}" for i in range(1_000_000)]
    (tmp_path / "data.csv").write_text("\n".join(["x,y", *rows, last]))
    done = run("fit", tmp_path / "data.csv", "--law", "M1", "--draws", "10", "--json")
    check_done(done)
    if last:
        assert "line 1000002" in error_of(done)
    else:
        assert json.loads(done.stdout)["n_points"] == 8
