"""The explorer as a reader drives it, offline and from a file; what it shows is compared with the tables."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pandas as pd
import pytest
from report_sample import Sample
from waiting import until

from trainability import manifests, report
from trainability.report.wording import percent, steps, with_interval
from trainability.statistics import Estimate

Open = Callable[..., Any]
APP = "#explorer-app"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    made = Sample(tmp_path_factory.mktemp("explorer")).make()
    report.render(*made.arguments)
    return made


@pytest.fixture(scope="module")
def tables(sample: Sample) -> dict[str, pd.DataFrame]:
    return {name: pd.read_parquet(sample.tables / f"{name}.parquet") for name in ("cells", "runs", "curves", "layers")}


@pytest.fixture
def open_page(open_file: Open, sample: Sample) -> Open:
    """Opens the explorer at an address, or at its start, and waits until it is there."""

    def open_it(address: str = "", width: int = 1280, **options: Any) -> Any:
        page = open_file(sample.page, width, reduced_motion="reduce", **options)
        page.locator(f"{APP} .field").first.wait_for(state="attached")
        if address:
            page.goto(sample.page.as_uri() + address)
            page.reload()  # as a link that is opened in a fresh tab
            settled(page)
        return page

    return open_it


def settled(page: Any) -> None:
    """Waits until what the address says is shown."""
    until(page, f"document.querySelector('{APP}').dataset.shown === location.hash")


def part(page: Any, name: str) -> Any:
    return page.locator(f"{APP} [data-part={name}]")


def field(page: Any, row: str, column: str) -> Any:
    return page.locator(f'{APP} .map button[data-field=\'["{row}","{column}"]\']')


def choose(page: Any, label: str, text: str) -> None:
    control(page, "controls", label).select_option(label=text)
    settled(page)


def control(page: Any, name: str, label: str) -> Any:
    """The list of choices with this label in a part of the explorer."""
    return part(page, name).locator("label", has_text=re.compile(f"^{label}")).locator("select")


def tick(page: Any, facet: str, value: str) -> None:
    facets = part(page, "controls").locator(f"[data-facet={facet}]")
    if not facets.evaluate("facet => facet.open"):
        facets.locator("summary").click()
    facets.get_by_label(value, exact=True).click()
    settled(page)


def asked(page: Any) -> dict[str, list[str]]:
    return parse_qs(page.evaluate("location.hash").partition("?")[2], keep_blank_values=True)


def row_of(tables: dict[str, pd.DataFrame], **labels: str) -> Any:
    cells = tables["cells"]
    return cells[(cells[list(labels)] == pd.Series(labels)).all(axis=1)].squeeze()


def open_cell(page: Any) -> Any:
    """Opens the cell of ReLU with Kaiming's scheme, and waits for its drawings."""
    field(page, "relu", "kaiming_normal").click()
    settled(page)
    cell = part(page, "cell")
    for plot in cell.locator(".plot").all():
        plot.scroll_into_view_if_needed()
        until(page, "plot => plot.dataset.drawn === 'true'", plot.element_handle())
    return cell


def downloaded(page: Any, button: Any, folder: Path) -> tuple[str, bytes]:
    with page.expect_download() as download:
        button.click()
    path = folder / "download"
    download.value.save_as(path)
    return download.value.suggested_filename, path.read_bytes()


def behind(figure: Any) -> list[list[str]]:
    """The table behind a figure, unfolded."""
    figure.locator("summary", has_text="Numbers").click()
    figure.locator("details tr").first.wait_for()  # laid out once it is unfolded, by an event of its own
    rows = figure.locator("details tr").all()
    return [[text.strip() for text in row.locator("th, td").all_inner_texts()] for row in rows]


def test_the_map_shows_the_figures_of_the_table(open_page: Open, tables: dict[str, pd.DataFrame]) -> None:
    page = open_page()
    shown = tables["cells"][tables["cells"]["normalization"] == "none"]
    assert len(shown) == 3
    for _, row in shown.iterrows():
        text = field(page, row["activation"], row["init"]).locator(".value").inner_text()
        assert text == percent(row["test_accuracy"])
    assert part(page, "status").inner_text() == "4 cells of 8 in 4 fields"
    left_out = field(page, "elu", "xavier_normal")
    assert left_out.inner_text() == "∅"
    assert left_out.get_attribute("aria-label") == "elu, xavier_normal: left out"
    assert "∅ left out" in part(page, "legend").inner_text()


