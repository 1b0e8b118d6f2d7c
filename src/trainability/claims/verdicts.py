"""Verdicts: one rule per kind of claim, written down once.

An effect is oriented so that the claim says it is positive. Its interval decides: what lies wholly on the claim's side
of the smallest effect of interest is supported, what lies wholly on the other side is contradicted, all else is
inconclusive. "No difference" is a claim of its own kind, judged by two one-sided tests, never by a failed difference.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from trainability.claims.metrics import Array
from trainability.registry import Component, Registry

if TYPE_CHECKING:  # the Snakefile reads claims, and needs no scipy for it
    from trainability.statistics import Estimate

SUPPORTED, CONTRADICTED, INCONCLUSIVE, NOT_TESTABLE = "supported", "contradicted", "inconclusive", "not testable here"
VERDICTS = (SUPPORTED, CONTRADICTED, INCONCLUSIVE, NOT_TESTABLE)
NOT_YET = "not judged yet"  # in a report on an unfinished experiment
OPEN = (NOT_TESTABLE, NOT_YET)  # nothing was compared
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Rule(Component):
    """What decides; `why` says why no smaller effect is of interest."""

    why: Reason

    @property
    def smallest(self) -> float:
        """The smallest effect of interest, on the scale of effects."""
        raise NotImplementedError

    @property
    def confidence(self) -> float:
        """Of the interval that decides whether the claim is supported."""
        return 0.95

    @property
    def level(self) -> float:
        """Probability of a false verdict in favour of the claim, at the boundary."""
        return 0.025

    def verdict(self, deciding: Estimate, wide: Estimate) -> str:
        """From the interval at `confidence` and the 95 % interval."""
        raise NotImplementedError

    def p_value(self, effects: Array, verdict: str) -> float:
        """One-sided p of a sign test on effects [units], for a verdict; exact for every n, 2^-n at the least."""
        raise NotImplementedError


RULES: Registry[Rule] = Registry("rule")


@RULES.register
class Exceeds(Rule):
    """The effect is larger than `by`, or as a ratio larger than `factor`; 0 and 1 ask for its sign alone.

    A negative `by`, or a factor below 1, says "at least as good, up to that much".
    """

    name: Literal["exceeds"] = "exceeds"
    by: float | None = None
    factor: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.by is None) == (self.factor is None):
            raise PydanticCustomError("by_or_factor", "give `by` for differences or `factor` for ratios, and one only")
        return self

    @property
    def smallest(self) -> float:
        return math.log2(self.factor) if self.factor is not None else float(self.by or 0.0)

    def verdict(self, deciding: Estimate, wide: Estimate) -> str:
        if deciding.low > self.smallest:
            return SUPPORTED
        return CONTRADICTED if deciding.high < self.smallest else INCONCLUSIVE

    def p_value(self, effects: Array, verdict: str) -> float:
        beyond = effects - self.smallest
        return _sign_test(-beyond if verdict == CONTRADICTED else beyond)


@RULES.register
class Equivalent(Rule):
    """The effect lies within +-`within`, or as a ratio between 1 / `factor` and `factor`: two one-sided tests.

    Supported if the 90 % interval lies inside (Schuirmann 1987), contradicted if the 95 % interval lies outside.
    """

    name: Literal["equivalent"] = "equivalent"
    within: Annotated[float, Field(gt=0)] | None = None
    factor: Annotated[float, Field(gt=1)] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.within is None) == (self.factor is None):
            raise PydanticCustomError("within", "give `within` for differences or `factor` for ratios, and one only")
        return self

    @property
    def smallest(self) -> float:
        return math.log2(self.factor) if self.factor is not None else float(self.within or 0.0)

    @property
    def confidence(self) -> float:
        return 0.90

    @property
    def level(self) -> float:
        return 0.05

    def verdict(self, deciding: Estimate, wide: Estimate) -> str:
        if -self.smallest < deciding.low and deciding.high < self.smallest:
            return SUPPORTED
        outside = wide.low > self.smallest or wide.high < -self.smallest
        return CONTRADICTED if outside else INCONCLUSIVE

    def p_value(self, effects: Array, verdict: str) -> float:
        below, above = _sign_test(effects + self.smallest), _sign_test(self.smallest - effects)
        if verdict == CONTRADICTED:
            return 2 * min(_sign_test(-effects - self.smallest), _sign_test(effects - self.smallest), 0.5)
        return max(below, above)


def _sign_test(values: Array) -> float:
    """Probability of so many positive signs or more if either sign were as likely; zeros count half, rounded down."""
    from scipy import stats

    positive = int((values > 0).sum() + (values == 0).sum() / 2)
    return float(stats.binomtest(positive, len(values), alternative="greater").pvalue)
