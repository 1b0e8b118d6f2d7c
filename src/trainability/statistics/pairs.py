"""Differences between a treatment and its control, taken seed by seed within each setting.

Settings are what was chosen, not a sample of all there are: intervals say what other seeds would change, in these
settings. How far the settings themselves differ is what `heterogeneity` tells.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

from trainability.statistics.intervals import Array, Estimate, NotEstimableError, bootstrap, over_settings

Statistic = Literal["mean", "median"]


class Heterogeneity(NamedTuple):
    """How the mean differences of the settings spread: range, signs, Cochran's Q, I^2 and p of "all are equal"."""

    lowest: float
    highest: float
    settings: int
    positive: int
    negative: int
    q: float
    i_squared: float
    p: float


def paired(
    treatment: Array,
    control: Array,
    rng: np.random.Generator,
    statistic: Statistic = "mean",
    confidence: float = 0.95,
) -> Estimate:
    """Treatment less control, [settings, seeds] each: the statistic over seeds, averaged over settings.

    Seeds are resampled jointly across settings, which keeps both pairings. Raises NotEstimableError unless every pair
    has a finite difference: what a run that diverged or missed is worth is for the caller to say (or see `censored`).
    Coverage is that of `bootstrap` with as many seeds, however many settings. With 6 settings that share a seed's
    effect, 95 % intervals held the truth in 93, 93 and 95 % of 600 simulations for 5, 8 and 20 seeds; medians in 94,
    98 and 96 %.
    """
    return _estimate(differences(treatment, control), rng, statistic, confidence)


def by_setting(
    treatment: Array,
    control: Array,
    rng: np.random.Generator,
    statistic: Statistic = "mean",
    confidence: float = 0.95,
) -> list[Estimate]:
    """`paired` for each setting by itself, as in a forest plot; their intervals are not simultaneous."""
    return [_estimate(row, rng, statistic, confidence) for row in differences(treatment, control)]


def differences(treatment: Array, control: Array) -> Array:
    """Treatment less control [settings, seeds]; [seeds] is one setting. Raises NotEstimableError as `paired` says."""
    treatment, control = np.atleast_2d(treatment), np.atleast_2d(control)
    if treatment.shape != control.shape:
        raise NotEstimableError(f"treatment has shape {treatment.shape} and control {control.shape}: not pairs")
    with np.errstate(invalid="ignore"):  # inf - inf is no difference, and is refused below
        found = treatment - control
    missing = ~np.isfinite(found)
    if missing.any():
        where = ", ".join(str(row) for row in np.flatnonzero(missing.any(1)))
        raise NotEstimableError(f"{missing.sum()} of {found.size} pairs have no finite difference, in settings {where}")
    return found


def heterogeneity(treatment: Array, control: Array) -> Heterogeneity:
    """Whether the settings [settings, seeds] agree about the mean difference d_k.

    Q = sum w_k (d_k - d)^2 with w_k = n / s_k^2 (Cochran 1954). With few seeds the weights are guesses and Q is too
    large: for settings that agree, 10 with 5 seeds, it averages 1.7 times its K - 1 degrees of freedom, and the usual
    I^2 = 1 - (K - 1) / Q (Higgins and Thompson 2002) 29 %. Hence p is that of Welch's F (1951), which is Q over its
    degrees of freedom, corrected; and I^2 = 1 - E[F] / F, not below 0, which averages 15 %: too noisy to read alone.
    p < 0.05 comes up, for settings that agree (2,000 simulations, normal), in

        settings    4       10      20
        3 seeds     4 %     14 %    28 %
        5 seeds     5 %     8 %     14 %
        8 seeds     5 %     6 %     8 %

    Both take settings as independent; seeds that act alike in all of them make Q too small. NaN for one setting, one
    seed, or a setting whose seeds all agree.
    """
    found = differences(treatment, control)
    settings, n = found.shape
    means = found.mean(1)
    signs = int((means > 0).sum()), int((means < 0).sum())
    spread = (float(means.min()), float(means.max()), settings, *signs)
    if settings < 2 or n < 2 or np.any(np.ptp(found, axis=1) == 0):
        return Heterogeneity(*spread, math.nan, math.nan, math.nan)
    weights = n / found.var(1, ddof=1)
    shares = weights / weights.sum()
    q = float(weights @ (means - shares @ means) ** 2)
    guessed = ((1 - shares) ** 2).sum() / (n - 1)
    freedom = (settings**2 - 1) / (3 * guessed)
    f = q / (settings - 1) / (1 + 2 * (settings - 2) / (settings**2 - 1) * guessed)
    expected = freedom / (freedom - 2) if freedom > 2 else math.inf
    i_squared = max(0.0, 1 - expected / f) if f > 0 else 0.0
    return Heterogeneity(*spread, q, i_squared, float(stats.f.sf(f, settings - 1, freedom)))


def standardised(treatment: Array, control: Array) -> float:
    """Cohen's d_z with Hedges' correction: mean over standard deviation of the seeds' differences, times J.

    A seed's difference is its mean over settings. J = Gamma(m / 2) / (sqrt(m / 2) Gamma((m - 1) / 2)) with m = n - 1
    makes it unbiased for normal differences (Hedges 1981). Infinite where all seeds agree on a difference, 0 where
    they agree on none, NaN for one or two seeds.
    """
    found = over_settings(differences(treatment, control))
    m = len(found) - 1
    if m < 2:
        return math.nan
    center, spread = float(found.mean()), float(found.std(ddof=1))
    if np.ptp(found) == 0:
        return math.copysign(math.inf, center) if center else 0.0
    correction = math.exp(math.lgamma(m / 2) - math.lgamma((m - 1) / 2)) / math.sqrt(m / 2)
    return correction * center / spread


def _estimate(found: Array, rng: np.random.Generator, statistic: Statistic, confidence: float) -> Estimate:
    """The interval of differences [settings, seeds] or [seeds]."""
    reduce: Callable[..., Array] = np.mean if statistic == "mean" else np.median
    return bootstrap(found, rng, lambda sample: over_settings(reduce(sample, axis=-1)), confidence)
