"""Small charts as inline SVG that follows the page's colours, light and dark: lines, or a histogram.

They are written out here and not by matplotlib, whose files are ten times as long and bring their colours along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

Array = NDArray[np.float64]
WIDTH, HEIGHT = 360, 240  # CSS pixels; type is 12 of them, legible where a phone shows the chart a little smaller
LEFT, RIGHT, TOP, BOTTOM = 54, 16, 26, 40
STYLES = ("first", "second", "third", "fourth")  # classes that report/style.css draws


@dataclass(frozen=True)
class Line:
    """A curve through x [n] and y [n]."""

    label: str
    x: Array
    y: Array


@dataclass(frozen=True)
class Scale:
    """From data to pixels along one axis, and the ticks on it."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, values: Array) -> Array:
        return self.start + (values - self.low) * (self.end - self.start) / (self.high - self.low)

    @property
    def ticks(self) -> Array:
        found = MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
        return np.asarray([tick for tick in found if self.low <= tick <= self.high])


def lines(curves: Sequence[Line], across: str, alt: str) -> Markup:
    """Curves over one axis that is called `across`, each with its own dashes; at most as many as STYLES."""
    x = Scale(min(c.x.min() for c in curves), max(c.x.max() for c in curves), LEFT, WIDTH - RIGHT)
    y = _upright(min(c.y.min() for c in curves), max(c.y.max() for c in curves))
    marks, at = [], LEFT
    for curve, style in zip(curves, STYLES, strict=False):
        points = " ".join(f"{left:.1f},{down:.1f}" for left, down in zip(x(curve.x), y(curve.y), strict=True))
        marks.append(Markup('<polyline class="{}" points="{}"/>').format(style, points))
        sample = '<path class="{}" d="M{},12h24"/><text x="{}" y="16">{}</text>'
        marks.append(Markup(sample).format(style, at, at + 30, curve.label))
        at += 46 + 7 * len(curve.label)
    return _frame(x, y, across, alt, marks)


def histogram(shares: Array, edges: Array, across: str, up: str, alt: str) -> Markup:
    """Shares [n] in the bins between edges [n + 1]."""
    x = Scale(edges[0], edges[-1], LEFT, WIDTH - RIGHT)
    y = Scale(0.0, 1.05 * shares.max(), HEIGHT - BOTTOM, TOP)
    places, tops = x(edges), y(shares)
    steps = "".join(f"V{top:.1f}H{right:.1f}" for top, right in zip(tops, places[1:], strict=True))
    floor = HEIGHT - BOTTOM
    bars = Markup('<path class="bars" d="M{:.1f},{}{}V{}Z"/>').format(places[0], floor, steps, floor)
    return _frame(x, y, across, alt, [bars, Markup('<text x="{}" y="16">{}</text>').format(LEFT, up)])


def _upright(low: float, high: float) -> Scale:
    """An axis from bottom to top with some air around the data, and with some length if they are constant."""
    air = 0.05 * (high - low) or 1.0
    return Scale(low - air, high + air, HEIGHT - BOTTOM, TOP)


def _frame(x: Scale, y: Scale, across: str, alt: str, marks: Sequence[Markup]) -> Markup:
    grid = []
    for tick, place in zip(x.ticks, x(x.ticks), strict=True):
        line = '<path class="{}" d="M{:.1f},{}V{}"/><text class="middle" x="{:.1f}" y="{}">{}</text>'
        label = (place, HEIGHT - BOTTOM + 16, number(tick))
        grid.append(Markup(line).format(_grid(tick), place, TOP, HEIGHT - BOTTOM, *label))
    for tick, place in zip(y.ticks, y(y.ticks), strict=True):
        line = '<path class="{}" d="M{},{:.1f}H{}"/><text class="end" x="{}" y="{:.1f}">{}</text>'
        grid.append(Markup(line).format(_grid(tick), LEFT, place, WIDTH - RIGHT, LEFT - 6, place + 4, number(tick)))
    name = Markup('<text class="middle" x="{}" y="{}">{}</text>').format(
        (LEFT + WIDTH - RIGHT) // 2, HEIGHT - 6, across
    )
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">\n{}\n</svg>').format(
        WIDTH, HEIGHT, alt, Markup("\n").join([*grid, *marks, name])
    )


def _grid(tick: float) -> str:
    return "zero" if abs(tick) < 1e-12 else "grid"


def number(value: float) -> str:
    return f"{0.0 if abs(value) < 1e-12 else value:.6g}".replace("-", "\N{MINUS SIGN}")
