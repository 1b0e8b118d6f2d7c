"""The sections of the page, in reading order."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from trainability.comparison import cells, method, origins, rankings, scatter, sentences, verdicts
from trainability.comparison.matching import Matching, match
from trainability.comparison.moves import MEASURES, MOVED, Move, moves
from trainability.comparison.rankings import Ranking
from trainability.comparison.sides import Side
from trainability.comparison.verdicts import FLIPS, Statement
from trainability.report.blocks import Block, Column, Command, Commands, Entry, Prose, Section, Table
from trainability.report.wording import decimal, with_interval


@dataclass(frozen=True)
class Comparison:
    """Two experiments and all that was found between them."""

    a: Side
    b: Side
    matching: Matching
    statements: list[Statement]
    moves: list[Move]
    rankings: list[Ranking]

    @property
    def flipped(self) -> int:
        """How many statements have another verdict."""
        return sum(one.change in FLIPS for one in self.statements)

    @property
    def moved(self) -> int:
        """How many cells moved in any measure."""
        return len({move.pair for move in self.moves if move.outcome == MOVED})


def compare(a: Side, b: Side) -> Comparison:
    """Everything that is found between two experiments."""
    matching = match(a, b)
    found = moves(a, b, matching)
    return Comparison(a, b, matching, verdicts.statements(a, b), found, rankings.rankings(a, b, matching))


def title(found: Comparison) -> str:
    """Both titles, or the one that they share."""
    names = dict.fromkeys(side.settings.title for side in (found.a, found.b))
    return f"What changed: {' → '.join(names)}"


def abstract(found: Comparison) -> Prose:
    """What changed, in three paragraphs."""
    a, b, matching = found.a, found.b, found.matching
    named = cells.settings(cells.labels(a, b, matching))
    surroundings = sentences.setup(origins.configuration(a, b), origins.origins(a, b, matching))
    return Prose(
        (
            f"{sentences.scope(a, b, matching)} {surroundings}",
            sentences.verdicts(found.statements),
            f"{sentences.cells(a, b, found.moves, named)} {sentences.orders(found.rankings)}",
        )
    )


def sections(found: Comparison) -> list[Section]:
    """The page below its abstract."""
    a, b, matching = found.a, found.b, found.matching
    named = cells.labels(a, b, matching)
    accuracies = [move for move in found.moves if move.measure == "accuracy"]
    alone: list[Block] = [
        cells.alone(f"table-only-{side.name.lower()}", side, other, keys)
        for side, other, keys in ((a, b, matching.only_a), (b, a, matching.only_b))
        if keys
    ]
    return [
        Section(
            "verdicts",
            "Verdicts that flipped",
            [
                Prose((sentences.verdicts(found.statements),)),
                verdicts.counts(found.statements),
                verdicts.table(found.statements),
            ],
        ),
        Section(
            "moved",
            "Cells that moved",
            [
                Prose((sentences.cells(a, b, found.moves, cells.settings(named)),)),
                scatter.figure(a, b, accuracies, cells.settings(named)),
                *([cells.moved(found.moves, named)] if found.moved else []),
            ],
        ),
        Section("order", "Order of the activations", [Prose((sentences.orders(found.rankings),)), *_rankings(found)]),
        Section(
            "differences",
            "What differs before any result",
            [
                origins.table("table-configuration", "Configuration: keys that differ.", origins.configuration(a, b)),
                origins.table(
                    "table-origins",
                    "Code, software, hardware and data: what differs between the records.",
                    origins.origins(a, b, matching),
                ),
            ],
        ),
        Section(
            "matched", "All matched cells", [cells.matched(a, b, found.moves, named)] if matching.pairs else _none()
        ),
        Section(
            "alone", "Cells only in one", alone or [Prose(("Every cell of one has its counterpart in the other.",))]
        ),
        Section("method", "How it was compared", [method.items(a, b)]),
        Section("reproduce", "Make this page again", [_commands(found)]),
    ]


def _none() -> list[Block]:
    return [Prose(("No cell of one experiment has a counterpart in the other.",))]


def _rankings(found: Comparison) -> list[Table]:
    if not found.rankings:
        return []
    names = list(dict.fromkeys(name for one in found.rankings for name in one.tau))
    return [
        Table(
            "table-order",
            "Kendall's tau between the orders of the activations in A and in B by setting: 1 where they are the same, "
            "0 where they have nothing in common; none where all activations tie on a side. Brackets: 95 % interval "
            "over seeds, resampled together.",
            (
                Column("setting", long=True),
                Column("activations", True),
                Column("A", group="most accurate"),
                Column("B", group="most accurate"),
                *(Column(f"by {MEASURES[name].title}", True, "Kendall's tau") for name in names),
            ),
            tuple(
                (
                    Entry(one.setting),
                    Entry(str(one.activations), one.activations),
                    Entry(one.best_a),
                    Entry(one.best_b),
                    *(Entry(with_interval(one.tau[name], decimal), one.tau[name].value) for name in names),
                )
                for one in found.rankings
            ),
            noun="setting",
        )
    ]


def _commands(found: Comparison) -> Commands:
    folders = " ".join(shlex.quote(str(side.folder)) for side in (found.a, found.b))
    return Commands(
        (
            Command(f"trainability compare {folders}", "Compare the two again; the same results give the same bytes."),
            Command(
                f"trainability compare {folders} --fail-on-change",
                "The same, with exit status 1 if a verdict flipped or a cell moved.",
            ),
        )
    )
