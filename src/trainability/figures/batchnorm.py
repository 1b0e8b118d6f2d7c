"""What batch normalization changes: each activation with and without it, in four measurements."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from trainability.figures import canvas, dots, scales, steps
from trainability.figures.canvas import Drawing, Mark
from trainability.figures.experiment import Experiment, NothingToShow, Slice
from trainability.tables import median_largest_rates

SIDES = {"none": "without", "batchnorm": "with batch normalization"}
MARKS = {
    "none": Mark(canvas.COLOURS[1], "o", "none"),
    "batchnorm": Mark(canvas.COLOURS[0], "s", "-"),
}  # open and filled
NO_RATE = 8.0  # the place of a cell that learns at no rate, as a share of the lowest rate


def draw(experiment: Experiment) -> Drawing:
    """Median steps to the middle target, test accuracy, dead units and largest rate at which runs learn."""
    part = _paired(experiment.at_base("activation", "normalization"))
    data = table(experiment, part)
    rows = part.order("activation")
    figure, grid = canvas.sheet(
        2, 2, heights=[dots.height(len(rows), 2)] * 2, around=dots.around(2) + 0.35, remarks=part.remarks
    )
    shown = dict(iter(data.groupby("quantity", sort=False)))
    (speed, accuracy), (dead, rate) = grid
    scales.steps_or_never(speed, shown["steps"][["value", "low", "high"]], experiment.budget)
    _dots(speed, shown["steps"], rows, lambda values: scales.placed(values, experiment.budget))
    bounds = shown["test_accuracy"][["low", "high"]].to_numpy().ravel()
    scales.accuracy(accuracy, bounds, experiment.chance, horizontal=True)
    _dots(accuracy, shown["test_accuracy"], rows, scales.within)
    _dots(dead, shown["dead_fraction"], rows, lambda values: 100 * values)
    highest = 100 * shown["dead_fraction"]["high"].max()
    dead.set_xlim(-0.02 * max(1.0, highest), max(1.0, 1.06 * highest) if highest == highest else 1.0)
    nowhere = bool(shown["largest_rate"]["low"].eq(0).any())
    _rates(rate, list(experiment.settings.learning_rates), nowhere)
    lowest = experiment.settings.learning_rates[0] / NO_RATE
    _dots(rate, shown["largest_rate"], rows, lambda values: values.clip(lower=lowest))
    for axes, words in (
        (speed, f"steps to {100 * experiment.target:g} %"),
        (accuracy, "test accuracy (%)"),
        (dead, "dead units (%)"),
        (rate, "largest rate that learns"),
    ):
        axes.set_xlabel(words)
    for axes in grid[:, 1]:
        axes.set_yticklabels([])
    canvas.key(figure, [_handle(name) for name in SIDES])
    return Drawing(figure, data, {"pairs": len(rows)}, part.remarks)


def _paired(part: Slice) -> Slice:
    """The activations that are trained with batch normalization and without any."""
    rows = part.planned[part.planned["included"] & part.planned["normalization"].isin(SIDES)]
    rows = rows[rows.groupby("activation")["normalization"].transform("nunique") == len(SIDES)]
    if rows.empty:
        raise NothingToShow("Nothing to show: no activation is trained with batch normalization and without any.")
    return dataclasses.replace(part, planned=rows)


def table(experiment: Experiment, part: Slice) -> pd.DataFrame:
    """A row per cell and quantity: a mean, of steps and rates a median, over seeds with its interval."""
    cells = part["cells"]
    names = ["cell", *part.varying, "seeds"]
    frames = [
        cells[names].assign(quantity=name, value=cells[name], low=cells[f"{name}_low"], high=cells[f"{name}_high"])
        for name in ("test_accuracy", "dead_fraction")
    ]
    median = steps.table(part, [experiment.target], experiment.budget).assign(quantity="steps")
    largest = cells[names].join(median_largest_rates(part["runs"]), on="cell").assign(quantity="largest_rate")
    columns = frames[0].columns
    return pd.concat([median[columns], *frames, largest[columns]], ignore_index=True)


def _dots(axes: Axes, data: pd.DataFrame, rows: list[str], place: Callable[[pd.Series], Any]) -> None:
    points = pd.DataFrame({"row": data["activation"], "series": data["normalization"]})
    points = points.assign(**{name: place(data[name]) for name in ("value", "low", "high")})
    dots.dots(axes, points, rows, list(SIDES), MARKS)


def _rates(axes: Axes, rates: list[float], none: bool) -> None:
    """A logarithmic axis with ticks at the trained rates, and a place for `none` of them where that is needed."""
    axes.set_xscale("log")
    nowhere = rates[0] / NO_RATE
    axes.set_xlim(nowhere / 1.5 if none else rates[0] / 1.6, rates[-1] * 1.6)
    places = [nowhere] * none + rates[:: max(1, (len(rates) - 1) // 2)]
    scales.ticks(axes.xaxis, places, lambda value: "none" if value == nowhere else f"{value:g}")


def _handle(name: str) -> Line2D:
    mark = MARKS[name]
    face = "white" if mark.linestyle == "none" else mark.color
    return Line2D(
        [], [], color=mark.color, marker=mark.marker, markerfacecolor=face, linestyle="none", label=SIDES[name]
    )
