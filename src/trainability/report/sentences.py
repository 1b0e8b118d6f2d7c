"""Sentences with numbers, computed from the tables and true of whatever they hold, ties and failures too."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from trainability.report.comparisons import records
from trainability.report.material import Material
from trainability.report.wording import (
    count,
    estimate_of,
    goal,
    listing,
    percent,
    points,
    steps,
    with_interval,
)
from trainability.statistics import Estimate

Named = list[tuple[str, Estimate]]


def scope(material: Material) -> str:
    """How much was trained."""
    seeds, rates = len(material.settings.seeds), len(material.settings.learning_rates)
    text = (
        f"{count(len(material.cells), 'network setting')} (cells) were trained, each with {count(seeds, 'seed')} at "
        f"{count(rates, 'learning rate')}: {count(len(material.runs), 'run')} in all."
    )
    left_out = sum(not entry.included for entry in material.plan.values())
    if left_out:
        text += f" Left out on purpose: {count(left_out, 'cell')} of the plan."
    return text


def fates(material: Material) -> str:
    """How the runs ended, and the cells at their selected learning rates."""
    statuses, cells = material.runs["status"], material.cells
    diverged, stalled = int((statuses == "diverged").sum()), int((statuses == "stalled").sum())
    if not diverged and not stalled:
        return "No run diverged or stalled."
    text = f"Of all runs, {diverged:,} diverged and {stalled:,} stalled at chance level"
    some = int(((cells["diverged"] + cells["stalled"]) > 0).sum())
    if not some:
        return f"{text}; at the learning rate chosen for each cell, none did."
    return (
        f"{text}; at the learning rate chosen for each cell, {count(some, 'cell')} of {len(cells):,} still had seeds "
        "that did. Such runs count as misses; none is left out."
    )


def fastest(rows: pd.DataFrame, target: float) -> str:
    """Which activation reached a target in the fewest median steps, who came next, and who missed it."""
    found = _estimates(rows, f"median_steps_to_{target:g}")
    if not found:
        return "Convergence speed: no cell has the base setting."
    reached = [(name, e) for name, e in found if np.isfinite(e.value)]
    missed = [name for name, e in found if not np.isfinite(e.value)]
    aim = f"{goal(target)} validation accuracy"
    if not reached:
        return f"With {_either(missed)}, at most half of the seeds reached {aim}."
    best = min(e.value for _, e in reached)
    first = [(name, e) for name, e in reached if e.value == best]
    later = [(name, e) for name, e in reached if e.value > best]
    number = (
        f"the fewest steps, a median of {_each(first, steps)}" if later else f"a median of {_each(first, steps)} steps"
    )
    text = f"To {aim}, {_names(first)} took {number}"
    if later:
        runner_up, estimate = min(later, key=lambda one: one[1].value)
        overlap = "overlap" if estimate.low <= max(e.high for _, e in first) else "do not overlap"
        text += f"; next came {runner_up} with {with_interval(estimate, steps)} (the intervals {overlap})"
    if missed:
        text += f". With {_either(missed)}, at most half of the seeds reached it"
    return f"{text}."


def deadest(rows: pd.DataFrame) -> str:
    """Which activation had the largest share of dead units at the end, and which had none."""
    found = _estimates(rows, "dead_fraction")
    if not found:
        return "Dead units: no cell has the base setting."
    known = [(name, e) for name, e in found if np.isfinite(e.value)]
    unknown = [name for name, e in found if not np.isfinite(e.value)]
    none = [name for name, e in known if e.value == 0]
    parts = []
    if len(none) < len(known):
        most = percent(max(e.value for _, e in known))
        first = [(name, e) for name, e in known if percent(e.value) == most]
        largest = "the largest share of dead units was" if len(known) > len(first) else "the share of dead units was"
        part = f"At the end of training {largest} {_each(first, percent)}, with {_names(first)}"
        parts.append(part + (f"; there was none with {_or(none)}" if none else ""))
    elif known:
        parts.append(f"At the end of training no unit was dead with {_or(none)}")
    if unknown:
        parts.append(f"Dead units are not known for {listing(unknown)}, where a seed diverged")
    return ". ".join(parts) + "."


def most_accurate(rows: pd.DataFrame) -> str:
    """Which activation had the highest mean test accuracy, and which the lowest."""
    found = [(name, e) for name, e in _estimates(rows, "test_accuracy") if np.isfinite(e.value)]
    if not found:
        return "Final accuracy: no cell has the base setting."
    highest, lowest = (percent(pick(e.value for _, e in found)) for pick in (max, min))
    best = [(name, e) for name, e in found if percent(e.value) == highest]  # what reads equal is called equal
    if highest == lowest:
        return f"Mean test accuracy was {_each(best, percent)} with {_names(best)}."
    worst = [(name, e) for name, e in found if percent(e.value) == lowest]
    return (
        f"Mean test accuracy was highest with {_names(best)}, {_each(best, percent)}, "
        f"and lowest with {_names(worst)}, {_each(worst, percent)}."
    )


def forgiveness(found: pd.DataFrame) -> str:
    """How batch normalization changed the spread over initialisations; `found` is what `spreads` returns."""
    if found.empty:
        return "No activation was trained with several initialisations with and without batch normalization."
    before, after = ((100 * found[f"spread_{name}"]).round(1) for name in ("none", "batchnorm"))
    groups = {
        "narrowed this gap for": found["activation"][after < before],
        "widened it for": found["activation"][after > before],
        "left it as it was for": found["activation"][after == before],
    }
    changes = [f"{verb} {listing(names)}" for verb, names in groups.items() if len(names)]
    changes[0] = changes[0].replace(" it ", " this gap ", 1)
    gaps = [points(float(found[f"spread_{name}"].median())) for name in ("none", "batchnorm")]
    middle = f" (medians of {len(found)} activations)" if len(found) > 1 else ""
    return (
        f"Mean test accuracy with the best and with the worst random initialisation lay {gaps[0]} apart without batch "
        f"normalization and {gaps[1]} apart with it{middle}; batch normalization {listing(changes)}."
    )


def edges(cells: pd.DataFrame) -> str:
    """How many cells chose a learning rate at the edge of the grid."""
    low, high = (int((cells["rate_edge"] == edge).sum()) for edge in ("low", "high"))
    if not low and not high:
        return "No cell chose a learning rate at an edge of the grid."
    return (
        f"Of {count(len(cells), 'cell')}, {low} chose the lowest learning rate of the grid and {high} the highest. "
        "Their best rate may lie beyond it, so they may do better than is shown."
    )


def _estimates(rows: pd.DataFrame, name: str) -> Named:
    return [(str(row["activation"]), estimate_of(row, name)) for row in records(rows)]


def _names(found: Named) -> str:
    return listing(name for name, _ in found)


def _each(found: Named, write: Callable[[float], str]) -> str:
    return listing(with_interval(estimate, write) for _, estimate in found)


def _either(names: Iterable[str]) -> str:
    """`relu`, `each of relu and elu`."""
    names = list(names)
    return names[0] if len(names) == 1 else f"each of {listing(names)}"


def _or(names: Iterable[str]) -> str:
    return listing(names, "or")
