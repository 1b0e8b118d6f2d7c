"""Records and tables: complete, checked, and true to the training they describe."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from trainability import health, plan, record, tables
from trainability.cell import Cell
from trainability.files import CorruptFileError, OutdatedFileError
from trainability.outcome import Ending, History, Outcome
from trainability.plan import Planned
from trainability.training import train

DATA = {"classes": 4, "arrays": {"sha256": "0" * 64}}
TARGETS = (0.5, 0.8)


@pytest.fixture(scope="module")
def cell(make_cell: Any) -> Cell:
    return make_cell(epochs=3, learning_rates=[0.003, 0.1, 1e30])


@pytest.fixture(scope="module")
def outcome(cell: Cell, arrays: Any) -> Outcome:
    return train(cell, arrays, 4)


@pytest.fixture
def folder(cell: Cell, outcome: Outcome, tmp_path: Path) -> Path:
    record.write(tmp_path / cell.key, cell, outcome, DATA, {"started": "a", "ended": "b"}, 1.0)
    return tmp_path


def test_record_is_complete_alone(cell: Cell, outcome: Outcome, folder: Path) -> None:
    one = record.read(folder / cell.key)
    content = one.content
    assert Cell.model_validate_json(json.dumps(content["parameters"])) == cell
    assert [(run["seed"], run["learning_rate"]) for run in content["runs"]] == cell.runs
    assert {run["status"] for run in content["runs"] if run["learning_rate"] == 1e30} == {"diverged"}
    assert {"python", "torch", "numpy"} <= set(content["versions"])
    assert {"config", "data", "code"} == set(content["hashes"])
    assert (content["threads"], content["device"]) == (1, "cpu")
    net = outcome.networks[0]
    of_a_run = [*(p for layer in net.hidden for p in layer.parameters)]
    assert content["network"]["parameters"] == sum(p[0].numel() for p in of_a_run) + (net.width + 1) * 4
    times = content["times"]
    assert 0 < times.pop("measure_seconds") < 60
    assert times == {"started": "a", "ended": "b", "train_seconds": 1.0}


def test_curves_and_layers_are_the_history(cell: Cell, outcome: Outcome, folder: Path) -> None:
    one = record.read(folder / cell.key)
    history, all_curves, all_layers = outcome.history, pd.DataFrame(one.curves), pd.DataFrame(one.layers)
    for run, (seed, rate) in enumerate(cell.runs):
        curves = all_curves[(all_curves["seed"] == seed) & (all_curves["learning_rate"] == rate)]
        assert curves["step"].tolist() == history.steps
        np.testing.assert_array_equal(curves["validation_loss"], history.curves["validation_loss"][:, run])
        for layer in (1, 3):
            of_run = (all_layers["seed"] == seed) & (all_layers["learning_rate"] == rate)
            rows = all_layers[of_run & (all_layers["layer"] == layer)]
            np.testing.assert_array_equal(rows["activation_std"], history.layers["activation_std"][:, layer - 1, run])
    assert set(health.COLUMNS) < set(one.layers)
    assert one.curves["epoch"].max() == 3


def test_digest_is_that_of_the_results_and_of_nothing_else(
    cell: Cell, outcome: Outcome, folder: Path, tmp_path: Path
) -> None:
    again = record.write(tmp_path / "again", cell, outcome, DATA, {"started": "x", "ended": "y"}, 9.0)
    first = record.read(folder / cell.key).content
    assert again["digest"] == first["digest"]
    changed = replace(outcome, test_accuracy=outcome.test_accuracy + torch.eye(9)[4] * 1e-7)
    assert record.write(tmp_path / "c", cell, changed, DATA, {}, 1.0)["digest"] != first["digest"]


@pytest.mark.parametrize("file", ["curves.parquet", "layers.parquet"])
def test_flipped_bit_is_found(cell: Cell, folder: Path, file: str) -> None:
    path = folder / cell.key / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match=rf"{file} has SHA-256"):
        record.read(folder / cell.key)


def test_record_of_another_schema_is_refused(cell: Cell, folder: Path) -> None:
    path = folder / cell.key / "record.json"
    path.write_text(path.read_text().replace(f'"schema": {record.SCHEMA}', '"schema": 99'))
    with pytest.raises(OutdatedFileError, match=f"has schema 99, this version reads {record.SCHEMA}"):
        record.read(folder / cell.key)


class TestSelectedRate:
    def select(self, outcome: Outcome, cell: Cell, accuracy: list[float], loss: list[float]) -> tuple[float, str]:
        """Selection with the given final validation figures per rate, alike for all three seeds."""
        history = History(1, layers=1, runs=9)
        history.enter(1, ["validation_accuracy", "validation_loss"], [torch.tensor(v * 3) for v in (accuracy, loss)])
        endings = [Ending("diverged" if value != value else "ok") for value in loss * 3]
        return record.select_rate(cell, replace(outcome, history=history, endings=endings))

    def test_is_the_most_accurate_on_validation_data(self, cell: Cell, outcome: Outcome) -> None:
        assert self.select(outcome, cell, [0.5, 0.7, 0.6], [1, 1, 1]) == (0.1, "")

    def test_edge_is_flagged(self, cell: Cell, outcome: Outcome) -> None:
        assert self.select(outcome, cell, [0.8, 0.7, 0.6], [1, 1, 1]) == (0.003, "low")
        assert self.select(outcome, cell, [0.5, 0.7, 0.9], [1, 1, 1]) == (1e30, "high")

    def test_tie_goes_to_the_lower_loss_then_to_the_smaller_rate(self, cell: Cell, outcome: Outcome) -> None:
        assert self.select(outcome, cell, [0.7, 0.7, 0.7], [1, 0.5, 1])[0] == 0.1
        assert self.select(outcome, cell, [0.7, 0.7, 0.7], [1, 1, 1])[0] == 0.003

    def test_diverged_runs_count_as_nothing(self, cell: Cell, outcome: Outcome) -> None:
        nan = float("nan")
        assert self.select(outcome, cell, [0.2, 0.25, 0.9], [1, 1, nan])[0] == 0.1


class TestTables:
    @pytest.fixture
    def collected(self, cell: Cell, folder: Path) -> dict[str, pd.DataFrame]:
        return tables.collect({cell.key: Planned(cell, ["one", "two"])}, folder, TARGETS)

    def test_runs(self, cell: Cell, outcome: Outcome, collected: dict[str, pd.DataFrame]) -> None:
        runs = collected["runs"]
        assert len(runs) == 9
        assert runs["studies"].unique().tolist() == ["one two"]
        assert runs["activation"].unique().tolist() == ["relu"]
        np.testing.assert_allclose(runs["test_accuracy"], outcome.test_accuracy, rtol=1e-6)
        dead = outcome.history.layers["dead_fraction"].mean(1)
        np.testing.assert_allclose(runs["born_dead_fraction"], dead[0], rtol=1e-6)
        np.testing.assert_allclose(runs["dead_fraction"], dead[-1], rtol=1e-6)
        norms = outcome.history.layers["gradient_norm"]
        ratio = norms[0, 0] / norms[0, -1]
        np.testing.assert_allclose(runs["gradient_ratio"], ratio, rtol=1e-5)
        accuracy = outcome.history.curves["validation_accuracy"]
        for run, steps in enumerate(runs["steps_to_0.5"]):
            hits = [step for step, a in zip(outcome.history.steps, accuracy[:, run], strict=True) if a >= 0.5]
            assert steps == (hits[0] if hits else np.inf)

    def test_cells(self, collected: dict[str, pd.DataFrame]) -> None:
        row = collected["cells"].iloc[0]
        chosen = collected["runs"].query("selected")
        assert len(chosen) == row["seeds"] == 3
        assert chosen["learning_rate"].unique().tolist() == [row["learning_rate"]]
        assert row["test_accuracy"] == pytest.approx(chosen["test_accuracy"].mean())
        assert row["test_accuracy_low"] <= row["test_accuracy"] <= row["test_accuracy_high"]
        assert row["gradient_ratio"] == pytest.approx(np.exp(np.log(chosen["gradient_ratio"]).mean()))
        assert row["success_0.5"] == np.isfinite(chosen["steps_to_0.5"]).mean()
        assert (row["all_runs"], row["all_diverged"]) == (9, 3)

    def test_curves_and_layers(self, collected: dict[str, pd.DataFrame]) -> None:
        curves, layers = collected["curves"], collected["layers"]
        assert curves["selected"].mean() == pytest.approx(1 / 3)
        assert curves["selected"].dtype == bool
        assert layers.groupby("learning_rate").ngroups == 1
        assert len(layers) == (curves["selected"] & curves["probed"]).sum() * 3

    def test_missing_cells_are_named(self, cell: Cell, make_cell: Any, folder: Path) -> None:
        other = make_cell(activation="tanh")
        entries = {c.key: Planned(c, ["one"]) for c in (cell, other)}
        with pytest.raises(tables.MissingCellsError, match=rf"1 of 2 cells .*\n  {other.key}"):
            tables.collect(entries, folder, TARGETS)

    def test_written_tables_come_back(self, collected: dict[str, pd.DataFrame], tmp_path: Path) -> None:
        tables.write(collected, tmp_path / "tables")
        for name, table in collected.items():
            pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / f"tables/{name}.parquet"), table)
        csv = pd.read_csv(tmp_path / "tables/runs.csv")
        np.testing.assert_allclose(csv["test_accuracy"], collected["runs"]["test_accuracy"])

    def test_failed_seeds_are_never_averaged_away(self) -> None:
        """A mean over the seeds that happened to succeed would be a lie: there is none, and no silent drop."""
        assert np.isnan(tables._mean(np.array([0.5, np.nan]), "key", "train_loss").value)


def test_plan_of_one_cell_is_included(cell: Cell) -> None:
    assert list(plan.included({cell.key: Planned(cell, ["one"])})) == [cell.key]
