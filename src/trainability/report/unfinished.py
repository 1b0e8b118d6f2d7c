"""What the page says of an experiment that is not finished: what is missing, what failed, and what is not final.

All of it is empty for a complete experiment, so that nothing else asks which of the two it is. A comparison that lacks
none of its cells stands as it is: more results do not change it.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections import Counter
from typing import Any

from trainability.cell import Cell
from trainability.claims.verdicts import NOT_YET
from trainability.plan import included
from trainability.progress import COMPLETE, STATES, TAIL, Trouble
from trainability.report.blocks import Block, Column, Entry, Listing, Prose, Section, Table
from trainability.report.comparisons import records
from trainability.report.illustrations import data_uri
from trainability.report.material import Material
from trainability.report.wording import NONE, count, listing

# What tables compare around the base setting.
COMPARED = {
    "table-convergence": ("activation", "normalization"),
    "table-dead": ("activation", "normalization"),
    "table-accuracy": ("activation", "normalization"),
    "table-layers": ("activation", "normalization"),
    "table-spread": ("activation", "init", "normalization"),
    "table-cost": ("activation", "normalization", "sizing"),
    "table-batchnorm": ("activation", "normalization"),
    "table-depth": ("activation", "init", "depth"),
}
# Tables to which a missing cell makes no difference, or which say themselves what they lack.
WHOLE = frozenset(
    f"table-{name}"
    for name in ("rankings", "whole", "improvement", "studies", "excluded", "verdicts", "names", "hashes")
)


def title(found: Material) -> str:
    """The experiment's title, which says first that it is unfinished."""
    if found.progress == COMPLETE:
        return found.settings.title
    return f"Unfinished ({_share(found)}): {found.settings.title}"


def banner(found: Material) -> tuple[str, ...]:
    """Sentences that stand above everything else, and again in the abstract."""
    if found.progress == COMPLETE:
        return ()
    states = Counter(found.progress.cells.values())
    missing = listing(f"{states[state]:,} {state}" for state in STATES if states[state])
    waiting = [row for row in records(found.claims) if row["verdict"] == NOT_YET]
    troubles = found.progress.troubles
    said = [
        f"This experiment is not finished: {_share(found)} are done{f' ({missing})' if missing else ''}.",
        f"{_analyses(found)}{len(waiting)} of {count(len(found.claims), 'statement')} cannot be judged yet.",
        f"{count(len(troubles), 'job')} failed or stopped; the end of each log is below." if troubles else "",
        "What is shown is made from finished cells alone; where a comparison lacks some, it says so and is not final.",
    ]
    return tuple(filter(None, said))


def hedged(found: Material, text: str, *free: str, normalization: str = "") -> str:
    """A sentence that compares activations at the base setting but for `free`, marked if it lacks some cells.

    With a normalization it speaks of that one alone.
    """
    lacking = [cell for cell in found.lacking(*free) if not normalization or cell.normalization.label == normalization]
    return f"Not final, without all cells of {_activations(lacking)}: {text}" if lacking else text


def marked(found: Material, parts: list[Section]) -> list[Section]:
    """Sections with the captions of their tables marked where they lack cells."""
    if found.progress == COMPLETE:
        return parts
    return [dataclasses.replace(part, blocks=[_marked(found, block) for block in part.blocks]) for part in parts]


def sections(found: Material) -> list[Section]:
    """What is missing and what failed, in a section of its own."""
    if found.progress == COMPLETE:
        return []
    blocks: list[Block] = [
        Prose((f"`{found.snakemake}` goes on from here: it makes what is missing and nothing else.",)),
        _studies(found),
    ]
    troubles = found.progress.troubles
    if troubles:
        blocks += [_troubles(found), *(_tail(trouble) for trouble in troubles)]
    waiting = _statements(found)
    blocks += [waiting] if waiting.rows else []
    return [Section("unfinished", "What is missing", blocks)]


