"""Rectifiers out of the ordinary: one that jumps, one with two outputs a unit, one with random slopes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from trainability.activations.base import ACTIVATIONS, Activation, step

if TYPE_CHECKING:
    from torch import Tensor


@ACTIVATIONS.register
class Threshold(Activation):
    """f(z) = z for z > threshold, else below; f' = 1 for z > threshold, else 0 (torch.nn.Threshold).

    With `below` 0 it is the truncated rectifier of Konda et al. 2014, whose threshold is 1, and Keras' ThresholdedReLU:
    a jump at the threshold, and no gradient that tells of it.
    """

    formula: ClassVar[str] = r"f(z) = z \; (z > \theta), \;\; b \; (z \leq \theta)"
    reference: ClassVar[str] = "Konda et al. 2014, Zero-bias Autoencoders and the Benefits of Co-adapting Features"

    name: Literal["threshold"] = "threshold"
    threshold: float = 1.0
    below: float = 0.0

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.nn.functional.threshold(z, self.threshold, self.below)

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return step(z.sub(self.threshold))

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.ops.aten.threshold_backward(gradient, z, self.threshold)

    def _power(self, z: Tensor, density: Tensor) -> float:
        # In closed form, since a jump costs the grid four digits.
        above = math.erfc(self.threshold / math.sqrt(2.0)) / 2.0
        tail = self.threshold * math.exp(-(self.threshold**2) / 2.0) / math.sqrt(2.0 * math.pi)
        return above + tail + self.below**2 * (1.0 - above)


@ACTIVATIONS.register
class Crelu(Activation):
    """f(z) = (max(0, z), max(0, -z)): two outputs a unit, of which one is open (Shang et al. 2016, definition 2.1).

    All units' first outputs come before their second ones. The derivative of their sum is the sign of z, so that no
    unit is dead and none saturates.
    """

    formula: ClassVar[str] = r"f(z) = (\max(0, z), \; \max(0, -z))"
    reference: ClassVar[str] = (
        "Shang et al. 2016, Understanding and Improving CNNs via Concatenated ReLU, definition 2.1"
    )

    name: Literal["crelu"] = "crelu"

    @property
    def outputs(self) -> int:
        return 2

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        import torch

        return torch.cat([z.clamp(min=0), z.neg().clamp_(min=0)], -1)

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.sign()

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        import torch

        positive, negative = gradient.chunk(2, -1)
        closed = torch.ops.aten.threshold_backward(negative, z.neg(), 0)
        return torch.ops.aten.threshold_backward(positive, z, 0).sub_(closed)


@ACTIVATIONS.register
class Rrelu(Activation):
    """f(z) = z for z > 0, else s z: in training a slope s ~ U(lower, upper) for every unit and example.

    Everywhere else s is their mean (Xu et al. 2015, section 2.4; torch.nn.RReLU, with the same bounds).
    """

    formula: ClassVar[str] = r"f(z) = \max(0, z) + s \, \min(0, z), \;\; s \sim U(l, u)"
    reference: ClassVar[str] = "Xu et al. 2015, Empirical Evaluation of Rectified Activations, section 2.4"

    name: Literal["rrelu"] = "rrelu"
    lower: Annotated[float, Field(ge=0, lt=1)] = 1.0 / 8.0
    upper: Annotated[float, Field(ge=0, lt=1)] = 1.0 / 3.0

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.lower > self.upper:
            raise PydanticCustomError(
                "bounds",
                "lower={lower} is above upper={upper}",
                {"lower": self.lower, "upper": self.upper},
            )
        return self

    @property
    def random(self) -> bool:
        return True

    def randomize(self, draws: Tensor) -> Tensor:
        return draws.mul(self.upper - self.lower).add_(self.lower)

    @property
    def negative_slope(self) -> float:
        return (self.lower + self.upper) / 2.0

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        (slopes,) = learned
        return z.clamp(max=0).mul_(slopes).add_(z.clamp(min=0))

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        (slopes,) = learned
        return step(z).mul_(1.0 - slopes).add_(slopes)
