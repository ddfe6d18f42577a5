"""Simulation-based calibration of every law: ranks in CSV files, a table and a picture.

Run by ``make calibration``. One file a law, one row a simulated curve; what has a row is not
simulated again. The picture of all laws goes to docs/pictures/calibration.png, that of some of
them, or of fewer curves, beside the rows.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
from make_pictures import save  # without a screen
from measuring import LAWS, add_arguments, chains_at_once, markdown, measure

import bayes_bnsl as bb
from bayes_bnsl.calibration import calibrate_once, quantity_names
from bayes_bnsl.uniformity import Ranks

PICTURE = Path(__file__).parent / "pictures" / "calibration.png"
NOISES = {noise.name: noise for noise in (bb.LogNormal(), bb.StudentT(), bb.Correlated())}
COUNT = 300
CALIBRATED = ["BNSL(0)", "BNSL(1)", "BNSL(2)", "M1", "M2", "M3", "M4"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, CALIBRATED)
    parser.add_argument("--noise", choices=NOISES, default="LogNormal")
    parser.add_argument("--count", type=int, default=COUNT, help="simulated curves of each law")
    parser.add_argument("--folder", type=Path, default=Path("measured"), help="where rows go")
    parser.add_argument("--picture", type=Path, help="where the picture goes")
    options = parser.parse_args()
    calibrations, raised = [], {}
    for law in options.laws:
        name = law if options.noise == "LogNormal" else f"{law}, {options.noise}"
        rows = measure(
            options.folder / f"calibration_{name}.csv",
            ["number", "status", *quantity_names(LAWS[law], NOISES[options.noise])],
            {
                (str(number),): (law, options.noise, number, chains_at_once(options.workers))
                for number in range(0, options.count, options.every)
            },
            simulate_and_rank,
            workers=options.workers,
        )
        ranked = [row for row in rows if not row["status"].startswith("raised")]
        raised[name] = len(rows) - len(ranked)
        calibrations.append(gathered(name, ranked))
    print(table(calibrations, raised))
    asked = (options.laws, options.noise, options.count // options.every)
    documented = asked == (CALIBRATED, "LogNormal", COUNT)
    draw(
        calibrations,
        options.picture or (PICTURE if documented else options.folder / PICTURE.name),
    )


def simulate_and_rank(law, noise, number, cores):
    """Return the row of one simulated curve."""
    result = calibrate_once(LAWS[law], number, noise=NOISES[noise], cores=cores)
    return {"status": result.status, **result.ranks}


def gathered(name, rows):
    """Return the calibration that rows of a file hold."""
    ranks = []
    for row in rows:
        of_row = {key: int(row[key]) for key in row if key not in ("number", "status")}
        ranks.append(Ranks(of_row, row["status"]))
    return bb.Calibration.of(name, ranks)


def table(calibrations, raised):
    """Return the verdicts as Markdown.

    A law has so many quantities that the smallest of their p-values is small by chance; times
    their number it is a bound on the probability of one as small.
    """
    rows = []
    for each in calibrations:
        verdicts = each.table()
        worst = verdicts["p_value"].idxmin()
        p_value = verdicts["p_value"].min()
        astray = ", ".join(verdicts.index[~verdicts["uniform"]]) or "none"
        rows.append(
            [
                each.name, len(each.statuses), f"{each.converged:.3f}", raised[each.name],
                len(verdicts), f"{p_value:.4f} ({worst})",
                f"{min(1.0, p_value * len(verdicts)):.3f}", astray,
            ]
        )  # fmt: skip
    header = ["law", "curves", "converged", "raised", "quantities", "smallest p"]
    return markdown([*header, "p times quantities", "outside the 99 % band"], rows)


def draw(calibrations, path):
    """Draw a panel a law."""
    columns = min(4, len(calibrations))
    lines = -(-len(calibrations) // columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(2.7 * columns, 2.3 * lines), sharex=True, sharey=True,
        layout="constrained", squeeze=False,
    )  # fmt: skip
    for ax, each in zip(axes.flat, calibrations, strict=False):
        bb.plot_calibration(each, ax=ax)
        ax.set_title(f"{each.name} ({len(each.statuses)} curves)", fontsize="medium")
        ax.set(xlabel=None, ylabel=None, xticks=(0, 0.5, 1))
    for ax in axes.flat[len(calibrations) :]:
        ax.set_axis_off()
    figure.supxlabel("rank of the truth / number of draws", fontsize="medium")
    figure.supylabel("ECDF less that of uniform ranks", fontsize="medium")
    path.parent.mkdir(parents=True, exist_ok=True)
    save(figure, path.stem, path.parent)


if __name__ == "__main__":
    main()
