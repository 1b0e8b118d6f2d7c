"""Small file systems in memory, for disks that are full or read-only; they need root, and the right to mount."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


def mount(*words: object) -> str:
    """Run `mount`; what it complains about."""
    try:
        return subprocess.run(["mount", *map(str, words)], capture_output=True, text=True, check=False).stderr
    except FileNotFoundError:
        return "no mount here"


@contextlib.contextmanager
def memory(folder: Path, kilobytes: int) -> Iterator[Path]:
    """An empty file system of this size at a folder; the test is skipped where it cannot be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    if problem := mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder):
        pytest.skip(f"a file system cannot be mounted: {problem.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def resize(folder: Path, kilobytes: int) -> None:
    """Another size for a file system that is mounted."""
    assert not mount("-o", f"remount,size={kilobytes}k", folder)


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A mounted file system in which nothing can be written for a while."""
    assert not mount("-o", "remount,ro", folder)
    try:
        yield
    finally:
        assert not mount("-o", "remount,rw", folder)
