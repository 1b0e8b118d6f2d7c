"""How many runs share a stack."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainability import stacks

CPU = torch.device("cpu")


@given(count=st.integers(1, 300), most=st.integers(1, 300))
def test_split_keeps_the_order_and_is_even(count: int, most: int) -> None:
    runs = [(number, 0.1) for number in range(count)]
    parts = stacks.split(runs, most)
    assert [run for part in parts for run in part] == runs
    sizes = [len(part) for part in parts]
    assert max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) == -(-count // most)


@pytest.mark.parametrize(
    ("factors", "features", "low", "high"),
    [
        ({"width": 16, "depth": 4, "batch_size": 32}, 64, 80, 200),
        ({"width": 64, "depth": 4, "batch_size": 32}, 64, 20, 40),
        ({"width": 64, "depth": 5, "batch_size": 32}, 64, 20, 40),
        ({"width": 128, "depth": 4, "batch_size": 32}, 64, 5, 10),
        ({"width": 256, "depth": 4, "batch_size": 128}, 784, 2, 2),
    ],
)
def test_the_rule_finds_the_measured_sizes(
    make_cell: Any, factors: dict[str, int], features: int, low: int, high: int
) -> None:
    """The ranges in which time per run and step was lowest, benchmarks/results/scaling.csv."""
    assert low <= stacks.most_runs(make_cell(**factors), features, 10, CPU) <= high


def test_optimiser_state_counts(make_cell: Any) -> None:
    sgd, adam = (stacks.bytes_per_run(make_cell(optimizer=name), 64, 10) for name in ("sgd", "adam"))
    parameters = 64 * 6 + 6 + 2 * (6 * 6 + 6) + 6 * 10 + 10
    assert adam - sgd == 2 * 4 * parameters
    assert sgd == 4 * (2 * parameters + 8 * (64 + 3 * 6 * 3))
