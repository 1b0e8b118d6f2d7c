"""Paired differences, effect sizes and heterogeneity: cases worked out by hand, and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from trainability import seeding, statistics
from trainability.statistics import NotEstimableError, by_setting, heterogeneity, paired, standardised

NONE = np.zeros((2, 5))


def rng(*purpose: str | int) -> np.random.Generator:
    return seeding.generator(0, "test", *purpose)


class TestPaired:
    def test_is_the_mean_over_settings_of_the_mean_difference(self) -> None:
        treatment, control = np.array([[2.0, 4.0, 9.0], [1.0, 1.0, 1.0]]), np.array([[1.0, 1.0, 2.0], [2.0, 4.0, 0.0]])
        assert paired(treatment, control, rng()).value == pytest.approx(((1 + 3 + 7) / 3 + (-1 - 3 + 1) / 3) / 2)
        assert paired(treatment, control, rng(), "median").value == pytest.approx((3 - 1) / 2)

    def test_pairs_by_seed(self) -> None:
        """Seeds that differ a lot and a treatment that always adds about 1: only pairs see it."""
        control = np.array([[0.0, 100.0, 200.0, 300.0, 400.0, 500.0]])
        treatment = control + np.array([0.9, 1.1, 1.0, 1.2, 0.8, 1.0])
        found = paired(treatment, control, rng())
        assert (found.low, found.high) == pytest.approx((0.85, 1.15), abs=0.1)

    def test_resamples_seeds_jointly_across_settings(self) -> None:
        """A seed's effect that settings share does not average out over them; one of opposite signs does, exactly."""
        effect = np.random.default_rng(1).normal(size=8)
        alone = paired(effect, np.zeros(8), rng())
        alike = paired(np.tile(effect, (6, 1)), np.zeros((6, 8)), rng())
        assert (alike.low, alike.high) == pytest.approx((alone.low, alone.high))
        opposed = paired(np.stack([effect, -effect]), np.zeros((2, 8)), rng())
        assert opposed == pytest.approx((0, 0, 0), abs=1e-12)

    def test_a_lower_confidence_is_a_narrower_interval(self) -> None:
        values = np.random.default_rng(2).normal(size=(3, 8))
        wide, narrow = (paired(values, values[::-1] * 0, rng(), confidence=level) for level in (0.95, 0.9))
        assert wide.low < narrow.low < narrow.high < wide.high

    def test_each_setting_by_itself(self) -> None:
        treatment = np.random.default_rng(3).normal(size=(3, 8))
        found = by_setting(treatment, np.zeros((3, 8)), rng())
        assert [one.value for one in found] == pytest.approx(treatment.mean(1))
        assert np.mean([one.value for one in found]) == pytest.approx(paired(treatment, 0 * treatment, rng()).value)
        assert found[0] == paired(treatment[0], np.zeros(8), rng())

    @pytest.mark.parametrize(("bad", "other"), [(np.nan, 0.0), (np.inf, 0.0), (np.inf, np.inf)])
    def test_a_pair_without_difference_is_an_error_that_says_where(self, bad: float, other: float) -> None:
        treatment, control = np.zeros((3, 5)), np.zeros((3, 5))
        treatment[1, 2], control[1, 2] = bad, other
        for function in (paired, by_setting):
            with pytest.raises(NotEstimableError, match="1 of 15 pairs have no finite difference, in settings 1"):
                function(treatment, control, rng())

    def test_tables_of_different_shape_are_no_pairs(self) -> None:
        with pytest.raises(NotEstimableError, match=r"\(2, 5\).*\(2, 4\)"):
            paired(NONE, NONE[:, :4], rng())


def test_same_generator_same_interval_whatever_the_process_did() -> None:
    x, y = np.random.default_rng(4).normal(size=(2, 3, 8))
    steps = np.where(x > 1, np.inf, 2 ** (x + 5))
    functions = (
        lambda rng: paired(x, y, rng),
        lambda rng: statistics.steps_ratio(steps, 2 ** (y + 5), rng),
        lambda rng: statistics.running_time_ratio(steps, 2 ** (y + 5), 100, rng),
        lambda rng: statistics.interquartile_mean(x, rng),
        lambda rng: statistics.probability_of_improvement(x, y, rng),
        lambda rng: statistics.agreement(x, y, rng),
        lambda rng: statistics.trend(np.stack([x, y], axis=1), rng),
    )
    for function in functions:
        np.random.seed(1)
        one = function(rng("a"))
        np.random.seed(2)
        np.random.default_rng().normal(size=7)
        assert function(rng("a")) == one
    assert len({paired(x, y, rng(name)) for name in "abcdef"}) > 1


