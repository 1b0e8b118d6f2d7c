"""Why a cell would be trained again, or why not."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from trainability import files, progress, record
from trainability.cell import Cell
from trainability.component import suggest
from trainability.operations.cells import DONE, Cells
from trainability.operations.status import sentence
from trainability.progress import FAILED, RUNNING, STOPPED

# What differs in a record, and what that means.
MEANING = {
    "code": "the code that trains has changed. Which module is not known, since a fingerprint covers all of them",
    "torch": "torch is another version",
    "data": "the preprocessed data have changed",
    "device": "it was trained on another device",
}


def explain(cells: Cells, key: str) -> Iterator[str]:
    """What there is of a cell and what follows from it, in sentences; Snakemake is not asked."""
    if key not in cells.plan:
        yield from _stranger(cells, key)
    elif not cells.plan[key].included:
        yield f"It is not trained: left out of the experiment by {cells.plan[key].reason}."
    else:
        yield from _planned(cells, key)


def _planned(cells: Cells, key: str) -> Iterator[str]:
    state, folder = cells.state(key), cells.folder(key)
    if state == DONE:
        yield "Nothing to do: its record is complete, and comes from the code, data, torch and device that are here."
        return
    if state == RUNNING:
        yield "It is being trained just now."
    for trouble in cells.progress.troubles:
        if (trouble.job.rule, trouble.job.name) == ("train", key) and state in (FAILED, STOPPED):
            yield f"Its last training {sentence(trouble)}. Its log: {cells.results / trouble.job.log}"
    if not os.path.lexists(folder / "record.json"):
        yield f"{folder / 'record.json'} is missing: it was never trained, or its record was deleted."
        return
    try:
        content = record.read(folder).content
    except files.OutdatedFileError as error:
        yield f"Outdated: {error}"
    except files.CorruptFileError as error:
        yield f"Its record is damaged, which Snakemake does not see: {error}"
    else:
        yield from _origins(cells, cells.trained[key], content)


def _origins(cells: Cells, cell: Cell, content: Mapping[str, Any]) -> Iterator[str]:
    """Where a record and a training now would come from, as far as that differs."""
    manifest = cells.results / "data" / cell.inputs / "preprocessing.json"
    then = progress.origin_of(content)
    for name, now in {**progress.origin_here(cells.settings.device), **progress.data_here(manifest)}.items():
        if now is None:
            yield f"Its data are not there any more ({manifest} is missing)."
        elif then[name] != now:
            yield f"Outdated: {MEANING[name]} ({name}: {then[name]} then, {now} now)."


def _stranger(cells: Cells, key: str) -> Iterator[str]:
    """A key that the plan does not have: the nearest cell, and the factors that tell them apart."""
    path = cells.folder(key) / "record.json"
    if not path.exists():
        hint = suggest(key, cells.plan)
        hint = hint[:1].upper() + hint[1:]
        yield f"It is no cell of this experiment and has no record. {hint}`trainability cells` lists the cells."
        return
    yield "It has a record, but is no cell of this experiment, so nothing trains it again or shows it."
    own = record.load(path.parent)["parameters"]
    near = min(cells.plan, key=lambda other: len(_apart(own, cells.plan[other].cell)))
    apart = _apart(own, cells.plan[near].cell)
    yield f"The nearest cell of this experiment is {near}, which differs in {len(apart)}:"
    for name, (its, others) in apart.items():
        yield f"  {name}: {_shown(its)}, there {_shown(others)}"


def _apart(own: Mapping[str, Any], cell: Cell) -> dict[str, tuple[Any, Any]]:
    other = json.loads(cell.canonical)
    names = dict.fromkeys((*own, *other))
    return {name: (own.get(name), other.get(name)) for name in names if own.get(name) != other.get(name)}


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if value is not None else "not set"


def according_to_snakemake(reason: str | None) -> str:
    """What Snakemake would do, by the reason of `Workflow.pending`."""
    if reason is None:
        return "Snakemake would not train it."
    return f"Snakemake would train it ({'its data are made anew' if reason == 'ok' else reason})."
