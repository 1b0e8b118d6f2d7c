"""The report: sentences true in every case, tables with the right numbers, a page that no text can break."""

from __future__ import annotations

import dataclasses
import html
import re
import unittest.mock
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import report_sample
import yaml
from report_sample import CLAIMS, Sample
from sealing import sealed

from trainability import config, files, health, outcome, report, statistics, tables
from trainability.claims import verdicts as claim_verdicts
from trainability.report import (
    abstract,
    catalogue,
    comparisons,
    effects,
    forest,
    illustrations,
    magnitudes,
    material,
    method,
    origin,
    rankings,
    sentences,
    verdicts,
    wording,
)
from trainability.statistics import Estimate

inf, nan = float("inf"), float("nan")


def frame(name: str, **values: float | tuple[float, float, float]) -> pd.DataFrame:
    """Cells with one estimate each, by activation; a single number has an interval of no width."""
    rows = []
    for activation, value in values.items():
        middle, low, high = value if isinstance(value, tuple) else (value, value, value)
        rows.append({"activation": activation, name: middle, f"{name}_low": low, f"{name}_high": high})
    return pd.DataFrame(rows)


def read(text: str) -> str:
    """A sentence with plain spaces."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


# Wording


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0.0 %"), (1e-5, "<0.1 %"), (0.5, "50.0 %"), (0.99999, ">99.9 %"), (1.0, "100.0 %")],
)
def test_percentages_never_round_to_none_or_all(share: float, text: str) -> None:
    assert read(wording.percent(share)) == text


def test_numbers_that_are_missing_or_infinite_read_as_such() -> None:
    assert wording.percent(nan) == wording.NONE
    assert wording.steps(nan) == wording.NONE
    assert wording.steps(inf) == "never"
    assert wording.steps(1234) == "1,234"
    assert wording.steps(72.5) == "72.5"
    assert wording.decimal(-1e-9) == "0.000"


def test_intervals() -> None:
    assert read(wording.with_interval(Estimate(0.9, 0.85, 0.95))) == "90.0 % [85.0, 95.0]"
    assert read(wording.with_interval(Estimate(0.9, 0.9, 0.9))) == "90.0 %"
    assert wording.with_interval(Estimate(nan, nan, nan)) == wording.NONE
    assert wording.with_interval(Estimate(80, 64, inf), wording.steps) == "80 [64, never]"
    assert wording.with_interval(Estimate(inf, inf, inf), wording.steps) == "never"


def test_lists_and_counts() -> None:
    assert [wording.listing(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert wording.count(1, "cell") == "1 cell"
    assert wording.count(2000, "cell") == "2,000 cells"
    assert wording.short([0, 1, 2, 3]) == "0 to 3"
    assert wording.short([0, 2]) == "0 and 2"


# Sentences

MEDIAN = "median_steps_to_0.9"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, "Convergence speed: no cell has the base setting."),
        ({"relu": inf}, "With relu, at most half of the seeds reached 90 % validation accuracy."),
        (
            {"relu": inf, "elu": nan},
            "With each of relu and elu, at most half of the seeds reached 90 % validation accuracy.",
        ),
        ({"relu": (64, 45, 91)}, "To 90 % validation accuracy, relu took a median of 64 [45, 91] steps."),
        (
            {"relu": (64, 45, 91), "elu": (32, 23, 36)},
            "To 90 % validation accuracy, elu took the fewest steps, a median of 32 [23, 36]; next came relu with 64 "
            "[45, 91] (the intervals do not overlap).",
        ),
        (
            {"relu": (64, 45, 91), "elu": (32, 23, 45), "tanh": inf},
            "To 90 % validation accuracy, elu took the fewest steps, a median of 32 [23, 45]; next came relu with 64 "
            "[45, 91] (the intervals overlap). With tanh, at most half of the seeds reached it.",
        ),
        (
            {"relu": 64, "elu": 64},
            "To 90 % validation accuracy, relu and elu took a median of 64 and 64 steps.",
        ),
        (
            {"relu": 64, "elu": 64, "tanh": (100, 90, inf)},
            "To 90 % validation accuracy, relu and elu took the fewest steps, a median of 64 and 64; next came tanh "
            "with 100 [90, never] (the intervals do not overlap).",
        ),
    ],
)
def test_who_was_fastest(values: dict[str, float], text: str) -> None:
    assert read(sentences.fastest(frame(MEDIAN, **values), 0.9)) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, "Dead units: no cell has the base setting."),
        ({"relu": 0.0}, "At the end of training no unit was dead with relu."),
        ({"relu": 0.0, "elu": 0.0}, "At the end of training no unit was dead with relu or elu."),
        ({"relu": nan}, "Dead units are not known for relu, where a seed diverged."),
        ({"relu": 0.1}, "At the end of training the share of dead units was 10.0 %, with relu."),
        (
            {"relu": (0.1, 0.05, 0.2), "elu": 0.0, "tanh": 0.01, "prelu": nan},
            "At the end of training the largest share of dead units was 10.0 % [5.0, 20.0], with relu; there was "
            "none with elu. Dead units are not known for prelu, where a seed diverged.",
        ),
        (
            {"relu": 0.1, "elu": 0.10001},
            "At the end of training the share of dead units was 10.0 % and 10.0 %, with relu and elu.",
        ),
        (
            {"relu": 1e-5, "elu": 0.0},
            "At the end of training the largest share of dead units was <0.1 %, with relu; there was none with elu.",
        ),
    ],
)
def test_where_most_units_were_dead(values: dict[str, float], text: str) -> None:
    assert read(sentences.deadest(frame("dead_fraction", **values))) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, "Final accuracy: no cell has the base setting."),
        ({"relu": 0.9}, "Mean test accuracy was 90.0 % with relu."),
        ({"relu": 0.9, "elu": 0.90001}, "Mean test accuracy was 90.0 % and 90.0 % with relu and elu."),
        (
            {"relu": 0.9, "elu": (0.95, 0.94, 0.96), "tanh": 0.9},
            "Mean test accuracy was highest with elu, 95.0 % [94.0, 96.0], and lowest with relu and tanh, "
            "90.0 % and 90.0 %.",
        ),
    ],
)
def test_who_was_most_accurate(values: dict[str, float], text: str) -> None:
    assert read(sentences.most_accurate(frame("test_accuracy", **values))) == text


def spread(**values: tuple[float, float]) -> pd.DataFrame:
    rows = [{"activation": a, "spread_none": n, "spread_batchnorm": b} for a, (n, b) in values.items()]
    return pd.DataFrame(rows)


def test_what_batch_normalization_did_to_the_spread() -> None:
    nothing = "No activation was trained with several initialisations with and without batch normalization."
    assert sentences.forgiveness(spread()) == nothing
    assert sentences.forgiveness(spread(relu=(0.5, 0.1))) == (
        "Mean test accuracy with the best and with the worst random initialisation lay 50.0 points apart without "
        "batch normalization and 10.0 points apart with it; batch normalization narrowed this gap for relu."
    )
    several = sentences.forgiveness(spread(relu=(0.5, 0.1), elu=(0.1, 0.2), tanh=(0.3, 0.30001)))
    assert "30.0 points apart without" in several
    assert "20.0 points apart with it (medians of 3 activations)" in several
    assert several.endswith("narrowed this gap for relu, widened it for elu and left it as it was for tanh.")
    assert sentences.forgiveness(spread(elu=(0.1, 0.2))).endswith("widened this gap for elu.")
    assert sentences.forgiveness(spread(elu=(0.1, 0.1))).endswith("left this gap as it was for elu.")


def test_edges_of_the_rate_grid() -> None:
    cells = pd.DataFrame({"rate_edge": ["low", "", "high", "low"]})
    assert sentences.edges(cells).startswith("Of 4 cells, 2 chose the lowest learning rate of the grid and 1 the")
    assert sentences.edges(cells[1:2]) == "No cell chose a learning rate at an edge of the grid."


# What is written from an experiment


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return Sample(tmp_path_factory.mktemp("report")).make()


@pytest.fixture(scope="module")
def found(sample: Sample) -> material.Material:
    return material.load(sample.settings, sample.plan, sample.tables, sample.cells, sample.data, "snakemake")


def test_scope_counts_cells_and_runs(found: material.Material) -> None:
    assert sentences.scope(found) == (
        "6 network settings (cells) were trained, each with 2 seeds at 2 learning rates: 24 runs in all. "
        "Left out on purpose: 2 cells of the plan."
    )


def test_fates_count_what_the_table_of_runs_holds(found: material.Material) -> None:
    diverged = int((found.runs["status"] == "diverged").sum())
    assert diverged > 0
    assert f"Of all runs, {diverged} diverged" in sentences.fates(found)
    fine = dataclasses.replace(found, runs=found.runs.assign(status="ok"))
    assert sentences.fates(fine) == "No run diverged or stalled."
    chosen = dataclasses.replace(found, cells=found.cells.assign(diverged=0, stalled=[2, 0, 0, 0, 0, 0]))
    assert "1 cell of 6 still had seeds that did" in sentences.fates(chosen)


def test_the_base_setting_leaves_everything_else_fixed(found: material.Material) -> None:
    rows = found.around_base("activation", "normalization")
    assert list(zip(rows["normalization"], rows["activation"], strict=True)) == [
        ("none", "relu"),
        ("none", "elu"),
        ("batchnorm", "relu"),
        ("batchnorm", "elu"),
    ]
    assert set(rows["init"]) == {"kaiming_normal"}


def test_an_experiment_without_the_base_setting_says_so(found: material.Material) -> None:
    elsewhere = found.settings.model_copy(update={"base": found.settings.base.model_copy(update={"dropout": 0.5})})
    moved = dataclasses.replace(found, settings=elsewhere)
    text = abstract.results(moved)
    assert "Convergence speed: no cell has the base setting." in text
    assert comparisons.convergence(moved).rows == ()
    assert effects.spreads(moved).empty


def test_comparisons_repeat_the_numbers_of_the_table(found: material.Material) -> None:
    row = found.around_base("activation", "normalization").iloc[0]
    accuracy = comparisons.accuracy(found)
    assert accuracy.rows[0][2].text == wording.with_interval(wording.estimate_of(row, "test_accuracy"))
    assert accuracy.rows[0][2].sort == row["test_accuracy"]
    speed = comparisons.convergence(found)
    assert speed.rows[0][2].text.startswith(f"{round(row['success_0.15'] * 2)} of 2 [")
    assert speed.rows[0][3].text == wording.with_interval(
        wording.estimate_of(row, "median_steps_to_0.15"), wording.steps
    )
    dead = comparisons.dead_units(found)
    assert dead.rows[0][3].text == wording.with_interval(wording.estimate_of(row, "dead_fraction"))
    for table in (accuracy, speed, dead, comparisons.layers(found), effects.cost(found)):
        assert {len(entries) for entries in table.rows} == {len(table.columns)}


def test_rankings_are_those_of_the_runs_by_every_way_to_count_misses(found: material.Material) -> None:
    steps = np.array([[[8.0, 8.0, np.inf]], [[16.0, 16.0, 16.0]], [[np.inf, np.inf, np.inf]]])
    ranked = statistics.sensitivity(steps, 72.0)
    names, column = ["relu", "elu", "tanh"], tables.steps_column(found.target)
    rows = [
        {
            "activation": name,
            "normalization": "none",
            "cell": name,
            "seed": seed,
            "selected": True,
            column: one,
        }
        for name, of_name in zip(names, steps[:, 0], strict=True)
        for seed, one in enumerate(of_name)
    ]
    cells = pd.DataFrame({"activation": names, "normalization": "none", "cell": names, "steps": 72})
    moved = dataclasses.replace(found, runs=pd.DataFrame(rows))
    with unittest.mock.patch.object(material.Material, "around_base", return_value=cells):
        table = rankings.table(moved)
    assert [row[0].text for row in table.rows] == names
    for place, ranks in enumerate(ranked.ranks.values(), start=1):
        assert [row[place].sort for row in table.rows] == ranks.tolist()
    assert table.notes[0] == "The way of counting changes the order of relu and elu."


def test_nothing_to_rank_is_said(found: material.Material) -> None:
    elsewhere = found.settings.model_copy(update={"base": found.settings.base.model_copy(update={"dropout": 0.5})})
    assert rankings.table(dataclasses.replace(found, settings=elsewhere)).rows == ()


def test_a_rate_at_the_edge_is_marked() -> None:
    assert comparisons.chosen_rate({"rate_edge": "high", "learning_rate": 0.1}).text == "0.1 (highest)"
    assert comparisons.chosen_rate({"rate_edge": "", "learning_rate": 0.1}).text == "0.1"


def test_a_cell_says_how_its_seeds_ended() -> None:
    row = {"ok": 5, "diverged": 1, "stalled": 2, "seeds": 8, "status": "stalled"}
    entry = comparisons.fate(row)
    assert (entry.text, entry.style) == ("1 of 8 diverged, 2 of 8 stalled", "stalled")
    assert comparisons.fate(row | {"diverged": 0, "stalled": 0}).text == "ok"


def test_rates_count_choices_and_ends(found: material.Material) -> None:
    low, high = effects.rates(found).rows
    assert [entry.text for entry in low[:3]] == ["0.05", "6", "12"]
    assert [entry.text for entry in high[:3]] == ["1e+06", "0", "12"]
    assert float(low[3].sort or 0) == (found.runs[found.runs["learning_rate"] == 0.05]["status"] == "ok").mean()


def test_spreads_compare_the_same_initialisations(found: material.Material) -> None:
    spreads = effects.spreads(found)
    assert list(spreads["activation"]) == ["relu"]  # elu has one initialisation only
    plain = found.cells[(found.cells["activation"] == "relu") & (found.cells["normalization"] == "none")]
    assert spreads["spread_none"][0] == pytest.approx(np.ptp(plain["test_accuracy"]))


def test_the_method_names_the_constants_of_the_code(found: material.Material) -> None:
    text = read(" ".join(part for _, part in method.items(found)))
    assert "1,152 training, 285 validation and 360 test images" in text
    assert f"at most {health.DEAD:g} of the steepest" in text
    assert f"above {outcome.DIVERGED_FACTOR:g} times the initial one" in text
    assert "2 hidden layers of 8 units" in text
    assert "runs last 72 steps" in text
    assert "2 seeds (0 and 1)" in text
    assert "0.05 and 1e+06" in text


def test_one_seed_and_one_rate_are_said_to_be_too_few(found: material.Material) -> None:
    single = found.settings.model_copy(update={"seeds": (3,), "learning_rates": (0.1,)})
    alone = dataclasses.replace(found, settings=single)
    assert "cannot be told from chance" in method.seeds(alone)
    assert "nothing is tuned" in method.learning_rate(alone)


def test_every_cell_has_its_command(found: material.Material) -> None:
    table = catalogue.trained(found)
    texts = [entry.text for row in table.rows for entry in row if entry.style == "command"]
    assert texts == [f"snakemake -f results/cells/{key}/record.json" for key in found.trained]
    left_out = catalogue.excluded(found)
    assert [row[-1].text for row in left_out.rows] == ["activations: two are enough"] * 2


def test_the_configuration_can_be_run_again(found: material.Material) -> None:
    assert config.read(yaml.safe_load(origin.configuration(found).text)) == found.settings


def test_records_that_disagree_are_all_listed(found: material.Material) -> None:
    records = {key: dict(value) for key, value in found.records.items()}
    first = next(iter(records))
    records[first]["hardware"] = {"processor": "another"}
    terms = dict(origin.items(dataclasses.replace(found, records=records)).items)
    assert terms["Hardware"].startswith("The records differ: ")
    assert "processor another (1 cell)" in terms["Hardware"]
    assert terms["Trained"] == "2026-01-01 00:00:00 UTC to 2026-01-01 00:01:00 UTC"


# Verdicts


def magnitude(unit: str = "share", kind: str = "contrast", **values: object) -> magnitudes.Magnitude:
    row = {"compared": f"{kind} of something", "metric": "dead units", "expect": "higher", "unit": unit}
    return magnitudes.Magnitude.of(row | {"rule": "exceeds", "smallest_effect": 0.02} | values)


@pytest.mark.parametrize(
    ("effects_are", "estimate", "text"),
    [
        (magnitude(), (0.123, 0.1, 0.15), "12.3 points higher [10.0, 15.0]"),
        (magnitude(), (-0.123, -0.15, 0.01), "12.3 points lower [\N{MINUS SIGN}1.0, 15.0]"),
        (magnitude(expect="lower"), (0.001, 0.001, 0.001), "0.10 points lower"),
        (magnitude(), (nan, nan, nan), wording.NONE),
        (magnitude("doublings"), (0.0, -1, 1), "a factor of 1 [1/2, 2]"),
        (magnitude("doublings"), (1, -1, inf), "higher by a factor of 2 [1/2, ∞]"),
        (magnitude("doublings", expect="lower"), (inf, 1, inf), "infinitely lower [2, ∞]"),
        (magnitude("doublings", expect="lower"), (-inf, -inf, 1), "infinitely higher [1/2, ∞]"),
        (
            magnitude("doublings"),
            (23, 20, 33),
            "higher by a factor of 8.4\N{MULTIPLICATION SIGN}10⁶ [10⁶, 8.6\N{MULTIPLICATION SIGN}10⁹]",
        ),
        (magnitude(kind="level", expect="lower"), (-0.02, -0.05, 0.0), "2.0 % [0.0, 5.0]"),
        (magnitude(kind="trend"), (0.5, 0.25, 1.0), "0.5 [0.25, 1]"),
        (magnitude(kind="spread", expect="lower"), (0.1, 0.05, 0.2), "10.0 points narrower [5.0, 20.0]"),
        (
            magnitude("doublings", metric="steps to the middle target", expect="lower"),
            (1, 1, 1),
            "fewer by a factor of 2",
        ),
    ],
)
def test_effects_are_written_for_people(
    effects_are: magnitudes.Magnitude, estimate: tuple[float, ...], text: str
) -> None:
    assert read(effects_are.effect(Estimate(*estimate))) == text


@pytest.mark.parametrize(
    ("effects_are", "text", "claimed"),
    [
        (magnitude(), "higher by more than 2 points", (2, inf)),
        (magnitude(expect="lower", smallest_effect=0.0), "lower, by however little", (0, inf)),
        (magnitude(smallest_effect=-0.01), "at most 1 point lower", (-1, inf)),
        (magnitude("doublings", smallest_effect=1.0), "higher by more than a factor of 2", (1, inf)),
        (magnitude(rule="equivalent", expect="either"), "a difference within 2 points either way", (-2, 2)),
        (magnitude(kind="level", expect="lower", smallest_effect=-0.001), "less than 0.1 %", (-inf, 0.1)),
    ],
)
def test_what_a_statement_asks_for(effects_are: magnitudes.Magnitude, text: str, claimed: tuple[float, float]) -> None:
    assert read(effects_are.asked) == text
    assert effects_are.claimed == claimed


def test_verdicts_repeat_the_numbers_of_the_tables(found: material.Material) -> None:
    _, table = verdicts.overview(found)
    rows = {row[-1].text: row for row in table.rows}  # type: ignore[union-attr]
    assert list(rows) == [claim.id for claim in CLAIMS]
    assert rows["better"][2].text == "test accuracy: 12.3 points lower [5.0, 20.0]"
    assert rows["faster"][2].text == "steps to the middle target: fewer by a factor of 2 [1.6, \N{INFINITY}]"
    assert rows["elsewhere"][2].text == "this experiment has no study other"
    assert rows["faster"][-1].link == "claim-faster"
    for name, row in found.claims.set_index("claim").iterrows():
        assert rows[str(name)][1].text == row["verdict"]
    counted = found.claims["verdict"].value_counts()
    assert f"{counted['inconclusive']} inconclusive" in verdicts.summary(found)
    pointers = next(block for block in abstract.blocks(found) if block.kind == "pointers")
    assert pointers.lead.startswith(verdicts.summary(found))  # type: ignore[union-attr]
    against = found.claims[found.claims["verdict"] == "contradicted"]
    assert [(one.text, one.link) for one in pointers.entries] == [  # type: ignore[union-attr]
        (row["statement"], f"claim-{row['claim']}") for _, row in against.iterrows()
    ]


def test_a_statement_has_all_that_its_verdict_rests_on(found: material.Material) -> None:
    _, group, other = verdicts.statements(found)
    shown = {statement.id: statement for statement in group.statements}  # type: ignore[union-attr]
    assert group.title == "Some family"  # type: ignore[union-attr]
    better = shown["claim-better"]
    settings = found.evidence[found.evidence["claim"] == "better"]
    assert better.data is not None
    assert [row[1].sort for row in better.data.rows] == list(settings["estimate"])
    facts = dict(better.facts)
    row = found.claims.set_index("claim").loc["better"]
    assert f"p = {row['p_holm']:.2g} after Holm" in facts["Chance"]
    assert facts["Published"].startswith(
        "Five points. Here, test accuracy: 12.3 points lower [5.0, 20.0]. "
        "The source's number, 5.0 points higher, points the other way. The two do not"
    )
    assert facts["Smallest effect of interest"] == "Higher by more than 2 points: two points."
    assert set(row["fixed_rates"].split()) >= {"0.05:", "1e+06:"}
    assert all(rate in facts["At a fixed learning rate"] for rate in ("0.05", "1e+06"))
    (elsewhere,) = other.statements  # type: ignore[union-attr]
    assert (elsewhere.plot, elsewhere.reason) == (None, "This experiment has no study other.")


def test_the_interval_for_no_difference_is_the_one_that_decides(found: material.Material) -> None:
    alike = found.claims.set_index("claim", drop=False).loc["alike"].to_dict()
    alike |= {"verdict": "supported", "estimate": 0.0, "low": -0.02, "high": 0.0}
    assert "which holds in the whole 90 % interval" in read(verdicts.sentence(alike, found))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"verdict": "supported", "low": 0.03}, "The statement holds in both."),
        ({"verdict": "contradicted", "low": 0.001}, "Only the direction agrees"),
        ({"verdict": "contradicted", "low": -0.1}, "The two do not agree"),
        ({"verdict": "inconclusive", "low": 0.01}, "The direction agrees, but the verdict is inconclusive"),
        ({"verdict": "inconclusive", "low": -0.01}, "Whether the two agree is open"),
        ({"verdict": "not testable here"}, "Nothing here stands beside it."),
    ],
)
def test_what_agrees_with_a_source(found: material.Material, values: dict[str, object], text: str) -> None:
    row = found.claims.set_index("claim", drop=False).loc["better"].to_dict() | {"estimate": 0.05} | values
    assert text in verdicts._published(row, magnitudes.Magnitude.of(row), [])


@pytest.mark.parametrize(
    ("theirs", "text"),
    [
        (0.06, "The source's number, 6.0 points higher, lies within our interval."),
        (0.09, "The source's number, 9.0 points higher, lies outside our interval."),
        (-0.01, "The source's number, 1.0 points lower, points the other way."),
    ],
)
def test_a_published_number_is_compared_with_the_interval(theirs: float, text: str) -> None:
    row = {"published_estimate": theirs, "estimate": 0.05, "low": 0.03, "high": 0.07}
    assert verdicts._beside(row, magnitude(unit="share")) == text


def test_a_published_level_is_compared_setting_by_setting() -> None:
    row = {"setting": "width 2", "published_estimate": -0.87, "estimate": -0.5, "low": -0.6, "high": -0.4}
    level = magnitude(compared="level", expect="lower", unit="share")
    assert read(verdicts._beside(row, level)) == (
        "Width 2: the source's number, 87.0 %, beside 50.0 % [40.0, 60.0], lies outside our interval."
    )


def test_fixed_rates_are_gathered_by_verdict() -> None:
    assert verdicts._at_fixed_rates("0.01: supported; 0.1: inconclusive; 1: supported") == (
        "supported at 0.01 and 1; inconclusive at 0.1"
    )
    assert verdicts._at_fixed_rates("") == ""


def test_a_forest_plot_is_to_scale_and_infinity_is_an_arrow() -> None:
    effects_are = magnitude(smallest_effect=0.1)
    rows = [("one <b>", Estimate(0.1, 0.0, 0.2)), ("two", Estimate(inf, 0.1, inf)), ("none", Estimate(nan, nan, nan))]
    drawn = forest.draw("plot", "a <statement>", effects_are, Estimate(0.15, 0.1, 0.2), rows)
    assert "one &lt;b&gt;" in drawn
    assert '<title id="plot-title">Effects by setting: a &lt;statement&gt;</title>' in drawn
    assert "nan" not in drawn
    assert "inf" not in drawn
    assert "nothing to compare" in drawn
    first, second = (float(x) for x in re.findall(r'<circle class="estimate" cx="([\d.]+)"', drawn))
    low, high = (float(x) for x in re.search(r'interval" d="M([\d.]+),\d+H([\d.]+)"', drawn).groups())  # type: ignore[union-attr]
    assert first == pytest.approx((low + high) / 2, abs=0.1)
    assert re.search(rf'border" d="M{first:.1f},', drawn)  # the smallest effect is where the first estimate is
    assert second > high
    assert re.findall(r"l-6,4", drawn) == ["l-6,4"]  # one arrow, and it points to the right
    assert len(set(re.findall(r'id="([^"]+)"', drawn))) == 2


def test_an_experiment_without_verdicts_says_so(found: material.Material) -> None:
    bare = dataclasses.replace(found, claims=found.claims[:0], evidence=found.evidence[:0])
    assert verdicts.summary(bare) == "No statement was judged."
    assert verdicts.overview(bare)[1].rows == ()  # type: ignore[union-attr]
    assert len(verdicts.statements(bare)) == 1


# The page


class Outline(HTMLParser):
    """Collects the tags, the ids and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def page(sample: Sample) -> str:
    report.render(*sample.arguments)
    return sample.page.read_text()


