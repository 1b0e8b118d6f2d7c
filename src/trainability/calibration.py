"""Layer-sequential unit variance: weights rescaled by what they do to examples (Mishkin & Matas 2016, algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def rescale(weight: Tensor, outputs: Callable[[], Tensor], tolerance: float, iterations: int) -> None:
    """Divide each run's weights [R, fan_in, m], in place, by the standard deviation of its linear outputs.

    `outputs` gives those outputs [R, N, m] for the weights as they are; variance is taken over all examples and units
    of a run. It is repeated until every run's variance is within `tolerance` of 1, at most `iterations` times. A run
    that is there, and one whose outputs are constant or not finite, is divided by 1, which changes no bit: what
    happens to a run depends on no other.
    """
    for _ in range(iterations):
        variance = _variance(outputs())
        known = variance.isfinite() & (variance > 0)
        away = known & ((variance - 1.0).abs() >= tolerance)
        if not away.any():
            return
        weight.div_(torch.where(away, variance.sqrt(), 1.0).view(-1, 1, 1))


def _variance(values: Tensor) -> Tensor:
    """Variance over examples and units, [R]; two passes, since means can dwarf spreads."""
    flat = values.flatten(1)
    return (flat - flat.mean(1, keepdim=True)).square_().mean(1)
