"""The trainer's inner parts: the one place of the benchmarks that reaches behind `training.train`."""

from __future__ import annotations

import itertools
from contextlib import AbstractContextManager

import torch

from trainability import devices, stacks, steps, training
from trainability.cell import Cell
from trainability.network import Mode, Network, loss_gradient
from trainability.prepared import Arrays

CPU = torch.device("cpu")
Runs = list[tuple[int, float]]


class Stack:
    """A stack of runs that takes bare training steps, without any evaluation. Use it inside `as_trained()`."""

    def __init__(self, cell: Cell, arrays: Arrays, classes: int, runs: Runs) -> None:
        data = training._Data(arrays, classes, cell.label_smoothing, torch.float32, CPU)
        self._inner = training._Stack(cell, data, runs)
        epochs = (self._inner.batches(epoch) for epoch in itertools.count())
        self._batches = enumerate(itertools.chain.from_iterable(epochs), start=1)

    @property
    def network(self) -> Network:
        return self._inner.network

    def next_step(self) -> None:
        """One training step; drawing the batches of an epoch is part of its first one."""
        number, batch = next(self._batches)
        self._inner.step(batch, number)

    def next_compiled_step(self) -> None:
        """The same through torch.compile, without the search for the first loss that is not finite."""
        number, batch = next(self._batches)
        self._inner.step.prepare(batch, number)
        _compiled_step(self._inner.step)

    def test_accuracy(self) -> list[float]:
        """Test accuracy of every run."""
        return self._inner._score(*self._inner.data.test)[1].tolist()


@torch.compile(fullgraph=True)
def _compiled_step(step: steps.Step) -> None:
    x, targets = step.examples()
    gradient = loss_gradient(step.network.forward(x, Mode.TRAIN), targets)
    step.network.backward(gradient, step.buffers, step.update.carry)
    step.update(step.buffers)


def parts(cell: Cell, arrays: Arrays, classes: int, runs: Runs) -> list[Runs]:
    """The stacks in which `training.train` trains the runs."""
    return stacks.split(runs, stacks.most_runs(cell, arrays.train_x.shape[1], classes, CPU))


def as_trained() -> AbstractContextManager[None]:
    """What `training.train` sets up around its steps: one thread, no denormals, no autograd."""
    return devices.reproducible(CPU)
