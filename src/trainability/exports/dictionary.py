"""The data dictionary: type, unit, meaning and values of every column of every table.

The words are data, `report/dictionary.yaml`. What the code already says is taken from there: factors from the
configuration's fields, means over layers and estimates over seeds from the registries of `tables`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from trainability import files, tables
from trainability.cell import FACTORS, Factors

SOURCE = Path(__file__).parents[3] / "report" / "dictionary.yaml"
FIGURE = "figure"  # the entry of all tables behind figures
MOMENTS = (
    (tables.FIRST, "before training"),
    (tables.LAST, "after training"),
    (tables.LATER, "and over all probes but the one before training"),
)  # the probes that `tables` takes means of
NUMBERS: dict[Any, str] = {int: "integer", float: "number"}
Kind = Literal["string", "integer", "number", "boolean"]


@dataclass(frozen=True)
class Column:
    """What a column holds; `values` are all that occur, where they can be listed."""

    name: str
    type: Kind
    text: str
    unit: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """What a table is, what identifies its rows, and its own columns."""

    title: str
    text: str
    key: tuple[str, ...] = ()
    columns: Mapping[str, Column] = field(default_factory=dict)


class Dictionary:
    """The dictionary as `report/dictionary.yaml` and the code define it."""

    def __init__(self, source: Path = SOURCE) -> None:
        content = yaml.safe_load(source.read_text(encoding="utf-8"))
        self.source = source
        self.common = _columns(content["columns"]) | _factors()
        self.patterns = {re.compile(name): one for name, one in _columns(content["patterns"]).items()}
        self.sheets = {
            name: Sheet(one["title"], one["text"], tuple(one.get("key", ())), _columns(one["columns"]))
            for name, one in content["tables"].items()
        }

    def column(self, table: str, name: str) -> Column:
        """The description of a column; raises files.CorruptFileError if there is none."""
        for known in (self.sheets[table].columns, self.common):
            if name in known:
                found = known[name]
                break
        else:
            found = self._derived(table, name)
        estimated = table == "cells" and name in tables.ESTIMATED
        return replace(found, name=name, text=_sentence(_over_seeds(name, found.text) if estimated else found.text))

    def _derived(self, table: str, name: str) -> Column:
        """A column that the code makes of others."""
        if name in tables.LAYER_MEANS:
            of, probes = tables.LAYER_MEANS[name]
            layers = self.column("layers", of)
            moment = next(words for known, words in MOMENTS if known == probes)
            return replace(layers, text=f"Mean over hidden layers, {moment}: {_lower(layers.text)}")
        if bound := re.fullmatch(r"(.+)_(low|high)", name) if table == "cells" else None:
            end = {"low": "Lower", "high": "Upper"}[bound[2]]
            return replace(self.column(table, bound[1]), text=f"{end} bound of the 95 % interval of {bound[1]}")
        for pattern, one in self.patterns.items():
            if match := pattern.fullmatch(name):
                return replace(one, text=match.expand(one.text))
        # Signals before training, and what figures show of layers, are columns of the table of layers.
        if table == "signal" and name in self.sheets["layers"].columns:
            return self.sheets["layers"].columns[name]
        raise files.CorruptFileError(f"column {name} of table {table} has no description. Add one to {self.source}.")


def _columns(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Column]:
    return {
        name: Column(name, one["type"], one["text"], one.get("unit", ""), tuple(one.get("values", ())))
        for name, one in entries.items()
    }


def _factors() -> dict[str, Column]:
    """The factors, as the configuration describes them: components by their labels."""
    found = {}
    for name in FACTORS:
        info = Factors.model_fields[name]
        values = get_args(info.annotation) if not isinstance(info.annotation, type) else ()
        values = values if all(isinstance(value, str) for value in values) else ()
        kind: Any = NUMBERS.get(info.annotation, "string")
        found[name] = Column(name, kind, info.description or "", values=values)
    return found


def _over_seeds(name: str, text: str) -> str:
    mean = "Geometric mean" if name in tables.GEOMETRIC else "Mean"
    return f"{mean} over seeds: {_lower(text)}"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
