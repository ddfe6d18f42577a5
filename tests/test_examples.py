"""The notebooks: they run, are kept as they ran, and call nothing that is not public."""

import ast
import re
import runpy
from pathlib import Path

import nbformat
import pytest

import bayes_bnsl as bb

FOLDER = Path(__file__).parent.parent / "examples"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LARGEST = 1_500_000


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(notebook):
    return [
        output.text
        for cell in code_cells(notebook)
        for output in cell.outputs
        if output.output_type == "stream"
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_kept_as_it_ran(path):
    notebook = read(path)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert "error" not in {output.output_type for output in outputs}
    assert "stderr" not in {output.get("name") for output in outputs}
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    assert not any(cell.metadata for cell in notebook.cells)  # when and by whom it was run


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_calls_public_names_alone(path):
    used = set()
    for cell in code_cells(read(path)):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.ImportFrom):
                assert not str(node.module).startswith("bayes_bnsl"), ast.unparse(node)
            if isinstance(node, ast.Attribute):
                assert not node.attr.startswith("_"), ast.unparse(node)
                if isinstance(node.value, ast.Name) and node.value.id == "bb":
                    used.add(node.attr)
    assert used
    assert used <= set(bb.__all__)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_tells_a_story(path):
    texts = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    assert texts[0].startswith("# ")
    assert any("**The caveat" in text for text in texts)
    for link in re.findall(r"\]\(([^)\s]+)\)", "\n".join(texts)):
        assert "://" in link or (FOLDER / link.partition("#")[0]).exists(), link


def test_notebooks_are_small_and_listed():
    assert len(NOTEBOOKS) >= 11
    assert sum(path.stat().st_size for path in NOTEBOOKS) < LARGEST
    pages = [FOLDER.parent / "README.md", FOLDER.parent / "docs" / "index.md"]
    for path in NOTEBOOKS:
        for page in pages:
            assert f"examples/{path.name}" in page.read_text("utf-8"), f"{page.name}: {path.name}"
        assert f"<examples/{path.stem}>" in pages[1].read_text("utf-8")  # in the built pages


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(
            path, id=path.stem, marks=[] if path.stem == "quick_start" else [pytest.mark.slow]
        )
        for path in NOTEBOOKS
    ],
)
def test_notebook_runs(path, tmp_path):
    run = runpy.run_path(str(FOLDER / "run_notebooks.py"))["run"]
    kept = read(path)
    again = run(read(path), tmp_path)  # a cell that fails raises
    assert len(printed(again)) == len(printed(kept))
    shapes = [[output.output_type for output in cell.outputs] for cell in code_cells(again)]
    assert shapes == [[output.output_type for output in cell.outputs] for cell in code_cells(kept)]
