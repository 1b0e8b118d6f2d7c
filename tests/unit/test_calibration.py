"""Layer-sequential unit variance: the rescaling of one layer, run by run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from trainability.calibration import rescale
from trainability.network import Mode, Network
from trainability.training import train

RUNS, EXAMPLES, INPUTS, UNITS = 5, 33, 7, 9
SIZES = [0.01, 1.0, 40.0, 3.0, 0.5]  # of the runs' weights


def draw(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def weights(dtype: torch.dtype = torch.float64) -> Tensor:
    return draw(RUNS, INPUTS, UNITS, dtype=dtype) * torch.tensor(SIZES, dtype=dtype).view(-1, 1, 1)


def linear(weight: Tensor, x: Tensor, bias: Tensor | float = 0.0) -> Callable[[], Tensor]:
    return lambda: torch.bmm(x, weight) + bias


def by_the_book(weight: np.ndarray, x: np.ndarray, bias: np.ndarray, tolerance: float, iterations: int) -> np.ndarray:
    """Algorithm 1 of Mishkin & Matas for one layer of one network."""
    for _ in range(iterations):
        variance = np.var(x @ weight + bias)
        if abs(variance - 1) < tolerance:
            break
        weight = weight / np.sqrt(variance)
    return weight


@pytest.mark.parametrize("iterations", [1, 2, 10])
@pytest.mark.parametrize("tolerance", [0.1, 1e-6])
def test_every_run_is_rescaled_by_the_book(tolerance: float, iterations: int) -> None:
    """With biases of their own runs need several rescalings, and not all of them equally many."""
    weight, x, bias = weights(), draw(RUNS, EXAMPLES, INPUTS, seed=1), 0.4 * draw(RUNS, 1, UNITS, seed=2)
    expected = [
        by_the_book(weight[run].numpy(), x[run].numpy(), bias[run].numpy(), tolerance, iterations)
        for run in range(RUNS)
    ]
    rescale(weight, linear(weight, x, bias), tolerance, iterations)
    np.testing.assert_allclose(weight.numpy(), np.stack(expected), rtol=1e-12)


def test_outputs_have_variance_one_afterwards_whatever_their_mean() -> None:
    weight, x = weights(), draw(RUNS, EXAMPLES, INPUTS, seed=1)
    outputs = linear(weight, x, bias=100.0)
    rescale(weight, outputs, 1e-9, 10)
    found = outputs().flatten(1)
    torch.testing.assert_close(found.var(1, correction=0), torch.ones(RUNS, dtype=torch.float64))
    assert (found.mean(1) - 100).abs().max() < 2, "only the weights change"


def test_runs_that_are_within_the_tolerance_keep_their_bits() -> None:
    weight, x = weights(torch.float32), draw(RUNS, EXAMPLES, INPUTS, dtype=torch.float32, seed=1)
    outputs = linear(weight, x)
    weight[1] /= outputs()[1].std() * 1.02
    before = weight.clone()
    rescale(weight, outputs, 0.1, 10)
    changed = (weight != before).flatten(1).any(1)
    assert changed.tolist() == [True, False, True, True, True]


def test_no_more_rescalings_than_needed_or_allowed() -> None:
    def calls(bias: float, iterations: int) -> int:
        weight, x = weights(), draw(RUNS, EXAMPLES, INPUTS, seed=1)
        count = 0

        def outputs() -> Tensor:
            nonlocal count
            count += 1
            return torch.bmm(x, weight) + bias * draw(RUNS, 1, UNITS, seed=2)

        rescale(weight, outputs, 0.01, iterations)
        return count

    assert calls(0.0, 10) == 2, "one rescaling and one look at it"
    assert calls(0.9, 10) > 2
    assert calls(5.0, 4) == 4, "biases that vary by more than 1 leave no way there"


def test_constant_and_lost_outputs_leave_their_run_alone() -> None:
    weight, x = weights(), draw(RUNS, EXAMPLES, INPUTS, seed=1)
    x[0] = 0.0
    weight[3] = torch.nan
    before = weight.clone()
    outputs = linear(weight, x, bias=0.5)
    rescale(weight, outputs, 0.01, 10)
    assert torch.equal(weight[0], before[0])
    assert weight[3].isnan().all()
    torch.testing.assert_close(outputs()[[1, 2, 4]].flatten(1).var(1, correction=0), torch.ones(3, dtype=weight.dtype))


def test_run_does_not_depend_on_its_stack() -> None:
    together, x = weights(torch.float32), draw(RUNS, EXAMPLES, INPUTS, dtype=torch.float32, seed=1)
    bias = 0.5 * draw(RUNS, 1, UNITS, dtype=torch.float32, seed=2)
    rescale(together, linear(together, x, bias), 0.01, 10)
    for runs in ([0], [4], [3, 1]):
        apart = weights(torch.float32)[runs].clone()
        rescale(apart, linear(apart, x[runs], bias[runs]), 0.01, 10)
        assert torch.equal(apart, together[runs])


@pytest.mark.parametrize("factors", [{"depth": 6}, {"architecture": "residual_cnn", "depth": 7}], ids=str)
def test_lsuv_leaves_every_layer_with_variance_one(make_cell: Any, factors: dict[str, Any]) -> None:
    """On the examples it is calibrated on; what a run starts with depends on its seed alone."""
    cell = make_cell(**factors, init={"name": "lsuv", "tolerance": 0.01}, activation="relu", width=20)
    network = Network(cell, 64, 4)
    x = draw(100, 64, dtype=torch.float32).expand(len(cell.runs), -1, -1)
    network.calibrate(x, cell.init.calibrate)
    y = network.enter(x, Mode.PROBE)
    for layer in network.hidden:
        variance = layer.linear.forward(y).flatten(1).var(1, correction=0)
        assert (variance - 1).abs().max() < 0.01
        y = layer.forward(y, Mode.PROBE)
    assert torch.equal(network.hidden[-1].linear.weight[0], network.hidden[-1].linear.weight[1])
    alone = Network(cell, 64, 4, runs=[cell.runs[4]])
    alone.calibrate(x[:1], cell.init.calibrate)
    assert torch.equal(alone.hidden[-1].linear.weight[0], network.hidden[-1].linear.weight[4])


def test_training_calibrates(make_cell: Any, arrays: Any) -> None:
    cell = make_cell(init="lsuv", epochs=1, width=30, probe_examples=43)
    deviation = train(cell, arrays, 4).history.layers["preactivation_std"][0]
    assert (deviation - 1).abs().max() < 0.5, "on a mini-batch of 8"
    plain = train(make_cell(init="orthogonal", epochs=1, width=30), arrays, 4).history.layers["preactivation_std"][0]
    assert plain[-1].max() < 0.5
