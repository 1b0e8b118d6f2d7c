"""What every data set must be. Its files are read as the workflow would read them, into `data/` if they are missing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np

from trainability.conformance.comparing import farthest, not_finite, same
from trainability.datasets import Dataset
from trainability.generated import Synthetic
from trainability.raw_files import Published, Source
from trainability.splits import Splits

DTYPES = (np.uint8, np.float32)
NAMES = ("train", "validation", "test")
LONGEST = 3  # height, width, channels


@dataclass(frozen=True)
class Opened:
    """A data set and the folder where its files are, as a configuration has it under `sources`."""

    dataset: Dataset
    folder: Path | None

    def read(self) -> Published:
        return self.dataset.source.read(self.folder, Path("data"))

    @cached_property
    def published(self) -> Published:
        return self.read()

    @cached_property
    def splits(self) -> Splits:
        return self.dataset.split(self.published)


def facts(opened: Opened) -> Iterator[str]:
    """It says where it comes from and what it has."""
    dataset, shape = opened.dataset, opened.dataset.image_shape
    if not isinstance(dataset.source, Source):
        yield f"source is of type {type(dataset.source).__name__}, expected trainability.api.Source"
    if dataset.classes < 2 or len(dataset.class_names) != dataset.classes:
        yield f"there are {len(dataset.class_names)} class_names for {dataset.classes} classes"
    if not 1 <= len(shape) <= LONGEST or not all(isinstance(n, int) and n > 0 for n in shape):
        yield f"image_shape is {shape!r}, expected one to three whole numbers from 1"
    if not isinstance(dataset.levels, int) or dataset.levels < 1:
        yield f"levels is {dataset.levels!r}, not a whole number from 1"
    if dataset.feature_count != math.prod(shape):
        yield f"feature_count is {dataset.feature_count}, image_shape {shape} has {math.prod(shape)} numbers"
    if dataset.pictured and len(shape) == 1:
        yield f"pictured is true, but image_shape {shape} has neither rows nor columns"


def published(opened: Opened) -> Iterator[str]:
    """As many examples are read as it says."""
    found, source = opened.published, opened.dataset.source
    for name, count in (("train", source.train), ("test", source.test)):
        images, labels = (len(getattr(found, f"{name}_{kind}")) for kind in ("images", "labels"))
        if (images, labels) != (count, count):
            yield f"{images} {name} images and {labels} labels were read, source says {count}"


def splits(opened: Opened) -> Iterator[str]:
    """The splits are disjoint and as large as promised."""
    dataset, found = opened.dataset, opened.splits
    sizes = {name: len(getattr(found, f"{name}_labels")) for name in NAMES}
    for name, size in sizes.items():
        images = len(getattr(found, f"{name}_images"))
        if images != size or not size:
            yield f"{name} has {images} images and {size} labels"
    promised = {"train": dataset.train_size, "validation": dataset.validation_examples}
    for name, size in promised.items():
        if sizes[name] != size:
            yield f"{name} has {sizes[name]} examples, its parameters say {size}"
    most = dataset.source.train + dataset.source.test
    if sum(sizes.values()) > most:
        yield f"the splits have {sum(sizes.values())} examples together, of {most}: they overlap"


def examples(opened: Opened) -> Iterator[str]:
    """Examples have the shape, type and range that it says, labels are its classes."""
    dataset, found = opened.dataset, opened.splits
    for name in NAMES:
        images, labels = getattr(found, f"{name}_images"), getattr(found, f"{name}_labels")
        if images.dtype not in DTYPES or images.shape[1:] != tuple(dataset.image_shape):
            kinds = " or ".join(np.dtype(kind).name for kind in DTYPES)
            yield (
                f"{name} images are {list(images.shape[1:])} {images.dtype}, "
                f"expected {list(dataset.image_shape)} {kinds}"
            )
        if images.dtype != found.train_images.dtype:
            yield f"{name} images are {images.dtype}, those of training {found.train_images.dtype}"
        if not_finite(images):
            yield f"{name} image {(not_finite(images) or (0,))[0]} has a number that is not finite"
        # Features that are no pixels have no range: levels 1 only says that `unit` leaves them alone.
        if (images.dtype == np.uint8 or dataset.pictured) and not 0 <= images.min() <= images.max() <= dataset.levels:
            worst = images.max() if images.max() > dataset.levels else images.min()
            yield f"a pixel of {name} is {worst}, outside 0 to its {dataset.levels} levels"
        if labels.dtype != np.uint8 or labels.shape != (len(images),):
            yield f"{name} labels are {list(labels.shape)} {labels.dtype}, expected [{len(images)}] uint8"
        if labels.max() >= dataset.classes:
            yield f"a label of {name} is {labels.max()}, more than there are in {dataset.classes} classes from 0"
        if name == "train" and len(np.unique(labels)) != dataset.classes:
            yield f"only {len(np.unique(labels))} of {dataset.classes} classes have training examples"


def deterministic(opened: Opened) -> Iterator[str]:
    """Reading and splitting it again gives the same bits."""
    first, second = opened.splits, opened.dataset.split(opened.read())
    for field in fields(first):
        if not same(getattr(first, field.name), getattr(second, field.name)):
            yield f"{field.name} are others the second time"


def sequence(opened: Opened) -> Iterator[str]:
    """If it is generated, more examples begin with the same ones as fewer."""
    if not isinstance(opened.dataset, Synthetic):
        return
    most = min(20, opened.dataset.total)
    (few, few_labels), (more, more_labels) = (opened.dataset.draw(count) for count in (most // 2, most))
    place = farthest(few, more[: most // 2], rtol=1e-5, atol=1e-6)
    if place:
        yield f"{list(place)} is {few[place]} of {most // 2} drawn examples and {more[place]} of {most}"
    elif not same(few_labels, more_labels[: most // 2]):
        yield f"labels of the first {most // 2} examples are others where {most} are drawn"


STAGES = ((facts,), (published,), (splits, examples, deterministic, sequence))
