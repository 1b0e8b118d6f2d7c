"""A copy of the project and a folder in which it runs, for the tests of the workflow."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
PARTS = ("Snakefile", "config.yaml", "experiments", "profiles", "workflow", "src", "report")


class Project:
    """A copy of the project and a folder in which it runs."""

    def __init__(self, home: Path) -> None:
        self.code, self.work = home / "code", home / "work"
        self.printed = ""  # by the first run
        self.code.mkdir()
        self.work.mkdir()
        for part in PARTS:
            source = ROOT / part
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, self.code / part)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with which the copy of the package is used."""
        return os.environ | {"PYTHONPATH": str(self.code / "src"), "COLUMNS": "200"}

    def command(self, *words: object, config: str = "smoke") -> list[str]:
        """The words that run an experiment."""
        command = [sys.executable, "-m", "snakemake", "--snakefile", self.code / "Snakefile", "--directory", self.work]
        command += ["--configfile", self.code / f"experiments/{config}.yaml"] if config else []
        return [str(word) for word in (*command, *words)]

    def snakemake(self, *words: object, status: int = 0, config: str = "smoke") -> str:
        """Run snakemake with the miniature experiment and return all it printed."""
        done = subprocess.run(
            self.command(*words, config=config),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def jobs(self, *words: object, config: str = "smoke") -> dict[str, int]:
        """What a dry run would do: number of jobs by rule."""
        printed = self.snakemake("--dry-run", *words, config=config)
        table = printed.rpartition("Job stats:")[2].partition("total")[0]
        return {name: int(count) for name, count in re.findall(r"^(\w+)\s+(\d+)$", table, re.MULTILINE)}

    def digests(self) -> dict[str, str]:
        """The digest of every cell's results."""
        records = self.work.glob("results/cells/*/record.json")
        return {path.parent.name: json.loads(path.read_text())["digest"] for path in records}

    def variant(self, name: str, **changes: Any) -> str:
        """An experiment like the miniature with other studies; its name."""
        values = yaml.safe_load((self.code / "experiments/smoke.yaml").read_text())
        values["studies"] |= changes
        (self.code / f"experiments/{name}.yaml").write_text(yaml.safe_dump(values))
        return name