def test_axes_and_metric_are_chosen(open_page: Open, tables: dict[str, pd.DataFrame]) -> None:
    page = open_page()
    choose(page, "Columns", "normalization")
    choose(page, "Metric", "median steps to 20 %")
    assert page.locator(".map thead tr:last-child th").all_inner_texts() == ["none", "batchnorm"]
    for activation in ("relu", "elu"):
        for normalization in ("none", "batchnorm"):
            row = row_of(tables, activation=activation, normalization=normalization, init="kaiming_normal")
            text = field(page, activation, normalization).locator(".value").inner_text()
            assert text == steps(row["median_steps_to_0.2"])
    choose(page, "Rows", "normalization")  # the two change places
    assert page.locator(".map tbody th").all_inner_texts() == ["none", "batchnorm"]
    assert asked(page) == {"rows": ["normalization"], "columns": ["activation"], "metric": ["median_steps_to_0.2"]}


def test_a_miss_reads_as_never(open_page: Open, tables: dict[str, pd.DataFrame], sample: Sample) -> None:
    page = open_page()
    choose(page, "Metric", "expected steps to 20 %")
    shown = page.locator(".map .value").all_inner_texts()
    of_map = tables["cells"][tables["cells"]["normalization"] == "none"]["expected_steps_to_0.2"]
    assert shown.count("never") == int(of_map.map(math.isinf).sum())


def test_fields_of_several_cells_show_the_median_and_how_many(open_page: Open, tables: dict[str, pd.DataFrame]) -> None:
    page = open_page()
    tick(page, "normalization", "batchnorm")
    row = tables["cells"][(tables["cells"]["activation"] == "relu") & (tables["cells"]["init"] == "kaiming_normal")]
    one = field(page, "relu", "kaiming_normal")
    assert one.locator(".value").inner_text() == percent(row["test_accuracy"].median())
    assert one.locator(".of").inner_text() == "n = 2"
    assert "median of 2 of 2 cells" in one.get_attribute("aria-label")
    tick(page, "init", "xavier_normal")  # off
    assert page.locator(".map thead tr:last-child th").all_inner_texts() == ["kaiming_normal"]
    assert part(page, "controls").locator("[data-facet=init] summary").inner_text() == "init: kaiming_normal"
    assert asked(page) == {"normalization": ["*"], "init": ["kaiming_normal"]}
    tick(page, "init", "kaiming_normal")  # nothing is left
    assert part(page, "status").inner_text() == "No cell passes all filters."
    page.get_by_role("button", name="Back to the start").click()
    settled(page)
    assert part(page, "status").inner_text() == "4 cells of 8 in 4 fields"


def test_the_cells_of_a_field_are_listed_with_reasons_and_can_be_opened(open_page: Open) -> None:
    page = open_page()
    field(page, "elu", "xavier_normal").click()
    settled(page)
    assert "activations: two are enough" in part(page, "field").inner_text()
    page.get_by_role("button", name="Show all cells").click()
    settled(page)
    field(page, "relu", "kaiming_normal").click()
    settled(page)
    assert field(page, "relu", "kaiming_normal").get_attribute("aria-pressed") == "true"
    rows = part(page, "field").locator("tbody tr")
    assert rows.locator("th").all_inner_texts() == ["relu, kaiming_normal, none", "relu, kaiming_normal, batchnorm"]
    rows.nth(1).get_by_role("button", name="Open").click()
    settled(page)
    assert part(page, "cell").locator("h3").inner_text() == "relu, kaiming_normal, batchnorm"
    assert asked(page)["at"] == ["relu", "kaiming_normal"]


def test_a_cell_shows_its_estimates_and_its_seeds(open_page: Open, tables: dict[str, pd.DataFrame]) -> None:
    page = open_page()
    cell = open_cell(page)
    row = row_of(tables, activation="relu", init="kaiming_normal", normalization="none")
    assert cell.locator("h3").inner_text() == "relu, kaiming_normal, none"
    bounds = Estimate(*(row[f"test_accuracy{end}"] for end in ("", "_low", "_high")))
    assert cell.locator(".numbers dd").first.inner_text() == with_interval(bounds)
    runs = tables["runs"]
    runs = runs[(runs["cell"] == row["cell"]) & runs["selected"]]
    seeds = cell.locator("table", has_text="Final numbers of each seed").locator("tbody tr")
    assert seeds.count() == len(runs) == 2
    for line, (_, run) in zip(seeds.all(), runs.iterrows(), strict=True):
        texts = line.locator("th, td").all_inner_texts()
        assert texts[:3] == [str(run["seed"]), percent(run["test_accuracy"]), percent(run["validation_accuracy"])]
        assert texts[5] == steps(run["steps_to_0.15"])
        assert run["status"] in texts[-1]


