"""Warm workers: kept between jobs, their deaths contained, their errors readable."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trainability import datasets, notes, prepared, workers
from trainability.notes import Note
from trainability.workers import JobError


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """No worker of another test, and none left behind."""
    stop()
    yield
    stop()


def stop() -> None:
    for worker in workers._idle:
        worker.process.kill()
        worker.process.communicate()
    workers._idle.clear()


def test_log_holds_the_command_and_its_output(tmp_path: Path) -> None:
    log = tmp_path / "logs/a/logs/check.log"
    workers.run("check", "--configfile", "config.yaml", "experiments/smoke.yaml", log=log)
    lines = log.read_text().splitlines()
    assert lines[0] == "$ trainability check --configfile config.yaml experiments/smoke.yaml"
    assert "cells" in lines[1]
    took = json.loads((tmp_path / "logs/a/benchmarks/check.jsonl").read_text())
    assert took["s"] > 0
    assert took["cpu_time"] >= 0
    assert 10 < took["max_rss"] < 4000


def test_worker_is_kept(tmp_path: Path) -> None:
    workers.run("check", log=tmp_path / "log")
    first = workers._idle[0].process.pid
    workers.run("check", log=tmp_path / "log")
    assert [worker.process.pid for worker in workers._idle] == [first]


def test_failing_command_shows_the_end_of_its_log_and_the_worker_lives_on(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"failed with status 2(.|\n)*nowhere.yaml: cannot be read"):
        workers.run("check", configfile="nowhere.yaml", log=tmp_path / "log")
    with pytest.raises(JobError, match=r"invalid choice: 'dance'"):
        workers.run("dance", log=tmp_path / "log")
    assert notes.read(tmp_path / "log") == Note("failed", "exit status 2")
    assert len(workers._idle) == 1


def test_killed_worker_fails_its_own_job_only(tmp_path: Path) -> None:
    workers.run("check", log=tmp_path / "log")
    os.kill(workers._idle[0].process.pid, signal.SIGKILL)
    with pytest.raises(JobError, match=r"was ended by signal 9 \(Killed\), which is what the system does"):
        workers.run("check", log=tmp_path / "log")
    assert notes.read(tmp_path / "log") == Note(
        "failed", "its process was ended by signal 9 (Killed), which is what the system does when memory runs out"
    )
    workers.run("check", log=tmp_path / "log")


def test_jobs_at_once_have_workers_of_their_own(tmp_path: Path) -> None:
    threads = [
        threading.Thread(
            target=workers.run,
            args=("check",),
            kwargs={"log": tmp_path / f"log{i}"},
        )
        for i in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all("cells" in (tmp_path / f"log{i}").read_text() for i in range(3))
    assert 1 <= len(workers._idle) <= 3


def test_worker_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """Also when that process is killed and cannot say goodbye, and in the middle of a job."""
    program = (
        "import os, signal\nfrom trainability import workers\n"
        f"workers.run('check', log={str(tmp_path / 'log')!r})\n"
        "print(workers._idle[0].process.pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
    worker = Path(f"/proc/{int(printed)}")
    deadline = time.monotonic() + 10
    while worker.exists() and worker.joinpath("stat").read_text().split()[2] != "Z" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not worker.exists() or worker.joinpath("stat").read_text().split()[2] == "Z"


def test_memory_stays_flat_over_500_cells(make_cell: Any, tmp_path: Path) -> None:
    """Of various shapes, so that what one cell leaves does not simply fit the next."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of scikit-learn's own imports
        datasets.prepare(make_cell().dataset, tmp_path / "data", None, tmp_path)
    prepared.prepare(make_cell().preprocessing, tmp_path / "data", tmp_path / "prepared")
    cells = [
        make_cell(width=8 + 8 * (n % 7), depth=1 + n % 3, normalization=("none", "batchnorm")[n % 2], batch_size=128)
        for n in range(42)
    ]
    peaks = []
    for number in range(500):
        workers.run(
            "train",
            cell=cells[number % len(cells)].canonical,
            data=tmp_path / "prepared",
            device="cpu",
            spare="",
            out=tmp_path / "cell",
            log=tmp_path / "log",
        )
        peaks.append(json.loads((tmp_path / "log.jsonl").read_text())["max_rss"])
    assert len(workers._idle) == 1, "one worker did it all"
    assert peaks[-1] < 1.02 * peaks[99]
    assert peaks[-1] < 1000
