"""The linear maps of a stack: fully connected ones, convolutions, and the output layer.

Shapes: R runs, B examples, P positions of an example (1 in a fully connected layer), F features or units. Rows are
examples x positions: inputs are [R, B P, F]. A convolution is the same map over windows of its input, so that it shares
everything with the fully connected layer: a unit (channel) has one column of weights [R, fan_in, units], with fan_in =
kernel x kernel x channels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, pad

from trainability.blueprint import LayerPlan
from trainability.normalizers import WeightStandardizer
from trainability.passes import accumulate, images, joined

COLUMNS = 16  # floats that the kernels of matrix products and of the softmax handle at once


def columns(classes: int) -> int:
    """Columns of the output layer: one a class, and spare ones."""
    return classes + -classes % COLUMNS


class Linear:
    """z = x W + b in every run; x [R, B, fan_in], W [R, fan_in, fan_out], b [R, 1, fan_out] or none.

    With a `standardizer` the product takes what that makes of W, and W is what is trained.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, standardizer: WeightStandardizer | None = None) -> None:
        self.weight, self.bias, self.standardizer = weight, bias, standardizer
        self.x = self.used = weight.new_empty(0)
        self.scratch = torch.empty_like(weight) if standardizer else None

    @property
    def parameters(self) -> list[Tensor]:
        return [self.weight] if self.bias is None else [self.weight, self.bias]

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        self.used = self.standardizer.forward(self.weight) if self.standardizer else self.weight
        return self.product(x)

    def backward(self, dz: Tensor, buffers: Sequence[Tensor], carry: float) -> None:
        """Accumulate the gradients of `parameters` into `buffers`: buffer = carry * buffer + gradient."""
        if self.standardizer:
            assert self.scratch is not None
            self.by_weight(dz, self.scratch, 0.0)
            accumulate(buffers[0], self.standardizer.backward(self.scratch), carry)
        else:
            self.by_weight(dz, buffers[0], carry)
        if self.bias is not None:
            accumulate(buffers[1], dz.sum(1, keepdim=True), carry)

    def forget(self) -> None:
        """Let go of what the last forward pass left for a backward pass."""
        self.x = self.used = self.weight.new_empty(0)

    def signs(self) -> tuple[Tensor, Tensor]:
        """Of all a unit saw in a row of the last forward pass: positive less negative numbers, and both, [R, rows]."""
        signs = self.x.sign()
        return signs.sum(-1), signs.abs_().sum(-1)

    def product(self, x: Tensor) -> Tensor:
        """x times the used weights, plus the bias."""
        return torch.bmm(x, self.used) if self.bias is None else torch.baddbmm(self.bias, x, self.used)

    def by_weight(self, dz: Tensor, buffer: Tensor, carry: float) -> None:
        """Accumulate the gradient by the used weights."""
        buffer.baddbmm_(self.x.transpose(1, 2), dz, beta=carry)

    def backward_input(self, dz: Tensor) -> Tensor:
        """Gradient by x."""
        return torch.bmm(dz, self.used.transpose(1, 2))


class Output(Linear):
    """The last linear map, with spare columns up to a multiple of 16: classes with a probability of exactly 0.

    Products with 16 columns take a third of the time of 10, torch's softmax an eighth. The spare columns' weights are 0
    and their biases -inf, and since their gradients are 0 they stay so.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.classes = weight.shape[-1]
        spare = columns(self.classes) - self.classes
        super().__init__(pad(weight, (0, spare)), pad(bias, (0, spare), value=-math.inf))


class Convolution(Linear):
    """A convolution with stride 1 and zeros around the image: the map of Linear at every position of an image.

    Rows of W are ordered as (row of the window, its column, channel), so that both the activations and the weights of
    a run are what torch's convolutions take, seen from another side, without a copy. Runs go one after the other: a
    convolution is large enough for that, and a run then knows nothing of its stack.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None, plan: LayerPlan, standardizer: WeightStandardizer | None = None
    ) -> None:
        super().__init__(weight, bias, standardizer)
        self.plan = plan
        self.margin = plan.kernel // 2

    def product(self, x: Tensor) -> Tensor:
        biases = [None] * len(x) if self.bias is None else self.bias.flatten(1).unbind()
        runs = zip(self._images(x), self._windows(), biases, strict=True)
        return self._rows([conv2d(image, window, bias, padding=self.margin) for image, window, bias in runs])

    def by_weight(self, dz: Tensor, buffer: Tensor, carry: float) -> None:
        gradients = [
            self._backward(dy, image, window, by_input=False)[1].permute(2, 3, 1, 0).reshape(self.weight.shape[1:])
            for dy, image, window in zip(self._images(dz), self._images(self.x), self._windows(), strict=True)
        ]
        accumulate(buffer, joined(gradients), carry)

    def backward_input(self, dz: Tensor) -> Tensor:
        runs = zip(self._images(dz), self._images(self.x), self._windows(), strict=True)
        return self._rows([self._backward(dy, image, window, by_input=True)[0] for dy, image, window in runs])

    def signs(self) -> tuple[Tensor, Tensor]:
        # A window's sum is that of its positions' sums over channels, which spares taking all windows apart.
        sees = self.plan.sees
        shape = -1, 1, sees.height, sees.width
        sums = (
            avg_pool2d(of_positions.reshape(shape), self.plan.kernel, 1, self.margin, divisor_override=1)
            for of_positions in super().signs()
        )
        balance, total = (windows.view(len(self.x), -1) for windows in sums)
        return balance, total

    def _backward(self, dy: Tensor, image: Tensor, window: Tensor, by_input: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients by a run's input and by its weights, of which one is asked for."""
        place = [self.margin, self.margin]
        mask = [by_input, not by_input, False]
        return torch.ops.aten.convolution_backward(
            dy, image, window, None, [1, 1], place, [1, 1], False, [0, 0], 1, mask
        )

    def _images(self, x: Tensor) -> Iterator[Tensor]:
        """Each run's rows [B P, C] as images [B, C, height, width]."""
        return (images(run, self.plan.sees) for run in x)

    def _windows(self) -> Iterator[Tensor]:
        """Each run's used weights as [units, C, kernel, kernel]."""
        kernel = self.plan.kernel
        return (run.view(kernel, kernel, -1, run.shape[-1]).permute(3, 2, 0, 1) for run in self.used)

    def _rows(self, runs: list[Tensor]) -> Tensor:
        """Images [B, C, height, width] of all runs as rows [R, B P, C]."""
        return joined([run.permute(0, 2, 3, 1).flatten(0, 2) for run in runs])
