"""Clipping of gradients by their norm (Pascanu et al. 2013, algorithm 1), each run of a stack by itself."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

EPS = 1e-6  # torch's


def clip(gradients: Sequence[Tensor], most: float) -> None:
    """Scale each run's gradients [R, ., .], in place, to a norm of at most `most` over all of them together.

    The scale is min(1, most / (norm + 1e-6)), as in torch.nn.utils.clip_grad_norm_. A run whose norm is not a number
    gets NaN throughout. Nothing goes to the host, so that the clipping can be part of a CUDA graph.
    """
    # torch's own norm takes several times as long over short rows.
    squares = reduce(operator.add, (gradient.flatten(1).square().sum(1) for gradient in gradients))
    scale = (most / (squares.sqrt() + EPS)).clamp_(max=1.0).view(-1, 1, 1)
    for gradient in gradients:
        gradient.mul_(scale)
