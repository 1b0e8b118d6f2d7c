"""Checks of normalizations: each finds what is broken in just that way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from trainability.api import Mode, Normalization, Normalizer, WeightStandardizer
from trainability.conformance import run
from trainability.normalizations import NORMALIZATIONS, BatchNorm, GroupNorm, LayerNorm, WeightStandardization
from trainability.normalizers import BatchNormalizer


def failures(component: Normalization) -> dict[str, str]:
    """Title and problem of all checks that fail."""
    return {result.title: result.problem for result in run(NORMALIZATIONS, component) if result.problem}


def assert_fails(component: Normalization, title: str, problem: str) -> None:
    """Exactly one check fails: the one whose title starts so, with these words."""
    ((found, words),) = failures(component).items()
    assert found.startswith(title)
    assert problem in words


class Centred(Normalizer):
    """x_hat = x - mean of the batch, in evaluation the running mean: passes, and is broken in one way by each below."""

    def __init__(self, runs: int, units: int, like: Tensor) -> None:
        super().__init__(runs, units, like)
        self.mean = like.new_zeros(runs, 1, units)

    def standardize(self, x: Tensor, mode: Mode) -> Tensor:
        mean = self.mean if mode is Mode.EVALUATE else x.mean(1, keepdim=True)
        if mode is Mode.TRAIN:
            self.mean.lerp_(mean, 0.1)
        return x - mean

    def backward_standardize(self, d_normal: Tensor) -> Tensor:
        return d_normal - d_normal.mean(1, keepdim=True)


class MeanOnly(Normalization):
    kind: ClassVar[Any] = Centred

    @property
    def position(self) -> Any:
        return "before"

    @property
    def learned(self) -> int:
        return 2

    @property
    def absorbs_bias(self) -> bool:
        return True

    @property
    def of_batch(self) -> bool:
        return True

    def start(self, runs: int, units: int, positions: int, like: Tensor) -> Normalizer:
        started: Normalizer = self.kind(runs, units, like)
        return started


def with_kind(kind: Any, **properties: Any) -> Normalization:
    """The normalization with another normalizer, and with other properties."""
    changed = {name: property(lambda _, value=value: value) for name, value in properties.items()}
    body: dict[str, Any] = {"__module__": __name__, "__annotations__": {"kind": "ClassVar[Any]"}, "kind": kind}
    return type("Broken", (MeanOnly,), body | changed)()


class Within(Centred):
    """Its memory is that of another normalizer, in a list."""

    def __init__(self, runs: int, units: int, like: Tensor) -> None:
        super().__init__(runs, units, like)
        self.inside = [Centred(runs, units, like)]

    def standardize(self, x: Tensor, mode: Mode) -> Tensor:
        return self.inside[0].standardize(x, mode)


@pytest.mark.parametrize("kind", [Centred, Within])
def test_base_of_the_broken_ones_passes(kind: Any) -> None:
    assert not failures(with_kind(kind))


@pytest.mark.parametrize(
    "component",
    [
        BatchNorm(eps=1e-3, momentum=1.0),
        LayerNorm(place="after", affine=False),
        LayerNorm(affine=False),
        GroupNorm(groups=1),
        GroupNorm(groups=10, place="after"),
        WeightStandardization(gain=2.0),
    ],
    ids=str,
)
def test_other_parameters_pass_too(component: Normalization) -> None:
    assert not failures(component)


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({"position": "beside"}, "position is 'beside', expected one of absent"),
        ({"learned": -1}, "learned is -1, not a whole number from 0"),
        ({"learned": 2.0}, "learned is 2.0"),
        ({"divisor": 0}, "divisor is 0, not a whole number from 1"),
        ({"of_batch": "yes"}, "of_batch is 'yes'"),
        ({"position": "after"}, "absorbs_bias is true, but position is 'after'"),
        ({"position": "weights", "absorbs_bias": False}, "learned is 2, but only a normalizer before or after"),
        ({"position": "absent", "absorbs_bias": False}, "learned is 2, but only a normalizer before or after"),
    ],
)
def test_property_that_does_not_fit_is_named(properties: dict[str, Any], problem: str) -> None:
    assert_fails(with_kind(Centred, **properties), "Its properties", problem)


class Flat(Centred):
    @property
    def parameters(self) -> list[Tensor]:
        return [parameter.flatten(1) for parameter in super().parameters]


class Doubles(Centred):
    def forward(self, x: Tensor, mode: Mode) -> Tensor:
        return super().forward(x, mode).double()


class Summed(Centred):
    def backward(self, dy: Tensor, buffers: Sequence[Tensor], carry: float) -> Tensor:
        return super().backward(dy, buffers, carry).sum(1, keepdim=True)


class Crowd(Centred):
    def standardize(self, x: Tensor, mode: Mode) -> Tensor:
        if mode is Mode.EVALUATE and x.shape[1] == 1:
            raise ValueError("one example is too few")
        return super().standardize(x, mode)


class InPlace(Centred):
    def standardize(self, x: Tensor, mode: Mode) -> Tensor:
        super().standardize(x, mode)
        return x.sub_(self.mean if mode is Mode.EVALUATE else x.mean(1, keepdim=True))


class GradientInPlace(Centred):
    def backward(self, dy: Tensor, buffers: Sequence[Tensor], carry: float) -> Tensor:
        found = super().backward(dy, buffers, carry)
        dy.mul_(2)
        return found


class ResultInPlace(Centred):
    def forward(self, x: Tensor, mode: Mode) -> Tensor:
        self.y = super().forward(x, mode)
        return self.y

    def backward(self, dy: Tensor, buffers: Sequence[Tensor], carry: float) -> Tensor:
        self.y.mul_(2)
        return super().backward(dy, buffers, carry)


class Learns(Centred):
    def forward(self, x: Tensor, mode: Mode) -> Tensor:
        found = super().forward(x, mode)
        self.beta.add_(0.1 if mode is Mode.TRAIN else 0.0)
        return found


class NoCentring(Centred):
    def backward_standardize(self, d_normal: Tensor) -> Tensor:
        return d_normal.clone()


class Swapped(Centred):
    def backward(self, dy: Tensor, buffers: Sequence[Tensor], carry: float) -> Tensor:
        return super().backward(dy, buffers[::-1], carry)


class Forgets(Centred):
    def backward(self, dy: Tensor, buffers: Sequence[Tensor], carry: float) -> Tensor:
        return super().backward(dy, buffers, 0.0)


class Multiplies(Centred):
    """0 * NaN is NaN."""

    def backward(self, dy: Tensor, buffers: Sequence[Tensor], carry: float) -> Tensor:
        gradients = [torch.zeros_like(buffer) for buffer in buffers]
        found = super().backward(dy, gradients, 0.0)
        for buffer, gradient in zip(buffers, gradients, strict=True):
            buffer.mul_(carry).add_(gradient)
        return found


class OtherInTraining(Centred):
    def standardize(self, x: Tensor, mode: Mode) -> Tensor:
        return super().standardize(x, mode) * (1.01 if mode is Mode.TRAIN else 1.0)


class LearnsFromProbes(Centred):
    def standardize(self, x: Tensor, mode: Mode) -> Tensor:
        return super().standardize(x, Mode.TRAIN if mode is Mode.PROBE else mode)


class NewMean(Centred):
    def standardize(self, x: Tensor, mode: Mode) -> Tensor:
        if mode is Mode.TRAIN:
            self.mean = self.mean.lerp(x.mean(1, keepdim=True), 0.1)
        return super().standardize(x, Mode.PROBE if mode is Mode.TRAIN else mode)


class Late(Centred):
    """Makes the tensor of its memory in the first step."""

    late: Tensor | None = None

    def standardize(self, x: Tensor, mode: Mode) -> Tensor:
        mean = x.mean(1, keepdim=True)
        if mode is Mode.TRAIN:
            self.late = mean.clone() if self.late is None else self.late.lerp_(mean, 0.1)
        if mode is Mode.EVALUATE and self.late is not None:
            return x - self.late
        return x - mean if mode is not Mode.EVALUATE else x.clone()


class Counts(Centred):
    """An average over all steps: the number of steps is one of Python's, which a replay does not know."""

    steps: int = 0

    def standardize(self, x: Tensor, mode: Mode) -> Tensor:
        if mode is Mode.TRAIN:
            self.steps += 1
            self.mean.lerp_(x.mean(1, keepdim=True), 1 / self.steps)
        if mode is Mode.EVALUATE:
            return x - self.mean * (1 + 1 / (1 + self.steps))
        return super().standardize(x, Mode.PROBE)


