"""The linear maps of a stack: fully connected ones, convolutions, and the output layer.

Shapes: R runs, B examples, P positions of an example (1 in a fully connected layer), F features or units. Rows are
examples x positions: inputs are [R, B P, F]. A convolution is the same product over patches of its input, so that it
shares everything with the fully connected layer: what a run computes does not depend on its stack, and a unit (channel)
has one column of weights [R, fan_in, units], fan_in = kernel x kernel x channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from trainability.blueprint import LayerPlan
from trainability.normalizers import WeightStandardizer
from trainability.passes import accumulate

COLUMNS = 16  # floats that the kernels of matrix products handle at once
PATCHES = 2**16  # numbers of one run's patches that are in work at a time; the same for every stack, so bits are too


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

    def inputs(self) -> Iterator[Tensor]:
        """What the units saw in the last forward pass, [R, rows, fan_in] piece by piece."""
        yield self.x

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
    """The last linear map, with spare columns of zeros: products with 16 columns take a third of the time of 10.

    Nothing reads the spare columns and their gradient is zero, so they stay as they are.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        self.classes = weight.shape[-1]
        self.spare = -self.classes % COLUMNS
        super().__init__(pad(weight, (0, self.spare)), pad(bias, (0, self.spare)))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[..., : self.classes]

    def backward(self, dz: Tensor, buffers: Sequence[Tensor], carry: float) -> None:
        super().backward(pad(dz, (0, self.spare)), buffers, carry)

    def backward_input(self, dz: Tensor) -> Tensor:
        return torch.bmm(dz, self.used[..., : self.classes].transpose(1, 2))


class Convolution(Linear):
    """A convolution with stride 1 and zeros around the image: Linear over the patches around every position.

    Rows of W are ordered as (row of the window, its column, channel). Patches are made for a few examples at a time,
    so that they stay in the cache, and made again for the backward pass instead of being kept. The gradient by the
    input is a convolution too, of dz with the windows turned around.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None, plan: LayerPlan, standardizer: WeightStandardizer | None = None
    ) -> None:
        super().__init__(weight, bias, standardizer)
        self.plan = plan

    def product(self, x: Tensor) -> Tensor:
        weight, bias = self.used, self.bias
        parts = [
            torch.bmm(patches, weight) if bias is None else torch.baddbmm(bias, patches, weight)
            for patches in self._patches(x)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

    def by_weight(self, dz: Tensor, buffer: Tensor, carry: float) -> None:
        start = 0
        for patches in self._patches(self.x):
            rows = patches.shape[1]
            buffer.baddbmm_(patches.transpose(1, 2), dz[:, start : start + rows], beta=carry)
            start, carry = start + rows, 1.0

    def backward_input(self, dz: Tensor) -> Tensor:
        kernel, channels = self.plan.kernel, self.plan.sees.channels
        windows = self.used.view(len(self.used), kernel, kernel, channels, -1)
        turned = windows.flip(1, 2).transpose(3, 4).reshape(len(self.used), -1, channels)
        parts = [torch.bmm(patches, turned) for patches in self._patches(dz)]
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

    def inputs(self) -> Iterator[Tensor]:
        return self._patches(self.x)

    def _patches(self, x: Tensor) -> Iterator[Tensor]:
        """Windows of x [R, B P, C] around every position, [R, b P, kernel kernel C] for b examples at a time."""
        sees, kernel = self.plan.sees, self.plan.kernel
        runs, rows, channels = x.shape
        images = x.reshape(runs, rows // sees.positions, sees.height, sees.width, channels)
        together = max(1, PATCHES // (sees.positions * kernel * kernel * channels))
        margin = kernel // 2
        for some in images.split(together, 1):
            padded = pad(some, (0, 0, margin, margin, margin, margin)) if margin else some.contiguous()
            by_run, by_example, by_row, by_column, _ = padded.stride()
            examples = some.shape[1]
            # The numbers of a window's row lie side by side.
            shape = (runs, examples, sees.height, sees.width, kernel, kernel * channels)
            windows = padded.as_strided(shape, (by_run, by_example, by_row, by_column, by_row, 1))
            yield windows.reshape(runs, examples * sees.positions, kernel * kernel * channels)
