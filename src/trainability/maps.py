"""What preprocessing fits: maps of examples, which can be written to a file and read again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainability.moments import Array, Values, blocks


@dataclass(frozen=True, eq=False)
class Map:
    """x -> (x - shift) * scale, or (x - shift) @ matrix: exactly one of scale [d] and matrix [d, k] is given.

    Where `contrast` [1] is given, x is first normalised example by example to
    (x - its mean) / sqrt(its variance + contrast), which is no affine map. Raises ValueError if both or none of scale
    and matrix are given.
    """

    shift: Array
    scale: Array | None = None
    matrix: Array | None = None
    contrast: Array | None = None

    def __post_init__(self) -> None:
        if (self.scale is None) == (self.matrix is None):
            raise ValueError("a map takes either a scale or a matrix")

    @property
    def features(self) -> int:
        """Features k of what comes out."""
        return len(self.shift) if self.matrix is None else self.matrix.shape[1]

    def __call__(self, x: Values) -> Array:
        """Map examples [n, d] to float64 [n, k], where k = d for a scale."""
        if self.contrast is not None:
            x = contrast_normalized(x, self.contrast)
        centred: Array = x - self.shift
        if self.matrix is not None:
            return np.asarray(centred @ self.matrix)
        assert self.scale is not None  # by __post_init__
        return centred * self.scale

    def stored(self, x: Values) -> np.ndarray:
        """The map of x [n, d] in blocks, rounded to float32 [n, k]."""
        mapped = np.empty((len(x), self.features), dtype=np.float32)
        for block, into in zip(blocks(x), blocks(mapped), strict=True):
            into[...] = self(block)
        return mapped


def contrast_normalized(x: Values, epsilon: Array) -> Array:
    """(x - mean) / sqrt(variance + epsilon [1]) of each example of x [n, d], in float64."""
    centred = x - x.mean(axis=1, keepdims=True, dtype=np.float64)
    return np.asarray(centred / np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + epsilon))
