"""The tables of one experiment, and the slice of them that a figure shows.

A slice is *at the base*: all factors have the base's values except those that the figure varies.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trainability.cell import FACTORS, Cell
from trainability.config import Config
from trainability.plan import Plan, included
from trainability.progress import COMPLETE, Progress
from trainability.tables import read

MOST_LINES = 10  # as many lines as colours, marks and a legend can tell apart


class NothingToShow(Exception):
    """A slice has no trained cell; the message is the sentence that the figure shows instead."""


@dataclass(frozen=True)
class Slice:
    """The planned cells that a figure shows, with the tables cut down to them."""

    planned: pd.DataFrame  # a row per cell, trained or excluded: cell, included, reason and the factors
    tables: dict[str, pd.DataFrame]
    varying: tuple[str, ...]
    orders: dict[str, list[str]]  # all values of each varying factor, in the order in which figures show them
    remarks: tuple[str, ...]  # sentences that the figure must say about its own completeness

    def __getitem__(self, table: str) -> pd.DataFrame:
        """The rows of a table for the trained cells of the slice, with the varying factors as columns."""
        labels = self.planned.loc[self.planned["included"], ["cell", *self.varying]]
        rows = self.tables[table]
        return rows.drop(columns=list(self.varying), errors="ignore").merge(labels, on="cell", how="inner")

    def order(self, factor: str, included: bool = True) -> list[str]:
        """The values of a factor that the trained cells have, or all cells, in the figures' order."""
        rows = self.planned[self.planned["included"]] if included else self.planned
        present = set(rows[factor])
        return [value for value in self.orders[factor] if value in present]

    def within(self, factor: str, panel: str, value: str) -> list[str]:
        """The values of a factor among the trained cells where another factor has a value."""
        rows = self.planned[self.planned["included"] & (self.planned[panel] == value)]
        return [one for one in self.order(factor) if one in set(rows[factor])]


