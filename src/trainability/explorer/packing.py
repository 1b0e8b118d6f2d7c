"""Numbers in little room: blocks of text that a page holds and its script decodes where they are needed.

A block is many parts with the same columns, for instance a cell each. Its bytes are the length of a header, the header
as JSON, and the columns one after the other, each with the values of all parts. The bytes of a column's numbers are
sorted by their significance, since bytes of one significance are alike; all of it is compressed by zlib and written in
base64. The same values give the same text.

What the kinds of a column keep:

- `fraction`: a share from 0 to 1 as a whole number of fifty-thousandths, off by a hundred-thousandth at most.
- `magnitude`: any number as bfloat16, the upper half of a float32, off by 2**-8 (0.4 %) of itself at most where it is
  larger than 1.2e-38; zero, infinities and signs are kept.
- `exact`: any number as float64.
- `code`: a whole number from 0 to 65,535.

NaN stands for a missing value; in a `fraction` it is the code 65,535.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

FRACTIONS = 50_000  # steps from 0 to 1
ROUNDING = 1e-6  # by which a share of the tables may exceed 1
MISSING = 0xFFFF


@dataclass(frozen=True)
class Column:
    """A column of every part of a block: its kind, and its axes, whose lengths each part says for itself."""

    kind: str
    axes: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """What belongs together: `facts` for the header, the lengths of the axes, and an array for each column."""

    facts: Mapping[str, Any]
    lengths: Mapping[str, int]
    values: Mapping[str, Any]


def block(columns: Mapping[str, Column], parts: Sequence[Part]) -> str:
    """The parts as text; raises ValueError if an array has not the shape that its part and column say."""
    header = {
        "columns": {name: [column.kind, *column.axes] for name, column in columns.items()},
        "parts": [{**part.facts, "lengths": part.lengths} for part in parts],
    }
    content = [json.dumps(header, allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode()]
    content.insert(0, len(content[0]).to_bytes(4, "little"))
    for name, column in columns.items():
        arrays = [_shaped(name, column, part) for part in parts]
        encoded = KINDS[column.kind](np.concatenate([array.ravel() for array in arrays]))
        content.append(np.ascontiguousarray(encoded.view(np.uint8).reshape(len(encoded), -1).T).tobytes())
    return base64.b64encode(zlib.compress(b"".join(content), 9)).decode()


def _shaped(name: str, column: Column, part: Part) -> Array:
    array = np.asarray(part.values[name])
    expected = tuple(part.lengths[axis] for axis in column.axes)
    if array.shape != expected:
        raise ValueError(f"column {name} has shape {array.shape}, its axes {column.axes} say {expected}")
    return array


def fraction(values: Array) -> Array:
    """Shares as whole numbers of steps; raises ValueError for what is no share."""
    values = values.astype(np.float64)
    known = np.isfinite(values)
    if ((values[known] < 0) | (values[known] > 1 + ROUNDING)).any():
        raise ValueError(f"a share lies from 0 to 1, not at {values[known].min()} or {values[known].max()}")
    return np.where(known, np.rint(np.where(known, values, 0).clip(max=1) * FRACTIONS), MISSING).astype("<u2")


def magnitude(values: Array) -> Array:
    """The upper halves of float32 numbers, rounded to the nearest, of two to the even one."""
    with np.errstate(over="ignore"):
        bits = values.astype("<f4").view("<u4").astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> np.uint64(16)) & np.uint64(1))) >> np.uint64(16)
    return np.where(np.isnan(values), 0x7FC0, rounded).astype("<u2")


def exact(values: Array) -> Array:
    """Numbers as they are."""
    return values.astype("<f8")


def code(values: Array) -> Array:
    """Whole numbers; raises ValueError for one that has no room."""
    if values.size and (values.min() < 0 or values.max() > MISSING):
        raise ValueError(f"a code lies from 0 to {MISSING}, not at {values.min()} or {values.max()}")
    return values.astype("<u2")


KINDS: dict[str, Callable[[Array], Array]] = {
    "fraction": fraction,
    "magnitude": magnitude,
    "exact": exact,
    "code": code,
}
