"""Rows to effects: what belongs to one unit on both sides stands at one place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from trainability.claims.metrics import Array

if TYPE_CHECKING:  # the Snakefile checks claims, and needs no pandas for it
    import pandas as pd

    from trainability.claims.sheets import Setting, Sheet


class NothingComparedError(Exception):
    """No rows of the sheet are what the evidence compares; the message says which."""


@dataclass(frozen=True)
class Effects:
    """Effects [settings, units] of one comparison, NaN where there is no figure.

    `edges` holds, by setting, whether a chosen rate lies on the edge of its grid, for the treatment and the control.
    """

    values: Array
    settings: tuple[Setting, ...]
    units: tuple[Any, ...]
    edges: tuple[tuple[bool, bool], ...]
    rows: pd.DataFrame = field(repr=False)  # all rows that took part


def aligned(sheet: Sheet, column: str, *sides: pd.DataFrame) -> Iterator[Array]:
    """The column of each side, sorted by the unit; each unit once on every side."""
    for rows in sides:
        yield rows.sort_values(sheet.unit, kind="stable")[column].to_numpy(dtype=float)


def table_of(sheet: Sheet, column: str, rows: pd.DataFrame, factor: str) -> Array:
    """The column by values of a factor, in their order, and units: [values, units]."""
    return np.asarray(rows.pivot(index=factor, columns=sheet.unit, values=column).sort_index().to_numpy(dtype=float))


def effects_of(found: Sequence[tuple[Setting, tuple[pd.DataFrame, pd.DataFrame], Array]], sheet: Sheet) -> Effects:
    if not found:
        raise NothingComparedError("no setting has all that is compared")
    units = {tuple(sorted(set(rows[0][sheet.unit]))) for _, rows, _ in found}
    if len(units) > 1 or any(len(values) != len(next(iter(units))) for _, _, values in found):
        raise NothingComparedError(f"rows cannot be paired by {sheet.unit}: each must have one row on every side")
    return Effects(
        values=np.array([values for _, _, values in found], dtype=float),
        settings=tuple(setting for setting, _, _ in found),
        units=next(iter(units)),
        edges=tuple((_edge(rows[0]), _edge(rows[1])) for _, rows, _ in found),
        rows=stacked([part for _, rows, _ in found for part in rows]),
    )


def stacked(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(parts)


def _edge(rows: pd.DataFrame) -> bool:
    """Whether the chosen rate of some of the rows lies on the edge of its grid.

    Where no run learns at any rate, none was chosen for what it brings, and nothing says that the next one would do.
    """
    if "rate_edge" not in rows:
        return False
    return bool(((rows["rate_edge"].fillna("") != "") & (rows["status"] == "ok")).any())
