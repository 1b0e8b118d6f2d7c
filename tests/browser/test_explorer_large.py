"""Two thousand cells of forty runs: how large the page is, how long it takes to render, and how fast it answers.

Times in the browser are those that its main thread computed, which do not depend on what else the machine does.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from large_sample import LargeSample
from waiting import until

from trainability import plan

Open = Callable[..., Any]

HELPERS = """
window.app = document.getElementById("explorer-app");
const pause = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
window.answer = async (act) => {
  const before = app.dataset.shown;
  act();
  do await pause(); while (app.dataset.shown === before);
};
window.choose = (label, value) => {
  const list = app.querySelector(`[data-control="${label}"]`);
  list.value = value;
  list.dispatchEvent(new Event("change"));
};
window.listed = (row, name) => [...app.querySelectorAll("[data-part=field] tbody tr")][row]
  .querySelectorAll("button")[name === "Open" ? 0 : 1];
"""
INTERACTIONS = (
    ("another metric", "choose('Metric', 'dead_fraction')"),
    ("a ratio", "choose('Metric', 'gradient_ratio')"),
    ("all cells", "app.querySelector('.open-all').click()"),
    ("other rows", "choose('Rows', 'preprocessing')"),
    ("other columns", "choose('Columns', 'normalization')"),
    ("a filter", "app.querySelector('[data-facet=init] input').click()"),
    ("a field of ninety cells", "app.querySelector('.map .field').click()"),
    ("a cell", "listed(0, 'Open').click()"),
    ("a cell of another block", "listed(40, 'Open').click()"),
    ("other curves", "choose('Curves of', 'validation_loss')"),
    ("comparing one", "listed(1, 'Compare').click()"),
    ("comparing two", "listed(9, 'Compare').click()"),
    ("comparing three", "listed(20, 'Compare').click()"),
    ("comparing four", "listed(49, 'Compare').click()"),
    ("back", "history.back()"),
)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> LargeSample:
    return LargeSample(tmp_path_factory.mktemp("large")).make()


@pytest.fixture(scope="module")
def rendered(large: LargeSample) -> tuple[Path, float, float]:
    """The page, the seconds that rendering took, and the gigabytes at its peak."""
    plan.write(large.plan, large.settings, large.tables / "plan.csv", large.tables / "config.json", large.logs / "plan")
    folders = {name: getattr(large, name) for name in ("tables", "figures", "cells", "data", "logs", "sources")}
    options = {"config": large.tables / "config.json", "snakemake": "snakemake", "out": large.page, **folders}
    command = [sys.executable, "-m", "trainability.cli", "report"]
    started = time.perf_counter()
    subprocess.run(command + [f"--{name}={value}" for name, value in options.items()], check=True)
    seconds = time.perf_counter() - started
    return large.page, seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6


def test_the_page_is_rendered_in_time_and_is_no_larger_than_it_may_be(rendered: tuple[Path, float, float]) -> None:
    page, seconds, gigabytes = rendered
    assert page.stat().st_size <= 25e6
    assert seconds <= 90
    assert gigabytes <= 4


def test_the_page_is_seen_at_once_and_answers_at_once(open_file: Open, rendered: tuple[Path, float, float]) -> None:
    page = open_file(rendered[0], reduced_motion="reduce")
    page.locator("#explorer-app .field").first.wait_for(state="attached")
    first = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert first <= 1000
    until(page, "typeof window.vegaEmbed === 'function'")  # which the page loads when it has nothing else to do
    page.evaluate(f"() => {{ {HELPERS} }}")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def computed() -> float:
        """Milliseconds that the main thread has spent on tasks."""
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(1000 * metric["value"] for metric in metrics if metric["name"] == "TaskDuration")

    spent = {}
    for name, act in INTERACTIONS:
        before = computed()
        page.evaluate(f"answer(() => {{ {act} }})")
        spent[name] = computed() - before
        if name.startswith("a cell"):
            until(page, "app.querySelectorAll('[data-part=cell] [data-drawn]').length === 4")
        page.wait_for_timeout(300)
    assert {name: round(ms) for name, ms in spent.items() if ms > 200} == {}
