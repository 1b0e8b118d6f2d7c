"""Dot plots: one row a label, one mark a series, with intervals, in panels one below the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from trainability.figures.canvas import INK, Mark

ROW = 0.13  # inches that one series takes in a row
GAP = 0.09  # inches between rows


def height(rows: int, series: int) -> float:
    """Inches of a panel with so many rows."""
    return rows * (ROW * max(series, 1) + GAP)


def around(panels: int) -> float:
    """Inches that the titles, axes and legend of so many panels take."""
    return 0.45 * panels + 0.65


def dots(
    axes: Axes,
    points: pd.DataFrame,
    rows: Sequence[str],
    series: Sequence[str],
    marks: Mapping[str, Mark],
    labels: Sequence[str] | None = None,
) -> None:
    """Draw `points` (row, series, value, low, high, perhaps text) on an axis that has its scale.

    Within a row the series stand one below the other, so that no mark hides another. Each `text` is written
    right of the panel.
    """
    place = {label: index for index, label in enumerate(rows)}
    offsets = dict(zip(series, _offsets(len(series)), strict=True))
    for name in series:
        some = points[points["series"] == name]
        at = some["row"].map(place).astype(float) + offsets[name]
        if "text" in some:
            for level, text in zip(at, some["text"], strict=True):
                axes.text(1.02, level, text, transform=axes.get_yaxis_transform(), va="center", color=INK)
        known = some["value"].notna()
        if not known.any():  # an empty line would still claim the sheet's corner in the layout
            continue
        some, at, mark = some[known], at[known], marks[name]
        axes.hlines(at, some["low"], some["high"], color=mark.color, linewidth=1.6)
        face = "white" if mark.linestyle == "none" else mark.color
        axes.plot(
            some["value"], at, linestyle="none", marker=mark.marker, color=mark.color, markerfacecolor=face,
            clip_on=False, zorder=3,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), list(labels or rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    for edge in np.arange(0.5, len(rows) - 1):
        axes.axhline(edge, color="0.93", linewidth=0.8, zorder=0)


def _offsets(count: int) -> np.ndarray:
    """Places of the series around a row's middle, in rows."""
    share = ROW * count / (ROW * count + GAP)
    return (np.arange(count) - (count - 1) / 2) * share / max(count, 1)
