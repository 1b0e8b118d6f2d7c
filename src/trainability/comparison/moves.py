"""How far the figures of matched cells lie apart, and which differences are more than chance and large enough to see.

Differences are B less A, seed by seed at each side's own chosen learning rate, over the seeds that both have. A run
that diverged counts with accuracy 0, as when the rate is chosen; one that missed its target counts as if it had
arrived after twice the training, so that steps have finite ratios.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

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

    `read` takes a side, a cell's key, seeds and a target to one value per seed [seeds], missing ones NaN. `position`
    puts values where differences are effects; `smallest` is the smallest of interest there, and `why` its reason.
    """

    title: str
    read: Callable[[Side, str, Sequence[int], float], Array]
    smallest: float
    why: str
    doublings: bool = False

    def position(self, values: Array) -> Array:
        return np.log2(np.maximum(values, 1)) if self.doublings else values


def _accuracy(side: Side, key: str, seeds: Sequence[int], target: float) -> Array:
    rows = side.runs.loc[key].loc[list(seeds)]
    accuracy = rows["test_accuracy"].astype(float).to_numpy()
    return np.where(rows["status"] == "diverged", 0.0, accuracy)


def _steps(side: Side, key: str, seeds: Sequence[int], target: float) -> Array:
    steps = side.runs.loc[key].loc[list(seeds), steps_column(target)].astype(float).to_numpy()
    return statistics.counted(steps, float(side.cells.loc[key, "steps"]), MISS)


def _dead(side: Side, key: str, seeds: Sequence[int], target: float) -> Array:
    return side.runs.loc[key].loc[list(seeds), "dead_fraction"].astype(float).to_numpy()


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


def moves(a: Side, b: Side, matching: Matching) -> list[Move]:
    """Every measure of every pair, measure by measure, in the order of the pairs."""
    seeds = common_seeds(a, b)
    return [move for name in measured(a, b) for move in _of_measure(name, a, b, matching, seeds)]


def _of_measure(name: str, a: Side, b: Side, matching: Matching, seeds: list[int]) -> list[Move]:
    found = [_move(name, a, b, pair, seeds) for pair in matching.pairs]
    tested = [index for index, move in enumerate(found) if move.outcome == NOISE]
    if tested:
        differences = np.stack([_differences(name, a, b, found[index].pair, seeds) for index in tested])
        p_values = statistics.joint_sign_flip(differences, seeding.generator(0, "comparison", name))
        for index, p in zip(tested, p_values.tolist(), strict=True):
            found[index] = _judged(found[index], p)
    return found


def _move(name: str, a: Side, b: Side, pair: Pair, seeds: list[int]) -> Move:
    """A move before any test, its outcome `NOISE` if there is something to test."""
    one, other = _values(name, a, b, pair, seeds)
    measure = MEASURES[name]

    def made(difference: Estimate, outcome: str) -> Move:
        shown = _shown(measure, one, a, pair.a), _shown(measure, other, b, pair.b)
        return Move(pair, name, *shown, difference, np.nan, outcome)

    if a.records[pair.a]["digest"] == b.records[pair.b]["digest"]:
        return made(Estimate(0.0, 0.0, 0.0), IDENTICAL)
    if not seeds or not np.isfinite([one, other]).all():
        return made(NO_ESTIMATE, UNKNOWN)
    before, after = measure.position(one), measure.position(other)
    if not pair.paired:
        apart = np.nan if measure.doublings else float(after.mean() - before.mean())  # their misses differ in length
        return made(Estimate(apart, apart, apart), APART)
    estimate = statistics.paired(after, before, seeding.generator(0, "comparison", name, pair.a, pair.b))
    return made(estimate, FEW if statistics.smallest_p(len(seeds)) > LEVEL else NOISE)


def _values(name: str, a: Side, b: Side, pair: Pair, seeds: list[int]) -> tuple[Array, Array]:
    """A measure of both cells [seeds]."""
    target = common_target(a, b) or 0.0  # without one there is no measure that reads it
    return MEASURES[name].read(a, pair.a, seeds, target), MEASURES[name].read(b, pair.b, seeds, target)


def _differences(name: str, a: Side, b: Side, pair: Pair, seeds: list[int]) -> Array:
    before, after = (MEASURES[name].position(values) for values in _values(name, a, b, pair, seeds))
    return after - before


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
