"""The stacked network against torch.nn and autograd, and the independence of its runs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from reference_network import MODULES, Reference
from torch import Tensor, nn

from trainability.activations import ACTIVATIONS
from trainability.blueprint import Grid
from trainability.cell import Cell
from trainability.network import Mode, Network, loss_gradient, targets
from trainability.normalizations import NORMALIZATIONS
from trainability.normalizers import BatchNormalizer
from trainability.pooling import POOLS

FEATURES, CLASSES, BATCH = 5, 4, 8


def test_every_activation_has_its_module() -> None:
    assert set(MODULES) == set(ACTIVATIONS)


def batch(runs: int, dtype: torch.dtype = torch.float64, features: int = FEATURES) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(runs, BATCH, features, dtype=dtype, generator=generator)
    return x, torch.randint(0, CLASSES, (runs, BATCH), generator=generator)


NORMS: list[Any] = [
    *(name for name in NORMALIZATIONS if name != "groupnorm"),
    {"name": "groupnorm", "groups": 2},
    {"name": "groupnorm", "groups": 4, "place": "after"},
    *({"name": name, "place": "after"} for name in ("layernorm", "rmsnorm")),
]
SHAPES: list[dict[str, Any]] = [
    {"architecture": "residual_mlp", "depth": 5},
    {"architecture": {"name": "residual_mlp", "block": 1}, "depth": 3},
    {"architecture": "cnn", "depth": 4},
    {"architecture": {"name": "cnn", "convolutions": 1, "pooling": "mean", "head": "flatten"}, "depth": 3},
    {"architecture": {"name": "cnn", "pooling": "none", "kernel": 5, "growth": 1}, "depth": 2},
    {"architecture": "residual_cnn", "depth": 7},
    {"architecture": {"name": "residual_cnn", "stages": 2, "pooling": "mean"}, "depth": 9},
]


def assert_torchs(cell: Cell, features: int) -> None:
    """Logits of training and evaluation and all gradients, of every run, are those of torch.nn and autograd."""
    network = Network(cell, features, CLASSES, dtype=torch.float64)
    runs = len(cell.runs)
    x, y = batch(runs, features=features)
    buffers = [torch.full_like(parameter, 0.5) for parameter in network.parameters]
    modules = [Reference(network, cell, run) for run in range(runs)]
    network.renew()
    logits = network.forward(x, Mode.TRAIN)
    network.backward(loss_gradient(logits, targets(y, CLASSES, torch.float64)), buffers, carry=0.25)
    expected = [module(x[run]) for run, module in enumerate(modules)]  # while the random slopes are those of training
    evaluated = network.forward(x, Mode.EVALUATE)
    for run, module in enumerate(modules):
        nn.functional.cross_entropy(expected[run], y[run]).backward()
        torch.testing.assert_close(logits[run, :, :CLASSES], expected[run].detach())
        for buffer, gradient in zip(buffers, module.ordered(lambda parameter: parameter.grad), strict=True):
            accumulated = buffer[run, ..., : gradient.shape[-1]].reshape(gradient.shape)  # without spare columns
            torch.testing.assert_close(accumulated, 0.25 * 0.5 + gradient, rtol=1e-8, atol=1e-11)
        torch.testing.assert_close(evaluated[run, :, :CLASSES], module.eval()(x[run]).detach())


@pytest.mark.parametrize("activation", MODULES)
@pytest.mark.parametrize("normalization", NORMS, ids=str)
def test_forward_and_backward_are_torchs(make_cell: Any, activation: str, normalization: Any) -> None:
    assert_torchs(make_cell(activation=activation, normalization=normalization, bias=0.1, width=8), FEATURES)


@pytest.mark.parametrize("activation", ["relu", "prelu", "maxout", "crelu", "rrelu"])
@pytest.mark.parametrize("normalization", NORMS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_other_architectures_are_torchs(make_cell: Any, shape: Any, activation: str, normalization: Any) -> None:
    cell = make_cell(**shape, activation=activation, normalization=normalization, bias=0.1, width=8, seeds=[0, 1])
    assert_torchs(cell, 64)


def test_weight_standardization_forgets_scale_and_mean(make_cell: Any) -> None:
    cell = make_cell(normalization={"name": "weight_standardization", "eps": 0.0})
    one, other = (Network(cell, FEATURES, CLASSES, dtype=torch.float64) for _ in range(2))
    for layer in other.hidden:
        layer.linear.weight.mul_(7.0).add_(3.0)
    x, _ = batch(6)
    torch.testing.assert_close(one.forward(x, Mode.PROBE), other.forward(x, Mode.PROBE))


def test_dropped_inputs_belong_to_the_seed(make_cell: Any) -> None:
    network = Network(make_cell(input_dropout=0.5), 200, CLASSES)
    network.renew()
    seen = network.enter(torch.ones(6, BATCH, 200), Mode.TRAIN)
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])
    assert seen.unique().tolist() == [0.0, 2.0]
    assert torch.equal(network.enter(torch.ones(6, BATCH, 200), Mode.PROBE), torch.ones(6, BATCH, 200))


def test_each_linear_map_of_a_unit_is_drawn_by_itself(make_cell: Any) -> None:
    weight = Network(make_cell(activation="maxout", init="orthogonal"), FEATURES, CLASSES).hidden[1].linear.weight
    for piece in weight.double().chunk(2, -1):
        torch.testing.assert_close(
            piece.mT @ piece, torch.eye(6, dtype=torch.float64).expand(6, 6, 6), atol=1e-6, rtol=0
        )


def test_initial_weights_of_a_convolution_have_torchs_fans(make_cell: Any) -> None:
    """fan_in and fan_out count the window, as torch.nn.init does; the variance is that of the scheme."""
    cell = make_cell(architecture="cnn", depth=4, width=32, init="xavier_normal", seeds=20, learning_rates=[0.1])
    network = Network(cell, 64, CLASSES)
    weight = network.hidden[3].linear.weight  # 64 channels to 64
    assert weight.shape == (20, 9 * 64, 64)
    fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(torch.empty(64, 64, 3, 3))
    assert weight.var().item() == pytest.approx(2 / (fan_in + fan_out), rel=0.01)


def test_carry_zero_forgets_the_buffer(make_cell: Any) -> None:
    network = Network(make_cell(normalization="batchnorm"), FEATURES, CLASSES)
    x, y = batch(6, torch.float32)
    gradient = loss_gradient(network.forward(x, Mode.PROBE), targets(y, CLASSES, torch.float32))
    clean = [torch.zeros_like(parameter) for parameter in network.parameters]
    dirty = [torch.full_like(parameter, torch.nan) for parameter in network.parameters]
    network.backward(gradient.clone(), clean, carry=0.0)
    network.backward(gradient.clone(), dirty, carry=0.0)
    for one, other in zip(clean, dirty, strict=True):
        assert torch.equal(one, other)


class TestBatchNorm:
    def norm(self, **parameters: float) -> BatchNormalizer:
        spec = NORMALIZATIONS["batchnorm"](**parameters)
        norm = spec.start(runs=3, units=FEATURES, positions=1, like=torch.empty(0, dtype=torch.float64))
        assert isinstance(norm, BatchNormalizer)
        return norm

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
        network.renew()
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
        network.renew()
        dropout = network.hidden[0].dropout
        assert dropout is not None
        y = dropout.forward(torch.ones(6, BATCH, 6), Mode.TRAIN)
        assert torch.equal(dropout.backward(torch.ones(6, BATCH, 6)), y)


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
    assert (network.output.bias[..., :CLASSES] == 0).all()


@pytest.mark.parametrize(("name", "of_window"), [("max", 5.0), ("mean", 3.0)])
def test_pools_do_what_their_names_say(name: str, of_window: float) -> None:
    """And leave out an odd row and column."""
    image = torch.tensor([[1.0, 2.0, 9.0], [5.0, 4.0, 9.0], [9.0, 9.0, 9.0]])
    pooled = POOLS[name](Grid(3, 3, 1)).forward(image.reshape(1, 9, 1))
    assert pooled.tolist() == [[[of_window]]]
