"""Activations: value, derivative and backward pass against torch, autograd and finite differences, in float64."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.integrate import quad
from scipy.stats import kstest, norm
from torch import Tensor, nn
from torch.nn import functional as F

from trainability.activations import (
    ACTIVATIONS,
    Activation,
    Celu,
    Crelu,
    Elu,
    Gelu,
    Glu,
    LeakyRelu,
    Maxout,
    Prelu,
    Rrelu,
    ShiftedRelu,
    Snake,
    Threshold,
)

CASES = [
    *(ACTIVATIONS[name]() for name in ACTIVATIONS),
    Elu(alpha=0.5),
    Elu(alpha=2.0),
    Celu(alpha=0.5),
    LeakyRelu(slope=0.2),
    ShiftedRelu(shift=0.5),
    Gelu(approximate="tanh"),
    Snake(a=2.5),
    Threshold(threshold=-0.5, below=0.3),
    Rrelu(lower=0.0, upper=0.5),
    Maxout(k=3),
    *(Glu(gate=gate) for gate in ("relu", "gelu", "silu", "identity")),
]


def gated(z: Tensor, gate: Callable[[Tensor], Tensor]) -> Tensor:
    linear, opening = z.chunk(2, -1)
    return linear * gate(opening)


TORCH: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softsign": F.softsign,
    "hardtanh": F.hardtanh,
    "hardsigmoid": F.hardsigmoid,
    "identity": nn.Identity(),
    "relu": F.relu,
    "relu6": F.relu6,
    "shifted_relu": lambda z: F.threshold(z, -1.0, -1.0),
    "shifted_relu(shift=0.5)": lambda z: F.threshold(z, -0.5, -0.5),
    "leaky_relu": lambda z: F.leaky_relu(z, 0.01),
    "leaky_relu(slope=0.2)": lambda z: F.leaky_relu(z, 0.2),
    "prelu": lambda z: F.prelu(z, torch.tensor([0.25], dtype=z.dtype)),
    "threshold": lambda z: F.threshold(z, 1.0, 0.0),
    "threshold(threshold=-0.5, below=0.3)": nn.Threshold(-0.5, 0.3),
    "crelu": lambda z: torch.cat([F.relu(z), F.relu(-z)], -1),
    "rrelu": F.rrelu,
    "rrelu(lower=0, upper=0.5)": nn.RReLU(0.0, 0.5).eval(),
    "softplus": lambda z: F.softplus(z, threshold=100.0),
    "elu": F.elu,
    "elu(alpha=0.5)": lambda z: F.elu(z, 0.5),
    "elu(alpha=2)": lambda z: F.elu(z, 2.0),
    "selu": F.selu,
    "celu": F.celu,
    "celu(alpha=0.5)": lambda z: F.celu(z, 0.5),
    "silu": F.silu,
    "hardswish": F.hardswish,
    "gelu": F.gelu,
    "gelu(approximate=tanh)": lambda z: F.gelu(z, approximate="tanh"),
    "mish": F.mish,
    "snake": lambda z: z + z.sin() ** 2,  # torch has none
    "snake(a=2.5)": lambda z: z + (2.5 * z).sin() ** 2 / 2.5,
    "maxout": lambda z: z.unflatten(-1, (2, -1)).amax(-2),
    "maxout(k=3)": lambda z: z.unflatten(-1, (3, -1)).amax(-2),
    "glu": F.glu,
    "glu(gate=relu)": lambda z: gated(z, F.relu),
    "glu(gate=gelu)": lambda z: gated(z, F.gelu),
    "glu(gate=silu)": lambda z: gated(z, F.silu),
    "glu(gate=identity)": lambda z: gated(z, nn.Identity()),
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
    """What the functions take besides their own arguments: learned parameters, and what an evaluation has for draws."""
    parameters = [torch.full((2, 1, 1), value, dtype=torch.float64) for value in activation.learned.values()]
    half = torch.full((1, 1, 1), 0.5, dtype=torch.float64)
    return [*parameters, activation.randomize(half)] if activation.random else parameters


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


def test_backward_is_the_derivative_times_the_gradient(activation: Activation, z: Tensor) -> None:
    """The fast kernels against the definition, for every run of the stack; neither changes what it is given."""
    a = activation.value(z, *learned(activation))
    shape = (*a.shape[:-1], a.shape[-1] // activation.outputs)
    of_units = torch.randn(shape, dtype=z.dtype, generator=torch.Generator().manual_seed(1))
    gradient = of_units.repeat(1, 1, activation.outputs)
    given = [z.clone(), a.clone(), gradient.clone()]
    found = activation.backward(gradient, z, a, *learned(activation))
    expected = activation.derivative(z, *learned(activation)) * of_units.repeat(1, 1, activation.pieces)
    torch.testing.assert_close(found, expected)
    assert all(torch.equal(one, other) for one, other in zip([z, a, gradient], given, strict=True))


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
    if isinstance(activation, Glu):
        pytest.skip("the slopes of a product have no upper bound; its steepest is a scale by convention")
    z = (torch.arange(-80_000, 400_001, dtype=torch.float64) / 10_000).expand(2, 1, -1)  # zero itself among them
    z = z.repeat(1, 1, activation.pieces)
    highest = activation.derivative(z, *learned(activation)).abs().max().item()
    assert highest <= activation.steepest * (1 + 1e-12)
    assert highest == pytest.approx(activation.steepest, rel=1e-4 if activation.name == "hardswish" else 1e-6)


def test_steepest_of_hardswish_is_just_below_three() -> None:
    z = torch.tensor([[[3 - 1e-9, 3.0]]], dtype=torch.float64)
    assert ACTIVATIONS["hardswish"]().derivative(z).flatten().tolist() == pytest.approx([1.5, 1.0])


def test_negative_slope_is_that_of_leaky_units() -> None:
    sloped = {case.label for case in CASES if case.negative_slope}
    assert sloped == {"leaky_relu", "leaky_relu(slope=0.2)", "prelu", "rrelu", "rrelu(lower=0, upper=0.5)"}


def test_gain_is_the_integral(activation: Activation) -> None:
    """Against adaptive quadrature; of several pieces against what is known of independent normal numbers."""
    if activation.pieces > 1:
        known = {"maxout": 1.0, "maxout(k=3)": (1 + math.sqrt(3) / (2 * math.pi)) ** -0.5, "glu(gate=identity)": 1.0}
        other = ACTIVATIONS[activation.gate]().gain if isinstance(activation, Glu) else None
        assert activation.gain == pytest.approx(known.get(activation.label, other), rel=1e-6)
        return

    def power(z: float) -> float:
        one = torch.tensor([[[z]]], dtype=torch.float64)
        outputs = activation.value(one, *(start[:1] for start in learned(activation)))
        return outputs.square().mean().item() * norm.pdf(z)

    kinks = [-3, -1, -0.5, 0, 1, 3, 6]
    assert activation.gain == pytest.approx(quad(power, -12, 12, points=kinks, limit=500)[0] ** -0.5, rel=1e-6)


def test_gain_agrees_with_the_known_ones() -> None:
    gains = {case.label: case.gain for case in CASES}
    for label, slope in (("relu", 0.0), ("leaky_relu(slope=0.2)", 0.2), ("prelu", 0.25), ("rrelu", 11 / 48)):
        assert gains[label] == pytest.approx(nn.init.calculate_gain("leaky_relu", slope), rel=1e-6)
    assert gains["identity"] == pytest.approx(nn.init.calculate_gain("linear"))
    assert gains["crelu"] == pytest.approx(math.sqrt(2)), "half the outputs of twice as many are open"
    assert gains["tanh"] == pytest.approx(1.5925374, rel=1e-6), "where torch has 5/3"
    assert gains["selu"] == pytest.approx(1.0, abs=1e-6), "its fixed point, where torch has 3/4"


def test_derivative_at_kinks_is_the_kernels() -> None:
    """Where a function has a kink, the definition and the fast backward pass must make the same choice."""
    for activation in CASES:
        z = torch.tensor([-3.0, -1.0, -0.5, 0.0, 1.0, 3.0, 6.0], dtype=torch.float64).repeat(activation.pieces)
        z = z.expand(2, 1, -1)
        a = activation.value(z, *learned(activation))
        by_kernel = activation.backward(torch.ones_like(a), z, a, *learned(activation))
        torch.testing.assert_close(by_kernel, activation.derivative(z, *learned(activation)), msg=activation.label)


def test_first_of_equal_maxout_pieces_wins() -> None:
    derivative = Maxout(k=3).derivative(torch.zeros(1, 1, 6))
    assert derivative.tolist() == [[[1.0, 1.0, 0.0, 0.0, 0.0, 0.0]]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tails_are_finite(activation: Activation, dtype: torch.dtype) -> None:
    sizes = torch.logspace(-30, 4, 69, dtype=dtype)
    z = torch.cat([-sizes, torch.zeros(1, dtype=dtype), sizes]).repeat(activation.pieces).expand(2, 1, -1)
    slopes = [start.to(dtype) for start in learned(activation)]
    a = activation.value(z, *slopes)
    assert a.isfinite().all()
    assert activation.derivative(z, *slopes).isfinite().all()
    assert activation.backward(torch.ones_like(a), z, a, *slopes).isfinite().all()


def test_single_precision_is_enough(activation: Activation) -> None:
    """To a few units in the last place of the largest slope or, of the value, of the pre-activation's size."""
    z = torch.linspace(-30, 30, 6001, dtype=torch.float32).repeat(activation.pieces).expand(2, 1, -1)
    start = learned(activation)
    short = [value.float() for value in start]
    size = z.abs().amax().item() ** (2 if isinstance(activation, Glu) else 1)
    value, derivative = activation.value(z, *short), activation.derivative(z, *short)
    torch.testing.assert_close(value.double(), activation.value(z.double(), *start), rtol=1e-6, atol=1e-7 * size)
    atol = 1e-6 * (size if isinstance(activation, Glu) else activation.steepest)
    if isinstance(activation, Snake):
        atol += 1e-7 * activation.a * size  # the rounding of the angle
    torch.testing.assert_close(derivative.double(), activation.derivative(z.double(), *start), rtol=1e-5, atol=atol)


