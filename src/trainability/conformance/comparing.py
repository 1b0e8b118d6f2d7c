"""Comparisons that say where and by how much."""

from __future__ import annotations

from typing import Any

import numpy as np


def farthest(found: Any, expected: Any, rtol: float = 0.0, atol: float = 0.0) -> tuple[int, ...] | None:
    """Where two arrays or tensors [...] of equal shape are farthest beyond |difference| <= atol + rtol |expected|."""
    found, expected = np.asarray(found), np.asarray(expected)
    with np.errstate(invalid="ignore"):
        excess = np.abs(found - expected) - atol - rtol * np.abs(expected)
    excess = np.where((found == expected) | (np.isnan(found) & np.isnan(expected)), -1.0, excess)
    excess = np.where(np.isnan(excess), np.inf, excess)
    if not excess.size or excess.max() <= 0:
        return None
    return tuple(int(index) for index in np.unravel_index(excess.argmax(), excess.shape))


def not_finite(values: Any) -> tuple[int, ...] | None:
    """Where the first number stands that is not finite."""
    places = np.argwhere(~np.isfinite(np.asarray(values)))
    return tuple(int(index) for index in places[0]) if len(places) else None


def same(one: Any, other: Any) -> bool:
    """Whether two arrays or tensors agree to the last bit; two that are no number are the same."""
    one, other = np.asarray(one), np.asarray(other)
    return one.shape == other.shape and one.dtype == other.dtype and bool(np.array_equal(one, other, equal_nan=True))
