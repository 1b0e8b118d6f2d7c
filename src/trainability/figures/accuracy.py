"""Accuracy: while a network trains, and at the end."""

from __future__ import annotations

import pandas as pd

from trainability.figures import canvas, dots, lines, scales
from trainability.figures.canvas import Drawing
from trainability.figures.experiment import Experiment

LOSSES = (1e-6, 1e3)  # where the axis of losses ends at the latest: a diverging run would take all of it
EDGES = {"low": " (lowest)", "high": " (highest)"}


def curves(experiment: Experiment) -> Drawing:
    """Validation accuracy and training loss against epochs by activation, a row of panels a normalization."""
    part = experiment.at_base("activation", "normalization")
    runs = part["curves"]
    runs = runs[runs["selected"]]
    summaries = [
        lines.summary(runs, part.varying, ["validation_accuracy"]),
        lines.summary(runs[runs["probed"]], part.varying, ["train_loss"]),
    ]
    data = pd.concat(summaries, ignore_index=True)
    marks = canvas.marks(experiment.order("activation"))
    panels = part.order("normalization")
    figure, grid = canvas.sheet(
        len(panels),
        2,
        heights=[1.15] * len(panels),
        around=0.25 * len(panels) + 1.0,
        remarks=part.remarks,
        sharex=True,
    )
    first, last = lines.span(data)
    bounds = {quantity: some[["low", "high"]] for quantity, some in data.groupby("quantity")}
    losses = bounds["train_loss"].to_numpy().ravel()
    losses = losses[losses > 0]
    for axes_row, panel in zip(grid, panels, strict=True):
        here = data[data["normalization"] == panel]
        left, right = axes_row
        shown = here[here["quantity"] == "validation_accuracy"]
        lines.draw(left, shown.assign(**{c: scales.within(shown[c]) for c in ("mean", "low", "high")}), marks)
        scales.accuracy(left, bounds["validation_accuracy"].to_numpy().ravel(), experiment.chance, horizontal=False)
        lines.draw(right, here[here["quantity"] == "train_loss"], marks)
        if len(losses):
            scales.logarithmic(right, max(losses.min(), LOSSES[0]), min(losses.max(), LOSSES[1]))
        for axes in axes_row:
            scales.epochs(axes, first, last)
        left.set_title(canvas.title(panel))
        left.set_ylabel("validation acc. (%)")
        right.set_ylabel("training loss (nats)")
    canvas.below(grid[-1], "epochs")
    canvas.key(figure, canvas.line_handles(part.order("activation"), marks))
    ended = data[(data["quantity"] == "train_loss") & (data["finite_runs"] < data["runs"])]["cell"].nunique()
    return Drawing(figure, data, {"lost": ended, "lines": data["cell"].nunique()}, part.remarks)


def final(experiment: Experiment) -> Drawing:
    """Test accuracy after training by activation, a panel per normalization, with the chosen rate."""
    part = experiment.at_base("activation", "normalization")
    cells = part["cells"]
    data = cells[["cell", *part.varying, "seeds", "learning_rate", "rate_edge", "status"]].assign(
        value=cells["test_accuracy"], low=cells["test_accuracy_low"], high=cells["test_accuracy_high"]
    )
    panels = part.order("normalization")
    rows = {panel: part.within("activation", "normalization", panel) for panel in panels}
    heights = [dots.height(len(rows[panel]), 1) for panel in panels]
    figure, grid = canvas.sheet(
        len(panels), heights=heights, around=dots.around(len(panels)) - 0.2, remarks=part.remarks
    )
    mark = canvas.Mark(canvas.COLOURS[0], "o", "-")
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        some = data[data["normalization"] == panel]
        points = pd.DataFrame({"row": some["activation"], "series": "accuracy"})
        points = points.assign(**{name: scales.within(some[name]) for name in ("value", "low", "high")})
        points["text"] = [_beside(row) for row in some.itertuples()]
        scales.accuracy(axes, [*data["low"], *data["high"]], experiment.chance, horizontal=True)
        dots.dots(axes, points, rows[panel], ["accuracy"], {"accuracy": mark})
        axes.set_title(canvas.title(panel))
    top = grid[0, 0]
    top.text(1.02, 1.0, "%, chosen rate", transform=top.transAxes, va="bottom", style="italic")
    grid[-1, 0].set_xlabel("test accuracy (%), dotted: chance")
    known = data.dropna(subset="value").sort_values("value")
    best = None if known.empty else known.iloc[-1]
    facts = {
        "best": None if best is None else float(best["value"]),
        "best_at": "" if best is None else f"{best['activation']}, {canvas.title(best['normalization'])}",
        "edges": int(data["rate_edge"].ne("").sum()),
        "cells": len(data),
    }
    return Drawing(figure, data, facts, part.remarks)


def _beside(row: object) -> str:
    value, rate, edge, status = (getattr(row, name) for name in ("value", "learning_rate", "rate_edge", "status"))
    figure = f"{100 * value:.1f}" if value == value else canvas.UNKNOWN
    return f"{canvas.SIGNS[status]}{figure}, {rate:g}{EDGES.get(edge, '')}"
