"""The stacked network: R runs of one architecture as one batched tensor program.

Shapes: R runs, B examples, F features or units. Weights are [R, fan_in, fan_out], activations [R, B, F], and
everything that belongs to a unit [R, 1, F]. Each layer is one batched product; no operation mixes runs, so a run
does not depend on what shares its stack. The backward pass is written out: it costs less than autograd, can
accumulate straight into the optimiser's buffers, and leaves the gradients that `health` measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from trainability import seeding
from trainability.activations import Activation
from trainability.cell import Cell
from trainability.normalizations import Normalization

COLUMNS = 16  # floats that the kernels of matrix products handle at once


class Mode(Enum):
    """What a forward pass is for."""

    TRAIN = "train"  # batch statistics, running statistics updated, units dropped
    PROBE = "probe"  # batch statistics as in training, but nothing changes and nothing is random
    EVALUATE = "evaluate"  # running statistics


class Linear:
    """z = x W + b in every run; x [R, B, fan_in], W [R, fan_in, fan_out], b [R, 1, fan_out] or none."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight, self.bias = weight, bias
        self.x = weight.new_empty(0)

    @property
    def parameters(self) -> list[Tensor]:
        return [self.weight] if self.bias is None else [self.weight, self.bias]

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return torch.bmm(x, self.weight) if self.bias is None else torch.baddbmm(self.bias, x, self.weight)

    def backward(self, dz: Tensor, buffers: Sequence[Tensor], carry: float) -> None:
        """Accumulate the gradients of `parameters` into `buffers`: buffer = carry * buffer + gradient."""
        buffers[0].baddbmm_(self.x.transpose(1, 2), dz, beta=carry)
        if self.bias is not None:
            _accumulate(buffers[1], dz.sum(1, keepdim=True), carry)

    def backward_input(self, dz: Tensor) -> Tensor:
        """Gradient by x."""
        return torch.bmm(dz, self.weight.transpose(1, 2))


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
        return torch.bmm(dz, self.weight[..., : self.classes].transpose(1, 2))


class BatchNorm:
    """Batch normalization of [R, B, F], each run and unit by itself (Ioffe & Szegedy 2015, algorithm 1).

    y = gamma x_hat + beta, x_hat = (x - mean) / sqrt(var + eps), var the biased batch variance; running estimates
    take the unbiased one, as torch.nn.BatchNorm1d does.
    """

    def __init__(self, spec: Normalization, runs: int, units: int, like: Tensor) -> None:
        self.eps: float = spec.eps  # type: ignore[attr-defined]
        self.momentum: float = spec.momentum  # type: ignore[attr-defined]
        self.affine = spec.affine
        self.gamma, self.beta = like.new_ones(runs, 1, units), like.new_zeros(runs, 1, units)
        self.mean, self.variance = like.new_zeros(runs, 1, units), like.new_ones(runs, 1, units)
        self.normal = self.inverse = like.new_empty(0)

    @property
    def parameters(self) -> list[Tensor]:
        return [self.gamma, self.beta] if self.affine else []

    def forward(self, x: Tensor, mode: Mode) -> Tensor:
        if mode is Mode.EVALUATE:
            scale = self.gamma * (self.variance + self.eps).rsqrt()
            return torch.addcmul(self.beta - self.mean * scale, x, scale)
        mean = x.mean(1, keepdim=True)
        centred = x - mean
        variance = (centred * centred).mean(1, keepdim=True)
        if mode is Mode.TRAIN:
            examples = x.shape[1]
            self.mean.lerp_(mean, self.momentum)
            self.variance.lerp_(variance * (examples / (examples - 1)), self.momentum)
        self.inverse = (variance + self.eps).rsqrt_()
        self.normal = centred.mul_(self.inverse)
        return torch.addcmul(self.beta, self.normal, self.gamma) if self.affine else self.normal

    def backward(self, dy: Tensor, buffers: Sequence[Tensor], carry: float) -> Tensor:
        """Accumulate the gradients by gamma and beta, return the one by x."""
        by_beta = dy.sum(1, keepdim=True)
        by_gamma = (dy * self.normal).sum(1, keepdim=True)
        if self.affine:
            _accumulate(buffers[0], by_gamma, carry)
            _accumulate(buffers[1], by_beta, carry)
        examples = dy.shape[1]
        dx = torch.addcmul(dy, self.normal, by_gamma, value=-1.0 / examples)
        return dx.sub_(by_beta / examples).mul_(self.inverse * self.gamma)


