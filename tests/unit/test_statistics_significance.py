"""Tests over pairs against enumeration, Holm against its definition, equivalence against its bounds."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from trainability.statistics import (
    Estimate,
    NotEstimableError,
    equivalence,
    equivalence_p,
    holm,
    joint_sign_flip,
    sign_flip,
    smallest_p,
    wilcoxon,
)


def enumerated(differences: np.ndarray, statistic: object) -> float:
    """Two-sided p over all signs: the share whose statistic is at least as far from its mean."""
    signs = np.array(list(itertools.product([-1, 1], repeat=len(differences))))
    found = np.array([statistic(row) for row in signs * np.abs(differences)])  # type: ignore[operator]
    seen = statistic(np.asarray(differences))  # type: ignore[operator]
    return float((np.abs(found) >= abs(seen) - 1e-12).mean())


def signed_ranks(differences: np.ndarray) -> float:
    return float((np.sign(differences) * stats.rankdata(np.abs(differences))).sum())


@pytest.mark.parametrize("pairs", [1, 2, 5, 8, 10, 12])
def test_smallest_p_is_reached_and_not_passed(pairs: int) -> None:
    clear = np.arange(1.0, pairs + 1)
    assert wilcoxon(clear) == pytest.approx(smallest_p(pairs))
    assert sign_flip(clear) == pytest.approx(smallest_p(pairs))


def test_five_pairs_never_show_anything_at_five_percent() -> None:
    assert smallest_p(5) == 0.0625
    assert smallest_p(6) < 0.05
    assert smallest_p(0) == 1


@pytest.mark.parametrize(
    "differences",
    [
        [1.0, -2.0, 3.0, 4.0, 5.5],
        [0.3, -0.1, 0.7, 0.2, 0.9, -0.4, 1.1, 0.5],
        [1.0, 1.0, -1.0, 2.0, 2.0, 3.0],  # ties
        [0.0, 0.0, 1.0, 2.0, -3.0, 4.0],  # zeros
    ],
)
def test_is_exact_with_ties_and_zeros(differences: list[float]) -> None:
    values = np.array(differences)
    assert wilcoxon(values) == pytest.approx(enumerated(values, signed_ranks))
    assert sign_flip(values) == pytest.approx(enumerated(values, np.mean))


def test_misses_rank_above_all_steps() -> None:
    """Infinite ratios act as any number larger than the others would, all of them tied."""
    assert wilcoxon(np.array([np.inf, np.inf, 1.0, -2.0, 0.5])) == wilcoxon(np.array([9.0, 9.0, 1.0, -2.0, 0.5]))
    assert wilcoxon(np.array([np.inf, np.inf, -np.inf, 1.0, 2.0])) == wilcoxon(np.array([9.0, 9.0, -9.0, 1.0, 2.0]))
    with pytest.raises(NotEstimableError, match="not finite"):
        sign_flip(np.array([np.inf, 1.0]))
    with pytest.raises(NotEstimableError, match="1 of 2 figures are missing"):
        wilcoxon(np.array([np.nan, 1.0]))


def test_no_difference_at_all() -> None:
    assert wilcoxon(np.zeros(5)) == sign_flip(np.zeros(5)) == 1


def test_flips_of_many_pairs_are_drawn_from_the_generator() -> None:
    values = np.random.default_rng(0).normal(0.4, 1, size=30)
    one, same, *others = (sign_flip(values, np.random.default_rng(seed)) for seed in (1, 1, 2, 3, 4))
    assert one == same
    assert {one} != set(others)
    assert one == pytest.approx(stats.ttest_1samp(values, 0).pvalue, abs=0.02)
    with pytest.raises(ValueError, match="30 pairs are too many"):
        sign_flip(values)


@pytest.mark.parametrize(("pairs", "level"), [(5, 0.0625), (8, 0.05)])
def test_false_positives_are_as_rare_as_said(pairs: int, level: float) -> None:
    """An exact test rejects a true null in at most, and with so many distinct signs about, its level."""
    values = np.random.default_rng(pairs).normal(size=(500, pairs)) * np.random.default_rng(1).exponential(size=pairs)
    for test in (wilcoxon, sign_flip):
        found = sum(test(row) <= level for row in values)
        attainable = math.floor(level * 2**pairs / 2) * 2 / 2**pairs  # wilcoxon's steps are coarser still
        assert stats.binomtest(found, 500, attainable, "greater").pvalue > 0.001, (test, found)
        assert found > 500 * level / 2


class TestHolm:
    def test_by_hand(self) -> None:
        """Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1; 0.04 is raised to 0.06 for order."""
        assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
        assert holm([0.6, 0.7]).tolist() == [1, 1]
        assert holm([0.02]).tolist() == [0.02]
        assert holm([]).tolist() == []

    def test_rejects_what_the_step_down_procedure_does(self) -> None:
        rng = np.random.default_rng(3)
        for _ in range(50):
            p = rng.uniform(size=6) ** 3
            alpha = rng.uniform(0.01, 0.3)
            rejected = set()
            for step, index in enumerate(np.argsort(p)):
                if p[index] > alpha / (6 - step):
                    break
                rejected.add(int(index))
            assert set(np.flatnonzero(holm(p) <= alpha)) == rejected

    def test_a_missing_p_is_an_error(self) -> None:
        for bad in ([0.1, math.nan], [1.1], [-0.1]):
            with pytest.raises(ValueError, match="between 0 and 1"):
                holm(bad)


class TestEquivalence:
    @pytest.mark.parametrize(
        ("low", "high", "verdict"),
        [
            (-0.5, 0.5, "inside"),
            (-1.5, 0.5, "undecided"),
            (0.5, 1.5, "undecided"),
            (-2, 2, "undecided"),
            (1.1, 2, "outside"),
            (-3, -1.1, "outside"),
            (-1, 0, "undecided"),
            (math.nan, math.nan, "undecided"),
            (-math.inf, -2, "outside"),
        ],
    )
    def test_bounds(self, low: float, high: float, verdict: str) -> None:
        assert equivalence(Estimate((low + high) / 2, low, high), -1, 1) == verdict

    def test_bounds_out_of_order_are_an_error(self) -> None:
        with pytest.raises(ValueError, match="not in order"):
            equivalence(Estimate(0, 0, 0), 1, -1)

    def test_p_by_hand(self) -> None:
        """All five within the bounds: each one-sided test has one of 32 signs as extreme."""
        values = np.array([0.1, -0.2, 0.05, 0.15, -0.1])
        assert equivalence_p(values, -1, 1) == 1 / 32
        assert equivalence_p(values + 1, -1, 1) == pytest.approx(0.5, abs=0.1)
        assert equivalence_p(values + 3, -1, 1) == 1

    def test_p_agrees_with_two_t_tests(self) -> None:
        values = np.random.default_rng(5).normal(0.1, 1, size=12)
        sides = (
            stats.ttest_1samp(values, -0.8, alternative="greater"),
            stats.ttest_1samp(values, 0.8, alternative="less"),
        )
        assert equivalence_p(values, -0.8, 0.8) == pytest.approx(max(side.pvalue for side in sides), abs=0.01)


# Many rows at once


def stepped_down(differences: np.ndarray) -> np.ndarray:
    """Westfall and Young's step-down maximum, by its definition."""
    rows, n = differences.shape
    signs = np.array(list(itertools.product([-1, 1], repeat=n)))

    def statistic(values: np.ndarray) -> np.ndarray:
        squares = np.sqrt(n * (differences**2).sum(1))
        return np.abs(values.sum(1)) / np.where(squares > 0, squares, 1)

    observed = statistic(differences)
    flipped = np.array([statistic(differences * flip) for flip in signs])
    adjusted, before = np.empty(rows), 0.0
    for rank, row in enumerate(order := np.argsort(-observed, kind="stable")):
        p = (flipped[:, order[rank:]].max(1) >= observed[row] - 1e-9).mean()
        adjusted[row] = before = max(before, p)
    return adjusted


