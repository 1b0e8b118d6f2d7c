"""Our trainer as a warm worker uses it: the whole cell with all that is measured on the way, and its record."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.protocol import Job, Training, steady_seconds
from benchmarks.stack import Stack, as_trained, parts
from trainability import record, training


def train(job: Job) -> Training:
    """`trainability train` without the command line: the job is done when its record is on disk."""
    cell, clock = job.workload.cell, time.perf_counter()
    outcome = training.train(cell, job.arrays, job.classes, job.runs)
    seconds = time.perf_counter() - clock
    with tempfile.TemporaryDirectory() as folder:
        record.write(Path(folder), cell, outcome, job.manifest, {}, seconds)
    return Training(outcome.test_accuracy.tolist())


def steady(job: Job) -> float:
    """The steps alone, timed on a new stack as large as the cell's first and scaled to all runs."""
    cell, arrays = job.workload.cell, job.arrays
    part = parts(cell, arrays, job.classes, job.runs)[0]
    with as_trained():
        stack = Stack(cell, arrays, job.classes, part)
        return steady_seconds(stack.next_step, job.steps_per_epoch * cell.epochs) * len(job.runs) / len(part)
