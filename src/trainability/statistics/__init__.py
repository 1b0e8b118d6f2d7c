"""Estimates with intervals over seeds, comparisons paired seed by seed, and tests that are exact for few seeds.

Axes are in one order everywhere: `values` [settings, seeds], a treatment's and its control's runs at the same place.
What depends on chance takes a generator, so that the same table gives the same interval. What cannot be estimated
raises `NotEstimableError` with the reason; no run is dropped in silence.
"""

from trainability.statistics.aggregates import interquartile_mean, performance_profile, probability_of_improvement
from trainability.statistics.censored import (
    Outcomes,
    counted,
    expected_steps,
    log2_ratio,
    outcomes,
    performance_ratios,
    running_time_ratio,
    steps_ratio,
    success_difference,
)
from trainability.statistics.intervals import RESAMPLES, Array, Estimate, NotEstimableError, bootstrap, proportion
from trainability.statistics.pairs import Heterogeneity, by_setting, heterogeneity, paired, standardised
from trainability.statistics.rankings import Sensitivity, agreement, kendall_tau, sensitivity, trend
from trainability.statistics.significance import (
    equivalence,
    equivalence_p,
    holm,
    joint_sign_flip,
    sign_flip,
    smallest_p,
    wilcoxon,
)

__all__ = [
    "RESAMPLES",
    "Array",
    "Estimate",
    "Heterogeneity",
    "NotEstimableError",
    "Outcomes",
    "Sensitivity",
    "agreement",
    "bootstrap",
    "by_setting",
    "counted",
    "equivalence",
    "equivalence_p",
    "expected_steps",
    "heterogeneity",
    "holm",
    "interquartile_mean",
    "joint_sign_flip",
    "kendall_tau",
    "log2_ratio",
    "outcomes",
    "paired",
    "performance_profile",
    "performance_ratios",
    "probability_of_improvement",
    "proportion",
    "running_time_ratio",
    "sensitivity",
    "sign_flip",
    "smallest_p",
    "standardised",
    "steps_ratio",
    "success_difference",
    "trend",
    "wilcoxon",
]
