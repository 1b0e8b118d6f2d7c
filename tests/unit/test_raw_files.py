"""MNIST's format, downloads and pins: every honest form is read, every kind of damage is named."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import real_formats as real
from real_formats import TEST, TRAIN, Small

from trainability.files import CorruptFileError
from trainability.raw_cifar import CIFAR10
from trainability.raw_files import DIGITS, FASHION_MNIST, MNIST, IdxSource, Published


@pytest.fixture(scope="module")
def fashion() -> Small[IdxSource]:
    return real.small_idx("FashionMNIST")


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server on this machine that publishes the folder tmp_path / "web"."""
    monkeypatch.setenv("no_proxy", "*")
    with real.server(tmp_path / "web") as address:
        yield address


def read(source: IdxSource, folder: Path) -> Published:
    """Read from a folder of one's own; nothing may be written there."""
    before = real.snapshot(folder)
    published = source.read(folder, folder / "never")
    assert real.snapshot(folder) == before
    return published


# --- every honest form


@pytest.mark.parametrize("kind", ["FashionMNIST", "MNIST"])
def test_idx_files_are_read_as_torchvision_reads_them(kind: str, tmp_path: Path) -> None:
    import torchvision.datasets

    small = real.small_idx(kind)
    layout = real.write(tmp_path / kind / "raw", small.flat)
    theirs = []
    for train in (True, False):
        other = getattr(torchvision.datasets, kind)(tmp_path, train=train)
        theirs += [other.data.numpy(), other.targets.numpy()]
    for folder in (tmp_path, layout):
        assert real.same(read(small.source, folder), small.arrays)
        assert real.same(read(small.source, folder), theirs)


@pytest.mark.parametrize("place", [".", "FashionMNIST/raw"])
@pytest.mark.parametrize("form", ["published", "unpacked", "packed again", "unpacked under the name .gz"])
def test_idx_files_are_accepted_in_every_honest_form(
    form: str, place: str, fashion: Small[IdxSource], tmp_path: Path
) -> None:
    again = {f"{name}.gz": real.packed(content, level=1) for name, content in fashion.flat.items()}
    files = {
        "published": fashion.files,
        "unpacked": fashion.flat,
        "packed again": again,
        "unpacked under the name .gz": {f"{name}.gz": content for name, content in fashion.flat.items()},
    }[form]
    assert again != fashion.files
    real.write(tmp_path / place, files)
    published = read(fashion.source, tmp_path)
    assert real.same(published, fashion.arrays)
    described = [
        {"file": (Path(place) / name).as_posix(), "bytes": len(content), "sha256": real.sha256(content)}
        for name, content in files.items()
    ]
    assert published.sources == described


def test_either_pin_is_enough(fashion: Small[IdxSource], tmp_path: Path) -> None:
    real.write(tmp_path, fashion.files)
    files = fashion.source.files
    only_packed = tuple(file._replace(sha256="0" * 64) for file in files)
    only_inside = tuple(file._replace(packed_sha256="0" * 64) for file in files)
    for files in (only_packed, only_inside):
        assert real.same(read(replace(fashion.source, files=files), tmp_path), fashion.arrays)


def test_torchvisions_layout_comes_first(fashion: Small[IdxSource], tmp_path: Path) -> None:
    real.write(tmp_path / "FashionMNIST" / "raw", fashion.files)
    real.write(tmp_path, dict.fromkeys(fashion.files, b"MNIST has the same names"))
    assert real.same(read(fashion.source, tmp_path), fashion.arrays)


# --- downloads, through torchvision's own code, from a server on this machine


