"""Files that can be trusted: written whole or not at all, and checked against their checksum when read."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray


class CorruptFileError(Exception):
    """A file is missing, truncated or altered; the message names it, what was expected and how to mend it."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A stream whose content takes the place of the file `path` when the body ends.

    A reader, or a power cut, sees the old file or the new one, never a part; if the body fails the old one stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_of(path)
    with open_alone(temporary) as stream:
        try:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with replacing(path) as stream:
        stream.write(content)


def temporary_of(path: Path) -> Path:
    """Where a file is written before it takes its place: one name, so that whoever comes next finds what is left."""
    return path.with_name(f".{path.name}.tmp")


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
        raise CorruptFileError(f"{path} cannot be read ({reason}). Delete it and run snakemake.") from None


def read_checked(path: Path, sha256: str, size: int | None, mend: str) -> bytes:
    """Read a whole file and return it if size and SHA-256 are as expected; `mend` says what to do if not."""
    content = read(path, mend)
    if size is not None and len(content) != size:
        raise CorruptFileError(f"{path} has {len(content)} bytes, expected {size}. {mend}")
    found = checksum(content)
    if found != sha256:
        raise CorruptFileError(f"{path} has SHA-256 {found}, expected {sha256}. {mend}")
    return content


def save_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write strict JSON (no NaN, no Infinity), keys in the given order."""
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)
    write_atomically(path, (text + "\n").encode())


def load_json(path: Path) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        content = json.loads(read(path, "Run snakemake to make it."))
    except (ValueError, RecursionError) as error:  # the latter of ten thousand lists in each other
        raise CorruptFileError(f"{path} is not JSON ({error}). Delete it and run snakemake.") from None
    if not isinstance(content, dict):
        raise CorruptFileError(f"{path} does not hold a JSON object. Delete it and run snakemake.")
    return content


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Write arrays as an uncompressed .npz with reproducible bytes; return {file, bytes, sha256} for a manifest."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{key: np.ascontiguousarray(a) for key, a in arrays.items()})
    content = buffer.getvalue()
    write_atomically(path, content)
    return {"file": path.name, "bytes": len(content), "sha256": checksum(content)}


def read_described(manifest: Any, folder: Path, mend: str) -> bytes:
    """Read a file of `folder` that a manifest describes as {file, bytes, sha256}, after checking size and SHA-256."""
    match manifest:
        case {"file": str(name), "bytes": int(size), "sha256": str(sha256)} if Path(name).name == name:
            return read_checked(folder / name, sha256, size, mend)
    raise CorruptFileError(f"{folder}: its manifest describes no file of this folder: {manifest!r:.200}. {mend}")


def load_arrays(manifest: Any, folder: Path) -> dict[str, NDArray[Any]]:
    """Read back what `save_arrays` described, after checking size and SHA-256; no pickled object is ever loaded."""
    mend = f"Delete the folder {folder} and run snakemake: it will be made again."
    return unpack(read_described(manifest, folder, mend), folder / manifest["file"], mend)


def unpack(content: bytes, path: Path, mend: str) -> dict[str, NDArray[Any]]:
    """The arrays of an uncompressed .npz, the content of the file `path`; no pickled object is ever loaded."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(part.file_size for part in archive.infolist())
        if size > len(content):
            raise ValueError(f"it unpacks to {size} bytes, and arrays are not compressed")
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except Exception as error:  # of a malformed archive: almost anything
        raise CorruptFileError(f"{path} holds no arrays ({error}). {mend}") from None
