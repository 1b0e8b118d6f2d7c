"""Analyses: known answers, the same bits every time, times that can be compared, and mistakes that are named."""

from __future__ import annotations

import gc
import json
import math
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.init import _calculate_fan_in_and_fan_out

from trainability import blueprint, cli, config, files, manifests
from trainability.activations import ACTIVATIONS, Activation, Elu, Gelu, LeakyRelu, Maxout, Prelu, Relu
from trainability.analyses import ANALYSES, Analysis, born_dead, kernels, outcome, stopwatch
from trainability.analyses.stopwatch import Program
from trainability.config import ConfigError

TINY: dict[str, dict[str, Any]] = {
    "born_dead": {"depths": [2, 3], "widths": [2], "rounds": 2, "trials": 30},
    "layer_cost": {"units": 8, "batch": 4, "rounds": 2},
    "signal": {"depths": [2], "width": 12, "examples": 20, "seeds": 2},
    "timing": {"activations": ["tanh", "prelu"], "units": 4, "batch": 8, "runs": [1, 2], "rounds": 2},
    "weight_variance": {"layers": [{"inputs": 5, "units": 4}], "draws": 3},
}
UNTIMED = [name for name in ANALYSES if not ANALYSES[name]().exclusive]


def analysis(kind: str, **parameters: Any) -> Analysis:
    return ANALYSES[kind].model_validate(parameters)


def table(kind: str, **parameters: Any) -> pd.DataFrame:
    return outcome.compute(analysis(kind, **parameters))


def problem(analyses: Any) -> str:
    """The one problem of a configuration with these analyses."""
    study = {"question": "?", "grid": {"activation": ["relu"]}}
    with pytest.raises(ConfigError) as caught:
        config.read({"title": "x", "seeds": 1, "learning_rates": [0.1], "studies": {"a": study}, "analyses": analyses})
    assert len(caught.value.problems) == 1, caught.value.problems
    return caught.value.problems[0]


def test_every_analysis_is_tried_here() -> None:
    assert set(TINY) == set(ANALYSES)
    assert [name for name in ANALYSES if name not in UNTIMED] == ["layer_cost", "timing"]


@pytest.mark.parametrize("kind", list(ANALYSES))
def test_entry_has_a_source_and_survives_json(kind: str) -> None:
    for one in (ANALYSES[kind](), analysis(kind, **TINY[kind])):
        assert one.reference
        assert ANALYSES.parse(one.model_dump_json()) == one


@pytest.mark.parametrize("kind", UNTIMED)
def test_table_has_the_same_bits_every_time(kind: str) -> None:
    first = table(kind, **TINY[kind])
    torch.manual_seed(5)
    np.random.seed(5)
    pd.testing.assert_frame_equal(table(kind, **TINY[kind]), first, check_exact=True)


@pytest.mark.parametrize("kind", list(ANALYSES))
def test_step_writes_table_and_origin(kind: str, tmp_path: Path) -> None:
    words = ["analyse", "some", "--analysis", json.dumps({"name": kind, **TINY[kind]}), "--out", str(tmp_path)]
    assert cli.main(words) == 0
    origin = manifests.load_json(tmp_path / "some.json")
    manifest = origin["table"]
    files.read_checked(tmp_path / manifest["file"], manifest["sha256"], manifest["bytes"], "")
    assert len(pd.read_csv(tmp_path / "some.csv")) == manifest["rows"] > 0
    assert ANALYSES.parse(json.dumps(origin["parameters"])) == analysis(kind, **TINY[kind])
    assert {"code", "versions", "hardware", "threads", "times"} <= origin.keys()


def test_step_with_wrong_parameters_is_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["analyse", "some", "--analysis", '{"name": "timing", "rounds": 0}', "--out", str(tmp_path)]
    assert cli.main(words) == 2
    assert "greater than or equal to 1" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# born_dead


