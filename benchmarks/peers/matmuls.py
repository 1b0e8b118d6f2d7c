"""The matrix products or convolutions of a training step and nothing else: the limit on this core.

Products are batched over runs, into buffers that are there. The output layer has its columns filled up to 16, as that
is faster than the 10 it needs. Convolutions go run by run, through torch's own kernels with channels last, which are
faster than those with channels first; unlike products they cannot write into a buffer.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from benchmarks.networks import Layer
from benchmarks.protocol import Job, steady_seconds

COLUMNS = 16


class Products:
    """Those of a fully connected layer: from x to y, and from the gradient by y to those by the weights and by x."""

    def __init__(self, x: Tensor, dx: Tensor, y: Tensor, dy: Tensor) -> None:
        self.x, self.dx, self.y, self.dy = x, dx, y, dy
        self.weight = torch.randn(len(x), x.shape[-1], y.shape[-1])
        self.gradient = torch.zeros_like(self.weight)

    def forward(self) -> None:
        torch.bmm(self.x, self.weight, out=self.y)

    def by_weight(self) -> None:
        torch.bmm(self.x.mT, self.dy, out=self.gradient)

    def by_input(self) -> None:
        torch.bmm(self.dy, self.weight.mT, out=self.dx)


class Convolutions:
    """Those of a convolutional layer."""

    def __init__(self, layer: Layer, runs: int, batch: int) -> None:
        def draw(*shape: int) -> list[Tensor]:
            return [torch.randn(shape).contiguous(memory_format=torch.channels_last) for _ in range(runs)]

        self.x = draw(batch, layer.inputs, layer.size, layer.size)
        self.dy = draw(batch, layer.units, layer.size, layer.size)
        self.weight = draw(layer.units, layer.inputs, layer.kernel, layer.kernel)
        self.margin = layer.kernel // 2

    def forward(self) -> None:
        for x, weight in zip(self.x, self.weight, strict=True):
            conv2d(x, weight, padding=self.margin)

    def by_weight(self) -> None:
        self._backward([False, True, False])

    def by_input(self) -> None:
        self._backward([True, False, False])

    def _backward(self, asked: list[bool]) -> None:
        place = [self.margin, self.margin]
        for dy, x, weight in zip(self.dy, self.x, self.weight, strict=True):
            torch.ops.aten.convolution_backward(dy, x, weight, None, [1, 1], place, [1, 1], False, [0, 0], 1, asked)


def steady(job: Job) -> float:
    """Forward, by the weights, and by the input of all layers but the first."""
    network, runs, batch = job.network, len(job.runs), job.workload.batch_size
    # What the output layer and the fully connected ones before it go through; each reads what the last one wrote.
    dense = [layer for layer in network.layers if layer.kernel == 1]
    widths = [*(layer.inputs for layer in dense), network.head, COLUMNS * math.ceil(network.classes / COLUMNS)]
    values, errors = ([torch.randn(runs, batch, width) for width in widths] for _ in range(2))
    maps: list[Products | Convolutions] = [
        Convolutions(layer, runs, batch) for layer in network.layers if layer.kernel > 1
    ]
    maps += [Products(*pair) for pair in zip(values, errors, values[1:], errors[1:], strict=False)]

    def step() -> None:
        for one in maps:
            one.forward()
        for one in reversed(maps):
            one.by_weight()
            if one is not maps[0]:
                one.by_input()

    # Without the other operations the numbers must not grow from step to step: values and errors are overwritten
    # from the same input and output every time.
    with torch.inference_mode():
        return steady_seconds(step, job.steps_per_epoch * job.workload.epochs)
