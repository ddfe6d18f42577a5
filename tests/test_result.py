"""The result of a fit: what ArviZ makes of it, its words, and its file."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import stat
from pathlib import Path

import arviz_plots as azp
import arviz_stats as azs
import numpy as np
import pytest
import xarray as xr
from matplotlib.mathtext import MathTextParser

import bayes_bnsl as bb
from bayes_bnsl import storage
from problems import simulated

FITS = (
    "addition_fit", "limit_fit", "m4_fit", "line_fit", "accuracy_fit", "own_fit", "custom_fit",
    "runs_fit", "tails_fit",
)  # fmt: skip


@pytest.fixture(params=FITS)
def fit(request):
    return request.getfixturevalue(request.param)


def custom_law(fit):
    """Return the law for `load_fit`, which cannot read one of the user's from a file."""
    return fit.law if isinstance(fit.law, bb.Custom) else None


class TestData:
    def test_holds_every_group(self, fit):
        n = len(fit.curve)
        assert set(fit.data.children) >= {
            "posterior", "coordinates", "sample_stats", "log_likelihood", "observed_data",
            "constant_data",
        }  # fmt: skip
        for group in ("posterior", "coordinates", "sample_stats", "log_likelihood"):
            sizes = fit.data[group].sizes
            assert (sizes["chain"], sizes["draw"]) == (4, fit.posterior.sizes["draw"]), group
            assert fit.data[group].attrs["sample_dims"] == ["chain", "draw"]
        assert fit.data["log_likelihood"]["y"].dims == ("chain", "draw", "obs_id")
        np.testing.assert_array_equal(fit.data["observed_data"]["y"], fit.curve.y)
        np.testing.assert_array_equal(fit.data["constant_data"]["x"], fit.curve.x)
        assert fit.data["constant_data"].sizes == {"obs_id": n}

    def test_names_the_parameters_of_law_and_noise(self, fit):
        logged = {name for name in fit.law.line if name.startswith("log_")}
        assert set(fit.posterior) == {*fit.law.parameters, *logged, *fit.noise.parameters}
        for name, draws in fit.posterior.items():
            broken = fit.law.has_break(name)
            assert draws.dims == (("chain", "draw", "brk") if broken else ("chain", "draw"))
            assert np.all(np.isfinite(draws)), name

    def test_breaks_are_counted_from_one(self, addition_fit):
        assert addition_fit.posterior["brk"].values.tolist() == [1]

    def test_keeps_what_else_is_known_of_the_points(self, own_fit, custom_fit):
        constant = own_fit.data["constant_data"]
        np.testing.assert_array_equal(constant["y_se"], own_fit.curve.y_se)
        assert constant["run"].values.tolist() == own_fit.curve.run.tolist()
        assert custom_fit.data["constant_data"]["run"].values.tolist() == [1, 2] * 12 + [1]

    def test_logarithm_stands_beside_its_parameter(self, limit_fit):
        np.testing.assert_allclose(np.exp(limit_fit.posterior["log_b"]), limit_fit.posterior["b"])


class TestArviZ:
    def test_summary(self, addition_fit):
        table = azs.summary(addition_fit.data)
        assert set(table.index) == {"a", "b", "c0", "c[1]", "d[1]", "f[1]", "log_b", "sigma"}

    @pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto:UserWarning")
    def test_loo(self, fit):
        estimate = azs.loo(fit.data)
        pointwise = fit.data["log_likelihood"]["y"]
        best = float(pointwise.max(("chain", "draw")).sum())
        assert np.isfinite(estimate.elpd)
        assert estimate.elpd < best
        assert estimate.n_data_points == len(fit.curve)

    def test_ess_and_rhat(self, addition_fit):
        effective, r_hat = azs.ess(addition_fit.data), azs.rhat(addition_fit.data)
        for name in ("a", "b", "c0", "c", "d", "f", "sigma"):
            assert np.all(effective[name] > 400), name
            assert np.all(r_hat[name] < 1.01), name

    @pytest.mark.parametrize("plot", [azp.plot_dist, azp.plot_trace], ids=["dist", "trace"])
    def test_plots(self, plot, addition_fit):
        picture = plot(addition_fit.data, backend="none")
        assert {"a", "c", "sigma"} <= set(picture.viz.children) | set(
            picture.viz["plot"].dataset.data_vars
        )


