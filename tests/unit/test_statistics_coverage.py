"""How often intervals hold the truth, by simulation, within bounds that the docstrings state."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from trainability.statistics import (
    Estimate,
    equivalence,
    expected_steps,
    interquartile_mean,
    paired,
    probability_of_improvement,
    running_time_ratio,
    steps_ratio,
    success_difference,
    trend,
)

TRIALS = 400


def coverage(draw: Callable[[np.random.Generator], Estimate], truth: float) -> float:
    """Share of simulated data sets whose interval holds the truth."""
    rng = np.random.default_rng(0)
    found = (draw(rng) for _ in range(TRIALS))
    return float(np.mean([one.low - 1e-12 <= truth <= one.high + 1e-12 for one in found]))


def near(share: float, low: float, high: float) -> bool:
    """Whether a share of the trials is compatible with a probability between the bounds."""
    hits = round(share * TRIALS)
    below, above = stats.binomtest(hits, TRIALS, low, "less"), stats.binomtest(hits, TRIALS, high, "greater")
    return min(below.pvalue, above.pvalue) > 0.001


@pytest.mark.parametrize("settings", [1, 6])
@pytest.mark.parametrize(("seeds", "low"), [(5, 0.91), (8, 0.93), (20, 0.94)])
def test_of_a_mean_difference(seeds: int, low: float, settings: int) -> None:
    """Settings share a seed's effect: intervals that took them as independent would be far too narrow."""

    def draw(rng: np.random.Generator) -> Estimate:
        control = rng.normal(size=(settings, seeds))
        treatment = control + 0.3 + rng.normal(size=(settings, seeds)) + rng.normal(size=seeds)
        return paired(treatment, control, rng)

    assert near(coverage(draw, 0.3), low, 0.96)


@pytest.mark.parametrize(("seeds", "low"), [(5, 0.87), (8, 0.89), (20, 0.92)])
def test_of_a_skewed_difference(seeds: int, low: float) -> None:
    assert near(coverage(lambda rng: paired(rng.exponential(size=seeds), np.zeros(seeds), rng), 1), low, 0.95)


@pytest.mark.parametrize(("seeds", "low"), [(5, 0.86), (8, 0.88), (20, 0.89)])
def test_of_two_one_sided_tests(seeds: int, low: float) -> None:
    """At the edge of what does not matter, equivalence is claimed about as seldom as said."""
    claimed = []

    def draw(rng: np.random.Generator) -> Estimate:
        found = paired(rng.normal(1, 0.3, size=seeds), np.zeros(seeds), rng, confidence=0.9)
        claimed.append(equivalence(found, -1, 1) == "inside")
        return found

    assert near(coverage(draw, 1), low, 0.91)
    assert near(float(np.mean(claimed)), 0.03, 0.07)


@pytest.mark.parametrize(("seeds", "low", "high"), [(5, 0.93, 0.95), (8, 0.97, 0.99), (20, 0.94, 0.97)])
def test_of_a_median(seeds: int, low: float, high: float) -> None:
    """A median's interval is one of order statistics: 5 values cannot hold it in more than 1 - 2 / 32."""
    share = coverage(lambda rng: paired(rng.lognormal(size=seeds), np.ones(seeds), rng, "median"), 0)
    assert near(share, low, high)


@pytest.mark.parametrize(("seeds", "low", "high"), [(5, 0.92, 0.96), (8, 0.96, 0.99), (20, 0.94, 0.97)])
def test_of_a_ratio_of_steps_with_misses(seeds: int, low: float, high: float) -> None:
    """A pair's log2 ratio is normal around 1/2; a third of the controls is censored, far from the middle."""

    def draw(rng: np.random.Generator) -> Estimate:
        logs = rng.normal(5, 1, size=seeds)
        shift = rng.normal(0.5, 0.3, size=seeds)
        miss = shift > 0.65
        treatment, control = np.where(miss, np.inf, 2 ** (logs + shift)), 2**logs
        return steps_ratio(treatment, control, rng)

    assert near(coverage(draw, 0.5), low, high)


@pytest.mark.parametrize(("seeds", "low"), [(5, 0.87), (8, 0.90), (20, 0.93)])
def test_of_a_ratio_of_running_times(seeds: int, low: float) -> None:
    def steps(rng: np.random.Generator, longest: float) -> np.ndarray:
        return np.where(rng.random(seeds) < 0.8, rng.uniform(20, longest, seeds), np.inf)

    truth = math.log2((0.8 * 50 + 20) / (0.8 * 30 + 20))
    share = coverage(lambda rng: running_time_ratio(steps(rng, 80), steps(rng, 40), 100, rng), truth)
    assert near(share, low, 0.98)


@pytest.mark.parametrize(("seeds", "low"), [(5, 0.87), (8, 0.91), (20, 0.92)])
def test_of_expected_steps_over_settings(seeds: int, low: float) -> None:
    """Six settings of different speed, a fifth of the runs missing in half of them."""
    reach = np.array([0.8, 1, 0.8, 1, 0.8, 1])[:, None]
    middle, budget = np.arange(1, 7)[:, None] * 20.0, np.full(6, 200.0)

    def draw(rng: np.random.Generator) -> Estimate:
        steps = rng.uniform(middle / 2, 1.5 * middle, (6, seeds))
        return expected_steps(np.where(rng.random((6, seeds)) < reach, steps, np.inf), budget, rng)

    spent = reach * middle + (1 - reach) * 200
    assert near(coverage(draw, float(spent.sum() / reach.sum())), low, 0.97)


@pytest.mark.parametrize("settings", [1, 4])
@pytest.mark.parametrize("seeds", [5, 8, 20])
@pytest.mark.parametrize(("mine", "other"), [(0.9, 0.6), (0.95, 0.95)])
def test_of_a_difference_of_success(mine: float, other: float, seeds: int, settings: int) -> None:
    def reached(rng: np.random.Generator, share: float) -> np.ndarray:
        return np.where(rng.random((settings, seeds)) < share, 1.0, np.inf)

    share = coverage(lambda rng: success_difference(reached(rng, mine), reached(rng, other)), mine - other)
    assert near(share, 0.94, 1)


@pytest.mark.parametrize(("seeds", "low"), [(5, 0.89), (8, 0.94), (20, 0.94)])
def test_of_a_probability_of_improvement(seeds: int, low: float) -> None:
    truth = float(stats.norm.cdf(0.5 / math.sqrt(2)))

    def draw(rng: np.random.Generator) -> Estimate:
        x, y = rng.normal(size=(2, seeds))
        return probability_of_improvement(x + 0.5, y, rng)

    assert near(coverage(draw, truth), low, 0.97)


@pytest.mark.parametrize("seeds", [5, 8, 20])
def test_of_an_interquartile_mean(seeds: int) -> None:
    share = coverage(lambda rng: interquartile_mean(rng.normal(size=(3, seeds)), rng), 0)
    assert near(share, 0.93, 0.97)


@pytest.mark.parametrize(("seeds", "low"), [(5, 0.92), (8, 0.93), (20, 0.93)])
def test_of_a_trend(seeds: int, low: float) -> None:
    """Four levels of standard normal figures without trend."""
    assert near(coverage(lambda rng: trend(rng.normal(size=(4, seeds)), rng), 0), low, 0.97)
