"""The bundled curves and the reader of the public benchmark."""

from __future__ import annotations

import hashlib
import importlib
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path

import numpy as np
import pooch
import pytest
from scipy.optimize import brentq

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


# --- curves measured by the scripts in examples/measured ----------------------------------

SCRIPTS = Path(__file__).parent.parent / "examples" / "measured"


@pytest.fixture(scope="module")
def script():
    """Import a script that measured curves."""
    before = set(sys.modules)
    sys.path.insert(0, str(SCRIPTS))
    yield importlib.import_module
    sys.path.remove(str(SCRIPTS))
    for name in {path.stem for path in SCRIPTS.glob("*.py")} - before:
        sys.modules.pop(name, None)


def kernel_scale(n, variances, rest):
    """Return kappa with ``n = sum_i v_i / (v_i + kappa) + rest / kappa``."""

    def excess(log_kappa):
        kappa = np.exp(log_kappa)
        return np.sum(variances / (variances + kappa)) + rest / kappa - n

    return np.exp(brentq(excess, -30, 10))


def in_standard_errors(curve, theory):
    return (curve.y - theory) / curve.y_se


def test_loss_of_infinite_width_is_that_of_theory(script):
    # Simon et al., "The eigenlearning framework", TMLR 2023: exact for many Gaussian features
    features = script("random_features")
    variances, rest = features.spectrum(features.N_FEATURES), features.rest()
    curve = load_curve("random_features_data_resolution")
    theory = []
    for n in curve.x:
        kappa = kernel_scale(n, variances, rest)
        learnt = variances / (variances + kappa)
        unlearnt = np.sum(variances * (1 - learnt) ** 2) + rest
        theory.append(unlearnt / (1 - np.sum(learnt**2) / n))
    assert np.abs(in_standard_errors(curve, theory)).max() < 4
    slope = np.polyfit(curve.log_x, np.log(theory), 1)[0]
    assert slope == pytest.approx(-features.ALPHA, abs=0.02)


def test_loss_of_infinite_data_is_that_of_theory(script):
    features = script("random_features")
    variances, rest = features.spectrum(features.N_FEATURES), features.rest()
    curve = load_curve("random_features_width_resolution")
    theory = [n * kernel_scale(n, variances, rest) for n in curve.x]
    assert np.abs(in_standard_errors(curve, theory)).max() < 4
    slope = np.polyfit(curve.log_x, np.log(theory), 1)[0]
    assert slope == pytest.approx(-features.ALPHA, abs=0.02)


def test_variance_limited_losses_come_to_their_limits_in_closed_form(script):
    fixed, few = script("random_features").Fixed(), script("random_features").FEW
    by_data = load_curve("random_features_data_variance")
    theory = fixed.limit_of_data() * (by_data.x - 1) / (by_data.x - few - 1)
    assert np.abs(in_standard_errors(by_data, theory)).max() < 4
    # what random features add to the limit lies outside the samples' own span; the inverse of a
    # Wishart matrix of n degrees of freedom has the mean I / (n - FEW - 1)
    samples, variances = fixed.samples, fixed.variances
    kernel = samples @ samples.T
    inside = np.linalg.solve(kernel, samples * variances)
    outside = variances.sum() - np.trace(inside @ samples.T)
    y = samples @ fixed.teacher
    by_width = load_curve("random_features_width_variance")
    added = outside * (y @ np.linalg.solve(kernel, y)) / (by_width.x - few - 1)
    theory = fixed.limit_of_width() + added
    assert np.abs(in_standard_errors(by_width, theory)).max() < 4


def test_double_descent_peaks_where_samples_and_features_are_as_many():
    for name, peak in (("double_descent_width", 128), ("double_descent_samples", 64)):
        curve = load_curve(name)
        at = int(np.argmax(curve.y))
        assert curve.x[at] == peak
        assert curve.y[at] > 2 * curve.y[:at].min() > 2 * curve.y[-1]


@pytest.mark.parametrize(
    "name", [name for name in curve_names() if name.startswith(("random_features", "double"))]
)
def test_script_measures_the_first_point_again(script, name):
    features, curve = script("random_features"), load_curve(name)
    _, _, x, loss, replicates = features.CURVES[name]
    assert curve.x.tolist() == x.tolist()
    (again,) = features.measure(x[:1], loss, replicates)
    assert np.mean(again) == pytest.approx(curve.y[0], rel=1e-6)
    assert np.std(again, ddof=1) / np.sqrt(len(again)) == pytest.approx(curve.y_se[0], rel=1e-3)


def test_scripts_of_trainings_measure_the_first_points_again(script):
    student, curve = script("online_student"), load_curve("online_student")
    np.testing.assert_allclose(student.run(steps=200), curve.y[curve.x <= 200], rtol=1e-5)
    assert curve.y_se is None
    modular, curve = script("modular_addition"), load_curve("modular_addition_steps")
    each = [
        modular.train(modular.N_TRAIN, 21, np.random.default_rng([1, number]))
        for number in range(modular.REPLICATES)
    ]
    again = np.exp(np.log(each).mean(axis=0))
    np.testing.assert_allclose(again, curve.y[curve.x <= 21], rtol=1e-5)


def test_replicates_become_a_file_with_standard_errors(script, tmp_path, capsys):
    names = (tmp_path, "mine", "some/script.py", "What it is.", "images", "loss", [10, 20])
    script("bundling").write_curve(*names, [[1.0, 3.0], [4.0, 4.0]])
    table = (tmp_path / "mine.csv").read_text()
    assert table == "images,loss,standard error\n10,2,1\n20,4,0\n"
    assert "python examples/measured/script.py" in (tmp_path / "mine.md").read_text()
    script("bundling").write_curve(*names, [[1.0, 4.0], [1.0, 1.0]], geometric=True)
    table = (tmp_path / "mine.csv").read_text()
    assert table == f"images,loss,standard error\n10,2,{2 * np.log(2):.4g}\n20,1,0\n"
    script("bundling").write_curve(*names, [1.5, 1.25])
    assert (tmp_path / "mine.csv").read_text() == "images,loss\n10,1.5\n20,1.25\n"
    assert "mine: 2 points" in capsys.readouterr().out


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
