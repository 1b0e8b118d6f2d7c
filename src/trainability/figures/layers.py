"""Signals, gradients and units layer by layer, before and after training."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from trainability.figures import canvas, lines, scales
from trainability.figures.canvas import Drawing, Mark
from trainability.figures.experiment import Experiment, Slice

LOGARITHMIC = {
    "preactivation_std": "pre-act.\nstd",
    "activation_std": "activation\nstd",
    "relative_gradient_std": "gradient std\n/ last",
}
SHARES = {
    "dead_fraction": "dead\nunits (%)",
    "saturated_fraction": "saturated\n(%)",
    "sign_agreement": "sign agree-\nment (%)",
}
MOMENTS = ("start", "end")


def table(part: Slice) -> pd.DataFrame:
    """A row per cell, moment, layer and quantity: median, lowest and highest over seeds."""
    layers = part["layers"]
    ends = {"start": layers["step"].min(), "end": layers.groupby("cell")["step"].transform("max")}
    frames = []
    for moment in MOMENTS:
        some = layers[layers["step"] == ends[moment]].copy()
        run = some.groupby(["cell", "seed"])
        last = some["gradient_std"].where(some["layer"] == run["layer"].transform("max"))
        with np.errstate(divide="ignore", invalid="ignore"):
            some["relative_gradient_std"] = some["gradient_std"] / last.groupby([some["cell"], some["seed"]]).transform(
                "max"
            )
        long = some.melt(["cell", *part.varying, "layer", "seed"], [*LOGARITHMIC, *SHARES], "quantity", "figure")
        keys = ["cell", *part.varying, "quantity", "layer"]
        grouped = long.groupby(keys, sort=False)["figure"]
        frames.append(grouped.agg(value="median", low="min", high="max").reset_index().assign(moment=moment))
    joined: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return joined


def draw(experiment: Experiment) -> Drawing:
    """Rows are quantities, columns are start and end without and with the first other normalization."""
    part = experiment.at_base("activation", "normalization")
    base = experiment.base("normalization")
    order = part.order("normalization")
    panels = sorted(order, key=lambda name: name != base)[:2]
    data = table(part)
    data = data[data["normalization"].isin(panels)]
    marks = canvas.marks(experiment.order("activation"))
    quantities = LOGARITHMIC | SHARES
    columns = [(panel, moment) for panel in panels for moment in MOMENTS]
    figure, grid = canvas.sheet(
        len(quantities),
        len(columns),
        heights=[0.85] * len(quantities),
        around=1.9,
        remarks=part.remarks,
        sharex=True,
        sharey="row",
    )
    for axes_row, (quantity, words) in zip(grid, quantities.items(), strict=True):
        some = data[data["quantity"] == quantity]
        for axes, (panel, moment) in zip(axes_row, columns, strict=True):
            _lines(axes, some[(some["normalization"] == panel) & (some["moment"] == moment)], marks, quantity)
            _scale(axes, some, quantity)
        axes_row[0].set_ylabel(words)
    for axes, (panel, moment) in zip(grid[0], columns, strict=True):
        axes.set_title(f"{'none' if panel == 'none' else panel},\n{moment}", loc="center")
    canvas.below(grid[-1], "hidden layer (1 is next to the input)")
    figure.align_ylabels(grid[:, 0])
    canvas.key(figure, canvas.line_handles(part.order("activation"), marks))
    return Drawing(figure, data, {"panels": panels, "hidden": int(data["layer"].max())}, part.remarks)


def _lines(axes: Axes, data: pd.DataFrame, marks: dict[str, Mark], quantity: str) -> None:
    lines.say_if_none(axes, data["value"])
    unit = 100 if quantity in SHARES else 1
    for activation, line in data.groupby("activation", sort=False):
        line = line.sort_values("layer")
        values = unit * line["value"]
        if quantity in LOGARITHMIC:
            values = values.where(values > 0)
        axes.plot(line["layer"], values, markersize=3, **marks[str(activation)]._asdict())


def _scale(axes: Axes, data: pd.DataFrame, quantity: str) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    last = data["layer"].max()
    axes.set_xlim(0.6, last + 0.4)
    values = data["value"]
    if quantity in SHARES:
        low = 48.0 if quantity == "sign_agreement" else -3.0
        axes.set_ylim(low, 103 if quantity == "sign_agreement" else max(5.0, np.nanmax([0, *values]) * 105))
        return
    positive = values[np.isfinite(values) & (values > 0)]
    if len(positive):
        scales.logarithmic(axes, positive.min(), positive.max())
