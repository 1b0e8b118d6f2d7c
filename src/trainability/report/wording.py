"""Numbers and lists as text, the same everywhere on the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from trainability.statistics import Estimate

NONE = "\N{EN DASH}"  # there is no figure
NEVER = "never"  # an infinite number of steps
PERCENT = "\N{NO-BREAK SPACE}%"


def percent(share: float) -> str:
    """A share as a percentage with one decimal, never rounded to 0 or 100 unless it is exactly that."""
    if not math.isfinite(share):
        return NONE
    text = f"{100 * share:.1f}"
    if share > 0 and text == "0.0":
        text = "<0.1"
    if share < 1 and text == "100.0":
        text = ">99.9"
    return text + PERCENT


def goal(target: float) -> str:
    """A target as it was configured: `90 %`, `97.5 %`."""
    return f"{100 * target:.6g}{PERCENT}"


def points(difference: float) -> str:
    """A difference of shares in percentage points."""
    return f"{100 * difference:.1f} points"


def steps(number: float) -> str:
    """A number of steps; an infinite one reads as `never`."""
    if math.isnan(number):
        return NONE
    if math.isinf(number):
        return NEVER
    return f"{number:,.0f}" if number == round(number) else f"{number:,.1f}"


def figure(number: float) -> str:
    """Any other figure with three significant digits."""
    return f"{number:.3g}" if math.isfinite(number) else NONE


def decimal(number: float) -> str:
    """A figure near 1 with three decimals; what rounds to 0 has no sign."""
    return f"{round(number, 3) + 0.0:.3f}" if math.isfinite(number) else NONE


def plain(value: Any) -> str:
    """A factor's value: text as it is, numbers as short as they can be."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def seconds(number: float) -> str:
    """A duration in seconds, with a decimal below ten."""
    return f"{number:,.1f}" if number < 10 else f"{number:,.0f}"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 cell`, `2,000 cells`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listing(words: Iterable[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    words = list(words)
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def estimate_of(row: Mapping[Any, Any], name: str) -> Estimate:
    """The estimate that a row of the table of cells holds under `name`, `name`_low and `name`_high."""
    return Estimate(float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]))


def with_interval(estimate: Estimate, write: Callable[[float], str] = percent) -> str:
    """`93.4 % [92.8, 94.0]`; without brackets where all seeds agree, or where there is but one."""
    value = write(estimate.value)
    if math.isnan(estimate.value) or estimate.low == estimate.high:
        return value
    low, high = (write(bound).removesuffix(PERCENT) for bound in (estimate.low, estimate.high))
    return f"{value} [{low}, {high}]"


def short(pieces: Iterable[Any]) -> str:
    """Whole numbers as ranges: `0 to 7`, `0, 2 and 5`."""
    numbers = [int(piece) for piece in pieces]
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return listing(map(str, numbers))
