"""A cell's record: what one training leaves behind, complete on its own and checked when it is read.

`record.json` is written last. It holds the checksums of `curves.parquet` and `layers.parquet`, and a digest of
all results: two records of one cell have the same digest exactly when all their figures agree to the last bit.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import torch
from pyarrow import parquet
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from trainability import files, health, manifests, provenance
from trainability.cell import Cell
from trainability.outcome import CURVES, Outcome

SCHEMA = 4
TABLES = ("curves", "layers")
FILES = (*(f"{name}.parquet" for name in TABLES), "record.json")  # in the order in which they are written


@dataclass(frozen=True)
class Record:
    """One cell's record as read from its folder; the columns of its two tables by name."""

    content: dict[str, Any]
    curves: dict[str, np.ndarray]  # a row per run and evaluation
    layers: dict[str, np.ndarray]  # a row per run, probed evaluation and hidden layer


class _Tables(BaseModel):
    curves: dict[str, Any]
    layers: dict[str, Any]


class _Content(BaseModel):
    """The parts of a record that something reads."""

    model_config = ConfigDict(strict=True)

    cell: str
    parameters: dict[str, Any]
    selected_learning_rate: float
    selected_edge: str
    digest: str
    network: dict[str, int]
    runs: Annotated[list[dict[str, bool | int | float | str | None]], Field(min_length=1)]
    hashes: dict[Literal["config", "data", "code"], str]
    versions: dict[str, str]
    hardware: dict[str, Any]
    threads: int
    device: str
    times: dict[str, str | float]
    tables: _Tables


def write(
    folder: Path, cell: Cell, outcome: Outcome, data: dict[str, Any], times: dict[str, Any], seconds: float
) -> dict[str, Any]:
    """Write a cell's three files, the record last, and return its content.

    `seconds` is how long the training took with all that was measured; how long measuring took is kept beside it.
    `data` is the manifest of the preprocessed arrays, `times` says when the training started and ended.
    """
    tables = {"curves": curves(outcome), "layers": layers(outcome)}
    contents = {name: _parquet(table) for name, table in tables.items()}
    manifest = {}
    for name, content in contents.items():
        files.write_atomically(folder / f"{name}.parquet", content)
        manifest[name] = manifests.described(f"{name}.parquet", content)
    selected, edge = select_rate(cell, outcome)
    runs = _runs(outcome, selected)
    record = {
        "schema": SCHEMA,
        "cell": cell.key,
        "parameters": json.loads(cell.canonical),
        "selected_learning_rate": selected,
        "selected_edge": edge,
        "digest": digest_of(runs, selected, edge, manifest),
        "network": _network(cell, outcome, data),
        "runs": runs,
        **origin(cell, data),
        "device": outcome.device,
        "times": times | {"train_seconds": round(seconds, 3), "measure_seconds": round(outcome.looking, 3)},
        "tables": manifest,
    }
    manifests.save_json(folder / "record.json", record)
    return record


def origin(cell: Cell, data: Mapping[str, Any]) -> dict[str, Any]:
    """What the bits of a training here and now depend on, beside its device; `data` as for `write`."""
    return {
        "hashes": {
            "config": files.checksum(cell.canonical.encode()),
            "data": data["arrays"]["sha256"],
            "code": provenance.code_fingerprint(*provenance.TRAINING),
        },
        "versions": provenance.software(),
        "hardware": provenance.hardware(),
        "threads": 1,
    }


def read(folder: Path) -> Record:
    """Read a record and its tables after checking sizes and checksums; raises files.CorruptFileError."""
    content, tables = load(folder), {}
    for name in TABLES:
        entry = content["tables"][name]
        raw = manifests.read_described(entry, folder, _mend(folder))
        with files.reading(folder / entry["file"]):
            columns = parquet.read_table(io.BytesIO(raw), use_threads=False)
        tables[name] = {column: columns[column].to_numpy() for column in columns.column_names}
    return Record(content, tables["curves"], tables["layers"])


def load(folder: Path) -> dict[str, Any]:
    """Read a record without its tables and check it.

    Raises files.OutdatedFileError where another version wrote it, else files.CorruptFileError.
    """
    path = folder / "record.json"
    content = manifests.load_json(path, SCHEMA, _mend(folder))
    try:
        _Content.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise files.CorruptFileError(
            f"{path} is not a whole record ({place}: {first['msg']}). {_mend(folder)}"
        ) from None
    found = digest_of(content["runs"], content["selected_learning_rate"], content["selected_edge"], content["tables"])
    if found != content["digest"]:
        raise files.CorruptFileError(
            f"{path} was altered: its results have the digest {found}, expected {content['digest']}. {_mend(folder)}"
        )
    return content


