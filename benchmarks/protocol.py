"""What a peer is given and what it gives back.

A peer is a module with one or both of two functions, named by its entry in `peers.PEERS`:

    train(job) -> Training      everything up to the results; the caller's clock runs around it
    steady(job) -> float        where `train` cannot tell: seconds per cell of the training steps alone
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.networks import Network
from benchmarks.workloads import Workload
from trainability import blueprint, prepared
from trainability.prepared import Arrays

WARM_UP_STEPS = 5
TIMED_STEPS, TIMED_SECONDS = 20, 5.0  # what `steady_seconds` times: both, at least


@dataclass(frozen=True)
class Job:
    """The runs that one measurement trains, and where their data lie."""

    workload: Workload
    runs: list[tuple[int, float]]
    folder: Path  # what `prepared.prepare` wrote

    @functools.cached_property
    def _loaded(self) -> tuple[dict[str, Any], Arrays]:
        manifest, arrays = prepared.load(self.folder)
        tested = slice(0, self.workload.test_examples)
        return manifest, dataclasses.replace(arrays, test_x=arrays.test_x[tested], test_y=arrays.test_y[tested])

    @property
    def manifest(self) -> dict[str, Any]:
        return self._loaded[0]

    @property
    def arrays(self) -> Arrays:
        """Read when they are first asked for, so that reading counts in the time of the job."""
        return self._loaded[1]

    @property
    def classes(self) -> int:
        classes: int = self.manifest["classes"]
        return classes

    @functools.cached_property
    def network(self) -> Network:
        """What every peer builds, as our trainer draws it."""
        plan = blueprint.draw(self.workload.cell, self.arrays.train_x.shape[1], self.classes)
        return Network.of(plan, self.workload.batchnorm)

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches: the examples that are left over are another batch's in the next epoch."""
        return len(self.arrays.train_y) // self.workload.batch_size


@dataclass
class Training:
    """What `train` gives back: a test accuracy per run, seconds per epoch without evaluation, and seconds per run.

    An epoch is one of all runs together for a stack, one of a single run for a loop. Epochs of warm-up or with a
    compilation in them are left out. Only loops tell the seconds per run, from which the time of more runs follows.
    """

    accuracies: list[float] = field(default_factory=list)
    epochs: list[float] = field(default_factory=list)
    runs: list[float] = field(default_factory=list)


def steady_seconds(step: Callable[[], object], steps: int) -> float:
    """Seconds of `steps` steps after a warm-up, from the mean of as many as take a few seconds."""
    for _ in range(WARM_UP_STEPS):
        step()
    taken, clock = 0, time.perf_counter()
    while taken < TIMED_STEPS or time.perf_counter() - clock < TIMED_SECONDS:
        step()
        taken += 1
    return (time.perf_counter() - clock) / taken * steps
