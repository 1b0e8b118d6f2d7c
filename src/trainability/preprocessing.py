"""Input preprocessing: affine maps of the pixels, fitted on the training split and on nothing else.

`fit` sees training pixels only, and the map that it returns is applied alike to the three splits. Arithmetic
is float64 and goes through the examples in blocks, so that 50000 colour images need a few GB; what is stored
is float32. Nothing beyond NumPy is imported: the Snakefile reads this module at every start.

Eigenvectors are those of the d x d covariance (divided by n). A direction is *null* if its eigenvalue is at
most NULL times the largest: the training data do not vary along it beyond rounding, LAPACK chooses it freely,
and it is never kept. The largest entry of each eigenvector is positive, so that nothing is left to LAPACK's
choice as long as the eigenvalues are distinct.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from trainability import datasets
from trainability.files import CorruptFileError, load_arrays, load_json, save_arrays, save_json
from trainability.registry import Component, Registry

Array = NDArray[np.float64]
NULL = 1e-10  # far above the rounding of an eigenvalue (about d x 2e-16), far below any variance that matters
BLOCK = 4096  # examples that are in work at a time: 100 MB of 32x32 colour images


@dataclass(frozen=True, eq=False)
class AffineMap:
    """x -> (x - shift) * scale, or (x - shift) @ matrix: exactly one of scale [d] and matrix [d, k] is given.

    Raises ValueError if both or none are.
    """

    shift: Array
    scale: Array | None = None
    matrix: Array | None = None

    def __post_init__(self) -> None:
        if (self.scale is None) == (self.matrix is None):
            raise ValueError("an affine map takes either a scale or a matrix")

    def __call__(self, x: NDArray[Any]) -> Array:
        """Map examples [n, d] to float64 [n, k], where k = d for a scale."""
        return self.linear(x - self.shift)

    def linear(self, x: Array) -> Array:
        """The map without its shift, on any rows [m, d]."""
        if self.matrix is not None:
            return np.asarray(x @ self.matrix)
        assert self.scale is not None  # by __post_init__
        return x * self.scale


@dataclass(frozen=True, eq=False)
class Arrays:
    """The preprocessed splits: float32 [n, k] and int64 labels [n]."""

    train_x: NDArray[np.float32]
    train_y: NDArray[np.int64]
    validation_x: NDArray[np.float32]
    validation_y: NDArray[np.int64]
    test_x: NDArray[np.float32]
    test_y: NDArray[np.int64]


class Preprocessing(Component):
    """What happens to the pixels before the network sees them."""

    def fit(self, train: Array, levels: int) -> AffineMap:
        """The map for raw training pixels `train` [n, d], n >= 1, that may range from 0 to `levels`."""
        raise NotImplementedError


PREPROCESSINGS: Registry[Preprocessing] = Registry("preprocessing", Preprocessing, required=("fit",))


@PREPROCESSINGS.register
class Raw(Preprocessing):
    """x: pixel values as they come, all positive and up to 255."""

    name: Literal["raw"] = "raw"

    def fit(self, train: Array, levels: int) -> AffineMap:
        return AffineMap(np.zeros(train.shape[1]), scale=np.ones(train.shape[1]))


@PREPROCESSINGS.register
class Unit(Preprocessing):
    """x / levels: into [0, 1], where nothing is fitted."""

    name: Literal["unit"] = "unit"

    def fit(self, train: Array, levels: int) -> AffineMap:
        return AffineMap(np.zeros(train.shape[1]), scale=np.full(train.shape[1], 1.0 / levels))


@PREPROCESSINGS.register
class Center(Preprocessing):
    """x - mean image (Krizhevsky et al. 2012, section 2); with values "unit" then divided by levels."""

    name: Literal["center"] = "center"
    values: Literal["raw", "unit"] = "raw"

    def fit(self, train: Array, levels: int) -> AffineMap:
        scale = 1.0 if self.values == "raw" else 1.0 / levels
        return AffineMap(_mean(train), scale=np.full(train.shape[1], scale))


@PREPROCESSINGS.register
class Standardize(Preprocessing):
    """(x - mean) / std of each feature (LeCun et al. 1998, "Efficient BackProp", section 4.3).

    std is the population's, divided by n. A feature that is constant in training becomes 0 in all splits.
    """

    name: Literal["standardize"] = "standardize"

    def fit(self, train: Array, levels: int) -> AffineMap:
        mean = _mean(train)
        squares = sum(((block - mean) ** 2).sum(axis=0) for block in _blocks(train))
        return AffineMap(mean, scale=_reciprocal(np.sqrt(squares / len(train))))


@PREPROCESSINGS.register
class MinMax(Preprocessing):
    """(2 x - max - min) / (max - min) of each feature, so that training values span [-1, 1].

    Other splits may leave that range. A feature that is constant in training becomes 0 in all splits.
    """

    name: Literal["minmax"] = "minmax"

    def fit(self, train: Array, levels: int) -> AffineMap:
        low, high = train.min(axis=0), train.max(axis=0)
        return AffineMap(low + (high - low) / 2, scale=2 * _reciprocal(high - low))


class _Principal(Preprocessing):
    """Uses the leading directions of the covariance; at most `components` of them, where that is given."""

    components: Annotated[int, Field(ge=1)] | None = None

    def leading(self, train: Array) -> tuple[Array, Array, Array]:
        """Mean [d], eigenvalues [r] and eigenvectors [d, r] of the directions that `components` allows.

        Raises ValueError if more components are asked for than there are features.
        """
        features = train.shape[1]
        if self.components is not None and self.components > features:
            raise ValueError(f"{self.label}: an example has {features} features, no more can be kept")
        mean = _mean(train)
        values, vectors = _eigen(_covariance(train, mean))
        return mean, values[: self.components], vectors[:, : self.components]


@PREPROCESSINGS.register
class Pca(_Principal):
    """(x - mean) @ V, V the leading eigenvectors of the covariance (Pearson 1901; Hotelling 1933).

    V has the fewest columns that keep the share `variance` of the training variance, or `components` columns
    (fewer where the data have a smaller rank). Giving both is a validation error.
    """

    name: Literal["pca"] = "pca"
    variance: Annotated[float, Field(gt=0, le=1)] = 0.95

    @model_validator(mode="after")
    def _one_criterion(self) -> Self:
        if self.components is not None and "variance" in self.model_fields_set:
            raise PydanticCustomError(
                "two_criteria",
                "give variance or components, not both: each decides alone how many components are kept",
            )
        return self

    @model_serializer(mode="wrap")
    def _without_idle_variance(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the default `variance` that `components` overrides: what is written can be read again."""
        content: dict[str, Any] = plain(self)
        if self.components is not None:
            content.pop("variance", None)
        return content

    def fit(self, train: Array, levels: int) -> AffineMap:
        mean, values, vectors = self.leading(train)
        if self.components is None and values.size:
            kept = np.cumsum(values)
            vectors = vectors[:, : 1 + np.searchsorted(kept, self.variance * kept[-1])]
        return _projection(mean, vectors)


