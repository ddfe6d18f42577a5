"""What holds for the package as a whole: imports, version, public names, docstrings."""

import importlib.metadata
import importlib.resources
import inspect
import os
import subprocess
import sys

import numpydoc.validate
import pytest

import bayes_bnsl

IMPORT_SECONDS = 0.5

HEAVY = ("arviz_plots", "arviz_stats", "matplotlib.pyplot", "nutpie", "pymc", "pytensor")

# Left out are the codes of taste (wording, blank lines: ruff's D has a say there) and the
# sections that not every name needs (See Also, Examples, extended summary).
NUMPYDOC_CODES = {
    "GL06",  # unknown section
    "GL07",  # sections out of order
    "GL08",  # no docstring
    "PR01",  # parameter not documented
    "PR02",  # documented parameter does not exist
    "PR03",  # parameters in another order
    "PR04",  # parameter without a type
    "PR07",  # parameter without a description
    "PR10",  # no space before the colon
    "RT01",  # no Returns section
    "RT03",  # return value without a description
    "SS01",  # no summary
    "SS03",  # summary without a full stop
    "SS06",  # summary of more than one line
    "YD01",  # no Yields section
}


def run_fresh(code, **environment):
    """Run code in an interpreter of its own and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def public_objects():
    """Every public name, and the methods and properties of public classes, inherited ones too.

    What a class overrides is named, and documented, where it is first said.
    """
    found = {}
    for name in bayes_bnsl.__all__:
        thing = getattr(bayes_bnsl, name)
        # by its room, since "bayes_bnsl.report" might be the function or the room
        found[f"{thing.__module__}.{name}"] = None
        if inspect.isclass(thing):
            for member, value in inspect.getmembers(thing):
                function = value.fget if isinstance(value, property) else value
                ours = str(getattr(function, "__module__", "")).startswith("bayes_bnsl.")
                if ours and inspect.isroutine(function) and not member.startswith("_"):
                    first = [each for each in inspect.getmro(thing) if member in vars(each)][-1]
                    found[f"{first.__module__}.{first.__qualname__}.{member}"] = None
    return list(found)


def test_import_is_quick():
    code = (
        "import time; start = time.perf_counter(); import bayes_bnsl; "
        "print(time.perf_counter() - start)"
    )
    assert min(float(run_fresh(code)) for _ in range(3)) < IMPORT_SECONDS


@pytest.mark.parametrize("first_use", ["pass", "bb.Curve([1, 2, 3], [3, 2, 1])"])
def test_import_leaves_heavy_libraries_alone(first_use):
    code = f"import sys; import bayes_bnsl as bb; {first_use}; print(*sys.modules)"
    loaded = run_fresh(code).split()
    assert "bayes_bnsl" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_every_name_of_the_stub_exists():
    # With EAGER_IMPORT every name is imported at once, so that a missing one fails here.
    code = "import bayes_bnsl; print(*bayes_bnsl.__all__)"
    assert run_fresh(code, EAGER_IMPORT="1").split() == bayes_bnsl.__all__
    assert bayes_bnsl.__all__


def test_public_names_are_listed_by_dir():
    assert set(bayes_bnsl.__all__) <= set(dir(bayes_bnsl))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        bayes_bnsl.no_such_name  # noqa: B018


def test_version_of_package_and_metadata_agree():
    assert bayes_bnsl.__version__ == importlib.metadata.version("bayes-bnsl")


def test_type_annotations_are_shipped():
    assert (importlib.resources.files(bayes_bnsl) / "py.typed").is_file()


def test_inherited_methods_are_public_objects():
    names = {"tables.FromTables.from_csv", "curve.Curve.split", "law.Law.log_mu", "report.report"}
    assert {f"bayes_bnsl.{name}" for name in names} <= set(public_objects())
    assert not any("add_note" in name for name in public_objects())  # that is Python's


@pytest.mark.parametrize("name", bayes_bnsl.__all__)
def test_every_public_name_has_an_example(name):
    # that it runs, and prints what it says, is seen by doctest
    doc = inspect.getdoc(getattr(bayes_bnsl, name))
    assert "\nExamples\n--------\n>>> " in doc


@pytest.mark.parametrize("name", public_objects())
def test_docstring(name):
    found = numpydoc.validate.validate(name)["errors"]
    problems = [f"{code}: {words}" for code, words in found if code in NUMPYDOC_CODES]
    assert not problems, "\n".join([name, *problems])
