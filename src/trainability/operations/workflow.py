"""Snakemake's commands for an experiment: written as one would type them, and run."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainability.operations import OperationError

DEFAULT = Path("config.yaml")  # the workflow reads it by itself


class WorkflowError(OperationError):
    """Snakemake cannot say what it would do; the message has what it said instead."""


@dataclass(frozen=True)
class Workflow:
    """The workflow of an experiment, started in the project's folder; `more` are options of the user's own."""

    configfiles: Sequence[Path]
    results: Path
    more: Sequence[str] = ()

    def command(self, *words: str) -> list[str]:
        """`snakemake`, these words, and how this experiment is run."""
        return ["snakemake", *words, *self._configuration(), *self._directory(), *self.more]

    def pending(self, *targets: str) -> dict[str, str]:
        """The cells that Snakemake would train for these targets, all of the experiment without any, with its reason.

        Snakemake compares what it noted when it made a file (code, parameters, inputs) with what is here now. Raises
        WorkflowError.
        """
        command = self.command(*targets, "--summary")
        done = subprocess.run(_runnable(command), capture_output=True, text=True)
        if done.returncode:
            raise WorkflowError(f"`{shlex.join(command)}` failed:\n{done.stderr.strip()}")
        found = {}
        for line in done.stdout.splitlines():
            fields = line.split("\t")
            if len(fields) == 6 and fields[2] == "train" and fields[0].endswith("/record.json"):
                path, *_, status, plan = fields
                if plan != "no update":
                    found[Path(path).parent.name] = status
        return found

    def _configuration(self) -> list[str]:
        files = [str(path) for path in self.configfiles]
        own = files[1:] if files[:1] == [str(DEFAULT)] else files
        return ["--configfile", *own] if own else []

    def _directory(self) -> list[str]:
        """Snakemake runs in the folder that holds the results; they have their name from the workflow."""
        parent = os.path.relpath(self.results.absolute().parent)
        return [] if parent == "." else ["--directory", parent]


def record_of(key: str) -> str:
    """A cell's record as the workflow names it."""
    return f"results/cells/{key}/record.json"


def run(command: Sequence[str]) -> int:
    """Run Snakemake with this terminal and return its exit status; Ctrl-C is left to it."""
    process = subprocess.Popen(_runnable(command))
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # Snakemake got it too, and ends its jobs
            continue


def _runnable(command: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", *command]