def _share(found: Material) -> str:
    return f"{len(found.trained):,} of {count(len(included(found.plan)), 'cell')}"


def _analyses(found: Material) -> str:
    names = list(found.progress.analyses)
    return f"Of the analyses, {listing(names)} {'is' if len(names) == 1 else 'are'} not finished. " if names else ""


def _activations(cells: list[Cell]) -> str:
    return listing(dict.fromkeys(cell.activation.label for cell in cells))


def _marked(found: Material, block: Block) -> Block:
    if not isinstance(block, Table) or block.name in WHOLE:
        return block
    if block.name not in COMPARED:
        return dataclasses.replace(block, caption=f"{block.caption} Finished cells only, {_share(found)}.")
    free = COMPARED[block.name]
    lacking = found.lacking(*free)
    if not lacking:
        return block
    whole = len(lacking) + len(found.around_base(*free))
    mark = f"Not final: {len(lacking)} of {whole} cells are not finished and left out ({_activations(lacking)})."
    return dataclasses.replace(block, caption=f"{block.caption} {mark}")


def _studies(found: Material) -> Table:
    """A row per study and analysis: how many cells are finished, and the states of the others."""
    shown = [state for state in STATES if state in {*found.progress.cells.values(), *found.progress.analyses.values()}]
    columns = ("", *shown)  # a finished one has no state
    rows: list[tuple[Any, ...]] = []
    for name, study in found.settings.studies.items():
        if study is not None:
            keys = [key for key, entry in found.plan.items() if name in entry.studies]
            states = Counter(found.progress.cells.get(key, "") for key in keys)
            rows.append((name, len(keys), *(states[state] for state in columns)))
    for name, analysis in found.settings.analyses.items():
        if analysis is not None:
            own = found.progress.analyses.get(name, "")
            rows.append((f"analysis {name}", 1, *(int(state == own) for state in columns)))
    return Table(
        "table-unfinished",
        "What is finished. Outdated: trained from code, data or a torch that have changed since. Stopped: its process "
        "was killed. Damaged: its record cannot be read.",
        (Column("study"), *(Column(label, True) for label in ("jobs", "finished", *shown))),
        tuple((Entry(name), *(Entry(f"{number:,}", number) for number in numbers)) for name, *numbers in rows),
        noun="study",
    )


def _statements(found: Material) -> Table:
    """The statements that cannot be judged yet, and what for."""
    return Table(
        "table-waiting",
        "Statements that cannot be judged yet.",
        (Column("statement", long=True), Column("because", long=True)),
        tuple(
            (Entry(row["statement"]), Entry(row["reason"]))
            for row in records(found.claims)
            if row["verdict"] == NOT_YET
        ),
        noun="statement",
    )


def _troubles(found: Material) -> Table:
    """The jobs that failed or were killed, with the command that tries each again."""
    rows = []
    for trouble in found.progress.troubles:
        lines = trouble.tail.splitlines()
        again = f"{found.snakemake} -f {shlex.quote(f'results/{trouble.job.target}')}"
        ended = f"{trouble.state}: {trouble.reason}" if trouble.reason else trouble.state
        entries = (trouble.job.rule, trouble.job.name or NONE, ended, lines[-1].strip() if lines else NONE)
        rows.append((*map(Entry, entries), Entry(again, style="command")))
    return Table(
        "table-troubles",
        "Jobs that failed, or stopped because their process was killed. What a failed job made is removed, so the "
        "command tries it again.",
        (Column("rule"), Column("of"), Column("ended"), Column("last line of its log", long=True), Column("try again")),
        tuple(rows),
        noun="job",
    )


def _tail(trouble: Trouble) -> Listing:
    what = f"{trouble.job.rule} {trouble.job.name}".strip()
    return Listing(
        f"Log of {what}, its last {TAIL} lines at most",
        trouble.tail or "The log is empty.",
        f"{what.replace(' ', '.')}.log",
        data_uri(trouble.tail.encode(), "text/plain"),
    )
