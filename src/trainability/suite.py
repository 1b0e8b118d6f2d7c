"""The settings in which every activation was trained, over which activations are compared as a whole.

The rule looks at the plan alone and not at what came out: the activations are those of the base setting under any
normalization, and a setting is every combination of the other factors, on the base's data set, that all of them have.
Where none can learn, all of them miss, and that counts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainability.cell import FACTORS, Cell, Factors

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
SETTING = tuple(name for name in FACTORS if name not in ("activation", "sizing"))  # plain units have no sizing


@dataclass(frozen=True)
class Suite:
    """Activations, the labels of the settings that they share, and the keys of the cells [activations][settings]."""

    activations: tuple[str, ...]
    settings: tuple[dict[str, Any], ...]
    cells: tuple[tuple[str, ...], ...]
    unfinished: int = 0  # of these cells

    @property
    def problem(self) -> str:
        """Why there is nothing to compare; empty where there is."""
        if not self.activations:
            return "no cell is trained at the base setting, under any normalization"
        if len(self.activations) == 1:
            return f"the plan has one activation at the base setting, {self.activations[0]}"
        if not self.settings:
            return f"no setting has all {len(self.activations)} activations"
        asked = len(self.activations) * len(self.settings)
        return f"{self.unfinished} of the {asked} cells that take part are not finished" if self.unfinished else ""

    @property
    def varied(self) -> tuple[str, ...]:
        """The factors in which the settings differ."""
        return tuple(name for name in SETTING if len({setting[name] for setting in self.settings}) > 1)


class Results(NamedTuple):
    """What the runs of a suite came to, at each cell's selected learning rate."""

    steps: Array  # to the target [activations, settings, seeds], infinite for a miss
    accuracy: Array  # on test data [activations, settings, seeds]; of runs that diverged or stalled, chance
    budget: Array  # steps of a training [settings]

    @property
    def unsolved(self) -> int:
        """Settings in which no run of any activation reached the target."""
        return int(np.isinf(self.steps).all((0, 2)).sum())


def shared(trained: Mapping[str, Cell], base: Factors, unfinished: Collection[str] = ()) -> Suite:
    """The suite of the cells that an experiment trains, by key, in the order of the plan.

    It is the same while some of them are `unfinished`: activations are compared over all of it or not at all.
    """
    own = {
        key: cell
        for key, cell in trained.items()
        if cell.dataset == base.dataset and (cell.activation.plain or cell.sizing == base.sizing)
    }
    usual = [name for name in SETTING if name != "normalization"]
    at_base = (cell for cell in own.values() if all(getattr(cell, name) == getattr(base, name) for name in usual))
    activations = tuple(dict.fromkeys(cell.activation.label for cell in at_base))
    found: dict[tuple[Any, ...], dict[str, str]] = {}
    for key, cell in own.items():
        setting = tuple(cell.labels[name] for name in SETTING)
        found.setdefault(setting, {})[cell.activation.label] = key
    common = {setting: keys for setting, keys in found.items() if all(name in keys for name in activations)}
    cells = tuple(tuple(keys[name] for keys in common.values()) for name in activations)
    return Suite(
        activations,
        tuple(dict(zip(SETTING, setting, strict=True)) for setting in common) if activations else (),
        cells,
        sum(key in unfinished for row in cells for key in row),
    )


def results(suite: Suite, runs: pd.DataFrame, cells: pd.DataFrame, steps_column: str, chance: float) -> Results:
    """The figures of a suite without a problem from the tables of runs and of cells, seeds in ascending order.

    A run that diverged or stalled counts with the accuracy of guessing, `chance`: what a network that learned nothing
    happens to answer would else rank activations by nothing.
    """
    chosen = runs[runs["selected"]].sort_values("seed", kind="stable")
    accuracy = chosen["test_accuracy"].where(chosen["status"] == "ok", chance)
    by_cell = chosen.assign(accuracy=accuracy).groupby("cell", sort=False)
    parts = [[by_cell.get_group(key) for key in row] for row in suite.cells]

    def table(column: str) -> Array:
        return np.array([[part[column].to_numpy(dtype=float) for part in row] for row in parts])

    budget = cells.set_index("cell")["steps"].loc[list(suite.cells[0])].to_numpy(dtype=float)
    return Results(table(steps_column), table("accuracy"), budget)