class _Whitening(_Principal):
    epsilon: Annotated[float, Field(ge=0)] = 1e-5

    def whitener(self, train: Array) -> tuple[Array, Array, Array]:
        """Mean [d], eigenvectors V [d, r] and factors [r]: 1 / sqrt(eigenvalue + epsilon * largest)."""
        mean, values, vectors = self.leading(train)
        return mean, vectors, 1 / np.sqrt(values + self.epsilon * values.max(initial=0.0))


@PREPROCESSINGS.register
class PcaWhiten(_Whitening):
    """(x - mean) @ V diag(1 / sqrt(eigenvalue + epsilon * largest)), V the eigenvectors of the covariance.

    The training covariance becomes I for epsilon 0, else diag(eigenvalue / (eigenvalue + epsilon * largest))
    (Kessy, Lewin & Strimmer 2018, "Optimal whitening and decorrelation"). Null directions are dropped.
    """

    name: Literal["pca_whiten"] = "pca_whiten"

    def fit(self, train: Array, levels: int) -> AffineMap:
        mean, vectors, factors = self.whitener(train)
        return _projection(mean, vectors * factors)


@PREPROCESSINGS.register
class ZcaWhiten(_Whitening):
    """PCA whitening rotated back into the image space: (x - mean) @ V diag(..) V^T (Bell & Sejnowski 1997).

    Of all whitenings it changes the centred images least (Kessy et al. 2018). Null directions map to 0.
    """

    name: Literal["zca_whiten"] = "zca_whiten"

    def fit(self, train: Array, levels: int) -> AffineMap:
        mean, vectors, factors = self.whitener(train)
        return AffineMap(mean, matrix=(vectors * factors) @ vectors.T)


def statistics(fitted: AffineMap, before: NDArray[Any], after: NDArray[Any]) -> dict[str, Any]:
    """What was fitted and what came out, ready for JSON, of training data `before` [n, d] and `after` [n, k].

    `mean` and `std` are over all entries of `after`. `kept_variance` is the share of the variance of `before`
    that the best linear reconstruction from `after` recovers; for PCA, the share of the kept eigenvalues. The
    spectra leave out null directions (see the module's docstring). What is undefined is None: a share or a
    condition number of data that do not vary.
    """
    covariance = _covariance(before, _mean(before))
    mean_after = _mean(after)
    covariance_after = _covariance(after, mean_after)
    values, vectors = _eigen(covariance_after)
    variances, total = np.diagonal(covariance), float(np.trace(covariance))
    # tr(Cov_xz Cov_zz^-1 Cov_zx) / tr(Cov_xx), as a sum over the output's principal components
    recovered = ((fitted.linear(covariance) @ vectors) ** 2 / values).sum()
    return {
        "examples": len(before),
        "input_features": before.shape[1],
        "output_features": after.shape[1],
        "constant_features": int((variances == 0).sum()),
        "kept_variance": min(1.0, float(recovered) / total) if total else None,
        "mean": float(mean_after.mean()),
        "std": float(np.sqrt(np.diagonal(covariance_after).mean() + mean_after.var())),
        "null_below": NULL,
        "before": _spectrum(np.linalg.eigvalsh(covariance)),
        "after": _spectrum(values),
    }


