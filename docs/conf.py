"""Sphinx configuration; `make docs` builds with it."""

import importlib
import os
import shutil
import tomllib
from pathlib import Path

import bayes_bnsl

HERE = Path(__file__).parent

project = "bayes_bnsl"
author = "the bayes_bnsl developers"
project_copyright = f"%Y, {author}"
version = release = bayes_bnsl.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "myst_nb",
    "numpydoc",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "api_names.rst"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = f"bayes_bnsl {release}"
html_static_path = ["_static"]
html_css_files = ["style.css"]

nb_execution_mode = "off"  # notebooks are kept as they ran: `make examples`
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "html_image"]
myst_heading_anchors = 3
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say the types
numpydoc_show_class_members = False  # the class template does

# Links to other projects need their indices, hence a network; the pages are complete without.
if os.environ.get("ONLINE"):
    extensions.append("sphinx.ext.intersphinx")
intersphinx_mapping = {
    "python": ("https://docs.python.org/3", None),
    "numpy": ("https://numpy.org/doc/stable", None),
    "scipy": ("https://docs.scipy.org/doc/scipy", None),
    "xarray": ("https://docs.xarray.dev/en/stable", None),
    "pymc": ("https://www.pymc.io/projects/docs/en/stable", None),
    "arviz": ("https://python.arviz.org/en/stable", None),
}


def api_names() -> str:
    """Tables of the public names, by room in the order of the import contract."""
    pyproject = tomllib.loads((HERE.parent / "pyproject.toml").read_text("utf-8"))
    layers = pyproject["tool"]["importlinter"]["contracts"][0]["layers"]
    rooms = {layer.strip("()"): [] for layer in reversed(layers)}
    for name in bayes_bnsl.__all__:
        room = getattr(bayes_bnsl, name).__module__.split(".")[1]
        rooms[room].append(name)
    lines = []
    for room, names in rooms.items():
        if names:
            title = importlib.import_module(f"bayes_bnsl.{room}").__doc__.splitlines()[0]
            heading = f"``{room}``"
            lines += [heading, "-" * len(heading), "", title, ""]
            lines += [".. currentmodule:: bayes_bnsl", "", ".. autosummary::"]
            lines += ["   :toctree: generated", "", *(f"   {name}" for name in names), ""]
    return "\n".join(lines)


# api.md includes this file, and autosummary makes a page for every name in it.
(HERE / "api_names.rst").write_text(api_names(), "utf-8")
autosummary_generate = ["api_names.rst"]

# Sphinx reads nothing outside this folder, so the notebooks come here; links between the two are
# written for those who read the repository.
shutil.rmtree(HERE / "examples", ignore_errors=True)
(HERE / "examples").mkdir()
for notebook in (HERE.parent / "examples").glob("*.ipynb"):
    shutil.copy(notebook, HERE / "examples")


def links_of_the_copies(_app: object, page: str, text: list[str]) -> None:
    """Let pages and notebooks find each other where the notebooks are copied to."""
    if page.startswith("examples/"):
        text[0] = text[0].replace("](../docs/", "](../")
    else:
        text[0] = text[0].replace("](../examples/", "](examples/")


def setup(app: object) -> None:
    app.connect("source-read", links_of_the_copies)
