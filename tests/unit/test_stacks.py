"""How many runs share a stack."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainability import stacks

CPU = torch.device("cpu")


@given(seeds=st.integers(1, 40), rates=st.integers(1, 12), most=st.integers(1, 100))
def test_split_keeps_the_order_and_whole_seeds_where_they_fit(seeds: int, rates: int, most: int) -> None:
    runs = [(seed, float(rate)) for seed in range(seeds) for rate in range(rates)]
    parts = stacks.split(runs, most)
    assert [run for part in parts for run in part] == runs
    assert max(len(part) for part in parts) <= most
    of_part = [{seed for seed, _ in part} for part in parts]
    if rates <= most:
        assert sum(len(found) for found in of_part) == seeds, "no seed is in two stacks"
        assert max(map(len, of_part)) - min(map(len, of_part)) <= 1
    else:
        assert all(len(found) == 1 for found in of_part)


@pytest.mark.parametrize(
    ("factors", "features", "low", "high"),
    [
        ({"width": 16, "depth": 4, "batch_size": 32}, 64, 80, 200),
        ({"width": 64, "depth": 4, "batch_size": 32}, 64, 20, 40),
        ({"width": 64, "depth": 5, "batch_size": 32}, 64, 20, 40),
        ({"width": 128, "depth": 4, "batch_size": 32}, 64, 5, 10),
        ({"width": 256, "depth": 4, "batch_size": 128}, 784, 5, 5),
        ({"width": 4096, "depth": 4, "batch_size": 128}, 784, 1, 1),
    ],
)
def test_the_rule_finds_the_measured_sizes(
    make_cell: Any, factors: dict[str, int], features: int, low: int, high: int
) -> None:
    """The ranges in which time per run and step was lowest, benchmarks/results/scaling.csv."""
    cell = make_cell(**factors, learning_rates=[0.01, 0.02, 0.03, 0.1, 0.3])
    assert low <= stacks.most_runs(cell, features, 10, CPU) <= high


def test_optimiser_state_counts(make_cell: Any) -> None:
    sgd, adam = (stacks.bytes_per_run(make_cell(optimizer=name), 64, 10) for name in ("sgd", "adam"))
    parameters = 64 * 6 + 6 + 2 * (6 * 6 + 6) + 6 * 10 + 10
    assert adam - sgd == 2 * 4 * parameters
    assert sgd == 4 * (2 * parameters + 8 * (64 + 3 * 6 * 3))
