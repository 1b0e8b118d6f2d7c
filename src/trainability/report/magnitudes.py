"""Effects in words: what a number on the scale of a statement's effects says of its metric.

The tables orient effects so that the statement says that they are positive. For a reader a difference has a word,
higher or lower, and no sign; and what is no difference, a level or a trend, is shown as it was measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainability.charts import number
from trainability.claims.evidence import EVIDENCE
from trainability.claims.metrics import METRICS
from trainability.report.wording import NONE, PERCENT
from trainability.statistics import Estimate

ABSOLUTE = tuple(name for name in EVIDENCE if EVIDENCE[name].absolute)  # kinds whose effect is no difference
CENSORED = frozenset(metric.title for metric in METRICS.values() if metric.censored)
INFINITE = "\N{INFINITY}"
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Magnitude:
    """How one statement's effects are written; made by `of` from its row in the table of verdicts."""

    kind: str  # of evidence
    metric: str
    expect: str
    unit: str  # doublings, share or none
    rule: str
    smallest: float  # effect of interest

    @classmethod
    def of(cls, row: Mapping[Any, Any]) -> Magnitude:
        kind = row["compared"].split()[0]
        unit = {"trend": "", "reordering": "share"}.get(kind, row["unit"])
        return cls(kind, row["metric"], row["expect"], unit, row["rule"], row["smallest_effect"])

    @property
    def average(self) -> str:
        """What the effect is of those of all settings and seeds."""
        return "in the median" if self.metric in CENSORED else "on average"

    @property
    def words(self) -> tuple[str, str]:
        """For effects above and below zero."""
        words = ("higher", "lower")
        if self.kind == "spread":
            words = ("wider", "narrower")
        elif self.metric == METRICS["steps"].title:
            words = ("more", "fewer")
        return words[::-1] if self.expect == "lower" else words

    def effect(self, estimate: Estimate, than: str = "", beside: tuple[float, ...] = ()) -> str:
        """`2.3 points higher [1.1, 3.4]`, `lower by a factor of 3 [2, 5]`; without brackets if they have no width.

        `than` is said before the brackets. Shares have the decimals that the largest of all, and `beside`, asks for.
        """
        value, low, high = estimate.value, estimate.low, estimate.high
        if math.isnan(value):
            return NONE
        flip = value < 0
        if self.kind in ABSOLUTE:
            flip = self.expect == "lower"
        if flip:
            value, low, high = -value, -high, -low
        written = [self._number(bound, (value, low, high, *beside)) for bound in (value, low, high)]
        text = self._said(written[0], self.words[estimate.value < 0]) + than
        return text if low == high or math.isnan(low) else f"{text} [{written[1]}, {written[2]}]"

    def _said(self, value: str, word: str) -> str:
        if self.kind in ABSOLUTE:
            return value + (PERCENT if self.unit == "share" else "")
        if self.unit == "doublings":
            by_factor = f"{word} by a factor of {value}" if value != "1" else "a factor of 1"
            return f"infinitely {word}" if value == INFINITE else by_factor
        return f"{value}{' points' if self.unit == 'share' else ''} {word}"

    def _number(self, value: float, beside: tuple[float, ...] = ()) -> str:
        """A number without its unit; of shares only as many decimals as the largest `beside` asks for."""
        if self.unit == "doublings":
            return _power(value)
        if math.isinf(value):
            return INFINITE if value > 0 else f"\N{MINUS SIGN}{INFINITE}"
        if self.unit == "share" and beside:
            largest = max((abs(one) for one in beside if math.isfinite(one)), default=0.0)
            decimals = 1 if largest >= 0.01 or largest == 0 else 2
            rounded = round(100 * value, decimals) + 0.0  # no sign of a zero
            return f"{rounded:.{decimals}f}".replace("-", "\N{MINUS SIGN}")
        return number(float(f"{100 * value if self.unit == 'share' else value:.3g}"))

    @property
    def asked(self) -> str:
        """What the statement asks the effect to be, with the smallest effect of interest."""
        size = self._number(abs(self.smallest))
        points = "" if self.unit != "share" else " point" if size == "1" else " points"
        by_factor = self.unit == "doublings"
        if self.rule == "equivalent":
            return f"a difference within {'a factor of ' if by_factor else ''}{size}{points} either way"
        if self.kind in ABSOLUTE:
            sign = -1 if self.expect == "lower" else 1
            bound = self._number(sign * self.smallest) + (PERCENT if self.unit == "share" else "")
            return f"{'less' if self.expect == 'lower' else 'more'} than {bound}"
        word, other = self.words
        if self.smallest == 0:
            return f"{word}, by however little"
        if self.smallest < 0:
            return f"at most {f'a factor of {size}' if by_factor else f'{size}{points}'} {other}"
        return f"{word} by more than {'a factor of ' if by_factor else ''}{size}{points}"

    # The axis of a plot

    def place(self, effect: float) -> float:
        """An effect as a position on the axis."""
        sign = -1 if self.kind in ABSOLUTE and self.expect == "lower" else 1
        return sign * effect * (100 if self.unit == "share" else 1)

    @property
    def claimed(self) -> tuple[float, float]:
        """The ends on the axis of where the statement says that the effect lies."""
        ends = (-self.smallest, self.smallest) if self.rule == "equivalent" else (self.smallest, math.inf)
        low, high = sorted(self.place(end) for end in ends)
        return low, high

    def tick(self, place: float) -> str:
        """The label of a position on the axis."""
        return _power(place) if self.unit == "doublings" else number(place)

    @property
    def axis(self) -> str:
        """What the axis shows."""
        if self.kind in ABSOLUTE:
            name = {"trend": "Kendall's tau", "reordering": "pairs that change places"}.get(self.kind, self.metric)
            return f"{name}{', %' if self.unit == 'share' else ''}"
        word = self.words[0]
        said = {"doublings": f"{word} by a factor of", "share": f"points {word}"}.get(self.unit, f"{word} by")
        return f"{self.metric}: {said}"


def _power(doublings: float) -> str:
    """A ratio of three digits, below 1 as a fraction: `2`, `1/1.5`, `3,240`; from a million on with a power of ten."""
    if math.isnan(doublings):
        return NONE
    if math.isinf(doublings):
        size = INFINITE
    elif (digits := abs(doublings) * math.log10(2)) < 6:
        size = f"{float(f'{2 ** abs(doublings):.3g}'):,g}"
    else:
        first, more = f"{10 ** (digits % 1):.1e}".split("e")  # 9.96 is 1.0e1
        power = str(math.floor(digits) + int(more)).translate(RAISED)
        size = f"{float(first):g}\N{MULTIPLICATION SIGN}10{power}".removeprefix("1\N{MULTIPLICATION SIGN}")
    return f"1/{size}" if doublings < 0 and size != "1" else size
