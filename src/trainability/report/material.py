"""Everything that the page is written from, read once and checked."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from trainability import files, manifests, record, verified
from trainability.cell import FACTORS, Cell
from trainability.claims.outcome import MANIFEST
from trainability.config import Config
from trainability.plan import Plan, included
from trainability.progress import COMPLETE, Progress
from trainability.tables import read
from trainability.verified import Verified

NUMBERS = (
    "estimate", "low", "high", "lowest_setting", "highest_setting", "effect_size", "p", "p_holm", "published_estimate",
)  # of verdicts; all may be missing  # fmt: skip


@dataclass(frozen=True)
class Material:
    """An experiment's configuration, plan, tables and manifests."""

    settings: Config
    plan: Plan
    cells: pd.DataFrame  # a row per trained cell, at its selected learning rate
    runs: pd.DataFrame  # a row per run
    claims: pd.DataFrame  # a row per statement
    evidence: pd.DataFrame  # a row per statement and setting
    records: Mapping[str, Mapping[str, Any]]  # record.json by cell
    datasets: Mapping[str, Mapping[str, Any]]  # dataset.json by label
    preprocessings: Mapping[tuple[str, str], Mapping[str, Any]]  # preprocessing.json by labels of both
    snakemake: str = "snakemake"  # the command that runs this experiment
    progress: Progress = COMPLETE
    verified: Mapping[str, Verified] = field(default_factory=dict)  # of the cells that were trained again, by key

    @cached_property
    def trained(self) -> dict[str, Cell]:
        """The cells that were trained, by key."""
        return included(self.progress.done(self.plan))

    @cached_property
    def varied(self) -> list[str]:
        """The factors that take more than one value among the trained cells."""
        return [name for name in FACTORS if len({cell.labels[name] for cell in self.trained.values()}) > 1]

    @property
    def target(self) -> float:
        """The target that single sentences speak of: the middle one, of two the higher, as in the figures."""
        targets = sorted(self.settings.targets)
        return targets[len(targets) // 2]

    def around_base(self, *free: str) -> pd.DataFrame:
        """Rows of the table of cells at the base setting, but for the factors in `free`.

        They are sorted by these factors, the first one fastest, and their values as in the plan.
        For plain units all sizings are the same network, so `sizing` is compared for the others only.
        """
        wanted = [key for key, cell in self.trained.items() if self._at_base(cell, free)]
        found = self.cells.set_index("cell", drop=False).loc[wanted]
        return found.sort_values(list(reversed(free)), key=self._position, kind="stable")

    def lacking(self, *free: str) -> list[Cell]:
        """The unfinished cells at the base setting, but for the factors in `free`."""
        left = included(self.progress.left(self.plan)).values()
        return [cell for cell in left if self._at_base(cell, free)]

    def _at_base(self, cell: Cell, free: tuple[str, ...]) -> bool:
        return all(
            getattr(cell, name) == getattr(self.settings.base, name) or (name == "sizing" and cell.activation.plain)
            for name in FACTORS
            if name not in free
        )

    def _position(self, values: pd.Series[Any]) -> pd.Series[Any]:
        order = dict.fromkeys(cell.labels[str(values.name)] for cell in self.trained.values())
        return values.map({value: index for index, value in enumerate(order)})


def load(
    settings: Config,
    plan: Plan,
    tables: Path,
    cells: Path,
    data: Path,
    snakemake: str,
    progress: Progress = COMPLETE,
) -> Material:
    """Read what the workflow left in these folders; raises files.CorruptFileError if something is missing."""
    trained = included(progress.done(plan)).values()
    records = {cell.key: record.load(cells / cell.key) for cell in trained}
    notes = {key: verified.read(cells / key, one["digest"]) for key, one in records.items()}
    return Material(
        settings,
        plan,
        read(tables / "cells.parquet"),
        read(tables / "runs.parquet"),
        read_verdicts(tables / "claims.csv"),
        read_verdicts(tables / "evidence.csv"),
        records,
        {
            cell.dataset.label: manifests.load_json(data / cell.dataset.slug / "dataset.json")
            for cell in _first(trained, "dataset")
        },
        {
            (cell.dataset.label, cell.preprocessing.label): manifests.load_json(
                data / cell.dataset.slug / cell.preprocessing.slug / "preprocessing.json"
            )
            for cell in _first(trained, "dataset", "preprocessing")
        },
        snakemake,
        progress,
        {key: note for key, note in notes.items() if note is not None},
    )


def read_verdicts(path: Path) -> pd.DataFrame:
    """A table of verdicts: without a value, numbers are NaN and text is empty."""
    content = manifests.read_beside(path.with_name(MANIFEST), path.name)
    with files.reading(path):
        return pd.read_csv(io.BytesIO(content), keep_default_na=False, na_values={name: [""] for name in NUMBERS})


def _first(cells: Any, *factors: str) -> list[Cell]:
    """One cell for each combination of values of these factors, in the order of their first appearance."""
    found: dict[tuple[Any, ...], Cell] = {}
    for cell in cells:
        found.setdefault(tuple(getattr(cell, name) for name in factors), cell)
    return list(found.values())
