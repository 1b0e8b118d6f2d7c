"""Checkpoints: a training that is killed and resumed equals one that was not."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lives import CLASSES, ORIGIN, Life, bits, numbers
from torch import Tensor

from trainability import checkpoints, files, record, training
from trainability.activations import ACTIVATIONS
from trainability.architectures import ARCHITECTURES
from trainability.augmentations import AUGMENTATIONS
from trainability.checkpoints import NAME, Checkpoints
from trainability.initializers import INITIALIZERS
from trainability.network import Network
from trainability.normalizations import NORMALIZATIONS
from trainability.optimizers import OPTIMIZERS
from trainability.prepared import Arrays
from trainability.rate_schedules import SCHEDULES


@pytest.fixture
def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Life]:
    return lambda cell, arrays, **options: Life(tmp_path / "cell", cell, arrays, monkeypatch, **options)


def test_killed_in_any_step_and_resumed_it_is_as_if_nothing_had_been(
    make_cell: Any, arrays: Arrays, life: Callable[..., Life]
) -> None:
    """In the first steps, before and after probes, in the last step of a stack and in the first of the next one."""
    cell = make_cell(normalization="batchnorm", optimizer="adam", dropout=0.2, seeds=[0, 1], learning_rates=[0.01, 0.1])
    one = life(cell, arrays, together=2)
    expected, total = bits(one.undisturbed()), 10
    for number in range(1, 2 * total + 1):
        one.killed_in_step(number)
        outcome = one.train()
        stack, step = divmod(number - 1, total)
        if step > 1:
            at = step - (step + 1 in outcome.history.probed)  # no checkpoint right before a probe
            assert f"resumed at step {at}/{total}" in one.lines
            assert f"stack {stack + 1} of 2: 2 runs" in one.lines
            assert len(outcome.networks) == 2 - stack
        assert (bits(outcome), outcome.stacks) == (expected, 2), f"killed in step {number}"
        files.remove(one.folder / NAME)


def test_killed_again_and_again(
    make_cell: Any, arrays: Arrays, life: Callable[..., Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process takes three steps only; times of measuring add up, a second each by this clock."""
    monkeypatch.setattr(time, "perf_counter", itertools.count().__next__)
    one = life(make_cell(optimizer="adam", epochs=4), arrays, together=3)
    expected = one.undisturbed()
    for _ in range(15):
        one.killed_in_step(4)
    outcome = one.train()
    assert bits(outcome) == bits(expected)
    assert outcome.looking == expected.looking > 10


WITH_STATE: list[dict[str, Any]] = [
    *({"optimizer": name} for name in OPTIMIZERS),
    *({"optimizer": name, "gradient_clipping": 0.3, "schedule": "cosine"} for name in OPTIMIZERS),
    {"optimizer": {"name": "sgd", "momentum": 0.0}},
    {"optimizer": {"name": "sgd", "nesterov": True, "weight_decay": 0.01}},
    {"optimizer": {"name": "rmsprop", "momentum": 0.5, "centered": True}},
    *({"schedule": {"name": name, "warmup": 0.4}, "normalization": "batchnorm"} for name in SCHEDULES),
    *({"normalization": name} for name in NORMALIZATIONS),
    *({"normalization": name, "architecture": "cnn", "depth": 2} for name in ("batchnorm", "weight_standardization")),
    *({"architecture": name, "depth": 4, "dropout": 0.1} for name in ARCHITECTURES),
    *({"init": name} for name in INITIALIZERS),
    *({"activation": name, "normalization": "batchnorm_after"} for name in ACTIVATIONS),
    *({"augmentation": name, "input_dropout": 0.2} for name in AUGMENTATIONS),
    {"learning_rates": [0.1, 1e30]},
    {"label_smoothing": 0.1, "dropout": 0.5, "input_dropout": 0.1, "activation": "rrelu"},
]


