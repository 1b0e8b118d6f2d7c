"""The workflow on a real Slurm of one node, by the profiles that users take: the same bits, whatever happens to jobs.

One experiment of four cells, in two groups. Every wait has an end.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import slurm
import yaml
from project import ROOT, Project

LIMIT = 200  # seconds that a run of Snakemake may take
# The node knows no accounting, and two minutes are too long to wait for the first look at a job.
SITE = ("--slurm-status-command", "squeue", "--slurm-no-account", "--slurm-init-seconds-before-status-checks", 2)
SITE += ("--cores", 1, "--latency-wait", 5, "--group-components", "cells=2")

# A GPU that computes nothing: training finds the CPU instead, says which device Slurm gave it, and the first cell of all
# takes the file `hang` and is stuck.
DEVICE = '''

def find(name: str) -> torch.device:
    from pathlib import Path
    import time

    print("asked for", name, "and was given", os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
    try:
        Path("hang").unlink()
    except FileNotFoundError:
        return torch.device("cpu")
    time.sleep(600)
'''


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[slurm.Slurm]:
    if why := slurm.missing():
        pytest.skip(why)
    cluster = slurm.Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def experiment(home: Path, **studies: object) -> Project:
    """A project whose configuration `few` has four cells."""
    project = Project(home)
    values = yaml.safe_load((ROOT / "experiments/smoke.yaml").read_text())
    default = yaml.safe_load((ROOT / "config.yaml").read_text())
    grid = {"activation": ["tanh", "relu"], "normalization": ["none", "batchnorm"]}
    values["studies"] = dict.fromkeys(default["studies"]) | {"few": {"question": "Does it run there?", "grid": grid}}
    values["analyses"] = dict.fromkeys(default["analyses"])
    (project.code / "experiments/few.yaml").write_text(yaml.safe_dump(values))
    return project


class Run:
    """A snakemake at work, with all it prints in a file."""

    def __init__(self, project: Project, *words: object) -> None:
        self.printed = project.work.with_name("printed.txt")
        with self.printed.open("w") as out:
            command = project.command("--until", "train", *SITE, *words, config="few")
            self.process = subprocess.Popen(
                command, env=project.environment, cwd=project.code, stdout=out, stderr=subprocess.STDOUT
            )

    def ended(self) -> tuple[int, str]:
        """Its exit status and what it printed; stopped and a failure of the test after the limit."""
        try:
            status = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            pytest.fail(f"no end within {LIMIT} s:\n{slurm.told('squeue')}{self.printed.read_text()[-4000:]}")
        return status, self.printed.read_text()

    def until(self, found: Callable[[], str]) -> str:
        """What `found` finds as soon as it is not empty."""
        deadline = time.monotonic() + LIMIT
        while not (value := found()):
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.process.kill()
                pytest.fail(f"did not come:\n{slurm.told('squeue')}{self.printed.read_text()[-4000:]}")
            time.sleep(0.2)
        return value


def jobs(fields: str, state: str = "all") -> list[str]:
    """The jobs of the cells that Slurm knows, finished ones included, oldest first; a line of fields for each."""
    lines = slurm.told("squeue", "-h", f"--states={state}", "--sort=i", "-o", f"%k|{fields}").splitlines()
    return [line.partition("|")[2] for line in lines if "train" in line.partition("|")[0]]


def lingering(project: Project) -> list[str]:
    """Processes of this machine that still work in the project's folder, given ten seconds to end."""
    deadline = time.monotonic() + 10
    while (found := list(_within(project.work))) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def _within(folder: Path) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                yield (process / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it has ended, or is none of ours
            continue


def test_cluster_leaves_the_same_bits_though_a_job_is_cancelled(cluster: slurm.Slurm, tmp_path: Path) -> None:
    (tmp_path / "local").mkdir()
    (tmp_path / "remote").mkdir()
    local, remote = experiment(tmp_path / "local"), experiment(tmp_path / "remote")
    run = Run(remote, "--workflow-profile", "profiles/slurm", "--retries", 1)
    local.snakemake("--cores", 1, "--until", "train", config="few")

    cancelled = run.until(lambda: next(iter(jobs("%A", "running")), ""))
    slurm.told("scancel", cancelled)
    status, printed = run.ended()
    assert status == 0, printed
    assert local.digests() == remote.digests()
    assert len(remote.digests()) == 4

    states = jobs("%A %T %m %l")
    assert len(states) == 3, "two groups of two cells, one of them twice"
    assert states[0] == f"{cancelled} CANCELLED 2000M 30:00"
    assert states[2].endswith("COMPLETED 4000M 1:00:00"), "the second attempt asks for twice the memory and time"
    assert not lingering(remote), "a worker outlived its job"
