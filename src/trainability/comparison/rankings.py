"""Whether the activations come in the same order in both experiments, by setting."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trainability import seeding, statistics
from trainability.cell import FACTORS
from trainability.comparison.matching import Matching, Pair
from trainability.comparison.moves import MEASURES, NO_ESTIMATE, common_seeds, common_target, measured
from trainability.comparison.sides import Side, Signature
from trainability.statistics import Array, Estimate

LEAST = 3  # activations that make an order
RANKED = ("accuracy", "steps")


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
    seeds = common_seeds(a, b)
    groups: dict[Signature, list[Pair]] = {}
    for pair in matching.pairs:
        names = zip(FACTORS, a.place(pair.a), strict=True)
        groups.setdefault(tuple(value for factor, value in names if factor != "activation"), []).append(pair)
    whole = [pairs for pairs in groups.values() if len(pairs) >= LEAST] if seeds else []
    varied = _varied(a, whole)
    return [_ranking(a, b, pairs, seeds, varied) for pairs in whole]


def _ranking(a: Side, b: Side, pairs: list[Pair], seeds: list[int], varied: list[str]) -> Ranking:
    tau, best = {}, {}
    labels = a.labels(pairs[0].a)
    setting = ", ".join(f"{name.replace('_', ' ')} {labels[name]}" for name in varied) or "the only setting"
    for name in (one for one in RANKED if one in measured(a, b)):
        one, other = _values(name, a, b, pairs, seeds)
        tied = any(np.ptp(values.mean(1)) == 0 for values in (one, other))  # as where nothing reaches the target
        rng = seeding.generator(0, "comparison", "ranking", name, setting)
        tau[name] = NO_ESTIMATE if tied else statistics.agreement(one, other, rng)
        if name == "accuracy":
            best = {side: _best(a, pairs, values) for side, values in (("a", one), ("b", other))}
    return Ranking(setting, len(pairs), best["a"], best["b"], tau)


def _values(name: str, a: Side, b: Side, pairs: list[Pair], seeds: list[int]) -> tuple[Array, Array]:
    """Values [activations, seeds] of both sides, where differences are effects."""
    measure, target = MEASURES[name], common_target(a, b) or 0.0
    one = np.stack([measure.position(measure.read(a, pair.a, seeds, target)) for pair in pairs])
    other = np.stack([measure.position(measure.read(b, pair.b, seeds, target)) for pair in pairs])
    return one, other


def _best(a: Side, pairs: list[Pair], values: Array) -> str:
    """The activation of the highest mean, several where they tie."""
    means = values.mean(1)
    return ", ".join(a.labels(pairs[index].a)["activation"] for index in np.flatnonzero(means == means.max()))


def _varied(a: Side, groups: list[list[Pair]]) -> list[str]:
    """Factors, but the activation, in which the settings differ."""
    labels = [a.labels(pairs[0].a) for pairs in groups]
    return [name for name in FACTORS if name != "activation" and len({label[name] for label in labels}) > 1]
