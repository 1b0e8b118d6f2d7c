"""Notes of jobs: a running job is told from one that failed and from one that was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from trainability import notes
from trainability.notes import Note


def test_there_is_a_note_while_a_job_runs_and_none_once_it_has_succeeded(tmp_path: Path) -> None:
    log = tmp_path / "digits.raw.relu-1f.log"
    assert notes.read(log) is None
    with notes.kept(log):
        assert notes.path_of(log).name == "digits.raw.relu-1f.unfinished.json"
        assert notes.read(log) == Note("running")
    assert notes.read(log) is None
    assert list(tmp_path.iterdir()) == []


def test_a_failure_stays_noted_until_the_job_succeeds(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with notes.kept(log) as failed:
        failed("exit status 2")
    assert notes.read(log) == Note("failed", "exit status 2")
    with notes.kept(log):
        assert notes.read(log) == Note("running"), "the earlier attempt is no longer what counts"
    assert notes.read(log) is None


def test_an_exception_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no room"), notes.kept(tmp_path / "log"):
        raise OSError("no room")
    assert notes.read(tmp_path / "log") == Note("failed", "OSError: no room")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_process_has_stopped(tmp_path: Path, number: int) -> None:
    program = (
        "import os, signal, sys, time\nfrom pathlib import Path\nfrom trainability import notes\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # what a shell starts in the background ignores it
        "with notes.kept(Path(sys.argv[1])):\n    print('begun', flush=True)\n    time.sleep(60)\n"
    )
    log = tmp_path / "log"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(log)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as job:
        assert job.stdout is not None
        job.stdout.readline()
        assert notes.read(log) == Note("running")
        job.send_signal(number)
    assert notes.read(log) == Note("stopped")


def test_without_locks_every_unfinished_job_counts_as_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("this file system has no locks")

    monkeypatch.setattr("fcntl.flock", refuse)
    log = tmp_path / "log"
    with notes.kept(log) as failed:
        failed("exit status 1")
    assert notes.read(log) == Note("running")
    with notes.kept(log):
        pass
    assert notes.read(log) is None
