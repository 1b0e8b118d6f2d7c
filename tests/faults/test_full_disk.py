"""A disk that is full, or read-only: one message with the file and the room there is, and nothing done is lost."""

from __future__ import annotations

import errno
import re
import shutil
from pathlib import Path

import pytest
from disturbed import Finished, finished, outcome
from mounts import memory, read_only, resize

from trainability import files


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finished(tmp_path_factory.getbasetemp())


def test_a_full_disk_keeps_the_old_file_and_names_the_new(tmp_path: Path) -> None:
    with memory(tmp_path / "small", 64) as folder:
        path = folder / "file"
        files.write_atomically(path, b"old")
        with pytest.raises(OSError, match=r"it has 100,000 bytes, and [\d,]+ of 65,536 are free") as caught:
            files.write_atomically(path, bytes(100_000))
        assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
        assert path.read_bytes() == b"old"
        assert list(folder.iterdir()) == [path]


def test_an_experiment_goes_on_where_the_disk_was_full(whole: Finished, tmp_path: Path) -> None:
    """It fills while cells are trained and preprocessed arrays are written, that is in the middle."""
    fresh = whole.copied(tmp_path)
    shutil.rmtree(fresh.results)
    shutil.rmtree(fresh.work / ".snakemake")
    arrays = sum(path.stat().st_size for path in whole.results.glob("data/**/*.npz")) // 1024
    with memory(fresh.results, arrays - 50):
        printed = fresh.snakemake("--cores", 1, status=1)
        assert re.search(
            r"trainability: results/\S+: No space left on device: it has [\d,]+ bytes, and [\d,]+ of [\d,]+ are free. "
            r"Make room and start again: what is done is kept",
            printed,
        ), printed
        assert "Traceback" not in printed
        done = {
            path: stamp for pattern in ("data/**/*.json", "cells/*/*") for path, stamp in fresh.stamps(pattern).items()
        }
        assert done, "something had been finished"
        assert len(list(fresh.results.glob("data/*/*/preprocessing.json"))) < 2, "and something had not"
        assert not list(fresh.results.rglob("*.tmp"))
        resize(fresh.results, 64 * 1024)
        fresh.snakemake()
        assert {path: stamp for path, stamp in fresh.stamps("**/*").items() if path in done} == done
        assert fresh.damages() == {}
        assert outcome(fresh.results) == outcome(whole.results)


def test_results_that_cannot_be_written_are_refused_before_anything_runs(whole: Finished, tmp_path: Path) -> None:
    fresh = whole.copied(tmp_path)
    shutil.rmtree(fresh.results)
    with memory(fresh.results, 1024), read_only(fresh.results):
        printed = fresh.snakemake(status=1)
        assert "results: Read-only file system: nothing can be written there" in printed
        assert "Traceback" not in printed
        assert "rule " not in printed.partition("Job stats")[2]
        assert fresh.jobs()["train"] == 2, "a dry run writes nothing"


@pytest.mark.parametrize("words", [("status",), ("cells",)])
def test_what_only_reads_reads_a_read_only_folder(words: tuple[str, ...], whole: Finished, tmp_path: Path) -> None:
    copied = whole.copied(tmp_path)
    kept = copied.work / "kept"
    copied.results.rename(kept)
    with memory(copied.results, 16 * 1024):
        shutil.copytree(kept, copied.results, dirs_exist_ok=True)
        with read_only(copied.results):
            assert "done" in copied.trainability(*words)
            said = copied.trainability("report-partial", status=2)
            assert re.search(r"^trainability: \S+: Read-only file system$", said, re.MULTILINE), said
