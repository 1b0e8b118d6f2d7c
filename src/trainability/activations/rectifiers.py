"""Activations that are linear above zero: the identity, ReLU and its relatives, the exponential units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from trainability.activations.base import ACTIVATIONS, Activation, step

if TYPE_CHECKING:
    from torch import Tensor

# Of Klambauer et al. 2017 (equation 14), as torch has them.
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


@ACTIVATIONS.register
class Identity(Activation):
    """f(z) = z, f' = 1: the linear baseline, whose layers together are one linear map."""

    formula = r"f(z) = z"
    reference = "Saxe, McClelland & Ganguli 2014, on deep linear networks, arXiv 1312.6120"

    name: Literal["identity"] = "identity"

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.clone()  # callers may change activations in place

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.new_ones(z.shape)


@ACTIVATIONS.register
class Relu(Activation):
    """f(z) = max(0, z), f' = 1 for z > 0, else 0, at 0 as well (Nair & Hinton 2010)."""

    formula = r"f(z) = \max(0, z)"
    reference = 'Nair & Hinton 2010, "Rectified linear units improve restricted Boltzmann machines"'

    name: Literal["relu"] = "relu"

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.clamp(min=0)

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return step(z)

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.ops.aten.threshold_backward(gradient, a, 0)


@ACTIVATIONS.register
class Relu6(Activation):
    """f(z) = min(6, max(0, z)), f' = 1 for 0 < z < 6, else 0 (Krizhevsky 2010)."""

    formula = r"f(z) = \min(6, \max(0, z))"
    reference = 'Krizhevsky 2010, "Convolutional deep belief networks on CIFAR-10"'

    name: Literal["relu6"] = "relu6"

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.clamp(0.0, 6.0)

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return step(z).mul_(step(6.0 - z))

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.ops.aten.hardtanh_backward(gradient, z, 0.0, 6.0)


@ACTIVATIONS.register
class ShiftedRelu(Activation):
    """f(z) = max(-shift, z), f' = 1 for z > -shift, else 0 (Clevert et al. 2015's SReLU, shift 1).

    `threshold` with -shift for both of its parameters is the same; with other pairs that one is not continuous.
    """

    formula = r"f(z) = \max(-\mathrm{shift}, z)"
    reference = "Clevert et al. 2015, arXiv 1511.07289"

    name: Literal["shifted_relu"] = "shifted_relu"
    shift: Annotated[float, Field(ge=0)] = 1.0

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.clamp(min=-self.shift)

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return step(z.add(self.shift))

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.ops.aten.threshold_backward(gradient, z, -self.shift)


@ACTIVATIONS.register
class LeakyRelu(Activation):
    """f(z) = z for z > 0, else slope z (Maas et al. 2013, slope 0.01)."""

    formula = r"f(z) = \max(0, z) + \mathrm{slope} \, \min(0, z)"
    reference = 'Maas, Hannun & Ng 2013, "Rectifier nonlinearities improve neural network acoustic models"'

    name: Literal["leaky_relu"] = "leaky_relu"
    slope: Annotated[float, Field(ge=0, lt=1)] = 0.01

    @property
    def negative_slope(self) -> float:
        return self.slope

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.nn.functional.leaky_relu(z, self.slope)

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return step(z).mul_(1.0 - self.slope).add_(self.slope)

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.ops.aten.leaky_relu_backward(gradient, z, self.slope, False)


@ACTIVATIONS.register
class Prelu(Activation):
    """f(z) = z for z > 0, else slope z, with one learned slope a layer, at first 0.25 (He et al. 2015)."""

    formula = r"f(z) = \max(0, z) + \mathrm{slope} \, \min(0, z)"
    reference = "He et al. 2015, equation 1, arXiv 1502.01852"

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
        return step(z).mul_(1.0 - slope).add_(slope)

    def learned_gradients(self, gradient: Tensor, z: Tensor) -> tuple[Tensor, ...]:
        return (z.clamp(max=0).mul_(gradient).sum((1, 2), keepdim=True),)


