"""What every data set is: labelled examples in a split that is made once and for all.

The split belongs to the data set and not to a run: no seed of a run changes it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

import numpy as np
from numpy.random import PCG64
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from trainability.raw_files import Bytes, Published, Source, Values
from trainability.registry import Component, Registry

SPLIT_SEED = 231  # the one seed of every split; to change it is to make other data sets
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Splits:
    """Examples [n, *image_shape], uint8 or float32, and labels uint8 [n] of the three disjoint splits."""

    train_images: Values
    train_labels: Bytes
    validation_images: Values
    validation_labels: Bytes
    test_images: Values
    test_labels: Bytes


def shuffled(draw: PCG64, count: int) -> Indices:
    """A random permutation of 0 ... count - 1.

    It sorts 64 random bits for each element, because NumPy promises that the raw stream of PCG64 stays as it
    is, but not that of `Generator.permutation`. (Two are equal with probability count^2 / 2^65 at most.)
    """
    return np.argsort(draw.random_raw(count), kind="stable")


def stratified(labels: Bytes, order: Indices, size: int) -> tuple[Indices, Indices]:
    """Take `size` of the indices `order`, each class in proportion; return those taken and the rest.

    `order` [m] points into labels [n], size <= m. Of a class with m_c indices the first size * m_c / m are
    taken, rounded so that they add up: up for the largest remainders, of equal ones for the lower class. If
    `order` is random, so is the choice of examples, but not how the classes follow each other in either part.
    """
    classes = labels[order]
    counts = np.bincount(classes)
    quotas, remainders = np.divmod(size * counts, len(order))
    quotas[np.argsort(-remainders, kind="stable")[: size - quotas.sum()]] += 1
    taken = np.zeros(len(order), dtype=bool)
    for label, quota in enumerate(quotas):
        taken[np.flatnonzero(classes == label)[:quota]] = True
    return order[taken], order[~taken]


class Dataset(Component):
    """Labelled examples in a fixed split into training, validation and test examples.

    The published test set is used as it is. Validation is carved from the published training set, stratified
    by class. The rest is shuffled and `train_examples` keeps the first so many of it: a smaller training set
    is a random part of every larger one, and validation and test stay the same.
    """

    levels: ClassVar[int] = 255  # largest pixel value; 1 where features are no pixels
    carved_test: ClassVar[int] = 0  # test examples to carve out first, where no test set is published

    # Class variables where they are fixed, properties or parameters where they are chosen. Only a type checker sees
    # them here, for pydantic warns of a parameter that hides an attribute of its class's parent.
    if TYPE_CHECKING:

        @property
        def source(self) -> Source:
            """Where the examples come from."""

        @property
        def classes(self) -> int:
            """How many classes there are."""

        @property
        def class_names(self) -> tuple[str, ...]:
            """A name for each class."""

        @property
        def image_shape(self) -> tuple[int, ...]:
            """(height, width) or (height, width, channels) of an image; (features,) of what is none."""

    train_examples: Annotated[int, Field(ge=1)] | None = None
    validation_examples: Annotated[int, Field(ge=1)] = 5000

    @property
    def feature_count(self) -> int:
        """Values of one example."""
        return math.prod(self.image_shape)

    @property
    def pictured(self) -> bool:
        """Whether an example is an image, not a bare vector."""
        return len(self.image_shape) > 1

    @property
    def available(self) -> int:
        """Training examples there are before `train_examples` cuts."""
        return self.source.train - self.carved_test - self.validation_examples

    @property
    def train_size(self) -> int:
        """Training examples that are used."""
        return self.available if self.train_examples is None else self.train_examples

    @model_validator(mode="after")
    def _enough_examples(self) -> Self:
        wanted, available = self.validation_examples, self.available
        if available < 1:
            raise PydanticCustomError(
                "too_many_validation_examples",
                "validation_examples={wanted} leaves nothing to train on: {name} has {total} for both",
                {"wanted": wanted, "name": self.name, "total": available + wanted},
            )
        if self.train_size > available:
            raise PydanticCustomError(
                "too_many_train_examples",
                "train_examples={train} is too many: {name} has {available} besides {wanted} for validation",
                {"train": self.train_size, "name": self.name, "available": available, "wanted": wanted},
            )
        return self

    def splits(self, folder: Path | None = None, download_to: Path = Path("data")) -> Splits:
        """Read the published files and split them.

        They are looked for in `folder`, as torchvision arranges them or side by side, and nothing is written
        there. With no folder, torchvision downloads what is missing into `download_to`. Raises
        CorruptFileError for a missing, truncated or altered file.
        """
        return self.split(self.source.read(folder, download_to))

    def split(self, published: Published) -> Splits:
        """Split the published arrays; the same ones give the same splits everywhere and always."""
        images, labels = published.train_images, published.train_labels
        test_images, test_labels = published.test_images, published.test_labels
        draw = PCG64(SPLIT_SEED)
        order = shuffled(draw, len(labels))
        if self.carved_test:
            test, order = stratified(labels, order, self.carved_test)
            test_images, test_labels = images[test], labels[test]
        validation, order = stratified(labels, order, self.validation_examples)
        train = order[shuffled(draw, len(order))][: self.train_size]
        return Splits(images[train], labels[train], images[validation], labels[validation], test_images, test_labels)


DATASETS: Registry[Dataset] = Registry("data set", Dataset, required=("source", "image_shape", "class_names"))
