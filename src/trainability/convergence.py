"""Convergence: how many steps a run needs to a target, with the runs that never get there.

A run that never reaches its target is censored, not dropped: it is a miss, its steps count as infinite in a
median, and all the steps it spent count in the expected running time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def steps_to_target(steps: Sequence[int] | Array, accuracy: Array, target: float) -> Array:
    """First evaluated step at which each run's accuracy reaches `target`; infinity where none does.

    `steps` [E] are the evaluations' steps in ascending order, `accuracy` [E, R]; the result is [R]. A value that
    is not finite reaches nothing. The resolution is that of the evaluations.
    """
    reached = np.nan_to_num(accuracy, nan=-np.inf) >= target
    first = reached.argmax(0)
    return np.where(reached.any(0), np.asarray(steps, dtype=float)[first], np.inf)


def expected_running_time(steps: Array, budget: float | Array) -> Array:
    """Total steps spent over successes (Hansen et al. 2009): misses spend the whole budget; infinite without success.

    It estimates the steps until the first success if failed runs are restarted. `steps` [..., R]; the result is [...].
    `budget` is one for all, or one for each run [R].
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.minimum(steps, budget).sum(-1) / np.isfinite(steps).sum(-1))


def fraction_at_target(steps: Array, at: Array) -> Array:
    """Share of runs [R] whose steps to target are at most each value of `at` [M]; the result is [M]."""
    return np.asarray((steps[:, None] <= at[None, :]).mean(0))
