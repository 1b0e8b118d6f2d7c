"""The workflow on a real Slurm of one node, by the profiles that users take.

Two runs of three cells at once, on copies of a project that has prepared its data: one in two groups, the first of
which is cancelled; one on GPUs, a cell a job, of which one hangs until its time is over. Every wait has an end.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import slurm
import yaml
from project import ROOT, Project

LIMIT = 300  # seconds that a run of Snakemake may take
# The node knows no accounting, and the first look at a job would come after 40 seconds.
SITE = ("--slurm-status-command", "squeue", "--slurm-no-account", "--slurm-init-seconds-before-status-checks", 2)
SITE += ("--latency-wait", 5)

# A GPU that computes nothing: training finds the CPU instead and says which device Slurm gave it; the cell that gets
# hold of the file `hang` is stuck.
DEVICE = """

def find(name: str) -> torch.device:
    import time
    from pathlib import Path

    print("asked for", name, "and was given GPU", os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
    try:
        Path("hang").unlink()
    except FileNotFoundError:
        return torch.device("cpu")
    time.sleep(600)
"""


@dataclass(frozen=True)
class Ended:
    """A run of Snakemake that has ended: its project, its exit status, all it printed, and the jobs of its cells.

    Each job is a line: state, memory and time limit; oldest first.
    """

    project: Project
    status: int
    printed: str
    jobs: list[str]


class Run:
    """A snakemake that trains on the cluster, with all it prints in a file."""

    def __init__(self, project: Project, *words: object) -> None:
        self.project = project
        self.file = project.work.with_name("printed.txt")
        command = project.command("--until", "train", *SITE, *words, config="few")
        with self.file.open("w") as out:
            self.process = subprocess.Popen(
                command, env=project.environment, cwd=project.code, stdout=out, stderr=subprocess.STDOUT
            )

    def first_job(self, partition: str) -> str:
        """The number of the first job that runs in a partition, as soon as there is one."""
        deadline = time.monotonic() + LIMIT
        while self.process.poll() is None and time.monotonic() < deadline:
            if numbers := slurm.told("squeue", "-h", "--states=running", "-p", partition, "-o", "%A").split():
                return numbers[0]
            time.sleep(0.2)
        return self._give_up("no job")

    def ended(self, partition: str) -> Ended:
        """How it ended. Past the limit it is stopped, and the test has failed."""
        try:
            status = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self._give_up("no end")
        jobs = slurm.told("squeue", "-h", "--states=all", "--sort=i", "-p", partition, "-o", "%T %m %l")
        return Ended(self.project, status, self.file.read_text(), jobs.splitlines())

    def _give_up(self, what: str) -> str:
        self.process.kill()
        pytest.fail(f"{what} within {LIMIT} s:\n{slurm.told('squeue')}{self.file.read_text()[-4000:]}")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[slurm.Slurm]:
    if why := slurm.missing():
        pytest.skip(why)
    cluster = slurm.Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        try:
            cluster.start()
        except slurm.ClusterError as error:  # a container may forbid what its daemons need
            pytest.skip(f"Slurm does not start on this machine: {error}")
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def local(cluster: slurm.Slurm, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose configuration `few` has three cells, trained on this machine."""
    project = Project(tmp_path_factory.mktemp("local"))
    values = yaml.safe_load((ROOT / "experiments/smoke.yaml").read_text())
    default = yaml.safe_load((ROOT / "config.yaml").read_text())
    few = {"question": "Does it run there?", "grid": {"activation": ["tanh", "relu", "elu"]}}
    values["studies"] = dict.fromkeys(default["studies"]) | {"few": few}
    values["analyses"] = dict.fromkeys(default["analyses"])
    (project.code / "experiments/few.yaml").write_text(yaml.safe_dump(values))
    project.snakemake("--cores", 2, "--until", "train", config="few")
    return project


@pytest.fixture(scope="module")
def ends(cluster: slurm.Slurm, local: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, Ended]:
    """The run of which a group was cancelled, and the run on GPUs of which a cell ran out of time."""
    grouped, on_gpus = (untrained(local, tmp_path_factory.mktemp(name)) for name in ("grouped", "gpus"))
    devices = on_gpus.code / "src/trainability/devices.py"
    devices.write_text(devices.read_text() + DEVICE)
    (on_gpus.work / "hang").touch()

    limits = ("--retries", 0, "--set-resources", "train:slurm_partition=gpu", "train:mem_mb=1500", "train:runtime=1")
    profiles = ("--profile", "profiles/slurm", "--workflow-profile", "profiles/slurm-gpu")
    cancelled = Run(grouped, "--workflow-profile", "profiles/slurm", "--group-components", "cells=2", "--retries", 1)
    slurm.told("scancel", cancelled.first_job("cpu"))
    hanging = Run(on_gpus, *profiles, "--group-components", "cells=1", *limits)
    return cancelled.ended("cpu"), hanging.ended("gpu")


def untrained(project: Project, home: Path) -> Project:
    """A copy of a project and of its work, without its cells."""
    copy = Project(home)
    shutil.copytree(project.code, copy.code, dirs_exist_ok=True)
    shutil.copytree(project.work, copy.work, dirs_exist_ok=True)
    shutil.rmtree(copy.work / "results/cells")
    return copy


def working_in(folder: Path) -> Iterator[str]:
    """Commands of this machine's processes that work in a folder."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                yield (process / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it has ended
            continue


def test_cells_have_the_same_bits_as_on_this_machine(local: Project, ends: tuple[Ended, Ended]) -> None:
    remote, _ = ends
    assert remote.status == 0, remote.printed
    assert len(remote.project.digests()) == 3
    assert remote.project.digests() == local.digests()


def test_cancelled_job_comes_again_with_more_memory_and_time(ends: tuple[Ended, Ended]) -> None:
    jobs = [tuple(job.split()) for job in ends[0].jobs]
    minutes = {"15:00": 15, "30:00": 30, "1:00:00": 60}
    asked = [(state, memory, minutes[limit]) for state, memory, limit in jobs]
    # Cells of a group come one after another: they have the time of all, and the memory of one.
    (cancelled, other, again), (long, short) = asked, ((30, 60), (15, 30))
    limits = long if cancelled[2] == long[0] else short
    assert cancelled == ("CANCELLED", "2000M", limits[0])
    assert again == ("COMPLETED", "4000M", limits[1])
    assert other == ("COMPLETED", "2000M", 45 - limits[0])


def test_gpu_reaches_the_job(ends: tuple[Ended, Ended]) -> None:
    _, run = ends
    logs = [path.read_text() for path in run.project.work.glob("results/logs/train/*.log")]
    assert len(logs) == 3
    for log in logs:
        assert log.partition("asked for cuda and was given GPU ")[2][:1] in ("0", "1"), log


def test_job_out_of_time_fails_and_the_rest_is_finished(ends: tuple[Ended, Ended]) -> None:
    _, run = ends
    assert run.status == 1
    assert sorted(job.split()[0] for job in run.jobs) == ["COMPLETED", "COMPLETED", "TIMEOUT"], run.jobs
    assert "DUE TO TIME LIMIT" in run.printed
    assert "Some jobs failed; what is done is kept" in run.printed
    assert len(run.project.digests()) == 2


def test_no_process_outlives_its_job(ends: tuple[Ended, Ended]) -> None:
    deadline = time.monotonic() + 10
    folders = [run.project.work for run in ends]
    while (found := [command for folder in folders for command in working_in(folder)]) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not found
