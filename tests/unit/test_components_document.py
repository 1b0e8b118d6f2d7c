"""docs/components.md: its modules and its experiment are written out, checked, planned and trained."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from trainability import cli, config, foreign, plan, record

DOCUMENT = Path(__file__).parents[2] / "docs/components.md"
BLOCK = re.compile(r"^`([\w/.]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = dict(BLOCK.findall(DOCUMENT.read_text()))
CLASSES = [
    f"{path.removesuffix('.py').replace('/', '.')}:{name}"
    for path, text in BLOCKS.items()
    for name in re.findall(r"^class (\w+)\((?!Source|Normalizer)", text, re.MULTILINE)
]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, with all files of the document."""
    for name, text in BLOCKS.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(foreign, "_first_read", {})
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "mylab"]:
        del sys.modules[name]


def test_document_has_an_example_of_each_registry() -> None:
    kinds = ("activations", "initializers", "preprocessings", "datasets", "generated", "normalizations")
    assert [name.partition(":")[0] for name in CLASSES] == [f"mylab.{kind}" for kind in kinds]
    lines = [line for line in BLOCKS["mylab/activations.py"].splitlines() if line.strip()]
    assert len(lines) <= 10, "ten lines are promised"


@pytest.mark.parametrize("name", CLASSES)
def test_examples_keep_the_protocol(written: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", name]) == 0, capsys.readouterr().out


def test_experiment_is_planned(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "--configfile", "bend.yaml"]) == 0
    assert capsys.readouterr().out.startswith("Does it pay to bend?: 32 cells, 1280 runs")


@pytest.mark.parametrize("data", ["datasets", "generated"])
def test_every_example_trains(written: Path, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The new activation of the document with all its other components, in one tiny cell."""
    values: dict[str, Any] = yaml.safe_load(BLOCKS["bend.yaml"]) | {"seeds": 1, "learning_rates": [0.03]}
    modules = {
        "activation": "activations",
        "init": "initializers",
        "preprocessing": "preprocessings",
        "dataset": data,
        "normalization": "normalizations",
    }
    of_module = {name.partition(":")[0].removeprefix("mylab."): name for name in CLASSES}
    values["studies"]["bend"] |= {"grid": {factor: [of_module[module]] for factor, module in modules.items()}}
    values["studies"]["bend"]["overrides"] = {"depth": 2, "width": 8, "epochs": 6}
    (cell,) = plan.included(plan.make_plan(config.read(values))).values()
    steps = (
        ["data", "--dataset", cell.dataset.model_dump_json(), "--source", "", "--download-to", "data", "--out", "d"],
        ["preprocess", "--preprocessing", cell.preprocessing.model_dump_json(), "--data", "d", "--out", "p"],
        ["train", "--cell", cell.canonical, "--data", "p", "--device", "cpu", "--spare", "", "--out", "cell"],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of other libraries' imports
        for words in steps:
            assert cli.main(words) == 0, capsys.readouterr().err
    content = record.read(Path("cell")).content
    assert content["parameters"]["activation"]["name"] == CLASSES[0]
    assert content["runs"][0]["status"] == "ok"
    assert content["runs"][0]["test_accuracy"] > 0.8
