"""Spare records: taken over by the same training and by no other, and put back where Snakemake removed a record."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainability import files, manifests, record, spares
from trainability.cell import Cell
from trainability.cli import main
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
    manifests.save_json(tmp_path / "data" / cell.inputs / "preprocessing.json", DATA)
    folder = tmp_path / "cells" / cell.key
    record.write(folder, cell, outcome, DATA, {"started": "a", "ended": "b"}, 1.0)
    spares.keep(tmp_path / "spare" / cell.key, folder, pytest.fail)
    shutil.copytree(folder, tmp_path / "before")
    shutil.rmtree(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*")}


def test_next_job_takes_it_over(cell: Cell, folder: Path, tmp_path: Path) -> None:
    said, spare = list[str](), tmp_path / "spare" / cell.key
    assert spares.take(spare, folder, cell, tmp_path / "data" / cell.inputs, "cpu", said.append)
    assert contents(folder) == contents(tmp_path / "before") == contents(spare), "the next attempt may fail as well"
    assert said == [
        f"The record of an earlier job of this cell, which trained for 1.0 s, until b, is taken over: {spare}"
    ]


def test_there_may_be_none(cell: Cell, tmp_path: Path) -> None:
    folder = tmp_path / "cells" / cell.key
    assert not spares.take(tmp_path / "spare" / cell.key, folder, cell, tmp_path / "no data", "cpu", pytest.fail)
    assert spares.bring_back([cell], tmp_path, "cpu") == 0
    spares.tidy(tmp_path)
    assert not any(tmp_path.iterdir())


def altered(folder: Path, **changed: Any) -> None:
    """Another training's record, whole in itself."""
    content = manifests.load_json(folder / "record.json")
    manifests.save_json(folder / "record.json", content | changed)


ALTERATIONS: dict[str, tuple[Callable[[Path], None], str]] = {
    "code": (lambda spare: altered(spare, hashes={"config": "", "data": "", "code": ""}), "hashes"),
    "versions": (lambda spare: altered(spare, versions={"torch": "1"}), "versions"),
    "device": (lambda spare: altered(spare, device="cuda: NVIDIA H100"), "device"),
    "cell": (lambda spare: altered(spare, cell="other-12345678"), "cell"),
    "truncated": (lambda spare: files.write_atomically(spare / "record.json", b"{"), "damaged"),
    "table": (lambda spare: files.write_atomically(spare / "curves.parquet", b"x"), "damaged"),
    "incomplete": (lambda spare: files.remove(spare / "record.json"), "damaged"),
}


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_another_or_damaged_one_is_named_and_removed(cell: Cell, folder: Path, tmp_path: Path, alteration: str) -> None:
    alter, what = ALTERATIONS[alteration]
    spare, said = tmp_path / "spare" / cell.key, list[str]()
    alter(spare)
    assert not spares.take(spare, folder, cell, tmp_path / "data" / cell.inputs, "cpu", said.append)
    assert said == [f"{spare} is not the record of this training ({what}). It is removed, and the cell trained."]
    assert not spare.exists()
    assert not folder.exists()


def test_it_may_come_from_another_machine(cell: Cell, folder: Path, tmp_path: Path) -> None:
    spare = tmp_path / "spare" / cell.key
    altered(spare, hardware={"processor": "another"})
    assert spares.take(spare, folder, cell, tmp_path / "data" / cell.inputs, "cpu", lambda line: None)


def test_what_a_failed_group_removed_is_brought_back(
    cell: Cell, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spare, manifest = tmp_path / "spare" / cell.key, tmp_path / "data" / cell.inputs / "preprocessing.json"
    manifest.unlink()
    assert spares.bring_back([cell], tmp_path, "cpu") == 0, "without data nothing tells whose it is"
    assert "preprocessing.json is missing" in capsys.readouterr().out
    assert spare.exists(), "the cell's next job may know"
    manifests.save_json(manifest, DATA)
    assert spares.bring_back([], tmp_path, "cpu") == 0, "no cell of a group that failed"
    assert spares.bring_back([cell], tmp_path, "cpu") == 1
    assert contents(folder) == contents(tmp_path / "before")
    assert not spare.exists(), "the record is there"
    assert not capsys.readouterr().out


def test_a_record_stays_as_it_is(cell: Cell, folder: Path, tmp_path: Path) -> None:
    files.write_atomically(folder / "record.json", b"newer")
    assert spares.bring_back([cell], tmp_path, "cpu") == 0
    assert contents(folder) == {"record.json": b"newer"}


def test_spares_of_cells_without_a_record_are_left(folder: Path, tmp_path: Path) -> None:
    spare = tmp_path / "spare" / folder.name
    spares.tidy(tmp_path)
    assert spare.exists()
    shutil.copytree(tmp_path / "before", folder)
    spares.tidy(tmp_path)
    assert not spare.parent.exists()


def test_no_room_for_one_is_no_error(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "before", folder)
    shutil.rmtree(tmp_path / "spare")
    files.write_atomically(tmp_path / "spare", b"in the way")
    said: list[str] = []
    spares.keep(tmp_path / "spare" / folder.name, folder, said.append)
    assert said[0].endswith("The record has no spare copy.")


def test_the_command_of_a_job_leaves_one_and_takes_it_over(
    cell: Cell,
    arrays: Any,
    prepared_in: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    prepared_in(Path("data"), arrays)
    words = ["train", f"--cell={cell.canonical}", "--data=data", "--device=cpu", f"--out=cells/{cell.key}"]
    assert main([*words, "--spare=spare"]) == 0
    before = contents(Path("cells") / cell.key)
    shutil.rmtree("cells")
    assert "is taken over" not in capsys.readouterr().out
    assert main([*words, "--spare=spare"]) == 0
    assert "is taken over" in capsys.readouterr().out
    assert contents(Path("cells") / cell.key) == before
    assert main([*words, "--spare="]) == 0
    assert "is taken over" not in capsys.readouterr().out, "a job that may not"
