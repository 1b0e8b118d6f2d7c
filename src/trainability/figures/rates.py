"""What the learning rate does: all rates that were trained, not only the chosen ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from trainability import seeding, statistics
from trainability.figures import canvas, lines, scales
from trainability.figures.canvas import Drawing, Mark
from trainability.figures.experiment import Experiment, Slice

QUANTITIES = ("validation_accuracy", "dead_fraction")


def table(part: Slice) -> pd.DataFrame:
    """A row per cell, rate and quantity: mean over seeds with interval, and how many runs diverged.

    A diverged run counts with accuracy 0, as when the rate is chosen. Its dead units are unknown where its
    figures are not finite, and then so is the mean.
    """
    rows = []
    for (cell, rate), some in part["runs"].groupby(["cell", "learning_rate"], sort=False):
        diverged = some["status"].eq("diverged")
        labels = {name: some[name].iloc[0] for name in part.varying}
        for quantity in QUANTITIES:
            values = some[quantity].astype("float64")
            if quantity == "validation_accuracy":
                values = values.where(~diverged, 0.0)
            estimate = statistics.Estimate(np.nan, np.nan, np.nan)
            if np.isfinite(values).all():
                rng = seeding.generator(0, "bootstrap", str(cell), quantity, str(rate))
                estimate = statistics.bootstrap(np.asarray(values, dtype=np.float64), rng)
            rows.append(
                {"cell": cell, **labels, "learning_rate": rate, "quantity": quantity, **estimate._asdict()}
                | {
                    "runs": len(some),
                    "diverged": int(diverged.sum()),
                    "selected": bool(some["selected"].any()),
                }
            )
    return pd.DataFrame(rows)


def draw(experiment: Experiment) -> Drawing:
    """Validation accuracy and dead units against the rate by activation, a row a normalization."""
    part = experiment.at_base("activation", "normalization")
    data = table(part)
    marks = canvas.marks(experiment.order("activation"))
    panels = part.order("normalization")
    figure, grid = canvas.sheet(
        len(panels),
        2,
        heights=[1.15] * len(panels),
        around=0.25 * len(panels) + 1.1,
        remarks=part.remarks,
        sharex=True,
    )
    accuracies = data.loc[data["quantity"] == "validation_accuracy", ["low", "high"]].to_numpy().ravel()
    highest = data.loc[data["quantity"] == "dead_fraction", "high"].max()
    for axes_row, panel in zip(grid, panels, strict=True):
        here = data[data["normalization"] == panel]
        left, right = axes_row
        shown = here[here["quantity"] == "validation_accuracy"]
        _lines(left, shown.assign(**{c: scales.within(shown[c]) for c in ("value", "low", "high")}), marks)
        scales.accuracy(left, accuracies, experiment.chance, horizontal=False)
        dead = here[here["quantity"] == "dead_fraction"]
        _lines(right, dead.assign(**{c: 100 * dead[c] for c in ("value", "low", "high")}), marks)
        right.set_ylim(-2, max(5.0, 105 * highest) if highest == highest else 5.0)
        for axes in axes_row:
            _rates(axes, sorted(data["learning_rate"].unique()))
        left.set_title(canvas.title(panel))
        left.set_ylabel("validation acc. (%)")
        right.set_ylabel("dead units (%)")
    canvas.below(grid[-1], "learning rate")
    cross = Line2D([], [], color=canvas.INK, marker="x", markeredgewidth=1.6, markersize=6, linestyle="none")
    cross.set_label("some runs diverged")
    canvas.key(figure, [*canvas.line_handles(part.order("activation"), marks), cross])
    once = data[data["quantity"] == "dead_fraction"]
    facts = {"diverged": int(once["diverged"].sum()), "runs": int(once["runs"].sum())}
    return Drawing(figure, data, facts, part.remarks)


def _lines(axes: Axes, data: pd.DataFrame, marks: dict[str, Mark]) -> None:
    lines.say_if_none(axes, data["value"])
    for activation, line in data.groupby("activation", sort=False):
        mark = marks[str(activation)]
        line = line.sort_values("learning_rate")
        x, y = line["learning_rate"], line["value"]
        axes.plot(x, y, markersize=3.5, **mark._asdict())
        axes.vlines(x, line["low"], line["high"], color=mark.color, linewidth=1)
        lost = line["diverged"] > 0
        axes.plot(
            x[lost],
            y[lost],
            linestyle="none",
            marker="x",
            markersize=7,
            markeredgewidth=1.8,
            color=mark.color,
        )


def _rates(axes: Axes, rates: list[float]) -> None:
    """A logarithmic axis with ticks at the trained rates, every other one where they are many."""
    axes.set_xscale("log")
    axes.set_xlim(rates[0] / 1.4, rates[-1] * 1.4)
    scales.ticks(axes.xaxis, rates[:: 1 if len(rates) <= 3 else 2], lambda value: f"{value:g}")
