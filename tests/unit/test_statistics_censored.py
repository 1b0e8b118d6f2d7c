"""Steps to a target with misses: every rule by hand, Newcombe's published example, and coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trainability import seeding
from trainability.convergence import expected_running_time, fraction_at_target
from trainability.statistics import (
    NotEstimableError,
    counted,
    expected_steps,
    log2_ratio,
    outcomes,
    performance_ratios,
    running_time_ratio,
    steps_ratio,
    success_difference,
)
from trainability.statistics.censored import median

INF = np.inf


def rng(*purpose: str | int) -> np.random.Generator:
    return seeding.generator(0, "test", *purpose)


def test_ratio_by_each_rule() -> None:
    treatment, control = np.array([8.0, 8.0, INF, INF, 0.0]), np.array([16.0, INF, 8.0, INF, 4.0])
    assert log2_ratio(treatment, control).tolist() == [-1, -INF, INF, 0, -2]
    assert log2_ratio(control, treatment).tolist() == [1, INF, -INF, 0, 2]
    assert outcomes(treatment, control) == (2, 1, 1, 1)


def test_missing_steps_are_an_error() -> None:
    steps = np.array([8.0, np.nan])
    for function in (log2_ratio, outcomes, success_difference):
        with pytest.raises(NotEstimableError, match="1 of 4 figures are missing"):
            function(steps, np.ones(2))
    with pytest.raises(NotEstimableError, match="differ in shape"):
        log2_ratio(np.ones(2), np.ones(3))


@pytest.mark.parametrize(
    ("values", "middle"),
    [([1, 3], 2), ([-INF, INF], 0), ([-INF, 1], -INF), ([1, INF], INF), ([INF, INF], INF), ([-INF, 2, INF], 2)],
)
def test_median_is_never_nan(values: list[float], middle: float) -> None:
    assert median(np.array(values)) == middle


class TestStepsRatio:
    def test_is_the_median_of_all_pairs(self) -> None:
        treatment, control = np.array([[8.0, 8, INF], [4, 8, 8]]), np.array([[16.0, 8, 8], [16, 16, INF]])
        assert steps_ratio(treatment, control, rng()).value == -1  # of -inf, -2, -1, -1, 0, inf

    def test_a_miss_is_worse_than_any_number_of_steps(self) -> None:
        """The mean of those that made it would call the treatment the faster one."""
        treatment, control = np.array([4.0, 4, INF, INF, INF]), np.array([16.0, 16, 16, 16, 16])
        found = steps_ratio(treatment, control, rng())
        assert found == (INF, -2, INF)
        assert steps_ratio(control, treatment, rng()) == (-INF, -INF, 2)

    def test_bounds_are_never_nan(self) -> None:
        draw = np.random.default_rng(0)
        for _ in range(100):
            treatment, control = (np.where(draw.random((2, 4)) < 0.5, 8.0, INF) for _ in range(2))
            for found in (steps_ratio(treatment, control, rng()), running_time_ratio(treatment, control, 64, rng())):
                assert found.low <= found.value <= found.high

    def test_two_misses_tie(self) -> None:
        assert steps_ratio(np.full(4, INF), np.full(4, INF), rng()) == (0, 0, 0)

    def test_misses_counted_as_steps(self) -> None:
        steps = np.array([4.0, INF])
        assert counted(steps, 64).tolist() == [4, 64]
        assert counted(steps, 64, 2).tolist() == [4, 128]
        found = steps_ratio(counted(np.array([INF] * 3), 64), np.array([16.0] * 3), rng())
        assert found == (2, 2, 2)


class TestPerformanceRatios:
    def test_by_hand(self) -> None:
        """Pairs by column: a tie, the first twice as fast, only the second there, none there, held before the start."""
        steps = np.array([[8.0, 8, INF, INF, 0], [8, 16, 64, INF, 4]])
        assert performance_ratios(steps).tolist() == [[1, 1, INF, INF, 1], [1, 2, 1, INF, 4]]

    def test_profiles_are_those_of_the_definition(self) -> None:
        """Dolan and Moré's rho by loops over problems and solvers."""
        draw = np.random.default_rng(4)
        steps = np.where(draw.random((3, 4, 5)) < 0.7, draw.integers(1, 40, (3, 4, 5)).astype(float), INF)
        factors = np.array([1, 1.5, 2, 4, 40])
        problems = [(i, j) for i in range(4) for j in range(5)]
        for solver, ratios in enumerate(performance_ratios(steps)):
            expected = [
                sum(
                    np.isfinite(steps[solver, i, j]) and steps[solver, i, j] <= factor * min(steps[:, i, j])
                    for i, j in problems
                )
                / len(problems)
                for factor in factors
            ]
            assert fraction_at_target(ratios.ravel(), factors) == pytest.approx(expected)

    def test_missing_steps_are_an_error(self) -> None:
        with pytest.raises(NotEstimableError, match="1 of 2 figures are missing"):
            performance_ratios(np.array([[8.0], [np.nan]]))


