"""The page of two experiments side by side in a browser without a network: numbers, filters, a phone, the dark."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from report_sample import Sample
from sealing import differing, sealed

from trainability import comparison, manifests, plan

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The page of an experiment beside a copy in which one cell lost a tenth of its accuracy, and that cell's key."""
    folder = tmp_path_factory.mktemp("comparison")
    sample = Sample(folder / "before", seeds=6).make()
    plan.write(sample.plan, sample.settings, sample.tables / "plan.csv", sample.tables / "config.json", folder / "log")
    after = shutil.copytree(folder / "before", folder / "after")
    runs = pd.read_parquet(after / "tables" / "runs.parquet")
    key = str(runs["cell"].iloc[0])
    runs.loc[runs["cell"] == key, "test_accuracy"] -= 0.1
    runs.to_parquet(after / "tables" / "runs.parquet", index=False)
    sealed(after / "tables" / "runs.parquet")
    record = manifests.load_json(after / "cells" / key / "record.json")
    manifests.save_json(after / "cells" / key / "record.json", differing(record))
    comparison.render(folder / "before", after, folder / "comparison.html")
    return folder / "comparison.html", key


def test_the_cell_that_moved_is_found_and_the_others_filtered_away(open_file: Open, made: tuple[Path, str]) -> None:
    page = open_file(made[0])
    assert page.locator("h1").inner_text() == "What changed: A small experiment"
    assert page.locator("table", has_text="Cells that moved:").locator("tbody tr").count() == 1
    form = page.locator("form[data-table=table-matched]")
    assert form.locator("output").inner_text() == "6 of 6 cells"
    form.get_by_label("outcome").select_option("moved")
    assert form.locator("output").inner_text() == "1 of 6 cells"
    assert made[1] in page.locator("#table-matched tbody tr:not([hidden])").inner_text()


def test_the_figure_is_drawn_and_its_table_unfolds(open_file: Open, made: tuple[Path, str]) -> None:
    page = open_file(made[0])
    assert page.locator("figure img").evaluate_all("all => all.filter(i => !i.complete || !i.naturalWidth).length") == 0
    page.get_by_text("Data of Figure 1", exact=True).click()
    assert page.locator("figure table tbody tr").count() == 6


def test_flips_are_filtered_by_what_changed(open_file: Open, made: tuple[Path, str]) -> None:
    page = open_file(made[0])
    form = page.locator("form[data-table=table-flips]")
    form.get_by_label("change").select_option("same")
    assert form.locator("output").inner_text() == "4 of 5 statements"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_window(open_file: Open, made: tuple[Path, str], width: int, scheme: str) -> None:
    page = open_file(made[0], width=width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
