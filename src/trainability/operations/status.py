"""How far an experiment is: counts, single cells, failures and the time that is left; nothing is written."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from trainability import files, notes
from trainability.operations.cells import DONE, STATES, Cells
from trainability.progress import OUTDATED, RUNNING, WAITING, Trouble


def lines(cells: Cells, now: float) -> Iterator[str]:
    """For people: what is done, what is at work, what failed, how long it may take."""
    trained = cells.trained
    yield cells.settings.title
    yield f"  {len(trained):,} cells: {cells.summary(trained)}"
    analyses = [name for name, analysis in cells.settings.analyses.items() if analysis is not None]
    if analyses:
        states = Counter(cells.progress.analyses.get(name, DONE) for name in analyses)
        counts = ", ".join(f"{states[state]} {state}" for state in STATES if states[state])
        yield f"  {len(analyses)} analyses: {counts}"
    if cells.progress.cells:
        left = seconds_left(cells, now)
        workers = training(cells)
        where = f", {workers} cells at a time" if workers > 1 else ""
        yield f"  training left: {'unknown' if left is None else f'about {duration(left)}'}{where}"
    for trouble in cells.progress.troubles:
        yield f"  {sentence(trouble)}"
        yield f"    its log: {cells.results / trouble.job.log}"


def listing(cells: Cells, keys: Iterable[str]) -> Iterator[str]:
    """A line per cell: key and state, with a tab between."""
    for key in keys:
        yield f"{key}\t{cells.state(key)}{' (diverged)' if cells.diverged(key) else ''}"


def document(cells: Cells, keys: Iterable[str], now: float) -> dict[str, Any]:
    """The same for programs; `cells` holds the cells asked for, all counts are of the whole experiment."""
    trained = cells.trained
    states = Counter(map(cells.state, trained))
    return {
        "title": cells.settings.title,
        "planned": len(trained),
        "states": {state: states[state] for state in STATES},
        "diverged": sum(map(cells.diverged, trained)),
        "training": training(cells),
        "seconds_left": seconds_left(cells, now),
        "analyses": {
            name: cells.progress.analyses.get(name, DONE)
            for name, analysis in cells.settings.analyses.items()
            if analysis is not None
        },
        "failures": [
            {
                "rule": trouble.job.rule,
                "name": trouble.job.name,
                "state": trouble.state,
                "reason": trouble.reason,
                "log": str(cells.results / trouble.job.log),
            }
            for trouble in cells.progress.troubles
        ],
        "cells": {key: {"state": cells.state(key), "diverged": cells.diverged(key)} for key in keys},
    }


def training(cells: Cells) -> int:
    """How many cells are being trained."""
    return list(cells.progress.cells.values()).count(RUNNING)


def seconds_left(cells: Cells, now: float | None = None) -> float | None:
    """Seconds until the last cell is trained, if as many cells as now are trained at a time.

    A cell is expected to take as long as its last record says, one without a record as long as the mean of all others.
    None where no record says anything, or nothing is being trained while cells wait. Cells that failed do not count:
    the next snakemake trains them.
    """
    known = _seconds(cells)
    workers = training(cells)
    coming = [key for key, state in cells.progress.cells.items() if state in (RUNNING, WAITING, OUTDATED)]
    if not coming:
        return 0.0
    if not known or not workers:
        return None
    usual = sum(known.values()) / len(known)
    now = time.time() if now is None else now
    left = [max(0.0, known.get(key, usual) - _spent(cells, key, now)) for key in coming]
    return max(sum(left) / workers, max(left))


def sentence(trouble: Trouble) -> str:
    """What happened to a job, and the last line of its log."""
    job = f"{trouble.job.rule} {trouble.job.name}".strip()
    last = [line.strip() for line in trouble.tail.splitlines() if line.strip()][-1:] or ["its log is empty"]
    return f"{trouble.state}: {job}{f' ({trouble.reason})' if trouble.reason else ''}: {last[0]}"


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def _seconds(cells: Cells) -> dict[str, float]:
    """What the last training of each cell took, also of those whose record is outdated."""
    known = {key: one.content["times"]["train_seconds"] for key, one in cells.records.items()}
    for key in cells.progress.cells:
        path = cells.folder(key) / "record.json"
        try:
            known[key] = float(json.loads(files.read(path, ""))["times"]["train_seconds"])
        except (files.CorruptFileError, ValueError, KeyError, TypeError):
            continue  # no record, or one that knows no time
    return known


def _spent(cells: Cells, key: str, now: float) -> float:
    """Seconds that a running cell has been at work."""
    if cells.progress.cells[key] != RUNNING:
        return 0.0
    began = notes.began(cells.results / f"logs/train/{key}.log")
    return 0.0 if began is None else max(0.0, now - began)
