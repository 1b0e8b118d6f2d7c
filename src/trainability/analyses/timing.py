"""What an activation costs beside ReLU, forward and backward."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trainability import seeding
from trainability.activations import Elu, Gelu, LeakyRelu, Maxout, Prelu, Relu, Sigmoid, Silu, Softplus, Tanh
from trainability.analyses.base import ANALYSES, Activations, Analysis, Count, Counts, Row

ALL = (Relu(), LeakyRelu(), Prelu(), Sigmoid(), Tanh(), Elu(), Gelu(), Silu(), Softplus(), Maxout())


@ANALYSES.register
class Timing(Analysis):
    """Seconds of one call, and their ratio to ReLU's in the same round.

    What is timed are a layer's activations [run, batch, units] without the linear map, in stacks of each of `runs`, by
    our implementation and by torch.nn.functional with autograd. See `stopwatch.compare`. ReLU is measured whether
    `activations` names it or not.
    """

    reference = 'Stanford CS231n 2016, lecture 5, on activation functions: "exp() is a bit compute expensive"'

    name: Literal["timing"] = "timing"
    activations: Activations = ALL
    batch: Count = 128
    units: Count = 256
    runs: Counts = (1, 20)
    rounds: Count = Field(default=30, le=10_000)

    @property
    def exclusive(self) -> bool:
        return True

    def rows(self) -> list[Row]:
        import torch

        from trainability.analyses import kernels, stopwatch

        with torch.inference_mode(False):  # autograd takes no tensors that were made without it
            programs = [
                program
                for runs in self.runs
                for activation in dict.fromkeys([Relu(), *self.activations])
                for program in kernels.activation(activation, runs, self.batch, self.units)
            ]
            rng = seeding.generator(0, "timing order")
            return stopwatch.compare(programs, {"activation": "relu"}, self.rounds, rng)
