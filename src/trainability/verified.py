"""The note that a cell was trained again: `verified.json` beside its record, made by `trainability verify`.

It speaks of the record that has its `digest`; beside another one it says nothing. The workflow makes no such note, but
a new one brings the report up to date.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainability import files, manifests

SCHEMA = 1
NAME = "verified.json"


@dataclass(frozen=True)
class Verified:
    """What came of training a cell again."""

    cell: str
    digest: str  # of the record
    again: str  # of the new training
    equal: bool  # whether all figures of all runs agree to the last bit
    runs: int
    differing: int  # runs in which a figure differs
    differences: tuple[dict[str, Any], ...]  # largest first: table, column, runs, largest (None: not a number)
    fingerprints: dict[str, dict[str, Any]]  # of the `record`, and of the training `again`
    when: str
    seconds: float


def write(folder: Path, note: Verified) -> Path:
    """Write the note beside the record in `folder`."""
    manifests.save_json(folder / NAME, {"schema": SCHEMA, **asdict(note)})
    return folder / NAME


def read(folder: Path, digest: str) -> Verified | None:
    """The note on the record with this digest; None where there is none, or one on another record.

    Raises files.CorruptFileError if it cannot be read.
    """
    path = folder / NAME
    if not os.path.lexists(path):
        return None
    mend = f"Delete it; `trainability verify {folder.name}` makes another."
    try:
        content = manifests.load_json(path, SCHEMA, mend)
        del content["schema"]
        note = Verified(**content | {"differences": tuple(content["differences"])})
    except (KeyError, TypeError) as error:
        raise files.CorruptFileError(f"{path} does not say how a cell was verified ({error!r}). {mend}") from None
    return note if note.digest == digest else None
