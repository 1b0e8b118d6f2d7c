"""What the forward and backward passes of all parts of a network share."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from trainability.blueprint import Grid


class Mode(Enum):
    """What a forward pass is for."""

    TRAIN = "train"  # batch statistics, running statistics updated, units dropped, random arguments drawn
    PROBE = "probe"  # batch statistics as in training, but nothing changes and nothing is random
    EVALUATE = "evaluate"  # running statistics


def accumulate(buffer: Tensor, gradient: Tensor, carry: float) -> None:
    """buffer = carry * buffer + gradient, where carry 0 forgets whatever the buffer held."""
    import torch  # here, since the Snakefile reads the normalizations, which need this module

    if carry:
        torch.add(gradient, buffer, alpha=carry, out=buffer)
    else:
        buffer.copy_(gradient)


def images(rows: Tensor, grid: Grid) -> Tensor:
    """Rows [R, B P, C] of all runs, or [B P, C] of one, as images [R B, C, height, width], which torch's kernels take.

    It is a view: these are images with channels last.
    """
    return rows.reshape(-1, grid.height, grid.width, rows.shape[-1]).permute(0, 3, 1, 2)


def joined(runs: Sequence[Tensor]) -> Tensor:
    """What was computed run by run, as one tensor [R, ...]; a single run is not copied."""
    import torch

    return runs[0].unsqueeze(0) if len(runs) == 1 else torch.stack(list(runs))
