"""What a whole layer of an activation costs beside one of ReLU, its linear map included."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trainability import seeding
from trainability.activations import Maxout, Relu
from trainability.analyses.base import ANALYSES, Activations, Analysis, Count, Row, Width


@ANALYSES.register
class LayerCost(Analysis):
    """Parameters, floating-point operations and seconds of a fully connected layer of `units` units on as many inputs.

    The seconds are those of one run, and so is their ratio to a ReLU layer's in the same round; operations are those of
    the forward pass's matrix product for one example. ReLU is measured whether `activations` names it or not.
    """

    reference = "Goodfellow et al. 2013, arXiv 1302.4389: k linear maps a maxout unit"

    name: Literal["layer_cost"] = "layer_cost"
    activations: Activations = (Relu(), Maxout(), Maxout(k=3), Maxout(k=4))
    batch: Count = 128
    units: Width = 256
    rounds: Count = Field(default=30, le=10_000)

    @property
    def exclusive(self) -> bool:
        return True

    def rows(self) -> list[Row]:
        from trainability.analyses import kernels, stopwatch

        programs = [
            program
            for activation in dict.fromkeys([Relu(), *self.activations])
            for program in kernels.layer(activation, self.batch, self.units)
        ]
        return stopwatch.compare(
            programs, {"activation": "relu"}, self.rounds, seeding.generator(0, "layer cost order")
        )
