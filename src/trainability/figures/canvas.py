"""The sheet that figures are drawn on: size, type, colours, and the marks that tell activations apart.

A figure is four inches wide and its smallest type 8.5 points, so that it is legible at the width of a phone
and, scaled to a printed column of 3.35 inches, has type of 7 points. Nothing here goes through pyplot, whose
global state would leak from one figure of a worker to the next.
"""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

WIDTH = 4.0  # inches
TYPE = 8.5  # points
FAINT, INK = "0.75", "0.2"

STYLE = {
    "figure.dpi": 100,
    "font.family": "sans-serif",
    # DejaVu Sans comes with matplotlib, so that the layout is the same everywhere; it is the widest of these,
    # so that a page without it overflows nothing.
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
    "font.size": TYPE,
    "axes.labelsize": TYPE,
    "axes.titlesize": TYPE,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.labelsize": TYPE,
    "ytick.labelsize": TYPE,
    "legend.fontsize": TYPE,
    "figure.titlesize": TYPE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.5,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "svg.id": "sheet",
    "svg.fonttype": "none",  # text stays text: selectable, searchable, read aloud
    "pdf.fonttype": 42,
}
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1.5, 1)),
    (0, (5, 1.5, 1.5, 1.5)),
    (0, (8, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
    "-",
    (0, (5, 1.5)),
    (0, (1.5, 1)),
    (0, (8, 2)),
)
# Seaborn's colours for the colour-blind without its pale pink and its yellow, which vanish on white.
COLOURS = [c for i, c in enumerate(sns.color_palette("colorblind", 10).as_hex()) if i not in (6, 8)] + [
    "#000000",
    "#7a4f9a",
]


# Signs in place of a figure or before it, by a cell's status; UNKNOWN where there is none.
SIGNS = {"diverged": "\N{MULTIPLICATION SIGN}", "stalled": "\N{WHITE CIRCLE}", "ok": ""}
UNKNOWN = "\N{EN DASH}"


class Drawing(NamedTuple):
    """A figure, the data behind it, and the facts that its caption states."""

    figure: Figure
    data: pd.DataFrame
    facts: dict[str, Any]
    remarks: tuple[str, ...] = ()


class Mark(NamedTuple):
    """How one line is told from the others: three cues, of which colour is one."""

    color: str
    marker: str
    linestyle: Any


@contextlib.contextmanager
def style(name: str) -> Iterator[None]:
    """Settings for drawing and writing one figure; its name makes identifiers reproducible."""
    settings: Any = matplotlib.rcParamsDefault | STYLE | {"svg.hashsalt": name}
    with matplotlib.rc_context(settings):
        yield


def marks(labels: Sequence[str]) -> dict[str, Mark]:
    """A mark for each label, in order: ten of one kind each, then the colours come again with other markers and dashes.

    The first hundred differ in colour or marker.
    """
    count = len(COLOURS)
    turns = [(i, i + 3 * (i // count)) for i in range(len(labels))]  # 3 and 10 have no common factor
    found = (Mark(COLOURS[i % count], MARKERS[j % count], DASHES[j % count]) for i, j in turns)
    return dict(zip(labels, found, strict=True))


def sheet(
    rows: int,
    columns: int = 1,
    *,
    heights: Sequence[float],
    around: float,
    remarks: Sequence[str] = (),
    **options: Any,
) -> tuple[Figure, np.ndarray]:
    """A figure with a grid of axes [rows, columns], remarks at its top.

    `heights` of the axes are in inches; `around` is what titles, labels and legend take in all.
    """
    lines = [line for remark in remarks for line in textwrap.wrap(remark, 58)]
    figure = Figure(figsize=(WIDTH, sum(heights) + around + 0.14 * len(lines)), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, height_ratios=list(heights), **options)
    if lines:
        figure.suptitle("\n".join(lines), x=0.01, ha="left", style="italic", weight="normal")
    return figure, axes


def sentence(words: str) -> Drawing:
    """A figure that says why it shows nothing else."""
    figure = Figure(figsize=(WIDTH, 1.0))
    figure.text(0.5, 0.5, textwrap.fill(words, 52), ha="center", va="center")
    return Drawing(figure, pd.DataFrame({"note": [words]}), {"nothing": words})


def key(figure: Figure, handles: Sequence[Any]) -> None:
    """A legend below the figure, in as many columns as fit."""
    longest = max((len(str(handle.get_label())) for handle in handles), default=1)
    columns = int(max(1, min(len(handles), WIDTH * 72 // (5.4 * longest + 38))))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, columnspacing=1.2)


def line_handles(labels: Sequence[str], of: dict[str, Mark]) -> list[Line2D]:
    """Legend entries for lines."""
    return [Line2D([], [], label=label, **of[label]._asdict()) for label in labels]


def title(normalization: str) -> str:
    """A panel's title for a value of the factor normalization."""
    return "no normalization" if normalization == "none" else normalization


def below(axes: Sequence[Axes], words: str) -> None:
    """One label for the x axes of a bottom row: under its middle, or under each of two."""
    count = len(axes)
    if count > 2 and count % 2 == 0:
        axes[count // 2 - 1].set_xlabel(words, x=1.08, ha="center")
        return
    for one in axes if count == 2 else [axes[count // 2]]:
        one.set_xlabel(words)


def hide_unused(axes: Iterable[Axes]) -> None:
    """Blank the axes of a grid that no panel uses."""
    for one in axes:
        one.set_axis_off()


def say(axes: Axes, words: str) -> None:
    """Words in the middle of a panel that has nothing else."""
    axes.text(0.5, 0.5, textwrap.fill(words, 20), ha="center", va="center", transform=axes.transAxes, color=INK)
