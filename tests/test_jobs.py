"""One fit of a batch: its file is named by all that the fit depends on, its seed by names."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bayes_bnsl as bb
from bayes_bnsl.jobs import make_job, row_of_file, seed_of, write_whole

CURVE = bb.Curve([1, 10, 100, 1000], [4.0, 3.0, 2.5, 2.2], name="task")


def file_of(curve=CURVE, law=None, noise=None, seed=1, **settings):
    return make_job(curve, law or bb.BNSL(0), noise, seed, settings).file


@pytest.mark.parametrize(
    "changed",
    [
        {"curve": replace(CURVE, y=[4.0, 3.0, 2.5, 2.2 * (1 + 1e-15)])},
        {"curve": replace(CURVE, x=[1, 10, 100, 1001])},
        {"curve": replace(CURVE, y_se=[0.1] * 4)},
        {"curve": replace(CURVE, run=["a", "a", "b", "b"])},
        {"curve": replace(CURVE, name="task ")},
        {"curve": replace(CURVE, ceiling=100.0)},
        {"law": bb.M1()},
        {"law": bb.BNSL(1)},
        {"noise": bb.StudentT()},
        {"noise": bb.LogNormal(changing=True)},
        {"seed": 2},
        {"seed": None},
        {"draws": 300},
        {"priors": {"sigma": 0.02}},
        {"priors": {"c0": bb.Prior("Normal", mu=0.3, sigma=0.1)}},
        {"scale": bb.Scale.of(replace(CURVE, y=[5.0, 3.0, 2.5, 2.2]))},
    ],
    ids=str,
)
def test_whatever_changes_a_fit_changes_its_file(changed):
    assert file_of(**changed) != file_of()


def test_the_numbers_of_a_prior_change_the_file():
    one, other = (
        {"c0": bb.Prior("Normal", mu=mu, sigma=0.1, at_least=0.0)} for mu in (0.3, 0.3000001)
    )
    assert file_of(priors=one) != file_of(priors=other)
    assert file_of(priors=one) == file_of(priors=dict(one))


@pytest.mark.parametrize("same", [{"progress": False}, {"cores": 1}])
def test_what_leaves_a_fit_alone_leaves_its_file_alone(same):
    assert file_of(**same) == file_of()


@given(st.text(st.characters(), max_size=600))
def test_files_stay_in_their_folder(name):
    file = file_of(replace(CURVE, name=name))
    assert not set(file) & set('/\\:*?"<>|\0\n ')
    assert file.isascii()
    assert not file.startswith((".", "-"))
    assert len(file) < 150


@given(st.text(st.characters(), max_size=30), st.text(st.characters(), max_size=30))
def test_seeds_hang_on_names_alone(one, other):
    assert seed_of(1, one, other) == seed_of(1, one, other)
    assert 0 <= seed_of(1, one, other) < 2**32
    if one != other:
        assert seed_of(1, one) != seed_of(1, other)
    assert seed_of(None, one) is None


def test_seeds_are_the_same_on_every_machine():
    # what these numbers are does not matter, but that they stay: results could not be repeated
    assert [seed_of(0, "task", "M1"), seed_of(1, "task", "M1"), seed_of(1, "M1", "task")] == [
        2139314924,
        910431187,
        3738230073,
    ]


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("the disk is full")

    write_whole(tmp_path / "it", b"old")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="the disk is full"):
        write_whole(tmp_path / "it", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["it"]
    assert (tmp_path / "it").read_bytes() == b"old"


def test_a_damaged_file_is_no_row(tmp_path, line_fit):
    job = make_job(line_fit.curve, line_fit.law, None, 1, {})
    line_fit.save(tmp_path / job.file)
    row = row_of_file(job, tmp_path)
    assert row is not None
    assert (row["status"], row["ok"], row["error"]) == ("converged", True, "")
    assert np.isclose(row["seconds"], line_fit.seconds)
    content = (tmp_path / job.file).read_bytes()
    (tmp_path / job.file).write_bytes(content[: len(content) // 2])
    assert row_of_file(job, tmp_path) is None
