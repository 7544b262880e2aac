import re
from xml.etree import ElementTree

import numpy as np
import pytest

from keras_mixvit.analysis import reliability_diagram
from keras_mixvit.report._svg import inline_svg, plain_text

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.one_backend

NAME = '<script>"$x^{$</script> & id="a" #000000'


@pytest.fixture(scope="module")
def drawn():
    logits = np.random.default_rng(0).normal(size=(40, 5))
    with plain_text():
        figure, _ = reliability_diagram({NAME: logits}, np.zeros(40, int))
    return figure


def ids_of(svg):
    return re.findall(r'\bid="([^"]*)"', re.sub(r">[^<]*<", "><", svg))


def test_ids_belong_to_one_figure_and_are_all_found(drawn):
    first, second = (inline_svg(drawn, key, "A", "B") for key in ("one", "two"))
    found = ids_of(first)
    assert len(found) == len(set(found)) > 4
    assert not set(found) & set(ids_of(second))
    used = re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', first)
    assert {one or other for one, other in used} <= set(found)
    assert first == inline_svg(drawn, "one", "A", "B")


def test_names_stay_text(drawn):
    svg = inline_svg(drawn, "one", f"About {NAME}", NAME)
    root = ElementTree.fromstring(svg)
    texts = "".join(
        "".join(found.itertext())
        for found in root.iter("{http://www.w3.org/2000/svg}text")
    )
    # Long names are broken over lines.
    assert NAME.replace(" ", "") in texts.replace(" ", "")
    space = "{http://www.w3.org/2000/svg}"
    assert root[0].tag == f"{space}title"
    assert root[0].text == f"About {NAME}"
    assert root[1].text == NAME
    assert "<script" not in svg
    assert root.get("role") == "img"
    assert root.get("aria-labelledby").split() == ["one-title", "one-desc"]
    assert [root[0].get("id"), root[1].get("id")] == ["one-title", "one-desc"]


def test_colours_are_those_of_the_page(drawn):
    svg = inline_svg(drawn, "one", "A", "B")
    tags = " ".join(re.findall(r"<[^>]*>", svg))
    colours = set(re.findall(r"#[0-9a-fA-F]{6}\b", tags))
    assert colours == {"#0072b2", "#d55e00"}
    assert "stroke: currentColor" in tags
    assert "var(--grid)" in tags
    # Nothing hides the page.
    assert 'style="fill: none"' in tags
    for word in ("<style", "<metadata", "<!--", "font-family", "http://matplotlib"):
        assert word not in svg
