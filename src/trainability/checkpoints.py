"""Checkpoints: what a long training needs to go on after its process was killed, to the same bits.

A checkpoint is one file in the folder of the record to come: written whole or not at all, at most once a minute, so
that short cells have none, and removed once the record is there. Snakemake does not know of it and so leaves it when it
removes what a killed job has made.

It counts only for the training that wrote it: `identity` is all that bits depend on, and all that the record will say
of code, software and machine. Any other checkpoint, or a damaged one, is named in the log and left aside.

What it holds is `State`: each part of a training lists its own, always in the same order, as the tensors and generators
themselves. Saving reads them and restoring writes into them, so that tensors stay where a recorded step knows them.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainability import files, manifests

NAME = "checkpoint.npz"
EVERY = 60.0  # seconds from one checkpoint to the next, at least
SHARE = 0.02  # of a training's time that writing checkpoints may take
ABOUT, CHECKSUM = "about", "sha256"  # names in the file, beside those of the state
RESTART = "The training starts from the beginning."

State: TypeAlias = Sequence[Tensor | torch.Generator]


@dataclass(frozen=True)
class Position:
    """A point of a training: after step `step` of the stack with this number, counted from 0."""

    stack: int
    step: int


class Checkpoints:
    """The checkpoints of one cell's training, in the folder of its record.

    `origin` says where the training comes from (record.origin); `started` is when it began, as text. `report` receives
    a line where a checkpoint cannot be used or written, which is no error.
    """

    def __init__(
        self,
        folder: Path,
        origin: Mapping[str, Any],
        started: str = "",
        report: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.path, self.identity, self.report = folder / NAME, dict(origin), report
        self.started, self.resumed = started, 0  # of the whole training: its beginning, and how often it was resumed
        self._begun = self._last = time.monotonic()
        self._pause, self._before, self._problem = EVERY, 0.0, ""
        self._arrays: dict[str, NDArray[Any]] = {}

    @property
    def seconds(self) -> float:
        """How long the training has taken, without what its killed processes did after their last checkpoints."""
        return self._before + time.monotonic() - self._begun

    def find(self, **training: Any) -> Position | None:
        """Where the training can be resumed; `training` is what its identity has beside the origin, fit for JSON.

        What was saved there then waits for `restore`.
        """
        self.identity |= training
        if not self.path.exists():
            return None
        try:
            about, arrays = _read(self.path)
            differing = sorted(_different(about["identity"], json.loads(json.dumps(self.identity))))
            if differing:
                raise files.CorruptFileError(f"{self.path} is of another training ({', '.join(differing)}). {RESTART}")
        except files.CorruptFileError as error:
            self.report(str(error))
            return None
        self._arrays, self._before = arrays, about["seconds"]
        self.started, self.resumed = about["started"], about["resumed"] + 1
        return Position(about["stack"], about["step"])

    def restore(self, part: str, state: State) -> None:
        """Write what was saved of a part into its state; it can be done once."""
        for index, live in enumerate(state):
            saved = torch.from_numpy(self._arrays.pop(f"{part}.{index}"))
            if isinstance(live, torch.Generator):
                live.set_state(saved)
            else:
                live.copy_(saved)

    def due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return time.monotonic() - self._last >= self._pause

    def save(self, position: Position, **parts: State) -> None:
        """Write a checkpoint of the state of these parts at a position."""
        before = time.monotonic()
        about = {"identity": self.identity, **vars(position)}
        about |= {"seconds": self.seconds, "started": self.started, "resumed": self.resumed}
        arrays = {ABOUT: np.frombuffer(json.dumps(about).encode(), np.uint8)}
        arrays |= {
            f"{part}.{index}": _values(live) for part, state in parts.items() for index, live in enumerate(state)
        }
        try:
            with files.replacing(self.path) as stream:
                np.savez(stream, allow_pickle=False, **arrays, **{CHECKSUM: _checksum(arrays)})
        except OSError as error:
            self._problems(f"{self.path}: no checkpoint could be written ({error.strerror}). The training goes on.")
        self._last = time.monotonic()
        self._pause = max(EVERY, (self._last - before) / SHARE)

    def remove(self) -> None:
        """Remove the checkpoint, which nobody needs once there is a record."""
        try:
            files.remove(self.path)
        except OSError as error:
            self.report(f"{self.path} could not be removed ({error.strerror}). Nothing reads it any more.")

    def _problems(self, line: str) -> None:
        """Report a problem, but not at every checkpoint again."""
        if line != self._problem:
            self.report(line)
        self._problem = line


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What a checkpoint says about itself, and its arrays; raises files.CorruptFileError."""
    arrays = manifests.unpack(files.read(path, RESTART), path, RESTART)
    expected = arrays.pop(CHECKSUM, None)
    if expected is None or not np.array_equal(expected, _checksum(arrays)):
        raise files.CorruptFileError(f"{path} does not have the SHA-256 that it names. {RESTART}")
    try:
        about = json.loads(arrays.pop(ABOUT).tobytes())
    except (KeyError, ValueError, RecursionError):
        about = None
    match about:
        case {
            "identity": dict(),
            "stack": int(),
            "step": int(),
            "seconds": float(),
            "started": str(),
            "resumed": int(),
        }:
            return about, arrays
    raise files.CorruptFileError(f"{path} does not say what it is a checkpoint of. {RESTART}")


def _values(live: Tensor | torch.Generator) -> NDArray[Any]:
    """The numbers of a part of the state; on the CPU those of a tensor are not copied."""
    tensor = live.get_state() if isinstance(live, torch.Generator) else live
    return np.asarray(tensor.cpu().numpy(), order="C")


def _checksum(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
    """SHA-256 of names, types, shapes and numbers of arrays, as 32 bytes."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).data)
    return np.frombuffer(digest.digest(), np.uint8)


def _different(one: Any, other: Any, name: str = "") -> Iterator[str]:
    """Names of the entries that differ, those of inner dictionaries as `versions.torch`."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield from _different(one.get(key), other.get(key), f"{name}.{key}" if name else key)
    elif one != other:
        yield name
