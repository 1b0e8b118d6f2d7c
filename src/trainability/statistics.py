"""Estimates with intervals over seeds, from a generator that the caller names."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
RESAMPLES = 2000


class Estimate(NamedTuple):
    """A value and the bounds of its interval."""

    value: float
    low: float
    high: float


def bootstrap(
    values: Array,
    rng: np.random.Generator,
    statistic: Callable[[Array], Array] = lambda sample: sample.mean(-1),
    confidence: float = 0.95,
) -> Estimate:
    """A statistic of `values` [n] with its expanded percentile bootstrap interval.

    `statistic` reduces the last axis. Percentiles of resampled statistics are too narrow for few values; Hesterberg
    (2015, "What teachers should know about the bootstrap", section 5.2) widens the tail level from alpha / 2 to
    Phi(-sqrt(n / (n - 1)) t), t being Student's quantile with n - 1 degrees of freedom. Infinite values are kept, as
    misses; percentiles are then order statistics. One value, or n equal ones, give an interval of no width.
    """
    n = len(values)
    value = float(statistic(values))
    if n < 2 or np.all(values == values[0]):
        return Estimate(value, value, value)
    tail = _expanded_tail(n, confidence)
    resampled = np.sort(statistic(values[rng.integers(n, size=(RESAMPLES, n))]))
    outside = max(math.ceil(tail * RESAMPLES) - 1, 0)
    return Estimate(value, float(resampled[outside]), float(resampled[-1 - outside]))


@functools.cache
def _expanded_tail(n: int, confidence: float) -> float:
    from scipy import stats  # a second to import, and the Snakefile never needs it

    t = stats.t.ppf(0.5 + confidence / 2, n - 1)
    return float(stats.norm.cdf(-math.sqrt(n / (n - 1)) * t))


@functools.cache
def proportion(successes: int, n: int, confidence: float = 0.95) -> Estimate:
    """A share of n trials with Wilson's score interval (1927), which stays honest at 0 and at n."""
    from scipy import stats

    interval = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return Estimate(successes / n, float(interval.low), float(interval.high))
