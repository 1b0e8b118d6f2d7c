"""Train chosen cells again, and make damaged files again, those and no others, and bring the report up to date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainability.operations.cells import Cells
from trainability.operations.workflow import Workflow, record_of

AT_ONCE = 1000  # records in one command: the system takes some 2 MB of arguments, and a name may have 200 bytes


@dataclass(frozen=True)
class Rerun:
    """What would be done: Snakemake's commands in their order, and the cells that are left out of date."""

    keys: Sequence[str]
    targets: Sequence[str]  # files of jobs that train no cell, which are made again as well
    others: dict[str, str]  # by key: why
    commands: Sequence[Sequence[str]]


def plan(cells: Cells, keys: Sequence[str], workflow: Workflow, everything: bool, targets: Sequence[str] = ()) -> Rerun:
    """How to train these cells and make these files; with `everything`, also whatever else is missing or out of date.

    The report needs all cells, so asking for it would train every one that is out of date. Where there are such beside
    the chosen ones, these are trained alone, and the report is the one on what is done. Raises workflow.WorkflowError.
    """
    chosen = set(keys)
    found = workflow.pending() | dict(cells.progress.cells)  # Snakemake sees no damage, and notes of its own get lost
    others = {key: why for key, why in found.items() if key not in chosen}
    forced = [*targets, *map(record_of, [*keys, *others] if everything else keys)]
    parts = [forced[start : start + AT_ONCE] for start in range(0, len(forced), AT_ONCE)]
    alone = [workflow.command(*part, "--force") for part in parts]
    if others and not everything:
        return Rerun(keys, targets, others, [*alone, workflow.command("report_partial")])
    if len(parts) > 1:
        return Rerun(keys, targets, others, [*alone, workflow.command()])
    return Rerun(keys, targets, others, [workflow.command("--forcerun", *forced)])


def remarks(cells: Cells, found: Rerun, everything: bool) -> list[str]:
    """What the user should know before the commands run."""
    said = []
    if found.keys:
        of = f"{len(found.keys):,} of {len(cells.trained):,} cells"
        said.append(f"{of} are trained again ({cells.summary(found.keys)}).")
    if found.targets:
        said.append(f"Made again, with all that is made from it: {', '.join(found.targets)}.")
    if found.others:
        number = len(found.others)
        some = ", ".join(f"{key} ({why})" for key, why in list(found.others.items())[:3])
        what = f"{number:,} other cell{'s are' if number > 1 else ' is'} missing or out of date: {some}"
        what += f" and {number - 3:,} more" if number > 3 else ""
        said.append(f"{what}.")
        said.append(
            "They are trained as well."
            if everything
            else "They are left as they are, so the report is results/report_partial.html; --all trains them as well."
        )
    if cells.progress.busy:
        said.append("Jobs of this experiment are at work; Snakemake does not start while another one runs here.")
    return said
