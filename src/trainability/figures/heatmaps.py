"""Heat maps by initialisation and activation, with what failed and what was left out of the plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from trainability.figures import canvas, scales
from trainability.figures.canvas import Drawing
from trainability.figures.experiment import Experiment, Slice
from trainability.tables import steps_column

ROW = 0.2  # inches
AROUND = 1.75  # inches that the colour bar, the key and one panel's title and names take
LETTER = 0.04  # inches that each letter of the columns' names takes, beyond those that AROUND has room for
FEW = 4  # panels with fewer rows leave the names of the columns to the last panel
FACTORS = ("activation", "init", "normalization")


def accuracy(experiment: Experiment) -> Drawing:
    """Mean test accuracy."""
    part = experiment.at_base(*FACTORS)
    data = table(part, "test_accuracy")
    figure = maps(
        part,
        data,
        Normalize(0, 1),
        "cividis",
        lambda value, digits: f"{100 * value:.{digits}f}",
        "test accuracy (%)",
        100,
    )
    return Drawing(figure, data, _facts(data), part.remarks)


def dead(experiment: Experiment) -> Drawing:
    """Mean share of dead units after training."""
    part = experiment.at_base(*FACTORS)
    data = table(part, "dead_fraction")
    figure = maps(
        part,
        data,
        Normalize(0, 1),
        "cividis_r",
        lambda value, digits: f"{100 * value:.{digits}f}",
        "dead units (%)",
        100,
    )
    return Drawing(figure, data, _facts(data), part.remarks)


def steps(experiment: Experiment) -> Drawing:
    """Median steps to the middle target, on a logarithmic colour scale."""
    part = experiment.at_base(*FACTORS)
    data = table(part, f"median_{steps_column(experiment.target)}")
    finite = data["value"].replace(np.inf, np.nan).dropna()
    low, high = (max(1.0, finite.min()), finite.max()) if len(finite) else (1.0, 10.0)
    norm = LogNorm(low, max(high, low * 1.01))
    label = f"median steps to {100 * experiment.target:g} % (∞: never)"
    figure = maps(part, data, norm, "cividis_r", lambda value, _: f"{value:.0f}", label)
    return Drawing(figure, data, _facts(data) | {"never": int(np.isinf(data["value"]).sum())}, part.remarks)


def table(part: Slice, column: str) -> pd.DataFrame:
    """A row per planned cell, trained or excluded: figure with interval, status, and why it is left out."""
    names = ["cell", "status", "ok", "diverged", "stalled", "seeds", "learning_rate"]
    cells = part.tables["cells"]
    figures = cells[names].assign(
        **{n: cells[f"{column}{s}"] for n, s in (("value", ""), ("low", "_low"), ("high", "_high"))}
    )
    rows = part.planned[["cell", *part.varying, "included", "reason"]]
    return rows.merge(figures, on="cell", how="left").assign(quantity=column)


def maps(
    part: Slice,
    data: pd.DataFrame,
    norm: Normalize,
    palette: str,
    write: Callable[[float, int], str],
    label: str,
    unit: float = 1,
) -> Figure:
    """One heat map per normalization with a common colour bar and a key of the signs in use."""
    panels = part.order("normalization")
    columns = part.order("activation", included=False)
    inits = {p: _inits(part, data, p) for p in panels}
    heights = [ROW * len(inits[panel]) for panel in panels]
    named = [panel == panels[-1] or len(inits[panel]) >= FEW for panel in panels]
    around = AROUND + 0.25 * (len(panels) - 1) + 0.55 * (sum(named) - 1) + sum(named) * room(columns)
    figure, grid = canvas.sheet(len(panels), heights=heights, around=around, remarks=part.remarks)
    for axes, panel, name in zip(grid[:, 0], panels, named, strict=True):
        heat(axes, data[data["normalization"] == panel], inits[panel], columns, norm, palette, write)
        axes.set_title(canvas.title(panel))
        axes.tick_params(labelbottom=name)
    bar = figure.colorbar(
        ScalarMappable(norm, palette),
        ax=list(grid[:, 0]),
        location="bottom",
        aspect=30,
        pad=0.02,
        label=label,
    )
    if isinstance(norm, LogNorm):
        scales.ticks(bar.ax.xaxis, scales.round_steps(norm.vmin or 1, norm.vmax or 10), lambda value: f"{value:g}")
    else:
        bar.ax.xaxis.set_major_formatter(lambda value, _: f"{unit * value:g}")
    handles = _key(data)
    if handles:
        canvas.key(figure, handles)
    return figure


def room(columns: Sequence[str]) -> float:
    """Inches that the longest name of a column takes beyond what all figures have for it."""
    return LETTER * max(0, max(map(len, columns), default=0) - 12)


def heat(
    axes: Axes, data: pd.DataFrame, rows: list[str], columns: list[str], norm: Normalize, palette: str,
    write: Callable[[float, int], str],
) -> None:  # fmt: skip
    """One heat map of `data` (init, activation, value, included, perhaps status), all written."""
    values = np.full((len(rows), len(columns)), np.nan)
    texts = np.full(values.shape, "", dtype=object)
    entry: Any
    for entry in data.itertuples():
        at = rows.index(entry.init), columns.index(entry.activation)
        if not entry.included:
            axes.add_patch(Rectangle(at[::-1], 1, 1, facecolor="white", edgecolor="0.6", hatch="////", linewidth=0))
            continue
        values[at], texts[at] = entry.value, _text(entry, write)
    colours = matplotlib.colormaps[palette]
    limited = np.clip(values, norm.vmin, norm.vmax)
    sns.heatmap(
        np.asarray(norm(limited)), mask=~np.isfinite(values), cmap=colours, vmin=0, vmax=1, ax=axes, cbar=False,
        linewidths=0.8, linecolor="white", xticklabels=columns, yticklabels=rows,
    )  # fmt: skip
    for (row, column), text in np.ndenumerate(texts):
        value = float(norm(limited[row, column])) if np.isfinite(values[row, column]) else np.nan
        ink = _legible(colours, value)
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center_baseline", color=ink)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows, rotation=0)
    axes.grid(visible=False)


def _text(entry: Any, write: Callable[[float, int], str]) -> str:
    sign = canvas.SIGNS[getattr(entry, "status", "ok")]
    if np.isposinf(entry.value):
        return f"{sign}∞"
    if not np.isfinite(entry.value):
        return sign or canvas.UNKNOWN
    return sign + write(entry.value, 0 if sign else 1)  # a cell has room for four characters


def _legible(colours: Any, value: float) -> str:
    """Black or white, whichever stands out from a colour (WCAG's relative luminance)."""
    if not np.isfinite(value):
        return "black"
    channels = np.asarray(colours(value)[:3])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return "black" if linear @ [0.2126, 0.7152, 0.0722] > 0.179 else "white"


def _inits(part: Slice, data: pd.DataFrame, panel: str) -> list[str]:
    here = set(data.loc[data["normalization"] == panel, "init"])
    return [init for init in part.order("init", included=False) if init in here]


def _key(data: pd.DataFrame) -> list[Any]:
    handles: list[Any] = []
    for status, marker in (("diverged", "x"), ("stalled", "o")):
        if data["status"].eq(status).any():
            handle = Line2D([], [], color="black", marker=marker, markerfacecolor="white", linestyle="none")
            handle.set_label(f"some runs {status}")
            handles.append(handle)
    return handles if data["included"].all() else [*handles, *excluded_key()]


def excluded_key() -> list[Patch]:
    """The legend entry of the hatching."""
    return [Patch(facecolor="white", edgecolor="0.6", hatch="////", label="excluded by the plan")]


def _facts(data: pd.DataFrame) -> dict[str, Any]:
    trained = data[data["included"]]
    return {
        "cells": len(trained),
        "excluded": len(data) - len(trained),
        **{f"{status}_cells": int(trained["status"].eq(status).sum()) for status in ("diverged", "stalled")},
        "lowest": float(trained["value"].min()),
        "highest": float(trained["value"].max()),
    }