def test_joint_sign_flips_follow_their_definition() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(7, 6)) + np.array([3, 0, 0, 1, 0, 6, 0])[:, None]
    values[2] = 0.0
    found = joint_sign_flip(values)
    assert found == pytest.approx(stepped_down(values))
    assert found[2] == 1
    assert found[5] == smallest_p(6)


def test_one_row_has_the_p_of_a_sign_flip_test() -> None:
    values = np.array([0.3, -0.1, 0.7, 0.2, 0.9, -0.4])
    assert joint_sign_flip(values[None]) == pytest.approx([sign_flip(values)])


def test_many_rows_do_not_hide_one_that_moved_as_holm_does() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(100, 8))
    values[0] += 20
    assert joint_sign_flip(values)[0] < 0.05
    assert holm([sign_flip(row) for row in values])[0] > 0.5


def test_joint_sign_flips_are_rarely_wrong_about_any_row() -> None:
    rng = np.random.default_rng(2)
    wrong = [joint_sign_flip(rng.normal(size=(30, 7)) + rng.normal(size=7)).min() <= 0.05 for _ in range(200)]
    assert np.mean(wrong) < 0.09  # 5 % are expected; seeds that act on all rows at once do no harm


def test_beyond_twelve_seeds_signs_are_drawn() -> None:
    values = np.random.default_rng(3).normal(size=(3, 14)) + np.array([2, 0, 0])[:, None]
    with pytest.raises(ValueError, match="a generator is needed"):
        joint_sign_flip(values)
    one, other = (joint_sign_flip(values, np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(one, other)
    assert one[0] < 0.001
    assert one[1:].min() > 0.05


def test_no_rows_one_seed_and_infinite_differences() -> None:
    assert joint_sign_flip(np.zeros((0, 5))).shape == (0,)
    assert joint_sign_flip(np.ones((2, 1))).tolist() == [1, 1]
    with pytest.raises(NotEstimableError):
        joint_sign_flip(np.array([[1.0, math.inf]]))
