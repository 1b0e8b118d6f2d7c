"""Snakemake's executor for Slurm, which does not wait for ever.

The executor `slurm` goes on waiting for a job that was preempted and not queued again, that no node can ever run, or
that Slurm has forgotten. Where Slurm does not answer for a while, it loses its jobs and then waits for them; and it
asks ever more rarely. This one looks at what `slurm` leaves unsettled. Once Slurm has said for a while (`patience`)
that a job cannot go on, that is its end: Snakemake submits it again, or goes on without it. A wait that only a person
can end is a message.

It takes all options of `slurm`, as `--slurm-watched-...`.
"""

# No annotations from the future: Snakemake reads the types of the settings.
import asyncio
import contextlib
import re
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import snakemake_executor_plugin_slurm as slurm
from snakemake_executor_plugin_slurm import common_settings
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

__all__ = ["Executor", "ExecutorSettings", "common_settings"]

ANSWER = 60  # seconds that squeue may take
# What squeue calls the states that a job does not leave by itself.
FINAL = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"}
FINAL |= {"REVOKED", "TIMEOUT"}
# Why a job pends, where waiting does not help: a limit of its own is above what partition, account or service allow.
NEVER = re.compile(
    r"PartitionConfig|Partition(Node|Time)Limit|BadConstraints|Invalid(Account|QOS)|(Account|QOS)NotAllowed"
    r"|DependencyNeverSatisfied|(Assoc|QOS)Max\w+PerJob\w*"
)
# Why a job pends that only waits for its turn.
TURN = re.compile(r"None|Resources|Priority|BeginTime|Dependency|JobArrayTaskLimit|Licenses|Reservation|(Assoc|QOS)\w+")
SILENCE = "Slurm does not answer. Its jobs run on, and are waited for until it does."


class Listed(NamedTuple):
    """What squeue says about a job: its state, and why it is in it."""

    state: str
    reason: str


@dataclass
class ExecutorSettings(slurm.ExecutorSettings):
    """The settings of `slurm`, and how long a hopeless job is given."""

    patience: int = field(
        default=180,
        metadata={"help": "Seconds for which Slurm has to say that a job cannot go on before the job counts as ended."},
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.patience < 0:
            raise WorkflowError(f"--slurm-watched-patience is {self.patience}, but has to be 0 or more seconds.")


class Executor(slurm.Executor):
    """The executor `slurm`, with an end to every wait."""

    def __post_init__(self, test_mode: bool = False) -> None:
        self._settled: set[str | None] = set()  # Slurm's numbers of the jobs that have ended
        self._hopeless: dict[str, tuple[str, float]] = {}  # why a job cannot go on, and since when
        self._waits: dict[str, float] = {}  # what jobs wait for besides their turn, and since when
        self._said: set[str] = set()
        super().__post_init__(test_mode)

    def format_job_exec(self, job: JobExecutorInterface) -> str:
        """The command of a Slurm job.

        For each job of a group, `slurm-jobstep` would start a Snakemake by srun, and that a worker with torch. In
        threads of the group's one Snakemake they share warm workers, as on a single machine (trainability/workers.py).
        One that fails does not keep those from running that come after it.
        """
        command = super().format_job_exec(job)
        if not job.is_group():
            return command
        return command.replace(self.additional_general_args(), "--executor local --force-use-threads --keep-going")

    def report_job_success(self, job_info: SubmittedJobInfo) -> None:
        self._settled.add(job_info.external_jobid)
        super().report_job_success(job_info)

    def report_job_error(self, job_info: SubmittedJobInfo, msg: str | None = None, **words: Any) -> None:
        self._settled.add(job_info.external_jobid)
        if msg and job_info.job.is_group():  # of a group Snakemake says which jobs failed, and drops the message
            self.logger.error(msg.strip())
        super().report_job_error(job_info, msg, **words)

    async def check_active_jobs(self, active_jobs: list[SubmittedJobInfo]) -> AsyncIterator[SubmittedJobInfo]:
        """Settle the jobs that have ended, and yield the others."""
        async for _ in super().check_active_jobs(active_jobs):
            pass  # where Slurm did not answer, `slurm` gives none back
        if not active_jobs:  # the thread that asks has begun before this executor was set up
            return
        settings = self.workflow.executor_settings
        self.next_seconds_between_status_checks = settings.init_seconds_before_status_checks
        left = [job for job in active_jobs if job.external_jobid not in self._settled]
        listed = await asyncio.to_thread(ask, self.run_uuid) if left else {}
        if listed is None:
            self._say_once(SILENCE)
        else:
            self._said.discard(SILENCE)
            self._say_who_waits(listed)
        for job in left:
            if listed is None or not self._settle(job, find(listed, job.external_jobid)):
                yield job

    def _settle(self, job: SubmittedJobInfo, told: Listed | None) -> bool:
        """End a job that Slurm has for long said to be hopeless; whether it was one."""
        name, why, now = job.external_jobid, hopeless(told), time.monotonic()
        if why != self._hopeless.get(name, ("", now))[0]:
            self._hopeless[name] = (why, now)
        if not why or now - self._hopeless[name][1] < self.workflow.executor_settings.patience:
            return False
        if told and told.state == "COMPLETED":
            self.report_job_success(job)
            return True
        with contextlib.suppress(WorkflowError):  # it could still start, and then two would write the same files
            self.cancel_jobs([job])
        logs = [str(log)] if (log := job.aux.get("slurm_logfile")) else []
        self.report_job_error(job, msg=f"Slurm job {name} counts as failed: {why}. ", aux_logs=logs)
        return True

    def _say_who_waits(self, listed: dict[str, Listed]) -> None:
        """Name the jobs that have long waited for something that may never come, once for each such thing."""
        waiting = {
            told.reason for told in listed.values() if told.state == "PENDING" and not TURN.fullmatch(told.reason)
        }
        now = time.monotonic()
        self._waits = {reason: self._waits.get(reason, now) for reason in waiting}
        for reason, since in self._waits.items():
            if now - since >= self.workflow.executor_settings.patience:
                jobs = ", ".join(name for name, told in listed.items() if told.reason == reason)
                self._say_once(f"Slurm jobs wait, and not only for their turn: {reason}", f" (now {jobs})")

    def _say_once(self, message: str, more: str = "") -> None:
        if message not in self._said:
            self._said.add(message)
            self.logger.warning(message + more)


def ask(run: str) -> dict[str, Listed] | None:
    """What squeue says about the jobs of a run of Snakemake, by their numbers; None if it does not answer."""
    command = ["squeue", "--array", "--states=all", "--noheader", f"--name={run}", "--format=%i|%T|%r"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode != 0:
        return None
    lines = (line.split("|", 2) for line in done.stdout.splitlines() if line.count("|") >= 2)
    return {number: Listed(state, reason) for number, state, reason in lines}


def find(listed: dict[str, Listed], name: str) -> Listed | None:
    """What is said about a job, or about the array that it belongs to; None if nothing."""
    return listed.get(name) or listed.get(name.partition("_")[0])


def hopeless(told: Listed | None) -> str:
    """Why a job will not go on by itself, or an empty text."""
    if told is None:
        return "Slurm no longer knows it, so how it ended cannot be told"
    if told.state in FINAL:
        return f"it ended as {told.state}"
    if told.state == "PENDING" and NEVER.fullmatch(told.reason):
        return f"it pends for ever, since nothing here can run what it asks for ({told.reason})"
    return ""
