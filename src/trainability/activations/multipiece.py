"""Activations over the pieces of a unit: the largest of them, or one gated by the other."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from trainability.activations.base import ACTIVATIONS, Activation

if TYPE_CHECKING:
    from torch import Tensor


@ACTIVATIONS.register
class Maxout(Activation):
    """f(z_1, ..., z_k) = max z_i over the k linear pieces of a unit (Goodfellow et al. 2013).

    The pieces lie side by side: piece i of all units is z[..., i * width : (i + 1) * width]. Of equal pieces the
    first wins and takes the gradient.
    """

    formula = r"f(z_1, \ldots, z_k) = \max(z_1, \ldots, z_k)"
    reference = "Goodfellow et al. 2013, arXiv 1302.4389"

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

    def _power(self, z: Tensor, density: Tensor) -> float:
        # The largest of k independent normal numbers has the density k phi Phi^(k - 1).
        below = z.mul(-(0.5**0.5)).erfc_().mul_(0.5)
        return below.pow_(self.k - 1).mul_(self.k).mul_(density).mul_(z.square()).sum().item()


@ACTIVATIONS.register
class Glu(Activation):
    """f(z_1, z_2) = z_1 g(z_2), a linear piece times a gate (Dauphin et al. 2017: g the sigmoid; Shazeer 2020: others).

    `gate` names g: sigmoid (GLU), relu (ReGLU), gelu (GEGLU), silu (SwiGLU), identity (bilinear). The pieces lie side
    by side, z_1 first, as torch has them. The slopes g(z_2) and z_1 g'(z_2) have no upper bound; dead and saturated
    are judged relative to 1, the slope of the linear piece under an open sigmoid gate.
    """

    formula = r"f(z_1, z_2) = z_1 \, g(z_2)"
    reference = "Dauphin et al. 2017, arXiv 1612.08083; other gates: Shazeer 2020, arXiv 2002.05202"

    name: Literal["glu"] = "glu"
    gate: Literal["sigmoid", "relu", "gelu", "silu", "identity"] = "sigmoid"

    @property
    def pieces(self) -> int:
        return 2

    @property
    def _gate(self) -> Activation:
        return ACTIVATIONS[self.gate](name=self.gate)

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        linear, gated = z.chunk(2, -1)
        return self._gate.value(gated).mul_(linear)

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        import torch

        linear, gated = z.chunk(2, -1)
        return torch.cat([self._gate.value(gated), self._gate.derivative(gated).mul_(linear)], -1)

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        slopes = self.derivative(z)
        for part in slopes.chunk(2, -1):
            part.mul_(gradient)
        return slopes

    def _power(self, z: Tensor, density: Tensor) -> float:
        return self._gate._power(z, density)  # the pieces are independent, and E[z_1^2] = 1