def test_the_same_inputs_give_the_same_bytes(sample: Sample, page: str) -> None:
    report.render(*sample.arguments)
    assert sample.page.read_text() == page


def test_the_outline_is_sound(page: str) -> None:
    outline = Outline(page)
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert len(outline.all("h1")) == len(outline.all("main")) == 1
    targets = {str(link["href"])[1:] for link in outline.all("a") if str(link.get("href")).startswith("#")}
    assert targets <= set(ids)
    assert all(image["alt"] for image in outline.all("img"))


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    outline = Outline(page)
    addresses = [a.get(name) for _, a in outline.tags for name in ("src", "href", "srcset") if a.get(name)]
    assert all(str(address).startswith(("data:", "#")) for address in addresses)
    assert "@import" not in page
    assert "url(" not in page


def test_every_figure_is_there_once_with_its_table(page: str) -> None:
    outline = Outline(page)
    numbers = re.findall(r"<b>Figure (\d+)\.</b>", page)
    assert numbers == [str(number) for number in range(1, len(report.FIGURES) + 1)]
    assert len(outline.all("img")) == len(report.FIGURES)
    downloads = {link.get("download") for link in outline.all("a")}
    assert {f"{name}.csv" for name in report.FIGURES} <= downloads
    assert "0.1235" in page  # the number behind the figure, shortened


