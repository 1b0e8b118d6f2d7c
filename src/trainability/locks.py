"""Snakemake's lock on a folder, removed when the process that took it is gone.

Snakemake locks the folder that it works in by files. They stay behind when it is killed, and it would then not start
before someone has typed `--unlock`. So every Snakemake of this workflow holds a lock of the system's as well, which
ends with its process: while nobody holds that one, Snakemake's files are left over.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import socket
from pathlib import Path
from typing import IO

_held: list[IO[str]] = []  # open, and so locked, for as long as this process lives


def hold(folder: Path, alone: bool) -> bool:
    """Hold Snakemake's `folder` (.snakemake) until this process ends; returns whether a lock left over was removed.

    It is removed only on the machine of the process that took it, since the system's locks may not reach others, and if
    that process worked `alone`: jobs on a cluster go on without it. Where the folder cannot be written to, or its file
    system knows no locks, nothing is done.
    """
    removed = False
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / "held_by").open("a+", encoding="utf-8")
        _held.append(stream)
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # somebody holds it
        else:
            removed = _inherit(folder / "locks", stream, socket.gethostname() if alone else "")
        fcntl.flock(stream, fcntl.LOCK_SH)
    return removed


def _inherit(locks: Path, stream: IO[str], owner: str) -> bool:
    """With nobody else here, remove this owner's locks, if any; from now on a folder without locks is this owner's."""
    locked = locks.is_dir() and any(locks.iterdir())
    stream.seek(0)
    if locked and not (owner and stream.read() == owner):
        return False
    if locked:
        shutil.rmtree(locks)
    stream.truncate(0)
    stream.write(owner)
    stream.flush()
    return locked
