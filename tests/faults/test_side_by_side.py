"""Two of everything: a second Snakemake in one folder, a second writer of one cell, in any order."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import LIMIT, Grid, orphans, undisturbed, untrained

from trainability import record


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    grid = untrained(tmp_path_factory.mktemp("beside"))
    yield grid
    grid.stop()


@pytest.fixture
def grid(shared: Grid) -> Iterator[Grid]:
    """A grid whose next training of the trapped activation stops until the file `go on` is there."""
    (shared.work / "stop a training").touch()
    yield shared
    for name in ("stop a training", "waiting", "go on"):
        (shared.work / name).unlink(missing_ok=True)


def trapped() -> tuple[str, str]:
    """A cell that can be stopped, and its parameters as the workflow passes them on."""
    key = min(key for key in undisturbed().digests() if "Trapped" in key)
    content = json.loads((undisturbed().results / f"cells/{key}/record.json").read_text())
    return key, json.dumps(content["parameters"])


def by_hand(grid: Grid) -> subprocess.Popen[bytes]:
    """The command of the cell's job, as a user would copy it from the log."""
    key, parameters = trapped()
    words = ["train", "--cell", parameters, "--data", "results/data/digits/standardize", "--device", "cpu"]
    words += ["--spare", "", "--out", f"results/cells/{key}"]
    command = [sys.executable, "-m", "trainability.cli", *words]
    # The bits of a training depend on its number of threads.
    environment = grid.environment | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=grid.work, env=environment, stdout=subprocess.DEVNULL)


def whole(grid: Grid) -> str:
    """The digest of the cell's record, which is complete."""
    return str(record.read(grid.results / "cells" / trapped()[0]).content["digest"])


def made(grid: Grid) -> dict[Path, int]:
    """The files of finished cells, tables and figures, with the times of their last change."""
    folders = [*(path.parent for path in grid.results.glob("cells/*/record.json")), grid.results / "tables"]
    return {
        path: path.stat().st_mtime_ns for folder in [*folders, grid.results / "figures"] for path in folder.iterdir()
    }


def test_a_second_snakemake_does_no_harm(grid: Grid) -> None:
    first = grid.start("--until", "train")
    assert first.until((grid.work / "waiting").exists), first.printed
    before = made(grid)
    second = grid.start("--until", "train")
    assert second.wait() == 1
    assert "Error: Directory cannot be locked" in second.printed
    assert "Traceback" not in second.printed
    third = grid.start("--dry-run")
    assert third.wait() == 0, "what there is to do can be asked at any time"
    assert before.items() <= made(grid).items()
    (grid.work / "go on").touch()
    assert first.wait() == 0, first.printed
    assert grid.digests() == undisturbed().digests()
    assert not grid.leftovers()
    assert not orphans(grid, None)


@pytest.mark.parametrize("last", ["the job", "by hand"])
def test_a_second_writer_of_a_cell(grid: Grid, last: str) -> None:
    key, _ = trapped()
    target = ("--force", f"results/cells/{key}/record.json")
    if last == "the job":
        job = grid.start(*target)
        assert job.until((grid.work / "waiting").exists), job.printed
        hand = by_hand(grid)
        assert hand.wait(LIMIT) == 0
        first = whole(grid)
        (grid.work / "go on").touch()
        assert job.wait() == 0, job.printed
    else:
        hand = by_hand(grid)
        while not (grid.work / "waiting").exists():
            assert hand.poll() is None
        grid.finish(*target)
        first = whole(grid)
        (grid.work / "go on").touch()
        assert hand.wait(LIMIT) == 0
    assert whole(grid) == first == undisturbed().digests()[key]
    assert not grid.leftovers()
