"""Numbers of sections, figures and tables, and the links between these and the statements that they bear on.

A statement rests on cells: those of its study that its expressions pick. A figure or table bears on it if it shows the
statement's metric, varies every factor that the statement compares, and shows cells of the statement that differ in
these factors. One that is about a factor of its own, depth say, bears only on what compares that or leaves its base.
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trainability.cell import FACTORS, Cell
from trainability.claims.evidence import RATE
from trainability.claims.metrics import METRICS
from trainability.expressions import Expression
from trainability.report.blocks import Block, Entry, Figure, Group, Section, Shows, Table
from trainability.report.comparisons import records
from trainability.report.material import Material

Exhibit = Figure | Table


@dataclass(frozen=True)
class Subject:
    """What a statement speaks of: its metric, the factors it compares, and its cells by key."""

    claim: str
    verdict: str
    metric: str
    compared: frozenset[str]
    cells: Mapping[str, Cell]

    def seen_in(self, shows: Shows, base: Mapping[str, Any]) -> bool:
        """Whether something that shows this bears on the statement; `base` are the labels of the base setting."""
        if self.metric not in {METRICS[name].title for name in shows.metrics} or not self.compared <= set(
            shows.factors
        ):
            return False
        shared = [cell for key, cell in self.cells.items() if key in shows.cells]
        varying = {name for name in FACTORS if len({cell.labels[name] for cell in shared}) > 1}
        if not shared or not self.compared <= {*varying, RATE}:
            return False
        if not shows.about or shows.about in self.compared:
            return True
        return shows.about != RATE and any(cell.labels[shows.about] != base[shows.about] for cell in shared)


def subjects(found: Material) -> list[Subject]:
    """The statements that studies decide; those of analyses have tables of their own, which no figure shows."""
    return [
        Subject(row["claim"], row["verdict"], row["metric"], frozenset(row["factors"].split()), _cells(row, found))
        for row in records(found.claims)
        if row["evidence"] in found.settings.studies
    ]


def _cells(row: Mapping[Any, Any], found: Material) -> dict[str, Cell]:
    """The trained cells of its study that one of the statement's sides picks, at whichever learning rate."""
    of_study = {key: cell for key, cell in found.trained.items() if row["evidence"] in found.plan[key].studies}
    sides = [Expression(side, (*FACTORS, RATE)) for side in json.loads(row["sides"])]
    rates = found.settings.learning_rates

    def picked(cell: Cell) -> bool:
        return not sides or any(side(cell.labels | {RATE: rate}) for side in sides for rate in rates)

    return {key: cell for key, cell in of_study.items() if picked(cell)}


def linked(found: Material, sections: Iterable[Section]) -> list[Section]:
    """The sections with everything numbered, figures and tables linked with the statements that they bear on."""
    parts = numbered(sections)
    shown = [block for part in parts for block in part.blocks if isinstance(block, Figure | Table)]
    base = {name: getattr(value, "label", value) for name, value in dict(found.settings.base).items()}
    pairs = [(one, exhibit) for one in subjects(found) for exhibit in shown if one.seen_in(exhibit.shows, base)]
    return [replace(part, blocks=[_with_links(block, pairs) for block in part.blocks]) for part in parts]


def numbered(sections: Iterable[Section]) -> list[Section]:
    """Sections from 1, appendices from A; figures and tables each from 1."""
    sections = list(sections)
    figures, tables = (iter(range(1, 1 + sum(len(part.blocks) for part in sections))) for _ in range(2))
    numbers, letters = iter(range(1, len(sections) + 1)), iter(string.ascii_uppercase)

    def labelled(blocks: Sequence[Block]) -> Iterator[Block]:
        for block in blocks:
            if isinstance(block, Figure):
                yield replace(block, label=f"Figure {next(figures)}")
            elif isinstance(block, Table):
                yield replace(block, label=f"Table {next(tables)}")
            else:
                yield block

    return [
        replace(
            part,
            number=next(letters) if part.appendix else str(next(numbers)),
            blocks=list(labelled(part.blocks)),
        )
        for part in sections
    ]


def _with_links(block: Block, pairs: Sequence[tuple[Subject, Exhibit]]) -> Block:
    if isinstance(block, Figure | Table):
        bears = [one for one, exhibit in pairs if exhibit.id == block.id]
        return replace(block, bears=tuple(_to_statement(one) for one in bears))
    if isinstance(block, Group):
        seen: dict[str, list[Entry]] = {}
        for one, exhibit in pairs:
            seen.setdefault(f"claim-{one.claim}", []).append(Entry(exhibit.label, link=exhibit.id))
        return replace(
            block, statements=tuple(replace(one, seen=tuple(seen.get(one.id, ()))) for one in block.statements)
        )
    return block


def _to_statement(subject: Subject) -> Entry:
    return Entry(subject.claim, style=subject.verdict.replace(" ", "-"), link=f"claim-{subject.claim}")
