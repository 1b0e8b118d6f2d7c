"""The one training loop: stacks of runs, evaluated on a schedule.

Seed s gives every cell the same batch order; a run is its (seed, learning rate) pair and nothing else of the
stack enters it, so that a cell's runs can be trained in stacks of any size. The training split is shuffled anew every
epoch; a last incomplete batch is left out, so that all steps have one shape, and since the order changes every
epoch no example is left out for good.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from trainability import blueprint, devices, health, seeding, stacks, steps
from trainability.cell import Cell
from trainability.checkpoints import Checkpoints, Position, State
from trainability.network import Mode, Network, targets
from trainability.outcome import TRAIN, VALIDATION, History, Outcome, judge
from trainability.prepared import Arrays

EVALUATION_BATCH = 96  # few enough that a layer of the stack stays in the cache


def train(
    cell: Cell,
    arrays: Arrays,
    classes: int,
    runs: list[tuple[int, float]] | None = None,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    together: int | None = None,
    report: Callable[[str], None] = lambda line: None,
    kept: Checkpoints | None = None,
) -> Outcome:
    """Train all runs of a cell, or the given ones, in stacks of at most `together` runs, by default a measured number.

    `report` receives a line of progress per evaluation. With checkpoints `kept` the training goes on where an earlier
    one was killed, to the same bits. Divergence and stalls are outcomes, not errors. Raises devices.DeviceError.
    """
    runs = cell.runs if runs is None else runs
    where = devices.find(device)
    features = arrays.train_x.shape[1]
    parts = stacks.split(runs, together or stacks.most_runs(cell, features, classes, where))
    with devices.reproducible(where):
        data = _Data(arrays, classes, cell.label_smoothing, dtype, where)
        history = History(len(data.y) // cell.batch_size * cell.epochs, cell.depth, len(runs))
        found = kept and kept.find(stacks=parts, dtype=str(dtype), device=devices.describe(where))
        if kept and found:
            kept.restore("history", history.state)
        networks, last = [], 0
        for number, part in enumerate(parts):
            first, last = last, last + len(part)
            if found and number < found.stack:
                continue
            if len(parts) > 1:
                report(f"stack {number + 1} of {len(parts)}: {len(part)} runs")
            stack = _Stack(cell, data, part)
            if kept and found and number == found.stack:
                kept.restore("stack", stack.state)
                stack.taken = found.step
                report(f"resumed at step {stack.taken}/{history.steps[-1]}")
            _train_stack(stack, report, functools.partial(_keep, kept, history, stack, number))
            history.take_over(stack.history, slice(first, last))
            networks.append(stack.network)
    return Outcome(
        runs=runs,
        steps_per_epoch=len(data.y) // cell.batch_size,
        probe_examples=len(data.y[: cell.probe_examples]),
        history=history,
        test_loss=history.test["test_loss"],
        test_accuracy=history.test["test_accuracy"],
        endings=judge(history, data.validation[1]),
        plan=blueprint.draw(cell, features, classes),
        stacks=len(parts),
        networks=networks,
        device=devices.describe(where),
        looking=history.looking.item(),
    )


def _train_stack(stack: _Stack, report: Callable[[str], None], keep: Callable[[], None]) -> None:
    """Take the steps of a stack that are not taken yet; between steps `keep` may write down its state."""
    evaluated, probed = set(stack.history.steps), set(stack.history.probed)
    if not stack.taken:
        report(stack.look(0))
    begun, within = divmod(stack.taken, stack.steps_per_epoch)
    batches = itertools.chain.from_iterable(map(stack.batches, range(begun, stack.cell.epochs)))
    for step, batch in enumerate(itertools.islice(batches, within, None), start=stack.taken + 1):
        if step in probed or step + 1 in probed:  # the probe compares the last two updates
            stack.trail.append(stack.hidden_weights())
        stack.step(batch, step)
        stack.taken = step
        if step in evaluated:
            report(stack.look(step))
        if step + 1 not in probed:  # there half of the trail is made
            keep()
    stack.end()


def _keep(kept: Checkpoints | None, history: History, stack: _Stack, number: int) -> None:
    """Write down where the training is if it is time for that."""
    if kept and kept.due():
        kept.save(Position(number, stack.taken), history=history.state, stack=stack.state)


class _Data:
    """The three splits as tensors on the device, shared by all stacks of a cell."""

    def __init__(
        self, arrays: Arrays, classes: int, smoothing: float, dtype: torch.dtype, device: torch.device
    ) -> None:
        def split(x: np.ndarray, y: np.ndarray) -> tuple[Tensor, Tensor]:
            return torch.from_numpy(x).to(device, dtype), torch.from_numpy(y).to(device)

        self.x, self.y = split(arrays.train_x, arrays.train_y)
        self.classes = classes
        self.targets = targets(self.y, classes, dtype, smoothing)
        self.validation = split(arrays.validation_x, arrays.validation_y)
        self.test = split(arrays.test_x, arrays.test_y)


class _Stack:
    """The moving parts of one stack's training: network, optimiser, monitor and history."""

    def __init__(self, cell: Cell, data: _Data, runs: list[tuple[int, float]]) -> None:
        self.cell, self.data, self.runs = cell, data, runs
        x = data.x
        self.network = Network(cell, x.shape[1], data.classes, runs, x.dtype, x.device)
        self.steps_per_epoch = len(data.y) // cell.batch_size
        total = self.steps_per_epoch * cell.epochs
        first, probe = slice(0, cell.batch_size), slice(0, cell.probe_examples)
        if cell.init.calibrated:
            self.network.calibrate(x[probe].expand(len(runs), -1, -1), cell.init.calibrate)
        self.step = steps.Step(cell, self.network, [rate for _, rate in runs], x, data.targets, total)
        self.probe_y = data.y[probe]
        self.monitor = health.Monitor(self.network, x[probe], x[first], data.targets[first])
        self.history = History(total, cell.depth, len(runs), x.device)
        self.trail: deque[list[Tensor]] = deque(maxlen=2)  # hidden weights before the last two steps, if probed soon
        self.taken = 0  # steps

    @property
    def state(self) -> State:
        """All that its remaining steps depend on, save the trail: that is renewed before every probe."""
        return [*self.network.state, *self.step.state, *self.monitor.ever_dead, *self.history.state]

    def batches(self, epoch: int) -> Iterator[Tensor]:
        """Indices [S, B] into the training split for each of the stack's S seeds, step by step."""
        used = self.steps_per_epoch * self.cell.batch_size
        seeds = list(dict.fromkeys(seed for seed, _ in self.runs))
        orders = [seeding.generator(s, "batches", epoch).permutation(len(self.data.y))[:used] for s in seeds]
        by_seed = torch.from_numpy(np.stack(orders)).to(self.data.y.device)
        return iter(by_seed.view(len(seeds), self.steps_per_epoch, -1).unbind(1))

    def hidden_weights(self) -> list[Tensor]:
        return [layer.linear.weight.clone() for layer in self.network.hidden]

    def look(self, step: int) -> str:
        """Evaluate, and measure the probe where it is due; return a line about it."""
        clock = time.perf_counter()
        if step in self.history.probed:
            self._probe(step)
        line = self._evaluate(step)
        self.history.looking += time.perf_counter() - clock
        return line

    def _probe(self, step: int) -> None:
        """Measure the layers, and loss and accuracy on the probe, after `step`."""
        layers, logits = self.monitor.measure()
        self.history.enter_layers(step, layers | health.weights(self.network, self.trail))
        self.history.enter(step, TRAIN, score(logits, self.probe_y))

    def _evaluate(self, step: int) -> str:
        """Take validation loss and accuracy after `step`; return a line about them."""
        loss, accuracy = self._score(*self.data.validation)
        self.history.enter(step, VALIDATION, (loss, accuracy))
        return (
            f"step {step}/{self.history.steps[-1]}: validation accuracy best {accuracy.max():.3f}, "
            f"median {accuracy.median():.3f}, {int(loss.isfinite().sum())} of {len(self.runs)} runs finite"
        )

    def _score(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and accuracy [R] with running statistics, in batches that bound the memory."""
        logits = [
            self.network.forward(some.expand(len(self.runs), -1, -1), Mode.EVALUATE)
            for some in x.split(EVALUATION_BATCH)
        ]
        return score(torch.cat(logits, 1), y)

    def end(self) -> None:
        """Complete the history after the last step."""
        clock = time.perf_counter()
        self.history.enter_end(self._score(*self.data.test), self.step.lost_at)
        self.history.looking += time.perf_counter() - clock


def score(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy and accuracy [R] of logits [R, N, K]; an answer with a loss that is not finite is wrong."""
    labels = labels.expand(logits.shape[:2])
    loss = logits.log_softmax(-1).gather(-1, labels.unsqueeze(-1)).squeeze(-1).neg_()
    right = (logits.argmax(-1) == labels) & loss.isfinite()
    return loss.mean(-1), right.to(logits.dtype).mean(-1)
