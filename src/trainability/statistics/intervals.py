"""Intervals: the bootstrap over seeds that every estimate shares, and Wilson's for shares."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
RESAMPLES = 2000


class NotEstimableError(ValueError):
    """The data do not hold what is asked for; the message is the reason."""


class Estimate(NamedTuple):
    """A value and the bounds of its interval."""

    value: float
    low: float
    high: float


def mean(sample: Array) -> Array:
    """Mean over seeds, then over settings: [..., S, seeds] to [S]."""
    return over_settings(sample.mean(-1))


def bootstrap(
    values: Array,
    rng: np.random.Generator,
    statistic: Callable[[Array], Array] = mean,
    confidence: float = 0.95,
    joint: bool = True,
) -> Estimate:
    """A statistic of `values` [..., seeds] with its expanded percentile bootstrap interval.

    `statistic` takes S samples [..., S, seeds] to [S]. Seeds are drawn jointly, the same for all settings: what a seed
    does to one setting it may do to another. With `joint` false each setting draws its own, as is right where runs of
    one seed have nothing in common (the stratified bootstrap of Agarwal et al. 2021).

    Percentiles of resampled statistics are too narrow for few values; Hesterberg (2015, "What teachers should know
    about the bootstrap", section 5.2) widens the tail level from alpha / 2 to Phi(-sqrt(n / (n - 1)) t), t being
    Student's quantile with n - 1 degrees of freedom, n - 1 per setting if these draw their own. Infinite values are
    kept, as misses; percentiles are then order statistics. One seed, or n equal ones, give an interval of no width.

    How often a 95 % interval holds the truth (3,000 simulated samples of each kind; Student's t in brackets):

        seeds              5            8            20
        mean, normal       92 % (95)    95 % (95)    95 % (95)
        mean, exponential  88 % (89)    90 % (89)    93 % (93)
        mean, log-normal   81 % (82)    84 % (83)    89 % (88)
        median, any        93 %         98 %         95 %

    No interval within the range of n values can reach more than 1 - 2^(1 - n) for a median: 75 % with 3 seeds, 88 %
    with 4, 94 % with 5, whatever level is asked for. 90 % intervals of a mean reach 88, 90 and 90 % (normal).
    """
    n = values.shape[-1]
    value = float(statistic(values[..., None, :])[0])
    if n < 2 or np.all(values == values[..., :1]):
        return Estimate(value, value, value)
    if joint:
        samples, freedom = values[..., rng.integers(n, size=(RESAMPLES, n))], n - 1
    else:
        drawn = rng.integers(n, size=(*values.shape[:-1], RESAMPLES, n))
        samples, freedom = np.take_along_axis(values[..., None, :], drawn, -1), values.size // n * (n - 1)
    resampled = np.sort(statistic(samples))
    outside = max(math.ceil(_expanded_tail(n, freedom, confidence) * RESAMPLES) - 1, 0)
    return Estimate(value, float(resampled[outside]), float(resampled[-1 - outside]))


@functools.cache
def _expanded_tail(n: int, freedom: int, confidence: float) -> float:
    t = stats.t.ppf(0.5 + confidence / 2, freedom)
    return float(stats.norm.cdf(-math.sqrt(n / (n - 1)) * t))


@functools.cache
def proportion(successes: int, n: int, confidence: float = 0.95) -> Estimate:
    """A share of n trials with Wilson's score interval (1927), which stays honest at 0 and at n."""
    interval = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return Estimate(successes / n, float(interval.low), float(interval.high))


def over_settings(figures: Array) -> Array:
    """Mean over all axes but the last: [..., S] to [S]. Settings count equally."""
    return figures.mean(tuple(range(figures.ndim - 1)))


def pooled(sample: Array) -> Array:
    """The runs of all settings side by side: [..., S, seeds] to [S, runs]."""
    return np.moveaxis(sample, -2, 0).reshape(sample.shape[-2], -1)


def complete(*tables: Array) -> None:
    """Raise unless all tables have one shape and no missing figure."""
    if len({table.shape for table in tables}) > 1:
        raise NotEstimableError(f"the tables differ in shape: {', '.join(str(table.shape) for table in tables)}")
    missing = sum(int(np.isnan(table).sum()) for table in tables)
    if missing:
        raise NotEstimableError(f"{missing} of {sum(table.size for table in tables)} figures are missing")
