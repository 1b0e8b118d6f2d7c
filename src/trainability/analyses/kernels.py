"""The programs whose time is taken: our activations and torch's, forward and backward, and whole layers.

Torch's backward pass is autograd's, as most people run it; what autograd adds to every call is part of it, and weighs
less the larger the tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from trainability import seeding
from trainability.activations import Activation
from trainability.analyses import networks
from trainability.analyses.stopwatch import Program
from trainability.network import Mode

# The same function in torch.nn, by the name of ours: from an activation to a function of z and its learned tensors.
TORCH: dict[str, Callable[[Any], Callable[..., Tensor]]] = {
    "relu": lambda ours: functional.relu,
    "leaky_relu": lambda ours: lambda z: functional.leaky_relu(z, ours.slope),
    "prelu": lambda ours: functional.prelu,
    "sigmoid": lambda ours: torch.sigmoid,
    "tanh": lambda ours: torch.tanh,
    "elu": lambda ours: lambda z: functional.elu(z, ours.alpha),
    "selu": lambda ours: functional.selu,
    "gelu": lambda ours: lambda z: functional.gelu(z, approximate=ours.approximate),
    "silu": lambda ours: functional.silu,
    "softplus": lambda ours: functional.softplus,
    "mish": lambda ours: functional.mish,
    "hardswish": lambda ours: functional.hardswish,
    # torch has no maxout; this is how it is written there.
    "maxout": lambda ours: lambda z: z.unflatten(-1, (ours.k, -1)).amax(-2),
}

FORWARD, BACKWARD = {"direction": "forward"}, {"direction": "backward"}


def activation(ours: Activation, runs: int, batch: int, units: int) -> Iterator[Program]:
    """A layer's activations [runs, batch, units] without its linear map, ours and torch's, forward and backward."""
    shape = {"runs": runs, "batch": batch, "units": units}
    draw = seeding.generator(0, "timing", *shape.values()).standard_normal
    z = _floats(draw((runs, batch, ours.pieces * units)))
    arguments = [z.new_full((runs, 1, 1), start) for start in ours.learned.values()]
    if ours.random:
        arguments.append(ours.randomize(z.sigmoid()))
    a = ours.value(z, *arguments)
    gradient = _floats(draw(a.shape))

    def backward() -> tuple[Tensor, ...]:
        return ours.backward(gradient, z, a, *arguments), *ours.learned_gradients(gradient, z)

    labels = {"activation": ours.label, "implementation": "ours", **shape}
    yield Program(labels | FORWARD, lambda: ours.value(z, *arguments), torch.inference_mode)
    yield Program(labels | BACKWARD, backward, torch.inference_mode)
    if ours.name not in TORCH:
        return
    theirs = TORCH[ours.name](ours)
    leaves = [z, *(z.new_full((1,), start) for start in ours.learned.values())]
    leaves = [leaf.clone().requires_grad_() for leaf in leaves]
    with torch.enable_grad():
        value = theirs(*leaves)

    def autograd() -> tuple[Tensor, ...]:
        return torch.autograd.grad(value, leaves, gradient, retain_graph=True)

    labels = labels | {"implementation": "torch"}
    yield Program(labels | FORWARD, lambda: theirs(*leaves), torch.enable_grad)
    yield Program(labels | BACKWARD, autograd, torch.enable_grad)


def layer(ours: Activation, batch: int, units: int) -> Iterator[Program]:
    """A whole layer of so many units on as many inputs, with its linear map, forward and backward.

    Its labels have the learned parameters, and the floating-point operations of the forward pass's matrix product for
    one example. The backward pass gives the gradients by all parameters and by the layer's input.
    """
    draw = seeding.generator(0, "timing", batch, units).standard_normal
    x = _floats(draw((1, batch, units)))
    gradient = _floats(draw((1, batch, ours.outputs * units)))
    network = networks.stack(x[0], 1, [0], activation=ours, depth=1, width=units)
    (hidden,), (plan,) = network.hidden, network.plan.layers
    buffers = [torch.zeros_like(parameter) for parameter in hidden.parameters]

    def forward() -> Tensor:
        return hidden.forward(x, Mode.PROBE)

    def backward() -> Tensor:
        return hidden.linear.backward_input(hidden.backward(gradient, buffers, carry=0.0))

    forward()
    labels = {"activation": ours.label, "batch": batch, "units": units}
    costs = {
        "parameters": sum(parameter[0].numel() for parameter in hidden.parameters),
        "flops": 2 * plan.fan_in * ours.pieces * plan.units,
    }
    yield Program(labels | FORWARD, forward, torch.inference_mode, costs)
    yield Program(labels | BACKWARD, backward, torch.inference_mode, costs)


def _floats(values: Any) -> Tensor:
    return torch.from_numpy(values).float()
