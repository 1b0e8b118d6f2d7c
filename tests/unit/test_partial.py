"""Reports on unfinished experiments: the states of cells, nothing partial shown as final, failures with their logs."""

from __future__ import annotations

import json
import re
import shutil
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from report_sample import CLAIMS, SOURCES, Sample, claim

from trainability import (
    checkpoints,
    cli,
    config,
    files,
    manifests,
    notes,
    partial,
    plan,
    progress,
    record,
    report,
    tables,
)
from trainability.claims.verdicts import NOT_TESTABLE, NOT_YET
from trainability.progress import COMPLETE
from trainability.report import comparisons, material, rankings, unfinished

STUDIES: dict[str, Any] = {
    "activations": {
        "question": "Which activation is fastest?",
        "grid": {"activation": ["relu", "elu"], "normalization": ["none", "batchnorm"]},
    },
    "widths": {"question": "Does width matter?", "grid": {"width": [8, 12]}},
}
WIDER = {"name": "contrast", "treatment": "width == 12", "control": "width == 8"}
STATEMENTS = [*CLAIMS, claim("wider", study="widths", evidence=WIDER, family="widths")]


class Folder:
    """Results that a test may break."""

    def __init__(self, sample: Sample, folder: Path) -> None:
        self.path, self.settings, self.plan = folder, sample.settings, sample.plan

    def key(self, activation: str, normalization: str, width: int = 8) -> str:
        wanted = (activation, normalization, width)
        names = ("activation", "normalization", "width")
        (key,) = (key for key, one in self.plan.items() if tuple(one.cell.labels[n] for n in names) == wanted)
        return key

    def log(self, key: str, text: str) -> Path:
        log = self.path / f"logs/train/{key}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(text)
        return log

    def fail(self, key: str, text: str, reason: str = "exit status 1") -> None:
        """As a job leaves things that failed."""
        shutil.rmtree(self.path / "cells" / key)
        files.write_atomically(self.path / "cells" / key / checkpoints.NAME, b"a checkpoint")
        with notes.kept(self.log(key, text)) as failed:
            failed(reason)

    def edit(self, key: str, **changes: Any) -> None:
        """Change a part of a record."""
        path = self.path / "cells" / key / "record.json"
        content = manifests.load_json(path)
        for name, values in changes.items():
            content[name] = content[name] | values
        manifests.save_json(path, content)

    def survey(self) -> progress.Progress:
        return progress.survey(self.settings, self.plan, self.path)[0]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("whole")
    path = folder / "statements.yaml"
    path.write_text(yaml.safe_dump({"claims": [one.model_dump(mode="json") for one in STATEMENTS]}))
    return Sample(folder / "results", studies=STUDIES, claims=[str(path)]).make()


@pytest.fixture
def whole(sample: Sample, tmp_path: Path) -> Folder:
    return Folder(sample, Path(shutil.copytree(sample.tables.parent, tmp_path / "results")))


@pytest.fixture(scope="module")
def broken(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """ELU with batch normalization failed, all else is finished; the report on that is made."""
    folder = Folder(sample, tmp_path_factory.mktemp("broken") / "results")
    shutil.copytree(sample.tables.parent, folder.path)
    lines = [f"line {number}" for number in range(30)]
    folder.fail(folder.key("elu", "batchnorm"), "\n".join([*lines, "ValueError: <b>no such luck</b>"]))
    partial.make(folder.settings, folder.plan, folder.path, SOURCES, "snakemake --configfile mine.yaml")
    return folder


@pytest.fixture(scope="module")
def page(broken: Folder) -> str:
    return (broken.path / "report_partial.html").read_text()


def words(page: str) -> str:
    """The page's text with plain spaces."""
    text = unescape(re.sub(r"<[^>]+>", "", re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)))
    return re.sub(r"\s+", " ", text)


# What is finished


def test_a_complete_experiment_lacks_nothing(whole: Folder) -> None:
    found, records = progress.survey(whole.settings, whole.plan, whole.path)
    assert found == COMPLETE
    assert set(records) == set(whole.plan)
    assert found.waiting(whole.plan) == {}


def test_a_record_must_come_from_the_code_data_and_torch_that_are_here(whole: Folder) -> None:
    old = whole.key("relu", "none"), whole.key("elu", "none"), whole.key("relu", "batchnorm")
    whole.edit(old[0], hashes={"code": "0" * 16})
    whole.edit(old[1], hashes={"data": "0" * 64})
    whole.edit(old[2], versions={"torch": "1.0.0"})
    assert whole.survey().cells == dict.fromkeys(old, "outdated")
    # Two studies ask for the cell that relu has at the base.
    assert whole.survey().waiting(whole.plan) == {
        "activations": "study activations lacks 3 of its 4 cells",
        "widths": "study widths lacks 1 of its 2 cells",
    }


