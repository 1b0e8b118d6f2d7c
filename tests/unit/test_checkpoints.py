"""Checkpoints: a training that is killed and resumed equals one that was not; what cannot be trusted is left aside."""

from __future__ import annotations

import itertools
import json
import math
import os
import resource
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from trainability import checkpoints, files, record, steps, training
from trainability.activations import ACTIVATIONS
from trainability.architectures import ARCHITECTURES
from trainability.augmentations import AUGMENTATIONS
from trainability.cell import Cell
from trainability.checkpoints import NAME, Checkpoints
from trainability.initializers import INITIALIZERS
from trainability.network import Network
from trainability.normalizations import NORMALIZATIONS
from trainability.optimizers import OPTIMIZERS
from trainability.outcome import Outcome
from trainability.prepared import Arrays
from trainability.rate_schedules import SCHEDULES

CLASSES = 4
ORIGIN = {"hashes": {"code": "c0de", "data": "da7a"}, "versions": {"torch": "2.0"}, "threads": 1}


class Killed(BaseException):
    """The end of a process, which nobody can catch."""


class Life:
    """Trainings of one cell in one folder, some of them killed; with a checkpoint at every step that allows one."""

    def __init__(self, folder: Path, cell: Cell, arrays: Arrays, patch: pytest.MonkeyPatch, **options: Any) -> None:
        self.cell, self.arrays, self.patch, self.options = cell, arrays, patch, options
        self.folder, self.lines = folder, list[str]()
        self.stacks: list[training._Stack] = []
        patch.setattr(checkpoints, "EVERY", 0.0)
        patch.setattr(checkpoints, "SHARE", math.inf)

    def undisturbed(self) -> Outcome:
        """The training without any checkpoint."""
        return self._observed(None)

    def train(self, origin: Any = ORIGIN) -> Outcome:
        """The training in the folder, to its end."""
        self.lines.clear()
        return self._observed(Checkpoints(self.folder, origin, report=self.lines.append))

    def killed_in_step(self, number: int) -> None:
        """The training in the folder, until its process is killed in its step with this number."""
        take, taken = steps.Step.__call__, 0

        def step(self: steps.Step, batch: Tensor, at: int) -> None:
            nonlocal taken
            taken += 1
            if taken == number:
                self.prepare(batch, at)
                raise Killed
            take(self, batch, at)

        with self.patch.context() as patch:
            patch.setattr(steps.Step, "__call__", step)
            with pytest.raises(Killed):
                self.train()

    def _observed(self, kept: Checkpoints | None) -> Outcome:
        self.stacks.clear()
        with self.patch.context() as patch:
            patch.setattr(training, "_Stack", self._stack)
            return training.train(self.cell, self.arrays, CLASSES, report=self.lines.append, kept=kept, **self.options)

    def _stack(self, *given: Any) -> training._Stack:
        self.stacks.append(_STACK(*given))
        return self.stacks[-1]


_STACK = training._Stack


@pytest.fixture
def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Life]:
    return lambda cell, arrays, **options: Life(tmp_path / "cell", cell, arrays, monkeypatch, **options)


