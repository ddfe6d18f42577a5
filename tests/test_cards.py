"""The cards that notebooks show: what stands in them, and that any page can carry them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from bayes_bnsl.cards import card, scatter


def test_a_card_lays_out_title_rows_and_picture():
    root = ElementTree.fromstring(card("sums", [("c0", "0.3"), ("converged",)], "<svg/>"))
    assert root.findtext(".//strong") == "sums"
    assert [[cell.text for cell in row] for row in root.iter("tr")] == [
        ["c0", "0.3"],
        ["converged"],
    ]
    assert root[-1].tag == "svg"
    assert ElementTree.fromstring(card("sums", [])).find(".//svg") is None


def test_sentences_stand_above_the_table_and_its_columns_have_names():
    root = ElementTree.fromstring(
        card("sums", [("a", "1")], lines=["one", "two"], header=("", "median"))
    )
    (text, table) = root[0].findall("div"), root.find(".//table")
    assert [line.text for line in text] == ["one", "two"]
    assert [cell.text for cell in table.iter("th")] == [None, "median"]
    assert ElementTree.fromstring(card("sums", lines=["one"])).find(".//table") is None


def test_a_line_runs_among_the_dots():
    """Dots and line share the axes, and the band holds the line."""
    x = np.array([0.0, 1.0, 2.0])
    line = (x, x - 1, x, x + 1)
    root = ElementTree.fromstring(scatter(x, x, caption="dots", line=line))
    _, band, curve = (path.get("d") for path in root.iter("path"))
    places = np.array(re.findall(r"([\d.]+) ([\d.]+)", curve), dtype=float)
    circles = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in root.iter("circle")]
    np.testing.assert_allclose(places, circles)
    edge = np.array(re.findall(r"([\d.]+) ([\d.]+)", band), dtype=float)
    assert np.all(edge[:3, 1] > places[:, 1]), "the lower edge lies below, which is a larger y"
    assert np.all(edge[3:, 1] < places[::-1, 1])
    assert (edge[:, 1].min(), edge[:, 1].max()) == (8, 112)


def test_all_text_is_escaped():
    markup = card("<b>", [("a & b", "'<script>'")], scatter([1], [1], caption="<i> & more"))
    root = ElementTree.fromstring(markup)
    assert "".join(root.itertext()) == "<b>a & b'<script>'<i> & more"


def test_colours_suit_light_and_dark_pages():
    markup = card("sums", [("a", "b")], scatter([1, 2], [1, 2], caption="two"))
    colours = re.findall(r"(?:fill|stroke)=\"(.*?)\"|(?:color|background|border):([^;\"]*)", markup)
    allowed = {"none", "currentColor", "inherit", "1px solid rgba(128,128,128,.5)"}
    assert {"".join(colour) for colour in colours} == allowed
    assert "#" not in markup


@pytest.mark.parametrize("n", [1, 2, 200, 201, 5000])
def test_dots_fill_the_picture_and_are_never_too_many(n):
    markup = scatter(np.arange(n), np.arange(n), caption="line")
    across, down = (
        [float(place) for place in re.findall(rf'{letter}="([\d.]+)"', markup)]
        for letter in ("cx", "cy")
    )
    assert len(across) == len(down) == min(n, 200)
    if n > 1:
        assert (across[0], across[-1]) == (8, 192)
        assert (down[0], down[-1]) == (112, 8)
        assert across == sorted(across)
    else:
        assert (across, down) == ([100], [60])
