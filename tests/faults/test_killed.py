"""Killed at random moments, fifty times in all, and started again: the results are those of an experiment left alone.

    TRAINABILITY_FAULTS=SEED,COUNT pytest tests/faults/test_killed.py -s

takes other moments, or more of them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from harness import LIMIT, Grid, Ledger, Run, orphans, undisturbed

SEED, COUNT = map(int, os.environ.get("TRAINABILITY_FAULTS", "1,50").split(","))


@dataclass(frozen=True)
class Kill:
    """Whom to kill: how often among others, at most how many seconds after the last kill, and one or all of which."""

    share: int
    patience: float
    victims: Callable[[Run], list[int]]


def everybody(run: Run) -> list[int]:
    """All processes at once, as in a power cut."""
    return [run.process.pid, *run.workers()]


# By where a run begins; of all kills the first has three of five.
KILLS = {
    "nothing": {
        "snakemake": Kill(2, 5.0, lambda run: [run.process.pid]),
        "everything": Kill(1, 5.0, everybody),
        "a worker": Kill(4, 1.0, Run.workers),
        "a training": Kill(2, 0.5, Run.training),
    },
    "trained cells": {
        "snakemake": Kill(2, 10.0, lambda run: [run.process.pid]),
        "everything": Kill(1, 10.0, everybody),
        "a worker": Kill(4, 5.0, Run.workers),
    },
}


@pytest.mark.parametrize("start", KILLS)
def test_killed_and_started_again(tmp_path: Path, start: str) -> None:
    print(f"TRAINABILITY_FAULTS={SEED},{COUNT}")
    expected, random, grid = undisturbed().facts(), Random(f"{SEED} {start}"), Grid(tmp_path)
    kinds, trained = KILLS[start], start == "trained cells"
    kills, at_work, left = Counter[str](), Counter[str](), COUNT * 2 // 5 if trained else COUNT - COUNT * 2 // 5
    ledger, run = begin(grid, trained), grid.start("--retries", 9)
    try:
        while left:
            (name,) = random.choices(list(kinds), [kill.share for kill in kinds.values()])
            hit, rules = strike(run, kinds[name], random)
            left, kills[name] = left - hit, kills[name] + hit
            at_work.update(rules if hit else [])
            if run.ended():
                ledger.enter(run)
                if run.process.returncode == 0:  # all is done, and some kills are left
                    assert grid.facts() == expected
                    ledger = begin(grid, trained)
                run = grid.start("--retries", 9)  # at once: what is left of the last one has a moment to end
                assert not orphans(grid, run)
        print(f"killed: {dict(kills)}; at work then: {dict(at_work)}; {len(grid.runs)} runs of Snakemake")
        if run.wait():  # a job was killed more often than it is tried again
            ledger.enter(run)
            run = grid.start()
        assert run.wait() == 0, run.printed
        ledger.enter(run)
        assert grid.facts() == expected
        assert not grid.leftovers()
        assert not orphans(grid, None)
        assert "Nothing to be done" in grid.finish()
    finally:
        grid.stop()


def begin(grid: Grid, trained: bool) -> Ledger:
    """Put a grid back to where it begins: an empty folder, or cells and nothing that is made of them."""
    for folder in ("results", ".snakemake"):
        shutil.rmtree(grid.work / folder, ignore_errors=True)
        if trained:
            shutil.copytree(undisturbed().work / folder, grid.work / folder)
    for folder in ("tables", "figures", "logs", "benchmarks"):
        shutil.rmtree(grid.results / folder, ignore_errors=True)
    (grid.results / "report.html").unlink(missing_ok=True)
    return Ledger(set(undisturbed().digests()) if trained else set())


def strike(run: Run, kill: Kill, random: Random) -> tuple[bool, list[str]]:
    """Wait for a moment of chance and kill: whether that was before the run ended, and which rules were at work."""
    if run.ended(random.uniform(0, kill.patience)) or not run.until(lambda: kill.victims(run), LIMIT):
        return False, []
    victims, rules = kill.victims(run), run.grid.at_work()
    if run.process.pid in victims:
        run.signal(signal.SIGKILL, everything=len(victims) > 1)
        return True, rules
    for pid in random.sample(victims, len(victims)):
        with contextlib.suppress(ProcessLookupError):  # the last kill hit it
            os.kill(pid, signal.SIGKILL)
            return True, rules
    return False, []