class Dropout:
    """Inverted dropout: each run's units are dropped by its seed's own generator (Srivastava et al. 2014)."""

    def __init__(self, rate: float, generators: Sequence[torch.Generator], of_seed: Tensor) -> None:
        self.keep = 1.0 - rate
        self.generators, self.of_seed = generators, of_seed
        self.mask: Tensor | None = None

    def forward(self, x: Tensor, mode: Mode) -> Tensor:
        if mode is not Mode.TRAIN:
            self.mask = None
            return x
        draws = torch.stack([torch.rand(x.shape[1:], generator=g, dtype=x.dtype) for g in self.generators])
        self.mask = (draws < self.keep).to(x).div_(self.keep)[self.of_seed]
        return x * self.mask

    def backward(self, dy: Tensor) -> Tensor:
        return dy if self.mask is None else dy * self.mask


class Hidden:
    """One hidden layer: linear map, [normalization,] activation, [normalization,] [dropout].

    After a forward pass `linear.x`, `z` and `a` hold the layer's input, the activation's input and its output;
    after a backward pass `dz` holds the gradient by z.
    """

    def __init__(
        self,
        linear: Linear,
        activation: Activation,
        learned: Sequence[Tensor],
        before: BatchNorm | None,
        after: BatchNorm | None,
        dropout: Dropout | None,
    ) -> None:
        self.linear, self.activation, self.learned = linear, activation, list(learned)
        self.before, self.after, self.dropout = before, after, dropout
        self.z = self.a = self.dz = linear.weight.new_empty(0)

    @property
    def parameters(self) -> list[Tensor]:
        norms = [norm for norm in (self.before, self.after) if norm is not None]
        return [*self.linear.parameters, *self.learned, *(p for norm in norms for p in norm.parameters)]

    def forward(self, x: Tensor, mode: Mode) -> Tensor:
        z = self.linear.forward(x)
        self.z = self.before.forward(z, mode) if self.before else z
        self.a = self.activation.value(self.z, *self.learned)
        y = self.after.forward(self.a, mode) if self.after else self.a
        return self.dropout.forward(y, mode) if self.dropout else y

    def forget(self) -> None:
        """Let go of what the last forward pass left for a backward pass."""
        self.linear.x = self.z = self.a = self.linear.weight.new_empty(0)

    def backward(self, dy: Tensor, buffers: Sequence[Tensor], carry: float) -> Tensor:
        """Accumulate all parameters' gradients into `buffers`; return the gradient by the linear map's output."""
        own = len(self.linear.parameters)
        learned_end = own + len(self.learned)
        if self.dropout:
            dy = self.dropout.backward(dy)
        if self.after:
            dy = self.after.backward(dy, buffers[learned_end:], carry)
        slopes = self.activation.learned_gradients(dy, self.z)
        for buffer, gradient in zip(buffers[own:learned_end], slopes, strict=True):
            _accumulate(buffer, gradient, carry)
        dz = self.dz = self.activation.backward(dy, self.z, self.a, *self.learned)
        if self.before:
            dz = self.before.backward(dz, buffers[learned_end:], carry)
        self.linear.backward(dz, buffers[:own], carry)
        return dz


