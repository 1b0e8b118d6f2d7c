"""Reports on what is done of an experiment: while it runs, and after some of it failed."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import Project

MODULE = """
import time
from pathlib import Path

from trainability.api import Activation


class Broken(Activation):
    def value(self, z, *learned):
        (folder,) = Path("results/cells").glob("*Broken*")
        for name in ("checkpoint.npz", "curves.parquet"):
            (folder / name).touch()
        raise RuntimeError("no such luck")

    def derivative(self, z, *learned):
        return z


class Slow(Activation):
    def value(self, z, *learned):
        Path("begun").touch()
        while not Path("go").exists():
            time.sleep(0.1)
        return z

    def derivative(self, z, *learned):
        return z * 0 + 1
"""
GRID = {"activation": ["relu", "mylab.activations:Broken", "mylab.activations:Slow"]}


class Run:
    """An experiment of a cell that trains, one that fails and one that waits for a file."""

    def __init__(self, folder: Path) -> None:
        self.project = Project(folder)
        self.results = self.project.work / "results"
        module = self.project.work / "mylab/activations.py"
        module.parent.mkdir()
        module.write_text(MODULE)
        study = {"question": "?", "grid": GRID}
        self.name = self.project.variant("own", own=study, activation_by_init=None, preprocessing=None)
        path = self.project.code / f"experiments/{self.name}.yaml"
        values = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump(values | {"analyses": dict.fromkeys(values["analyses"])}))

    def snakemake(self, *words: object, status: int = 0) -> str:
        return self.project.snakemake(*words, config=self.name, status=status)

    def command(self, status: int = 0) -> str:
        """What `trainability report-partial` says."""
        configs = [self.project.code / name for name in ("config.yaml", f"experiments/{self.name}.yaml")]
        words = [sys.executable, "-m", "trainability.cli", "report-partial", "--configfile", *configs]
        done = subprocess.run(
            [str(word) for word in words],
            cwd=self.project.work,
            env=self.project.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == status, done.stderr
        return done.stdout + done.stderr

    @property
    def page(self) -> str:
        """The words of the page."""
        text = (self.results / "report_partial.html").read_text()
        return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", text)))

    def wait(self, done: Any, job: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + 240
        while not done():
            assert job.poll() is None, "the workflow ended"
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("partial"))


def test_while_a_workflow_runs_and_after_it_failed(run: Run) -> None:
    results, work = run.results, run.project.work
    assert "none of the 3 cells is finished (3 waiting)" in run.command(status=2)
    with subprocess.Popen(
        run.project.command("--cores", 4, config=run.name),
        env=run.project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as job:
        failed = "*Broken*.unfinished.json"
        try:
            run.wait(
                lambda: (
                    (work / "begun").exists()
                    and list(results.glob("cells/*.relu.*/record.json"))
                    and any(path.stat().st_size for path in results.glob(f"logs/train/{failed}"))
                ),
                job,
            )
            assert "1 of 3 cells, 1 job failed or stopped" in run.command()
            assert "1 of 3 cells are done (1 running and 1 failed)" in run.page
            assert "lock" in run.snakemake("--force", "report_partial", status=1).lower()
        finally:
            (work / "go").touch()
        job.communicate()
        assert job.returncode == 1
    assert not (results / "tables/cells.csv").exists()
    left = [path.name for path in results.glob("cells/*Broken*/*")]
    assert left == ["checkpoint.npz"], "of a failed job Snakemake removes what the rule declares, and nothing else"

    printed = run.snakemake("--force", "report_partial")
    assert f"The report on what is done: {results / 'report_partial.html'}" in printed
    assert "2 of 3 cells are done (1 failed)" in run.page
    (key,) = (path.name.removesuffix(".unfinished.json") for path in results.glob(f"logs/train/{failed}"))
    assert f"own.yaml -f results/cells/{key}/record.json" in run.page
    assert "RuntimeError: no such luck" in run.page
    assert "Not final" in run.page
    assert not (results / "tables/cells.csv").exists(), "tables of the whole are for the whole"
    assert not (results / "report.html").exists()
    assert "are always executed" in run.snakemake("--dry-run", "report_partial"), "it is made anew when asked for"
