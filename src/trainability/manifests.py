"""Manifests: what the files beside them are, so that damage shows when they are read.

Every file of the results is described, as {file, bytes, sha256}, in a manifest that is written after it. A manifest is
JSON whose last entry is the SHA-256 of the text before it, so that it too shows when a bit of it was altered.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainability import files

SEAL = re.compile(rb',\n  "sha256": "([0-9a-f]{64})"\n}\n\Z')  # the end of a manifest
DESCRIBES = ("arrays", "map", "table", "tables", "files")  # entries of manifests that describe files beside them


def to_json(content: Mapping[str, Any]) -> bytes:
    """Strict JSON (no NaN, no Infinity), keys in the given order."""
    return (json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode()


def save_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a manifest: strict JSON with an entry at least, keys in the given order, and its own SHA-256 last."""
    text = to_json(content).removesuffix(b"\n}\n")
    files.write_atomically(path, text + f',\n  "sha256": "{files.checksum(text)}"\n}}\n'.encode())


def load_json(path: Path, schema: int | None = None, mend: str = files.MEND) -> dict[str, Any]:
    """Read a manifest and check it against its own SHA-256, which is left out.

    Where its schema is not the given one, it was written by another version: that raises OutdatedFileError.
    """
    raw = files.read(path, "Run snakemake to make it.")
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:  # the latter of ten thousand lists in each other
        raise files.CorruptFileError(f"{path} is not JSON ({error}). {mend}") from None
    if not isinstance(content, dict):
        raise files.CorruptFileError(f"{path} does not hold a JSON object. {mend}")
    if schema is not None and content.get("schema") != schema:
        found = content.get("schema")
        raise files.OutdatedFileError(f"{path} has schema {found!r}, this version reads {schema}. {mend}")
    seal = SEAL.search(raw)
    if seal is None:
        raise files.CorruptFileError(
            f"{path} does not end with its SHA-256: it was altered, or another version wrote it. {mend}"
        )
    if files.checksum(raw[: seal.start()]) != seal[1].decode():
        raise files.CorruptFileError(f"{path} was altered: it has not the SHA-256 that it ends with. {mend}")
    del content["sha256"]
    return content


def described(name: str, content: bytes) -> dict[str, Any]:
    """What a manifest says of a file."""
    return {"file": name, "bytes": len(content), "sha256": files.checksum(content)}


def save_described(manifest: Path, contents: Mapping[str, bytes], more: Mapping[str, Any] | None = None) -> None:
    """Write files beside a manifest, by name, and then the manifest, with what it says `more`."""
    for name, content in contents.items():
        files.write_atomically(manifest.with_name(name), content)
    entries = [described(name, content) for name, content in contents.items()]
    save_json(manifest, {**(more or {}), "files": entries})


def read_beside(manifest: Path, name: str) -> bytes:
    """Read a file that the manifest beside it describes, after checking both."""
    for entry in descriptions(load_json(manifest)):
        if isinstance(entry, dict) and entry.get("file") == name:
            return read_described(entry, manifest.parent, f"Delete {manifest.with_name(name)} and run snakemake.")
    raise files.CorruptFileError(f"{manifest} describes no file {name}. {files.MEND}")


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
            except files.CorruptFileError as error:
                yield str(error).rstrip(" .")
    except files.CorruptFileError as error:
        yield str(error).rstrip(" .")


def read_described(manifest: Any, folder: Path, mend: str) -> bytes:
    """Read a file of `folder` that a manifest describes as {file, bytes, sha256}, after checking size and SHA-256."""
    match manifest:
        case {"file": str(name), "bytes": int(size), "sha256": str(sha256)} if Path(name).name == name:
            return files.read_checked(folder / name, sha256, size, mend)
    raise files.CorruptFileError(f"{folder}: its manifest describes no file of this folder: {manifest!r:.200}. {mend}")


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Write arrays as an uncompressed .npz with reproducible bytes; return what its manifest says of it."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **{key: np.ascontiguousarray(a) for key, a in arrays.items()})
    content = buffer.getvalue()
    files.write_atomically(path, content)
    return described(path.name, content)


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
        raise files.CorruptFileError(f"{path} holds no arrays ({error}). {mend}") from None
