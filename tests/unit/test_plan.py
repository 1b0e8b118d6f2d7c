"""Cells and plans: identity, keys, de-duplication, exclusions, selection."""

from __future__ import annotations

import copy
import csv
import io
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_config import MINIMAL, ROOT

from trainability import config, plan
from trainability.activations import ACTIVATIONS
from trainability.cell import FACTORS, Cell
from trainability.config import ConfigError
from trainability.expressions import ExpressionError
from trainability.initializers import INITIALIZERS
from trainability.normalizations import NORMALIZATIONS


def planned(**studies: Any) -> plan.Plan:
    values = copy.deepcopy(MINIMAL) | {"studies": {n: {"question": "?", **s} for n, s in studies.items()}}
    return plan.make_plan(config.read(values))


class TestKey:
    def test_is_readable(self, make_cell: Any) -> None:
        key = make_cell(activation="relu", normalization="batchnorm").key
        assert re.fullmatch(r"digits\.standardize\.relu\.kaiming_normal\.batchnorm-[0-9a-f]{8}", key)

    def test_is_stable(self, make_cell: Any) -> None:
        """Pinned: if it changes, every user's results are orphaned."""
        assert make_cell().key == "digits.standardize.relu.kaiming_normal.none-7a0c1e1d"

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ({"bias": 0}, {"bias": 0.0}),
            ({"activation": "elu"}, {"activation": {"alpha": 1, "name": "elu"}}),
            ({"seeds": 3}, {"seeds": [2, 1, 0]}),
            ({"learning_rates": [0.1, 0.01]}, {"learning_rates": [1.0e-2, 1e-1]}),
            ({"optimizer": "sgd"}, {"optimizer": {"name": "sgd", "momentum": 0.90}}),
        ],
        ids=str,
    )
    def test_does_not_depend_on_spelling(self, make_cell: Any, one: dict[str, Any], other: dict[str, Any]) -> None:
        assert make_cell(**one).key == make_cell(**other).key

    def test_depends_on_every_factor(self, make_cell: Any) -> None:
        other: dict[str, Any] = {
            "dataset": "mnist",
            "preprocessing": "raw",
            "activation": {"name": "relu"},
            "init": {"name": "small_normal", "std": 0.02},
            "bias": 0.01,
            "normalization": {"name": "batchnorm", "eps": 1e-3},
            "dropout": 0.1,
            "depth": 4,
            "width": 7,
            "sizing": "parameters",
            "optimizer": {"name": "sgd", "momentum": 0.8},
            "batch_size": 9,
            "epochs": 3,
            "probe_examples": 100,
            "augmentation": "crop_flip",
            "architecture": "cnn",
            "input_dropout": 0.1,
            "label_smoothing": 0.1,
            "gradient_clipping": 1.0,
            "schedule": "cosine",
        } | {"activation": {"name": "elu", "alpha": 0.5}}
        assert set(other) == set(FACTORS)
        keys = {make_cell().key} | {make_cell(**{name: value}).key for name, value in other.items()}
        keys |= {make_cell(seeds=[0]).key, make_cell(learning_rates=[0.1]).key}
        assert len(keys) == len(FACTORS) + 3

    @given(
        st.sampled_from(list(ACTIVATIONS)),
        st.sampled_from(list(INITIALIZERS)),
        st.sampled_from(list(NORMALIZATIONS)),
        st.floats(0, 1, exclude_max=True),
        st.integers(1, 200),
    )
    def test_canonical_form_comes_back(
        self, activation: str, init: str, normalization: str, dropout: float, depth: int
    ) -> None:
        cell = Cell(
            activation=activation, init=init, normalization=normalization, dropout=dropout, depth=depth,
            seeds=[0], learning_rates=[0.1],
        )  # fmt: skip
        again = Cell.from_canonical(cell.canonical)
        assert again == cell
        assert (again.key, again.canonical) == (cell.key, cell.canonical)


def test_runs_go_seed_by_seed(make_cell: Any) -> None:
    runs = make_cell(seeds=[0, 1], learning_rates=[0.1, 0.2]).runs
    assert runs == [(0, 0.1), (0, 0.2), (1, 0.1), (1, 0.2)]


