"""What batch normalization changes: each activation with and without it at the base setting."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from typing import Any

from trainability.report.blocks import Column, Entry, Shows, Table
from trainability.report.comparisons import BRACKETS, records
from trainability.report.material import Material
from trainability.report.wording import estimate_of, figure, goal, listing, percent, steps, with_interval
from trainability.tables import median_largest_rates

SIDES = {"none": "without", "batchnorm": "with"}
Pair = Mapping[str, Mapping[Any, Any]]  # rows of the table of cells, by normalization


def table(found: Material) -> Table:
    """Steps, accuracy, dead units and the largest rate, without and with."""
    measures = _measures(found)
    pairs = _pairs(found)
    rows = []
    for activation, pair in pairs.items():
        entries = [Entry(activation)]
        for name, (_, write, _) in measures.items():
            for side in SIDES:
                estimate = estimate_of(pair[side], name)
                entries.append(Entry(with_interval(estimate, write), estimate.value))
        rows.append(tuple(entries))
    return Table(
        "table-batchnorm",
        f"Without and with batch normalization at the base setting, n = {len(found.settings.seeds)} seeds. Steps and "
        "the largest rate at which a seed trains are medians over seeds, each else a mean.",
        (
            Column("activation"),
            *(Column(word, True, label) for label, _, _ in measures.values() for word in SIDES.values()),
        ),
        tuple(rows),
        notes=(BRACKETS,),
        shows=Shows(
            ("steps", "test_accuracy", "dead_fraction", "largest_rate"),
            ("activation", "normalization"),
            "normalization",
            cells=frozenset(pair[side]["cell"] for pair in pairs.values() for side in SIDES),
        ),
    )


def sentence(found: Material) -> str:
    """Each measurement without and with batch normalization, and for which activations it became larger or smaller."""
    pairs = _pairs(found)
    if not pairs:
        return "No activation was trained at the base setting with batch normalization and without any."
    parts = [
        f"{label[0].upper()}{label[1:]}: {_changes(pairs, name, write, words)}."
        for name, (label, write, words) in _measures(found).items()
    ]
    middle = "" if len(pairs) == 1 else f"; pairs of numbers are medians of {len(pairs)} activations"
    return f"Batch normalization at the base setting{middle}. {' '.join(parts)}"


def _measures(found: Material) -> dict[str, tuple[str, Callable[[float], str], tuple[str, str]]]:
    """Columns with what they are called, how they are written, and the words for a larger and a smaller figure."""
    return {
        f"median_steps_to_{found.target:g}": (f"steps to {goal(found.target)}", steps, ("more", "fewer")),
        "test_accuracy": ("test accuracy", percent, ("higher", "lower")),
        "dead_fraction": ("dead units", percent, ("more", "fewer")),
        "largest_rate": ("largest rate that trains", figure, ("higher", "lower")),
    }


def _pairs(found: Material) -> dict[str, Pair]:
    """Activations that were trained both ways, with their rows of the table of cells."""
    cells = found.around_base("activation", "normalization")
    cells = cells[cells["normalization"].isin(SIDES)]
    runs = found.runs[found.runs["cell"].isin(cells["cell"])]
    rates = median_largest_rates(runs).set_axis(["largest_rate", "largest_rate_low", "largest_rate_high"], axis=1)
    by_activation = cells.reset_index(drop=True).join(rates, on="cell").groupby("activation", sort=False)
    pairs = {str(name): {row["normalization"]: row for row in records(some)} for name, some in by_activation}
    return {name: pair for name, pair in pairs.items() if len(pair) == len(SIDES)}


def _changes(pairs: Mapping[str, Pair], name: str, write: Callable[[float], str], words: tuple[str, str]) -> str:
    """`64 without and 45 with it; fewer for relu and elu, more for tanh`."""
    values = {one: tuple(estimate_of(pair[side], name).value for side in SIDES) for one, pair in pairs.items()}
    known = {one: pair for one, pair in values.items() if not any(map(math.isnan, pair))}
    up, down = ([one for one, (before, after) in known.items() if sign * (after - before) > 0] for sign in (1, -1))
    alike = [one for one, (before, after) in known.items() if before == after]
    unknown = [one for one in values if one not in known]
    parts = [
        (up, f"{words[0]} for {listing(up)}"),
        (down, f"{words[1]} for {listing(down)}"),
        (alike, f"the same for {listing(alike)}"),
        (unknown, f"not known for {listing(unknown)}"),
    ]
    middle = [write(statistics.median(some)) for some in zip(*known.values(), strict=True)]
    numbers = [f"{middle[0]} without and {middle[1]} with it"] if known else []
    return "; ".join([*numbers, *(text for names, text in parts if names)])
