"""The benchmark: its peers train the same thing, and its tables say what was measured."""

from __future__ import annotations

import importlib.util
import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from benchmarks import protocol, run, scaling, table
from benchmarks.measure import measure
from benchmarks.networks import Layer, Network
from benchmarks.peers import PEERS, MissingError, matmuls, script_in_memory, vmap
from benchmarks.peers.plain_script import sequential
from benchmarks.protocol import Job
from benchmarks.stack import Stack, as_trained
from benchmarks.workloads import BATCHNORM, CONVOLUTIONS, WORKLOADS, Workload
from trainability import blueprint, seeding
from trainability.architectures import Cnn
from trainability.prepared import Arrays

CLASSES = 4
RATES = (0.02, 0.05, 0.1)
DENSE = Network((Layer(1, 5, 6), Layer(1, 6, 6)), head=6, classes=CLASSES, batchnorm=True)
CNN = Network((Layer(8, 1, 3, 3, pooled=True), Layer(4, 3, 4, 3)), head=64, classes=CLASSES, batchnorm=False)


@pytest.fixture
def make_job(tmp_path: Path, arrays: Arrays, prepared_in: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A job on four easy classes, with a stopwatch that is content with little; a CNN sees them as images."""
    monkeypatch.setattr(protocol, "TIMED_SECONDS", 0.01)

    def make(batchnorm: bool, loop: bool = False, convolutional: bool = False) -> Job:
        prepared_in(tmp_path, _images(arrays) if convolutional else arrays)
        workload = Workload("tiny", "digits", 8, batchnorm, 8, 20, RATES, 32, seeds=4, depth=2)
        if convolutional:
            architecture = {"name": "cnn", "convolutions": 1, "head": "flatten"}
            workload = replace(workload, width=6, learning_rates=(0.005, 0.01, 0.02), architecture=architecture)
        return Job(workload, workload.of_one_seed(5) if loop else workload.runs, tmp_path)

    return make


@pytest.mark.parametrize(
    ("peer", "need"),
    [(peer, need) for peer in ("ours", "script-in-memory", "vmap") for need in ("", BATCHNORM, CONVOLUTIONS)]
    + [("sklearn", "")],
)
def test_peers_learn_alike(peer: str, need: str, make_job: Any) -> None:
    job = make_job(need == BATCHNORM, PEERS[peer].loop, need == CONVOLUTIONS)
    assert job.workload.needs == ({need} if need else set())
    row = measure(peer, job)
    assert 0.7 < row["accuracy"] <= 1.0  # chance is 0.25
    assert row["scale"] * row["runs"] == 12
    assert row["steady_seconds"] > 0
    assert row["whole_seconds"] > 0


@pytest.mark.parametrize("convolutional", [False, True])
def test_products_are_timed_and_nothing_else(convolutional: bool, make_job: Any) -> None:
    row = measure("matmuls", make_job(False, convolutional=convolutional))
    assert row["steady_seconds"] > 0
    assert "whole_seconds" not in row
    assert "accuracy" not in row


def test_products_are_those_of_every_layer(make_job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward, by the weights, and by the input in all of three layers but the first; convolutions run by run."""
    calls = Counter[str]()

    def counting(name: str, function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            return function(*arguments, **options)

        return call

    monkeypatch.setattr(matmuls, "steady_seconds", lambda step, _: step() or 0.0)
    monkeypatch.setattr(matmuls.torch, "bmm", counting("product", torch.bmm))
    monkeypatch.setattr(matmuls, "conv2d", counting("convolution", matmuls.conv2d))
    matmuls.steady(make_job(False))
    assert calls == {"product": 3 + 3 + 2}
    calls.clear()
    backward = counting("backward", torch.ops.aten.convolution_backward)
    monkeypatch.setattr(matmuls.torch.ops.aten, "convolution_backward", backward)
    job = make_job(False, convolutional=True)
    matmuls.steady(job)
    runs = len(job.runs)
    assert calls == {"product": 3, "convolution": 2 * runs, "backward": (2 + 1) * runs}


@pytest.mark.parametrize("convolutional", [False, True])
def test_script_runs_as_a_process(convolutional: bool, make_job: Any) -> None:
    job = make_job(not convolutional, loop=True, convolutional=convolutional)
    training = PEERS["script"].module().train(Job(job.workload, job.runs[-1:], job.folder))
    assert training.accuracies[0] > 0.7
    assert len(training.epochs) == job.workload.epochs - 1
    assert sum(training.epochs) < training.runs[0]


@pytest.mark.parametrize("need", ["", BATCHNORM, CONVOLUTIONS])
def test_script_in_memory_takes_our_steps(need: str, make_job: Any) -> None:
    """From our weights and on our batches it ends at our weights, so that both do the same work."""
    job = make_job(need == BATCHNORM, convolutional=need == CONVOLUTIONS)
    x, y = torch.from_numpy(job.arrays.train_x), torch.from_numpy(job.arrays.train_y)
    which = 4
    seed, rate = job.runs[which]
    with as_trained():
        stack = Stack(job.workload.cell, job.arrays, CLASSES, job.runs)
        start = [weight.clone() for weight in _weights(job.network, stack, which)]
        for _ in range(job.steps_per_epoch):
            stack.next_step()
    model = sequential(job.network)
    with torch.no_grad():
        for linear, weight in zip(_linears(model), start, strict=True):
            linear.weight.copy_(weight)
    order = torch.from_numpy(seeding.generator(seed, "batches", 0).permutation(len(y)))
    batches = order[: job.steps_per_epoch * 8].split(8)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=job.workload.momentum)
    script_in_memory.epoch(model, optimizer, x, y, batches)
    for linear, weight in zip(_linears(model), _weights(job.network, stack, which), strict=True):
        torch.testing.assert_close(linear.weight.detach(), weight, rtol=1e-4, atol=1e-5)


def test_vmap_computes_what_the_modules_do() -> None:
    model = sequential(DENSE)
    x = _inputs(5)
    with torch.no_grad():
        expected = model(x)
        logits, found = vmap.forward(model, dict(model.named_parameters()), x)
        torch.testing.assert_close(logits, expected)
        mean = model.get_buffer("1.running_mean")
        torch.testing.assert_close(mean, vmap.MOMENTUM * found["1.running_mean"])
        model.eval()
        evaluated, _ = vmap.forward(model, dict(model.named_parameters()), x, dict(model.named_buffers()))
        torch.testing.assert_close(evaluated, model(x))


def test_vmap_convolves_as_the_modules_do() -> None:
    """With the parameters that it is given, not those of its model."""
    model, x = sequential(CNN), _inputs(64)
    with torch.no_grad():
        logits, _ = vmap.forward(sequential(CNN), dict(model.named_parameters()), x)
        torch.testing.assert_close(logits, model(x))


@pytest.mark.parametrize("network", [DENSE, CNN], ids=["dense", "cnn"])
def test_jax_computes_what_the_modules_do(network: Network) -> None:
    pytest.importorskip("jax")
    peer = PEERS["jax"].module()
    layers = peer.initial(0, network)
    model = sequential(network)
    x = _inputs(network.layers[0].size ** 2 * network.layers[0].inputs)
    with torch.no_grad():
        for linear, layer in zip(_linears(model), layers, strict=True):
            weight = torch.from_numpy(layer["weight"])
            if linear is model[-1] and network is CNN:  # JAX has channels last
                weight = weight.unflatten(0, (16, 4)).transpose(0, 1).flatten(0, 1)
            linear.weight.copy_(weight.movedim((-1, -2), (0, 1)))
        logits, _ = peer.forward(network, layers, x.numpy())
        torch.testing.assert_close(torch.tensor(logits.tolist()), model(x), rtol=1e-4, atol=1e-5)


def test_jax_learns_convolutions(make_job: Any) -> None:
    pytest.importorskip("jax")
    row = measure("jax", make_job(False, convolutional=True))
    assert 0.7 < row["accuracy"] <= 1.0


def test_networks_start_by_one_scheme() -> None:
    """The second convolution's weights have the variance 2 / fan_in in every peer; fan_in is 9 x 8."""
    layers = (Layer(8, 1, 8, 3), Layer(8, 8, 100, 3))
    network = Network(layers, head=6400, classes=CLASSES, batchnorm=False)
    torch.manual_seed(0)
    drawn = {"script": _linears(sequential(network))[1].weight.detach().numpy()}
    if importlib.util.find_spec("jax"):
        drawn["jax"] = PEERS["jax"].module().initial(0, network)[1]["weight"]
    for weight in drawn.values():
        assert weight.var() == pytest.approx(2 / 72, rel=0.05)


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for peer in ("jax", "lightning"):
        with pytest.raises(MissingError, match=rf"the peer {peer} needs .*pip install -e '\.\[bench\]'"):
            PEERS[peer].module()


def test_missing_compiler_is_named(make_job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(MissingError, match="needs a C\\+\\+ compiler: install g\\+\\+"):
        PEERS["ours-compiled"].module().train(make_job(False))


@pytest.fixture
def raw() -> pd.DataFrame:
    """Two rounds by hand: in the second the machine is half as fast."""

    def row(number: int, peer: str, whole: float, steady: float, accuracy: float) -> dict[str, Any]:
        measured = {"whole_seconds": whole, "steady_seconds": steady, "accuracy": accuracy}
        rest = {"measuring_share": 0.25, "peak_memory_mb": 100.0, "status": "ok"}
        return {"round": number, "workload": "digits-4x64", "peer": peer} | measured | rest

    nan = math.nan
    return pd.DataFrame(
        [
            row(1, "ours", 10.0, 8.0, 0.95),
            row(1, "jax", 20.0, 4.0, 0.96),
            row(1, "vmap", 30.0, 24.0, 0.90),
            row(1, "matmuls", nan, 2.0, nan),
            row(2, "ours", 20.0, 16.0, 0.95),
            row(2, "jax", 60.0, 8.0, 0.94),
            row(2, "vmap", 60.0, 48.0, 0.90),
            row(2, "matmuls", nan, 4.0, nan),
        ]
    )


def machine() -> dict[str, Any]:
    return {
        "processor": "A Processor",
        "cores": 2,
        "python": "3.11",
        "versions": {"torch": "2"},
        "date": "2026-01-01",
        "warnings": [],
        "workloads": {"digits-4x64": table.conditions(WORKLOADS["digits-4x64"])},
    }


def test_ratios_are_taken_within_rounds(raw: pd.DataFrame) -> None:
    rows = table.summary(raw).set_index("peer")
    assert list(rows.index) == ["vmap", "jax", "ours", "matmuls"]  # the registry's order
    assert rows.loc["jax", "whole_to_ours"] == (2.5, 2.0, 3.0)
    assert rows.loc["vmap", "whole_to_ours"] == (3.0, 3.0, 3.0)
    assert rows.loc["ours", "steady_to_limit"] == (4.0, 4.0, 4.0)
    assert rows.loc["jax", "steady_to_ours"] == (0.5, 0.5, 0.5)
    assert rows.loc["ours", "whole"] == 15.0
    assert math.isnan(rows.loc["matmuls", "whole_to_ours"][0])


def test_what_learns_differently_is_marked(raw: pd.DataFrame) -> None:
    rows = table.summary(raw)
    assert rows.set_index("peer")["agrees"].to_dict() == {"ours": True, "jax": True, "matmuls": True, "vmap": False}
    (complaint,) = table.complaints(rows)
    assert complaint.startswith("vmap on digits-4x64: mean test accuracy 0.900 differs")
    assert "90.0% **differs**" in table.full(rows, machine())


def test_rounds_are_those_that_were_measured(raw: pd.DataFrame) -> None:
    assert "20 epochs; 2 rounds: medians" in table.full(table.summary(raw), machine())
    once = raw[raw["round"] == 1]
    assert "20 epochs; 1 round: medians" in table.full(table.summary(once), machine())
    other = table.summary(once).replace({"workload": {"digits-4x64": "fashion-4x256"}})
    both = pd.concat([table.summary(raw), other], ignore_index=True)
    assert "within 1 to 2 rounds, interleaved" in table.compact(both, machine())


def test_tables_show_the_figures(raw: pd.DataFrame) -> None:
    rows = table.summary(raw)
    full, compact = table.full(rows, machine()), table.compact(rows, machine())
    # 16 s and 8 s by 40 runs and 20 epochs are 20 and 10 ms, of which the median is 15.
    assert "| 15.0 | 1.00 | 15.0 | 4.00 | 95.0% |" in full
    assert "| 40.0 | 2.50 (2.00 to 3.00) | 7.50 | 2.00 | 95.0% |" in full
    assert "Of our whole cell, 25% is measuring" in full
    assert "| 2.50 (0.500) |" in compact


def test_failure_is_shown_and_told(raw: pd.DataFrame) -> None:
    raw.loc[raw["peer"] == "jax", ["status", "whole_seconds", "steady_seconds", "accuracy"]] = [
        "failed",
        math.nan,
        math.nan,
        math.nan,
    ]
    rows = table.summary(raw)
    assert "jax failed on digits-4x64" in table.complaints(rows)
    assert "| failed |" in table.full(rows, machine())
    assert "| failed |" in table.compact(rows, machine())


def test_failing_peer_is_a_row(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def failing(*_: Any, **__: Any) -> Any:
        return run.subprocess.CompletedProcess([], 1, "", "Traceback\n  ...\nValueError: no luck")

    monkeypatch.setattr(run.subprocess, "run", failing)
    row = run.measurement(1, "vmap", WORKLOADS["digits-4x64"], tmp_path, quick=True)
    assert (row["status"], row["error"]) == ("failed", "ValueError: no luck")
    for workload in ("digits-4x64-batchnorm", "fashion-cnn"):
        row = run.measurement(1, "sklearn", WORKLOADS[workload], tmp_path, quick=True)
        assert row["status"] == "not applicable"


def test_readme_gets_the_table_between_its_markers(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- benchmark -->\nold\n<!-- end of benchmark -->\nb\n")
    table.into_readme("new \\1\n", readme)
    assert readme.read_text() == "a\n<!-- benchmark -->\nnew \\1\n<!-- end of benchmark -->\nb\n"
    readme.write_text("no markers")
    with pytest.raises(table.MarkerError, match="needs the lines <!-- benchmark -->"):
        table.into_readme("new", readme)


def test_workloads_are_five_cells_of_forty_runs() -> None:
    assert len(WORKLOADS) == 5
    for name, workload in WORKLOADS.items():
        assert workload.name == name
        assert len(workload.runs) == 40
        assert set(workload.of_one_seed(9)) <= set(workload.runs)
        json.dumps(table.conditions(workload))


def test_scaling_draws_what_it_times(tmp_path: Path) -> None:
    found = scaling.measure(scaling.grid((1, 3), (4,), (1, 2)), rounds=1, seconds=0.0)
    assert (found["ms_per_step_and_run"] > 0).all()
    scaling.draw(found, tmp_path)
    assert (tmp_path / "scaling.svg").stat().st_size > 10_000
    assert (tmp_path / "scaling.png").stat().st_size > 10_000


def test_network_is_what_our_trainer_builds() -> None:
    cell = WORKLOADS["fashion-cnn"].cell
    network = Network.of(blueprint.draw(cell, 784, 10), batchnorm=False)
    layers = (Layer(28, 1, 8, 3), Layer(28, 8, 8, 3, pooled=True), Layer(14, 8, 16, 3), Layer(14, 16, 16, 3))
    assert network == Network(layers, head=14 * 14 * 16, classes=10, batchnorm=False)
    other = cell.model_copy(update={"architecture": Cnn(head="mean")})
    with pytest.raises(ValueError, match="peers know square grey images"):
        Network.of(blueprint.draw(other, 784, 10), batchnorm=False)


def _images(arrays: Arrays) -> Arrays:
    """The five features of each example, each as a bar of an 8 x 8 image."""

    def drawn(x: Any) -> Any:
        images = np.zeros((len(x), 8, 8), dtype=np.float32)
        images[:, :5] = x[:, :, None]
        return images.reshape(len(x), -1)

    parts = {name: drawn(getattr(arrays, name)) for name in ("train_x", "validation_x", "test_x")}
    return replace(arrays, **parts)


def _inputs(features: int) -> torch.Tensor:
    return torch.randn(16, features, generator=torch.Generator().manual_seed(0))


def _linears(model: nn.Sequential) -> list[Any]:
    return [layer for layer in model if isinstance(layer, (nn.Linear, nn.Conv2d))]


def _weights(network: Network, stack: Stack, which: int) -> list[torch.Tensor]:
    """Weights of one run, as torch's modules have them; the output layer may have spare columns.

    Ours have rows ordered as (place in the window or image, channel), torch's as (channel, place).
    """

    def of_torch(weight: torch.Tensor, channels: int) -> torch.Tensor:
        return weight.unflatten(0, (-1, channels)).permute(2, 1, 0)

    shown = []
    for layer, own in zip(network.layers, stack.network.hidden, strict=True):
        shape = (layer.units, layer.inputs, *(layer.kernel,) * (2 * (layer.kernel > 1)))
        shown.append(of_torch(own.linear.weight[which], layer.inputs).reshape(shape))
    last = of_torch(stack.network.output.weight[which][:, :CLASSES], network.layers[-1].units)
    return [*shown, last.flatten(1)]
