"""Input preprocessing: maps of the features, fitted on the training split and on nothing else.

`fit` sees training features only, and the map that it returns is applied alike to the three splits. Nothing beyond
NumPy is imported: the Snakefile reads this module at every start. The arithmetic is in `moments`, which says what a
null direction is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from trainability import moments
from trainability.maps import Map
from trainability.moments import Array, Values
from trainability.registry import Component, Registry


class Preprocessing(Component):
    """What happens to the pixels before the network sees them."""

    keeps_image: ClassVar[bool] = True  # whether what comes out are the image's own pixels, each in its place

    def fit(self, train: Values, levels: int, channels: int = 1) -> Map:
        """The map for raw training pixels `train` [n, d], n >= 1, that may range from 0 to `levels`.

        The channels of a pixel follow each other: entry i of an example belongs to channel i % `channels`.
        """
        raise NotImplementedError

    def impossible(self, features: int) -> str:
        """Why examples of so many features cannot be preprocessed in this way; nothing if they can."""
        return ""


PREPROCESSINGS: Registry[Preprocessing] = Registry("preprocessing", Preprocessing, required=("fit",))


@PREPROCESSINGS.register
class Raw(Preprocessing):
    """x: pixel values as they come, all positive and up to 255."""

    formula = r"y = x"
    reference = 'LeCun et al. 1998, "Efficient BackProp", section 4.3, on why inputs of one sign slow learning'

    name: Literal["raw"] = "raw"

    def fit(self, train: Values, levels: int, channels: int = 1) -> Map:
        return Map(np.zeros(train.shape[1]), scale=np.ones(train.shape[1]))


@PREPROCESSINGS.register
class Unit(Preprocessing):
    """x / levels: into [0, 1], where nothing is fitted."""

    formula = r"y = \frac{x}{\mathrm{levels}}"
    reference = "torchvision.transforms.ToTensor"

    name: Literal["unit"] = "unit"

    def fit(self, train: Values, levels: int, channels: int = 1) -> Map:
        return Map(np.zeros(train.shape[1]), scale=np.full(train.shape[1], 1.0 / levels))


@PREPROCESSINGS.register
class Center(Preprocessing):
    """x - mean image (Krizhevsky et al. 2012, section 2); with values "unit" then divided by levels."""

    formula = r"y = x - \bar{x}"
    reference = (
        "Krizhevsky, Sutskever & Hinton 2012, "
        '"ImageNet classification with deep convolutional neural networks", section 2'
    )

    name: Literal["center"] = "center"
    values: Literal["raw", "unit"] = "raw"

    def fit(self, train: Values, levels: int, channels: int = 1) -> Map:
        scale = 1.0 if self.values == "raw" else 1.0 / levels
        return Map(moments.mean(train), scale=np.full(train.shape[1], scale))


@PREPROCESSINGS.register
class Standardize(Preprocessing):
    """(x - mean) / std of each feature (LeCun et al. 1998, "Efficient BackProp", section 4.3).

    std is the population's, divided by n. A feature that is constant in training becomes 0 in all splits.
    """

    formula = r"y_j = \frac{x_j - \bar{x}_j}{\sigma_j}"
    reference = 'LeCun et al. 1998, "Efficient BackProp", section 4.3'

    name: Literal["standardize"] = "standardize"

    def fit(self, train: Values, levels: int, channels: int = 1) -> Map:
        mean = moments.mean(train)
        return Map(mean, scale=moments.reciprocal(np.sqrt(moments.variance(train, mean))))


@PREPROCESSINGS.register
class ChannelStandardize(Preprocessing):
    """(x - mean) / std with one mean and one std for each colour, over all examples and pixels.

    It is what torchvision's Normalize is given for CIFAR-10 and ImageNet. Images without colours, and vectors, have
    one channel. std is the population's; a channel that is constant in training becomes 0 in all splits.
    """

    formula: ClassVar[str] = r"\frac{x_{pc} - \mu_c}{\sigma_c}"
    reference: ClassVar[str] = "torchvision.transforms.Normalize"

    name: Literal["channel_standardize"] = "channel_standardize"

    def fit(self, train: Values, levels: int, channels: int = 1) -> Map:
        pixels = train.shape[1] // channels
        mean = np.tile(moments.mean(moments.mean(train).reshape(pixels, channels)), pixels)
        spread = np.sqrt(moments.variance(train, mean).reshape(pixels, channels).mean(axis=0))
        return Map(mean, scale=np.tile(moments.reciprocal(spread), pixels))


@PREPROCESSINGS.register
class MinMax(Preprocessing):
    """(2 x - max - min) / (max - min) of each feature, so that training values span [-1, 1].

    Other splits may leave that range. A feature that is constant in training becomes 0 in all splits.
    """

    formula = r"y_j = \frac{2 \, x_j - \mathrm{max}_j - \mathrm{min}_j}{\mathrm{max}_j - \mathrm{min}_j}"
    reference = "sklearn.preprocessing.MinMaxScaler with the range from -1 to 1"

    name: Literal["minmax"] = "minmax"

    def fit(self, train: Values, levels: int, channels: int = 1) -> Map:
        low, high = (extreme(axis=0).astype(np.float64) for extreme in (train.min, train.max))
        return Map(low + (high - low) / 2, scale=2 * moments.reciprocal(high - low))


class _Principal(Preprocessing):
    """Uses the leading directions of the covariance; at most `components` of them, where that is given."""

    components: Annotated[int, Field(ge=1)] | None = None

    def impossible(self, features: int) -> str:
        if self.components is None or self.components <= features:
            return ""
        return f"{self.label}: an example has {features} features, no more can be kept"

    def leading(self, train: Values) -> tuple[Array, Array, Array]:
        """Mean [d], eigenvalues [r] and eigenvectors [d, r] of the directions that `components` allows.

        Raises ValueError if more components are asked for than there are features.
        """
        if problem := self.impossible(train.shape[1]):
            raise ValueError(problem)
        mean = moments.mean(train)
        values, vectors = moments.eigen(moments.covariance(train, mean))
        return mean, values[: self.components], vectors[:, : self.components]


@PREPROCESSINGS.register
class Pca(_Principal):
    """(x - mean) @ V, V the leading eigenvectors of the covariance (Pearson 1901; Hotelling 1933).

    V has the fewest columns that keep the share `variance` of the training variance, or `components` columns
    (fewer where the data have a smaller rank). Giving both is a validation error.
    """

    formula = r"y = V^{\mathrm{T}} (x - \bar{x})"
    reference = (
        'Pearson 1901, "On lines and planes of closest fit"; '
        'Hotelling 1933, "Analysis of a complex of statistical variables into principal components"'
    )

    keeps_image: ClassVar[bool] = False

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

    def fit(self, train: Values, levels: int, channels: int = 1) -> Map:
        mean, values, vectors = self.leading(train)
        if self.components is None and values.size:
            kept = np.cumsum(values)
            vectors = vectors[:, : 1 + np.searchsorted(kept, self.variance * kept[-1])]
        return _projection(mean, vectors)


class _Whitening(_Principal):
    epsilon: Annotated[float, Field(ge=0)] = 1e-5

    def whitener(self, train: Values) -> tuple[Array, Array, Array]:
        """Mean [d], eigenvectors V [d, r] and factors [r]: 1 / sqrt(eigenvalue + epsilon * largest)."""
        mean, values, vectors = self.leading(train)
        return mean, vectors, 1 / np.sqrt(values + self.epsilon * values.max(initial=0.0))


@PREPROCESSINGS.register
class PcaWhiten(_Whitening):
    """(x - mean) @ V diag(1 / sqrt(eigenvalue + epsilon * largest)), V the eigenvectors of the covariance.

    The training covariance becomes I for epsilon 0, else diag(eigenvalue / (eigenvalue + epsilon * largest))
    (Kessy, Lewin & Strimmer 2018, "Optimal whitening and decorrelation"). Null directions are dropped.
    """

    formula = r"y = (\Lambda + \varepsilon \lambda_1 I)^{-1/2} \, V^{\mathrm{T}} (x - \bar{x})"
    reference = "Kessy, Lewin & Strimmer 2018, arXiv 1512.00809"

    keeps_image: ClassVar[bool] = False

    name: Literal["pca_whiten"] = "pca_whiten"

    def fit(self, train: Values, levels: int, channels: int = 1) -> Map:
        mean, vectors, factors = self.whitener(train)
        return _projection(mean, vectors * factors)


@PREPROCESSINGS.register
class ZcaWhiten(_Whitening):
    """PCA whitening rotated back into the image space: (x - mean) @ V diag(..) V^T (Bell & Sejnowski 1997).

    Of all whitenings it changes the centred images least (Kessy et al. 2018). Null directions map to 0.
    """

    formula = r"y = V \, (\Lambda + \varepsilon \lambda_1 I)^{-1/2} \, V^{\mathrm{T}} (x - \bar{x})"
    reference = (
        'Bell & Sejnowski 1997, "The independent components of natural scenes are edge filters"; '
        "Kessy, Lewin & Strimmer 2018, arXiv 1512.00809"
    )

    name: Literal["zca_whiten"] = "zca_whiten"

    def fit(self, train: Values, levels: int, channels: int = 1) -> Map:
        mean, vectors, factors = self.whitener(train)
        return Map(mean, matrix=(vectors * factors) @ vectors.T)


def _projection(mean: Array, matrix: Array) -> Map:
    """The map onto the columns of matrix [d, r]; one feature that is always 0 if r = 0."""
    return Map(mean, matrix=matrix if matrix.size else np.zeros((len(mean), 1)))


@PREPROCESSINGS.register
class Contrast(Preprocessing):
    """(x - mean) / sqrt(variance + epsilon) of each image by itself (Coates, Ng & Lee 2011, section 3.1).

    Mean and variance are over all pixels and colours of the one image; nothing is fitted, and it is no affine map of
    the pixels. `epsilon` is for pixels from 0 to 255 and scaled to other levels. With `zca` the result is whitened as
    by `zca_whiten` with that epsilon, which is what the paper does.
    """

    formula: ClassVar[str] = r"\frac{x_i - \bar{x}_i}{\sqrt{\mathrm{var}(x_i) + \epsilon}}"
    reference: ClassVar[str] = "Coates, Ng & Lee 2011, An analysis of single-layer networks, section 3.1"

    name: Literal["contrast"] = "contrast"
    epsilon: Annotated[float, Field(gt=0)] = 10.0
    zca: Annotated[float, Field(ge=0)] | None = None

    def fit(self, train: Values, levels: int, channels: int = 1) -> Map:
        features, contrast = train.shape[1], np.array([self.epsilon * (levels / 255) ** 2])
        alone = Map(np.zeros(features), scale=np.ones(features), contrast=contrast)
        if self.zca is None:
            return alone
        return replace(ZcaWhiten(epsilon=self.zca).fit(alone.stored(train), levels), contrast=contrast)