@pytest.mark.parametrize("factors", WITH_STATE, ids=str)
def test_nothing_of_its_state_is_forgotten(
    make_cell: Any, images: Arrays, life: Callable[..., Life], factors: dict[str, Any]
) -> None:
    """Not just what is measured: every number in the stack, called state or not, is that of the other training."""
    small = {"seeds": [0, 1], "learning_rates": [0.1], "depth": 1, "epochs": 3, "width": 16}
    one = life(make_cell(**small | factors), images)
    expected, (stack,) = bits(one.undisturbed()), one.stacks
    all_numbers = dict(numbers(stack, "stack", set()))
    assert len(all_numbers) > 50
    one.killed_in_step(6)
    outcome, (resumed,) = one.train(), one.stacks
    assert "resumed at step 5/15" in one.lines
    found = dict(numbers(resumed, "stack", set()))
    assert {name for name in all_numbers | found if all_numbers.get(name) != found.get(name)} == set()
    assert bits(outcome) == expected
    assert not outcome.history.lost_at.any() or 1e30 in one.cell.learning_rates


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_resumed_on_cuda_with_the_steps_recorded_anew(
    make_cell: Any, arrays: Arrays, life: Callable[..., Life]
) -> None:
    cell = make_cell(normalization="batchnorm", optimizer="adam", dropout=0.2, epochs=4)
    one = life(cell, arrays, device="cuda")
    expected = bits(one.undisturbed())
    one.killed_in_step(10)
    assert bits(one.train()) == expected


def test_restoring_leaves_tensors_where_a_recorded_step_knows_them(
    make_cell: Any, arrays: Arrays, tmp_path: Path
) -> None:
    cell = make_cell(normalization="batchnorm", dropout=0.1, optimizer="adam")
    network = Network(cell, arrays.train_x.shape[1], CLASSES)
    places = [tensor.data_ptr() for tensor in network.state if isinstance(tensor, Tensor)]
    saved = Checkpoints(tmp_path, ORIGIN)
    saved.save(checkpoints.Position(0, 3), network=network.state)
    with torch.no_grad():
        for tensor in network.parameters:
            tensor.add_(1.0)
    network.renew()
    restored = Checkpoints(tmp_path, ORIGIN)
    assert restored.find() == checkpoints.Position(0, 3)
    restored.restore("network", network.state)
    assert [tensor.data_ptr() for tensor in network.state if isinstance(tensor, Tensor)] == places
    fresh = Network(cell, arrays.train_x.shape[1], CLASSES)
    for one, other in zip(network.state, fresh.state, strict=True):
        if isinstance(one, torch.Generator):
            one, other = one.get_state(), other.get_state()
        assert torch.equal(one, other)


PROGRAM = """
import math, os, random, signal, sys, time
from pathlib import Path
from trainability import checkpoints, cli, record, training

checkpoints.EVERY, checkpoints.SHARE = 0.0, math.inf
folder, words = Path(sys.argv[1]), sys.argv[2:]

def written():
    try:
        return (folder / checkpoints.NAME).stat().st_mtime_ns
    except FileNotFoundError:
        return 0

random.seed(0)
for attempt in range(12):
    before = written()
    child = os.fork()  # torch need not be imported by each
    if not child:
        os._exit(cli.main([*words, f"--out={folder}"]))
    if attempt % 4:  # it gets somewhere; the others are killed wherever they are
        while written() == before and not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            time.sleep(0.001)
    if attempt < 11:
        time.sleep(random.uniform(0.0, 0.02))
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        break
print("killed", attempt, "times, status", status)
"""


def test_a_process_killed_at_random_leaves_the_record_of_one_that_was_not(
    make_cell: Any, images: Arrays, prepared_in: Any, tmp_path: Path
) -> None:
    """The command of the workflow's rule, a process each time, until one comes to its end."""
    cell = make_cell(
        normalization="batchnorm", dropout=0.1, optimizer="adam", width=24, epochs=16, seeds=6, augmentation="crop_flip"
    )
    data = tmp_path / "data"
    manifest = prepared_in(data, images)
    words = ["train", f"--cell={cell.canonical}", f"--data={data}", "--device=cpu", "--spare="]
    program = [sys.executable, "-c", PROGRAM, tmp_path / "killed", *words]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300)
    assert done.stdout.endswith("times, status 0\n"), done.stdout + done.stderr
    assert done.stdout.count("resumed at step") > 2, done.stdout
    outcome = training.train(cell, images, CLASSES)
    expected = record.write(tmp_path / "whole", cell, outcome, manifest, {"started": "", "ended": ""}, 1.0)
    found = record.read(tmp_path / "killed").content
    assert found["digest"] == expected["digest"]
    assert found["times"]["resumed"] > 1
    assert found["times"]["measure_seconds"] < found["times"]["train_seconds"]
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == [
        "curves.parquet",
        "layers.parquet",
        "record.json",
    ]