@pytest.fixture(scope="module")
def images() -> Arrays:
    """8 x 8 images whose class is the quarter that is bright; 43 for training, so that a batch is left over."""
    rng = np.random.default_rng(1)

    def split(examples: int) -> tuple[Any, Any]:
        labels = np.arange(examples) % CLASSES
        x = rng.normal(size=(examples, 2, 4, 2, 4))
        x[np.arange(examples), labels // 2, :, labels % 2] += 1.0
        return x.reshape(examples, 64).astype(np.float32), labels

    train, validation, test = split(43), split(24), split(20)
    return Arrays(*train, *validation, *test)


def bits(outcome: Outcome) -> dict[str, bytes]:
    """Everything that is measured, by name, and how the runs ended."""
    history = outcome.history
    tensors = {**history.curves, **history.layers, "loss": outcome.test_loss, "accuracy": outcome.test_accuracy}
    found = {name: values.numpy().tobytes() for name, values in tensors.items()}
    return found | {"endings": repr(outcome.endings).encode(), "runs": repr(outcome.runs).encode()}


def numbers(thing: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Every tensor, generator, array and number that can be reached from an object of the package, by its path."""
    if isinstance(thing, Tensor):
        yield path, (tuple(thing.shape), thing.contiguous().numpy().tobytes())
    elif isinstance(thing, torch.Generator):
        yield path, thing.get_state().numpy().tobytes()
    elif isinstance(thing, np.ndarray):
        yield path, thing.tobytes()
    elif isinstance(thing, bool | int | float | str):
        yield path, thing
    elif id(thing) not in seen:
        seen.add(id(thing))
        if isinstance(thing, list | tuple | deque):
            inside = {f"[{index}]": item for index, item in enumerate(thing)}
        elif isinstance(thing, dict):
            inside = {f"[{name}]": item for name, item in thing.items()}
        elif type(thing).__module__.startswith("trainability") and hasattr(thing, "__dict__"):
            inside = {f".{name}": item for name, item in vars(thing).items() if name != "looking"}
        else:
            return
        for name, item in inside.items():
            yield from numbers(item, path + name, seen)


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


def rewritten(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """The file with other arrays, under a checksum that is theirs."""
    arrays = files.unpack(path.read_bytes(), path, "")
    arrays.pop("sha256")
    change(arrays)
    np.savez(path, allow_pickle=False, **arrays, sha256=checkpoints._checksum(arrays))


def about(**changes: Any) -> Callable[[dict[str, Any]], None]:
    def change(arrays: dict[str, Any]) -> None:
        content = json.loads(arrays["about"].tobytes())
        content |= changes
        arrays["about"] = np.frombuffer(json.dumps(content).encode(), np.uint8)

    return change


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def swapped(path: Path) -> None:
    """Two arrays in each other's place, each whole."""
    arrays = files.unpack(path.read_bytes(), path, "")
    names = [name for name in arrays if name.startswith("stack") and arrays[name].shape == arrays["stack.0"].shape]
    arrays[names[0]], arrays[names[1]] = arrays[names[1]], arrays[names[0]]
    np.savez(path, allow_pickle=False, **arrays)


def pickled(path: Path) -> None:
    np.savez(path, about=np.array([{"a": 1}], dtype=object))


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "holds no arrays"),
    "text": (lambda path: path.write_text("no archive"), "holds no arrays"),
    "cut short": (lambda path: path.write_bytes(path.read_bytes()[:-7]), "holds no arrays"),
    "bit flipped": (flipped, "holds no arrays"),
    "arrays swapped": (swapped, "does not have the SHA-256 that it names"),
    "no checksum": (lambda path: np.savez(path, x=np.zeros(3)), "does not have the SHA-256 that it names"),
    "pickle": (pickled, "holds no arrays"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "cannot be read"),
    "nothing about it": (lambda path: rewritten(path, lambda a: a.pop("about")), "does not say what it is"),
    "no JSON": (lambda path: rewritten(path, lambda a: a.update(about=a["about"][:9])), "does not say what it is"),
    "no position": (lambda path: rewritten(path, about(step="7")), "does not say what it is"),
    "no identity": (lambda path: rewritten(path, about(identity=None)), "does not say what it is"),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGES.values(), ids=DAMAGES)
def test_damaged_checkpoint_is_named_and_left_aside(
    make_cell: Any, arrays: Arrays, life: Callable[..., Life], damage: Callable[[Path], Any], words: str
) -> None:
    one = life(make_cell(learning_rates=[0.1]), arrays)
    expected = bits(one.undisturbed())
    one.killed_in_step(7)
    path = one.folder / NAME
    damage(path)
    checkpoints.EVERY = 60.0  # so that the damaged file stays
    outcome = one.train()
    assert one.lines[0].startswith(f"{path} {words}"), one.lines[0]
    assert one.lines[0].endswith("The training starts from the beginning.")
    assert one.lines[1].startswith("step 0/10")
    assert bits(outcome) == expected


def test_with_any_bit_flipped_it_is_whole_or_left_aside(tmp_path: Path) -> None:
    """Some bits of an archive, of a date for instance, mean nothing here."""
    saved = torch.arange(5.0)
    Checkpoints(tmp_path, ORIGIN).save(checkpoints.Position(1, 2), part=[saved])
    path = tmp_path / NAME
    content = path.read_bytes()
    unnoticed = 0
    for place in range(0, len(content), 3):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        lines: list[str] = []
        kept, live = Checkpoints(tmp_path, ORIGIN, report=lines.append), torch.zeros(5)
        found = kept.find()
        if found:
            unnoticed += 1
            assert found == checkpoints.Position(1, 2)
            kept.restore("part", [live])
            assert torch.equal(live, saved)
        else:
            assert lines[0].endswith(checkpoints.RESTART)
    assert unnoticed < len(content) / 10


