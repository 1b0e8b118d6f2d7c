"""How many runs are trained together as one stack.

A stack shares the cost of every call among its runs. From some size on there is nothing left to share, and what a
step goes through no longer fits the cache: benchmarks/README.md has the measurements. A run's bits do not depend on
its stack (on the CPU), so the size is a matter of speed and memory alone.
"""

from __future__ import annotations

import torch

from trainability.cell import Cell
from trainability.network import parameter_count, units

Run = tuple[int, float]

CACHED = 6 * 2**20  # bytes that a step may go through on a CPU, measured for widths of 16 to 512
GPU_SHARE = 0.25  # of a CUDA device's memory that a stack may fill, so that several cells can share the device


def split(runs: list[Run], most: int) -> list[list[Run]]:
    """The runs in their order, in the fewest stacks of at most `most`, with sizes that differ by one at the most."""
    count = -(-len(runs) // most)
    bounds = [len(runs) * part // count for part in range(count + 1)]
    return [runs[low:high] for low, high in zip(bounds, bounds[1:], strict=False)]


def most_runs(cell: Cell, features: int, classes: int, device: torch.device) -> int:
    """The largest stack that a step's data allow, at least 2."""
    room = CACHED
    if device.type == "cuda":
        room = int(GPU_SHARE * torch.cuda.get_device_properties(device).total_memory)
    return max(2, room // bytes_per_run(cell, features, classes))


def bytes_per_run(cell: Cell, features: int, classes: int) -> int:
    """What a step goes through for one run, in float32.

    The parameters with their gradients and the optimiser's state, and of each hidden layer and example the
    pre-activations, the activations and the gradients by them.
    """
    width, pieces = units(cell, features, classes), cell.activation.pieces
    parameters = parameter_count(cell, features, classes, width, pieces)
    activations = cell.batch_size * (features + cell.depth * width * (2 * pieces + 1))
    return 4 * (parameters * (2 + cell.optimizer.states) + activations)