def test_a_cell_draws_its_runs_rates_and_layers(open_page: Open, tables: dict[str, pd.DataFrame]) -> None:
    page = open_page()
    cell = open_cell(page)
    names = [figure.get_attribute("data-name") for figure in cell.locator("figure").all()]
    assert names == ["curves-validation_accuracy", "rates", "gradients", "activations", "health"]
    key = row_of(tables, activation="relu", init="kaiming_normal", normalization="none")["cell"]
    curves = tables["curves"][tables["curves"]["cell"] == key]
    rows = behind(cell.locator("figure[data-name=curves-validation_accuracy]"))
    assert rows[0] == ["seed", "learning_rate", "status", "step", "validation_accuracy"]
    assert [row[3] for row in rows[1:]] == [str(step) for step in curves["step"]]
    for row, value in zip(rows[1:], curves["validation_accuracy"], strict=True):
        assert row[4] in (percent(value), percent(value + 1e-5), percent(value - 1e-5))
    runs = tables["runs"][tables["runs"]["cell"] == key]
    rates = behind(cell.locator("figure[data-name=rates]"))
    assert [row[2] for row in rates[1:]] == runs["status"].tolist()
    assert "diverged" in runs["status"].tolist()
    marks = cell.locator("figure[data-name=rates] svg .mark-symbol.role-mark path")
    assert marks.count() == len(runs)
    assert len(set(marks.evaluate_all("all => all.map(one => one.getAttribute('d'))"))) > 1  # not by colour alone


def test_health_is_the_median_over_seeds_by_layer_and_step(open_page: Open, tables: dict[str, pd.DataFrame]) -> None:
    page = open_page()
    cell = open_cell(page)
    health = cell.locator("figure[data-name=health]")
    control(page, "cell", "Metric").select_option(label="saturated pairs")
    settled(page)
    key = row_of(tables, activation="relu", init="kaiming_normal", normalization="none")["cell"]
    layers = tables["layers"][tables["layers"]["cell"] == key]
    medians = layers.groupby(["layer", "step"])["saturated_fraction"].median().unstack()
    heads = health.locator("thead th").all_inner_texts()
    assert heads == ["layer", *(f"step {step:,}" for step in medians.columns)]
    for line, (_, values) in zip(health.locator("tbody tr").all(), medians.iterrows(), strict=True):
        for text, value in zip(line.locator("td").all_inner_texts(), values, strict=True):
            assert text in (percent(value), percent(value + 1e-5), percent(value - 1e-5))


def test_another_measure_and_rate_change_the_curves_alone(open_page: Open) -> None:
    page = open_page()
    cell = open_cell(page)
    kept = cell.locator("figure[data-name=rates] svg").element_handle()
    control(page, "cell", "Curves of").select_option(label="training loss")
    settled(page)
    figure = cell.locator("figure[data-name=curves-train_loss]")
    assert figure.locator("h4").inner_text() == "Learning curves: training loss"
    figure.locator("svg").wait_for()
    control(page, "cell", "Strong").focus()
    control(page, "cell", "Strong").select_option(label="1.00e+6")
    settled(page)
    assert "at learning rate 1.00e+6" in cell.locator("figure[data-name=curves-train_loss] figcaption").inner_text()
    assert kept.evaluate("svg => svg.isConnected")
    assert page.evaluate("document.activeElement.dataset.control") == "Strong"
    assert asked(page)["measure"] == ["train_loss"]
    assert asked(page)["rate"] == ["1000000"]


def test_a_cell_says_how_to_train_it_again(open_page: Open, sample: Sample) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    cell = open_cell(page)
    key = asked(page)["cell"][0]
    commands = cell.locator(".commands code").all_inner_texts()
    assert commands[0] == f"snakemake -f results/cells/{key}/record.json"
    cell.locator(".commands button").first.click()
    until(page, "document.querySelector('#explorer-app button.copy').textContent === 'Copied'")
    assert page.evaluate("navigator.clipboard.readText()") == commands[0]
    cell.locator("summary", has_text="Hashes").click()
    record = manifests.load_json(sample.cells / key / "record.json")
    assert record["digest"] in cell.inner_text()
    cell.locator("summary", has_text="Parameters").click()
    assert "kaiming_normal" in cell.locator("details", has_text="Parameters").locator("dl").first.inner_text()


