"""How far the figures of matched cells lie apart, and which differences are more than chance and large enough to see.

Differences are B less A, seed by seed at each side's own chosen learning rate, over the seeds that both have. A run
that diverged counts with accuracy 0, as when the rate is chosen; one that missed its target counts as if it had
arrived after twice the training, so that steps have finite ratios.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from trainability import seeding, statistics
from trainability.comparison.matching import Matching, Pair
from trainability.comparison.sides import Side
from trainability.statistics import Array, Estimate
from trainability.tables import steps_column

LEVEL = 0.05  # of all cells together
MISS = 2.0  # budgets that a run which missed its target counts as
MOVED, SMALL, NOISE = "moved", "too small to matter", "within noise"
IDENTICAL, FEW, UNKNOWN, APART = "bit-identical", "too few seeds", "no value", "not paired"
OUTCOMES = (MOVED, SMALL, NOISE, IDENTICAL, FEW, APART, UNKNOWN)  # the most telling first
TESTED = (MOVED, SMALL, NOISE)
NO_ESTIMATE = Estimate(np.nan, np.nan, np.nan)


@dataclass(frozen=True)
class Measure:
    """A figure that cells are compared by.

    `read` takes a side, seeds and a target to a table with a row per cell and a column per seed, missing values NaN.
    `position` puts values where differences are effects; `smallest` is the smallest of interest there, and `why` its
    reason.
    """

    title: str
    read: Callable[[Side, Sequence[int], float], pd.DataFrame]
    smallest: float
    why: str
    doublings: bool = False

    def position(self, values: Array) -> Array:
        return np.log2(np.maximum(values, 1)) if self.doublings else values


def _accuracy(side: Side, seeds: Sequence[int], target: float) -> pd.DataFrame:
    return _column(side, "test_accuracy", seeds).mask(_column(side, "status", seeds) == "diverged", 0.0)


def _steps(side: Side, seeds: Sequence[int], target: float) -> pd.DataFrame:
    steps = _column(side, steps_column(target), seeds)
    miss = MISS * side.cells["steps"].reindex(steps.index).astype(float)
    return steps.where(steps != np.inf, miss, axis=0)


def _dead(side: Side, seeds: Sequence[int], target: float) -> pd.DataFrame:
    return _column(side, "dead_fraction", seeds)


def _column(side: Side, name: str, seeds: Sequence[int]) -> pd.DataFrame:
    """A column of the chosen runs with a row per cell and a column per seed."""
    values = side.runs[name] if name == "status" else side.runs[name].astype(float)
    return values.unstack("seed").reindex(columns=seeds)


MEASURES: dict[str, Measure] = {
    "accuracy": Measure("test accuracy", _accuracy, 0.01, "a point is what one reads off a figure"),
    "steps": Measure("steps to the target", _steps, 0.5, "evaluations lie a factor of 1.41 apart", doublings=True),
    "dead": Measure("dead units", _dead, 0.02, "fewer are a unit or two of a layer"),
}


@dataclass(frozen=True)
class Move:
    """One measure of a pair of cells: what either side shows, the difference, and what to make of it."""

    pair: Pair
    measure: str
    value_a: float  # a mean over seeds, of steps a median
    value_b: float
    difference: Estimate
    p: float  # adjusted for all pairs that were tested on this measure; NaN for one that was not
    outcome: str


def common_target(a: Side, b: Side) -> float | None:
    """The middle one of the targets that both experiments have, of two the higher; none if they share none."""
    shared = sorted(set(a.settings.targets) & set(b.settings.targets))
    return shared[len(shared) // 2] if shared else None


def common_seeds(a: Side, b: Side) -> list[int]:
    """The seeds that both experiments have."""
    return sorted(set(a.settings.seeds) & set(b.settings.seeds))


def measured(a: Side, b: Side) -> list[str]:
    """The measures that both experiments have: without a common target no steps."""
    return [name for name in MEASURES if name != "steps" or common_target(a, b) is not None]


def tables(name: str, a: Side, b: Side) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A measure of both sides, a row per cell and a column per seed that both have."""
    seeds, target = common_seeds(a, b), common_target(a, b) or 0.0  # no measure that is left reads a target then
    read = MEASURES[name].read
    return read(a, seeds, target), read(b, seeds, target)


def moves(a: Side, b: Side, matching: Matching) -> list[Move]:
    """Every measure of every pair, measure by measure, in the order of the pairs."""
    return [move for name in measured(a, b) for move in _of_measure(name, a, b, matching)]


def _of_measure(name: str, a: Side, b: Side, matching: Matching) -> list[Move]:
    one, other = tables(name, a, b)
    values = [(one.loc[pair.a].to_numpy(float), other.loc[pair.b].to_numpy(float)) for pair in matching.pairs]
    found = [_move(name, a, b, pair, *both) for pair, both in zip(matching.pairs, values, strict=True)]
    tested = [index for index, move in enumerate(found) if move.outcome == NOISE]
    if tested:
        position = MEASURES[name].position
        differences = np.stack([position(values[index][1]) - position(values[index][0]) for index in tested])
        p_values = statistics.joint_sign_flip(differences, seeding.generator(0, "comparison", name))
        for index, p in zip(tested, p_values.tolist(), strict=True):
            found[index] = _judged(found[index], p)
    return found


def _move(name: str, a: Side, b: Side, pair: Pair, one: Array, other: Array) -> Move:
    """A move from both cells' values [seeds] before any test, its outcome `NOISE` if there is something to test."""
    measure = MEASURES[name]

    def made(difference: Estimate, outcome: str) -> Move:
        shown = _shown(measure, one, a, pair.a), _shown(measure, other, b, pair.b)
        return Move(pair, name, *shown, difference, np.nan, outcome)

    if a.records[pair.a]["digest"] == b.records[pair.b]["digest"]:
        return made(Estimate(0.0, 0.0, 0.0), IDENTICAL)
    if not len(one) or not np.isfinite([one, other]).all():
        return made(NO_ESTIMATE, UNKNOWN)
    before, after = measure.position(one), measure.position(other)
    if not pair.paired:
        apart = np.nan if measure.doublings else float(after.mean() - before.mean())  # their misses differ in length
        return made(Estimate(apart, apart, apart), APART)
    estimate = statistics.paired(after, before, seeding.generator(0, "comparison", name, pair.a, pair.b))
    return made(estimate, FEW if statistics.smallest_p(len(one)) > LEVEL else NOISE)


def _shown(measure: Measure, values: Array, side: Side, key: str) -> float:
    """What a reader is shown: a mean; of steps a median, infinite if that is a miss."""
    if not len(values):
        return float("nan")
    if not measure.doublings:
        return float(values.mean())
    middle = float(np.median(values))
    return float("inf") if middle > float(side.cells.loc[key, "steps"]) else middle


def _judged(move: Move, p: float) -> Move:
    """A move is one only if it is beyond noise and no smaller than is of interest."""
    if p > LEVEL:
        return replace(move, p=p)
    visible = abs(move.difference.value) >= MEASURES[move.measure].smallest
    return replace(move, p=p, outcome=MOVED if visible else SMALL)


def outcome(found: Sequence[Move]) -> str:
    """The most telling outcome of one pair's measures."""
    return min((move.outcome for move in found), key=OUTCOMES.index)
