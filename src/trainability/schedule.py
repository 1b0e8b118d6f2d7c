"""When a training is looked at: evaluations a factor of sqrt 2 apart, and the probe at some of them.

Steps to a target are compared as ratios, so what counts is a constant relative resolution; and measuring, which takes
an example as long as a third of a step does, stays a small share of a training.
"""

from __future__ import annotations

FIRST = 8  # the first evaluated step after 0
RATIO = 2**0.5  # between the steps of neighbouring evaluations
PROBE_RATIO = RATIO**7  # between the steps of neighbouring measurements of the probe


def evaluations(total: int) -> list[int]:
    """Steps after which validation loss and accuracy are taken, up to the last: 0, 8, 11, 16, 23, 32, 45, 64, ..."""
    return _spaced(RATIO, total)


def probes(total: int) -> list[int]:
    """The evaluations at which the probe is measured too: 0, 8, 91, 1024, ..., and the last."""
    return _spaced(PROBE_RATIO, total)


def _spaced(ratio: float, total: int) -> list[int]:
    steps, step = {0, total}, float(FIRST)
    while round(step) < total:
        steps.add(round(step))
        step *= ratio
    return sorted(steps)
