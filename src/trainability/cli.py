"""The command line: the only place with arguments, files and messages.

Every rule of the workflow is one of these commands, so what a log shows can be pasted into a terminal. Errors that
a user can mend are one clear message and exit status 2; anything else is a traceback.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from trainability import claims, config, exports, files, foreign, operations, plan, printing, workflow_steps
from trainability.expressions import ExpressionError
from trainability.operations import commands
from trainability.operations.workflow import Workflow
from trainability.registry import suggest
from trainability.workflow_steps import UsageError

CONFIGFILES = [Path("config.yaml")]
SOURCES = claims.TEXTBOOK.parent  # of the page

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
    command = arguments.snakemake or shlex.join(Workflow(arguments.configfile, arguments.results).command())
    try:
        page, left = partial.make(settings, planned, arguments.results, arguments.sources, command)
    except partial.NothingFinishedError as error:
        raise UsageError(str(error)) from None
    cells = len(plan.included(planned))
    print(f"{page}: {cells - len(left.cells)} of {cells} cells, {count(len(left.troubles), 'job')} failed or stopped")


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
        component = workflow_steps.read(registry.parse, json.dumps(_parameters(parameters) | {"name": name}))
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

    for step in workflow_steps.STEPS:
        step.arguments(add(step.name, step.run, f"{step.text} (a step of the workflow)"))
    return parser


def _add_configfile(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--configfile", type=Path, nargs="+", default=CONFIGFILES, help="later files go over earlier ones"
    )


if __name__ == "__main__":
    sys.exit(main())
