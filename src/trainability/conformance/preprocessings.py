"""What every preprocessing must do, whatever it fits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from trainability.conformance.comparing import not_finite, same
from trainability.maps import Map
from trainability.preprocessing import Preprocessing

FEATURES = 144


def pixels(examples: int, levels: int, seed: int = 0) -> Any:
    """Correlated pixels float64 [examples, FEATURES] from 0 to `levels`; the first is always 0, the second 3."""
    rng = np.random.default_rng([seed, examples, levels])
    grey = rng.random((examples, 1)) * 0.6 + rng.random((examples, FEATURES)) * 0.4
    values = np.floor(grey * (levels + 1)).clip(0, levels)
    values[:, 0], values[:, 1] = 0, 3
    return values


def trials() -> Iterator[tuple[str, Any, int]]:
    """Training pixels in words and as `fit` takes them: many examples, fewer than features, and a single one."""
    for examples, levels in ((500, 255), (500, 16), (40, 255), (1, 255)):
        yield f"{examples} examples of {FEATURES} pixels up to {levels}", pixels(examples, levels), levels


def maps(preprocessing: Preprocessing) -> Iterator[str]:
    """What is fitted is a finite affine map of all features."""
    for given, train, levels in trials():
        fitted = preprocessing.fit(train, levels)
        if not isinstance(fitted, Map):
            yield f"fit gives {type(fitted).__name__}, expected trainability.api.Map"
            return
        for name, part in vars(fitted).items():
            dimensions = 2 if name == "matrix" else 1
            if part is None:
                continue
            if part.dtype != np.float64 or part.ndim != dimensions or len(part) != FEATURES or not part.size:
                shape = f"[{FEATURES}, k]" if name == "matrix" else f"[{FEATURES}]"
                yield f"{name} of {given} is {list(part.shape)} {part.dtype}, expected {shape} float64"
            elif not_finite(part):
                yield f"{name} of {given} is {part[not_finite(part)]} at {list(not_finite(part) or ())}"


def outputs(preprocessing: Preprocessing) -> Iterator[str]:
    """All splits become finite in float32, also where a pixel is constant in training or an example is alone."""
    for given, train, levels in trials():
        fitted = preprocessing.fit(train, levels)
        others = pixels(50, levels, seed=1)
        others[:, :2] = levels  # where training is constant
        for split, x in (("training", train), ("other", others)):
            with np.errstate(over="ignore", invalid="ignore"):
                place = not_finite(fitted(x).astype(np.float32))
            if place:
                yield f"of {given}, feature {place[1]} of {split} example {place[0]} is not finite in float32"


def data_kept(preprocessing: Preprocessing) -> Iterator[str]:
    """The training data stay as they were."""
    for given, train, levels in trials():
        before = train.copy()
        preprocessing.fit(train, levels)
        if not same(train, before):
            yield f"fit changes the {given}: work on a copy"


def from_training_alone(preprocessing: Preprocessing) -> Iterator[str]:
    """The same training data give the same bits, whatever was fitted before."""
    for given, train, levels in trials():
        first = vars(preprocessing.fit(train.copy(), levels))
        preprocessing.fit(pixels(300, levels, seed=2), levels)
        second = vars(preprocessing.fit(train.copy(), levels))
        for name, part in first.items():
            if part is not None and not same(part, second[name]):
                yield f"{name} of {given} is another the second time"


STAGES = ((maps,), (outputs, data_kept, from_training_alone))
