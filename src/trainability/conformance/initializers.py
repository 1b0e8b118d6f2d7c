"""What every initialiser must do, whatever its formula."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from trainability.conformance.comparing import not_finite, same
from trainability.initializers import Initializer

SIZES = ((7, 5), (5, 7), (64, 64), (1, 1), (3, 1), (1, 4))  # (fan_in, units): narrow, wide, square, single
SLOPES = (0.0, 0.25)


def trials() -> Iterator[tuple[Any, int, float]]:
    """Arguments of `draw`: noise [fan_in, units], fan_out, negative_slope."""
    for fan_in, units in SIZES:
        for slope in SLOPES:
            yield np.random.default_rng([fan_in, units]).standard_normal((fan_in, units)), units, slope


def facts(scheme: Initializer) -> Iterator[str]:
    """`calibrated` is true or false."""
    if not isinstance(scheme.calibrated, bool):
        yield f"calibrated is {scheme.calibrated!r}"


def weights(scheme: Initializer) -> Iterator[str]:
    """Weights are float64, finite and shaped as the noise."""
    for noise, fan_out, slope in trials():
        yield from _form("draw", scheme.draw(noise, fan_out, slope), noise.shape, f"noise {list(noise.shape)}")


def biases(scheme: Initializer) -> Iterator[str]:
    """Biases are float64, finite and one for each unit."""
    for noise, _, _ in trials():
        for start in (0.0, 0.1):
            found = scheme.bias(noise, start)
            yield from _form("bias", found, noise.shape[1:], f"noise {list(noise.shape)} and start {start}")


def noise_kept(scheme: Initializer) -> Iterator[str]:
    """The noise stays as it was."""
    for noise, fan_out, slope in trials():
        before = noise.copy()
        scheme.draw(noise, fan_out, slope)
        if not same(noise, before):
            yield "draw changes the noise that it is given, which other schemes use: work on a copy"
        scheme.bias(noise, 0.1)
        if not same(noise, before):
            yield "bias changes the noise that it is given: work on a copy"


def from_noise_alone(scheme: Initializer) -> Iterator[str]:
    """The same noise gives the same bits: nothing else is random."""
    for noise, fan_out, slope in trials():
        draws = [scheme.draw(noise.copy(), fan_out, slope) for _ in range(2)]
        if not same(*draws):
            yield f"draw gives other weights the second time for noise {list(noise.shape)}: use the noise alone"
        if not same(*(scheme.bias(noise.copy(), 0.1) for _ in range(2))):
            yield f"bias gives other biases the second time for noise {list(noise.shape)}: use the noise alone"


STAGES = ((facts,), (weights, biases), (noise_kept, from_noise_alone))


def _form(name: str, found: Any, shape: tuple[int, ...], given: str) -> Iterator[str]:
    if not isinstance(found, np.ndarray):
        yield f"{name} gives {type(found).__name__}, not a NumPy array"
    elif found.shape != shape or found.dtype != np.float64:
        yield f"{name} of {given} is {list(found.shape)} {found.dtype}, expected {list(shape)} float64"
    elif not_finite(found):
        yield f"{name} of {given} is {found[not_finite(found)]} at {list(not_finite(found) or ())}"
