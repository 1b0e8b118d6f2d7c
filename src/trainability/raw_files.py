"""The published files of the data sets: where they may lie, what they must be, and how they are decoded.

Nothing is decoded before it is known to be genuine: at every read the bytes of every file are compared with
the checksums pinned here and in `raw_cifar`, and the decoded arrays are hashed once more. An IDX file may be
unpacked, or packed again by somebody else (Debian does), because what is in the .gz file is pinned as well.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainability.files import CorruptFileError, checksum, read

Bytes = NDArray[np.uint8]
Values = NDArray[np.uint8 | np.float32]  # pixels, or the features of generated examples
CLASSES = 10  # in each of the data sets here
ADMITTED = "Its checksum is a pinned one, so the pin or the reader is wrong: please report it."


@dataclass(frozen=True)
class Published:
    """One data set in the order of its files: images [n, *image_shape], uint8 or float32, and labels uint8 [n].

    Without a published test set its arrays are empty. `sources` has one {file, bytes, sha256} for each file
    that was read, named relative to the folder.
    """

    train_images: Values
    train_labels: Bytes
    test_images: Values
    test_labels: Bytes
    sources: list[dict[str, Any]]

    @property
    def sha256(self) -> str:
        """SHA-256 over the four arrays: of each its shape (as `60000x28x28;`), then its bytes."""
        digest = hashlib.sha256()
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(("x".join(map(str, array.shape)) + ";").encode())
            digest.update(array.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Source:
    """Where a data set comes from, and how many training and test images are published (test = 0: none)."""

    title: str
    train: int
    test: int
    decoded_sha256: str | None  # `Published.sha256`; None where nobody had the files to compute it

    def read(self, folder: Path | None, download_to: Path) -> Published:
        """Find, check and decode the files in `folder` or, if that is None, downloaded into `download_to`.

        Raises CorruptFileError for a file that is missing, truncated, altered or not what it should be.
        """
        published = self.decode(folder, download_to)
        if self.decoded_sha256 not in (None, published.sha256):
            raise CorruptFileError(
                f"{self.title}: the decoded arrays have SHA-256 {published.sha256}, expected "
                f"{self.decoded_sha256}. Install this project's locked versions of the libraries."
            )
        return published

    def decode(self, folder: Path | None, download_to: Path) -> Published:
        """The published arrays, each file checked before it is decoded."""
        raise NotImplementedError


class DigitsSource(Source):
    """The digits that scikit-learn carries inside its package; neither folder nor download is used."""

    def decode(self, folder: Path | None, download_to: Path) -> Published:
        # Not at the top: it takes seconds, and the Snakefile imports this module at every start.
        import sklearn  # type: ignore[import-untyped, unused-ignore]
        from sklearn.datasets import load_digits  # type: ignore[import-untyped, unused-ignore]

        digits = load_digits()
        images = np.ascontiguousarray(digits.images, dtype=np.uint8)
        labels = np.ascontiguousarray(digits.target, dtype=np.uint8)
        published = Published(images, labels, images[:0], labels[:0], [])
        name = {"file": "sklearn.datasets.load_digits", "version": sklearn.__version__}
        published.sources.append(name | {"bytes": images.nbytes + labels.nbytes, "sha256": published.sha256})
        return published


@dataclass(frozen=True)
class FileSource(Source):
    """A data set in files; `kind` is the torchvision class that downloads them, `hint` another way."""

    kind: str
    hint: str

    @property
    def mend(self) -> str:
        """What to do about a file that is missing or damaged."""
        return (
            "Put the published file there, or name no folder of your own: torchvision then downloads what is "
            f"missing (delete a damaged file first).{self.hint}"
        )

    def decode(self, folder: Path | None, download_to: Path) -> Published:
        if folder is None:
            self.download(download_to)
        return self.decode_files(download_to if folder is None else folder)

    def decode_files(self, root: Path) -> Published:
        """Find the files below `root`, check and decode them."""
        raise NotImplementedError

    def download(self, into: Path) -> None:
        """Let torchvision fetch what is missing below `into`; it checks the MD5 of what it fetches."""
        import fcntl  # only here, for only POSIX has it

        # Not at the top: it takes seconds, and the Snakefile imports this module at every start.
        import torchvision.datasets  # type: ignore[import-untyped, unused-ignore]

        # Only `download` is called, on an object that never ran its constructor. That would go on to decode
        # the files before we have checked them, and CIFAR10's would load pickles with an ordinary unpickler.
        kind = getattr(torchvision.datasets, self.kind)
        downloader = kind.__new__(kind)
        downloader.root = str(into)
        into.mkdir(parents=True, exist_ok=True)
        with (into / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two jobs may want the same files at the same time
            try:
                downloader.download()
            except (OSError, RuntimeError) as error:
                reason = " ".join(str(error).split())  # torchvision's has several lines
                problem = f"{self.title} could not be downloaded into {into}: {reason}. {self.mend}"
                raise CorruptFileError(problem) from error

    def find(self, root: Path, *names: str) -> Path:
        """The first of `names` that is a file below `root`."""
        paths = [root / name for name in names]
        for path in paths:
            if self.there(path):
                return path
        looked = ", ".join(map(str, paths))
        raise CorruptFileError(f"{self.title}: a file is missing, looked for {looked}. {self.mend}")

    def there(self, path: Path) -> bool:
        """Whether there is a file; raises CorruptFileError if nobody may look."""
        try:
            return path.is_file()
        except OSError as error:
            raise CorruptFileError(f"{path} cannot be read ({error.strerror}). {self.mend}") from None


class IdxFile(NamedTuple):
    """One IDX file: name, size and SHA-256 of the published .gz, SHA-256 of the IDX file inside."""

    name: str
    packed_size: int
    packed_sha256: str
    sha256: str


@dataclass(frozen=True)
class IdxSource(FileSource):
    """MNIST's format: an IDX file each for training images, training labels, test images and test labels."""

    files: tuple[IdxFile, ...]
    image_shape: tuple[int, ...] = (28, 28)

    def decode_files(self, root: Path) -> Published:
        counts = (self.train, self.train, self.test, self.test)
        axes = (self.image_shape, (), self.image_shape, ())
        arrays, sources = [], []
        for file, count, rest in zip(self.files, counts, axes, strict=True):
            name, shape = file.name, (count, *rest)
            # torchvision's layout first: MNIST and Fashion-MNIST have the same file names.
            places = (f"{self.kind}/raw/{name}.gz", f"{self.kind}/raw/{name}", f"{name}.gz", name)
            path = self.find(root, *places)
            content = read(path, self.mend)
            sources.append(described(path.relative_to(root).as_posix(), content))
            arrays.append(parse_idx(self.unpack(path, content, file, idx_size(shape)), shape, path))
        train_images, train_labels, test_images, test_labels = arrays
        return Published(train_images, train_labels, test_images, test_labels, sources)

    def unpack(self, path: Path, content: bytes, file: IdxFile, size: int) -> bytes:
        """The IDX file of `size` bytes in `content`, packed or not; raise if it is not the published one."""
        idx, inside = content, ""
        if content.startswith(b"\x1f\x8b"):  # gzip; an IDX file starts with two zeros
            try:
                # One byte more than there should be shows that it is too long, and no more is ever unpacked.
                idx = gzip.GzipFile(fileobj=io.BytesIO(content)).read(size + 1)
                inside = f", which unpack to {len(idx)} bytes with SHA-256 {checksum(idx)}"
            except (EOFError, OSError, zlib.error) as error:
                idx, inside = b"", f", which do not unpack ({error})"
        if checksum(content) == file.packed_sha256 or checksum(idx) == file.sha256:
            return idx
        raise CorruptFileError(
            f"{path} is not the file of {self.title}: it has {len(content)} bytes with SHA-256 "
            f"{checksum(content)}{inside}. Expected the published {file.packed_size} bytes with SHA-256 "
            f"{file.packed_sha256}, or {size} bytes with SHA-256 {file.sha256}, gzipped or not. {self.mend}"
        )


