"""What activations come to as a whole, over all settings that they share: how fast, how sure, how accurate.

Interquartile means and probabilities of improvement as in Agarwal et al. (2021), running times as in Hansen et al.
(2009), nearness to the fastest as in Dolan and Moré (2002).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trainability import seeding, statistics
from trainability.report.material import Material
from trainability.statistics import Estimate
from trainability.suite import Results, Suite, results
from trainability.tables import steps_column

CHANCE = 0.05  # what few seeds cannot reach is no evidence, however far apart the runs lie


@dataclass(frozen=True)
class Overall:
    """A suite's results, summarised by activation."""

    suite: Suite
    results: Results
    target: float

    @property
    def pairs(self) -> int:
        """Pairs of setting and seed."""
        return int(self.results.steps[0].size)

    @property
    def seeds(self) -> int:
        return int(self.results.steps.shape[-1])

    @cached_property
    def success(self) -> dict[str, Estimate]:
        """Share of all runs that reached the target, with Wilson's interval as if they were of one setting.

        It is too wide where settings differ: with 10 settings of 5 to 20 independent runs, 95 % intervals held the
        truth in 94 to 100 % of 1,000 simulations.
        """
        reached = np.isfinite(self.results.steps)
        return self._each(lambda index, _: statistics.proportion(int(reached[index].sum()), self.pairs))

    @cached_property
    def expected(self) -> dict[str, Estimate]:
        """Expected running time."""
        found = self.results
        return self._each(lambda index, rng: statistics.expected_steps(found.steps[index], found.budget, rng))

    @cached_property
    def accuracy(self) -> dict[str, Estimate]:
        """Interquartile mean of test accuracy."""
        return self._each(lambda index, rng: statistics.interquartile_mean(self.results.accuracy[index], rng))

    def within(self, factor: float) -> dict[str, float]:
        """Share of pairs solved within a factor of the fastest activation's steps."""
        shares = (statistics.performance_ratios(self.results.steps) <= factor).mean((1, 2))
        return dict(zip(self.suite.activations, map(float, shares), strict=True))

    @cached_property
    def improvement(self) -> dict[tuple[str, str], Estimate]:
        """Chance that a run of the first activation is more accurate than one of the second, for all ordered pairs."""
        found: dict[tuple[str, str], Estimate] = {}
        for (i, one), (j, other) in itertools.combinations(enumerate(self.suite.activations), 2):
            rng = seeding.generator(0, "bootstrap", "improvement", one, other)
            chance = statistics.probability_of_improvement(self.results.accuracy[i], self.results.accuracy[j], rng)
            found[one, other] = chance
            found[other, one] = Estimate(1 - chance.value, 1 - chance.high, 1 - chance.low)
        return found

    @property
    def decidable(self) -> bool:
        """Whether so few seeds could tell any two activations apart."""
        return statistics.smallest_p(self.seeds) <= CHANCE

    def better(self, one: str, other: str) -> bool:
        """Whether the chance that `one` beats `other` is above one half, its interval too."""
        return self.decidable and self.improvement[one, other].low > 0.5

    def _each(self, estimate: Callable[[int, np.random.Generator], Estimate]) -> dict[str, Estimate]:
        return {
            name: estimate(index, seeding.generator(0, "bootstrap", "overall", name))
            for index, name in enumerate(self.suite.activations)
        }


def overall(suite: Suite, found: Material) -> Overall:
    """A suite without a problem, with its results."""
    chance = 1 / found.settings.base.dataset.classes
    return Overall(suite, results(suite, found.runs, found.cells, steps_column(found.target), chance), found.target)
