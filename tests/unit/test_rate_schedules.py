"""Learning-rate schedules: step by step those of torch, and what is refused."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch.optim import lr_scheduler

from trainability.rate_schedules import SCHEDULES, ConstantRate, Cosine, Linear, RateSchedule, Steps

TOTALS = [1, 2, 10, 37, 100]
CASES = [
    ConstantRate(),
    Cosine(),
    Cosine(final=0.1),
    Linear(),
    Linear(final=0.25),
    Steps(),
    Steps(milestones=(0.3, 0.41, 0.9), gamma=0.5),
]


def torchs(schedule: RateSchedule, optimizer: torch.optim.Optimizer, total: int) -> lr_scheduler.LRScheduler:
    """The same schedule as a user would build it."""
    rising = round(schedule.warmup * total)
    length = total - rising
    if isinstance(schedule, Cosine):
        after: lr_scheduler.LRScheduler = lr_scheduler.CosineAnnealingLR(optimizer, length, eta_min=schedule.final)
    elif isinstance(schedule, Linear):
        after = lr_scheduler.LinearLR(optimizer, 1.0, schedule.final, total_iters=length)
    elif isinstance(schedule, Steps):
        passed = [math.ceil(round(m * total, 9)) - rising for m in schedule.milestones]
        after = lr_scheduler.MultiStepLR(optimizer, passed, schedule.gamma)
    else:
        after = lr_scheduler.ConstantLR(optimizer, 1.0)
    if not rising:
        return after
    warmup = lr_scheduler.LinearLR(optimizer, 1.0 / (rising + 1), 1.0, total_iters=rising)
    return lr_scheduler.SequentialLR(optimizer, [warmup, after], [rising])


def rates_of_torch(schedule: RateSchedule, total: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torchs(schedule, optimizer, total)
    rates = []
    for _ in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


# SequentialLR calls its schedulers in a way that torch itself warns of.
@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step")
@pytest.mark.parametrize("total", TOTALS)
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.25])
@pytest.mark.parametrize("schedule", CASES, ids=str)
def test_factors_are_torchs(schedule: RateSchedule, warmup: float, total: int) -> None:
    schedule = schedule.model_copy(update={"warmup": warmup})
    found = [schedule.factor(step, total) for step in range(1, total + 1)]
    assert found == pytest.approx(rates_of_torch(schedule, total), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_training_begins_and_warms_up_to_the_whole_rate(name: str) -> None:
    assert SCHEDULES[name](name=name).factor(1, 1000) == 1.0
    warm = SCHEDULES[name](name=name, warmup=0.2)
    rising = [warm.factor(step, 1000) for step in range(1, 202)]
    assert rising == pytest.approx([step / 201 for step in range(1, 202)])
    assert rising[-1] == 1.0


def test_known_values() -> None:
    assert Cosine(final=0.1).factor(51, 100) == pytest.approx(0.55)
    assert Linear(final=0.5).factor(51, 100) == pytest.approx(0.75)
    assert [Steps().factor(step, 100) for step in (50, 51, 75, 76, 100)] == pytest.approx([1, 0.1, 0.1, 0.01, 0.01])
    warm = Cosine(warmup=0.2)
    assert warm.factor(21 + 40, 100) == pytest.approx(0.5), "half of what follows the warm-up"
    assert Steps(warmup=0.2).factor(50, 100) == 1.0, "milestones are shares of the whole training"


@pytest.mark.parametrize("total", TOTALS)
@pytest.mark.parametrize("schedule", CASES, ids=str)
def test_no_step_is_wasted(schedule: RateSchedule, total: int) -> None:
    for warmup in (0.0, 0.29):
        warm = schedule.model_copy(update={"warmup": warmup})
        assert all(0 < warm.factor(step, total) <= 1 for step in range(1, total + 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"name": "cosine", "warmup": 1.0}', "less than 1"),
        ('{"name": "constant", "warmup": -0.1}', "greater than or equal to 0"),
        ('{"name": "cosine", "final": 1.5}', "less than or equal to 1"),
        ('{"name": "linear", "final": -0.5}', "greater than or equal to 0"),
        ('{"name": "step", "milestones": []}', "at least 1 item"),
        ('{"name": "step", "milestones": [1.0]}', "less than 1"),
        ('{"name": "step", "milestones": ["0.5"]}', "valid number"),
        ('{"name": "step", "gamma": 0.0}', "greater than 0"),
        ('{"name": "step", "milestones": [0.5, 0.5]}', "milestones must rise and lie behind the warm-up: 0.5"),
        ('{"name": "step", "milestones": [0.1, 0.5], "warmup": 0.2}', "0.1 comes after 0.2"),
        ("cosin", "did you mean 'cosine'"),
    ],
)
def test_bad_parameters_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SCHEDULES.parse(text)


def test_milestones_are_written_as_a_list() -> None:
    written: Any = {"name": "step", "milestones": [0.25, 0.5]}
    schedule = SCHEDULES["step"].model_validate(written)
    assert schedule == Steps(milestones=(0.25, 0.5))
    assert SCHEDULES.parse(schedule.model_dump_json()) == schedule
    assert schedule.label == "step(milestones=(0.25, 0.5))"


def test_importing_the_module_loads_no_torch() -> None:
    code = "import sys, trainability.rate_schedules; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
