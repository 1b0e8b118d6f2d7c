"""Status, selection, explanation and verification of single cells, on a small experiment that a test may break."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from report_sample import CONFIG, Sample
from sealing import seal

from trainability import checkpoints, cli, config, files, manifests, notes, record, report, verified
from trainability.operations import KINDS, agreement, cells, explain, rerun, status, verify, watch
from trainability.operations.cells import Cells
from trainability.operations.workflow import Workflow, WorkflowError, record_of
from trainability.record import Record

BIG = "activation == 'relu' and init == 'xavier_normal'"


class Folder:
    """Results of the sample experiment, and its configuration as a file."""

    def __init__(self, sample: Sample, path: Path) -> None:
        self.path, self.sample = path / "results", sample
        shutil.copytree(sample.tables.parent, self.path)
        self.configfile = path / "experiment.yaml"
        self.configfile.write_text(yaml.safe_dump(CONFIG))
        self.keys = list(self.look().trained)

    def look(self) -> Cells:
        return Cells.look(self.sample.settings, self.path)

    def edit(self, key: str, **changes: Any) -> None:
        """Change parts of a record, whole values or keys of a mapping; its digest is that of what it then holds."""
        path = self.path / "cells" / key / "record.json"
        content = manifests.load_json(path)
        for name, value in changes.items():
            content[name] = content[name] | value if isinstance(value, dict) else value
        results = (content[name] for name in ("runs", "selected_learning_rate", "selected_edge", "tables"))
        content["digest"] = record.digest_of(*results)
        manifests.save_json(path, content)

    def delete(self, key: str) -> None:
        shutil.rmtree(self.path / "cells" / key)

    def log(self, key: str, text: str = "") -> Path:
        log = self.path / f"logs/train/{key}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(text)
        return log

    def fail(self, key: str, text: str) -> None:
        self.delete(key)
        with notes.kept(self.log(key, text)) as failed:
            failed("exit status 1")

    def break_curves(self, key: str) -> None:
        path = self.path / "cells" / key / "curves.parquet"
        path.write_bytes(path.read_bytes()[:-1])

    def read(self, key: str) -> Record:
        return record.read(self.path / "cells" / key)

    def run(self, *words: str) -> int:
        return cli.main([*words, "--configfile", str(self.configfile), "--results", str(self.path)])


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return Sample(tmp_path_factory.mktemp("sample") / "results").make()


@pytest.fixture
def folder(sample: Sample, tmp_path: Path) -> Folder:
    return Folder(sample, tmp_path)


@pytest.fixture
def troubled(folder: Folder) -> Folder:
    """One cell done, one diverged, one failed, one waiting, one outdated, one damaged, in the order of the plan."""
    _, diverged, failed, waiting, outdated, damaged = folder.keys
    runs = folder.read(diverged).content["runs"]
    chosen = next(run for run in runs if run["selected"])
    chosen["status"] = "diverged"
    folder.edit(diverged, runs=runs)
    folder.fail(failed, "line\nMemoryError: none left\n")
    folder.delete(waiting)
    folder.edit(outdated, versions={"torch": "1.0.0"})
    folder.break_curves(damaged)
    for key in folder.keys:  # as killed jobs leave it; no operation reads or counts it
        files.write_atomically(folder.path / "cells" / key / checkpoints.NAME, b"a checkpoint")
    return folder


# Which cells


def test_every_kind_of_cell_is_found_and_no_other(troubled: Folder) -> None:
    found = troubled.look()
    _, diverged, failed, waiting, outdated, damaged = troubled.keys
    assert {kind: found.select(None, [kind]) for kind in KINDS} == {
        "failed": [failed],
        "diverged": [diverged],
        "missing": [failed, waiting],
        "outdated": [outdated],
        "damaged": [damaged],
    }
    assert set(cells.STATES_OF) == set(KINDS)
    assert found.select(None) == troubled.keys
    assert found.select(None, ["failed", "damaged"]) == [failed, damaged]
    activation = found.trained[failed].activation.label
    assert found.select(f"activation == '{activation}'", ["failed", "damaged"])[0] == failed
    assert found.summary(troubled.keys) == "2 done (1 diverged), 1 waiting, 1 outdated, 1 failed, 1 damaged"


@pytest.mark.parametrize(
    ("expression", "kinds", "message"),
    [
        (None, ["failed"], "has 6 cells (6 done), and none is --failed (cells whose job failed or was killed)"),
        ("activation == 'tanh'", [], "`activation == 'tanh'` matches none of the 8 cells"),
        ("activation == 'elu' and init == 'xavier_normal'", [], "matches 2 cells, all of them left out"),
    ],
)
def test_no_match_says_what_there_is(folder: Folder, expression: str | None, kinds: list[str], message: str) -> None:
    with pytest.raises(cells.SelectionError) as caught:
        folder.look().select(expression, kinds)
    assert message in str(caught.value)
    assert "`trainability status --cells` lists" in str(caught.value)


def test_keys_that_are_not_trained_are_named(folder: Folder) -> None:
    found = folder.look()
    left_out = next(key for key in found.plan if key not in found.trained)
    with pytest.raises(cells.SelectionError, match="two are enough"):
        found.named([left_out])
    with pytest.raises(cells.SelectionError, match=f"did you mean '{folder.keys[0]}'"):
        found.named([folder.keys[0][:-1] + "x"])
    assert found.named([folder.keys[1], folder.keys[1]]) == [folder.keys[1]]


# Status


def test_status_counts_lists_and_tells_failures(troubled: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert troubled.run("status", "--cells") == 0
    printed = capsys.readouterr().out
    assert "6 cells: 2 done (1 diverged), 1 waiting, 1 outdated, 1 failed, 1 damaged" in printed
    assert "training left: unknown" in printed
    assert f"failed: train {troubled.keys[2]} (exit status 1): MemoryError: none left" in printed
    assert f"{troubled.keys[1]}\tdone (diverged)\n{troubled.keys[2]}\tfailed\n" in printed
    assert troubled.run("status", "--damaged") == 0
    listed = [line for line in capsys.readouterr().out.splitlines() if "\t" in line]
    assert listed == [f"{troubled.keys[5]}\tdamaged"]


def test_status_as_json_says_the_same(troubled: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert troubled.run("status", "--json", "--select", "activation == 'elu'") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["planned"], found["diverged"], found["seconds_left"], found["training"]) == (6, 1, None, 0)
    assert {state: number for state, number in found["states"].items() if number} == {
        "done": 2,
        "waiting": 1,
        "outdated": 1,
        "failed": 1,
        "damaged": 1,
    }
    assert [failure["name"] for failure in found["failures"]] == [troubled.keys[2]]
    elus = [key for key in troubled.keys if troubled.look().plan[key].cell.activation.label == "elu"]
    assert list(found["cells"]) == elus


def test_status_writes_nothing(troubled: Folder) -> None:
    before = {path: path.stat().st_mtime_ns for path in troubled.path.rglob("*")}
    troubled.run("status", "--cells")
    assert {path: path.stat().st_mtime_ns for path in troubled.path.rglob("*")} == before


def test_time_left_is_what_records_say_over_the_cells_at_work(folder: Folder) -> None:
    first, second, third, fourth, *_ = folder.keys
    for key in folder.keys:
        folder.edit(key, times={"train_seconds": 100.0})
    folder.edit(third, times={"train_seconds": 40.0}, versions={"torch": "1.0.0"})  # outdated, its own time is known
    folder.delete(first)
    folder.delete(second)
    folder.delete(fourth)
    assert status.seconds_left(folder.look()) is None  # nothing is at work
    with notes.kept(folder.log(first)), notes.kept(folder.log(second)):
        began = notes.began(folder.log(first))
        assert began is not None
        usual = (100 + 100 + 40) / 3
        later = began + 30
        second_began = notes.began(folder.log(second)) or 0.0
        expected = (usual - 30) + (usual - (later - second_began)) + 40 + usual
        assert status.seconds_left(folder.look(), later) == pytest.approx(expected / 2)
    assert status.seconds_left(Folder(folder.sample, folder.path.parent / "whole").look()) == 0


@pytest.mark.parametrize(("seconds", "text"), [(12.3, "12 s"), (120, "2 min"), (3 * 3600, "3.0 h")])
def test_durations(seconds: float, text: str) -> None:
    assert status.duration(seconds) == text


# Watching


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def looks(folder: Folder) -> Iterator[Cells]:
    """A run that somebody watches: one cell at work and one to come, then one failed, then all done."""
    first, second = folder.keys[:2]
    kept = {key: shutil.copytree(folder.path / "cells" / key, folder.path / f"kept-{key}") for key in (first, second)}
    folder.delete(first)
    folder.delete(second)
    with notes.kept(folder.log(first)):
        yield folder.look()
    shutil.move(kept[first], folder.path / "cells" / first)
    with notes.kept(folder.log(second, "OSError: disk full\n")) as failed:
        failed("exit status 1")
    yield folder.look()
    yield folder.look()
    shutil.move(kept[second], folder.path / "cells" / second)
    notes.path_of(folder.log(second)).unlink()
    yield folder.look()


@pytest.mark.parametrize("out", [io.StringIO(), Terminal()])
def test_watching_redraws_one_line_or_prints_changes(folder: Folder, out: io.StringIO) -> None:
    moments, now = looks(folder), [0.0]
    watch.watch(lambda: next(moments), out, lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
    printed = out.getvalue()
    assert printed.count("failed: train") == 1
    assert "OSError: disk full" in printed
    assert printed.endswith("All cells and analyses are done.\n")
    assert "5 of 6 cells done, 1 failed; 30.0 cells a minute" in printed
    if isinstance(out, Terminal):
        assert printed.count(watch.CLEAR) == 5
    else:
        assert "\x1b" not in printed
        counts = [line for line in printed.splitlines() if "cells done" in line]
        assert [line.split(";")[0] for line in counts] == [
            "4 of 6 cells done, 1 running, 1 waiting",
            "5 of 6 cells done, 1 failed",
            "6 of 6 cells done",
        ]


def test_watching_ends_when_the_workflow_has_ended(folder: Folder) -> None:
    folder.delete(folder.keys[0])
    now, out, busy = [0.0], io.StringIO(), [True]

    def look() -> Cells:
        if not busy[0]:
            return folder.look()
        busy[0] = False
        with notes.kept(folder.log(folder.keys[0])):
            return folder.look()

    watch.watch(look, out, lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
    assert out.getvalue().endswith("No job is at work any more.\n")
    assert now[0] > watch.PATIENCE


def test_a_record_is_read_again_only_when_it_changed(folder: Folder) -> None:
    counted: list[Path] = []

    def read(path: Path) -> Record:
        counted.append(path)
        return record.read(path)

    remembered = watch.remembering(read)
    for _ in range(2):
        Cells.look(folder.sample.settings, folder.path, remembered)
    assert len(counted) == len(folder.keys)
    folder.edit(folder.keys[0], times={"train_seconds": 3.0})
    found = Cells.look(folder.sample.settings, folder.path, remembered)
    assert len(counted) == len(folder.keys) + 1
    assert found.records[folder.keys[0]].content["times"]["train_seconds"] == 3.0


# Explaining


def test_every_reason_to_train_a_cell_again_is_named(troubled: Folder) -> None:
    found = troubled.look()
    said = [" ".join(explain.explain(found, key)) for key in troubled.keys]
    assert said[0].startswith("Nothing to do")
    assert "MemoryError: none left" in said[2]
    assert said[3].endswith("it was never trained, or its record was deleted.")
    assert "torch is another version (torch: 1.0.0 then," in said[4]
    assert "damaged" in said[5]
    assert "curves.parquet has" in said[5]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hashes": {"code": "0" * 16}}, "Which module is not known"),
        ({"hashes": {"data": "0" * 64}}, "the preprocessed data have changed"),
        ({"device": "cuda: A card"}, "(device: cuda then, cpu now)"),
        ({"schema": 1}, "has schema 1"),
    ],
)
def test_what_a_record_comes_from_is_compared(folder: Folder, changes: dict[str, Any], words: str) -> None:
    key = folder.keys[0]
    folder.edit(key, **changes)
    assert folder.look().state(key) == "outdated"
    assert words in " ".join(explain.explain(folder.look(), key))


def test_a_cell_of_another_experiment_is_compared_with_the_nearest(folder: Folder) -> None:
    key = folder.keys[0]
    changed = folder.sample.settings.model_dump(mode="json") | {"seeds": [0, 1, 2]}
    other = Cells.look(config.read(changed), folder.path)
    said = list(explain.explain(other, key))
    assert "is no cell of this experiment" in said[0]
    assert "differs in 1:" in said[1]
    assert said[2] == "  seeds: [0, 1], there [0, 1, 2]"
    assert "has no record" in next(explain.explain(other, "nothing-like-it"))


# Comparing and verifying


def test_agreement_is_of_bits(folder: Folder) -> None:
    one, other = folder.read(folder.keys[0]), folder.read(folder.keys[0])
    assert agreement.compare(one, other).equal
    rows = len(other.curves["step"])
    per_run = rows // len(one.content["runs"])
    values = other.curves["train_loss"].copy()
    at = int(np.flatnonzero(np.isfinite(values[per_run:]))[0]) + per_run  # in the second run
    values[at] = np.nextafter(values[at], np.inf, dtype=values.dtype)
    found = agreement.compare(one, Record(other.content, other.curves | {"train_loss": values}, other.layers))
    assert found.differs.tolist() == [False, True, *[False] * (len(found.runs) - 2)]
    (difference,) = found.differences
    assert (difference.table, difference.column, difference.runs) == ("curves", "train_loss", 1)
    assert difference.largest == pytest.approx(float(values[at]) - float(one.curves["train_loss"][at]))
    assert found.explained_by == {}


def test_zeros_of_two_signs_differ_and_missing_figures_do_not(folder: Folder) -> None:
    one = folder.read(folder.keys[0])
    rows = len(one.curves["step"])
    zeros, nans = np.zeros(rows, np.float32), np.full(rows, np.nan, np.float32)

    def compared(a: np.ndarray, b: np.ndarray) -> agreement.Agreement:
        return agreement.compare(
            Record(one.content, one.curves | {"x": a}, one.layers),
            Record(one.content, one.curves | {"x": b}, one.layers),
        )

    assert not compared(zeros, -zeros).equal
    assert compared(nans, -nans).equal
    assert compared(zeros, nans).differences[0].largest is None
    assert compared(zeros, zeros.astype(np.float64)).differs.all()
    assert compared(zeros, zeros[:-1]).differs.all()


def test_a_verified_cell_is_noted_and_shown(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    key, other = folder.keys[:2]
    runs = folder.read(other).content["runs"]
    runs[0]["test_accuracy"] += 0.25
    folder.edit(other, runs=runs, hardware={"processor": "Another"})
    assert folder.run("verify", key, other, "--cores", "1") == 1
    printed = capsys.readouterr().out
    assert f"{key}: all 4 runs agree to the last bit" in printed
    assert f"{other}: 1 of 4 runs differ" in printed
    assert "seed 0, learning rate 0.05: differs" in printed
    assert "final figures, test_accuracy: 0.25, in 1 run" in printed
    assert "what may explain it: processor Another then" in printed
    assert "1 of 2 cells agree" in printed
    assert not (folder.path / "verify").exists()
    note = verified.read(folder.path / "cells" / key, folder.read(key).content["digest"])
    assert note is not None
    assert (note.equal, note.runs, note.digest == note.again) == (True, 4, True)
    page = rendered(folder)
    assert "1 of 6 cells were trained again and agree to the last bit; 1 more came out otherwise." in page
    assert '<span class="mark agrees">agrees</span>' in page
    assert '<span class="mark differs">differs in 1 run</span>' in page
    for one in (key, other):  # the note is on another record now
        runs = folder.read(one).content["runs"]
        folder.edit(one, runs=[runs[0] | {"test_loss": 123.0}, *runs[1:]])
    page = rendered(folder)
    assert "None of the 6 cells was trained again yet" in page
    assert "mark agrees" not in page


def rendered(folder: Folder) -> str:
    sample, path = folder.sample, folder.path
    parts = (*(path / name for name in ("tables", "figures", "cells", "data", "logs")), sample.sources)
    report.render(sample.settings, sample.plan, *parts, path / "report.html")
    return (path / "report.html").read_text()


def test_a_new_record_may_be_kept_and_a_damaged_one_is_told(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    key, damaged = folder.keys[:2]
    folder.break_curves(damaged)
    assert folder.run("verify", damaged, key, "--keep", "--cores", "1") == 2
    printed = capsys.readouterr()
    assert f"{damaged}: not verified: " in printed.err
    assert "curves.parquet has" in printed.err
    assert record.read(folder.path / "verify" / key).content["digest"] == folder.read(key).content["digest"]
    assert [path.name for path in (folder.path / "verify").iterdir()] == [key]


def test_differences_that_nothing_explains_are_said_so(folder: Folder) -> None:
    one = folder.read(folder.keys[0])
    other = Record(one.content, one.curves | {"train_loss": one.curves["train_loss"] + 1}, one.layers)
    cell = folder.look().trained[folder.keys[0]]
    assert "do not explain it" in " ".join(verify.lines(cell, agreement.compare(one, other)))


@pytest.mark.parametrize("content", [seal({"schema": 1}), b'{"schema": 1}', b'{"schema": 2}', b"{}", b"no"])
def test_a_note_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / verified.NAME).write_bytes(content)
    with pytest.raises(files.CorruptFileError, match=verified.NAME):
        verified.read(tmp_path, "digest")
    assert verified.read(tmp_path / "elsewhere", "digest") is None


# Training again


class Asked(Workflow):
    """A workflow whose Snakemake would train some cells."""

    def pending(self, *targets: str) -> dict[str, str]:
        return dict.fromkeys(self.more, "params changed")

    def command(self, *words: str) -> list[str]:
        return ["snakemake", *words]


def test_chosen_cells_alone_are_forced_where_others_are_out_of_date(folder: Folder) -> None:
    key, other, third, damaged, *_ = folder.keys
    at = folder.look()
    assert rerun.plan(at, [key], Asked([], folder.path), False).commands == [
        ["snakemake", "--forcerun", record_of(key)]
    ]
    folder.break_curves(damaged)  # of which Snakemake knows nothing
    at, workflow = folder.look(), Asked([], folder.path, [key, other])
    found = rerun.plan(at, [key, third], workflow, False)
    assert found.commands == [
        ["snakemake", record_of(key), record_of(third), "--force"],
        ["snakemake", "report_partial"],
    ]
    assert found.others == {other: "params changed", damaged: "damaged"}
    said = " ".join(rerun.remarks(at, found, False))
    assert f"2 other cells are missing or out of date: {other} (params changed), {damaged} (damaged)." in said
    assert "--all trains them as well" in said
    everything = [record_of(one) for one in (key, third, other, damaged)]
    assert rerun.plan(at, [key, third], workflow, True).commands == [["snakemake", "--forcerun", *everything]]


def test_long_lists_are_split(folder: Folder) -> None:
    keys = [f"cell-{number:08x}" for number in range(2 * rerun.AT_ONCE + 1)]
    found = rerun.plan(folder.look(), keys, Asked([], folder.path), False)
    assert [len(command) for command in found.commands] == [rerun.AT_ONCE + 2, rerun.AT_ONCE + 2, 3, 1]
    assert [word for command in found.commands for word in command[1:-1]] == [record_of(key) for key in keys]


def test_commands_name_configuration_and_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    default, own = Path("config.yaml"), Path("experiments/own.yaml")
    results = Path("results")
    assert Workflow([default], results).command("a") == ["snakemake", "a"]
    assert Workflow([default, own], results).command() == ["snakemake", "--configfile", str(own)]
    assert Workflow([own], results).command("-n") == ["snakemake", "-n", "--configfile", str(own)]
    assert Workflow([default], Path("runs/own/results"), ["--cores", "4"]).command() == [
        *["snakemake", "--directory", "runs/own", "--cores", "4"]
    ]


def test_snakemake_that_cannot_answer_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WorkflowError, match="No Snakefile found"):
        Workflow([Path("config.yaml")], Path("results")).pending()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rerun"], "which cells? Give --select EXPR, or one of --failed, --diverged"),
        (["rerun", "--missing"], "has 6 cells (6 done), and none is --missing"),
        (["rerun", "--select", "colour == 'red'"], "'colour' is not a name here"),
        (["verify"], "which cells?"),
        (["verify", "no-such-cell"], "is no cell of this experiment"),
        (["verify", "--select", BIG, "--cores", "0"], "at least 1 cell"),
        (["status", "--select", "activation == 'tanh'"], "matches none of the 8 cells"),
    ],
)
def test_wrong_input_is_one_message(
    folder: Folder, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert folder.run(*words) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert not printed.out
