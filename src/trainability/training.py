"""The one training loop: a stack of runs, evaluated on a schedule.

Seed s gives every cell the same batch order; a run is its (seed, learning rate) pair and nothing else of the
stack enters it. The training split is shuffled anew every epoch; a last incomplete batch is left out, so that all
steps have one shape, and since the order changes every epoch no example is left out for good.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trainability import health, seeding
from trainability.cell import Cell
from trainability.network import Mode, Network, loss_gradient
from trainability.preprocessing import Arrays

DIVERGED_FACTOR = 3.0  # a final training loss above this multiple of the initial one is a divergence
CHANCE_DEVIATIONS = 3.09  # standard errors above chance (one-sided 0.1 %) that a run must beat once not to be stalled
EVALUATION_BATCH = 1024


CURVES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")


class History:
    """What a stack went through, evaluation by evaluation.

    `curves` holds the columns of CURVES as [E, R], the training figures being those of the probe set with batch
    statistics; `layers` holds the columns of health.COLUMNS as [E, L, R], for L hidden layers. The room is taken at
    the start: small tensors kept between large passing ones would fragment the heap, by a gigabyte in a cell.
    """

    def __init__(self, steps: list[int], layers: int, runs: int) -> None:
        self.steps = steps
        self.curves = {name: torch.full((len(steps), runs), torch.nan) for name in CURVES}
        self.layers = {name: torch.full((len(steps), layers, runs), torch.nan) for name in health.COLUMNS}

    def enter(self, step: int, curves: Mapping[str, Tensor], layers: Mapping[str, Tensor]) -> None:
        """Put down the figures of the evaluation after `step`: curves [R] and layers [L, R] each."""
        evaluation = self.steps.index(step)
        for name, values in curves.items():
            self.curves[name][evaluation] = values
        for name, values in layers.items():
            self.layers[name][evaluation] = values


@dataclass(frozen=True)
class Outcome:
    """A trained stack: its history, its last step's test figures, and how each run ended."""

    runs: list[tuple[int, float]]
    steps_per_epoch: int
    probe_examples: int
    history: History
    test_loss: Tensor  # [R]
    test_accuracy: Tensor  # [R]
    status: list[str]  # ok, diverged or stalled
    reason: list[str]  # of a divergence or a stall, else empty
    status_step: list[int | None]  # the step at which a divergence was found
    network: Network


def schedule(steps_per_epoch: int, epochs: int) -> list[int]:
    """Steps after which a stack is evaluated: 0, a ratio of sqrt 2 apart until that spans an epoch, every epoch."""
    total = steps_per_epoch * epochs
    powers = (round(math.sqrt(2) ** k) for k in range(200))
    longest = steps_per_epoch / (1 - 1 / math.sqrt(2))  # from here on the ratio's gaps exceed an epoch
    early = {step for step in powers if step <= min(longest, total)}
    return sorted({0} | early | {steps_per_epoch * epoch for epoch in range(1, epochs + 1)})