@pytest.mark.parametrize("width", [2, 3])
def test_two_layers_are_born_dead_as_often_as_can_be_counted(width: int) -> None:
    """k of the first layer's weights are positive. A second unit is off on either side of zero with probability 1/2,
    and for sure on a side where no first unit is on, k = 0 or k = width."""
    one_sided = 2 * 0.5**width
    exact = one_sided * 0.5**width + (1 - one_sided) * 0.25**width
    sizes = {"depths": [2], "widths": [width], "rounds": 1, "trials": 3000}
    (row,) = table("born_dead", inits=["kaiming_normal"], **sizes).to_dict("records")
    assert row["born_dead_share"] == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 3000))
    assert row["low"] < exact < row["high"]
    assert row["dead"] == round(row["born_dead_share"] * 3000)
    assert row["bound"] == pytest.approx(1 - (1 - 2.0**-width) ** 2)
    assert row["born_dead_share"] < row["bound"]


@pytest.mark.parametrize(("width", "percent"), [(5, 12.4), (3, 56.9), (2, 87.2)])
def test_nine_layers_are_born_dead_as_published(width: int, percent: float) -> None:
    sizes = {"depths": [9], "widths": [width], "rounds": 1, "trials": 1000}
    (row,) = table("born_dead", inits=["kaiming_normal"], **sizes).to_dict("records")
    noise = 100 * math.sqrt(percent / 100 * (1 - percent / 100) / 1000)
    assert 100 * row["born_dead_share"] == pytest.approx(percent, abs=4 * noise)
    assert row["born_dead_share"] < row["bound"]


def test_a_depth_counts_as_it_would_alone_and_in_stacks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"inits": ["rai", "xavier_normal"], "widths": [2], "rounds": 1, "trials": 40}
    all_depths = table("born_dead", depths=[2, 4, 7], **sizes)
    monkeypatch.setattr(born_dead, "TOGETHER", 7)
    for depth in (2, 4, 7):
        alone = table("born_dead", depths=[depth], **sizes)
        pd.testing.assert_frame_equal(all_depths[all_depths["depth"] == depth].reset_index(drop=True), alone)
    assert (all_depths["dead"] > 0).any()
    rounds = table("born_dead", depths=[2, 4, 7], **sizes | {"rounds": 4, "trials": 10})
    by_round = rounds.groupby(["init", "depth"], sort=False)["dead"]
    assert by_round.count().eq(4).all()
    assert by_round.sum().tolist() == all_depths["dead"].tolist(), "rounds share out the same trials"


def test_bound_is_left_out_where_its_theorem_does_not_hold() -> None:
    inits = ["rai", "orthogonal", "kaiming_uniform"]
    found = table("born_dead", activations=["relu", "leaky_relu"], inits=inits, **TINY["born_dead"])
    bounded = found[found["bound"].notna()]
    assert set(zip(bounded["activation"], bounded["init"], strict=True)) == {("relu", "kaiming_uniform")}
    assert (found.loc[found["activation"] == "leaky_relu", "dead"] == 0).all()


# signal


@pytest.mark.parametrize(
    ("activation", "init", "expected", "within"),
    [
        ("tanh", "small_normal", 2.98e-7, 0.06e-7),
        ("tanh", "xavier_normal", 0.228, 0.003),
        ("relu", "kaiming_normal", 0.84, 0.14),
    ],
)
def test_signal_of_ten_layers(activation: str, init: str, expected: float, within: float) -> None:
    found = table("signal", activations=[activation], inits=[init], depths=[10], width=500, seeds=12)
    assert list(found["layer"]) == 12 * list(range(1, 11))
    assert found.loc[found["layer"] == 10, "activation_std"].mean() == pytest.approx(expected, abs=within)


