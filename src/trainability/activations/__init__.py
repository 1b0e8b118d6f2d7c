"""Activation functions: value, derivative, backward pass and the facts that other modules need of them.

Shapes: a layer of `width` units in a stack of R runs has pre-activations z [R, batch, pieces * width] and
activations a [R, batch, outputs * width]; only maxout and glu have more than one piece a unit, and only crelu has more
than one output. Learned parameters of an activation are tensors [R, 1, 1], one per layer and run; rrelu's random slopes
come after them.

`derivative` is the definition; `backward` is the same product in one pass where torch has a kernel for it. Tests
hold both against finite differences and autograd.

Some of torch's kernels (sigmoid, elu, softplus, gelu, silu, mish) compute the last few numbers of a tensor by
another formula than the rest, so that a run's bits would depend on its place in the stack. The values here are
built from kernels that do not: exp, expm1, log1p, tanh, erfc, sin and plain arithmetic. The Snakefile reads this
package, so torch is imported by the few functions that need more than a tensor's own methods, when they first run.
"""

from __future__ import annotations

from trainability.activations.base import ACTIVATIONS, Activation
from trainability.activations.bounded import Hardsigmoid, Hardtanh, Sigmoid, Softsign, Tanh
from trainability.activations.irregular import Crelu, Rrelu, Threshold
from trainability.activations.multipiece import Glu, Maxout
from trainability.activations.rectifiers import (
    Celu,
    Elu,
    Identity,
    LeakyRelu,
    Prelu,
    Relu,
    Relu6,
    Selu,
    ShiftedRelu,
    Softplus,
)
from trainability.activations.smooth import Gelu, Hardswish, Mish, Silu, Snake

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Celu",
    "Crelu",
    "Elu",
    "Gelu",
    "Glu",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "LeakyRelu",
    "Maxout",
    "Mish",
    "Prelu",
    "Relu",
    "Relu6",
    "Rrelu",
    "Selu",
    "ShiftedRelu",
    "Sigmoid",
    "Silu",
    "Snake",
    "Softplus",
    "Softsign",
    "Tanh",
    "Threshold",
]
