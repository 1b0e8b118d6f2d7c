"""What is trained: four fully connected cells, small and large, without and with batch normalization; and a CNN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from trainability.cell import Cell

BATCHNORM, CONVOLUTIONS = "batch normalization", "convolutions"


@dataclass(frozen=True)
class Workload:
    """One cell: ReLU networks with kaiming_normal weights and zero biases, trained by SGD with momentum.

    `data` names the data set; workloads of one name share their prepared arrays. `architecture`, `width` and `depth`
    are our trainer's; `Job.network` is what all peers build from them.
    """

    name: str
    data: str
    width: int
    batchnorm: bool
    batch_size: int
    epochs: int
    learning_rates: tuple[float, ...]
    probe_examples: int
    test_examples: int = 2000  # the first ones, at most
    seeds: int = 8
    depth: int = 4
    momentum: float = 0.9
    architecture: Mapping[str, Any] = field(default_factory=lambda: {"name": "mlp"})

    @property
    def cell(self) -> Cell:
        """The workload as our trainer knows it."""
        factors: dict[str, Any] = {
            "dataset": DATA[self.data],
            "architecture": self.architecture,
            "normalization": "batchnorm" if self.batchnorm else "none",
            "depth": self.depth,
            "width": self.width,
            "optimizer": {"name": "sgd", "momentum": self.momentum},
            "batch_size": self.batch_size,
            "epochs": self.epochs,
            "probe_examples": self.probe_examples,
            "seeds": self.seeds,
            "learning_rates": list(self.learning_rates),
        }
        return Cell.model_validate(factors)

    @property
    def needs(self) -> set[str]:
        """What not every peer can do."""
        needed = {BATCHNORM: self.batchnorm, CONVOLUTIONS: self.cell.architecture.needs_image}
        return {name for name, is_needed in needed.items() if is_needed}

    @property
    def runs(self) -> list[tuple[int, float]]:
        """(seed, learning rate) of every run of the cell, seed by seed."""
        return self.cell.runs

    def of_one_seed(self, turn: int) -> list[tuple[int, float]]:
        """The runs of one seed, another one every turn: all that a loop over single trainings trains."""
        return [(turn % self.seeds, rate) for rate in self.learning_rates]

    def quick(self) -> Workload:
        """The same with two seeds and two epochs, to see that everything works. Its figures mean nothing."""
        return replace(self, seeds=2, epochs=2)


# A tenth of Fashion-MNIST's published training images or less, so that a round of all peers takes minutes, and as much
# less for evaluation, or it would be a good part of so short a training. Digits: 1152 training, 285 validation and 360
# test examples.
DATA: dict[str, dict[str, Any]] = {
    "digits": {"name": "digits"},
    "fashion": {"name": "fashion_mnist", "train_examples": 6000, "validation_examples": 300},
    "fashion-2000": {"name": "fashion_mnist", "train_examples": 2000, "validation_examples": 100},
}
# Rates at which all runs learn, so that mean accuracies can be compared.
_DIGITS = Workload("digits-4x64", "digits", 64, False, 32, 20, (0.003, 0.005, 0.01, 0.02, 0.03), 256)
_FASHION = Workload("fashion-4x256", "fashion", 256, False, 128, 6, (0.005, 0.01, 0.02, 0.03, 0.05), 256)
# Its output layer sees every position: with their mean, three epochs would not be enough to learn equally well.
_CNN = Workload(
    "fashion-cnn", "fashion-2000", 8, False, 64, 3, (0.002, 0.003, 0.005, 0.007, 0.01), 128, 500,
    architecture={"name": "cnn", "kernel": 3, "convolutions": 2, "pooling": "max", "growth": 2, "head": "flatten"},
)  # fmt: skip
WORKLOADS = {
    workload.name: workload
    for workload in (
        *(_DIGITS, replace(_DIGITS, name=f"{_DIGITS.name}-batchnorm", batchnorm=True)),
        *(_FASHION, replace(_FASHION, name=f"{_FASHION.name}-batchnorm", batchnorm=True)),
        _CNN,
    )
}
