"""Blueprints: shapes worked out by hand, costs counted on real tensors, and equal cost."""

from __future__ import annotations

from typing import Any

import pytest

from trainability import blueprint
from trainability.activations import ACTIVATIONS
from trainability.blueprint import Grid
from trainability.config import ConfigError, read
from trainability.network import Network
from trainability.normalizations import NORMALIZATIONS
from trainability.plan import make_plan

CLASSES = 4
SHAPES: list[dict[str, Any]] = [
    {"depth": 3},
    {"architecture": "residual_mlp", "depth": 3},
    {"architecture": "cnn", "depth": 4},
    {"architecture": {"name": "cnn", "head": "flatten"}, "depth": 4},
    {"architecture": "residual_cnn", "depth": 7},
]


def sketch(cell: Any) -> list[str]:
    """Of each hidden layer: what it sees, its units, and marks for pooling and the stream."""
    marks = [(p.pooling[:1] if p.pooling != "none" else "") + "+" * p.adds + "t" * p.taps for p in _plan(cell).layers]
    return [
        f"{p.sees.height}x{p.sees.width}x{p.sees.channels}>{p.units}{mark}"
        for p, mark in zip(_plan(cell).layers, marks, strict=True)
    ]


def _plan(cell: Any) -> blueprint.Blueprint:
    return blueprint.draw(cell, 64, CLASSES)


def test_mlp(make_cell: Any) -> None:
    assert sketch(make_cell(depth=2, width=7)) == ["1x1x64>7", "1x1x7>7"]
    assert sketch(make_cell(depth=2, width=7, activation="crelu")) == ["1x1x64>7", "1x1x14>7"]


def test_residual_mlp(make_cell: Any) -> None:
    cell = make_cell(architecture="residual_mlp", depth=5, width=7)
    assert sketch(cell) == ["1x1x64>7t", "1x1x7>7", "1x1x7>7+t", "1x1x7>7", "1x1x7>7+t"]


def test_cnn(make_cell: Any) -> None:
    cell = make_cell(architecture="cnn", depth=5, width=7)
    assert sketch(cell) == ["8x8x1>7", "8x8x7>7m", "4x4x7>14", "4x4x14>14m", "2x2x14>28"]
    assert _plan(cell).head_features == 28
    flat = make_cell(architecture={"name": "cnn", "head": "flatten", "pooling": "mean"}, depth=4, width=7)
    assert sketch(flat)[1] == "8x8x7>7m"
    assert _plan(flat).head == Grid(4, 4, 14)
    assert _plan(flat).head_features == 4 * 4 * 14


def test_residual_cnn(make_cell: Any) -> None:
    cell = make_cell(architecture="residual_cnn", depth=7, width=4)
    assert sketch(cell) == [
        "8x8x1>4t", "8x8x4>4", "8x8x4>4m+t", "4x4x4>8", "4x4x8>8m+t", "2x2x8>16", "2x2x16>16+t",
    ]  # fmt: skip
    longer = sketch(make_cell(architecture={"name": "residual_cnn", "stages": 2}, depth=9, width=4))
    assert [mark.partition(">")[2] for mark in longer] == ["4t", "4", "4+t", "4", "4m+t", "8", "8+t", "8", "8+t"]


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("normalization", list(NORMALIZATIONS))
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("sizing", ["width", "parameters"])
def test_parameters_are_counted(
    make_cell: Any, activation: str, normalization: str, shape: dict[str, Any], sizing: str
) -> None:
    cell = make_cell(
        **shape, activation=activation, normalization=normalization, sizing=sizing, width=16, seeds=[0], bias=0.1
    )
    network = Network(cell, 64, CLASSES)
    hidden = [parameter for layer in network.hidden for parameter in layer.parameters]
    output = (network.plan.head_features + 1) * CLASSES  # without spare columns
    assert network.plan.parameters == sum(p[0].numel() for p in hidden) + output


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_operations_are_those_of_the_products(make_cell: Any, shape: dict[str, Any]) -> None:
    """Two for each weight at each of its positions."""
    network = Network(make_cell(**shape, activation="maxout"), 64, CLASSES)
    products = sum(
        layer.linear.weight[0].numel() * plan.positions
        for layer, plan in zip(network.hidden, network.plan.layers, strict=True)
    )
    assert network.plan.flops_per_example == 2 * (products + network.plan.head_features * CLASSES)


@pytest.mark.parametrize("activation", ["maxout", "glu", "crelu"])
@pytest.mark.parametrize(("sizing", "cost"), [("parameters", "parameters"), ("flops", "flops_per_example")])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equal_cost_is_the_widest_that_costs_no_more(
    make_cell: Any, activation: str, sizing: str, cost: str, shape: dict[str, Any]
) -> None:
    factors = {**shape, "width": 64}
    most = getattr(_plan(make_cell(**factors, activation="relu")), cost)
    found = _plan(make_cell(**factors, activation=activation, sizing=sizing))
    wider = _plan(make_cell(**{**factors, "width": found.width + 1}, activation=activation))
    assert found.width < 64
    assert getattr(found, cost) <= most < getattr(wider, cost)


def test_equal_cost_keeps_whole_groups(make_cell: Any) -> None:
    cell = make_cell(
        activation="maxout", sizing="parameters", width=64, normalization={"name": "groupnorm", "groups": 16}
    )
    assert _plan(cell).width % 16 == 0


def planned(**grid: list[Any]) -> None:
    study = {"question": "?", "grid": grid}
    make_plan(read({"title": "t", "seeds": 1, "learning_rates": [0.1], "studies": {"one": study}}))


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"architecture": ["residual_mlp"], "depth": [4]}, "depth 4 must be 1 . a multiple of 2"),
        ({"architecture": ["residual_cnn"], "depth": [6]}, "depth 6 must be 1 . a multiple of 6"),
        ({"architecture": ["cnn"], "depth": [10]}, "images of 8 x 8 cannot be halved 4 times"),
        ({"architecture": [{"name": "cnn", "kernel": 4}]}, "kernel 4 must be odd"),
        ({"architecture": ["cnn"], "preprocessing": ["pca"]}, "needs images, and pca leaves none"),
        ({"normalization": ["groupnorm"], "width": [12]}, "a width that is a multiple of 8, not 12"),
    ],
)
def test_impossible_networks_are_named_before_any_job(grid: dict[str, list[Any]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        planned(**grid)
