"""One run of a stack as torch.nn modules with the same weights: what every network is compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainability.cell import Cell
from trainability.network import Hidden, Network


class Maxout(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return z.unflatten(-1, (2, -1)).amax(-2)


class Snake(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return z + z.sin() ** 2


class Crelu(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return torch.cat([z.relu(), (-z).relu()], -1)


class Rrelu(nn.Module):
    """torch.nn.RReLU with given slopes in training, as it draws its own."""

    slopes: Tensor

    def forward(self, z: Tensor) -> Tensor:
        return torch.where(z > 0, z, self.slopes.view_as(z) * z) if self.training else nn.RReLU().eval()(z)


MODULES: dict[str, Callable[[], nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "prelu": nn.PReLU,
    "elu": nn.ELU,
    "maxout": Maxout,
    "identity": nn.Identity,
    "softsign": nn.Softsign,
    "hardtanh": nn.Hardtanh,
    "hardsigmoid": nn.Hardsigmoid,
    "relu6": nn.ReLU6,
    "shifted_relu": lambda: nn.Threshold(-1.0, -1.0),
    "threshold": lambda: nn.Threshold(1.0, 0.0),
    "softplus": lambda: nn.Softplus(threshold=100.0),
    "selu": nn.SELU,
    "celu": nn.CELU,
    "silu": nn.SiLU,
    "hardswish": nn.Hardswish,
    "gelu": nn.GELU,
    "mish": nn.Mish,
    "snake": Snake,
    "glu": nn.GLU,
    "crelu": Crelu,
    "rrelu": Rrelu,
}


class PixelRms(nn.Module):
    """torch.nn.RMSNorm over channels and pixels, with a weight per channel."""

    def __init__(self, units: int, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(units)), eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[1:], eps=self.eps) * self.weight.view(-1, 1, 1)


class StandardizedLinear(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, _standardized(self.weight), self.bias)


class StandardizedConv2d(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, _standardized(self.weight), self.bias, padding=self.padding)


def _standardized(weight: Tensor) -> Tensor:
    variance, mean = torch.var_mean(weight.flatten(1), 1, correction=0)
    shape = (-1, *[1] * (weight.ndim - 1))
    spread = ((variance + 1e-5) * weight[0].numel()).sqrt()
    return (weight - mean.view(shape)) / spread.view(shape)


def _norm(cell: Cell, units: int, image: bool) -> nn.Module:
    spec: Any = cell.normalization
    if spec.of_batch:
        kind = nn.BatchNorm2d if image else nn.BatchNorm1d
        return kind(units, eps=spec.eps, momentum=spec.momentum, affine=bool(spec.learned))
    if spec.name == "rmsnorm":
        return PixelRms(units, spec.eps) if image else nn.RMSNorm(units, eps=spec.eps)
    if spec.name == "layernorm" and not image:
        return nn.LayerNorm(units, eps=spec.eps)
    return nn.GroupNorm(getattr(spec, "groups", 1), units, eps=spec.eps)


class Layer(nn.Module):
    """A hidden layer; images are [B, C, H, W] here, activations work on the last axis."""

    def __init__(self, cell: Cell, hidden: Hidden, run: int, image: bool) -> None:
        super().__init__()
        self.hidden, self.run, self.image = hidden, run, image
        plan = getattr(hidden.linear, "plan", None)
        kernel, channels = (plan.kernel, plan.sees.channels) if plan else (1, hidden.linear.weight.shape[1])
        self.linear = _map(cell, hidden.linear.weight[run], kernel, channels, image, hidden.linear.bias is not None)
        with torch.no_grad():
            self.linear.weight.copy_(self.shaped(hidden.linear.weight[run]))
            if hidden.linear.bias is not None:
                self.linear.bias.copy_(hidden.linear.bias[run, 0])
        self.act = MODULES[cell.activation.name]()
        self.position = cell.normalization.position
        norm = hidden.before or hidden.after
        self.norm = _norm(cell, norm.gamma.shape[-1], image) if norm else nn.Identity()
        self.pool = (
            None
            if hidden.pool is None
            else {"MaxPool": nn.MaxPool2d, "MeanPool": nn.AvgPool2d}[type(hidden.pool).__name__](2)
        )

    def shaped(self, weight: Tensor) -> Tensor:
        """Our weights [kernel kernel C, units], or a gradient by them, as torch has them."""
        if not self.image:
            return weight.T
        _, channels, kernel, _ = self.linear.weight.shape
        return weight.T.unflatten(1, (kernel, kernel, channels)).permute(0, 3, 1, 2)

    def activate(self, z: Tensor) -> Tensor:
        if isinstance(self.act, Rrelu) and self.training:
            self.act.slopes = self.hidden.arguments[-1][self.run]
        return self.act(z.movedim(1, -1)).movedim(-1, 1)

    def forward(self, x: Tensor, r: Tensor | None) -> tuple[Tensor, Tensor | None]:
        z = self.linear(x)
        if self.hidden.shortcut:
            assert r is not None
            if r.shape[2:] != z.shape[2:]:
                r = F.avg_pool2d(r, 2)
            pieces = self.hidden.activation.pieces
            missing = (z.shape[1] - r.shape[1]) // pieces
            parts = [torch.cat([p, p.new_zeros(len(p), missing, *p.shape[2:])], 1) for p in r.chunk(pieces, 1)]
            z = z + torch.cat(parts, 1)
        if self.hidden.taps:
            r = z
        y = self.activate(self.norm(z)) if self.position == "before" else self.norm(self.activate(z))
        return (self.pool(y) if self.pool else y), r


def _map(cell: Cell, weight: Tensor, kernel: int, channels: int, image: bool, bias: bool) -> nn.Module:
    standardized = cell.normalization.position == "weights"
    if image:
        kind = StandardizedConv2d if standardized else nn.Conv2d
        return kind(channels, weight.shape[1], kernel, padding=kernel // 2, bias=bias)
    return (StandardizedLinear if standardized else nn.Linear)(*weight.shape, bias=bias)


class Reference(nn.Module):
    """A run of a network; takes [B, features] as the stack does."""

    def __init__(self, network: Network, cell: Cell, run: int) -> None:
        super().__init__()
        self.sees = network.plan.layers[0].sees
        self.image = cell.architecture.needs_image
        self.mean_head = network.plan.mean_head
        self.layers = nn.ModuleList(Layer(cell, hidden, run, self.image) for hidden in network.hidden)
        classes = slice(0, network.output.classes)
        self.output = nn.Linear(network.output.weight.shape[1], network.output.classes)
        self.to(network.output.weight.dtype)
        with torch.no_grad():  # again, in full precision
            for layer, hidden in zip(self.layers, network.hidden, strict=True):
                layer.linear.weight.copy_(layer.shaped(hidden.linear.weight[run]))
                if hidden.linear.bias is not None:
                    layer.linear.bias.copy_(hidden.linear.bias[run, 0])
            self.output.weight.copy_(network.output.weight[run][:, classes].T)
            self.output.bias.copy_(network.output.bias[run, 0, classes])

    def forward(self, x: Tensor) -> Tensor:
        if self.image:
            x = x.view(len(x), self.sees.height, self.sees.width, -1).movedim(-1, 1)
        r = None
        for layer in self.layers:
            x, r = layer(x, r)
        if self.image:
            x = x.mean((2, 3)) if self.mean_head else x.movedim(1, -1)
        return self.output(x.flatten(1))

    def linear_weights(self) -> list[Tensor]:
        return [*(layer.linear.weight for layer in self.layers), self.output.weight]

    def ordered(self, of: Callable[[Tensor], Tensor]) -> list[Tensor]:
        """Something of every parameter, shaped and ordered as the stack has them."""
        found = []
        for layer in self.layers:
            weight = of(layer.linear.weight)
            found.append(weight.permute(0, 2, 3, 1).flatten(1).T if self.image else weight.T)
            rest = [layer.linear.bias, *layer.act.parameters(), *layer.norm.parameters()]
            found += [of(parameter) for parameter in rest if parameter is not None]
        return [*found, of(self.output.weight).T, of(self.output.bias)]
