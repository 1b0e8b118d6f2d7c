"""When a training is looked at."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest

from trainability import config, schedule


def test_evaluations_are_a_factor_of_sqrt_2_apart() -> None:
    steps = schedule.evaluations(720)
    assert steps == [0, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 512, 720]
    for one, next_one in itertools.pairwise(steps[1:-1]):
        assert next_one / one == pytest.approx(math.sqrt(2), rel=0.05)


@pytest.mark.parametrize("total", [1, 5, 8, 9, 720, 5000, 100_000])
def test_both_stay_within_the_training_and_probes_are_evaluations(total: int) -> None:
    evaluations, probes = schedule.evaluations(total), schedule.probes(total)
    assert evaluations == sorted(set(evaluations))
    assert (evaluations[0], evaluations[-1]) == (probes[0], probes[-1]) == (0, total)
    assert set(probes) <= set(evaluations)


def test_their_number_grows_with_the_logarithm() -> None:
    assert len(schedule.evaluations(1_000_000)) < 40
    assert len(schedule.probes(1_000_000)) < 12


@pytest.mark.parametrize("file", ["", "fashion_mnist", "mnist", "cifar10"])
def test_measuring_is_at_most_a_tenth_of_the_arithmetic(file: str) -> None:
    """In passes of examples: a step is a forward pass and a backward one of twice its cost."""
    base = config.load([Path("config.yaml"), *([Path(f"experiments/{file}.yaml")] if file else [])]).base
    steps = base.dataset.train_size // base.batch_size * base.epochs
    training = 3 * base.batch_size * steps
    probe = min(base.probe_examples, base.dataset.train_size) + 3 * base.batch_size
    measuring = (
        len(schedule.evaluations(steps)) * base.dataset.validation_examples
        + len(schedule.probes(steps)) * probe
        + (base.dataset.carved_test or base.dataset.source.test)
    )
    assert measuring <= 0.1 * (training + measuring)
