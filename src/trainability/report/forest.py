"""Forest plots: a statement's effect in each setting and in all together, in the colours of the page."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence

import numpy as np
from markupsafe import Markup

from trainability.charts import Array, Scale
from trainability.report.magnitudes import Magnitude
from trainability.statistics import Estimate

WIDTH, SIDE, TOP, BOTTOM = 360, 14, 22, 44  # CSS pixels; infinite intervals end in arrows within the sides
LINE, ROW = 15, 20  # a line of text, and the interval below it
LETTERS = 56  # in one line
Bands = Sequence[tuple[int, int]]  # top and floor of the rows of intervals


def draw(
    name: str, title: str, magnitude: Magnitude, overall: Estimate, settings: Sequence[tuple[str, Estimate]]
) -> Markup:
    """Intervals by setting above the diamond of all; where the statement says that effects lie is shaded."""
    rows = [(setting, estimate, "setting") for setting, estimate in settings]
    rows.append(("all settings together", overall, "overall"))
    x = _scale(magnitude, [estimate for _, estimate, _ in rows])
    marks, bands, y = [], [], TOP
    for label, estimate, kind in rows:
        for line in textwrap.wrap(label, LETTERS):
            y += LINE
            marks.append(Markup('<text class="{}" x="{}" y="{}">{}</text>').format(kind, SIDE, y, line))
        marks.append(_interval(x, magnitude, estimate, y + ROW // 2, kind))
        bands.append((y + 4, y + ROW + 2))
        y += ROW
    name_lines = textwrap.wrap(magnitude.axis, LETTERS)
    height = y + BOTTOM + LINE * (len(name_lines) - 1)
    parts = [_claimed(x, magnitude, y), *_ticks(x, magnitude, bands), _borders(x, magnitude, bands), *marks]
    for index, line in enumerate(name_lines):
        text = Markup('<text class="middle" x="{}" y="{}">{}</text>')
        parts.append(text.format(WIDTH // 2, y + 38 + LINE * index, line))
    desc = "; ".join(f"{label}: {magnitude.effect(estimate)}" for label, estimate, _ in rows)
    head = Markup(
        '<svg class="chart forest" viewBox="0 0 {} {}" role="img" aria-labelledby="{}-title {}-desc">\n'
        '<title id="{}-title">{}</title><desc id="{}-desc">{}</desc>\n'
    ).format(WIDTH, height, name, name, name, f"Effects by setting: {title}", name, f"{desc}.")
    return head + Markup("\n").join(parts) + Markup("\n</svg>")


def _scale(magnitude: Magnitude, estimates: Sequence[Estimate]) -> Scale:
    """Around all finite numbers, the smallest effect of interest and, of differences, their zero."""
    bounds = [magnitude.place(bound) for one in estimates for bound in (one.value, one.low, one.high)]
    ends = np.array([*bounds, *magnitude.claimed, magnitude.place(0.0)])
    ends = ends[np.isfinite(ends)]
    air = 0.08 * float(np.ptp(ends)) or 1.0
    return Scale(float(ends.min()) - air, float(ends.max()) + air, SIDE, WIDTH - SIDE)


def _interval(x: Scale, magnitude: Magnitude, estimate: Estimate, y: int, kind: str) -> Markup:
    """A line with a dot, or a diamond; where there is no estimate, a word."""
    if math.isnan(estimate.value):
        return Markup('<text class="quiet" x="{}" y="{}">nothing to compare</text>').format(SIDE + 8, y + 4)
    low, high = sorted(magnitude.place(bound) for bound in (estimate.low, estimate.high))
    value = magnitude.place(estimate.value)
    left, middle, right = (_clipped(x, place) for place in (low, value, high))
    if math.isinf(value):
        middle -= math.copysign(10, value)  # clear of the arrow
        left, right = min(left, middle), max(right, middle)
    path = f"M{left:.1f},{y}H{right:.1f}"
    if low == -math.inf:
        path += f"M{left + 6:.1f},{y - 4}L{left:.1f},{y}l6,4"
    if high == math.inf:
        path += f"M{right - 6:.1f},{y - 4}L{right:.1f},{y}l-6,4"
    line = Markup('<path class="interval" d="{}"/>').format(path)
    if kind == "setting":
        return line + Markup('<circle class="estimate" cx="{:.1f}" cy="{}" r="3.5"/>').format(middle, y)
    tips = min(left, middle - 4), max(right, middle + 4)  # wide enough to be seen
    shape = f"M{tips[0]:.1f},{y}L{middle:.1f},{y - 6}L{tips[1]:.1f},{y}L{middle:.1f},{y + 6}Z"
    return line + Markup('<path class="diamond" d="{}"/>').format(shape)


def _clipped(x: Scale, place: float) -> float:
    """A position in pixels; an infinite one at the end of the axis."""
    return float(x(np.array(min(max(place, x.low), x.high))))


def _lines(places: Iterable[float], bands: Bands) -> str:
    """Upright lines through the rows of intervals, which leave the text between them free."""
    return "".join(f"M{place:.1f},{top}V{floor}" for place in places for top, floor in bands)


def _claimed(x: Scale, magnitude: Magnitude, floor: int) -> Markup:
    """The shaded part of the axis."""
    low, high = magnitude.claimed
    left, right = _clipped(x, low), _clipped(x, high)
    shade = Markup('<path class="claimed" d="M{:.1f},{}H{:.1f}V{}H{:.1f}Z"/>').format(left, TOP, right, floor, left)
    middle = min(max((left + right) / 2, SIDE + 34), WIDTH - SIDE - 34)
    word = Markup('<text class="middle quiet" x="{:.1f}" y="{}">as claimed</text>').format(middle, TOP - 6)
    return shade + word


def _borders(x: Scale, magnitude: Magnitude, bands: Bands) -> Markup:
    """A dashed line at each smallest effect of interest."""
    ends = [_clipped(x, end) for end in magnitude.claimed if math.isfinite(end)]
    return Markup('<path class="border" d="{}"/>').format(_lines(ends, bands))


def _ticks(x: Scale, magnitude: Magnitude, bands: Bands) -> list[Markup]:
    ticks = _powers(x) if magnitude.unit == "doublings" else x.ticks
    mark = '<path class="{}" d="{}"/><text class="middle" x="{:.1f}" y="{}">{}</text>'
    found = []
    for tick, place in zip(ticks.tolist(), x(ticks).tolist(), strict=True):
        style = "zero" if abs(tick) < 1e-12 else "grid"
        label = (place, bands[-1][1] + 16, magnitude.tick(tick))
        found.append(Markup(mark).format(style, _lines([place], bands), *label))
    return found


def _powers(x: Scale) -> Array:
    """Ticks on an axis of doublings: powers of ten on a long one, of two on a shorter one."""
    decade = math.log2(10)
    step = decade * math.ceil((x.high - x.low) / decade / 5) if x.high - x.low > 7 else 1.0
    ticks = step * np.arange(math.ceil(x.low / step), math.floor(x.high / step) + 1)
    return np.asarray(ticks if len(ticks) > 1 else x.ticks)
