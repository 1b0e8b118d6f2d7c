"""Answers known before anything is trained: signal propagation, symmetry, initial loss, units born dead."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from trainability.health import Monitor
from trainability.network import Mode, Network, loss_gradient, targets
from trainability.training import train

SEEDS = list(range(12))
CLASSES = 10


def deep(make_cell: Any, **factors: Any) -> Network:
    """Twelve networks of ten 500-unit layers."""
    cell = make_cell(**({"depth": 10, "width": 500, "seeds": SEEDS, "learning_rates": [0.1]} | factors))
    return Network(cell, 500, CLASSES)


def signals(network: Network) -> Tensor:
    """Standard deviation of the activations of 1000 examples N(0, 1), [layers, seeds]."""
    x = torch.randn(len(SEEDS), 1000, 500, generator=torch.Generator().manual_seed(0))
    deviations = []
    for layer in network.hidden:
        x = layer.forward(x, Mode.PROBE)
        deviations.append(x.flatten(1).std(1))
    return torch.stack(deviations)


def test_tanh_collapses_under_small_weights(make_cell: Any) -> None:
    std = signals(deep(make_cell, activation="tanh", init="small_normal")).mean(1)
    assert std[0].item() == pytest.approx(0.2134, abs=0.0006)
    assert std[9].item() == pytest.approx(2.98e-7, abs=0.03e-7)
    assert (std[9] / std[8]).item() == pytest.approx(0.01 * math.sqrt(500), rel=0.01)


def test_tanh_saturates_under_large_weights(make_cell: Any) -> None:
    std = signals(deep(make_cell, activation="tanh", init={"name": "small_normal", "std": 1.0})).mean(1)
    assert std[0].item() == pytest.approx(0.982, abs=0.001)
    assert std[9].item() == pytest.approx(0.982, abs=0.001)


def test_tanh_keeps_its_signal_under_xavier(make_cell: Any) -> None:
    std = signals(deep(make_cell, activation="tanh", init="xavier_normal")).mean(1)
    assert std[0].item() == pytest.approx(0.6276, abs=0.0009)
    assert std[9].item() == pytest.approx(0.2283, abs=0.0011)


def test_relu_fades_under_xavier(make_cell: Any) -> None:
    std = signals(deep(make_cell, activation="relu", init="xavier_normal")).mean(1)
    assert std[0].item() == pytest.approx(math.sqrt((1 - 1 / math.pi) / 2), abs=0.002)
    assert std[9].item() == pytest.approx(0.026, abs=0.005)


def test_relu_keeps_its_signal_under_kaiming(make_cell: Any) -> None:
    network = deep(make_cell, activation="relu", init="kaiming_normal")
    std = signals(network)
    assert std[0].mean().item() == pytest.approx(math.sqrt(1 - 1 / math.pi), abs=0.003)
    assert network.hidden[0].a.mean().item() == pytest.approx(1 / math.sqrt(math.pi), abs=0.003)
    assert std[9].mean().item() == pytest.approx(0.84, abs=0.14)


@pytest.mark.parametrize(("init", "power"), [("xavier_normal", -15.0), ("kaiming_normal", 0.0)])
def test_gradient_ratio_of_thirty_relu_layers(make_cell: Any, init: str, power: float) -> None:
    """Xavier halves the gradient's variance in every ReLU layer, Kaiming keeps it."""
    network = deep(make_cell, depth=30, width=200, activation="relu", init=init)
    x = torch.randn(len(SEEDS), 200, 500, generator=torch.Generator().manual_seed(0))
    buffers = [torch.zeros_like(parameter) for parameter in network.parameters]
    wanted = targets(torch.arange(200) % CLASSES, CLASSES, torch.float32)
    network.backward(loss_gradient(network.forward(x, Mode.PROBE), wanted), buffers, carry=0.0)
    first, last = (network.hidden[index].dz.flatten(1).norm(dim=1) for index in (0, -1))
    assert (first / last).log2().mean().item() == pytest.approx(power, abs=1.0)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_zero_weights_never_move(make_cell: Any, arrays: Any, activation: str) -> None:
    outcome = train(make_cell(init="zeros", activation=activation), arrays, 4)
    network = outcome.networks[0]
    assert all((layer.linear.weight == 0).all() and (layer.linear.bias == 0).all() for layer in network.hidden)
    assert (network.output.weight == 0).all()
    assert (network.output.bias[..., :4] != 0).any()
    assert (network.output.bias[..., 4:] == -math.inf).all(), "spare columns stay as they are"


