"""Malformed data, raw and prepared, and malformed records: one clear message, status 2, and no output.

What is wrong with a published file is found by its checksum. Here most files have the right one, as if somebody had
changed the pins or the manifest too, so that the readers themselves are on trial.
"""

from __future__ import annotations

import copy
import gzip
import io
import json
import os
import pickle
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import real_formats as real
from real_formats import TRAIN
from refusals import refused
from sealing import seal

from trainability import manifests, raw_cifar, raw_files, record
from trainability.datasets import Cifar10, Mnist
from trainability.files import CorruptFileError

IMAGES, LABELS, TEST_IMAGES, TEST_LABELS = real.IDX_NAMES
Change = Callable[[Path], None]


def put(name: str, content: bytes) -> Change:
    def change(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return change


def pinned(source: raw_files.IdxSource, folder: Path) -> raw_files.IdxSource:
    """The source with the checksums that the files of a folder have."""
    contents = [(folder / file.name).read_bytes() if (folder / file.name).is_file() else b"" for file in source.files]
    pins = [file._replace(sha256=real.sha256(content)) for file, content in zip(source.files, contents, strict=True)]
    return replace(source, files=tuple(pins))


def header(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


def a_folder(folder: Path) -> None:
    (folder / LABELS).unlink()
    (folder / LABELS).mkdir()


def a_loop(folder: Path) -> None:
    (folder / LABELS).unlink()
    (folder / LABELS).symlink_to(LABELS)


def no_file(folder: Path) -> None:
    (folder / TEST_IMAGES).unlink()


# By name: what is done to MNIST's files, whether the pins are changed with them, and what the message must say.
IDX: dict[str, tuple[Change, bool, list[str]]] = {
    "a truncated gzip": (put(IMAGES, gzip.compress(bytes(500))[:-9]), False, [IMAGES, "which do not unpack"]),
    "gzip of something else": (
        put(IMAGES, gzip.compress(b"x" * 99)),
        False,
        ["which unpack to 99 bytes", "Put the pub"],
    ),
    "a gzip bomb": (put(LABELS, gzip.compress(bytes(10**7))), False, [f"which unpack to {8 + TRAIN + 1} bytes"]),
    "a wrong checksum": (put(LABELS, header(2049, TRAIN) + bytes(TRAIN)), False, [LABELS, "with SHA-256", "Expected"]),
    "an empty file": (put(LABELS, b""), False, [LABELS, "it has 0 bytes"]),
    "an HTML page": (put(LABELS, b"<!DOCTYPE html>"), False, [LABELS, "it has 15 bytes"]),
    "no file": (no_file, False, ["a file is missing, looked for", TEST_IMAGES]),
    "a folder in its place": (a_folder, False, ["a file is missing, looked for", LABELS]),
    "a link to itself": (a_loop, False, ["a file is missing, looked for", LABELS]),
    "a wrong magic number": (
        put(LABELS, header(2050, TRAIN) + bytes(TRAIN)),
        True,
        ["magic number 2050, expected 2049"],
    ),
    "numbers of another type": (
        put(IMAGES, header(0x0D03, TRAIN, 28, 28) + bytes(TRAIN * 784 * 4)),
        True,
        ["magic number 3331, expected 2051"],
    ),
    "images of another shape": (
        put(IMAGES, header(2051, TRAIN, 32, 32) + bytes(TRAIN * 1024)),
        True,
        ["announces an array of shape (60, 32, 32), expected (60, 28, 28)"],
    ),
    "fewer images than labels": (
        put(IMAGES, header(2051, TRAIN - 1, 28, 28) + bytes((TRAIN - 1) * 784)),
        True,
        ["announces an array of shape (59, 28, 28)"],
    ),
    "four billion images": (put(IMAGES, header(2051, 2**32 - 1, 28, 28)), True, ["shape (4294967295, 28, 28)"]),
    "a byte too few": (put(LABELS, header(2049, TRAIN) + bytes(TRAIN - 1)), True, ["has 67 bytes when unpacked"]),
    "a byte too many": (put(LABELS, header(2049, TRAIN) + bytes(TRAIN + 1)), True, ["has 69 bytes when unpacked"]),
    "a header cut short": (put(LABELS, header(2049)[:3]), True, ["magic number"]),
    "a label out of range": (
        put(LABELS, header(2049, TRAIN) + b"\x0a" * TRAIN),
        True,
        ["has the label 10, expected 0 to"],
    ),
}


@pytest.mark.parametrize("name", IDX)
def test_idx_file_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    change, pin, parts = IDX[name]
    small = real.small_idx("MNIST")
    folder = real.write(tmp_path / "files", small.flat)
    change(folder)
    monkeypatch.setattr(Mnist, "source", pinned(small.source, folder) if pin else small.source)
    message = read_raw(capsys, tmp_path, "mnist")
    for part in parts:
        assert part in message


def read_raw(capsys: pytest.CaptureFixture[str], folder: Path, name: str) -> str:
    dataset = json.dumps({"name": name, "validation_examples": 10})
    options = ("--dataset", dataset, "--source", str(folder / "files"), "--download-to", str(folder / "never"))
    return refused(capsys, folder, "data", *options, "--out", str(folder / "out"))


class Bomb:
    """Its pickle ends the process of whoever loads it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('it ran')",)


CIFAR: dict[str, tuple[bytes, str]] = {
    "a pickle that runs code": (pickle.dumps(Bomb(), 2), "it asks for"),
    "a pickle that runs code, protocol 5": (pickle.dumps(Bomb(), 5), "it asks for builtins.exec"),
    "a pickle of a number": (pickle.dumps(7), "is not a batch of CIFAR-10"),
    "a pickle of other keys": (pickle.dumps({b"a": 1}), "is not a batch of CIFAR-10"),
    "no pickle": (b"\x89PNG", "is not a batch of CIFAR-10"),
    "an empty file": (b"", "is not a batch of CIFAR-10"),
    "a tower of lists": (b"\x80\x02" + b"]" * 10_000 + b"a" * 9_999 + b".", "is not a batch of CIFAR-10"),
    "a promise of bytes": (b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"x", "is not a batch of CIFAR-10"),
}


@pytest.mark.parametrize("name", CIFAR)
def test_cifar_batch_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content, part = CIFAR[name]
    small = real.small_cifar()
    real.write(tmp_path / "files", {**small.flat, "data_batch_1": content})
    batches = (raw_cifar.Batch("data_batch_1", len(content), real.md5(content)), *small.source.batches[1:])
    monkeypatch.setattr(Cifar10, "source", replace(small.source, batches=batches))
    message = read_raw(capsys, tmp_path, "cifar10")
    assert "data_batch_1" in message
    assert part in message


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder that the user of this test can enter and not read everything in, also if that is root."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        before = os.geteuid()
        try:
            yield Path(name)
        finally:
            os.seteuid(before)


def test_file_without_permission_is_refused(nobody: Path) -> None:
    small = real.small_idx("MNIST")
    folder = real.write(nobody / "files", small.flat)
    (folder / LABELS).chmod(0)
    inside = real.write(nobody / "closed", small.flat)
    inside.chmod(0)
    manifests.save_json(nobody / "manifest.json", {})
    (nobody / "manifest.json").chmod(0)
    if os.geteuid() == 0:
        os.seteuid(65534)
    for path in (folder, inside):
        with pytest.raises(CorruptFileError, match=r"cannot be read \(Permission denied\)"):
            small.source.read(path, path)
    with pytest.raises(CorruptFileError, match=r"manifest.json cannot be read \(Permission denied\)"):
        manifests.load_json(nobody / "manifest.json")


# --- what the workflow itself wrote, and somebody changed


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


GOOD = {
    f"{split}_{part}": np.zeros((12, 8, 8) if part == "images" else 12, np.uint8)
    for split in ("train", "validation", "test")
    for part in ("images", "labels")
}


def described(content: bytes, folder: Path, **changes: Any) -> None:
    """A data set whose arrays are `content`, with a manifest that is right but for the changes."""
    folder.mkdir()
    (folder / "splits.npz").write_bytes(content)
    arrays = {"file": "splits.npz", "bytes": len(content), "sha256": real.sha256(content)}
    manifest: dict[str, Any] = {
        "label": "digits", "classes": 10, "levels": 16, "image_shape": [8, 8], "decoded_sha256": "0" * 64,
        "sizes": {"train": 12, "validation": 12, "test": 12}, "arrays": arrays,
    }  # fmt: skip
    manifests.save_json(folder / "dataset.json", manifest | changes)


COMPRESSED = io.BytesIO()
np.savez_compressed(COMPRESSED, x=np.zeros(10**6, np.uint8))
ARRAYS: dict[str, tuple[bytes, dict[str, Any], list[str]]] = {
    "pickled objects": (
        npz(**GOOD | {"train_labels": np.array([Bomb()], object)}),
        {},
        ["holds no arrays", "allow_pickle"],
    ),
    "no archive": (b"not a zip", {}, ["holds no arrays (File is not a zip file)"]),
    "one array alone": (b"\x93NUMPY\x01\x00", {}, ["holds no arrays"]),
    "an archive of text": (npz()[:-1] or b"", {}, ["holds no arrays"]),
    "a compressed bomb": (COMPRESSED.getvalue(), {}, ["holds no arrays", "unpacks to 1000128 bytes"]),
    "an array that is missing": (
        npz(train_images=GOOD["train_images"]),
        {},
        ["does not describe a data set", "train_labels"],
    ),
    "an array too many": (npz(**GOOD, extra=np.zeros(1)), {}, ["does not describe a data set", "extra"]),
    "arrays of floats": (
        npz(**GOOD | {"train_images": np.zeros((12, 8, 8))}),
        {},
        ["train_images are float64[12, 8, 8]"],
    ),
    "labels of text": (
        npz(**GOOD | {"test_labels": np.array(["a"] * 12)}),
        {},
        ["test_labels are <U1[12], expected uint8[12]"],
    ),
    "images of another shape": (
        npz(**GOOD | {"test_images": np.zeros((12, 9, 9), np.uint8)}),
        {},
        ["[12, 9, 9], expected"],
    ),
    "fewer labels": (
        npz(**GOOD | {"train_labels": np.zeros(11, np.uint8)}),
        {},
        ["train_labels are uint8[11], expected"],
    ),
    "a label out of range": (
        npz(**GOOD | {"train_labels": np.full(12, 10, np.uint8)}),
        {},
        ["has the label 10, expected 0 to 9"],
    ),
    "a manifest without arrays": (
        npz(**GOOD),
        {"arrays": None},
        ["its manifest describes no file of this folder: None"],
    ),
    "a manifest that is elsewhere": (
        npz(**GOOD),
        {"arrays": {"file": "../../etc/passwd", "bytes": 1, "sha256": "0" * 64}},
        ["describes no file of this folder", "../../etc/passwd"],
    ),
    "a manifest with another size": (
        npz(**GOOD),
        {"arrays": {"file": "splits.npz", "bytes": 1, "sha256": "0" * 64}},
        ["bytes, expected 1. Delete the folder"],
    ),
    "a manifest without classes": (npz(**GOOD), {"classes": None}, ["does not describe a data set"]),
    "a manifest with a shape of text": (npz(**GOOD), {"image_shape": "8x8"}, ["does not describe a data set"]),
    "a manifest with sizes of text": (npz(**GOOD), {"sizes": "many"}, ["does not describe a data set"]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_or_their_manifest_are_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, changes, parts = ARRAYS[name]
    described(content, tmp_path / "data", **changes)
    message = preprocess(capsys, tmp_path)
    for part in parts:
        assert part in message
    assert "run snakemake" in message


def preprocess(capsys: pytest.CaptureFixture[str], folder: Path) -> str:
    options = ("--preprocessing", "standardize", "--data", str(folder / "data"), "--out", str(folder / "out"))
    return refused(capsys, folder, "preprocess", *options)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "is not JSON"),
        (b"[1]", "does not hold a JSON object"),
        (b"[" * 100_000, "is not JSON"),
        (b"\xff\xfe{", "is not JSON"),
        (b'{"arrays": ', "is not JSON"),
        (b"{}", "does not end with its SHA-256"),
        (seal({"name": "none"}), "does not describe a data set"),
    ],
)
def test_manifest_that_is_none_is_refused(
    content: bytes, part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    described(npz(**GOOD), tmp_path / "data")
    (tmp_path / "data/dataset.json").write_bytes(content)
    message = preprocess(capsys, tmp_path)
    assert "dataset.json" in message
    assert part in message


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cell's folder."""
    from report_sample import Sample

    from trainability import plan

    sample = Sample(tmp_path_factory.mktemp("sample"))
    cell = next(iter(plan.included(sample.plan).values()))
    sample._train(cell)
    return sample.cells / cell.key


def without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda content: content.pop(name)


def better(content: dict[str, Any]) -> None:
    content["runs"][0]["test_accuracy"] = 1.0


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (without("runs"), "is not a whole record (runs: Field required)"),
        (without("tables"), "is not a whole record (tables: Field required)"),
        (lambda content: content.update(runs=[]), "is not a whole record (runs:"),
        (lambda content: content.update(runs=3), "is not a whole record (runs:"),
        (lambda content: content.update(hashes="x"), "is not a whole record (hashes:"),
        (lambda content: content.update(schema=99), "has schema 99, this version reads"),
        (lambda content: content.update(schema=[]), "has schema [], this version reads"),
        (better, "was altered: its results have the digest"),
        (lambda content: content["tables"]["curves"].update(file="/etc/passwd"), "was altered"),
    ],
)
def test_record_is_refused(change: Callable[[dict[str, Any]], None], part: str, trained: Path) -> None:
    path = trained / "record.json"
    whole = path.read_bytes()
    content = copy.deepcopy(json.loads(whole))
    change(content)
    path.write_bytes(seal(content))
    try:
        with pytest.raises(CorruptFileError) as caught:
            record.read(trained)
    finally:
        path.write_bytes(whole)
    assert str(path) in str(caught.value)
    assert part in str(caught.value)
    assert "train the cell again" in str(caught.value)
    assert record.read(trained).content | {"sha256": json.loads(whole)["sha256"]} == json.loads(whole)
