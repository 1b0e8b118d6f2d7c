"""Whether the activations come in the same order in both experiments, by setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from trainability import seeding, statistics
from trainability.cell import FACTORS
from trainability.comparison.matching import Matching, Pair
from trainability.comparison.moves import MEASURES, NO_ESTIMATE, common_seeds, measured, tables
from trainability.comparison.sides import Side, Signature
from trainability.statistics import Array, Estimate

LEAST = 3  # activations that make an order
RANKED = ("accuracy", "steps")
Tables = tuple[pd.DataFrame, pd.DataFrame]


class Ranking(NamedTuple):
    """The activations of one setting, the best on either side, and Kendall's tau between the sides, by measure.

    Where all activations tie on a side there is no order, and tau is NaN.
    """

    setting: str
    activations: int
    best_a: str
    best_b: str
    tau: dict[str, Estimate]


def rankings(a: Side, b: Side, matching: Matching) -> list[Ranking]:
    """A ranking for every setting in which both have at least three activations, in the order of A's cells."""
    groups: dict[Signature, list[Pair]] = {}
    for pair in matching.pairs:
        names = zip(FACTORS, a.place(pair.a), strict=True)
        groups.setdefault(tuple(value for factor, value in names if factor != "activation"), []).append(pair)
    whole = [pairs for pairs in groups.values() if len(pairs) >= LEAST] if common_seeds(a, b) else []
    values = {name: tables(name, a, b) for name in RANKED if name in measured(a, b)}
    varied = _varied(a, whole)
    return [_ranking(a, pairs, values, varied) for pairs in whole]


def _ranking(a: Side, pairs: list[Pair], values: Mapping[str, Tables], varied: list[str]) -> Ranking:
    tau = {}
    labels = a.labels(pairs[0].a)
    setting = ", ".join(f"{name.replace('_', ' ')} {labels[name]}" for name in varied) or "the only setting"
    for name, sides in values.items():
        one, other = _positions(name, sides, pairs)
        tied = any(np.ptp(side.mean(1)) == 0 for side in (one, other))  # as where nothing reaches the target
        rng = seeding.generator(0, "comparison", "ranking", name, setting)
        tau[name] = NO_ESTIMATE if tied else statistics.agreement(one, other, rng)
    best_a, best_b = (_best(a, pairs, side) for side in _positions("accuracy", values["accuracy"], pairs))
    return Ranking(setting, len(pairs), best_a, best_b, tau)


def _positions(name: str, sides: Tables, pairs: list[Pair]) -> tuple[Array, Array]:
    """Values [activations, seeds] of both sides, where differences are effects."""
    position = MEASURES[name].position
    one = position(sides[0].loc[[pair.a for pair in pairs]].to_numpy(float))
    return one, position(sides[1].loc[[pair.b for pair in pairs]].to_numpy(float))


def _best(a: Side, pairs: list[Pair], values: Array) -> str:
    """The activation of the highest mean, several where they tie."""
    means = values.mean(1)
    return ", ".join(a.labels(pairs[index].a)["activation"] for index in np.flatnonzero(means == means.max()))


def _varied(a: Side, groups: list[list[Pair]]) -> list[str]:
    """Factors, but the activation, in which the settings differ."""
    labels = [a.labels(pairs[0].a) for pairs in groups]
    return [name for name in FACTORS if name != "activation" and len({label[name] for label in labels}) > 1]
