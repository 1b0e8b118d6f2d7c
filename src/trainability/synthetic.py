"""Generated data whose answer is known, so that claims about inputs can be tested; they need no files."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from trainability.generated import Array, Count, Synthetic
from trainability.raw_files import Bytes, Values
from trainability.splits import DATASETS


@DATASETS.register
class Gaussians(Synthetic):
    """Gaussian classes that share one covariance of a chosen condition number: conditioning, and nothing else.

    x = offset + S (m_y + z), z ~ N(0, I), S = Q diag(sqrt(lambda)). The eigenvalues lambda of the covariance within
    classes fall geometrically from the largest to largest / `condition`, with mean 1; Q is a random rotation, or I if
    not `rotated`: then standardising each feature undoes S. The classes are equally frequent. Their means m_y are
    random orthogonal directions of length separation / sqrt(2), the same distance `separation` apart in units of the
    classes' own spread, so that the best possible accuracy depends on neither condition, rotation nor offset. It is
    the integral of phi(t) Phi(t + separation / sqrt(2))^(classes - 1) over t, reached by a linear classifier; for two
    classes Phi(separation / 2) (Fisher 1936). The means add to the covariance of the inputs: before S it is
    I + separation^2 / (2 classes) P, P a projection, so that its condition number is within a factor of
    1 + separation^2 / (2 classes) of `condition`.
    """

    formula: ClassVar[str] = (
        r"x = c + Q\,\Lambda^{1/2}\,(m_y + z),\quad z \sim N(0, I),\quad \lambda_1 / \lambda_d = \kappa,\quad "
        r"\|m_j - m_k\| = s"
    )
    reference: ClassVar[str] = "Fisher 1936, The use of multiple measurements in taxonomic problems"

    name: Literal["gaussians"] = "gaussians"
    features: Annotated[int, Field(ge=1, le=4096)] = 32
    classes: Annotated[int, Field(ge=2, le=256)] = 4
    condition: Annotated[float, Field(ge=1, le=1e8)] = 100.0  # beyond, directions drown in float32
    separation: Annotated[float, Field(gt=0)] = 4.0
    rotated: bool = True
    offset: float = 0.0

    @property
    def image_shape(self) -> tuple[int, ...]:
        return (self.features,)

    @model_validator(mode="after")
    def _enough_features(self) -> Self:
        if self.classes > self.features:
            raise PydanticCustomError(
                "more_classes_than_features",
                "{classes} classes need as many orthogonal directions, there are {features} features",
                {"classes": self.classes, "features": self.features},
            )
        return self

    @property
    def eigenvalues(self) -> Array:
        """Of the covariance within classes, [features], descending, mean 1."""
        falling = self.condition ** -np.linspace(0, 1, self.features)
        return np.asarray(falling / falling.mean())

    def draw(self, count: int) -> tuple[Values, Bytes]:
        labels = np.arange(count) % self.classes
        means = self.separation / math.sqrt(2) * self.rotation("means", self.features)[labels]
        x = (means + self.normal("noise", count, self.features)) * np.sqrt(self.eigenvalues)
        if self.rotated:
            x = x @ self.rotation("rotation", self.features).T
        return (x + self.offset).astype(np.float32), labels.astype(np.uint8)


@DATASETS.register
class Spirals(Synthetic):
    """Two arms of a spiral in the plane, each the other turned by half a turn (Lang & Witbrock 1988).

    (cos a, sin a) r, where r = sqrt(u) for uniform u and the angle a = 2 pi turns r, plus half a turn for the second
    arm. Every line through the centre crosses the arms in turn, 1 / (2 turns) apart; `noise` is the standard deviation
    of both coordinates in units of that gap. Without noise the classes do not overlap; no linear classifier is good.
    """

    formula: ClassVar[str] = (
        r"x = \pm r\,(\cos 2\pi t r,\ \sin 2\pi t r) + \sigma z,\quad r = \sqrt{u},\quad z \sim N(0, I)"
    )
    reference: ClassVar[str] = "Lang & Witbrock 1988, Learning to tell two spirals apart"

    classes: ClassVar[int] = 2
    image_shape: ClassVar[tuple[int, ...]] = (2,)

    name: Literal["spirals"] = "spirals"
    turns: Annotated[float, Field(gt=0, le=100)] = 2.0
    noise: Annotated[float, Field(ge=0)] = 0.1

    def draw(self, count: int) -> tuple[Values, Bytes]:
        labels = np.arange(count) % 2
        radius = np.sqrt(self.uniform("radius", count))
        angle = 2 * np.pi * self.turns * radius + np.pi * labels
        arms = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
        x = arms + self.noise / (2 * self.turns) * self.normal("noise", count, 2)
        return x.astype(np.float32), labels.astype(np.uint8)


@DATASETS.register
class Parity(Synthetic):
    """Random signs, all examples different; the class is 1 if an odd number of the first `relevant` ones is -1.

    Over all 2^bits examples each sign is uncorrelated with the class, and so is every product of signs but one: the
    best weights of a linear or logistic regression are 0, and it is right on half of them (Minsky & Papert 1969). A
    network must find the one product (Barak et al. 2022, "Hidden progress in deep learning"). The best possible
    accuracy is 1.
    """

    formula: ClassVar[str] = r"y = (1 - \prod_{i \leq k} x_i)\,/\,2,\quad x \in \{-1, 1\}^n"
    reference: ClassVar[str] = "Minsky & Papert 1969, Perceptrons; Barak et al. 2022, arXiv 2207.08799"

    classes: ClassVar[int] = 2

    name: Literal["parity"] = "parity"
    bits: Annotated[int, Field(ge=2, le=64)] = 12
    relevant: Annotated[int, Field(ge=2)] = 3

    @property
    def image_shape(self) -> tuple[int, ...]:
        return (self.bits,)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.relevant > self.bits:
            raise PydanticCustomError(
                "too_many_relevant_bits",
                "relevant={relevant} is more than the {bits} bits of an example",
                {"relevant": self.relevant, "bits": self.bits},
            )
        if self.total > 2**self.bits:
            raise PydanticCustomError(
                "too_many_examples",
                "{total} examples are asked for, of {bits} bits there are {all} different ones",
                {"total": self.total, "bits": self.bits, "all": 2**self.bits},
            )
        return self

    def codes(self, count: int) -> NDArray[np.uint64]:
        """The first `count` different words of `bits` bits in a random sequence."""
        drop, asked = np.uint64(64 - self.bits), count
        while True:
            codes = self.words("examples", asked) >> drop
            first = np.sort(np.unique(codes, return_index=True)[1])
            if len(first) >= count:
                return np.asarray(codes[first[:count]])
            asked *= 2

    def draw(self, count: int) -> tuple[Values, Bytes]:
        places = np.arange(self.bits, dtype=np.uint64)
        ones = ((self.codes(count)[:, None] >> places) & np.uint64(1)).astype(np.uint8)
        labels = ones[:, : self.relevant].sum(axis=1, dtype=np.uint8) % 2
        return (1 - 2 * ones.astype(np.float32)), labels


@DATASETS.register
class SignalProbe(Synthetic):
    """N(0, 1) features, the input for which theories of deep signal propagation are written (Poole et al. 2016).

    As the ten layers of 500 units are usually fed. The class is the largest of `classes` random linear functions, so
    that a linear classifier without bias can be right always, and training has something to find.
    """

    formula: ClassVar[str] = r"x \sim N(0, I),\quad y = \mathrm{argmax}_k\ w_k^\top x,\quad w_k \sim N(0, I)"
    reference: ClassVar[str] = "Poole et al. 2016, arXiv 1606.05340; Schoenholz et al. 2017, arXiv 1611.01232"

    name: Literal["signal_probe"] = "signal_probe"
    train_examples: Count = 1000
    validation_examples: Count = 500
    test_examples: Count = 500
    features: Annotated[int, Field(ge=1, le=16384)] = 500
    classes: Annotated[int, Field(ge=2, le=256)] = 10

    @property
    def image_shape(self) -> tuple[int, ...]:
        return (self.features,)

    def draw(self, count: int) -> tuple[Values, Bytes]:
        x = self.normal("examples", count, self.features).astype(np.float32)
        labels = (x @ self.normal("teacher", self.features, self.classes)).argmax(axis=1)
        return x, labels.astype(np.uint8)
