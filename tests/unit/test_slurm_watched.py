"""What the executor for Slurm makes of squeue's words; tests/cluster has it at work."""

from __future__ import annotations

from pathlib import Path

import pytest
from snakemake_interface_common.exceptions import WorkflowError

import snakemake_executor_plugin_slurm_watched as watched


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (None, "no longer knows it"),
        (("PREEMPTED", "None"), "it ended as PREEMPTED"),
        (("NODE_FAIL", "NodeDown"), "it ended as NODE_FAIL"),
        (("COMPLETED", "None"), "it ended as COMPLETED"),
        (("PENDING", "PartitionConfig"), "pends for ever"),
        (("PENDING", "PartitionTimeLimit"), "pends for ever"),
        (("PENDING", "BadConstraints"), "pends for ever"),
        (("PENDING", "InvalidQOS"), "pends for ever"),
        (("PENDING", "QOSMaxMemoryPerJob"), "pends for ever"),
        (("PENDING", "AssocMaxCpuPerJobLimit"), "pends for ever"),
    ],
)
def test_what_does_not_go_on_by_itself_is_hopeless(told: tuple[str, str] | None, words: str) -> None:
    assert words in watched.hopeless(watched.Listed(*told) if told else None)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("RUNNING", "None"),
        ("COMPLETING", "None"),
        ("SUSPENDED", "None"),
        ("PENDING", "Priority"),
        ("PENDING", "Resources"),
        ("PENDING", "BeginTime"),
        ("PENDING", "QOSMaxJobsPerUserLimit"),
        ("PENDING", "AssocGrpCpuLimit"),
        ("PENDING", "JobHeldUser"),
        ("PENDING", "ReqNodeNotAvail, UnavailableNodes:n[1-2]"),
        ("PENDING", "launch failed requeued held"),
    ],
)
def test_what_may_go_on_is_waited_for(state: str, reason: str) -> None:
    assert watched.hopeless(watched.Listed(state, reason)) == ""


@pytest.mark.parametrize(
    ("reason", "only"),
    [
        ("Priority", True),
        ("QOSGrpCpuLimit", True),
        ("JobHeldAdmin", False),
        ("PartitionDown", False),
        ("ReqNodeNotAvail, UnavailableNodes:n1", False),
    ],
)
def test_what_only_waits_for_its_turn_is_no_message(reason: str, only: bool) -> None:
    assert bool(watched.TURN.fullmatch(reason)) == only


@pytest.fixture
def squeue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A squeue whose text the test writes."""
    script = tmp_path / "squeue"
    script.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return script


def test_squeue_is_read_with_reasons_that_hold_anything(squeue: Path) -> None:
    squeue.write_text("#!/bin/sh\necho '7|RUNNING|None'\necho '8_2|PENDING|a|b'\necho 'a warning'\n")
    listed = watched.ask("run")
    assert listed == {"7": ("RUNNING", "None"), "8_2": ("PENDING", "a|b")}
    assert watched.find(listed, "8_2") == ("PENDING", "a|b")
    assert watched.find(listed, "7_1") == ("RUNNING", "None")  # what is said about the whole array
    assert watched.find(listed, "9") is None


def test_squeue_that_fails_is_no_answer(squeue: Path) -> None:
    squeue.write_text("#!/bin/sh\necho '7|RUNNING|None'\nexit 1\n")
    assert watched.ask("run") is None


def test_squeue_that_hangs_is_no_answer(squeue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    squeue.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(watched, "ANSWER", 0.1)
    assert watched.ask("run") is None


def test_patience_below_nothing_is_refused() -> None:
    with pytest.raises(WorkflowError, match="patience is -1, but has to be 0 or more"):
        watched.ExecutorSettings(patience=-1)