@pytest.fixture
def published(fashion: Small[IdxSource], web: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the server, with the small Fashion-MNIST in it, which torchvision knows as published."""
    from torchvision.datasets import FashionMNIST

    sums = [(name, real.md5(content)) for name, content in fashion.files.items()]
    monkeypatch.setattr(FashionMNIST, "mirrors", [web])
    monkeypatch.setattr(FashionMNIST, "resources", sums)
    return real.write(tmp_path / "web", fashion.files)


def test_idx_files_are_downloaded_once(fashion: Small[IdxSource], published: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert real.same(fashion.source.read(None, data), fashion.arrays)
    for path in published.iterdir():
        path.unlink()
    again = fashion.source.read(None, data)
    assert real.same(again, fashion.arrays)
    assert [entry["file"] for entry in again.sources] == [f"FashionMNIST/raw/{name}" for name in fashion.files]


def test_failed_download_says_what_to_do(
    fashion: Small[IdxSource], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.datasets import FashionMNIST

    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(FashionMNIST, "mirrors", ["http://127.0.0.1:1/"])  # nobody listens there
    with pytest.raises(CorruptFileError, match=r"not be downloaded into .*data: .*train-images.* Put the"):
        fashion.source.read(None, tmp_path / "data")


def test_what_is_downloaded_is_checked_by_our_pins_too(
    fashion: Small[IdxSource], published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.datasets import FashionMNIST

    name = "train-labels-idx1-ubyte.gz"
    other = real.packed(real.idx(9 - fashion.arrays[1]))  # somebody changes the file and its MD5
    real.write(published, {name: other})
    sums = dict(FashionMNIST.resources) | {name: real.md5(other)}
    monkeypatch.setattr(FashionMNIST, "resources", list(sums.items()))
    with pytest.raises(CorruptFileError, match=rf"{name} is not the file of small FashionMNIST"):
        fashion.source.read(None, tmp_path / "data")


# --- damage


def altered(small: Small[IdxSource], index: int, content: bytes, folder: Path) -> tuple[IdxSource, Path]:
    """Put other content into a file, and pin it, so that only the reader can find the fault."""
    files = list(small.source.files)
    files[index] = files[index]._replace(sha256=real.sha256(content))
    path = folder / files[index].name
    real.write(folder, {**small.flat, path.name: content})
    return replace(small.source, files=tuple(files)), path


def test_missing_file_names_the_places_and_the_ways_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError) as caught:
        FASHION_MNIST.read(tmp_path, tmp_path)
    message = str(caught.value)
    name = "train-images-idx3-ubyte"
    for place in (f"FashionMNIST/raw/{name}.gz", f"FashionMNIST/raw/{name}", f"{name}.gz", name):
        assert str(tmp_path / place) in message
    assert "torchvision then downloads" in message
    assert "dataset-fashion-mnist" in message


def test_one_missing_file_of_four_is_named(fashion: Small[IdxSource], tmp_path: Path) -> None:
    real.write(tmp_path, fashion.files)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(CorruptFileError, match=r"a file is missing, looked for .*t10k-labels-idx1-ubyte"):
        read(fashion.source, tmp_path)


@pytest.mark.parametrize("length", [0, 1, 5, 100, -9, -1])
def test_truncated_gzip_names_the_sizes(length: int, fashion: Small[IdxSource], tmp_path: Path) -> None:
    real.write(tmp_path, fashion.files)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    with pytest.raises(CorruptFileError) as caught:
        read(fashion.source, tmp_path)
    message = str(caught.value)
    assert str(path) in message
    assert f"has {len(whole[:length])} bytes" in message
    assert f"Expected the published {len(whole)} bytes" in message
    assert "Put the published file there" in message


@pytest.mark.parametrize("form", ["files", "flat"])
@pytest.mark.parametrize("index", range(4))
def test_one_flipped_bit_is_found(form: str, index: int, fashion: Small[IdxSource], tmp_path: Path) -> None:
    files = getattr(fashion, form)
    real.write(tmp_path, files)
    name = list(files)[index]
    content = bytearray(files[name])
    content[len(content) // 2] ^= 4
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorruptFileError) as caught:
        read(fashion.source, tmp_path)
    message = str(caught.value)
    assert f"{name} is not the file of small FashionMNIST" in message
    assert real.sha256(content) in message
    assert fashion.source.files[index].packed_sha256 in message
    assert fashion.source.files[index].sha256 in message


def test_a_gzip_file_that_does_not_unpack_is_named(fashion: Small[IdxSource], tmp_path: Path) -> None:
    real.write(tmp_path, fashion.files)
    path = tmp_path / "train-labels-idx1-ubyte.gz"
    content = path.read_bytes()
    path.write_bytes(content[:10] + b"\xff" * 8 + content[18:])  # no kind of block starts like this
    with pytest.raises(CorruptFileError, match=f"{path} is not the file .* which do not unpack \\(Error -3"):
        read(fashion.source, tmp_path)


def test_another_data_set_of_the_same_form_is_found(fashion: Small[IdxSource], tmp_path: Path) -> None:
    images, labels, test_images, test_labels = fashion.arrays
    real.write(tmp_path, real.idx_files((images[::-1], labels, test_images, test_labels)))
    with pytest.raises(CorruptFileError, match="which unpack to 47056 bytes with SHA-256"):
        read(fashion.source, tmp_path)


def test_a_gzip_bomb_is_not_unpacked(fashion: Small[IdxSource], tmp_path: Path) -> None:
    real.write(tmp_path, fashion.files)
    bomb = real.packed(bytes(20_000_000))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(bomb)
    with pytest.raises(CorruptFileError, match=f"which unpack to {8 + TRAIN + 1} bytes"):
        read(fashion.source, tmp_path)


@pytest.mark.parametrize(
    ("index", "header", "message"),
    [
        (0, (2049, TRAIN, 28, 28), "starts with the magic number 2049, expected 2051"),
        (1, (2051, TRAIN), "starts with the magic number 2051, expected 2049"),
        (0, (0x0D03, TRAIN, 28, 28), "starts with the magic number 3331, expected 2051"),
        (0, (2051, TRAIN - 1, 28, 28), r"announces an array of shape \(59, 28, 28\), expected \(60"),
        (2, (2051, TEST, 32, 28), r"announces an array of shape \(12, 32, 28\), expected \(12, 28, 28\)"),
        (3, (2049, TEST + 1), r"announces an array of shape \(13,\), expected \(12,\)"),
        (3, (2049, TEST, 0), "has 24 bytes when unpacked, expected 20"),
        (1, (), "starts with the magic number"),
    ],
)
def test_wrong_headers_are_found_behind_right_checksums(
    index: int, header: tuple[int, ...], message: str, fashion: Small[IdxSource], tmp_path: Path
) -> None:
    content = struct.pack(f">{len(header)}I", *header) + fashion.arrays[index].tobytes()
    source, path = altered(fashion, index, content, tmp_path)
    with pytest.raises(CorruptFileError, match=f"{path} {message}.*please report"):
        read(source, tmp_path)


@pytest.mark.parametrize(
    ("left", "message"),
    [
        (67, "has 67 bytes when unpacked, expected 68"),
        (8, "has 8 bytes when unpacked, expected 68"),
        (5, r"announces an array of shape \(0,\), expected \(60,\)"),
        (0, "starts with the magic number 0, expected 2049"),
    ],
)
def test_short_content_is_found_behind_right_checksums(
    left: int, message: str, fashion: Small[IdxSource], tmp_path: Path
) -> None:
    source, path = altered(fashion, 1, real.idx(fashion.arrays[1])[:left], tmp_path)
    with pytest.raises(CorruptFileError, match=f"{path} {message}"):
        read(source, tmp_path)


def test_label_out_of_range_is_found(fashion: Small[IdxSource], tmp_path: Path) -> None:
    labels = fashion.arrays[3].copy()
    labels[5] = 10
    source, path = altered(fashion, 3, real.idx(labels), tmp_path)
    with pytest.raises(CorruptFileError, match=f"{path} has the label 10, expected 0 to 9"):
        read(source, tmp_path)


def test_other_decoded_arrays_are_found(fashion: Small[IdxSource], tmp_path: Path) -> None:
    real.write(tmp_path, fashion.files)
    right = read(fashion.source, tmp_path).sha256
    read(replace(fashion.source, decoded_sha256=right), tmp_path)
    with pytest.raises(CorruptFileError, match=f"decoded arrays have SHA-256 {right}, expected 0000"):
        read(replace(fashion.source, decoded_sha256="0" * 64), tmp_path)
    with pytest.raises(CorruptFileError, match="scikit-learn's digits: the decoded arrays have SHA-256 cdf"):
        replace(DIGITS, decoded_sha256="0" * 64).read(None, tmp_path)


def test_decoded_hash_covers_shapes_order_and_every_array(fashion: Small[IdxSource]) -> None:
    images, labels, test_images, test_labels = fashion.arrays
    variants = [
        (images, labels, test_images, test_labels),
        (images.transpose(0, 2, 1), labels, test_images, test_labels),
        (images.reshape(TRAIN, 14, 56), labels, test_images, test_labels),
        (images, 9 - labels, test_images, test_labels),
        (images, labels, test_images[::-1], test_labels),
        (images, labels, test_images, test_labels[::-1]),
    ]
    hashes = {Published(a, b, c, d, []).sha256 for a, b, c, d in variants}
    assert len(hashes) == 6


# --- the published data and pins


def test_pins_name_the_files_that_torchvision_publishes() -> None:
    import torchvision.datasets

    for source in (FASHION_MNIST, MNIST):
        theirs = getattr(torchvision.datasets, source.kind).resources
        assert [f"{file.name}.gz" for file in source.files] == [name for name, _ in theirs]


def test_pins_are_checksums() -> None:
    files = [*FASHION_MNIST.files, *MNIST.files]
    pins = [file.packed_sha256 for file in files] + [file.sha256 for file in files]
    pins += [CIFAR10.archive_sha256]
    assert len(set(pins)) == 17
    assert {len(bytes.fromhex(pin)) for pin in pins} == {32}


def published_gzip(name: str, seconds: int) -> bytes:
    """The .gz file as published: Debian's, with the name and time that Debian took out of its header."""
    content = (real.DEBIAN / f"{name}.gz").read_bytes()
    header = b"\x1f\x8b\x08\x08" + struct.pack("<I", seconds) + content[8:10]
    return header + name.encode() + b"\0" + content[10:]


@real.needs_fashion_mnist
def test_real_fashion_mnist_downloads_as_published(web: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """torchvision's own list, MD5 sums included, against the published files, and those against our pins."""
    from torchvision.datasets import FashionMNIST

    train, test = 1504176606, 1504176627  # when the files were packed, at the end of August 2017
    packed = dict(zip(real.IDX_NAMES, (train, train, test, test), strict=True))
    real.write(tmp_path / "web", {f"{name}.gz": published_gzip(name, when) for name, when in packed.items()})
    monkeypatch.setattr(FashionMNIST, "mirrors", [web])
    published = FASHION_MNIST.read(None, tmp_path / "data")
    assert published.sha256 == FASHION_MNIST.decoded_sha256
    pins = [(file.packed_size, file.packed_sha256) for file in FASHION_MNIST.files]
    assert [(entry["bytes"], entry["sha256"]) for entry in published.sources] == pins
