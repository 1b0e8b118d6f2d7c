"""The report in a browser without a network: from a file, on a phone, in the dark, by keyboard, on paper."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_sample import Sample

from trainability import report

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    made = Sample(tmp_path_factory.mktemp("page")).make()
    report.render(*made.arguments)
    return made


@pytest.fixture
def open_page(open_file: Open, sample: Sample) -> Open:
    """Opens the report as `open_file` does."""
    return functools.partial(open_file, sample.page)


def column(page: Any, index: int) -> list[str]:
    """The texts of one column of the table of all cells, of the rows in view."""
    cells = page.locator(f"#table-cells tbody tr:not([hidden]) > :nth-child({index + 1})")
    return [text.strip() for text in cells.all_inner_texts()]


def index_of(page: Any, label: str) -> int:
    labels = page.locator("#table-cells .labels th").all_inner_texts()
    return next(i for i, text in enumerate(labels) if text.strip().startswith(label))


def test_the_page_loads_without_a_network_or_a_complaint(open_page: Open) -> None:
    page = open_page()
    assert page.locator("h1").inner_text() == "A small experiment"
    broken = "images => images.filter(i => !i.complete || !i.naturalWidth).length"
    assert page.locator("figure img").evaluate_all(broken) == 0


def test_a_click_and_a_key_sort_the_cells(open_page: Open) -> None:
    page = open_page()
    index = index_of(page, "test accuracy")
    heading = page.locator("#table-cells .labels th").nth(index)
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    numbers = [float(re.match(r"[\d.]+", text)[0]) for text in column(page, index)]  # type: ignore[index]
    assert numbers == sorted(numbers)
    heading.locator("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    numbers = [float(re.match(r"[\d.]+", text)[0]) for text in column(page, index)]  # type: ignore[index]
    assert numbers == sorted(numbers, reverse=True)
    assert page.locator("#table-cells [aria-sort]").count() == 1


def test_filters_narrow_the_cells_and_announce_how_many(open_page: Open) -> None:
    page = open_page()
    form = page.locator("form[data-table=table-cells]")
    assert form.locator("output").inner_text() == "6 of 6 cells"
    assert form.locator("output").get_attribute("aria-live") == "polite"
    form.locator(f"select[data-column='{index_of(page, 'activation')}']").select_option("elu")
    assert form.locator("output").inner_text() == "2 of 6 cells"
    assert set(column(page, index_of(page, "activation"))) == {"elu"}
    form.get_by_label("Search").fill("ELU batchnorm")
    assert form.locator("output").inner_text() == "1 of 6 cells"
    form.get_by_label("Search").fill("nothing like it")
    assert form.locator("output").inner_text() == "0 of 6 cells"
    form.get_by_role("button", name="Show all").click()
    page.wait_for_function("document.querySelector('form[data-table=table-cells] output').value === '6 of 6 cells'")


def test_verdicts_are_filtered_by_their_word(open_page: Open) -> None:
    page = open_page()
    form = page.locator("form[data-table=table-verdicts]")
    assert form.locator("output").inner_text() == "5 of 5 statements"
    for verdict, number in (("contradicted", 1), ("not testable here", 1), ("inconclusive", 2)):
        form.get_by_label("verdict").select_option(verdict)
        assert form.locator("output").inner_text() == f"{number} of 5 statements"
        marks = page.locator("#table-verdicts tbody tr:not([hidden]) .mark").all_inner_texts()
        assert [text.strip() for text in marks] == [verdict] * number


@pytest.mark.parametrize("script", [True, False])
def test_a_link_opens_the_evidence_of_its_statement(open_page: Open, script: bool) -> None:
    page = open_page(java_script_enabled=script, reduced_motion="reduce")
    assert not page.locator("#claim-better .plot svg").is_visible()
    page.locator("#table-verdicts a[href='#claim-better']").click()
    page.locator("#claim-better .plot svg").wait_for(state="visible")
    box = page.locator("#claim-better h4").bounding_box()
    assert 0 <= box["y"] < 450
    assert not page.locator("#claim-elsewhere").is_visible()  # of another family
    page.goto(page.url.split("#")[0] + "#claim-elsewhere")
    page.locator("#claim-elsewhere").wait_for(state="visible")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forest_plots_stand_out_in_both_themes(open_page: Open, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    paper = page.locator("body").evaluate("b => getComputedStyle(b).backgroundColor")
    shade = page.locator(".forest .claimed").first.evaluate("e => getComputedStyle(e).fill")
    assert shade != paper
    for part, style in ((".setting", "fill"), (".diamond", "fill"), (".interval", "stroke"), (".border", "stroke")):
        color = page.locator(f".forest {part}").first.evaluate(f"e => getComputedStyle(e).{style}")
        for behind in (paper, shade):
            assert contrast(color, behind) >= 3, f"{part} {color} on {behind}"


def luminance(color: str) -> float:
    red, green, blue = (int(part) / 255 for part in re.findall(r"\d+", color)[:3])
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def test_the_command_of_a_row_is_copied(open_page: Open, sample: Sample) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    row = page.locator("#table-cells tbody tr").first
    row.locator("button.copy").click()
    page.wait_for_function("document.querySelector('#table-cells button.copy').textContent === 'Copied'")
    command = page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(r"snakemake -f results/cells/(.+)/record\.json", command)
    assert command.split("/")[2] in sample.plan


def test_figures_open_large_and_can_be_saved(open_page: Open, tmp_path: Path) -> None:
    page = open_page(375)
    figure = page.locator("figure").first
    figure.get_by_role("button", name="Full size").click()
    assert page.locator("dialog img").bounding_box()["width"] == 780  # 300 pt, enlarged twice
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="detached")  # in a task of its own, after the dialog has closed
    for kind, start in (("SVG", "<svg"), ("CSV", "activation,step,value")):
        with page.expect_download() as download:
            figure.get_by_role("link", name=kind).click()
        download.value.save_as(tmp_path / kind)
        assert (tmp_path / kind).read_text().startswith(start)


@pytest.mark.parametrize("width", [375, 390, 768, 1280])
def test_the_page_never_scrolls_sideways(open_page: Open, width: int) -> None:
    page = open_page(width)
    page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


LUMINANCE = """
element => {
  const part = c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = color => {
    const [r, g, b] = color.match(/[0-9.]+/g).map(c => part(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let behind = element;
  while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
  const [low, high] = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor]
    .map(luminance).sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_themes(open_page: Open, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    for selector in (
        "#abstract p",
        "nav a",
        "figcaption",
        ".note",
        "td",
        "thead button",
        ".path",
        "a.svg",
        "code",
        "select",
        "#table-verdicts .mark.supported",
        "#table-verdicts .mark.contradicted",
        "#table-verdicts .mark.inconclusive",
        "#table-verdicts .mark.not-testable-here",
        "#table-verdicts a",
    ):
        contrast = page.locator(selector).first.evaluate(LUMINANCE)
        assert contrast >= 4.5, f"{selector}: {contrast:.1f}"
    assert page.locator(".card").first.evaluate("c => getComputedStyle(c).backgroundColor") == "rgb(255, 255, 255)"


def test_the_keyboard_reaches_the_content_first(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#content"


def test_reduced_motion_is_honoured(open_page: Open) -> None:
    page = open_page(reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_without_script_everything_can_still_be_read(open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    assert page.locator("#table-cells tbody tr").count() == 6
    assert page.locator("nav a").first.is_visible()
    assert page.locator("form.search:visible").count() == 0
    assert page.locator("#table-cells code").first.is_visible()


def test_paper_gets_the_text_and_not_the_tools(open_page: Open) -> None:
    page = open_page()
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator("nav").is_visible()
    assert page.locator("form.search:visible").count() == 0
    assert page.locator("#table-cells .labels th button").first.is_visible()
    assert page.locator("#claim-better .plot svg").is_visible()
    assert page.locator("#abstract p").first.evaluate("p => getComputedStyle(p).color") == "rgb(0, 0, 0)"