def idx_size(shape: tuple[int, ...]) -> int:
    """Bytes of an IDX file: a magic number and a 32-bit length for each axis, then one byte an entry."""
    return 4 * (1 + len(shape)) + math.prod(shape)


def parse_idx(content: bytes, shape: tuple[int, ...], path: Path) -> Bytes:
    """The uint8 array of an IDX file (LeCun et al. 1998), which must have this shape; labels below CLASSES.

    The header is big-endian: the magic number is 0x0800 (unsigned bytes) + the number of axes, 2051 for
    images and 2049 for labels, and the length of each axis follows. Raises CorruptFileError if any of it is
    different.
    """
    words = 1 + len(shape)
    magic, *axes = struct.unpack_from(f">{words}I", content.ljust(4 * words, b"\0"))
    if magic != 0x0800 + len(shape):
        problem = f"starts with the magic number {magic}, expected {0x0800 + len(shape)}"
    elif tuple(axes) != shape:
        problem = f"announces an array of shape {tuple(axes)}, expected {shape}"
    elif len(content) != idx_size(shape):
        problem = f"has {len(content)} bytes when unpacked, expected {idx_size(shape)}"
    else:
        problem = ""
    if problem:
        raise CorruptFileError(f"{path} {problem}. {ADMITTED}")
    array = np.frombuffer(content, np.uint8, offset=4 * words).reshape(shape).copy()
    if array.ndim == 1:
        check_labels(array, str(path))
    return array


