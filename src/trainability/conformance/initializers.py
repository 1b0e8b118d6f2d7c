"""What every initialiser must do, whatever its formula."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainability.conformance.comparing import not_finite, same
from trainability.initializers import Initializer

# (fan_in, units, fan_out): narrow, wide, square, single; fan_out is `units`, in a convolution kernel x kernel of them
SIZES = ((7, 5, 5), (5, 7, 7), (64, 64, 64), (1, 1, 1), (3, 1, 1), (1, 4, 4), (27, 8, 72), (9, 2, 18))
SLOPES = (0.0, 0.25)
RUNS = 3


def trials() -> Iterator[tuple[Any, int, float]]:
    """Arguments of `draw`: noise [fan_in, units], fan_out, negative_slope."""
    for fan_in, units, fan_out in SIZES:
        for slope in SLOPES:
            yield np.random.default_rng([fan_in, units]).standard_normal((fan_in, units)), fan_out, slope


def facts(scheme: Initializer) -> Iterator[str]:
    """`calibrated` is true or false."""
    if not isinstance(scheme.calibrated, bool):
        yield f"calibrated is {scheme.calibrated!r}"


def weights(scheme: Initializer) -> Iterator[str]:
    """Weights are float64, finite and shaped as the noise."""
    for noise, fan_out, slope in trials():
        given = f"noise {list(noise.shape)} and fan_out {fan_out}"
        yield from _form("draw", scheme.draw(noise, fan_out, slope), noise.shape, given)


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


def calibration(scheme: Initializer) -> Iterator[str]:
    """If it is calibrated, weights stay finite, also where outputs are constant, and nothing is random."""
    for x, before in _layers(scheme):
        after = _calibrated(scheme, x, before)
        place = not_finite(after)
        if place:
            yield f"calibrate leaves {after[place].item()} at {list(place)} of weights {list(before.shape)}"
        elif not same(after, _calibrated(scheme, x, before)):
            yield f"calibrate leaves other weights {list(before.shape)} the second time"


def calibrated_apart(scheme: Initializer) -> Iterator[str]:
    """If it is calibrated, a run has the same bits alone as in a stack, also beside one that is lost."""
    for x, before in _layers(scheme):
        x[1] = torch.nan
        together = _calibrated(scheme, x, before)
        for run in (0, 2):
            some = slice(run, run + 1)
            if not same(_calibrated(scheme, x[some], before[some]), together[some]):
                yield f"calibrate leaves run {run} of weights {list(before.shape)} other numbers than it has alone"


STAGES = ((facts,), (weights, biases), (noise_kept, from_noise_alone, calibration), (calibrated_apart,))


def _layers(scheme: Initializer) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs [R, N, fan_in] of growing size and drawn weights [R, fan_in, m], of a scheme that calibrates."""
    for fan_in, units, fan_out in SIZES if scheme.calibrated else ():
        rng = np.random.default_rng([fan_in, units, RUNS])
        drawn = [scheme.draw(rng.standard_normal((fan_in, units)), fan_out, 0.0) for _ in range(RUNS)]
        weight, sizes = torch.from_numpy(np.stack(drawn)).float(), torch.tensor([0.1, 1.0, 10.0]).view(-1, 1, 1)
        x = sizes * torch.from_numpy(rng.standard_normal((RUNS, 40, fan_in))).float()
        yield x, weight
        yield torch.zeros_like(x), weight


def _calibrated(scheme: Initializer, x: Tensor, weight: Tensor) -> Tensor:
    """Weights after calibration; products of each run by itself, so that only the scheme could mix runs."""
    weight = weight.clone()
    scheme.calibrate(weight, lambda: torch.stack([a @ w for a, w in zip(x, weight, strict=True)]))
    return weight


def _form(name: str, found: Any, shape: tuple[int, ...], given: str) -> Iterator[str]:
    if not isinstance(found, np.ndarray):
        yield f"{name} gives {type(found).__name__}, not a NumPy array"
    elif found.shape != shape or found.dtype != np.float64:
        yield f"{name} of {given} is {list(found.shape)} {found.dtype}, expected {list(shape)} float64"
    elif not_finite(found):
        yield f"{name} of {given} is {found[not_finite(found)]} at {list(not_finite(found) or ())}"