def prepare(preprocessing: Preprocessing, dataset_dir: Path, out: Path) -> None:
    """Fit on the training split, map all splits, and write arrays.npz, map.npz and, last, preprocessing.json.

    `dataset_dir` is what `datasets.prepare` wrote. Raises CorruptFileError if it is damaged, and ValueError
    if more components are asked for than an image has values.
    """
    dataset, splits = datasets.load(dataset_dir)
    pixels = _flat(splits.train_images)
    fitted = preprocessing.fit(pixels.astype(np.float64), dataset["levels"])
    arrays = Arrays(
        train_x=_mapped(fitted, pixels),
        train_y=splits.train_labels.astype(np.int64),
        validation_x=_mapped(fitted, _flat(splits.validation_images)),
        validation_y=splits.validation_labels.astype(np.int64),
        test_x=_mapped(fitted, _flat(splits.test_images)),
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
        "image_shape": dataset["image_shape"],
        "statistics": statistics(fitted, pixels, arrays.train_x),
        "arrays": save_arrays(out / "arrays.npz", vars(arrays)),
        "map": save_arrays(out / "map.npz", parts),
    }
    save_json(out / "preprocessing.json", manifest)


def load(out: Path) -> tuple[dict[str, Any], Arrays]:
    """Read the manifest and the arrays that `prepare` wrote; raises CorruptFileError if they do not match."""
    manifest = load_json(out / "preprocessing.json")
    with _described_by(out):
        return manifest, Arrays(**load_arrays(manifest["arrays"], out))


def load_map(out: Path) -> AffineMap:
    """Read the fitted map that `prepare` wrote; raises CorruptFileError as `load` does."""
    manifest = load_json(out / "preprocessing.json")
    with _described_by(out):
        return AffineMap(**load_arrays(manifest["map"], out))


@contextmanager
def _described_by(out: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        problem = f"{out / 'preprocessing.json'} does not describe preprocessed data ({error!r})"
        raise CorruptFileError(f"{problem}. Delete the folder {out} and run snakemake.") from None


def _flat(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[n, *image_shape] as [n, d]."""
    return images.reshape(len(images), -1)


def _blocks(x: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (x[start : start + BLOCK] for start in range(0, len(x), BLOCK))


def _mapped(fitted: AffineMap, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The map of pixels [n, d], rounded to float32 [n, k]."""
    features = len(fitted.shift) if fitted.matrix is None else fitted.matrix.shape[1]
    mapped = np.empty((len(pixels), features), dtype=np.float32)
    for block, into in zip(_blocks(pixels), _blocks(mapped), strict=True):
        into[...] = fitted(block)
    return mapped


def _mean(x: NDArray[Any]) -> Array:
    """Mean [d] of x [n, d]; of a constant feature its very value, so that centring leaves exactly 0."""
    first: Array = x[0].astype(np.float64)
    deviations = np.sum([(block - first).sum(axis=0) for block in _blocks(x)], axis=0)
    return np.asarray(first + deviations / len(x))


def _covariance(x: NDArray[Any], mean: Array) -> Array:
    """Covariance [d, d] of x [n, d] around its mean [d], divided by n; exactly 0 for a constant feature."""
    total = np.zeros((x.shape[1], x.shape[1]))
    for block in _blocks(x):
        centred = block - mean
        total += centred.T @ centred
    return total / len(x)


def _reciprocal(spread: Array) -> Array:
    """1 / spread, and 0 for features without spread (or with one so small that 1 / spread is infinite)."""
    varies = spread > np.finfo(np.float64).tiny
    return np.divide(1.0, spread, out=np.zeros_like(spread), where=varies)


def _eigen(covariance: Array) -> tuple[Array, Array]:
    """Eigenvalues [r], descending, and eigenvectors [d, r] of the directions that are not null."""
    values, vectors = np.linalg.eigh(covariance)
    varied = _not_null(values)
    values, vectors = values[varied][::-1], vectors[:, varied][:, ::-1]
    size = np.abs(vectors)
    # Entries that are equal but for rounding count as equal: the first of them decides the sign.
    deciding = np.argmax(size >= size.max(axis=0) * (1 - 1e-9), axis=0)
    return values, vectors * np.sign(vectors[deciding, np.arange(len(values))])


def _not_null(values: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    return np.asarray(values > NULL * values.max(initial=0.0))


def _projection(mean: Array, matrix: Array) -> AffineMap:
    """The map onto the columns of matrix [d, r]; one feature that is always 0 if r = 0."""
    return AffineMap(mean, matrix=matrix if matrix.size else np.zeros((len(mean), 1)))


def _spectrum(values: NDArray[np.floating[Any]]) -> dict[str, float | int | None]:
    """Rank, extreme eigenvalues and their ratio, without null directions; None if there is no other."""
    varied = values[_not_null(values)]
    largest, smallest = (float(varied.max()), float(varied.min())) if varied.size else (None, None)
    return {
        "rank": len(varied),
        "largest_eigenvalue": largest,
        "smallest_eigenvalue": smallest,
        "condition_number": largest / smallest if largest and smallest else None,
    }
