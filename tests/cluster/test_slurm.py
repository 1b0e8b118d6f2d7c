"""The workflow on a real Slurm of two nodes, by the profiles that users take.

Two runs of three cells at once, on copies of a project that has prepared its data: one in two groups, the first of
which fills its memory; one on GPUs, a cell a job, of which one hangs until its time is over. Then one of cells that
share a GPU. Every wait has an end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import slurm
from project import Project
from runs import Ended, Run, untrained


@pytest.fixture(scope="module")
def ends(cluster: slurm.Slurm, local: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, Ended]:
    """The run of which a group was out of memory, and the run on GPUs of which a cell ran out of time."""
    grouped = untrained(local, tmp_path_factory.mktemp("grouped"), "hog")
    on_gpus = untrained(local, tmp_path_factory.mktemp("gpus"), "hang")
    limits = ("--retries", 0, "--set-resources", "train:slurm_partition=gpu", "train:mem_mb=1500", "train:runtime=1")
    profiles = ("--profile", "profiles/slurm", "--workflow-profile", "profiles/slurm-gpu")
    full = Run(grouped, "cpu", "--workflow-profile", "profiles/slurm", "--group-components", "cells=2", "--retries", 1)
    full.training(2)
    hanging = Run(on_gpus, "gpu", *profiles, "--group-components", "cells=1", *limits)
    return full.ended(), hanging.ended()


@pytest.fixture(scope="module")
def shared(ends: tuple[Ended, Ended], local: Project, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """A run whose one job trains two cells at a time on its GPU."""
    needs = ("train:slurm_partition=gpu", "train:mem_mb=1500", "train:runtime=5", "train:gpu=0", "train:gres='gpu:1'")
    profiles = ("--profile", "profiles/slurm", "--workflow-profile", "profiles/slurm-gpu", "--cores", 2)
    project = untrained(local, tmp_path_factory.mktemp("shared"))
    run = Run(project, "gpu", *profiles, "--retries", 0, "--set-resources", *needs)
    run.training(1, cells=2)
    return run.ended()


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


def test_both_nodes_work(ends: tuple[Ended, Ended]) -> None:
    assert {job.node for job in ends[0].jobs} == set(slurm.NODES)


def test_job_out_of_memory_comes_again_with_more_memory_and_time(ends: tuple[Ended, Ended]) -> None:
    minutes = {"15:00": 15, "30:00": 30, "1:00:00": 60}
    asked = {(job.state, job.memory, minutes[job.limit]) for job in ends[0].jobs}
    # Cells of a group come one after another: they have the time of all, and the memory of one. With cgroups the state
    # would be OUT_OF_MEMORY.
    long = ("FAILED", "2000M", 30) in asked
    first, twice, other = (30, 60, 15) if long else (15, 30, 30)
    assert asked == {
        ("FAILED", "2000M", first),
        ("COMPLETED", "4000M", twice),
        ("COMPLETED", "2000M", other),
    }
    assert len(ends[0].jobs) == 3
    assert "SLURM status is: 'FAILED'" in ends[0].printed
    assert "exceeded memory limit" in ends[0].printed


def gpus(run: Ended) -> list[str]:
    """The GPUs that the cells of a run were given, a cell each."""
    logs = [path.read_text() for path in run.project.work.glob("results/logs/train/*.log")]
    return [log.partition("asked for cuda and was given GPU ")[2].partition("\n")[0] for log in logs]


def test_gpu_reaches_the_job(ends: tuple[Ended, Ended]) -> None:
    given = gpus(ends[1])
    assert len(given) == 3
    assert set(given) <= {"0", "1"}


def test_cells_share_a_gpu(shared: Ended) -> None:
    assert shared.status == 0, shared.printed
    assert [(job.state, job.memory) for job in shared.jobs] == [("COMPLETED", "3000M")]
    assert len(gpus(shared)) == 3
    assert len(set(gpus(shared))) == 1


def test_job_out_of_time_fails_and_the_rest_is_finished(ends: tuple[Ended, Ended]) -> None:
    _, run = ends
    assert run.status == 1
    assert sorted(job.state for job in run.jobs) == ["COMPLETED", "COMPLETED", "TIMEOUT"], run.jobs
    assert "DUE TO TIME LIMIT" in run.printed
    assert "Some jobs failed; what is done is kept" in run.printed
    assert len(run.project.digests()) == 2


def test_no_process_outlives_its_job(ends: tuple[Ended, Ended]) -> None:
    deadline = time.monotonic() + 10
    folders = [run.project.work for run in ends]
    while (found := [command for folder in folders for command in working_in(folder)]) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not found
