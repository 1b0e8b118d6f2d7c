"""The training loop: equal to single trainings with torch.nn and torch.optim, and every run by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from test_network import reference
from torch import nn

from trainability import seeding, training
from trainability.activations import ACTIVATIONS
from trainability.cell import Cell
from trainability.network import Network
from trainability.outcome import CHANCE_DEVIATIONS, Outcome
from trainability.prepared import Arrays
from trainability.training import train

CLASSES = 4
VARIANTS = [{"name": "gelu", "approximate": "tanh"}, {"name": "glu", "gate": "silu"}, {"name": "snake", "a": 5.0}]


def train_alone(cell: Cell, arrays: Arrays, run: int) -> tuple[nn.Sequential, list[float]]:
    """One run of a cell with torch.nn and torch.optim, as a user would write it; validation accuracy per step."""
    seed, rate = cell.runs[run]
    module = reference(Network(cell, arrays.train_x.shape[1], CLASSES, dtype=torch.float64), cell, run)
    weights = [m.weight for m in module if isinstance(m, nn.Linear)]
    others = [p for p in module.parameters() if all(p is not w for w in weights)]
    decay = cell.optimizer.weight_decay
    groups = [{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    if cell.optimizer.name == "sgd":
        optimizer: torch.optim.Optimizer = torch.optim.SGD(groups, lr=rate, momentum=cell.optimizer.momentum)
    else:
        optimizer = torch.optim.Adam(groups, lr=rate)
    x, y = torch.from_numpy(arrays.train_x).double(), torch.from_numpy(arrays.train_y)
    accuracies = []
    for epoch in range(cell.epochs):
        order = torch.from_numpy(seeding.generator(seed, "batches", epoch).permutation(len(y)))
        module.train()
        for batch in order.split(cell.batch_size):
            if len(batch) == cell.batch_size:  # 43 examples are 5 batches of 8
                optimizer.zero_grad()
                nn.functional.cross_entropy(module(x[batch]), y[batch]).backward()
                optimizer.step()
                with torch.no_grad():
                    answers = module.eval()(torch.from_numpy(arrays.validation_x).double()).argmax(-1)
                module.train()
                accuracies.append((answers == torch.from_numpy(arrays.validation_y)).double().mean().item())
    return module, accuracies


@pytest.mark.parametrize("optimizer", ["sgd", {"name": "sgd", "momentum": 0.0}, "adam"], ids=str)
@pytest.mark.parametrize(
    ("activation", "normalization"),
    [("relu", "none"), ("prelu", "batchnorm"), ("maxout", "batchnorm_fixed"), ("tanh", "batchnorm_after")],
)
def test_stack_equals_single_trainings(
    make_cell: Any, arrays: Arrays, activation: str, normalization: str, optimizer: Any
) -> None:
    decayed = {"name": optimizer} if isinstance(optimizer, str) else optimizer
    cell = make_cell(
        activation=activation,
        normalization=normalization,
        optimizer={**decayed, "weight_decay": 0.01},
        epochs=3,
    )
    outcome = train(cell, arrays, CLASSES, dtype=torch.float64)
    for run in range(len(cell.runs)):
        module, accuracies = train_alone(cell, arrays, run)
        linear = [m for m in module if isinstance(m, nn.Linear)]
        stacked = [*(layer.linear for layer in outcome.networks[0].hidden), outcome.networks[0].output]
        for one, other in zip(stacked, linear, strict=True):
            outputs = slice(0, other.out_features)  # without the last layer's spare columns
            torch.testing.assert_close(one.weight[run][:, outputs], other.weight.detach().T, rtol=1e-6, atol=1e-9)
            assert (one.bias is None) == (other.bias is None)
            if other.bias is not None:
                torch.testing.assert_close(one.bias[run, 0, outputs], other.bias.detach(), rtol=1e-6, atol=1e-9)
        history = outcome.history
        assert history.steps == [0, 8, 11, 15]
        found = history.curves["validation_accuracy"][1:, run].tolist()
        assert found == pytest.approx([accuracies[step - 1] for step in history.steps[1:]])


def figures(outcome: Outcome, run: int) -> list[np.ndarray]:
    """Everything measured of one run, for comparison to the last bit."""
    history = outcome.history
    columns = [values[:, run].numpy() for values in history.curves.values()]
    columns += [values[..., run].numpy() for values in history.layers.values()]
    return [*columns, outcome.test_accuracy[run].numpy(), outcome.test_loss[run].numpy()]


def assert_same_bits(one: Outcome, run: int, other: Outcome, other_run: int) -> None:
    for a, b in zip(figures(one, run), figures(other, other_run), strict=True):
        np.testing.assert_array_equal(a, b)  # NaN equals NaN here


@pytest.mark.parametrize("activation", [*ACTIVATIONS, *VARIANTS])
@pytest.mark.parametrize("normalization", ["none", "batchnorm"])
def test_run_does_not_depend_on_its_stack(make_cell: Any, arrays: Arrays, activation: Any, normalization: str) -> None:
    """Alone, in a pair in another order, or among all: the same bits, also for odd widths and with dropout."""
    cell = make_cell(activation=activation, normalization=normalization, width=13, dropout=0.1, optimizer="adam")
    together = train(cell, arrays, CLASSES)
    for subset in ([5], [3, 1]):
        apart = train(cell, arrays, CLASSES, runs=[cell.runs[run] for run in subset])
        for position, run in enumerate(subset):
            assert_same_bits(apart, position, together, run)


@pytest.mark.parametrize("together", [1, 2, 5])
def test_size_of_the_stacks_changes_nothing(make_cell: Any, arrays: Arrays, together: int) -> None:
    """Seeds and rates may fall apart anywhere: each run draws its own batches, weights and dropped units."""
    cell = make_cell(normalization="batchnorm", dropout=0.2)
    whole, parts = train(cell, arrays, CLASSES, together=6), train(cell, arrays, CLASSES, together=together)
    assert (len(whole.networks), len(parts.networks)) == (1, {1: 6, 2: 3, 5: 2}[together])
    assert parts.runs == whole.runs
    assert parts.endings == whole.endings
    for run in range(6):
        assert_same_bits(parts, run, whole, run)


def test_diverging_run_leaves_its_neighbours_untouched(make_cell: Any, arrays: Arrays) -> None:
    wild = make_cell(learning_rates=[0.01, 1e30], epochs=4)
    calm = make_cell(learning_rates=[0.01], epochs=4)
    outcome, alone = train(wild, arrays, CLASSES), train(calm, arrays, CLASSES)
    assert outcome.status[1::2] == ["diverged"] * 3
    assert outcome.status[::2] == alone.status
    for run in range(3):
        assert_same_bits(outcome, 2 * run, alone, run)


def test_divergence_is_recorded_with_step_and_reason(make_cell: Any, arrays: Arrays) -> None:
    outcome = train(make_cell(learning_rates=[1e30], seeds=[0]), arrays, CLASSES)
    step = outcome.endings[0].step
    assert outcome.endings[0].reason == "non-finite loss"
    assert step is not None
    assert 1 < step <= 10
    assert outcome.test_accuracy.tolist() == [0.0], "an answer that is not finite is wrong"
    assert outcome.history.layers["dead_fraction"][-1].isnan().all(), "nothing is known of the units of a diverged run"


def test_loss_above_three_times_the_initial_one_is_a_divergence(make_cell: Any, arrays: Arrays) -> None:
    outcome = train(make_cell(learning_rates=[30.0], seeds=[1], activation="tanh"), arrays, CLASSES)
    assert outcome.status == ["diverged"]
    assert outcome.endings[0].reason.startswith("final loss above 3 x the initial one")
    assert outcome.endings[0].step == 10


def test_stall_is_chance_within_noise(make_cell: Any, arrays: Arrays) -> None:
    outcome = train(make_cell(init="zeros"), arrays, CLASSES)
    assert outcome.status == ["stalled"] * 6
    threshold = 0.25 + CHANCE_DEVIATIONS * (0.25 * 0.75 / 24) ** 0.5
    assert f"{threshold:.3f}" in outcome.endings[0].reason


def test_learning_is_ok(make_cell: Any, arrays: Arrays) -> None:
    outcome = train(make_cell(epochs=10, learning_rates=[0.03]), arrays, CLASSES)
    assert outcome.status == ["ok"] * 3
    assert outcome.test_accuracy.mean() > 0.6


def test_seed_acts_and_global_state_does_not(make_cell: Any, arrays: Arrays) -> None:
    cell = make_cell(learning_rates=[0.01], dropout=0.2)
    first = train(cell, arrays, CLASSES)
    np.random.seed(5)
    torch.manual_seed(5)
    second = train(cell, arrays, CLASSES)
    for run in range(3):
        assert_same_bits(first, run, second, run)
    assert not torch.equal(*first.history.curves["train_loss"][-1][:2])


PROGRAM = """
import sys, numpy as np, torch
from trainability.cell import Cell
from trainability.prepared import Arrays
from trainability.training import train
cell = Cell.from_canonical(sys.argv[1])
arrays = Arrays(**{key: value for key, value in np.load(sys.argv[2]).items()})
torch.set_num_threads(int(sys.argv[3]))
outcome = train(cell, arrays, 4)
print(outcome.history.curves["train_loss"].numpy().tobytes().hex())
assert torch.get_num_threads() == int(sys.argv[3])
"""


def test_other_process_and_other_number_of_threads_give_the_same_bits(
    make_cell: Any, arrays: Arrays, tmp_path: Any
) -> None:
    cell = make_cell(width=40, normalization="batchnorm")
    np.savez(tmp_path / "arrays.npz", **arrays.__dict__)
    here = train(cell, arrays, CLASSES).history.curves["train_loss"].numpy().tobytes().hex()
    for threads in ("1", "2"):
        command = [sys.executable, "-c", PROGRAM, cell.canonical, str(tmp_path / "arrays.npz"), threads]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("OMP")}
        printed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
        assert printed.strip() == here


def test_test_split_is_never_looked_at_before_the_end(make_cell: Any, arrays: Arrays) -> None:
    """Other test data change the test figures and nothing else."""
    cell = make_cell()
    other = replace(arrays, test_x=arrays.test_x + 1, test_y=arrays.test_y[::-1].copy())
    one, two = train(cell, arrays, CLASSES), train(cell, other, CLASSES)
    for run in range(6):
        for a, b in zip(figures(one, run)[:-2], figures(two, run)[:-2], strict=True):
            np.testing.assert_array_equal(a, b)
    assert not torch.equal(one.test_loss, two.test_loss)


def test_each_epoch_has_its_own_order(make_cell: Any, arrays: Arrays) -> None:
    cell = make_cell(learning_rates=[0.01, 0.1])
    data = training._Data(arrays, CLASSES, torch.float32, torch.device("cpu"))
    stack = training._Stack(cell, data, cell.runs)
    first, second = torch.stack(list(stack.batches(0))), torch.stack(list(stack.batches(1)))
    assert first.shape == (5, 3, 8), "steps, seeds, examples: runs of one seed share their batches"
    assert not torch.equal(first[:, 0], first[:, 1])
    assert not torch.equal(first, second)
    assert len(first[:, 0].unique()) == 40, "no example twice in an epoch"
