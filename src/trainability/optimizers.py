"""Optimisers: how the gradients of a stack become updates, with one learning rate per run.

A step has two halves. `Update.prepare` is the host's: it turns the step's number and the factor of the learning-rate
schedule into a few numbers and writes them into tensors. Calling the update is a program over tensors that stay where
they are, in which no number depends on the step: recorded once, as a CUDA graph is, it can be replayed for every step.

An update says in `carry` how the backward pass accumulates: buffer = carry * buffer + gradient. With carry equal to
the momentum the buffer *is* SGD's velocity, and momentum costs no pass of its own over the weights. That needs
gradients that nobody else changes or reads: where they are clipped (`raw`) the buffers hold them and nothing else.
The Snakefile reads this module: it needs nothing of torch but the methods of tensors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from trainability.registry import Component, Registry

if TYPE_CHECKING:
    from torch import Tensor

Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]


class Update:
    """The moving half of an optimiser: `prepare` writes a step's numbers, a call changes the parameters in place.

    `kept` holds, for each parameter, as many tensors as the optimiser has `states`, zero at first.
    """

    optimizer: Optimizer

    def __init__(
        self, optimizer: Optimizer, parameters: Sequence[Tensor], decayed: Sequence[bool], rates: Tensor, raw: bool
    ) -> None:
        self.optimizer = optimizer
        self.parameters = list(parameters)
        self.decays = [decays and optimizer.weight_decay > 0 for decays in decayed]
        states = optimizer.states(raw)
        self.kept = [[weight.new_zeros(weight.shape) for _ in range(states)] for weight in self.parameters]
        self.rates, self.descent = rates, rates.neg()
        self.factor = 1.0  # that `descent` is made with

    @property
    def state(self) -> list[Tensor]:
        """What steps leave for later ones here, beside the parameters and, if there is a `carry`, the buffers."""
        return [tensor for kept in self.kept for tensor in kept]

    @property
    def carry(self) -> float:
        """Share of the old buffer that the backward pass keeps when it adds the new gradient."""
        return 0.0

    def prepare(self, step: int, factor: float) -> None:
        """Write what step number `step`, counted from 1, needs; its learning rates are factor * rates."""
        if factor != self.factor:
            self.descent.copy_(self.rates).mul_(-factor)
            self.factor = factor

    def __call__(self, buffers: Sequence[Tensor]) -> None:
        """One step from the buffers that the backward pass filled, which it may change."""
        for weight, buffer, decays, kept in zip(self.parameters, buffers, self.decays, self.kept, strict=True):
            if decays:
                self.decay(weight, buffer)
            self.move(weight, buffer, *kept)

    def decay(self, weight: Tensor, buffer: Tensor) -> None:
        """Weight decay as a part of the gradient: that of weight_decay / 2 ||w||^2."""
        buffer.add_(weight, alpha=self.optimizer.weight_decay)

    def move(self, weight: Tensor, buffer: Tensor, *kept: Tensor) -> None:
        """Change one parameter, given its buffer and what is kept for it."""
        raise NotImplementedError


class Optimizer(Component):
    """How gradients become updates; the learning rate is not part of it but varies within each cell.

    `weight_decay` pulls weights to zero, not biases, normalization parameters or learned slopes.
    """

    update: ClassVar[type[Update]]

    weight_decay: Annotated[float, Field(ge=0)] = 0.0

    def states(self, raw: bool = False) -> int:
        """Numbers kept for each parameter besides the buffer; for `raw` see `start`."""
        return 0

    def start(self, parameters: Sequence[Tensor], decayed: Sequence[bool], rates: Tensor, raw: bool = False) -> Update:
        """The update of a stack: parameters [R, ., .] each, whether they decay, base rates [R, 1, 1].

        `raw` says that the buffers must hold the gradient alone, because it is clipped before the update.
        """
        return self.update(self, parameters, decayed, rates, raw)


OPTIMIZERS: Registry[Optimizer] = Registry("optimiser")


class _SgdUpdate(Update):
    optimizer: Sgd

    @property
    def carry(self) -> float:
        return 0.0 if any(self.kept) else self.optimizer.momentum

    def move(self, weight: Tensor, buffer: Tensor, *kept: Tensor) -> None:
        momentum, direction = self.optimizer.momentum, buffer
        for velocity in kept:  # one or none
            velocity.mul_(momentum).add_(buffer)
            direction = buffer.add_(velocity, alpha=momentum) if self.optimizer.nesterov else velocity
        weight.addcmul_(direction, self.descent)


@OPTIMIZERS.register
class Sgd(Optimizer):
    """v = momentum v + g; w = w - rate v, with g including weight_decay w (torch.optim.SGD without dampening)."""

    formula = r"v \leftarrow \mathrm{momentum} \; v + g, \quad w \leftarrow w - \eta \, v"
    reference = (
        "torch.optim.SGD; Polyak 1964; "
        'Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning"'
    )

    update = _SgdUpdate

    name: Literal["sgd"] = "sgd"
    momentum: Share = 0.9
    nesterov: bool = False  # w = w - rate (g + momentum v), with the new v (Sutskever et al. 2013, section 2)

    @model_validator(mode="after")
    def _momentum_to_look_ahead_with(self) -> Self:
        if self.nesterov and not self.momentum:
            raise PydanticCustomError("nesterov", "nesterov needs a momentum above 0", {})
        return self

    def states(self, raw: bool = False) -> int:
        return int(self.momentum > 0 and (raw or self.nesterov))


class _AdamUpdate(Update):
    """Running means m of g and v of g^2; w = w - rate / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)."""

    optimizer: _Adaptive

    def __init__(
        self, optimizer: Optimizer, parameters: Sequence[Tensor], decayed: Sequence[bool], rates: Tensor, raw: bool
    ) -> None:
        super().__init__(optimizer, parameters, decayed, rates, raw)
        self.correction = rates.new_ones(())

    def prepare(self, step: int, factor: float) -> None:
        self.descent.copy_(self.rates).mul_(-factor).div_(1.0 - self.optimizer.beta1**step)
        self.correction.fill_(math.sqrt(1.0 - self.optimizer.beta2**step))

    def move(self, weight: Tensor, buffer: Tensor, *kept: Tensor) -> None:
        mean, square = kept
        mean.lerp_(buffer, 1.0 - self.optimizer.beta1)
        square.mul_(self.optimizer.beta2).addcmul_(buffer, buffer, value=1.0 - self.optimizer.beta2)
        weight.addcdiv_(mean * self.descent, square.sqrt().div_(self.correction).add_(self.optimizer.eps))


class _AdamWUpdate(_AdamUpdate):
    def __init__(
        self, optimizer: Optimizer, parameters: Sequence[Tensor], decayed: Sequence[bool], rates: Tensor, raw: bool
    ) -> None:
        super().__init__(optimizer, parameters, decayed, rates, raw)
        self.shrink = rates.new_ones(rates.shape)

    def prepare(self, step: int, factor: float) -> None:
        super().prepare(step, factor)
        self.shrink.copy_(self.rates).mul_(-factor * self.optimizer.weight_decay).add_(1.0)

    def decay(self, weight: Tensor, buffer: Tensor) -> None:
        weight.mul_(self.shrink)


class _Adaptive(Optimizer):
    beta1: Share = 0.9
    beta2: Share = 0.999
    eps: Positive = 1e-8

    def states(self, raw: bool = False) -> int:
        return 2


@OPTIMIZERS.register
class Adam(_Adaptive):
    """Adam with bias correction (Kingma & Ba 2015, algorithm 1; torch.optim.Adam), weight decay added to g."""

    formula = (
        r"m \leftarrow \beta_1 m + (1 - \beta_1) \, g, \quad "
        r"v \leftarrow \beta_2 v + (1 - \beta_2) \, g^2, \quad "
        r"w \leftarrow w - \eta \, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon}"
    )
    reference = "Kingma & Ba 2015, algorithm 1, arXiv 1412.6980"

    update = _AdamUpdate

    name: Literal["adam"] = "adam"


@OPTIMIZERS.register
class AdamW(_Adaptive):
    """Adam whose decay shrinks weights by 1 - rate weight_decay before each step and stays out of g.

    Loshchilov & Hutter 2019, algorithm 2; torch.optim.AdamW, with its default decay. The schedule of the learning rate
    scales the decay as well.
    """

    formula: ClassVar[str] = (
        r"w \leftarrow (1 - \eta \lambda) w - \eta \, \frac{\hat{m}}{\sqrt{\hat{v}} + \epsilon}, \quad"
        r" m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2"
    )
    reference: ClassVar[str] = "Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization, algorithm 2"

    update = _AdamWUpdate

    name: Literal["adamw"] = "adamw"
    weight_decay: Annotated[float, Field(ge=0)] = 0.01


class _RmsPropUpdate(Update):
    optimizer: RmsProp

    def move(self, weight: Tensor, buffer: Tensor, *kept: Tensor) -> None:
        square, *others = kept
        square.mul_(self.optimizer.alpha).addcmul_(buffer, buffer, value=1.0 - self.optimizer.alpha)
        spread = square
        if self.optimizer.centered:
            mean = others.pop().lerp_(buffer, 1.0 - self.optimizer.alpha)
            spread = square.addcmul(mean, mean, value=-1.0).clamp_(min=0)
        direction = buffer.div_(spread.sqrt().add_(self.optimizer.eps))
        for velocity in others:  # one or none
            direction = velocity.mul_(self.optimizer.momentum).add_(direction)
        weight.addcmul_(direction, self.descent)


@OPTIMIZERS.register
class RmsProp(Optimizer):
    """s = alpha s + (1 - alpha) g^2; w = w - rate g / (sqrt(s) + eps), with g including weight_decay w.

    Tieleman & Hinton 2012, lecture 6.5; torch.optim.RMSprop. `centered` takes the square of g's running mean off s
    (Graves 2013, equations 38 to 41), but not below zero, where torch gets NaN from rounding. With momentum the
    quotient is accumulated before it is multiplied by the rate.
    """

    formula: ClassVar[str] = (
        r"s \leftarrow \alpha s + (1 - \alpha) g^2, \; w \leftarrow w - \eta \, \frac{g}{\sqrt{s} + \epsilon}"
    )
    reference: ClassVar[str] = "Tieleman & Hinton 2012, Neural Networks for Machine Learning, lecture 6.5"

    update = _RmsPropUpdate

    name: Literal["rmsprop"] = "rmsprop"
    alpha: Share = 0.99
    eps: Positive = 1e-8
    momentum: Share = 0.0
    centered: bool = False

    def states(self, raw: bool = False) -> int:
        return 1 + (self.momentum > 0) + self.centered