def test_up_to_four_cells_stand_beside_each_other(open_page: Open, tables: dict[str, pd.DataFrame]) -> None:
    page = open_page()
    page.get_by_role("button", name="Show all cells").click()
    settled(page)
    for row, column in (("relu", "kaiming_normal"), ("elu", "kaiming_normal"), ("relu", "xavier_normal")):
        field(page, row, column).click()
        settled(page)
        for button in part(page, "field").get_by_role("button", name="Compare").all():
            button.click()
            settled(page)
    assert len(asked(page)["compare"]) == 4
    assert part(page, "status").inner_text().startswith("The comparison is full")
    comparison = part(page, "comparison")
    heads = comparison.locator("table").first.locator("thead th").all_inner_texts()
    names = [
        f"{activation}, kaiming_normal, {other}" for activation in ("relu", "elu") for other in ("none", "batchnorm")
    ]
    assert heads == ["metric", *names]
    shown = (
        comparison.locator("table").first.locator("tbody tr", has_text="test accuracy").locator("td").all_inner_texts()
    )
    keys = asked(page)["compare"]
    rows = tables["cells"].set_index("cell").loc[keys]
    assert [text.split(" [")[0] for text in shown] == [percent(value) for value in rows["test_accuracy"]]
    plot = comparison.locator("figure[data-name=rates] .plot")
    plot.scroll_into_view_if_needed()
    plot.locator("svg").wait_for()
    titles = plot.locator(
        "svg .role-column-header text, svg .role-header text, svg .role-title text"
    ).all_text_contents()
    assert len([title for title in titles if "normal" in title]) == 4
    comparison.get_by_role("button", name="Take relu, kaiming_normal, none out").click()
    settled(page)
    assert len(asked(page)["compare"]) == 3


def test_back_and_forward_walk_through_the_views(open_page: Open) -> None:
    page = open_page()
    choose(page, "Metric", "dead units")
    open_cell(page)
    part(page, "cell").get_by_role("button", name="Compare with others").click()
    settled(page)
    assert part(page, "comparison").locator("h3").is_visible()
    page.go_back()
    settled(page)
    assert part(page, "comparison").inner_text() == ""
    assert part(page, "cell").get_by_role("button", name="Compare with others").is_visible()
    page.go_back()
    settled(page)
    assert part(page, "cell").inner_text() == ""
    assert page.locator(".map caption").inner_text() == "Dead units, by activation and init"
    page.go_back()
    until(page, "document.querySelector('.map caption').innerText === 'Test accuracy, by activation and init'")
    page.go_forward()
    settled(page)
    assert page.locator(".map caption").inner_text() == "Dead units, by activation and init"


def test_a_link_opens_the_same_view(open_page: Open, tables: dict[str, pd.DataFrame]) -> None:
    first = open_page()
    choose(first, "Rows", "normalization")
    choose(first, "Metric", "training loss")
    tick(first, "activation", "elu")
    field(first, "none", "kaiming_normal").click()
    settled(first)
    part(first, "field").get_by_role("button", name="Open").first.click()
    settled(first)
    second = open_page(first.evaluate("location.hash"))
    for shown in ("[data-part=map]", "[data-part=status]", "[data-part=field]", "[data-part=cell] h3", ".numbers"):
        texts = [page.locator(f"{APP} {shown}").inner_text() for page in (first, second)]
        assert texts[0] == texts[1]
    box = part(second, "cell").locator("h3").bounding_box()
    assert 0 <= box["y"] < 450  # it is in sight


@pytest.mark.parametrize(
    "address", ["#explorer?rows=nothing&cell=unknown&activation=none&study=x", "#explorer?=&&at=a"]
)
def test_an_address_of_another_page_shows_what_is_known(open_page: Open, address: str) -> None:
    page = open_page(address)
    assert page.locator(".map caption").inner_text() == "Test accuracy, by activation and init"
    assert not page.locator(f"{APP} [role=alert]").is_visible()


def test_curves_are_saved_as_a_table(open_page: Open, tmp_path: Path, tables: dict[str, pd.DataFrame]) -> None:
    page = open_page()
    cell = open_cell(page)
    key = asked(page)["cell"][0]
    curves = cell.locator("figure[data-name=curves-validation_accuracy]")
    name, content = downloaded(page, curves.get_by_role("button", name="CSV"), tmp_path)
    assert name == "curves-validation_accuracy.csv"
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    expected = tables["curves"][tables["curves"]["cell"] == key]["validation_accuracy"]
    assert [float(row["validation_accuracy"]) for row in rows] == pytest.approx(expected.tolist(), abs=1.1e-5)


# A page of its own for each kind: Chromium asks before it saves an eleventh file of one page.
@pytest.mark.parametrize(("kind", "start"), [("SVG", b"<svg"), ("PNG", b"\x89PNG\r\n")])
def test_every_drawing_of_a_cell_is_saved(open_page: Open, tmp_path: Path, kind: str, start: bytes) -> None:
    page = open_page()
    figures = open_cell(page).locator("figure").all()
    assert len(figures) == 5
    for figure in figures:
        name, content = downloaded(page, figure.get_by_role("button", name=kind), tmp_path)
        assert name.endswith(kind.lower())
        assert content.startswith(start), name
        assert len(content) > 2000