def test_the_abstract_has_the_numbers_of_the_tables(found: material.Material, page: str) -> None:
    start = page.index('<section id="abstract"')
    shown = html.unescape(re.sub(r"<[^>]+>", "", page[start : page.index("</section>", start)]))
    assert "Which activation, weight initialisation and normalization let a small network train" in shown
    assert f"{len(found.cells)} settings of networks (2 hidden layers of 8 units where nothing else is said)" in shown
    assert "were trained on digits with 2 seeds at 2 learning rates, of which validation data chose one" in shown
    assert f"one per setting: {len(found.runs)} runs in all" in shown
    rows = found.around_base("activation")
    highest = rows.sort_values("test_accuracy").iloc[-1]
    assert wording.with_interval(wording.estimate_of(highest, "test_accuracy")) in shown
    assert sentences.fastest(rows, found.target) in shown
    assert f"{(found.claims['verdict'] == 'contradicted').sum()} contradicted" in shown
    assert "networks of at most 8 units a layer" in shown
    assert "intervals over 2 seeds" in shown
    assert sentences.scope(found) in html.unescape(page)


@pytest.mark.parametrize(
    "attack", ["<script>alert(1)</script>", '</script><img src=x onerror="alert(1)">', "{{ 7 * 7 }}"]
)
def test_no_text_of_the_configuration_becomes_markup(sample: Sample, attack: str) -> None:
    study = sample.settings.studies["activations"]
    assert study is not None
    hostile = sample.settings.model_copy(
        update={
            "title": attack,
            "studies": {"activations": study.model_copy(update={"question": f"`{attack}`"})},
        }
    )
    report.render(hostile, *sample.arguments[1:])
    text = sample.page.read_text()
    report.render(*sample.arguments)
    assert attack not in text or "{{" in attack  # braces are not markup and stay as they are
    assert str(html.escape(attack)).replace("&quot;", "&#34;") in text
    assert own_scripts(text) == 2