class TestSummary:
    def test_has_a_row_for_each_parameter(self, fit):
        table = fit.summary()
        assert {name.split("[")[0] for name in table.index} == set(fit.posterior)
        moved = [name for name in table.index if np.ptp(fit.posterior[name.split("[")[0]].values)]
        assert np.all(table.loc[moved, "r_hat"].astype(float) <= 1.01)

    def test_numbers_whose_squares_are_none(self, fit_line):
        x = np.geomspace(1, 100, 8)
        curve = bb.Curve(x, 1e300 * x**-0.3 * np.exp(0.02 * np.cos(9 * x)))
        table = fit_line(curve, seed=1).summary(rounded=False)  # warnings are errors here
        assert table.loc["a", "median"] == pytest.approx(1e300, rel=0.05)

    def test_breaks_far_beyond_the_data_leave_the_table_readable(self, addition_fit):
        data = addition_fit.data.copy(deep=True)
        d = data["posterior"]["d"]
        middle = float(d.median())
        d[:, -10:] = 1e30
        table = dataclasses.replace(addition_fit, data=data).summary(rounded=False)
        (place,) = [name for name in table.index if name.startswith("d")]
        assert table.loc[place, "median"] == pytest.approx(middle, rel=0.001)
        assert float(table.loc[place, "mad"]) < 0.1 * middle

    def test_interval_has_the_probability_asked_for(self, limit_fit):
        table = limit_fit.summary(prob=0.5)
        low, high = np.quantile(limit_fit.posterior["c0"], [0.25, 0.75])
        assert float(table.loc["c0", "eti50_lb"]) == pytest.approx(low, abs=0.006)
        assert float(table.loc["c0", "eti50_ub"]) == pytest.approx(high, abs=0.006)


def rounded_medians(fit, digits):
    """Return the medians of the posterior to some digits, as parameters of the law."""
    median = fit.posterior[list(fit.law.parameters)].median(("chain", "draw"))
    return {
        name: np.vectorize(lambda number: float(f"{number:.{digits}g}"))(value.values)
        for name, value in median.items()
    }


class TestEquation:
    @pytest.mark.parametrize("digits", [3, 6])
    @pytest.mark.parametrize("which", [name for name in FITS if name != "custom_fit"])
    def test_in_plain_text_is_the_law_at_the_medians(self, which, digits, request):
        fit = request.getfixturevalue(which)
        text = fit.equation(digits=digits).replace("^", "**")
        theta = rounded_medians(fit, digits)
        assert text.startswith("y = ")
        for x in (0.5 * fit.curve.x[0], fit.curve.x[-1], 50 * fit.curve.x[-1]):
            y = float(fit.law(x, theta))
            if isinstance(fit.law, bb.M4):
                left, right = text.removeprefix("y = y where ").split(" = ")
                assert eval(left, {"x": x, "y": y}) == pytest.approx(
                    eval(right, {"x": x}), rel=1e-6
                )
            else:
                value = eval(text.removeprefix("y = "), {"x": x})
                assert value == pytest.approx(y, rel=1e-9)

    def test_of_a_custom_law_names_the_medians(self, custom_fit):
        k, r, s = (rounded_medians(custom_fit, 3)[name] for name in "krs")
        assert custom_fit.equation() == f"y = saturating(x; {k:.3g}, {r:.3g}, {s:.3g})"

    def test_in_latex_can_be_typeset(self, fit):
        text = fit.equation(latex=True)
        MathTextParser("agg").parse(f"${text}$")
        assert "^{" in text or isinstance(fit.law, bb.Custom)
        assert "e-" not in text

    def test_a_rising_curve_has_negative_exponents_in_brackets(self, fit_line):
        fit = fit_line(simulated("rising power law"), seed=1, draws=200)
        assert float(fit.posterior["b"].median()) > 0
        falling = fit_line(simulated("M1"), seed=1, draws=200)
        assert "(-0.35" in falling.equation()
        for each in (fit, falling):
            for latex in (False, True):
                assert "--" not in each.equation(latex=latex)

    def test_an_offset_that_overflows_is_written_all_the_same(self):
        fit = bb.fit(simulated("steep: b overflows"), bb.BNSL(1), seed=1, progress=False)
        log10 = float(fit.posterior["log_b"].median()) / np.log(10)
        text = fit.equation()
        offset = text.split(" + ")[1].split(" * ")[0]
        mantissa, exponent = offset.split("e+")
        assert float(mantissa) == pytest.approx(10 ** (log10 % 1), rel=0.01)
        assert int(exponent) == log10 // 1
        assert rf"\times 10^{{{exponent}}}" in fit.equation(latex=True)


