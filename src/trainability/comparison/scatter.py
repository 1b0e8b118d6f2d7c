"""The figure: accuracy in A against accuracy in B, a mark per matched pair."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from trainability.comparison.moves import APART, FEW, IDENTICAL, MOVED, NOISE, SMALL, Move
from trainability.comparison.sides import Side, distinct
from trainability.figures import canvas, output, scales
from trainability.figures.canvas import Drawing
from trainability.report import illustrations
from trainability.report.blocks import Figure
from trainability.report.wording import count, listing

NAME = "accuracy_a_b"
SIDE = 3.4  # inches of the panel, which is square
# What was found most often is drawn first and is the faintest; colour is one of three cues.
STYLES: dict[str, dict[str, Any]] = {
    IDENTICAL: {"marker": ".", "color": "0.45", "markersize": 3.0},
    FEW: {"marker": "s", "color": canvas.COLOURS[2], "markerfacecolor": "white"},
    APART: {"marker": "^", "color": canvas.COLOURS[4], "markerfacecolor": "white"},
    NOISE: {"marker": "o", "color": canvas.COLOURS[0], "markerfacecolor": "white"},
    SMALL: {"marker": "D", "color": canvas.COLOURS[1], "markerfacecolor": "white"},
    MOVED: {"marker": "D", "color": canvas.COLOURS[3]},
}


def figure(a: Side, b: Side, found: list[Move], labels: dict[str, str]) -> Figure:
    """The figure as the page holds it; `found` are the pairs' accuracies, `labels` their settings by A's key."""
    with canvas.style(NAME):
        drawing = draw(a, b, found, labels)
        svg = output.svg(drawing.figure, NAME)
    table = drawing.data.to_csv(index=False, lineterminator="\n")
    return illustrations.figure(NAME, _words(drawing, found), svg, table.encode())


def draw(a: Side, b: Side, found: list[Move], labels: dict[str, str]) -> Drawing:
    """Both axes have the same scale, so that what lies on the diagonal is the same in both."""
    shown = [move for move in found if move.outcome in STYLES]
    if not shown:
        return canvas.sentence("No cell of one experiment has a counterpart in the other, so there is nothing to show.")
    data = pd.DataFrame(
        {
            "setting": [labels[move.pair.a] for move in shown],
            "match": [move.pair.kind for move in shown],
            "a": [move.value_a for move in shown],
            "b": [move.value_b for move in shown],
            "difference": [move.difference.value for move in shown],
            "low": [move.difference.low if move.pair.paired else np.nan for move in shown],
            "high": [move.difference.high if move.pair.paired else np.nan for move in shown],
            "p": [move.p for move in shown],
            "outcome": [move.outcome for move in shown],
        }
    )
    sheet, grid = canvas.sheet(1, heights=[SIDE], around=0.9)
    axes = grid[0, 0]
    _scales(axes, a, b, data)
    present = [outcome for outcome in STYLES if outcome in set(data["outcome"])]
    for outcome in present:
        some = data[data["outcome"] == outcome]
        axes.plot(
            scales.within(some["a"]), scales.within(some["b"]), linestyle="none", clip_on=False, **STYLES[outcome]
        )
    handles = [
        Line2D([], [], linestyle="none", label=f"{outcome} ({(data['outcome'] == outcome).sum()})", **STYLES[outcome])
        for outcome in reversed(present)
    ]
    canvas.key(sheet, handles)
    return Drawing(sheet, data, {})


def _scales(axes: Axes, a: Side, b: Side, data: pd.DataFrame) -> None:
    chances = [1 / max(distinct(side, "network", "classes")) for side in (a, b)]
    values = [*data["a"], *data["b"], *chances]
    for chance, horizontal in zip(chances, (True, False), strict=True):
        scales.accuracy(axes, values, chance, horizontal)
    axes.plot(axes.get_xlim(), axes.get_xlim(), color=canvas.INK, linewidth=1)
    axes.set_aspect("equal")
    axes.set_xlabel("test accuracy in A (%)")
    axes.set_ylabel("test accuracy in B (%)")


def _words(drawing: Drawing, found: list[Move]) -> dict[str, str]:
    title = "Accuracy in both experiments"
    nothing = drawing.facts.get("nothing")
    if nothing:
        return {"title": title, "alt": nothing, "caption": nothing}
    data, left_out = drawing.data, sum(move.outcome not in STYLES for move in found)
    higher, lower = (data["b"] > data["a"]).sum(), (data["b"] < data["a"]).sum()
    sides = (
        f"{higher} lie above the diagonal, where B is higher, {lower} below it and {len(data) - higher - lower} on it"
    )
    outcomes = listing(f"{(data['outcome'] == name).sum()} {name}" for name in STYLES if name in set(data["outcome"]))
    caption = (
        f"Test accuracy in A (horizontal) and in B (vertical) of {count(len(data), 'matched pair')} of cells, both on "
        "a logit scale that ends at 2 and 99.8 %; dotted: chance. Marks are means over the seeds that both have, each "
        f"side at its own chosen learning rate. Of the pairs {sides}. By outcome: {outcomes}."
    )
    if left_out:
        caption += f" {count(left_out, 'pair')} without an accuracy for every seed cannot be shown."
    alt = f"Scatter plot of test accuracy in B against that in A for {count(len(data), 'pair')} of cells: {sides}."
    return {"title": title, "alt": alt, "caption": caption}
