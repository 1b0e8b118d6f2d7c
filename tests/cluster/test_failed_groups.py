"""A group of cells of which one fails at every attempt: the others are trained once, and their records stay.

On the tests' Slurm; and by a submit command that only runs the job, which needs no cluster. There Snakemake cannot be
told to go on within the group, so that the cell that comes after the one that fails is left.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from project import Project
from runs import Run, untrained

GROUP = ("--group-components", "cells=3", "--retries", 1)
GENERIC = ("--executor", "cluster-generic", "--cluster-generic-submit-cmd", "sh", "--jobs", 1, "--cores", 1)
COMES = 1  # cells that come before the one that fails


class Failed(NamedTuple):
    """A project that has run one group twice, what makes a cell fail and which one, and all that was printed."""

    project: Project
    trouble: Path
    cell: str
    printed: str


def on_slurm(project: Project) -> str:
    ended = Run(project, "cpu", "--workflow-profile", "profiles/slurm", *GROUP).ended()
    assert ended.status == 1
    assert [job.state for job in ended.jobs] == ["FAILED", "FAILED"]
    return ended.printed


def by_a_command(project: Project) -> str:
    words = ("--groups", "train=cells", "--until", "train", *GENERIC, *GROUP)
    return project.snakemake(*words, status=1, config="few")


@pytest.fixture(scope="module", params=["slurm", "generic"])
def failed(request: pytest.FixtureRequest, local: Project, tmp_path_factory: pytest.TempPathFactory) -> Failed:
    project = untrained(local, tmp_path_factory.mktemp("failing"))
    (project.work / "fail").write_text(str(COMES))
    if request.param == "slurm":
        request.getfixturevalue("cluster")
    run: dict[str, Callable[[Project], str]] = {"slurm": on_slurm, "generic": by_a_command}
    printed = run[request.param](project)
    (trouble,) = project.work.glob("fail-*")
    return Failed(project, trouble, trouble.name.removeprefix("fail-"), printed)


def test_the_other_cells_have_their_records(failed: Failed, local: Project) -> None:
    others = {key: digest for key, digest in local.digests().items() if key != failed.cell}
    found = failed.project.digests()
    assert found.items() <= others.items()
    # On Slurm the one that comes after it as well.
    assert len(found) == (len(others) if "SLURM" in failed.printed else COMES)
    assert f"{len(found)} cells of jobs that failed had been trained; their records are back." in failed.printed
    assert "this cell always fails" in failed.printed
    assert not (failed.project.work / "results/spare").exists()


@pytest.mark.parametrize("failed", ["slurm"], indirect=True)  # elsewhere the second attempt may not come so far
def test_the_second_attempt_trained_none_of_them_again(failed: Failed) -> None:
    for key in failed.project.digests():
        log = (failed.project.work / f"results/logs/train/{key}.log").read_text()
        assert "The record of an earlier job of this cell, which trained for" in log
        assert "step" not in log


def test_the_next_snakemake_trains_what_has_no_record_and_nothing_else(failed: Failed, local: Project) -> None:
    missing = local.digests().keys() - failed.project.digests().keys()
    failed.trouble.unlink()
    printed = failed.project.snakemake("--cores", 2, "--until", "tables", config="few")
    assert printed.count("rule train:") == len(missing)
    assert all(f"wildcards: cell={key}" in printed for key in missing)
    assert failed.project.digests() == local.digests()
    assert not (failed.project.work / "results/spare").exists()
