"""Checks of components: everything built in passes, and each check finds what is broken in just that way."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from trainability import cli
from trainability.activations import ACTIVATIONS, Activation, Prelu
from trainability.conformance import CHECKS, Result, run
from trainability.conformance.comparing import farthest, not_finite, same
from trainability.datasets import DATASETS, Digits, Splits
from trainability.generated import Synthetic
from trainability.initializers import INITIALIZERS, Initializer
from trainability.maps import Map
from trainability.preprocessing import PREPROCESSINGS, Preprocessing
from trainability.raw_files import Published, Source

BUILT_IN = [
    (registry, name)
    for registry, _ in CHECKS
    for name in registry
    if registry is not DATASETS or name == "digits" or issubclass(DATASETS[name], Synthetic)  # the others need files
]


@pytest.mark.parametrize(("registry", "name"), BUILT_IN, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of scikit-learn's own imports
def test_what_is_built_in_passes(registry: Any, name: str) -> None:
    results = list(run(registry, registry[name]()))
    assert not [result for result in results if result.problem]
    stages = next(stages for of, stages in CHECKS if of is registry)
    assert len(results) == sum(map(len, stages))


def test_every_check_has_a_title_of_its_own() -> None:
    for _, stages in CHECKS:
        titles = [check.__doc__.splitlines()[0] for stage in stages for check in stage if check.__doc__]
        assert len(set(titles)) == len(titles) == sum(map(len, stages))


def failures(registry: Any, component: Any) -> list[Result]:
    return [result for result in run(registry, component) if result.problem]


def assert_fails(registry: Any, component: Any, title: str, problem: str) -> None:
    """Exactly one check fails: the one whose title starts so, with these words."""
    (failure,) = failures(registry, component)
    assert failure.title.startswith(title)
    assert problem in failure.problem


class Bend(Activation):
    """f(z) = z / sqrt(1 + z^2): passes, and is broken in one way by each class below."""

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z * (1 + z * z).rsqrt()

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        root = (1 + z * z).rsqrt()
        return root * root * root


class NoPieces(Bend):
    @property
    def pieces(self) -> int:
        return 0


class FlatSteepest(Bend):
    @property
    def steepest(self) -> float:
        return 0.0


class InfiniteStart(Bend):
    @property
    def learned(self) -> dict[str, float]:
        return {"slope": float("inf")}


class Scalar(Bend):
    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return super().value(z).sum(-1, keepdim=True)


class Doubles(Bend):
    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return super().derivative(z).double()


class NoLearnedGradient(Bend):
    @property
    def learned(self) -> dict[str, float]:
        return {"slope": 0.5}


class Overflows(Bend):
    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return (torch.exp(z) - torch.exp(-z)) / (torch.exp(z) + torch.exp(-z))

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return 1 - torch.tanh(z) ** 2


class InPlace(Bend):
    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        found = super().derivative(z)
        z.mul_(1.5)
        return found


class Same(Bend):
    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return torch.ones_like(z)


class Expanded(Same):
    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.clone()

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.new_ones(1).expand_as(z)

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        return gradient


class Noisy(Bend):
    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return super().value(z) + 1e-14 * torch.rand(1, dtype=z.dtype)


class WrongSlope(Bend):
    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return super().derivative(z) * 0.999

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        return super().derivative(z) * gradient


class WrongBackward(Bend):
    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        return -super().backward(gradient, z, a)


class OtherAtZero(Bend):
    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return z.clamp(min=0)

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return (z > 0).to(z)

    def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
        return (z >= 0).to(z) * gradient


class WrongLearned(Prelu):
    def learned_gradients(self, gradient: Tensor, z: Tensor) -> tuple[Tensor, ...]:
        return tuple(-found for found in super().learned_gradients(gradient, z))


class Mixes(Bend):
    """Adds to every number what the whole batch says, too little for finite differences."""

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return super().value(z) + 1e-5 * z.mean().round(decimals=1)


class LastNumbers(Bend):
    """torch.sigmoid computes the end of a tensor by another formula than the rest."""

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return torch.sigmoid(z)

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        s = torch.sigmoid(z)
        return s * (1 - s)


class Steeper(Bend):
    @property
    def steepest(self) -> float:
        return 0.9


class Raises(Bend):
    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        raise KeyError("no such table")


@pytest.mark.parametrize(
    ("broken", "title", "problem"),
    [
        (NoPieces, "Its properties", "pieces is 0, not a whole number from 1"),
        (FlatSteepest, "Its properties", "steepest is 0.0, not a finite number above 0"),
        (InfiniteStart, "Its properties", "slope starts at inf"),
        (Scalar, "Values and gradients have the shapes", "value of z [3, 4, 7] torch.float32 is [3, 4, 1]"),
        (Doubles, "Values and gradients have the shapes", "derivative of z [3, 4, 7] torch.float32 is [3, 4, 7]"),
        (NoLearnedGradient, "Values and gradients have the shapes", "gives 0 tensors for 1 learned parameters"),
        (Overflows, "Values and gradients are finite", "value is nan at z = -"),
        (Same, "What it is given stays", "value returns a tensor that it was given"),
        (Expanded, "What it is given stays", "derivative returns an expanded tensor"),
        (OtherAtZero, "The backward pass and the derivative agree", "at z = 0 backward gives -1.7464, the derivative"),
        (WrongLearned, "Gradients by learned parameters", "by slope in run"),
        (Mixes, "A run has the same bits alone", "it mixes numbers"),
        (Steeper, "No slope", "the slope at z = 0 is 1, steepest says 0.9"),
        (Raises, "Values and gradients have the shapes", "KeyError: 'no such table', at"),
    ],
)
def test_broken_activation_fails_the_check_of_just_that(broken: Any, title: str, problem: str) -> None:
    assert_fails(ACTIVATIONS, broken(), title, problem)


def test_broken_activation_may_fail_several_checks() -> None:
    def titles(broken: Activation) -> list[str]:
        return [" ".join(failure.title.split()[:4]) for failure in failures(ACTIVATIONS, broken)]

    assert titles(WrongSlope()) == ["The derivative is the", "The backward pass and"]
    assert titles(WrongBackward()) == ["The backward pass is", "The backward pass and"]
    assert "What it is given" in titles(InPlace())
    assert "The same input gives" in titles(Noisy())
    assert "A run has the" in titles(LastNumbers())


def test_activation_of_several_outputs_and_with_random_arguments_can_be_checked() -> None:
    class Both(Bend):
        """[relu(z), relu(-z)], scaled by a random argument."""

        @property
        def outputs(self) -> int:
            return 2

        @property
        def random(self) -> bool:
            return True

        def randomize(self, draws: Tensor) -> Tensor:
            return 0.5 + draws

        def value(self, z: Tensor, *learned: Tensor) -> Tensor:
            return torch.cat([(learned[0] * z).clamp(min=0), (-learned[0] * z).clamp(min=0)], -1)

        def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
            return learned[0] * z.sign()

        def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
            up, down = gradient.chunk(2, -1)
            return learned[0] * torch.where(z > 0, up, torch.where(z < 0, -down, 0.0))

    assert not failures(ACTIVATIONS, Both())

    class Wrong(Both):
        def backward(self, gradient: Tensor, z: Tensor, a: Tensor, *learned: Tensor) -> Tensor:
            return super().backward(torch.cat(gradient.chunk(2, -1)[::-1], -1), z, a, *learned)

    assert_fails(ACTIVATIONS, Wrong(), "The backward pass is", "the finite difference is")


class Scaled(Bend):
    """f(z) = r z / sqrt(1 + z^2) with r from U(0.5, 1.5) in training and 1 elsewhere: passes."""

    @property
    def random(self) -> bool:
        return True

    def randomize(self, draws: Tensor) -> Tensor:
        return 0.5 + draws

    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return learned[0] * super().value(z)

    def derivative(self, z: Tensor, *learned: Tensor) -> Tensor:
        return learned[0] * super().derivative(z)

    @property
    def steepest(self) -> float:
        return 1.5


class OneNumber(Scaled):
    def randomize(self, draws: Tensor) -> Tensor:
        return super().randomize(draws)[:, :1, :1]


class DrawsInPlace(Scaled):
    def randomize(self, draws: Tensor) -> Tensor:
        return draws.add_(0.5)


class OwnDraws(Scaled):
    def randomize(self, draws: Tensor) -> Tensor:
        return 0.5 + torch.rand(draws.shape, dtype=draws.dtype)


class DrawsOfAll(Scaled):
    def randomize(self, draws: Tensor) -> Tensor:
        return super().randomize(draws) - draws.mean() + 0.5


class DividesByDraw(Scaled):
    def randomize(self, draws: Tensor) -> Tensor:
        return 1 / (draws - 0.5)


class KnowsEvaluation(Scaled):
    def value(self, z: Tensor, *learned: Tensor) -> Tensor:
        return super().value(z, *learned) * (1.0 if learned[0].shape == z.shape else 0.9)


@pytest.mark.parametrize(
    ("broken", "title", "problem"),
    [
        (OneNumber, "If it is random, its argument", "randomize of draws [3, 4, 7] torch.float32 gives [3, 1, 1]"),
        (DrawsInPlace, "If it is random, its argument", "changes them: work on a copy"),
        (OwnDraws, "If it is random, its argument", "gives another argument the second time"),
        (DrawsOfAll, "If it is random, its argument", "or in another stack: use each draw alone"),
        (DividesByDraw, "If it is random, its argument", "randomize of draws [1, 1, 1] torch.float32 gives inf"),
        (KnowsEvaluation, "If it is random, the argument of an evaluation", "value is another than with the same"),
    ],
)
def test_broken_random_activation_fails_the_check_of_just_that(broken: Any, title: str, problem: str) -> None:
    assert not failures(ACTIVATIONS, Scaled())
    assert_fails(ACTIVATIONS, broken(), title, problem)


STEPS = itertools.count(1)


class Tenth(Initializer):
    """A tenth of the noise: passes."""

    def draw(self, noise: Any, fan_out: int, negative_slope: float = 0.0) -> Any:
        return 0.1 * noise


class Transposed(Tenth):
    def draw(self, noise: Any, fan_out: int, negative_slope: float = 0.0) -> Any:
        return 0.1 * noise.T


class Listed(Tenth):
    def draw(self, noise: Any, fan_out: int, negative_slope: float = 0.0) -> Any:
        return noise.tolist()


class Single(Tenth):
    def draw(self, noise: Any, fan_out: int, negative_slope: float = 0.0) -> Any:
        return noise.astype(np.float32)


class Divides(Tenth):
    def draw(self, noise: Any, fan_out: int, negative_slope: float = 0.0) -> Any:
        with np.errstate(divide="ignore"):
            return noise / np.float64(negative_slope)


class OneBias(Tenth):
    def bias(self, noise: Any, start: float) -> Any:
        return np.full(1, start)


class ScalesNoise(Tenth):
    def draw(self, noise: Any, fan_out: int, negative_slope: float = 0.0) -> Any:
        noise *= 0.1
        return noise.copy()


class OwnNoise(Tenth):
    def draw(self, noise: Any, fan_out: int, negative_slope: float = 0.0) -> Any:
        return np.random.default_rng().standard_normal(noise.shape)


class RandomBias(Tenth):
    def bias(self, noise: Any, start: float) -> Any:
        return np.random.default_rng().standard_normal(noise.shape[1])


class OfUnits(Tenth):
    """Takes fan_out for the number of units, which it is not in a convolution."""

    def draw(self, noise: Any, fan_out: int, negative_slope: float = 0.0) -> Any:
        return 0.1 * noise[:, :1] * np.ones((1, fan_out))


class Unit(Tenth):
    """Divides weights by the spread of their outputs: passes."""

    @property
    def calibrated(self) -> bool:
        return True

    def calibrate(self, weight: Tensor, outputs: Callable[[], Tensor]) -> None:
        weight.div_(outputs().square().mean((1, 2), keepdim=True).sqrt() + 0.1)


class Undefined(Tenth):
    @property
    def calibrated(self) -> bool:
        return True


class DividesByOutputs(Unit):
    def calibrate(self, weight: Tensor, outputs: Callable[[], Tensor]) -> None:
        weight.div_(outputs().square().mean((1, 2), keepdim=True).sqrt())


class RandomUnit(Unit):
    def calibrate(self, weight: Tensor, outputs: Callable[[], Tensor]) -> None:
        weight.mul_(next(STEPS))


class OneForAll(Unit):
    def calibrate(self, weight: Tensor, outputs: Callable[[], Tensor]) -> None:
        weight.div_(outputs().nanmean().abs() + 0.1)


class UntilAllAreThere(Unit):
    """Stops as soon as one run is lost."""

    def calibrate(self, weight: Tensor, outputs: Callable[[], Tensor]) -> None:
        if outputs().isfinite().all():
            super().calibrate(weight, outputs)


class Maybe(Tenth):
    @property
    def calibrated(self) -> Any:
        return "maybe"


@pytest.mark.parametrize(
    ("broken", "title", "problem"),
    [
        (Maybe, "`calibrated`", "calibrated is 'maybe'"),
        (OfUnits, "Weights", "draw of noise [27, 8] and fan_out 72 is [27, 72] float64, expected [27, 8] float64"),
        (Undefined, "If it is calibrated, weights", "NotImplementedError"),
        (DividesByOutputs, "If it is calibrated, weights", "calibrate leaves inf at [0, 0, 0] of weights [3, 7, 5]"),
        (RandomUnit, "If it is calibrated, weights", "calibrate leaves other weights [3, 7, 5] the second time"),
        (OneForAll, "If it is calibrated, a run", "leaves run 0 of weights [3, 7, 5] other numbers than it has alone"),
        (UntilAllAreThere, "If it is calibrated, a run", "leaves run 0 of weights [3, 7, 5]"),
        (Transposed, "Weights", "draw of noise [7, 5] and fan_out 5 is [5, 7] float64, expected [7, 5]"),
        (Listed, "Weights", "draw gives list"),
        (Single, "Weights", "is [7, 5] float32"),
        (Divides, "Weights", "draw of noise [7, 5] and fan_out 5 is "),
        (OneBias, "Biases", "bias of noise [7, 5] and start 0.0 is [1] float64, expected [5] float64"),
        (ScalesNoise, "The noise stays", "draw changes the noise"),
        (OwnNoise, "The same noise", "draw gives other weights the second time"),
        (RandomBias, "The same noise", "bias gives other biases the second time"),
    ],
)
def test_broken_initialiser_fails_the_check_of_just_that(broken: Any, title: str, problem: str) -> None:
    assert not failures(INITIALIZERS, Tenth())
    assert not failures(INITIALIZERS, Unit())
    assert_fails(INITIALIZERS, broken(), title, problem)


class Centred(Preprocessing):
    """x - mean: passes."""

    def fit(self, train: Any, levels: int, channels: int = 1) -> Any:
        return Map(train.mean(axis=0, dtype=np.float64), scale=np.ones(train.shape[1]))


class NoMap(Centred):
    def fit(self, train: Any, levels: int, channels: int = 1) -> Any:
        return lambda x: x


class OneShift(Centred):
    def fit(self, train: Any, levels: int, channels: int = 1) -> Any:
        return Map(np.full(1, train.mean(), dtype=np.float64), scale=np.ones(train.shape[1]))


class Narrow(Centred):
    def fit(self, train: Any, levels: int, channels: int = 1) -> Any:
        return Map(train.mean(axis=0, dtype=np.float64), matrix=np.ones((train.shape[1], 3), dtype=np.float32))


class Longer(Centred):
    def fit(self, train: Any, levels: int, channels: int = 1) -> Any:
        return Map(
            train.mean(axis=0, dtype=np.float64), scale=np.ones(train.shape[1]), contrast=np.ones(train.shape[1])
        )


class Halves(Centred):
    """Keeps every other pixel and says that it keeps the image."""

    def fit(self, train: Any, levels: int, channels: int = 1) -> Any:
        return Map(train.mean(axis=0, dtype=np.float64), matrix=np.eye(train.shape[1])[:, ::2])


class HalvesAndSays(Halves):
    """Passes."""

    keeps_image: ClassVar[bool] = False


class Blank(Centred):
    """Divides by each example's contrast, which a blank one does not have."""

    def fit(self, train: Any, levels: int, channels: int = 1) -> Any:
        return Map(np.zeros(train.shape[1]), scale=np.ones(train.shape[1]), contrast=np.zeros(1))


