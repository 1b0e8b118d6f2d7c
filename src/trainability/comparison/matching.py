"""Which cell of one experiment stands beside which of the other, and how alike the two are.

Three kinds of pairs, each of the cells that no earlier kind has matched:

- the same cell: the same key, so the same factors, seeds and learning rates, and the same source of foreign classes;
- the same setting: the same factors, with other seeds, rates or source;
- the same place: the same factors but for those of the scale (`sides.SCALE`), each of which may also be at the base
  value of its experiment on both sides.

A cell has one signature of each kind within its experiment, so no cell is matched twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from trainability.comparison.sides import Side, Signature, signature

CELL, SETTING, PLACE = "same cell", "same setting", "same place"
KINDS = (CELL, SETTING, PLACE)


class Pair(NamedTuple):
    """Keys of two cells, and what they have in common."""

    a: str
    b: str
    kind: str

    @property
    def paired(self) -> bool:
        """Whether runs of one seed belong together, so that differences can be told from chance."""
        return self.kind != PLACE


@dataclass(frozen=True)
class Matching:
    """All cells of both experiments, each once."""

    pairs: tuple[Pair, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]

    def count(self, kind: str) -> int:
        """How many pairs are of a kind."""
        return sum(pair.kind == kind for pair in self.pairs)


def match(a: Side, b: Side) -> Matching:
    """The pairs in the order of A's cells, and the cells without a counterpart."""
    partners: dict[str, Pair] = {}
    taken: set[str] = set()
    for kind, name in _names().items():
        theirs = {name(b, key): key for key in b.trained if key not in taken}
        for key in a.trained:
            other = theirs.get(name(a, key))
            if key not in partners and other is not None:
                partners[key] = Pair(key, other, kind)
                taken.add(other)
    pairs = tuple(partners[key] for key in a.trained if key in partners)
    return Matching(
        pairs,
        tuple(key for key in a.trained if key not in partners),
        tuple(key for key in b.trained if key not in taken),
    )


def _names() -> dict[str, Callable[[Side, str], Signature]]:
    """What a cell of an experiment is called, for each kind of pair: equal names match."""
    return {
        CELL: lambda side, key: (key,),
        SETTING: lambda side, key: signature(side.trained[key]),
        PLACE: Side.place,
    }
