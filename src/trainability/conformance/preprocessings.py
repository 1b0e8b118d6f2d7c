"""What every preprocessing must do, whatever it fits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainability.conformance.comparing import not_finite, same
from trainability.maps import Map
from trainability.preprocessing import Preprocessing


@dataclass(frozen=True)
class Trial:
    """Training data as the workflow passes them to `fit`: flat images uint8, or generated features float32."""

    examples: int
    features: int
    levels: int
    channels: int = 1
    dtype: type = np.uint8

    @property
    def words(self) -> str:
        return f"{self.examples} {self.dtype.__name__} examples of {self.features} features up to {self.levels}"

    def draw(self, examples: int, seed: int = 0) -> Any:
        """Correlated examples [examples, features]; the first feature is constant, and so is the second."""
        rng = np.random.default_rng([seed, examples, self.levels])
        grey = rng.random((examples, 1)) * 0.6 + rng.random((examples, self.features)) * 0.4
        pixels, features = np.floor(grey * (self.levels + 1)).clip(0, self.levels), 2 * grey - 1
        values = pixels if self.dtype is np.uint8 else features  # which may be negative and no whole numbers
        values[:, 0], values[:, 1] = 0, values[0, 1]
        return values.astype(self.dtype)

    def train(self) -> Any:
        return self.draw(self.examples)

    def others(self) -> Any:
        """Examples of another split: where training is constant they are not, and the last is nothing but zeros."""
        values = self.draw(50, seed=1)
        values[:, :2], values[-1] = self.levels, 0
        return values

    def fit(self, preprocessing: Preprocessing, train: Any) -> Map:
        return preprocessing.fit(train, self.levels, self.channels)


TRIALS = (
    Trial(500, 144, 255),
    Trial(500, 144, 16),
    Trial(500, 432, 255, channels=3),
    Trial(40, 144, 255, channels=3),  # fewer examples than features
    Trial(1, 144, 255),
    Trial(500, 144, 1, dtype=np.float32),
    Trial(500, 5, 1, dtype=np.float32),
)


def trials(preprocessing: Preprocessing) -> Iterator[Trial]:
    """Those that the preprocessing does not call impossible."""
    return (trial for trial in TRIALS if not preprocessing.impossible(trial.features))


def facts(preprocessing: Preprocessing) -> Iterator[str]:
    """`keeps_image` is true or false, and `impossible` a text."""
    if not isinstance(preprocessing.keeps_image, bool):
        yield f"keeps_image is {preprocessing.keeps_image!r}"
    sizes = sorted({trial.features for trial in TRIALS})
    for features in sizes:
        reason = preprocessing.impossible(features)
        if not isinstance(reason, str):
            yield f"impossible({features}) is {reason!r}, expected a text, empty if it is possible"
    if not any(trials(preprocessing)):
        yield f"it calls examples of {', '.join(map(str, sizes))} features impossible: there is nothing to try it with"


def maps(preprocessing: Preprocessing) -> Iterator[str]:
    """What is fitted is a finite map of all features, to as many if it keeps the image."""
    for trial in trials(preprocessing):
        fitted = trial.fit(preprocessing, trial.train())
        if not isinstance(fitted, Map):
            yield f"fit gives {type(fitted).__name__}, expected trainability.api.Map"
            return
        for name, part in vars(fitted).items():
            if part is not None:
                yield from _part(f"{name} of {trial.words}", name, part, trial.features)
        if preprocessing.keeps_image and fitted.features != trial.features:
            yield f"keeps_image is true, but of {trial.words} come {fitted.features} features"


def outputs(preprocessing: Preprocessing) -> Iterator[str]:
    """All splits become finite in float32, also where a feature is constant in training or an example is blank."""
    for trial in trials(preprocessing):
        train = trial.train()
        fitted = trial.fit(preprocessing, train)
        for split, x in (("training", train), ("other", trial.others())):
            with np.errstate(all="ignore"):
                place = not_finite(fitted.stored(x))
            if place:
                yield f"of {trial.words}, feature {place[1]} of {split} example {place[0]} is not finite in float32"


def data_kept(preprocessing: Preprocessing) -> Iterator[str]:
    """The training data stay as they were."""
    for trial in trials(preprocessing):
        train = trial.train()
        trial.fit(preprocessing, train)
        if not same(train, trial.train()):
            yield f"fit changes the {trial.words}: work on a copy"


def from_training_alone(preprocessing: Preprocessing) -> Iterator[str]:
    """The same training data give the same bits, whatever was fitted before."""
    for trial in trials(preprocessing):
        first = vars(trial.fit(preprocessing, trial.train()))
        trial.fit(preprocessing, trial.draw(300, seed=2))
        second = vars(trial.fit(preprocessing, trial.train()))
        for name, part in first.items():
            if part is not None and not same(part, second[name]):
                yield f"{name} of {trial.words} is another the second time"


STAGES = ((facts,), (maps,), (outputs, data_kept, from_training_alone))


def _part(told: str, name: str, part: Any, features: int) -> Iterator[str]:
    """Problems of one array of a map."""
    expected = {"matrix": f"[{features}, k]", "contrast": "[1]"}.get(name, f"[{features}]")
    rows, dimensions = 1 if name == "contrast" else features, 2 if name == "matrix" else 1
    if part.dtype != np.float64 or part.ndim != dimensions or len(part) != rows or not part.size:
        yield f"{told} is {list(part.shape)} {part.dtype}, expected {expected} float64"
    elif not_finite(part):
        yield f"{told} is {part[not_finite(part)]} at {list(not_finite(part) or ())}"
