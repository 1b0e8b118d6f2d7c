"""Augmentation: indices against padding, slicing and mirroring by hand; drawn alike for all; bad shapes refused."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import numpy as np
import pytest

from trainability import seeding
from trainability.augmentations import AUGMENTATIONS, CropFlip, NoAugmentation

SHAPES = [(5, 7), (8, 8), (6, 4, 3), (32, 32, 3)]


def by_hand(image: np.ndarray, padding: int, down: int, right: int, mirrored: bool) -> np.ndarray:
    """Pad, cut out the window, mirror."""
    around = [(padding, padding)] * 2 + [(0, 0)] * (image.ndim - 2)
    window = np.pad(image, around)[down : down + image.shape[0], right : right + image.shape[1]]
    return window[:, ::-1] if mirrored else window


def augmented(images: np.ndarray, index: np.ndarray) -> np.ndarray:
    """What training does with the indices."""
    padded = np.pad(images.reshape(len(images), -1), [(0, 0), (0, 1)])
    return np.take_along_axis(padded, index, axis=1).reshape(images.shape)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("entry", [CropFlip(padding=2), CropFlip(padding=3, flip=False), CropFlip(padding=0)], ids=str)
def test_crop_and_flip_is_padding_slicing_and_mirroring(shape: tuple[int, ...], entry: CropFlip) -> None:
    images = np.random.default_rng(1).normal(size=(60, *shape))
    index = entry.draw(seeding.generator(0, "augmentation", 0), 60, shape)
    assert index.dtype == np.int64
    assert index.shape == (60, np.prod(shape))
    choices = entry.choices(seeding.generator(0, "augmentation", 0), 60)
    expected = [by_hand(image, entry.padding, *choice) for image, choice in zip(images, choices.tolist(), strict=True)]
    assert np.array_equal(augmented(images, index), np.array(expected))


def test_every_place_and_both_sides_occur_equally_often() -> None:
    choices = CropFlip(padding=1).choices(np.random.default_rng(0), 18_000)
    counts = np.bincount(choices @ [6, 2, 1], minlength=18)
    assert ((counts - 1000) ** 2 / 1000).sum() < 40.8  # exceeded once in 1000 fair draws, with 17 degrees of freedom
    assert set(CropFlip(flip=False).choices(np.random.default_rng(0), 100)[:, 2]) == {0}


def test_no_augmentation_changes_nothing() -> None:
    images = np.arange(24.0).reshape(2, 4, 3)
    none = NoAugmentation()
    assert none.identity
    assert not CropFlip.identity
    assert np.array_equal(augmented(images, none.draw(np.random.default_rng(0), 2, (4, 3))), images)
    assert none.impossible((5,)) == ""


def test_draws_are_a_function_of_the_generator_alone() -> None:
    one, again, other = (
        CropFlip().draw(seeding.generator(3, "augmentation", epoch), 50, (8, 8)) for epoch in (1, 1, 2)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_choices_of_an_epoch_can_be_made_to_indices_batch_by_batch() -> None:
    entry, order = CropFlip(), np.random.default_rng(4).permutation(40)
    whole = entry.draw(seeding.generator(0, "augmentation", 0), 40, (8, 8, 3))
    choices = entry.choices(seeding.generator(0, "augmentation", 0), 40)
    assert np.array_equal(entry.indices(choices[order[:16]], (8, 8, 3)), whole[order[:16]])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((500,), r"moves pixels of images, and these examples are none \(shape \(500,\)\)"),
        ((2, 2, 2, 2), "these examples are none"),
        ((8, 4), "could move an image of 8 x 4 pixels out of sight"),
        ((32, 3, 3), "out of sight"),
    ],
)
def test_what_cannot_be_augmented_is_said(shape: tuple[int, ...], message: str) -> None:
    assert re.search(message, CropFlip().impossible(shape))


def test_what_can_be_augmented_is_not_refused() -> None:
    assert {CropFlip().impossible(shape) for shape in ((28, 28), (32, 32, 3), (5, 5))} == {""}


def test_registry() -> None:
    assert list(AUGMENTATIONS) == ["none", "crop_flip"]
    assert AUGMENTATIONS.parse('{"name": "crop_flip", "padding": 2}').slug == "crop_flip-padding-2"


def test_a_batch_of_colour_images_takes_milliseconds() -> None:
    entry, rng = CropFlip(), np.random.default_rng(0)
    choices = entry.choices(rng, 128)
    fastest = min(_seconds(lambda: entry.indices(choices, (32, 32, 3))) for _ in range(5))
    assert fastest < 0.05  # 2 ms where this was written; a loop over pixels takes a second


def _seconds(work: Callable[[], object]) -> float:
    clock = time.perf_counter()
    work()
    return time.perf_counter() - clock
