"""The command line: the only place with arguments, files and messages.

Every rule of the workflow is one of these commands, so what a log shows can be pasted into a terminal. Errors that
a user can mend are one clear message and exit status 2; anything else is a traceback.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from trainability import claims, config, exports, files, foreign, operations, plan, printing
from trainability.cell import Cell
from trainability.expressions import ExpressionError
from trainability.operations import commands
from trainability.registry import suggest

T = TypeVar("T")
CONFIGFILES = [Path("config.yaml")]
SOURCES = claims.TEXTBOOK.parent  # of the page

# The options of the workflow's steps: all are required, since a rule says everything.
STEP_OPTIONS: dict[str, tuple[Callable[[str], object], str]] = {
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
    "snakemake": (str, "how the experiment is run, e.g. snakemake"),
    "out": (Path, "where the result goes"),
}


class UsageError(Exception):
    """What was given cannot be used; the message says why."""


USAGE_ERRORS = (
    config.ConfigError,
    files.CorruptFileError,
    ExpressionError,
    foreign.ForeignError,
    exports.ExportError,
    operations.OperationError,
    printing.PrintError,
    UsageError,
)


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    arguments = _parser().parse_args(words)
    try:
        status: int | None = arguments.command(arguments)
    except USAGE_ERRORS as error:
        print(f"trainability: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, `head` for instance, has seen enough
        sys.stderr.close()
        return 0
    except OSError as error:  # a folder that is none, a full disk, no permission
        if error.filename is None:
            raise
        print(f"trainability: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return status or 0


def _data(arguments: argparse.Namespace) -> None:
    from trainability import datasets

    dataset = _read(datasets.DATASETS.parse, arguments.dataset)
    source = Path(arguments.source) if arguments.source else None
    datasets.prepare(dataset, arguments.out, source, arguments.download_to)


def _preprocess(arguments: argparse.Namespace) -> None:
    from trainability import prepared
    from trainability.preprocessing import PREPROCESSINGS

    chosen = _read(PREPROCESSINGS.parse, arguments.preprocessing)
    prepared.prepare(chosen, arguments.data, arguments.out)


def _train(arguments: argparse.Namespace) -> None:
    from trainability import checkpoints, devices, prepared, record, training

    def report(line: str) -> None:
        print(line, flush=True)

    cell = _read(Cell.from_canonical, arguments.cell)
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
    counts = {status: outcome.status.count(status) for status in ("ok", "diverged", "stalled")}
    print(f"{seconds:.1f} s; {counts}; selected learning rate {content['selected_learning_rate']}")


def _analyse(arguments: argparse.Namespace) -> None:
    from trainability.analyses import ANALYSES, outcome

    analysis = _read(ANALYSES.parse, arguments.analysis)
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


def _compare(arguments: argparse.Namespace) -> int:
    from trainability import comparison
    from trainability.report.wording import count

    found = comparison.render(arguments.a, arguments.b, arguments.out)
    changes = f"{count(found.flipped, 'verdict')} flipped, {count(found.moved, 'cell')} moved"
    print(f"{arguments.out}: {changes}")
    return int(arguments.fail_on_change and bool(found.flipped or found.moved))


def _pdf(arguments: argparse.Namespace) -> None:
    pages = printing.to_pdf(arguments.page, arguments.out)
    print(f"{arguments.out}: {pages} pages, {arguments.out.stat().st_size / 1e6:.1f} MB")


def _export(arguments: argparse.Namespace) -> None:
    if arguments.list:
        for name, exporter in exports.EXPORTERS.items():
            print(f"{name}\t{exporter.text}")
        return
    if arguments.kind not in exports.EXPORTERS:
        named = (
            f"no export is called {arguments.kind}: {suggest(arguments.kind, exports.EXPORTERS)}"
            if arguments.kind
            else ""
        )
        raise UsageError(f"{named or 'say what to export: '}known are {', '.join(exports.EXPORTERS)}")
    if not arguments.out:
        raise UsageError("say where to: --out FOLDER")
    choice = exports.Choice(arguments.select, arguments.all_runs)
    print(exports.make(arguments.kind, arguments.results, arguments.out, choice))


def _report_partial(arguments: argparse.Namespace) -> None:
    from trainability import partial
    from trainability.report.wording import count

    settings = config.load(arguments.configfile)
    planned = plan.make_plan(settings)
    claims.gather(settings, planned, arguments.sources / "claims.yaml")
    command = arguments.snakemake or _snakemake(arguments.configfile)
    try:
        page, left = partial.make(settings, planned, arguments.results, arguments.sources, command)
    except partial.NothingFinishedError as error:
        raise UsageError(str(error)) from None
    cells = len(plan.included(planned))
    print(f"{page}: {cells - len(left.cells)} of {cells} cells, {count(len(left.troubles), 'job')} failed or stopped")


def _snakemake(configfiles: Sequence[Path]) -> str:
    """The command that runs an experiment in a folder with the default one's config.yaml."""
    return (
        "snakemake" if configfiles == CONFIGFILES else shlex.join(["snakemake", "--configfile", *map(str, configfiles)])
    )


