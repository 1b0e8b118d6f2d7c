"""Killed at random moments, fifty times over one experiment, and started again: the results are those of a quiet run.

    TRAINABILITY_FAULTS=SEED,COUNT pytest tests/faults/test_killed.py -s

takes other moments, or more of them.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from harness import Grid, Ledger, Run, orphans, undisturbed

SEED, COUNT = map(int, os.environ.get("TRAINABILITY_FAULTS", "1,50").split(","))


@dataclass(frozen=True)
class Kill:
    """Whom to kill: how often among others, at most how many seconds after the last kill, and which processes."""

    share: int
    patience: float
    victims: Callable[[Run], list[int]]


KILLS = {
    "snakemake": Kill(24, 6.0, lambda run: [run.process.pid]),
    "everything": Kill(12, 6.0, lambda run: [run.process.pid, *run.workers()]),  # as a power cut does
    "a worker": Kill(36, 1.5, lambda run: run.workers()),
    "a training": Kill(28, 0.5, lambda run: run.training()),
}


def strike(run: Run, name: str, random: Random) -> bool:
    """Wait for a moment of chance and kill; false if the run ended before."""
    kill = KILLS[name]
    if run.ended(random.uniform(0, kill.patience)) or not run.until(lambda: kill.victims(run), 60):
        return False
    victims = kill.victims(run)
    if run.process.pid in victims:
        run.signal(signal.SIGKILL, everything=name == "everything")
    elif victims:
        os.kill(random.choice(victims), signal.SIGKILL)
    return bool(victims)


def test_killed_and_started_again(tmp_path: Path) -> None:
    print(f"TRAINABILITY_FAULTS={SEED},{COUNT}")
    expected, random, kills, runs = undisturbed().facts(), Random(SEED), Counter[str](), 1
    grid = Grid(tmp_path)
    ledger, run = Ledger(), grid.start("--retries", 9)
    while kills.total() < COUNT or not run.ended(240):
        if kills.total() < COUNT:
            (name,) = random.choices(list(KILLS), [kill.share for kill in KILLS.values()])
            kills[name] += strike(run, name, random)
        if not run.ended():
            continue
        ledger.enter(run)
        if run.process.returncode == 0:
            assert grid.facts() == expected
            shutil.rmtree(grid.work / "results")
            shutil.rmtree(grid.work / ".snakemake")
            ledger = Ledger()
        run, runs = grid.start("--retries", 9), runs + 1
        assert not orphans(grid, run)
    print(dict(kills), f"{runs} runs of Snakemake")
    ledger.enter(run)
    assert run.process.returncode == 0, run.printed
    assert grid.facts() == expected
    assert not grid.leftovers()
    assert not orphans(grid, None)
    assert "Nothing to be done" in grid.finish()
