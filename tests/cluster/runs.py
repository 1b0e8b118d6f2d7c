"""Runs of Snakemake on the tests' Slurm: copies of a project that has prepared its data, and how they end."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import slurm
from project import Project

from trainability import notes

T = TypeVar("T")
LIMIT = 300  # seconds that anything may take
# There is no accounting, and the first look at a job would come after 40 seconds.
SITE = ("--slurm-watched-status-command", "squeue", "--slurm-watched-no-account")
SITE += ("--slurm-watched-init-seconds-before-status-checks", 2, "--latency-wait", 5)

# What a cell meets that gets hold of a file: `hang` keeps it for ever, `hog` fills the memory that its job asked for
# (the first time), `fail` lets it fail at every attempt; the file says how many cells come before that one. On the GPU
# partition, whose GPUs compute nothing, training finds the CPU instead and says which device Slurm gave it.
DEVICE = """

def find(name: str) -> torch.device:
    import sys
    import time
    from pathlib import Path

    failing = Path("fail-" + sys._getframe(1).f_locals["cell"].key)
    if Path("fail").exists():
        if before := int(Path("fail").read_text()):
            Path("fail").write_text(str(before - 1))
        else:
            Path("fail").rename(failing)
    if failing.exists():
        raise DeviceError("this cell always fails")
    print("asked for", name, "and was given GPU", os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
    for trouble in ("hang", "hog"):
        try:
            Path(trouble).unlink()
        except FileNotFoundError:
            continue
        taken = torch.ones(2**29 if trouble == "hog" else 1)
        time.sleep(600)
        del taken
    return torch.device("cpu")
"""


class Job(NamedTuple):
    """A Slurm job: its number, state, memory, time limit and node."""

    number: str
    state: str
    memory: str
    limit: str
    node: str


@dataclass(frozen=True)
class Ended:
    """A run of Snakemake that has ended: its project, its exit status, all it printed, and its Slurm jobs in order."""

    project: Project
    status: int
    printed: str
    jobs: list[Job]


class Run:
    """A snakemake that trains in a partition of the cluster, with all it prints in a file."""

    def __init__(self, project: Project, partition: str, *words: object) -> None:
        self.project, self.partition = project, partition
        self.file = project.work.with_name("printed.txt")
        where = ("--default-resources", f"slurm_partition={partition}")
        command = project.command("--until", "train", *SITE, *where, *words, config="few")
        with self.file.open("w") as out:
            self.process = subprocess.Popen(
                command, env=project.environment, cwd=project.code, stdout=out, stderr=subprocess.STDOUT
            )

    @property
    def printed(self) -> str:
        """All it has printed so far."""
        return self.file.read_text()

    def jobs(self, states: str = "all") -> list[Job]:
        """Its Slurm jobs that are in some states, oldest first."""
        run = self.printed.partition("SLURM run ID: ")[2].partition("\n")[0]
        form = "%A|%T|%m|%l|%N"
        told = slurm.told("squeue", "-h", "--sort=i", f"--states={states}", f"--name={run or '-'}", "-o", form)
        return [Job(*line.split("|")) for line in told.splitlines()]

    def training(self, jobs: int, cells: int | None = None) -> list[Job]:
        """As many jobs as soon as they run and so many cells, one a job if not said, are being trained."""
        logs = self.project.work / "results/logs/train"

        def enough() -> list[Job]:
            started = (notes.read(path.with_suffix("").with_suffix(".log")) for path in logs.glob("*.unfinished.json"))
            training = sum(note == notes.Note("running") for note in started)
            running = self.jobs("running")
            return running if len(running) == jobs and training == (cells or jobs) else []

        return self.until(enough, f"no {jobs} jobs that train")

    def says(self, words: str) -> None:
        """Wait until it has printed some words."""
        self.until(lambda: words in self.printed, f"nobody said {words!r}")

    def until(self, ready: Callable[[], T], otherwise: str) -> T:
        """What a look gives as soon as it gives anything. If that takes too long, the run is stopped and has failed."""
        deadline = time.monotonic() + LIMIT
        while self.process.poll() is None and time.monotonic() < deadline:
            if found := ready():
                return found
            time.sleep(0.2)
        raise self._failure(otherwise)

    def ended(self) -> Ended:
        """How it ended. Past the limit it is stopped, and the test has failed."""
        try:
            status = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise self._failure("no end") from None
        return Ended(self.project, status, self.printed, self.jobs())

    def _failure(self, what: str) -> AssertionError:
        self.process.kill()
        listed = slurm.told("squeue", "--states=all", "-o", "%i|%P|%T|%r|%N|%M")
        return AssertionError(f"{what} within {LIMIT} s:\n{listed}{self.printed[-4000:]}")


def untrained(project: Project, home: Path, *troubles: str) -> Project:
    """A copy of a project and of its work without its cells, the first of which to come meets the troubles."""
    home.mkdir(parents=True, exist_ok=True)
    copy = Project(home)
    shutil.copytree(project.code, copy.code, dirs_exist_ok=True)
    shutil.copytree(project.work, copy.work, dirs_exist_ok=True)
    shutil.rmtree(copy.work / "results/cells")
    devices = copy.code / "src/trainability/devices.py"
    devices.write_text(devices.read_text() + DEVICE)
    for trouble in troubles:
        (copy.work / trouble).touch()
    return copy
