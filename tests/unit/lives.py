"""Trainings that are killed and resumed, and what they leave."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from trainability import checkpoints, steps, training
from trainability.cell import Cell
from trainability.checkpoints import Checkpoints
from trainability.outcome import Outcome
from trainability.prepared import Arrays

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