class TestWords:
    def test_repr_says_what_and_whether_to_trust_it(self, fit):
        first, second, *rest = repr(fit).splitlines()
        usual = fit.noise == bb.LogNormal()
        kind = fit.law.name if usual else f"{fit.law.name} with {fit.noise.name} noise"
        assert first == f"<Fit of {kind} to {fit.curve.name!r}, {len(fit.curve)} points>"
        assert second == fit.equation()
        assert " ".join(rest) == str(fit.status)

    def test_html_holds_the_same(self, addition_fit):
        page = addition_fit._repr_html_()
        assert "BNSL(1) fitted to four_digit_addition" in page
        assert str(addition_fit.status) in page
        assert page.count("<circle") == 14
        assert page.count("<path") == 3, "axes, band, median"
        rows = re.findall(r"<tr.*?</tr>", page)
        assert len(rows) == 1 + 7
        low, median, high = np.quantile(addition_fit.posterior["d"], [0.05, 0.5, 0.95])
        cells = re.findall(r">([^<>]+)</td>", rows[5])
        assert cells == ["d1", f"{median:.3g}", f"{low:.3g} to {high:.3g}"]

    def test_html_says_what_is_fixed(self, line_fit):
        page = line_fit._repr_html_()
        assert re.findall(r">([^<>]+)</td>", page)[-3:] == ["sigma", "0.02", "fixed"]

    def test_html_escapes_names(self, fit_line, line_curve):
        curve = bb.Curve(line_curve.x, line_curve.y, name="<b>&</b>")
        page = fit_line(curve, seed=1, draws=200)._repr_html_()
        assert "&lt;b&gt;&amp;&lt;/b&gt;" in page
        assert "<b>" not in page

    def test_cannot_be_changed(self, line_fit):
        with pytest.raises(AttributeError, match="cannot assign to field 'seed'"):
            line_fit.seed = 3


class TestFile:
    def test_brings_everything_back(self, fit, tmp_path):
        fit.save(tmp_path / "fit.nc")
        back = bb.load_fit(tmp_path / "fit.nc", law=custom_law(fit))
        assert back.curve == fit.curve
        assert back.law == fit.law
        assert back.noise == fit.noise
        assert back.status == fit.status
        assert back.seconds == fit.seconds
        assert back.seed == fit.seed
        assert back.priors == fit.priors
        assert set(back.data.children) == set(fit.data.children)
        for group in fit.data.children:
            xr.testing.assert_identical(back.data[group].to_dataset(), fit.data[group].to_dataset())

    def test_forecasts_the_same_to_the_last_bit(self, fit, tmp_path):
        fit.save(tmp_path / "fit.nc")
        back = bb.load_fit(tmp_path / "fit.nc", law=custom_law(fit))
        x = [fit.curve.x[0], 1.7 * fit.curve.x[-1], 1e3 * fit.curve.x[-1]]
        for run in (None, *fit.curve.runs):
            here, there = (bb.forecast(each, x, run=run, seed=4) for each in (fit, back))
            xr.testing.assert_identical(here, there)

    def test_fixed_values_a_break_come_back(self):
        priors = {"c": np.array([-0.6, 1.0]), "a": np.array(0.0), "d": bb.Prior("Gamma", mu=[1, 2])}
        back = storage.priors_from(json.loads(json.dumps(storage.priors_record(priors))))
        assert back["d"] == priors["d"]
        np.testing.assert_array_equal(back["c"], priors["c"])
        np.testing.assert_array_equal(back["a"], priors["a"])

    @pytest.mark.parametrize(
        "law", [bb.BNSL(3), bb.M1(), bb.M2(), bb.M3(), bb.M3(constant=False), bb.M4()], ids=str
    )
    def test_every_law_comes_back(self, law):
        assert storage.value_from(json.loads(json.dumps(storage.value_record(law)))) == law

    @pytest.mark.parametrize(
        "noise", [kind(changing) for kind in (bb.LogNormal, bb.StudentT, bb.Correlated)
                  for changing in (False, True)], ids=str,
    )  # fmt: skip
    def test_every_noise_comes_back(self, noise):
        assert storage.value_from(json.loads(json.dumps(storage.value_record(noise)))) == noise

    def test_saving_changes_nothing(self, limit_fit, tmp_path):
        before = dict(limit_fit.data.attrs)
        limit_fit.save(tmp_path / "fit.nc")
        assert limit_fit.data.attrs == before
        back = bb.load_fit(tmp_path / "fit.nc")
        assert back.data.attrs == before

    def test_is_netcdf_that_others_read(self, limit_fit, tmp_path):
        limit_fit.save(tmp_path / "fit.nc")
        with xr.open_dataset(tmp_path / "fit.nc", group="posterior", engine="h5netcdf") as data:
            np.testing.assert_array_equal(data["c0"], limit_fit.posterior["c0"])

    def test_may_be_written_again(self, limit_fit, line_fit, tmp_path):
        path = tmp_path / "fit.nc"
        limit_fit.save(path)
        bb.load_fit(path)
        line_fit.save(str(path))
        assert bb.load_fit(str(path)).law == bb.M1()
        assert [each.name for each in tmp_path.iterdir()] == ["fit.nc"]

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
    def test_has_the_permissions_of_any_file(self, line_fit, tmp_path):
        line_fit.save(tmp_path / "fit.nc")
        (tmp_path / "other").touch()
        mine, other = (
            stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("fit.nc", "other")
        )
        assert mine == other

    def test_custom_law_must_be_passed(self, custom_fit, tmp_path):
        custom_fit.save(tmp_path / "fit.nc")
        with pytest.raises(ValueError, match=r"a law of your own, 'saturating'.*law=\.\.\."):
            bb.load_fit(tmp_path / "fit.nc")