class Colours(Centred):
    """Takes every example for an image in three colours."""

    def fit(self, train: Any, levels: int, channels: int = 1) -> Any:
        mean = np.tile(train.reshape(len(train), -1, 3).mean((0, 1), dtype=np.float64), train.shape[1] // 3)
        return Map(mean, scale=np.ones(train.shape[1]))


class Bytes(Centred):
    """Takes every feature for a byte."""

    def fit(self, train: Any, levels: int, channels: int = 1) -> Any:
        np.bincount(train[:, 1])
        return super().fit(train.astype(float), levels)


class ImagesAlone(Bytes):
    """Is allowed to take no vectors of five features, but those of 144 are none of its business either."""

    def impossible(self, features: int) -> str:
        return "" if features == 432 else "these are not 12 x 12 in three colours"


class Nothing(Centred):
    def impossible(self, features: int) -> str:
        return "no"


class Wordless(Centred):
    def impossible(self, features: int) -> Any:
        return False


class Undecided(Centred):
    keeps_image: ClassVar[Any] = None


class DividesByZero(Centred):
    def fit(self, train: Any, levels: int, channels: int = 1) -> Any:
        with np.errstate(divide="ignore"):
            return Map(train.mean(axis=0, dtype=np.float64), scale=1 / train.std(axis=0, dtype=np.float64))


class Explodes(Centred):
    def fit(self, train: Any, levels: int, channels: int = 1) -> Any:
        return Map(train.mean(axis=0, dtype=np.float64), scale=1 / (train.std(axis=0, dtype=np.float64) + 1e-40))


class Overwrites(Centred):
    def fit(self, train: Any, levels: int, channels: int = 1) -> Any:
        mean = train.mean(axis=0, dtype=np.float64)
        train[:] = 0
        return Map(mean, scale=np.ones(train.shape[1]))


class Remembers(Centred):
    seen: ClassVar[Any] = itertools.count()

    def fit(self, train: Any, levels: int, channels: int = 1) -> Any:
        return Map(train.mean(axis=0, dtype=np.float64), scale=np.full(train.shape[1], 1.0 + next(self.seen)))


@pytest.mark.parametrize(
    ("broken", "title", "problem"),
    [
        (NoMap, "What is fitted", "fit gives function, expected trainability.api.Map"),
        (OneShift, "What is fitted", "is [1] float64, expected [144] float64"),
        (Narrow, "What is fitted", "is [144, 3] float32, expected [144, k] float64"),
        (
            Longer,
            "What is fitted",
            "contrast of 500 uint8 examples of 144 features up to 255 is [144] float64, expected [1]",
        ),
        (
            Halves,
            "What is fitted",
            "keeps_image is true, but of 500 uint8 examples of 144 features up to 255 come 72 f",
        ),
        (Colours, "What is fitted", "ValueError: cannot reshape array"),
        (Bytes, "What is fitted", "TypeError: Cannot cast array data from dtype('float32')"),
        (Blank, "All splits become finite", "feature 0 of other example 49 is not finite in float32"),
        (Nothing, "`keeps_image`", "it calls examples of 5, 144, 432 features impossible"),
        (Wordless, "`keeps_image`", "impossible(5) is False, expected a text"),
        (Undecided, "`keeps_image`", "keeps_image is None"),
        (DividesByZero, "What is fitted", "is inf at [0]"),
        (Explodes, "All splits become finite", "feature 0 of other example 0 is not finite in float32"),
        (Overwrites, "The training data stay", "fit changes the 500 uint8 examples"),
        (Remembers, "The same training data", "scale of 500 uint8 examples"),
    ],
)
def test_broken_preprocessing_fails_the_check_of_just_that(broken: Any, title: str, problem: str) -> None:
    for passing in (Centred, HalvesAndSays, ImagesAlone):
        assert not failures(PREPROCESSINGS, passing())
    assert_fails(PREPROCESSINGS, broken(), title, problem)


class Grid(Source):
    """Two classes of grey squares, no file needed; `broken` says how."""

    broken: ClassVar[str] = ""

    def decode(self, folder: Path | None, download_to: Path) -> Published:
        labels = (np.arange(self.train) % 2).astype(np.uint8)
        images = np.full((self.train, 2, 2), 100, dtype=np.uint8) + labels[:, None, None]
        return Published(images, labels, images[: self.test], labels[: self.test], [])


class Short(Grid):
    def decode(self, folder: Path | None, download_to: Path) -> Published:
        whole = super().decode(folder, download_to)
        return Published(whole.train_images[1:], whole.train_labels[1:], whole.test_images, whole.test_labels, [])


class Negative(Grid):
    def decode(self, folder: Path | None, download_to: Path) -> Published:
        whole = super().decode(folder, download_to)
        images = whole.train_images.astype(np.float32) - 105 * (np.arange(self.train) == 50)[:, None, None]
        return Published(
            images.astype(np.float32), whole.train_labels, whole.test_images.astype(np.float32), whole.test_labels, []
        )


class Infinite(Negative):
    def decode(self, folder: Path | None, download_to: Path) -> Published:
        whole = super().decode(folder, download_to)
        return Published(
            np.where(whole.train_images < 0, np.float32("inf"), whole.train_images),
            whole.train_labels,
            whole.test_images,
            whole.test_labels,
            [],
        )


class Filed(Grid):
    """Needs the folder that its user names."""

    def decode(self, folder: Path | None, download_to: Path) -> Published:
        assert folder is not None, "which folder?"
        assert (folder / "grid.txt").exists()
        return super().decode(folder, download_to)


class Varying(Grid):
    seen: ClassVar[Any] = itertools.count()

    def decode(self, folder: Path | None, download_to: Path) -> Published:
        whole = super().decode(folder, download_to)
        return Published(
            whole.train_images + np.uint8(next(self.seen)), whole.train_labels, whole.test_images, whole.test_labels, []
        )


class Squares(Digits):
    """Passes."""

    source: ClassVar[Source] = Grid("squares", 100, 20, None)
    classes: ClassVar[int] = 2
    levels: ClassVar[int] = 255
    image_shape: ClassVar[tuple[int, ...]] = (2, 2)
    class_names: ClassVar[tuple[str, ...]] = ("dark", "light")
    carved_test: ClassVar[int] = 0
    validation_examples: int = 10


def squares(**changes: Any) -> Squares:
    """The data set with class variables changed."""
    return type("Broken", (Squares,), {"__module__": __name__, "__annotations__": {}, **changes})()


class Overlap(Squares):
    def split(self, published: Published) -> Splits:
        whole = super().split(published)
        return Splits(**vars(whole) | {"test_images": published.train_images, "test_labels": published.train_labels})


class Fewer(Squares):
    def split(self, published: Published) -> Splits:
        whole = super().split(published)
        return Splits(**vars(whole) | {"train_images": whole.train_images[1:], "train_labels": whole.train_labels[1:]})


class Wide(Squares):
    def split(self, published: Published) -> Splits:
        whole = super().split(published)
        return Splits(**vars(whole) | {"test_labels": whole.test_labels.astype(np.int64)})


class Mixed(Squares):
    def split(self, published: Published) -> Splits:
        whole = super().split(published)
        return Splits(**vars(whole) | {"test_images": whole.test_images.astype(np.float32)})


class Line(Synthetic):
    """Numbers of two signs, which is the class: passes."""

    image_shape: ClassVar[tuple[int, ...]] = (1,)
    classes: ClassVar[int] = 2

    def draw(self, count: int) -> Any:
        x = self.uniform("line", count, 1).astype(np.float32) - np.float32(0.5)
        return x, (x[:, 0] > 0).astype(np.uint8)


class Redrawn(Line):
    def draw(self, count: int) -> Any:
        x, labels = super().draw(count)
        return x + np.float32(count), labels


class Relabelled(Line):
    def draw(self, count: int) -> Any:
        x, labels = super().draw(count)
        return x, (labels + count) % np.uint8(2) if count < 20 else labels ^ np.uint8(1)


class Missing(Squares):
    def split(self, published: Published) -> Splits:
        whole = super().split(published)
        return Splits(**vars(whole) | {"train_labels": whole.train_labels * np.uint8(0)})


@pytest.mark.parametrize(
    ("broken", "title", "problem"),
    [
        (squares(class_names=("one",)), "It says", "there are 1 class_names for 2 classes"),
        (squares(image_shape=(2, 0)), "It says", "image_shape is (2, 0)"),
        (squares(source=Short("short", 100, 20, None)), "As many examples", "99 train images and 99 labels were read"),
        (Overlap(), "The splits", "they overlap"),
        (Fewer(), "The splits", "train has 89 examples, its parameters say 90"),
        (squares(image_shape=(4,)), "Examples have", "train images are [2, 2] uint8, expected [4] uint8 or float32"),
        (squares(levels=100), "Examples have", "a pixel of train is 101, outside 0 to its 100 levels"),
        (squares(source=Negative("negative", 100, 20, None)), "Examples have", "a pixel of train is -5.0, outside 0"),
        (squares(source=Infinite("infinite", 100, 20, None)), "Examples have", "has a number that is not finite"),
        (squares(levels=0.5), "It says", "levels is 0.5, not a whole number from 1"),
        (squares(image_shape=(2, 2, 1, 1)), "It says", "expected one to three whole numbers"),
        (
            squares(image_shape=(4,), pictured=property(lambda _: True)),
            "It says",
            "pictured is true, but image_shape (4,) has neither rows",
        ),
        (
            squares(feature_count=property(lambda _: 5)),
            "It says",
            "feature_count is 5, image_shape (2, 2) has 4 numbers",
        ),
        (Mixed(), "Examples have", "test images are float32, those of training uint8"),
        (Redrawn(), "If it is generated", " drawn examples and "),
        (Relabelled(), "If it is generated", "labels of the first 10 examples are others where 20 are drawn"),
        (Wide(), "Examples have", "test labels are [20] int64, expected [20] uint8"),
        (squares(classes=3, class_names=tuple("abc")), "Examples have", "only 2 of 3 classes have training examples"),
        (Missing(), "Examples have", "only 1 of 2 classes have training examples"),
        (squares(source=Varying("varying", 100, 20, None)), "Reading", "train_images are others the second time"),
    ],
    ids=str,
)
def test_broken_data_set_fails_the_check_of_just_that(broken: Any, title: str, problem: str) -> None:
    assert not failures(DATASETS, Squares())
    assert not failures(DATASETS, Line())
    assert_fails(DATASETS, broken, title, problem)


def test_files_are_read_in_the_folder_that_is_named(tmp_path: Path) -> None:
    filed = squares(source=Filed("filed", 100, 20, None))
    assert_fails(DATASETS, filed, "As many examples", "AssertionError: which folder?")
    (tmp_path / "grid.txt").touch()
    assert not [result for result in run(DATASETS, filed, tmp_path) if result.problem]


def test_label_beyond_the_classes_is_named() -> None:
    class Third(Squares):
        def split(self, published: Published) -> Splits:
            whole = super().split(published)
            return Splits(**vars(whole) | {"test_labels": whole.test_labels + np.uint8(1)})

    assert_fails(DATASETS, Third(), "Examples have", "a label of test is 2, more than there are in 2 classes")


class TestComparing:
    def test_farthest_is_where_the_tolerance_is_exceeded_most(self) -> None:
        found, expected = np.array([[1.0, 2.0], [3.0, 4.5]]), np.array([[1.0, 2.2], [3.0, 4.0]])
        assert farthest(found, expected) == (1, 1)
        assert farthest(found, expected, atol=0.6) is None
        assert farthest(found, expected, rtol=0.1, atol=0.11) is None
        assert farthest(np.array([np.inf]), np.array([np.inf])) is None
        assert farthest(np.array([0.0, np.nan]), np.array([0.0, 1.0]), atol=9) == (1,)

    def test_first_number_that_is_none(self) -> None:
        assert not_finite(torch.tensor([[1.0, float("inf")], [float("nan"), 1.0]])) == (0, 1)
        assert not_finite(np.ones(3)) is None

    def test_same_bits(self) -> None:
        assert same(np.array([1.0, np.nan]), np.array([1.0, np.nan]))
        assert not same(np.array([1.0]), np.array([1.0], dtype=np.float32))
        assert not same(np.array([1.0]), np.array([np.nextafter(1, 2)]))


class TestCommand:
    def check(self, *words: str) -> int:
        return cli.main(["check", *words])

    def test_component_that_passes(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.check("elu", "--parameters", '{"alpha": 0.5}') == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == "elu(alpha=0.5), activation"
        assert all(line.startswith("  ok      ") for line in lines[1:])
        assert len(lines) > 10

    def test_component_that_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "failing_lab.py").write_text(
            "from trainability.api import Activation\nclass Wrong(Activation):\n"
            "    def value(self, z): return 2 * z\n    def derivative(self, z): return 0 * z + 1\n"
        )
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.path", ["", *__import__("sys").path])
        assert self.check("failing_lab:Wrong") == 2
        printed = capsys.readouterr()
        assert "  FAILED  The derivative is the finite difference of the value\n          at z = " in printed.out
        assert "derivative gives 1, the finite difference is 2\n" in printed.out
        assert "failing_lab:Wrong fails 2 of its checks" in printed.err

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["rleu"], "nothing is called rleu: did you mean 'relu'?"),
            (["nolab:X"], "there is no module nolab"),
            (["json:JSONDecoder"], "json:JSONDecoder is no subclass of any of trainability.api: Activation, Init"),
            (["elu", "--parameters", "{"], "--parameters: not JSON"),
            (["elu", "--parameters", "[1]"], "--parameters: expected names and values"),
            (["elu", "--parameters", json.dumps({"alpha": -1})], "alpha: Input should be greater than 0 (given: -1)"),
        ],
    )
    def test_mistake_is_one_message(
        self, words: Sequence[str], message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.check(*words) == 2
        assert message in capsys.readouterr().err

    def test_folder_of_a_data_set_can_be_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "filed_lab.py").write_text(
            "from trainability.datasets import Digits\nfrom trainability.raw_files import DIGITS, Source\n"
            "class Filed(Source):\n"
            "    def decode(self, folder, download_to):\n"
            "        assert (folder / 'here').exists()\n"
            "        return DIGITS.decode(None, download_to)\n"
            "class Own(Digits):\n    source = Filed('filed', DIGITS.train, DIGITS.test, None)\n"
        )
        (tmp_path / "files").mkdir()
        (tmp_path / "files/here").touch()
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.path", ["", *__import__("sys").path])
        assert self.check("filed_lab:Own", "--source", "files") == 0, capsys.readouterr().out

    def test_configuration_is_checked_without_a_name(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.check("--configfile", "config.yaml") == 0
        assert "cells" in capsys.readouterr().out
