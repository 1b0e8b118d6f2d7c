"""The settings that all activations share: the rule, by examples, and the figures of their runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from trainability import config, plan, suite
from trainability.suite import Suite

SEEDS = 3


def planned(base: dict[str, Any] | None = None, **studies: dict[str, Any]) -> Suite:
    """The suite of a configuration with these studies, each a grid or a grid with exclusions."""
    parts = {
        name: {"question": "q"} | (study if "grid" in study else {"grid": study}) for name, study in studies.items()
    }
    values = {"title": "t", "seeds": SEEDS, "learning_rates": [0.1], "targets": [0.9], "studies": parts}
    settings = config.read(values | {"base": base or {}})
    return suite.shared(plan.included(plan.make_plan(settings)), settings.base)


GRID = {
    "activation": ["tanh", "relu", "elu"],
    "init": ["zeros", "kaiming_normal"],
    "normalization": ["none", "batchnorm"],
}


def test_a_setting_counts_where_all_activations_have_it() -> None:
    excluded = [{"when": "activation == 'elu' and init == 'zeros' and normalization == 'none'", "reason": "r"}]
    found = planned(by_init={"grid": GRID, "exclude": excluded})
    assert found.activations == ("tanh", "relu", "elu")
    assert [(one["init"], one["normalization"]) for one in found.settings] == [
        ("zeros", "batchnorm"),
        ("kaiming_normal", "none"),
        ("kaiming_normal", "batchnorm"),
    ]
    assert found.varied == ("init", "normalization")
    assert found.problem == ""


def test_settings_of_all_studies_count_and_those_of_some_activations_do_not() -> None:
    found = planned(
        base_only={"activation": ["tanh", "relu"]},
        deep={"activation": ["tanh", "relu"], "depth": [10]},
        preprocessing={"activation": ["relu"], "preprocessing": ["raw"]},
    )
    assert [one["depth"] for one in found.settings] == [5, 10]
    assert found.varied == ("depth",)


def test_other_data_sets_do_not_count() -> None:
    found = planned(data={"activation": ["tanh", "relu"], "dataset": ["digits", "spirals"]})
    assert [one["dataset"] for one in found.settings] == ["digits"]


def test_units_of_several_pieces_count_at_the_bases_sizing() -> None:
    grid = {"activation": ["relu", "maxout"], "sizing": ["width", "parameters"]}
    for sizing in ("width", "parameters"):
        found = planned({"sizing": sizing}, maxout=grid)
        assert found.activations == ("relu", "maxout")
        assert len(found.settings) == 1
    by_width, by_parameters = (planned({"sizing": sizing}, maxout=grid).cells for sizing in ("width", "parameters"))
    assert by_width[0] == by_parameters[0]
    assert by_width[1] != by_parameters[1]


@pytest.mark.parametrize(
    ("study", "problem"),
    [
        ({"activation": ["relu"], "init": ["zeros", "kaiming_normal"]}, "the plan has one activation"),
        ({"activation": ["relu", "elu"], "depth": [2]}, "no cell is trained at the base setting"),
        (
            {
                "grid": {"activation": ["relu", "elu"], "normalization": ["none", "batchnorm"]},
                "exclude": [{"when": "(activation == 'relu') == (normalization == 'none')", "reason": "r"}],
            },
            "no setting has all 2 activations",
        ),
    ],
)
def test_why_there_is_nothing_to_compare(study: dict[str, Any], problem: str) -> None:
    assert planned(only=study).problem.startswith(problem)


def made_up(found: Suite) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables of runs, in no order, whose figures say which run they are of: cell number and seed."""
    keys = [key for row in found.cells for key in row]
    rows = [
        {"cell": key, "seed": seed, "selected": selected, "status": "ok"}
        | {"steps_to_0.9": 100.0 * number + seed, "test_accuracy": number + seed / 10 if selected else -1.0}
        for number, key in enumerate(keys)
        for seed in range(SEEDS)
        for selected in (True, False)
    ]
    cells = pd.DataFrame({"cell": keys, "steps": [1000 * (1 + number) for number in range(len(keys))]})
    return pd.DataFrame(rows).sample(frac=1, random_state=0), cells


def test_figures_stand_at_their_activation_setting_and_seed() -> None:
    found = planned(by_init={"activation": ["tanh", "relu"], "init": ["kaiming_normal", "xavier_normal"]})
    runs, cells = made_up(found)
    results = suite.results(found, runs, cells, "steps_to_0.9", 0.1)
    numbers = np.arange(4).reshape(2, 2, 1)
    assert np.array_equal(results.steps, 100 * numbers + np.arange(SEEDS))
    assert results.accuracy == pytest.approx(numbers + np.arange(SEEDS) / 10)
    assert results.budget.tolist() == [1000, 2000]
    assert results.unsolved == 0


def test_a_run_that_failed_counts_as_guessing_and_a_setting_that_none_solves_is_counted() -> None:
    found = planned(by_init={"activation": ["tanh", "relu"], "init": ["kaiming_normal", "xavier_normal"]})
    runs, cells = made_up(found)
    lost = (runs["cell"] == found.cells[1][0]) & (runs["seed"] == 2)
    runs.loc[lost, "status"] = "diverged"
    runs.loc[runs["cell"].isin([row[1] for row in found.cells]), "steps_to_0.9"] = np.inf
    runs.loc[runs["cell"].isin([row[1] for row in found.cells]), "status"] = "stalled"
    results = suite.results(found, runs, cells, "steps_to_0.9", 0.1)
    assert results.accuracy.tolist() == [[[0, 0.1, 0.2], [0.1] * 3], [[2, 2.1, 0.1], [0.1] * 3]]
    assert results.unsolved == 1
