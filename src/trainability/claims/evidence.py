"""Kinds of evidence: which rows of a sheet are compared, and with which.

Every kind turns a sheet into effects [settings, units], oriented as the metric is; rows are paired by their unit (a
seed: one split, one order of batches, one draw of weights) within a setting, which is the values of all factors that
the comparison does not vary.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from trainability import expressions
from trainability.cell import FACTORS
from trainability.claims.metrics import Array, Metric
from trainability.claims.pairing import Effects, aligned, effects_of, stacked, table_of
from trainability.expressions import ExpressionError
from trainability.registry import Component, Registry

if TYPE_CHECKING:  # the Snakefile checks claims, and needs neither pandas nor scipy for it
    from trainability.claims.sheets import Sheet

RATE = "learning_rate"  # a factor where runs at all rates take part


def _expression(text: str) -> str:
    """A text that is an expression; its names are those of cells or of a table, which are not known here."""
    try:
        expressions.parse(text)
    except ExpressionError as error:
        raise PydanticCustomError("expression", "{problem}", {"problem": str(error)}) from None
    return text


Text = Annotated[str, AfterValidator(_expression)]
Where = Annotated[str, AfterValidator(lambda text: _expression(text) if text else "")]  # all rows, if empty


class Evidence(Component):
    """What is compared; `where` holds for every row that takes part."""

    absolute: ClassVar[bool] = False  # whether the effect is what was measured, and no difference between two sides

    where: Where = ""

    @property
    def sides(self) -> tuple[str, ...]:
        """Expressions, each of which must match something."""
        return (self.where,) if self.where else ()

    @property
    def free(self) -> tuple[str, ...]:
        """Factors that are compared over; all others make up a setting."""
        return ()

    @property
    def every_rate(self) -> bool:
        """Whether runs at all learning rates take part, not those at the chosen one alone."""
        return False

    @property
    def compared(self) -> tuple[str, str]:
        """Treatment and control in words, where there are these two."""
        return "", ""

    def unit(self, metric: Metric) -> str:
        """What an effect of 1 is."""
        return metric.unit

    def effects(self, sheet: Sheet, metric: Metric, column: str) -> Effects:
        """The effects; raises NothingComparedError where no setting has all sides."""
        raise NotImplementedError


EVIDENCE: Registry[Evidence] = Registry("kind of evidence")


def names(*texts: str) -> tuple[str, ...]:
    """The names in expressions, in order."""
    found = [name for text in texts if text for name in expressions.named(expressions.parse(text))]
    return tuple(dict.fromkeys(found))


def in_words(text: str) -> str:
    """What an expression picks out: `activation == 'elu' and depth == 10` is elu, depth 10; others as they are."""
    tree = expressions.parse(text)
    parts = tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]
    words = []
    for part in parts:
        match part:
            case ast.Compare(left=ast.Name(id=name), ops=[ast.Eq()], comparators=[ast.Constant(value=value)]):
                words.append(value if isinstance(value, str) else f"{name.replace('_', ' ')} {value!r}")
            case _:
                return text
    return ", ".join(words)


class _TwoSided(Evidence):
    """Compares two sides."""

    treatment: Text
    control: Text

    @property
    def sides(self) -> tuple[str, ...]:
        return _both(self.where, self.treatment), _both(self.where, self.control)

    @property
    def compared(self) -> tuple[str, str]:
        return in_words(self.treatment), in_words(self.control)

    @property
    def free(self) -> tuple[str, ...]:
        return names(self.treatment, self.control)


@EVIDENCE.register
class Contrast(_TwoSided):
    """Treatment against control, unit by unit within each setting that has both."""

    name: Literal["contrast"] = "contrast"

    def effects(self, sheet: Sheet, metric: Metric, column: str) -> Effects:
        one, other = (sheet.where(side).settings(self.free) for side in self.sides)
        found = []
        for setting in (setting for setting in one if setting in other):
            sides = one[setting], other[setting]
            found.append((setting, sides, metric.difference(*aligned(sheet, column, *sides))))
        return effects_of(found, sheet)


@EVIDENCE.register
class Interaction(Evidence):
    """What a treatment does in one case less what it does in another: (treatment - control) - (the other two)."""

    name: Literal["interaction"] = "interaction"
    treatment: Text
    control: Text
    other_treatment: Text
    other_control: Text

    @property
    def sides(self) -> tuple[str, ...]:
        each = (self.treatment, self.control, self.other_treatment, self.other_control)
        return tuple(_both(self.where, side) for side in each)

    @property
    def free(self) -> tuple[str, ...]:
        return names(self.treatment, self.control, self.other_treatment, self.other_control)

    def effects(self, sheet: Sheet, metric: Metric, column: str) -> Effects:
        parts = [sheet.where(side).settings(self.free) for side in self.sides]
        shared = [setting for setting in parts[0] if all(setting in part for part in parts)]
        found = []
        for setting in shared:
            rows = [part[setting] for part in parts]
            a, b, c, d = aligned(sheet, column, *rows)
            with np.errstate(invalid="ignore"):
                values = metric.difference(a, b) - metric.difference(c, d)
            found.append((setting, (stacked(rows[::2]), stacked(rows[1::2])), values))
        return effects_of(found, sheet)


@EVIDENCE.register
class Level(Evidence):
    """The metric itself, in each setting."""

    absolute: ClassVar[bool] = True

    name: Literal["level"] = "level"

    def effects(self, sheet: Sheet, metric: Metric, column: str) -> Effects:
        found = []
        for setting, rows in sheet.where(self.where).settings(()).items():
            (values,) = aligned(sheet, column, rows)
            found.append((setting, (rows, rows.iloc[:0]), metric.level(values)))
        return effects_of(found, sheet)


@EVIDENCE.register
class Spread(_TwoSided):
    """How far the metric's values lie apart over a factor (largest less smallest): treatment against control."""

    name: Literal["spread"] = "spread"
    across: Literal[FACTORS]  # type: ignore[valid-type]

    @property
    def free(self) -> tuple[str, ...]:
        return (*super().free, self.across)

    def effects(self, sheet: Sheet, metric: Metric, column: str) -> Effects:
        one, other = (sheet.where(side).settings(self.free) for side in self.sides)
        found = []
        for setting in (setting for setting in one if setting in other):
            a, b = one[setting], other[setting]
            shared = set(a[self.across]) & set(b[self.across])
            a, b = (rows[rows[self.across].isin(shared)] for rows in (a, b))
            spreads = [np.ptp(metric.level(table_of(sheet, column, rows, self.across)), axis=0) for rows in (a, b)]
            found.append((setting, (a, b), spreads[0] - spreads[1]))
        return effects_of(found, sheet)