def _schema(arguments: argparse.Namespace) -> None:
    print(json.dumps(config.schema(), indent=2, ensure_ascii=False))


def _reference(arguments: argparse.Namespace) -> None:
    from trainability import reference

    reference.write(arguments.out)


def _cells(arguments: argparse.Namespace) -> None:
    settings = config.load(arguments.configfile)
    cells = plan.make_plan(settings)
    if arguments.select:
        cells = plan.select(cells, arguments.select)
    for key, entry in cells.items():
        path = arguments.results / "cells" / key / "record.json"
        state = "done" if path.exists() else "waiting"
        if not entry.included:
            state = f"excluded ({entry.reason})"
        print(f"{path}\t{state}" if arguments.paths else f"{key}\t{state}")


def _check(arguments: argparse.Namespace) -> None:
    if arguments.component:
        _check_component(arguments.component, arguments.parameters, arguments.source)
    else:
        _check_configuration(arguments)


def _check_component(name: str, parameters: str, source: Path | None) -> None:
    from trainability import conformance

    failed = 0
    for registry in conformance.registries(name):
        component = _read(registry.parse, json.dumps(_parameters(parameters) | {"name": name}))
        print(f"{component.label}, {registry.noun}")
        for result in conformance.run(registry, component, source):
            failed += bool(result.problem)
            print("  FAILED " if result.problem else "  ok     ", result.title)
            if result.problem:
                print("         ", result.problem)
    if failed:
        raise UsageError(f"{name} fails {failed} of its checks" if failed > 1 else f"{name} fails a check")


def _parameters(text: str) -> dict[str, object]:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"--parameters: not JSON ({error}): {text}") from None
    if not isinstance(values, dict):
        raise UsageError(f'--parameters: expected names and values, such as {{"a": 2.0}}: {text}')
    return values


def _check_configuration(arguments: argparse.Namespace) -> None:
    settings = config.load(arguments.configfile)
    cells = plan.make_plan(settings)
    trained = plan.included(cells)
    runs = sum(len(cell.runs) for cell in trained.values())
    statements = claims.gather(settings, cells)
    print(f"{settings.title}: {len(trained)} cells, {runs} runs, {len(cells) - len(trained)} cells excluded")
    testable = sum(claims.testable(claim, settings) for claim in statements)
    print(f"{testable} of {len(statements)} statements can be judged")


