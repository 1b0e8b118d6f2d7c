"""Layers to try a normalization in, and what its normalizer computes there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trainability.conformance.comparing import farthest
from trainability.normalizations import Normalization
from trainability.normalizers import Normalizer
from trainability.passes import Mode

RUNS = 3


class OfWeights(Normalizer):
    """What a normalization of weights does, in the form of a normalizer: rows are a unit's incoming weights."""

    def __init__(self, normalization: Normalization, like: Tensor) -> None:
        super().__init__(1, 1, like, affine=False)
        self.of = normalization.start_weights()

    def forward(self, x: Tensor, mode: Mode) -> Tensor:
        return self.of.forward(x)

    def backward(self, dy: Tensor, buffers: Sequence[Tensor], carry: float) -> Tensor:
        return self.of.backward(dy)


@dataclass(frozen=True)
class Layer:
    """A layer of `units` units at so many positions of so many examples, and RUNS runs of it."""

    normalization: Normalization
    positions: int
    units: int
    examples: int = 4
    dtype: torch.dtype = torch.float64

    @property
    def of_weights(self) -> bool:
        return self.normalization.position == "weights"

    @property
    def words(self) -> str:
        kind = str(self.dtype).removeprefix("torch.")
        rows = "weights" if self.of_weights else "x"
        places = "" if self.of_weights else f", {self.positions} rows an example"
        return f"{rows} {[RUNS, self.examples * self.positions, self.units]} {kind}{places}"

    def normal(self, number: int, *shape: int) -> Tensor:
        """Standard normal numbers that depend on `number` alone."""
        generator = torch.Generator().manual_seed(number)
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(self.dtype)

    def x(self, number: int, examples: int | None = None) -> Tensor:
        """What the units put out, [RUNS, rows, units]; each unit has another mean and another spread."""
        rows = (self.examples if examples is None else examples) * self.positions
        spread, mean = 1 + self.normal(-1, RUNS, 1, self.units).abs(), self.normal(-2, RUNS, 1, self.units)
        return mean + spread * self.normal(number, RUNS, rows, self.units)

    def dy(self, number: int = 100) -> Tensor:
        """A gradient by the result, [RUNS, rows, units]."""
        return self.normal(number, RUNS, self.examples * self.positions, self.units)

    def fresh(self, runs: int = RUNS) -> Normalizer:
        """A normalizer as at the start of a training."""
        like = torch.empty(0, dtype=self.dtype)
        if self.of_weights:
            return OfWeights(self.normalization, like)
        return self.normalization.start(runs, self.units, self.positions, like)

    def trained(self, runs: slice = slice(None)) -> Normalizer:
        """A normalizer of some of the runs after two steps, its parameters moved in place as an optimiser does."""
        normalizer = self.fresh(len(range(RUNS)[runs]))
        self.train(normalizer, runs)
        return normalizer

    def train(self, normalizer: Normalizer, runs: slice = slice(None)) -> None:
        """Two steps of a normalizer of some of the runs, with its parameters moved in place before."""
        for number, parameter in enumerate(normalizer.parameters):
            parameter.add_(0.3 * self.normal(50 + number, RUNS, *parameter.shape[1:])[runs])
        for number in (1, 2):
            normalizer.forward(self.x(number)[runs], Mode.TRAIN)


def layers(normalization: Normalization, dtype: torch.dtype = torch.float64) -> Iterator[Layer]:
    """A fully connected layer and a convolution; weights have no positions, and what stands nowhere has no layer."""
    units = normalization.divisor * max(3, -(-6 // normalization.divisor))
    for positions in {"absent": (), "weights": (4,)}.get(normalization.position, (1, 4)):
        yield Layer(normalization, positions, units, dtype=dtype)


def wide(layer: Layer) -> Layer:
    """The same layer with more rows and units than any vector has numbers, and no multiple of its length."""
    divisor = layer.normalization.divisor
    return replace(layer, units=divisor * max(3, -(-67 // divisor)), examples=33, dtype=torch.float32)


def results(normalizer: Normalizer, x: Tensor, dy: Tensor, mode: Mode = Mode.PROBE) -> dict[str, Tensor]:
    """All that one forward and one backward pass compute, by name."""
    y = normalizer.forward(x.clone(), mode).clone()
    buffers = [torch.zeros_like(parameter) for parameter in normalizer.parameters]
    dx = normalizer.backward(dy.clone(), buffers, 0.0).clone()
    gradients = {f"the gradient by parameter {index}": buffer for index, buffer in enumerate(buffers)}
    return {"forward": y, "backward": dx, **gradients}


def different(name: str, found: Tensor, expected: Tensor, other: str) -> Iterator[str]:
    """Where two results, which should agree but for rounding, do not; `other` says what is expected."""
    place = farthest(found, expected, rtol=1e-5, atol=1e-6)
    if place:
        yield f"{name} is {found[place].item():.6g} at {list(place)}, {other} {expected[place].item():.6g}"
