"""One training step of a stack, in two halves.

`prepare` is the host's half: it writes the step's examples, numbers and random draws into tensors that stay where they
are. What follows is a program over tensors in which nothing else depends on the step, so that a CUDA device can record
it once and replay it (`devices.captured`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainability import clipping, devices
from trainability.cell import Cell
from trainability.network import Mode, Network, loss_gradient


class Step:
    """A step of every run of a network's stack, on its seed's examples of `x` [N, features], `targets` [N, K].

    `total` is the number of steps of the training, `rates` holds a learning rate per run.
    """

    def __init__(
        self, cell: Cell, network: Network, rates: list[float], x: Tensor, targets: Tensor, total: int
    ) -> None:
        self.cell, self.network, self.x, self.targets, self.total = cell, network, x, targets, total
        self.clipped = cell.gradient_clipping
        self.buffers = [torch.zeros_like(parameter) for parameter in network.parameters]
        each = x.new_tensor(rates).view(-1, 1, 1)
        self.update = cell.optimizer.start(network.parameters, network.decayed, each, raw=self.clipped is not None)
        self.batch = torch.zeros(len(network.seeds), cell.batch_size, dtype=torch.long, device=x.device)
        self.number = torch.zeros((), dtype=torch.long, device=x.device)
        self.lost_at = torch.zeros(len(rates), dtype=torch.long, device=x.device)  # first non-finite loss, 0 if none
        self.program = devices.captured(self.run, x.device)

    def __call__(self, batch: Tensor, number: int) -> None:
        """Take step `number`, counted from 1, on the rows `batch` [S, B] of each of the stack's S seeds."""
        self.prepare(batch, number)
        self.program()

    def prepare(self, batch: Tensor, number: int) -> None:
        """Write all that distinguishes this step from any other."""
        self.batch.copy_(batch)
        self.number.fill_(number)
        self.update.prepare(number, self.cell.schedule.factor(number, self.total))
        self.network.renew()

    def run(self) -> None:
        """The step itself, on what was prepared."""
        x, targets = self._of_runs(self.x), self._of_runs(self.targets)
        gradient = loss_gradient(self.network.forward(x, Mode.TRAIN), targets)
        # The softmax of a row is NaN exactly when its loss is not finite; NaN then stays in the run's weights.
        lost = gradient.sum((1, 2)).isnan() & (self.lost_at == 0)
        self.lost_at.copy_(torch.where(lost, self.number, self.lost_at))
        self.network.backward(gradient, self.buffers, self.update.carry)
        if self.clipped is not None:
            clipping.clip(self.buffers, self.clipped)
        self.update(self.buffers)

    def _of_runs(self, values: Tensor) -> Tensor:
        """The batch's rows of `values` [N, F] for every run, [R, B, F].

        Examples are read once a seed, since they come from memory, and copied for its runs, which is done in the cache.
        """
        by_seed = values.index_select(0, self.batch.view(-1)).view(*self.batch.shape, -1)
        if len(by_seed) == 1:
            return by_seed.expand(len(self.network.of_seed), -1, -1)
        return by_seed.index_select(0, self.network.of_seed)