def _read(parse: Callable[[str], T], text: str) -> T:
    """What a rule passed on as JSON; a class of the user's own may have changed since the Snakefile planned with it."""
    try:
        return parse(text)
    except ValidationError as error:
        raise UsageError("\n".join([f"this cannot be used: {text}", *config.problems(error)])) from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"not JSON ({error}): {text:.200}") from None


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trainability", description="What lets a neural network train: plan, train, compare."
    )
    table = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: object, text: str) -> argparse.ArgumentParser:
        sub = table.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        return sub

    for name, command, text in (
        ("cells", _cells, "list the cells of an experiment and their state"),
        ("check", _check, "check a configuration and say how large the experiment is, or check a component"),
        ("report-partial", _report_partial, "report what is done of an experiment, also while it runs"),
    ):
        sub = add(name, command, text)
        _add_configfile(sub)
        if name in ("cells", "report-partial"):
            sub.add_argument("--results", type=Path, default=Path("results"), help="folder of the results")
        if name == "report-partial":
            sub.add_argument("--sources", type=Path, default=SOURCES, help="folder with the page's template and texts")
            sub.add_argument("--snakemake", default="", help="how the experiment is run, for the commands on the page")
        elif name == "cells":
            sub.add_argument("--select", metavar="EXPR", help="e.g. \"activation == 'relu' and init == 'zeros'\"")
            sub.add_argument("--paths", action="store_true", help="print the record's path instead of the key")
        else:
            sub.add_argument("component", nargs="?", help="a class of your own as module:Class, or any name there is")
            sub.add_argument("--parameters", default="{}", help="its parameters as JSON, e.g. '{\"a\": 2.0}'")
            sub.add_argument("--source", type=Path, metavar="FOLDER", help="where the files of a data set are")

    sub = add("compare", _compare, "render a page on what changed between two folders of results")
    sub.add_argument("a", type=Path, metavar="A", help="results of one experiment, e.g. runs/before/results")
    sub.add_argument("b", type=Path, metavar="B", help="results of the other")
    sub.add_argument("--out", type=Path, default=Path("comparison.html"), help="where the page goes")
    sub.add_argument(
        "--fail-on-change", action="store_true", help="exit with status 1 if a verdict flipped or a cell moved"
    )

    for operation in commands.OPERATIONS:
        sub = add(operation.name, operation.run, operation.text)
        operation.arguments(sub)
        _add_configfile(sub)
        sub.add_argument("--results", type=Path, default=Path("results"), help="folder of the results")

    add("schema", _schema, "print the JSON schema of a configuration")
    sub = add("reference", _reference, "describe every entry of every registry, in reference.html and reference.md")
    sub.add_argument("--out", type=Path, default=Path("docs"), help="folder of the two files")

    sub = add("pdf", _pdf, "print the report, or another page, to a PDF through headless Chromium")
    sub.add_argument("page", type=Path, nargs="?", default=Path("results/report.html"), help="the page to print")
    sub.add_argument("--out", type=Path, default=Path("results/report.pdf"), help="the PDF")

    sub = add(
        "export",
        _export,
        "export finished results: "
        + "; ".join(f"{name}: {exporter.text}" for name, exporter in exports.EXPORTERS.items()),
    )
    sub.add_argument("kind", nargs="?", default="", metavar="KIND", help=", ".join(exports.EXPORTERS))
    sub.add_argument("--list", action="store_true", help="list the kinds and what each writes")
    sub.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where the files go; those of the same name are replaced"
    )
    sub.add_argument("--results", type=Path, default=Path("results"), help="folder of the results")
    sub.add_argument("--select", metavar="EXPR", default="", help="of single runs: cells, as in `trainability cells`")
    sub.add_argument(
        "--all-runs", action="store_true", help="of single runs: those at every rate, not the selected one"
    )

    for name, command, text, options in (
        ("data", _data, "verify, split and store one data set", "dataset source download-to out"),
        ("preprocess", _preprocess, "fit one preprocessing and apply it", "preprocessing data out"),
        ("train", _train, "train one cell and write its record", "cell data device out"),
        ("analyse", _analyse, "compute one analysis, which needs no training", "analysis out"),
        ("tables", _tables, "collect all records into tables", "config cells out"),
        ("claims", _claims, "judge the statements of some files", "config tables analyses out"),
        ("figure", _figure, "draw one figure", "config tables data captions out"),
        ("report", _report, "render the report", "config tables figures cells data logs sources snakemake out"),
    ):
        sub = add(name, command, f"{text} (a step of the workflow)")
        if name in ("analyse", "figure"):
            sub.add_argument("name", help="name of the result's files")
        if name == "claims":
            sub.add_argument("claims", type=Path, nargs="+", help="files of statements, as YAML")
        for option in options.split():
            kind, help_text = STEP_OPTIONS[option]
            sub.add_argument(f"--{option}", type=kind, required=True, help=help_text)
    return parser


def _add_configfile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--configfile", type=Path, nargs="+", default=CONFIGFILES, help="later files go over earlier ones"
    )


if __name__ == "__main__":
    sys.exit(main())
