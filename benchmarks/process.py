"""One thread on one core: what every timed process is started with, whichever library it times."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Mapping

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
    "TORCHINDUCTOR_CPP_THREADS": "1",
    # A compilation cache kept from an earlier process would hide what compiling costs.
    "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",
}


def pin_to_one_core() -> None:
    """Keep this process and its children on one core, where the system allows it (Linux does)."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def restart_with(environment: Mapping[str, str]) -> None:
    """Start this very program again unless these variables are set: libraries read them only when they are loaded."""
    if any(os.environ.get(name) != value for name, value in environment.items()):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | dict(environment))


def peak_memory() -> float:
    """Largest resident memory in MB of this process so far, or of the largest of its children that have ended."""
    peaks = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(peaks) / (2**20 if sys.platform == "darwin" else 2**10)  # macOS counts bytes, Linux KiB
