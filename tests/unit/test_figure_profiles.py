"""The performance profile: true to the runs, drawn as it is told, and a sentence where nothing can be compared."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_figures import GRID, Made, mixed, ok, write

from trainability.figures import profiles

NAME = "performance_profiles"
INF = np.inf


def smaller(**grid: Any) -> dict[str, Any]:
    return GRID | {"studies": {"only": {"question": "q", "grid": grid}}}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Zeros stall, and sigmoid units with small weights diverge."""
    one = write(tmp_path_factory.mktemp("profiles"), GRID, mixed)
    one.figure(NAME)
    return one


class TestTable:
    def test_by_hand(self) -> None:
        """Two settings of two seeds: relu is fastest in two pairs and ties in one; tanh alone solves the fourth."""
        steps = np.array([[[8.0, 8], [16, INF]], [[16, 8], [64, 32]]])
        found = profiles.table(["relu", "tanh"], steps).set_index("activation")
        assert found.loc["relu", ["factor", "fraction"]].to_numpy().tolist() == [[1, 0.75], [4, 0.75]]
        assert found.loc["tanh", ["factor", "fraction"]].to_numpy().tolist() == [[1, 0.5], [2, 0.75], [4, 1]]
        assert (found["pairs"] == 4).all()

    def test_lines_and_their_bands_rise(self) -> None:
        draw = np.random.default_rng(0)
        steps = np.where(draw.random((3, 4, 8)) < 0.8, 2.0 ** draw.integers(3, 8, (3, 4, 8)), INF)
        for _, line in profiles.table(["a", "b", "c"], steps).groupby("activation"):
            for column in ("fraction", "low", "high"):
                assert line[column].is_monotonic_increasing
            assert (line["low"] <= line["fraction"]).all()
            assert (line["fraction"] <= line["high"]).all()
            assert ((line["high"] - line["low"]) > 0.05).any()

    def test_all_lines_end_at_the_last_factor(self) -> None:
        found = profiles.table(["a", "b", "c"], np.array([[[8.0]], [[24]], [[INF]]]))
        assert found.groupby("activation")["factor"].agg(["min", "max"]).to_numpy().tolist() == [[1, 3]] * 3
        assert found.groupby("activation")["fraction"].last().tolist() == [1, 1, 0]

    def test_where_none_arrives_all_lines_are_zero(self) -> None:
        found = profiles.table(["a", "b"], np.full((2, 1, 3), INF))
        assert found[["fraction", "low", "high"]].to_numpy().max() == 0


def test_it_agrees_with_the_runs(made: Made) -> None:
    """Share of pairs in which each activation arrived, over the settings that both have.

    They are five of initialisation and normalization, since relu lacks one, and two of preprocessing.
    """
    runs = made.loaded.tables["runs"]
    runs = runs[runs["selected"] & (runs["depth"] == made.settings.base.depth)]  # one of both has other depths
    both = runs[~((runs["init"] == "zeros") & (runs["normalization"] == "batchnorm"))]
    steps = both.pivot(
        index=["preprocessing", "init", "normalization", "seed"], columns="activation", values="steps_to_0.8"
    )
    assert len(steps) == 7 * 3
    last = made.data(NAME).groupby("activation").last()
    first = made.data(NAME).groupby("activation").first()
    for activation in ("sigmoid", "relu"):
        assert last.loc[activation, "fraction"] == pytest.approx(np.isfinite(steps[activation]).mean())
        fastest = np.isfinite(steps[activation]) & (steps[activation] == steps.min(axis=1))
        assert first.loc[activation, "fraction"] == pytest.approx(fastest.mean())


def test_it_says_over_what(made: Made) -> None:
    words = made.figure(NAME)
    assert "21 pairs are those of 7 settings" in words["caption"]
    assert "(preprocessing, init and normalization vary, all else is alike), with n = 3 seeds" in words["caption"]
    assert "Dotted: 85.7 %" in words["caption"]  # zeros solve nothing, in one of seven settings
    assert "85.7 % of the pairs" in words["alt"]


def test_lines_are_named_beside_the_drawing(made: Made) -> None:
    texts = re.findall(r">([^<]+)</text>", made.svg(NAME))
    assert {"sigmoid", "relu", "share of pairs at the target"} <= set(texts)


def test_one_setting(tmp_path: Path) -> None:
    one = write(tmp_path, smaller(activation=["tanh", "relu"]), ok)
    assert "those of 1 setting that all these activations share, with n = 3 seeds each" in one.figure(NAME)["caption"]


def test_activations_without_a_setting_in_common_are_a_sentence(tmp_path: Path) -> None:
    study = {"question": "q", "grid": {"activation": ["tanh", "relu"], "normalization": ["none", "batchnorm"]}}
    study["exclude"] = [{"when": "(activation == 'relu') == (normalization == 'none')", "reason": "r"}]
    words = write(tmp_path, GRID | {"studies": {"apart": study}}, ok).figure(NAME)
    assert words["caption"] == "Nothing to show: no setting has all 2 activations."


def test_more_activations_than_marks_are_compared_and_ten_are_drawn(tmp_path: Path) -> None:
    one = write(tmp_path, smaller(activation=[{"name": "elu", "alpha": i / 10} for i in range(1, 14)]), ok)
    words = one.figure(NAME)
    assert "first 10 of 13" in words["note"]
    assert "fastest of all 13" in words["caption"]
    assert one.data(NAME)["activation"].nunique() == 13
    assert len(re.findall(r">elu[^<]*</text>", one.svg(NAME))) == 10
