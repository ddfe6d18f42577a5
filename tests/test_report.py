"""Written reports: they say what a paper has to say, with the numbers of the fit."""

import base64
import importlib.metadata
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import bayes_bnsl as bb
from bayes_bnsl.markdown import escaped, markdown_table
from bayes_bnsl.page import html_page

SECTIONS = [
    "Data", "Form", "Noise", "Priors", "Sampling", "Parameters", "Checks", "Forecast", "Software"
]  # fmt: skip


def sections_of(text):
    parts = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def table_in(text):
    """Read the last Markdown table of a text."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    start = max(number for number, line in enumerate(lines) if set("".join(line)) <= set("-: "))
    return pd.DataFrame(lines[start + 1 :], columns=lines[start - 1])


@pytest.fixture(scope="module")
def choice(line_curve, line_fit):
    return bb.compare(
        [line_fit, bb.fit(line_curve, bb.BNSL(0), seed=1, progress=False)], seed=1, progress=False
    )


@pytest.fixture(scope="module")
def parts(addition_fit):
    text = bb.report(addition_fit, seed=2)
    assert text.startswith("# BNSL(1) fitted to four_digit_addition\n")
    return sections_of(text)


class TestOfAFit:
    def test_sections(self, parts):
        assert list(parts) == SECTIONS

    def test_every_point_is_listed(self, parts, addition_fit):
        table = table_in(parts["Data"]).astype(float).to_numpy()
        points = np.column_stack([addition_fit.curve.x, addition_fit.curve.y])
        np.testing.assert_allclose(table, points, rtol=1e-3)
        assert "14 points, all of which were fitted" in parts["Data"]

    def test_form(self, parts, addition_fit):
        assert f"`y = {addition_fit.law.formula}` (6 free parameters" in parts["Form"]
        assert addition_fit.equation(digits=4) in parts["Form"]

    def test_priors_beside_posteriors(self, parts, addition_fit):
        table = table_in(parts["Priors"]).set_index("parameter").astype(float)
        assert list(table.index) == ["a", "c0", "c1", "d1", "f1", "log_b", "sigma"]
        after = np.quantile(addition_fit.posterior["d"], [0.05, 0.5, 0.95])
        np.testing.assert_allclose(table.loc["d1"].to_numpy()[3:], after, rtol=1e-3)
        median = 0.02 * addition_fit.scale.spread  # of the default prior of sigma
        assert table.loc["sigma", "prior 50%"] == pytest.approx(median, rel=0.03)
        assert table.loc["sigma", "prior 95%"] == pytest.approx(median * np.exp(1.645), rel=0.05)

    def test_sampling(self, parts, addition_fit):
        assert "4 chains of 1000 draws" in parts["Sampling"]
        assert f"seed {addition_fit.seed}," in parts["Sampling"]
        assert str(addition_fit.status) in parts["Sampling"]
        assert f"{addition_fit.data['modes'].sizes['mode']} mode" in parts["Sampling"]

    def test_checks(self, parts, addition_fit):
        checks = bb.check(addition_fit, seed=2)
        table = table_in(parts["Checks"]).set_index("check")["p"].astype(float)
        np.testing.assert_allclose(table, checks.table["p"], rtol=1e-3, atol=1e-4)

    def test_forecast(self, parts, addition_fit):
        table = table_in(parts["Forecast"]).astype(float)
        at = addition_fit.curve.x[-1] * np.array([2.0, 10.0, 100.0])
        bounds = bb.interval(bb.forecast(addition_fit, at, seed=2))
        np.testing.assert_allclose(table["x"], at, rtol=1e-3)
        for name in ("curve", "y"):
            upper = bounds[name].sel(bound="upper")
            np.testing.assert_allclose(table[f"{name}_upper"], upper, rtol=1e-3)

    def test_versions(self, parts):
        for package in ("pymc", "nutpie", "bayes-bnsl"):
            assert f"{package} {importlib.metadata.version(package)}" in parts["Software"]


def test_priors_of_the_user_errors_and_runs(own_fit):
    parts = sections_of(bb.report(own_fit))
    for name, prior in own_fit.priors.items():
        assert f"- `{name}`: `{prior!r}`" in parts["Priors"]
    assert "known standard errors, added" in parts["Data"]
    assert "- 2 runs" in parts["Data"]
    assert list(table_in(parts["Data"])["run"]) == list(own_fit.curve.run)


def test_fixed_parameters(line_fit):
    parts = sections_of(bb.report(line_fit))
    assert "- `sigma`: fixed to 0.02" in parts["Priors"]
    assert "sigma fixed" in parts["Form"]


def test_noise_in_words(correlated_fit):
    said = sections_of(bb.report(correlated_fit))["Noise"]
    assert "residuals of log y of one run hang together" in said
    assert "sigma, tau, ell" in said


def test_held_out_accuracies(accuracy_fit):
    later = bb.Curve.from_accuracy([2e4, 4e4], [98.0, 98.5], ceiling=100, x_name="images")
    parts = sections_of(bb.report(accuracy_fit, x=[2e4], held_out=later))
    assert "what was reported is 100 less the y that is fitted" in parts["Data"]
    table = table_in(parts["Held-out points"]).set_index("forecast").astype(float)
    scores = bb.score(bb.forecast(accuracy_fit, later.x, seed=0), [98.0, 98.5], accuracy_fit.curve)
    np.testing.assert_allclose(table["rmsle"], scores["rmsle"], rtol=1e-3)
    assert float(table_in(parts["Forecast"])["y_median"].iloc[0]) > 90


def test_comparison(choice):
    parts = sections_of(bb.report(choice))
    assert list(parts) == ["Comparison", *SECTIONS]
    assert str(choice) in parts["Comparison"]
    table = re.findall(r"^\| (M1|BNSL\(0\)) \| (\S+)", parts["Comparison"], re.MULTILINE)
    expected = {label: f"{elpd:.4g}" for label, elpd in choice.table["elpd"].items()}
    assert dict(table) == expected
    assert parts["Form"].strip().startswith(f"The rest of this report is on {choice.simplest}.")
    assert "Average of the laws by their weights" in parts["Forecast"]


def test_comparison_by_evidence(choice):
    by_evidence = bb.compare(list(choice.fits.values()), by="evidence")
    part = sections_of(bb.report(by_evidence))["Comparison"]
    assert "`elpd` is the log evidence" in part
    assert "Weights are the probabilities of the laws" in part
    table = table_in(part).set_index("law")
    assert list(table.columns) == ["elpd", "se", "elpd_diff", "dse", "weight", "status", "seconds"]
    weights = table["weight"].astype(float)
    np.testing.assert_allclose(weights, by_evidence.table["weight"], rtol=1e-3)


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (0.0, "The forecast assumes no break after the last one seen."),
        (2.0, "The forecast allows for breaks beyond the data, 2 a decade."),
        ("learned", "The forecast allows for breaks beyond the data, as many as within them."),
    ],
)
def test_unseen_breaks(addition_fit, addition, rate, said):
    at = [1e5]
    text = bb.report(addition_fit, x=at, held_out=addition[1], unseen_breaks=rate, seed=3)
    parts = sections_of(text)
    assert said in parts["Forecast"]
    ahead = bb.interval(bb.forecast(addition_fit, at, unseen_breaks=rate, seed=3))["y"]
    upper = float(table_in(parts["Forecast"])["y_upper"].iloc[0])
    assert upper == pytest.approx(float(ahead.sel(bound="upper").item()), rel=1e-3)
    later = bb.forecast(addition_fit, addition[1].x, unseen_breaks=rate, seed=3)
    scores = bb.score(later, addition[1].y, addition_fit.curve)
    table = table_in(parts["Held-out points"]).astype({"crps": float})
    np.testing.assert_allclose(table["crps"], scores["crps"], rtol=1e-3)


def test_comparison_of_laws_that_all_failed(choice):
    def doubtful(candidate):
        status = replace(candidate.fit.status, name="few_draws")
        return replace(candidate, status="few_draws", fit=replace(candidate.fit, status=status))

    failed = replace(choice, candidates=[doubtful(each) for each in choice.candidates])
    parts = sections_of(bb.report(failed))
    assert list(parts) == ["Comparison", "Data", "Software"]
    assert "No law can be chosen" in parts["Comparison"]


def test_names_cannot_break_the_text(fit_line, line_curve):
    curve = replace(line_curve, name="a|b <script>\n# c", x_name="x|y")
    text = bb.report(fit_line(curve, seed=1))
    assert text.splitlines()[0] == r"# M1 fitted to a\|b &lt;script> # c"
    assert list(sections_of(text)) == SECTIONS
    assert r"| x\|y | y |" in text


def test_tables():
    table = pd.DataFrame({"name": ["a"], "n": [3], "share": [1 / 3], "ok": [True]})
    assert markdown_table(table).splitlines() == [
        "| name | n | share | ok |",
        "| --- | --: | --: | --: |",
        "| a | 3 | 0.3333 | yes |",
    ]


def test_long_curves_are_cut_short(fit_line):
    x = np.geomspace(1, 1e4, 80)
    curve = bb.simulate(bb.M1(), {"a": 2.0, "b": -0.3}, x, 0.02, seed=1)
    part = sections_of(bb.report(fit_line(curve, seed=1)))["Data"]
    assert len(table_in(part)) == 10
    assert "80 points" in part


def test_what_is_no_result():
    with pytest.raises(TypeError, match=r"result must be what bayes_bnsl\.fit or"):
        bb.report(3)


@pytest.mark.parametrize("which", ["fit", "comparison"])
def test_report_with_pictures(which, addition_fit, choice, tmp_path):
    path = bb.write_report(addition_fit if which == "fit" else choice, tmp_path / "new", seed=1)
    text = path.read_text("utf-8")
    shown = re.findall(r"!\[.*\]\((.*)\)", text)
    other = "segments.png" if which == "fit" else "compare.png"
    assert shown == ["forecast.png", other]
    assert {each.name for each in path.parent.iterdir()} == {"report.md", *shown}
    for name in shown:
        assert (path.parent / name).read_bytes().startswith(b"\x89PNG")


def test_markdown_in_a_file_has_its_pictures_beside_it(line_fit, tmp_path):
    path = bb.write_report(line_fit, tmp_path / "a b.md", seed=1)
    assert {each.name for each in tmp_path.iterdir()} == {"a b.md", "a b-forecast.png"}
    assert "(a%20b-forecast.png)" in path.read_text("utf-8")


class Page(HTMLParser):
    """What a page of HTML holds; it complains of what is left open."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.addresses, self.text = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag == "img"
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)


