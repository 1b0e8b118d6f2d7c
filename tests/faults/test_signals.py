"""Ctrl-C, SIGTERM and a closed terminal: a prompt end, nothing that lingers, and the next snakemake goes on."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest
from harness import Grid, Ledger, orphans, training_notes, undisturbed, untrained

PROMPT = 30  # seconds, on a machine with other things to do; one second on an idle one


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    grid = untrained(tmp_path_factory.mktemp("signals"))
    yield grid
    grid.stop()


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    """Of all runs of this module, which come one after another in one folder."""
    return Ledger()


@pytest.mark.parametrize(
    ("number", "everything", "finishes", "status", "states"),
    [
        pytest.param(signal.SIGINT, True, False, 1, {"failed"}, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, True, False, 1, {"failed"}, id="SIGTERM to all"),
        # Snakemake ends at once, and has noted the end of a worker before that only if the worker came long before it.
        pytest.param(signal.SIGHUP, True, False, -signal.SIGHUP, {"stopped", "failed"}, id="terminal closed"),
        pytest.param(signal.SIGTERM, False, True, 1, set(), id="SIGTERM to snakemake, which finishes its jobs"),
    ],
)
def test_signal_while_a_cell_is_trained(
    grid: Grid, ledger: Ledger, number: int, everything: bool, finishes: bool, status: int, states: set[str]
) -> None:
    (grid.work / "stop a training").touch()
    run = grid.start("--until", "train")
    assert run.until((grid.work / "waiting").exists), run.printed
    run.signal(number, everything)
    if finishes:
        assert run.until(lambda: "Will exit after finishing currently running jobs" in run.printed)
        (grid.work / "go on").touch()
    began = time.monotonic()
    assert run.wait(PROMPT) == status
    print(f"ended after {time.monotonic() - began:.1f} s")
    for name in ("waiting", "go on"):
        (grid.work / name).unlink(missing_ok=True)
    assert not orphans(grid, None)
    assert "Traceback" not in run.printed
    ledger.enter(run)
    notes = [note for note in training_notes(grid).values() if note]
    assert bool(notes) == bool(states)
    assert {note.state for note in notes} <= states
    ended = f"its process was ended by signal {number:d} ({signal.strsignal(number)})"
    assert {note.reason for note in notes if note.state == "failed"} <= {ended}


def test_the_next_snakemake_goes_on_from_there(grid: Grid, ledger: Ledger) -> None:
    run = grid.start("--until", "train")
    assert run.wait() == 0, run.printed
    ledger.enter(run)
    assert grid.digests() == undisturbed().digests()
    assert not grid.leftovers()
    assert not orphans(grid, None)
