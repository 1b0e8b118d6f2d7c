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
    return np.asarray(np.clip(np.asarray(values, dtype=float), LOWEST, HIGHEST))


def accuracy(axes: Axes, values: Iterable[float], chance: float, horizontal: bool) -> None:
    """Make an axis of accuracies on a logit scale, which opens up what is near 100 %, and mark chance."""
    axis = axes.xaxis if horizontal else axes.yaxis
    shown = within([value for value in [*values, chance] if math.isfinite(value)])
    low, high = (math.log(p / (1 - p)) for p in (shown.min(), shown.max()))
    low, high = (1 / (1 + math.exp(-x)) for x in (low - 0.3, high + 0.3))
    (axes.set_xscale if horizontal else axes.set_yscale)("logit")
    (axes.set_xlim if horizontal else axes.set_ylim)(low, high)
    ticks(
        axis,
        _spaced([tick for tick in ACCURACIES if low <= tick <= high], 0.13 if horizontal else 0.16),
        lambda value: f"{100 * value:g}",
    )
    line = axes.axvline if horizontal else axes.axhline
    line(chance, color=INK, linestyle=":", linewidth=1)


def _spaced(values: list[float], share: float) -> list[float]:
    """The ticks whose labels do not touch: at least a share of their range apart, high ones first."""
    places = {value: math.log(value / (1 - value)) for value in values}
    least = share * (max(places.values(), default=0.0) - min(places.values(), default=0.0))
    kept: list[float] = []
    for value in reversed(values):
        if not kept or places[kept[-1]] - places[value] >= least:
            kept.append(value)
    return kept[::-1]


def ticks(axis: Axis, places: Iterable[float], label: Callable[[float], str]) -> None:
    """Ticks at given places, labelled by a function, and no others."""
    axis.set_major_locator(FixedLocator(list(places)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: label(value)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def steps_or_never(axes: Axes, steps: ArrayLike, budget: float) -> None:
    """Make the x axis one of steps on a log scale, with a place at the right for runs that never arrive."""
    known = np.asarray(steps, dtype=float)
    known = known[np.isfinite(known)]
    first = max(1.0, known.min(initial=budget) / 1.5)
    never = budget * NEVER
    axes.set_xscale("log")
    axes.set_xlim(first * 0.9, never * 1.35)
    axes.axvspan(budget * WALL, never * 1.35, color="0.95", zorder=0)
    places = [tick for tick in round_steps(first, budget) if tick * 2.5 < never]
    ticks(axes.xaxis, [*places, never], lambda value: "never" if value == never else f"{value:.0f}")


def round_steps(first: float, last: float, most: float = 200) -> list[float]:
    """Round numbers between two steps: powers of ten, and up to `most` from end to end others too."""
    leading = (1,) if last > most * first else (1, 3) if last > 30 * first else (1, 2, 5)
    powers = range(int(math.log10(last)) + 1)
    return [digit * 10.0**power for power in powers for digit in leading if first <= digit * 10.0**power <= last]


def placed(steps: pd.Series, budget: float) -> pd.Series:
    """Steps as places on such an axis: at least 1, and infinity at `never`."""
    return steps.astype(float).clip(lower=1.0).replace(np.inf, budget * NEVER)


def log_steps(axes: Axes, first: float, budget: float) -> None:
    """Make the x axis one of steps on a log scale up to the budget."""
    axes.set_xscale("log")
    axes.set_xlim(first, budget * 1.15)
    ticks(axes.xaxis, round_steps(first, budget, most=50), lambda value: f"{value:.0f}")


def logarithmic(axes: Axes, low: float, high: float) -> None:
    """Make the y axis logarithmic with two to four labels, whether it spans one power of ten or twenty."""
    axes.set_yscale("log")
    axes.set_ylim(low / 1.6, high * 1.6)
    first, last = math.floor(math.log10(low / 1.6)), math.ceil(math.log10(high * 1.6))
    stride = max(1, math.ceil((last - first) / 4))
    leading = (1, 3) if last - first <= 2 else (1,)
    places = [digit * 10.0**power for power in range(first, last + 1) if power % stride == 0 for digit in leading]
    ticks(axes.yaxis, places, _plain)


def _plain(value: float) -> str:
    return f"{value:g}" if 0.01 <= value < 1000 else f"1e{math.log10(value):.0f}" if value else "0"


def epochs(axes: Axes, first: float, last: float) -> None:
    """Make the x axis one of epochs: linear up to the first evaluation after 0, logarithmic from there."""
    axes.set_xscale("symlog", linthresh=first, linscale=0.4)
    axes.set_xlim(0, last * 1.2)
    low, high = math.floor(math.log10(first)), math.floor(math.log10(last))
    decades = [10.0**power for power in range(low, high + 1) if 10.0**power > first * 1.5]
    ticks(axes.xaxis, [0.0, *decades], lambda value: f"{value:g}")
