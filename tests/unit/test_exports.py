"""Exports: what they write holds the tables' own numbers, described in full and in the same bytes every time."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import math
import re
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report_sample import Sample

from trainability import cli, exports, figures, files, health, manifests
from trainability import tables as tabled
from trainability.analyses import ANALYSES
from trainability.exports import Choice, curves, dictionary, latex, mlflow, package, results, tensorboard
from trainability.exports.dictionary import Dictionary
from trainability.figures import FIGURES
from trainability.report.blocks import Column, Entry, Table

TINY: dict[str, dict[str, Any]] = {
    "timing": {"activations": ["relu"], "batch": 2, "units": 2, "runs": [1], "rounds": 1},
    "layer_cost": {"activations": ["relu"], "batch": 2, "units": 2, "rounds": 1},
    "born_dead": {"activations": ["relu"], "inits": ["kaiming_normal"], "depths": [1], "widths": [2], "trials": 2},
    "signal": {
        "activations": ["relu"],
        "inits": ["kaiming_normal"],
        "depths": [2],
        "width": 4,
        "examples": 10,
        "seeds": 1,
    },
    "weight_variance": {"inits": ["kaiming_normal"], "layers": [{"inputs": 4, "units": 2}], "draws": 2},
}  # every analysis, as small as can be
SETTING = {
    "studies": {
        "activations": {
            "question": "Which activation is fastest?",
            "grid": {"activation": ["relu", "elu"], "normalization": ["none", "batchnorm"]},
        },
        "preprocessing": {
            "question": "Does preprocessing matter?",
            "grid": {"preprocessing": ["standardize", "raw"], "activation": ["relu", "elu"]},
        },
    },
    "analyses": {"born": TINY["born_dead"] | {"name": "born_dead"}},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished results: a trained sample with its true figures, plan, configuration and an analysis."""
    path = tmp_path_factory.mktemp("results")
    sample = Sample(path, **SETTING)
    sample.make()
    table, config = sample.tables / "plan.csv", sample.tables / "config.json"
    from trainability import plan
    from trainability.analyses import outcome

    plan.write(sample.plan, sample.settings, table, config, path / "plan.log")
    for name, analysis in sample.settings.analyses.items():
        assert analysis is not None
        outcome.write(analysis, name, outcome.compute(analysis), path / "analyses", {})
    for name in FIGURES:
        figures.make(name, sample.settings, sample.plan, sample.tables, sample.data, sample.figures)
    return path


