"""A job's note: a file beside its log, there from the start of the job until it succeeds.

While the job runs, the note is locked. The system lets go of a lock when the process that holds it ends, in whatever
way, so a reader can tell a job that is running from one that failed and from one that was killed. Where a file system
knows no locks, every unfinished job counts as running.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trainability import files


@dataclass(frozen=True)
class Note:
    """What a note says: `failed` has a reason, `stopped` is a job that was killed before it could give one."""

    state: Literal["running", "failed", "stopped"]
    reason: str = ""


def path_of(log: Path) -> Path:
    """Where the note of the job with this log is."""
    return log.with_name(f"{log.stem}.unfinished.json")


@contextlib.contextmanager
def kept(log: Path) -> Iterator[Callable[[str], None]]:
    """Keep a note while the body runs; the body says with the function that it gets that the job has failed, and why.

    The note appears with its lock already held, and replaces that of an earlier attempt.
    """
    path, reasons = path_of(log), list[str]()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = files.temporary_of(path)
    with files.open_alone(draft) as stream:
        draft.replace(path)
        try:
            yield reasons.append
        except Exception as error:
            reasons.append(f"{type(error).__name__}: {error}")
            raise
        else:
            if not reasons:
                path.unlink(missing_ok=True)
        finally:
            if reasons:
                with contextlib.suppress(OSError):  # a full disk: the note stays without a reason
                    os.write(stream.fileno(), json.dumps({"reason": "; ".join(reasons)}).encode())


def read(log: Path) -> Note | None:
    """The note of the job with this log, or None if it never began or has succeeded."""
    try:
        with path_of(log).open("rb") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return Note("running")
            content = stream.read()
    except FileNotFoundError:
        return None
    try:
        return Note("failed", str(json.loads(content)["reason"]))
    except (ValueError, KeyError, TypeError):  # empty, or cut short with the process that wrote it
        return Note("stopped")


def began(log: Path) -> float | None:
    """When the job with this log began, in seconds since 1970; None where it has no note."""
    try:
        return path_of(log).stat().st_mtime
    except FileNotFoundError:
        return None


def tail(log: Path, most: int) -> list[str]:
    """The last lines of a job's log, `most` at the most; none if there is no log."""
    try:
        return log.read_text(encoding="utf-8", errors="replace").splitlines()[-most:]
    except FileNotFoundError:
        return []
