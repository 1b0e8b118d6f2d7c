"""Two trainings of one cell compared, run by run and bit by bit, and what about them differs beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainability.record import Record

IDENTITY = ("seed", "learning_rate")  # of a run
FIGURES, CURVES, LAYERS = "final figures", "curves", "layers"
# Of the versions, those that a training computes with or writes by.
LIBRARIES = ("python", "torch", "numpy", "pandas", "pyarrow")


@dataclass(frozen=True)
class Difference:
    """A column in which some runs differ; `largest` is None for text, and where one of two figures is missing."""

    table: str
    column: str
    runs: int
    largest: float | None


@dataclass(frozen=True)
class Agreement:
    """How two trainings of the same runs compare."""

    runs: tuple[tuple[int, float], ...]  # seed and learning rate
    differs: NDArray[np.bool_]  # [R]
    differences: tuple[Difference, ...]  # the largest first
    digests: tuple[str, str]
    fingerprints: tuple[dict[str, Any], dict[str, Any]]

    @property
    def equal(self) -> bool:
        """Whether all figures of all runs have the same bits."""
        return not self.differs.any()

    @property
    def explained_by(self) -> dict[str, tuple[Any, Any]]:
        """The parts of the fingerprints that differ, each with both values."""
        one, other = self.fingerprints
        return {name: (one[name], other[name]) for name in one if one[name] != other[name]}


def compare(one: Record, other: Record) -> Agreement:
    """Compare two records of one cell; their runs are the same, since a cell's key stands for them."""
    runs = tuple((run["seed"], run["learning_rate"]) for run in one.content["runs"])
    differs = np.zeros(len(runs), dtype=bool)
    found = []
    for table, first, second in (
        (FIGURES, _figures(one.content), _figures(other.content)),
        (CURVES, one.curves, other.curves),
        (LAYERS, one.layers, other.layers),
    ):
        for column in dict.fromkeys((*first, *second)):
            where, largest = _column(first.get(column), second.get(column), len(runs))
            if where.any():
                differs |= where
                found.append(Difference(table, column, int(where.sum()), largest))
    found.sort(key=lambda item: np.inf if item.largest is None else item.largest, reverse=True)
    contents = one.content, other.content
    return Agreement(
        runs,
        differs,
        tuple(found),
        (one.content["digest"], other.content["digest"]),
        (fingerprint(contents[0]), fingerprint(contents[1])),
    )


def fingerprint(content: Mapping[str, Any]) -> dict[str, Any]:
    """What the bits of a record may depend on beside its cell's parameters."""
    hashes, hardware, versions = content["hashes"], content["hardware"], content["versions"]
    return {
        "code": hashes["code"],
        "data": hashes["data"],
        **{name: versions[name] for name in LIBRARIES},
        **{name: hardware[name] for name in ("processor", "capability", "machine", "system")},
        "device": content["device"],
        "threads": content["threads"],
    }


def _figures(content: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """The final figures of all runs by name, [R] each; what is not a number is text."""
    columns: dict[str, NDArray[Any]] = {}
    for name in content["runs"][0]:
        values = [run[name] for run in content["runs"]]
        numeric = all(value is None or isinstance(value, int | float) for value in values)
        columns[name] = np.array(values, dtype=float) if numeric else np.array(list(map(str, values)))
    return columns


def _column(
    first: NDArray[Any] | None, second: NDArray[Any] | None, runs: int
) -> tuple[NDArray[np.bool_], float | None]:
    """In which runs a column differs, [R], and its largest absolute difference.

    A column holds the runs one after the other, each with as many rows.
    """
    if first is None or second is None or first.shape != second.shape or first.dtype != second.dtype:
        return np.ones(runs, dtype=bool), None
    unequal = _bits(first) != _bits(second)
    where = unequal.reshape(runs, -1).any(1)
    if first.dtype.kind != "f" or not where.any():
        return where, None
    with np.errstate(invalid="ignore"):
        gaps = np.abs(first[unequal].astype(float) - second[unequal].astype(float))
    return where, float(gaps.max()) if np.isfinite(gaps).all() else None


def _bits(values: NDArray[Any]) -> NDArray[Any]:
    """Floating-point values as integers, so that 0 and -0 differ and a NaN equals any other."""
    if values.dtype.kind != "f":
        return values
    plain = np.where(np.isnan(values), np.array(np.nan, values.dtype), values)
    return np.ascontiguousarray(plain).view(f"u{values.dtype.itemsize}")
