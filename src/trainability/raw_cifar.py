"""CIFAR-10's published files: Python pickles, read by an unpickler that can run nothing.

torchvision would read them with the ordinary unpickler, which calls whatever function a pickle names; so only
its download is used, and the reader is ours. Every batch must have the MD5 that torchvision lists for it, and
the archive the SHA-256 that Keras lists, before anything is decoded.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from trainability.files import CorruptFileError, checksum, read
from trainability.raw_files import ADMITTED, Bytes, FileSource, Published, check_labels, described

Content = tuple[str, bytes]  # where a batch was read, for messages, and its bytes


class Batch(NamedTuple):
    """One pickled batch: name, size in bytes and MD5."""

    name: str
    size: int
    md5: str


@dataclass(frozen=True)
class CifarSource(FileSource):
    """Pickled batches of `test` examples each: those of the training set in order, then the test batch."""

    archive_size: int
    archive_sha256: str
    batches: tuple[Batch, ...]

    archive: ClassVar[str] = "cifar-10-python.tar.gz"
    subfolder: ClassVar[str] = "cifar-10-batches-py"

    def decode_files(self, root: Path) -> Published:
        packed = self.there(root / self.archive)
        contents, sources = self.from_archive(root) if packed else self.from_folder(root)
        images, labels = [], []
        for batch, (where, content) in zip(self.batches, contents, strict=True):
            md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
            if md5 != batch.md5:
                found = f"has {len(content)} bytes with MD5 {md5}"
                wanted = f"expected {batch.size} bytes with MD5 {batch.md5}"
                raise CorruptFileError(f"{where} {found}, {wanted}. {self.mend}")
            batch_images, batch_labels = parse_batch(content, self.test, where)
            images.append(batch_images)
            labels.append(batch_labels)
        train_images, train_labels = np.concatenate(images[:-1]), np.concatenate(labels[:-1])
        return Published(train_images, train_labels, images[-1], labels[-1], sources)

    def from_folder(self, root: Path) -> tuple[list[Content], list[dict[str, Any]]]:
        """The batches as they lie open below `root`, and a description of each file."""
        contents, sources = [], []
        for batch in self.batches:
            # `decode_files` has looked for the archive; it stands here for the message.
            path = self.find(root, f"{self.subfolder}/{batch.name}", batch.name, self.archive)
            content = read(path, self.mend)
            contents.append((str(path), content))
            sources.append(described(path.relative_to(root).as_posix(), content))
        return contents, sources

    def from_archive(self, root: Path) -> tuple[list[Content], list[dict[str, Any]]]:
        """The batches in the published archive, read without unpacking it to disk, and its description."""
        path = root / self.archive
        packed = read(path, self.mend)
        if checksum(packed) != self.archive_sha256:
            found = f"has {len(packed)} bytes with SHA-256 {checksum(packed)}"
            wanted = f"expected {self.archive_size} bytes with SHA-256 {self.archive_sha256}"
            raise CorruptFileError(f"{path} {found}, {wanted}. {self.mend}")
        contents = []
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
            for batch in self.batches:
                member = f"{self.subfolder}/{batch.name}"
                stream = archive.extractfile(member) if member in archive.getnames() else None
                if stream is None:
                    raise CorruptFileError(f"{path} holds no file {member}. {self.mend}")
                contents.append((f"{path}/{member}", stream.read()))
        return contents, [described(self.archive, packed)]


class BatchUnpickler(pickle.Unpickler):
    """Admits what a pickled array of bytes needs and nothing else: a pickle can otherwise call any function.

    Python 2 and an old NumPy wrote the batches: a dict of strings, a number, lists and one array. NumPy's own
    functions are replaced, because one is private and the flags that the other gets here are deprecated.
    """

    def find_class(self, module: str, name: str) -> Any:
        """What stands for module.name in a batch."""
        match f"{module}.{name}":
            case "numpy.core.multiarray._reconstruct":
                return lambda *_: np.empty(0, np.uint8)
            case "numpy.ndarray":
                return np.ndarray
            case "numpy.dtype":
                return self.unsigned_bytes
            case other:
                raise pickle.UnpicklingError(f"it asks for {other}, which no batch contains")

    @staticmethod
    def unsigned_bytes(code: bytes, *_flags: int) -> np.dtype[np.uint8]:
        """The only type of entries that a batch has."""
        if code != b"u1":
            raise pickle.UnpicklingError(f"it holds an array of type {code!r}, not of unsigned bytes")
        return np.dtype(np.uint8, copy=True)  # a copy, because the unpickler goes on to set its state


def parse_batch(content: bytes, count: int, where: str) -> tuple[Bytes, Bytes]:
    """Images [count, 32, 32, 3] and labels [count] of a batch; a row of data is all red, all green, all blue.

    Raises CorruptFileError if the pickle holds anything else, and before anything in it could be run.
    """
    try:
        batch = BatchUnpickler(io.BytesIO(content), encoding="bytes").load()
        rows, labels = (np.asarray(batch[key], dtype=np.uint8) for key in (b"data", b"labels"))
    except Exception as error:  # a malformed pickle can raise almost anything
        raise CorruptFileError(f"{where} is not a batch of CIFAR-10: {error}. {ADMITTED}") from error
    shapes, expected = (rows.shape, labels.shape), ((count, 3072), (count,))
    if shapes != expected:
        raise CorruptFileError(f"{where} has arrays of shapes {shapes}, expected {expected}. {ADMITTED}")
    check_labels(labels, where)
    return np.ascontiguousarray(rows.reshape(count, 3, 32, 32).transpose(0, 2, 3, 1)), labels


CIFAR10 = CifarSource(
    title="CIFAR-10",
    train=50000,
    test=10000,
    decoded_sha256=None,
    kind="CIFAR10",
    hint="",
    archive_size=170498071,
    archive_sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    batches=(
        Batch("data_batch_1", 31035704, "c99cafc152244af753f735de768cd75f"),
        Batch("data_batch_2", 31035320, "d4bba439e000b95fd0a9bffe97cbabec"),
        Batch("data_batch_3", 31035999, "54ebc095f3ab1f0389bbae665268c751"),
        Batch("data_batch_4", 31035696, "634d18415352ddfa80567beed471001a"),
        Batch("data_batch_5", 31035623, "482c414d41f54cd18b22e5b47cb7c3cb"),
        Batch("test_batch", 31035526, "40351d587109b95175f43aff81a1287e"),
    ),
)
