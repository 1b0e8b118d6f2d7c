"""Warm workers: processes that have torch loaded and run one `trainability` command after another.

Importing torch takes seconds, a small cell little more. A rule's `run:` block calls `run` with the words of a
command; the command is carried out by an idle worker of this process, or by a new one. Each worker is a plain
subprocess: a line of JSON in starts a job, a line of JSON out ends it. A worker that dies fails its own job and no
other. When the process that started it is gone, its standard input ends and it stops at once.

Run as `python -m trainability.workers`, this module is the worker.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import queue
import resource
import shlex
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import IO

from trainability import files, notes

# One thread per worker: as many cells at once as cores. glibc otherwise returns every large block to the system and
# maps it afresh on the next step, which costs training a tenth of its time; large pages save some percent more.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_TOP_PAD_": str(64 * 2**20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


class JobError(Exception):
    """A command failed; the message names it and its log."""


class Worker:
    """The near side of one worker process."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "trainability.workers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | ENVIRONMENT,
        )

    def run(self, words: list[str], log: Path) -> tuple[int, str] | None:
        """Exit status of a command and the end of what it printed, or None if the worker died of it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        job = json.dumps({"words": words, "log": str(log), "benchmark": str(_benchmark_of(log))})
        try:
            self.process.stdin.write(job.encode() + b"\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = b""
        if not answer:
            return None
        said = json.loads(answer)
        return said["status"], said["said"]

    def bury(self) -> int:
        """Release what is left of a worker that died, and return the status it ended with."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


_idle: list[Worker] = []
_lock = threading.Lock()


def results(config: str, *names: str) -> dict[str, Path]:
    """The configuration and folders of the results that it belongs to, as options; the folder `logs/train` is `logs`.

    `config` is tables/config.json of the results. On another machine they lie where Snakemake has brought it.
    """
    folder = Path(config).parents[1]
    return {"config": Path(config), **{name.partition("/")[0]: folder / name for name in names}}


def run(*words: object, log: object, **options: object) -> None:
    """Carry out `trainability WORD --option=VALUE... WORDS...` in a warm worker, its output in the file `log`.

    An option's underscores become dashes. Of a log results/logs/X.log the worker writes what the command took to
    results/benchmarks/X.jsonl: seconds, seconds of CPU, and the worker's peak memory so far in MB. (Snakemake's own
    `benchmark:` would sample Snakemake's process instead, for a third of a core.) Until the command succeeds there is a
    note beside its log (trainability/notes.py).
    Raises JobError if the command fails or its worker dies.
    """
    first, *rest = map(str, words)
    # With an equals sign, since a value may begin with a dash; words that may do so come after a `--`.
    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    command = [first, *given, *rest]
    path = Path(str(log))
    with notes.kept(path) as failed:
        with _lock:
            worker = _idle.pop() if _idle else None
        worker = worker or Worker()
        answer = worker.run(command, path)
        if answer is None:
            ended = _ending(worker.bury())
            failed(f"its process {ended}")
        else:
            with _lock:
                _idle.append(worker)
            if answer[0] != 0:
                failed(f"exit status {answer[0]}")
    if answer is None:
        raise JobError(f"the worker of `{_shown(command)}` {ended}; its log is {path}")
    status, said = answer
    if status != 0:
        raise JobError(f"`{_shown(command)}` failed with status {status}; its log is {path}:\n{said}")


def _benchmark_of(log: Path) -> Path:
    """Where it is written what a job took: in `benchmarks` as the log is in `logs`, or beside a log from elsewhere."""
    folders = list(log.parent.parts)
    if "logs" in folders:
        folders[len(folders) - 1 - folders[::-1].index("logs")] = "benchmarks"
    return Path(*folders, f"{log.stem}.jsonl")


def _ending(status: int) -> str:
    """How a process ended, in words; `status` as subprocess gives it, negative for a signal."""
    if status >= 0:
        return f"ended with status {status}"
    why = ", which is what the system does when memory runs out" if status == -signal.SIGKILL else ""
    return f"was ended by signal {-status} ({signal.strsignal(-status)}){why}"


def _shown(command: list[str]) -> str:
    text = shlex.join(["trainability", *command])
    return text if len(text) <= 300 else text[:297] + "..."


class _Said(io.StringIO):
    """What a job prints: written to its log at once, and kept, since a full disk takes no log."""

    def __init__(self, log: IO[bytes]) -> None:
        super().__init__()
        self.log = log

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self.log.write(text.encode())
        return super().write(text)

    def tail(self) -> str:
        """Its last lines."""
        return "\n".join(f"    {line}" for line in self.getvalue().splitlines()[-12:])


def _serve() -> None:
    """The far side: carry out jobs until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches all processes of a terminal: end, without a traceback
    answers = os.fdopen(os.dup(1), "w")
    jobs: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(sys.stdin, jobs), daemon=True).start()
    while True:
        job = json.loads(jobs.get())
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            with open(job["log"], "wb", buffering=0) as log:
                said = _Said(log)
                answer = {"status": _carry_out(job["words"], log.fileno(), said), "said": said.tail()}
        except OSError as error:  # of its log, which has no room or cannot be written
            answer = {"status": 2, "said": f"    {error.filename}: {error.strerror}"}
        took = {"s": time.perf_counter() - wall, "cpu_time": time.process_time() - cpu, "max_rss": _peak_memory()}
        with contextlib.suppress(OSError):  # what a job took is worth no job
            files.write_atomically(Path(job["benchmark"]), (json.dumps(took) + "\n").encode())
        gc.collect()
        gc.freeze()  # the libraries' objects, hundreds of thousands, need not be searched again after every job
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _peak_memory() -> float:
    """Largest resident memory of this process so far, in MB.

    On Linux ru_maxrss would be the starting process's peak where that was larger; its own status does not know of it.
    """
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 2**10
    except (OSError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)  # macOS counts bytes, others KiB


def _listen(lines: IO[str], jobs: queue.Queue[str]) -> None:
    for line in lines:
        jobs.put(line)
    os._exit(1)  # whoever waits for the result is gone, so there is nothing left to do


def _carry_out(words: list[str], log: int, said: _Said) -> int:
    from trainability import cli

    os.dup2(log, 1)
    os.dup2(log, 2)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        print("$", shlex.join(["trainability", *words]), flush=True)
        try:
            return cli.main(words)
        except SystemExit as error:
            return error.code if isinstance(error.code, int) else 1
        except Exception:
            traceback.print_exc()
            return 1


if __name__ == "__main__":
    _serve()
