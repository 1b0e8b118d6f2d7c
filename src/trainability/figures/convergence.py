"""The share of runs that have reached a target, against steps."""

from __future__ import annotations

import numpy as np
import pandas as pd

from trainability import convergence
from trainability.figures import canvas, scales
from trainability.figures.canvas import Drawing
from trainability.figures.experiment import Experiment, Slice
from trainability.tables import steps_column


def table(part: Slice, targets: list[float]) -> pd.DataFrame:
    """A row per cell, target and evaluated step: the share of the selected rate's runs that have arrived."""
    runs = part["runs"]
    runs = runs[runs["selected"]]
    curves = part["curves"]
    at = {cell: np.sort(some["step"].unique()).astype(float) for cell, some in curves.groupby("cell")}
    frames = []
    for cell, some in runs.groupby("cell", sort=False):
        for target in targets:
            steps = some[steps_column(target)].to_numpy(dtype=float)
            fraction = convergence.fraction_at_target(steps, at[cell])
            labels = {name: some[name].iloc[0] for name in part.varying}
            frames.append(
                pd.DataFrame(
                    {"cell": cell, **labels, "target": target, "step": at[cell].astype(int)}
                    | {"fraction": fraction, "runs": len(some)}
                )
            )
    return pd.concat(frames, ignore_index=True)


def draw(experiment: Experiment) -> Drawing:
    """One line per activation, a column of panels per target, a row per normalization."""
    part = experiment.at_base("activation", "normalization")
    targets = sorted(experiment.settings.targets)
    shown = targets if len(targets) <= 3 else [experiment.target]
    data = table(part, shown)
    marks = canvas.marks(experiment.order("activation"))
    panels = part.order("normalization")
    first = max(1.0, data.loc[data["fraction"] > 0, "step"].min() / 2) if data["fraction"].any() else 1.0
    figure, grid = canvas.sheet(
        len(panels),
        len(shown),
        heights=[0.95] * len(panels),
        around=0.25 * len(panels) + 1.0,
        remarks=part.remarks,
        sharex=True,
        sharey=True,
    )
    for axes_row, panel in zip(grid, panels, strict=True):
        axes_row[0].set_title(canvas.title(panel))
        for axes, target in zip(axes_row, shown, strict=True):
            some = data[(data["normalization"] == panel) & (data["target"] == target)]
            for index, (activation, line) in enumerate(some.groupby("activation", sort=False)):
                axes.plot(
                    line["step"].clip(lower=first), line["fraction"], drawstyle="steps-post", markersize=3.5,
                    markevery=(index % 5, 6), **marks[str(activation)]._asdict(),
                )  # fmt: skip
            scales.log_steps(axes, first, experiment.budget)
            axes.set_ylim(-0.04, 1.06)
    figure.supylabel("share of runs at the target", fontsize=canvas.TYPE)
    for axes, target in zip(grid[-1], shown, strict=True):
        axes.set_xlabel(
            f"steps to {100 * target:g} %" if len(shown) > 1 else f"steps to {100 * target:g} % validation accuracy"
        )
    canvas.key(figure, canvas.line_handles(part.order("activation"), marks))
    last = data[(data["target"] == experiment.target)].groupby("cell").tail(1)
    facts = {"below": int((last["fraction"] < 1).sum()), "lines": len(last), "shown": shown}
    return Drawing(figure, data, facts, part.remarks)
