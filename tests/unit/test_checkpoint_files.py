"""Files of checkpoints: when they are written, and that one which cannot be trusted is named and left aside."""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lives import ORIGIN, Killed, Life, bits

from trainability import checkpoints, manifests
from trainability.checkpoints import NAME, Checkpoints
from trainability.prepared import Arrays


@pytest.fixture
def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Life]:
    return lambda cell, arrays, **options: Life(tmp_path / "cell", cell, arrays, monkeypatch, **options)


def rewritten(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """The file with other arrays, under a checksum that is theirs."""
    arrays = manifests.unpack(path.read_bytes(), path, "")
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
    arrays = manifests.unpack(path.read_bytes(), path, "")
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
    Checkpoints(one.folder, ORIGIN, report=one.lines.append).remove()
    assert path.exists() == path.is_dir() == ("could not be removed" in one.lines[-1])


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
