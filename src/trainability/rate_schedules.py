"""Learning-rate schedules: the factor by which a run's rate is multiplied at every step.

Step t of T counts from 1. The first w = round(warmup T) steps are the warm-up, at t / (w + 1): the factor rises by the
same amount at every step and would be 1 at step w + 1 (Goyal et al. 2017, section 2.2). There the schedule proper
begins, at its start: p = (t - 1 - w) / (T - w) is the share of it that is over before step t. So the first step after
the warm-up has the whole rate, and the end that a schedule runs to, p = 1, lies one step behind the last, as with
torch's schedulers, which step t asks after t - 1 calls of `step()`. The Snakefile reads this module.
"""

from __future__ import annotations

import itertools
import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from trainability.registry import Component, Registry

Share = Annotated[float, Field(ge=0, le=1)]
Within = Annotated[float, Field(gt=0, lt=1)]


class RateSchedule(Component):
    """How the learning rate changes in the course of a training; `warmup` is the share of steps at its start."""

    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0

    def factor(self, step: int, total: int) -> float:
        """What the rate is multiplied by at step `step` of `total`, counted from 1."""
        rising = round(self.warmup * total)
        if step <= rising:
            return step / (rising + 1)
        return self.after_warmup((step - 1 - rising) / (total - rising), (step - 1) / total)

    def after_warmup(self, share: float, of_all: float) -> float:
        """The factor when a share of the steps after the warm-up, and `of_all` steps, is over; both in [0, 1)."""
        raise NotImplementedError


SCHEDULES: Registry[RateSchedule] = Registry("learning-rate schedule")


@SCHEDULES.register
class ConstantRate(RateSchedule):
    """The same rate at every step."""

    formula: ClassVar[str] = r"\eta_t = \eta"
    reference: ClassVar[str] = "none; its warm-up is that of Goyal et al. 2017, section 2.2"

    name: Literal["constant"] = "constant"

    def after_warmup(self, share: float, of_all: float) -> float:
        return 1.0


@SCHEDULES.register
class Cosine(RateSchedule):
    """final + (1 - final) (1 + cos(pi p)) / 2, without restarts (Loshchilov & Hutter 2017, equation 5)."""

    formula: ClassVar[str] = r"\eta_t = \eta \left( f + (1 - f) \, \frac{1 + \cos \pi p}{2} \right)"
    reference: ClassVar[str] = "Loshchilov & Hutter 2017, SGDR, equation 5"

    name: Literal["cosine"] = "cosine"
    final: Share = 0.0

    def after_warmup(self, share: float, of_all: float) -> float:
        return self.final + (1.0 - self.final) * (1.0 + math.cos(math.pi * share)) / 2.0


@SCHEDULES.register
class Linear(RateSchedule):
    """1 - (1 - final) p, a straight line from 1 to `final` (Li et al. 2020; torch.optim.lr_scheduler.LinearLR)."""

    formula: ClassVar[str] = r"\eta_t = \eta \, (1 - (1 - f) \, p)"
    reference: ClassVar[str] = "Li et al. 2020, Budgeted Training"

    name: Literal["linear"] = "linear"
    final: Share = 0.0

    def after_warmup(self, share: float, of_all: float) -> float:
        return 1.0 - (1.0 - self.final) * share


@SCHEDULES.register
class Steps(RateSchedule):
    """gamma^k after k milestones; a milestone m is passed when a share m of all steps, (t - 1) / T, is over.

    The defaults are those of He et al. 2016, section 4.2. Milestones are shares of the whole training, warm-up
    included, and lie behind the warm-up (torch.optim.lr_scheduler.MultiStepLR with milestones m T rounded up).
    """

    formula: ClassVar[str] = r"\eta_t = \eta \, \gamma^{\,\#\{m \leq (t - 1) / T\}}"
    reference: ClassVar[str] = "He et al. 2016, Deep Residual Learning, section 4.2"

    name: Literal["step"] = "step"
    milestones: Annotated[tuple[Within, ...], Field(min_length=1, strict=False)] = (0.5, 0.75)  # not strict: a list
    gamma: Annotated[float, Field(gt=0, lt=1)] = 0.1

    @model_validator(mode="after")
    def _in_order_behind_the_warmup(self) -> Self:
        for before, after in itertools.pairwise((self.warmup, *self.milestones)):
            if before >= after:
                raise PydanticCustomError(
                    "milestones",
                    "milestones must rise and lie behind the warm-up: {after} comes after {before}",
                    {"before": before, "after": after},
                )
        return self

    def after_warmup(self, share: float, of_all: float) -> float:
        return self.gamma ** sum(of_all >= milestone for milestone in self.milestones)
