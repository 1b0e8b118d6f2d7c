"""What differs between two experiments before any result: configuration, code, software, hardware, data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from trainability.comparison.matching import CELL, Matching
from trainability.comparison.sides import Side, distinct
from trainability.report.blocks import Column, Entry, Prose, Table
from trainability.report.wording import NONE, count

Difference = tuple[str, str, str]  # what, in A, in B


def configuration(a: Side, b: Side) -> list[Difference]:
    """Keys of the configurations with both values; a part that one of them lacks is one entry."""
    one, other = (side.settings.model_dump(mode="json", exclude_none=True) for side in (a, b))
    return list(_differences(one, other, ""))


def _differences(one: Any, other: Any, path: str) -> Iterator[Difference]:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in dict.fromkeys((*one, *other)):
            yield from _differences(one.get(key), other.get(key), f"{path}.{key}" if path else key)
    elif one != other:
        yield path, _written(one), _written(other)


def _written(value: Any) -> str:
    """As in a configuration's file, in one line."""
    if value is None:
        return NONE
    text = yaml.safe_dump(_short(value), default_flow_style=True, sort_keys=False, allow_unicode=True, width=math.inf)
    return text.removesuffix("...\n").strip()


def _short(value: Any) -> Any:
    """A component without parameters by its name alone."""
    if isinstance(value, Mapping):
        return value["name"] if list(value) == ["name"] else {key: _short(part) for key, part in value.items()}
    return [_short(part) for part in value] if isinstance(value, list) else value


def origins(a: Side, b: Side, matching: Matching) -> list[Difference]:
    """Code, versions, hardware, device and time where the records differ, and cells whose data do."""
    found: list[Difference] = []
    for title, path, write in _places(a, b):
        one, other = (", ".join(write(value) for value in distinct(side, *path)) for side in (a, b))
        if one != other:
            found.append((title, one, other))
    same = [pair for pair in matching.pairs if pair.kind == CELL]
    hashes = [(a.records[pair.a]["hashes"]["data"], b.records[pair.b]["hashes"]["data"]) for pair in same]
    if changed := sum(one != two for one, two in hashes):
        found.append(("preprocessed data", NONE, f"other bytes for {count(changed, 'cell')} of {len(same)} in both"))
    return found


def _places(a: Side, b: Side) -> Iterator[tuple[str, tuple[str, ...], Callable[[Any], str]]]:
    """Where in a record there is something to compare, and how it is written."""
    yield "code that trained (SHA-256)", ("hashes", "code"), str
    for part in ("versions", "hardware"):
        names = dict.fromkeys(name for side in (a, b) for value in distinct(side, part) for name in value)
        for name in names:
            yield f"{part.removesuffix('s')}: {name}", (part, name), str
    yield "device", ("device",), str
    yield "threads", ("threads",), str


def table(name: str, caption: str, rows: list[Difference]) -> Table | Prose:
    """Differences with both values, or that there are none."""
    if not rows:
        return Prose((f"{caption} None.",))
    return Table(
        name,
        caption,
        (Column("what"), Column("A", long=True), Column("B", long=True)),
        tuple(tuple(Entry(text) for text in row) for row in rows),
    )
