"""Run notebooks again and keep what they print and draw: ``make examples``.

Run ``python examples/run_notebooks.py [notebook ...]``; without names every notebook beside this
file is run, which takes some minutes. They run in a directory of their own, which is then removed.
"""

import base64
import io
import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parent
COLOURS = 64  # a third of the bytes, and no difference to the eye
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def main(paths):
    for path in paths:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(run(nbformat.read(path, as_version=4), folder), path)
        size = path.stat().st_size / 1000
        print(f"{path.name}: {time.perf_counter() - start:.0f} s, {size:.0f} kB", flush=True)


def run(notebook, folder):
    """Run a notebook in a folder, with the package that stands beside this one."""
    environment = {
        **os.environ,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONPATH": str(FOLDER.parent),
    }
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        timeout=1200,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],  # else it warns of its own way to talk
    )
    client.execute(env=environment)
    notebook.metadata = METADATA
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", ()):
            pictures = output.get("data", {})
            if "image/png" in pictures:
                pictures["image/png"] = smaller(pictures["image/png"])
    return notebook


def smaller(picture):
    """Give a picture, in base64, few colours."""
    written = io.BytesIO()
    image = Image.open(io.BytesIO(base64.b64decode(picture)))
    image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
        written, format="PNG", optimize=True
    )
    return base64.b64encode(written.getvalue()).decode("ascii")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb")))
