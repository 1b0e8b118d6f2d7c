"""One of two experiments that are compared: what its folder of results holds, read once and checked."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from trainability import config, files, foreign, plan, record
from trainability.adopted import FINGERPRINT
from trainability.cell import FACTORS, Cell, Factors
from trainability.config import Config, ConfigError
from trainability.plan import Plan
from trainability.report import material
from trainability.tables import read, steps_column

TABLES = ("config.json", "cells.parquet", "runs.parquet", "claims.csv")
# What is read of each table, beside the factors; a table without one of these is another version's.
COLUMNS = {
    "cells.parquet": ("cell", "learning_rate", "steps"),
    "runs.parquet": ("cell", "seed", "selected", "status", "test_accuracy", "dead_fraction"),
    "claims.csv": (
        "claim", "statement", "verdict", "reason", "estimate", "low", "high", "unit", "metric", "expect", "rule",
        "smallest_effect", "compared",
    ),
}  # fmt: skip
SCALE = ("dataset", "depth", "width", "batch_size", "epochs", "probe_examples")  # how large an experiment is
BASE = ""  # no value of a factor in JSON is empty
Signature = tuple[str, ...]


@dataclass(frozen=True)
class Side:
    """A finished experiment; `name` is what the page calls it."""

    name: str
    folder: Path
    settings: Config
    plan: Plan
    trained: Mapping[str, Cell]  # by the key of its folder
    cells: pd.DataFrame  # a row per trained cell, by its key
    runs: pd.DataFrame  # the runs at the selected learning rates, by cell and seed
    claims: pd.DataFrame  # a row per statement, by its id
    records: Mapping[str, Mapping[str, Any]]  # record.json by cell

    def place(self, key: str) -> Signature:
        """A cell's place in this experiment."""
        return place(self.trained[key], self.settings.base)

    def labels(self, key: str) -> dict[str, Any]:
        """A cell's factors as text and numbers."""
        return self.trained[key].labels

    @functools.cached_property
    def excluded(self) -> dict[Signature, str]:
        """Why cells were left out, by their place."""
        left_out = [entry for entry in self.plan.values() if not entry.included]
        return {place(entry.cell, self.settings.base): entry.reason for entry in left_out}


def signature(cell: Cell) -> Signature:
    """A cell's factors without its seeds and learning rates, in the order of FACTORS."""
    values = cell.model_dump(mode="json", include=set(FACTORS))
    return tuple(json.dumps(values[name], sort_keys=True) for name in FACTORS)


def place(cell: Cell, base: Factors) -> Signature:
    """A cell's factors, those of the scale blank where they are at the base of its experiment."""
    return tuple(
        BASE if factor in SCALE and getattr(cell, factor) == getattr(base, factor) else value
        for factor, value in zip(FACTORS, signature(cell), strict=True)
    )


def load(name: str, folder: Path) -> Side:
    """Read a folder of results; raises files.CorruptFileError, which says what is missing or of another version."""
    tables = folder / "tables"
    _present(folder, tables)
    try:
        settings = plan.settings(tables / "config.json", _without_fingerprints)
        planned = plan.make_plan(settings)
    except (ConfigError, foreign.ForeignError) as error:
        raise files.CorruptFileError(f"{tables / 'config.json'} cannot be read by this version: {error}") from None
    cells, runs, claims = _table(tables / "cells.parquet"), _table(tables / "runs.parquet"), _table(tables / TABLES[3])
    _columns(tables / "runs.parquet", runs, [steps_column(target) for target in settings.targets])
    records = {key: _record(folder / "cells" / key) for key in cells["cell"]}
    trained = {key: _cell(folder, key, content) for key, content in records.items()}
    _complete(folder, planned, trained.values())
    chosen = runs[runs["selected"].astype(bool)].set_index(["cell", "seed"]).sort_index()
    return Side(name, folder, settings, planned, trained, cells.set_index("cell"), chosen, claims, records)


def _present(folder: Path, tables: Path) -> None:
    if not folder.is_dir():
        raise files.CorruptFileError(f"{folder} is no folder; give two folders of results, such as results")
    missing = [name for name in TABLES if not (tables / name).is_file()]
    if not missing:
        return
    inside = folder / "results"
    if (inside / "tables").is_dir():
        mend = f"did you mean {inside}?"
    else:
        mend = "give the results of a finished experiment, or run snakemake to finish this one"
    raise files.CorruptFileError(f"{tables} has no {', '.join(missing)}: {mend}")


def _table(path: Path) -> pd.DataFrame:
    table = material.read_verdicts(path) if path.suffix == ".csv" else read(path)
    _columns(path, table, COLUMNS[path.name])
    return table


def _columns(path: Path, table: pd.DataFrame, wanted: Iterable[str]) -> None:
    missing = [name for name in wanted if name not in table]
    if missing:
        raise files.CorruptFileError(
            f"{path} has no column {', '.join(missing)}: another version wrote it, or another configuration. Run "
            "snakemake with this version to make it again."
        )


def _record(folder: Path) -> dict[str, Any]:
    try:
        return record.load(folder)
    except files.OutdatedFileError as error:
        raise files.CorruptFileError(f"{error} Or compare with the version that wrote it.") from None


def _cell(folder: Path, key: str, content: Mapping[str, Any]) -> Cell:
    try:
        return Cell.from_canonical(json.dumps(_without_fingerprints(content["parameters"])))
    except ValidationError as error:
        found = "; ".join(config.problems(error, Cell))
        path = folder / "cells" / key / "record.json"
        raise files.CorruptFileError(f"{path}: this version knows no such cell: {found}") from None


def _complete(folder: Path, planned: Plan, trained: Iterable[Cell]) -> None:
    """Raise unless the tables hold exactly the cells that the configuration asks for."""
    wanted = {signature(cell): key for key, cell in plan.included(planned).items()}
    found = {signature(cell) for cell in trained}
    missing = [key for one, key in wanted.items() if one not in found]
    if missing:
        raise files.CorruptFileError(
            f"{folder} is unfinished: {len(missing)} of {len(wanted)} cells of its configuration are not in its "
            f"tables, {missing[0]} among them. Run snakemake to finish it."
        )


def _without_fingerprints(value: Any) -> Any:
    """A configuration whose classes from elsewhere are read as they are today, whatever their source was."""
    if isinstance(value, dict):
        return {key: _without_fingerprints(part) for key, part in value.items() if key != FINGERPRINT}
    return [_without_fingerprints(part) for part in value] if isinstance(value, list) else value


def distinct(side: Side, *path: str) -> Iterator[Any]:
    """The values that a side's records have at a place, each once, in the order of the cells."""
    seen = []
    for content in side.records.values():
        value: Any = content
        for part in path:
            value = value.get(part, "")  # versions differ in what they note
        if value not in seen:
            seen.append(value)
            yield value
