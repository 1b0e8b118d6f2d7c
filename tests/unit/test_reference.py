"""The reference: every entry is there and complete, its numbers are the code's, and no text breaks the page."""

from __future__ import annotations

import itertools
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pytest
from pydantic import Field

from trainability import activations, cell, charts, cli, health, reference, registry
from trainability.activations import ACTIVATIONS
from trainability.files import CorruptFileError
from trainability.initializers import INITIALIZERS
from trainability.reference import CHAPTERS, Chapter, entries, exhibits, formulas
from trainability.registry import Component, Registry

if TYPE_CHECKING:
    from torch import Tensor

ROOT = Path(__file__).parents[2]
# Pictures that were collected are no function of anything, and an architecture is a list of layers: no formula.
WITHOUT_FORMULA = {"dataset", "architecture"}
ALL = [(chapter, name) for chapter in CHAPTERS for name in chapter.registry]
each = pytest.mark.parametrize(("chapter", "name"), ALL, ids=[f"{chapter.id}-{name}" for chapter, name in ALL])


@pytest.fixture(scope="module")
def page() -> str:
    return reference.page()


class Outline(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


# Entries


@each
def test_every_entry_names_its_source_and_has_a_formula_that_can_be_drawn(chapter: Chapter, name: str) -> None:
    component = chapter.registry[name]
    assert component.reference
    assert component.formula or chapter.id in WITHOUT_FORMULA
    if component.formula:
        assert "$" not in component.formula
        assert "<path" in formulas.svg(component.formula)


@each
def test_every_entry_says_something_and_works_with_its_defaults(chapter: Chapter, name: str) -> None:
    entry = entries.entry(chapter.registry[name])
    assert entry.name == name
    assert entry.summary.endswith(".")
    assert entry.summary != chapter.introduction[0], "an inherited docstring"
    chapter.exhibit(chapter.registry[name]())


def test_every_registry_that_a_cell_chooses_from_has_a_chapter() -> None:
    known = [chapter.registry for chapter in CHAPTERS]
    chosen_from = {name: value for name, value in vars(cell).items() if isinstance(value, Registry)}
    assert len(chosen_from) >= 6
    assert [name for name, value in chosen_from.items() if value not in known] == []


def test_parameters_are_those_of_the_fields() -> None:
    class Made(Component):
        """Made up."""

        name: Literal["made"] = "made"
        share: Annotated[float, Field(ge=0, lt=1)] = 1e-5
        count: Annotated[int, Field(gt=2, le=9)] | None = None
        kind: Literal["a", "b"] = "b"
        wide: bool = True
        only: Literal[7] = 7

    found = [(p.name, p.values, p.default) for p in entries.parameters(Made)]
    assert found == [
        ("share", "number \u2265 0, < 1", "1e-5"),
        ("count", "integer > 2, \u2264 9 or none", "none"),
        ("kind", "one of a, b", "b"),
        ("wide", "true or false", "True"),
        ("only", "7", "7"),
    ]


def test_chapters_open_with_what_their_base_class_says() -> None:
    (of_activations,) = (chapter for chapter in CHAPTERS if chapter.registry is ACTIVATIONS)
    assert of_activations.introduction == entries.paragraphs(activations.Activation)


# Formulas and charts


def test_parts_of_a_formula_share_their_height_and_the_formula_is_its_own_alternative() -> None:
    drawn = formulas.svg(r"a < \frac{1}{2}, \quad b")
    assert 'aria-label="a &lt; \\frac{1}{2}, \\quad b"' in drawn
    heights = re.findall(r'height="([\d.]+)em"', drawn)
    assert len(heights) == 2
    assert len(set(heights)) == 1
    with pytest.raises(ValueError, match="nonsense"):
        formulas.svg(r"\nonsense")


def test_lines_are_where_the_numbers_say() -> None:
    drawn = charts.lines([charts.Line("y<", np.array([0.0, 10.0]), np.array([0.0, 1.0]))], "x", 'al"t')
    (points,) = re.findall('points="([^"]*)"', drawn)
    (left, low), (right, high) = (point.split(",") for point in points.split())
    assert (float(left), float(right)) == (charts.LEFT, charts.WIDTH - charts.RIGHT)
    inside = charts.HEIGHT - charts.BOTTOM - charts.TOP
    assert float(low) - float(high) == pytest.approx(inside / 1.1, abs=0.1)  # a twentieth of air on both sides
    assert "y&lt;" in drawn
    assert 'aria-label="al&#34;t"' in drawn


def test_a_constant_line_has_an_axis() -> None:
    assert "nan" not in charts.lines([charts.Line("y", np.array([0.0, 1.0]), np.array([2.0, 2.0]))], "x", "")


def test_bars_are_as_high_as_their_shares() -> None:
    drawn = charts.histogram(np.array([0.25, 0.75]), np.array([-1.0, 0.0, 1.0]), "w", "share", "")
    first, second = (charts.HEIGHT - charts.BOTTOM - float(y) for y in re.findall(r"V([\d.]+)H", drawn))
    assert second / first == pytest.approx(3, rel=0.01)


# Exhibits


def test_numbers_of_an_activation_are_those_of_the_code() -> None:
    facts = dict(exhibits.activation(ACTIVATIONS["prelu"](name="prelu", initial_slope=0.5)).facts)
    assert float(facts["Gain"]) == pytest.approx(math.sqrt(2 / 1.25), rel=1e-3)
    assert facts["Learned"] == "slope, at first 0.5"
    facts = dict(exhibits.activation(ACTIVATIONS["sigmoid"]()).facts)
    assert facts["Steepest slope"] == "0.25"
    assert facts["Dead"].startswith(f"slope at most {health.DEAD / 4:g} ")
    assert facts["Saturated"].startswith(f"slope below {health.SATURATED / 4:g} ")


@pytest.mark.parametrize(
    ("name", "value", "slope"),
    [("relu", (0, 5), (0, 1)), ("prelu", (-1.25, 5), (0.25, 1)), ("maxout", (0, 5), (0, 1)), ("tanh", (-1, 1), (0, 1))],
)
def test_an_activation_is_drawn_over_its_span(
    name: str, value: tuple[float, float], slope: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = drawn_curves(monkeypatch, ACTIVATIONS[name]())
    assert [curve.label for curve in curves] == ["f(z)", "f\u2032(z)"]
    for curve, bounds in zip(curves, (value, slope), strict=True):
        assert (curve.x[0], curve.x[-1]) == (-5, 5)
        assert (curve.y.min(), curve.y.max()) == pytest.approx(bounds, abs=1e-3)


def test_the_second_kink_of_relu6_is_in_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    value, slope = drawn_curves(monkeypatch, ACTIVATIONS["relu6"]())
    assert (value.y.max(), value.x[-1], slope.y[-1]) == (6, 8, 0)


def test_glu_shows_its_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    value, slope = drawn_curves(monkeypatch, ACTIVATIONS["glu"]())
    np.testing.assert_allclose(value.y, 1 / (1 + np.exp(-value.x)), rtol=1e-12)
    np.testing.assert_allclose(slope.y, value.y * (1 - value.y), rtol=1e-12)


class Noisy(activations.Activation):
    """Two outputs that sum to s z, with a random s from U(2, 4)."""

    name: Literal["noisy"] = "noisy"

    @property
    def outputs(self) -> int:
        return 2

    @property
    def random(self) -> bool:
        return True

    @property
    def gain(self) -> float:
        return 1.0

    def randomize(self, draws: Tensor) -> Tensor:
        return draws.mul(2.0).add(2.0)

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        import torch

        (slope,) = learned
        return torch.cat([2.0 * slope * z, -slope * z], -1)

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        (slope,) = learned
        return slope.expand(z.shape)


def test_several_outputs_and_the_mean_of_a_random_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    curves = drawn_curves(monkeypatch, Noisy())
    assert {curve.label: curve.y[-1] for curve in curves} == {"f\u2081(z)": 30, "f\u2082(z)": -15, "f\u2032(z)": 3}
    assert exhibits.activation(Noisy()).caption == (
        "The slope is that of the sum of the outputs. The random argument is at its mean."
    )


def drawn_curves(monkeypatch: pytest.MonkeyPatch, unit: activations.Activation) -> list[charts.Line]:
    """The curves that the exhibit of an activation hands to the chart."""
    found: list[charts.Line] = []
    monkeypatch.setattr(charts, "lines", lambda curves, *words: found.extend(curves))
    exhibits.activation(unit)
    return found


def test_numbers_of_an_initialiser_are_those_of_its_weights() -> None:
    facts = dict(exhibits.initializer(INITIALIZERS["kaiming_normal"]()).facts)
    assert float(facts["Standard deviation"]) == pytest.approx(math.sqrt(2 / exhibits.FAN_IN), rel=0.02)
    facts = dict(exhibits.initializer(INITIALIZERS["constant"]()).facts)
    assert facts == {"Mean": "0.1", "Standard deviation": "0"}
    sparse = exhibits.initializer(INITIALIZERS["sparse"]())
    assert dict(sparse.facts)["Share of zeros"] == f"{1 - 15 / exhibits.FAN_IN:.1%}"
    assert "not drawn" in sparse.caption


# Page


def test_every_entry_is_on_the_page_once_and_found_from_the_contents(page: str) -> None:
    outline = Outline(page)
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {str(link["href"])[1:] for link in outline.all("a")}
    assert targets <= set(ids)
    for chapter, name in ALL:
        assert {chapter.id, f"{chapter.id}-{name}"} <= targets
        assert chapter.registry[name].reference in outline.text


def test_the_numbers_of_all_activations_are_on_the_page(page: str) -> None:
    for name in ACTIVATIONS:
        article = page[page.index(f'<article id="activation-{name}"') :].split("</article>")[0]
        unit = ACTIVATIONS[name]()
        assert f"<dt>Gain</dt><dd>{unit.gain:.4g}</dd>" in article
        assert f"<dt>Steepest slope</dt><dd>{unit.steepest:.4g}</dd>" in article
        assert '<svg class="chart"' in article


def test_the_outline_is_sound(page: str) -> None:
    outline = Outline(page)
    assert outline.all("html") == [{"lang": "en"}]
    assert len(outline.all("h1")) == len(outline.all("main")) == len(outline.all("title")) == 1
    headings = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert all(below - above <= 1 for above, below in itertools.pairwise(headings))
    drawings = [attributes for _, attributes in outline.tags if attributes.get("role") == "img"]
    assert all(attributes["aria-label"] for attributes in drawings)
    charted = sum(attributes.get("class") == "chart" for attributes in drawings)
    assert charted >= len(ACTIVATIONS) + len(INITIALIZERS)
    assert len(drawings) == charted + sum(bool(chapter.registry[name].formula) for chapter, name in ALL)


def test_nothing_is_loaded_or_run(page: str) -> None:
    outline = Outline(page)
    assert not {tag for tag, _ in outline.tags} & {"script", "iframe", "object", "embed", "form", "img"}
    addresses = [a[name] for _, a in outline.tags for name in ("src", "href", "xlink:href") if name in a]
    assert all(str(address).startswith(("#", "data:")) for address in addresses)
    assert "@import" not in page
    assert "url(" not in page
    assert not [attributes for _, attributes in outline.tags if "style" in attributes], "the policy forbids it"
    assert len(page.encode()) < 3e6


def test_the_same_code_gives_the_same_bytes(page: str) -> None:
    assert reference.page() == page


def test_no_text_breaks_the_page_or_the_table() -> None:
    class Odd(Component):
        """A <b>bold</b> summary & `code`."""

        formula = r"a < b | c"
        reference = "<script>alert(1)</script> | source"
        name: Literal["odd"] = "odd"

    odd: Registry[Any] = Registry("oddity")
    odd.register(Odd)
    chapters = (Chapter("odd", "Odd <things>", odd, "x & y"),)
    page = reference.page(chapters=chapters)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "A &lt;b&gt;bold&lt;/b&gt; summary &amp; <code>code</code>." in page
    assert "Odd &lt;things&gt;" in page
    assert 'aria-label="a &lt; b | c"' in page
    row = reference.table(chapters).splitlines()[-1]
    assert len(re.findall(r"(?<!\\)\|", row)) == 5


def test_a_missing_source_is_one_clear_message(tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError, match=r"style\.css"):
        reference.page(tmp_path)


def test_the_command_writes_both_files(tmp_path: Path, page: str) -> None:
    assert cli.main(["reference", "--out", str(tmp_path / "docs")]) == 0
    assert (tmp_path / "docs/reference.html").read_text() == page
    assert (tmp_path / "docs/reference.md").read_text() == reference.table()


def test_the_table_in_docs_is_made_from_the_code() -> None:
    """If this fails: make reference"""
    assert (ROOT / "docs/reference.md").read_text() == reference.table()


def test_the_registries_do_not_need_the_reference() -> None:
    from trainability import provenance

    assert not [name for name in provenance.dependencies("training") if name.startswith("reference")]
    assert registry.Component.formula == registry.Component.reference == ""