def test_the_map_is_saved_as_csv_svg_and_png(open_page: Open, tmp_path: Path, tables: dict[str, pd.DataFrame]) -> None:
    page = open_page()
    of_map = part(page, "map")
    _, content = downloaded(page, of_map.get_by_role("button", name="CSV"), tmp_path)
    rows = {(row["activation"], row["init"]): row for row in csv.DictReader(io.StringIO(content.decode()))}
    row = row_of(tables, activation="elu", init="kaiming_normal", normalization="none")
    assert float(rows["elu", "kaiming_normal"]["test_accuracy"]) == row["test_accuracy"]
    assert rows["elu", "xavier_normal"]["left_out"] == "1"
    _, content = downloaded(page, of_map.get_by_role("button", name="SVG"), tmp_path)
    assert percent(row["test_accuracy"]).encode() in content
    _, content = downloaded(page, of_map.get_by_role("button", name="PNG"), tmp_path)
    assert content.startswith(b"\x89PNG\r\n")


def test_the_keyboard_reaches_fields_and_comes_back(open_page: Open) -> None:
    page = open_page()
    metric = control(page, "controls", "Metric")
    metric.focus()
    page.keyboard.press("ArrowDown")
    settled(page)
    assert page.evaluate("document.activeElement.dataset.control") == "Metric"  # laid out anew, and still there
    field(page, "relu", "kaiming_normal").focus()
    page.keyboard.press("ArrowDown")
    focused = "document.activeElement.dataset.field"
    assert page.evaluate(focused) == '["elu","kaiming_normal"]'
    page.keyboard.press("Enter")
    settled(page)
    assert page.evaluate("document.activeElement.textContent") == "elu, kaiming_normal, none"
    part(page, "cell").get_by_role("button", name="Close").press("Enter")
    until(page, f'{focused} === \'["elu","kaiming_normal"]\'')


def test_paper_and_readers_without_scripts_get_a_note(open_page: Open, open_file: Open, sample: Sample) -> None:
    page = open_page()
    page.emulate_media(media="print")
    assert not page.locator(APP).is_visible()
    assert page.locator("#explorer .on-paper").is_visible()
    page = open_file(sample.page, java_script_enabled=False)
    assert page.locator("#explorer noscript").inner_text().startswith("The explorer needs scripts")
    assert not page.locator(APP).is_visible()
    assert not page.locator("#explorer .on-paper").is_visible()


@pytest.mark.parametrize("width", [390, 768])
def test_nothing_scrolls_the_page_sideways(open_page: Open, width: int, sample: Sample) -> None:
    keys = [key for key, entry in sample.plan.items() if entry.included][:3]
    page = open_page(f"#explorer?cell={keys[0]}&" + "&".join(f"compare={key}" for key in keys), width)
    for plot in page.locator(f"{APP} .plot").all():
        plot.scroll_into_view_if_needed()
        until(page, "plot => plot.dataset.drawn === 'true'", plot.element_handle())
    page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_no_violation_in_an_open_cell_and_comparison(
    open_page: Open, sample: Sample, scheme: str, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install -e .[dev]")
    keys = [key for key, entry in sample.plan.items() if entry.included][:2]
    address = f"#explorer?cell={keys[0]}&compare={keys[0]}&compare={keys[1]}&at=relu&at=kaiming_normal"
    page = open_page(address, width, color_scheme=scheme)
    for plot in page.locator(f"{APP} .plot").all():
        plot.scroll_into_view_if_needed()
        until(page, "plot => plot.dataset.drawn === 'true'", plot.element_handle())
    page.locator(f"{APP} details").evaluate_all("all => all.forEach(one => one.open = true)")
    results = axe.Axe().run(page, context="#explorer")
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_on_the_map_stand_out_in_both_themes(open_page: Open, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    ratios = page.locator(f"{APP} .field").evaluate_all(
        """all => all.map((one) => {
          const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
          const light = (style) => {
            canvas.fillStyle = style;
            canvas.fillRect(0, 0, 1, 1);
            const part = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((c) => c / 255);
            const [r, g, b] = part.map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const style = getComputedStyle(one);
          const [low, high] = [light(style.color), light(style.backgroundColor)].sort((a, b) => a - b);
          return (high + 0.05) / (low + 0.05);
        })"""
    )
    assert min(ratios) >= 4.5
