"""Statements, evidence and verdicts, on tables whose answer is known."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from trainability import claims, config, plan, statistics
from trainability.cell import FACTORS
from trainability.claims import evidence, judging, outcome, sheets, verdicts
from trainability.claims.evidence import Contrast
from trainability.claims.metrics import METRICS
from trainability.claims.pairing import NothingComparedError
from trainability.claims.sheets import Sheet
from trainability.claims.statements import Claim
from trainability.claims.verdicts import CONTRADICTED, INCONCLUSIVE, NOT_TESTABLE, NOT_YET, SUPPORTED
from trainability.config import ConfigError
from trainability.statistics import Estimate

ROOT = Path(__file__).parents[2]
SEEDS = 8


def claim(**changes: Any) -> Claim:
    """tanh is more accurate than sigmoid, by two points at least."""
    values: dict[str, Any] = {
        "id": "tanh-wins",
        "statement": "tanh is more accurate than sigmoid.",
        "source": "this test",
        "family": "one",
        "study": "activations",
        "metric": "test_accuracy",
        "expect": "higher",
        "evidence": {"name": "contrast", "treatment": "activation == 'tanh'", "control": "activation == 'sigmoid'"},
        "rule": {"name": "exceeds", "by": 0.02, "why": "two points"},
    }
    return Claim.model_validate({key: value for key, value in (values | changes).items() if value is not None})


def sheet(rows: list[dict[str, Any]], *factors: str) -> Sheet:
    return Sheet(pd.DataFrame(rows), "seed", factors or ("activation", "init"))


def accuracies(effect: float, spread: float = 0.01, seeds: int = SEEDS, draw: int = 0, edge: str = "") -> Sheet:
    """Two activations under two initialisations; tanh is better by `effect`, noise of a seed is shared by half."""
    rng = np.random.default_rng(draw)
    rows = []
    for init, activation in itertools.product(("small", "large"), ("tanh", "sigmoid")):
        own = spread * rng.normal(size=seeds)
        for seed in range(seeds):
            better = effect if activation == "tanh" else 0.0
            value = 0.7 + 0.1 * (init == "large") + better + own[seed]
            rows.append(
                {"activation": activation, "init": init, "seed": seed, "test_accuracy": value, "steps": 10.0 / value,
                 "status": "ok", "rate_edge": edge if activation == edge.partition(" ")[2] else ""}
            )  # fmt: skip
    return sheet(rows)


class TestEvidence:
    def test_contrast_pairs_seeds_within_settings(self) -> None:
        rows = [
            {"activation": activation, "init": init, "seed": seed, "test_accuracy": value}
            for activation, init, seed, value in [
                ("tanh", "a", 1, 0.9), ("tanh", "a", 0, 0.8), ("sigmoid", "a", 0, 0.5), ("sigmoid", "a", 1, 0.7),
                ("tanh", "b", 0, 0.3), ("tanh", "b", 1, 0.3), ("sigmoid", "b", 0, 0.4), ("sigmoid", "b", 1, 0.1),
                ("tanh", "only", 0, 0.3), ("tanh", "only", 1, 0.3),
            ]
        ]  # fmt: skip
        found = claim().evidence.effects(sheet(rows), METRICS["test_accuracy"], "test_accuracy")
        np.testing.assert_allclose(found.values, [[0.3, 0.2], [-0.1, 0.2]])
        assert found.settings == ((("init", "a"),), (("init", "b"),))
        assert found.units == (0, 1)

    def test_where_holds_for_both_sides(self) -> None:
        one = Contrast(where="init == 'small'", treatment="activation == 'tanh'", control="activation == 'sigmoid'")
        assert one.effects(accuracies(0.1), METRICS["test_accuracy"], "test_accuracy").settings == (
            (("init", "small"),),
        )

    def test_steps_compare_as_ratios_and_misses_are_infinite(self) -> None:
        steps = {"tanh": [10.0, np.inf, 20.0, np.inf], "sigmoid": [40.0, 10.0, np.inf, np.inf]}
        rows = [
            {"activation": name, "init": "a", "seed": seed, "steps": value}
            for name, values in steps.items()
            for seed, value in enumerate(values)
        ]
        found = claim(metric="steps", expect="lower").evidence.effects(sheet(rows), METRICS["steps"], "steps")
        np.testing.assert_allclose(found.values, [[-2.0, np.inf, -np.inf, 0.0]])

    def test_interaction_is_the_difference_of_two_contrasts(self) -> None:
        kind = evidence.Interaction(
            treatment="activation == 'tanh' and init == 'large'",
            control="activation == 'tanh' and init == 'small'",
            other_treatment="activation == 'sigmoid' and init == 'large'",
            other_control="activation == 'sigmoid' and init == 'small'",
        )
        table = accuracies(0.1, spread=0.0)
        table.frame.loc[(table.frame.activation == "tanh") & (table.frame.init == "large"), "test_accuracy"] += 0.05
        found = kind.effects(table, METRICS["test_accuracy"], "test_accuracy")
        np.testing.assert_allclose(found.values, np.full((1, SEEDS), 0.05))

    def test_level_is_the_metric_itself(self) -> None:
        found = evidence.Level(where="activation == 'tanh'").effects(accuracies(0.1, 0.0), METRICS["steps"], "steps")
        np.testing.assert_allclose(found.values[:, 0], np.log2([10 / 0.8, 10 / 0.9]))

    def test_spread_is_taken_over_shared_values_seed_by_seed(self) -> None:
        rows = [
            {"normalization": n, "init": init, "seed": seed, "test_accuracy": value + 0.01 * seed}
            for n, init, value in [
                ("batchnorm", "a", 0.90), ("batchnorm", "b", 0.92), ("none", "a", 0.50), ("none", "b", 0.90),
                ("none", "c", 0.10),
            ]
            for seed in range(3)
        ]  # fmt: skip
        kind = evidence.Spread(
            treatment="normalization == 'batchnorm'", control="normalization == 'none'", across="init"
        )
        found = kind.effects(sheet(rows, "normalization", "init"), METRICS["test_accuracy"], "test_accuracy")
        np.testing.assert_allclose(found.values, np.full((1, 3), 0.02 - 0.4))

    def test_trend_is_kendalls_tau_of_each_seed(self) -> None:
        values = {
            2: [0.1, 0.3, 0.2, 0.1, np.nan],
            5: [0.2, 0.2, 0.2, np.nan, 0.1],
            10: [0.3, 0.1, 0.2, 0.2, np.nan],
            20: [0.4, 0.0, 0.2, 0.3, 0.3],
        }
        rows = [
            {"depth": depth, "seed": seed, "dead_fraction": value}
            for depth, some in values.items()
            for seed, value in enumerate(some)
        ]
        found = evidence.Trend(along="depth").effects(sheet(rows, "depth"), METRICS["dead_fraction"], "dead_fraction")
        np.testing.assert_allclose(found.values, [[1.0, -1.0, 0.0, 1.0, np.nan]])

    def test_reordering_is_the_share_of_pairs_that_change_places(self) -> None:
        tuned, fixed = {"a": 1.0, "b": 2.0, "c": 3.0}, {"a": 2.0, "b": 1.0, "c": 3.0}
        rows = [
            {"activation": name, "learning_rate": rate, "seed": 0, "x": some[name], "tuned_x": tuned[name]}
            for rate, some in ((0.1, fixed), (0.2, tuned))
            for name in tuned
        ]
        kind = evidence.Reordering(across="activation")
        found = kind.effects(sheet(rows, "activation", "learning_rate"), METRICS["test_accuracy"], "x")
        np.testing.assert_allclose(found.values, [[1 / 3], [0.0]])

    def test_nothing_to_compare_is_said(self) -> None:
        with pytest.raises(NothingComparedError, match="no setting has all"):
            Contrast(treatment="activation == 'relu'", control="activation == 'tanh'").effects(
                accuracies(0.1), METRICS["test_accuracy"], "test_accuracy"
            )

    def test_two_rows_for_one_seed_cannot_be_paired(self) -> None:
        one = Contrast(treatment="activation == 'tanh'", control="activation == 'sigmoid'")
        doubled = accuracies(0.1)
        doubled = Sheet(pd.concat([doubled.frame, doubled.frame]), "seed", doubled.factors)
        with pytest.raises(NothingComparedError, match="cannot be paired by seed"):
            one.effects(doubled, METRICS["test_accuracy"], "test_accuracy")


def test_sides_in_words() -> None:
    assert evidence.in_words("activation == 'elu'") == "elu"
    assert evidence.in_words("depth == 10 and init == 'lsuv'") == "depth 10, lsuv"
    assert evidence.in_words("depth > 10") == "depth > 10"
    assert evidence.in_words("init == 'a' or init == 'b'") == "init == 'a' or init == 'b'"


class TestRules:
    @pytest.mark.parametrize(
        ("low", "high", "expected"),
        [(0.03, 0.05, SUPPORTED), (0.01, 0.05, INCONCLUSIVE), (-0.2, 0.01, CONTRADICTED), (0.02, 0.05, INCONCLUSIVE)],
    )
    def test_exceeds(self, low: float, high: float, expected: str) -> None:
        rule = verdicts.Exceeds(by=0.02, why="two points")
        assert rule.verdict(Estimate(0.03, low, high), Estimate(0.03, low, high)) == expected

    @pytest.mark.parametrize(
        ("narrow", "wide", "expected"),
        [
            ((-0.009, 0.009), (-0.02, 0.02), SUPPORTED),
            ((-0.02, 0.009), (-0.03, 0.01), INCONCLUSIVE),
            ((0.011, 0.03), (0.0105, 0.04), CONTRADICTED),
            ((0.011, 0.03), (0.009, 0.04), INCONCLUSIVE),
            ((-0.03, -0.011), (-0.04, -0.0105), CONTRADICTED),
        ],
    )
    def test_equivalent(self, narrow: tuple[float, float], wide: tuple[float, float], expected: str) -> None:
        rule = verdicts.Equivalent(within=0.01, why="a point")
        assert rule.verdict(Estimate(0.0, *narrow), Estimate(0.0, *wide)) == expected

    def test_factors_are_on_the_scale_of_effects(self) -> None:
        assert verdicts.Exceeds(factor=2.0, why="half").smallest == 1.0
        assert verdicts.Exceeds(factor=0.5, why="half").smallest == -1.0
        assert verdicts.Equivalent(factor=2.0, why="half").smallest == 1.0

    @pytest.mark.parametrize("values", [{"by": 0.1, "factor": 2.0}, {}])
    def test_by_or_factor(self, values: dict[str, float]) -> None:
        with pytest.raises(ValueError, match="give `by` for differences or `factor` for ratios"):
            verdicts.Exceeds(why="?", **values)

    def test_sign_test_is_exact(self) -> None:
        rule = verdicts.Exceeds(by=0.0, why="any")
        assert rule.p_value(np.ones(5), SUPPORTED) == 1 / 32
        assert rule.p_value(-np.ones(5), CONTRADICTED) == 1 / 32
        assert rule.p_value(np.array([1, 1, 1, 1, -1.0]), SUPPORTED) == 6 / 32
        both = verdicts.Equivalent(within=1.0, why="one")
        assert both.p_value(np.zeros(5), SUPPORTED) == 1 / 32
        assert both.p_value(np.full(5, 2.0), CONTRADICTED) == 2 / 32


class TestJudging:
    def test_a_clear_effect_is_supported_and_its_opposite_contradicted(self) -> None:
        one = judging.judge(claim(), accuracies(0.1, draw=1))
        assert one.verdict == SUPPORTED
        assert one.estimate.low < 0.1 < one.estimate.high
        assert one.p == 2.0**-SEEDS
        assert judging.judge(claim(expect="lower"), accuracies(0.1)).verdict == CONTRADICTED

    @given(st.floats(-0.2, 0.2), st.floats(0.001, 0.1), st.integers(0, 1000))
    @settings(max_examples=30, deadline=None)
    def test_flipped_data_flip_the_verdict(self, effect: float, spread: float, draw: int) -> None:
        """Sides exchanged and the smallest effect 0: supported becomes contradicted, and the other way round."""
        rule = {"name": "exceeds", "by": 0.0, "why": "any"}
        flipped = {"name": "contrast", "treatment": "activation == 'sigmoid'", "control": "activation == 'tanh'"}
        table = accuracies(effect, spread, draw=draw)
        one, other = judging.judge(claim(rule=rule), table), judging.judge(claim(rule=rule, evidence=flipped), table)
        opposite = {SUPPORTED: CONTRADICTED, CONTRADICTED: SUPPORTED, INCONCLUSIVE: INCONCLUSIVE}
        assert other.verdict == opposite[one.verdict]
        assert other.estimate.value == pytest.approx(-one.estimate.value)

    def test_shuffled_labels_keep_false_verdicts_at_the_nominal_rate(self) -> None:
        """No effect: a verdict either way is false with probability 2.5 % each; the interval is a bit too narrow."""
        rule = {"name": "exceeds", "by": 0.0, "why": "any"}
        found = [judging.judge(claim(rule=rule), accuracies(0.0, draw=draw)).verdict for draw in range(300)]
        assert 0 < found.count(SUPPORTED) + found.count(CONTRADICTED) < 300 * 0.10

    def test_too_few_seeds_are_inconclusive(self) -> None:
        one = judging.judge(claim(seeds=5), accuracies(0.3, spread=0.001, seeds=4))
        assert one.verdict == INCONCLUSIVE
        assert one.reason == "4 seeds, and at least 5 are asked for"

    def test_same_table_same_interval(self) -> None:
        np.random.seed(3)
        first = judging.judge(claim(), accuracies(0.03)).estimate
        np.random.seed(4)
        assert judging.judge(claim(), accuracies(0.03)).estimate == first
        assert judging.judge(claim(id="other"), accuracies(0.03)).estimate != first

    def test_misses_decide_where_half_of_the_runs_miss(self) -> None:
        table = accuracies(0.0, spread=0.0)
        table.frame.loc[table.frame.activation == "sigmoid", "steps"] = np.inf
        rule = {"name": "exceeds", "factor": 1.5, "why": "?"}
        one = judging.judge(claim(metric="steps", expect="lower", rule=rule), table)
        assert one.verdict == SUPPORTED
        assert one.estimate == Estimate(np.inf, np.inf, np.inf)

    def test_a_setting_in_which_nobody_arrives_says_nothing(self) -> None:
        """Two misses are alike, but a setting of nothing else is no evidence that neither side is sooner."""
        asked = claim(metric="steps", expect="lower", rule={"name": "exceeds", "factor": 1.5, "why": "?"})
        table = accuracies(0.0, spread=0.0)
        table.frame.loc[table.frame.init == "small", "steps"] = np.inf
        table.frame.loc[(table.frame.init == "large") & (table.frame.activation == "sigmoid"), "steps"] = 100.0
        one = judging.judge(asked, table)
        assert (one.verdict, one.effects.shape) == (SUPPORTED, (1, SEEDS))
        assert {row["verdict"] for row in outcome._by_setting(one)} == {"no run gets there", SUPPORTED}
        table.frame["steps"] = np.inf
        one = judging.judge(asked, table)
        assert (one.verdict, one.p) == (INCONCLUSIVE, 1.0)
        assert "no run of either side gets there" in one.reason

    def test_a_metric_without_values_is_inconclusive(self) -> None:
        table = accuracies(0.1)
        table.frame["test_accuracy"] = np.nan
        assert judging.judge(claim(), table).verdict == INCONCLUSIVE

    def test_a_setting_without_values_is_left_out_and_named(self) -> None:
        table = accuracies(0.1)
        table.frame.loc[(table.frame.init == "small") & (table.frame.seed == 3), "test_accuracy"] = np.nan
        one = judging.judge(claim(), table)
        assert one.effects.shape == (1, SEEDS)
        rows = outcome._by_setting(one)
        assert [row["verdict"] for row in rows] == ["no value for every seed", SUPPORTED]

    @pytest.mark.parametrize(
        ("edge", "expect", "expected"),
        [
            ("low sigmoid", "higher", INCONCLUSIVE),  # sigmoid lost, and could do better beyond the grid
            ("low tanh", "higher", SUPPORTED),  # tanh won all the same
            ("low tanh", "lower", CONTRADICTED),
            ("low sigmoid", "lower", INCONCLUSIVE),
        ],
    )
    def test_an_edge_of_the_grid_counts_for_the_side_that_lost(self, edge: str, expect: str, expected: str) -> None:
        assert judging.judge(claim(expect=expect), accuracies(0.1, edge=edge)).verdict == expected

    def test_an_edge_counts_for_nothing_where_no_run_learns(self) -> None:
        table = accuracies(0.1, edge="low sigmoid")
        table.frame.loc[table.frame.activation == "sigmoid", "status"] = "stalled"
        assert judging.judge(claim(), table).verdict == SUPPORTED

    def test_holm_corrects_within_a_family(self) -> None:
        """Seven claims of eight seeds: 7 / 256 is more than 0.025, 6 / 256 is less."""
        table = accuracies(0.1, spread=0.001)
        for members, expected in ((6, SUPPORTED), (7, INCONCLUSIVE)):
            judged = judging.corrected([judging.judge(claim(id=f"c{number}"), table) for number in range(members)])
            assert {one.verdict for one, _ in judged} == {expected}
            assert judged[0][1] == pytest.approx(members / 256)
        assert "Holm" in judged[0][0].reason
        apart = [judging.judge(claim(id=f"c{number}", family=f"f{number}"), table) for number in range(7)]
        assert {one.verdict for one, _ in judging.corrected(apart)} == {SUPPORTED}

    @pytest.mark.parametrize(
        ("judged", "later", "expected"),
        [
            (5, 1, SUPPORTED),  # 6 / 256 stays below 0.025, whatever the last one's p
            (5, 2, NOT_YET),  # 7 / 256 does not, and 5 / 256 would
            (7, 1, INCONCLUSIVE),  # 7 / 256 is too much already
        ],
    )
    def test_statements_that_wait_take_part_in_the_correction(self, judged: int, later: int, expected: str) -> None:
        known = [judging.judge(claim(id=f"c{number}"), accuracies(0.1, spread=0.001)) for number in range(judged)]
        waiting = [judging.waiting(claim(id=f"w{number}"), "cells are missing") for number in range(later)]
        found = judging.corrected([*known, *waiting])
        assert {one.verdict for one, _ in found[:judged]} == {expected}
        assert {one.verdict for one, _ in found[judged:]} == {NOT_YET}
        if expected == NOT_YET:
            assert found[0][0].reason == "its p is corrected for 7 statements of its family, of which 2 wait"
            assert np.isnan(found[0][1])
            assert found[0][0].effects.size == 0, "nothing of it is shown"

    def test_the_correction_bounds_what_those_that_wait_can_do(self) -> None:
        """By brute force: whatever p they get, a known one is adjusted to no more than with 1, no less than alone."""
        rng = np.random.default_rng(0)
        for _ in range(500):
            known, later = rng.uniform(0, 0.1, rng.integers(1, 6)), rng.uniform(0, 0.2, rng.integers(1, 4))
            adjusted = statistics.holm(np.append(known, later))[: len(known)]
            most = statistics.holm(np.append(known, np.ones(len(later))))[: len(known)]
            assert (adjusted <= most + 1e-12).all()
            assert (adjusted >= statistics.holm(known) - 1e-12).all()


def runs() -> tuple[pd.DataFrame, pd.DataFrame]:
    """An experiment of two activations at two rates, the second of which suits tanh only."""
    usual = dict.fromkeys(FACTORS, "x")
    rows = []
    for activation, rate, seed in itertools.product(("tanh", "sigmoid"), (0.01, 0.1), range(SEEDS)):
        good = rate == 0.1 if activation == "tanh" else rate == 0.01
        rows.append(
            {
                **usual, "activation": activation, "cell": activation, "studies": "activations other", "seed": seed,
                "learning_rate": rate, "selected": good, "status": "ok" if good else "stalled",
                "test_accuracy": (0.9 if activation == "tanh" else 0.8) - 0.5 * (not good) + 0.001 * seed,
                "steps_to_0.5": 10.0 if good and activation == "tanh" else np.inf,
                "activation_mean": 3.0, "activation_std": 4.0, "budget": 40,
            }
        )  # fmt: skip
    cells = pd.DataFrame({"cell": ["tanh", "sigmoid"], "rate_edge": ["high", "low"], "steps": [40, 40]})
    return pd.DataFrame(rows).drop(columns="budget"), cells


def experiment(**studies: Any) -> config.Config:
    named = {"activations": {"question": "?", "grid": {"activation": ["tanh", "sigmoid"]}}} | studies
    return config.read(
        {"title": "t", "seeds": SEEDS, "learning_rates": [0.01, 0.1], "targets": [0.5], "studies": named}
    )


class TestTables:
    def test_a_row_per_statement_says_what_it_rests_on(self) -> None:
        source = sheets.Tables(experiment(), *runs(), analyses={})
        steps = {"name": "exceeds", "factor": 1.5, "why": "?"}
        asked = [
            claim(),
            claim(id="faster", metric="steps", expect="lower", rule=steps, family="two"),
            claim(id="absent", study="nothing", elsewhere="the digits are too easy"),
        ]
        found = outcome.tables(asked, source)
        table = found["claims"].set_index("claim")
        first = table.loc["tanh-wins"]
        assert first["verdict"] == INCONCLUSIVE, "sigmoid's rate lies on the edge of the grid"
        assert "edge" in first["reason"]
        assert first["estimate"] == pytest.approx(0.1)
        assert first["n"] == SEEDS
        assert first["fixed_rates"] == "0.01: contradicted; 0.1: supported"
        assert bool(first["changes_at_fixed_rate"])
        assert "depth x" in first["held_fixed"]
        assert table.loc["faster", "otherwise_counted"] == INCONCLUSIVE, "again for the edge"
        assert table.loc["faster", "estimate"] == np.inf
        assert table.loc["absent", "verdict"] == NOT_TESTABLE
        assert table.loc["absent", "reason"] == "the digits are too easy"
        rows = found["evidence"]
        assert rows["claim"].tolist() == ["tanh-wins", "faster"]
        assert rows["verdict"].tolist() == [SUPPORTED, SUPPORTED]
        assert rows["control_edge"].all()

    def test_a_statement_waits_for_all_cells_of_its_study(self) -> None:
        source = sheets.Tables(experiment(others={"question": "?", "grid": {"depth": [2]}}), *runs(), analyses={})
        asked = [claim(), claim(id="later", study="others", family="two"), claim(id="absent", study="nothing")]
        found = outcome.tables(asked, source, {"others": "study others lacks 1 of its 2 cells"})
        table = found["claims"].set_index("claim")
        assert table["verdict"].to_dict() == {"tanh-wins": INCONCLUSIVE, "later": NOT_YET, "absent": NOT_TESTABLE}
        assert table.loc["later", "reason"] == "study others lacks 1 of its 2 cells"
        assert np.isnan(table.loc["later", "estimate"])
        assert table.loc["later", "fixed_rates"] == table.loc["later", "otherwise_counted"] == ""
        assert set(found["evidence"]["claim"]) == {"tanh-wins"}
        alone = outcome.tables(asked[:1], source)
        pd.testing.assert_frame_equal(found["claims"].iloc[:1], alone["claims"], check_dtype=False)

    @pytest.mark.parametrize(
        ("figure", "metric", "expect", "expected"),
        [
            ({"by": 0.03}, "test_accuracy", "higher", 0.03),
            ({"by": 0.03}, "test_accuracy", "lower", 0.03),
            ({"factor": 4}, "steps", "lower", 2.0),
        ],
    )
    def test_a_published_number_stands_on_the_scale_of_the_effect(
        self, figure: dict[str, float], metric: str, expect: str, expected: float
    ) -> None:
        published = {"says": "so", "figures": [figure, figure | {"where": "depth == 'x'"}]}
        rule = {"name": "exceeds", "factor": 1.5, "why": "?"} if metric == "steps" else None
        asked = claim(published=published, metric=metric, expect=expect, **({"rule": rule} if rule else {}))
        found = outcome.tables([asked], sheets.Tables(experiment(), *runs(), analyses={}))
        assert found["claims"]["published_estimate"].tolist() == [expected]
        assert found["evidence"]["published_estimate"].tolist() == [expected]

    def test_a_published_level_is_oriented_as_the_effect(self) -> None:
        kind = {"name": "level", "where": "activation == 'tanh'"}
        published = {"says": "so", "figures": [{"value": 0.9}]}
        found = outcome.tables(
            [
                claim(
                    evidence=kind, expect="lower", rule={"name": "exceeds", "by": -0.5, "why": "?"}, published=published
                )
            ],
            sheets.Tables(experiment(), *runs(), analyses={}),
        )
        row = found["claims"].iloc[0]
        assert row["published_estimate"] == -0.9
        assert row["estimate"] < 0
        assert found["evidence"]["published_estimate"].isna().all(), "the number is of no setting in particular"

    def test_derived_metrics(self) -> None:
        frame = sheets.Tables(experiment(), *runs(), analyses={}).sheet(claim()).frame
        assert frame["off_centre"].unique().tolist() == [0.6]
        assert frame["learns"].unique().tolist() == [1.0]
        assert frame.set_index("cell")["largest_rate"].to_dict() == {"tanh": 0.1, "sigmoid": 0.01}

    def test_other_counting_puts_misses_at_the_budget(self) -> None:
        sheet = sheets.Tables(experiment(), *runs(), analyses={}).sheet(claim())
        assert sheets.misses_at_budget(sheet).frame.groupby("activation")["steps"].first().to_dict() == {
            "sigmoid": 40.0,
            "tanh": 10.0,
        }


class TestFiles:
    def write(self, tmp_path: Path, *entries: dict[str, Any]) -> Path:
        path = tmp_path / "claims.yaml"
        path.write_text(yaml.safe_dump({"claims": list(entries)}))
        return path

    def entry(self, **changes: Any) -> dict[str, Any]:
        values: dict[str, Any] = claim().model_dump(mode="json", exclude_defaults=True)
        values["evidence"]["name"], values["rule"]["name"] = "contrast", "exceeds"
        return values | changes

    def test_comes_back(self, tmp_path: Path) -> None:
        assert claims.load([self.write(tmp_path, self.entry())]) == [claim()]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"metric": "test_acuracy"}, "no metric is called test_acuracy: did you mean 'test_accuracy'"),
            ({"expect": "either"}, "`expect: either` belongs to the rule `equivalent`"),
            ({"study": ""}, "give `study` or `analysis`"),
            ({"evidence": {"name": "contrst"}}, "did you mean 'contrast'"),
            ({"rule": {"name": "exceeds", "by": 0.1}}, "tanh-wins.rule.why: this key is required"),
            (
                {"evidence": {"name": "contrast", "treatment": "depth > 3", "control": "activation == "}},
                "tanh-wins.evidence.control: not an expression",
            ),
            ({"seed": 5}, "tanh-wins.seed: unknown key: did you mean 'seeds'"),
            ({"id": "Not An Id"}, "should match pattern"),
            ({"statement": " "}, "at least 1 character"),
            (
                {"published": {"says": "six", "figures": [{"factor": 6}]}},
                "given as `by` here, as the effect is, not as `fact",
            ),
            ({"published": {"says": "six", "figures": [{"by": 1, "factor": 6}]}}, "and one only"),
            ({"published": {"says": " "}}, "at least 1 character"),
        ],
    )
    def test_mistakes_are_named(self, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            claims.load([self.write(tmp_path, self.entry(**changes))])

    def test_two_claims_of_one_name(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="claim tanh-wins is defined twice"):
            claims.load([self.write(tmp_path, self.entry(), self.entry())])

    @pytest.mark.parametrize(
        ("control", "message"),
        [
            ("activation == 'sigmiod'", "no cell of study activations satisfies `activation == 'sigmiod'`"),
            ("activaton == 'sigmoid'", "'activaton' is not a name here: did you mean 'activation'"),
        ],
    )
    def test_selectors_must_find_cells(self, control: str, message: str) -> None:
        kind = {"name": "contrast", "treatment": "activation == 'tanh'", "control": control}
        settings = experiment()
        with pytest.raises(ConfigError, match=message):
            claims.check([claim(evidence=kind)], settings, plan.make_plan(settings))

    def test_a_published_figure_must_find_cells(self) -> None:
        settings = experiment()
        asked = claim(published={"says": "so", "figures": [{"by": 0.1, "where": "depth == 'w'"}]})
        with pytest.raises(ConfigError, match="no cell of study activations satisfies `depth == 'w'`"):
            claims.check([asked], settings, plan.make_plan(settings))

    def test_of_another_experiment_is_no_mistake(self) -> None:
        settings = experiment()
        claims.check([claim(study="elsewhere")], settings, plan.make_plan(settings))

    def test_a_users_file_is_judged_beside_the_textbook(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, self.entry())
        settings = experiment().model_copy(update={"claims": [str(path)]})
        found = claims.gather(settings, plan.make_plan(settings))
        assert found[-1] == claim()
        assert len(found) == len(claims.load([claims.TEXTBOOK])) + 1

    def test_the_textbook_finds_its_cells_in_the_default_experiment(self) -> None:
        settings = config.load([ROOT / "config.yaml"])
        found = claims.load([claims.TEXTBOOK])
        claims.check(found, settings, plan.make_plan(settings))
        assert all(claims.testable(one, settings) or one.elsewhere for one in found)
        families = pd.Series([one.family for one in found]).value_counts()
        assert families.max() <= 6, "with eight seeds Holm's correction leaves no verdict to a larger family"
