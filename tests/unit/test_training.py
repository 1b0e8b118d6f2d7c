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
from recording import Recording
from reference_network import Reference
from torch import nn

from trainability import devices, seeding, training
from trainability.activations import ACTIVATIONS
from trainability.cell import Cell
from trainability.network import Network
from trainability.outcome import CHANCE_DEVIATIONS, Outcome
from trainability.prepared import Arrays
from trainability.training import train

CLASSES = 4
VARIANTS = [{"name": "gelu", "approximate": "tanh"}, {"name": "glu", "gate": "silu"}, {"name": "snake", "a": 5.0}]


def optimizer_of(cell: Cell, module: Reference, rate: float) -> torch.optim.Optimizer:
    """torch's own, with weight decay on the weights of linear maps only."""
    spec: Any = cell.optimizer
    weights = module.linear_weights()
    others = [p for p in module.parameters() if all(p is not w for w in weights)]
    groups = [{"params": weights, "weight_decay": spec.weight_decay}, {"params": others, "weight_decay": 0.0}]
    if spec.name == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=spec.momentum, nesterov=spec.nesterov)
    kinds: dict[str, Any] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "rmsprop": torch.optim.RMSprop}
    return kinds[spec.name](groups, lr=rate)


def train_alone(cell: Cell, arrays: Arrays, run: int) -> tuple[Reference, list[float]]:
    """One run of a cell with torch.nn and torch.optim, as a user would write it; validation accuracy per step."""
    seed, rate = cell.runs[run]
    module = Reference(Network(cell, arrays.train_x.shape[1], CLASSES, dtype=torch.float64), cell, run)
    optimizer = optimizer_of(cell, module, rate)
    x, y = torch.from_numpy(arrays.train_x).double(), torch.from_numpy(arrays.train_y)
    total = cell.epochs * (len(y) // cell.batch_size)
    factors = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda done: cell.schedule.factor(min(done + 1, total), total)
    )
    accuracies = []
    for epoch in range(cell.epochs):
        order = torch.from_numpy(seeding.generator(seed, "batches", epoch).permutation(len(y)))
        module.train()
        for batch in order.split(cell.batch_size):
            if len(batch) == cell.batch_size:  # 43 examples are 5 batches of 8
                optimizer.zero_grad()
                smoothing = cell.label_smoothing
                nn.functional.cross_entropy(module(x[batch]), y[batch], label_smoothing=smoothing).backward()
                if cell.gradient_clipping:
                    nn.utils.clip_grad_norm_(module.parameters(), cell.gradient_clipping)
                optimizer.step()
                factors.step()
                with torch.no_grad():
                    answers = module.eval()(torch.from_numpy(arrays.validation_x).double()).argmax(-1)
                module.train()
                accuracies.append((answers == torch.from_numpy(arrays.validation_y)).double().mean().item())
    return module, accuracies


def assert_equals_single_trainings(cell: Cell, arrays: Arrays) -> None:
    outcome = train(cell, arrays, CLASSES, dtype=torch.float64)
    for run in range(len(cell.runs)):
        module, accuracies = train_alone(cell, arrays, run)
        theirs = module.ordered(lambda parameter: parameter.detach())
        for ours, other in zip(outcome.networks[0].parameters, theirs, strict=True):
            mine = ours[run, ..., : other.shape[-1]].reshape(other.shape)  # without spare columns
            torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-9)
        history = outcome.history
        assert history.steps == [0, 8, 11, 15]
        found = history.curves["validation_accuracy"][1:, run].tolist()
        assert found == pytest.approx([accuracies[step - 1] for step in history.steps[1:]])


OPTIMIZERS: list[Any] = [
    "sgd",
    {"name": "sgd", "momentum": 0.0},
    {"name": "sgd", "nesterov": True},
    "adam",
    "adamw",
    "rmsprop",
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize(
    ("activation", "normalization"),
    [("relu", "none"), ("prelu", "batchnorm"), ("maxout", "batchnorm_fixed"), ("tanh", "batchnorm_after")],
)
def test_stack_equals_single_trainings(
    make_cell: Any, arrays: Arrays, activation: str, normalization: str, optimizer: Any
) -> None:
    decayed = {"name": optimizer} if isinstance(optimizer, str) else optimizer
    optimizer = {**decayed, "weight_decay": 0.01}
    rates = [0.001, 0.01] if optimizer["name"] == "rmsprop" else [0.01, 0.1]  # its first step is ten times the rate
    factors = {"activation": activation, "normalization": normalization, "learning_rates": rates}
    cell = make_cell(**factors, optimizer=optimizer, epochs=3)
    assert_equals_single_trainings(cell, arrays)


@pytest.mark.parametrize(
    "recipe",
    [
        {"gradient_clipping": 0.5},
        {"label_smoothing": 0.2},
        {"schedule": {"name": "cosine", "warmup": 0.3}},
        {"schedule": "step", "gradient_clipping": 0.5, "label_smoothing": 0.1, "optimizer": "adamw"},
        {"activation": "crelu", "normalization": "layernorm"},
        {"normalization": "rmsnorm", "optimizer": {"name": "sgd", "nesterov": True}, "gradient_clipping": 1.0},
        {"normalization": "weight_standardization"},
        {"architecture": "residual_mlp", "depth": 3, "normalization": "batchnorm"},
    ],
    ids=str,
)
def test_recipe_equals_single_trainings(make_cell: Any, arrays: Arrays, recipe: Any) -> None:
    assert_equals_single_trainings(make_cell(**{"epochs": 3, "width": 8, **recipe}), arrays)


@pytest.mark.parametrize(
    ("architecture", "depth", "normalization"),
    [("cnn", 4, "batchnorm"), ({"name": "cnn", "head": "flatten"}, 3, "none"), ("residual_cnn", 7, "batchnorm")],
)
def test_convolutions_equal_single_trainings(
    make_cell: Any, images: Arrays, architecture: Any, depth: int, normalization: str
) -> None:
    cell = make_cell(
        architecture=architecture, depth=depth, normalization=normalization, epochs=3, seeds=[0], activation="tanh"
    )
    assert_equals_single_trainings(cell, images)


RECORDED: list[Any] = [
    {"normalization": "batchnorm", "dropout": 0.3, "input_dropout": 0.2, "schedule": "cosine"},
    {"activation": "rrelu", "optimizer": "adam", "gradient_clipping": 0.5},
    {"architecture": "residual_cnn", "depth": 7, "optimizer": {"name": "sgd", "nesterov": True}},
    {"augmentation": {"name": "crop_flip", "padding": 2}},
    {"learning_rates": [0.01, 1e30]},
]


@pytest.mark.parametrize("factors", RECORDED, ids=str)
def test_a_recorded_step_is_every_step(make_cell: Any, images: Arrays, factors: Any) -> None:
    """Bit for bit, as a CUDA graph replays it: all that differs between steps is in tensors that `prepare` writes."""
    cell = make_cell(**factors)
    traces = []
    for recorded in (False, True):
        with devices.reproducible(torch.device("cpu")):
            data = training._Data(images, CLASSES, cell.label_smoothing, torch.float32, torch.device("cpu"))
            stack, recording, trace = training._Stack(cell, data, cell.runs), Recording(), []
            for number, batch in enumerate([*stack.batches(0), *stack.batches(1)], start=1):
                stack.step.prepare(batch, number)
                if recorded and number > 1:
                    recording.replay()
                else:
                    with recording:
                        stack.step.run()
                trace.append([*(p.clone() for p in stack.network.parameters), stack.step.lost_at.clone()])
        traces.append(trace)
    for step, (one, other) in enumerate(zip(*traces, strict=True), start=1):
        assert all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(one, other, strict=True)), f"step {step}"
    assert not torch.equal(traces[0][0][0], traces[0][1][0])


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


