"""Exports: what a paper, an archive or an experiment tracker takes, made from the tables of a finished experiment.

An exporter is a module here of its name, with a function `export(results, out, choice)` that writes below the folder
`out` and says in a sentence what it wrote; `EXPORTERS` has its name and what it does. The same results give the same
bytes, except where a database chooses its own.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainability.exports.results import Results


class ExportError(Exception):
    """Something cannot be exported; the message says what, and how to mend it."""


@dataclass(frozen=True)
class Exporter:
    """What an exporter writes; `of_runs` if it writes single runs, so that some of them can be chosen."""

    text: str
    of_runs: bool = False


@dataclass(frozen=True)
class Choice:
    """Which runs: those of the cells that `select` holds for, at the selected learning rate or at all of them."""

    select: str = ""
    all_runs: bool = False


EXPORTERS: dict[str, Exporter] = {
    "latex": Exporter("booktabs tables of the cells at the base setting, the verdicts and the cost"),
    "figures": Exporter("every figure as PDF and SVG, with a LaTeX snippet that has its caption"),
    "package": Exporter(
        "all tables as CSV and Parquet with a dictionary of their columns (Frictionless), and as a zip"
    ),
    "tensorboard": Exporter("learning curves and health as event files of TensorBoard", of_runs=True),
    "mlflow": Exporter("learning curves and health as runs in an SQLite database of MLflow", of_runs=True),
}


def make(kind: str, folder: Path, out: Path, choice: Choice) -> str:
    """Export the results in `folder` to the folder `out`; return a sentence on what was written.

    Raises ExportError, config.ConfigError or files.CorruptFileError if results or a library are missing.
    """
    from trainability.exports import results

    exporter = EXPORTERS[kind]
    if choice != Choice() and not exporter.of_runs:
        able = " and ".join(name for name, one in EXPORTERS.items() if one.of_runs)
        raise ExportError(f"{kind} exports whole tables: --select and --all-runs are for {able}")
    if out.exists() and not out.is_dir():
        raise ExportError(f"--out {out} is a file: name a folder")
    write: Callable[[Results, Path, Choice], str] = importlib.import_module(f"{__name__}.{kind}").export
    return write(results.load(folder), out, choice)


def required(module: str, extra: str) -> None:
    """Refuse to go on without an optional library; `extra` is what installs it."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise ExportError(
            f"this export needs {module}, which cannot be imported ({error}). Install it: pip install '.[{extra}]'"
        ) from None
