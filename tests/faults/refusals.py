"""What a refusal is: status 2, one message, no traceback, and a folder as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainability.cli import main


def snapshot(folder: Path) -> dict[str, int]:
    """Every file and folder with its time of change."""
    return {str(path): path.lstat().st_mtime_ns for path in (folder, *folder.rglob("*"))}


def refused(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> str:
    """The message with which a command is refused; nothing in `folder` may have changed."""
    before = snapshot(folder)
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("trainability: ")
    assert "Traceback" not in printed.err
    assert snapshot(folder) == before
    return printed.err
