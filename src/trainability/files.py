"""Files that are written whole or not at all, and read with one clear message where that cannot be done.

Which file has which checksum stands in manifests (trainability/manifests.py).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

MEND = "Delete it and run snakemake."


class CorruptFileError(Exception):
    """A file is missing, truncated or altered; the message names it, what was expected and how to mend it."""


class OutdatedFileError(CorruptFileError):
    """A file has the schema of another version."""


@contextlib.contextmanager
def replacing(path: Path, size: int | None = None) -> Iterator[IO[bytes]]:
    """A stream whose content, of `size` bytes if that is known, takes the place of the file `path` when the body ends.

    A reader, or a power cut, sees the old file or the new one, never a part; if the body fails the old one stays.
    Raises OSError with the file's name and, where the disk is full, how much room there is.
    """
    temporary = temporary_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_alone(temporary) as stream:
            try:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise OSError(error.errno, _reason(error, path, size), str(path)) from None


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path` as `replacing` does."""
    with replacing(path, len(content)) as stream:
        stream.write(content)


def temporary_of(path: Path) -> Path:
    """Where a file is written before it takes its place: one name, so that whoever comes next finds what is left.

    It is not the file's name with more around it, since that may have as many bytes as a name can have.
    """
    return path.with_name(f".{checksum(path.name.encode())[:16]}.tmp")


def open_alone(temporary: Path) -> IO[bytes]:
    """Open a temporary file, empty and locked; waits for another writer, and takes over what a killed one left."""
    while True:
        stream = os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o666), "wb")
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(stream, fcntl.LOCK_EX)
        # Meanwhile the other writer may have put the file in its place; a name that is gone is another file too.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samefile(temporary, stream.fileno()):
                stream.truncate()
                return stream
        stream.close()


def remove(path: Path) -> None:
    """Remove a file that was written in one of these ways, and what a killed process has left of it."""
    for one in (path, temporary_of(path)):
        one.unlink(missing_ok=True)


def _reason(error: OSError, path: Path, size: int | None) -> str:
    """Why a file, of this size if that is known, cannot be written."""
    if error.errno == errno.EISDIR:
        return "a folder stands in its place; move it away and start again"
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error.strerror or str(error)
    room = shutil.disk_usage(path.parent)
    needed = "" if size is None else f"it has {size:,} bytes, and "
    return (
        f"{error.strerror}: {needed}{room.free:,} of {room.total:,} are free. Make room and start again: what is done "
        "is kept"
    )


def refuse_unwritable(folder: Path) -> None:
    """Raise OSError if nothing can be written in a folder or, where there is none yet, in the nearest above it."""
    nearest = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        code = errno.EROFS if os.statvfs(nearest).f_flag & os.ST_RDONLY else errno.EACCES
        raise OSError(code, f"{os.strerror(code)}: nothing can be written there", str(nearest))


def checksum(content: bytes) -> str:
    """SHA-256 as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def read(path: Path, mend: str) -> bytes:
    """Read a whole file; `mend` says what to do if that cannot be done."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CorruptFileError(f"{path} is missing. {mend}") from None
    except OSError as error:  # a folder, a link to itself, no permission
        raise CorruptFileError(f"{path} cannot be read ({error.strerror}). {mend}") from None


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Around what reads a table that the workflow wrote: the libraries' errors become CorruptFileError."""
    try:
        yield
    except FileNotFoundError:
        raise CorruptFileError(f"{path} is missing. Run snakemake to make it.") from None
    except (OSError, ValueError, KeyError) as error:  # of pandas and pyarrow
        reason = " ".join(str(error).split())
        raise CorruptFileError(f"{path} cannot be read ({reason}). {MEND}") from None


def read_checked(path: Path, sha256: str, size: int | None, mend: str) -> bytes:
    """Read a whole file and return it if size and SHA-256 are as expected; `mend` says what to do if not."""
    content = read(path, mend)
    if size is not None and len(content) != size:
        raise CorruptFileError(f"{path} has {len(content)} bytes, expected {size}. {mend}")
    found = checksum(content)
    if found != sha256:
        raise CorruptFileError(f"{path} has SHA-256 {found}, expected {sha256}. {mend}")
    return content
