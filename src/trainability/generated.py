"""What generated data sets share: how their examples are drawn and split, and how many are too many.

Examples are drawn in the order test, validation, training: another number of training examples changes none of the
others. Randomness comes from `data_seed` and from no seed of a run. All of it is made of the raw bits of PCG64, which
NumPy promises to keep, unlike what `Generator` makes of them; a change of processor, SciPy or BLAS may move the last
bits of a float64, which rounding to float32 hides but for rare ties. Features are no pixels: `levels` is 1, so that
the preprocessing `unit` changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from trainability import seeding
from trainability.raw_files import Bytes, Published, Source, Values
from trainability.splits import Dataset, Splits

Array = NDArray[np.float64]
Count = Annotated[int, Field(ge=1)]
LARGEST = 50_000_000  # features in all examples together: 200 MB as float32, less than 1 GB while they are made


@dataclass(frozen=True)
class Generated(Source):
    """Test examples first, then all others, from a function of their number."""

    draw: Callable[[int], tuple[Values, Bytes]]

    def decode(self, folder: Path | None, download_to: Path) -> Published:
        values, labels = self.draw(self.test + self.train)
        test, rest = slice(0, self.test), slice(self.test, None)
        published = Published(values[rest], labels[rest], values[test], labels[test], [])
        size = values.nbytes + labels.nbytes
        published.sources.append({"file": self.title, "bytes": size, "sha256": published.sha256})
        return published


class Synthetic(Dataset):
    """Generated examples; of those that are not for testing, the first are for validation."""

    levels: ClassVar[int] = 1

    train_examples: Count = 2000
    validation_examples: Count = 1000
    test_examples: Count = 1000
    data_seed: Annotated[int, Field(ge=0, lt=2**31)] = 0

    def draw(self, count: int) -> tuple[Values, Bytes]:
        """The first examples of an endless sequence: float32 [count, d] and labels uint8 [count]."""
        raise NotImplementedError

    @property
    def source(self) -> Source:
        train = self.train_examples + self.validation_examples
        return Generated(f"generated: {self.label}", train, self.test_examples, None, self.draw)

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(map(str, range(self.classes)))

    @property
    def total(self) -> int:
        """Examples of all three splits."""
        return self.train_examples + self.validation_examples + self.test_examples

    def split(self, published: Published) -> Splits:
        values, labels = published.train_images, published.train_labels
        held, train = slice(0, self.validation_examples), slice(self.validation_examples, None)
        test = published.test_images, published.test_labels
        return Splits(values[train], labels[train], values[held], labels[held], *test)

    @model_validator(mode="after")
    def _not_too_large(self) -> Self:
        if self.total * self.feature_count > LARGEST:
            raise PydanticCustomError(
                "too_large",
                "{total} examples of {features} features are too many: {largest} numbers are the most",
                {"total": self.total, "features": self.feature_count, "largest": LARGEST},
            )
        return self

    def words(self, purpose: str, count: int) -> NDArray[np.uint64]:
        """Random bits, 64 a word; a longer sequence begins with every shorter one."""
        return seeding.generator(self.data_seed, self.name, purpose).bit_generator.random_raw(count)

    def uniform(self, purpose: str, *shape: int) -> Array:
        """Independent numbers between 0 and 1, neither of which occurs, row by row."""
        top = self.words(purpose, math.prod(shape)) >> np.uint64(12)
        return ((top.astype(np.float64) + 0.5) * 2.0**-52).reshape(shape)

    def normal(self, purpose: str, *shape: int) -> Array:
        """Independent standard normal numbers, by the inverse of the distribution function."""
        from scipy.special import ndtri  # here, since the Snakefile reads this module at every start

        return np.asarray(ndtri(self.uniform(purpose, *shape)))

    def rotation(self, purpose: str, size: int) -> Array:
        """A random orthogonal matrix [size, size], uniform over all of them (Mezzadri 2007, "How to generate ...")."""
        q, r = np.linalg.qr(self.normal(purpose, size, size))
        return q * np.sign(np.diagonal(r))
