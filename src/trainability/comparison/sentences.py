"""What changed, in sentences whose numbers are those of the tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainability import statistics
from trainability.comparison.cells import difference
from trainability.comparison.matching import CELL, PLACE, SETTING, Matching
from trainability.comparison.moves import (
    FEW,
    IDENTICAL,
    LEVEL,
    MEASURES,
    MOVED,
    SMALL,
    TESTED,
    UNKNOWN,
    Move,
    common_seeds,
    common_target,
    measured,
)
from trainability.comparison.rankings import LEAST, RANKED, Ranking
from trainability.comparison.sides import Side
from trainability.comparison.verdicts import FLIPS, ONLY_A, ONLY_B, REVERSED, Statement
from trainability.report.wording import count, decimal, goal, listing, with_interval

MOST = 3  # flips that are told one by one


def scope(a: Side, b: Side, matching: Matching) -> str:
    """What is compared, and how the cells of the two match."""
    sides = listing(
        f"{side.name} is `{side.folder}` ({side.settings.title}; {count(len(side.trained), 'cell')}, "
        f"{count(len(side.settings.seeds), 'seed')})"
        for side in (a, b)
    )
    kinds = {
        CELL: "the same in both",
        SETTING: "the same setting with other seeds, learning rates or source",
        PLACE: "in the same place of experiments that differ in scale",
    }
    matches = [f"{matching.count(kind)} are {words}" for kind, words in kinds.items() if matching.count(kind)]
    alone = f"{len(matching.only_a)} are only in A and {len(matching.only_b)} only in B"
    return f"{sides}. Of their cells {listing([*matches, alone])}."


def setup(configuration: Sequence[object], origins: Sequence[tuple[str, str, str]]) -> str:
    """Whether configuration, code and surroundings differ."""
    keys = f"differ in {count(len(configuration), 'place')}" if configuration else "are the same"
    names = [name for name, _, _ in origins]
    others = (
        f"the records differ in {listing(names)}" if names else "the records name the same code, software and hardware"
    )
    return f"The configurations {keys}; {others}."


def verdicts(found: Sequence[Statement]) -> str:
    """How many statements flipped, and the first of them by name."""
    both = [one for one in found if one.change not in (ONLY_A, ONLY_B)]
    flips = [one for one in both if one.change in FLIPS]
    alone = {change: sum(one.change == change for one in found) for change in (ONLY_A, ONLY_B)}
    single = "".join(f" {number} more are {change}." for change, number in alone.items() if number)
    if not both:
        return f"No statement is judged by both.{single}"
    agreeing = f"Of {count(len(both), 'statement')} that both have, {len(both) - len(flips)} have the same verdict"
    if not flips:
        return f"{agreeing}; none flipped.{single}"
    kinds = [
        f"{sum(one.change == kind for one in flips)} {kind}" for kind in dict.fromkeys(one.change for one in flips)
    ]
    named = [f"“{one.text}” ({_verdicts(one)})" for one in flips if one.change == REVERSED][:MOST]
    told = (
        f" Reversed{' first' * (len(named) < sum(one.change == REVERSED for one in flips))}: {listing(named)}."
        if named
        else ""
    )
    return f"{agreeing} and {len(flips)} flipped ({listing(kinds)}).{told}{single}"


def _verdicts(one: Statement) -> str:
    return f"{one.a and one.a['verdict']} in A, {one.b and one.b['verdict']} in B"


def cells(a: Side, b: Side, found: Sequence[Move], settings: dict[str, str]) -> str:
    """How many of the paired cells are bit-identical, and how many of the others moved in what."""
    paired = [move for move in found if move.pair.paired]
    pairs = {move.pair for move in paired}
    if not pairs:
        return "No cell of one has the setting of one of the other, so no cell can have moved."
    identical = {move.pair for move in paired if move.outcome == IDENTICAL}
    start = f"Of {count(len(pairs), 'cell')} with the same setting {len(identical)} are bit-identical"
    if len(identical) == len(pairs):
        return f"{start}, so nothing moved."
    seeds = common_seeds(a, b)
    if any(move.outcome == FEW for move in paired) or not seeds:
        common = f"{count(len(seeds), 'seed')} in common (it takes {enough()})"
        return f"{start}; whether the others moved cannot be told from {common}."
    counts = []
    for name in measured(a, b):
        tested = [move for move in paired if move.measure == name and move.outcome in TESTED]
        moved = sum(move.outcome == MOVED for move in tested)
        counts.append(f"{moved} of {len(tested)} in {MEASURES[name].title}")
    told = f"{start}; of the others moved beyond noise {listing(counts)}."
    moved_most = sorted(
        (move for move in paired if move.outcome == MOVED and move.measure == "accuracy"),
        key=lambda move: -abs(move.difference.value),
    )
    if moved_most:
        first = moved_most[0]
        told += f" In accuracy moved most {settings[first.pair.a]}: {difference(first)}."
    small = sum(move.outcome == SMALL for move in paired)
    unknown = sum(move.outcome == UNKNOWN for move in paired)
    told += (
        f" {count(small, 'difference')} beyond noise {'is' if small == 1 else 'are'} too small to matter."
        if small
        else ""
    )
    return told + (f" {count(unknown, 'figure')} could not be compared, as runs diverged." if unknown else "")


def enough() -> int:
    """The fewest seeds that can show a move."""
    return next(n for n in range(2, 64) if statistics.smallest_p(n) <= LEVEL)


def orders(found: Sequence[Ranking]) -> str:
    """Whether the activations come in the same order."""
    if not found:
        return f"In no setting do the two share {LEAST} activations or more, so their order is not compared."
    parts = []
    for name in RANKED:
        taus = [one.tau[name] for one in found if name in one.tau]
        if not taus:
            continue
        values = [tau.value for tau in taus]
        if len(taus) == 1:
            parts.append(f"{with_interval(taus[0], decimal)} by {MEASURES[name].title}")
        else:
            spread = f"from {decimal(min(values))} to {decimal(max(values))}"
            parts.append(f"{decimal(float(np.mean(values)))} on average ({spread}) by {MEASURES[name].title}")
    same = sum(one.best_a == one.best_b for one in found)
    best = f"the most accurate activation is the same in {same} of them"
    return (
        f"In {count(len(found), 'setting')} with {LEAST} or more activations in common, the orders of these agree with "
        f"Kendall's tau {listing(parts)}; {best}."
    )


def target(a: Side, b: Side) -> str:
    """The target that steps are counted to."""
    found = common_target(a, b)
    return "they share no target, so steps are not compared" if found is None else f"{goal(found)} validation accuracy"
