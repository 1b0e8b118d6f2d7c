"""The stacked network against torch.nn and autograd, and the independence of its runs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trainability.activations import ACTIVATIONS
from trainability.cell import Cell
from trainability.network import BatchNorm, Mode, Network, loss_gradient, parameter_count, units
from trainability.normalizations import NORMALIZATIONS

FEATURES, CLASSES, BATCH = 5, 4, 8


class Maxout(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return z.unflatten(-1, (2, -1)).amax(-2)


class Snake(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return z + z.sin() ** 2


MODULES: dict[str, Callable[[], nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "prelu": nn.PReLU,
    "elu": nn.ELU,
    "maxout": Maxout,
    "identity": nn.Identity,
    "softsign": nn.Softsign,
    "hardtanh": nn.Hardtanh,
    "hardsigmoid": nn.Hardsigmoid,
    "relu6": nn.ReLU6,
    "shifted_relu": lambda: nn.Threshold(-1.0, -1.0),
    "threshold": lambda: nn.Threshold(1.0, 0.0),
    "softplus": lambda: nn.Softplus(threshold=100.0),
    "selu": nn.SELU,
    "celu": nn.CELU,
    "silu": nn.SiLU,
    "hardswish": nn.Hardswish,
    "gelu": nn.GELU,
    "mish": nn.Mish,
    "snake": Snake,
    "glu": nn.GLU,
}


def test_every_activation_has_its_module() -> None:
    assert set(MODULES) == set(ACTIVATIONS)


def reference(network: Network, cell: Cell, run: int) -> nn.Sequential:
    """One run of the stack as torch.nn modules with the same weights."""
    modules: list[nn.Module] = []
    for layer in network.hidden:
        bias = layer.linear.bias
        modules.append(_linear(layer.linear.weight[run], None if bias is None else bias[run, 0]))
        norm = cell.normalization
        batchnorm = [
            nn.BatchNorm1d(n.gamma.shape[-1], eps=norm.eps, momentum=norm.momentum, affine=norm.affine)
            for n in (layer.before, layer.after)
            if n is not None
        ]
        activation = [MODULES[cell.activation.name]()]
        modules += batchnorm + activation if norm.position == "before" else activation + batchnorm
    classes = slice(0, network.output.classes)
    modules.append(_linear(network.output.weight[run][:, classes], network.output.bias[run, 0, classes]))
    return nn.Sequential(*modules).to(network.output.weight.dtype)


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    linear = nn.Linear(*weight.shape, bias=bias is not None, dtype=weight.dtype)
    with torch.no_grad():
        linear.weight.copy_(weight.T)
        if bias is not None:
            linear.bias.copy_(bias)
    return linear


def reference_gradients(module: nn.Sequential) -> list[Tensor]:
    """Gradients in the stack's order: of each layer weight, bias, learned slope, then gamma and beta."""
    order = {nn.Linear: 0, nn.PReLU: 1, nn.BatchNorm1d: 2}
    layers, gradients = [], []
    for part in module:
        if isinstance(part, nn.Linear):
            layers.append([])
        if type(part) in order:
            layers[-1].append(part)
    for parts in layers:
        for part in sorted(parts, key=lambda p: order[type(p)]):
            for parameter in part.parameters():
                assert parameter.grad is not None
                gradients.append(parameter.grad.T if parameter.grad.ndim == 2 else parameter.grad)
    return gradients