def test_place_in_the_tensor_does_not_matter(activation: Activation) -> None:
    """The last numbers of a tensor come from the same formula as the rest, whatever its size."""
    sizes = torch.logspace(-3, 2, 499).sqrt()
    z = (sizes * torch.randn(4, 499, generator=torch.Generator().manual_seed(0))).view(1, 4, -1)
    z = z[..., : 499 // activation.pieces * activation.pieces].contiguous()
    width = z.shape[-1] // activation.pieces
    pieces = z.unflatten(-1, (activation.pieces, width))
    start = [value[:1].float() for value in learned(activation)]
    whole = activation.value(z, *start)
    outputs, gradient = (some.unflatten(-1, (activation.outputs, width)) for some in (whole, whole.cos()))
    back = activation.backward(whole.cos(), z, whole, *start).unflatten(-1, (activation.pieces, width))
    slopes = activation.derivative(z, *start).unflatten(-1, (activation.pieces, width))
    for first, units in [(0, 1), (1, 3), (5, 7), (2, 13), (0, 29), (30, 31), (11, 33), (7, 101)]:
        part = pieces[..., first : first + units].reshape(1, 4, -1)
        places = slice(first, first + units)
        a = activation.value(part, *start)
        assert torch.equal(a, outputs[..., places].reshape(1, 4, -1))
        found = activation.backward(gradient[..., places].reshape(1, 4, -1), part, a, *start)
        assert torch.equal(found, back[..., places].reshape(1, 4, -1))
        assert torch.equal(activation.derivative(part, *start), slopes[..., places].reshape(1, 4, -1))


@pytest.mark.parametrize(
    ("name", "z", "slope"),
    [
        ("sigmoid", -40.0, 4.248354e-18),
        ("sigmoid", 40.0, 4.248354e-18),
        ("softplus", -40.0, 4.248354e-18),
        ("silu", -40.0, -39 * 4.248354e-18),
        ("mish", -40.0, -39 * 4.248354e-18),
        ("celu", -40.0, 4.248354e-18),
        ("softsign", 1e4, 1e-8),
        ("gelu", -6.0, norm.cdf(-6) - 6 * norm.pdf(6)),
    ],
)
def test_derivative_keeps_its_tail(name: str, z: float, slope: float) -> None:
    found = ACTIVATIONS[name]().derivative(torch.tensor([[[z]]]))
    assert found.item() == pytest.approx(slope, rel=2e-3 if name == "softsign" else 1e-5)


def test_gates_of_glu_are_those_of_shazeer(z: Tensor) -> None:
    linear, opening = np.split(z.numpy(), 2, axis=-1)
    by_hand = {"sigmoid": 1 / (1 + np.exp(-opening)), "relu": opening * (opening > 0), "identity": opening}
    for gate, values in by_hand.items():
        np.testing.assert_allclose(Glu(gate=gate).value(z).numpy(), linear * values, rtol=1e-12)


def test_registry_does_not_import_torch() -> None:
    """The Snakefile reads it at every start."""
    code = "import sys, trainability.activations; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_prelu_is_leaky_relu_at_its_initial_slope(z: Tensor) -> None:
    slope = torch.full((2, 1, 1), 0.1, dtype=z.dtype)
    torch.testing.assert_close(Prelu().value(z, slope), LeakyRelu(slope=0.1).value(z))


# --- two outputs, random slopes


def test_crelu_has_the_first_outputs_of_all_units_first() -> None:
    z = torch.tensor([[[2.0, -3.0, 0.0]]])
    assert Crelu().value(z).tolist() == [[[2, 0, 0, 0, 3, 0]]]
    gradient = torch.tensor([[[1.0, 10.0, 100.0, 2.0, 20.0, 200.0]]])
    assert Crelu().backward(gradient, z, Crelu().value(z)).tolist() == [[[1, -20, 0]]]


def test_only_crelu_has_several_outputs_and_only_rrelu_draws() -> None:
    assert {name for name in ACTIVATIONS if ACTIVATIONS[name]().outputs != 1} == {"crelu"}
    assert {name for name in ACTIVATIONS if ACTIVATIONS[name]().random} == {"rrelu"}


def test_units_of_crelu_are_never_flat() -> None:
    z = torch.cat([-torch.logspace(-30, 4, 50), torch.logspace(-30, 4, 50)]).view(1, 1, -1)
    assert (Crelu().derivative(z).abs() == Crelu().steepest).all()


@pytest.fixture
def slopes(z: Tensor) -> Tensor:
    """Random arguments of a training step, shaped as z."""
    return Rrelu().randomize(torch.rand(z.shape, dtype=z.dtype, generator=torch.Generator().manual_seed(2)))


def test_random_slopes_are_uniform_between_the_bounds_with_the_mean_in_the_middle() -> None:
    draws = torch.rand(20_000, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    slopes = Rrelu(lower=0.1, upper=0.4).randomize(draws).numpy()
    assert kstest(slopes, "uniform", args=(0.1, 0.3)).pvalue > 1e-3
    assert Rrelu(lower=0.1, upper=0.4).randomize(torch.tensor(0.5)).item() == pytest.approx(0.25)
    leaky = F.rrelu(torch.full((20_000,), -1.0), training=True).neg().numpy()  # torch's, from its own generator
    assert (leaky.min(), leaky.max()) == pytest.approx((1 / 8, 1 / 3), abs=1e-3)
    assert (Rrelu().lower, Rrelu().upper) == (1 / 8, 1 / 3)


def test_value_with_random_slopes_is_a_prelu_with_a_slope_for_every_number(z: Tensor, slopes: Tensor) -> None:
    leaf = z.clone().requires_grad_()
    reference = torch.where(leaf > 0, leaf, slopes * leaf)
    torch.testing.assert_close(Rrelu().value(z, slopes), reference.detach())
    gradient = torch.randn(z.shape, dtype=z.dtype, generator=torch.Generator().manual_seed(1))
    (expected,) = torch.autograd.grad(reference, leaf, gradient)
    a, before = Rrelu().value(z, slopes), slopes.clone()
    torch.testing.assert_close(Rrelu().backward(gradient, z, a, slopes), expected)
    assert torch.equal(slopes, before), "the backward pass needs what the forward pass had"


def test_one_slope_for_all_is_leaky_relu(z: Tensor) -> None:
    rrelu = Rrelu(lower=0.2, upper=0.2)
    slopes = rrelu.randomize(torch.rand(z.shape, dtype=z.dtype, generator=torch.Generator().manual_seed(2)))
    torch.testing.assert_close(rrelu.value(z, slopes), LeakyRelu(slope=0.2).value(z))


def test_bounds_of_rrelu_are_in_order() -> None:
    with pytest.raises(ValidationError, match=r"lower=0\.5 is above upper=0\.25"):
        Rrelu(lower=0.5, upper=0.25)
