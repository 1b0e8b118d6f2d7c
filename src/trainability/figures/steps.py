"""How many steps it takes to each target accuracy, with the runs that never get there."""

from __future__ import annotations

import pandas as pd
from matplotlib.lines import Line2D

from trainability.figures import canvas, dots, scales
from trainability.figures.canvas import Drawing
from trainability.figures.experiment import Experiment, Slice
from trainability.tables import steps_column


def table(part: Slice, targets: list[float], budget: int) -> pd.DataFrame:
    """A row per cell of a slice and target: median steps with interval, and how many runs arrived."""
    cells = part["cells"]
    frames = []
    for target in targets:
        median = f"median_{steps_column(target)}"
        frame = cells[["cell", *part.varying, "seeds", "learning_rate"]].assign(
            target=target,
            value=cells[median],
            low=cells[f"{median}_low"],
            high=cells[f"{median}_high"],
            reached=(cells[f"success_{target:g}"] * cells["seeds"]).round().astype(int),
            budget=budget,
        )
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def points(data: pd.DataFrame, row: str, series: str, budget: int) -> pd.DataFrame:
    """That table as points of a dot plot, with the count of runs that arrived where some did not."""
    some_missed = data["reached"] < data["seeds"]
    counts = data["reached"].astype(str) + "/" + data["seeds"].astype(str)
    return pd.DataFrame(
        {
            "row": data[row],
            "series": data[series].astype(str),
            **{name: scales.placed(data[name], budget) for name in ("value", "low", "high")},
            "text": counts.where(some_missed, ""),
        }
    )


def draw(experiment: Experiment) -> Drawing:
    """Median steps to each target by activation, a panel per normalization."""
    part = experiment.at_base("activation", "normalization")
    targets, budget = sorted(experiment.settings.targets), experiment.budget
    data = table(part, targets, budget)
    series = [f"{target:g}" for target in targets]
    marks = canvas.marks(series)
    panels = part.order("normalization")
    rows = {panel: part.within("activation", "normalization", panel) for panel in panels}
    heights = [dots.height(len(rows[panel]), len(series)) for panel in panels]
    figure, grid = canvas.sheet(len(panels), heights=heights, around=dots.around(len(panels)), remarks=part.remarks)
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        scales.steps_or_never(axes, data[["value", "low", "high"]], budget)
        some = points(data[data["normalization"] == panel], "activation", "target", budget)
        dots.dots(axes, some.assign(series=[f"{float(s):g}" for s in some["series"]]), rows[panel], series, marks)
        axes.set_title(canvas.title(panel))
    if (data["reached"] < data["seeds"]).any():
        top = grid[0, 0]
        top.text(1.02, 1.0, "runs", transform=top.transAxes, va="bottom", style="italic")
    grid[-1, 0].set_xlabel("steps to target (median over seeds)")
    handles = [
        Line2D(
            [],
            [],
            color=marks[s].color,
            marker=marks[s].marker,
            linestyle="none",
            label=f"{100 * float(s):g} %",
        )
        for s in series
    ]
    canvas.key(figure, handles)
    missed = int((data["reached"] < data["seeds"]).sum())
    return Drawing(figure, data, {"missed": missed, "pairs": len(data)}, part.remarks)