FOREIGN: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "code": ({}, {"hashes": {"code": "other", "data": "da7a"}}, "hashes.code"),
    "data": ({}, {"hashes": {"code": "c0de", "data": "other"}}, "hashes.data"),
    "torch": ({}, {"versions": {"torch": "3.0"}}, "versions.torch"),
    "threads": ({}, {"threads": 2}, "threads"),
    "more": ({}, {"hardware": {"capability": "AVX512"}}, "hardware"),
    "dtype": ({"dtype": torch.float64}, {}, "dtype"),
    "stacks": ({"together": 1}, {}, "stacks"),
    "runs": ({"runs": [(0, 0.1)]}, {}, "stacks"),
}


@pytest.mark.parametrize(("options", "origin", "words"), FOREIGN.values(), ids=FOREIGN)
def test_checkpoint_of_another_training_is_named_and_left_aside(
    make_cell: Any, arrays: Arrays, life: Callable[..., Life], options: Any, origin: Any, words: str
) -> None:
    one = life(make_cell(learning_rates=[0.1]), arrays)
    one.killed_in_step(7)
    one.options = options
    outcome = one.train(ORIGIN | origin)
    assert f"is of another training ({words}). The training starts from the beginning." in one.lines[0]
    assert bits(outcome) == bits(one.undisturbed())


def test_killed_while_a_checkpoint_is_written(
    make_cell: Any, arrays: Arrays, life: Callable[..., Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one before is still there and whole, and what the killed process left is removed with it."""
    one = life(make_cell(learning_rates=[0.1]), arrays)
    expected = bits(one.undisturbed())
    kill, left = os.fsync, 4

    def fsync(stream: int) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise Killed
        kill(stream)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        patch.setattr(Path, "unlink", lambda *_, **__: None)  # a dead process tidies nothing up
        with pytest.raises(Killed):
            one.train()
    assert len(list(one.folder.iterdir())) == 2
    assert bits(one.train()) == expected
    assert "resumed at step 3/10" in one.lines
    Checkpoints(one.folder, ORIGIN).remove()
    assert list(one.folder.iterdir()) == []


def test_full_disk_is_a_line_and_the_training_goes_on(
    make_cell: Any, arrays: Arrays, life: Callable[..., Life]
) -> None:
    one = life(make_cell(learning_rates=[0.1]), arrays)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))  # a file may not grow beyond these bytes
    try:
        outcome = one.train()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert bits(outcome) == bits(one.undisturbed())
    (problem,) = (line for line in one.lines if "step" not in line)
    assert problem.endswith(f"{NAME}: no checkpoint could be written (File too large). The training goes on.")
    assert list(one.folder.iterdir()) == []


def test_short_trainings_write_none_and_large_checkpoints_are_rare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    kept = Checkpoints(tmp_path / "cell", ORIGIN)
    assert not kept.due()
    now += 59.9
    assert not kept.due()
    now += 0.1
    assert kept.due()

    def slow(stream: int) -> None:
        nonlocal now
        now += 3.0

    monkeypatch.setattr(os, "fsync", slow)
    kept.save(checkpoints.Position(0, 1), part=[torch.zeros(3)])
    now += 149.0
    assert not kept.due(), "3 s are 2 % of 150 s"
    now += 2.0
    assert kept.due()


def test_time_is_that_of_all_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 5.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for process in range(3):
        kept = Checkpoints(tmp_path, ORIGIN, started=f"at {now:g}")
        assert (kept.find() is not None) == (process > 0)
        now += 10.0
        kept.save(checkpoints.Position(0, 1), part=[torch.zeros(3)])
        assert (kept.started, kept.resumed, kept.seconds) == ("at 5", process, 10.0 * (process + 1))
        now += 1000.0  # until the next process is started


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
    make_cell: Any, images: Arrays, tmp_path: Path
) -> None:
    """The command of the workflow's rule, a process each time, until one comes to its end."""
    cell = make_cell(
        normalization="batchnorm", dropout=0.1, optimizer="adam", width=24, epochs=16, seeds=6, augmentation="crop_flip"
    )
    data = tmp_path / "data"
    parts = {name: np.asarray(values) for name, values in vars(images).items()}
    manifest = {"classes": CLASSES, "arrays": files.save_arrays(data / "arrays.npz", parts)}
    files.save_json(data / "preprocessing.json", manifest)
    words = ["train", f"--cell={cell.canonical}", f"--data={data}", "--device=cpu"]
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
