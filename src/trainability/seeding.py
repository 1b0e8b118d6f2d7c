"""Randomness as an argument: independent generators derived from a seed and a purpose by name.

Two streams are equal exactly when seed and all parts of the purpose are. Nothing else enters: not the cell, not
the order of calls, not global state. Runs of one seed therefore see the same batches and, before scaling, the
same weights in every cell, and differences between cells can be taken seed by seed.
"""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """A generator for one purpose, e.g. `generator(3, "weights", layer)`."""
    text = repr((seed, *purpose))
    digest = hashlib.sha256(text.encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
