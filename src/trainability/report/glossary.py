"""What the names of activations, initialisations and the like stand for, from the code's documentation."""

from __future__ import annotations

import inspect
from typing import Any

from trainability.report.blocks import Column, Entry, Table
from trainability.report.material import Material
from trainability.report.method import NOUNS

COMPONENTS = ("activation", "init", "normalization", "preprocessing", "optimizer")


def table(material: Material) -> Table:
    """What the names in the tables stand for: the first paragraph of each component's documentation."""
    rows = []
    for factor in COMPONENTS:
        for label, component in _values(material, factor).items():
            text = " ".join((inspect.getdoc(type(component)) or "").split("\n\n")[0].split())
            rows.append((Entry(f"{label}"), Entry(NOUNS.get(factor, factor)), Entry(text)))
    return Table(
        "table-names",
        "What the names mean.",
        (Column("name"), Column("factor"), Column("definition", long=True)),
        tuple(rows),
    )


def _values(material: Material, factor: str) -> dict[str, Any]:
    """Components that a factor takes among the trained cells, by label."""
    return {getattr(cell, factor).label: getattr(cell, factor) for cell in material.trained.values()}
