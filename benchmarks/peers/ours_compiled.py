"""Our training step through torch.compile: what fusing its operations would gain, and what compiling costs.

Nothing is measured on the way, and the search for the first non-finite loss is left out.
"""

from __future__ import annotations

import os
import shutil
import time

from benchmarks.peers import MissingError
from benchmarks.protocol import Job, Training
from benchmarks.stack import Stack, as_trained, parts


def train(job: Job) -> Training:
    """All stacks of the cell; `epochs` leaves out the first, which compiles. Raises MissingError without g++."""
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        raise MissingError("torch.compile needs a C++ compiler: install g++, or set CXX to the path of another")
    cell, training = job.workload.cell, Training()
    with as_trained():
        together = [
            Stack(cell, job.arrays, job.classes, part) for part in parts(cell, job.arrays, job.classes, job.runs)
        ]
        for _ in range(cell.epochs):
            clock = time.perf_counter()
            for stack in together:
                for _ in range(job.steps_per_epoch):
                    stack.next_compiled_step()
            training.epochs.append(time.perf_counter() - clock)
        training.accuracies = [accuracy for stack in together for accuracy in stack.test_accuracy()]
    del training.epochs[0]
    return training
