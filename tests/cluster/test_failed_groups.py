"""A group of cells of which one fails at every attempt, on the tests' Slurm: the others are trained once, and stay."""

from __future__ import annotations

from pathlib import Path

import pytest
import slurm
from project import Project
from runs import Ended, Run, untrained

PROFILE = ("--workflow-profile", "profiles/slurm", "--group-components", "cells=3", "--retries", 1)


@pytest.fixture(scope="module")
def ended(cluster: slurm.Slurm, local: Project, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """A run of one group, submitted twice."""
    run = Run(untrained(local, tmp_path_factory.mktemp("failing"), "fail"), "cpu", *PROFILE)
    return run.ended()


def failing(project: Project) -> tuple[Path, str]:
    """What makes a cell fail, and the cell."""
    (found,) = project.work.glob("fail-*")
    return found, found.name.removeprefix("fail-")


def test_the_group_comes_again_and_fails_again(ended: Ended) -> None:
    assert ended.status == 1
    assert [job.state for job in ended.jobs] == ["FAILED", "FAILED"]
    assert "this cell always fails" in ended.printed


def test_the_other_cells_have_their_records(local: Project, ended: Ended) -> None:
    _, cell = failing(ended.project)
    assert "Removing output files of failed job train" in ended.printed, "or there would be nothing to bring back"
    assert "Of groups that failed 2 cells had been trained; their records are back." in ended.printed
    assert ended.project.digests() == {key: digest for key, digest in local.digests().items() if key != cell}


def test_the_second_attempt_trained_none_of_them_again(ended: Ended) -> None:
    for key in ended.project.digests():
        log = (ended.project.work / f"results/logs/train/{key}.log").read_text()
        assert "The record of an earlier job is taken over" in log
        assert "step" not in log


def test_the_next_snakemake_trains_the_cell_that_failed_and_no_other(local: Project, ended: Ended) -> None:
    trouble, cell = failing(ended.project)
    trouble.unlink()
    printed = ended.project.snakemake("--cores", 2, "--until", "tables", config="few")
    assert printed.count("rule train:") == 1
    assert f"wildcards: cell={cell}" in printed
    assert ended.project.digests() == local.digests()
    assert not (ended.project.work / "results/spare").exists(), "the tables have all records"
