"""Networks as they start: stacks of seeds for the analyses that look at them before any training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trainability.cell import Cell

if TYPE_CHECKING:
    from torch import Tensor

    from trainability.network import Network


def stack(x: Tensor, classes: int, seeds: Sequence[int], **factors: Any) -> Network:
    """Networks of these factors, one per seed, for examples x [N, features], on which some schemes calibrate them.

    They compute in the examples' precision.
    """
    from trainability.network import Network

    cell = Cell.model_validate({"seeds": list(seeds), "learning_rates": [1.0]} | factors)
    network = Network(cell, x.shape[1], classes, dtype=x.dtype)
    if cell.init.calibrated:
        network.calibrate(x.expand(len(seeds), -1, -1), cell.init.calibrate)
    return network
