"""Results in odd places and odd things among them: links, spaces, long names, folders where files should be."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from disturbed import MADE, Finished, finished, outcome

from trainability import files


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finished(tmp_path_factory.getbasetemp())


def a_folder(path: Path) -> None:
    path.mkdir()


def a_full_folder(path: Path) -> None:
    path.mkdir()
    (path / "file").write_text("x")


def a_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def a_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


THINGS: dict[str, Callable[[Path], None]] = {
    thing.__name__.replace("_", " "): thing for thing in (a_folder, a_full_folder, a_dangling_link, a_link_to_itself)
}


@contextmanager
def replaced(path: Path, thing: Callable[[Path], None]) -> Iterator[None]:
    """Something else in the place of a file."""
    kept = path.with_name("kept")
    path.rename(kept)
    try:
        thing(path)
        yield
    finally:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
        kept.rename(path)


@pytest.mark.parametrize("name", THINGS)
@pytest.mark.parametrize("kind", MADE)
def test_what_stands_in_the_place_of_a_file_is_damage(kind: str, name: str, whole: Finished) -> None:
    path = whole.one(kind)
    with replaced(path, THINGS[name]):
        found = whole.damages()
    ((rule, _),) = found
    assert rule == MADE[kind].rule
    ((problem,),) = found.values()
    assert problem.startswith(f"{path} ")


def test_an_empty_folder_in_the_place_of_a_file_is_replaced(whole: Finished, tmp_path: Path) -> None:
    copied = whole.copied(tmp_path)
    path = copied.one("cells for people")
    path.unlink()
    a_folder(path)
    copied.snakemake("--force", "results/tables/tables.json")
    assert copied.damages() == {}
    assert outcome(copied.results) == outcome(whole.results)


def test_a_folder_with_something_in_it_is_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    a_full_folder(path)
    with pytest.raises(OSError, match="a folder stands in its place; move it away and start again") as caught:
        files.write_atomically(path, b"content")
    assert caught.value.filename == str(path)
    assert [one.name for one in tmp_path.rglob("*")] == ["file", "file"]


def test_results_behind_a_link_in_a_folder_with_an_odd_name(whole: Finished, tmp_path: Path) -> None:
    fresh = whole.copied(tmp_path)
    shutil.rmtree(fresh.work)
    odd = "wörk with späces & 'quotes' 結果 "
    fresh.work = tmp_path / (odd + "x" * (255 - len(odd.encode())))
    (fresh.work / "elsewhere").mkdir(parents=True)
    fresh.results.symlink_to("elsewhere")
    fresh.snakemake()
    assert fresh.results.is_symlink()
    assert fresh.damages() == {}
    assert outcome(fresh.results) == outcome(whole.results)
    assert "2 done" in fresh.trainability("status")
    assert "Nothing to be done" in fresh.snakemake()


def test_a_name_of_the_greatest_length_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * os.pathconf(tmp_path, "PC_NAME_MAX"))
    files.write_atomically(path, b"content")
    assert path.read_bytes() == b"content"
    with pytest.raises(OSError, match="File name too long") as caught:
        files.write_atomically(path.with_name(path.name + "n"), b"content")
    assert caught.value.filename == f"{path}n"
    assert list(tmp_path.iterdir()) == [path]


def test_results_that_are_a_file_or_a_dangling_link_are_one_message(whole: Finished, tmp_path: Path) -> None:
    fresh = whole.copied(tmp_path)
    shutil.rmtree(fresh.results)
    fresh.results.write_text("a file")
    printed = fresh.snakemake(status=1)
    assert "results is a file or a broken link, and a folder should be there" in printed
    assert "Traceback" not in printed
    fresh.results.unlink()
    fresh.results.symlink_to("nowhere")
    printed = fresh.snakemake(status=1)
    assert "results is a file or a broken link, and a folder should be there" in printed
    assert "Traceback" not in printed
