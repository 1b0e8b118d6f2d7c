"""What the page of a cell is drawn from: its curves, layers, seeds and origin. Some cells make a block.

All runs are there with their curves. Inside the layers there are the seeds at the chosen learning rate, of which the
page keeps the median, the lowest and the highest, and how many seeds have a figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainability import notes
from trainability.explorer import metrics, packing
from trainability.explorer.packing import Column, Part
from trainability.report.catalogue import rerun
from trainability.report.material import Material
from trainability.report.origin import verify

Array = NDArray[Any]

GROUP = 16  # cells a block: enough for them to share what is alike, few enough to be decoded in some milliseconds
LOG_LINES = 12
RUN_STATUSES = ("ok", "diverged", "stalled")

COLUMNS = {
    "validation_accuracy": Column("fraction", ("runs", "steps")),
    "validation_loss": Column("magnitude", ("runs", "steps")),
    "train_accuracy": Column("fraction", ("runs", "probes")),
    "train_loss": Column("magnitude", ("runs", "probes")),
    "test_accuracy": Column("fraction", ("runs",)),
    "status": Column("code", ("runs",)),
    "final": Column("exact", ("measures", "seeds")),
    "estimates": Column("exact", ("estimates", "bounds")),
    "shares": Column("fraction", ("shares", "spread", "probes", "layers")),
    "numbers": Column("magnitude", ("numbers", "spread", "probes", "layers")),
    "known": Column("code", ("healths", "probes", "layers")),
}


def blocks(material: Material, curves: pd.DataFrame, layers: pd.DataFrame, logs: Path) -> list[str]:
    """The trained cells in the order of the plan, GROUP to a block. `logs` holds the logs of their training."""
    parts = list(_parts(material, curves, layers, logs))
    return [packing.block(COLUMNS, parts[first : first + GROUP]) for first in range(0, len(parts), GROUP)]


def titles(material: Material, layers: pd.DataFrame) -> dict[str, dict[str, list[str]]]:
    """Title and style of the lines of the columns `final`, `estimates`, `shares` and `numbers`."""
    targets, shown = material.settings.targets, healths(layers)
    found = {
        "final": metrics.of_seeds(targets),
        "estimates": estimated(targets),
        **{kind: {name: metrics.OF_LAYERS[name] for name in names} for kind, names in shown.items()},
    }
    return {kind: {name: [metric.title, metric.style] for name, metric in of.items()} for kind, of in found.items()}


def estimated(targets: Iterable[float]) -> dict[str, metrics.Metric]:
    """The columns of the table of cells that have intervals."""
    return metrics.with_intervals(targets)


def healths(layers: pd.DataFrame) -> dict[str, list[str]]:
    """The columns of the table of layers that the page shows, shares first."""
    known = [name for name in metrics.OF_LAYERS if name in layers]
    shares = [name for name in known if metrics.OF_LAYERS[name].style == "share"]
    return {"shares": shares, "numbers": [name for name in known if name not in shares]}


def _parts(material: Material, curves: pd.DataFrame, layers: pd.DataFrame, logs: Path) -> Iterator[Part]:
    shown = healths(layers)
    of_cells, of_runs = _columns(material.cells), _columns(material.runs)
    of_curves, of_layers = _columns(curves), _columns(layers)
    rows = {name: _rows(table) for name, table in (("runs", of_runs), ("curves", of_curves), ("layers", of_layers))}
    for row, key in enumerate(of_cells["cell"]):
        cell = {name: values[row] for name, values in of_cells.items()}
        runs, curve, layer = (
            {name: values[rows[table][key]] for name, values in columns.items()}
            for table, columns in (("runs", of_runs), ("curves", of_curves), ("layers", of_layers))
        )
        yield _part(material, cell, runs, curve, layer, shown, logs)


def _part(
    material: Material,
    cell: Mapping[str, Any],
    runs: Mapping[str, Any],
    curve: Mapping[str, Any],
    layer: Mapping[str, Any],
    shown: Mapping[str, list[str]],
    logs: Path,
) -> Part:
    """A cell, from its row of the table of cells and its rows of the others."""
    targets = material.settings.targets
    count = len(runs["seed"])
    steps = curve["step"].reshape(count, -1)[0]
    probed = curve["probed"].reshape(count, -1)[0]
    values: dict[str, Any] = {}
    for name in ("validation_accuracy", "validation_loss"):
        values[name] = curve[name].reshape(count, -1)
    for name in ("train_accuracy", "train_loss"):
        values[name] = curve[name].reshape(count, -1)[:, probed]
    values["test_accuracy"] = runs["test_accuracy"].astype(float)
    values["status"] = np.array([RUN_STATUSES.index(status) for status in runs["status"]])
    chosen = runs["selected"].astype(bool)
    values["final"] = np.array([runs[name][chosen].astype(float) for name in metrics.of_seeds(targets)])
    bounds = [[cell[f"{name}{end}"] for end in ("", "_low", "_high")] for name in estimated(targets)]
    values["estimates"] = np.array(bounds)
    depth = int(layer["layer"].max())
    health = [layer[name].reshape(int(chosen.sum()), -1, depth) for names in shown.values() for name in names]
    spread, values["known"] = _spread(np.stack(health, 1))
    values["shares"], values["numbers"] = np.split(spread, [len(shown["shares"])])
    lengths = {
        "runs": count,
        "steps": len(steps),
        "probes": int(probed.sum()),
        "layers": depth,
        "seeds": int(chosen.sum()),
        "measures": len(values["final"]),
        "estimates": len(bounds),
        "bounds": 3,
        "spread": 3,
        "shares": len(shown["shares"]),
        "numbers": len(shown["numbers"]),
        "healths": len(health),
    }
    facts = _facts(material, cell["cell"], logs) | {
        "steps": steps.tolist(),
        "probes": steps[probed].tolist(),
        "seed_of_run": runs["seed"].tolist(),
        "rate_of_run": runs["learning_rate"].tolist(),
        "endings": [
            [int(index), runs["reason"][index], _whole(runs["status_step"][index])]
            for index in np.flatnonzero(values["status"])
        ],
    }
    return Part(facts, lengths, values)


def _spread(seeds: Array) -> tuple[Array, Array]:
    """Over the seeds [S, M, ...] that have a figure: median, lowest and highest [M, 3, ...], and how many [M, ...].

    They are NaN where none has one. (numpy's functions for this take a hundred times as long on arrays this small.)
    """
    known = np.isfinite(seeds).sum(0)
    ordered = np.sort(np.where(np.isfinite(seeds), seeds, np.nan), 0)  # NaN comes last

    def at(place: Array) -> Array:
        return np.take_along_axis(ordered, place[None].clip(0), 0)[0]

    middle = (at((known - 1) // 2) + at(known // 2)) / 2
    return np.stack([np.where(known, middle, np.nan), ordered[0], at(known - 1)], 1), known


def _whole(step: float | None) -> int | None:
    return None if step is None or np.isnan(step) else int(step)


def _facts(material: Material, key: str, logs: Path) -> dict[str, Any]:
    record = material.records[key]
    entry = material.plan[key]
    return {
        "key": key,
        "studies": entry.studies,
        "rate": record["selected_learning_rate"],
        "edge": record["selected_edge"],
        "parameters": record["parameters"],
        "network": record["network"],
        "hashes": {
            "results": record["digest"],
            **record["hashes"],
            **{f"{name}.parquet": table["sha256"] for name, table in record["tables"].items()},
        },
        "origin": {**record["times"], "device": record["device"], "threads": record["threads"]},
        "commands": [
            ["Train this cell again.", rerun(material, key)],
            ["Train it again and bring tables and report up to date.", rerun(material, key).replace(" -f ", " -R ")],
            ["Train it again beside its record and compare the two, bit by bit.", verify(material, key)],
        ],
        "log": notes.tail(logs / f"{key}.log", LOG_LINES),
    }


def _columns(table: pd.DataFrame) -> dict[str, Array]:
    """The columns as arrays: a pandas operation on every cell would cost more than all the packing."""
    return {str(name): table[name].to_numpy() for name in table}


def _rows(columns: Mapping[str, Array]) -> dict[str, slice]:
    """Where each cell's rows are; the tables hold a cell's rows together."""
    cells = columns["cell"]
    if not len(cells):
        return {}
    first = np.flatnonzero(np.r_[True, cells[1:] != cells[:-1]])
    ends = np.r_[first[1:], len(cells)]
    return {cells[start]: slice(start, end) for start, end in zip(first, ends, strict=True)}