def own_scripts(text: str) -> int:
    """Scripts that run: the page's and its explorer's, whose data stand in others that do not."""
    return len([script for script in Outline(text).all("script") if "type" not in script])


def test_every_verdict_has_the_same_shape(found: material.Material, page: str) -> None:
    parts = re.findall(r'<article class="statement" id="claim-([a-z-]+)".*?</article>', page, re.DOTALL)
    assert sorted(parts) == sorted(claim.id for claim in CLAIMS)
    heads = re.findall(r'</h4>\n<p class="verdict">\s*<span class="mark ([a-z-]+)">([a-z ]+)</span>\s*</p>\n<p>', page)
    assert [text for _, text in heads] == [
        verdict for _, group in found.claims.groupby("family", sort=False) for verdict in group["verdict"]
    ]
    assert set(heads) == {(verdict.replace(" ", "-"), verdict) for verdict in claim_verdicts.VERDICTS}
    style = (report_sample.SOURCES / "style.css").read_text()
    assert all(f".mark.{name}::before" in style for name, _ in heads)  # a sign, not the colour alone


def test_no_text_of_a_statement_becomes_markup(sample: Sample) -> None:
    attack = "<script>alert(1)</script>"
    path = sample.tables / "claims.csv"
    content = path.read_text()
    table = pd.read_csv(path, keep_default_na=False).astype({"statement": str, "note": str})
    fields = ["statement", "source", "reason", "why", "published", "note", "held_fixed", "metric", "family"]
    table[fields] = attack
    table.to_csv(path, index=False)
    sealed(path)
    try:
        report.render(*sample.arguments)
        text = sample.page.read_text()
    finally:
        path.write_text(content)
        sealed(path)
        report.render(*sample.arguments)
    assert attack not in text
    assert own_scripts(text) == 2
    assert text.count(str(html.escape(attack))) > len(fields)


