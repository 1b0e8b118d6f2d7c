"""Single runs as experiment trackers take them: what was chosen, how it ended, and scalars over steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from trainability import health, plan
from trainability.cell import FACTORS
from trainability.exports import Choice, ExportError
from trainability.exports.results import Results
from trainability.outcome import CURVES

RUN = ["cell", "seed", "learning_rate"]  # what identifies a run
TEXT = ("cell", "studies", "status", "reason")


@dataclass(frozen=True)
class Run:
    """One run. `parameters` are its factors, seed and learning rate; figures that are not finite are left out."""

    cell: str
    seed: int
    rate: float
    parameters: dict[str, str | int | float]
    text: dict[str, str]  # cell, studies, status, reason
    final: dict[str, float]  # figures after training, and health averaged over layers
    scalars: dict[str, list[tuple[int, float]]]  # (step, value) by name; of layer 2 `NAME/layer_2`

    @property
    def name(self) -> str:
        """Its place among all runs: the cell's key, then seed and rate."""
        return f"{self.cell}/seed-{self.seed}-rate-{self.rate:g}"


def runs(results: Results, choice: Choice) -> Iterator[Run]:
    """The chosen runs, in the order of the table of runs; layers are known at selected rates only.

    Raises ExportError if nothing is chosen.
    """
    keys = (
        [key for key, entry in plan.select(results.plan, choice.select).items() if entry.included]
        if choice.select
        else None
    )
    if keys == []:
        raise ExportError(f"--select {choice.select!r} holds for no trained cell")
    rows, curves, layers = (_kept(results.table(name), keys) for name in ("runs", "curves", "layers"))
    if not choice.all_runs:
        rows, curves = rows[rows["selected"]], curves[curves["selected"]]
    curves_of, layers_of = (dict(list(table.groupby(RUN, sort=False))) for table in (curves, layers))
    for row in rows.to_dict("records"):
        run = (row["cell"], row["seed"], row["learning_rate"])
        scalars = _scalars(curves_of[run], CURVES)
        if run in layers_of:
            for layer, some in layers_of[run].groupby("layer"):
                found = _scalars(some, health.COLUMNS)
                scalars |= {f"{name}/layer_{layer}": points for name, points in found.items()}
        yield Run(*run, _parameters(row), {name: row[name] for name in TEXT}, _final(row), scalars)


def _kept(table: pd.DataFrame, keys: list[str] | None) -> pd.DataFrame:
    return table if keys is None else table[table["cell"].isin(keys)]


def _parameters(row: dict[Any, Any]) -> dict[str, str | int | float]:
    return {name: row[name] for name in (*FACTORS, "seed", "learning_rate")}


def _final(row: dict[Any, Any]) -> dict[str, float]:
    known = {*FACTORS, *RUN, *TEXT, "selected", "status_step"}
    found = {name: float(value) for name, value in row.items() if name not in known}
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _scalars(rows: pd.DataFrame, names: tuple[str, ...]) -> dict[str, list[tuple[int, float]]]:
    steps = rows["step"].to_numpy()
    found = {}
    for name in names:
        values = rows[name].to_numpy(float)
        finite = np.isfinite(values)
        found[name] = list(zip(steps[finite].tolist(), values[finite].tolist(), strict=True))
    return {name: points for name, points in found.items() if points}
