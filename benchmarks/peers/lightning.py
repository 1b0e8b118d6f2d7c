"""PyTorch Lightning with everything off that costs time: no logger, no checkpoints, no progress bar."""

from __future__ import annotations

import logging
import time
import warnings
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.peers.plain_script import sequential
from benchmarks.peers.script_in_memory import accuracy
from benchmarks.protocol import Job, Training


class Classifier(lightning.LightningModule):
    """The network and its optimiser."""

    def __init__(self, model: nn.Module, rate: float, momentum: float) -> None:
        super().__init__()
        self.model, self.rate, self.momentum = model, rate, momentum

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        x, y = batch
        return nn.functional.cross_entropy(self.model(x), y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.model.parameters(), lr=self.rate, momentum=self.momentum)


class Stopwatch(lightning.Callback):
    """Seconds of each epoch."""

    def __init__(self) -> None:
        self.epochs: list[float] = []
        self.clock = 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        self.clock = time.perf_counter()

    def on_train_epoch_end(self, *_: Any) -> None:
        self.epochs.append(time.perf_counter() - self.clock)


def train(job: Job) -> Training:
    """A Trainer for each run; the first epoch of each is its warm-up."""
    # Advice about more workers and missing GPUs, once a run.
    warnings.filterwarnings("ignore", module="lightning")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    workload, arrays, training = job.workload, job.arrays, Training()
    examples = TensorDataset(torch.from_numpy(arrays.train_x), torch.from_numpy(arrays.train_y))
    for seed, rate in job.runs:
        started = time.perf_counter()
        torch.manual_seed(seed)
        model = sequential(job.network)
        loader = DataLoader(examples, batch_size=workload.batch_size, shuffle=True, drop_last=True)
        stopwatch = Stopwatch()
        trainer = lightning.Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=workload.epochs,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[stopwatch],
        )
        trainer.fit(Classifier(model, rate, workload.momentum), loader)
        training.epochs += stopwatch.epochs[1:]
        training.accuracies.append(accuracy(model, arrays.test_x, arrays.test_y))
        training.runs.append(time.perf_counter() - started)
    return training