class MixesRuns(Centred):
    """Adds to every number what all runs say, too little and too seldom another for finite differences."""

    def standardize(self, x: Tensor, mode: Mode) -> Tensor:
        more = 0.0 if mode is Mode.EVALUATE else 1e-4 * x.mean().round(decimals=1)
        return super().standardize(x, mode) + more


class BatchInEvaluation(Centred):
    def standardize(self, x: Tensor, mode: Mode) -> Tensor:
        return super().standardize(x, Mode.PROBE if mode is Mode.EVALUATE else mode)


@pytest.mark.parametrize(
    ("broken", "title", "problem"),
    [
        (with_kind(lambda *_: None), "Results have", "start gives NoneType, expected trainability.api.Normalizer"),
        (
            with_kind(Flat),
            "Results have",
            "parameter 0 of x [3, 4, 6] float32, 1 rows an example is [3, 6] torch.float32",
        ),
        (with_kind(Centred, learned=1), "Results have", "of 6 units are 12 numbers a run, learned says 1 a unit"),
        (
            with_kind(Doubles),
            "Results have",
            "forward in TRAIN of x [3, 4, 6] float32, 1 rows an example is [3, 4, 6] t",
        ),
        (with_kind(Summed), "Results have", "backward in TRAIN of x [3, 4, 6] float32, 1 rows an example is [3, 1, 6]"),
        (with_kind(Crowd), "Results have", "ValueError: one example is too few, at"),
        (with_kind(GradientInPlace), "What it is given", "a pass in TRAIN changes the gradient dy"),
        (with_kind(ResultInPlace), "What it is given", "a pass in TRAIN changes the result of forward"),
        (with_kind(Learns), "What it is given", "a pass in TRAIN changes parameter 1"),
        (with_kind(NoCentring), "The gradient by x", "backward of x [3, 4, 6] float64, 1 rows an example is"),
        (with_kind(Swapped), "Gradients by parameters", "the gradient by parameter 0 of x [3, 4, 6] float64"),
        (with_kind(Forgets), "Buffers become", "with carry 0.5, buffer 0 that held numbers is"),
        (with_kind(Multiplies), "Buffers become", "with carry 0.0, buffer 0 that held NaN is nan"),
        (with_kind(OtherInTraining), "A pass in TRAIN", "forward in TRAIN of x"),
        (
            with_kind(LearnsFromProbes),
            "Passes in PROBE and EVALUATE",
            "after a pass in PROBE, one in EVALUATE has other",
        ),
        (with_kind(NewMean), "What training remembers", "puts new objects in the place of normal or mean: use lerp_"),
        (with_kind(Counts), "What training remembers", "steps"),
        (with_kind(Late), "What training remembers", "in none of the tensors that the object has when it is made"),
        (with_kind(MixesRuns, absorbs_bias=False), "A run has", "it mixes runs, or torch sums in another order"),
        (with_kind(Centred, of_batch=False), "An example's result", "alone in PROBE, of x"),
        (with_kind(BatchInEvaluation), "An example's result", "alone in EVALUATE, of x"),
        (BatchNorm(eps=0.0), "Results and gradients are finite", "given one constant unit"),
    ],
    ids=lambda value: value.kind.__name__ if isinstance(value, MeanOnly) else "",
)
def test_broken_normalization_fails_the_check_of_just_that(broken: Any, title: str, problem: str) -> None:
    assert_fails(broken, title, problem)


