"""Snakemake's lock: removed once nobody holds the folder any more, and only where that can be known."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainability import locks

LOCK = "locks/0.output.lock"
# Holds a folder as a Snakemake does, and locks it with a file, until it is killed.
PROGRAM = f"""
import socket, sys, time
from pathlib import Path
from trainability import locks

folder, alone, host = Path(sys.argv[1]), sys.argv[2] == "alone", sys.argv[3]
socket.gethostname = lambda: host
locks.hold(folder, alone)
folder.joinpath("locks").mkdir(exist_ok=True)
folder.joinpath({LOCK!r}).touch()
print("locked", flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine is `here`, and what a test holds it holds no longer than itself."""
    monkeypatch.setattr("socket.gethostname", lambda: "here")
    monkeypatch.setattr(locks, "_held", [])
    yield
    for stream in locks._held:
        stream.close()


def other(folder: Path, alone: str = "alone", host: str = "here") -> subprocess.Popen[str]:
    """Another process that has locked the folder."""
    words = [sys.executable, "-c", PROGRAM, str(folder), alone, host]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("alone", "host", "removed"),
    [
        pytest.param("alone", "here", True, id="on this machine"),
        pytest.param("alone", "there", False, id="on another machine, where its process may still live"),
        pytest.param("with jobs", "here", False, id="with jobs on a cluster, which may still run"),
    ],
)
def test_the_lock_of_a_killed_process(tmp_path: Path, alone: str, host: str, removed: bool) -> None:
    end(other(tmp_path, alone, host))
    assert locks.hold(tmp_path, alone=True) == removed
    assert (tmp_path / LOCK).exists() != removed


def test_the_lock_of_a_living_process_stays(tmp_path: Path) -> None:
    process = other(tmp_path)
    try:
        assert not locks.hold(tmp_path, alone=True)
        assert (tmp_path / LOCK).exists()
    finally:
        end(process)


def test_a_lock_stays_while_anybody_holds_the_folder(tmp_path: Path) -> None:
    """A dry run beside the process that is killed, for instance, or a job that outlives it."""
    process = other(tmp_path)
    locks.hold(tmp_path, alone=True)
    end(process)
    assert not locks.hold(tmp_path, alone=True)
    locks._held[0].close()
    locks._held[1].close()
    assert locks.hold(tmp_path, alone=True)


def test_a_folder_without_locks_has_a_new_owner(tmp_path: Path) -> None:
    end(other(tmp_path, host="there"))
    (tmp_path / LOCK).unlink()
    assert not locks.hold(tmp_path, alone=True)
    locks._held[0].close()
    (tmp_path / LOCK).touch()
    assert locks.hold(tmp_path, alone=True)


def test_a_job_on_a_cluster_does_not_own_what_it_finds(tmp_path: Path) -> None:
    end(other(tmp_path))
    assert not locks.hold(tmp_path, alone=False)
    assert (tmp_path / LOCK).exists()


def test_without_locks_nothing_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("this file system has no locks")

    end(other(tmp_path))
    monkeypatch.setattr("fcntl.flock", refuse)
    assert not locks.hold(tmp_path, alone=True)
    assert (tmp_path / LOCK).exists()