@dataclass(frozen=True)
class Experiment:
    """All tables of an experiment, its plan as a table, and the folder of its preprocessed data."""

    settings: Config
    planned: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    data: Path
    names: Mapping[str, Mapping[str, str]]  # what figures call a factor's values, where that is not their label
    cells: Mapping[str, Cell]  # that the plan trains, finished or not
    unfinished: pd.DataFrame  # like `planned`: cells that are still to be trained

    @property
    def target(self) -> float:
        """The middle target, by which figures with room for one judge convergence."""
        targets = sorted(self.settings.targets)
        return targets[len(targets) // 2]

    @property
    def budget(self) -> int:
        """The largest number of steps that a cell trains."""
        return int(self.tables["cells"]["steps"].max())

    @property
    def chance(self) -> float:
        """The accuracy of guessing evenly among the classes of the base's data set."""
        return 1.0 / self.settings.base.dataset.classes

    def order(self, factor: str) -> list[str]:
        """All values of a factor, in the order of the study that varies it most, then of the others."""
        studies = [study for study in self.settings.studies.values() if study is not None]
        grids = [getattr(study.grid, factor) or [] for study in studies]
        fixed = [value for study in studies if (value := getattr(study.overrides, factor)) is not None]
        values = [*sorted(grids, key=len, reverse=True), fixed, [getattr(self.settings.base, factor)]]
        return list(dict.fromkeys(self.named(factor, value) for some in values for value in some))

    def at_base(self, *varying: str) -> Slice:
        """The cells with the base's factors except `varying`; raises NothingToShow where none is trained."""
        rows, left = (self._at(frame, varying) for frame in (self.planned, self.unfinished))
        if not rows["included"].any():
            verb = "varies" if len(varying) == 1 else "vary"
            raise NothingToShow(
                f"Nothing to show: no cell is trained at the base while {listed(varying)} {verb}.{_still(left)}"
            )
        rows, remarks = _fewer(rows)
        remarks += [_alone(rows, factor) for factor in varying if rows["included"].sum() and _single(rows, factor)]
        remarks += [_provisional(left, int(rows["included"].sum()), varying)] if len(left) else []
        orders = {factor: self.order(factor) for factor in varying}
        return Slice(rows, self.tables, varying, orders, tuple(remarks))

    def _at(self, frame: pd.DataFrame, varying: Sequence[str]) -> pd.DataFrame:
        """The rows of planned cells with the base's factors except `varying`.

        Plain units, whose `sizing` is always written as width, are at every base's.
        """
        alike = (frame["plain"] & ("sizing" not in varying)).to_numpy(dtype=bool)
        at = np.ones(len(frame), dtype=bool)
        for factor in FACTORS:
            if factor not in varying:
                same = (frame[factor] == self.base(factor)).to_numpy(dtype=bool)
                at &= same | alike if factor == "sizing" else same
        return frame[at]

    def base(self, factor: str) -> Any:
        """What figures call the base's value of a factor."""
        return self.named(factor, getattr(self.settings.base, factor))

    def named(self, factor: str, value: Any) -> Any:
        """What figures call a value of a factor, or its label."""
        label = getattr(value, "label", value)
        return self.names.get(factor, {}).get(label, label)


def load(settings: Config, plan: Plan, tables: Path, data: Path, progress: Progress = COMPLETE) -> Experiment:
    """Read the tables of an experiment, which hold the cells of the plan that are finished."""
    frames = {name: read(tables / f"{name}.parquet") for name in ("runs", "cells", "curves", "layers")}
    rows = planned(plan)
    names = short_names(rows)
    rows = rows.replace(names)
    left = rows["cell"].isin(progress.cells)
    return Experiment(settings, rows[~left], frames, data, names, included(plan), rows[left])


def short_names(planned: pd.DataFrame) -> dict[str, dict[str, str]]:
    """By factor, what figures call foreign components: `Snake` for `mylab.activations:Snake`, if nothing else is so."""
    names = {}
    for factor in FACTORS:
        labels = [label for label in planned[factor].unique() if isinstance(label, str)]
        short = {label: re.sub(r"^[\w.]+:", "", label) for label in labels}
        uses = Counter(short.values())
        names[factor] = {label: name for label, name in short.items() if name != label and uses[name] == 1}
    return {factor: some for factor, some in names.items() if some}


def planned(plan: Plan) -> pd.DataFrame:
    """A row per cell of the plan: key, whether it is trained, why not, factors, and its data's folder."""
    rows = [
        {"cell": key, "included": entry.included, "reason": entry.reason}
        | {"plain": entry.cell.activation.plain}
        | {"folder": f"{entry.cell.dataset.slug}/{entry.cell.preprocessing.slug}"}
        | entry.cell.labels
        for key, entry in plan.items()
    ]
    return pd.DataFrame(rows)


def listed(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _single(rows: pd.DataFrame, factor: str) -> bool:
    return bool(rows.loc[rows["included"], factor].nunique() == 1)


def _alone(rows: pd.DataFrame, factor: str) -> str:
    return f"The plan has one {factor} here: {rows.loc[rows['included'], factor].iloc[0]}."


def _still(left: pd.DataFrame) -> str:
    return f" Not finished yet: {len(left)} of its cells." if len(left) else ""


def _provisional(left: pd.DataFrame, finished: int, varying: Sequence[str]) -> str:
    """What a figure must say if some of its cells are still to be trained."""
    factor = "activation" if "activation" in varying else varying[0]
    names = listed([str(value) for value in left[factor].unique()])
    return f"Not final: {len(left)} of {len(left) + finished} cells are not finished and left out ({names})."


def _fewer(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The first activations only, where there are more than a figure can tell apart."""
    activations = list(rows.loc[rows["included"], "activation"].unique())
    if len(activations) <= MOST_LINES:
        return rows, []
    kept = rows[rows["activation"].isin(activations[:MOST_LINES])]
    return kept, [f"The first {MOST_LINES} of {len(activations)} activations are shown."]
