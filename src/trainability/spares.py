"""Spare copies of records, for cells that are trained in groups of jobs on a cluster.

Where one cell of a group fails, Snakemake removes the records of all of them, and on the next attempt starts all of
them anew. So a cell that is trained by another Snakemake than the user's leaves its record a second time, in
results/spare/, of which Snakemake does not know. The cell's next job takes that over instead of training; where no
further attempt comes, `bring_back` does. A run of Snakemake leaves no spares but those of cells that have no record.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from trainability import files, manifests
from trainability.cell import Cell

FOLDER = "spare"  # in the folder of all results

Report = Callable[[str], None]


def keep(spare: Path, folder: Path, report: Report) -> None:
    """Leave the record in a cell's folder a second time; where there is no room the job succeeds without."""
    try:
        _copy(folder, spare)
    except OSError as error:
        report(f"{error.filename}: {error.strerror}. The record has no spare copy.")


def take(spare: Path, folder: Path, cell: Cell, data: Path, device: str, report: Report) -> bool:
    """Make the spare record that of the cell, if there is one that a training here and now could have left.

    `data` is the folder of the cell's arrays, `device` is `cpu` or `cuda`. Every node trains some cells of an
    experiment, so it may come from another one. A spare record of anything else, or a damaged one, is named and goes.
    Raises files.CorruptFileError where the data do not say what they are.
    """
    from trainability import record  # here, since it needs torch, and the Snakefile reads this module

    if not spare.exists():
        return False
    here = record.origin(cell, manifests.load_json(data / "preprocessing.json"))
    try:
        found = record.read(spare).content
        problem = ", ".join(sorted(_differing(found, here, cell, device)))
    except files.CorruptFileError:
        found, problem = {}, "damaged"
    if problem:
        report(f"{spare} is not the record of this training ({problem}). It is removed, and the cell trained.")
        shutil.rmtree(spare, ignore_errors=True)
        return False
    _copy(spare, folder)
    times = found["times"]
    lasted = f"{times['train_seconds']:.1f} s, until {times['ended']}"
    report(f"The record of an earlier job of this cell, which trained for {lasted}, is taken over: {spare}")
    return True


def bring_back(cells: Iterable[Cell], results: Path, device: str) -> int:
    """Put back the records that Snakemake removed with groups that failed for good; returns of how many of the cells.

    What cannot be put back is left for the cell's next job.
    """
    back = 0
    for cell in cells:
        spare, folder = results / FOLDER / cell.key, results / "cells" / cell.key
        if _has_record(folder):
            continue
        try:
            back += take(spare, folder, cell, results / "data" / cell.inputs, device, report=lambda line: None)
        except (files.CorruptFileError, OSError) as error:
            print(error)
    tidy(results)
    return back


def tidy(results: Path) -> None:
    """Remove the spares of cells that have a record: if such a cell is trained, it is meant to be trained again."""
    for spare in (results / FOLDER).glob("*"):
        if _has_record(results / "cells" / spare.name):
            shutil.rmtree(spare, ignore_errors=True)
    with contextlib.suppress(OSError):  # there is none, or some are left
        (results / FOLDER).rmdir()


def _has_record(folder: Path) -> bool:
    return (folder / "record.json").exists()


def _copy(source: Path, target: Path) -> None:
    from trainability import record

    for name in record.FILES:
        files.write_atomically(target / name, (source / name).read_bytes())


def _differing(found: Mapping[str, Any], here: Mapping[str, Any], cell: Cell, device: str) -> set[str]:
    """What a training here and now would not share with a record, besides the machine."""
    facts = {name: (found[name], here[name]) for name in ("hashes", "versions")}
    facts |= {"cell": (found["cell"], cell.key), "device": (found["device"].partition(":")[0], device)}
    return {name for name, (one, other) in facts.items() if one != other}
