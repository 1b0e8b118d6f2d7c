"""Files that can be trusted: written whole or not at all, and checked against their checksum when read.

Every file of the results is described, as {file, bytes, sha256}, in a manifest that is written after it. A manifest is
JSON whose last entry is the SHA-256 of the text before it, so that it too shows when a bit of it was altered.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

SEAL = re.compile(rb',\n  "sha256": "([0-9a-f]{64})"\n}\n\Z')  # the end of a manifest
MEND = "Delete it and run snakemake."
DESCRIBES = ("arrays", "map", "table", "tables", "files")  # entries of manifests that describe files beside them


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


def to_json(content: Mapping[str, Any]) -> bytes:
    """Strict JSON (no NaN, no Infinity), keys in the given order."""
    return (json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode()


def save_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a manifest: strict JSON with an entry at least, keys in the given order, and its own SHA-256 last."""
    text = to_json(content).removesuffix(b"\n}\n")
    write_atomically(path, text + f',\n  "sha256": "{checksum(text)}"\n}}\n'.encode())


def load_json(path: Path, schema: int | None = None, mend: str = MEND) -> dict[str, Any]:
    """Read a manifest and check it against its own SHA-256, which is left out.

    Where its schema is not the given one, it was written by another version: that raises OutdatedFileError.
    """
    raw = read(path, "Run snakemake to make it.")
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:  # the latter of ten thousand lists in each other
        raise CorruptFileError(f"{path} is not JSON ({error}). {mend}") from None
    if not isinstance(content, dict):
        raise CorruptFileError(f"{path} does not hold a JSON object. {mend}")
    if schema is not None and content.get("schema") != schema:
        found = content.get("schema")
        raise OutdatedFileError(f"{path} has schema {found!r}, this version reads {schema}. {mend}")
    seal = SEAL.search(raw)
    if seal is None:
        raise CorruptFileError(
            f"{path} does not end with its SHA-256: it was altered, or another version wrote it. {mend}"
        )
    if checksum(raw[: seal.start()]) != seal[1].decode():
        raise CorruptFileError(f"{path} was altered: it has not the SHA-256 that it ends with. {mend}")
    del content["sha256"]
    return content


def described(name: str, content: bytes) -> dict[str, Any]:
    """What a manifest says of a file."""
    return {"file": name, "bytes": len(content), "sha256": checksum(content)}


def save_described(manifest: Path, contents: Mapping[str, bytes], more: Mapping[str, Any] | None = None) -> None:
    """Write files beside a manifest, by name, and then the manifest, with what it says `more`."""
    for name, content in contents.items():
        write_atomically(manifest.with_name(name), content)
    files = [described(name, content) for name, content in contents.items()]
    save_json(manifest, {**(more or {}), "files": files})


def read_beside(manifest: Path, name: str) -> bytes:
    """Read a file that the manifest beside it describes, after checking both."""
    for entry in descriptions(load_json(manifest)):
        if isinstance(entry, dict) and entry.get("file") == name:
            return read_described(entry, manifest.parent, f"Delete {manifest.with_name(name)} and run snakemake.")
    raise CorruptFileError(f"{manifest} describes no file {name}. {MEND}")


def descriptions(content: Mapping[str, Any]) -> Iterator[Any]:
    """What a manifest says of the files beside it."""
    for name in DESCRIBES:
        match content.get(name):
            case {"file": _} as one:
                yield one
            case dict(several):
                yield from several.values()
            case list(several):
                yield from several


def problems(manifest: Path) -> Iterator[str]:
    """What is wrong with a manifest, or with the files that it describes: a message each, which says no mend."""
    try:
        for entry in descriptions(load_json(manifest, mend="")):
            try:
                read_described(entry, manifest.parent, "")
            except CorruptFileError as error:
                yield str(error).rstrip(" .")
    except CorruptFileError as error:
        yield str(error).rstrip(" .")


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Write arrays as an uncompressed .npz with reproducible bytes; return what its manifest says of it."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{key: np.ascontiguousarray(a) for key, a in arrays.items()})
    content = buffer.getvalue()
    write_atomically(path, content)
    return described(path.name, content)


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
