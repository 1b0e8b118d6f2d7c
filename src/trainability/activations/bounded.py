"""Activations that flatten on both sides: sigmoid, tanh and their cheaper forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from trainability.activations.base import ACTIVATIONS, Activation, within

if TYPE_CHECKING:
    from torch import Tensor


@ACTIVATIONS.register
class Sigmoid(Activation):
    """f(z) = 1 / (1 + exp(-z)), f' = f (1 - f), at most 1/4."""

    formula = r"f(z) = \frac{1}{1 + e^{-z}}"
    reference = 'Rumelhart, Hinton & Williams 1986, "Learning representations by back-propagating errors", equation 2'

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

    formula = r"f(z) = \tanh z"
    reference = 'LeCun et al. 1998, "Efficient BackProp", section 4.4'

    name: Literal["tanh"] = "tanh"

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.tanh()

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.tanh().square_().neg_().add_(1.0)

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.ops.aten.tanh_backward(gradient, a)


@ACTIVATIONS.register
class Softsign(Activation):
    """f(z) = z / (1 + |z|), f' = 1 / (1 + |z|)^2, whose tails are polynomial (Bergstra et al. 2009)."""

    formula = r"f(z) = \frac{z}{1 + \vert z \vert}"
    reference = 'Bergstra et al. 2009, "Quadratic polynomials learn better image features"'

    name: Literal["softsign"] = "softsign"

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z / z.abs().add_(1.0)

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.abs().add_(1.0).square_().reciprocal_()


@ACTIVATIONS.register
class Hardtanh(Activation):
    """f(z) = min(1, max(-1, z)), f' = 1 for |z| < 1, else 0 (Collobert 2004)."""

    formula = r"f(z) = \min(1, \max(-1, z))"
    reference = 'Collobert 2004, "Large scale machine learning", thesis, Université Paris VI'

    name: Literal["hardtanh"] = "hardtanh"

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.clamp(-1.0, 1.0)

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return within(z, 1.0)

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.ops.aten.hardtanh_backward(gradient, z, -1.0, 1.0)


@ACTIVATIONS.register
class Hardsigmoid(Activation):
    """f(z) = min(1, max(0, z / 6 + 1/2)), f' = 1/6 for |z| < 3, else 0 (Howard et al. 2019)."""

    formula = r"f(z) = \min\left(1, \max\left(0, \frac{z}{6} + \frac{1}{2}\right)\right)"
    reference = "Howard et al. 2019, section 5.2, arXiv 1905.02244"

    name: Literal["hardsigmoid"] = "hardsigmoid"

    @property
    def steepest(self) -> float:
        return 1.0 / 6.0

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.add(3.0).clamp_(0.0, 6.0).div_(6.0)

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return within(z, 3.0).div_(6.0)

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.ops.aten.hardsigmoid_backward(gradient, z)