class TestExpectedSteps:
    def test_by_hand(self) -> None:
        """(10 + 20 + 100) and (30 + 1000 + 1000) over three successes; each miss spends its own setting's budget."""
        steps = np.array([[10.0, 20, INF], [30, INF, INF]])
        assert expected_steps(steps, np.array([100.0, 1000]), rng()).value == pytest.approx(2160 / 3)

    def test_is_the_settings_running_times_weighted_by_their_successes(self) -> None:
        draw = np.random.default_rng(5)
        steps, budget = (
            np.where(draw.random((3, 8)) < 0.8, draw.uniform(10, 90, (3, 8)), INF),
            np.array([90.0, 200, 500]),
        )
        each = [expected_running_time(row, one) for row, one in zip(steps, budget, strict=True)]
        found = expected_steps(steps, budget, rng())
        assert found.value == pytest.approx(np.average(each, weights=np.isfinite(steps).sum(1)))
        assert found.low < found.value < found.high

    def test_without_success_it_is_infinite(self) -> None:
        assert expected_steps(np.full((2, 3), INF), np.array([10.0, 10]), rng()) == (INF, INF, INF)

    def test_a_lone_success_bounds_it_on_one_side_only(self) -> None:
        found = expected_steps(np.array([[8.0, INF, INF, INF]]), np.array([100.0]), rng())
        assert found.value == 308
        assert found.low < 308
        assert found.high == INF


class TestRunningTimeRatio:
    def test_by_hand(self) -> None:
        """(10 + 20 + 100) / 2 = 65 against (10 + 100 + 100) / 1 = 210."""
        treatment, control = np.array([10.0, 20, INF]), np.array([10.0, INF, INF])
        found = running_time_ratio(treatment, control, 100, rng())
        assert found.value == pytest.approx(math.log2(65 / 210))

    def test_is_the_median_over_settings(self) -> None:
        treatment = np.array([[10.0, 10], [20, 20], [80, 80]])
        found = running_time_ratio(treatment, np.full((3, 2), 10.0), 100, rng())
        assert found == pytest.approx((1, 1, 1))

    def test_without_success(self) -> None:
        none, some = np.full(5, INF), np.array([8.0, INF, 8, 8, 8])
        found = running_time_ratio(none, some, 100, rng())
        assert found.value == found.high == INF
        assert running_time_ratio(none, none, 100, rng()) == (0, 0, 0)


class TestSuccessDifference:
    @pytest.mark.parametrize(
        ("pairs", "low", "high"),
        [((36, 12, 2, 0), 0.0569, 0.3404), ((1, 1, 7, 12), -0.507, -0.026)],
    )
    def test_is_as_published(self, pairs: tuple[int, ...], low: float, high: float) -> None:
        """Newcombe 1998, table II; Bentur et al. 2009 in Fagerland, Lydersen and Laake 2014."""
        kinds = [(1.0, 1.0), (1.0, INF), (INF, 1.0), (INF, INF)]
        treatment, control = np.repeat(np.array(kinds), pairs, axis=0).T
        found = success_difference(treatment, control)
        assert found.value == pytest.approx((pairs[1] - pairs[2]) / sum(pairs))
        assert (found.low, found.high) == pytest.approx((low, high), abs=6e-4)

    def test_where_all_succeed_seeds_still_tell_little(self) -> None:
        found = success_difference(np.ones(8), np.ones(8))
        wilson = 1.959964**2 / (8 + 1.959964**2)  # 1 - 8 / (8 + z^2)
        assert found == pytest.approx((0, -wilson, wilson))

    def test_settings_narrow_it_by_the_root_of_their_number(self) -> None:
        one = success_difference(np.ones(8), np.ones(8))
        four = success_difference(np.ones((4, 8)), np.ones((4, 8)))
        assert (four.low, four.high) == pytest.approx((one.low / 2, one.high / 2))

    def test_stays_within_what_is_possible(self) -> None:
        found = success_difference(np.ones(8), np.full(8, INF))
        assert -1 <= found.low < found.value == found.high == 1
