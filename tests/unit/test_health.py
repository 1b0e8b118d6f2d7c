"""What is measured inside the layers, against small cases worked out by hand and against autograd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trainability import health
from trainability.health import DEAD, SATURATED, Monitor, distinct_units, sign_agreement
from trainability.network import Mode, Network, loss_gradient, targets


def monitored(network: Network, probe: Tensor) -> tuple[Monitor, dict[str, Tensor]]:
    monitor = Monitor(network, probe, probe[:8], targets(torch.arange(8) % 4, 4, torch.float32))
    return monitor, monitor.measure()[0]


@pytest.fixture
def probe() -> Tensor:
    return torch.randn(50, 5, generator=torch.Generator().manual_seed(3))


def silence(network: Network, layer: int, units: int, run: int | slice = slice(None)) -> None:
    """Push the biases of a layer's first units so low that no example can make them fire."""
    network.hidden[layer].linear.bias[run, :, :units] = -1000.0


class TestDeadUnits:
    def test_relu_unit_that_never_fires_is_dead(self, make_cell: Any, probe: Tensor) -> None:
        network = Network(make_cell(activation="relu", init="zeros", bias=5.0), 5, 4)
        silence(network, layer=1, units=2, run=3)
        _, columns = monitored(network, probe)
        expected = torch.zeros(3, 6)
        expected[1, 3] = 2 / 6
        torch.testing.assert_close(columns["dead_fraction"], expected)
        torch.testing.assert_close(columns["dead_fraction_strict"], expected)

    def test_a_channel_is_dead_if_it_fires_at_no_position_of_any_image(self, make_cell: Any) -> None:
        """Two of six channels are silenced; a third fires in one corner of one image alone, and lives."""
        cell = make_cell(activation="relu", architecture="cnn", depth=2, init="zeros", bias=5.0)
        network = Network(cell, 64, 4)
        network.hidden[0].linear.bias[:, :, :2] = -1000.0
        network.hidden[0].linear.bias[:, :, 2] = -10.0
        network.hidden[0].linear.weight[:, 4, 2] = 1.0  # the middle of the window
        probe = torch.zeros(9, 64)
        probe[3, 63] = 11.0
        _, columns = monitored(network, probe)
        torch.testing.assert_close(columns["dead_fraction"][0], torch.full((6,), 2 / 6))
        assert (columns["dead_fraction"][1] == 0).all()
        fires = 3 + 1 / (9 * 64)
        torch.testing.assert_close(columns["saturated_fraction"][0], torch.full((6,), 1 - fires / 6))

    def test_sign_agreement_of_a_convolution_is_that_of_its_windows(self, make_cell: Any) -> None:
        """Inputs of one sign agree wherever the window is, zeros around the image have none."""
        network = Network(make_cell(architecture="cnn", depth=2), 64, 4)
        for sign, probe in ((1.0, torch.rand(9, 64) + 0.1), (None, torch.randn(9, 64))):
            _, columns = monitored(network, probe)
            agreement = columns["sign_agreement"][0]
            assert (agreement == 1.0).all() if sign else (agreement < 0.8).all()

    @pytest.mark.parametrize("kernel", [3, 5])
    def test_sign_agreement_of_channels_is_that_of_windows_taken_apart(self, make_cell: Any, kernel: int) -> None:
        cell = make_cell(architecture={"name": "cnn", "kernel": kernel}, depth=2, activation="tanh", bias=0.3)
        network = Network(cell, 64, 4)
        monitor, columns = monitored(network, torch.randn(9, 64, generator=torch.Generator().manual_seed(0)))
        network.forward(monitor.batch, Mode.PROBE)
        for index, layer in enumerate(network.hidden):
            images = layer.linear.x[0].unflatten(0, (8, 8, 8)).permute(0, 3, 1, 2)
            windows = nn.functional.unfold(images, kernel, padding=kernel // 2).transpose(1, 2)
            expected = sign_agreement(windows, -1).nanmean()
            torch.testing.assert_close(columns["sign_agreement"][index, 0], expected, rtol=1e-6, atol=0)

    def test_leaky_units_are_not(self, make_cell: Any, probe: Tensor) -> None:
        network = Network(make_cell(activation="leaky_relu"), 5, 4)
        silence(network, layer=0, units=6)
        _, columns = monitored(network, probe)
        assert (columns["dead_fraction"] == 0).all()
        assert (columns["dead_fraction_loose"][0] == 1).all(), "a slope of 0.01 is just within the loose threshold"

    @pytest.mark.parametrize(("activation", "gap"), [("sigmoid", 0.02), ("tanh", 0.02)])
    def test_saturating_units_die_where_their_derivative_falls_below_the_threshold(
        self, make_cell: Any, probe: Tensor, activation: str, gap: float
    ) -> None:
        """With zero weights the bias is the pre-activation of every example."""
        steepest = make_cell(activation=activation).activation.steepest
        edge = torch.linspace(0, 12, 120001, dtype=torch.float64)
        slopes = make_cell(activation=activation).activation.derivative(edge)
        threshold = edge[(slopes > DEAD * steepest).sum()].item()
        for bias, dead in ((threshold - gap, 0.0), (threshold + gap, 1.0), (-threshold - gap, 1.0)):
            network = Network(make_cell(activation=activation, init="zeros", bias=bias), 5, 4)
            _, columns = monitored(network, probe)
            assert (columns["dead_fraction"] == dead).all(), bias

    def test_each_maxout_piece_is_judged(self, make_cell: Any, probe: Tensor) -> None:
        network = Network(make_cell(activation="maxout"), 5, 4)
        network.hidden[0].linear.bias[:, :, 6:] = -1000.0  # the second pieces never win
        _, columns = monitored(network, probe)
        assert (columns["dead_fraction"][0] == 0.5).all()
        assert (columns["saturated_fraction"][0] == 0.5).all()

    def test_revived_is_dead_before_and_alive_now(self, make_cell: Any, probe: Tensor) -> None:
        network = Network(make_cell(activation="relu", init="zeros", bias=5.0), 5, 4)
        silence(network, layer=0, units=3)
        monitor, columns = monitored(network, probe)
        assert (columns["revived_fraction"] == 0).all()
        network.hidden[0].linear.bias[:, :, :1] = 5.0
        columns, _ = monitor.measure()
        assert columns["revived_fraction"][0].tolist() == pytest.approx([1 / 6] * 6)
        assert columns["dead_fraction"][0].tolist() == pytest.approx([2 / 6] * 6)


def test_saturated_share_is_counted_pair_by_pair(make_cell: Any, probe: Tensor) -> None:
    network = Network(make_cell(activation="tanh", init="xavier_normal", bias=2.5), 5, 4)
    _, columns = monitored(network, probe)
    x = probe.expand(6, -1, -1)
    for index in range(3):
        x = network.hidden[index].forward(x, Mode.PROBE)
        flat = (1 - x.double() ** 2 < SATURATED).float().mean((1, 2))
        torch.testing.assert_close(columns["saturated_fraction"][index], flat, atol=2e-3, rtol=0)
    assert columns["saturated_fraction"].max() > 0.1


def test_signals_and_gradients_are_autograds(make_cell: Any, probe: Tensor) -> None:
    cell = make_cell(activation="elu", normalization="batchnorm")
    network = Network(cell, 5, 4)
    _, columns = monitored(network, probe)
    weights = [layer.linear.weight.clone().requires_grad_() for layer in network.hidden]
    x, inputs, pre = probe[:8].expand(6, -1, -1), [], []
    for weight in weights:
        inputs.append(x)
        u = x @ weight
        z = (u - u.mean(1, keepdim=True)) / (u.var(1, keepdim=True, correction=0) + 1e-5).sqrt()
        z.retain_grad()
        pre.append(z)
        x = nn.functional.elu(z)
    logits = x @ network.output.weight[..., :4]
    labels = (torch.arange(8) % 4).expand(6, -1)
    nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum").div(8).backward()
    for index, (weight, z) in enumerate(zip(weights, pre, strict=True)):
        assert z.grad is not None
        assert weight.grad is not None
        for name, expected in (
            ("preactivation_mean", z.mean((1, 2))),
            ("preactivation_std", z.flatten(1).std(1, correction=0)),
            ("activation_std", nn.functional.elu(z).flatten(1).std(1, correction=0)),
            ("gradient_mean", z.grad.mean((1, 2))),
            ("gradient_std", z.grad.flatten(1).std(1, correction=0)),
            ("gradient_norm", z.grad.flatten(1).norm(dim=1)),
            ("weight_gradient_norm", weight.grad.flatten(1).norm(dim=1)),
        ):
            torch.testing.assert_close(columns[name][index], expected.detach(), rtol=1e-4, atol=1e-6, msg=name)


def test_measuring_changes_nothing(make_cell: Any, probe: Tensor) -> None:
    network = Network(make_cell(activation="prelu", normalization="batchnorm", dropout=0.5), 5, 4)
    norm = network.hidden[0].before
    assert norm is not None
    before = [tensor.clone() for tensor in [*network.parameters, norm.mean, norm.variance]]
    monitored(network, probe)
    for one, other in zip([*network.parameters, norm.mean, norm.variance], before, strict=True):
        assert torch.equal(one, other)


class TestSignAgreement:
    def test_by_hand(self) -> None:
        values = torch.tensor([[1.0, 2.0, -3.0, 0.0], [1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
        found = sign_agreement(values, -1)
        assert found[:2].tolist() == pytest.approx([2 / 3, 1.0])
        assert found[2].isnan()

    def test_positive_inputs_force_one_sign(self, make_cell: Any) -> None:
        """For one example the gradient of a unit is delta times the input, so positive inputs give agreement 1."""
        probe = torch.rand(50, 5, generator=torch.Generator().manual_seed(0)) + 0.1
        network = Network(make_cell(activation="sigmoid"), 5, 4)
        _, columns = monitored(network, probe)
        assert (columns["sign_agreement"] == 1).all()

    def test_centred_inputs_are_near_one_half(self, make_cell: Any) -> None:
        wide = torch.randn(50, 2000, generator=torch.Generator().manual_seed(0))
        network = Network(make_cell(), 2000, 4)
        _, columns = monitored(network, wide)
        assert columns["sign_agreement"][0].mean().item() == pytest.approx(0.5, abs=0.02)

    def test_of_the_batch_is_that_of_the_summed_gradient(self, make_cell: Any, probe: Tensor) -> None:
        network = Network(make_cell(activation="tanh"), 5, 4)
        monitor, columns = monitored(network, probe)
        logits = network.forward(monitor.batch, Mode.PROBE)
        buffers = [torch.zeros_like(parameter) for parameter in network.parameters]
        network.backward(loss_gradient(logits, monitor.batch_targets), buffers, carry=0.0)
        positive = (buffers[0] > 0).float().mean(1)
        expected = torch.maximum(positive, 1 - positive).mean(-1)
        torch.testing.assert_close(columns["sign_agreement_batch"][0], expected)


class TestDistinctUnits:
    def test_copies_are_counted_once(self, make_cell: Any) -> None:
        network = Network(make_cell(), 5, 4)
        weight = network.hidden[0].linear.weight
        weight[2, :, 3] = weight[2, :, 0]
        weight[2, :, 4] = weight[2, :, 0] * (1 + 1e-7)
        assert distinct_units(network.hidden[0]).tolist() == [6, 6, 4, 6, 6, 6]

    def test_bias_tells_units_apart(self, make_cell: Any) -> None:
        network = Network(make_cell(init="ones"), 5, 4)
        assert distinct_units(network.hidden[0]).tolist() == [1] * 6
        network.hidden[0].linear.bias[:, :, 0] = 0.1
        assert distinct_units(network.hidden[0]).tolist() == [2] * 6

    def test_many_random_units_are_all_distinct(self, make_cell: Any) -> None:
        network = Network(make_cell(width=1024, depth=1), 20, 4)
        assert distinct_units(network.hidden[0]).tolist() == [1024] * 6


def hidden_weights(network: Network) -> list[Tensor]:
    return [layer.linear.weight.clone() for layer in network.hidden]


class TestUpdates:
    def test_ratio_is_that_of_the_last_step(self, make_cell: Any) -> None:
        network = Network(make_cell(), 5, 4)
        assert health.weights(network, [])["update_ratio"].isnan().all(), "there is no update before the first step"
        before = hidden_weights(network)
        for layer in network.hidden:
            layer.linear.weight.mul_(1.25)
        ratios = health.weights(network, [before])["update_ratio"]
        torch.testing.assert_close(ratios, torch.full_like(ratios, 0.2))

    @pytest.mark.parametrize(("second", "cosine"), [(1.0, 1.0), (-0.5, -1.0)])
    def test_cosine_of_steps_along_one_line(self, make_cell: Any, second: float, cosine: float) -> None:
        network = Network(make_cell(), 5, 4)
        direction = [torch.randn_like(layer.linear.weight) for layer in network.hidden]
        trail = []
        for step in (1.0, second):
            trail.append(hidden_weights(network))
            for layer, along in zip(network.hidden, direction, strict=True):
                layer.linear.weight.add_(along, alpha=step)
        found = health.weights(network, trail)["update_cosine"]
        torch.testing.assert_close(found, torch.full_like(found, cosine), atol=1e-5, rtol=0)

    def test_cosine_is_torchs_for_each_run(self, make_cell: Any) -> None:
        network = Network(make_cell(), 5, 4)
        trail = []
        for _ in range(2):
            trail.append(hidden_weights(network))
            for layer in network.hidden:
                layer.linear.weight.add_(torch.randn_like(layer.linear.weight))
        found = health.weights(network, trail)["update_cosine"]
        for index, layer in enumerate(network.hidden):
            first, last = trail[1][index] - trail[0][index], layer.linear.weight - trail[1][index]
            expected = nn.functional.cosine_similarity(first.flatten(1), last.flatten(1), dim=1)
            torch.testing.assert_close(found[index], expected, atol=1e-6, rtol=1e-5)

    def test_no_cosine_of_one_step_or_of_steps_that_change_nothing(self, make_cell: Any) -> None:
        network = Network(make_cell(), 5, 4)
        still = hidden_weights(network)
        for trail in ([], [still], [still, still]):
            assert health.weights(network, trail)["update_cosine"].isnan().all()


def test_quantiles_are_numpys(make_cell: Any, probe: Tensor) -> None:
    network = Network(make_cell(activation="elu"), 5, 4)
    _, columns = monitored(network, probe)
    x = probe[:8].expand(6, -1, -1)
    for index in range(3):
        x = network.hidden[index].forward(x, Mode.PROBE)
        expected = np.quantile(x.flatten(1).numpy(), health.LEVELS, axis=1, method="nearest")
        found = torch.stack([columns[name][index] for name in health.QUANTILES])
        np.testing.assert_array_equal(found.numpy(), expected)
    assert tuple(f"activation_q{name}" for name in ("05", "25", "50", "75", "95")) == health.QUANTILES


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("numbers", [7, health.LONG + 5], ids=["few", "many"])
def test_quantiles_of_few_and_of_many_numbers(numbers: int, dtype: torch.dtype) -> None:
    """Which are sorted in different ways; of either sign, with ties, zeros of both signs and infinities."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((3, numbers, 2)).clip(-1, 0.5)
    values[1] = rng.choice([0.0, -0.0, np.inf, -np.inf, 1e-30, -1.0], values[1].shape)
    found = torch.stack(list(health._quantiles(torch.from_numpy(values).to(dtype)).values()))
    flat = values.astype(str(dtype).removeprefix("torch.")).reshape(3, -1)
    np.testing.assert_array_equal(found.numpy(), np.quantile(flat, health.LEVELS, axis=1, method="nearest"))


@pytest.mark.parametrize("architecture", ["mlp", "cnn"])
def test_figures_do_not_depend_on_how_many_numbers_are_judged_at_a_time(
    make_cell: Any, monkeypatch: pytest.MonkeyPatch, architecture: str
) -> None:
    """Also where the last part is shorter than the others."""
    cell = make_cell(architecture=architecture, activation="tanh", init="large_normal", depth=3)
    features = torch.randn(50, 64, generator=torch.Generator().manual_seed(3))
    network = Network(cell, 64, 4)
    _, whole = monitored(network, features)
    assert (whole["saturated_fraction"] > 0).all()
    for numbers in (1, 7 * 6, 32 * 6):
        monkeypatch.setattr(health, "CACHED", numbers)
        _, parts = monitored(network, features)
        for name in health.UNITS:
            torch.testing.assert_close(parts[name], whole[name])


def test_a_probe_leaves_nothing_behind_for_a_backward_pass(make_cell: Any) -> None:
    cell = make_cell(architecture={"name": "residual_cnn", "stages": 2}, depth=5)
    network = Network(cell, 64, 4)
    monitored(network, torch.randn(20, 64))
    pools = [pool for layer in network.hidden for pool in (layer.pool, layer.shortcut and layer.shortcut.pool) if pool]
    assert len(pools) > 1
    assert not any(pool.kept for pool in pools)
    assert not any(layer.linear.x.numel() or layer.a.numel() for layer in network.hidden)