class TestPlan:
    def test_studies_share_cells(self) -> None:
        entries = planned(
            one={"grid": {"activation": ["relu", "tanh"]}},
            two={"grid": {"normalization": ["none", "batchnorm"]}},
        )
        assert len(entries) == 3
        assert [entry.studies for entry in entries.values()] == [["one", "two"], ["one"], ["two"]]

    def test_overrides_fix_factors(self) -> None:
        entries = planned(one={"grid": {"activation": ["relu"]}, "overrides": {"depth": 9, "init": "zeros"}})
        (entry,) = entries.values()
        assert (entry.cell.depth, entry.cell.init.name) == (9, "zeros")

    def test_adding_a_value_adds_only_its_cells(self) -> None:
        few = planned(one={"grid": {"activation": ["relu", "tanh"], "init": ["zeros", "ones"]}})
        more = planned(one={"grid": {"activation": ["relu", "elu", "tanh"], "init": ["zeros", "ones"]}})
        assert set(few) < set(more)
        assert {more[key].cell.activation.name for key in set(more) - set(few)} == {"elu"}

    def test_excluded_cells_keep_their_reasons(self) -> None:
        entries = planned(
            one={
                "grid": {"activation": ["relu", "tanh"], "init": ["zeros", "ones"]},
                "exclude": [
                    {"when": "activation == 'relu' and init == 'zeros'", "reason": "dull"},
                    {"when": "init in ['zeros', 'ones'] and activation != 'tanh'", "reason": "constant"},
                ],
            }
        )
        reasons = {(e.cell.activation.name, e.cell.init.name): e.reason for e in entries.values()}
        assert reasons == {
            ("relu", "zeros"): "one: dull; constant",
            ("relu", "ones"): "one: constant",
            ("tanh", "zeros"): "",
            ("tanh", "ones"): "",
        }
        assert len(plan.included(entries)) == 2

    def test_cell_that_another_study_includes_is_trained(self) -> None:
        grid = {"grid": {"activation": ["relu"]}}
        entries = planned(one=grid | {"exclude": [{"when": "depth == 5", "reason": "no"}]}, two=grid)
        (entry,) = entries.values()
        assert entry.included
        assert entry.reason == "one: no"

    def test_excluding_everything_is_an_error(self) -> None:
        with pytest.raises(ConfigError, match="every cell is excluded"):
            planned(one={"grid": {"depth": [5]}, "exclude": [{"when": "depth == 5", "reason": "no"}]})

    def test_sizing_of_one_piece_is_one_cell(self) -> None:
        entries = planned(one={"grid": {"activation": ["relu", "maxout"], "sizing": ["width", "parameters"]}})
        assert len(entries) == 3

    def test_sizing_of_two_outputs_is_a_cell_each(self) -> None:
        entries = planned(one={"grid": {"activation": ["relu", "crelu"], "sizing": ["width", "parameters", "flops"]}})
        assert len(entries) == 4

    def test_impossible_cells_are_named(self) -> None:
        with pytest.raises(ConfigError, match=r"studies.one: batch_size 5000 is larger than the 1152 training"):
            planned(one={"grid": {"batch_size": [5000]}})
        with pytest.raises(ConfigError, match="batchnorm needs a batch_size of at least 2"):
            planned(one={"grid": {"normalization": ["batchnorm"]}, "overrides": {"batch_size": 1}})

    @pytest.mark.parametrize("name", ["pca", "pca_whiten", "zca_whiten"])
    def test_more_components_than_features_are_refused_before_any_job(self, name: str) -> None:
        entry = {"name": name, "components": 65}
        with pytest.raises(ConfigError, match=r"studies.one: preprocessing .*=65\): .* 64 features, .* \(digits\)"):
            planned(one={"grid": {"preprocessing": [entry]}})
        assert planned(one={"grid": {"preprocessing": [entry | {"components": 64}]}})
        assert planned(one={"grid": {"preprocessing": [entry]}, "overrides": {"dataset": "mnist"}})

    def test_impossible_generated_data_are_named_with_their_place(self) -> None:
        with pytest.raises(ConfigError, match=r"studies.one.grid.dataset\[1\]: relevant=13 is more than the 12 bits"):
            planned(one={"grid": {"dataset": ["parity", {"name": "parity", "relevant": 13}]}})

    def test_cifar10_is_planned_with_its_own_preprocessing(self) -> None:
        settings = config.load([ROOT / "config.yaml", ROOT / "experiments/cifar10.yaml"])
        cells = [entry.cell for entry in plan.make_plan(settings).values() if entry.included]
        # 18 of activations and initialisations, 32 of preprocessing of which 4 are among them, 1 normalization more;
        # convolutional: 2 architectures with 3 normalizations, of 3 activations, and of ReLU with augmentation
        assert len(cells) == 18 + 32 - 4 + 1 + 2 * 3 * (3 + 1)
        assert {"cnn", "residual_cnn"} <= {c.architecture.name for c in cells}
        assert {cell.dataset.label for cell in cells} == {"cifar10(train_examples=10000, validation_examples=500)"}
        assert {"channel_standardize", "zca_whiten", "contrast(zca=0.1)"} <= {c.preprocessing.label for c in cells}

    def test_conditioning_compares_every_preprocessing_on_all_condition_numbers(self) -> None:
        settings = config.load([ROOT / "config.yaml", ROOT / "experiments/conditioning.yaml"])
        cells = [entry.cell for entry in plan.make_plan(settings).values() if entry.included]
        assert len(cells) == 4 * 5 + 5 + 2 * 5
        assert settings.base.dataset in {cell.dataset for cell in cells}
        assert not any(cell.dataset.pictured for cell in cells)

    def test_huge_grid_is_refused_before_it_is_built(self) -> None:
        with pytest.raises(ConfigError, match="they span 4000000 cells"):
            planned(one={"grid": {"width": list(range(1, 2001)), "batch_size": list(range(1, 2001))}})

    def test_comparison_of_text_and_numbers_is_a_clear_error(self) -> None:
        with pytest.raises(ConfigError, match="cannot be evaluated"):
            planned(one={"grid": {"depth": [5]}, "exclude": [{"when": "depth > 'a'", "reason": "no"}]})

    def test_selects_by_expression(self) -> None:
        entries = planned(one={"grid": {"activation": ["relu", {"name": "elu", "alpha": 0.5}], "depth": [2, 4]}})
        selected = plan.select(entries, "activation == 'elu(alpha=0.5)' and depth >= 3")
        assert [entry.cell.depth for entry in selected.values()] == [4]
        with pytest.raises(ExpressionError, match="did you mean 'depth'"):
            plan.select(entries, "dept > 3")

    def test_table_has_a_row_per_cell(self) -> None:
        entries = planned(
            one={
                "grid": {"init": ["zeros", "ones"]},
                "exclude": [{"when": "init == 'ones'", "reason": 'a, "b"'}],
            }
        )
        rows = list(csv.DictReader(io.StringIO(plan.to_csv(entries))))
        assert [row["cell"] for row in rows] == list(entries)
        assert [row["included"] for row in rows] == ["True", "False"]
        assert rows[1]["reason"] == 'one: a, "b"'
        assert rows[0]["learning_rates"] == "0.1"
        assert set(FACTORS) <= set(rows[0])
