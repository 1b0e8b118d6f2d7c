"""What tests share: cells and data small enough to train in a blink."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainability import manifests
from trainability.cell import Cell
from trainability.prepared import Arrays

CLASSES = 4


@pytest.fixture(scope="session")
def make_cell() -> Callable[..., Cell]:
    """A small cell; keyword arguments overrule its factors, seeds and learning rates."""

    def make(**factors: Any) -> Cell:
        small: dict[str, Any] = {
            "dataset": "digits",
            "depth": 3,
            "width": 6,
            "batch_size": 8,
            "epochs": 2,
            "seeds": [0, 1, 2],
            "learning_rates": [0.01, 0.1],
        }
        return Cell.model_validate(small | factors)

    return make


@pytest.fixture(scope="session")
def arrays() -> Arrays:
    """Four overlapping Gaussian classes in five dimensions; 43 training examples, so that a batch is left over."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(CLASSES, 5))

    def split(examples: int) -> tuple[Any, Any]:
        labels = np.arange(examples) % CLASSES
        return (centres[labels] + 0.7 * rng.normal(size=(examples, 5))).astype(np.float32), labels

    train, validation, test = split(43), split(24), split(20)
    return Arrays(*train, *validation, *test)


@pytest.fixture(scope="session")
def prepared_in() -> Callable[[Path, Arrays], dict[str, Any]]:
    """Write arrays to a folder as the workflow leaves them, prepared; the manifest."""

    def write(folder: Path, arrays: Arrays) -> dict[str, Any]:
        parts = {name: np.asarray(values) for name, values in vars(arrays).items()}
        manifest = {"classes": CLASSES, "arrays": manifests.save_arrays(folder / "arrays.npz", parts)}
        manifests.save_json(folder / "preprocessing.json", manifest)
        return manifest

    return write


@pytest.fixture(scope="session")
def images() -> Arrays:
    """8 x 8 images whose class is the quarter that is bright; 43 for training, so that a batch is left over."""
    rng = np.random.default_rng(1)

    def split(examples: int) -> tuple[Any, Any]:
        labels = np.arange(examples) % CLASSES
        x = rng.normal(size=(examples, 2, 4, 2, 4))
        x[np.arange(examples), labels // 2, :, labels % 2] += 1.0
        return x.reshape(examples, 64).astype(np.float32), labels

    train, validation, test = split(43), split(24), split(20)
    return Arrays(*train, *validation, *test)
