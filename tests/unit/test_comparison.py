"""Two experiments side by side: which cells match, what moved, what flipped, and folders that cannot be compared."""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import report_sample
from report_sample import Sample
from sealing import differing, sealed

from trainability import cli, comparison, config, manifests, plan, record
from trainability.claims.verdicts import CONTRADICTED, INCONCLUSIVE, NOT_TESTABLE, SUPPORTED
from trainability.comparison import cells, matching, moves, origins, page, scatter, sentences, sides, verdicts
from trainability.comparison.matching import CELL, PLACE, SETTING
from trainability.comparison.moves import APART, FEW, IDENTICAL, MOVED, NOISE, SMALL, UNKNOWN
from trainability.comparison.sides import Side

SEEDS = 6
STUDIES: dict[str, Any] = copy.deepcopy(report_sample.CONFIG["studies"])
STUDIES["activations"]["grid"]["activation"] = ["relu", "elu", "tanh"]
RELU = "digits.standardize.relu.kaiming_normal.none"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a small experiment, as the workflow leaves them."""
    folder = tmp_path_factory.mktemp("finished")
    made = Sample(folder, seeds=SEEDS, studies=STUDIES).make()
    plan.write(made.plan, made.settings, made.tables / "plan.csv", made.tables / "config.json", folder / "log")
    return folder


@pytest.fixture
def other(finished: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(finished, tmp_path / "other")


def change_runs(folder: Path, start: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> str:
    """Change the chosen runs of the cell whose key begins so, and its digest with them; return the key."""
    path = folder / "tables" / "runs.parquet"
    runs = pd.read_parquet(path)
    (key,) = (key for key in runs["cell"].unique() if key.startswith(start))
    rows = (runs["cell"] == key) & runs["selected"]
    runs.loc[rows] = change(runs[rows].copy())
    runs.to_parquet(path, index=False)
    sealed(path)
    edit(folder / "cells" / key / "record.json", differing)
    return str(key)


def edit(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change a record or the configuration, as if it had been written so."""
    if path.name == "config.json":
        path.write_bytes(manifests.to_json(change(json.loads(path.read_bytes()))))
        sealed(path)
    else:
        manifests.save_json(path, change(manifests.load_json(path)))


def edit_claims(folder: Path, **changed: str) -> None:
    """Give statements other verdicts."""
    path = folder / "tables" / "claims.csv"
    rows = pd.read_csv(path, keep_default_na=False)
    for name, verdict in changed.items():
        rows.loc[rows["claim"] == name, "verdict"] = verdict
    rows.to_csv(path, index=False)
    sealed(path)


