"""Files from the future: made while the clock was ahead, as it may be until it has been set after a start.

Snakemake fails every job that reads such a file, after all its work, and removes what it made: an output must not look
older than its input.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path


def bring_back(folder: Path) -> int:
    """Give the files in a folder that are ahead of the clock its time, in the order that they had; returns how many."""
    now = time.time_ns()
    ahead = {path: changed for path, changed in _times(folder) if changed > now}
    ranks = {changed: rank for rank, changed in enumerate(sorted(set(ahead.values())))}
    for path, changed in ahead.items():
        brought = now + 1000 * ranks[changed]  # a microsecond apart, which is over before any job has ended
        with contextlib.suppress(OSError):  # it is somebody else's, or gone
            os.utime(path, ns=(brought, brought))
    return len(ahead)


def _times(folder: Path) -> Iterator[tuple[Path, int]]:
    """All files below a folder with the times of their last change, in nanoseconds."""
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file():
                yield path, path.stat().st_mtime_ns