def batch(runs: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(runs, BATCH, FEATURES, dtype=dtype, generator=generator)
    return x, torch.randint(0, CLASSES, (runs, BATCH), generator=generator)


@pytest.mark.parametrize(("activation", "normalization"), list(itertools.product(MODULES, NORMALIZATIONS)))
def test_forward_and_backward_are_torchs(make_cell: Any, activation: str, normalization: str) -> None:
    cell = make_cell(activation=activation, normalization=normalization, bias=0.1)
    network = Network(cell, FEATURES, CLASSES, dtype=torch.float64)
    runs = len(cell.runs)
    x, y = batch(runs)
    buffers = [torch.full_like(parameter, 0.5) for parameter in network.parameters]
    modules = [reference(network, cell, run) for run in range(runs)]
    logits = network.forward(x, Mode.TRAIN)
    network.backward(loss_gradient(logits, nn.functional.one_hot(y, CLASSES).double()), buffers, carry=0.25)
    evaluated = network.forward(x, Mode.EVALUATE)
    for run, module in enumerate(modules):
        expected = module(x[run])
        nn.functional.cross_entropy(expected, y[run]).backward()
        torch.testing.assert_close(logits[run], expected.detach())
        for buffer, gradient in zip(buffers, reference_gradients(module), strict=True):
            accumulated = buffer[run, ..., : gradient.shape[-1]].reshape(gradient.shape)  # without spare columns
            torch.testing.assert_close(accumulated, 0.25 * 0.5 + gradient, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(evaluated[run], module.eval()(x[run]).detach())


def test_carry_zero_forgets_the_buffer(make_cell: Any) -> None:
    network = Network(make_cell(normalization="batchnorm"), FEATURES, CLASSES)
    x, y = batch(6, torch.float32)
    gradient = loss_gradient(network.forward(x, Mode.PROBE), nn.functional.one_hot(y, CLASSES).float())
    clean = [torch.zeros_like(parameter) for parameter in network.parameters]
    dirty = [torch.full_like(parameter, torch.nan) for parameter in network.parameters]
    network.backward(gradient.clone(), clean, carry=0.0)
    network.backward(gradient.clone(), dirty, carry=0.0)
    for one, other in zip(clean, dirty, strict=True):
        assert torch.equal(one, other)


class TestBatchNorm:
    def norm(self, **parameters: float) -> BatchNorm:
        spec = NORMALIZATIONS["batchnorm"](**parameters)
        return BatchNorm(spec, runs=3, units=FEATURES, like=torch.empty(0, dtype=torch.float64))

    def test_running_statistics_are_torchs(self) -> None:
        norm, modules = self.norm(), [nn.BatchNorm1d(FEATURES).double() for _ in range(3)]
        for step in range(5):
            x = torch.randn(3, BATCH, FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(step))
            norm.forward(3 * x + 1, Mode.TRAIN)
            for run, module in enumerate(modules):
                module(3 * x[run] + 1)
        for run, module in enumerate(modules):
            torch.testing.assert_close(norm.mean[run, 0], module.running_mean)
            torch.testing.assert_close(norm.variance[run, 0], module.running_var)

    def test_probe_changes_nothing(self) -> None:
        norm = self.norm()
        norm.forward(torch.randn(3, BATCH, FEATURES, dtype=torch.float64), Mode.PROBE)
        assert norm.mean.eq(0).all()
        assert norm.variance.eq(1).all()

    def test_output_has_mean_beta_and_deviation_gamma(self) -> None:
        norm = self.norm(eps=0.0)
        norm.gamma.fill_(-2.0)
        norm.beta.fill_(0.5)
        y = norm.forward(torch.randn(3, 100, FEATURES, dtype=torch.float64), Mode.TRAIN)
        torch.testing.assert_close(y.mean(1), torch.full((3, FEATURES), 0.5, dtype=torch.float64))
        torch.testing.assert_close(y.std(1, correction=0), torch.full((3, FEATURES), 2.0, dtype=torch.float64))

    def test_scale_of_incoming_weights_does_not_matter(self) -> None:
        x = torch.randn(3, BATCH, FEATURES, dtype=torch.float64)
        norm = self.norm(eps=0.0)
        torch.testing.assert_close(norm.forward(1000 * x, Mode.PROBE), norm.forward(x, Mode.PROBE))


class TestDropout:
    def test_mask_belongs_to_the_seed(self, make_cell: Any) -> None:
        """Runs of one seed drop the same units; other seeds drop others; the rest is scaled up."""
        network = Network(make_cell(dropout=0.4, width=50), FEATURES, CLASSES)
        x = torch.ones(6, BATCH, 50)
        dropout = network.hidden[0].dropout
        assert dropout is not None
        y = dropout.forward(x, Mode.TRAIN)
        assert torch.equal(y[0], y[1])
        assert not torch.equal(y[0], y[2])
        assert y.unique().tolist() == pytest.approx([0.0, 1 / 0.6])
        assert (y == 0).float().mean().item() == pytest.approx(0.4, abs=0.05)

    def test_nothing_is_dropped_in_evaluation(self, make_cell: Any) -> None:
        network = Network(make_cell(dropout=0.4), FEATURES, CLASSES)
        x, _ = batch(6, torch.float32)
        assert torch.equal(network.forward(x, Mode.PROBE), network.forward(x, Mode.EVALUATE))

    def test_backward_uses_the_mask(self, make_cell: Any) -> None:
        network = Network(make_cell(dropout=0.4), FEATURES, CLASSES)
        dropout = network.hidden[0].dropout
        assert dropout is not None
        y = dropout.forward(torch.ones(6, BATCH, 6), Mode.TRAIN)
        assert torch.equal(dropout.backward(torch.ones(6, BATCH, 6)), y)


@pytest.mark.parametrize("activation", list(MODULES))
@pytest.mark.parametrize("normalization", list(NORMALIZATIONS))
@pytest.mark.parametrize("sizing", ["width", "parameters"])
def test_parameters_are_counted(make_cell: Any, activation: str, normalization: str, sizing: str) -> None:
    cell = make_cell(activation=activation, normalization=normalization, sizing=sizing, width=20)
    network = Network(cell, FEATURES, CLASSES)
    counted = parameter_count(cell, FEATURES, CLASSES, network.width, cell.activation.pieces)
    hidden = [parameter for layer in network.hidden for parameter in layer.parameters]
    assert counted == sum(p[0].numel() for p in hidden) + (network.width + 1) * CLASSES  # without spare columns


def test_equal_parameters_mean_as_many_units_as_fit(make_cell: Any) -> None:
    cell = make_cell(activation="maxout", sizing="parameters", width=64, depth=5)
    most = parameter_count(cell, 64, 10, 64, 1)
    width = units(cell, 64, 10)
    assert 40 < width < 64
    assert parameter_count(cell, 64, 10, width, 2) <= most < parameter_count(cell, 64, 10, width + 1, 2)


def test_seeds_share_weights_and_schemes_share_noise(make_cell: Any) -> None:
    """Runs of one seed start alike; another scheme of another scale starts from the same draws, scaled."""
    kaiming = Network(make_cell(init="kaiming_normal"), FEATURES, CLASSES).hidden[0].linear.weight
    lecun = Network(make_cell(init="lecun_normal"), FEATURES, CLASSES).hidden[0].linear.weight
    assert torch.equal(kaiming[0], kaiming[1])
    assert not torch.equal(kaiming[0], kaiming[2])
    torch.testing.assert_close(kaiming, lecun * 2**0.5)


def test_bias_is_that_of_hidden_units(make_cell: Any) -> None:
    network = Network(make_cell(bias=0.01), FEATURES, CLASSES)
    assert all((layer.linear.bias == 0.01).all() for layer in network.hidden)
    assert (network.output.bias == 0).all()