class TestHeterogeneity:
    def test_q_by_hand(self) -> None:
        """Means 1 and 4, variances of the means 1 / 3 and 4 / 3: weights 3 and 3 / 4, d = 1.6."""
        found = heterogeneity(np.array([[0.0, 1.0, 2.0], [2.0, 4.0, 6.0]]), np.zeros((2, 3)))
        assert (found.lowest, found.highest, found.settings) == (1, 4, 2)
        assert found.q == pytest.approx(3 * 0.6**2 + 0.75 * 2.4**2)

    def test_p_of_two_settings_is_that_of_welchs_t(self) -> None:
        values = np.random.default_rng(5).normal([[0.0], [1.0]], [[1.0], [3.0]], size=(2, 7))
        assert heterogeneity(values, 0 * values).p == pytest.approx(stats.ttest_ind(*values, equal_var=False).pvalue)

    def test_p_of_many_is_that_of_welchs_anova(self) -> None:
        values = np.random.default_rng(6).normal(size=(5, 6)) * np.arange(1, 6)[:, None]
        expected = stats.f_oneway(*values, equal_var=False).pvalue
        assert heterogeneity(values, 0 * values).p == pytest.approx(expected)

    def test_signs_are_counted_and_disagreement_is_seen(self) -> None:
        values = np.random.default_rng(7).normal(0, 0.1, size=(4, 6)) + np.array([[-1.0], [1.0], [1.0], [2.0]])
        found = heterogeneity(values, 0 * values)
        assert (found.positive, found.negative) == (3, 1)
        assert found.i_squared > 0.9
        assert found.p < 1e-6

    def test_i_squared_is_higgins_with_many_seeds(self) -> None:
        values = np.random.default_rng(8).normal(size=(4, 4000)) + np.array([[0.0], [0.05], [0.1], [0.2]])
        found = heterogeneity(values, 0 * values)
        assert found.i_squared == pytest.approx(1 - 3 / found.q, abs=0.01)

    def test_settings_that_agree_seldom_look_as_if_they_did_not(self) -> None:
        """10 settings, 5 seeds: Q is too large, its corrected p and I^2 much less so."""
        draws = np.random.default_rng(11).normal(size=(1000, 10, 5))
        found = [heterogeneity(values, 0 * values) for values in draws]
        assert 1.5 < np.mean([one.q for one in found]) / 9 < 1.9
        assert 0.05 < np.mean([one.p < 0.05 for one in found]) < 0.12
        assert 0.12 < np.mean([one.i_squared for one in found]) < 0.18

    @pytest.mark.parametrize("values", [np.ones((1, 5)), np.eye(3)[:, :1], np.array([[0.0, 0.0], [1.0, 2.0]])])
    def test_unknown_where_spread_within_settings_is(self, values: np.ndarray) -> None:
        found = heterogeneity(values, 0 * values)
        assert all(math.isnan(number) for number in (found.q, found.i_squared, found.p))
        assert found.highest == values.mean(1).max()


class TestStandardised:
    def test_by_hand(self) -> None:
        """Mean 2, standard deviation 1, J of 2 degrees of freedom is Gamma(1) / Gamma(1 / 2) = 1 / sqrt(pi)."""
        assert standardised(np.array([1.0, 2.0, 3.0]), np.zeros(3)) == pytest.approx(2 / math.sqrt(math.pi))

    def test_is_unbiased(self) -> None:
        """Without the correction the mean would be 0.99 for 5 seeds."""
        values = np.random.default_rng(9).normal(0.8, 1, size=(4000, 5))
        found = [standardised(row, np.zeros(5)) for row in values]
        assert np.mean(found) == pytest.approx(0.8, abs=0.03)

    def test_averages_a_seed_over_settings_first(self) -> None:
        values = np.random.default_rng(10).normal(size=(3, 8))
        assert standardised(values, 0 * values) == standardised(values.mean(0), np.zeros(8))

    def test_without_spread(self) -> None:
        assert standardised(np.full(4, -2.0), np.zeros(4)) == -math.inf
        assert standardised(np.zeros(4), np.zeros(4)) == 0
        assert math.isnan(standardised(np.array([1.0, 2.0]), np.zeros(2)))
