"""Aggregates over runs: cases worked out by hand, and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from trainability import seeding
from trainability.convergence import fraction_at_target
from trainability.statistics import (
    NotEstimableError,
    interquartile_mean,
    performance_profile,
    probability_of_improvement,
)


def rng() -> np.random.Generator:
    return seeding.generator(0, "test")


class TestInterquartileMean:
    def test_by_hand(self) -> None:
        """Of 1 to 7 and an outlier, two are cut at each end: 3, 4, 5, 6."""
        assert interquartile_mean(np.array([[7.0, 1, 3, 1000], [5, 2, 4, 6]]), rng()).value == 4.5

    def test_is_scipys(self) -> None:
        scores = np.random.default_rng(0).normal(size=(3, 7))
        assert interquartile_mean(scores, rng()).value == pytest.approx(stats.trim_mean(scores, 0.25, axis=None))

    def test_each_setting_draws_its_own_seeds_unless_joint(self) -> None:
        """An effect of a seed that two settings have with opposite signs cancels only if they draw the same seeds."""
        effect = np.random.default_rng(1).normal(size=8)
        scores = np.stack([effect, -effect])
        own, joint = (interquartile_mean(scores, rng(), joint=joint) for joint in (False, True))
        assert own.high - own.low > 1.5 * (joint.high - joint.low)

    def test_a_missing_score_is_an_error(self) -> None:
        with pytest.raises(NotEstimableError, match="1 of 2 figures are missing"):
            interquartile_mean(np.array([[1.0, np.nan]]), rng())


class TestProbabilityOfImprovement:
    def test_by_hand(self) -> None:
        """3 beats 1 and 2; 2 beats 1 and ties with 2."""
        assert probability_of_improvement(np.array([3.0, 2.0]), np.array([1.0, 2.0]), rng()).value == 3.5 / 4

    def test_is_mann_and_whitneys_averaged_over_settings(self) -> None:
        x, y = np.random.default_rng(2).integers(5, size=(2, 3, 6)).astype(float)
        shares = [stats.mannwhitneyu(one, two).statistic / 36 for one, two in zip(x, y, strict=True)]
        assert probability_of_improvement(x, y, rng()).value == pytest.approx(np.mean(shares))

    def test_sides_are_complements(self) -> None:
        x, y = np.random.default_rng(3).normal(size=(2, 2, 8))
        one, other = probability_of_improvement(x, y, rng()), probability_of_improvement(y, x, rng())
        assert one == pytest.approx((1 - other.value, 1 - other.high, 1 - other.low))
        assert 0 <= one.low < one.value < one.high <= 1

    def test_infinite_steps_tie(self) -> None:
        assert probability_of_improvement(np.array([np.inf, 1]), np.array([np.inf, 1]), rng()).value == 0.5


def test_performance_profile_by_hand() -> None:
    scores = np.array([[0.1, 0.5], [0.9, 0.5]])
    assert performance_profile(scores, np.array([0.0, 0.1, 0.5, 0.95])).tolist() == [1, 0.75, 0.25, 0]
    at = np.array([0.2, 0.5])
    assert performance_profile(scores, at) == pytest.approx(1 - fraction_at_target(scores.ravel(), at))
