"""Tables of the matched cells, of those that moved, and of those without a counterpart."""

from __future__ import annotations

import math
from typing import Any

from trainability.cell import FACTORS
from trainability.comparison.matching import KINDS, Matching, Pair
from trainability.comparison.moves import MEASURES, MOVED, OUTCOMES, Move, outcome
from trainability.comparison.sides import Side
from trainability.report.blocks import Column, Entry, Table
from trainability.report.wording import NONE, percent, plain, steps

Labels = dict[str, dict[str, str]]  # of each pair's factors, by A's key


def labels(a: Side, b: Side, matching: Matching) -> Labels:
    """Of every pair the factors that vary among the pairs, with both values where they differ."""
    found = {pair.a: _both(a, b, pair) for pair in matching.pairs}
    varied = [name for name in FACTORS if len({one[name] for one in found.values()}) > 1] or ["activation"]
    return {key: {name: one[name] for name in varied} for key, one in found.items()}


def settings(found: Labels) -> dict[str, str]:
    """Those labels as text: `activation relu, init zeros`."""
    return {
        key: ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())
        for key, values in found.items()
    }


def _both(a: Side, b: Side, pair: Pair) -> dict[str, str]:
    one, other = a.labels(pair.a), b.labels(pair.b)
    return {
        name: plain(one[name]) if one[name] == other[name] else f"{plain(one[name])} / {plain(other[name])}"
        for name in FACTORS
    }


def moved(found: list[Move], named: Labels) -> Table:
    """A row per cell and measure that moved beyond noise, the largest in its own measure first."""
    rows = sorted((move for move in found if move.outcome == MOVED), key=size, reverse=True)
    factors = _factors(named)
    return Table(
        "table-moved",
        "Cells that moved: a row per cell and measure, those first that moved most in multiples of the smallest size "
        "of interest. Brackets: 95 % interval of the paired difference over seeds.",
        (
            *(Column(name) for name in factors),
            Column("measure"),
            Column("A", True),
            Column("B", True),
            Column("B less A", True),
            Column("p", True),
            Column("match"),
        ),
        tuple(
            (
                *(Entry(named[move.pair.a][name]) for name in factors),
                Entry(MEASURES[move.measure].title),
                *_values(move),
                Entry(f"{move.p:.2g}", move.p),
                Entry(move.pair.kind),
            )
            for move in rows
        ),
        notes=("p is adjusted for all cells that were tested on the same measure.",),
    )


def matched(a: Side, b: Side, found: list[Move], named: Labels) -> Table:
    """A row per pair with all its measures."""
    factors = _factors(named)
    by_pair: dict[Pair, list[Move]] = {}
    for move in found:
        by_pair.setdefault(move.pair, []).append(move)
    names = list(dict.fromkeys(move.measure for move in found))
    return Table(
        "table-matched",
        "All matched cells. Difference: B less A, with its 95 % interval where seeds are paired; of steps the ratio.",
        (
            *(Column(name, choices=tuple(dict.fromkeys(one[name] for one in named.values()))) for name in factors),
            Column("match", choices=KINDS),
            Column("outcome", choices=OUTCOMES),
            *(Column(part, True, MEASURES[name].title) for name in names for part in ("A", "B", "difference")),
            Column("A", True, "learning rate"),
            Column("B", True, "learning rate"),
            Column("cell in A"),
        ),
        tuple(
            (
                *(Entry(named[pair.a][name]) for name in factors),
                Entry(pair.kind),
                Entry(outcome(moves), OUTCOMES.index(outcome(moves))),
                *(entry for move in moves for entry in _values(move)),
                *(_rate(side, key) for side, key in ((a, pair.a), (b, pair.b))),
                Entry(pair.a),
            )
            for pair, moves in by_pair.items()
        ),
        searchable=True,
        notes=(
            "Outcome: the most telling of the cell's measures; how it is found is told under “How it was compared”.",
        ),
    )


def alone(name: str, side: Side, other: Side, keys: tuple[str, ...]) -> Table:
    """A row per cell that only one experiment has, with its factors and why the other lacks it."""
    every = {key: {factor: plain(value) for factor, value in side.labels(key).items()} for key in side.trained}
    factors = [factor for factor in FACTORS if len({one[factor] for one in every.values()}) > 1] or ["activation"]
    found = {key: every[key] for key in keys}
    return Table(
        name,
        f"Cells only in {side.name}, each with the factors that vary in that experiment.",
        (
            *(
                Column(factor, choices=tuple(dict.fromkeys(one[factor] for one in found.values())))
                for factor in factors
            ),
            Column("test accuracy", True),
            Column(f"in {other.name}", long=True),
            Column("studies"),
        ),
        tuple(
            (
                *(Entry(one[factor]) for factor in factors),
                Entry(percent(side.cells.loc[key, "test_accuracy"]), side.cells.loc[key, "test_accuracy"]),
                Entry(_reason(side, other, key)),
                Entry(side.cells.loc[key, "studies"]),
            )
            for key, one in found.items()
        ),
        searchable=len(found) > 1,
    )


def _reason(side: Side, other: Side, key: str) -> str:
    """Why the other experiment has no counterpart."""
    reason = other.excluded.get(side.place(key))
    return f"left out ({reason})" if reason else "not asked for"


def _factors(named: Labels) -> list[str]:
    return list(next(iter(named.values()), {"activation": ""}))


def size(move: Move) -> float:
    """A difference in multiples of the smallest of interest."""
    return abs(move.difference.value) / MEASURES[move.measure].smallest


def _values(move: Move) -> tuple[Entry, Entry, Entry]:
    write: Any = steps if MEASURES[move.measure].doublings else percent
    values = (Entry(write(value), value) for value in (move.value_a, move.value_b))
    return (*values, Entry(difference(move), move.difference.value))  # type: ignore[return-value]


def difference(move: Move) -> str:
    """`+1.2 [0.3, 2.0] points`, `1.41 [1.2, 1.6] times as many`; no brackets where seeds agree or are not paired."""
    value, low, high = move.difference
    if math.isnan(value):
        return NONE
    if MEASURES[move.measure].doublings:
        written, unit = [f"{2**bound:.3g}" for bound in move.difference], "times as many"
    else:
        written, unit = [_signed(100 * bound) for bound in move.difference], "points"
    return f"{written[0]} {unit}" if low == high else f"{written[0]} [{written[1]}, {written[2]}] {unit}"


def _signed(points: float) -> str:
    rounded = round(points, 1) + 0.0  # no sign of a zero
    return f"{rounded:+.1f}".replace("-", "\N{MINUS SIGN}") if rounded else "0.0"


def _rate(side: Side, key: str) -> Entry:
    rate = float(side.cells.loc[key, "learning_rate"])
    return Entry(f"{rate:g}", rate)
