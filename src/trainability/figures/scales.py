"""Axes of the quantities that figures share: accuracy, steps with a place for `never`, and epochs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator
from numpy.typing import ArrayLike

from trainability.figures.canvas import INK

LOWEST, HIGHEST = 0.02, 0.998  # accuracies that a logit axis still shows; others are drawn at these
ACCURACIES = (0.02, 0.05, 0.1, 0.2, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
NEVER = 2.0  # the place of `never`, in multiples of the budget
WALL = 1.35  # the line between the budget and `never`


def within(values: ArrayLike) -> np.ndarray:
    """Accuracies moved inside what a logit axis shows."""
    return np.clip(np.asarray(values, dtype=float), LOWEST, HIGHEST)


def accuracy(axes: Axes, values: Iterable[float], chance: float, horizontal: bool) -> None:
    """Make an axis of accuracies on a logit scale, which opens up what is near 100 %, and mark chance."""
    axis = axes.xaxis if horizontal else axes.yaxis
    shown = within([value for value in [*values, chance] if math.isfinite(value)])
    low, high = (math.log(p / (1 - p)) for p in (shown.min(), shown.max()))
    low, high = (1 / (1 + math.exp(-x)) for x in (low - 0.3, high + 0.3))
    (axes.set_xscale if horizontal else axes.set_yscale)("logit")
    (axes.set_xlim if horizontal else axes.set_ylim)(low, high)
    ticks(axis, _spaced([tick for tick in ACCURACIES if low <= tick <= high]), lambda value: f"{100 * value:g}")
    line = axes.axvline if horizontal else axes.axhline
    line(chance, color=INK, linestyle=":", linewidth=1)


def _spaced(values: list[float]) -> list[float]:
    """Those of the ticks whose labels do not touch: at least 0.75 apart on the logit scale, high ones first."""
    kept: list[float] = []
    for value in reversed(values):
        place = math.log(value / (1 - value))
        if not kept or math.log(kept[-1] / (1 - kept[-1])) - place >= 0.75:
            kept.append(value)
    return kept[::-1]


def ticks(axis: Axis, places: Iterable[float], label: Callable[[float], str]) -> None:
    """Ticks at given places, labelled by a function, and no others."""
    axis.set_major_locator(FixedLocator(list(places)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: label(value)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def steps_or_never(axes: Axes, budget: float) -> None:
    """Make the x axis one of steps on a log scale from 1, with a place at the right for runs that never arrive."""
    axes.set_xscale("log")
    axes.set_xlim(0.8, budget * NEVER * 1.35)
    axes.axvspan(budget * WALL, budget * NEVER * 1.35, color="0.95", zorder=0)
    decades = [10.0**power for power in range(int(math.log10(budget)) + 1) if 10.0**power * 1.8 < budget * NEVER]
    never = budget * NEVER
    ticks(axes.xaxis, [*decades, never], lambda value: "never" if value == never else f"{value:.0f}")


def placed(steps: pd.Series, budget: float) -> pd.Series:
    """Steps as places on such an axis: at least 1, and infinity at `never`."""
    return steps.astype(float).clip(lower=1.0).replace(np.inf, budget * NEVER)


def log_steps(axes: Axes, budget: float) -> None:
    """Make the x axis one of steps on a log scale from 1 to the budget."""
    axes.set_xscale("log")
    axes.set_xlim(1, budget * 1.15)
    ticks(axes.xaxis, [10.0**power for power in range(int(math.log10(budget)) + 1)], lambda value: f"{value:.0f}")


def epochs(axes: Axes, first: float, last: float) -> None:
    """Make the x axis one of epochs: linear up to the first evaluation after 0, logarithmic from there."""
    axes.set_xscale("symlog", linthresh=first, linscale=0.4)
    axes.set_xlim(0, last * 1.2)
    low, high = math.floor(math.log10(first)), math.floor(math.log10(last))
    decades = [10.0**power for power in range(low, high + 1) if 10.0**power > first * 1.5]
    ticks(axes.xaxis, [0.0, *decades], lambda value: f"{value:g}")