@pytest.fixture(scope="module")
def packaged(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("package")
    exports.make("package", folder, out, Choice())
    return out


def descriptor(packaged: Path) -> dict[str, Any]:
    return json.loads((packaged / "datapackage.json").read_text())


# What is missing or cannot be


def test_a_folder_without_results_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", "latex", "--results", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
    assert cli.main(words) == 2
    assert "holds no results" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_tables_that_lack_cells_are_refused_with_the_cells(folder: Path, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    for name in ("plan.csv", "config.json", "plan.json"):
        shutil.copy(folder / "tables" / name, tables)
    cells = pd.read_parquet(folder / "tables/cells.parquet")
    tabled.write({"cells": cells[1:]}, tables)
    with pytest.raises(files.CorruptFileError, match=re.escape(cells["cell"][0])):
        results.load(tmp_path)


def test_an_unknown_kind_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", "latx", "--out", "x"]) == 2
    error = capsys.readouterr().err
    assert "did you mean 'latex'" in error
    assert all(name in error for name in exports.EXPORTERS)


def test_every_kind_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", "--list"]) == 0
    printed = capsys.readouterr().out
    assert all(f"{name}\t{one.text}" in printed for name, one in exports.EXPORTERS.items())


def test_runs_are_chosen_only_where_runs_are_exported(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(exports.ExportError, match="tensorboard and mlflow"):
        exports.make("latex", folder, tmp_path, Choice(all_runs=True))


def test_a_missing_library_is_one_message_with_its_mend() -> None:
    with pytest.raises(exports.ExportError, match=r"pip install '\.\[mlflow\]'"):
        exports.required("no_such_module_anywhere", "mlflow")


# LaTeX


def structure(text: str) -> None:
    """What lets LaTeX stop: environments and braces that do not pair, a sign that means something, rows too long."""
    bare = re.sub(r"\\[\\&%$#_{}]", "", re.sub(r"^%.*", "", text, flags=re.MULTILINE))
    assert re.findall(r"\\begin\{(\w+)\}", text) == re.findall(r"\\end\{(\w+)\}", text)[::-1]
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert not re.search(r"[#%~]", bare.replace("~", ""))
    outside = re.sub(r"\$[^$]*\$", "", bare)
    assert "^" not in outside
    assert "_" not in re.sub(r"\\(label|includegraphics\[[^]]*\]|input)\{[^}]*\}", "", outside)
    assert all(ord(sign) < 256 for sign in text)


def test_latex_tables_are_well_formed_and_hold_the_numbers(folder: Path, tmp_path: Path) -> None:
    exports.make("latex", folder, tmp_path, Choice())
    names = {path.stem for path in tmp_path.iterdir()}
    assert names == {"table-activations", "table-verdicts", "table-cost", "preview"}
    for path in tmp_path.glob("table-*.tex"):
        text = path.read_text()
        structure(text)
        assert all(rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
        assert rf"\input{{{path.stem}}}" in (tmp_path / "preview.tex").read_text()
    cells = pd.read_parquet(folder / "tables/cells.parquet")
    text = (tmp_path / "table-activations.tex").read_text()
    for row in cells[cells["preprocessing"] == "standardize"].to_dict("records"):
        line = next(
            line for line in text.splitlines() if line.startswith(f"{row['activation']} & {row['normalization']} &")
        )
        accuracy = re.search(r"& ([0-9.]+)~\\%", line)
        assert accuracy is not None
        assert float(accuracy[1]) == pytest.approx(100 * row["test_accuracy"], abs=0.051)
    statements = pd.read_csv(folder / "tables/claims.csv")["statement"]
    text = (tmp_path / "table-verdicts.tex").read_text()
    assert all(latex.escape(statement) in text for statement in statements)


def test_special_characters_are_printed_and_not_obeyed() -> None:
    nasty = r"50 % of $x_1 & \alpha #2 {a} ~ ^ < > | 1.9×10¹¹ ≤ ∞"  # noqa: RUF001
    table = Table("table-x", f'Caption with `a_b` and "quotes": {nasty}', (Column("a_b", True),), ((Entry(nasty),),))
    text = latex.render(table)
    structure(text)
    assert r"50 \% of \$x\_1 \& \textbackslash{}alpha \#2 \{a\} \textasciitilde{}" in text
    assert r"$\times$10$^{11}$ $\leq$ $\infty$" in text
    assert r"\texttt{a\_b} and ``quotes''" in text


def test_grouped_columns_stand_under_their_heading() -> None:
    columns = (Column("name"), Column("low", True, "steps"), Column("high", True, "steps"))
    text = latex.render(Table("table-x", "C", columns, ((Entry("a"), Entry("1"), Entry("2")),)))
    assert r"\multicolumn{2}{c}{steps}" in text
    assert "name & low & high" in text


def test_figures_come_with_captions(folder: Path, tmp_path: Path) -> None:
    exports.make("figures", folder, tmp_path, Choice())
    for name in FIGURES:
        for kind in ("pdf", "svg"):
            assert (tmp_path / f"{name}.{kind}").read_bytes() == (folder / f"figures/{name}.{kind}").read_bytes()
        text = (tmp_path / f"{name}.tex").read_text()
        structure(text)
        assert f"{{{name}.pdf}}" in text
        caption = manifests.load_json(folder / f"figures/{name}.json")["caption"]
        assert latex.marked(caption) in text


# The data package


def test_every_resource_is_there_with_its_size_and_hash(packaged: Path) -> None:
    resources = descriptor(packaged)["resources"]
    assert len({one["name"] for one in resources}) == len(resources)
    for one in resources:
        content = (packaged / one["path"]).read_bytes()
        assert one["bytes"] == len(content)
        assert one["hash"] == "sha256:" + hashlib.sha256(content).hexdigest()
    stored = {one["path"] for one in resources} | {"datapackage.json", "datapackage.zip"}
    assert {str(path.relative_to(packaged)) for path in packaged.rglob("*") if path.is_file()} == stored


def test_licence_and_citation_are_those_of_the_project(packaged: Path) -> None:
    found = descriptor(packaged)
    assert [one["name"] for one in found["licenses"]] == ["MIT"]
    assert found["citation"].startswith("The trainability authors (2026). trainability: ")
    assert {"LICENSE", "CITATION.cff", "config.json", "claims/textbook.yaml"} <= {
        one["path"] for one in found["resources"]
    }


def read_field(text: str, kind: str) -> Any:
    """A field as Frictionless reads it."""
    if text == "":
        return None
    if kind == "boolean":
        return {"true": True, "false": False}[text]
    if kind == "number":
        return {"INF": math.inf, "-INF": -math.inf}.get(text) or float(text)
    return int(text) if kind == "integer" else text


def test_every_field_of_every_csv_is_what_its_schema_says(packaged: Path) -> None:
    for one in descriptor(packaged)["resources"]:
        if one["type"] != "table":
            continue
        frame = pd.read_csv(packaged / one["path"], dtype=str, keep_default_na=False)
        fields = one["schema"]["fields"]
        assert [field["name"] for field in fields] == list(frame), one["path"]
        for field in fields:
            assert len(field["description"]) > 9
            values = [read_field(text, field["type"]) for text in frame[field["name"]]]
            allowed = field.get("constraints", {}).get("enum")
            if allowed:
                assert {value for value in values if value is not None} <= set(allowed), (one["path"], field["name"])
        if key := one["schema"].get("primaryKey"):
            assert not frame.duplicated(key).any()
            assert (frame[key] != "").all(axis=None)


def test_csv_and_parquet_hold_the_results_own_numbers(packaged: Path, folder: Path) -> None:
    for name in package.KEPT:
        original = pd.read_parquet(folder / f"tables/{name}.parquet")
        written = pd.read_csv(packaged / f"tables/{name}.csv", na_values=["", "INF"], keep_default_na=False)
        parquet = pd.read_parquet(packaged / f"tables/{name}.parquet")
        for column in original.select_dtypes("number"):
            expected = original[column].astype(float).to_numpy()
            assert np.array_equal(parquet[column].to_numpy(float, na_value=np.nan), expected, equal_nan=True)
            finite = np.where(np.isinf(expected), np.nan, expected)
            assert np.allclose(written[column].to_numpy(float), finite, rtol=1e-6, atol=0, equal_nan=True)
    steps = pd.read_parquet(folder / "tables/runs.parquet")["steps_to_0.2"]
    assert np.isinf(steps).any()
    assert (packaged / "tables/runs.csv").read_text().count("INF") >= np.isinf(steps).sum()


def test_the_zip_holds_the_same_files_in_the_same_bytes_every_time(
    packaged: Path, folder: Path, tmp_path: Path
) -> None:
    exports.make("package", folder, tmp_path, Choice())
    assert (tmp_path / package.ZIP).read_bytes() == (packaged / package.ZIP).read_bytes()
    with zipfile.ZipFile(packaged / package.ZIP) as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            assert archive.read(name) == (packaged / name).read_bytes()


def test_the_readable_dictionary_has_every_column(packaged: Path) -> None:
    text = (packaged / "DICTIONARY.md").read_text()
    for one in descriptor(packaged)["resources"]:
        for field in one.get("schema", {}).get("fields", []):
            assert f"| `{field['name']}` | {field['type']} |" in text


def test_a_column_that_nobody_described_is_an_error() -> None:
    with pytest.raises(files.CorruptFileError, match="column novelty of table runs has no description"):
        Dictionary().column("runs", "novelty")


@pytest.mark.parametrize("name", list(ANALYSES))
def test_every_column_of_every_analysis_is_described(name: str) -> None:
    from trainability.analyses import outcome

    words = Dictionary()
    for column in outcome.compute(ANALYSES.parse(json.dumps(TINY[name] | {"name": name}))):
        assert words.column(name, column).text


def test_the_dictionary_describes_layers_as_health_measures_them() -> None:
    words = Dictionary()
    assert all(words.column("layers", name).type == "number" for name in health.COLUMNS)
    assert words.column("cells", "update_ratio").text.startswith("Geometric mean over seeds: mean over hidden layers")
    assert words.column("cells", "dead_fraction_low").text == "Lower bound of the 95 % interval of dead_fraction."
    assert words.column("plan", "sizing").values == ("width", "parameters", "flops")


def test_the_dictionary_speaks_of_no_table_that_does_not_exist() -> None:
    known = {*package.KEPT, *package.WRITTEN, *ANALYSES, dictionary.FIGURE}
    assert set(Dictionary().sheets) == known


def test_a_damaged_field_is_one_message(tmp_path: Path) -> None:
    manifests.save_described(tmp_path / "claims.json", {"evidence.csv": b"claim,n\na,many\n"})
    with pytest.raises(files.CorruptFileError, match="column n is no integer throughout"):
        package._read(tmp_path / "claims.json", "evidence.csv", "evidence", Dictionary())


# Curves


def test_runs_are_those_of_the_tables(folder: Path) -> None:
    found = results.load(folder)
    table, points = found.table("runs"), found.table("curves")
    chosen, every = (list(curves.runs(found, Choice(all_runs=all_runs))) for all_runs in (False, True))
    assert len(chosen) == table["selected"].sum()
    assert len(every) == len(table)
    run = next(run for run in every if run.text["status"] == "ok")
    rows = points[(points["cell"] == run.cell) & (points["seed"] == run.seed) & (points["learning_rate"] == run.rate)]
    assert run.scalars["validation_accuracy"] == list(
        zip(rows["step"], rows["validation_accuracy"].astype(float), strict=True)
    )
    assert [step for step, _ in run.scalars["train_loss"]] == list(rows.loc[rows["probed"], "step"])
    assert all(f"dead_fraction/layer_{layer}" in chosen[0].scalars for layer in (1, 2))
    assert all(math.isfinite(value) for run in every for pairs in run.scalars.values() for _, value in pairs)


def test_cells_are_selected_as_elsewhere(folder: Path) -> None:
    found = results.load(folder)
    runs = list(curves.runs(found, Choice(select="activation == 'elu' and normalization == 'batchnorm'")))
    assert {(run.parameters["activation"], run.parameters["normalization"]) for run in runs} == {("elu", "batchnorm")}
    with pytest.raises(exports.ExportError, match="holds for no trained cell"):
        list(curves.runs(found, Choice(select="activation == 'tanh'")))


def test_tensorboard_reads_what_the_tables_hold(folder: Path, tmp_path: Path) -> None:
    exports.make("tensorboard", folder, tmp_path / "one", Choice())
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = next(curves.runs(results.load(folder), Choice()))
    events = EventAccumulator(str(tmp_path / "one" / run.name)).Reload()
    for name, points in run.scalars.items():
        assert [(event.step, pytest.approx(event.value)) for event in events.Scalars(name)] == points
    assert events.Scalars("final/test_accuracy")[0].value == pytest.approx(run.final["test_accuracy"])
    exports.make("tensorboard", folder, tmp_path / "two", Choice())
    paths = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob(tensorboard.FILE))
    assert len(paths) == results.load(folder).table("runs")["selected"].sum()
    assert all((tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes() for path in paths)


@dataclasses.dataclass
class Client:
    """What the exporter asks of MLflow's client, and nothing else; it keeps what it is told."""

    runs: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    batches: list[int] = dataclasses.field(default_factory=list)

    def create_experiment(self, name: str, artifact_location: str) -> str:
        assert artifact_location.startswith("file://")
        return name

    def create_run(self, experiment: str, start_time: int, run_name: str) -> Any:
        self.runs[run_name] = {"experiment": experiment, "metrics": [], "params": {}, "tags": {}}
        return SimpleNamespace(info=SimpleNamespace(run_id=run_name))

    def log_batch(self, run_id: str, metrics: Any = (), params: Any = (), tags: Any = ()) -> None:
        self.batches.append(len(metrics))
        self.runs[run_id]["metrics"] += metrics
        self.runs[run_id]["params"] |= dict(params)
        self.runs[run_id]["tags"] |= dict(tags)

    def set_terminated(self, run_id: str, status: str, end_time: int) -> None:
        self.runs[run_id]["status"] = status


def test_mlflow_is_told_what_the_tables_hold(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow, "MOST", 50)
    found, client = results.load(folder), Client()
    entities = tuple(lambda *fields: fields for _ in range(3))
    chosen = list(curves.runs(found, Choice(all_runs=True)))
    assert mlflow.log(client, entities, found, tmp_path, iter(chosen)) == len(chosen) == len(client.runs)  # type: ignore[arg-type]
    assert max(client.batches) == 50
    for run in chosen:
        told = client.runs[run.name]
        assert told["experiment"] == "A small experiment"
        assert told["status"] == ("FAILED" if run.text["status"] == "diverged" else "FINISHED")
        assert told["params"]["activation"] == run.parameters["activation"]
        metrics = [(step, value) for name, value, _, step in told["metrics"] if name == "validation_loss"]
        assert metrics == run.scalars.get("validation_loss", [])
    assert {run["status"] for run in client.runs.values()} == {"FAILED", "FINISHED"}


def test_a_database_that_exists_is_left_alone(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    stand_in = SimpleNamespace(MlflowClient=None)
    monkeypatch.setitem(sys.modules, "mlflow", stand_in)
    monkeypatch.setitem(sys.modules, "mlflow.entities", SimpleNamespace(Metric=None, Param=None, RunTag=None))
    (tmp_path / mlflow.DATABASE).write_text("runs")
    with pytest.raises(exports.ExportError, match="delete it, or name another --out"):
        exports.make("mlflow", folder, tmp_path, Choice())
    assert (tmp_path / mlflow.DATABASE).read_text() == "runs"


def test_parquet_keeps_what_a_csv_cannot(packaged: Path) -> None:
    frame = pd.read_parquet(io.BytesIO((packaged / "tables/evidence.parquet").read_bytes()))
    assert frame["treatment_edge"].dtype == "boolean"
    assert frame["n"].dtype == "Int64"
