"""Memory that runs out and clocks that jump: what they spoil is named, and nothing else is spoiled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import LIMIT, Grid, Ledger, orphans, training_notes, undisturbed, untrained

HOURS = 5
# Every process of the experiment takes this for the time: hours ahead and hours behind, as chance will have it.
CLOCK = f"""
import random
import time

_time, _random = time.time, random.Random(1)
time.time = lambda: _time() + 3600 * _random.choice((0, {HOURS}, -{HOURS}))
"""


@pytest.fixture
def grid(tmp_path: Path) -> Iterator[Grid]:
    grid = untrained(tmp_path)
    yield grid
    grid.stop()


def status(grid: Grid, *words: str) -> subprocess.Popen[str]:
    """`trainability status`, started."""
    configs = [str(grid.code / name) for name in ("config.yaml", "experiments/grid.yaml")]
    command = [sys.executable, "-m", "trainability.cli", "status", *words, "--configfile", *configs]
    return subprocess.Popen(command, cwd=grid.work, env=grid.environment, stdout=subprocess.PIPE, text=True)


def told(grid: Grid) -> dict[str, Any]:
    """What it says about an experiment."""
    return json.loads(status(grid, "--json").communicate(timeout=LIMIT)[0])


def test_memory_runs_out(grid: Grid) -> None:
    """In one cell it is refused, in another the system kills the worker: the other four are finished all the same."""
    for name in ("kill a training", "exhaust a training"):
        (grid.work / name).touch()
    ledger, run = Ledger(), grid.start()
    assert run.wait() == 1
    ledger.enter(run)
    failed = {cell: note.reason for cell, note in training_notes(grid).items() if note}
    assert sorted(failed.values()) == [
        "exit status 1",
        "its process was ended by signal 9 (Killed), which is what the system does when memory runs out",
    ]
    assert len(grid.digests()) == 4
    for cell, reason in failed.items():
        assert f"its log is results/logs/train/{cell}.log" in run.printed
        log = (grid.results / f"logs/train/{cell}.log").read_text()
        assert ("can't allocate memory" in log) == ("exit status" in reason)
    assert "signal 9 (Killed), which is what the system does when memory runs out; its log is" in run.printed
    assert "Some jobs failed; what is done is kept" in run.printed
    said = told(grid)
    assert said["states"]["failed"] == 2
    assert {one["name"] for one in said["failures"]} == set(failed)

    run = grid.start("--until", "claims")
    assert run.wait() == 0, run.printed
    ledger.enter(run)
    assert grid.facts() == undisturbed().facts()
    assert not grid.leftovers()
    assert not orphans(grid, None)


def test_clocks_jump(grid: Grid) -> None:
    """The data are from the future, and while the cells are trained nobody is told the same time of day twice."""
    shift(grid.results, HOURS)
    (grid.code / "src/sitecustomize.py").write_text(CLOCK)
    (grid.work / "stop a training").touch()
    run = grid.start("--until", "train")
    assert run.until((grid.work / "waiting").exists), run.printed
    assert run.until(lambda: len(grid.digests()) == 5)
    watching = status(grid, "--watch")
    for hours in (HOURS, -2 * HOURS):
        shift(grid.results / "logs", hours)
        said = told(grid)
        assert said["states"]["running"] == 1
        assert 0 <= said["seconds_left"] < 300
    (grid.work / "go on").touch()
    assert run.wait() == 0, run.printed
    assert "were from the future" in run.printed
    assert watching.communicate(timeout=60)[0].endswith("All cells and analyses are done.\n")
    assert grid.digests() == undisturbed().digests()
    shift(grid.results / "cells", -HOURS)
    assert "train" not in grid.jobs("--until", "train", config="grid"), "records that look older than their data"
    assert not grid.leftovers()


def shift(folder: Path, hours: float) -> None:
    """Move the times of all files in a folder."""
    for path in folder.rglob("*"):
        changed = path.stat().st_mtime + 3600 * hours
        os.utime(path, (changed, changed))