def test_a_damaged_record_is_not_finished(whole: Folder) -> None:
    keys = whole.key("relu", "none"), whole.key("elu", "none")
    (whole.path / "cells" / keys[0] / "record.json").write_text("{")
    (whole.path / "cells" / keys[1] / "curves.parquet").write_bytes(b"")
    assert whole.survey().cells == dict.fromkeys(keys, "damaged")


def test_running_failed_stopped_and_waiting_are_told_apart(whole: Folder) -> None:
    running, failed = whole.key("relu", "none"), whole.key("elu", "none")
    stopped, waiting = whole.key("relu", "batchnorm"), whole.key("elu", "batchnorm")
    whole.fail(failed, "a\nb\n", "its process ended with status -9")
    for key in (running, stopped, waiting):
        shutil.rmtree(whole.path / "cells" / key)
        whole.log(key, "as far as it got")  # a log alone, of an earlier success, says nothing
    notes.path_of(whole.log(stopped, "as far as it got")).touch()
    with notes.kept(whole.path / f"logs/train/{running}.log"):
        found = whole.survey()
    assert found.cells == {running: "running", failed: "failed", stopped: "stopped", waiting: "waiting"}
    assert {(one.job.name, one.state, one.reason, one.tail) for one in found.troubles} == {
        (failed, "failed", "its process ended with status -9", "a\nb"),
        (stopped, "stopped", "", "as far as it got"),
    }


def test_a_failure_of_another_experiment_in_the_same_folder_is_not_listed(whole: Folder) -> None:
    with notes.kept(whole.log("digits.raw.relu.zeros.none-00000000", "")) as failed:
        failed("exit status 1")
    assert whole.survey() == COMPLETE


def test_failed_jobs_of_every_rule_are_found(whole: Folder) -> None:
    for job in progress.jobs(whole.settings, whole.plan):
        log = whole.path / job.log
        log.parent.mkdir(parents=True, exist_ok=True)
        with notes.kept(log) as failed:
            failed("exit status 1")
    rules = {trouble.job.rule for trouble in whole.survey().troubles}
    assert rules == {"plan", "data", "preprocess", "train", "tables", "claims", "figure", "report"}


def test_the_jobs_are_those_of_the_rules() -> None:
    """So that a job of a new rule cannot fail without being listed; `log` in a rules file is where the note is."""
    root = SOURCES.parent
    settings = config.load([root / "config.yaml"])
    known = {job.rule: job for job in progress.jobs(settings, plan.make_plan(settings))}
    text = "\n".join(path.read_text() for path in sorted((root / "workflow/rules").glob("*.smk")))
    logs = dict(re.findall(r'^rule (\w+):$.*?^    log:\n        "results/(.*?)"', text, re.MULTILINE | re.DOTALL))
    assert set(logs) - set(known) == {"report_partial"}
    for rule, job in known.items():
        pattern = re.escape(logs[rule]).replace(r"\{", "{").replace(r"\}", "}")
        assert re.fullmatch(re.sub(r"{\w+}", "[^/]+", pattern), job.log), rule


# Tables and verdicts


def test_tables_are_those_of_the_finished_cells_and_the_full_ones_stay(broken: Folder, sample: Sample) -> None:
    whole, part = (
        pd.read_parquet(folder / "tables/cells.parquet") for folder in (broken.path, broken.path / "partial")
    )
    left = broken.key("elu", "batchnorm")
    pd.testing.assert_frame_equal(part, whole[whole["cell"] != left].reset_index(drop=True))
    for name in ("tables/cells.parquet", "tables/claims.csv", "figures/convergence.svg"):
        assert (broken.path / name).read_bytes() == (sample.tables.parent / name).read_bytes()


def test_statements_wait_for_their_study(broken: Folder) -> None:
    verdicts = pd.read_csv(broken.path / "partial/tables/claims.csv").set_index("claim")["verdict"]
    assert verdicts[["faster", "better", "alike", "level"]].tolist() == [NOT_YET] * 4
    assert verdicts["elsewhere"] == NOT_TESTABLE
    assert verdicts["wider"] not in (NOT_YET, NOT_TESTABLE)


# The page


def test_title_banner_and_abstract_say_what_is_missing(page: str) -> None:
    title = "Unfinished (4 of 5 cells): A small experiment"
    assert f"<title>{title}</title>" in page
    text = words(page)
    said = "This experiment is not finished: 4 of 5 cells are done (1 failed)."
    assert text.count(said) == 2, "above everything, and in the abstract"
    assert text.index(title) < text.index(said) < text.index("Abstract", text.index(said))
    waiting = len(yaml.safe_load((SOURCES / "claims.yaml").read_text())["claims"]) + len(STATEMENTS)
    assert f"4 of {waiting} statements cannot be judged yet." in text
    assert "4 not judged yet" in text
    assert "1 job failed or stopped" in text


