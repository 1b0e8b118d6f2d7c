"""A small experiment that can be disturbed while it runs, and what must be the same as if it had been left alone."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pandas as pd
import yaml
from project import ROOT, Project

from trainability import files, notes, tables

NOTE = ".unfinished.json"
LIMIT = 240  # seconds that a run of Snakemake may take, on a machine with other things to do

# An activation whose training does what the name of a file in the working directory says; one cell gets hold of each.
TRAPS = """
import os
import resource
import signal
import time
from pathlib import Path

import torch

from trainability.api import Activation


class Trapped(Activation):
    def value(self, z, *learned):
        for name in TRAPS:
            try:
                Path(name).unlink()
            except FileNotFoundError:
                continue
            TRAPS[name]()
        return z.clamp(min=0) - 0.1

    def derivative(self, z, *learned):
        return (z > 0).to(z.dtype)


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def out_of_memory():
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + 2**28
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    kept = [torch.zeros(2**22) for _ in range(100)]


def waits():
    Path("waiting").touch()
    while not Path("go on").exists():
        time.sleep(0.05)


TRAPS = {"kill a training": killed, "exhaust a training": out_of_memory, "stop a training": waits}
"""


class Grid(Project):
    """A copy of the project with an experiment of six cells of half a second, one analysis and all that follows."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        super().__init__(home)
        self.results = self.work / "results"
        self.runs: list[Run] = []
        module = self.work / "lab/traps.py"
        module.parent.mkdir()
        module.write_text(TRAPS)
        values = yaml.safe_load((ROOT / "experiments/smoke.yaml").read_text())
        default = yaml.safe_load((ROOT / "config.yaml").read_text())
        factors = {"activation": ["tanh", "relu", "lab.traps:Trapped"], "normalization": ["none", "batchnorm"]}
        values["base"]["epochs"] = 24
        values["studies"] = dict.fromkeys(default["studies"]) | {"grid": {"question": "?", "grid": factors}}
        values["analyses"] = dict.fromkeys(default["analyses"]) | {"born_dead": values["analyses"]["born_dead"]}
        (self.code / "experiments/grid.yaml").write_text(yaml.safe_dump(values))

    def start(self, *words: object) -> Run:
        """Start Snakemake as from a terminal of its own."""
        self.runs.append(Run(self, self.command("--cores", 2, *words, config="grid")))
        return self.runs[-1]

    def finish(self, *words: object) -> str:
        """Run Snakemake to the end and return all it printed."""
        run = self.start(*words)
        assert run.wait() == 0, run.printed
        return run.printed

    def stop(self) -> None:
        """End what a test that failed has left running in this folder."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for run in self.runs:
            run.process.wait()

    def processes(self) -> dict[int, int]:
        """The processes that work in this folder, with the sessions that they belong to."""
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "cwd").readlink() == self.work and (process / "cmdline").read_bytes():
                    found[int(process.name)] = os.getsid(int(process.name))
            except OSError:  # it has ended
                continue
        return found

    def facts(self) -> dict[str, str]:
        """Checksums of all that must be the same however the experiment was run, and the digests of the cells."""
        found = {f"digest of {cell}": digest for cell, digest in self.digests().items()}
        # Not tables.json, which has the checksum of the table of cells with its seconds.
        patterns = ["tables/*.csv", "tables/*.parquet", "figures/*.*", "analyses/*.csv", "cells/*/*.parquet"]
        for path in sorted(path for pattern in patterns for path in self.results.glob(pattern)):
            content = path.read_bytes()
            if path.stem == "cells":
                table = pd.read_csv(path, dtype=str) if path.suffix == ".csv" else pd.read_parquet(path)
                content = table.drop(columns=list(tables.SECONDS)).to_csv().encode()
            found[str(path.relative_to(self.results))] = files.checksum(content)
        return found

    def at_work(self) -> list[str]:
        """The rules of the jobs that are carried out."""
        logs = [path.with_name(path.name.removesuffix(NOTE) + ".log") for path in self.results.glob(f"logs/**/*{NOTE}")]
        running = [log.relative_to(self.results / "logs") for log in logs if notes.read(log) == notes.Note("running")]
        return [path.parts[0].removesuffix(".log") for path in running]

    def leftovers(self) -> list[str]:
        """Temporary files, and notes of jobs that are not finished."""
        names = (".*.tmp", f"*{NOTE}")
        return [str(path.relative_to(self.work)) for name in names for path in self.work.rglob(name)]


def _as_from_a_terminal() -> None:
    """Mind the signals that tests ignore where nohup or a shell's background has them do so, and what they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Run:
    """A Snakemake in a session of its own, as a terminal gives it, with all it prints in a file."""

    def __init__(self, grid: Grid, command: list[str]) -> None:
        self.grid = grid
        self.file = Path(tempfile.mkstemp(prefix="printed.", dir=grid.work.parent)[1])
        with self.file.open("w") as out:
            self.process = subprocess.Popen(
                command,
                cwd=grid.work,
                env=grid.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_as_from_a_terminal,
            )

    @property
    def printed(self) -> str:
        return self.file.read_text()

    def wait(self, seconds: float = LIMIT) -> int:
        """Its exit status; a test fails if it does not end."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"no end within {seconds} s:\n{self.printed[-4000:]}") from None

    def ended(self, seconds: float = 0) -> bool:
        """Whether it ends within this time."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def signal(self, number: int, everything: bool = False) -> None:
        """Send a signal to it, or to it and all its workers at once."""
        (os.killpg if everything else os.kill)(self.process.pid, number)
        if number == signal.SIGKILL:
            self.process.wait()

    def workers(self) -> list[int]:
        """Its worker processes."""
        others = {pid for pid, session in self.grid.processes().items() if session == self.process.pid}
        return sorted(others - {self.process.pid})

    def training(self) -> list[int]:
        """Those of its workers that are past the first steps of a training."""
        return [pid for pid in self.workers() if _step(pid)]

    def until(self, met: Callable[[], object], seconds: float = LIMIT) -> bool:
        """Wait until a condition is met; false if the run ends before, or the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.ended():
            if met():
                return True
            time.sleep(0.05)
        return False

    def cells(self) -> Iterator[tuple[str, str, str]]:
        """What it said about cells, in its order: `started` with the reason, and `finished`."""
        jobs = {}
        started = r"^(?:local)?rule train:\n(?P<about>(?: +.*\n)+)"
        for event in re.finditer(rf"{started}|^Finished jobid: (?P<job>\d+) \(Rule: train\)$", self.printed, re.M):
            if event["job"]:
                yield "finished", jobs[event["job"]], ""
                continue
            job, cell = re.search(r"jobid: (\d+)", event["about"]), re.search(r"wildcards: cell=(\S+)", event["about"])
            reason = re.search(r"reason: (.*)", event["about"])
            if job and cell and reason:  # else it was killed in the middle of saying so
                jobs[job[1]] = cell[1]
                yield "started", cell[1], reason[1]


class Ledger:
    """The cells that Snakemake has called finished, over all its runs in one folder."""

    def __init__(self, finished: Iterable[str] = ()) -> None:
        self.finished = set(finished)

    def enter(self, run: Run) -> None:
        """Add a run that has ended; none of the cells that were finished may have been trained again."""
        for event, cell, reason in run.cells():
            if event == "started":
                assert cell not in self.finished, f"{cell} was finished, and is trained again: {reason}"
            else:
                self.finished.add(cell)


def orphans(grid: Grid, run: Run | None, seconds: float = 30) -> dict[int, str]:
    """Processes in a grid's folder that belong to no run, or to another one, and do not end within this time."""
    deadline = time.monotonic() + seconds
    own = run.process.pid if run else None
    while found := [pid for pid, session in grid.processes().items() if session != own]:
        if time.monotonic() > deadline:
            return {pid: Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in found}
        time.sleep(0.05)
    return {}


