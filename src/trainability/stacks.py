"""How many runs are trained together as one stack.

A stack shares the cost of every call among its runs. From some size on there is nothing left to share, and what a
step goes through no longer fits the cache: benchmarks/README.md has the measurements. A run's bits do not depend on
its stack (on the CPU), so the size is a matter of speed and memory alone.
"""

from __future__ import annotations

import itertools
from typing import TypeVar

import torch

from trainability import blueprint
from trainability.cell import Cell

Run = tuple[int, float]
T = TypeVar("T")

CACHED = 6 * 2**20  # bytes that a step may go through on a CPU, measured for widths of 16 to 512
LARGEST = 256 * 2**20  # bytes that the runs of one seed may take there before they are separated
GPU_SHARE = 0.25  # of a CUDA device's memory that a stack may fill, so that several cells can share the device


def split(runs: list[Run], most: int) -> list[list[Run]]:
    """The runs in their order, in stacks of at most `most` and of about one size.

    A stack holds whole seeds, whose runs share their batches; or some runs of one seed, where a seed has too many.
    """
    by_seed = [list(group) for _, group in itertools.groupby(runs, key=lambda run: run[0])]
    largest = max(map(len, by_seed))
    if largest > most:
        return [part for group in by_seed for part in _even(group, most)]
    return [[run for group in part for run in group] for part in _even(by_seed, most // largest)]


def _even(items: list[T], most: int) -> list[list[T]]:
    """The items in their order, in the fewest parts of at most `most`, with sizes that differ by one at the most."""
    count = -(-len(items) // most)
    bounds = [len(items) * part // count for part in range(count + 1)]
    return [items[low:high] for low, high in itertools.pairwise(bounds)]


def most_runs(cell: Cell, features: int, classes: int, device: torch.device) -> int:
    """The best size of a stack: the number of seeds whose runs come nearest to filling the cache, at least one.

    Convolutions go run by run, and reading their examples costs nothing beside them: there runs are counted, not seeds.
    """
    per_run = bytes_per_run(cell, features, classes)
    per_seed = per_run * len(cell.learning_rates)
    if device.type == "cuda":
        room = largest = int(GPU_SHARE * torch.cuda.get_device_properties(device).total_memory)
    else:
        room, largest = CACHED, LARGEST
    if blueprint.draw(cell, features, classes).convolutional:
        return max(1, round(room / per_run))
    if per_seed > largest:
        return max(1, largest // per_run)
    return max(1, round(room / per_seed)) * len(cell.learning_rates)


def bytes_per_run(cell: Cell, features: int, classes: int) -> int:
    """What a step goes through for one run, in float32.

    The parameters with their gradients and the optimiser's state, and of each hidden layer and example the
    pre-activations, the activations and the gradients by them.
    """
    plan = blueprint.draw(cell, features, classes)
    states = cell.optimizer.states(raw=cell.gradient_clipping > 0)
    return 4 * (plan.parameters * (2 + states) + cell.batch_size * plan.activations)
