"""Tests over pairs, exact where pairs are few, a correction for many of them, and equivalence.

`differences` [n] holds one difference per seed. With several settings take the mean over settings of each seed: seeds
are the independent units, and a seed's differences in several settings are not several pairs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from scipy import stats

from trainability.statistics.intervals import Array, Estimate, NotEstimableError, complete

EXACT = 12  # pairs up to which all 2^n signs are tried
FLIPS = 9999
BLOCK = 512  # flips at a time

Alternative = Literal["two-sided", "less", "greater"]
Equivalence = Literal["inside", "outside", "undecided"]


def smallest_p(pairs: int) -> float:
    """The smallest two-sided p that `wilcoxon` and `sign_flip` can give: 2^(1 - n), so 0.0625 with 5 pairs."""
    return min(1.0, 2.0 ** (1 - pairs))


def wilcoxon(differences: Array) -> float:
    """Two-sided p of Wilcoxon's signed-rank test.

    Exact up to 50 pairs; with ties or zeros, which count in the ranking (Pratt 1959), up to 13, normal beyond. Infinite
    differences, as of `log2_ratio`, rank above all others; over several settings take a seed's `censored.median`.
    """
    complete(differences)
    if not np.any(differences):
        return 1.0
    return float(stats.wilcoxon(differences, zero_method="pratt").pvalue)


def sign_flip(
    differences: Array, rng: np.random.Generator | None = None, alternative: Alternative = "two-sided"
) -> float:
    """p of the mean difference if each had either sign with even odds (Fisher 1935, section 21).

    All 2^n signs up to 12 pairs, one pair being no test; beyond, 9,999 random ones and the observed one, for which a
    generator is needed. Differences are finite.
    """
    if not np.all(np.isfinite(differences)):
        raise NotEstimableError("some differences are not finite; see `wilcoxon` for infinite ones")
    if len(differences) < 2:
        return 1.0
    exact = len(differences) <= EXACT
    if not exact and rng is None:
        raise ValueError(f"{len(differences)} pairs are too many to try all signs; a generator is needed")
    found = stats.permutation_test(
        (differences,),
        lambda sample, axis: sample.mean(axis),
        permutation_type="samples",
        n_resamples=np.inf if exact else FLIPS,
        alternative=alternative,
        rng=rng,
    )
    return float(found.pvalue)


def joint_sign_flip(differences: Array, rng: np.random.Generator | None = None) -> Array:
    """Two-sided p of each row's mean [rows], adjusted for all rows [rows, seeds] that were looked at.

    Westfall and Young's step-down maximum (1993, "Resampling-based multiple testing"): a seed's differences change
    their sign in all rows at once, which keeps what a seed does to several of them, and a row's statistic is compared
    with the largest of the rows that are no more striking than it. It is |sum d| / sqrt(n sum d^2), which orders flips
    as Student's t does. The chance of any false row at alpha is at most alpha, whatever the rows have in common. No p
    is smaller than `smallest_p`, however many rows there are; `holm` multiplies it by their number, so that with 8
    seeds it could show nothing among 7 rows. In 200 simulations of 180 normal rows with 8 seeds, 5 of them moved by 3
    standard deviations, it found 82 % of these, and a false one in 7 % of the simulations (Holm over t tests, which
    trust that differences are normal: 85 %, 8 %).

    All signs up to 12 seeds; beyond, 9,999 random ones and the observed ones, for which a generator is needed.
    """
    if not np.all(np.isfinite(differences)):
        raise NotEstimableError("some differences are not finite")
    rows, n = differences.shape
    if not rows or n < 2:
        return np.ones(rows)
    scale = np.sqrt(n * np.square(differences).sum(1))
    units = differences / np.where(scale > 0, scale, 1.0)[:, None]
    observed = np.abs(units.sum(1))
    order = np.argsort(-observed, kind="stable")
    exceeding, flips = np.zeros(rows), 0
    for signs in _flips(n, rng):
        found = np.abs(signs @ units[order].T)
        largest = np.maximum.accumulate(found[:, ::-1], axis=1)[:, ::-1]  # of a row and all that are less striking
        exceeding += (largest >= observed[order] - 1e-9).sum(0)
        flips += len(signs)
    adjusted = np.empty(rows)
    adjusted[order] = np.maximum.accumulate(exceeding / flips)
    return adjusted


def _flips(n: int, rng: np.random.Generator | None) -> Iterator[Array]:
    """Signs [flips, n] in blocks, the observed ones (all positive) among them; of a flip and its reverse only one."""
    if n <= EXACT:
        rest = itertools.product((1.0, -1.0), repeat=n - 1)
        while block := list(itertools.islice(rest, BLOCK)):
            yield np.array([(1.0, *signs) for signs in block])
        return
    if rng is None:
        raise ValueError(f"{n} pairs are too many to try all signs; a generator is needed")
    yield np.ones((1, n))
    for start in range(0, FLIPS, BLOCK):
        yield rng.choice((-1.0, 1.0), size=(min(BLOCK, FLIPS - start), n))


def holm(p_values: Sequence[float] | Array) -> Array:
    """p values of a family, adjusted: those at most alpha keep the chance of any false one at alpha (Holm 1979).

    The i-th smallest of m becomes max over j <= i of (m - j + 1) p_j, at most 1; the order stays that of `p_values`.
    """
    p = np.asarray(p_values, dtype=float)
    if not np.all((p >= 0) & (p <= 1)):
        raise ValueError("p values lie between 0 and 1; a test that was not made is no part of a family")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(np.arange(len(p), 0, -1) * p[order]), 1)
    return adjusted


def equivalence(estimate: Estimate, low: float, high: float) -> Equivalence:
    """Where an interval lies: inside the bounds of what does not matter, outside them, or neither.

    With a 90 % interval `inside` is two one-sided tests at 5 % (Schuirmann 1987). NaN is undecided.
    """
    if not low < high:
        raise ValueError(f"the bounds of what does not matter are not in order: {low}, {high}")
    if low < estimate.low and estimate.high < high:
        return "inside"
    if estimate.high < low or estimate.low > high:
        return "outside"
    return "undecided"


def equivalence_p(differences: Array, low: float, high: float, rng: np.random.Generator | None = None) -> float:
    """p of "the mean difference is not between the bounds": the larger of two one-sided `sign_flip`s, for `holm`.

    At least 2^-n, so 4 pairs can never show equivalence at 5 %.
    """
    return max(sign_flip(differences - low, rng, "greater"), sign_flip(differences - high, rng, "less"))
