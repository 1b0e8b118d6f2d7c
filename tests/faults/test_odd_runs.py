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
from harness import Grid, Ledger, orphans, training_notes, undisturbed, untrained

HOURS = 5
# Every process of the experiment takes this for the time: hours ahead and hours behind, by turns.
CLOCK = f"""
import time

_time = time.time
time.time = lambda: (now := _time()) + (0, {HOURS}, -{HOURS})[int(now) % 3] * 3600
"""


@pytest.fixture
def grid(tmp_path: Path) -> Iterator[Grid]:
    grid = untrained(tmp_path)
    yield grid
    grid.stop()


def status(grid: Grid) -> dict[str, Any]:
    """What `trainability status --json` says."""
    words = ["status", "--json", "--configfile", grid.code / "config.yaml", grid.code / "experiments/grid.yaml"]
    command = [sys.executable, "-m", "trainability.cli", *map(str, words)]
    done = subprocess.run(command, cwd=grid.work, env=grid.environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


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
    told = status(grid)
    assert told["states"]["failed"] == 2
    assert {one["name"] for one in told["failures"]} == set(failed)

    run = grid.start("--until", "claims")
    assert run.wait() == 0, run.printed
    ledger.enter(run)
    assert grid.facts() == undisturbed().facts()
    assert not grid.leftovers()
    assert not orphans(grid, None)


def test_clocks_jump(grid: Grid) -> None:
    """The data are from the future, and every second another time of day is told while the cells are trained."""
    shift(grid.results, HOURS)
    (grid.code / "src/sitecustomize.py").write_text(CLOCK)
    (grid.work / "stop a training").touch()
    run = grid.start("--until", "train")
    assert run.until((grid.work / "waiting").exists), run.printed
    assert run.until(lambda: len(grid.digests()) == 5)
    for hours in (HOURS, -HOURS):
        shift(grid.results / "logs", hours)
        told = status(grid)
        assert told["states"]["running"] == 1
        assert 0 <= told["seconds_left"] < 300
    (grid.work / "go on").touch()
    assert run.wait() == 0, run.printed
    assert "were from the future" in run.printed
    assert grid.digests() == undisturbed().digests()
    shift(grid.results / "cells", -HOURS)
    assert "train" not in grid.jobs("--until", "train", config="grid"), "records that look older than their data"
    assert not grid.leftovers()


def shift(folder: Path, hours: float) -> None:
    """Move the times of all files in a folder."""
    for path in folder.rglob("*"):
        changed = path.stat().st_mtime + 3600 * hours
        os.utime(path, (changed, changed))
