"""The script without what slows it down most: tensors in memory, batches by index, all runs in one process."""

from __future__ import annotations

import time
from collections.abc import Iterable

import torch
import torch._dynamo  # torch imports it at first use; libraries are loaded before the clock starts
from torch import Tensor, nn

from benchmarks.peers.plain_script import sequential
from benchmarks.protocol import Job, Training


def train(job: Job) -> Training:
    """One run after another."""
    workload, arrays, training = job.workload, job.arrays, Training()
    x, y = torch.from_numpy(arrays.train_x), torch.from_numpy(arrays.train_y)
    used = job.steps_per_epoch * workload.batch_size
    for seed, rate in job.runs:
        started = time.perf_counter()
        torch.manual_seed(seed)
        model = sequential(job.network)
        optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=workload.momentum)
        for _ in range(workload.epochs):
            clock = time.perf_counter()
            epoch(model, optimizer, x, y, torch.randperm(len(y))[:used].split(workload.batch_size))
            training.epochs.append(time.perf_counter() - clock)
        training.accuracies.append(accuracy(model, arrays.test_x, arrays.test_y))
        training.runs.append(time.perf_counter() - started)
    del training.epochs[0]
    return training


def epoch(model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, batches: Iterable[Tensor]) -> None:
    """A training step for each batch of indices."""
    for batch in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
        optimizer.step()


def accuracy(model: nn.Module, x: object, y: object) -> float:
    """Share of right answers on NumPy arrays of examples and labels."""
    model.eval()
    with torch.no_grad():
        right = model(torch.as_tensor(x)).argmax(1) == torch.as_tensor(y)
    return right.double().mean().item()
