"""What the explorer holds of an experiment, read back from the page's blocks and compared with the tables."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report_sample import Sample
from unpacking import unpack

from trainability.explorer import cells, index, metrics, page
from trainability.plan import included
from trainability.report import material
from trainability.report.blocks import Explorer
from trainability.report.material import Material


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return Sample(tmp_path_factory.mktemp("explorer")).make()


@pytest.fixture(scope="module")
def found(sample: Sample) -> Material:
    return material.load(sample.settings, sample.plan, sample.tables, sample.cells, sample.data, "snakemake")


@pytest.fixture(scope="module")
def block(sample: Sample, found: Material) -> Explorer:
    return page.block(found, sample.tables, sample.logs)


@pytest.fixture(scope="module")
def parts(block: Explorer) -> dict[str, dict[str, Any]]:
    """The trained cells by key."""
    return {part["key"]: part for text in block.cells for part in unpack(text)}


def table(sample: Sample, name: str) -> pd.DataFrame:
    return pd.read_parquet(sample.tables / f"{name}.parquet")


def test_the_map_has_every_cell_of_the_plan_with_its_exact_figures(sample: Sample, block: Explorer) -> None:
    (one,) = unpack(block.index)
    assert one["keys"] == list(sample.plan)
    rows = table(sample, "cells").set_index("cell")
    for line, name in enumerate(one["metrics"]):
        for place, key in enumerate(one["keys"]):
            value = one["values"]["metrics"][line, place]
            expected = rows.loc[key, name] if key in rows.index else np.nan
            assert np.array_equal(value, float(expected), equal_nan=True), (name, key)
    for place, entry in enumerate(sample.plan.values()):
        for line, (factor, values) in enumerate(one["factors"].items()):
            assert values[one["values"]["factors"][line, place]] == str(entry.cell.labels[factor])
        status = one["statuses"][one["values"]["status"][place]]
        assert status == (rows.loc[entry.cell.key, "status"] if entry.included else "left out")
        assert one["reasons"].get(str(place), "") == entry.reason


def test_the_map_opens_at_the_base_with_the_two_largest_axes(found: Material, block: Explorer) -> None:
    (one,) = unpack(block.index)
    base = {"activation": "relu", "init": "kaiming_normal", "normalization": "none"}
    filters = {name: [value] for name, value in base.items()}
    assert one["start"] == {"rows": "activation", "columns": "init", "filters": filters}
    assert one["base"] == base


def test_a_cell_without_results_is_not_trained(sample: Sample, found: Material) -> None:
    gone = found.cells["cell"].iloc[2]
    some = dataclasses.replace(found, cells=found.cells[found.cells["cell"] != gone])
    (one,) = unpack(page.block(some, sample.tables, sample.logs).index)
    place = one["keys"].index(gone)
    assert one["statuses"][one["values"]["status"][place]] == "not trained"
    assert np.isnan(one["values"]["metrics"][:, place]).all()


def test_curves_agree_with_the_table(sample: Sample, parts: dict[str, Any]) -> None:
    curves = table(sample, "curves")
    for key, part in parts.items():
        rows = curves[curves["cell"] == key]
        runs = part["lengths"]["runs"]
        assert part["steps"] == rows["step"].unique().tolist()
        assert part["probes"] == rows["step"][rows["probed"]].unique().tolist()
        for name, of in (("validation", rows), ("train", rows[rows["probed"]])):
            accuracy, loss = (of[f"{name}_{what}"].to_numpy(float).reshape(runs, -1) for what in ("accuracy", "loss"))
            assert np.allclose(part["values"][f"{name}_accuracy"], accuracy, rtol=0, atol=1.01e-5, equal_nan=True)
            assert np.allclose(part["values"][f"{name}_loss"], loss, rtol=2**-7.99, atol=0, equal_nan=True)


def test_runs_and_seeds_agree_with_the_table(sample: Sample, parts: dict[str, Any]) -> None:
    runs = table(sample, "runs")
    for key, part in parts.items():
        rows = runs[runs["cell"] == key]
        assert part["seed_of_run"] == rows["seed"].tolist()
        assert part["rate_of_run"] == rows["learning_rate"].tolist()
        assert [cells.RUN_STATUSES[code] for code in part["values"]["status"]] == rows["status"].tolist()
        ended = rows.reset_index(drop=True)
        ended = ended[ended["status"] != "ok"]
        assert [(run, reason) for run, reason, _ in part["endings"]] == [*ended["reason"].items()]
        chosen = rows[rows["selected"]]
        for line, name in enumerate(metrics.of_seeds(sample.settings.targets)):
            assert np.array_equal(part["values"]["final"][line], chosen[name].to_numpy(float), equal_nan=True)


def test_layers_are_the_spread_over_the_seeds_that_have_a_figure(sample: Sample, parts: dict[str, Any]) -> None:
    layers = table(sample, "layers")
    shown = cells.healths(layers)
    assert set(shown["shares"] + shown["numbers"]) == set(layers.columns[6:])  # all that is measured
    for key, part in parts.items():
        rows = layers[layers["cell"] == key]
        for kind, tolerance in (
            ("shares", {"rtol": 0, "atol": 1.01e-5}),
            ("numbers", {"rtol": 2**-7.99, "atol": 1e-38}),
        ):
            for line, name in enumerate(shown[kind]):
                by = rows[name].replace([np.inf, -np.inf], np.nan).groupby([rows["step"], rows["layer"]])
                for number, spread in enumerate((by.median(), by.min(), by.max())):
                    packed = part["values"][kind][line, number].ravel()
                    assert np.allclose(packed, spread.to_numpy(float), equal_nan=True, **tolerance), (key, name)
                known = part["values"]["known"][line + (kind == "numbers") * len(shown["shares"])]
                assert known.ravel().tolist() == by.count().tolist()


def test_seeds_without_a_figure_are_left_out_and_counted() -> None:
    seeds = np.array([[[1.0, np.nan]], [[np.inf, np.nan]], [[4.0, np.nan]], [[2.0, np.nan]]])
    spread, known = cells._spread(seeds)
    assert np.array_equal(spread, [[[2.0, np.nan], [1.0, np.nan], [4.0, np.nan]]], equal_nan=True)
    assert known.tolist() == [[3, 0]]


def test_a_cell_says_where_it_comes_from(sample: Sample, found: Material) -> None:
    key = next(iter(included(sample.plan)))
    sample.logs.mkdir(exist_ok=True)
    (sample.logs / f"{key}.log").write_text("".join(f"line {number}\n" for number in range(30)))
    part = unpack(page.block(found, sample.tables, sample.logs).cells[0])[0]
    record = found.records[key]
    assert part["log"] == [f"line {number}" for number in range(18, 30)]
    assert part["parameters"] == record["parameters"]
    assert part["hashes"]["results"] == record["digest"]
    assert part["commands"][0][1] == f"snakemake -f results/cells/{key}/record.json"
    others = unpack(page.block(found, sample.tables, sample.logs / "elsewhere").cells[0])
    assert others[0]["log"] == []


def test_the_same_results_give_the_same_blocks(sample: Sample, found: Material, block: Explorer) -> None:
    assert page.block(found, sample.tables, sample.logs / "elsewhere") == page.block(
        found, sample.tables, sample.logs / "elsewhere"
    )


def test_every_metric_of_the_tables_has_a_title(sample: Sample, found: Material) -> None:
    shown = index.shown(found)
    assert set(shown) <= set(found.cells.columns)
    bounded = {name.removesuffix("_low") for name in found.cells.columns if name.endswith("_low")}
    assert bounded <= set(shown)