@pytest.mark.parametrize(
    "factors",
    [
        {"architecture": "cnn", "depth": 4, "normalization": "groupnorm", "width": 8},
        {"architecture": "cnn", "depth": 4, "normalization": "batchnorm", "activation": "maxout", "width": 5},
        {"architecture": "residual_cnn", "depth": 7, "normalization": "weight_standardization", "dropout": 0.1},
        {"architecture": "residual_mlp", "normalization": "layernorm", "gradient_clipping": 0.1, "width": 13},
        {"normalization": "rmsnorm", "optimizer": "rmsprop", "schedule": "cosine", "input_dropout": 0.1, "width": 13},
        {"augmentation": {"name": "crop_flip", "padding": 1}, "activation": "rrelu"},
    ],
    ids=str,
)
def test_run_of_any_shape_does_not_depend_on_its_stack(make_cell: Any, images: Arrays, factors: Any) -> None:
    cell = make_cell(**factors)
    together = train(cell, images, CLASSES)
    for subset in ([5], [3, 1]):
        apart = train(cell, images, CLASSES, runs=[cell.runs[run] for run in subset])
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
    data = training._Data(arrays, CLASSES, 0.0, torch.float32, torch.device("cpu"))
    stack = training._Stack(cell, data, cell.runs)
    first, second = torch.stack(list(stack.batches(0))), torch.stack(list(stack.batches(1)))
    assert first.shape == (5, 3, 8), "steps, seeds, examples: runs of one seed share their batches"
    assert not torch.equal(first[:, 0], first[:, 1])
    assert not torch.equal(first, second)
    assert len(first[:, 0].unique()) == 40, "no example twice in an epoch"


def test_augmented_examples_are_those_of_their_seed_in_any_cell(make_cell: Any, images: Arrays) -> None:
    """Other batches, another network: each example is moved alike in an epoch, and anew in the next."""
    seen = []
    for factors in ({"batch_size": 8}, {"batch_size": 4, "width": 3, "activation": "tanh", "seeds": [1, 2]}):
        cell = make_cell(**factors, augmentation={"name": "crop_flip", "padding": 2}, epochs=2)
        data = training._Data(images, CLASSES, 0.0, torch.float32, torch.device("cpu"))
        stack, found = training._Stack(cell, data, cell.runs), {}
        number = 0
        for epoch in range(2):
            for batch in stack.batches(epoch):
                number += 1
                stack.step.prepare(batch, number)
                x, _ = stack.step.examples()
                for run, (seed, _) in enumerate(cell.runs):
                    rows = batch[stack.network.of_seed[run]].tolist()
                    found |= {(seed, epoch, row): x[run, place].tolist() for place, row in enumerate(rows)}
        seen.append(found)
    shared = seen[0].keys() & seen[1].keys()
    assert len(shared) > 100
    assert all(seen[0][key] == seen[1][key] for key in shared)
    assert any(
        seen[0][1, 0, row] != seen[0][1, 1, row]
        for row in range(43)
        if (1, 0, row) in seen[0] and (1, 1, row) in seen[0]
    )
    assert any(seen[0][key] != images.train_x[key[2]].tolist() for key in shared)


def test_augmentation_leaves_validation_and_probe_alone(make_cell: Any, images: Arrays) -> None:
    moved, plain = (train(make_cell(augmentation=name, epochs=1), images, CLASSES) for name in ("crop_flip", "none"))
    for name in ("validation_loss", "train_loss"):
        assert torch.equal(moved.history.curves[name][0], plain.history.curves[name][0])
        assert not torch.equal(moved.history.curves[name][-1], plain.history.curves[name][-1])
