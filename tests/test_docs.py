"""The pages of the documentation: every Python block runs, and prints what the page says."""

import contextlib
import io
import re
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import bayes_bnsl as bb
from bayes_bnsl.errors import more_about
from bayes_bnsl.status import SENTENCES

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Pages with models that no other test needs, and the one that draws everything.
SLOW = {"choosing.md", "gallery.md", "laws.md", "noise.md", "priors.md"}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
NUMBER = re.compile(r"-?\d+(\.\d*)?(e[+-]?\d+)?")


def blocks_of(page):
    """Return (first line, code, what the page says it prints or None) for each Python block."""
    text = page.read_text("utf-8")
    found = list(BLOCK.finditer(text))
    for i, block in enumerate(found):
        if block[1] != "python":
            continue
        after = found[i + 1] if i + 1 < len(found) else None
        follows = after and after[1] == "text" and not text[block.end() : after.start()].strip()
        yield text.count("\n", 0, block.start(2)) + 1, block[2], after[2] if follows else None


def params():
    for page in PAGES:
        if any(True for _ in blocks_of(page)):
            marks = [pytest.mark.slow] if page.name in SLOW else []
            yield pytest.param(page, id=page.stem, marks=marks)


@pytest.fixture
def fit_once(monkeypatch, addition_fit):
    """Four pages fit the same law to the same points with the same seed: once is enough."""
    fit, known = bb.fit, (addition_fit.curve, addition_fit.law, {"seed": addition_fit.seed})

    def fit_or_recall(curve, law, **settings):
        return addition_fit if (curve, law, settings) == known else fit(curve, law, **settings)

    monkeypatch.setattr(bb, "fit", fit_or_recall)


@pytest.mark.filterwarnings("ignore::bayes_bnsl.errors.FailedFitsWarning")  # many.md shows one
@pytest.mark.usefixtures("fit_once")
@pytest.mark.parametrize("page", list(params()))
def test_code_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "page"}
    sampled = False
    for line, code, said in blocks_of(page):
        # What is sampled may differ in its last digits from machine to machine.
        sampled = sampled or any(f"bb.{name}(" in code for name in ("fit", "fit_many", "compare"))
        # Blank lines in front make the line numbers of a traceback those of the page.
        program = compile("\n" * (line - 1) + code, page, "exec")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(program, namespace)
        plt.close("all")  # a page may draw more than matplotlib likes to keep open
        if said is not None:
            came = printed.getvalue()
            assert words(came, sampled) == words(said, sampled), f"{page.name}, line {line}"


def words(text, sampled):
    """Split text; where numbers depend on the machine, any number is as good as another."""
    return (NUMBER.sub("#", text) if sampled else text).split()


def test_table_of_priors():
    table = runpy.run_path(str(ROOT / "docs" / "prior_table.py"))["table"]()
    assert table in (ROOT / "docs" / "priors.md").read_text("utf-8")


def test_architecture_lists_the_rooms_in_order():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    layers = re.findall(r'^    "\((\w+)\)",$', (ROOT / "pyproject.toml").read_text("utf-8"), re.M)
    rooms = {path.stem for path in (ROOT / "bayes_bnsl").iterdir()} - {"__init__", "__pycache__"}
    assert listed == [room for room in reversed(layers) if room in rooms]


def anchors(page):
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    headings = HEADING.findall(FENCED.sub("", page.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def test_messages_lead_to_their_sections():
    warned = [name for name in bb.__all__ if name.endswith("Warning")]
    assert "DuplicateRowsWarning" in warned
    for name in (*SENTENCES, *warned):
        page, anchor = re.search(r"(docs/\w+\.md)#(\w+)", more_about(name.lower())).groups()
        assert anchor in anchors(ROOT / page), name
    assert more_about("few_draws") in str(bb.Status("few_draws", 1.0, 300.0, 0, "a", "a"))
    with pytest.warns(bb.DuplicateRowsWarning, match=re.escape(more_about("duplicaterowswarning"))):
        bb.Curve([1, 1, 2], [3.0, 3.0, 2.0])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for link in LINK.findall(FENCED.sub("", page.read_text("utf-8"))):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page if not path else (page.parent / path).resolve()
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_pictures_exist_and_are_small():
    for page in PAGES:
        for name in re.findall(r"!\[[^\]]*\]\(([^)]*)\)", page.read_text("utf-8")):
            picture = page.parent / name
            assert picture.is_file(), f"{page.name} shows {name}"
            assert picture.stat().st_size < 150_000, name
