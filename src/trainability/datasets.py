"""Data sets: what they are, how they are split once and for all, and the checked copy that every cell reads.

Pixels stay uint8 here, from 0 to `levels`; preprocessing comes later. The split belongs to the data set and
not to a run: no seed of a run changes it. The Snakefile reads this module, so torch, torchvision and
scikit-learn are imported only by the functions of `raw_files` that need them, when they run.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.random import PCG64
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from trainability import raw_cifar, raw_files
from trainability.files import CorruptFileError, load_arrays, load_json, save_arrays, save_json
from trainability.raw_files import Bytes, Published, Source
from trainability.registry import Component, Registry

SPLIT_SEED = 231  # the one seed of every split; to change it is to make other data sets
Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Splits:
    """Images uint8 [n, *image_shape] and labels uint8 [n] of the three disjoint splits."""

    train_images: Bytes
    train_labels: Bytes
    validation_images: Bytes
    validation_labels: Bytes
    test_images: Bytes
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
    """Labelled images in a fixed split into training, validation and test examples.

    The published test set is used as it is. Validation is carved from the published training set, stratified
    by class. The rest is shuffled and `train_examples` keeps the first so many of it: a smaller training set
    is a random part of every larger one, and validation and test stay the same.
    """

    source: ClassVar[Source]
    classes: ClassVar[int] = raw_files.CLASSES
    levels: ClassVar[int] = 255  # largest possible pixel value
    image_shape: ClassVar[tuple[int, ...]]
    class_names: ClassVar[tuple[str, ...]]
    carved_test: ClassVar[int] = 0  # test examples to carve out first, where no test set is published

    train_examples: Annotated[int, Field(ge=1)] | None = None
    validation_examples: Annotated[int, Field(ge=1)] = 5000

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


@DATASETS.register
class Digits(Dataset):
    """1797 handwritten digits of 8x8 pixels from 0 to 16 (Alpaydin & Kaynak 1998), part of scikit-learn.

    No test set is published: 360 test and by default 285 validation examples leave 1152 = 36 batches of 32.
    """

    source: ClassVar[Source] = raw_files.DIGITS
    levels: ClassVar[int] = 16
    image_shape: ClassVar[tuple[int, ...]] = (8, 8)
    class_names: ClassVar[tuple[str, ...]] = tuple("0123456789")
    carved_test: ClassVar[int] = 360

    name: Literal["digits"] = "digits"
    validation_examples: Annotated[int, Field(ge=1)] = 285


@DATASETS.register
class FashionMnist(Dataset):
    """60000 + 10000 grey pictures of clothes, 28x28 (Xiao et al. 2017, arXiv 1708.07747)."""

    source: ClassVar[Source] = raw_files.FASHION_MNIST
    image_shape: ClassVar[tuple[int, ...]] = (28, 28)
    class_names: ClassVar[tuple[str, ...]] = (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    )  # fmt: skip

    name: Literal["fashion_mnist"] = "fashion_mnist"


@DATASETS.register
class Mnist(Dataset):
    """60000 + 10000 handwritten digits, grey, 28x28 (LeCun et al. 1998).

    The hash of its decoded arrays is not pinned, only those of its files, and is recorded in the manifest.
    """

    source: ClassVar[Source] = raw_files.MNIST
    image_shape: ClassVar[tuple[int, ...]] = (28, 28)
    class_names: ClassVar[tuple[str, ...]] = tuple("0123456789")

    name: Literal["mnist"] = "mnist"


@DATASETS.register
class Cifar10(Dataset):
    """50000 + 10000 colour pictures of animals and vehicles, 32x32 in red, green, blue (Krizhevsky 2009).

    The hash of its decoded arrays is not pinned, only those of its files, and is recorded in the manifest.
    """

    source: ClassVar[Source] = raw_cifar.CIFAR10
    image_shape: ClassVar[tuple[int, ...]] = (32, 32, 3)
    class_names: ClassVar[tuple[str, ...]] = (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    )  # fmt: skip

    name: Literal["cifar10"] = "cifar10"


def prepare(dataset: Dataset, out: Path, folder: Path | None, download_to: Path) -> None:
    """Read, check and split a data set, and write `out`/splits.npz and then its manifest, `out`/dataset.json.

    Both are written whole or not at all, the manifest last. Raises CorruptFileError as `Dataset.splits` does.
    """
    published = dataset.source.read(folder, download_to)
    splits = dataset.split(published)
    labels = {
        "train": splits.train_labels,
        "validation": splits.validation_labels,
        "test": splits.test_labels,
    }
    arrays = {field.name: getattr(splits, field.name) for field in fields(splits)}
    manifest: dict[str, Any] = {
        "name": dataset.name,
        "label": dataset.label,
        "parameters": dataset.model_dump(exclude={"name"}),
        "classes": dataset.classes,
        "class_names": dataset.class_names,
        "levels": dataset.levels,
        "image_shape": dataset.image_shape,
        "sizes": {split: len(of) for split, of in labels.items()},
        "class_counts": {split: np.bincount(of, minlength=dataset.classes).tolist() for split, of in labels.items()},
        "sources": published.sources,
        "decoded_sha256": published.sha256,
        "arrays": save_arrays(out / "splits.npz", arrays),
    }
    save_json(out / "dataset.json", manifest)


def load(out: Path) -> tuple[dict[str, Any], Splits]:
    """Read back what `prepare` wrote: the manifest and the splits, whose size and SHA-256 are checked."""
    manifest = load_json(out / "dataset.json")
    try:
        return manifest, Splits(**load_arrays(manifest["arrays"], out))
    except (KeyError, TypeError) as error:
        problem = f"{out / 'dataset.json'} does not describe a data set ({error!r})"
        raise CorruptFileError(f"{problem}. Delete the folder {out} and run snakemake.") from None
