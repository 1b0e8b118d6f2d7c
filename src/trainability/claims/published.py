"""What a source reports: in words, and as numbers on the scale of a statement's own effects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from trainability.cell import Closed
from trainability.claims.evidence import Where
from trainability.expressions import Expression

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN = float("nan")


class PublishedFigure(Closed):
    """A number of the source's: of the whole, or of the settings that satisfy `where`.

    A difference (`by`) and a ratio (`factor`) are meant in the direction that the statement says; a level is a `value`.
    """

    where: Where = ""
    by: float | None = None
    factor: Annotated[float, Field(gt=0)] | None = None
    value: float | None = None

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if sum(number is not None for number in (self.by, self.factor, self.value)) != 1:
            raise PydanticCustomError(
                "published_number", "give `by` for differences, `factor` for ratios or `value` for levels, and one only"
            )
        return self

    @property
    def kind(self) -> str:
        """Which of the three it is."""
        return "by" if self.by is not None else "factor" if self.factor is not None else "value"

    def effect(self, expect: str) -> float:
        """On the scale of effects, which are positive where the statement says that they lie."""
        if self.factor is not None:
            return math.log2(self.factor)
        if self.by is not None:
            return self.by
        assert self.value is not None
        return -self.value if expect == "lower" else self.value


class Published(Closed):
    """What the source says, and its figures where it gives any."""

    says: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    figures: list[PublishedFigure] = Field(default=[])

    def of_all(self, expect: str) -> float:
        """The source's effect over all settings, NaN where it gives none."""
        return next((figure.effect(expect) for figure in self.figures if not figure.where), UNKNOWN)

    def of_setting(self, setting: Mapping[str, Any], expect: str) -> float:
        """The source's effect in one setting, NaN where it gives none."""
        for figure in self.figures:
            if figure.where and Expression(figure.where, setting)(setting):
                return figure.effect(expect)
        return UNKNOWN
