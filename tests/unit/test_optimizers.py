"""Optimisers and clipping: every step of every run is torch.optim's, and a recorded step can be replayed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from recording import Recording
from torch import Tensor

from trainability.clipping import clip
from trainability.optimizers import OPTIMIZERS, Adam, AdamW, Optimizer, RmsProp, Sgd

RATES = [0.001, 0.03, 0.3]
SHAPES = [(5, 4), (1, 4), (1, 1), (4, 3), (1, 3)]  # weights, biases and a learned slope
DECAYED = [True, False, False, True, False]
STEPS = 12
CASES = [
    Sgd(momentum=0.0),
    Sgd(),
    Sgd(nesterov=True),
    Adam(),
    Adam(beta1=0.0, beta2=0.5, eps=1e-3),
    AdamW(),
    AdamW(weight_decay=0.0),
    RmsProp(),
    RmsProp(momentum=0.9),
    RmsProp(centered=True),
    RmsProp(alpha=0.5, eps=1e-3, momentum=0.5, centered=True),
]
CASES += [case.model_copy(update={"weight_decay": 0.1}) for case in CASES if case.name != "adamw"]


@pytest.fixture(params=CASES, ids=str)
def optimizer(request: pytest.FixtureRequest) -> Optimizer:
    return request.param


def factor(step: int) -> float:
    """A schedule that rises, rests, falls and ends at zero."""
    return [0.25, 0.5, 1.0, 1.0, 1.0, 0.9, 0.7, 0.7, 0.3, 0.1, 0.01, 0.0][step - 1]


def noise(seed: int, runs: int = len(RATES), dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(runs, *shape, dtype=dtype, generator=generator) for shape in SHAPES]


def accumulate(buffers: Sequence[Tensor], gradients: Sequence[Tensor], carry: float) -> None:
    """What the backward pass does."""
    for buffer, gradient in zip(buffers, gradients, strict=True):
        buffer.mul_(carry).add_(gradient)


def torchs(optimizer: Optimizer, parameters: Sequence[Tensor], rate: float) -> torch.optim.Optimizer:
    decay = optimizer.weight_decay
    groups: list[dict[str, Any]] = [
        {"params": [parameter], "weight_decay": decay * decays}
        for parameter, decays in zip(parameters, DECAYED, strict=True)
    ]
    if isinstance(optimizer, Sgd):
        return torch.optim.SGD(groups, lr=rate, momentum=optimizer.momentum, nesterov=optimizer.nesterov)
    if isinstance(optimizer, RmsProp):
        options = optimizer.model_dump(include={"alpha", "eps", "momentum", "centered"})
        return torch.optim.RMSprop(groups, lr=rate, **options)
    kind = torch.optim.AdamW if isinstance(optimizer, AdamW) else torch.optim.Adam
    assert isinstance(optimizer, Adam | AdamW)
    return kind(groups, lr=rate, betas=(optimizer.beta1, optimizer.beta2), eps=optimizer.eps)


@pytest.mark.parametrize("most", [None, 3.0], ids=["plain", "clipped"])
def test_every_step_is_torchs(optimizer: Optimizer, most: float | None) -> None:
    stacked = noise(0)
    alone = [[torch.nn.Parameter(parameter[run].clone()) for parameter in stacked] for run in range(len(RATES))]
    theirs = [torchs(optimizer, parameters, rate) for parameters, rate in zip(alone, RATES, strict=True)]
    rates = torch.tensor(RATES, dtype=torch.float64).view(-1, 1, 1)
    update = optimizer.start(stacked, DECAYED, rates, raw=most is not None)
    buffers = [torch.zeros_like(parameter) for parameter in stacked]
    for step in range(1, STEPS + 1):
        gradients = noise(step)
        gradients = [gradient * size for gradient, size in zip(gradients, (0.1, 1.0, 0.5, 0.2, 0.3), strict=True)]
        accumulate(buffers, gradients, update.carry)
        if most is not None:
            clip(buffers, most)
        update.prepare(step, factor(step))
        update(buffers)
        for run, (parameters, their, rate) in enumerate(zip(alone, theirs, RATES, strict=True)):
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient[run].clone()
            if most is not None:
                torch.nn.utils.clip_grad_norm_(parameters, most)
            for group in their.param_groups:
                group["lr"] = rate * factor(step)
            their.step()
            for ours, parameter in zip(stacked, parameters, strict=True):
                torch.testing.assert_close(ours[run], parameter.detach(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("raw", [False, True])
def test_recorded_step_is_every_step(optimizer: Optimizer, raw: bool) -> None:
    """Bit for bit: what depends on the step is in tensors that `prepare` writes to, and in nothing else."""
    states = []
    for recorded in (False, True):
        parameters = noise(0, dtype=torch.float32)
        rates = torch.tensor(RATES).view(-1, 1, 1)
        update = optimizer.start(parameters, DECAYED, rates, raw)
        buffers = [torch.zeros_like(parameter) for parameter in parameters]
        recording = Recording()
        trace = []
        for step in range(1, STEPS + 1):
            accumulate(buffers, noise(step, dtype=torch.float32), update.carry)
            update.prepare(step, factor(step))
            if recorded and step > 1:
                recording.replay()
            else:
                with recording:
                    if raw:
                        clip(buffers, 3.0)
                    update(buffers)
            trace.append([parameter.clone() for parameter in parameters])
        states.append(trace)
    for step, (one, other) in enumerate(zip(*states, strict=True), start=1):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True)), f"step {step}"
    assert not torch.equal(states[0][0][0], states[0][1][0])


def test_a_number_of_the_step_in_the_program_would_be_seen() -> None:
    """The recording has the power to tell: a program that reads the step's number fails on replay."""
    total, step, recording = torch.zeros(1), 1, Recording()
    with recording:
        total.add_(step)
    step = 2
    recording.replay()
    assert total.item() == 2.0, "and not 3"


