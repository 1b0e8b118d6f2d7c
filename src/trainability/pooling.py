"""Pooling over 2 x 2 positions, and the mean over all of them; rows are examples x positions, as in `linear`.

An odd last row or column is left out, as torch.nn.MaxPool2d does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor

from trainability.blueprint import Grid


class Pool:
    """2 x 2 positions become one, their largest number or their mean; [R, B P, C] -> [R, B (P / 4), C]."""

    def __init__(self, grid: Grid) -> None:
        self.grid, self.after = grid, grid.pooled()

    def forward(self, x: Tensor) -> Tensor:
        y = self.combine(self._corners(x))
        return y.reshape(len(x), -1, x.shape[-1])

    def backward(self, dy: Tensor) -> Tensor:
        """Gradient by x."""
        runs, rows, channels = dy.shape
        examples, after = rows // self.after.positions, self.after
        left_out = 4 * after.positions < self.grid.positions
        dx = (dy.new_zeros if left_out else dy.new_empty)(runs, examples * self.grid.positions, channels)
        gradient = dy.reshape(runs, examples, after.height, after.width, channels)
        for corner, part in zip(self._corners(dx), self.shares(gradient), strict=True):
            corner.copy_(part)
        return dx

    def combine(self, corners: list[Tensor]) -> Tensor:
        """Four numbers, in reading order, to one."""
        raise NotImplementedError

    def shares(self, gradient: Tensor) -> list[Tensor]:
        """What of a gradient goes to each of the four."""
        raise NotImplementedError

    def _corners(self, x: Tensor) -> list[Tensor]:
        """The four numbers of every window as views [R, B, height / 2, width / 2, C] of contiguous x."""
        high, wide = 2 * self.after.height, 2 * self.after.width
        images = x.view(len(x), -1, self.grid.height, self.grid.width, x.shape[-1])
        return [images[:, :, row:high:2, column:wide:2] for row in (0, 1) for column in (0, 1)]


class MeanPool(Pool):
    """The mean of each 2 x 2 window."""

    def combine(self, corners: list[Tensor]) -> Tensor:
        return reduce(torch.add, corners).mul_(0.25)

    def shares(self, gradient: Tensor) -> list[Tensor]:
        return [gradient * 0.25] * 4


class MaxPool(Pool):
    """The largest number of each 2 x 2 window; of equal ones the first takes the gradient."""

    def combine(self, corners: list[Tensor]) -> Tensor:
        first, second, third, fourth = corners
        upper, lower = torch.maximum(first, second), torch.maximum(third, fourth)
        self.rivals = (first, second), (third, fourth), (upper, lower)
        return torch.maximum(upper, lower)

    def shares(self, gradient: Tensor) -> list[Tensor]:
        in_upper, in_lower, rows = self.rivals
        of_upper, of_lower = _divided(gradient, *rows)
        return [*_divided(of_upper, *in_upper), *_divided(of_lower, *in_lower)]


def _divided(gradient: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """What of a gradient goes to each of two numbers: to the second where it is larger, else to the first."""
    to_second = torch.ops.aten.threshold_backward(gradient, second - first, 0)
    return gradient - to_second, to_second


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
