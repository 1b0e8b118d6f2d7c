"""Activations compared as a whole: the numbers by hand, sentences true in every case, and tables that agree."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_sample import CONFIG, Sample
from scipy import stats

from trainability.report import material, profiles
from trainability.report.blocks import Figure, Prose, Table
from trainability.report.overall import Overall
from trainability.suite import SETTING, Results, Suite

INF = np.inf


def read(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def of(steps: Sequence[Any], accuracy: Sequence[Any], budget: float = 100) -> Overall:
    """An overall of activations a, b and so on; figures are [activations, settings, seeds]."""
    taken, share = np.array(steps, dtype=float), np.array(accuracy, dtype=float)
    names = tuple("abcdef"[: len(taken)])
    suite = Suite(names, tuple(dict.fromkeys(SETTING, "alike") | {"init": init} for init in "ab"[: taken.shape[1]]), ())
    return Overall(suite, Results(taken, share, np.full(taken.shape[1], budget)), 0.9)


EIGHT = np.arange(8) / 1000
TWO = of(
    [[[10.0] * 8, [20] * 8], [[20] * 8, [20] * 7 + [INF]]],
    [[0.9 + EIGHT, 0.8 + EIGHT], [0.7 + EIGHT, 0.8 + EIGHT[[3, 1, 4, 7, 5, 2, 6, 0]]]],
)


class TestNumbers:
    def test_running_time_success_and_nearness(self) -> None:
        assert TWO.expected["a"].value == 15
        assert TWO.expected["b"].value == pytest.approx((8 * 20 + 7 * 20 + 100) / 15)
        assert TWO.success["b"] == pytest.approx((15 / 16, *stats.binomtest(15, 16).proportion_ci(method="wilson")))
        assert TWO.within(1) == {"a": 1, "b": 7 / 16}
        assert TWO.within(2) == {"a": 1, "b": 15 / 16}

    def test_interquartile_mean_is_scipys(self) -> None:
        runs = TWO.results.accuracy[0]
        assert TWO.accuracy["a"].value == pytest.approx(stats.trim_mean(runs, 0.25, axis=None))

    def test_improvement_is_mann_and_whitneys_and_its_complement(self) -> None:
        """a wins all pairs of one setting, and each loses as many as it wins in the other."""
        chance = TWO.improvement["a", "b"]
        shares = [stats.mannwhitneyu(*TWO.results.accuracy[:, k]).statistic / 64 for k in (0, 1)]
        assert chance.value == pytest.approx(np.mean(shares)) == pytest.approx(0.75)
        back = TWO.improvement["b", "a"]
        assert back == pytest.approx((1 - chance.value, 1 - chance.high, 1 - chance.low))
        assert TWO.better("a", "b")
        assert not TWO.better("b", "a")

    def test_few_seeds_decide_nothing_however_far_apart(self) -> None:
        for seeds, decided in ((5, False), (6, True)):
            found = of([[[8.0] * seeds]] * 2, [[[0.9] * seeds], [[0.1] * seeds]])
            assert found.improvement["a", "b"] == (1, 1, 1)
            assert found.better("a", "b") is decided


class TestSentences:
    def test_who_leads_and_by_how_much(self) -> None:
        assert read(profiles.speed(TWO)) == (
            "Most often the fastest, ties included, was a, in 100.0 % of the pairs; most often within twice the fewest "
            "steps was a again, in 100.0 %. Expected running time was the shortest with a, 15; next came b with "
            f"{profiles._steps(TWO.expected['b'].value)} [20, {profiles._steps(TWO.expected['b'].high)}] (the "
            "intervals do not overlap)."
        )
        text = read(profiles.accuracy(TWO))
        assert text.startswith("The interquartile mean of test accuracy was the highest with a, 85.4 % [")
        assert "A run of a is more accurate than one of b with probability 75 % [" in text
        assert text.endswith("which is beyond chance.")

    def test_ties_share_the_lead(self) -> None:
        same = of([[[8.0] * 8]] * 2, [[0.9 + EIGHT]] * 2)
        assert read(profiles.speed(same)) == (
            "Most often the fastest, ties included, were a and b, each in 100.0 % of the pairs; most often within "
            "twice the fewest steps were a and b again, each in 100.0 %. Expected running time was the shortest with "
            "a and b, 8 and 8."
        )
        assert "probability" not in profiles.accuracy(same)

    def test_none_arrives(self) -> None:
        none = of([[[INF] * 8]] * 2, [[[0.1] * 8]] * 2)
        assert read(profiles.speed(none)) == "No activation reached 90 % validation accuracy in any of these pairs."
        assert "In 1 of these settings no run of any activation" in read(profiles.scope(none))

    def test_one_that_never_arrives_is_not_the_next(self) -> None:
        text = profiles.speed(of([[[8.0] * 8], [[INF] * 8]], [[[0.9] * 8], [[0.1] * 8]]))
        assert text.endswith("Expected running time was the shortest with a, 8.")

    def test_what_is_not_beyond_chance_is_called_so(self) -> None:
        draw = np.random.default_rng(0).normal(0.9, 0.01, (3, 2, 8))
        found = of(np.full((3, 2, 8), 8.0), draw)
        text = profiles.accuracy(found)
        assert "which is not beyond chance" in text
        assert text.endswith("Beyond chance, 0 of 3 pairs of activations differ in accuracy.")

    def test_how_many_pairs_differ(self) -> None:
        found = of(np.full((3, 1, 8), 8.0), [[0.9 + EIGHT], [0.8 + EIGHT], [0.8 + EIGHT]])
        assert profiles.accuracy(found).endswith(
            "Beyond chance, 2 of 3 pairs of activations differ in accuracy; a beats the most others, 2."
        )

    def test_few_seeds(self) -> None:
        text = profiles.accuracy(of([[[8.0, 8]]] * 2, [[[0.9, 0.91]], [[0.1, 0.2]]]))
        assert "chance" not in text.split("With 2 seeds")[0]
        assert text.endswith("With 2 seeds no difference can be told from chance.")

    def test_over_what(self) -> None:
        assert read(profiles.scope(TWO)) == (
            "As a whole, 2 activations are compared over all 2 settings of the plan that they share, which differ in "
            "`init`: with 8 seeds, 16 pairs of setting and seed."
        )


class TestTables:
    def test_rows_hold_the_numbers(self) -> None:
        found = profiles.table(TWO)
        assert [read(entry.text) for entry in found.rows[0][:3]] == ["a", "100.0 %", "100.0 %"]
        assert [entry.sort for entry in found.rows[1][1:]] == [
            7 / 16, 15 / 16, 15 / 16, TWO.expected["b"].value, TWO.accuracy["b"].value
        ]  # fmt: skip

    def test_an_activation_that_never_arrives_has_no_running_time(self) -> None:
        found = profiles.table(of([[[8.0] * 8], [[INF] * 8]], [[[0.9] * 8], [[0.1] * 8]]))
        assert found.rows[1][4].text == "never"

    def test_the_matrix_marks_both_sides_of_what_is_beyond_chance(self) -> None:
        (_, none, up), (_, down, _) = profiles.matrix(TWO).rows
        assert none.text == "\N{EN DASH}"
        assert up.text.startswith("75 [")
        assert up.text.endswith("\N{UPWARDS ARROW}")
        assert down.text.startswith("25 [")
        assert down.text.endswith("\N{DOWNWARDS ARROW}")

    def test_few_seeds_mark_nothing(self) -> None:
        found = profiles.matrix(of([[[8.0, 8]]] * 2, [[[0.9, 0.91]], [[0.1, 0.2]]]))
        assert [entry.text for entry in found.rows[0]] == ["a", "\N{EN DASH}", "100"]
        assert found.notes[0] == "No pair is marked: 2 seeds cannot tell activations apart."

    @pytest.mark.parametrize(("share", "text"), [(0, "0"), (0.001, "1"), (0.501, "50"), (0.999, "99"), (1, "100")])
    def test_probabilities_never_round_to_certainty(self, share: float, text: str) -> None:
        assert profiles._chance(share) == text


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> material.Material:
    one = Sample(tmp_path_factory.mktemp("profiles")).make()
    return material.load(one.settings, one.plan, one.tables, one.cells, one.data, "snakemake")


def test_blocks_of_an_experiment(sample: material.Material) -> None:
    """relu and elu share Kaiming's initialisation with and without batch normalization."""
    figure = Figure("name", "", "", "", "", "", 1, 1, None)
    prose, drawn, table, matrix = profiles.blocks(sample, [figure])
    assert isinstance(prose, Prose)
    assert "2 activations are compared over all 2 settings" in read(prose.paragraphs[0])
    assert "4 pairs of setting and seed" in prose.paragraphs[0]
    assert drawn is figure
    assert isinstance(table, Table)
    assert isinstance(matrix, Table)
    runs = sample.runs[sample.runs["selected"] & (sample.runs["init"] == "kaiming_normal")]
    by_name = np.isfinite(runs["steps_to_0.2"]).groupby(runs["activation"]).mean()
    assert {row[0].text: row[3].sort for row in table.rows} == by_name.to_dict()
    assert profiles.blocks(sample, [figure]) == [prose, drawn, table, matrix]


def test_one_activation_is_a_sentence(tmp_path: Path, sample: material.Material) -> None:
    study = {"question": "q", "grid": {"activation": ["relu"]}}
    one = Sample(tmp_path, **(CONFIG | {"studies": {"activations": study}}))
    alone = dataclasses.replace(sample, settings=one.settings, plan=one.plan)
    (prose,) = profiles.blocks(alone, [])
    assert isinstance(prose, Prose)
    assert prose.paragraphs == (
        "Activations cannot be compared as a whole: the plan has one activation at the base setting, relu.",
    )
