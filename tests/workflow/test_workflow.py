"""The workflow as its users run it: plan, end to end, idle second run, single cells, changes of code and plan.

Everything runs on a copy of the project, so that tests can edit code and see what that makes outdated.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from project import ROOT, Project

from trainability import files
from trainability.config import load
from trainability.figures import FIGURES
from trainability.plan import included, make_plan


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The miniature experiment, run to the end once."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.printed = project.snakemake("--cores", 3)
    assert f"The report: {project.work / 'results/report.html'}" in project.printed
    return project


@pytest.fixture
def edited(project: Project) -> Any:
    """Append a line to a file of the copy for the time of one test."""
    originals: dict[Path, bytes] = {}

    def edit(file: str, line: str) -> None:
        path = project.code / file
        originals.setdefault(path, path.read_bytes())
        path.write_bytes(path.read_bytes() + line.encode())

    yield edit
    for path, content in originals.items():
        path.write_bytes(content)


def test_default_experiment_is_planned(project: Project, tmp_path: Path) -> None:
    fresh = Project(tmp_path)
    jobs = fresh.jobs(config="")
    settings = load([ROOT / "config.yaml"])
    cells = included(make_plan(settings))
    assert jobs["train"] == len(cells) > 100
    assert (jobs["plan"], jobs["tables"], jobs["claims"], jobs["report"]) == (1, 1, 1, 1)
    assert jobs["data"] == len({cell.dataset for cell in cells.values()})
    assert jobs["analyse"] == len(settings.analyses) == 6
    assert not (fresh.work / "results").exists(), "a dry run writes nothing"


def test_all_files_of_the_interface_are_there(project: Project) -> None:
    results = project.work / "results"
    cells = sorted(path.name for path in results.glob("cells/*"))
    assert len(cells) == 8
    for cell in cells:
        assert {path.name for path in (results / "cells" / cell).iterdir()} == {
            "record.json",
            "curves.parquet",
            "layers.parquet",
        }
    for name in ("plan.csv", "runs.csv", "runs.parquet", "cells.csv", "cells.parquet", "config.json"):
        assert (results / "tables" / name).stat().st_size > 0, name
    assert (results / "report.html").stat().st_size > 100_000
    assert list(results.glob("logs/train/*.log"))
    assert list(results.glob("benchmarks/train/*.jsonl"))


def test_analyses_leave_table_and_origin(project: Project) -> None:
    folder = project.work / "results/analyses"
    assert {path.name for path in folder.iterdir()} == {
        f"{name}.{kind}" for name in ("timing", "born_dead") for kind in ("csv", "json")
    }
    timing = pd.read_csv(folder / "timing.csv")
    assert set(timing["activation"]) == {"relu", "tanh"}
    assert (timing["ratio"] > 0).all()
    assert len(pd.read_csv(folder / "born_dead.csv")) == 6
    assert json.loads((folder / "timing.json").read_text())["table"]["rows"] == len(timing)


def test_what_measures_time_runs_alone(project: Project) -> None:
    """Between its start and its end no other job starts or ends, and none is running."""
    started = r"^(?:local)?rule (?P<rule>\w+):$(?:\n +.*)*?\n +jobid: (?P<start>\d+)$(?P<rest>(?:\n +.*)*)"
    events = re.finditer(rf"{started}|^Finished jobid: (?P<end>\d+) ", project.printed, re.MULTILINE)
    running: set[str] = set()
    alone, most = None, 0
    for event in events:
        if event["end"]:
            running.remove(event["end"])
            alone = None if event["end"] == alone else alone
            continue
        assert alone is None, f"{event['rule']} started beside it"
        running.add(event["start"])
        most = max(most, len(running))
        if "analysis=timing" in event["rest"]:
            assert "threads: 3" in event["rest"]
            assert running == {event["start"]}
            alone = event["start"]
        elif event["rule"] == "analyse":
            assert "threads" not in event["rest"]
    assert not running
    assert most > 1, "other jobs do run side by side"
    assert project.printed.count("analysis=timing") == 1


def test_statements_are_judged(project: Project) -> None:
    tables = project.work / "results/tables"
    claims, evidence = (pd.read_csv(tables / f"{name}.csv") for name in ("claims", "evidence"))
    assert len(claims) == len(yaml.safe_load((ROOT / "report/claims.yaml").read_text())["claims"])
    assert set(claims["verdict"]) <= {"supported", "contradicted", "inconclusive", "not testable here"}
    judged = claims[claims["verdict"] != "not testable here"]
    assert len(judged) > 5
    assert judged["reason"].str.contains("seeds, and at least").any(), "two seeds decide nothing"
    assert set(evidence["claim"]) == set(judged["claim"])


def test_a_statement_of_ones_own_is_checked_before_anything_runs(tmp_path: Path) -> None:
    fresh = Project(tmp_path)
    statement = {
        "id": "mine",
        "statement": "ReLU wins.",
        "source": "me",
        "family": "own",
        "study": "activation_by_init",
        "metric": "test_accuracy",
        "expect": "higher",
        "evidence": {"name": "contrast", "treatment": "activation == 'rleu'", "control": "activation == 'tanh'"},
        "rule": {"name": "exceeds", "by": 0.0, "why": "any"},
    }
    (fresh.work / "mine.yaml").write_text(yaml.safe_dump({"claims": [statement]}))
    name = fresh.variant("own")
    path = fresh.code / f"experiments/{name}.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"claims": ["mine.yaml"]}))
    printed = fresh.snakemake(config=name, status=1)
    assert "claim mine: no cell of study activation_by_init satisfies `activation == 'rleu'`" in printed
    assert "Traceback" not in printed
    assert not (fresh.work / "results").exists()
    statement["evidence"]["treatment"] = "activation == 'relu'"  # type: ignore[index]
    (fresh.work / "mine.yaml").write_text(yaml.safe_dump({"claims": [statement]}))
    assert fresh.jobs(config=name)["claims"] == 1


def test_plan_lists_excluded_cells_with_reasons(project: Project) -> None:
    plan = pd.read_csv(project.work / "results/tables/plan.csv", keep_default_na=False)
    excluded = plan[~plan["included"]]
    assert len(excluded) == 2
    assert excluded["reason"].str.contains("an excluded cell, to see how the report shows it").all()
    trained = set(pd.read_csv(project.work / "results/tables/cells.csv")["cell"])
    assert trained == set(plan.loc[plan["included"], "cell"])


def test_snakemakes_own_report_holds_page_and_figures_with_their_captions(project: Project, tmp_path: Path) -> None:
    project.snakemake("--report", tmp_path / "own.zip")
    with zipfile.ZipFile(tmp_path / "own.zip") as archive:
        index = archive.read("own/report.html").decode()
        held = {name: archive.read(name) for name in archive.namelist()}
    categories, shown = (
        json.JSONDecoder().raw_decode(index, index.index(f"var {name} = {{") + len(f"var {name} = "))[0]
        for name in ("categories", "results")
    )
    results = project.work / "results"
    page = shown["results/report.html"]
    assert page["labels"] == {"view": "all results"}
    assert "All results on one page" in page["caption"]
    assert held[f"own/{page['data_uri']}"] == (results / "report.html").read_bytes()
    for name, figure in FIGURES.items():
        one = shown[f"results/figures/{name}.svg"]
        assert held[f"own/{one['data_uri']}"] == (results / f"figures/{name}.svg").read_bytes()
        assert one["labels"] == {"figure": figure.title}
        assert f"results/figures/{name}.svg" in str(categories[figure.section])
        described = json.loads((results / f"figures/{name}.json").read_text())["caption"]
        assert html.unescape(re.sub(r"<[^>]+>|\s+", " ", one["caption"])).strip() == described
    assert len(shown) == 1 + len(FIGURES)


def test_second_run_does_nothing(project: Project) -> None:
    assert "Nothing to be done" in project.snakemake()


def test_a_statement_outdates_verdicts_and_no_cell(project: Project, edited: Any) -> None:
    edited("report/claims.yaml", "\n# changed\n")
    jobs = project.jobs()
    assert "claims" in jobs
    assert not {"train", "tables", "analyse"} & set(jobs)


def test_single_cell_is_trained_again_to_the_same_bits(project: Project) -> None:
    before = project.digests()
    cell = sorted(before)[0]
    target = f"results/cells/{cell}/record.json"
    stamps = {path: path.stat().st_mtime_ns for path in project.work.glob("results/cells/*/record.json")}
    printed = project.snakemake("--force", target)
    assert re.search(r"^train +1$", printed, re.MULTILINE)
    assert re.search(r"^total +1$", printed, re.MULTILINE)
    changed = {path.parent.name for path, stamp in stamps.items() if path.stat().st_mtime_ns != stamp}
    assert changed == {cell}
    assert project.digests() == before
    after = project.jobs()
    assert "train" not in after
    assert {"tables", "report"} <= set(after)
    project.snakemake()
    assert "Nothing to be done" in project.snakemake()


def test_process_of_its_own_gives_the_same_bits(project: Project) -> None:
    """Without warm workers and on one core: slower, same result."""
    before = project.digests()
    cell = sorted(before)[1]
    project.snakemake("--workflow-profile", "none", "--cores", 1, "--force", f"results/cells/{cell}/record.json")
    assert project.digests() == before
    project.snakemake()


def test_new_value_on_an_axis_trains_only_its_cells(project: Project) -> None:
    values = yaml.safe_load((project.code / "experiments/smoke.yaml").read_text())
    study = values["studies"]["activation_by_init"]
    study["grid"]["activation"] = ["tanh", "relu", "elu"]
    name = project.variant("wider", activation_by_init=study)
    jobs = project.jobs(config=name)
    assert jobs["train"] == 3, "elu with zeros and kaiming_normal, plain and with batchnorm, less the excluded one"
    assert "data" not in jobs
    assert "preprocess" not in jobs


@pytest.mark.parametrize("file", ["training.py", "stacks.py", "health.py", "activations/smooth.py", "record.py"])
def test_change_of_training_code_outdates_all_cells(project: Project, edited: Any, file: str) -> None:
    edited(f"src/trainability/{file}", "\n# changed\n")
    assert project.jobs()["train"] == 8


@pytest.mark.parametrize(
    "file",
    ["src/trainability/report.py", "report/captions.yaml", "report/style.css", "src/trainability/tables.py"],
)
def test_change_of_the_report_outdates_no_cell(project: Project, edited: Any, file: str) -> None:
    path = project.code / file
    if not path.exists():  # the module is a package
        file = f"{file.removesuffix('.py')}/__init__.py"
    edited(file, "\n/* changed */\n" if file.endswith("css") else "\n# changed\n")
    jobs = project.jobs()
    assert not {"train", "data", "preprocess"} & set(jobs)
    assert "report" in jobs


def test_an_analysis_runs_again_for_its_own_parameters_and_code_alone(project: Project, edited: Any) -> None:
    values = yaml.safe_load((project.code / "experiments/smoke.yaml").read_text())
    values["analyses"]["born_dead"]["trials"] = 30
    (project.code / "experiments/trials.yaml").write_text(yaml.safe_dump(values))
    jobs = project.jobs(config="trials")
    assert jobs["analyse"] == 1
    assert "train" not in jobs
    edited("report/captions.yaml", "\n# changed\n")
    assert "analyse" not in project.jobs()
    edited("src/trainability/analyses/stopwatch.py", "\n# changed\n")
    jobs = project.jobs()
    assert jobs["analyse"] == 2
    assert "train" not in jobs


def test_cell_outside_the_plan_is_named(project: Project) -> None:
    printed = project.snakemake("--dry-run", "results/cells/digits.raw.relu.bogus-00000000/record.json", status=1)
    assert "digits.raw.relu.bogus-00000000 is no cell of this experiment" in printed


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_missing_gpu_is_one_clear_message(project: Project, tmp_path: Path) -> None:
    record = json.loads(next((project.work / "results/cells").glob("*/record.json")).read_text())
    data = next((project.work / "results/data/digits").glob("*/preprocessing.json")).parent
    words = ["--cell", json.dumps(record["parameters"]), "--data", data, "--device", "cuda"]
    words += ["--spare", "", "--out", tmp_path]
    command = [sys.executable, "-m", "trainability.cli", "train", *map(str, words)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 2
    assert "device: cuda was asked for, but no CUDA device can be used here" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not any(tmp_path.iterdir())


def test_wrong_configuration_is_one_clear_message_and_nothing_is_written(tmp_path: Path) -> None:
    fresh = Project(tmp_path)
    name = fresh.variant("wrong", colour={"question": "?", "grid": {"activation": ["rleu"], "dept": [1]}})
    printed = fresh.snakemake(config=name, status=1)
    assert "the configuration has 2 problems:" in printed
    assert "studies.colour.grid.activation[0]:" in printed
    assert "did you mean 'relu'?" in printed
    assert "studies.colour.grid.dept: unknown key" in printed
    assert "Traceback" not in printed
    assert not (fresh.work / "results").exists()


def test_cells_are_found_by_expression(project: Project) -> None:
    command = [
        sys.executable,
        "-m",
        "trainability.cli",
        "cells",
        "--paths",
        "--results",
        project.work / "results",
    ]
    command += ["--configfile", project.code / "config.yaml", project.code / "experiments/smoke.yaml"]
    command += ["--select", "init == 'zeros' and activation == 'relu'"]
    printed = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=True).stdout
    lines = [line.split("\t") for line in printed.splitlines()]
    assert [state.split(" ")[0] for _, state in lines] == ["done", "excluded"]
    assert Path(lines[0][0]).exists()


def test_results_beside_themselves_have_not_changed(project: Project, tmp_path: Path) -> None:
    results, page = project.work / "results", tmp_path / "comparison.html"
    words = ["compare", results, results, "--out", page, "--fail-on-change"]
    command = [sys.executable, "-m", "trainability.cli", *map(str, words)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == f"{page}: 0 verdicts flipped, 0 cells moved\n"
    cells = len(project.digests())
    assert f"Of {cells} cells with the same setting {cells} are bit-identical" in page.read_text()


def test_missing_record_is_trained_and_nothing_else(project: Project) -> None:
    before = project.digests()
    cell = sorted(before)[2]
    folder = project.work / "results/cells" / cell
    shutil.rmtree(folder)
    checkpoint = folder / "checkpoint.npz"
    files.write_atomically(checkpoint, b"of some other training")
    assert project.jobs()["train"] == 1
    project.snakemake()
    assert project.digests() == before
    log = (project.work / f"results/logs/train/{cell}.log").read_text()
    assert "checkpoint.npz holds no arrays" in log
    assert not checkpoint.exists()


def test_chosen_cells_are_trained_again_and_no_others(project: Project) -> None:
    before = project.digests()
    (chosen,) = (key for key in before if ".raw." in key)
    (missing,) = (key for key in before if ".pca." in key)
    shutil.rmtree(project.work / "results/cells" / missing)
    stamps = {path: path.stat().st_mtime_ns for path in project.work.glob("results/cells/*/record.json")}
    printed = project.trainability("rerun", "--select", "preprocessing == 'raw'")
    assert f"1 other cell is missing or out of date: {missing} (waiting)." in printed
    assert {path.parent.name for path, stamp in stamps.items() if path.stat().st_mtime_ns != stamp} == {chosen}
    assert not (project.work / "results/cells" / missing / "record.json").exists()
    assert (project.work / "results/report_partial.html").exists()
    explained = project.trainability("explain", missing, chosen)
    assert explained.count("Snakemake would train it (missing).") == 1
    assert explained.count("Snakemake would not train it.") == 1
    printed = project.trainability("rerun", "--missing", "--", "--cores", 2)
    assert f"$ snakemake --forcerun results/cells/{missing}/record.json" in printed
    assert project.digests() == before
    assert "Nothing to be done" in project.snakemake()


def test_verified_cell_brings_the_report_up_to_date_and_nothing_else(project: Project) -> None:
    cell = sorted(project.digests())[0]
    assert f"{cell}: all 4 runs agree to the last bit" in project.trainability("verify", cell)
    assert project.jobs() == {"report": 1, "all": 1}
    project.snakemake()
    assert "1 of 8 cells were trained again and agree" in (project.work / "results/report.html").read_text()
    assert "Nothing to be done" in project.snakemake()


def test_damaged_record_is_named(project: Project) -> None:
    cell = sorted(project.digests())[3]
    path = project.work / "results/cells" / cell / "curves.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    printed = project.snakemake("--force", "results/tables/runs.csv", status=1)
    assert f"{cell}/curves.parquet has SHA-256" in printed
    shutil.rmtree(path.parent)
    project.snakemake()


def test_editing_a_class_of_ones_own_trains_its_cells_and_no_others(tmp_path: Path) -> None:
    """Named in the configuration, found in the working directory, by Snakemake and by its workers."""
    fresh = Project(tmp_path)
    module = fresh.work / "mylab/activations.py"
    module.parent.mkdir()
    module.write_text(
        "from trainability.api import Activation\n\n\n"
        "class Bend(Activation):\n"
        "    lean: float = 0.1\n\n"
        "    def value(self, z, *learned):\n        return z * ((1 - self.lean) * (1 + z * z).rsqrt() + self.lean)\n\n"
        "    def derivative(self, z, *learned):\n"
        "        return (1 - self.lean) / ((1 + z * z) * (1 + z * z).sqrt()) + self.lean\n"
    )
    own: list[Any] = ["mylab.activations:Bend", {"name": "mylab.activations:Bend", "lean": 0.5}]
    study = {"question": "?", "grid": {"activation": ["relu", *own], "init": ["kaiming_normal", "xavier_normal"]}}
    name = fresh.variant("own", own=study, activation_by_init=None, preprocessing=None)
    fresh.snakemake(config=name)
    before = fresh.digests()
    assert len(before) == 6
    page = (fresh.work / "results/report.html").read_text()
    assert "mylab.activations:Bend(lean=0.5)" in page
    assert "Classes from elsewhere" in page
    assert "Nothing to be done" in fresh.snakemake(config=name)

    module.write_text(module.read_text().replace("rsqrt()", "rsqrt() * 1.0"))
    assert fresh.jobs(config=name)["train"] == 4
    fresh.snakemake(config=name)
    after = fresh.digests()
    added = after.keys() - before.keys()
    assert len(added) == 4
    assert all("mylab.activations-Bend" in key for key in added)
    results = {key.rpartition("-")[0]: digest for key, digest in before.items()}
    assert all(after[key] == results[key.rpartition("-")[0]] for key in added), "times one changes no bit"

    module.write_text("1 / 0\n" + module.read_text())
    printed = fresh.snakemake("--dry-run", config=name, status=1)
    problem = "studies.own.grid.activation[1]: module mylab.activations raised ZeroDivisionError: division by zero"
    assert f"{problem}, at mylab/activations.py:1" in printed
    assert "Traceback" not in printed
