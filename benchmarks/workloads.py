"""What is trained: four cells, small and large, without and with batch normalization."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from trainability.cell import Cell


@dataclass(frozen=True)
class Workload:
    """One cell: ReLU networks with kaiming_normal weights and zero biases, trained by SGD with momentum.

    `data` names the data set; workloads of one name share their prepared arrays.
    """

    name: str
    data: str
    width: int
    batchnorm: bool
    batch_size: int
    epochs: int
    learning_rates: tuple[float, ...]
    probe_examples: int
    seeds: int = 8
    depth: int = 4
    momentum: float = 0.9

    @property
    def cell(self) -> Cell:
        """The workload as our trainer knows it."""
        factors: dict[str, Any] = {
            "dataset": DATA[self.data],
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
    def runs(self) -> list[tuple[int, float]]:
        """(seed, learning rate) of every run of the cell, seed by seed."""
        return self.cell.runs

    def of_one_seed(self, turn: int) -> list[tuple[int, float]]:
        """The runs of one seed, another one every turn: all that a loop over single trainings trains."""
        return [(turn % self.seeds, rate) for rate in self.learning_rates]

    def quick(self) -> Workload:
        """The same with two seeds and two epochs, to see that everything works. Its figures mean nothing."""
        return replace(self, seeds=2, epochs=2)


# A tenth of Fashion-MNIST's published training images, so that a round of all peers takes minutes, and its first 2,000
# test images. Digits: 1152 training, 285 validation and 360 test examples.
DATA: dict[str, dict[str, Any]] = {
    "digits": {"name": "digits"},
    "fashion": {"name": "fashion_mnist", "train_examples": 6000, "validation_examples": 300},
}
# Rates at which all runs learn, so that mean accuracies can be compared.
_DIGITS = Workload("digits-4x64", "digits", 64, False, 32, 20, (0.003, 0.005, 0.01, 0.02, 0.03), 256)
_FASHION = Workload("fashion-4x256", "fashion", 256, False, 128, 6, (0.005, 0.01, 0.02, 0.03, 0.05), 256)
WORKLOADS = {
    workload.name: workload
    for plain in (_DIGITS, _FASHION)
    for workload in (plain, replace(plain, name=f"{plain.name}-batchnorm", batchnorm=True))
}
