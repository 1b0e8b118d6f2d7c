"""CIFAR-10's format: read as torchvision reads it, but nothing that a pickle asks for is ever run."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import real_formats as real
from real_formats import Small

from trainability.files import CorruptFileError
from trainability.raw_cifar import CIFAR10, Batch, CifarSource
from trainability.raw_files import Published


@pytest.fixture(scope="module")
def cifar() -> Small[CifarSource]:
    return real.small_cifar()


def read(source: CifarSource, folder: Path) -> Published:
    """Read from a folder of one's own; nothing may be written there."""
    before = real.snapshot(folder)
    published = source.read(folder, folder / "never")
    assert real.snapshot(folder) == before
    return published


@pytest.mark.parametrize("form", ["archive", "folder", "flat"])
def test_cifar_is_read_as_torchvision_reads_it(
    form: str, cifar: Small[CifarSource], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torchvision.datasets

    meta = pickle.dumps({"label_names": [str(label) for label in range(10)]}, 2)
    real.write(tmp_path / "theirs" / "cifar-10-batches-py", {**cifar.flat, "batches.meta": meta})
    lists = [[name, real.md5(content)] for name, content in cifar.flat.items()]
    pins = {
        "train_list": lists[:-1],
        "test_list": lists[-1:],
        "meta": {"filename": "batches.meta", "key": "label_names", "md5": real.md5(meta)},
    }
    for key, value in pins.items():
        monkeypatch.setattr(torchvision.datasets.CIFAR10, key, value)
    theirs = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy deprecates what the old pickles do in the ordinary unpickler
        for train in (True, False):
            other = torchvision.datasets.CIFAR10(tmp_path / "theirs", train=train)
            theirs += [other.data, np.array(other.targets, np.uint8)]

    files = cifar.files if form == "archive" else cifar.flat
    real.write(tmp_path / "ours" / ("cifar-10-batches-py" if form == "folder" else "."), files)
    published = read(cifar.source, tmp_path / "ours")
    assert real.same(published, tuple(theirs))
    assert real.same(published, cifar.arrays)
    assert Path(published.sources[-1]["file"]).name == list(files)[-1]
    assert published.sources[-1]["sha256"] == real.sha256(files[list(files)[-1]])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torchvision, about tarfile
def test_cifar_is_downloaded_but_never_unpickled_by_torchvision(
    cifar: Small[CifarSource], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torchvision.datasets

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the ordinary unpickler was called")

    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setenv("no_proxy", "*")
    lists = [[name, real.md5(content)] for name, content in cifar.flat.items()]
    archive = cifar.files["cifar-10-python.tar.gz"]
    pins = {"tgz_md5": real.md5(archive), "train_list": lists[:-1], "test_list": lists[-1:]}
    with real.server(real.write(tmp_path / "web", cifar.files)) as address:
        for key, value in {**pins, "url": f"{address}cifar-10-python.tar.gz"}.items():
            monkeypatch.setattr(torchvision.datasets.CIFAR10, key, value)
        published = cifar.source.read(None, tmp_path / "data")
    assert real.same(published, cifar.arrays)
    assert (tmp_path / "data" / "cifar-10-batches-py" / "test_batch").is_file()


def test_pins_are_those_of_torchvision() -> None:
    from torchvision.datasets import CIFAR10 as THEIRS

    assert [list(batch[::2]) for batch in CIFAR10.batches] == [*THEIRS.train_list, *THEIRS.test_list]
    assert (CIFAR10.archive, CIFAR10.subfolder) == (THEIRS.filename, THEIRS.base_folder)


def test_missing_files_name_the_places(cifar: Small[CifarSource], tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError) as caught:
        read(cifar.source, tmp_path)
    for place in ("cifar-10-batches-py/data_batch_1", "data_batch_1", "cifar-10-python.tar.gz"):
        assert str(tmp_path / place) in str(caught.value)
    assert "torchvision then downloads" in str(caught.value)
    real.write(tmp_path, cifar.flat)
    (tmp_path / "data_batch_4").unlink()
    with pytest.raises(CorruptFileError, match="cifar-10-batches-py/data_batch_4"):
        read(cifar.source, tmp_path)


@pytest.mark.parametrize("form", ["archive", "folder"])
@pytest.mark.parametrize("damage", ["bit", "cut"])
def test_damaged_cifar_is_found(form: str, damage: str, cifar: Small[CifarSource], tmp_path: Path) -> None:
    files = cifar.files if form == "archive" else cifar.flat
    name = list(files)[-1]
    content = bytearray(files[name])
    if damage == "bit":
        content[-3000] ^= 1
    else:
        del content[-100:]
    real.write(tmp_path, {**files, name: bytes(content)})
    digest = real.sha256(content) if form == "archive" else real.md5(content)
    with pytest.raises(CorruptFileError) as caught:
        read(cifar.source, tmp_path)
    message = str(caught.value)
    assert f"{tmp_path / name} has {len(content)} bytes" in message
    assert digest in message
    assert f"expected {len(files[name])} bytes" in message
    assert "Put the published file there" in message


def test_batches_are_checked_inside_the_archive_too(cifar: Small[CifarSource], tmp_path: Path) -> None:
    swapped = dict(zip(cifar.flat, reversed(cifar.flat.values()), strict=True))
    del swapped["data_batch_3"]
    for files, message in (
        ({**swapped, "data_batch_3": b""}, "cifar-10-batches-py/data_batch_1 has .* bytes with MD5"),
        (swapped, "holds no file cifar-10-batches-py/data_batch_3"),
    ):
        archive = real.cifar_archive(files)
        source = replace(cifar.source, archive_sha256=real.sha256(archive))
        real.write(tmp_path, {"cifar-10-python.tar.gz": archive})
        with pytest.raises(CorruptFileError, match=message):
            read(source, tmp_path)


def hostile(kind: str, images: real.Bytes, labels: list[int]) -> bytes:
    """A pickled batch with something in it that does not belong there."""
    batch = real.python2_batch(images, labels)
    call = b"cposix\nsystem\n(U\x15touch /tmp/never-runstR"
    return {
        "os.system": batch[:-2] + b"U\x05extra" + call + b"u.",
        "builtins.eval": b"\x80\x02cbuiltins\neval\n(U\x031+1tR.",
        "a look-alike": batch.replace(b"cnumpy\nndarray", b"cnumpy\nload"),
        "a stack global": pickle.dumps(subprocess.run, 4),
        "objects": real.python2_batch(images, labels, code=b"O8"),
        "floats": real.python2_batch(images, labels, code=b"f4"),
        "cut": batch[:-50],
        "no dict": b"\x80\x02].",
        "no labels": batch.replace(b"U\x06labels", b"U\x06babels"),
        "negative": real.python2_batch(images, [-1, *labels[1:]]),
        "label 10": real.python2_batch(images, [10, *labels[1:]]),
        "label 300": real.python2_batch(images, [300, *labels[1:]]),
        "too few labels": real.python2_batch(images, labels[1:]),
        "too many": real.python2_batch(np.concatenate([images, images]), labels * 2),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("os.system", "it asks for posix.system, which no batch contains"),
        ("builtins.eval", "it asks for builtins.eval"),
        ("a look-alike", "it asks for numpy.load"),
        ("a stack global", "it asks for subprocess.run"),
        ("objects", "it holds an array of type b'O8'"),
        ("floats", "it holds an array of type b'f4'"),
        ("cut", "is not a batch of CIFAR-10"),
        ("no dict", "is not a batch of CIFAR-10"),
        ("no labels", "is not a batch of CIFAR-10: b'labels'"),
        ("negative", "is not a batch of CIFAR-10"),
        ("label 10", "has the label 10, expected 0 to 9"),
        ("label 300", "is not a batch of CIFAR-10"),
        ("too few labels", r"has arrays of shapes \(\(12, 3072\), \(11,\)\), expected"),
        ("too many", r"has arrays of shapes \(\(24, 3072\), \(24,\)\), expected"),
    ],
)
def test_hostile_or_broken_pickles_are_rejected_even_with_the_right_checksum(
    kind: str, message: str, cifar: Small[CifarSource], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(os, "system", ran.append)
    monkeypatch.setattr(sys.modules["posix"], "system", ran.append)
    content = hostile(kind, cifar.arrays[2], cifar.arrays[3].tolist())
    if kind == "os.system":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pickle.loads(content, encoding="bytes")  # the ordinary unpickler does run it
        assert ran.pop()
    batches = (*cifar.source.batches[:-1], Batch("test_batch", len(content), real.md5(content)))
    real.write(tmp_path, {**cifar.flat, "test_batch": content})
    with pytest.raises(CorruptFileError, match=message) as caught:
        read(replace(cifar.source, batches=batches), tmp_path)
    assert str(tmp_path / "test_batch") in str(caught.value)
    assert not ran