def test_zero_weights_under_sigmoid_move_the_last_layer_alike(make_cell: Any, arrays: Any) -> None:
    outcome = train(make_cell(init="zeros", activation="sigmoid", depth=1, width=6, epochs=1), arrays, 4)
    weight = outcome.networks[0].output.weight
    assert (weight != 0).any()
    torch.testing.assert_close(weight, weight[:, :1].expand_as(weight))


def test_sigmoid_of_zero_weights_is_one_half(make_cell: Any) -> None:
    network = Network(make_cell(init="zeros", activation="sigmoid"), 5, 4)
    network.forward(torch.randn(6, 8, 5), Mode.PROBE)
    assert (network.hidden[0].a == 0.5).all()


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_equal_weights_stay_identical(make_cell: Any, arrays: Any, activation: str) -> None:
    outcome = train(make_cell(init="ones", activation=activation, learning_rates=[0.001]), arrays, 4)
    assert (outcome.history.layers["distinct_units"] == 1).all()
    for layer in outcome.networks[0].hidden:
        torch.testing.assert_close(layer.linear.weight, layer.linear.weight[..., :1].expand_as(layer.linear.weight))


def test_random_weights_are_distinct(make_cell: Any, arrays: Any) -> None:
    outcome = train(make_cell(epochs=1), arrays, 4)
    assert (outcome.history.layers["distinct_units"] == 6).all()


@pytest.mark.parametrize("classes", [2, 4, 10])
def test_initial_loss_of_tiny_weights_is_log_classes(make_cell: Any, arrays: Any, classes: int) -> None:
    small = make_cell(init={"name": "small_normal", "std": 1e-4}, epochs=1)
    folded = type(arrays)(**{k: v % classes if k.endswith("_y") else v for k, v in arrays.__dict__.items()})
    loss = train(small, folded, classes).history.curves["train_loss"][0]
    torch.testing.assert_close(loss, torch.full_like(loss, math.log(classes)))


@pytest.mark.parametrize(("width", "percent"), [(10, 0.03), (5, 12.4), (3, 56.9), (2, 87.2)])
def test_probability_of_being_born_dead(make_cell: Any, width: int, percent: float) -> None:
    """Lu et al. 2019: depth 10 (nine hidden layers), scalar input, zero bias, 3000 trials; below their bound.

    A network is born dead when some layer has only dead units: it is constant and no example can change it.
    """
    trials = 3000
    cell = make_cell(activation="relu", depth=9, width=width, seeds=trials, learning_rates=[0.1])
    network = Network(cell, 1, 1)
    inputs = torch.linspace(-math.sqrt(3), math.sqrt(3), 10).view(-1, 1)
    monitor = Monitor(network, inputs, inputs, torch.zeros(10, 1))
    columns, _ = monitor.measure()
    found = 100 * (columns["dead_fraction"] == 1).any(0).float().mean().item()
    noise = 100 * math.sqrt(percent / 100 * (1 - percent / 100) / trials)
    assert found == pytest.approx(percent, abs=4 * noise + 0.05)
    assert found < 100 * (1 - (1 - 2.0**-width) ** 9) + 4 * noise


def test_weight_gradients_keep_their_variance_under_xavier(make_cell: Any) -> None:
    """Glorot & Bengio 2010, section 4.2.1: back-propagated gradients vary with depth, weight gradients hardly."""
    network = deep(make_cell, activation="tanh", init="xavier_uniform", depth=5)
    x = torch.randn(len(SEEDS), 300, 500, generator=torch.Generator().manual_seed(0))
    buffers = [torch.zeros_like(parameter) for parameter in network.parameters]
    wanted = targets(torch.arange(300) % CLASSES, CLASSES, torch.float32)
    network.backward(loss_gradient(network.forward(x, Mode.PROBE), wanted), buffers, carry=0.0)
    deviations = np.array([buffer.std().item() for buffer in buffers[2:-2:2]])
    assert deviations.max() / deviations.min() < 1.5
