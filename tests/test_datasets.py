"""The bundled curves and the reader of the public benchmark."""

from __future__ import annotations

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources

import pooch
import pytest

from bayes_bnsl.datasets import (
    BenchmarkCurve,
    curve_names,
    fetch_benchmark,
    load_curve,
    read_benchmark,
)

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


# --- fetching -----------------------------------------------------------------------------


LANGUAGE, VISION = "benchmark.lang.csv", "benchmark.vision.csv"


class Mirror(SimpleHTTPRequestHandler):
    """A web server of one folder, which counts what it sends and may hang up half-way."""

    def log_message(self, *_):
        """Say nothing."""

    def copyfile(self, source, outputfile):
        content = source.read()
        self.server.sent.append(self.path)
        half = self.path.removeprefix("/") == self.server.breaks_off
        outputfile.write(content[: len(content) // 2] if half else content)
        self.close_connection = True


@pytest.fixture
def mirror(tmp_path):
    published = tmp_path / "published"
    published.mkdir()
    (published / LANGUAGE).write_text(ORIGINAL)
    (published / VISION).write_text(ORIGINAL.replace("BB", "IC"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Mirror, directory=published))
    server.sent, server.breaks_off, server.folder = [], None, published
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_fetched_is_what_is_read_and_stays(mirror, tmp_path, capsys):
    target = tmp_path / "new" / "folder"
    hashes = {LANGUAGE: sha256(mirror.folder / LANGUAGE).upper()}
    assert fetch_benchmark(target, hashes=hashes, address=mirror.address + "/") == target
    curves = read_benchmark(target)
    assert [(curve.domain, len(curve.seen), len(curve.later)) for curve in curves] == [
        ("BB", 1, 1), ("IC", 1, 1)
    ]  # fmt: skip
    fetch_benchmark(target, hashes=hashes, address=mirror.address)
    assert mirror.sent == [f"/{LANGUAGE}", f"/{VISION}"]
    assert capsys.readouterr() == ("", "")


def test_the_folder_is_the_user_s_cache(mirror, tmp_path, monkeypatch):
    monkeypatch.setattr(pooch, "os_cache", tmp_path.joinpath)
    assert fetch_benchmark(address=mirror.address) == tmp_path / "bayes_bnsl" / "benchmark"
    assert len(read_benchmark(tmp_path / "bayes_bnsl" / "benchmark")) == 2


def test_a_file_with_another_hash_is_not_kept(mirror, tmp_path):
    wrong = {VISION: "0" * 64}
    with pytest.raises(ValueError, match=r"vision\.csv was not kept: SHA256 hash .* `hashes`"):
        fetch_benchmark(tmp_path / "out", hashes=wrong, address=mirror.address)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [LANGUAGE]


def test_a_file_that_changed_is_fetched_again(mirror, tmp_path):
    (tmp_path / LANGUAGE).write_text(TIDY)
    hashes = {LANGUAGE: sha256(mirror.folder / LANGUAGE)}
    fetch_benchmark(tmp_path, hashes=hashes, address=mirror.address)
    assert (tmp_path / LANGUAGE).read_text() == ORIGINAL


def test_of_an_interrupted_download_nothing_stays_and_the_next_one_succeeds(mirror, tmp_path):
    out = tmp_path / "out"
    mirror.breaks_off = VISION
    with pytest.raises(ConnectionError, match=r"benchmark\.vision\.csv was not fetched: .*broken"):
        fetch_benchmark(out, address=mirror.address)
    assert [path.name for path in out.iterdir()] == [LANGUAGE]
    mirror.breaks_off = None
    assert len(read_benchmark(fetch_benchmark(out, address=mirror.address))) == 2
    assert mirror.sent.count(f"/{LANGUAGE}") == 1


def test_no_network_and_no_such_file(mirror, tmp_path):
    (mirror.folder / VISION).unlink()
    with pytest.raises(ConnectionError, match="404"):
        fetch_benchmark(tmp_path / "out", address=mirror.address)
    with pytest.raises(ConnectionError, match="was not fetched"):
        fetch_benchmark(tmp_path / "none", address="http://127.0.0.1:9")


@pytest.mark.parametrize("page", ["<html>Log in</html>\n<p>", "", "a,b\n1,2\n"])
def test_a_page_that_is_no_benchmark_is_not_kept(mirror, tmp_path, page):
    (mirror.folder / LANGUAGE).write_text(page)
    with pytest.raises(ValueError, match=r"lang\.csv is no part of the benchmark"):
        fetch_benchmark(tmp_path / "out", address=mirror.address)
    assert list((tmp_path / "out").iterdir()) == []


def test_hashes_of_other_files():
    with pytest.raises(
        ValueError, match=r"hashes names 'lang\.csv'\. Did you mean 'benchmark\.lang"
    ):
        fetch_benchmark(hashes={"lang.csv": "0"})
