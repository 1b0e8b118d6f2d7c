"""The operations on the command line: `status`, `rerun`, `verify` and `explain`, an entry each in OPERATIONS.

What needs torch is imported by the command that needs it, since all of them are read for every `--help`.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainability import config
from trainability.operations import KINDS, OperationError
from trainability.operations.workflow import Workflow, record_of, run

if TYPE_CHECKING:
    from pathlib import Path

    from trainability.operations.cells import Cells
    from trainability.record import Record


@dataclass(frozen=True)
class Operation:
    """A command: its name, its help, its own arguments, and what it does, with its exit status."""

    name: str
    text: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def _status_arguments(parser: argparse.ArgumentParser) -> None:
    _selection(parser)
    parser.add_argument("--cells", action="store_true", help="list the cells, all or the selected ones")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print everything as JSON")
    form.add_argument("--watch", action="store_true", help="look again until the experiment is done, or Ctrl-C")


def _status(arguments: argparse.Namespace) -> int:
    from trainability import record
    from trainability.operations import damage, status, watch

    if arguments.watch:
        read = watch.remembering(record.read)
        try:
            watch.watch(lambda: _look(arguments, read), sys.stdout)
        except KeyboardInterrupt:
            print()
        return 0
    cells, now = _look(arguments), time.time()
    picked = bool(arguments.select or arguments.kinds)
    keys = cells.select(arguments.select, arguments.kinds) if picked else list(cells.trained)
    if arguments.json:
        content = status.document(cells, keys, now) | {"damaged": damage.document(damage.damages(cells))}
        print(json.dumps(content, indent=2, ensure_ascii=False))
        return 0
    print(*status.lines(cells, now), sep="\n")
    print(*(f"  {line}\n" for line in damage.lines(cells, damage.damages(cells))), sep="", end="")
    if arguments.cells or picked:
        print(*status.listing(cells, keys), sep="\n")
    return 0


def _rerun_arguments(parser: argparse.ArgumentParser) -> None:
    _selection(parser)
    parser.add_argument("--all", action="store_true", help="train whatever else is missing or out of date as well")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done and print the commands")
    parser.add_argument("more", nargs="*", metavar="-- OPTION", help="options of snakemake's, after --")


def _rerun(arguments: argparse.Namespace) -> int:
    from trainability.operations import damage, rerun

    if not (arguments.select or arguments.kinds):
        kinds = ", ".join(f"--{name}" for name in KINDS)
        raise OperationError(f"which cells? Give --select EXPR, or one of {kinds}, or both")
    cells = _look(arguments)
    files: list[str] = []  # of jobs that train no cell, which no expression can pick
    if "damaged" in arguments.kinds and not arguments.select:
        files = damage.targets(damage.damages(cells))
    keys = (cells.matching if files else cells.select)(arguments.select, arguments.kinds)
    found = rerun.plan(cells, keys, _workflow(arguments, arguments.more), arguments.all, files)
    print(*rerun.remarks(cells, found, arguments.all), sep="\n")
    for command in found.commands:
        print("$", shlex.join(command), flush=True)
        if not arguments.dry_run and (status := run(command)):
            return status
    return 0


def _verify_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cells", nargs="*", metavar="CELL", help="keys, as `trainability cells` lists them")
    parser.add_argument("--select", metavar="EXPR", help="cells by their factors")
    parser.add_argument("--keep", action="store_true", help="keep the new records in results/verify/")
    parser.add_argument("--cores", type=int, metavar="N", help="cells at a time; on a CPU as many as there are cores")


def _verify(arguments: argparse.Namespace) -> int:
    from trainability.operations import verify

    if bool(arguments.cells) == bool(arguments.select):
        raise OperationError("which cells? Give their keys, which `trainability cells` lists, or --select EXPR")
    if arguments.cores is not None and arguments.cores < 1:
        raise OperationError(f"--cores {arguments.cores}: at least 1 cell must be trained at a time")
    cells = _look(arguments)
    keys = cells.named(arguments.cells) if arguments.cells else cells.select(arguments.select)
    device = cells.settings.device
    at_once = arguments.cores or (os.cpu_count() or 1 if device == "cpu" else 1)
    chosen = [cells.trained[key] for key in keys]
    equal = failed = 0
    for cell, found in verify.verify(chosen, cells.results, device, at_once, arguments.keep):
        if isinstance(found, Exception):
            failed += 1
            print(f"{cell.key}: not verified: {found}", file=sys.stderr, flush=True)
        else:
            equal += found.equal
            print(*verify.lines(cell, found), sep="\n", flush=True)
    print(f"{equal} of {len(chosen)} cells agree to the last bit; the next snakemake shows it in the report")
    return 2 if failed else int(equal < len(chosen))


def _explain_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cells", nargs="+", metavar="CELL", help="keys, as `trainability cells` lists them")
    parser.add_argument("--quick", action="store_true", help="do not ask Snakemake, which takes seconds")


def _explain(arguments: argparse.Namespace) -> int:
    from trainability.operations import explain

    cells = _look(arguments)
    asked = [] if arguments.quick else [key for key in arguments.cells if key in cells.trained]
    pending = _workflow(arguments).pending(*map(record_of, asked)) if asked else {}
    for key in arguments.cells:
        print(f"{key}: {cells.state(key)}" if key in cells.trained else key)
        print(*(f"  {line}" for line in explain.explain(cells, key)), sep="\n")
        if key in asked:
            print(f"  {explain.according_to_snakemake(pending.get(key))}")
    return 0


OPERATIONS = (
    Operation("status", "say how far an experiment is, also while it runs", _status_arguments, _status),
    Operation("rerun", "train the selected cells again, and refresh the report", _rerun_arguments, _rerun),
    Operation("verify", "train cells again beside their records, and compare", _verify_arguments, _verify),
    Operation("explain", "say why cells would be trained again", _explain_arguments, _explain),
)


def _selection(parser: argparse.ArgumentParser) -> None:
    """Options that pick cells: those that satisfy the expression and are of one of the kinds given."""
    parser.add_argument("--select", metavar="EXPR", help="e.g. \"activation == 'relu' and init == 'zeros'\"")
    for name, text in KINDS.items():
        parser.add_argument(
            f"--{name}", dest="kinds", action="append_const", const=name, default=[], help=f"only cells {text}"
        )


def _look(arguments: argparse.Namespace, read: Callable[[Path], Record] | None = None) -> Cells:
    from trainability import record
    from trainability.operations.cells import Cells

    return Cells.look(config.load(arguments.configfile), arguments.results, read or record.read)


def _workflow(arguments: argparse.Namespace, more: list[str] | None = None) -> Workflow:
    if arguments.results.absolute().name != "results":
        raise OperationError(f"--results {arguments.results}: Snakemake's folder of results is always named results")
    return Workflow(arguments.configfile, arguments.results, more or ())
