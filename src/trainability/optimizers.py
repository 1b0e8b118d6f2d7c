"""Optimisers: how the gradients of a stack become updates, with one learning rate per run.

An optimiser says in `carry` how the backward pass accumulates: buffer = carry * buffer + gradient. With carry
equal to the momentum the buffer *is* SGD's velocity, and momentum costs no pass of its own over the weights.
The Snakefile reads this module: it needs nothing of torch but the methods of tensors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from pydantic import Field

from trainability.registry import Component, Registry

if TYPE_CHECKING:
    from torch import Tensor

Share = Annotated[float, Field(ge=0, lt=1)]


class Update(Protocol):
    """One step: change `parameters` in place, given the buffers that the backward pass filled."""

    def __call__(self, buffers: Sequence[Tensor]) -> None: ...


class Optimizer(Component):
    """How gradients become updates; the learning rate is not part of it but varies within each cell.

    `weight_decay` pulls weights to zero, not biases, normalization parameters or learned slopes.
    """

    weight_decay: Annotated[float, Field(ge=0)] = 0.0

    @property
    def carry(self) -> float:
        """Share of the old buffer that the backward pass keeps when it adds the new gradient."""
        return 0.0

    @property
    def states(self) -> int:
        """Numbers kept for each parameter besides the buffer."""
        return 0

    def start(self, parameters: Sequence[Tensor], decayed: Sequence[bool], rates: Tensor) -> Update:
        """The update of a stack: parameters [R, ., .] each, whether they decay, rates [R, 1, 1]."""
        raise NotImplementedError


OPTIMIZERS: Registry[Optimizer] = Registry("optimiser")


@OPTIMIZERS.register
class Sgd(Optimizer):
    """v = momentum v + g; w = w - rate v, with g including weight_decay w (torch.optim.SGD without dampening)."""

    formula = r"v \leftarrow \mathrm{momentum} \; v + g, \quad w \leftarrow w - \eta \, v"
    reference = (
        "torch.optim.SGD; Polyak 1964; "
        'Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning"'
    )

    name: Literal["sgd"] = "sgd"
    momentum: Share = 0.9

    @property
    def carry(self) -> float:
        return self.momentum

    def start(self, parameters: Sequence[Tensor], decayed: Sequence[bool], rates: Tensor) -> Update:
        descent = rates.neg()

        def update(buffers: Sequence[Tensor]) -> None:
            for weight, velocity, decays in zip(parameters, buffers, decayed, strict=True):
                if decays and self.weight_decay:
                    velocity.add_(weight, alpha=self.weight_decay)
                weight.addcmul_(velocity, descent)

        return update


@OPTIMIZERS.register
class Adam(Optimizer):
    """Adam with bias correction (Kingma & Ba 2015, algorithm 1; torch.optim.Adam), weight decay added to g."""

    formula = (
        r"m \leftarrow \beta_1 m + (1 - \beta_1) \, g, \quad "
        r"v \leftarrow \beta_2 v + (1 - \beta_2) \, g^2, \quad "
        r"w \leftarrow w - \eta \, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon}"
    )
    reference = "Kingma & Ba 2015, algorithm 1, arXiv 1412.6980"

    name: Literal["adam"] = "adam"
    beta1: Share = 0.9
    beta2: Share = 0.999
    eps: Annotated[float, Field(gt=0)] = 1e-8

    @property
    def states(self) -> int:
        return 2

    def start(self, parameters: Sequence[Tensor], decayed: Sequence[bool], rates: Tensor) -> Update:
        means = [weight.new_zeros(weight.shape) for weight in parameters]
        squares = [weight.new_zeros(weight.shape) for weight in parameters]
        step = 0

        def update(buffers: Sequence[Tensor]) -> None:
            nonlocal step
            step += 1
            descent = rates.neg() / (1.0 - self.beta1**step)
            correction = math.sqrt(1.0 - self.beta2**step)
            for weight, gradient, decays, mean, square in zip(
                parameters, buffers, decayed, means, squares, strict=True
            ):
                if decays and self.weight_decay:
                    gradient.add_(weight, alpha=self.weight_decay)
                mean.lerp_(gradient, 1.0 - self.beta1)
                square.mul_(self.beta2).addcmul_(gradient, gradient, value=1.0 - self.beta2)
                weight.addcdiv_(mean * descent, square.sqrt().div_(correction).add_(self.eps))

        return update