class TestDamage:
    def test_a_failing_write_leaves_the_old_file(self, line_fit, tmp_path, monkeypatch):
        path = tmp_path / "fit.nc"
        line_fit.save(path)
        before = path.read_bytes()

        def fail(tree, target, **settings):
            Path(target).write_bytes(b"half a file")
            raise OSError("No space left on device")

        monkeypatch.setattr(xr.DataTree, "to_netcdf", fail)
        with pytest.raises(OSError, match="No space left"):
            line_fit.save(path)
        assert path.read_bytes() == before
        assert [each.name for each in tmp_path.iterdir()] == ["fit.nc"]

    def test_a_failing_write_leaves_no_file(self, line_fit, tmp_path, monkeypatch):
        def interrupt(tree, target, **settings):
            raise KeyboardInterrupt("Ctrl-C")

        monkeypatch.setattr(xr.DataTree, "to_netcdf", interrupt)
        with pytest.raises(KeyboardInterrupt, match="Ctrl-C"):
            line_fit.save(tmp_path / "fit.nc")
        assert list(tmp_path.iterdir()) == []

    def test_a_missing_directory_is_named(self, line_fit, tmp_path):
        with pytest.raises(ValueError, match=r"write fit\.nc: the directory .*no.* not exist"):
            line_fit.save(tmp_path / "no" / "fit.nc")
        assert list(tmp_path.iterdir()) == []

    def test_a_directory_is_no_file(self, line_fit, tmp_path):
        with pytest.raises(ValueError, match=r"is a directory\. Name a file in it"):
            line_fit.save(tmp_path)

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"There is no file .*none\.nc"):
            bb.load_fit(tmp_path / "none.nc")

    @pytest.mark.parametrize(
        "content", [b"", b"x,y\n1,2\n", bytes(range(256)) * 40], ids=["empty", "text", "bytes"]
    )
    def test_what_is_no_netcdf(self, content, tmp_path):
        (tmp_path / "fit.nc").write_bytes(content)
        with pytest.raises(ValueError, match=r"fit\.nc is damaged, or is no fit .*Save the fit"):
            bb.load_fit(tmp_path / "fit.nc")

    @pytest.mark.parametrize("kept", [0.001, 0.3, 0.9, 0.9999])
    def test_half_a_file(self, kept, line_fit, tmp_path):
        path = tmp_path / "fit.nc"
        line_fit.save(path)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(kept * len(whole))])
        with pytest.raises(ValueError, match=r"fit\.nc is damaged, or is no fit"):
            bb.load_fit(path)

    @pytest.mark.parametrize(
        "attributes",
        [
            {},
            {"bayes_bnsl": "no JSON"},
            {"bayes_bnsl": "{}"},
            {"bayes_bnsl": "[1, 2]"},
            {"bayes_bnsl": json.dumps({"curve": {}, "law": {}, "noise": {}, "priors": {}})},
        ],
        ids=str,
    )
    def test_a_file_of_another_program(self, attributes, tmp_path):
        data = xr.Dataset({"a": ("time", [1.0, 2.0])}, attrs=attributes)
        data.to_netcdf(tmp_path / "fit.nc", engine="h5netcdf")
        with pytest.raises(ValueError, match="is damaged, or is no fit saved by bayes_bnsl"):
            bb.load_fit(tmp_path / "fit.nc")

    def test_a_law_of_a_later_version(self, line_fit, tmp_path):
        record = line_fit._record() | {"law": {"type": "M99"}}
        storage.write(tmp_path / "fit.nc", line_fit.data, record)
        with pytest.raises(ValueError, match=r"is damaged, or is no fit .*M99"):
            bb.load_fit(tmp_path / "fit.nc")
