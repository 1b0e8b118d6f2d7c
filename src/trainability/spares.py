"""Spare copies of records, for cells that are trained in a group of jobs on a cluster.

Where one cell of a group fails, Snakemake removes the records of all of them, and on the next attempt starts all of
them anew. So such a cell leaves its record a second time, in results/spare/, of which Snakemake does not know. The
cell's next job takes that over instead of training; where no further attempt comes, `bring_back` does. Once all records
are collected into tables, nobody needs the spares.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from trainability import files, manifests, record
from trainability.cell import Cell

FOLDER = "spare"  # in the folder of all results


def keep(spare: Path, folder: Path, report: Callable[[str], None]) -> None:
    """Leave the record in a cell's folder a second time; where there is no room the job succeeds without."""
    try:
        _copy(folder, spare)
    except OSError as error:
        report(f"{error.filename}: {error.strerror}. The record has no spare copy.")


def take(
    spare: Path, folder: Path, cell: Cell, data: Mapping[str, Any], device: str, report: Callable[[str], None]
) -> bool:
    """Make the spare record that of the cell, if there is one that a training here and now could have left.

    `data` is the manifest of the cell's arrays, `device` is `cpu` or `cuda`. Every node trains some cells of an
    experiment, so it may come from another one. A spare record of anything else, or a damaged one, is named and goes.
    """
    if not spare.exists():
        return False
    try:
        found = record.read(spare).content
        if differing := sorted(_differing(found, cell, data, device)):
            raise files.CorruptFileError(f"{spare} is the record of another training ({', '.join(differing)}).")
    except files.CorruptFileError as error:
        report(f"{error} It is not taken over.")
        shutil.rmtree(spare, ignore_errors=True)
        return False
    _copy(spare, folder)
    report(f"The record of an earlier job is taken over: {spare}")
    return True


def bring_back(cells: Mapping[str, Cell], results: Path, device: str) -> list[str]:
    """Put back the records that Snakemake removed with a group that failed; the keys of their cells."""
    back = []
    for spare in sorted((results / FOLDER).glob("*")):
        folder = results / "cells" / spare.name
        if (cell := cells.get(spare.name)) is None or (folder / record.FILES[-1]).exists():
            continue
        try:
            data = manifests.load_json(results / "data" / cell.inputs / "preprocessing.json")
            if take(spare, folder, cell, data, device, print):
                back.append(cell.key)
        except (files.CorruptFileError, OSError) as error:  # they are still there, for the cell's next job
            print(error)
    return back


def remove(results: Path, keys: Iterable[str] | None = None) -> None:
    """Remove the spare records of some cells, or all there are."""
    for folder in [results / FOLDER] if keys is None else [results / FOLDER / key for key in keys]:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    for name in record.FILES:
        files.write_atomically(target / name, (source / name).read_bytes())


def _differing(found: Mapping[str, Any], cell: Cell, data: Mapping[str, Any], device: str) -> set[str]:
    """What a training here and now would not share with this record, besides the machine."""
    here = record.origin(cell, data)
    facts = {name: (found[name], here[name]) for name in ("hashes", "versions")}
    facts |= {"cell": (found["cell"], cell.key), "device": (found["device"].partition(":")[0], device)}
    return {name for name, (one, other) in facts.items() if one != other}
