"""The report by keyboard and for assistive technology, and what can be saved from it."""

from __future__ import annotations

import csv
import functools
import struct
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_sample import Sample
from waiting import until

from trainability import report
from trainability.report import comparisons, material

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    made = Sample(tmp_path_factory.mktemp("everyone")).make()
    report.render(*made.arguments)
    return made


@pytest.fixture
def open_page(open_file: Open, sample: Sample) -> Open:
    """Opens the report as `open_file` does, without motion."""
    return functools.partial(open_file, sample.page, reduced_motion="reduce")


def unfold(page: Any) -> None:
    page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_violation(open_page: Open, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install -e .[dev]")
    page = open_page(width, color_scheme=scheme)
    unfold(page)
    results = axe.Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    assert results.response["passes"]  # it did look


# Controls that are rendered, each with a number by which it is found again.
CONTROLS = """
() => [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex]")]
  .filter(one => one.tabIndex >= 0 && one.checkVisibility({ contentVisibilityAuto: true }))
  .map((one, index) => (one.dataset.tabStop = index, one.outerHTML.slice(0, 120)))
"""
FOCUSED = """
() => {
  const one = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(one);
  return [one.dataset.tabStop ?? null, outlineStyle !== "none" && parseFloat(outlineWidth) >= 2];
}
"""


@pytest.mark.parametrize("unfolded", [False, True])
def test_the_keyboard_reaches_every_control_and_shows_where_it_is(open_page: Open, unfolded: bool) -> None:
    page = open_page()
    if unfolded:
        unfold(page)
    until(page, "document.querySelector('#explorer-app [data-control]') !== null")  # it comes after the page
    controls = page.evaluate(CONTROLS)
    assert len(controls) > 50
    reached: dict[int, bool] = {}
    for _ in controls:
        page.keyboard.press("Tab")
        number, outlined = page.evaluate(FOCUSED)
        if number is not None:
            reached[int(number)] = outlined
    assert [controls[number] for number in set(range(len(controls))) - set(reached)] == []
    assert [controls[number] for number, outlined in reached.items() if not outlined] == []
    assert list(reached) == sorted(reached)  # in the order of the page


def test_a_dialog_closes_with_escape_and_gives_the_focus_back(open_page: Open) -> None:
    page = open_page()
    button = page.locator("figure button.enlarge").nth(1)
    button.focus()
    page.keyboard.press("Enter")
    page.locator("dialog[open]").wait_for()
    assert page.evaluate("document.activeElement.textContent") == "Close"
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="detached")
    assert button.evaluate("button => button === document.activeElement")


def test_every_chart_has_its_table(open_page: Open) -> None:
    page = open_page()
    assert page.locator("figure").count() > 0
    assert (
        page.locator("figure").evaluate_all("all => all.filter(f => !f.querySelector('a[download$=\".csv\"]')).length")
        == 0
    )
    assert page.locator(".statement:has(.plot)").count() > 0
    assert page.locator(".statement:has(.plot):not(:has(table))").count() == 0


def saved(page: Any, click: Callable[[], None], path: Path) -> tuple[str, bytes]:
    """The name and the content of what a click downloads."""
    with page.expect_download() as download:
        click()
    download.value.save_as(path)
    return download.value.suggested_filename, path.read_bytes()


def test_a_table_is_saved_with_its_numbers(open_page: Open, sample: Sample, tmp_path: Path) -> None:
    page = open_page()
    button = page.locator("[data-save=table-accuracy] button")
    name, content = saved(page, button.click, tmp_path / "table.csv")
    assert name == "table-accuracy.csv"
    rows = list(csv.DictReader(content.decode().splitlines()))
    found = material.load(sample.settings, sample.plan, sample.tables, sample.cells, sample.data, "snakemake")
    table = comparisons.accuracy(found)
    assert [row["activation"] for row in rows] == [row[0].text for row in table.rows]
    for shown, row in zip(rows, table.rows, strict=True):
        assert shown["accuracy: test"].replace("\N{NO-BREAK SPACE}", " ") == row[2].text.replace(
            "\N{NO-BREAK SPACE}", " "
        )
        assert float(shown["accuracy: test (number)"]) == row[2].sort


def test_a_filtered_table_is_saved_as_it_is_shown_or_whole(open_page: Open, tmp_path: Path) -> None:
    page = open_page()
    form = page.locator("form[data-table=table-cells]")
    form.get_by_label("Search").fill("elu batchnorm")
    commands = page.locator("#table-cells tbody tr:not([hidden]) .command code").all_inner_texts()
    assert 0 < len(commands) < 6
    for rows, name, expected in (("shown", "table-cells-shown.csv", len(commands)), ("all", "table-cells.csv", 6)):
        button = page.locator(f"[data-save=table-cells] button[data-rows={rows}]")
        filename, content = saved(page, button.click, tmp_path / name)
        lines = list(csv.DictReader(content.decode().splitlines()))
        assert (filename, len(lines)) == (name, expected)
        assert {line["train it again"] for line in lines} >= set(commands)


def test_every_table_can_be_saved(open_page: Open) -> None:
    page = open_page()
    unfold(page)
    tables = page.locator("table:has(tbody td):has(.labels th)").evaluate_all("all => all.map(one => one.id)")
    saving = page.locator("[data-save]:visible").evaluate_all("all => all.map(one => one.dataset.save)")
    assert len(tables) > 20
    assert sorted(tables) == sorted(saving)


def test_a_figure_is_saved_as_a_picture_of_twice_its_size(open_page: Open, tmp_path: Path) -> None:
    page = open_page(390)  # where the page shows it smaller
    figure = page.locator("figure").first
    name, content = saved(page, figure.locator("button.png").click, tmp_path / "figure.png")
    assert f"figure-{name}" == figure.get_attribute("id") + ".png"
    assert content.startswith(b"\x89PNG")
    sides = [int(figure.locator(".card img").get_attribute(side)) for side in ("width", "height")]
    assert struct.unpack(">II", content[16:24]) == (2 * sides[0], 2 * sides[1])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_forest_plot_is_saved_with_its_colours(open_page: Open, tmp_path: Path, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    unfold(page)
    plot = page.locator("#claim-better .plot")
    name, content = saved(page, plot.locator("button.svg").click, tmp_path / "plot.svg")
    assert name == "claim-better.svg"
    root = ElementTree.fromstring(content)
    space = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{space}svg"
    paper, diamond = root.find(f"{space}rect"), root.find(f"{space}path[@fill='{color(page, '.diamond')}']")
    assert paper is not None
    assert paper.get("fill") == page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert diamond is not None
    assert not any("class" in element.attrib for element in root.iter())
    name, content = saved(page, plot.locator("button.png").click, tmp_path / "plot.png")
    width, height = struct.unpack(">II", content[16:24])
    assert (width, height) == (2 * int(root.get("width", 0)), 2 * int(root.get("height", 0)))


def color(page: Any, part: str) -> str:
    fill: str = page.locator(f"#claim-better .forest {part}").first.evaluate("e => getComputedStyle(e).fill")
    return fill


def test_links_lead_from_a_statement_to_its_figures_and_back(open_page: Open) -> None:
    page = open_page()
    unfold(page)
    page.locator("#claim-better dd a[href='#figure-final_accuracy']").click()
    assert page.evaluate("location.hash") == "#figure-final_accuracy"
    page.locator("#figure-final_accuracy .bears a[href='#claim-better']").click()
    assert page.locator("#claim-better h4").bounding_box()["y"] < 450
