"""Preprocessing of colour images, image by image and channel by channel, from files in CIFAR-10's format on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import real_formats as real
import scipy.linalg
from numpy.typing import NDArray

from trainability import datasets, training
from trainability.datasets import Cifar10
from trainability.prepared import load, load_map, prepare, statistics
from trainability.preprocessing import (
    PREPROCESSINGS,
    ChannelStandardize,
    Contrast,
    Pca,
    PcaWhiten,
    Preprocessing,
    ZcaWhiten,
)

Array = NDArray[np.float64]
SHAPE = (4, 3, 3)  # height, width, channels


@pytest.fixture(scope="module")
def colours() -> NDArray[np.uint8]:
    """Images uint8 [300, 4, 3, 3] whose pixels, and whose channels, are correlated; red bright, blue dark and flat."""
    rng = np.random.default_rng(5)
    shared = rng.normal(0, 20, (300, 1, 1, 1)) + rng.normal(0, 15, (300, *SHAPE[:2], 1))
    values = np.array([180, 120, 40]) + (shared + rng.normal(0, 10, (300, *SHAPE))) * np.array([1.0, 0.7, 0.2])
    return values.clip(0, 255).round().astype(np.uint8)


def flat(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return images.reshape(len(images), -1)


def covariance(x: Array) -> Array:
    return np.cov(x, rowvar=False, bias=True)


def test_which_preprocessings_leave_pixels_in_their_place() -> None:
    moved = [name for name in PREPROCESSINGS if not PREPROCESSINGS[name].keeps_image]
    assert moved == ["pca", "pca_whiten"]


# --- channel by channel


def test_channels_are_standardized_as_torchvision_does(colours: NDArray[np.uint8]) -> None:
    import torch
    from torchvision.transforms import Normalize

    train, others = colours[:200], colours[200:]
    ours = ChannelStandardize().fit(flat(train), 255, channels=3)(flat(others)).reshape(-1, *SHAPE)
    mean, std = train.mean(axis=(0, 1, 2)) / 255, train.std(axis=(0, 1, 2)) / 255
    tensors = torch.from_numpy(others.transpose(0, 3, 1, 2).astype(np.float64) / 255)
    theirs = Normalize(mean.tolist(), std.tolist())(tensors).numpy().transpose(0, 2, 3, 1)
    assert ours == pytest.approx(theirs, abs=1e-12)


def test_each_channel_has_mean_0_and_std_1_and_pixels_keep_their_own(colours: NDArray[np.uint8]) -> None:
    mapped = ChannelStandardize().fit(flat(colours), 255, channels=3)(flat(colours)).reshape(-1, *SHAPE)
    assert mapped.mean(axis=(0, 1, 2)) == pytest.approx(0, abs=1e-12)
    assert mapped.std(axis=(0, 1, 2)) == pytest.approx(1)
    assert np.abs(mapped.mean(axis=0)).max() > 0.01  # no mean image is subtracted


def test_without_channels_there_is_one_mean_and_one_std(colours: NDArray[np.uint8]) -> None:
    grey = flat(colours[..., 0])
    assert ChannelStandardize().fit(grey, 255)(grey) == pytest.approx((grey - grey.mean()) / grey.std(), abs=1e-12)


def test_a_constant_channel_becomes_0(colours: NDArray[np.uint8]) -> None:
    """Also where the mean of equal numbers is, in floating point, another one."""
    images = colours.astype(np.float64)
    images[..., 1] = 0.1
    assert np.mean(np.full(12, 0.1)) != 0.1
    mapped = ChannelStandardize().fit(images.reshape(300, -1), 1, channels=3)(images.reshape(300, -1))
    assert (mapped.reshape(-1, 3)[:, 1] == 0).all()
    assert mapped.reshape(-1, 3)[:, 0].std() == pytest.approx(1)


# --- image by image


def test_contrast_is_normalized_image_by_image(colours: NDArray[np.uint8]) -> None:
    mapped = Contrast().fit(flat(colours[:5]), 255, channels=3)(flat(colours))
    for image, ours in zip(colours, mapped, strict=True):
        pixels = [float(value) for value in image.ravel()]
        mean = sum(pixels) / 36
        variance = sum((value - mean) ** 2 for value in pixels) / 36
        assert ours == pytest.approx([(value - mean) / (variance + 10) ** 0.5 for value in pixels], abs=1e-12)


def test_contrast_forgets_brightness_and_nearly_contrast(colours: NDArray[np.uint8]) -> None:
    x = flat(colours).astype(np.float64)
    fitted = Contrast(epsilon=1e-6).fit(x, 255)
    assert fitted(3 * x + 20) == pytest.approx(fitted(x), abs=1e-6)
    assert Contrast().fit(x / 255, 1)(x / 255) == pytest.approx(Contrast().fit(x, 255)(x), abs=1e-12)
    assert (fitted(np.full((1, 36), 7.0)) == 0).all()


def test_contrast_then_whitening_is_one_after_the_other(colours: NDArray[np.uint8]) -> None:
    train, others = flat(colours[:200]), flat(colours[200:])
    both = Contrast(zca=0.1).fit(train, 255, channels=3)
    alone = Contrast().fit(train, 255)
    whitening = ZcaWhiten(epsilon=0.1).fit(alone(train), 255)
    assert both(others) == pytest.approx(whitening(alone(others)), abs=1e-5)
    values = np.linalg.eigvalsh(covariance(alone(train)))[1:]  # one direction is null: the mean of every image is 0
    expected = values / (values + 0.1 * values[-1])
    assert np.linalg.eigvalsh(covariance(both(train)))[1:] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("entry", [Contrast(), Contrast(zca=0.1)], ids=str)
def test_statistics_of_a_map_that_is_not_affine_are_true(entry: Contrast, colours: NDArray[np.uint8]) -> None:
    before = flat(colours)
    after = entry.fit(before, 255).stored(before)
    summary = statistics(before, after)
    design = np.column_stack([after.astype(np.float64), np.ones(300)])
    residual = before - design @ np.linalg.lstsq(design, before.astype(np.float64), rcond=1e-6)[0]
    kept = 1 - residual.var(axis=0).sum() / before.var(axis=0).sum()
    assert summary["kept_variance"] == pytest.approx(kept, abs=1e-6)
    assert 0.3 < kept < 0.95  # brightness is lost
    assert summary["after"]["rank"] == 35
    values = np.linalg.eigvalsh(covariance(after))
    assert summary["after"]["condition_number"] == pytest.approx(values[-1] / values[1], rel=1e-3)


# --- principal components of colour images


@pytest.mark.parametrize("entry", [PcaWhiten(epsilon=0.0), ZcaWhiten(epsilon=0.0)], ids=str)
def test_whitened_colours_are_uncorrelated(entry: Preprocessing, colours: NDArray[np.uint8]) -> None:
    whitened = entry.fit(flat(colours), 255, channels=3)(flat(colours))
    assert covariance(whitened) == pytest.approx(np.eye(36), abs=1e-8)


def test_zca_of_colours_stays_an_image_in_the_order_of_its_pixels(colours: NDArray[np.uint8]) -> None:
    """Entry (row, column, channel) of the result is the one that belongs to that pixel and colour."""
    mapped = ZcaWhiten(epsilon=0.0).fit(flat(colours), 255)(flat(colours)).reshape(-1, *SHAPE)
    swapped = colours[:, ::-1, :, ::-1]  # upside down, blue before red
    again = ZcaWhiten(epsilon=0.0).fit(flat(swapped), 255)(flat(swapped)).reshape(-1, *SHAPE)
    assert again[:, ::-1, :, ::-1] == pytest.approx(mapped, abs=1e-8)
    root = scipy.linalg.inv(scipy.linalg.sqrtm(covariance(flat(colours))))
    centred = flat(colours) - flat(colours).mean(axis=0)
    assert mapped == pytest.approx((centred @ root).reshape(-1, *SHAPE), abs=1e-8)
    correlations = [np.corrcoef(mapped[:, r, c, k], colours[:, r, c, k])[0, 1] for r, c, k in np.ndindex(*SHAPE)]
    assert min(correlations) > 0.5


def test_pca_of_colours_has_its_eigenvalues(colours: NDArray[np.uint8]) -> None:
    mapped = Pca(components=5).fit(flat(colours), 255, channels=3)(flat(colours))
    assert mapped.var(axis=0) == pytest.approx(np.linalg.eigvalsh(covariance(flat(colours)))[::-1][:5])


# --- from files


@pytest.mark.parametrize("entry", [ChannelStandardize(), ZcaWhiten(epsilon=0.1)], ids=str)
def test_from_cifars_files_to_what_a_network_sees(
    entry: Preprocessing, make_cell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = real.small_cifar()
    monkeypatch.setattr(Cifar10, "source", small.source)
    dataset = Cifar10(validation_examples=10, train_examples=40)
    datasets.prepare(dataset, tmp_path / "data", real.write(tmp_path / "in", small.files), tmp_path / "never")
    prepare(entry, tmp_path / "data", tmp_path / "out")
    manifest, arrays = load(tmp_path / "out")
    assert manifest["image_shape"] == [32, 32, 3]
    assert manifest["keeps_image"]
    assert [len(x) for x in (arrays.train_x, arrays.validation_x, arrays.test_x)] == [40, 10, real.TEST]
    assert arrays.test_y.tolist() == small.arrays[3].tolist()
    _, splits = datasets.load(tmp_path / "data")
    train = splits.train_images.astype(np.float64)
    test = small.arrays[2].astype(np.float64)
    if entry.name == "channel_standardize":
        expected = (test - train.mean(axis=(0, 1, 2))) / train.std(axis=(0, 1, 2))
    else:  # by way of singular values, of which 39 are not 0
        centred = train.reshape(40, -1) - train.reshape(40, -1).mean(axis=0)
        _, singular, rows = np.linalg.svd(centred, full_matrices=False)
        values = singular[:39] ** 2 / 40
        weights = rows[:39] * (1 / np.sqrt(values + 0.1 * values[0]))[:, None]
        expected = (test.reshape(12, -1) - train.reshape(40, -1).mean(axis=0)) @ weights.T @ rows[:39]
    assert arrays.test_x.reshape(12, -1) == pytest.approx(expected.reshape(12, -1), abs=1e-4)
    assert load_map(tmp_path / "out").features == 3072
    cell = make_cell(
        dataset=dataset.model_dump(), preprocessing=entry.model_dump(), depth=1, seeds=[0], learning_rates=[1e-4]
    )
    outcome = training.train(cell, arrays, manifest["classes"])  # labels are random: there is nothing to learn
    assert outcome.networks[0].hidden[0].linear.weight.shape == (1, 3072, 6)
    assert outcome.test_loss.isfinite().all()
    assert json.loads((tmp_path / "out" / "preprocessing.json").read_text())["statistics"]["after"]["rank"] == 39
