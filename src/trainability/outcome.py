"""What a training leaves: its history, evaluation by evaluation, and how each run ended."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from trainability import health, schedule
from trainability.blueprint import Blueprint
from trainability.network import Network

DIVERGED_FACTOR = 3.0  # a final training loss above this multiple of the initial one is a divergence
CHANCE_DEVIATIONS = 3.09  # standard errors above chance (one-sided 0.1 %) that a run must beat once not to be stalled
VALIDATION = ("validation_loss", "validation_accuracy")
TRAIN = ("train_loss", "train_accuracy")
CURVES = TRAIN + VALIDATION
TEST = ("test_loss", "test_accuracy")


class History:
    """What R runs went through.

    `curves` holds the columns of CURVES as [E, R], for E evaluations at `steps`; `layers` the columns of
    health.COLUMNS as [P, L, R], for L hidden layers and the P evaluations at `probed`. The training figures are those
    of the probe set with batch statistics, NaN between probes. `test` holds the columns of TEST as [R], after the last
    step; `lost_at` [R] is the first step with a loss that was not finite, 0 where there is none; `looking` is how many
    seconds measuring all this took. The room is taken at the start: small tensors kept between large passing ones
    would fragment the heap, by a gigabyte in a cell.
    """

    def __init__(self, total: int, layers: int, runs: int, device: torch.device | str = "cpu") -> None:
        self.steps, self.probed = schedule.evaluations(total), schedule.probes(total)

        def unknown(names: Sequence[str], *shape: int) -> dict[str, Tensor]:
            return {name: torch.full((*shape, runs), torch.nan, device=device) for name in names}

        self.curves = unknown(CURVES, len(self.steps))
        self.layers = unknown(health.COLUMNS, len(self.probed), layers)
        self.test = unknown(TEST)
        self.lost_at = torch.zeros(runs, dtype=torch.long, device=device)
        self.looking = torch.zeros((), dtype=torch.float64)

    @property
    def of_runs(self) -> list[Tensor]:
        """All that belongs to runs, [..., R]."""
        return [*self.curves.values(), *self.layers.values(), *self.test.values(), self.lost_at]

    @property
    def state(self) -> list[Tensor]:
        """All of it, as it stands."""
        return [*self.of_runs, self.looking]

    def enter(self, step: int, names: Sequence[str], figures: Sequence[Tensor]) -> None:
        """Put down the figures [R] of an evaluation, for the columns `names` of `curves`."""
        evaluation = self.steps.index(step)
        for name, values in zip(names, figures, strict=True):
            self.curves[name][evaluation] = values

    def enter_layers(self, step: int, layers: Mapping[str, Tensor]) -> None:
        """Put down what a probe has measured, [L, R] a column."""
        probe = self.probed.index(step)
        for name, values in layers.items():
            self.layers[name][probe] = values

    def enter_end(self, test: Sequence[Tensor], lost_at: Tensor) -> None:
        """Put down the test figures [R] after the last step, and when runs were lost."""
        for name, values in zip(TEST, test, strict=True):
            self.test[name].copy_(values)
        self.lost_at.copy_(lost_at)

    def take_over(self, part: History, runs: slice) -> None:
        """Put down the whole history of some of the runs, of a stack trained on whatever device."""
        for whole, values in zip(self.of_runs, part.of_runs, strict=True):
            whole[..., runs] = values
        self.looking += part.looking


class Ending(NamedTuple):
    """How one run ended."""

    status: str  # ok, diverged or stalled
    reason: str = ""  # of a divergence or a stall
    step: int | None = None  # the step at which a divergence was found


@dataclass(frozen=True)
class Outcome:
    """Trained runs: their history, their last step's test figures, and how each ended.

    `networks` are those that were trained here, by stack: not those of stacks that a process finished before it was
    killed.
    """

    runs: list[tuple[int, float]]
    steps_per_epoch: int
    probe_examples: int
    history: History
    test_loss: Tensor  # [R]
    test_accuracy: Tensor  # [R]
    endings: list[Ending]
    plan: Blueprint
    stacks: int
    networks: list[Network]
    device: str  # as devices.describe says it
    looking: float  # seconds of all evaluations and probes

    @property
    def status(self) -> list[str]:
        """Of each run: ok, diverged or stalled."""
        return [ending.status for ending in self.endings]


def judge(history: History, validation_labels: Tensor) -> list[Ending]:
    """How each run ended."""
    initial, final = history.curves["train_loss"][[0, -1]].tolist()
    best = history.curves["validation_accuracy"].amax(0).tolist()
    chance = chance_within_noise(validation_labels)
    total = history.steps[-1]
    endings = []
    for run, lost in enumerate(history.lost_at.tolist()):
        ending = Ending("ok")
        if lost:
            ending = Ending("diverged", "non-finite loss", lost)
        elif not final[run] <= DIVERGED_FACTOR * initial[run]:
            times = f"{final[run]:.3g} after {initial[run]:.3g}"
            ending = Ending("diverged", f"final loss above {DIVERGED_FACTOR:g} x the initial one: {times}", total)
        elif best[run] <= chance:
            ending = Ending("stalled", f"validation accuracy never above {chance:.3f}, chance within noise")
        endings.append(ending)
    return endings


def chance_within_noise(labels: Tensor) -> float:
    """The accuracy that always naming the largest class exceeds only with probability 0.1 %."""
    share = labels.bincount().max().item() / len(labels)
    return share + CHANCE_DEVIATIONS * math.sqrt(share * (1 - share) / len(labels))
