"""The command line: the only place with arguments, files and messages.

Every rule of the workflow is one of these commands, so what a log shows can be pasted into a terminal. Errors that
a user can mend are one clear message and exit status 2; anything else is a traceback.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from trainability import config, files, plan
from trainability.cell import Cell
from trainability.expressions import ExpressionError

USAGE_ERRORS = (config.ConfigError, files.CorruptFileError, ExpressionError)


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    arguments = _parser().parse_args(words)
    try:
        arguments.command(arguments)
    except USAGE_ERRORS as error:
        print(f"trainability: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, `head` for instance, has seen enough
        sys.stderr.close()
        return 0
    return 0


def _data(arguments: argparse.Namespace) -> None:
    from trainability import datasets

    dataset = datasets.DATASETS.parse(arguments.dataset)
    source = Path(arguments.source) if arguments.source else None
    datasets.prepare(dataset, arguments.out, source, arguments.download_to)


def _preprocess(arguments: argparse.Namespace) -> None:
    from trainability import preprocessing

    chosen = preprocessing.PREPROCESSINGS.parse(arguments.preprocessing)
    preprocessing.prepare(chosen, arguments.data, arguments.out)


def _train(arguments: argparse.Namespace) -> None:
    from trainability import preprocessing, record, training

    cell = Cell.from_canonical(arguments.cell)
    manifest, arrays = preprocessing.load(arguments.data)
    print(f"{cell.key}: {len(cell.runs)} runs as one stack", flush=True)
    started, clock = _now(), time.perf_counter()
    outcome = training.train(
        cell, arrays, manifest["classes"], report=lambda line: print(line, flush=True)
    )
    seconds = time.perf_counter() - clock
    content = record.write(
        arguments.out, cell, outcome, manifest, {"started": started, "ended": _now()}, seconds
    )
    counts = {status: outcome.status.count(status) for status in ("ok", "diverged", "stalled")}
    print(f"{seconds:.1f} s; {counts}; selected learning rate {content['selected_learning_rate']}")


def _tables(arguments: argparse.Namespace) -> None:
    from trainability import tables

    settings = config.read(files.load_json(arguments.config))
    try:
        collected = tables.collect(plan.make_plan(settings), arguments.cells, settings.targets)
    except tables.MissingCellsError as error:
        raise files.CorruptFileError(str(error)) from None
    tables.write(collected, arguments.out)
    print(", ".join(f"{name}: {len(table)} rows" for name, table in collected.items()))


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
    settings = config.load(arguments.configfile)
    cells = plan.make_plan(settings)
    trained = plan.included(cells)
    runs = sum(len(cell.runs) for cell in trained.values())
    print(f"{settings.title}: {len(trained)} cells, {runs} runs, {len(cells) - len(trained)} cells excluded")


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trainability", description="What lets a neural network train: plan, train, compare."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: object, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        return sub

    for name, command, text in (
        ("cells", _cells, "list the cells of an experiment and their state"),
        ("check", _check, "check a configuration and say how large the experiment is"),
    ):
        sub = add(name, command, text)
        sub.add_argument(
            "--configfile", type=Path, nargs="+", default=[Path("config.yaml")], help="later files go over earlier ones"
        )
        if name == "cells":
            sub.add_argument("--select", metavar="EXPR", help="e.g. \"activation == 'relu' and init == 'zeros'\"")
            sub.add_argument("--results", type=Path, default=Path("results"), help="folder of the results")
            sub.add_argument("--paths", action="store_true", help="print the record's path instead of the key")

    sub = add("data", _data, "verify, split and store one data set (a step of the workflow)")
    sub.add_argument("--dataset", required=True, help="name, or name and parameters as JSON")
    sub.add_argument("--out", type=Path, required=True)
    sub.add_argument("--source", default="", help="folder that already holds the files; empty to download")
    sub.add_argument("--download-to", type=Path, default=Path("data"))

    sub = add("preprocess", _preprocess, "fit one preprocessing and apply it (a step of the workflow)")
    sub.add_argument("--preprocessing", required=True, help="name, or name and parameters as JSON")
    sub.add_argument("--data", type=Path, required=True)
    sub.add_argument("--out", type=Path, required=True)

    sub = add("train", _train, "train one cell and write its record (a step of the workflow)")
    sub.add_argument("--cell", required=True, help="the cell's parameters as JSON")
    sub.add_argument("--data", type=Path, required=True)
    sub.add_argument("--out", type=Path, required=True)

    sub = add("tables", _tables, "collect all records into tables (a step of the workflow)")
    sub.add_argument("--config", type=Path, required=True)
    sub.add_argument("--cells", type=Path, required=True)
    sub.add_argument("--out", type=Path, required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