def test_run_does_not_depend_on_its_stack(optimizer: Optimizer) -> None:
    def trained(runs: list[int]) -> list[Tensor]:
        parameters = [parameter[runs].clone() for parameter in noise(0, dtype=torch.float32)]
        rates = torch.tensor(RATES)[runs].view(-1, 1, 1)
        update = optimizer.start(parameters, DECAYED, rates, raw=True)
        buffers = [torch.zeros_like(parameter) for parameter in parameters]
        for step in range(1, 6):
            gradients = [gradient[runs] for gradient in noise(step, dtype=torch.float32)]
            accumulate(buffers, gradients, update.carry)
            clip(buffers, 3.0)
            update.prepare(step, factor(step))
            update(buffers)
        return parameters

    together = trained([0, 1, 2])
    for runs in ([1], [2, 0]):
        for apart, whole in zip(trained(runs), together, strict=True):
            assert torch.equal(apart, whole[runs])


def test_carry_saves_the_velocity_where_it_can() -> None:
    parameters, rates = noise(0), torch.ones(len(RATES), 1, 1, dtype=torch.float64)

    def kept(optimizer: Optimizer, raw: bool) -> tuple[float, int]:
        update = optimizer.start(parameters, DECAYED, rates, raw)
        assert {len(tensors) for tensors in update.kept} == {optimizer.states(raw)}
        return update.carry, optimizer.states(raw)

    assert [kept(Sgd(momentum=0.8), raw) for raw in (False, True)] == [(0.8, 0), (0.0, 1)]
    assert [kept(Sgd(momentum=0.8, nesterov=True), raw) for raw in (False, True)] == [(0.0, 1), (0.0, 1)]
    assert [kept(Sgd(momentum=0.0), raw) for raw in (False, True)] == [(0.0, 0), (0.0, 0)]
    assert [kept(some, False) for some in (Adam(), AdamW())] == [(0.0, 2)] * 2
    spread = [RmsProp(), RmsProp(momentum=0.5), RmsProp(centered=True), RmsProp(momentum=0.5, centered=True)]
    assert [kept(some, True)[1] for some in spread] == [1, 2, 2, 3]


def test_centered_rmsprop_stands_rounding() -> None:
    """Equal gradients leave no spread: rounding may take it below zero, whose root is not a number."""
    weight = torch.zeros(1, 1, 1000)
    update = RmsProp(centered=True, alpha=0.9).start([weight], [False], torch.ones(1, 1, 1))
    gradient = torch.rand(1, 1, 1000, generator=torch.Generator().manual_seed(0))
    for step in range(1, 400):
        update.prepare(step, 1.0)
        update([gradient.clone()])
    assert weight.isfinite().all()


# --- clipping


def test_clipping_is_torchs_for_every_run() -> None:
    gradients = [gradient * torch.tensor([2**-6, 1.0, 50.0]).view(-1, 1, 1) for gradient in noise(0)]
    alone = [[torch.nn.Parameter(gradient[run].clone()) for gradient in gradients] for run in range(3)]
    norms = []
    for parameters in alone:
        for parameter in parameters:
            parameter.grad = parameter.detach().clone()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, 2.0).item())
    assert norms[0] < 2 < norms[1] < norms[2]
    clip(gradients, 2.0)
    for run, parameters in enumerate(alone):
        for ours, parameter in zip(gradients, parameters, strict=True):
            torch.testing.assert_close(ours[run], parameter.grad, rtol=1e-12, atol=0)
    assert sum(gradient[2].square().sum() for gradient in gradients) ** 0.5 == pytest.approx(2.0)
    assert torch.equal(gradients[0][0], noise(0)[0][0] * 2**-6), "a short gradient is left alone"


def test_clipping_of_one_run_looks_at_no_other() -> None:
    """A run that is lost does not take others with it, and no bit depends on the size of the stack."""
    generator = torch.Generator().manual_seed(1)
    gradients = [torch.randn(7, *shape, generator=generator) for shape in ((129, 33), (1, 33), (33, 10))]
    gradients[1][3] = torch.nan
    together = [gradient.clone() for gradient in gradients]
    clip(together, 0.5)
    assert all(gradient[3].isnan().all() for gradient in together)
    for runs in ([0], [6], [5, 1, 2]):
        apart = [gradient[runs].clone() for gradient in gradients]
        clip(apart, 0.5)
        assert all(torch.equal(one, whole[runs]) for one, whole in zip(apart, together, strict=True))


# --- the registry


def test_registry() -> None:
    assert list(OPTIMIZERS) == ["sgd", "adam", "adamw", "rmsprop"]
    assert AdamW().label == "adamw"
    assert Sgd(nesterov=True).label == "sgd(nesterov=True)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"name": "sgd", "momentum": 0.0, "nesterov": true}', "nesterov needs a momentum above 0"),
        ('{"name": "sgd", "momentum": 1.0}', "less than 1"),
        ('{"name": "rmsprop", "alpha": 1.0}', "less than 1"),
        ('{"name": "rmsprop", "eps": 0.0}', "greater than 0"),
        ('{"name": "adamw", "weight_decay": -0.1}', "greater than or equal to 0"),
    ],
)
def test_bad_parameters_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        OPTIMIZERS.parse(text)


def test_importing_the_modules_loads_no_torch() -> None:
    code = "import sys, trainability.optimizers, trainability.clipping; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
