"""Spare records: taken over by the same training and by no other, and put back where Snakemake removed a record."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainability import files, manifests, record, spares
from trainability.cell import Cell
from trainability.outcome import Outcome
from trainability.training import train

DATA = {"classes": 4, "arrays": {"sha256": "0" * 64}}


@pytest.fixture(scope="module")
def cell(make_cell: Any) -> Cell:
    return make_cell(epochs=1)


@pytest.fixture(scope="module")
def outcome(cell: Cell, arrays: Any) -> Outcome:
    return train(cell, arrays, 4)


@pytest.fixture
def folder(cell: Cell, outcome: Outcome, tmp_path: Path) -> Path:
    """The folder of a cell whose record was left twice and then removed by Snakemake; what it held is in `before`."""
    folder = tmp_path / "cells" / cell.key
    record.write(folder, cell, outcome, DATA, {"started": "a", "ended": "b"}, 1.0)
    spares.keep(tmp_path / "spare" / cell.key, folder, pytest.fail)
    shutil.copytree(folder, tmp_path / "before")
    shutil.rmtree(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*")}


def test_next_job_takes_it_over(cell: Cell, folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    assert spares.take(tmp_path / "spare" / cell.key, folder, cell, DATA, "cpu", said.append)
    assert contents(folder) == contents(tmp_path / "before")
    assert said == [f"The record of an earlier job is taken over: {tmp_path / 'spare' / cell.key}"]


def test_there_may_be_none(cell: Cell, tmp_path: Path) -> None:
    assert not spares.take(tmp_path / "spare" / cell.key, tmp_path / "cells" / cell.key, cell, DATA, "cpu", pytest.fail)
    assert spares.bring_back({cell.key: cell}, tmp_path, "cpu") == []
    spares.remove(tmp_path)
    spares.remove(tmp_path, [cell.key])


def altered(folder: Path, **changed: Any) -> None:
    """Another training's record, whole in itself."""
    content = manifests.load_json(folder / "record.json")
    manifests.save_json(folder / "record.json", content | changed)


ALTERATIONS: dict[str, tuple[Callable[[Path], None], str]] = {
    "code": (lambda spare: altered(spare, hashes={"config": "", "data": "", "code": ""}), "another training (hashes)"),
    "versions": (lambda spare: altered(spare, versions={"torch": "1"}), "another training (versions)"),
    "device": (lambda spare: altered(spare, device="cuda: NVIDIA H100"), "another training (device)"),
    "cell": (lambda spare: altered(spare, cell="other-12345678"), "another training (cell)"),
    "truncated": (lambda spare: files.write_atomically(spare / "record.json", b"{"), "is not JSON"),
    "table": (lambda spare: files.write_atomically(spare / "curves.parquet", b"x"), "curves.parquet"),
    "incomplete": (lambda spare: files.remove(spare / "record.json"), "record.json"),
}


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_another_or_damaged_one_is_named_and_removed(cell: Cell, folder: Path, tmp_path: Path, alteration: str) -> None:
    alter, why = ALTERATIONS[alteration]
    spare, said = tmp_path / "spare" / cell.key, list[str]()
    alter(spare)
    assert not spares.take(tmp_path / "spare" / cell.key, folder, cell, DATA, "cpu", said.append)
    (line,) = said
    assert why in line
    assert line.endswith("It is not taken over.")
    assert not spare.exists()
    assert not folder.exists()


def test_it_may_come_from_another_machine(cell: Cell, folder: Path, tmp_path: Path) -> None:
    altered(tmp_path / "spare" / cell.key, hardware={"processor": "another"})
    assert spares.take(tmp_path / "spare" / cell.key, folder, cell, DATA, "cpu", lambda line: None)


def test_what_a_failed_group_removed_is_brought_back(cell: Cell, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(files.CorruptFileError):
        record.read(folder)
    shutil.copytree(tmp_path / "spare" / cell.key, tmp_path / "spare/not-planned")
    assert spares.bring_back({cell.key: cell}, tmp_path, "cpu") == [], "without data nothing tells whose it is"
    manifests.save_json(tmp_path / "data" / cell.inputs / "preprocessing.json", DATA)
    assert spares.bring_back({cell.key: cell}, tmp_path, "cpu") == [cell.key]
    assert contents(folder) == contents(tmp_path / "before")
    assert [path.name for path in (tmp_path / "cells").iterdir()] == [cell.key]
    assert spares.bring_back({cell.key: cell}, tmp_path, "cpu") == [], "it is there"


def test_a_newer_record_stays(cell: Cell, folder: Path, tmp_path: Path) -> None:
    files.write_atomically(folder / "record.json", b"newer")
    manifests.save_json(tmp_path / "data" / cell.inputs / "preprocessing.json", DATA)
    assert spares.bring_back({cell.key: cell}, tmp_path, "cpu") == []
    assert contents(folder) == {"record.json": b"newer"}


def test_spares_of_some_cells_or_of_all_are_removed(folder: Path, tmp_path: Path) -> None:
    spare = tmp_path / "spare" / folder.name
    spares.remove(tmp_path, ["another"])
    assert spare.exists()
    spares.remove(tmp_path, [folder.name])
    assert not spare.exists()
    spares.remove(tmp_path)
    assert not spare.parent.exists()


def test_no_room_for_one_is_no_error(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "before", folder)
    shutil.rmtree(tmp_path / "spare")
    files.write_atomically(tmp_path / "spare", b"in the way")
    said: list[str] = []
    spares.keep(tmp_path / "spare" / folder.name, folder, said.append)
    assert said[0].endswith("The record has no spare copy.")
