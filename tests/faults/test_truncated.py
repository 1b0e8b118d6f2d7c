"""Files cut short, as after a power cut: named by `status` and by whoever reads them, and made again as they were."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from disturbed import KINDS, MADE, RAW, TRUNCATIONS, Finished, changed, finished, outcome

from trainability import datasets, manifests, plan, prepared, record, tables, verified
from trainability.claims import sheets
from trainability.cli import main
from trainability.figures import FIGURES
from trainability.files import CorruptFileError
from trainability.operations import damage
from trainability.report import illustrations, material


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finished(tmp_path_factory.getbasetemp())


@pytest.fixture
def copied(whole: Finished, tmp_path: Path) -> Finished:
    return whole.copied(tmp_path)


def test_every_kind_of_file_is_known_here(whole: Finished) -> None:
    found = {path for path in whole.results.rglob("*") if path.is_file()}
    of_kind = {name: set(whole.results.glob(kind.pattern)) for name, kind in KINDS.items()}
    assert all(of_kind.values()), "kinds that there are none of"
    assert sorted(found - set().union(*of_kind.values())) == []
    assert sum(map(len, of_kind.values())) == len(found), "a file is of two kinds"


def test_an_undisturbed_experiment_has_no_damage(whole: Finished) -> None:
    assert whole.damages() == {}


@pytest.mark.parametrize("how", TRUNCATIONS)
@pytest.mark.parametrize("kind", MADE)
def test_status_names_the_file_and_its_job(kind: str, how: str, whole: Finished) -> None:
    path = whole.one(kind)
    with changed(path, TRUNCATIONS[how]):
        found = whole.damages()
    ((rule, _),) = found
    assert rule == MADE[kind].rule
    ((problem,),) = found.values()
    assert str(path) in problem


# What reads each kind of file, from a file of it.
READERS: dict[str, Callable[[Finished, Path], object]] = {
    "data set": lambda whole, path: datasets.load(path.parent),
    "data set's manifest": lambda whole, path: datasets.load(path.parent),
    "arrays": lambda whole, path: prepared.load(path.parent),
    "map": lambda whole, path: prepared.load_map(path.parent),
    "arrays' manifest": lambda whole, path: prepared.load(path.parent),
    "record": lambda whole, path: record.read(path.parent),
    "curves": lambda whole, path: record.read(path.parent),
    "layers": lambda whole, path: record.read(path.parent),
    "analysis": lambda whole, path: sheets.analysed(whole.look().settings, path.parent),
    "analysis' origin": lambda whole, path: sheets.analysed(whole.look().settings, path.parent),
    "configuration": lambda whole, path: plan.settings(path),
    "plan's manifest": lambda whole, path: plan.settings(path.with_name("config.json")),
    "table of runs": lambda whole, path: tables.read(path),
    "table of cells": lambda whole, path: tables.read(path),
    "table of curves": lambda whole, path: tables.read(path),
    "table of layers": lambda whole, path: tables.read(path),
    "tables' manifest": lambda whole, path: tables.read(path.with_name("runs.parquet")),
    "verdicts": lambda whole, path: material.read_verdicts(path),
    "evidence": lambda whole, path: material.read_verdicts(path),
    "verdicts' manifest": lambda whole, path: material.read_verdicts(path.with_name("claims.csv")),
    "drawing": lambda whole, path: illustrations.load(path.parent, FIGURES),
    "data behind a drawing": lambda whole, path: illustrations.load(path.parent, FIGURES),
    "figure's manifest": lambda whole, path: illustrations.load(path.parent, FIGURES),
}
# Read by people alone, or by the exports, which take them by their manifest.
UNREAD = {"plan", "runs for people", "cells for people", "drawing for print", "caption", "report", "report's manifest"}


def test_every_kind_has_a_reader() -> None:
    assert READERS.keys() | UNREAD == MADE.keys()


@pytest.mark.parametrize("how", TRUNCATIONS)
@pytest.mark.parametrize("kind", READERS)
def test_whoever_reads_it_names_the_file_and_the_mend(kind: str, how: str, whole: Finished) -> None:
    path = whole.one(kind)
    READERS[kind](whole, path)
    with changed(path, TRUNCATIONS[how]), pytest.raises(CorruptFileError) as caught:
        READERS[kind](whole, path)
    assert str(path) in str(caught.value)
    assert "run snakemake" in str(caught.value)


@pytest.mark.parametrize("how", TRUNCATIONS)
def test_a_note_on_a_verified_cell_is_named_with_its_mend(how: str, whole: Finished) -> None:
    folder = whole.one("record").parent
    digest = record.load(folder)["digest"]
    note = verified.Verified(folder.name, digest, digest, True, 2, 0, (), {}, "2026-01-01", 1.0)
    path = verified.write(folder, note)
    try:
        assert verified.read(folder, digest) == note
        path.write_bytes(TRUNCATIONS[how](path.read_bytes()))
        (said,) = damage.lines(whole.look(), [])
    finally:
        path.unlink()
    assert said.startswith(f"damaged: {path} ")
    assert said.endswith(f"Delete it; `trainability verify {folder.name}` makes another.")


def test_status_says_it_to_programs(whole: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    experiment = [str(whole.code / file) for file in ("config.yaml", "experiments/smoke.yaml")]
    path = whole.one("map")
    with changed(path, TRUNCATIONS["empty"]):
        assert main(["status", "--json", "--configfile", *experiment, "--results", str(whole.results)]) == 0
    (found,) = json.loads(capsys.readouterr().out)["damaged"]
    size = path.stat().st_size
    assert found == {
        "rule": "preprocess",
        "name": "digits.raw",
        "problems": [f"{path} has 0 bytes, expected {size}"],
    }


@pytest.mark.parametrize("kind", ["log", "time that a job took"])
def test_nothing_depends_on_what_has_no_checksum(kind: str, whole: Finished) -> None:
    with changed(whole.one(kind), TRUNCATIONS["zeros"]):
        assert whole.damages() == {}
        assert list(whole.look().progress.cells) == []


# Damaged files, one of a rule, and the cells that are trained for them. Several at once: each run costs seconds.
REPAIRS: dict[str, tuple[list[str], list[str]]] = {
    "what is made from records": (
        ["configuration", "analysis", "table of runs", "verdicts' manifest", "drawing", "report's manifest"],
        [],
    ),
    "a cell and its data": (["map", "layers"], [RAW]),
}


@pytest.mark.parametrize("name", REPAIRS)
def test_rerun_makes_what_is_damaged_and_what_depends_on_it(name: str, copied: Finished, whole: Finished) -> None:
    kinds, trained = REPAIRS[name]
    for number, kind in enumerate(kinds):
        path = copied.one(kind)
        path.write_bytes(list(TRUNCATIONS.values())[number % len(TRUNCATIONS)](path.read_bytes()))
    before = copied.stamps("cells/*/record.json")
    said = copied.trainability("status")
    for kind in kinds:
        assert str(copied.one(kind)) in said
    assert "`trainability rerun --damaged` makes these again" in said
    copied.trainability("rerun", "--damaged")
    assert copied.damages() == {}
    assert outcome(copied.results) == outcome(whole.results)
    after = copied.stamps("cells/*/record.json")
    assert [path for path in before if before[path] != after[path]] == [
        path for path in before if any(f".{name}." in path for name in trained)
    ]


def test_snakemake_names_a_damaged_input_and_its_message_leads_to_the_same_results(
    copied: Finished, whole: Finished
) -> None:
    path = copied.one("layers")
    path.write_bytes(path.read_bytes()[:-1])
    printed = copied.snakemake("--forcerun", "tables", status=1)
    assert "Traceback" not in printed
    short = path.relative_to(copied.work)
    size = path.stat().st_size
    said = f"{short} has {size} bytes, expected {size + 1}. Delete the folder {short.parent} and run snakemake"
    assert said in printed
    for file in path.parent.iterdir():
        file.unlink()
    copied.snakemake()
    assert copied.damages() == {}
    assert outcome(copied.results) == outcome(whole.results)


def test_snakemakes_own_notes_cut_short_cost_nothing(copied: Finished, whole: Finished) -> None:
    for path in (copied.work / ".snakemake/metadata").iterdir():
        path.write_bytes(b"")
    printed = copied.snakemake()
    assert "Nothing to be done" in printed
    assert outcome(copied.results) == outcome(whole.results)


def test_a_deleted_file_is_made_again(copied: Finished) -> None:
    """All that a message may ask to delete: Snakemake alone makes nothing that only an up-to-date file would need."""
    kinds = [kind for kind, made in MADE.items() if made.rule not in ("data", "preprocess", "plan")]
    for kind in kinds:
        copied.one(kind).unlink()
    jobs = copied.jobs()
    assert jobs == {"train": 1, "analyse": 1, "tables": 1, "claims": 1, "figure": jobs["figure"], "report": 1, "all": 1}


def test_a_manifest_without_its_own_checksum_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    manifests.save_json(path, {"a": 1})
    assert manifests.load_json(path) == {"a": 1}
    path.write_bytes(manifests.to_json({"a": 1}))
    with pytest.raises(CorruptFileError, match="does not end with its SHA-256"):
        manifests.load_json(path)


def test_a_manifest_that_describes_no_such_file_is_refused(tmp_path: Path) -> None:
    manifests.save_described(tmp_path / "a.json", {"one": b"1"})
    assert manifests.read_beside(tmp_path / "a.json", "one") == b"1"
    with pytest.raises(CorruptFileError, match=r"a.json describes no file two"):
        manifests.read_beside(tmp_path / "a.json", "two")
    assert list(manifests.problems(tmp_path / "a.json")) == []
