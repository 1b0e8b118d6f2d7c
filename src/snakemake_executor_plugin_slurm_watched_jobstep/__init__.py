"""Snakemake's executor within a Slurm job, whose group of jobs shares warm workers.

For a group, `slurm-jobstep` starts a Snakemake that starts a further one for each of its jobs, and each of those a
worker with torch (trainability/workers.py). Here the group's Snakemake runs its jobs in threads, as on a single
machine: a worker serves them one after another, and ends with it. There are as many at once as the Slurm job has cores.
"""

import os

import snakemake_executor_plugin_slurm_jobstep as jobstep
from snakemake_executor_plugin_slurm_jobstep import ExecutorSettings, common_settings
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface

__all__ = ["Executor", "ExecutorSettings", "common_settings"]


class Executor(jobstep.Executor):
    """The executor `slurm-jobstep`, with threads for a group too, and no more cores than Slurm has given."""

    @property
    def cores(self) -> str:
        return os.environ.get("SLURM_CPUS_ON_NODE", "all")

    def get_job_args(self, job: JobExecutorInterface, **words: object) -> str:
        arguments = super().get_job_args(job, **words)
        return f"{arguments} --force-use-threads" if job.is_group() else arguments
