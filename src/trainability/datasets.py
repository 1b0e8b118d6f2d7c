"""The data sets by name, and the checked copy that every cell reads.

Values stay here as they were published, pixels uint8 from 0 to `levels` and generated features float32;
preprocessing comes later. The Snakefile reads this module, so torch, torchvision and scikit-learn are imported only
by the functions of `raw_files` that need them, when they run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from trainability import raw_cifar, raw_files
from trainability.files import CorruptFileError
from trainability.manifests import load_arrays, load_json, save_arrays, save_json
from trainability.raw_files import Source
from trainability.splits import DATASETS, Dataset, Splits
from trainability.synthetic import Gaussians, Parity, SignalProbe, Spirals

__all__ = [
    "DATASETS",
    "Cifar10",
    "Dataset",
    "Digits",
    "FashionMnist",
    "Gaussians",
    "Mnist",
    "Parity",
    "SignalProbe",
    "Spirals",
    "Splits",
    "load",
    "prepare",
]


@DATASETS.register
class Digits(Dataset):
    """1797 handwritten digits of 8x8 pixels from 0 to 16 (Alpaydin & Kaynak 1998), part of scikit-learn.

    No test set is published: 360 test and by default 285 validation examples leave 1152 = 36 batches of 32.
    """

    source: ClassVar[Source] = raw_files.DIGITS
    levels: ClassVar[int] = 16
    image_shape: ClassVar[tuple[int, ...]] = (8, 8)
    classes: ClassVar[int] = raw_files.CLASSES
    class_names: ClassVar[tuple[str, ...]] = tuple("0123456789")
    carved_test: ClassVar[int] = 360

    reference = (
        'Alpaydin & Kaynak 1998, "Optical recognition of handwritten digits", UCI repository; '
        "sklearn.datasets.load_digits"
    )

    name: Literal["digits"] = "digits"
    validation_examples: Annotated[int, Field(ge=1)] = 285


@DATASETS.register
class FashionMnist(Dataset):
    """60000 + 10000 grey pictures of clothes, 28x28 (Xiao et al. 2017, arXiv 1708.07747)."""

    source: ClassVar[Source] = raw_files.FASHION_MNIST
    image_shape: ClassVar[tuple[int, ...]] = (28, 28)
    classes: ClassVar[int] = raw_files.CLASSES
    class_names: ClassVar[tuple[str, ...]] = (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    )  # fmt: skip

    reference = "Xiao, Rasul & Vollgraf 2017, arXiv 1708.07747"

    name: Literal["fashion_mnist"] = "fashion_mnist"


@DATASETS.register
class Mnist(Dataset):
    """60000 + 10000 handwritten digits, grey, 28x28 (LeCun et al. 1998).

    The hash of its decoded arrays is not pinned, only those of its files, and is recorded in the manifest.
    """

    source: ClassVar[Source] = raw_files.MNIST
    image_shape: ClassVar[tuple[int, ...]] = (28, 28)
    classes: ClassVar[int] = raw_files.CLASSES
    class_names: ClassVar[tuple[str, ...]] = tuple("0123456789")

    reference = 'LeCun et al. 1998, "Gradient-based learning applied to document recognition"'

    name: Literal["mnist"] = "mnist"


@DATASETS.register
class Cifar10(Dataset):
    """50000 + 10000 colour pictures of animals and vehicles, 32x32 in red, green, blue (Krizhevsky 2009).

    The hash of its decoded arrays is not pinned, only those of its files, and is recorded in the manifest.
    """

    source: ClassVar[Source] = raw_cifar.CIFAR10
    image_shape: ClassVar[tuple[int, ...]] = (32, 32, 3)
    classes: ClassVar[int] = raw_files.CLASSES
    class_names: ClassVar[tuple[str, ...]] = (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    )  # fmt: skip

    reference = (
        'Krizhevsky 2009, "Learning multiple layers of features from tiny images", technical report, '
        "University of Toronto"
    )

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
        splits = Splits(**load_arrays(manifest["arrays"], out))
        problem = next(_unlike(manifest, splits), "")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = repr(error)
    if problem:
        path = out / "dataset.json"
        raise CorruptFileError(
            f"{path} does not describe a data set ({problem}). Delete the folder {out} and run snakemake."
        )
    return manifest, splits


def _unlike(manifest: dict[str, Any], splits: Splits) -> Iterator[str]:
    """Where the arrays are not what the manifest says."""
    shape, classes, levels = tuple(manifest["image_shape"]), manifest["classes"], manifest["levels"]
    if not (isinstance(classes, int) and isinstance(levels, int) and isinstance(manifest["label"], str)):
        yield "classes and levels are numbers, the label is text"
    for split, size in manifest["sizes"].items():
        images, labels = getattr(splits, f"{split}_images"), getattr(splits, f"{split}_labels")
        if images.shape != (size, *shape) or images.dtype not in (np.uint8, np.float32):
            yield f"{split}_images are {images.dtype}{list(images.shape)}, expected uint8 or float32{[size, *shape]}"
        if labels.shape != (size,) or labels.dtype != np.uint8:
            yield f"{split}_labels are {labels.dtype}{list(labels.shape)}, expected uint8{[size]}"
        if labels.max(initial=0) >= classes:
            yield f"{split}_labels has the label {labels.max()}, expected 0 to {classes - 1}"
