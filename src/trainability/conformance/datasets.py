"""What every data set must be. Its files are read as the workflow would read them, into `data/` if they are missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np

from trainability.conformance.comparing import not_finite, same
from trainability.datasets import Dataset
from trainability.raw_files import Published, Source

DTYPES = (np.uint8, np.float32)
NAMES = ("train", "validation", "test")


def facts(dataset: Dataset) -> Iterator[str]:
    """It says where it comes from and what it has."""
    if not isinstance(dataset.source, Source):
        yield f"source is of type {type(dataset.source).__name__}, expected trainability.api.Source"
    if dataset.classes < 2 or len(dataset.class_names) != dataset.classes:
        yield f"there are {len(dataset.class_names)} class_names for {dataset.classes} classes"
    if not dataset.image_shape or not all(isinstance(n, int) and n > 0 for n in dataset.image_shape):
        yield f"image_shape is {dataset.image_shape!r}, expected whole numbers from 1"


def published(dataset: Dataset) -> Iterator[str]:
    """As many examples are read as it says."""
    found, source = _read(dataset), dataset.source
    for name, count in (("train", source.train), ("test", source.test)):
        images, labels = (len(getattr(found, f"{name}_{kind}")) for kind in ("images", "labels"))
        if (images, labels) != (count, count):
            yield f"{images} {name} images and {labels} labels were read, source says {count}"


def splits(dataset: Dataset) -> Iterator[str]:
    """The splits are disjoint and as large as promised."""
    found = dataset.split(_read(dataset))
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


def examples(dataset: Dataset) -> Iterator[str]:
    """Images have the shape and range that it says, labels are its classes."""
    found = dataset.split(_read(dataset))
    for name in NAMES:
        images, labels = getattr(found, f"{name}_images"), getattr(found, f"{name}_labels")
        if images.dtype not in DTYPES or images.shape[1:] != tuple(dataset.image_shape):
            kinds = " or ".join(np.dtype(kind).name for kind in DTYPES)
            yield (
                f"{name} images are {list(images.shape[1:])} {images.dtype}, "
                f"expected {list(dataset.image_shape)} {kinds}"
            )
        if images.dtype == np.uint8 and images.max() > dataset.levels:
            yield f"a pixel of {name} is {images.max()}, more than its {dataset.levels} levels"
        if not_finite(images):
            yield f"{name} image {(not_finite(images) or (0,))[0]} has a number that is not finite"
        if labels.dtype != np.uint8 or labels.shape != (len(images),):
            yield f"{name} labels are {list(labels.shape)} {labels.dtype}, expected [{len(images)}] uint8"
        if labels.max() >= dataset.classes:
            yield f"a label of {name} is {labels.max()}, more than there are in {dataset.classes} classes from 0"
        if name == "train" and len(np.unique(labels)) != dataset.classes:
            yield f"only {len(np.unique(labels))} of {dataset.classes} classes have training examples"


def deterministic(dataset: Dataset) -> Iterator[str]:
    """Reading and splitting it again gives the same bits."""
    first, second = (dataset.split(_read(dataset)) for _ in range(2))
    for field in fields(first):
        if not same(getattr(first, field.name), getattr(second, field.name)):
            yield f"{field.name} are others the second time"


STAGES = ((facts,), (published,), (splits, examples, deterministic))


def _read(dataset: Dataset) -> Published:
    return dataset.source.read(None, Path("data"))