class Network:
    """A stack of fully connected classifiers, one per (seed, learning rate) of `runs`."""

    def __init__(
        self,
        cell: Cell,
        features: int,
        classes: int,
        runs: Sequence[tuple[int, float]] | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        runs = cell.runs if runs is None else list(runs)
        seeds = list(dict.fromkeys(seed for seed, _ in runs))
        self.of_seed = torch.tensor([seeds.index(seed) for seed, _ in runs], device=device)
        self.width = units(cell, features, classes)
        widths = [features, *[self.width] * cell.depth]
        spec = cell.normalization
        self.hidden: list[Hidden] = []
        for layer, fan_in in enumerate(widths[:-1], start=1):
            weight, bias = _draw(cell, layer, fan_in, self.width, cell.activation.pieces, seeds, self.of_seed, dtype)
            # A normalization next would subtract the bias again.
            linear = Linear(weight, None if spec.position == "before" else bias)
            like, pieces = linear.weight, cell.activation.pieces
            normed = self.width * (pieces if spec.position == "before" else 1)
            norm = BatchNorm(spec, len(runs), normed, like) if spec.position != "absent" else None
            generators = [_torch_generator(seed, "dropout", layer) for seed in seeds]
            self.hidden.append(
                Hidden(
                    linear,
                    cell.activation,
                    [like.new_full((len(runs), 1, 1), start) for start in cell.activation.learned.values()],
                    before=norm if spec.position == "before" else None,
                    after=norm if spec.position == "after" else None,
                    dropout=Dropout(cell.dropout, generators, self.of_seed) if cell.dropout else None,
                )
            )
        self.output = Output(*_draw(cell, cell.depth + 1, widths[-1], classes, 1, seeds, self.of_seed, dtype))

    @property
    def parameters(self) -> list[Tensor]:
        """All parameter tensors [R, ., .], layer by layer from the input; of each layer the weights first."""
        return [*(p for layer in self.hidden for p in layer.parameters), *self.output.parameters]

    @property
    def decayed(self) -> list[bool]:
        """Which of `parameters` receive weight decay: the weights of the linear maps."""
        flags = [index == 0 for layer in self.hidden for index in range(len(layer.parameters))]
        return [*flags, True, False]

    def forward(self, x: Tensor, mode: Mode) -> Tensor:
        """Logits [R, B, classes] of inputs [R, B, features]."""
        for layer in self.hidden:
            x = layer.forward(x, mode)
        return self.output.forward(x)

    def backward(self, dlogits: Tensor, buffers: Sequence[Tensor], carry: float) -> None:
        """Accumulate the gradients of all parameters into `buffers`, shaped and ordered as `parameters`."""
        end = len(buffers)
        self.output.backward(dlogits, buffers[end - 2 :], carry)
        dz: Tensor = dlogits
        above: Linear = self.output
        end -= 2
        for layer in reversed(self.hidden):
            start = end - len(layer.parameters)
            dz = layer.backward(above.backward_input(dz), buffers[start:end], carry)
            above, end = layer.linear, start


def loss_gradient(logits: Tensor, one_hot: Tensor) -> Tensor:
    """Gradient by the logits [R, B, K] of each run's mean cross-entropy: (softmax - one_hot) / B."""
    # torch's own softmax takes five times as long over rows of ten.
    powers = (logits - logits.amax(-1, keepdim=True)).exp_()
    return powers.div_(powers.sum(-1, keepdim=True)).sub_(one_hot).div_(logits.shape[1])


def parameter_count(cell: Cell, features: int, classes: int, width: int, pieces: int) -> int:
    """Learned numbers of one run of the cell, with layers of `width` units of `pieces` pieces."""
    spec = cell.normalization
    normed = width * (pieces if spec.position == "before" else 1)
    per_layer = len(cell.activation.learned) + (2 * normed if spec.affine else 0)
    biases = 0 if spec.position == "before" else cell.depth
    inputs = features + (cell.depth - 1) * width + biases
    return inputs * pieces * width + cell.depth * per_layer + (width + 1) * classes


def flops_per_example(cell: Cell, features: int, classes: int, width: int) -> int:
    """Floating-point operations of the matrix products for one example in one run, forward pass."""
    return 2 * ((features + (cell.depth - 1) * width) * cell.activation.pieces * width + width * classes)


def units(cell: Cell, features: int, classes: int) -> int:
    """Units a hidden layer: `width`, or the most that keep the parameters of a one-piece net of that width."""
    if cell.sizing == "width":
        return cell.width
    most = parameter_count(cell, features, classes, cell.width, 1)
    pieces = cell.activation.pieces
    fits = (w for w in range(cell.width, 0, -1) if parameter_count(cell, features, classes, w, pieces) <= most)
    return next(fits, 1)


def _draw(
    cell: Cell,
    layer: int,
    fan_in: int,
    fan_out: int,
    pieces: int,
    seeds: Sequence[int],
    of_seed: Tensor,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:
    """Initial weights and biases of one layer: each seed's draws, repeated for its learning rates."""
    draws = []
    for seed in seeds:
        noise = seeding.generator(seed, "weights", layer).standard_normal((fan_in, pieces * fan_out))
        draws.append(cell.init.draw(noise, fan_out, cell.activation.negative_slope))
    weight = torch.from_numpy(np.stack(draws)).to(of_seed.device, dtype)[of_seed]
    bias = weight.new_full((len(of_seed), 1, pieces * fan_out), cell.bias if layer <= cell.depth else 0.0)
    return weight, bias


def _torch_generator(seed: int, *purpose: str | int) -> torch.Generator:
    number = seeding.generator(seed, *purpose).integers(2**63)
    return torch.Generator().manual_seed(int(number))


def _accumulate(buffer: Tensor, gradient: Tensor, carry: float) -> None:
    """buffer = carry * buffer + gradient, where carry 0 forgets whatever the buffer held."""
    if carry:
        torch.add(gradient, buffer, alpha=carry, out=buffer)
    else:
        buffer.copy_(gradient)
