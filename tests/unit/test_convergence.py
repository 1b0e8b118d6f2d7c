"""Convergence and its intervals: cases worked out by hand, and coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from trainability import seeding, tables
from trainability.convergence import expected_running_time, fraction_at_target, steps_to_target
from trainability.statistics import bootstrap, proportion

INF = np.inf


class TestStepsToTarget:
    def test_is_the_first_evaluation_at_or_above(self) -> None:
        accuracy = np.array([[0.1, 0.1, 0.95], [0.9, 0.5, np.nan], [0.5, 0.89999, 0.3], [0.95, 0.9, 0.2]])
        found = steps_to_target([0, 10, 20, 30], accuracy, 0.9)
        assert found.tolist() == [10, 30, 0]

    def test_misses_are_infinite(self) -> None:
        accuracy = np.array([[0.1, np.nan], [0.2, np.nan]])
        assert steps_to_target([0, 10], accuracy, 0.9).tolist() == [INF, INF]


def test_by_hand() -> None:
    steps = np.array([10.0, 30.0, INF, 20.0])
    found = tables._reaching(steps, 0.9, 100, "cell")
    assert (found["success_0.9"], found["median_steps_to_0.9"]) == (0.75, 25)
    assert expected_running_time(steps, budget=100) == pytest.approx((10 + 30 + 100 + 20) / 3)
    assert fraction_at_target(steps, np.array([5.0, 10.0, 29.0, 1000.0])).tolist() == [0, 0.25, 0.5, 0.75]


def test_median_is_infinite_where_half_the_runs_miss() -> None:
    for steps, median in (([10.0, 20.0, INF], 20), ([10.0, INF], INF)):
        assert tables._reaching(np.array(steps), 0.9, 100, "cell")["median_steps_to_0.9"] == median
    assert expected_running_time(np.array([INF, INF]), 50) == INF


class TestBootstrap:
    def test_has_its_nominal_coverage_for_eight_seeds(self) -> None:
        """Percentiles alone cover about 89 %; the expanded ones come close to 95 %."""
        rng = np.random.default_rng(0)
        hits = 0
        for trial in range(400):
            estimate = bootstrap(rng.normal(size=8), seeding.generator(trial, "coverage"))
            hits += estimate.low <= 0 <= estimate.high
        assert stats.binomtest(hits, 400, 0.95).pvalue > 0.001, hits

    def test_is_close_to_students_interval(self) -> None:
        values = np.random.default_rng(1).normal(5, 2, size=30)
        estimate = bootstrap(values, seeding.generator(0, "t"))
        low, high = stats.t.interval(0.95, 29, values.mean(), stats.sem(values))
        assert estimate.value == pytest.approx(values.mean())
        assert estimate.low == pytest.approx(low, abs=0.15)
        assert estimate.high == pytest.approx(high, abs=0.15)

    def test_same_generator_same_interval(self) -> None:
        values = np.random.default_rng(2).normal(size=8)
        np.random.seed(3)
        one = bootstrap(values, seeding.generator(0, "a"))
        np.random.seed(4)
        assert one == bootstrap(values, seeding.generator(0, "a"))
        assert one != bootstrap(values, seeding.generator(1, "a"))

    def test_of_one_value_or_equal_values_has_no_width(self) -> None:
        assert bootstrap(np.array([2.0]), seeding.generator(0)) == (2, 2, 2)
        assert bootstrap(np.array([INF, INF]), seeding.generator(0)) == (INF, INF, INF)

    def test_keeps_misses_as_infinity(self) -> None:
        median = bootstrap(
            np.array([10.0, 20.0, 30.0, INF, INF]),
            seeding.generator(0),
            lambda sample: np.median(sample, axis=-1),
        )
        assert (median.value, median.high) == (30, INF)
        assert median.low >= 10


def test_proportion_is_wilsons() -> None:
    estimate = proportion(8, 8)
    z = stats.norm.ppf(0.975)
    assert estimate.value == 1
    assert estimate.high == pytest.approx(1)
    assert estimate.low == pytest.approx(8 / (8 + z**2))