def train(
    cell: Cell,
    arrays: Arrays,
    classes: int,
    runs: list[tuple[int, float]] | None = None,
    dtype: torch.dtype = torch.float32,
    report: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Train all runs of a cell, or the given ones, as one stack on one thread.

    `report` receives a line of progress per epoch. Divergence and stalls are outcomes, not errors.
    """
    runs = cell.runs if runs is None else runs
    with _one_thread():
        stack = _Stack(cell, arrays, classes, runs, dtype)
        due = set(stack.history.steps)
        stack.evaluate(0, None)
        step = 0
        for epoch in range(cell.epochs):
            for batch in stack.batches(epoch):
                step += 1
                before = stack.hidden_weights() if step in due else None
                stack.step(batch, step)
                if before is not None:
                    stack.evaluate(step, before)
            report(stack.progress(epoch + 1))
        return stack.outcome()


class _Stack:
    """The moving parts of one training: data, network, optimiser and history."""

    def __init__(
        self, cell: Cell, arrays: Arrays, classes: int, runs: list[tuple[int, float]], dtype: torch.dtype
    ) -> None:
        self.cell, self.runs = cell, runs
        self.x, self.y = torch.from_numpy(arrays.train_x).to(dtype), torch.from_numpy(arrays.train_y)
        self.one_hot = torch.nn.functional.one_hot(self.y, classes).to(dtype)
        self.validation = (
            torch.from_numpy(arrays.validation_x).to(dtype),
            torch.from_numpy(arrays.validation_y),
        )
        self.test = torch.from_numpy(arrays.test_x).to(dtype), torch.from_numpy(arrays.test_y)
        self.network = Network(cell, self.x.shape[1], classes, runs, dtype)
        parameters = self.network.parameters
        self.buffers = [torch.zeros_like(parameter) for parameter in parameters]
        rates = torch.tensor([rate for _, rate in runs], dtype=dtype).view(-1, 1, 1)
        self.update = cell.optimizer.start(parameters, self.network.decayed, rates)
        self.steps_per_epoch = len(self.y) // cell.batch_size
        probe = slice(0, cell.probe_examples)
        self.probe_y = self.y[probe]
        first = slice(0, cell.batch_size)
        self.monitor = health.Monitor(self.network, self.x[probe], self.x[first], self.one_hot[first])
        self.history = History(schedule(self.steps_per_epoch, cell.epochs), cell.depth, len(runs))
        self.lost_at = torch.zeros(len(runs), dtype=torch.long)  # first step with a non-finite loss, 0 if none

    def batches(self, epoch: int) -> Iterator[Tensor]:
        """Indices [R, B] into the training split, step by step."""
        used = self.steps_per_epoch * self.cell.batch_size
        seeds = list(dict.fromkeys(seed for seed, _ in self.runs))
        orders = [seeding.generator(s, "batches", epoch).permutation(len(self.y))[:used] for s in seeds]
        by_seed = torch.from_numpy(np.stack(orders)).view(len(seeds), self.steps_per_epoch, -1)
        return iter(by_seed[self.network.of_seed].unbind(1))

    def step(self, batch: Tensor, number: int) -> None:
        flat = batch.reshape(-1)
        x = self.x.index_select(0, flat).view(*batch.shape, -1)
        one_hot = self.one_hot.index_select(0, flat).view(*batch.shape, -1)
        logits = self.network.forward(x, Mode.TRAIN)
        gradient = loss_gradient(logits, one_hot)
        # The softmax of a row is NaN exactly when its loss is not finite; NaN then stays in the run's weights.
        lost = gradient.sum((1, 2)).isnan() & (self.lost_at == 0)
        self.lost_at.masked_fill_(lost, number)
        self.network.backward(gradient, self.buffers, self.cell.optimizer.carry)
        self.update(self.buffers)

    def hidden_weights(self) -> list[Tensor]:
        return [layer.linear.weight.clone() for layer in self.network.hidden]

    def evaluate(self, step: int, before_update: list[Tensor] | None) -> None:
        layers, logits = self.monitor.measure()
        layers |= health.weights(self.network, before_update)
        figures = (*_score(logits, self.probe_y), *self._score(*self.validation))
        self.history.enter(step, dict(zip(CURVES, figures, strict=True)), layers)

    def _score(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and accuracy [R] with running statistics, in batches that bound the memory."""
        logits = [
            self.network.forward(some.expand(len(self.runs), -1, -1), Mode.EVALUATE)
            for some in x.split(EVALUATION_BATCH)
        ]
        return _score(torch.cat(logits, 1), y)

    def progress(self, epoch: int) -> str:
        accuracy = self.history.curves["validation_accuracy"][self.history.steps.index(epoch * self.steps_per_epoch)]
        finite = int((self.lost_at == 0).sum())
        return (
            f"epoch {epoch}/{self.cell.epochs}: validation accuracy best {accuracy.max():.3f}, "
            f"median {accuracy.median():.3f}, {finite} of {len(self.runs)} runs finite"
        )

    def outcome(self) -> Outcome:
        test_loss, test_accuracy = self._score(*self.test)
        curves = self.history.curves
        final, initial = curves["train_loss"][-1], curves["train_loss"][0]
        best = curves["validation_accuracy"].amax(0)
        chance = _chance(self.validation[1])
        total = self.history.steps[-1]
        status, reason, status_step = [], [], []
        for run, lost in enumerate(self.lost_at.tolist()):
            outcome: tuple[str, str, int | None] = ("ok", "", None)
            if lost:
                outcome = ("diverged", "non-finite loss", lost)
            elif not final[run] <= DIVERGED_FACTOR * initial[run]:
                times = f"{final[run]:.3g} after {initial[run]:.3g}"
                outcome = (
                    "diverged",
                    f"final loss above {DIVERGED_FACTOR:g} x the initial one: {times}",
                    total,
                )
            elif best[run] <= chance:
                outcome = (
                    "stalled",
                    f"validation accuracy never above {chance:.3f}, chance within noise",
                    None,
                )
            status.append(outcome[0])
            reason.append(outcome[1])
            status_step.append(outcome[2])
        return Outcome(
            runs=self.runs,
            steps_per_epoch=self.steps_per_epoch,
            probe_examples=len(self.probe_y),
            history=self.history,
            test_loss=test_loss,
            test_accuracy=test_accuracy,
            status=status,
            reason=reason,
            status_step=status_step,
            network=self.network,
        )


def _score(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy and accuracy [R]; an answer that is not finite is wrong."""
    labels = labels.expand(logits.shape[:2])
    picked = logits.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    loss = (logits.logsumexp(-1) - picked).mean(-1)
    right = (logits.argmax(-1) == labels) & logits.isfinite().all(-1)
    return loss, right.to(logits.dtype).mean(-1)


def _chance(labels: Tensor) -> float:
    """The accuracy that always naming the largest class exceeds only with probability 0.1 %."""
    share = labels.bincount().max().item() / len(labels)
    return share + CHANCE_DEVIATIONS * math.sqrt(share * (1 - share) / len(labels))


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread, since the number of threads changes the bits, and no denormals, which cost time only."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)
