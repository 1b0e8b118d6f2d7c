"""Activations: value, derivative and backward pass against torch, autograd and finite differences, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from trainability.activations import ACTIVATIONS, Activation, Elu, LeakyRelu, Maxout, Prelu

CASES = [*(ACTIVATIONS[name]() for name in ACTIVATIONS), Elu(alpha=0.5), LeakyRelu(slope=0.2), Maxout(k=3)]
TORCH = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "leaky_relu": lambda z: F.leaky_relu(z, 0.01),
    "prelu": lambda z: F.prelu(z, torch.tensor([0.25], dtype=z.dtype)),
    "elu": F.elu,
    "elu(alpha=0.5)": lambda z: F.elu(z, 0.5),
    "leaky_relu(slope=0.2)": lambda z: F.leaky_relu(z, 0.2),
    "maxout": lambda z: z.unflatten(-1, (2, -1)).amax(-2),
    "maxout(k=3)": lambda z: z.unflatten(-1, (3, -1)).amax(-2),
}


@pytest.fixture(params=CASES, ids=lambda activation: activation.label)
def activation(request: pytest.FixtureRequest) -> Activation:
    return request.param


@pytest.fixture
def z() -> Tensor:
    """Pre-activations [2, 5, 12], some far out in the tails, none within a finite difference of zero."""
    values = 4 * torch.randn(2, 5, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return values + 0.01 * values.sign()


def learned(activation: Activation) -> list[Tensor]:
    return [torch.full((2, 1, 1), value, dtype=torch.float64) for value in activation.learned.values()]


def test_every_activation_is_compared_with_torch() -> None:
    assert {case.label for case in CASES} == set(TORCH)


def test_value_is_torchs(activation: Activation, z: Tensor) -> None:
    torch.testing.assert_close(activation.value(z, *learned(activation)), TORCH[activation.label](z))


def test_derivative_is_the_finite_difference(activation: Activation, z: Tensor) -> None:
    width, step = z.shape[-1], 1e-6
    derivative = activation.derivative(z, *learned(activation))
    for unit in range(width):
        shift = torch.zeros(width, dtype=z.dtype)
        shift[unit] = step
        rise = activation.value(z + shift, *learned(activation)) - activation.value(z - shift, *learned(activation))
        torch.testing.assert_close(rise.sum(-1) / (2 * step), derivative[..., unit], rtol=1e-6, atol=1e-8)


def test_backward_is_autograds(activation: Activation, z: Tensor) -> None:
    leaf = z.clone().requires_grad_()
    reference = TORCH[activation.label](leaf)
    gradient = torch.randn(reference.shape, dtype=z.dtype, generator=torch.Generator().manual_seed(1))
    (expected,) = torch.autograd.grad(reference, leaf, gradient)
    a = activation.value(z, *learned(activation))
    torch.testing.assert_close(activation.backward(gradient, z, a, *learned(activation)), expected)


def test_learned_slope_has_autograds_gradient(z: Tensor) -> None:
    gradient = torch.randn(z.shape, dtype=z.dtype, generator=torch.Generator().manual_seed(1))
    (found,) = Prelu().learned_gradients(gradient, z)
    for run in range(2):
        slope = torch.tensor([0.25], dtype=z.dtype, requires_grad=True)
        (expected,) = torch.autograd.grad(F.prelu(z[run], slope), slope, gradient[run])
        torch.testing.assert_close(found[run].view(1), expected)


def test_only_prelu_learns() -> None:
    assert {name for name in ACTIVATIONS if ACTIVATIONS[name]().learned} == {"prelu"}


def test_steepest_bounds_the_derivative_and_is_attained(activation: Activation) -> None:
    z = torch.linspace(-8, 8, 4001, dtype=torch.float64).expand(2, 1, -1)
    z = z.repeat(1, 1, activation.pieces)
    highest = activation.derivative(z, *learned(activation)).abs().max().item()
    assert highest == pytest.approx(activation.steepest, rel=1e-3)


def test_derivative_at_zero_is_the_kernels() -> None:
    """Where a function has a kink, the definition and the fast backward pass must agree with torch's choice."""
    for name in ("relu", "leaky_relu", "prelu", "elu"):
        activation = ACTIVATIONS[name]()
        z = torch.zeros(2, 1, 1, dtype=torch.float64)
        a = activation.value(z, *learned(activation))
        by_kernel = activation.backward(torch.ones_like(a), z, a, *learned(activation))
        torch.testing.assert_close(by_kernel, activation.derivative(z, *learned(activation)))


def test_first_of_equal_maxout_pieces_wins() -> None:
    derivative = Maxout(k=3).derivative(torch.zeros(1, 1, 6))
    assert derivative.tolist() == [[[1.0, 1.0, 0.0, 0.0, 0.0, 0.0]]]


def test_sigmoid_keeps_its_tail() -> None:
    derivative = ACTIVATIONS["sigmoid"]().derivative(torch.tensor([[[40.0]]]))
    assert derivative.item() == pytest.approx(4.248354e-18, rel=1e-5)


def test_prelu_is_leaky_relu_at_its_initial_slope(z: Tensor) -> None:
    slope = torch.full((2, 1, 1), 0.1, dtype=z.dtype)
    torch.testing.assert_close(Prelu().value(z, slope), LeakyRelu(slope=0.1).value(z))