def shifted(by: float | list[float]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda rows: rows.assign(test_accuracy=0.5 * rows["test_accuracy"] + 0.2 + np.asarray(by))


def compared(a: Path, b: Path) -> page.Comparison:
    return page.compare(sides.load("A", a), sides.load("B", b))


def outcomes(found: page.Comparison, measure: str) -> dict[str, str]:
    return {move.pair.a: move.outcome for move in found.moves if move.measure == measure}


def planned(name: str, **changes: Any) -> Side:
    """A side of which nothing is known but what was asked."""
    settings = config.read(copy.deepcopy(report_sample.CONFIG) | changes)
    made = plan.make_plan(settings)
    nothing = pd.DataFrame()
    return Side(name, Path(name), settings, made, plan.included(made), nothing, nothing, nothing, {})


def base(**changes: Any) -> dict[str, Any]:
    return report_sample.CONFIG["base"] | changes


def grid(**axes: Any) -> dict[str, Any]:
    return {"activations": {"question": "Why?", "grid": axes}}


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


# Which cells match


def test_the_same_configuration_has_the_same_cells() -> None:
    a, b = planned("A"), planned("B")
    found = matching.match(a, b)
    assert [pair.kind for pair in found.pairs] == [CELL] * len(a.trained)
    assert all(pair.a == pair.b for pair in found.pairs)
    assert found.only_a == found.only_b == ()


@pytest.mark.parametrize("changes", [{"seeds": 3}, {"learning_rates": [0.05]}])
def test_other_seeds_or_rates_are_the_same_setting(changes: dict[str, Any]) -> None:
    a, b = planned("A"), planned("B", **changes)
    found = matching.match(a, b)
    assert {pair.kind for pair in found.pairs} == {SETTING}
    assert len(found.pairs) == len(a.trained)
    assert all(a.labels(pair.a) == b.labels(pair.b) for pair in found.pairs)


def test_other_data_match_by_their_place_and_nothing_else_may_differ() -> None:
    a = planned("A", studies=grid(activation=["relu", "elu"], depth=[2, 5]))
    b = planned(
        "B",
        base=base(dataset="parity", width=16, epochs=7),
        studies=grid(activation=["relu", "tanh"], depth=[2, 5]),
    )
    found = matching.match(a, b)
    assert {pair.kind for pair in found.pairs} == {PLACE}
    told = [(a.labels(pair.a), b.labels(pair.b)) for pair in found.pairs]
    assert [(one["activation"], one["depth"]) for one, _ in told] == [("relu", 2), ("relu", 5)]
    assert all(one["depth"] == two["depth"] and two["dataset"] == "parity" for one, two in told)
    assert {a.labels(key)["activation"] for key in found.only_a} == {"elu"}
    assert {b.labels(key)["activation"] for key in found.only_b} == {"tanh"}


def test_a_value_that_is_the_base_of_one_side_alone_does_not_match() -> None:
    a = planned("A", base=base(depth=2), studies=grid(depth=[2, 3, 5]))
    b = planned("B", base=base(depth=3, dataset="parity"), studies=grid(depth=[2, 3, 5]))
    found = matching.match(a, b)
    assert [(a.labels(pair.a)["depth"], b.labels(pair.b)["depth"]) for pair in found.pairs] == [(2, 3), (5, 5)]
    assert [a.labels(key)["depth"] for key in found.only_a] == [3]
    assert [b.labels(key)["depth"] for key in found.only_b] == [2]


def test_a_cell_is_matched_once_and_by_the_closest_kind() -> None:
    a = planned("A", studies=grid(width=[8, 16]))
    b = planned("B", base=base(width=16), studies=grid(width=[8, 16]))
    found = matching.match(a, b)
    assert [pair.kind for pair in found.pairs] == [CELL, CELL]
    assert len({pair.b for pair in found.pairs}) == 2


def test_cells_only_in_one_are_told_with_the_reason() -> None:
    a = planned("A", studies=grid(activation=["relu", "elu", "tanh"]))
    excluded = grid(activation=["relu", "elu"])
    excluded["activations"]["exclude"] = [{"when": "activation == 'elu'", "reason": "too slow"}]
    b = planned("B", studies=excluded)
    found = matching.match(a, b)
    reasons = {a.labels(key)["activation"]: cells._reason(a, b, key) for key in found.only_a}
    assert reasons == {"elu": "left out (activations: too slow)", "tanh": "not asked for"}


# What moved


def test_an_experiment_beside_itself_is_bit_identical(finished: Path) -> None:
    found = compared(finished, finished)
    assert {move.outcome for move in found.moves} == {IDENTICAL}
    assert found.flipped == found.moved == 0
    assert all(ranking.tau["accuracy"].value in (1.0, 0.0) for ranking in found.rankings)


@pytest.mark.parametrize(
    ("by", "outcome"),
    [(-0.2, MOVED), ([0.2, 0.21, 0.19, 0.2, 0.22, 0.2], MOVED), ([0.1, -0.1] * 3, NOISE)],
)
def test_a_cell_moves_if_all_its_seeds_do(finished: Path, other: Path, by: Any, outcome: str) -> None:
    key = change_runs(other, RELU, lambda rows: rows.assign(test_accuracy=rows["test_accuracy"] + np.asarray(by)))
    found = compared(finished, other)
    told = outcomes(found, "accuracy")
    assert told.pop(key) == outcome
    assert set(told.values()) == {IDENTICAL}
    (move,) = (move for move in found.moves if move.pair.a == key and move.measure == "accuracy")
    assert move.difference.value == pytest.approx(np.mean(by))
    assert move.p == pytest.approx(2 / 2**SEEDS if outcome == MOVED else 1.0)
    assert found.moved == (outcome == MOVED)


def test_a_small_difference_is_no_move_however_sure(finished: Path, other: Path) -> None:
    by = np.linspace(0.004, 0.006, SEEDS)
    key = change_runs(other, RELU, lambda rows: rows.assign(test_accuracy=rows["test_accuracy"] + by))
    assert outcomes(compared(finished, other), "accuracy")[key] == SMALL


def test_steps_move_by_a_factor_and_a_miss_counts_as_twice_the_training(finished: Path, other: Path) -> None:
    key = change_runs(other, RELU, lambda rows: rows.assign(**{"steps_to_0.2": np.inf}))
    found = compared(finished, other)
    (move,) = (move for move in found.moves if move.pair.a == key and move.measure == "steps")
    before = found.a.runs.loc[key]["steps_to_0.2"].astype(float)
    budget = float(found.a.cells.loc[key, "steps"])
    expected = np.log2(2 * budget / np.maximum(before.where(np.isfinite(before), 2 * budget), 1)).mean()
    assert move.difference.value == pytest.approx(expected)
    assert move.value_b == np.inf


def test_diverged_runs_count_as_no_accuracy_and_have_no_dead_units(finished: Path, other: Path) -> None:
    key = change_runs(
        other, RELU, lambda rows: rows.assign(status="diverged", test_accuracy=np.nan, dead_fraction=np.nan)
    )
    found = compared(finished, other)
    assert outcomes(found, "dead")[key] == UNKNOWN
    assert outcomes(found, "accuracy")[key] == MOVED
    (move,) = (move for move in found.moves if move.pair.a == key and move.measure == "accuracy")
    assert (move.value_b, move.difference.value) == (0.0, pytest.approx(-move.value_a))


def test_five_seeds_cannot_tell(finished: Path, other: Path) -> None:
    edit(other / "tables" / "config.json", lambda settings: settings | {"seeds": [0, 1, 2, 3, 4]})
    key = change_runs(other, RELU, shifted(-0.1))
    found = compared(finished, other)
    assert outcomes(found, "accuracy")[key] == FEW
    assert found.moved == 0
    said = sentences.cells(found.a, found.b, found.moves, {key: "relu"})
    assert said.endswith("whether the others moved cannot be told from 5 seeds in common (it takes 6).")


def test_no_seed_in_common_leaves_nothing_to_compare(finished: Path, other: Path) -> None:
    edit(other / "tables" / "config.json", lambda settings: settings | {"seeds": [90, 91]})
    key = change_runs(other, RELU, shifted(-0.1))
    found = compared(finished, other)
    assert outcomes(found, "accuracy")[key] == UNKNOWN
    assert found.rankings == []


def test_another_scale_is_shown_and_not_tested(finished: Path, other: Path) -> None:
    parts = {"dataset": {"name": "parity"}, "epochs": 9}

    def rescaled(record: dict[str, Any]) -> dict[str, Any]:
        return differing(record | {"parameters": record["parameters"] | parts})

    edit(other / "tables" / "config.json", lambda settings: settings | {"base": settings["base"] | parts})
    for path in (other / "cells").glob("*/record.json"):
        edit(path, rescaled)
    renamed(other, "parity")
    found = compared(finished, other)
    assert {pair.kind for pair in found.matching.pairs} == {PLACE}
    assert {move.outcome for move in found.moves} == {APART}
    assert all(np.isnan(move.difference.value) for move in found.moves if move.measure == "steps")
    assert sentences.cells(found.a, found.b, found.moves, {}).startswith("No cell of one has the setting")


def renamed(folder: Path, dataset: str) -> None:
    """Give the cells of a folder the keys of other data."""
    for path in sorted((folder / "cells").iterdir()):
        path.rename(path.with_name(path.name.replace("digits", dataset)))
    for name in ("cells", "runs"):
        table = pd.read_parquet(folder / "tables" / f"{name}.parquet")
        table.assign(cell=table["cell"].str.replace("digits", dataset)).to_parquet(
            folder / "tables" / f"{name}.parquet", index=False
        )
        sealed(folder / "tables" / f"{name}.parquet")


def test_without_a_common_target_steps_are_left_out(finished: Path, other: Path) -> None:
    edit(other / "tables" / "config.json", lambda settings: settings | {"targets": [0.15]})
    found = compared(finished, other)
    assert moves.common_target(found.a, found.b) == 0.15
    third = shutil.copytree(finished, other.parent / "third")
    edit(third / "tables" / "config.json", lambda settings: settings | {"targets": [0.2]})
    found = compared(other, third)
    assert {move.measure for move in found.moves} == {"accuracy", "dead"}
    assert "share no target" in sentences.target(found.a, found.b)
    assert all(set(ranking.tau) == {"accuracy"} for ranking in found.rankings)


# Orders of the activations


def test_orders_agree_with_themselves_and_not_with_their_reverse(finished: Path, other: Path) -> None:
    before = compared(finished, finished)
    groups = [ranking for ranking in before.rankings if ranking.activations == 3]
    assert groups
    assert all(ranking.tau["accuracy"].value == 1 for ranking in groups)
    for start in ("relu", "elu", "tanh"):
        change_runs(
            other,
            f"digits.standardize.{start}.kaiming_normal.none",
            lambda rows: rows.assign(test_accuracy=1 - rows["test_accuracy"]),
        )
    found = {ranking.setting: ranking for ranking in compared(finished, other).rankings}
    ranking = found["normalization none"]
    assert ranking.tau["accuracy"].value == -1
    assert ranking.best_a != ranking.best_b


def test_activations_that_tie_have_no_order(finished: Path, other: Path) -> None:
    for start in ("relu", "elu", "tanh"):
        change_runs(
            other,
            f"digits.standardize.{start}.kaiming_normal.none",
            lambda rows: rows.assign(test_accuracy=0.1),
        )
    found = {ranking.setting: ranking for ranking in compared(finished, other).rankings}
    assert np.isnan(found["normalization none"].tau["accuracy"].value)
    assert found["normalization none"].best_b == "relu, elu, tanh"


# What flipped

CHANGED = {"faster": CONTRADICTED, "better": INCONCLUSIVE, "alike": SUPPORTED, "level": NOT_TESTABLE}


def test_statements_are_sorted_by_how_much_changed(finished: Path, other: Path) -> None:
    before = pd.read_csv(finished / "tables" / "claims.csv").set_index("claim")["verdict"]
    assert (before["faster"], before["better"], before["elsewhere"]) == (SUPPORTED, CONTRADICTED, NOT_TESTABLE)
    earlier = shutil.copytree(finished, other.parent / "before")
    edit_claims(earlier, alike=INCONCLUSIVE, level=SUPPORTED)
    edit_claims(other, **CHANGED)
    found = compared(earlier, other)
    changes = {one.id: one.change for one in found.statements}
    assert list(changes.items()) == [
        ("faster", verdicts.REVERSED),
        ("alike", verdicts.DECIDED),
        ("better", verdicts.UNDECIDED),
        ("level", verdicts.ONE_TESTS),
        ("elsewhere", verdicts.NEITHER_TESTS),
    ]
    assert found.flipped == 3
    table = [[entry.text for entry in row] for row in verdicts.counts(found.statements).rows]
    assert table == [
        [SUPPORTED, "0", "1", "0", "1"],
        [CONTRADICTED, "0", "0", "1", "0"],
        [INCONCLUSIVE, "1", "0", "0", "0"],
        [NOT_TESTABLE, "0", "0", "0", "1"],
    ]
    assert sentences.verdicts(found.statements) == (
        "Of 3 statements that both test, 0 have the same verdict and 3 flipped (1 reversed, 1 decided and 1 "
        "undecided). Flipped: “Statement faster.” (supported in A, contradicted in B), “Statement alike.” "
        "(inconclusive in A, supported in B) and “Statement better.” (contradicted in A, inconclusive in B). Of the "
        "other statements 1 is testable in A only and 1 is testable in neither."
    )


def test_statements_of_one_side_and_reworded_ones_are_said_to_be(finished: Path, other: Path) -> None:
    path = other / "tables" / "claims.csv"
    rows = pd.read_csv(path, keep_default_na=False)
    rows.loc[rows["claim"] == "better", "smallest_effect"] = 0.5
    rows = rows[rows["claim"] != "faster"]
    pd.concat([rows, rows[rows["claim"] == "level"].assign(claim="new")]).to_csv(path, index=False)
    sealed(path)
    found = compared(finished, other)
    changes = {one.id: one.change for one in found.statements}
    assert (changes["faster"], changes["new"]) == (verdicts.ONLY_A, verdicts.ONLY_B)
    assert [one.id for one in found.statements if one.reworded] == ["better"]
    texts = {row[-1].text: [entry.text for entry in row] for row in verdicts.table(found.statements).rows}
    assert texts["better"][1] == "same, reworded"
    assert texts["faster"][3] == texts["faster"][5] == "\N{EN DASH}"


# What differs before any result


def test_keys_of_the_configuration_that_differ() -> None:
    a = planned("A")
    changed = grid(activation=["relu", {"name": "elu", "alpha": 0.5}])
    b = planned("B", base=base(width=16), studies=changed | {"more": changed["activations"]})
    told = {what: (one, other) for what, one, other in origins.configuration(a, b)}
    assert told["base.width"] == ("8", "16")
    assert told["studies.activations.question"] == ("Which activation is fastest?", "Why?")
    assert told["studies.activations.grid.activation"][1] == "[relu, {name: elu, alpha: 0.5}]"
    assert told["studies.more"][0] == "\N{EN DASH}"
    assert origins.configuration(a, planned("B")) == []


def test_code_software_hardware_and_data_that_differ(finished: Path, other: Path) -> None:
    key = change_runs(other, RELU, shifted(0))

    def elsewhere(record: dict[str, Any]) -> dict[str, Any]:
        hashes = record["hashes"] | {"data": "another", "code": "0123"}
        versions = record["versions"] | {"torch": "9.9", "jax": "1"}
        return record | {"hashes": hashes, "versions": versions, "hardware": record["hardware"] | {"cores": 999}}

    edit(other / "cells" / key / "record.json", elsewhere)
    found = compared(finished, other)
    told = {what: (one, two) for what, one, two in origins.origins(found.a, found.b, found.matching)}
    assert set(told) == {
        "code that trained (SHA-256)",
        "version: torch",
        "version: jax",
        "hardware: cores",
        "preprocessed data",
    }
    assert "9.9" in told["version: torch"][1]
    assert told["preprocessed data"][1] == f"other bytes for 1 cell of {len(found.matching.pairs)} in both"
    assert origins.origins(found.a, found.a, matching.match(found.a, found.a)) == []


# The page


def test_the_page_says_what_the_tables_hold(finished: Path, other: Path, tmp_path: Path) -> None:
    key = change_runs(other, RELU, lambda rows: rows.assign(test_accuracy=rows["test_accuracy"] - 0.1))
    edit_claims(other, faster=CONTRADICTED)
    found = comparison.render(finished, other, tmp_path / "page.html")
    (move,) = (move for move in found.moves if move.pair.a == key and move.measure == "accuracy")
    (row,) = cells.moved(found.moves, cells.labels(found.a, found.b, found.matching)).rows
    texts = [plain(entry.text) for entry in row]
    assert texts[-5:] == [f"{100 * move.value_a:.1f} %", f"{100 * move.value_b:.1f} %", texts[-3], "0.031", CELL]
    assert texts[-3].startswith("\N{MINUS SIGN}10.0")
    accuracies = [one for one in found.moves if one.measure == "accuracy"]
    names = cells.settings(cells.labels(found.a, found.b, found.matching))
    drawn = scatter.draw(found.a, found.b, accuracies, names).data
    assert dict(zip(drawn["outcome"], drawn["b"], strict=True))[MOVED] == move.value_b
    assert len(drawn) == len(found.matching.pairs)
    text = plain((tmp_path / "page.html").read_text())
    summary = plain(" ".join(page.abstract(found).paragraphs))
    assert "of the others moved beyond noise 1 of 1 in test accuracy, 0 of 1 in steps to the target" in summary
    assert "Content-Security-Policy" in text
    assert "results/figures" not in text  # where its files would be, if it had any


def test_the_same_results_give_the_same_bytes(finished: Path, other: Path, tmp_path: Path) -> None:
    change_runs(other, RELU, shifted([0.01, 0.02, 0.03, 0.0, 0.01, 0.02]))
    pages = [tmp_path / name for name in ("one.html", "two.html")]
    for path in pages:
        comparison.render(finished, other, path)
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_text_of_a_configuration_cannot_break_the_page(finished: Path, other: Path, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    edit(other / "tables" / "config.json", lambda settings: settings | {"title": evil})
    comparison.render(finished, other, tmp_path / "page.html")
    assert evil not in (tmp_path / "page.html").read_text()


def test_experiments_that_share_nothing_have_a_page_too(finished: Path, other: Path, tmp_path: Path) -> None:
    def narrower(record: dict[str, Any]) -> dict[str, Any]:
        return record | {"parameters": record["parameters"] | {"dropout": 0.5}}

    edit(other / "tables" / "config.json", lambda settings: settings | {"base": settings["base"] | {"dropout": 0.5}})
    for path in (other / "cells").glob("*/record.json"):
        edit(path, narrower)
    renamed(other, "numerals")
    found = comparison.render(finished, other, tmp_path / "page.html")
    assert found.matching.pairs == ()
    text = (tmp_path / "page.html").read_text()
    assert "No cell of one experiment has a counterpart in the other" in text
    assert f"{len(found.a.trained)} are only in A" in text


def test_exit_statuses(finished: Path, other: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "page.html"
    words = ["compare", str(finished), str(other), "--out", str(out)]
    assert cli.main([*words, "--fail-on-change"]) == 0
    assert "0 verdicts flipped, 0 cells moved" in capsys.readouterr().out
    edit_claims(other, faster=CONTRADICTED)
    assert cli.main(words) == 0
    assert cli.main([*words, "--fail-on-change"]) == 1
    edit_claims(other, faster=SUPPORTED)
    change_runs(other, RELU, lambda rows: rows.assign(test_accuracy=rows["test_accuracy"] - 0.1))
    assert cli.main([*words, "--fail-on-change"]) == 1
    assert "0 verdicts flipped, 1 cell moved" in capsys.readouterr().out


# Folders that cannot be compared


def break_record(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    edit(sorted((folder / "cells").glob("*/record.json"))[0], change)


def drop_a_cell(folder: Path) -> None:
    path = folder / "tables" / "cells.parquet"
    pd.read_parquet(path).iloc[1:].to_parquet(path, index=False)
    sealed(path)


def drop_column(folder: Path) -> None:
    path = folder / "tables" / "runs.parquet"
    pd.read_parquet(path).drop(columns="dead_fraction").to_parquet(path, index=False)
    sealed(path)


def move_inside(folder: Path) -> None:
    folder.rename(folder.with_name("away"))
    folder.mkdir()
    folder.with_name("away").rename(folder / "results")


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "gone": (shutil.rmtree, r"other is no folder; give two folders of results"),
    "no tables": (lambda f: shutil.rmtree(f / "tables"), r"tables has no config.json, .* or run snakemake to finish"),
    "one level up": (move_inside, r"did you mean .*other/results\?"),
    "no claims": (lambda f: (f / "tables" / "claims.csv").unlink(), r"tables has no claims.csv: "),
    "no record": (lambda f: shutil.rmtree(f / "cells"), r"record.json is missing. Run snakemake"),
    "another schema": (
        lambda f: break_record(f, lambda old: old | {"schema": 1}),
        rf"record.json has schema 1, this version reads {record.SCHEMA}. .* Or compare with the version that wrote it",
    ),
    "unknown factor": (
        lambda f: break_record(f, lambda old: old | {"parameters": old["parameters"] | {"colour": 1}}),
        r"record.json: this version knows no such cell: colour: unknown key",
    ),
    "unknown key": (
        lambda f: edit(f / "tables" / "config.json", lambda settings: settings | {"colour": "red"}),
        r"config.json cannot be read by this version: .*colour: unknown key",
    ),
    "unfinished": (
        drop_a_cell,
        r"other is unfinished: 1 of 10 cells of its configuration are not in its tables, digits",
    ),
    "damaged table": (
        lambda f: (f / "tables" / "runs.parquet").write_bytes(b"PAR1"),
        r"runs.parquet has 4 bytes, expected",
    ),
    "a column less": (drop_column, r"runs.parquet has no column dead_fraction: another version wrote it"),
    "other targets": (
        lambda f: edit(f / "tables" / "config.json", lambda settings: settings | {"targets": [0.7]}),
        r"runs.parquet has no column steps_to_0.7: another version wrote it, or another configuration",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_compared_is_one_clear_message(
    finished: Path, other: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    spoil, message = BROKEN[name]
    spoil(other)
    out = other.parent / "page.html"
    assert cli.main(["compare", str(finished), str(other), "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert re.search(message, said.replace("\n", " ")), said
    assert "Traceback" not in said
    assert not out.exists()


def test_a_class_of_ones_own_is_compared_across_versions_of_its_source() -> None:
    value = {"activation": {"name": "mylab:Bend", "fingerprint": "0123"}, "list": [{"fingerprint": "x", "a": 1}]}
    assert sides._without_fingerprints(value) == {"activation": {"name": "mylab:Bend"}, "list": [{"a": 1}]}


def test_the_document_has_the_sizes_and_the_scale_that_are_used() -> None:
    text = (Path(__file__).parents[2] / "docs" / "comparing.md").read_text()
    for measure in moves.MEASURES.values():
        size = f"a factor of {2**measure.smallest:.3g}" if measure.doublings else f"{100 * measure.smallest:g} point"
        assert f"| {measure.title} | {size}" in text
    assert all(f"`{name}`" in text for name in sides.SCALE)
    assert f"at most {moves.LEVEL:g}" in text
    assert f"fewer than {sentences.enough()} seeds" in text
