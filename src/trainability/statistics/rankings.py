"""Orders: whether a figure rises with a factor, whether two rankings agree, whether a ranking hangs on the misses."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

from trainability.convergence import expected_running_time
from trainability.statistics.censored import counted, median
from trainability.statistics.intervals import Array, Estimate, bootstrap, complete

# Steps [treatments, settings, seeds] to scores [treatments, settings], the lower the better, by how misses count.
COUNTINGS: dict[str, Callable[[Array, float], Array]] = {
    "median, a miss is infinite": lambda steps, budget: median(steps),
    "mean, a miss is the budget": lambda steps, budget: counted(steps, budget).mean(-1),
    "mean, a miss is twice the budget": lambda steps, budget: counted(steps, budget, 2).mean(-1),
    "expected running time": expected_running_time,
}


class Sensitivity(NamedTuple):
    """Rankings by counting: mean rank of each treatment [treatments], tau of each two, and pairs they reverse."""

    ranks: dict[str, Array]
    tau: dict[tuple[str, str], float]
    reversals: tuple[tuple[int, int], ...]


def sensitivity(steps: Array, budget: float) -> Sensitivity:
    """How the ranking of treatments changes with the way misses count; steps [treatments, settings, seeds].

    Treatments are ranked within each setting, 1 the fastest, ties sharing their mean rank; ranks are then averaged
    over settings. `reversals` names treatments i < j of which one counting puts i first and another j; it is empty
    where the ranking does not hang on the misses, though a tie may be broken, which lowers tau.
    """
    complete(steps)
    ranks = {name: stats.rankdata(score(steps, budget), axis=0).mean(1) for name, score in COUNTINGS.items()}
    tau = {
        (one, other): float(kendall_tau(ranks[one], ranks[other])) for one, other in itertools.combinations(ranks, 2)
    }
    signs = np.stack([_signs(found) for found in ranks.values()])
    reversed_ = (signs.min(0) < 0) & (signs.max(0) > 0)
    pairs = itertools.compress(itertools.combinations(range(len(steps)), 2), reversed_)
    return Sensitivity(ranks, tau, tuple(pairs))


def kendall_tau(x: Array, y: Array) -> Array:
    """Kendall's tau-b (1945) of x and y [items, ...] over the first axis: [...]; 0 where either is all ties."""
    one, other = _signs(x), _signs(y)
    pairs = np.sqrt((one**2).sum(0) * (other**2).sum(0))
    return np.asarray((one * other).sum(0) / np.maximum(pairs, 1))


def trend(values: Array, rng: np.random.Generator, confidence: float = 0.95) -> Estimate:
    """Kendall's tau of a figure with an ordered factor, per seed, averaged over seeds and settings.

    `values` [..., levels, seeds] are in the order of the levels; 1 is rising throughout with every seed. Infinite ones
    compare as such. The interval has no width where all seeds have one tau, as with few levels they often do.
    """
    complete(values)
    by_level = np.moveaxis(values, -2, 0)
    levels = np.arange(len(by_level), dtype=float).reshape(-1, *[1] * (by_level.ndim - 1))
    return bootstrap(kendall_tau(by_level, levels), rng, confidence=confidence)


def agreement(x: Array, y: Array, rng: np.random.Generator, confidence: float = 0.95) -> Estimate:
    """Kendall's tau between two rankings of the same items by mean over seeds; x and y [items, seeds].

    Seeds are resampled jointly. Resampled means are noisier than the means, so bounds lie low where items are close.
    """
    complete(x, y)

    def statistic(sample: Array) -> Array:
        means = sample.mean(-1)
        return kendall_tau(means[0], means[1])

    return bootstrap(np.stack([x, y]), rng, statistic, confidence)


def _signs(values: Array) -> Array:
    """Of all pairs of items i < j [items, ...]: 1 where j is larger, -1 where i is, 0 where they tie."""
    first, second = np.triu_indices(len(values), 1)
    one, other = values[first], values[second]
    return (other > one).astype(float) - (other < one)
