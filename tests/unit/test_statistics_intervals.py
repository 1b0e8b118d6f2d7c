"""The bootstrap's tail level and its two ways to draw seeds; `test_convergence` has its use on one setting."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from trainability import seeding
from trainability.statistics import bootstrap
from trainability.statistics.intervals import _expanded_tail


def test_tail_level_by_hand() -> None:
    """Phi(-sqrt(8 / 7) 2.364624), Student's quantile with 7 degrees of freedom from a table."""
    assert _expanded_tail(8, 7, 0.95) == pytest.approx(0.5 * math.erfc(math.sqrt(8 / 7) * 2.364624 / math.sqrt(2)))


def test_settings_that_draw_their_own_seeds_add_their_degrees_of_freedom() -> None:
    """Close to Student's interval from the pooled variance within settings, 20 of them with 5 seeds each."""
    values = np.random.default_rng(0).normal(size=(20, 5))
    found = bootstrap(values, seeding.generator(0, "test"), joint=False)
    half = stats.t.ppf(0.975, 80) * math.sqrt(values.var(1, ddof=1).mean() / 100)
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * half, rel=0.08)


def test_a_statistic_sees_samples_of_whole_tables() -> None:
    """Joint samples keep columns together: rows that are equal stay so."""
    row = np.arange(5.0)

    def apart(sample: np.ndarray) -> np.ndarray:
        assert sample.shape[0] == 2
        return np.abs(sample[0] - sample[1]).max(-1)

    values = np.stack([row, row])
    assert bootstrap(values, seeding.generator(0, "test"), apart) == (0, 0, 0)
    assert bootstrap(values, seeding.generator(0, "test"), apart, joint=False).high > 0
