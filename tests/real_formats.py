"""Small data sets in the formats of the published files, byte for byte as their publishers wrote them."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from trainability.raw_cifar import Batch, CifarSource
from trainability.raw_files import IdxFile, IdxSource, Published

Bytes = NDArray[np.uint8]
Four = tuple[Bytes, Bytes, Bytes, Bytes]  # training images and labels, test images and labels
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
needs_fashion_mnist = pytest.mark.skipif(
    not DEBIAN.is_dir(), reason=f"Debian's package dataset-fashion-mnist is not installed in {DEBIAN}"
)
TRAIN, TEST = 60, 12  # examples; a batch of CIFAR-10 has as many as the test set
IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


S = TypeVar("S", IdxSource, CifarSource)


@dataclass
class Small(Generic[S]):
    """A small data set: what would be pinned for it, its arrays, and its files as published and unpacked."""

    source: S
    arrays: Four
    files: dict[str, bytes]
    flat: dict[str, bytes]


def example_arrays(image_shape: tuple[int, ...]) -> Four:
    """Random images, none twice, and random labels of uneven frequency."""
    draw = np.random.default_rng(7)

    def images(count: int) -> Bytes:
        return draw.integers(0, 256, (count, *image_shape), dtype=np.uint8)

    def labels(count: int) -> Bytes:
        return np.minimum(draw.integers(0, 14, count), 9).astype(np.uint8)

    return images(TRAIN), labels(TRAIN), images(TEST), labels(TEST)


def idx(array: Bytes) -> bytes:
    """An IDX file: 0, 0, 8 for unsigned bytes, the number of axes, the big-endian lengths, the entries."""
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def packed(content: bytes, level: int = 9) -> bytes:
    """A gzip file with reproducible bytes."""
    return gzip.compress(content, level, mtime=0)


def sha256(content: bytes | bytearray) -> str:
    return hashlib.sha256(content).hexdigest()


def md5(content: bytes | bytearray) -> str:
    return hashlib.md5(content).hexdigest()


def idx_files(arrays: Four) -> dict[str, bytes]:
    """The four published files by name, as .gz."""
    return {f"{name}.gz": packed(idx(array)) for name, array in zip(IDX_NAMES, arrays, strict=True)}


def small_idx(kind: str = "FashionMNIST") -> Small[IdxSource]:
    """A small data set in MNIST's format."""
    arrays = example_arrays((28, 28))
    flat = {name: idx(array) for name, array in zip(IDX_NAMES, arrays, strict=True)}
    files = idx_files(arrays)
    pins = tuple(
        IdxFile(name, len(files[f"{name}.gz"]), sha256(files[f"{name}.gz"]), sha256(content))
        for name, content in flat.items()
    )
    return Small(IdxSource(f"small {kind}", TRAIN, TEST, None, kind, "", pins), arrays, files, flat)


def python2_batch(images: Bytes, labels: list[int], code: bytes = b"u1") -> bytes:
    """A CIFAR-10 batch, opcode by opcode as Python 2 and NumPy 1 pickled it with protocol 2.

    Python 3 cannot write this: its `bytes` and `str` become other opcodes than the `str` of Python 2.
    """
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), 3072)

    def string(text: bytes) -> bytes:  # SHORT_BINSTRING, or BINSTRING from 256 bytes on
        length = bytes([len(text)]) if len(text) < 256 else struct.pack("<i", len(text))
        return (b"U" if len(text) < 256 else b"T") + length + text

    def number(value: int) -> bytes:  # BININT
        return b"J" + struct.pack("<i", value)

    def listed(items: Iterable[bytes]) -> bytes:
        return b"](" + b"".join(items) + b"e"

    reconstruct = b"cnumpy.core.multiarray\n_reconstruct\n"
    empty = reconstruct + b"(cnumpy\nndarray\n" + number(0) + b"\x85" + string(b"b") + b"tR"
    kind = b"cnumpy\ndtype\n(" + string(code) + b"K\x00K\x01tR"
    kind += b"(K\x03" + string(b"|") + b"NNN" + number(-1) * 2 + b"K\x00tb"
    shape = number(rows.shape[0]) + number(rows.shape[1]) + b"\x86"
    array = empty + b"(K\x01" + shape + kind + b"\x89" + string(rows.tobytes()) + b"tb"
    entries = [
        string(b"batch_label") + string(b"training batch 1 of 5"),
        string(b"labels") + listed(map(number, labels)),
        string(b"data") + array,
        string(b"filenames") + listed(string(b"%d.png" % i) for i in range(len(labels))),
    ]
    return b"\x80\x02}(" + b"".join(entries) + b"u."


def cifar_archive(files: dict[str, bytes]) -> bytes:
    """cifar-10-python.tar.gz."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed(buffer.getvalue())


def small_cifar() -> Small[CifarSource]:
    """A small data set in CIFAR-10's format: five training batches and the test batch."""
    arrays = example_arrays((32, 32, 3))
    train_images, train_labels, test_images, test_labels = arrays
    flat = {}
    for i in range(5):
        part = slice(i * TEST, (i + 1) * TEST)
        flat[f"data_batch_{i + 1}"] = python2_batch(train_images[part], train_labels[part].tolist())
    flat["test_batch"] = python2_batch(test_images, test_labels.tolist())
    archive = cifar_archive(flat)
    pins = tuple(Batch(name, len(content), md5(content)) for name, content in flat.items())
    facts = ("small CIFAR-10", TRAIN, TEST, None, "CIFAR10", "", len(archive), sha256(archive))
    return Small(CifarSource(*facts, pins), arrays, {"cifar-10-python.tar.gz": archive}, flat)


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files below a folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Publish a folder on this machine; gives the address, with a slash at the end."""
    folder.mkdir(exist_ok=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(folder))) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}/"
        finally:
            running.shutdown()
            thread.join()


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file and folder with content and time of change, to see that nothing was touched."""
    return {
        str(path.relative_to(folder)): (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns)
        for path in sorted([folder, *folder.rglob("*")])
    }


def same(published: Published, arrays: Sequence[Bytes]) -> bool:
    """Whether these arrays, and nothing else, were decoded."""
    found = (published.train_images, published.train_labels, published.test_images, published.test_labels)
    assert {array.dtype for array in found} == {np.dtype(np.uint8)}
    return all(np.array_equal(one, other) for one, other in zip(found, arrays, strict=True))
