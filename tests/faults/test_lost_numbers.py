"""A number that is lost in one run of a stack: that run has diverged, and no other has other bits than without it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from trainability import record, tables, training
from trainability.cell import Cell
from trainability.network import Network
from trainability.outcome import Outcome
from trainability.plan import Planned
from trainability.prepared import Arrays

LOST = 3  # the run, counted from 0
STEP = 8  # after which it loses a weight; an evaluation, which is when a test can reach it


def assert_same(found: Outcome, expected: Outcome, pairs: list[tuple[int, int]]) -> None:
    """These runs of both trainings have the same bits in all that was measured, and the same end."""
    for one, other in pairs:
        assert found.endings[one] == expected.endings[other]
        for name in ("curves", "layers"):
            columns = getattr(expected.history, name)
            for column, values in getattr(found.history, name).items():
                np.testing.assert_array_equal(values[..., one], columns[column][..., other], err_msg=column)
        assert found.test_loss[one] == expected.test_loss[other]


def tabulated(folder: Path, cell: Cell, outcome: Outcome) -> dict[str, pd.DataFrame]:
    """The tables of an experiment that has this one cell."""
    data = {"arrays": {"sha256": "0" * 64}, "classes": 4}
    record.write(folder / cell.key, cell, outcome, data, {"started": "", "ended": ""}, 1.0)
    return tables.collect({cell.key: Planned(cell, ["one"])}, folder, [0.5])


@pytest.mark.parametrize("normalization", ["none", "batchnorm", "layernorm"])
@pytest.mark.parametrize("together", [6, 2, 1])
def test_a_weight_is_lost(
    make_cell: Callable[..., Cell],
    arrays: Arrays,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    normalization: str,
    together: int,
) -> None:
    cell = make_cell(normalization=normalization, epochs=4)
    expected = training.train(cell, arrays, classes=4, together=together)
    networks: list[tuple[Network, list[tuple[int, float]]]] = []

    class Reached(Network):
        def __init__(self, *words: Any, **more: Any) -> None:
            super().__init__(*words, **more)
            networks.append((self, words[3]))

    def spoil(line: str) -> None:
        if line.startswith(f"step {STEP}/") and cell.runs[LOST] in networks[-1][1]:
            network, runs = networks[-1]
            network.hidden[0].linear.weight.data[runs.index(cell.runs[LOST]), 0, 0] = torch.nan

    monkeypatch.setattr(training, "Network", Reached)
    found = training.train(cell, arrays, classes=4, together=together, report=spoil)
    assert found.endings[LOST] == ("diverged", "non-finite loss", STEP + 1)
    assert_same(found, expected, [(run, run) for run in range(len(cell.runs)) if run != LOST])

    made = tabulated(tmp_path, cell, found)["runs"]
    assert list(made["status"] == "diverged") == [run == LOST for run in range(len(cell.runs))]
    lost = made.iloc[LOST]
    assert (lost["seed"], lost["learning_rate"]) == cell.runs[LOST]
    assert lost["reason"] == "non-finite loss"
    assert np.isnan(lost["train_loss"])


def test_a_rate_is_absurd(make_cell: Callable[..., Cell], arrays: Arrays, tmp_path: Path) -> None:
    cell, wild = make_cell(), make_cell(learning_rates=[0.01, 1e30, 0.1])
    expected, found = (training.train(one, arrays, classes=4) for one in (cell, wild))
    absurd = [rate == 1e30 for _, rate in wild.runs]
    assert [status == "diverged" for status in found.status] == absurd
    assert_same(found, expected, [(wild.runs.index(run), cell.runs.index(run)) for run in cell.runs])
    made = tabulated(tmp_path, wild, found)
    assert list(made["runs"]["status"] == "diverged") == [rate == 1e30 for rate in made["runs"]["learning_rate"]]
    assert made["cells"]["learning_rate"].item() in cell.learning_rates