def training_notes(grid: Grid) -> dict[str, notes.Note | None]:
    """The notes of trainings by cell, of those that have one."""
    cells = [path.name.removesuffix(NOTE) for path in grid.results.glob(f"logs/train/*{NOTE}")]
    return {cell: notes.read(grid.results / f"logs/train/{cell}.log") for cell in cells}


@functools.cache
def undisturbed() -> Grid:
    """The experiment run to the end with nothing to disturb it; once for all tests, and not to be changed."""
    home = Path(tempfile.mkdtemp(prefix="undisturbed."))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    grid = Grid(home / "grid")
    grid.finish()
    return grid


def untrained(home: Path) -> Grid:
    """A copy of the undisturbed experiment without its cells: data and all that Snakemake knows of them are there."""
    grid = Grid(home / "grid")
    shutil.copytree(undisturbed().work, grid.work, dirs_exist_ok=True)
    shutil.rmtree(grid.results / "cells")
    shutil.rmtree(grid.results / "logs/train")
    return grid


def _step(pid: int) -> bool:
    """Whether a process writes the log of a training that has taken steps."""
    try:
        logs = [path.readlink() for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink()]
        return any("/logs/train/" in str(log) and "\nstep 8/" in log.read_text() for log in logs)
    except OSError:  # it has ended, or the file has
        return False
