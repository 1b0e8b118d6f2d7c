"""Records to tidy tables: a row per run, per cell, per evaluation; an incomplete table names what is missing."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trainability import convergence, files, manifests, record, seeding, statistics
from trainability.cell import Cell
from trainability.plan import Plan, included
from trainability.record import Record
from trainability.statistics import Estimate

FIRST, LAST, LATER = slice(1), slice(-1, None), slice(1, None)  # probes: before training, after it, all but the first
# What a run shows inside its layers: the mean of a column over hidden layers and the given probes.
LAYER_MEANS = {
    "dead_fraction": ("dead_fraction", LAST),
    "dead_fraction_strict": ("dead_fraction_strict", LAST),
    "dead_fraction_loose": ("dead_fraction_loose", LAST),
    "born_dead_fraction": ("dead_fraction", FIRST),
    "revived_fraction": ("revived_fraction", LAST),
    "saturated_fraction": ("saturated_fraction", LAST),
    "initial_saturated_fraction": ("saturated_fraction", FIRST),
    "activation_mean": ("activation_mean", LAST),
    "activation_std": ("activation_std", LAST),
    "sign_agreement": ("sign_agreement", LAST),
    "sign_agreement_batch": ("sign_agreement_batch", LAST),
    "update_ratio": ("update_ratio", LAST),
    "update_cosine": ("update_cosine", LATER),
    "distinct_units": ("distinct_units", LAST),
}
ESTIMATED = (
    "test_accuracy",
    "validation_accuracy",
    "train_accuracy",
    "train_loss",
    "gradient_ratio",
    "final_gradient_ratio",
    *LAYER_MEANS,
)
GEOMETRIC = ("gradient_ratio", "final_gradient_ratio", "update_ratio")  # ratios that span orders of magnitude
MANIFEST = "tables.json"
SECONDS = ("train_seconds", "measure_seconds")  # of a cell's training, and of measuring within it


class MissingCellsError(Exception):
    """Some cells of the plan have no record; the message names each."""


def collect(plan: Plan, folder: Path, targets: Iterable[float]) -> dict[str, pd.DataFrame]:
    """All tables of an experiment by name: runs, cells, curves, layers.

    `folder` holds a folder per cell. `layers` keeps the runs at each cell's selected learning rate only; the others
    stay in the cells' own folders. Raises MissingCellsError or files.CorruptFileError.
    """
    planned = included(plan)
    missing = [key for key in planned if not (folder / key / "record.json").exists()]
    if missing:
        raise MissingCellsError(
            f"{len(missing)} of {len(planned)} cells have no record; run snakemake to train them:\n  "
            + "\n  ".join(missing)
        )
    return tabulate(plan, ((key, record.read(folder / key)) for key in planned), targets)


def tabulate(plan: Plan, records: Iterable[tuple[str, Record]], targets: Iterable[float]) -> dict[str, pd.DataFrame]:
    """The tables of `collect` from the records of some cells of a plan, one at least."""
    targets = tuple(targets)
    parts = {name: _Parts() for name in ("runs", "cells", "curves", "layers")}
    for key, one in records:
        cell = plan[key].cell
        identity = {"cell": key, "studies": " ".join(plan[key].studies), **cell.labels}
        runs = run_columns(one, targets)
        parts["runs"].add(identity, runs)
        parts["cells"].add(identity, {name: [value] for name, value in cell_row(one, cell, runs, targets).items()})
        rate = one.content["selected_learning_rate"]
        parts["curves"].add({"cell": key}, one.curves | {"selected": one.curves["learning_rate"] == rate})
        chosen = one.layers["learning_rate"] == rate
        parts["layers"].add({"cell": key}, {name: values[chosen] for name, values in one.layers.items()})
    return {name: some.frame() for name, some in parts.items()}


class _Parts:
    """The rows of many cells, joined once at the end: a pandas operation on each would cost more than the reading."""

    def __init__(self) -> None:
        self.labels: list[Mapping[str, Any]] = []
        self.columns: list[Mapping[str, Any]] = []

    def add(self, labels: Mapping[str, Any], columns: Mapping[str, Any]) -> None:
        """Rows with these columns, and labels that all of them share."""
        self.labels.append(labels)
        self.columns.append(columns)

    def frame(self) -> pd.DataFrame:
        lengths = [len(next(iter(columns.values()))) for columns in self.columns]
        joined: dict[str, Any] = {}
        for name in self.labels[0]:
            values = pd.Series([labels[name] for labels in self.labels])
            joined[name] = values.repeat(lengths).reset_index(drop=True)
        for name, first in self.columns[0].items():
            parts = [columns[name] for columns in self.columns]
            joined[name] = np.concatenate(parts) if isinstance(first, np.ndarray) else [*itertools.chain(*parts)]
        return pd.DataFrame(joined)


def run_columns(one: Record, targets: Iterable[float]) -> dict[str, Any]:
    """Columns with an entry per run, in the record's order: final figures, steps to targets, and layer health."""
    rows = one.content["runs"]
    runs: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
    steps = np.unique(one.curves["step"])
    accuracy = one.curves["validation_accuracy"].reshape(len(rows), len(steps)).T
    for target in targets:
        runs[steps_column(target)] = convergence.steps_to_target(steps, accuracy, target)
    shape = (len(rows), -1, int(one.layers["layer"].max()))
    for name, (column, probes) in LAYER_MEANS.items():
        runs[name] = one.layers[column].reshape(shape)[:, probes].mean((1, 2))
    norms = one.layers["gradient_norm"].astype(float).reshape(shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        runs["gradient_ratio"] = norms[:, 0, 0] / norms[:, 0, -1]
        runs["final_gradient_ratio"] = norms[:, -1, 0] / norms[:, -1, -1]
    return runs


def cell_row(one: Record, cell: Cell, runs: Mapping[str, Any], targets: Iterable[float]) -> dict[str, Any]:
    """One cell at its selected learning rate: estimates over seeds, each with the bounds of its 95 % interval."""
    content = one.content
    selected = np.asarray(runs["selected"])
    chosen = {name: list(itertools.compress(values, selected)) for name, values in runs.items()}
    counts = {status: chosen["status"].count(status) for status in ("ok", "diverged", "stalled")}
    row: dict[str, Any] = {
        "seeds": int(selected.sum()),
        "learning_rate": content["selected_learning_rate"],
        "rate_edge": content["selected_edge"],
        "status": _overall(counts),
        **counts,
        "all_runs": len(selected),
        "all_diverged": list(runs["status"]).count("diverged"),
    }
    for name in ESTIMATED:
        row |= _spread(name, _mean(np.array(chosen[name], dtype=float), cell.key, name))
    budget = float(one.curves["step"].max())
    for target in targets:
        row |= _reaching(np.array(chosen[steps_column(target)]), target, budget, cell.key)
    network, times = content["network"], content["times"]
    return row | {**network, "steps": int(budget), **{name: times[name] for name in SECONDS}}


def steps_column(target: float) -> str:
    """Name of the column with the steps to a target, e.g. `steps_to_0.9`."""
    return f"steps_to_{target:g}"


def largest_rates(runs: pd.DataFrame) -> pd.Series:
    """The largest learning rate at which a run of each cell and seed is ok, 0 where none is; by (cell, seed)."""
    learned = runs["learning_rate"].where(runs["status"] == "ok", 0.0)
    return learned.groupby([runs["cell"], runs["seed"]], sort=False).max().rename("largest_rate")


def median_largest_rates(runs: pd.DataFrame) -> pd.DataFrame:
    """By cell, the median over seeds of the largest rate with its interval: value, low, high."""
    rows = {}
    for cell, rates in largest_rates(runs).groupby("cell", sort=False):
        rng = seeding.generator(0, "bootstrap", str(cell), "largest_rate")
        rows[cell] = statistics.bootstrap(rates.to_numpy(dtype=float), rng, lambda some: np.median(some, axis=-1))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])