@pytest.mark.parametrize("which", ["fit", "comparison"])
def test_page_holds_all_that_the_markdown_holds(which, addition_fit, choice, tmp_path):
    result = addition_fit if which == "fit" else choice
    path = bb.write_report(result, tmp_path / "new" / "page.html", seed=1)
    assert [each.name for each in path.parent.iterdir()] == ["page.html"]
    page = Page(path.read_text("utf-8"))
    assert page.seen.count("img") == 2
    for address in page.addresses:
        kind, content = address.split(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(content).startswith(b"\x89PNG")
    text = bb.report(result, seed=1)
    said = " ".join(" ".join(page.text).split())
    for heading in sections_of(text):
        assert heading in said
    cells = [cell for row in re.findall(r"^\| (.*) \|$", text, re.M) for cell in row.split(" | ")]
    assert len(cells) > 100
    for cell in cells:
        assert cell in said or set(cell) <= set("-:")
    assert "$$" not in said
    assert f"y = {addition_fit.law.formula}" in said or which == "comparison"


def test_page_cannot_be_broken_by_names():
    name = "a|b <script>alert(1)</script> {x} ![p](http://far/p.png) [l](javascript:1) `c` &amp;"
    text = (
        f"# {escaped(name)}\n\n| h |\n| --- |\n| {escaped(name)} |\n\n![ours](p.png)\n\n$$x_1$$\n"
    )
    page = Page(html_page(text, {"p.png": b"\x89PNG"}))
    assert page.addresses == ["data:image/png;base64,iVBORw=="]
    assert "script" not in page.seen
    assert "a" not in page.seen
    shown = "".join(page.text)
    assert shown.count("a|b <script>alert(1)</script> {x} p [l](javascript:1) c") == 3
    assert "$$" not in shown
