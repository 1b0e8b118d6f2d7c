"""What is random in a step: numbers from each seed's own generators, drawn before the step, used by it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trainability import seeding
from trainability.passes import Mode


class Draws:
    """Numbers from U(0, 1), [S, ...] for S seeds, fresh for every step; runs of one seed share theirs.

    They are drawn on the CPU by the seed's generator for one purpose, so that neither the stack nor the device matters.
    """

    def __init__(
        self, seeds: Sequence[int], purpose: tuple[str | int, ...], shape: tuple[int, ...], like: Tensor
    ) -> None:
        self.generators = [_torch_generator(seed, *purpose) for seed in seeds]
        self.values = like.new_empty(len(seeds), *shape)

    def renew(self) -> None:
        """Draw the numbers of the next step."""
        for generator, values in zip(self.generators, self.values, strict=True):
            values.copy_(torch.rand(values.shape, generator=generator, dtype=values.dtype))


class Dropout:
    """Inverted dropout: each run's numbers are dropped by its seed's draws (Srivastava et al. 2014)."""

    def __init__(self, rate: float, draws: Draws, of_seed: Tensor) -> None:
        self.keep = 1.0 - rate
        self.draws, self.of_seed = draws, of_seed
        self.mask: Tensor | None = None

    def forward(self, x: Tensor, mode: Mode) -> Tensor:
        if mode is not Mode.TRAIN:
            self.mask = None
            return x
        self.mask = (self.draws.values < self.keep).to(x).div_(self.keep)[self.of_seed]
        return x * self.mask

    def backward(self, dy: Tensor) -> Tensor:
        return dy if self.mask is None else dy * self.mask


def _torch_generator(seed: int, *purpose: str | int) -> torch.Generator:
    number = seeding.generator(seed, *purpose).integers(2**63)
    return torch.Generator().manual_seed(int(number))
