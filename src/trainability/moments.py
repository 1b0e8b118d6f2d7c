"""Means, covariances and their eigenvectors, in float64 and block by block.

Examples go through in blocks, so that 50000 colour images need a few GB. Covariances are divided by n. A direction is
*null* if its eigenvalue is at most NULL times the largest: the data do not vary along it beyond rounding, LAPACK
chooses it freely, and it is never kept. The largest entry of each eigenvector is positive, so that nothing is left to
LAPACK's choice as long as the eigenvalues are distinct.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Values = NDArray[Any]  # features as they are stored: uint8, float32 or float64
NULL = 1e-10  # far above the rounding of an eigenvalue (about d x 2e-16), far below any variance that matters
BLOCK = 4096  # examples that are in work at a time: 100 MB of 32x32 colour images


def blocks(x: Values) -> Iterator[Values]:
    """The examples of x [n, d], some at a time."""
    return (x[start : start + BLOCK] for start in range(0, len(x), BLOCK))


def mean(x: Values) -> Array:
    """Mean [d] of x [n, d]; of a constant feature its very value, so that centring leaves exactly 0."""
    first: Array = x[0].astype(np.float64)
    deviations = np.sum([(block - first).sum(axis=0) for block in blocks(x)], axis=0)
    return np.asarray(first + deviations / len(x))


def variance(x: Values, around: Array) -> Array:
    """Mean square [d] of the deviations of x [n, d] from `around` [d]."""
    squares = sum(((block - around) ** 2).sum(axis=0) for block in blocks(x))
    return np.asarray(squares / len(x))


def covariance(x: Values, x_mean: Array) -> Array:
    """Covariance [d, d] of x [n, d] around its mean [d]; exactly 0 for a constant feature."""
    total = np.zeros((x.shape[1], x.shape[1]))
    for block in blocks(x):
        centred = block - x_mean
        total += centred.T @ centred  # NumPy computes a product with its own transpose in half the time
    return total / len(x)


def cross_covariance(x: Values, x_mean: Array, z: Values, z_mean: Array) -> Array:
    """Covariance [d, k] of x [n, d] with z [n, k] around their means."""
    total = np.zeros((x.shape[1], z.shape[1]))
    for some, others in zip(blocks(x), blocks(z), strict=True):
        total += (some - x_mean).T @ (others - z_mean)
    return total / len(x)


def reciprocal(spread: Array) -> Array:
    """1 / spread, and 0 for features without spread (or with one so small that 1 / spread is infinite)."""
    varies = spread > np.finfo(np.float64).tiny
    return np.divide(1.0, spread, out=np.zeros_like(spread), where=varies)


def eigen(symmetric: Array) -> tuple[Array, Array]:
    """Eigenvalues [r], descending, and eigenvectors [d, r] of the directions of a covariance that are not null."""
    values, vectors = np.linalg.eigh(symmetric)
    varied = not_null(values)
    values, vectors = values[varied][::-1], vectors[:, varied][:, ::-1]
    size = np.abs(vectors)
    # Entries that are equal but for rounding count as equal: the first of them decides the sign.
    deciding = np.argmax(size >= size.max(axis=0) * (1 - 1e-9), axis=0)
    return values, vectors * np.sign(vectors[deciding, np.arange(len(values))])


def not_null(values: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Which of the eigenvalues of a covariance belong to directions that are not null."""
    return np.asarray(values > NULL * values.max(initial=0.0))


def spectrum(values: NDArray[np.floating[Any]]) -> dict[str, float | int | None]:
    """Rank, extreme eigenvalues and their ratio, without null directions; None if there is no other."""
    varied = values[not_null(values)]
    largest, smallest = (float(varied.max()), float(varied.min())) if varied.size else (None, None)
    return {
        "rank": len(varied),
        "largest_eigenvalue": largest,
        "smallest_eigenvalue": smallest,
        "condition_number": largest / smallest if largest and smallest else None,
    }
