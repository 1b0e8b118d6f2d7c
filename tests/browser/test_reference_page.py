"""The reference page in a browser without a network: on a phone, in the dark, its drawings legible."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainability import reference

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    reference.write(folder)
    return folder / "reference.html"


def brightness(color: str) -> int:
    """Of `rgb(r, g, b)`, as a sum."""
    return sum(map(int, re.findall(r"\d+", color)))


def test_a_phone_shows_everything_without_scrolling_sideways(open_file: Open, page: Path) -> None:
    opened = open_file(page, width=390)
    assert opened.evaluate("document.documentElement.scrollWidth") == 390
    outside = "drawings => drawings.filter(d => d.getBoundingClientRect().right > innerWidth).length"
    assert opened.locator("svg").evaluate_all(outside) == 0
    smaller = """drawings => drawings.filter(d => d.getBoundingClientRect().width
        < 0.75 * parseFloat(d.getAttribute('width')) * parseFloat(getComputedStyle(d).fontSize)
    ).map(d => d.parentElement.getAttribute('aria-label'))"""
    assert opened.locator(".formula svg").evaluate_all(smaller) == [], "break these formulas with \\quad"
    cut = """labels => labels.filter(label => {
        const [inner, outer] = [label, label.ownerSVGElement].map(drawn => drawn.getBoundingClientRect())
        return inner.left < outer.left || inner.right > outer.right
    }).map(label => label.textContent)"""
    assert opened.locator(".chart text").evaluate_all(cut) == []
    letters = "labels => Math.min(...labels.map(label => label.getBoundingClientRect().height))"
    assert opened.locator(".chart text").evaluate_all(letters) > 10


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_drawings_take_the_colours_of_the_page(open_file: Open, page: Path, scheme: str) -> None:
    opened = open_file(page, color_scheme=scheme)
    ink = opened.evaluate("getComputedStyle(document.body).color")
    paper = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (brightness(ink) < brightness(paper)) == (scheme == "light"), "dark on light, or light on dark"
    fills = "drawn => [...new Set(drawn.map(d => getComputedStyle(d).fill))]"
    for drawn in (".formula path", ".chart text"):
        assert opened.locator(drawn).evaluate_all(fills) == [ink], drawn
    strokes = "drawn => [...new Set(drawn.map(d => getComputedStyle(d).stroke))]"
    (first,) = opened.locator("polyline.first").evaluate_all(strokes)
    (second,) = opened.locator("polyline.second").evaluate_all(strokes)
    assert len({first, second, paper}) == 3
