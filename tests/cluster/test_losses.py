"""What a cluster does to jobs, on the tests' Slurm: nodes lost, jobs preempted, forgotten or never started, no answer.

Every run ends, with the bits of a run that nothing happened to or with a message that says what was in the way.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import slurm
from project import Project
from runs import Ended, Run, untrained

PROFILE = ("--workflow-profile", "profiles/slurm", "--group-components", "cells=2", "--slurm-watched-patience", 3)


def preempt(node: str) -> None:
    """Let a job of more weight take a node for a moment."""
    slurm.told("sbatch", "-p", "urgent", "-w", node, "-o", "/dev/null", "--exclusive", "--wrap", "sleep 1")


@pytest.fixture(scope="module")
def queued_again(cluster: slurm.Slurm, local: Project, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """A run that loses one node with its job, and whose other job is preempted and queued again."""
    run = Run(untrained(local, tmp_path_factory.mktemp("queued")), "requeued", *PROFILE, "--retries", 0)
    run.training(2)
    lost, kept = slurm.NODES
    cluster.lose_node(lost)
    preempt(kept)
    try:
        return run.ended()
    finally:
        cluster.start_node(lost)


@pytest.fixture(scope="module")
def submitted_again(cluster: slurm.Slurm, local: Project, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """A run of which one job is preempted for good and one cancelled; while they come again, Slurm does not answer."""
    run = Run(untrained(local, tmp_path_factory.mktemp("again")), "cancelled", *PROFILE, "--retries", 1)
    first, second = run.training(2)
    preempt(first.node)
    slurm.told("scancel", second.number)
    run.says("counts as failed: it ended as PREEMPTED")
    run.until(lambda: len(run.jobs()) == 4, "the jobs were not submitted again")  # which takes longer for one of them
    cluster.stop_controller()
    try:
        run.says("Slurm does not answer")
    finally:
        cluster.start_controller()
    return run.ended()


@pytest.mark.parametrize("name", ["queued_again", "submitted_again"])
def test_all_cells_are_trained_to_the_same_bits(name: str, local: Project, request: pytest.FixtureRequest) -> None:
    run: Ended = request.getfixturevalue(name)
    assert run.status == 0, run.printed
    assert run.project.digests() == local.digests()


def test_slurm_queues_again_what_lost_its_node(queued_again: Ended) -> None:
    lost, kept = slurm.NODES
    assert [(job.state, job.node) for job in queued_again.jobs] == [("COMPLETED", kept)] * 2, queued_again.printed
    assert lost != kept


def test_job_that_slurm_gives_up_is_submitted_again(submitted_again: Ended) -> None:
    states = [job.state for job in submitted_again.jobs]
    assert sorted(states[:2]) == ["CANCELLED", "PREEMPTED"]
    assert states[2:] == ["COMPLETED"] * 2
    assert "counts as failed: it ended as PREEMPTED" in submitted_again.printed


def test_jobs_that_no_node_can_run_are_refused(cluster: slurm.Slurm, local: Project, tmp_path: Path) -> None:
    needs = ("--set-resources", "train:cpus_per_task=999", "train:mem_mb=1500", "train:runtime=1")
    run = Run(untrained(local, tmp_path), "cpu", *PROFILE, "--retries", 0, *needs).ended()
    assert run.status == 1
    assert run.printed.count("it pends for ever, since nothing here can run what it asks for (PartitionConfig)") == 2
    assert {job.state for job in run.jobs} == {"CANCELLED"}
    assert "Some jobs failed; what is done is kept" in run.printed


def test_jobs_that_slurm_forgets_count_as_failed(cluster: slurm.Slurm, local: Project, tmp_path: Path) -> None:
    everywhere = f"nodename={','.join(slurm.NODES)}"
    slurm.told("scontrol", "update", everywhere, "state=drain", "reason=test")
    try:
        run = Run(untrained(local, tmp_path), "cpu", *PROFILE, "--retries", 0)
        run.says("Slurm jobs wait, and not only for their turn")
        cluster.stop_controller()
        cluster.start_controller(forgetful=True)
        ended = run.ended()
    finally:
        slurm.told("scontrol", "update", everywhere, "state=resume")
    assert ended.status == 1
    assert ended.printed.count("Slurm no longer knows it") == 2
