"""Preprocessed data: made from a prepared data set, described, written, and read by what trains and draws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainability import datasets, moments
from trainability.files import CorruptFileError
from trainability.manifests import load_arrays, load_json, save_arrays, save_json
from trainability.maps import Map
from trainability.moments import Values
from trainability.preprocessing import Preprocessing


@dataclass(frozen=True, eq=False)
class Arrays:
    """The preprocessed splits: float32 [n, k] and int64 labels [n]."""

    train_x: NDArray[np.float32]
    train_y: NDArray[np.int64]
    validation_x: NDArray[np.float32]
    validation_y: NDArray[np.int64]
    test_x: NDArray[np.float32]
    test_y: NDArray[np.int64]


def statistics(before: Values, after: Values) -> dict[str, Any]:
    """What went in and what came out, ready for JSON, of training data `before` [n, d] and `after` [n, k].

    `mean` and `std` are over all entries of `after`. `kept_variance` is the share of the variance of `before`
    that the best linear reconstruction from `after` recovers; for PCA, the share of the kept eigenvalues. The
    spectra leave out null directions (see `moments`). What is undefined is None: a share or a condition number of
    data that do not vary.
    """
    mean_before, mean_after = moments.mean(before), moments.mean(after)
    covariance, covariance_after = moments.covariance(before, mean_before), moments.covariance(after, mean_after)
    values, vectors = moments.eigen(covariance_after)
    variances, total = np.diagonal(covariance), float(np.trace(covariance))
    # tr(Cov_xz Cov_zz^-1 Cov_zx) / tr(Cov_xx), as a sum over the output's principal components
    cross = moments.cross_covariance(before, mean_before, after, mean_after)
    recovered = ((cross @ vectors) ** 2 / values).sum()
    return {
        "examples": len(before),
        "input_features": before.shape[1],
        "output_features": after.shape[1],
        "constant_features": int((variances == 0).sum()),
        "kept_variance": min(1.0, float(recovered) / total) if total else None,
        "mean": float(mean_after.mean()),
        "std": float(np.sqrt(np.diagonal(covariance_after).mean() + mean_after.var())),
        "null_below": moments.NULL,
        "before": moments.spectrum(np.linalg.eigvalsh(covariance)),
        "after": moments.spectrum(values),
    }


def prepare(preprocessing: Preprocessing, dataset_dir: Path, out: Path) -> None:
    """Fit on the training split, map all splits, and write arrays.npz, map.npz and, last, preprocessing.json.

    `dataset_dir` is what `datasets.prepare` wrote. Raises CorruptFileError if it is damaged, and ValueError
    if more components are asked for than an example has features.
    """
    dataset, splits = datasets.load(dataset_dir)
    shape = dataset["image_shape"]
    pixels = _flat(splits.train_images)
    fitted = preprocessing.fit(pixels, dataset["levels"], shape[2] if len(shape) == 3 else 1)
    arrays = Arrays(
        train_x=fitted.stored(pixels),
        train_y=splits.train_labels.astype(np.int64),
        validation_x=fitted.stored(_flat(splits.validation_images)),
        validation_y=splits.validation_labels.astype(np.int64),
        test_x=fitted.stored(_flat(splits.test_images)),
        test_y=splits.test_labels.astype(np.int64),
    )
    parts = {name: part for name, part in vars(fitted).items() if part is not None}
    manifest = {
        "name": preprocessing.name,
        "label": preprocessing.label,
        "parameters": preprocessing.model_dump(mode="json", exclude={"name"}),
        "dataset": dataset["label"],
        "dataset_sha256": dataset["decoded_sha256"],
        "classes": dataset["classes"],
        "image_shape": shape,
        "keeps_image": preprocessing.keeps_image,
        "statistics": statistics(pixels, arrays.train_x),
        "arrays": save_arrays(out / "arrays.npz", vars(arrays)),
        "map": save_arrays(out / "map.npz", parts),
    }
    save_json(out / "preprocessing.json", manifest)


def load(out: Path) -> tuple[dict[str, Any], Arrays]:
    """Read the manifest and the arrays that `prepare` wrote; raises CorruptFileError if they do not match."""
    manifest = load_json(out / "preprocessing.json")
    with _described_by(out):
        arrays = Arrays(**load_arrays(manifest["arrays"], out))
        _check(arrays, manifest["classes"])
    return manifest, arrays


def load_map(out: Path) -> Map:
    """Read the fitted map that `prepare` wrote; raises CorruptFileError as `load` does."""
    manifest = load_json(out / "preprocessing.json")
    with _described_by(out):
        return Map(**load_arrays(manifest["map"], out))


@contextmanager
def _described_by(out: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"{out / 'preprocessing.json'} does not describe preprocessed data ({error!r})"
        raise CorruptFileError(f"{problem}. Delete the folder {out} and run snakemake.") from None


def _check(arrays: Arrays, classes: int) -> None:
    """Raise ValueError unless examples and labels belong together and there is none of another class."""
    for split in ("train", "validation", "test"):
        x, y = getattr(arrays, f"{split}_x"), getattr(arrays, f"{split}_y")
        if x.dtype != np.float32 or x.shape != (len(y), arrays.train_x.shape[1]):
            raise ValueError(f"{split}_x is {x.dtype}{list(x.shape)}, beside {len(y)} labels")
        if y.dtype != np.int64 or y.ndim != 1:
            raise ValueError(f"{split}_y is {y.dtype}{list(y.shape)}, not int64 in a row")
        if len(y) and not 0 <= y.min() <= y.max() < classes:
            raise ValueError(f"{split}_y has labels from {y.min()} to {y.max()}, expected 0 to {classes - 1}")


def _flat(images: Values) -> Values:
    """[n, *image_shape] as [n, d]."""
    return images.reshape(len(images), -1)