def digest_of(runs: list[dict[str, Any]], selected: float, edge: str, manifest: dict[str, Any]) -> str:
    """SHA-256 of all results: the figures of the runs, the chosen rate and its edge, and what describes the tables."""
    return files.checksum(json.dumps([runs, selected, edge, manifest], sort_keys=True).encode())


def _mend(folder: Path) -> str:
    return (
        f"Delete the folder {folder} and run snakemake to train the cell again, or use `trainability rerun --outdated "
        "--damaged` for all such cells."
    )


def select_rate(cell: Cell, outcome: Outcome) -> tuple[float, str]:
    """The learning rate with the best mean final validation accuracy over seeds, and the edge of the grid it lies on.

    A diverged run counts with accuracy 0. Ties go to the lower mean validation loss, then to the smaller rate.
    The edge is `low`, `high`, or empty for an inner rate or a grid of one.
    """
    accuracy = outcome.history.curves["validation_accuracy"][-1].double()
    loss = outcome.history.curves["validation_loss"][-1].double()
    diverged = torch.tensor([status == "diverged" for status in outcome.status])
    accuracy = torch.where(diverged, 0.0, accuracy)
    loss = torch.where(diverged | ~loss.isfinite(), torch.inf, loss)
    rates = sorted(cell.learning_rates)
    candidates = []
    for rate in rates:
        of_rate = torch.tensor([run_rate == rate for _, run_rate in outcome.runs])
        candidates.append((-accuracy[of_rate].mean().item(), loss[of_rate].mean().item(), rate))
    chosen = min(candidates)[2]
    edge = "" if len(rates) == 1 else {rates[0]: "low", rates[-1]: "high"}.get(chosen, "")
    return chosen, edge


def curves(outcome: Outcome) -> pd.DataFrame:
    """A row per run and evaluation: seed, learning_rate, step, epoch, probed, and the columns of CURVES.

    The training figures are known where `probed` is true.
    """
    history = outcome.history
    probed = {"probed": np.tile(np.isin(history.steps, history.probed), len(outcome.runs))}
    columns = {name: history.curves[name].T.reshape(-1).numpy() for name in CURVES}
    return pd.DataFrame(_index(outcome, history.steps, 1) | probed | columns)


def layers(outcome: Outcome) -> pd.DataFrame:
    """A row per run, probe and hidden layer (1 is the first): seed, learning_rate, step, epoch, layer, health."""
    history = outcome.history
    columns = {name: history.layers[name].permute(2, 0, 1).reshape(-1).numpy() for name in health.COLUMNS}
    depth = history.layers["dead_fraction"].shape[1]
    repeats = len(history.probed) * len(outcome.runs)
    layer = {"layer": np.tile(np.arange(1, depth + 1, dtype=np.int16), repeats)}
    return pd.DataFrame(_index(outcome, history.probed, depth) | layer | columns)


def _index(outcome: Outcome, evaluated: list[int], repeat: int) -> dict[str, Any]:
    steps = np.asarray(evaluated)
    runs = len(outcome.runs)
    return {
        "seed": np.repeat([seed for seed, _ in outcome.runs], len(steps) * repeat),
        "learning_rate": np.repeat([rate for _, rate in outcome.runs], len(steps) * repeat),
        "step": np.tile(np.repeat(steps, repeat), runs),
        "epoch": np.tile(np.repeat(steps / outcome.steps_per_epoch, repeat), runs),
    }


def _runs(outcome: Outcome, selected: float) -> list[dict[str, Any]]:
    last = {name: outcome.history.curves[name][-1] for name in CURVES}
    last |= {"test_loss": outcome.test_loss, "test_accuracy": outcome.test_accuracy}
    rows = []
    for index, (seed, rate) in enumerate(outcome.runs):
        row: dict[str, Any] = {"seed": seed, "learning_rate": rate, "selected": rate == selected}
        ending = outcome.endings[index]
        row |= {"status": ending.status, "reason": ending.reason, "status_step": ending.step}
        rows.append(row | {name: _number(values, index) for name, values in last.items()})
    return rows


def _network(cell: Cell, outcome: Outcome, data: dict[str, Any]) -> dict[str, Any]:
    plan = outcome.plan
    return {
        "features": plan.layers[0].sees.features,
        "classes": data["classes"],
        "units": plan.width,
        "parameters": plan.parameters,
        "flops_per_example": plan.flops_per_example,
        "steps_per_epoch": outcome.steps_per_epoch,
        "probe_examples": outcome.probe_examples,
        "stacks": outcome.stacks,
    }


def _number(values: Tensor, index: int) -> float | None:
    """A figure for JSON, which knows no NaN and no infinity: null says that there is none."""
    value = values[index].item()
    return value if math.isfinite(value) else None


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()
