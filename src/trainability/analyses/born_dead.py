"""How likely a network is born dead, against its depth and width."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Literal

from trainability.activations import Activation, Relu
from trainability.analyses.base import ANALYSES, Activations, Analysis, Count, Depths, Initializers, Row, Widths
from trainability.initializers import Initializer, KaimingNormal, RandomizedAsymmetric, Scaled, XavierNormal

TOGETHER = 1000  # trials a stack; a run's bits do not depend on it
POINTS = 10  # of the input, between -sqrt 3 and sqrt 3: variance 1; without biases their sign alone matters to a ReLU


@ANALYSES.register
class BornDead(Analysis):
    """The share of networks with a layer of dead units only, which no example can ever change.

    Scalar input, biases as the initialiser has them, 0 but for rai; a unit is dead by the rule of `health`. `depths`
    are hidden layers: depth 10 of Lu et al. is 9 of them. The trials of one depth are the first layers of those of a
    larger one. A row counts the `trials` of one of `rounds` rounds, whose spread shows how well the share is known.
    `low` and `high` are Wilson's 95 % interval of the row; `bound` is the upper bound below, which holds for ReLU and
    symmetric draws without biases: here the schemes that are a variance and a shape.
    """

    formula = r"P \leq 1 - (1 - 2^{-w})^d"
    reference = "Lu, Shin, Su & Karniadakis 2020, Dying ReLU and Initialization, arXiv 1903.06733"

    name: Literal["born_dead"] = "born_dead"
    activations: Activations = (Relu(),)
    inits: Initializers = (KaimingNormal(), RandomizedAsymmetric(), XavierNormal())
    depths: Depths = (3, 6, 9)
    widths: Widths = (2, 3, 5, 10)
    rounds: Count = 10
    trials: Count = 300

    def rows(self) -> list[Row]:
        chosen = itertools.product(self.activations, self.inits, self.widths)
        return [row for activation, init, width in chosen for row in self._depths(activation, init, width)]

    def _depths(self, activation: Activation, init: Initializer, width: int) -> Iterator[Row]:
        from trainability.statistics import proportion

        bounded = activation == Relu() and isinstance(init, Scaled)
        dead = self._dead(activation, init, width)
        for depth, number in itertools.product(self.depths, range(self.rounds)):
            share = proportion(dead[depth - 1][number], self.trials)
            yield {
                "activation": activation.label,
                "init": init.label,
                "depth": depth,
                "width": width,
                "round": number,
                "trials": self.trials,
                "dead": dead[depth - 1][number],
                "born_dead_share": share.value,
                "low": share.low,
                "high": share.high,
                "bound": 1.0 - (1.0 - 2.0**-width) ** depth if bounded else None,
            }

    def _dead(self, activation: Activation, init: Initializer, width: int) -> list[list[int]]:
        """How many trials of each round have a dead layer among the first one, two and so on: [depth][round]."""
        import torch

        from trainability.analyses import networks
        from trainability.health import Monitor
        from trainability.linear import columns

        points = torch.linspace(-(3.0**0.5), 3.0**0.5, POINTS).unsqueeze(1)
        factors = {"activation": activation, "init": init, "depth": max(self.depths), "width": width}
        total, parts = self.rounds * self.trials, []
        for first in range(0, total, TOGETHER):
            seeds = range(first, min(first + TOGETHER, total))
            network = networks.stack(points, 1, seeds, **factors)
            measured, _ = Monitor(network, points, points, torch.zeros(POINTS, columns(1))).measure()
            parts.append((measured["dead_fraction"] == 1).cummax(0).values)
        return torch.cat(parts, 1).unflatten(1, (self.rounds, self.trials)).sum(-1).tolist()
