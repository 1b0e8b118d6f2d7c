"""Activations that are not monotone: z times a gate that opens with z, and the periodic snake.

A unit of these counts as dead by the same rule as any other: when the magnitude of its slope is at most `health.DEAD`
of the steepest on every example. An example in the dip, where the slope is zero, does not make it so by itself.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from trainability.activations.base import ACTIVATIONS, Activation
from trainability.activations.bounded import Hardsigmoid, Sigmoid

if TYPE_CHECKING:
    from torch import Tensor


class SelfGated(Activation):
    """f(z) = z g(z) with a gate g between 0 and 1, f' = g + z g'."""

    def gate(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The gate g(z) and its slope g'(z), with their relative precision where they are small."""
        raise NotImplementedError

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return self.gate(z)[0].mul_(z)

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        gate, slope = self.gate(z)
        return slope.mul_(z).add_(gate)


@ACTIVATIONS.register
class Silu(SelfGated):
    """f(z) = z / (1 + exp(-z)), also called swish (Elfwing et al. 2018; Ramachandran et al. 2017).

    With s = 1 / (1 + exp(-z)) its slope is s + z s (1 - s), at most 1.09984, at z = 2.3994.
    """

    formula = r"f(z) = \frac{z}{1 + e^{-z}}"
    reference = "Elfwing, Uchibe & Doya 2018, arXiv 1702.03118; Ramachandran, Zoph & Le 2017, arXiv 1710.05941"

    name: Literal["silu"] = "silu"

    @property
    def steepest(self) -> float:
        return 1.0998393201288670

    def gate(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return Sigmoid().value(z), Sigmoid().derivative(z)


@ACTIVATIONS.register
class Hardswish(SelfGated):
    """f(z) = z min(1, max(0, z / 6 + 1/2)), f' at most 3/2, just below z = 3 (Howard et al. 2019)."""

    formula = r"f(z) = z \, \min\left(1, \max\left(0, \frac{z}{6} + \frac{1}{2}\right)\right)"
    reference = "Howard et al. 2019, section 5.2, arXiv 1905.02244"

    name: Literal["hardswish"] = "hardswish"

    @property
    def steepest(self) -> float:
        return 1.5

    def gate(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return Hardsigmoid().value(z), Hardsigmoid().derivative(z)


@ACTIVATIONS.register
class Gelu(SelfGated):
    """f(z) = z Phi(z) with the standard normal's distribution function Phi (Hendrycks & Gimpel 2016).

    Its slope Phi(z) + z phi(z) is at most 1.12890, at z = sqrt 2. `approximate: tanh` has (1 + tanh u) / 2 in place of
    Phi, u = sqrt(2 / pi) (z + 0.044715 z^3), as BERT and GPT-2 do; there the steepest slope is 1.12899, at z = 1.4185.
    """

    formula = r"f(z) = z \, \Phi(z)"
    reference = "Hendrycks & Gimpel 2016, arXiv 1606.08415"

    name: Literal["gelu"] = "gelu"
    approximate: Literal["none", "tanh"] = "none"

    @property
    def steepest(self) -> float:
        if self.approximate == "tanh":
            return 1.1289930686587717
        return (1.0 + math.erf(1.0)) / 2.0 + math.exp(-1.0) / math.sqrt(math.pi)

    def gate(self, z: Tensor) -> tuple[Tensor, Tensor]:
        square = z.square()
        if self.approximate == "none":
            slope = square.mul_(-0.5).exp_().div_(math.sqrt(2.0 * math.pi))
            return z.mul(-math.sqrt(0.5)).erfc_().mul_(0.5), slope
        # (1 + tanh u) / 2 is the sigmoid of 2 u, which keeps its left tail.
        scale = 2.0 * math.sqrt(2.0 / math.pi)
        twice = square.mul(0.044715).add_(1.0).mul_(scale).mul_(z)
        slope = square.mul_(3.0 * 0.044715).add_(1.0).mul_(scale)
        return Sigmoid().value(twice), slope.mul_(Sigmoid().derivative(twice))


@ACTIVATIONS.register
class Mish(SelfGated):
    """f(z) = z tanh(log(1 + exp(z))), f' at most 1.08850, at z = 1.4906 (Misra 2019).

    With e = exp(z) and n = e (e + 2) the gate is n / (n + 2) and its slope 4 e (e + 1) / (n + 2)^2.
    """

    formula = r"f(z) = z \, \tanh(\log(1 + e^z))"
    reference = "Misra 2019, arXiv 1908.08681"

    name: Literal["mish"] = "mish"

    @property
    def steepest(self) -> float:
        return 1.0884981612517280

    def gate(self, z: Tensor) -> tuple[Tensor, Tensor]:
        e = z.clamp(max=20).exp_()  # from there on the gate is 1 to the last bit, and e^4 is still finite
        n = e * (e + 2.0)
        below = n + 2.0
        slope = (e + 1.0).mul_(e).mul_(4.0).div_(below.square())
        return n.div_(below), slope


@ACTIVATIONS.register
class Snake(Activation):
    """f(z) = z + sin(a z)^2 / a, f' = 1 + sin(2 a z), between 0 and 2 (Ziyin et al. 2020)."""

    formula = r"f(z) = z + \frac{1}{a} \sin^2(a z)"
    reference = "Ziyin, Hartwig & Ueda 2020, arXiv 2006.08195"

    name: Literal["snake"] = "snake"
    a: Annotated[float, Field(gt=0)] = 1.0

    @property
    def steepest(self) -> float:
        return 2.0

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.mul(self.a).sin_().square_().div_(self.a).add_(z)

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.mul(2.0 * self.a).sin_().add_(1.0)
