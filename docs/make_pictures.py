"""Every picture of the documentation, made by the package: ``make pictures``.

The fits take seeds, so the pictures change only when the package does. Those of the gallery are
drawn by the lines that stand above them on that page.
"""

import re
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pymc as pm
import xarray as xr
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from PIL import Image
from scipy.stats import spearmanr

import bayes_bnsl as bb

FOLDER = Path(__file__).parent / "pictures"
LARGEST = 150_000
COLOURS = 64  # a third of the bytes, and no difference to the eye
BLUE, ORANGE = "#0072B2", "#D55E00"
FIGURE_1 = {  # Caballero et al., ICLR 2023, figure 1
    "a": 1e-3,
    "b": 4.66e3,
    "c0": 0.05,
    "c": [0.49, -0.811, 2.1],
    "d": [3e6, 1e14, 2e20],
    "f": [1.1, 1.425, 0.05],
}

ONE_BREAK = {"a": 0.3, "b": 6.0, "c0": 0.1, "c": [0.25], "d": [100.0], "f": [0.3]}


def main():
    FOLDER.mkdir(exist_ok=True)
    plt.rcParams["savefig.dpi"] = 110
    draw_gallery()
    seen, _ = bb.load_curve("four_digit_addition").split(x=736)
    fit = bb.fit(seen, bb.BNSL(1), seed=1, progress=False)
    save(bb.plot_forecast(fit, to=7360).figure, "forecast_far")
    one_break = bb.simulate(bb.BNSL(1), ONE_BREAK, np.geomspace(1, 1e4, 25), noise=0.01, seed=1)
    save(draw_unseen(bb.fit(one_break, bb.BNSL(1), seed=1, progress=False)), "unseen")
    save(bb.plot_segments(bb.BNSL(3), FIGURE_1, x=[1e2, 1e22]).figure, "segments")
    save(draw_ridge(fit), "ridge")
    save(draw_prior_curves(seen), "prior_curves")
    save(draw_noise(), "noise")


def draw_gallery():
    """Run the lines of the gallery, and keep what each draws as the picture that follows it."""
    page = (FOLDER.parent / "gallery.md").read_text("utf-8")
    block = r"^```python\n(.*?)^```$(?:\s*!\[[^\]]*\]\(pictures/(\w+)\.png\))?"
    namespace = {}
    for code, name in re.findall(block, page, re.MULTILINE | re.DOTALL):
        exec(code, namespace)
        if name:
            save(plt.gcf(), name)


def save(figure, name, folder=FOLDER):
    path = folder / f"{name}.png"
    figure.savefig(path)
    plt.close(figure)
    Image.open(path).quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path.name}: {size / 1000:.0f} kB")
    if size > LARGEST:
        raise SystemExit(f"{path.name} is larger than {LARGEST / 1000:.0f} kB.")


def draw_ridge(fit):
    """Draw limit against change of slope, as the law has them and as the sampler has them."""
    posterior, coordinates = fit.posterior, fit.data["coordinates"].to_dataset()
    share = posterior["a"] / float(fit.curve.y.min())
    views = [
        (
            "in the letters of the law",
            "limit a / smallest y",
            share,
            "change of slope c",
            posterior["c"],
        ),
        ("in the sampler's coordinates", "z_a", coordinates["z_a"], "z_c", coordinates["z_c"]),
    ]
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
    for ax, (title, x_name, x, y_name, y) in zip(axes, views, strict=True):
        x, y = x.values.ravel(), y.isel(brk=0).values.ravel()
        taken = np.arange(0, x.size, max(1, x.size // 3000))
        ax.plot(x[taken], y[taken], ".", ms=2, color=BLUE, alpha=0.4, rasterized=True)
        ax.set(title=f"{title}\nrank correlation {spearmanr(x, y).statistic:.2f}")
        ax.title.set_fontsize("medium")
        ax.set(xlabel=x_name, ylabel=y_name)
        print(f"ridge, {title}: rank correlation {spearmanr(x, y).statistic:.3f}")
    return figure


def draw_unseen(fit):
    """Draw a forecast that assumes no further break beside one that allows for them."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True, layout="constrained")
    for ax, unseen_breaks in zip(axes, (0, "learned"), strict=True):
        bb.plot_forecast(fit, to=1e6, unseen_breaks=unseen_breaks, ax=ax)
    axes[1].set_ylabel("")
    axes[1].get_legend().remove()
    return figure


def draw_prior_curves(curve, n_curves=40):
    """Draw curves from the prior of every law on the scale of a curve."""
    laws = [*(bb.BNSL(n) for n in range(4)), bb.M1(), bb.M2(), bb.M3(), bb.M4()]
    last = curve.x[-1]
    grid = xr.DataArray(np.geomspace(curve.x[0], 10 * last, 200), dims="x")
    figure, axes = plt.subplots(
        2, 4, figsize=(10, 5.2), sharex=True, sharey=True, layout="constrained"
    )
    for ax, law in zip(axes.flat, laws, strict=True):
        model = bb.build_model(curve, law)
        names = [variable.name for variable in model.deterministics]
        tree = pm.sample_prior_predictive(
            n_curves,
            model=model,
            var_names=names,
            random_seed=1,
            compile_kwargs={"mode": "FAST_COMPILE"},
        )
        theta = {name: tree["prior"][name].isel(chain=0) for name in names}
        y = law(grid, theta).transpose("draw", "x")
        ax.plot(grid, y.T, color=BLUE, lw=0.7, alpha=0.5)
        ax.plot(curve.x, curve.y, "o", color="k", ms=2.5)
        ax.axvline(last, color="0.4", lw=1, ls=":")
        ax.set_title(law.name, fontsize="medium")
    ax.set(xscale="log", yscale="log", xlim=(grid[0] / 1.2, grid[-1]), ylim=(0.05, 20))
    for axis, ticks in ((ax.xaxis, (200, 1000, 5000)), (ax.yaxis, (0.1, 1, 10))):
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())
    figure.supxlabel(curve.x_name, fontsize="medium")
    figure.supylabel(curve.y_name, fontsize="medium")
    return figure


def draw_noise():
    """Draw the forecasts of one curve, whose residuals hang together, with two noise models."""
    theta = {"a": 0.12, "b": 6.0, "c0": 0.22, "sigma": 0.004, "tau": 0.02, "ell": 0.8}
    x = np.geomspace(1e5, 2e8, 60)
    curve = bb.simulate(bb.BNSL(0), theta, x, bb.Correlated(), seed=5, name="a simulated run")
    seen, later = curve.split(n=42)
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), sharey=True, layout="constrained")
    for ax, noise in zip(axes, (bb.LogNormal(), bb.Correlated()), strict=True):
        fit = bb.fit(seen, bb.BNSL(0), noise=noise, seed=1, progress=False)
        bb.plot_forecast(fit, held_out=later, ax=ax)
        ax.set_title(f"noise=bb.{noise.name}()", fontsize="medium")
    axes[1].set_ylabel("")
    axes[1].get_legend().remove()
    return figure


if __name__ == "__main__":
    main()
