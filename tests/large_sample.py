"""A large experiment that was never trained: 2,000 cells of 40 runs whose tables hold seeded numbers of the right kind.

Everything a page is rendered from is there, so that its size and its speed are those of a real one of that many cells.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from report_sample import Sample

from trainability import health, manifests, plan, record, schedule, tables

GRID: dict[str, Any] = {
    "preprocessing": ["raw", "center", "standardize", "minmax", "unit"],
    "activation": ["sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "gelu", "silu", "softplus", "selu"],
    "init": [
        "zeros", "ones", "small_normal", "lecun_uniform", "lecun_normal",
        "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal",
    ],
    "normalization": ["none", "batchnorm", "layernorm", "rmsnorm"],
}  # fmt: skip
SEEDS, RATES = 8, (0.001, 0.003, 0.01, 0.03, 0.1)
EPOCHS, STEPS = 20, 720
STATUSES = ("ok", "diverged", "stalled")
NETWORK = {
    "features": 64, "classes": 10, "units": 64, "parameters": 21450, "flops_per_example": 42240,
    "steps_per_epoch": STEPS // EPOCHS, "stacks": 3,
}  # fmt: skip


class LargeSample(Sample):
    """As `Sample`, but its numbers come from a generator. `grid` may be smaller."""

    def __init__(self, folder: Path, grid: dict[str, Any] | None = None) -> None:
        super().__init__(
            folder,
            title="A large experiment",
            base={"depth": 5, "epochs": EPOCHS},
            seeds=SEEDS,
            learning_rates=list(RATES),
            targets=[0.8, 0.9, 0.95],
            studies={"everything": {"question": "What becomes of all?", "grid": grid or GRID}},
        )
        self.rng = np.random.default_rng(0)
        self.keys = list(plan.included(self.plan))
        self.shape = (len(self.keys), SEEDS * len(RATES))

    def make(self) -> LargeSample:
        """Prepare the data, write tables, records and logs; return self."""
        for cell in plan.included(self.plan).values():
            self._prepare(cell)
        runs, curves = self._runs()
        layers = self._layers(runs)
        cells = self._cells(runs)
        tables.write({"runs": runs, "cells": cells, "curves": curves, "layers": layers}, self.tables)
        self._record(cells)
        self._judge(runs, cells)
        self._illustrate()
        return self

    def _identity(self, repeat: int) -> dict[str, Any]:
        labels = [{"cell": key, "studies": "everything", **self.plan[key].cell.labels} for key in self.keys]
        return {name: np.repeat([label[name] for label in labels], repeat) for name in labels[0]}

    def _runs(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Logistic curves with noise, each run with a height and a speed of its own."""
        count, runs = self.shape
        steps = np.array(schedule.evaluations(STEPS))
        height, speed = self.rng.uniform(0.1, 0.99, self.shape), self.rng.uniform(2, 6, self.shape)
        status = self.rng.choice(3, self.shape, p=[0.8, 0.15, 0.05])
        status[:, 0] = 0  # of each cell at least one run is well
        risen = height[..., None] / (1 + np.exp(speed[..., None] - np.log1p(steps)))
        accuracy = (risen + self.rng.normal(0, 0.01, (*self.shape, len(steps)))).clip(0, 1)
        accuracy = (np.round(accuracy * 285) / 285).astype(np.float32)  # of as many examples
        loss = np.exp(self.rng.normal(0, 0.1, accuracy.shape) - 3 * accuracy).astype(np.float32)
        loss[status == 1, len(steps) // 2 :] = np.nan
        probed = np.isin(steps, schedule.probes(STEPS))
        seed, rate = (np.tile(each.ravel(), count) for each in np.meshgrid(range(SEEDS), RATES, indexing="ij"))
        chosen = np.repeat(self.rng.choice(RATES, count), runs)
        at = len(steps)
        curves = pd.DataFrame(
            {
                "cell": np.repeat(self.keys, runs * at),
                "seed": np.repeat(seed, at),
                "learning_rate": np.repeat(rate, at),
                "step": np.tile(steps, count * runs),
                "epoch": np.tile(steps / (STEPS / EPOCHS), count * runs),
                "probed": np.tile(probed, count * runs),
                "train_loss": np.where(probed, loss * 0.9, np.nan).ravel(),
                "train_accuracy": np.where(probed, accuracy, np.nan).ravel(),
                "validation_loss": loss.ravel(),
                "validation_accuracy": accuracy.ravel(),
                "selected": np.repeat(rate == chosen, at),
            }
        )
        size = count * runs
        table = self._identity(runs) | {
            "seed": seed,
            "learning_rate": rate,
            "selected": rate == chosen,
            "status": np.array(STATUSES)[status.ravel()],
            "reason": np.where(status.ravel() > 0, "non-finite loss", ""),
            "status_step": np.where(status.ravel() == 1, 23.0, np.nan),
            **{name: curves[name].to_numpy()[at - 1 :: at] for name in ("train_loss", "train_accuracy")},
            **{name: curves[name].to_numpy()[at - 1 :: at] for name in ("validation_loss", "validation_accuracy")},
            "test_loss": loss[..., -1].ravel(),
            "test_accuracy": np.round(accuracy[..., -1].ravel() * 360) / 360,
        }
        for target in self.settings.targets:
            reached = accuracy >= target
            first = np.where(reached.any(-1), steps[reached.argmax(-1)], np.inf)
            table[tables.steps_column(target)] = first.ravel()
        inside = {name: self.rng.uniform(0, 1, size) for name in tables.LAYER_MEANS}
        inside |= {name: np.exp(self.rng.normal(0, 4, size)) for name in tables.GEOMETRIC}
        return pd.DataFrame(table | inside), curves

    def _layers(self, runs: pd.DataFrame) -> pd.DataFrame:
        chosen = runs[runs["selected"]]
        probes, depth = schedule.probes(STEPS), self.settings.base.depth
        each = len(probes) * depth
        size = len(chosen) * each
        index = {name: np.repeat(chosen[name].to_numpy(), each) for name in ("cell", "seed", "learning_rate")}
        index["step"] = np.tile(np.repeat(probes, depth), len(chosen))
        index["epoch"] = index["step"] / (STEPS / EPOCHS)
        index["layer"] = np.tile(np.arange(1, depth + 1, dtype=np.int16), len(chosen) * len(probes))
        shares = {*health.UNITS, "sign_agreement", "sign_agreement_batch"}
        columns = {
            name: self.rng.uniform(0.5, 1, size) if name in shares else np.exp(self.rng.normal(0, 3, size))
            for name in health.COLUMNS
        }
        return pd.DataFrame(index | {name: values.astype(np.float32) for name, values in columns.items()})

    def _cells(self, runs: pd.DataFrame) -> pd.DataFrame:
        """Estimates with bounds around them, as wide as the seeds are spread; they are no bootstrap."""
        count, (_, width) = len(self.keys), self.shape
        chosen = runs[runs["selected"]]
        of_cell = {name: chosen[name].to_numpy().reshape(count, SEEDS) for name in chosen}
        found = self._identity(1) | {
            "seeds": np.full(count, SEEDS),
            "learning_rate": of_cell["learning_rate"][:, 0],
            "rate_edge": np.full(count, ""),
            "status": np.where((of_cell["status"] == "ok").all(1), "ok", "diverged"),
            **{name: (of_cell["status"] == name).sum(1) for name in STATUSES},
            "all_runs": np.full(count, width),
            "all_diverged": (runs["status"].to_numpy().reshape(count, width) == "diverged").sum(1),
        }
        for name in tables.ESTIMATED:
            found |= self._bounds(name, of_cell[name].mean(1), of_cell[name].std(1) / 4)
        for target in self.settings.targets:
            column = tables.steps_column(target)
            reached = np.isfinite(of_cell[column]).mean(1)
            found |= self._bounds(f"success_{target:g}", reached, np.zeros(count))
            found |= self._bounds(f"median_{column}", np.median(of_cell[column], 1), np.zeros(count))
            found[f"expected_{column}"] = np.where(reached > 0, STEPS / np.maximum(reached, 0.1), np.inf)
        found |= {name: np.full(count, value) for name, value in {**NETWORK, "steps": STEPS}.items()}
        found |= {name: self.rng.uniform(1, 9, count) for name in tables.SECONDS}
        return pd.DataFrame({name: np.asarray(values) for name, values in found.items()})

    def _bounds(self, name: str, values: np.ndarray, width: np.ndarray) -> dict[str, np.ndarray]:
        return {name: values, f"{name}_low": values - width, f"{name}_high": values + width}

    def _record(self, cells: pd.DataFrame) -> None:
        template = {
            "schema": record.SCHEMA,
            "versions": {"torch": "2"},
            "hardware": {"processor": "none"},
            "threads": 1,
            "device": "cpu",
        }
        self.logs.mkdir(parents=True)
        for key, rate, seconds in zip(self.keys, cells["learning_rate"], cells["train_seconds"], strict=True):
            drawn = self.rng.bytes(32).hex()
            own = [{"seed": seed, "learning_rate": rate, "selected": True} for seed in range(SEEDS)]
            parts = {name: {"sha256": self.rng.bytes(32).hex()} for name in ("curves", "layers")}
            content = template | {
                "cell": key,
                "parameters": json.loads(self.plan[key].cell.canonical),
                "selected_learning_rate": rate,
                "selected_edge": "",
                "digest": record.digest_of(own, rate, "", parts),
                "network": NETWORK | {"probe_examples": 256},
                "runs": own,
                "hashes": {"config": drawn[::-1], "data": drawn[:16] * 4, "code": "0123456789abcdef"},
                "times": {
                    "started": "2026-01-01T00:00:00+00:00",
                    "ended": "2026-01-01T00:01:00+00:00",
                    "train_seconds": round(seconds, 3),
                    "measure_seconds": round(seconds / 10, 3),
                },
                "tables": parts,
            }
            folder = self.cells / key
            manifests.save_json(folder / "record.json", content)
            lines = [
                f"step {step}/{STEPS}: validation accuracy best 0.{step:03d}" for step in schedule.evaluations(STEPS)
            ]
            (self.logs / f"{key}.log").write_text("\n".join(lines))