@ACTIVATIONS.register
class Softplus(Activation):
    """f(z) = log(1 + exp(z)), f' = 1 / (1 + exp(-z)) (Dugas et al. 2001; Glorot et al. 2011)."""

    formula = r"f(z) = \log(1 + e^z)"
    reference = (
        'Dugas et al. 2001, "Incorporating second-order functional knowledge for better option pricing"; '
        'Glorot, Bordes & Bengio 2011, "Deep sparse rectifier neural networks"'
    )

    name: Literal["softplus"] = "softplus"

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        # max(0, z) + log(1 + exp(-|z|)) does not overflow.
        return z.abs().neg_().exp_().log1p_().add_(z.clamp(min=0))

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.neg().exp_().add_(1.0).reciprocal_()


@ACTIVATIONS.register
class Elu(Activation):
    """f(z) = z for z > 0, else alpha (exp(z) - 1) (Clevert et al. 2015, equation 15)."""

    formula = r"f(z) = \max(0, z) + \min(0, \alpha (e^z - 1))"
    reference = "Clevert et al. 2015, equation 15, arXiv 1511.07289"

    name: Literal["elu"] = "elu"
    alpha: Annotated[float, Field(gt=0)] = 1.0

    @property
    def steepest(self) -> float:
        return max(1.0, self.alpha)

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.clamp(max=0).expm1_().mul_(self.alpha).add_(z.clamp(min=0))

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        positive = step(z)
        return z.clamp(max=0).exp_().mul_(self.alpha).mul_(1.0 - positive).add_(positive)

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.ops.aten.elu_backward(gradient, self.alpha, 1.0, 1.0, True, a)


@ACTIVATIONS.register
class Selu(Activation):
    """f(z) = scale (z for z > 0, else alpha (exp(z) - 1)), scale 1.0507, alpha 1.6733 (Klambauer et al. 2017).

    With both constants, mean 0 and variance 1 are a fixed point under LeCun's initialisation. The steepest slope is
    scale * alpha, just below zero.
    """

    formula = (
        r"f(z) = \lambda \left(\max(0, z) + \min(0, \alpha (e^z - 1))\right), \quad \lambda = 1.0507, \quad "
        r"\alpha = 1.6733"
    )
    reference = "Klambauer et al. 2017, arXiv 1706.02515"

    name: Literal["selu"] = "selu"

    @property
    def steepest(self) -> float:
        return SELU_SCALE * SELU_ALPHA

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        negative = z.clamp(max=0).expm1_().mul_(SELU_SCALE * SELU_ALPHA)
        return negative.add_(z.clamp(min=0).mul_(SELU_SCALE))

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        positive = step(z)
        negative = z.clamp(max=0).exp_().mul_(SELU_SCALE * SELU_ALPHA).mul_(1.0 - positive)
        return negative.add_(positive.mul_(SELU_SCALE))

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.ops.aten.elu_backward(gradient, SELU_ALPHA, SELU_SCALE, 1.0, True, a)


@ACTIVATIONS.register
class Celu(Activation):
    """f(z) = max(0, z) + min(0, alpha (exp(z / alpha) - 1)), smooth for every alpha (Barron 2017)."""

    formula = r"f(z) = \max(0, z) + \min(0, \alpha (e^{z / \alpha} - 1))"
    reference = "Barron 2017, arXiv 1704.07483"

    name: Literal["celu"] = "celu"
    alpha: Annotated[float, Field(gt=0)] = 1.0

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.clamp(max=0).div_(self.alpha).expm1_().mul_(self.alpha).add_(z.clamp(min=0))

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.clamp(max=0).div_(self.alpha).exp_()

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.ops.aten.elu_backward(gradient, self.alpha, 1.0, 1.0 / self.alpha, True, a)