def test_what_no_bias_is_absorbed_by_is_named() -> None:
    class Absorbs(LayerNorm):
        @property
        def absorbs_bias(self) -> bool:
            return True

    assert_fails(Absorbs(), "If it absorbs biases", "with biases added to x [3, 4, 6] float64")


def test_broken_normalization_may_fail_several_checks() -> None:
    class Noisy(Centred):
        def standardize(self, x: Tensor, mode: Mode) -> Tensor:
            return super().standardize(x, mode) + 1e-14 * torch.rand(1, dtype=x.dtype)

    class LearnsFromEvaluations(Centred):
        def standardize(self, x: Tensor, mode: Mode) -> Tensor:
            found = super().standardize(x, mode)
            self.mean.lerp_(x.mean(1, keepdim=True), 0.1 if mode is Mode.EVALUATE else 0.0)
            return found

    assert any(title.startswith("The same steps give the same bits") for title in failures(with_kind(Noisy)))
    found = failures(with_kind(LearnsFromEvaluations))
    assert any("after a pass in EVALUATE" in problem for problem in found.values())
    found = failures(with_kind(InPlace))
    assert found["What it is given stays as it was, and so do results and parameters"].startswith(
        "a pass in TRAIN changes x"
    )


class Halved(WeightStandardizer):
    def backward(self, gradient: Tensor) -> Tensor:
        return super().backward(gradient) / 2


class WeightsInPlace(WeightStandardizer):
    def forward(self, weight: Tensor) -> Tensor:
        found = super().forward(weight)
        weight.sub_(weight.mean(1, keepdim=True))
        return found


class Short(WeightStandardizer):
    def forward(self, weight: Tensor) -> Tensor:
        return super().forward(weight)[:, 1:]


class WeightsOfAll(WeightStandardizer):
    """Run by run the same only if the runs are the same."""

    def forward(self, weight: Tensor) -> Tensor:
        return super().forward(weight) + 1e-4 * weight.mean().round(decimals=1)


@pytest.mark.parametrize(
    ("standardizer", "title", "problem"),
    [
        (Halved(1e-5, 1.0), "The gradient by x", "backward of weights [3, 16, 6] float64 is"),
        (WeightsInPlace(1e-5, 1.0), "What it is given", "changes x"),
        (Short(1e-5, 1.0), "Results have", "forward in TRAIN of weights [3, 16, 6] float32 is [3, 15, 6]"),
        (WeightsOfAll(1e-5, 1.0), "A run has", "it mixes runs"),
        (WeightStandardizer(0.0, 1.0), "Results and gradients are finite", "given nothing but zeros"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_broken_weights_fail_the_check_of_just_that(standardizer: Any, title: str, problem: str) -> None:
    class Own(Normalization):
        @property
        def position(self) -> Any:
            return "weights"

        def start_weights(self) -> WeightStandardizer:
            standardized: WeightStandardizer = standardizer
            return standardized

    assert_fails(Own(), title, problem)


def test_normalizer_built_in_can_be_started_by_another_normalization() -> None:
    class Own(MeanOnly):
        def start(self, runs: int, units: int, positions: int, like: Tensor) -> Normalizer:
            return BatchNormalizer(runs, units, like, True, 1e-4, 0.05)

    assert not failures(Own())
