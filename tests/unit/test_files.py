"""Files: written whole or not at all, whoever else writes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from trainability import files


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    files.write_atomically(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        files.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "file"
    program = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom trainability import files\n"
        "with files.replacing(Path(sys.argv[1])) as stream:\n"
        "    stream.write(b'a part that is long')\n    stream.flush()\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(path)])
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.read_bytes() == b"a part that is long", "it was killed in the middle"
    files.write_atomically(path, b"whole")
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("fails", [False, True], ids=["the first succeeds", "the first fails"])
def test_of_two_writers_the_second_waits(tmp_path: Path, fails: bool) -> None:
    path = tmp_path / "file"
    writers = [threading.Thread(target=files.write_atomically, args=(path, bytes([n]) * 100_000)) for n in range(8)]
    with contextlib.suppress(ZeroDivisionError), files.replacing(path) as stream:
        stream.write(b"first")
        for writer in writers:
            writer.start()
        time.sleep(0.1)
        assert not path.exists()
        assert all(writer.is_alive() for writer in writers)
        if fails:
            raise ZeroDivisionError
    for writer in writers:
        writer.join(10)
    assert path.read_bytes() in [bytes([n]) * 100_000 for n in range(8)]
    assert list(tmp_path.iterdir()) == [path]
