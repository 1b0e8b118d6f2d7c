"""What changed, in sentences whose numbers are those of the tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainability import statistics
from trainability.comparison.cells import difference, size
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
from trainability.comparison.verdicts import CHANGES, FLIPS, SAME, Statement
from trainability.report.wording import NONE, count, decimal, goal, listing, with_interval

MOST = 3  # flips that are told one by one


def scope(a: Side, b: Side, matching: Matching) -> str:
    """What is compared, and how the cells of the two match."""
    alike = a.settings.title == b.settings.title  # and then said in the page's title
    sides = listing(
        f"{side.name} is `{side.folder}` ({'' if alike else f'{side.settings.title}; '}"
        f"{count(len(side.trained), 'cell')}, {count(len(side.settings.seeds), 'seed')})"
        for side in (a, b)
    )
    kinds = {
        CELL: "the same in both",
        SETTING: "the same setting with other seeds, learning rates or source",
        PLACE: "in the same place of experiments that differ in scale",
    }
    numbers = {words: matching.count(kind) for kind, words in kinds.items()}
    numbers |= {"only in A": len(matching.only_a), "only in B": len(matching.only_b)}
    parts = [f"{_are(number)} {words}" for words, number in numbers.items() if number]
    return f"{sides}. Of their cells {listing(parts)}."


def _are(number: int) -> str:
    return f"{number:,} {'is' if number == 1 else 'are'}"


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
    number = {change: sum(one.change == change for one in found) for change in CHANGES}
    flips = [one for one in found if one.change in FLIPS]
    tested = len(flips) + number[SAME]
    others = [
        f"{_are(number[change])} {change}" for change in CHANGES if change not in (*FLIPS, SAME) and number[change]
    ]
    rest = f" Of the other statements {listing(others)}." if others else ""
    if not tested:
        return f"No statement is tested by both.{rest}"
    told = f"Of {count(tested, 'statement')} that both test, {number[SAME]} have the same verdict"
    if not flips:
        return f"{told}; none flipped.{rest}"
    kinds = listing(f"{number[kind]} {kind}" for kind in FLIPS if number[kind])
    named = listing(f"“{one.text}” ({_verdicts(one)})" for one in flips[:MOST])
    first = "Flipped: " if len(flips) <= MOST else "The first of them: "
    return f"{told} and {len(flips)} flipped ({kinds}). {first}{named}.{rest}"


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
    largest = sorted((move for move in paired if move.outcome == MOVED), key=size, reverse=True)[:1]
    for move in largest:
        told += f" Moved most: {settings[move.pair.a]}, {MEASURES[move.measure].title} {difference(move)}."
    small = sum(move.outcome == SMALL for move in paired)
    unknown = sum(move.outcome == UNKNOWN for move in paired)
    if small:
        told += f" {count(small, 'difference')} beyond noise {'is' if small == 1 else 'are'} too small to matter."
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
        taus = [one.tau[name] for one in found if name in one.tau and not np.isnan(one.tau[name].value)]
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
        f"Kendall's tau {listing(parts) or NONE}; {best}."
    )


def target(a: Side, b: Side) -> str:
    """The target that steps are counted to."""
    found = common_target(a, b)
    return "they share no target, so steps are not compared" if found is None else f"{goal(found)} validation accuracy"
