"""Dead units: at the start and at the end, over time, and under other thresholds."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from trainability import health
from trainability.figures import canvas, dots, lines, scales
from trainability.figures.canvas import Drawing, Mark
from trainability.figures.experiment import Experiment, Slice

MOMENTS = {
    "at initialisation": ("born_dead_fraction", Mark("#de8f05", "o", "none")),
    "after training": ("dead_fraction", Mark("#0173b2", "s", "-")),
}
THRESHOLDS = {
    "0": ("dead_fraction_strict", Mark("#0173b2", "o", "-")),
    f"{health.DEAD:g}": ("dead_fraction", Mark("#de8f05", "s", "-")),
    f"{health.DEAD_LOOSE:g}": ("dead_fraction_loose", Mark("#029e73", "^", "-")),
}


def units(experiment: Experiment) -> Drawing:
    """Share of dead units at initialisation and after training, by activation, a panel per normalization."""
    part = experiment.at_base("activation", "normalization")
    data = _table(part, "moment", {name: column for name, (column, _) in MOMENTS.items()})
    figure = _panels(part, data, "moment", {name: mark for name, (_, mark) in MOMENTS.items()})
    return Drawing(figure, data, _extremes(data[data["moment"] == "after training"]), part.remarks)


def threshold(experiment: Experiment) -> Drawing:
    """Share of dead units after training under three thresholds, by activation, a panel per normalization."""
    part = experiment.at_base("activation", "normalization")
    data = _table(part, "threshold", {name: column for name, (column, _) in THRESHOLDS.items()})
    figure = _panels(part, data, "threshold", {name: mark for name, (_, mark) in THRESHOLDS.items()})
    spread = data.groupby("cell")["value"].agg(lambda values: values.max() - values.min())
    facts = {
        "thresholds": list(THRESHOLDS),
        "largest_change": spread.max(),
        "batch": experiment.settings.base.batch_size,
    }
    return Drawing(figure, data, facts, part.remarks)


def over_time(experiment: Experiment) -> Drawing:
    """Mean share of dead units over layers against epochs, by activation, a panel per normalization."""
    part = experiment.at_base("activation", "normalization")
    index = ["cell", *part.varying, "seed", "epoch"]
    runs = part["layers"].groupby(index, sort=False)["dead_fraction"].mean().reset_index()
    data = lines.summary(runs, part.varying, ["dead_fraction"])
    marks = canvas.marks(experiment.order("activation"))
    panels = part.order("normalization")
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure, grid = canvas.sheet(
        rows,
        columns,
        heights=[1.15] * rows,
        around=0.3 * rows + 1.0,
        remarks=part.remarks,
        sharex=True,
        sharey=True,
    )
    for axes, panel in zip(grid.flat, panels, strict=False):
        lines.draw(axes, data[data["normalization"] == panel], marks, scale=100)
        scales.epochs(axes, *lines.span(data))
        axes.set_title(canvas.title(panel))
    highest = 100 * data["high"].max()
    top = 1.05 * highest if highest > 0 else 1.0
    grid[0, 0].set_ylim(-0.03 * top, top)
    canvas.hide_unused(grid.flat[len(panels) :])
    figure.supylabel("dead units (%)", fontsize=canvas.TYPE)
    canvas.below(grid[-1], "epochs")
    canvas.key(figure, canvas.line_handles(part.order("activation"), marks))
    return Drawing(figure, data, {}, part.remarks)


def _table(part: Slice, name: str, columns: dict[str, str]) -> pd.DataFrame:
    cells = part["cells"]
    frames = [
        cells[["cell", *part.varying, "seeds", "learning_rate"]].assign(
            **{name: label}, value=cells[column], low=cells[f"{column}_low"], high=cells[f"{column}_high"]
        )
        for label, column in columns.items()
    ]
    return pd.concat(frames, ignore_index=True)


def _panels(part: Slice, data: pd.DataFrame, series: str, marks: dict[str, Mark]) -> Figure:
    panels = part.order("normalization")
    rows = {panel: part.within("activation", "normalization", panel) for panel in panels}
    heights = [dots.height(len(rows[panel]), len(marks)) for panel in panels]
    figure, grid = canvas.sheet(
        len(panels), heights=heights, around=dots.around(len(panels)), remarks=part.remarks, sharex=True
    )
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        some = data[data["normalization"] == panel]
        points = pd.DataFrame({"row": some["activation"], "series": some[series]})
        points = points.assign(**{name: 100 * some[name] for name in ("value", "low", "high")})
        points["text"] = [f"{value:.1f}" if value == value else canvas.UNKNOWN for value in points["value"]]
        dots.dots(axes, points, rows[panel], list(marks), marks)
        axes.set_title(canvas.title(panel))
        axes.tick_params(labelbottom=True)
    highest = 100 * data["high"].max()
    grid[-1, 0].set_xlim(0, max(1.0, 1.04 * highest) if highest == highest else 1.0)
    grid[-1, 0].set_xlabel("dead units (%)")
    canvas.key(figure, [_handle(label, mark, series) for label, mark in marks.items()])
    return figure


def _handle(label: str, mark: Mark, series: str) -> Line2D:
    face = "white" if mark.linestyle == "none" else mark.color
    text = label if series == "moment" else f"threshold {label}"
    return Line2D([], [], color=mark.color, marker=mark.marker, markerfacecolor=face, linestyle="none", label=text)


def _extremes(data: pd.DataFrame) -> dict[str, object]:
    known = data.dropna(subset="value").sort_values("value", kind="stable")
    if known.empty:
        return {"most": None, "most_at": ""}
    worst = known.iloc[-1]
    return {
        "most": float(worst["value"]),
        "most_at": f"{worst['activation']}, {canvas.title(worst['normalization'])}",
    }