def test_a_missing_figure_is_named(sample: Sample) -> None:
    path = sample.figures / "dead_units.svg"
    content = path.read_bytes()
    path.unlink()
    try:
        with pytest.raises(files.CorruptFileError, match=r"(?s)1 files? .*dead_units\.svg"):
            report.render(*sample.arguments)
    finally:
        path.write_bytes(content)


def test_a_missing_source_or_table_is_named(sample: Sample) -> None:
    arguments = list(sample.arguments)
    with pytest.raises(files.CorruptFileError, match=r"style\.css|template"):
        report.render(*arguments[:7], sample.tables, arguments[8])
    with pytest.raises(files.CorruptFileError, match=r"tables\.json is missing"):
        report.render(*arguments[:2], sample.data, *arguments[3:])


def test_the_size_of_a_drawing_is_read_in_pixels() -> None:
    assert illustrations._size('<svg width="72pt" height="36pt">') == (96, 48)
    assert illustrations._size('<?xml?><svg viewBox="0 0 1 1" height="10px" width="20">') == (20, 10)
    with pytest.raises(files.CorruptFileError, match="width and height"):
        illustrations._size('<svg viewBox="0 0 1 1" width="100%">')


def test_long_data_are_a_download_only() -> None:
    short = "a,b\n" + "1,x\n" * illustrations.MOST_ROWS
    assert illustrations._data("f", short) is not None
    assert illustrations._data("f", short + "1,x\n") is None
    assert illustrations._data("f", "a,b\n") is None
