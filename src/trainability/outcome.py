"""What a training leaves: its history, evaluation by evaluation, and how each run ended."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from trainability import health, schedule
from trainability.network import Network

DIVERGED_FACTOR = 3.0  # a final training loss above this multiple of the initial one is a divergence
CHANCE_DEVIATIONS = 3.09  # standard errors above chance (one-sided 0.1 %) that a run must beat once not to be stalled
VALIDATION = ("validation_loss", "validation_accuracy")
TRAIN = ("train_loss", "train_accuracy")
CURVES = TRAIN + VALIDATION


class History:
    """What R runs went through.

    `curves` holds the columns of CURVES as [E, R], for E evaluations at `steps`; `layers` the columns of
    health.COLUMNS as [P, L, R], for L hidden layers and the P evaluations at `probed`. The training figures are those
    of the probe set with batch statistics, NaN between probes. The room is taken at the start: small tensors kept
    between large passing ones would fragment the heap, by a gigabyte in a cell.
    """

    def __init__(self, total: int, layers: int, runs: int, device: torch.device | str = "cpu") -> None:
        self.steps, self.probed = schedule.evaluations(total), schedule.probes(total)
        curves, health_shape = (len(self.steps), runs), (len(self.probed), layers, runs)
        self.curves = {name: torch.full(curves, torch.nan, device=device) for name in CURVES}
        self.layers = {name: torch.full(health_shape, torch.nan, device=device) for name in health.COLUMNS}

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

    @classmethod
    def join(cls, parts: Sequence[History]) -> History:
        """The history of all runs of several stacks that were trained alike, on the CPU."""
        joined = cls.__new__(cls)
        joined.steps, joined.probed = parts[0].steps, parts[0].probed
        joined.curves = {name: torch.cat([part.curves[name] for part in parts], -1).cpu() for name in CURVES}
        joined.layers = {name: torch.cat([part.layers[name] for part in parts], -1).cpu() for name in health.COLUMNS}
        return joined


class Ending(NamedTuple):
    """How one run ended."""

    status: str  # ok, diverged or stalled
    reason: str = ""  # of a divergence or a stall
    step: int | None = None  # the step at which a divergence was found


@dataclass(frozen=True)
class Outcome:
    """Trained runs: their history, their last step's test figures, how each ended, and their networks by stack."""

    runs: list[tuple[int, float]]
    steps_per_epoch: int
    probe_examples: int
    history: History
    test_loss: Tensor  # [R]
    test_accuracy: Tensor  # [R]
    endings: list[Ending]
    networks: list[Network]
    device: str  # as devices.describe says it
    looking: float  # seconds of all evaluations and probes

    @property
    def status(self) -> list[str]:
        """Of each run: ok, diverged or stalled."""
        return [ending.status for ending in self.endings]

    @classmethod
    def join(cls, parts: Sequence[Outcome]) -> Outcome:
        """The outcome of all runs of several stacks, in their order."""
        return cls(
            runs=[run for part in parts for run in part.runs],
            steps_per_epoch=parts[0].steps_per_epoch,
            probe_examples=parts[0].probe_examples,
            history=History.join([part.history for part in parts]),
            test_loss=torch.cat([part.test_loss for part in parts]).cpu(),
            test_accuracy=torch.cat([part.test_accuracy for part in parts]).cpu(),
            endings=[ending for part in parts for ending in part.endings],
            networks=[network for part in parts for network in part.networks],
            device=parts[0].device,
            looking=sum(part.looking for part in parts),
        )


def judge(history: History, lost_at: Tensor, validation_labels: Tensor) -> list[Ending]:
    """How each run ended; `lost_at` [R] is the first step with a loss that was not finite, 0 where there is none."""
    initial, final = history.curves["train_loss"][[0, -1]].tolist()
    best = history.curves["validation_accuracy"].amax(0).tolist()
    chance = chance_within_noise(validation_labels)
    total = history.steps[-1]
    endings = []
    for run, lost in enumerate(lost_at.tolist()):
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