@pytest.mark.parametrize(("init", "power"), [("xavier_normal", -14.5), ("kaiming_normal", 0.0)])
def test_gradient_ratio_of_thirty_relu_layers(init: str, power: float) -> None:
    """Xavier halves the gradient's variance from layer to layer, 29 times; Kaiming keeps it."""
    found = table("signal", activations=["relu"], inits=[init], depths=[30], seeds=8)
    for _, one in found.groupby("seed"):
        norms = one.set_index("layer")["gradient_norm"]
        assert one["gradient_ratio"].unique() == pytest.approx([norms[1] / norms[30]])
    assert np.log2(found["gradient_ratio"]).mean() == pytest.approx(power, abs=1.0)


def test_signal_does_not_underflow() -> None:
    found = table("signal", activations=["sigmoid", "tanh"], inits=["small_normal"], depths=[30], width=64)
    assert (found["gradient_norm"] > 0).all()
    assert (found["activation_std"] > 0).all()


def test_schemes_that_calibrate_themselves_are_calibrated() -> None:
    found = table("signal", activations=["tanh"], inits=["lsuv"], depths=[4], width=50, examples=400)
    assert found["preactivation_std"].tolist() == pytest.approx([1.0] * len(found), abs=0.06)


# weight_variance


def test_variances_are_those_of_their_formulas() -> None:
    found = table("weight_variance", layers=[{"inputs": 40, "units": 30}, {"inputs": 4, "units": 9, "kernel": 3}])
    assert found["found"].to_numpy() == pytest.approx(found["expected"].to_numpy(), rel=0.05)
    assert ((found["low"] < found["expected"]) & (found["expected"] < found["high"])).mean() > 0.8
    assert (found["high"] / found["low"] < 1.1).all()
    known = found.set_index(["init", "fan_in"])["expected"]
    assert known["kaiming_normal", 40] == known["kaiming_uniform", 40] == pytest.approx(2 / 40)
    assert known["xavier_uniform", 36] == pytest.approx(2 / (36 + 81))
    assert known["torch_default", 36] == pytest.approx(1 / (3 * 36))
    uniform = found["init"].isin(["lecun_uniform", "xavier_uniform", "kaiming_uniform", "torch_default"])
    assert (found.loc[uniform, "largest"] <= math.sqrt(3)).all()
    assert found.loc[uniform, "kurtosis"].to_numpy() == pytest.approx(1.8, abs=0.05)
    normal = found["init"].str.endswith("_normal") & (found["init"] != "truncated_normal")
    assert found.loc[normal, "kurtosis"].to_numpy() == pytest.approx(3.0, abs=0.2)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_fans_are_those_of_torch(kernel: int) -> None:
    (row,) = table(
        "weight_variance", inits=["lecun_normal"], layers=[{"inputs": 3, "units": 7, "kernel": kernel}]
    ).to_dict("records")
    convolution = torch.nn.Conv2d(3, 7, kernel)
    assert (row["fan_in"], row["fan_out"]) == _calculate_fan_in_and_fan_out(convolution.weight)


def test_slope_enters_kaimings_gain_alone() -> None:
    found = table("weight_variance", negative_slope=0.5, **TINY["weight_variance"]).set_index("init")["expected"]
    assert found["kaiming_normal"] == pytest.approx(2 / (1.25 * 5))
    assert found["lecun_normal"] == pytest.approx(1 / 5)


# timing


class Clock:
    """A clock that only programs move, and now and then a disturbance."""

    def __init__(self) -> None:
        self.now, self.log, self.bursts = 0.0, list[str](), 0

    def read(self) -> float:
        return self.now

    def program(self, activation: str, direction: str, seconds: float) -> Program:
        def call() -> None:
            self.now += seconds
            self.log.append(f"{direction} {activation}")

        def disturbed() -> Any:
            self.bursts += 1
            return nullcontext()

        return Program({"activation": activation, "direction": direction}, call, disturbed)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock.read)
    return clock


