"""The sections on batch normalization and depth: their tables and sentences repeat the table of cells."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from report_sample import CONFIG, Sample

from trainability.report import abstract, batchnorm, depth, material, verdicts, wording
from trainability.tables import largest_rates

GRID: dict[str, Any] = CONFIG["studies"]["activations"]["grid"]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    deeper = {"question": "How deep?", "grid": {"depth": [1, 3], "init": GRID["init"]}}
    studies = CONFIG["studies"] | {"depth": deeper}
    return Sample(tmp_path_factory.mktemp("sections"), studies=studies).make()


@pytest.fixture(scope="module")
def found(sample: Sample) -> material.Material:
    return material.load(sample.settings, sample.plan, sample.tables, sample.cells, sample.data, "snakemake")


def test_both_sides_of_batch_normalization_stand_in_one_row(found: material.Material) -> None:
    table = batchnorm.table(found)
    assert [row[0].text for row in table.rows] == ["relu", "elu"]
    cells = found.around_base("activation", "normalization").set_index(["activation", "normalization"])
    rates = largest_rates(found.runs).groupby("cell").median()
    for row in table.rows:
        for place, side in enumerate(("none", "batchnorm"), start=1):
            cell = cells.loc[(row[0].text, side)]
            steps, accuracy, dead, rate = (row[place + 2 * measure] for measure in range(4))
            assert steps.sort == cell[f"median_steps_to_{found.target:g}"]
            assert accuracy.text == wording.with_interval(wording.estimate_of(cell, "test_accuracy"))
            assert dead.sort == pytest.approx(cell["dead_fraction"], nan_ok=True)
            assert rate.sort == rates[cell["cell"]]


def test_the_sentence_on_batch_normalization_counts_the_table(found: material.Material) -> None:
    said = batchnorm.sentence(found)
    rows = {row[0].text: row for row in batchnorm.table(found).rows}
    better = [name for name, row in rows.items() if row[4].sort > row[3].sort]  # type: ignore[operator]
    worse = [name for name in rows if name not in better]
    for names, word in ((better, "higher"), (worse, "lower")):
        assert not names or f"{word} for {wording.listing(names)}" in said.split("Test accuracy: ")[1].split(".  ")[0]


def test_without_pairs_the_section_says_so(found: material.Material) -> None:
    alone = dataclasses.replace(found, cells=found.cells.assign(normalization="none"))
    assert batchnorm.sentence(alone).startswith("No activation was trained")
    assert batchnorm.table(alone).rows == ()


def test_what_was_trained_in_several_depths_stands_by_depth(found: material.Material) -> None:
    rows = depth.table(found).rows
    assert [(row[0].text, row[1].text, row[2].text) for row in rows] == [
        ("relu", init, str(layers)) for init in ("kaiming_normal", "xavier_normal") for layers in (1, 2, 3)
    ]
    cells = found.around_base("depth", "init", "activation").set_index(["init", "depth"])
    for row in rows:
        of_relu = cells[cells["activation"] == "relu"].loc[(row[1].text, int(row[2].text))]
        assert row[3].sort == of_relu["test_accuracy"]
    deepest = cells[(cells["activation"] == "relu")].xs(3, level="depth").sort_values("test_accuracy")
    best, worst = (wording.percent(deepest["test_accuracy"].iloc[place]) for place in (-1, 0))
    said = depth.sentence(found)
    assert f"With `relu` and 3 hidden layers, test accuracy was highest with `{deepest.index[-1]}`, {best}" in said
    assert f"lowest with `{deepest.index[0]}`, {worst}" in said


def test_one_depth_is_said_to_be_one(found: material.Material) -> None:
    flat = dataclasses.replace(found, cells=found.cells.assign(depth=2))
    assert depth.table(flat).rows == ()
    assert depth.sentence(flat).startswith("No activation and initialisation was trained in several depths")


def test_what_stays_open_is_a_limit_with_its_reason(found: material.Material) -> None:
    not_testable, still_open = verdicts.unanswered(found)
    assert [(one.link, one.note) for one in not_testable.entries] == [
        ("claim-elsewhere", "(this experiment has no study other)")
    ]
    assert {one.link for one in still_open.entries} == {
        f"claim-{name}" for name in found.claims.loc[found.claims["verdict"] == "inconclusive", "claim"]
    }


def test_the_question_names_what_is_varied(found: material.Material) -> None:
    assert abstract.question(found).startswith("Which activation, weight initialisation and normalization let a small")
    one = dataclasses.replace(found)
    one.__dict__["varied"] = ["activation"]
    assert abstract.question(one).startswith("Which activation lets a small network train")
    one.__dict__["varied"] = ["depth"]
    assert abstract.question(one).startswith("What lets a small network train")


def test_one_seed_has_no_brackets_to_explain(found: material.Material) -> None:
    single = dataclasses.replace(found, settings=found.settings.model_copy(update={"seeds": (3,)}))
    assert "differences cannot be told from chance" in abstract.limits(single)
