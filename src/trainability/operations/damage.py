"""Damaged files of an experiment, found by their checksums: which jobs make them, and what is made from them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from trainability import files, manifests, record, verified
from trainability.operations.cells import Cells
from trainability.progress import DAMAGED, Job, jobs

# What is made from the files of a rule, beside the cells.
LATER = {
    "plan": "the tables, verdicts, figures and the report",
    "data": "the tables, verdicts, figures and the report",
    "preprocess": "the tables, verdicts, figures and the report",
    "train": "the tables, verdicts, figures and the report",
    "analyse": "the verdicts and the report",
    "tables": "the verdicts, figures and the report",
    "claims": "the report",
    "figure": "the report",
    "report": "",
}


@dataclass(frozen=True)
class Damage:
    """A job whose files are not what it wrote: what is wrong, a sentence for each file."""

    job: Job
    problems: Sequence[str]


def damages(cells: Cells) -> list[Damage]:
    """The jobs with damaged files, in the workflow's order; records as `cells` has found them."""
    found = []
    for job in jobs(cells.settings, cells.plan):
        if job.rule == "train" and cells.state(job.name) != DAMAGED:
            continue
        if problems := list(_problems(cells, job)):
            found.append(Damage(job, problems))
    return found


def lines(cells: Cells, found: Sequence[Damage]) -> Iterator[str]:
    """What is damaged and what was made from it, for people."""
    for damage in found:
        yield f"damaged: {damage.job.rule} {damage.job.name}".rstrip()
        yield from (f"  {problem}" for problem in damage.problems)
        if later := _later(cells, damage.job):
            yield f"  made from it: {later}"
    if found:
        yield "`trainability rerun --damaged` makes these again, and what is made from them."
    yield from _notes(cells)


def document(found: Sequence[Damage]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [{"rule": damage.job.rule, "name": damage.job.name, "problems": list(damage.problems)} for damage in found]


def targets(found: Sequence[Damage]) -> list[str]:
    """A file of each job that trains no cell, as the workflow names it."""
    return [f"results/{damage.job.manifest}" for damage in found if damage.job.rule != "train"]


def _problems(cells: Cells, job: Job) -> Iterator[str]:
    manifest, target = cells.results / job.manifest, cells.results / job.target
    if os.path.lexists(manifest):
        if job.rule == "train":
            yield from _of_record(cells, job)
        else:
            yield from manifests.problems(manifest)
    elif os.path.lexists(target) and not cells.progress.busy:  # a job that is at work writes its manifest last
        yield f"{manifest} is missing"


def _of_record(cells: Cells, job: Job) -> Iterator[str]:
    try:
        record.read(cells.folder(job.name))
    except files.CorruptFileError as error:
        yield str(error)


def _later(cells: Cells, job: Job) -> str:
    """What is made from the files of a job."""
    if job.rule not in ("data", "preprocess"):
        return LATER[job.rule]
    of = job.manifest.removeprefix("data/").rpartition("/")[0]
    count = sum(of in (cell.dataset.slug, cell.inputs) for cell in cells.trained.values())
    return f"{count:,} cell{'' if count == 1 else 's'}, {LATER[job.rule]}"


def _notes(cells: Cells) -> Iterator[str]:
    """Notes on cells that were trained again, which no job of the workflow makes."""
    for key, one in cells.records.items():
        try:
            verified.read(cells.folder(key), one.content["digest"])
        except files.CorruptFileError as error:
            yield f"damaged: {error}"