def programs(clock: Clock) -> list[Program]:
    seconds = {"relu": 1e-5, "tanh": 3e-5, "gelu": 9e-4}
    return [
        clock.program(activation, direction, taken * factor)
        for direction, factor in (("forward", 1), ("backward", 2))
        for activation, taken in seconds.items()
    ]


def test_ratios_are_to_relu_in_the_same_round_and_direction(clock: Clock) -> None:
    rows = stopwatch.compare(programs(clock), {"activation": "relu"}, 5, np.random.default_rng(0))
    found = pd.DataFrame(rows)
    assert len(found) == 5 * 6
    assert not found.duplicated(["round", "activation", "direction"]).any()
    for name, ratio in (("relu", 1), ("tanh", 3), ("gelu", 90)):
        assert found.loc[found["activation"] == name, "ratio"].to_numpy() == pytest.approx(ratio)
    assert (found["calls"] * found["seconds"] >= stopwatch.LEAST).all()
    assert found.loc[found["direction"] == "backward", "seconds"].min() == pytest.approx(2e-5)
    assert gc.isenabled()


def test_what_is_compared_is_measured_side_by_side_in_changing_orders(clock: Clock) -> None:
    rows = stopwatch.compare(programs(clock), {"activation": "relu"}, 12, np.random.default_rng(0))
    rounds = [[(row["direction"], row["activation"]) for row in rows if row["round"] == n] for n in range(12)]
    for order in rounds:
        directions = [direction for direction, _ in order]
        assert directions in (3 * ["forward"] + 3 * ["backward"], 3 * ["backward"] + 3 * ["forward"])
    assert len({tuple(order) for order in rounds}) > 6
    again = stopwatch.compare(programs(clock), {"activation": "relu"}, 12, np.random.default_rng(0))
    assert [(r["direction"], r["activation"]) for r in again] == [(r["direction"], r["activation"]) for r in rows]


def test_a_disturbed_burst_does_not_count_and_programs_are_warm(clock: Clock) -> None:
    clean = clock.program("relu", "forward", 1e-4)

    def late() -> Any:
        clock.bursts += 1
        clock.now += 1.0  # outside the time
        return nullcontext()

    def call() -> None:
        clock.now += 5e-4 if clock.bursts % stopwatch.BURSTS else 1e-4

    rows = stopwatch.compare(
        [clean, Program({"activation": "tanh", "direction": "forward"}, call, late)],
        {"activation": "relu"},
        3,
        np.random.default_rng(0),
    )
    assert [row["ratio"] for row in rows] == pytest.approx([1.0] * 6)
    assert clock.log.count("forward relu") * 1e-4 >= stopwatch.WARM_UP


@pytest.mark.parametrize(
    "ours",
    [
        *(ACTIVATIONS[name]() for name in kernels.TORCH),
        LeakyRelu(slope=0.2),
        Elu(alpha=0.5),
        Prelu(initial_slope=0.1),
        Gelu(approximate="tanh"),
        Maxout(k=3),
    ],
    ids=lambda ours: ours.label,
)
def test_both_implementations_do_the_same(ours: Activation) -> None:
    value, gradients, torch_value, torch_gradients = (p.call() for p in kernels.activation(ours, 1, 6, 5))
    torch.testing.assert_close(value, torch_value.detach(), rtol=1e-5, atol=1e-6)
    assert len(gradients) == len(torch_gradients) == 1 + len(ours.learned)
    for one, other in zip(gradients, torch_gradients, strict=True):
        torch.testing.assert_close(one.view_as(other), other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name not in kernels.TORCH])
def test_an_activation_that_torch_has_not_is_timed_alone(name: str) -> None:
    timed = list(kernels.activation(ACTIVATIONS[name](), 2, 3, 4))
    assert [program.labels["implementation"] for program in timed] == ["ours", "ours"]
    assert all(program.call() is not None for program in timed)


