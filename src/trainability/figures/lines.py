"""Lines over epochs: the mean over seeds with the range from the lowest to the highest seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from trainability.figures import canvas
from trainability.figures.canvas import Mark


def summary(runs: pd.DataFrame, by: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Mean, lowest and highest of each column over the runs of a cell at an epoch, in long form.

    A mean is undefined where a run has no finite figure: the mean of the survivors would flatter.
    """
    frames = []
    keys = ["cell", *by, "epoch"]
    for column in columns:
        finite = runs.assign(value=runs[column].where(np.isfinite(runs[column])))
        grouped = finite.groupby(keys, sort=False)["value"]
        some = grouped.agg(["mean", "min", "max", "count", "size"]).reset_index()
        some[["mean", "min", "max"]] = some[["mean", "min", "max"]].where(some["count"] == some["size"])
        frames.append(some.assign(quantity=column))
    long = pd.concat(frames, ignore_index=True)
    long = long.rename(columns={"min": "low", "max": "high", "count": "finite_runs", "size": "runs"})
    return long[["cell", *by, "quantity", "epoch", "mean", "low", "high", "finite_runs", "runs"]]


def draw(axes: Axes, data: pd.DataFrame, marks: Mapping[str, Mark], scale: float = 1.0) -> None:
    """A line with a band per activation; where a run has lost its figures the line ends in a cross."""
    say_if_none(axes, data["mean"])
    for index, (activation, line) in enumerate(data.groupby("activation", sort=False)):
        mark = marks[str(activation)]
        line = line.sort_values("epoch")
        x = line["epoch"].to_numpy()
        mean, low, high = (scale * line[name].to_numpy(dtype=float) for name in ("mean", "low", "high"))
        axes.fill_between(x, low, high, color=mark.color, alpha=0.15, linewidth=0)
        axes.plot(x, mean, markersize=3.5, markevery=(index % 6, 7), **mark._asdict())
        known = np.flatnonzero(np.isfinite(mean))
        if len(known) and known[-1] < len(mean) - 1:
            axes.plot(x[known[-1]], mean[known[-1]], marker="x", markersize=7, markeredgewidth=2, color=mark.color)


def say_if_none(axes: Axes, values: pd.Series) -> None:
    """Words in a panel that has no line, since no run has a finite figure."""
    if not np.isfinite(values).any():
        canvas.say(axes, "no finite figures")


def span(data: pd.DataFrame) -> tuple[float, float]:
    """The first epoch after 0 and the last one."""
    epochs = np.sort(data["epoch"].unique())
    return float(epochs[epochs > 0][0]), float(epochs[-1])
