"""The statements of both experiments side by side, and which of them have another verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from trainability.claims.verdicts import INCONCLUSIVE, NOT_TESTABLE, VERDICTS
from trainability.comparison.sides import Side
from trainability.report.blocks import Column, Entry, Table
from trainability.report.comparisons import records
from trainability.report.magnitudes import Magnitude
from trainability.report.wording import NONE
from trainability.statistics import Estimate

Row = Mapping[Any, Any]
SAME, REVERSED, DECIDED, UNDECIDED = "same", "reversed", "decided", "undecided"
ONE_TESTS, OTHER_TESTS, NEITHER_TESTS = "testable in A only", "testable in B only", "testable in neither"
ONLY_A, ONLY_B = "only in A", "only in B"
FLIPS = (REVERSED, DECIDED, UNDECIDED)
CHANGES = (*FLIPS, SAME, ONE_TESTS, OTHER_TESTS, ONLY_A, ONLY_B, NEITHER_TESTS)  # the most telling first


class Statement(NamedTuple):
    """A statement's row in the table of verdicts of either side, if that has one, and what changed from A to B."""

    id: str
    a: Row | None
    b: Row | None
    change: str

    @property
    def text(self) -> str:
        return str((self.a or self.b or {})["statement"])

    @property
    def reworded(self) -> bool:
        """Whether the two ask for different things under one name."""
        if self.a is None or self.b is None:
            return False
        return any(self.a[name] != self.b[name] for name in ("statement", "compared", "rule", "smallest_effect"))


def statements(a: Side, b: Side) -> list[Statement]:
    """All statements, flips first, otherwise in the order of A and then of B."""
    ours, theirs = ({row["claim"]: row for row in records(side.claims)} for side in (a, b))
    found = [
        Statement(name, ours.get(name), theirs.get(name), _change(ours.get(name), theirs.get(name)))
        for name in dict.fromkeys((*ours, *theirs))
    ]
    return sorted(found, key=lambda one: CHANGES.index(one.change))


def _change(one: Row | None, other: Row | None) -> str:
    if one is None or other is None:
        return ONLY_B if one is None else ONLY_A
    before, after = one["verdict"], other["verdict"]
    if NOT_TESTABLE in (before, after):
        return NEITHER_TESTS if before == after else OTHER_TESTS if before == NOT_TESTABLE else ONE_TESTS
    if before == after:
        return SAME
    if INCONCLUSIVE in (before, after):
        return DECIDED if before == INCONCLUSIVE else UNDECIDED
    return REVERSED


def counts(found: list[Statement]) -> Table:
    """How often each verdict of A became each of B: four by four."""
    pairs = [(one.a["verdict"], one.b["verdict"]) for one in found if one.a is not None and one.b is not None]
    return Table(
        "table-agreement",
        "Verdicts of the statements that both have: rows are those of A, columns those of B. Flips are off the "
        "diagonal, between the first three.",
        (Column("in A"), *(Column(verdict, True, "in B") for verdict in VERDICTS)),
        tuple(
            (
                Entry(before, style=_style(before)),
                *(Entry(str(pairs.count((before, after))), pairs.count((before, after))) for after in VERDICTS),
            )
            for before in VERDICTS
        ),
    )


def table(found: list[Statement]) -> Table:
    """Every statement with verdict and effect on both sides."""
    reworded = any(one.reworded for one in found)
    note = " `reworded`: the two ask for different things under this name." if reworded else ""
    return Table(
        "table-flips",
        "All statements: verdict and effect with its 95 % interval on both sides, flips first.",
        (
            Column("statement", long=True),
            Column("change", choices=CHANGES),
            Column("verdict in A", choices=VERDICTS),
            Column("verdict in B", choices=VERDICTS),
            Column("effect in A", long=True),
            Column("effect in B", long=True),
            Column("name"),
        ),
        tuple(
            (
                Entry(one.text),
                Entry(one.change + (", reworded" if one.reworded else ""), CHANGES.index(one.change)),
                *(_verdict(row) for row in (one.a, one.b)),
                *(_effect(row) for row in (one.a, one.b)),
                Entry(one.id),
            )
            for one in found
        ),
        searchable=True,
        noun="statement",
        notes=(
            "Change, from A to B: `reversed` between supported and contradicted, `decided` from inconclusive, "
            f"`undecided` to inconclusive; these are the flips. Others only one of the two can test, or neither.{note}",
        ),
    )


def _verdict(row: Row | None) -> Entry:
    if row is None:
        return Entry(NONE, len(VERDICTS))
    return Entry(row["verdict"], VERDICTS.index(row["verdict"]), _style(row["verdict"]))


def _effect(row: Row | None) -> Entry:
    if row is None:
        return Entry(NONE)
    if math.isnan(row["estimate"]):
        return Entry(row["reason"])
    effect = Magnitude.of(row).effect(Estimate(row["estimate"], row["low"], row["high"]))
    doubt = f" ({row['reason']})" if row["verdict"] == INCONCLUSIVE else ""
    return Entry(f"{row['metric']}: {effect}{doubt}", row["estimate"])


def _style(verdict: str) -> str:
    return verdict.replace(" ", "-")
