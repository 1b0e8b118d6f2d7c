"""How signals and gradients travel through a network that has not been trained."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from trainability import seeding
from trainability.activations import Relu, Sigmoid, Tanh
from trainability.analyses.base import (
    ANALYSES,
    Activations,
    Analysis,
    Count,
    Depths,
    Initializers,
    Normalizations,
    Row,
    Width,
)
from trainability.initializers import KaimingNormal, SmallNormal, XavierNormal
from trainability.normalizations import NoNormalization

CLASSES = 10
MEASURED = (
    "preactivation_std",
    "activation_mean",
    "activation_std",
    "gradient_norm",
    "saturated_fraction",
    "dead_fraction",
)


@ANALYSES.register
class Signal(Analysis):
    """Each layer's signals and gradients on one batch of N(0, 1) inputs, with as many inputs as units.

    A row per seed and layer, in float64, where no square of a fading signal is 0 yet. Columns are those of a cell's
    `layers.parquet`, gradients those of the mean cross-entropy over ten balanced classes. `weight_gradient_std` is the
    standard deviation over a layer's weights; `gradient_ratio`, equal in all layers of a network, is the first layer's
    `gradient_norm` over the last one's.
    """

    reference = "Glorot & Bengio 2010, section 4; He et al. 2015, section 2.2, arXiv 1502.01852"

    name: Literal["signal"] = "signal"
    activations: Activations = (Sigmoid(), Tanh(), Relu())
    inits: Initializers = (SmallNormal(), XavierNormal(), KaimingNormal())
    normalizations: Normalizations = (NoNormalization(),)
    depths: Depths = (10, 30)
    width: Width = 200
    examples: int = Field(default=200, ge=CLASSES)
    seeds: Count = 3

    @model_validator(mode="after")
    def _divisible(self) -> Signal:
        for normalization in self.normalizations:
            if self.width % normalization.divisor:
                problem = f"normalization {normalization.label} needs a multiple of {normalization.divisor}"
                raise PydanticCustomError("width", "width {w}: {problem}", {"w": self.width, "problem": problem})
        return self

    def rows(self) -> list[Row]:
        factors = itertools.product(self.activations, self.inits, self.normalizations, self.depths)
        return [row for one in factors for row in self._layers(*one)]

    def _layers(self, activation: Any, init: Any, normalization: Any, depth: int) -> Iterator[Row]:
        cell = {"activation": activation, "init": init, "normalization": normalization, "depth": depth}
        columns = self._measure(cell)
        ratio = columns["gradient_norm"][0] / columns["gradient_norm"][-1]
        labels = {key: getattr(value, "label", value) for key, value in cell.items()}
        for seed in range(self.seeds):
            for layer in range(depth):
                figures = {name: values[layer, seed].item() for name, values in columns.items()}
                yield {**labels, "seed": seed, "layer": layer + 1, **figures, "gradient_ratio": ratio[seed].item()}

    def _measure(self, cell: dict[str, Any]) -> dict[str, Any]:
        """The columns as [layers, seeds]."""
        import torch

        from trainability.analyses import networks
        from trainability.health import Monitor
        from trainability.network import targets

        draws = seeding.generator(0, "signal", self.examples, self.width).standard_normal((self.examples, self.width))
        x = torch.from_numpy(draws)
        wanted = targets(torch.arange(self.examples) % CLASSES, CLASSES, x.dtype)
        network = networks.stack(x, CLASSES, range(self.seeds), **cell, width=self.width)
        monitor = Monitor(network, x, x, wanted)
        columns, _ = monitor.measure()
        gradients = dict(zip(map(id, network.parameters), monitor.buffers, strict=True))
        deviations = [gradients[id(layer.linear.weight)].flatten(1).std(1, correction=0) for layer in network.hidden]
        return {name: columns[name] for name in MEASURED} | {"weight_gradient_std": torch.stack(deviations)}
