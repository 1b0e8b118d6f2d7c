"""The commands that the rules of the workflow run: one step each, with everything said on the command line."""

from __future__ import annotations

import argparse
import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from trainability import claims, config, files, plan
from trainability.cell import Cell

T = TypeVar("T")

# All are required, since a rule says everything.
OPTIONS: dict[str, tuple[Callable[[str], object], str]] = {
    "dataset": (str, "name of a data set, or name and parameters as JSON"),
    "source": (str, "folder that already holds the files; empty to download them"),
    "download-to": (Path, "folder for downloads"),
    "preprocessing": (str, "name of a preprocessing, or name and parameters as JSON"),
    "cell": (str, "the cell's parameters as JSON"),
    "analysis": (str, "name of an analysis, or name and parameters as JSON"),
    "config": (Path, "resolved configuration, results/tables/config.json"),
    "cells": (Path, "folder with a folder per cell"),
    "tables": (Path, "folder of the tables"),
    "analyses": (Path, "folder of the analyses' tables"),
    "figures": (Path, "folder of the figures"),
    "sources": (Path, "folder with the page's template, style and script"),
    "data": (Path, "folder of the data this step reads"),
    "logs": (Path, "folder of the logs of the cells' training"),
    "captions": (Path, "the captions of all figures, as YAML"),
    "device": (str, "where to train: cpu or cuda"),
    "spare": (str, "folder where the cell leaves a spare record, or takes over one; empty for none"),
    "snakemake": (str, "how the experiment is run, e.g. snakemake"),
    "out": (Path, "where the result goes"),
}


class UsageError(Exception):
    """What was given cannot be used; the message says why."""


@dataclass(frozen=True)
class Step:
    """A command: what it does, its options, names from OPTIONS, and words without an option, with their help."""

    name: str
    run: Callable[[argparse.Namespace], None]
    text: str
    options: str
    words: tuple[tuple[str, dict[str, Any]], ...] = ()

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add what the command takes."""
        for name, details in self.words:
            parser.add_argument(name, **details)
        for option in self.options.split():
            kind, help_text = OPTIONS[option]
            parser.add_argument(f"--{option}", type=kind, required=True, help=help_text)


def read(parse: Callable[[str], T], text: str) -> T:
    """What a rule passed on as JSON; a class of the user's own may have changed since the Snakefile planned with it."""
    try:
        return parse(text)
    except ValidationError as error:
        raise UsageError("\n".join([f"this cannot be used: {text}", *config.problems(error)])) from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"not JSON ({error}): {text:.200}") from None


def _data(arguments: argparse.Namespace) -> None:
    from trainability import datasets

    dataset = read(datasets.DATASETS.parse, arguments.dataset)
    source = Path(arguments.source) if arguments.source else None
    datasets.prepare(dataset, arguments.out, source, arguments.download_to)


def _preprocess(arguments: argparse.Namespace) -> None:
    from trainability import prepared
    from trainability.preprocessing import PREPROCESSINGS

    chosen = read(PREPROCESSINGS.parse, arguments.preprocessing)
    prepared.prepare(chosen, arguments.data, arguments.out)


def _train(arguments: argparse.Namespace) -> None:
    from trainability import checkpoints, devices, prepared, record, spares, training

    def report(line: str) -> None:
        print(line, flush=True)

    cell = read(Cell.from_canonical, arguments.cell)
    spare = Path(arguments.spare) / cell.key if arguments.spare else None
    if spare and spares.take(spare, arguments.out, cell, arguments.data, arguments.device, report):
        return
    manifest, arrays = prepared.load(arguments.data)
    report(f"{cell.key}: {len(cell.runs)} runs")
    kept = checkpoints.Checkpoints(arguments.out, record.origin(cell, manifest), _now(), report)
    try:
        outcome = training.train(cell, arrays, manifest["classes"], device=arguments.device, report=report, kept=kept)
    except devices.DeviceError as error:
        raise config.ConfigError([str(error)]) from None
    seconds = kept.seconds
    times = {"started": kept.started, "ended": _now()} | ({"resumed": kept.resumed} if kept.resumed else {})
    content = record.write(arguments.out, cell, outcome, manifest, times, seconds)
    kept.remove()
    if spare:
        spares.keep(spare, arguments.out, report)
    counts = {status: outcome.status.count(status) for status in ("ok", "diverged", "stalled")}
    print(f"{seconds:.1f} s; {counts}; selected learning rate {content['selected_learning_rate']}")


def _analyse(arguments: argparse.Namespace) -> None:
    from trainability.analyses import ANALYSES, outcome

    analysis = read(ANALYSES.parse, arguments.analysis)
    started, clock = _now(), time.perf_counter()
    table = outcome.compute(analysis)
    seconds = time.perf_counter() - clock
    times = {"started": started, "ended": _now(), "seconds": round(seconds, 3)}
    outcome.write(analysis, arguments.name, table, arguments.out, times)
    print(f"{arguments.name}: {len(table)} rows in {seconds:.1f} s")


def _tables(arguments: argparse.Namespace) -> None:
    from trainability import tables

    settings = plan.settings(arguments.config)
    try:
        collected = tables.collect(plan.make_plan(settings), arguments.cells, settings.targets)
    except tables.MissingCellsError as error:
        raise files.CorruptFileError(str(error)) from None
    tables.write(collected, arguments.out)
    print(", ".join(f"{name}: {len(table)} rows" for name, table in collected.items()))


def _claims(arguments: argparse.Namespace) -> None:
    from trainability import tables
    from trainability.claims import outcome, sheets

    settings = plan.settings(arguments.config)
    runs, cells = (tables.read(arguments.tables / f"{name}.parquet") for name in ("runs", "cells"))
    analyses = sheets.analysed(settings, arguments.analyses)
    judged = outcome.tables(claims.load(arguments.claims), sheets.Tables(settings, runs, cells, analyses))
    outcome.write(judged, arguments.out)
    counts = judged["claims"]["verdict"].value_counts()
    print(", ".join(f"{verdict}: {count}" for verdict, count in counts.items()))


def _figure(arguments: argparse.Namespace) -> None:
    from trainability import figures

    settings = plan.settings(arguments.config)
    planned = plan.make_plan(settings)
    figures.make(arguments.name, settings, planned, arguments.tables, arguments.data, arguments.out, arguments.captions)


def _report(arguments: argparse.Namespace) -> None:
    from trainability import report

    settings = plan.settings(arguments.config)
    planned = plan.make_plan(settings)
    folders = (arguments.tables, arguments.figures, arguments.cells, arguments.data, arguments.logs, arguments.sources)
    report.render(settings, planned, *folders, arguments.out, arguments.snakemake)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


NAME = (("name", {"help": "name of the result's files"}),)
STATEMENTS = (("claims", {"type": Path, "nargs": "+", "help": "files of statements, as YAML"}),)
STEPS = (
    Step("data", _data, "verify, split and store one data set", "dataset source download-to out"),
    Step("preprocess", _preprocess, "fit one preprocessing and apply it", "preprocessing data out"),
    Step("train", _train, "train one cell and write its record", "cell data device spare out"),
    Step("analyse", _analyse, "compute one analysis, which needs no training", "analysis out", NAME),
    Step("tables", _tables, "collect all records into tables", "config cells out"),
    Step("claims", _claims, "judge the statements of some files", "config tables analyses out", STATEMENTS),
    Step("figure", _figure, "draw one figure", "config tables data captions out", NAME),
    Step("report", _report, "render the report", "config tables figures cells data logs sources snakemake out"),
)
