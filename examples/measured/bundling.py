"""What the scripts of this folder share: replicates become a CSV file and a note beside it."""

import argparse
import textwrap
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
BUNDLED = HERE.parent.parent / "bayes_bnsl" / "datasets" / "data"


def folder_argument(about):
    """Return the folder that the command line names; by default that of the bundled curves."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--folder", type=Path, default=BUNDLED, help="where the files go")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_curve(folder, name, script, about, x_name, y_name, x, y, *, geometric=False):
    """Write a curve that was measured; y holds the replicates of each x, or one number.

    Where replicates differ by factors, the geometric mean is what they have in common.
    """
    y = [np.atleast_1d(each) for each in y]
    n_replicates = len(y[0])
    replicated = n_replicates > 1
    header = [x_name, y_name] + (["standard error"] if replicated else [])
    lines = [",".join(header)]
    for at, each in zip(x, y, strict=True):
        mean = np.exp(np.log(each).mean()) if geometric else each.mean()
        cells = [f"{at:g}", f"{mean:.8g}"]
        if replicated:
            deviation = mean * np.log(each).std(ddof=1) if geometric else each.std(ddof=1)
            cells.append(f"{deviation / np.sqrt(n_replicates):.4g}")
        lines.append(",".join(cells))
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", "utf-8")
    kind = "Geometric mean" if geometric else "Mean"
    of = (
        f"{kind} of {n_replicates} replicates with its standard error."
        if replicated
        else "One run."
    )
    source = f"Source: measured with `python examples/measured/{Path(script).name}`."
    note = "\n\n".join([f"# {name}", *(textwrap.fill(each, 98) for each in (about, of, source))])
    (folder / f"{name}.md").write_text(note + "\n", "utf-8")
    print(f"{name}: {len(lines) - 1} points", flush=True)
