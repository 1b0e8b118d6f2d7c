"""Progress on the terminal while a workflow runs: one line that is redrawn, and a line for every failure.

Where the output is no terminal, a new line is printed whenever a count changes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from trainability.operations import status
from trainability.operations.cells import DONE, Cells
from trainability.record import Record

INTERVAL = 2.0  # seconds between looks, or ten times what a look takes
PATIENCE = 60.0  # seconds without any job, after there were some, before the workflow counts as ended
CLEAR = "\r\x1b[K"


def remembering(read: Callable[[Path], Record]) -> Callable[[Path], Record]:
    """A reader of records that reads and checks each but once, as long as its file is not replaced."""
    known: dict[Path, tuple[int, Record]] = {}

    def again(folder: Path) -> Record:
        try:
            stamp = (folder / "record.json").stat().st_mtime_ns
        except FileNotFoundError:  # its job has just begun
            return read(folder)
        if folder not in known or known[folder][0] != stamp:
            known[folder] = stamp, read(folder)
        return known[folder][1]

    return again


def watch(
    look: Callable[[], Cells],
    out: TextIO,
    clock: Callable[[], float] = time.monotonic,  # not the time of day, which somebody may set
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Look again and again, and return when nothing is left to do or the workflow has ended."""
    began, first, told, shown, seen = clock(), None, set(), "", None
    while True:
        started = clock()
        cells = look()
        done = len(cells.records)
        first = done if first is None else first
        for trouble in cells.progress.troubles:
            said = status.sentence(trouble)
            if said not in told:
                told.add(said)
                print(f"{CLEAR if out.isatty() else ''}{said}", file=out)
        counts = f"{done:,} of {len(cells.trained):,} cells done{_others(cells)}"
        pace = _pace(cells, done - first, clock() - began)
        if out.isatty():
            print(f"{CLEAR}{counts}{pace}", end="", file=out, flush=True)
        elif counts != shown:
            print(f"{counts}{pace}", file=out, flush=True)
        shown = counts
        if cells.progress.busy:
            seen = clock()
        ended = not (cells.progress.cells or cells.progress.analyses or cells.progress.busy)
        if ended or (seen is not None and clock() - seen > PATIENCE):
            if out.isatty():
                print(file=out)
            print("All cells and analyses are done." if ended else "No job is at work any more.", file=out)
            return
        sleep(max(INTERVAL, 10 * (clock() - started)))


def _others(cells: Cells) -> str:
    summary = cells.summary(key for key in cells.trained if cells.state(key) != DONE)
    return f", {summary}" if summary else ""


def _pace(cells: Cells, done: int, seconds: float) -> str:
    rate = f"; {60 * done / seconds:.1f} cells a minute" if done > 0 and seconds > 0 else ""
    left = status.seconds_left(cells)
    if not cells.progress.cells:
        return rate
    return f"{rate}; training left: {'unknown' if left is None else f'about {status.duration(left)}'}"
