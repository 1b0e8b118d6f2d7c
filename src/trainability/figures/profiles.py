"""Performance profiles: the share of pairs of setting and seed that come within a factor of the fastest activation.

After Dolan and Moré (2002, "Benchmarking optimization software with performance profiles"): at a factor of 1 a line
is the share of pairs in which its activation was the fastest, at the right the share that it solves at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from trainability import seeding, statistics, suite
from trainability.convergence import fraction_at_target
from trainability.figures import canvas, scales
from trainability.figures.canvas import Drawing
from trainability.figures.experiment import MOST_LINES, Experiment, NothingToShow
from trainability.statistics import Array
from trainability.tables import steps_column

LEAST = 2.0  # the axis reaches at least this factor


def table(activations: Sequence[str], steps: Array) -> pd.DataFrame:
    """A row per activation and factor at which its line rises, from 1 to the largest that any takes.

    `steps` [activations, settings, seeds]. Bounds are stratified bootstrap intervals, of the same resamples at every
    factor, so that they rise as the line does.
    """
    ratios = statistics.performance_ratios(steps)
    last = ratios.max(where=np.isfinite(ratios), initial=LEAST)
    frames = []
    for activation, own in zip(activations, ratios, strict=True):
        factors = np.unique([1.0, *own[np.isfinite(own)], last])
        bounds = [_bounds(own <= factor, activation) for factor in factors]
        columns = {
            "activation": activation,
            "factor": factors,
            "fraction": fraction_at_target(own.ravel(), factors),
            "low": [one.low for one in bounds],
            "high": [one.high for one in bounds],
            "pairs": own.size,
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def draw(experiment: Experiment) -> Drawing:
    """One line per activation over the settings that all activations share."""
    found = suite.shared(experiment.cells, experiment.settings.base, set(experiment.unfinished["cell"]))
    if found.problem:
        raise NothingToShow(f"Nothing to show: {found.problem}.")
    runs, cells = experiment.tables["runs"], experiment.tables["cells"]
    steps = suite.results(found, runs, cells, steps_column(experiment.target), experiment.chance).steps
    names = [experiment.named("activation", label) for label in found.activations]
    data = table(names, steps)
    shown = [name for name in experiment.order("activation") if name in names][:MOST_LINES]
    remarks = () if len(shown) == len(names) else (f"The first {len(shown)} of {len(names)} activations are shown.",)
    marks = canvas.marks(experiment.order("activation"))
    figure, grid = canvas.sheet(1, heights=[2.5], around=1.2, remarks=remarks)
    axes = grid[0, 0]
    for index, name in enumerate(shown):
        line, mark = data[data["activation"] == name], marks[name]
        x, y, low, high = (line[column].to_numpy() for column in ("factor", "fraction", "low", "high"))
        axes.fill_between(x, low, high, step="post", color=mark.color, alpha=0.12, linewidth=0)
        axes.plot(
            x, y, drawstyle="steps-post", markersize=3.5, markevery=(index % 3, 3), clip_on=False, **mark._asdict()
        )
    solved = float(np.isfinite(steps).any(0).mean())
    axes.axhline(solved, color=canvas.INK, linestyle=":", linewidth=1)
    _scale(axes, float(data["factor"].max()))
    canvas.key(figure, canvas.line_handles(shown, marks))
    facts = {
        "activations": len(names),
        "settings": len(found.settings),
        "varied": list(found.varied),
        "pairs": steps[0].size,
        "solved": solved,
    }
    return Drawing(figure, data, facts, remarks)


def _bounds(within: np.ndarray, activation: str) -> statistics.Estimate:
    """Share of pairs [settings, seeds] with its interval."""
    rng = seeding.generator(0, "bootstrap", "profile", activation)
    return statistics.bootstrap(within.astype(float), rng, joint=False)


def _scale(axes: Axes, last: float) -> None:
    axes.set_xscale("log")
    axes.set_xlim(1 / last**0.02, last**1.02)
    scales.ticks(axes.xaxis, scales.round_steps(1, last), lambda value: f"{value:g}")
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("steps, as a multiple of the fastest activation's")
    axes.set_ylabel("share of pairs at the target")
