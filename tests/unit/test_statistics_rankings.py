"""Trends and rankings: cases worked out by hand, and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from trainability import seeding
from trainability.statistics import NotEstimableError, agreement, kendall_tau, sensitivity, trend

INF = np.inf


def rng() -> np.random.Generator:
    return seeding.generator(0, "test")


class TestKendall:
    def test_is_scipys_with_ties(self) -> None:
        x, y = np.random.default_rng(0).integers(4, size=(2, 7, 20)).astype(float)
        expected = [stats.kendalltau(x[:, i], y[:, i]).statistic for i in range(20)]
        assert kendall_tau(x, y) == pytest.approx(np.array(expected))

    def test_of_infinite_and_of_tied_values(self) -> None:
        assert kendall_tau(np.array([1.0, 2.0, INF]), np.arange(3.0)) == 1
        assert kendall_tau(np.full(3, INF), np.arange(3.0)) == 0


class TestTrend:
    def test_by_hand(self) -> None:
        """Three levels: one seed rises in all pairs, one falls in one of three: tau 1 and 1 / 3."""
        found = trend(np.array([[1.0, 1.0], [2.0, 3.0], [3.0, 2.0]]), rng())
        assert found.value == pytest.approx(2 / 3)

    def test_is_per_seed(self) -> None:
        """Seeds far apart, each rising: what a correlation over all runs would hide."""
        values = np.arange(4.0)[:, None] + 100 * np.arange(5.0)
        assert trend(values, rng()) == (1, 1, 1)
        assert trend(-values, rng()) == (-1, -1, -1)

    def test_averages_over_settings(self) -> None:
        rising = np.arange(4.0)[:, None] + np.zeros(5)
        assert trend(np.stack([rising, -rising, rising, rising]), rng()).value == 0.5

    def test_a_missing_figure_is_an_error(self) -> None:
        with pytest.raises(NotEstimableError, match="missing"):
            trend(np.array([[1.0], [np.nan]]), rng())


class TestAgreement:
    def test_by_hand(self) -> None:
        """Means 1, 2, 3 against 1, 3, 2."""
        noise = np.array([-0.1, 0.0, 0.1])
        x, y = np.array([[1.0], [2.0], [3.0]]) + noise, np.array([[1.0], [3.0], [2.0]]) - noise
        assert agreement(x, y, rng()) == pytest.approx((1 / 3, 1 / 3, 1 / 3))

    def test_is_uncertain_where_items_are_close(self) -> None:
        x, y = np.random.default_rng(1).normal(size=(2, 5, 8))
        found = agreement(x, y, rng())
        assert found.value == pytest.approx(stats.kendalltau(x.mean(1), y.mean(1)).statistic)
        assert found.high - found.low > 0.5


class TestSensitivity:
    def test_a_ranking_that_hangs_on_the_misses(self) -> None:
        """Three fast runs and two misses against five slow runs; budget 100.

        Median 10 < 50. Mean with misses at the budget 46 < 50, at twice 86 > 50. Running time 230 / 3 > 50.
        """
        steps = np.array([[[10.0, 10, 10, INF, INF]], [[50.0, 50, 50, 50, 50]]])
        found = sensitivity(steps, 100)
        assert [ranks.tolist() for ranks in found.ranks.values()] == [[1, 2], [1, 2], [2, 1], [2, 1]]
        assert list(found.tau.values()) == [1, -1, -1, -1, -1, 1]
        assert found.reversals == ((0, 1),)

    def test_one_that_does_not(self) -> None:
        steps = np.array([[[10.0, 10, 10]], [[50.0, 50, INF]], [[60.0, INF, INF]]])
        found = sensitivity(steps, 100)
        assert found.reversals == ()
        assert set(found.tau.values()) == {1}
        assert {tuple(ranks) for ranks in found.ranks.values()} == {(1, 2, 3)}

    def test_ranks_are_averaged_over_settings_and_ties_share(self) -> None:
        steps = np.array([[[10.0, 10], [INF, INF]], [[20.0, 20], [INF, INF]], [[30.0, 30], [5, 5]]])
        ranks = next(iter(sensitivity(steps, 100).ranks.values()))
        assert ranks.tolist() == [(1 + 2.5) / 2, (2 + 2.5) / 2, (3 + 1) / 2]
