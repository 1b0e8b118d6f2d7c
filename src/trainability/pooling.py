"""Pooling over 2 x 2 positions, and the mean over all of them; rows are examples x positions, as in `linear`.

An odd last row or column is left out, as torch.nn.MaxPool2d does: these are its kernels, which take channels last, and
so the rows of all runs as they lie. They are deterministic on CUDA as well.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d_with_indices

from trainability.blueprint import Grid
from trainability.passes import images

SIZE = [2, 2]  # of a window, and of the step from one to the next


class Pool:
    """2 x 2 positions become one, their largest number or their mean; [R, B P, C] -> [R, B (P / 4), C]."""

    def __init__(self, grid: Grid) -> None:
        self.grid, self.after = grid, grid.pooled()
        self.forget()

    def forward(self, x: Tensor) -> Tensor:
        return _rows(self.combine(images(x, self.grid)), len(x))

    def backward(self, dy: Tensor) -> Tensor:
        """Gradient by x."""
        return _rows(self.share(images(dy, self.after)), len(dy))

    def forget(self) -> None:
        """Let go of what the last forward pass left for a backward pass."""
        self.kept: tuple[Tensor, ...] = ()

    def combine(self, x: Tensor) -> Tensor:
        """Images x [R B, C, height, width] to smaller ones; what `share` needs of them is `kept`."""
        raise NotImplementedError

    def share(self, gradient: Tensor) -> Tensor:
        """The gradient by these images from that by the smaller ones."""
        raise NotImplementedError


class MeanPool(Pool):
    """The mean of each 2 x 2 window."""

    def combine(self, x: Tensor) -> Tensor:
        self.kept = (x,)
        return avg_pool2d(x, SIZE)

    def share(self, gradient: Tensor) -> Tensor:
        return torch.ops.aten.avg_pool2d_backward(gradient, *self.kept, SIZE, SIZE, [0, 0], False, True, None)


class MaxPool(Pool):
    """The largest number of each 2 x 2 window; of equal ones the first takes the gradient."""

    def combine(self, x: Tensor) -> Tensor:
        largest, places = max_pool2d_with_indices(x, SIZE)
        self.kept = (x, places)
        return largest

    def share(self, gradient: Tensor) -> Tensor:
        x, places = self.kept
        return torch.ops.aten.max_pool2d_with_indices_backward(gradient, x, SIZE, SIZE, [0, 0], [1, 1], False, places)


def _rows(pooled: Tensor, runs: int) -> Tensor:
    """Images [R B, C, height, width] as rows [R, B P, C]."""
    return pooled.permute(0, 2, 3, 1).reshape(runs, -1, pooled.shape[1])


POOLS: dict[str, Callable[[Grid], Pool]] = {"max": MaxPool, "mean": MeanPool}


class MeanHead:
    """The mean over all positions of an example; [R, B P, C] -> [R, B, C]."""

    def __init__(self, grid: Grid) -> None:
        self.positions = grid.positions

    def forward(self, x: Tensor) -> Tensor:
        return x.view(len(x), -1, self.positions, x.shape[-1]).mean(2)

    def backward(self, dy: Tensor) -> Tensor:
        """Gradient by x."""
        runs, examples, channels = dy.shape
        spread = (dy / self.positions).unsqueeze(2).expand(-1, -1, self.positions, -1)
        return spread.reshape(runs, examples * self.positions, channels)


class FlatHead:
    """All positions of an example side by side; [R, B P, C] -> [R, B, P C]."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), -1, self.grid.features)

    def backward(self, dy: Tensor) -> Tensor:
        """Gradient by x."""
        return dy.reshape(len(dy), -1, self.grid.channels)
