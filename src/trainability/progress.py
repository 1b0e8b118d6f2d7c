"""How far an experiment is: the state of every cell and analysis, and the jobs that failed, with the end of their logs.

Nothing here needs the workflow or writes a file, so it can be asked while the workflow runs. A cell is finished when
its record stands beside the data, the code and the torch that are here now; `running` and `failed` come from the notes
that jobs keep (trainability/notes.py).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainability import files, manifests, notes, provenance, record
from trainability.config import Config
from trainability.figures import FIGURES
from trainability.plan import Plan, included
from trainability.record import Record

TAIL = 20  # lines of a log
# Of what is not finished: its job is at work, is to come, is to come again, gave up, was killed; its record is broken.
RUNNING, WAITING, OUTDATED, FAILED, STOPPED, DAMAGED = "running", "waiting", "outdated", "failed", "stopped", "damaged"
STATES = (RUNNING, WAITING, OUTDATED, FAILED, STOPPED, DAMAGED)


@dataclass(frozen=True)
class Job:
    """A job of the workflow: its rule, the name of what it makes within the rule, and two files that it makes."""

    rule: str
    name: str
    target: str  # below the folder of the results
    manifest: str  # describes all of its files and is written last; below the folder of the results

    @property
    def log(self) -> str:
        """Its log, below the folder of the results."""
        return f"logs/{self.rule}/{self.name}.log" if self.name else f"logs/{self.rule}.log"


@dataclass(frozen=True)
class Trouble:
    """A job that `failed` for a reason, or `stopped` because its process was killed, with the last lines of its log."""

    job: Job
    state: str
    reason: str
    tail: str


@dataclass(frozen=True)
class Progress:
    """What is not finished; by default nothing, which is what a complete report is made from."""

    cells: Mapping[str, str] = field(default_factory=dict)  # states of the unfinished cells by key
    analyses: Mapping[str, str] = field(default_factory=dict)  # states of the unfinished analyses by name
    troubles: tuple[Trouble, ...] = ()
    busy: bool = field(default=False, compare=False)  # whether any job is at work

    def done(self, plan: Plan) -> Plan:
        """The plan without the unfinished cells."""
        return {key: entry for key, entry in plan.items() if key not in self.cells}

    def left(self, plan: Plan) -> Plan:
        """The unfinished cells of the plan."""
        return {key: plan[key] for key in plan if key in self.cells}

    def waiting(self, plan: Plan) -> dict[str, str]:
        """What each study and analysis lacks, by name, of those that lack something."""
        asked = Counter(study for entry in plan.values() for study in entry.studies)
        lacking = Counter(study for entry in self.left(plan).values() for study in entry.studies)
        studies = {name: f"study {name} lacks {lacking[name]} of its {asked[name]} cells" for name in lacking}
        return studies | {name: f"analysis {name} is not finished" for name in self.analyses}


COMPLETE = Progress()


def survey(
    settings: Config, plan: Plan, results: Path, read: Callable[[Path], Record] = record.read
) -> tuple[Progress, dict[str, Record]]:
    """How far the experiment in a folder of results is, and the records of its finished cells, as `read` gives them."""
    troubles, states = [], {}
    for job in jobs(settings, plan):
        note = notes.read(results / job.log)
        if note is None:
            continue
        states[job.rule, job.name] = note.state
        if note.state != RUNNING:
            troubles.append(Trouble(job, note.state, note.reason, tail(results / job.log)))
    planned = included(plan)
    data = {
        one: data_here(results / "data" / one / "preprocessing.json") for one in {c.inputs for c in planned.values()}
    }
    here = origin_here(settings.device)
    cells, found = {}, {}
    for key, cell in planned.items():
        expected = {**here, **data[cell.inputs]}
        state, one = _cell(results / "cells" / key, expected, states.get(("train", key), WAITING), read)
        if one is None:
            cells[key] = state
        else:
            found[key] = one
    analyses = {}
    for name, analysis in settings.analyses.items():
        if analysis is not None:
            of_job = states.get(("analyse", name), WAITING)
            if state := _analysis(results / "analyses", name, analysis.model_dump(mode="json"), of_job):
                analyses[name] = state
    return Progress(cells, analyses, tuple(troubles), RUNNING in states.values()), found


def jobs(settings: Config, plan: Plan) -> Iterator[Job]:
    """The jobs of the workflow, in its order."""
    cells = included(plan)
    yield Job("plan", "", "tables/plan.csv", "tables/plan.json")
    for slug in dict.fromkeys(cell.dataset.slug for cell in cells.values()):
        yield Job("data", slug, f"data/{slug}/splits.npz", f"data/{slug}/dataset.json")
    for inputs in dict.fromkeys(cell.inputs for cell in cells.values()):
        folder = f"data/{inputs}"
        yield Job("preprocess", inputs.replace("/", "."), f"{folder}/arrays.npz", f"{folder}/preprocessing.json")
    for key in cells:
        yield Job("train", key, f"cells/{key}/record.json", f"cells/{key}/record.json")
    for name, analysis in settings.analyses.items():
        if analysis is not None:
            yield Job("analyse", name, f"analyses/{name}.csv", f"analyses/{name}.json")
    yield Job("tables", "", "tables/runs.csv", "tables/tables.json")
    yield Job("claims", "", "tables/claims.csv", "tables/claims.json")
    for name in FIGURES:
        yield Job("figure", name, f"figures/{name}.svg", f"figures/{name}.json")
    yield Job("report", "", "report.html", "report.json")


def origin_of(content: Mapping[str, Any]) -> dict[str, str | None]:
    """What a record's results depend on beside the cell's parameters, which its key stands for."""
    hashes, versions = content["hashes"], content["versions"]
    device = content["device"].split(":")[0]  # without the model of the card
    return {"code": hashes["code"], "data": hashes["data"], "torch": versions["torch"], "device": device}


def origin_here(device: str) -> dict[str, str | None]:
    """The same of a cell that would be trained now, but for its data."""
    code, torch = provenance.code_fingerprint(*provenance.TRAINING), provenance.version("torch")
    return {"code": code, "torch": torch, "device": device}


def data_checksum(manifest: Path) -> str | None:
    """The checksum of the arrays that a manifest describes; None while there are none."""
    if not manifest.exists():
        return None
    match manifests.load_json(manifest):
        case {"arrays": {"sha256": str(sha256)}}:
            return sha256
    raise files.CorruptFileError(f"{manifest} describes no arrays. Delete it and run snakemake.")


def tail(log: Path) -> str:
    """The last lines of a log; none if there is no log."""
    return "\n".join(notes.tail(log, TAIL))


def data_here(manifest: Path) -> dict[str, str | None]:
    """What is expected of the data of a record; nothing where their manifest is damaged, for it says nothing."""
    try:
        return {"data": data_checksum(manifest)}
    except files.CorruptFileError:
        return {}


def _cell(
    folder: Path, expected: Mapping[str, str | None], state: str, read: Callable[[Path], Record]
) -> tuple[str, Record | None]:
    """A cell's record if it comes from what is `expected`, else the cell's state; `state` is what its job says."""
    if not os.path.lexists(folder / "record.json"):
        return state, None
    try:
        origin = origin_of(record.load(folder))
        if any(origin[name] != value for name, value in expected.items()):
            return (OUTDATED if state == WAITING else state), None
        return "", read(folder)
    except files.OutdatedFileError:
        return (OUTDATED if state == WAITING else state), None
    except files.CorruptFileError:
        return (state if state == RUNNING else DAMAGED), None


def _analysis(folder: Path, name: str, parameters: Mapping[str, Any], state: str) -> str:
    """The state of an analysis; empty if its table is there, from what is asked, the code and the torch of here.

    `state` is what its job says.
    """
    origin = folder / f"{name}.json"
    if not os.path.lexists(origin):
        return state
    try:
        content = manifests.load_json(origin)
        manifests.read_beside(origin, f"{name}.csv")
    except files.CorruptFileError:
        return state if state == RUNNING else DAMAGED
    match content:
        case {"parameters": asked, "code": code, "versions": {"torch": torch}}:
            here = provenance.code_fingerprint("analyses"), provenance.version("torch")
            return "" if asked == parameters and (code, torch) == here else state
    return state
