"""What the backward pass of every normalization must do."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from trainability.conformance.normalizing import different, layers, results
from trainability.normalizations import Normalization
from trainability.normalizers import Normalizer
from trainability.passes import Mode

STEP = 1e-6  # of the central differences, in float64


def gradients(normalization: Normalization) -> Iterator[str]:
    """The gradient by x is the finite difference of the result."""
    for layer in layers(normalization):
        normalizer, x, dy = layer.trained(), layer.x(3), layer.dy()
        found, expected = results(normalizer, x, dy)["backward"], _differences(normalizer, x, dy, x)
        yield from different(f"backward of {layer.words}", found, expected, "the finite difference")


def learned_gradients(normalization: Normalization) -> Iterator[str]:
    """Gradients by parameters are finite differences of the result."""
    for layer in layers(normalization):
        normalizer, x, dy = layer.trained(), layer.x(3), layer.dy()
        found = results(normalizer, x, dy)
        for index, parameter in enumerate(normalizer.parameters):
            name = f"the gradient by parameter {index}"
            expected = _differences(normalizer, x, dy, parameter)
            yield from different(f"{name} of {layer.words}", found[name], expected, "the finite difference")


def carried(normalization: Normalization) -> Iterator[str]:
    """Buffers become carry * buffer + gradient; carry 0 forgets what they held."""
    for layer in layers(normalization):
        normalizer, x, dy = layer.trained(), layer.x(3), layer.dy()
        gradients = list(results(normalizer, x, dy).values())[2:]
        held = [layer.normal(200 + index, *gradient.shape) for index, gradient in enumerate(gradients)]
        for carry, start in ((0.0, [torch.full_like(h, torch.nan) for h in held]), (0.5, held)):
            buffers = [tensor.clone() for tensor in start]
            normalizer.forward(x, Mode.PROBE)
            normalizer.backward(dy.clone(), buffers, carry)
            for index, (buffer, old, gradient) in enumerate(zip(buffers, start, gradients, strict=True)):
                expected = gradient + carry * old if carry else gradient
                told = "numbers" if carry else "NaN"
                name = f"with carry {carry}, buffer {index} that held {told}"
                yield from different(name, buffer, expected, "expected")


def trained_as_probed(normalization: Normalization) -> Iterator[str]:
    """A pass in TRAIN has the results and gradients of one in PROBE, which the finite differences were taken of."""
    for layer in layers(normalization):
        normalizer, x, dy = layer.trained(), layer.x(3), layer.dy()
        probed = results(normalizer, x, dy)
        for name, found in results(normalizer, x, dy, Mode.TRAIN).items():
            yield from different(f"{name} in TRAIN of {layer.words}", found, probed[name], "in PROBE")


def _differences(normalizer: Normalizer, x: Tensor, dy: Tensor, tensor: Tensor) -> Tensor:
    """Central differences of each run's sum of dy * forward(x) by every number of `tensor` [R, a, b].

    `tensor`, which is moved for it, is x or a parameter.
    """
    before, found = tensor.clone(), torch.empty_like(tensor)
    for row in range(tensor.shape[1]):
        for column in range(tensor.shape[2]):
            rise = torch.zeros((), dtype=tensor.dtype)
            for step in (STEP, -STEP):
                tensor[:, row, column] += step
                rise = rise + (normalizer.forward(x.clone(), Mode.PROBE) * dy).sum((1, 2)) / (2 * step)
                tensor.copy_(before)
            found[:, row, column] = rise
    return found