def test_timing_measures_everything_beside_relu() -> None:
    found = table("timing", **TINY["timing"])
    keys = ["activation", "implementation", "direction", "runs", "round"]
    assert len(found) == len(found.drop_duplicates(keys)) == 3 * 2 * 2 * 2 * 2
    assert (found["seconds"] > 0).all()
    assert (found.loc[found["activation"] == "relu", "ratio"] == 1).all()


@pytest.mark.parametrize("k", [2, 4])
def test_maxout_multiplies_a_layers_parameters_and_operations(k: int, make_cell: Any) -> None:
    found = table("layer_cost", activations=[{"name": "maxout", "k": k}], **TINY["layer_cost"])
    assert len(found) == 2 * 2 * 2
    costs = found.groupby("activation")[["parameters", "flops"]].first()
    assert costs.loc["relu"].to_dict() == {"parameters": 9 * 8, "flops": 2 * 8 * 8}
    assert (costs.loc[Maxout(k=k).label] == k * costs.loc["relu"]).all()
    for activation in (Relu(), Maxout(k=k)):
        plan = blueprint.draw(make_cell(activation=activation, depth=1, width=8), 8, 3)
        assert costs.loc[activation.label, "parameters"] == plan.parameters - 9 * 3
        assert costs.loc[activation.label, "flops"] == plan.flops_per_example - 2 * 8 * 3


# the configuration


def test_analyses_are_read_and_null_drops_one() -> None:
    study = {"question": "?", "grid": {"activation": ["relu"]}}
    values = {"title": "x", "seeds": 1, "learning_rates": [0.1], "studies": {"a": study}}
    assert config.read(values).analyses == {}
    named = {"timing": "timing", "deep": {"name": "signal", "depths": [50]}, "gone": None}
    settings = config.read(values | {"analyses": named})
    assert settings.analyses["timing"] == ANALYSES["timing"]()
    assert settings.analyses["deep"] == analysis("signal", depths=[50])
    assert settings.analyses["gone"] is None
    assert config.read(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("analyses", "parts"),
    [
        ({"a": "timings"}, ["analyses.a:", "no analysis is called timings", "did you mean 'timing'?", "born_dead"]),
        ({"a b": "timing"}, ["analyses.a b", "pattern"]),
        ({"a": {"name": "timing", "round": 3}}, ["analyses.a.round: unknown key", "did you mean 'rounds'?"]),
        ({"a": {"name": "timing", "rounds": 0}}, ["analyses.a.rounds:", "greater than or equal to 1"]),
        ({"a": {"name": "timing", "runs": []}}, ["analyses.a.runs:", "at least 1"]),
        ({"a": {"name": "signal", "depths": [5, 5]}}, ["analyses.a.depths:", "5 repeated"]),
        ({"a": {"name": "signal", "activations": ["rleu"]}}, ["analyses.a.activations[0]:", "did you mean 'relu'?"]),
        ({"a": {"name": "born_dead", "depths": [201]}}, ["analyses.a.depths[0]:", "less than or equal to 200"]),
        (
            {"a": {"name": "signal", "width": 20, "normalizations": ["none", {"name": "groupnorm", "groups": 8}]}},
            ["analyses.a: width 20: normalization groupnorm", "needs a multiple of 8"],
        ),
        ({"a": {"name": "signal", "examples": 3}}, ["analyses.a.examples:", "greater than or equal to 10"]),
        (
            {"a": {"name": "weight_variance", "inits": ["kaiming_normal", "zeros"]}},
            ["analyses.a.inits:", "no formula for the variance of zeros"],
        ),
        (
            {"a": {"name": "weight_variance", "layers": [{"inputs": 3}]}},
            ["analyses.a.layers[0].units: this key is required"],
        ),
        (["timing"], ["analyses:", "valid dictionary"]),
    ],
)
def test_mistake_in_an_analysis_is_named(analyses: Any, parts: list[str]) -> None:
    message = problem(analyses)
    for part in parts:
        assert part in message