def test_comparisons_that_lack_cells_are_marked_and_others_are_not(page: str) -> None:
    text = words(page)
    mark = "Not final: 1 of 4 cells are not finished and left out (elu)."
    captions = dict(re.findall(r"<caption><b>(Table \d+)\.</b> (.*?)</caption>", page))
    marked = [caption.split(".")[0] for caption in captions.values() if mark in unescape(caption)]
    assert [caption.split(",")[0] for caption in marked] == [
        "Convergence speed",
        "Dead units",
        "Final accuracy",
        "Without and with batch normalization at the base setting",
        "Inside the layers",
        "Cost",
    ]
    assert "Not final, without all cells of elu: Normalization batchnorm. " in text
    assert "Not final, without all cells of elu: Normalization none: " not in text
    assert "Not final, without all cells of elu: To " not in text, "the abstract compares without normalization"
    assert "Rankings by how misses count: withheld until every cell is finished." in text
    assert "Activations cannot be compared as a whole: 1 of the 4 cells that take part are not finished." in text


def test_figures_that_lack_cells_say_so(broken: Folder) -> None:
    words = manifests.load_json(broken.path / "partial/figures/final_accuracy.json")
    assert words["caption"].endswith("Not final: 1 of 4 cells are not finished and left out (elu).")
    words = manifests.load_json(broken.path / "partial/figures/accuracy_by_init.json")
    assert "what is blank is not in the plan or not finished." in words["caption"]
    words = manifests.load_json(broken.path / "partial/figures/performance_profiles.json")
    assert words["caption"] == "Nothing to show: 1 of the 4 cells that take part are not finished."
    words = manifests.load_json(broken.path / "partial/figures/preprocessing_images.json")
    assert "Not final" not in words["caption"]


def test_failed_jobs_stand_with_the_end_of_their_log_and_the_command(page: str, broken: Folder) -> None:
    key = broken.key("elu", "batchnorm")
    text = words(page)
    assert f"snakemake --configfile mine.yaml -f results/cells/{key}/record.json" in text
    assert "failed: exit status 1" in text
    assert f"Log of train {key}, its last 20 lines at most" in text
    assert "line 11 line 12" in text
    assert "line 10 " not in text, "twenty lines"
    assert "<b>no such luck</b>" not in page, "text stays text"
    assert "results/partial/figures" in page.replace(str(broken.path), "results")


def test_the_same_state_gives_the_same_page(broken: Folder, page: str, tmp_path: Path) -> None:
    folders = [broken.path / name for name in ("partial/tables", "partial/figures", "cells", "data", "logs/train")]
    again = tmp_path / "again.html"
    command = "snakemake --configfile mine.yaml"
    report.render(broken.settings, broken.plan, *folders, SOURCES, again, command, broken.survey())
    assert again.read_text() == page


def test_of_a_complete_experiment_nothing_is_said(sample: Sample) -> None:
    folders = (sample.tables, sample.cells, sample.data)
    found = material.load(sample.settings, sample.plan, *folders, "snakemake", COMPLETE)
    assert unfinished.title(found) == "A small experiment"
    assert unfinished.banner(found) == ()
    assert unfinished.sections(found) == []
    assert unfinished.hedged(found, "So.", "activation") == "So."
    parts = report.sections(found, {})
    assert unfinished.marked(found, parts) is parts
    assert "withheld" not in rankings.table(found).caption
    assert "Not final" not in comparisons.accuracy(found).caption


# The command


@pytest.fixture
def experiment(whole: Folder, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """The folder as the working directory, with the configuration beside it."""
    monkeypatch.chdir(whole.path.parent)
    values = whole.settings.model_dump(mode="json")
    Path("config.json").write_text(json.dumps(values | {"learning_rates": [1e-05, 0.05]}))
    return whole


def test_nothing_finished_is_one_clear_message(experiment: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    """The plan of other learning rates has other cells, none of which is there; 1e-05 is a number in JSON."""
    assert cli.main(["report-partial", "--configfile", "config.json"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("trainability: none of the 5 cells is finished (5 waiting), so there is nothing to report")
    assert not Path("results/partial").exists()
    assert not Path("results/report_partial.html").exists()


def test_nothing_finished_names_what_failed(whole: Folder) -> None:
    for key in whole.plan:
        whole.fail(key, "one\nValueError: two\n")
    with pytest.raises(partial.NothingFinishedError, match=r"5 failed(.|\n)*train digits.* failed: ValueError: two"):
        partial.make(whole.settings, whole.plan, whole.path, SOURCES, "snakemake")


def test_a_wrong_configuration_is_one_clear_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "wrong.json"
    path.write_text("{")
    assert cli.main(["report-partial", "--configfile", str(path)]) == 2
    assert "not JSON" in capsys.readouterr().err


def test_tabulate_takes_some_cells(sample: Sample) -> None:
    key = next(iter(sample.plan))
    found = tables.tabulate(sample.plan, [(key, record.read(sample.cells / key))], sample.settings.targets)
    whole = pd.read_parquet(sample.tables / "runs.parquet")
    pd.testing.assert_frame_equal(found["runs"], whole[whole["cell"] == key].reset_index(drop=True))
