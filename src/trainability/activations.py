"""Activation functions: value, derivative, backward pass and the facts that other modules need of them.

Shapes: a layer of `width` units in a stack of R runs has pre-activations z [R, batch, pieces * width] and
activations a [R, batch, width]; only maxout has more than one piece a unit. Learned parameters of an activation
are tensors [R, 1, 1], one per layer and run.

`derivative` is the definition; `backward` is the same product in one pass where torch has a kernel for it. Tests
hold both against finite differences and autograd.

Some of torch's kernels (sigmoid, elu) compute the last few numbers of a tensor by another formula than the rest,
so that a run's bits would depend on its place in the stack. The values here are built from kernels that do not:
exp, expm1, tanh and plain arithmetic. The Snakefile reads this module, so torch is imported by the
few functions that need more than a tensor's own methods, when they first run.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from trainability.registry import Component, Registry

if TYPE_CHECKING:
    from torch import Tensor


class Activation(Component):
    """An elementwise non-linearity (or, for maxout, one over the pieces of a unit)."""

    @property
    def pieces(self) -> int:
        """Linear pieces a unit takes the maximum of: the layer's linear map has pieces * width outputs."""
        return 1

    @property
    def steepest(self) -> float:
        """Largest magnitude of the derivative; dead and saturated are judged relative to it."""
        return 1.0

    @property
    def negative_slope(self) -> float:
        """Slope below zero, for Kaiming's gain^2 = 2 / (1 + slope^2); 0 for everything but leaky units."""
        return 0.0

    @property
    def learned(self) -> dict[str, float]:
        """Learned parameters and their initial values; they receive no weight decay."""
        return {}

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        """Activations [R, batch, width] of pre-activations z [R, batch, pieces * width]."""
        raise NotImplementedError

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        """Derivative of a unit's activation by each of its pre-activations, shaped as z."""
        raise NotImplementedError

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        """Gradient by z, shaped as z, from the gradient by a = value(z), shaped as a."""
        return self.derivative(z, *learned).mul_(gradient)

    def learned_gradients(self, gradient: Tensor, z: Tensor) -> tuple[Tensor, ...]:
        """Gradients by the learned parameters, each [R, 1, 1], summed over batch and units."""
        return ()


ACTIVATIONS: Registry[Activation] = Registry("activation")


@ACTIVATIONS.register
class Sigmoid(Activation):
    """f(z) = 1 / (1 + exp(-z)), f' = f (1 - f), at most 1/4."""

    name: Literal["sigmoid"] = "sigmoid"

    @property
    def steepest(self) -> float:
        return 0.25

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.neg().exp_().add_(1.0).reciprocal_()

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        # sigma(z) sigma(-z) keeps its relative precision where 1 - sigma(z) rounds to zero.
        return self.value(z).mul_(self.value(z.neg()))

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.ops.aten.sigmoid_backward(gradient, a)


@ACTIVATIONS.register
class Tanh(Activation):
    """f(z) = tanh z, f' = 1 - f^2 (LeCun et al. 1998 recommend a scaled form of it)."""

    name: Literal["tanh"] = "tanh"

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.tanh()

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.tanh().square_().neg_().add_(1.0)

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.ops.aten.tanh_backward(gradient, a)


@ACTIVATIONS.register
class Relu(Activation):
    """f(z) = max(0, z), f' = 1 for z > 0, else 0, at 0 as well (Nair & Hinton 2010)."""

    name: Literal["relu"] = "relu"

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.clamp(min=0)

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return _step(z)

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.ops.aten.threshold_backward(gradient, a, 0)


@ACTIVATIONS.register
class LeakyRelu(Activation):
    """f(z) = z for z > 0, else slope z (Maas et al. 2013, slope 0.01)."""

    name: Literal["leaky_relu"] = "leaky_relu"
    slope: Annotated[float, Field(ge=0, lt=1)] = 0.01

    @property
    def negative_slope(self) -> float:
        return self.slope

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.nn.functional.leaky_relu(z, self.slope)

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return _step(z).mul_(1.0 - self.slope).add_(self.slope)

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.ops.aten.leaky_relu_backward(gradient, z, self.slope, False)


@ACTIVATIONS.register
class Prelu(Activation):
    """f(z) = z for z > 0, else slope z, with one learned slope a layer, at first 0.25 (He et al. 2015)."""

    name: Literal["prelu"] = "prelu"
    initial_slope: Annotated[float, Field(ge=0, lt=1)] = 0.25

    @property
    def negative_slope(self) -> float:
        return self.initial_slope

    @property
    def learned(self) -> dict[str, float]:
        return {"slope": self.initial_slope}

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        (slope,) = learned
        return z.clamp(max=0).mul_(slope).add_(z.clamp(min=0))

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        (slope,) = learned
        return _step(z).mul_(1.0 - slope).add_(slope)

    def learned_gradients(self, gradient: Tensor, z: Tensor) -> tuple[Tensor, ...]:
        return (z.clamp(max=0).mul_(gradient).sum((1, 2), keepdim=True),)


@ACTIVATIONS.register
class Elu(Activation):
    """f(z) = z for z > 0, else alpha (exp(z) - 1) (Clevert et al. 2015, equation 15)."""

    name: Literal["elu"] = "elu"
    alpha: Annotated[float, Field(gt=0)] = 1.0

    @property
    def steepest(self) -> float:
        return max(1.0, self.alpha)

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.clamp(max=0).expm1_().mul_(self.alpha).add_(z.clamp(min=0))

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        positive = _step(z)
        return z.clamp(max=0).exp_().mul_(self.alpha).mul_(1.0 - positive).add_(positive)

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.ops.aten.elu_backward(gradient, self.alpha, 1.0, 1.0, True, a)


@ACTIVATIONS.register
class Maxout(Activation):
    """f(z_1, ..., z_k) = max z_i over the k linear pieces of a unit (Goodfellow et al. 2013).

    The pieces lie side by side: piece i of all units is z[..., i * width : (i + 1) * width]. Of equal pieces the
    first wins and takes the gradient.
    """

    name: Literal["maxout"] = "maxout"
    k: Annotated[int, Field(ge=2, le=16)] = 2

    @property
    def pieces(self) -> int:
        return self.k

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return reduce(torch.maximum, z.chunk(self.k, -1))

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        a = self.value(z)
        return self.backward(a.new_ones(a.shape), z, a)

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        import torch

        *pieces, _ = z.chunk(self.k, -1)
        left, parts = gradient, []
        for piece in pieces:
            part = torch.sub(piece, a).sign_().add_(1.0).mul_(left)  # all that is left if the piece wins, else 0
            left = left - part
            parts.append(part)
        return torch.cat([*parts, left], -1)


def _step(z: Tensor) -> Tensor:
    """1 where z > 0, else 0. Arithmetic on floats is several times faster here than a comparison and a cast."""
    return z.sign().clamp_(min=0)
