"""Calls of an activation to try it with, and parts of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from trainability.activations import Activation

WIDE = 499  # numbers beside each other, more than any vector has and no multiple of its length


class Part(NamedTuple):
    """A part of a stack: one run, some examples of it, some units."""

    run: int
    example: int
    examples: int
    unit: int
    units: int


PARTS = (
    Part(0, 0, 1, 0, 1),
    Part(1, 1, 2, 1, 3),
    Part(2, 0, 4, 5, 7),
    Part(0, 3, 1, 2, 13),
    Part(1, 0, 3, 0, 29),
    Part(2, 1, 1, 9, 33),
)


@dataclass(frozen=True)
class Trial:
    """One call: z [R, B, pieces * width], what follows it, and a gradient [R, B, outputs * width]."""

    z: Tensor
    arguments: list[Tensor]
    gradient: Tensor

    @property
    def tensors(self) -> list[Tensor]:
        return [self.z, self.gradient, *self.arguments]


def trial(unit: Activation, dtype: torch.dtype = torch.float64, z: Tensor | None = None, width: int = 7) -> Trial:
    """Random pre-activations, learned parameters that differ between runs, the draws of training."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)

    z = 3 * normal(3, 4, unit.pieces * width) if z is None else z.to(dtype)
    runs = torch.arange(len(z), dtype=torch.float64).view(-1, 1, 1)
    arguments = [(start + 0.05 * runs).to(dtype) for start in unit.learned.values()]
    if unit.random:
        arguments.append(unit.randomize(torch.rand(z.shape, generator=generator, dtype=torch.float64).to(dtype)))
    return Trial(z, arguments, normal(*z.shape[:2], z.shape[-1] // unit.pieces * unit.outputs))


def results(unit: Activation, t: Trial) -> dict[str, Tensor]:
    """All that an activation computes of one call, by the method's name."""
    a = unit.value(t.z, *t.arguments)
    learned = unit.learned_gradients(t.gradient, t.z)
    return {
        "value": a,
        "derivative": unit.derivative(t.z, *t.arguments),
        "backward": unit.backward(t.gradient.clone(), t.z, a.clone(), *t.arguments),
        **{f"learned_gradients[{index}]": gradient for index, gradient in enumerate(learned)},
    }


def part_of(tensor: Tensor, part: Part) -> Tensor:
    """Of [R, B, pieces * WIDE] the part [1, examples, pieces * units]; of [R, 1, 1] that run's."""
    run = tensor[part.run : part.run + 1]
    if tensor.shape[-1] == 1:
        return run
    rows = run[:, part.example : part.example + part.examples].unflatten(-1, (-1, WIDE))
    return rows[..., part.unit : part.unit + part.units].flatten(2).contiguous()
