"""A report on an experiment that is not finished: tables, verdicts, figures and page of what there is.

It reads what the workflow writes and writes nothing that the workflow reads, so it can be made while the workflow runs
and after it failed. Its tables and figures are in a folder of their own, `partial` below the results.
"""

from __future__ import annotations

from pathlib import Path

from trainability import claims, figures, progress, report, tables
from trainability.claims import outcome, sheets
from trainability.config import Config
from trainability.figures import FIGURES
from trainability.plan import Plan, included
from trainability.progress import STATES, Progress


class NothingFinishedError(Exception):
    """No cell is finished, so there is nothing to report; the message says what the cells are instead."""


def make(settings: Config, plan: Plan, results: Path, sources: Path, snakemake: str) -> tuple[Path, Progress]:
    """Write `results`/report_partial.html; return its path, and what is not finished.

    `sources` is the folder of the page's template, style, script, captions and statements; `snakemake` the command that
    runs this experiment. Raises NothingFinishedError, or files.CorruptFileError if a file that finished cells need is
    missing or damaged.
    """
    found, records = progress.survey(settings, plan, results)
    if not records:
        raise NothingFinishedError(_nothing(found, len(included(plan))))
    folder = results / "partial"
    collected = tables.tabulate(plan, records.items(), settings.targets)
    tables.write(collected, folder / "tables")
    statements = claims.load([sources / "claims.yaml", *map(Path, settings.claims)])
    analyses = sheets.analysed(settings, results / "analyses", found.analyses)
    source = sheets.Tables(settings, collected["runs"], collected["cells"], analyses)
    outcome.write(outcome.tables(statements, source, found.waiting(plan)), folder / "tables")
    for name in FIGURES:
        captions = sources / "captions.yaml"
        figures.make(name, settings, plan, folder / "tables", results / "data", folder / "figures", captions, found)
    page = results / "report_partial.html"
    folders = (
        folder / "tables",
        folder / "figures",
        results / "cells",
        results / "data",
        results / "logs" / "train",
        sources,
    )
    report.render(settings, plan, *folders, page, snakemake, found)
    return page, found


def _nothing(found: Progress, cells: int) -> str:
    states = list(found.cells.values())
    counts = ", ".join(f"{states.count(state)} {state}" for state in STATES if state in states)
    lines = [f"none of the {cells} cells is finished ({counts}), so there is nothing to report yet"]
    for trouble in found.troubles:
        last = trouble.tail.splitlines()[-1:] or ["its log is empty"]
        lines.append(f"  {trouble.job.rule} {trouble.job.name} {trouble.state}: {last[0].strip()}")
    return "\n".join(lines)