def write(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Write each table as Parquet, those that people open in a spreadsheet as CSV too, and tables.json about all."""
    contents = {}
    for name, table in tables.items():
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False, compression="zstd")
        contents[f"{name}.parquet"] = buffer.getvalue()
        if name in ("runs", "cells"):
            contents[f"{name}.csv"] = table.to_csv(index=False, lineterminator="\n").encode()
    manifests.save_described(folder / MANIFEST, contents)


def read(path: Path) -> pd.DataFrame:
    """Read a table that `write` wrote as Parquet, after checking it; raises files.CorruptFileError."""
    content = manifests.read_beside(path.with_name(MANIFEST), path.name)
    with files.reading(path):
        return pd.read_parquet(io.BytesIO(content))


def _mean(values: np.ndarray, key: str, name: str) -> Estimate:
    """Mean over seeds, geometric for ratios; none unless every seed has a figure, since runs that failed have none."""
    if not np.isfinite(values).all():
        return Estimate(np.nan, np.nan, np.nan)
    rng = seeding.generator(0, "bootstrap", key, name)
    if name not in GEOMETRIC:
        return statistics.bootstrap(values, rng)
    with np.errstate(divide="ignore"):
        return Estimate(*np.exp(statistics.bootstrap(np.log(values), rng)))


def _reaching(steps: np.ndarray, target: float, budget: float, key: str) -> dict[str, Any]:
    """Convergence to one target over seeds: success rate, median steps and expected running time."""
    rng = seeding.generator(0, "bootstrap", key, steps_column(target))
    median = statistics.bootstrap(steps, rng, lambda sample: np.median(sample, axis=-1))
    success = statistics.proportion(int(np.isfinite(steps).sum()), len(steps))
    return {
        **_spread(f"success_{target:g}", success),
        **_spread(f"median_{steps_column(target)}", median),
        f"expected_{steps_column(target)}": float(convergence.expected_running_time(steps, budget)),
    }


def _spread(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _overall(counts: Mapping[str, int]) -> str:
    """A cell's status: ok where every seed is, else the most frequent failure, `diverged` before `stalled`."""
    failures = {status: counts[status] for status in ("diverged", "stalled") if counts[status]}
    return max(failures, key=lambda status: failures[status]) if failures else "ok"
