"""One training step of a stack, in two halves.

`prepare` is the host's half: it writes the step's examples, numbers and random draws into tensors that stay where they
are. What follows is a program over tensors in which nothing else depends on the step, so that a CUDA device can record
it once and replay it (`devices.captured`).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from trainability import clipping, devices, seeding
from trainability.augmentations import Indices
from trainability.cell import Cell
from trainability.checkpoints import State
from trainability.network import Mode, Network, loss_gradient


class Step:
    """A step of every run of a network's stack, on its seed's examples of `x` [N, features], `targets` [N, K].

    `total` is the number of steps of the training, `rates` holds a learning rate per run.
    """

    def __init__(
        self, cell: Cell, network: Network, rates: list[float], x: Tensor, targets: Tensor, total: int
    ) -> None:
        self.cell, self.network, self.x, self.targets, self.total = cell, network, x, targets, total
        self.buffers = [torch.zeros_like(parameter) for parameter in network.parameters]
        each = x.new_tensor(rates).view(-1, 1, 1)
        self.update = cell.optimizer.start(network.parameters, network.decayed, each, raw=cell.gradient_clipping > 0)
        self.batch = torch.zeros(len(network.seeds), cell.batch_size, dtype=torch.long, device=x.device)
        self.number = torch.zeros((), dtype=torch.long, device=x.device)
        self.lost_at = torch.zeros(len(rates), dtype=torch.long, device=x.device)  # first non-finite loss, 0 if none
        self.moved = None if cell.augmentation.identity else _Moved(cell, network.seeds, x, total)
        self.program = devices.captured(self.run, x.device)

    def __call__(self, batch: Tensor, number: int) -> None:
        """Take step `number`, counted from 1, on the rows `batch` [S, B] of each of the stack's S seeds."""
        self.prepare(batch, number)
        self.program()

    @property
    def state(self) -> State:
        """What steps leave for later ones, beside the network's; the rest is written by `prepare`."""
        return [*(self.buffers if self.update.carry else ()), *self.update.state, self.lost_at]

    def prepare(self, batch: Tensor, number: int) -> None:
        """Write all that distinguishes this step from any other."""
        self.batch.copy_(batch)
        self.number.fill_(number)
        if self.moved:
            self.moved.prepare(batch, number)
        self.update.prepare(number, self.cell.schedule.factor(number, self.total))
        self.network.renew()

    def run(self) -> None:
        """The step itself, on what was prepared."""
        x, targets = self.examples()
        gradient = loss_gradient(self.network.forward(x, Mode.TRAIN), targets)
        # The softmax of a row is NaN exactly when its loss is not finite; NaN then stays in the run's weights.
        lost = gradient.sum((1, 2)).isnan() & (self.lost_at == 0)
        self.lost_at.copy_(torch.where(lost, self.number, self.lost_at))
        self.network.backward(gradient, self.buffers, self.update.carry)
        if self.cell.gradient_clipping:
            clipping.clip(self.buffers, self.cell.gradient_clipping)
        self.update(self.buffers)

    def examples(self) -> tuple[Tensor, Tensor]:
        """The batch's examples [R, B, features], augmented, and their targets [R, B, K]."""
        x = self._rows(self.x)
        if self.moved:
            x = self.moved.apply(x)
        return self._of_runs(x), self._of_runs(self._rows(self.targets))

    def _rows(self, values: Tensor) -> Tensor:
        """The batch's rows of `values` [N, F] for every seed, [S, B, F].

        They are read once a seed, since they come from memory, and copied for its runs, which is done in the cache.
        """
        return values.index_select(0, self.batch.view(-1)).view(*self.batch.shape, -1)

    def _of_runs(self, by_seed: Tensor) -> Tensor:
        """What belongs to the seeds [S, ...] for every run, [R, ...]."""
        if len(by_seed) == 1:
            return by_seed.expand(len(self.network.of_seed), -1, -1)
        return by_seed.index_select(0, self.network.of_seed)


class _Moved:
    """The augmentation of a batch: where each number of its examples comes from.

    Every seed draws for each example of `x` [N, features] once an epoch, whatever batch it falls into.
    """

    def __init__(self, cell: Cell, seeds: list[int], x: Tensor, total: int) -> None:
        self.augmentation, self.shape = cell.augmentation, cell.dataset.image_shape
        self.seeds, self.count, self.steps_per_epoch = seeds, len(x), total // cell.epochs
        self.index = torch.zeros(len(seeds), cell.batch_size, x.shape[1], dtype=torch.long, device=x.device)
        self.epoch = -1
        self.choices: list[Indices] = []

    def prepare(self, batch: Tensor, number: int) -> None:
        """Write the places for the rows `batch` [S, B] at step `number`, counted from 1."""
        epoch = (number - 1) // self.steps_per_epoch
        if epoch != self.epoch:
            rngs = [seeding.generator(seed, "augmentation", epoch) for seed in self.seeds]
            self.choices, self.epoch = [self.augmentation.choices(rng, self.count) for rng in rngs], epoch
        rows = batch.cpu().numpy()
        places = [self.augmentation.indices(c[some], self.shape) for c, some in zip(self.choices, rows, strict=True)]
        self.index.copy_(torch.from_numpy(np.stack(places)))

    def apply(self, x: Tensor) -> Tensor:
        """The augmented examples of x [S, B, features]."""
        return pad(x, (0, 1)).gather(-1, self.index)