@EVIDENCE.register
class Trend(Evidence):
    """Kendall's tau-b of the metric along an ordered factor or the learning rate, unit by unit: 1 if it only rises.

    Values that a unit lacks (a diverged run has no dead units) are left out of its trend; three are the least.
    """

    absolute: ClassVar[bool] = True

    name: Literal["trend"] = "trend"
    along: Literal[(*FACTORS, RATE)]  # type: ignore[valid-type]

    @property
    def every_rate(self) -> bool:
        return bool(self.along == RATE)

    def unit(self, metric: Metric) -> str:
        return "tau"

    @property
    def free(self) -> tuple[str, ...]:
        return (self.along,)

    def effects(self, sheet: Sheet, metric: Metric, column: str) -> Effects:
        found = []
        for setting, rows in sheet.where(self.where).settings(self.free).items():
            table = metric.level(table_of(sheet, column, rows, self.along))
            if len(table) > 2:
                steps = np.arange(len(table), dtype=float)
                found.append((setting, (rows, rows.iloc[:0]), np.array([_tau(steps, one) for one in table.T])))
        return effects_of(found, sheet)


@EVIDENCE.register
class Reordering(Evidence):
    """How far the order of a factor's values at each fixed rate is from that at tuned rates, unit by unit.

    (1 - tau) / 2 with Kendall's tau-b: the share of pairs whose order changes. The rate is one of the factors that make
    up a setting, and beside the metric's column the sheet has one that begins with `tuned_`.
    """

    absolute: ClassVar[bool] = True

    name: Literal["reordering"] = "reordering"
    across: Literal[FACTORS]  # type: ignore[valid-type]

    @property
    def every_rate(self) -> bool:
        return True

    def unit(self, metric: Metric) -> str:
        return "share"

    @property
    def free(self) -> tuple[str, ...]:
        return (self.across,)

    def effects(self, sheet: Sheet, metric: Metric, column: str) -> Effects:
        found = []
        for setting, rows in sheet.where(self.where).settings(self.free).items():
            fixed, tuned = (table_of(sheet, name, rows, self.across) for name in (column, f"tuned_{column}"))
            if len(fixed) > 2:
                values = [(1 - _tau(a, b)) / 2 for a, b in zip(fixed.T, tuned.T, strict=True)]
                found.append((setting, (rows, rows.iloc[:0]), np.array(values)))
        return effects_of(found, sheet)


def _both(one: str, other: str) -> str:
    return f"({one}) and ({other})" if one and other else one or other


def _tau(one: Array, other: Array) -> float:
    """Kendall's tau-b of the pairs that are known, three at least; 0 where all values are equal."""
    known = np.isfinite(one) & np.isfinite(other)
    one, other = one[known], other[known]
    if len(one) < 3:
        return float("nan")
    from trainability.statistics import kendall_tau  # here, since it imports scipy

    return float(kendall_tau(one, other))