def check_labels(labels: Bytes, where: str) -> None:
    """Raise CorruptFileError if a label is not one of 0 ... CLASSES - 1."""
    if labels.max(initial=0) >= CLASSES:
        raise CorruptFileError(f"{where} has the label {labels.max()}, expected 0 to {CLASSES - 1}. {ADMITTED}")


def described(name: str, content: bytes) -> dict[str, Any]:
    """{file, bytes, sha256} of a file as it was read."""
    return {"file": name, "bytes": len(content), "sha256": checksum(content)}


DIGITS = DigitsSource(
    title="scikit-learn's digits",
    train=1797,
    test=0,
    decoded_sha256="cdf382c86837e2a71be8d4724e35208a4a94c92e9e7c6c731d439b0ef24073cc",
)

# Sizes and SHA-256 of the .gz files as published: tensorflow_datasets, url_checksums/fashion_mnist.txt and
# mnist.txt. Of the IDX files inside, Fashion-MNIST's were computed from Debian's copy, whose .gz files turn
# into the published ones when the name and time that Debian strips are put back. MNIST's are what several
# projects list independently.
FASHION_MNIST = IdxSource(
    title="Fashion-MNIST",
    train=60000,
    test=10000,
    decoded_sha256="1b3de9348e01cf9988c8060ba202c54b963f50c0304ba08b7e9c3b4a52971662",
    kind="FashionMNIST",
    hint=" Debian's package dataset-fashion-mnist has the files in /usr/share/datasets/fashion-mnist.",
    files=(
        IdxFile(
            "train-images-idx3-ubyte",
            26421880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ),
        IdxFile(
            "train-labels-idx1-ubyte",
            29515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        ),
        IdxFile(
            "t10k-images-idx3-ubyte",
            4422102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
        IdxFile(
            "t10k-labels-idx1-ubyte",
            5148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
)

MNIST = IdxSource(
    title="MNIST",
    train=60000,
    test=10000,
    decoded_sha256=None,
    kind="MNIST",
    hint="",
    files=(
        IdxFile(
            "train-images-idx3-ubyte",
            9912422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        IdxFile(
            "train-labels-idx1-ubyte",
            28881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        IdxFile(
            "t10k-images-idx3-ubyte",
            1648877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        IdxFile(
            "t10k-labels-idx1-ubyte",
            4542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
)
