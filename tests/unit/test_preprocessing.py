"""Preprocessing: every entry against an independent implementation and its known answers, and no leakage."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.stats import ortho_group
from sealing import seal
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from trainability import datasets, moments
from trainability.datasets import Splits
from trainability.files import CorruptFileError
from trainability.maps import Map
from trainability.prepared import load, load_map, prepare, statistics
from trainability.preprocessing import (
    PREPROCESSINGS,
    Center,
    Contrast,
    MinMax,
    Pca,
    PcaWhiten,
    Preprocessing,
    Raw,
    Standardize,
    Unit,
    ZcaWhiten,
)

Array = NDArray[np.float64]
LEVELS = 16
ALL = [PREPROCESSINGS[name](name=name) for name in PREPROCESSINGS]
FITTED = [entry for entry in ALL if entry.name not in ("raw", "unit", "channel_standardize", "contrast")]
ENTRIES = pytest.mark.parametrize("entry", [*ALL, Contrast(zca=0.1)], ids=str)


@pytest.fixture(scope="module")
def digits() -> Array:
    """Real pixels [600, 64] from 0 to 16; the corners are constant, so that the rank is below 64."""
    return np.asarray(load_digits().data[:600], dtype=np.float64)


@pytest.fixture(scope="module")
def full_rank() -> Array:
    """Correlated data [400, 5] far from 0, rank 5, distinct eigenvalues."""
    rng = np.random.default_rng(7)
    mixing = rng.standard_normal((5, 5)) * np.array([3.0, 1.0, 2.0, 0.5, 1.5])
    return np.asarray(5.0 + rng.standard_normal((400, 5)) @ mixing)


def covariance(x: Array) -> Array:
    """By definition, one pair of features at a time."""
    centred = x - x.mean(axis=0)
    return np.asarray(np.einsum("ni,nj->ij", centred, centred) / len(x))


def eigenvalues(x: Array) -> Array:
    """Of the covariance, descending, by way of singular values."""
    singular = scipy.linalg.svdvals(x - x.mean(axis=0))
    return np.asarray(singular**2 / len(x))


def rank(x: Array) -> int:
    return int(np.linalg.matrix_rank(x - x.mean(axis=0)))


# --- the registry and its parameters


def test_registry_names_and_labels() -> None:
    assert list(PREPROCESSINGS) == [
        "raw", "unit", "center", "standardize", "channel_standardize", "minmax", "pca", "pca_whiten", "zca_whiten",
        "contrast",
    ]  # fmt: skip
    assert [entry.label for entry in ALL] == list(PREPROCESSINGS)
    assert Pca(variance=0.99).label == "pca(variance=0.99)"
    assert Center(values="unit").slug == "center-values-unit"
    assert ZcaWhiten(epsilon=0.1, components=5).label == "zca_whiten(components=5, epsilon=0.1)"


@pytest.mark.parametrize(
    ("cls", "parameters", "message"),
    [
        (Pca, {"variance": 0.0}, "greater than 0"),
        (Pca, {"variance": 1.01}, "less than or equal to 1"),
        (Pca, {"variance": float("nan")}, "finite"),
        (Pca, {"components": 0}, "greater than or equal to 1"),
        (Pca, {"components": 2.5}, "integer"),
        (Pca, {"variance": 0.9, "components": 5}, "give variance or components, not both"),
        (Pca, {"variance": 0.95, "components": 5}, "give variance or components, not both"),
        (PcaWhiten, {"epsilon": -1e-9}, "greater than or equal to 0"),
        (ZcaWhiten, {"epsilon": float("inf")}, "finite"),
        (ZcaWhiten, {"components": 0}, "greater than or equal to 1"),
        (PcaWhiten, {"variance": 0.9}, "not permitted"),
        (Center, {"values": "percent"}, "'raw' or 'unit'"),
        (Standardize, {"epsilon": 0.1}, "not permitted"),
    ],
)
def test_bad_parameters_are_refused(
    cls: Callable[..., Preprocessing], parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        cls(**parameters)


@pytest.mark.parametrize(
    "entry", [*ALL, Pca(components=5), Pca(variance=0.5), PcaWhiten(epsilon=0.0, components=3)], ids=str
)
def test_an_entry_can_be_read_from_what_it_writes(entry: Preprocessing) -> None:
    assert PREPROCESSINGS.parse(entry.model_dump_json()) == entry
    assert PREPROCESSINGS.parse(json.dumps({"name": entry.name, **entry.chosen})) == entry


def test_an_overridden_variance_is_not_recorded() -> None:
    assert Pca(components=5).model_dump() == {"name": "pca", "components": 5}
    assert Pca(components=5).label == "pca(components=5)"
    assert Pca().model_dump() == {"name": "pca", "components": None, "variance": 0.95}
    assert Pca(components=None, variance=0.9).variance == 0.9


def test_a_map_has_either_scale_or_matrix() -> None:
    shift, matrix = np.zeros(2), np.eye(2)
    for parts in ({}, {"scale": shift, "matrix": matrix}):
        with pytest.raises(ValueError, match="either a scale or a matrix"):
            Map(shift, **parts)


# --- element by element


def test_raw_changes_nothing(digits: Array) -> None:
    assert np.array_equal(Raw().fit(digits, LEVELS)(digits), digits)


@pytest.mark.parametrize("levels", [16, 255])
def test_unit_divides_by_levels_and_fits_nothing(levels: int) -> None:
    every_value = np.arange(levels + 1.0)[:, None]
    fitted = Unit().fit(np.full((3, 1), 2.0), levels)  # fitted elsewhere, since nothing is fitted
    assert fitted(every_value) == pytest.approx(every_value / levels, rel=1e-15)
    assert fitted(every_value).astype(np.float32).min() == 0
    assert fitted(every_value).astype(np.float32).max() == 1


def test_center_subtracts_the_mean_image(digits: Array) -> None:
    train, other = digits[:300], digits[300:]
    centred = Center().fit(train, LEVELS)(other)
    assert centred == pytest.approx(other - train.mean(axis=0), abs=1e-12)
    assert Center().fit(train, LEVELS)(train).mean(axis=0) == pytest.approx(0, abs=1e-12)
    assert Center(values="unit").fit(train, LEVELS)(other) == pytest.approx(centred / LEVELS, abs=1e-12)


def test_standardize_agrees_with_scikit_learn(digits: Array) -> None:
    train, other = digits[:300], digits[300:]
    ours, theirs = Standardize().fit(train, LEVELS), StandardScaler().fit(train)
    varies = train.std(axis=0) > 0
    assert ours(train) == pytest.approx(theirs.transform(train), abs=1e-12)
    assert ours(other)[:, varies] == pytest.approx(theirs.transform(other)[:, varies], abs=1e-12)


def test_standardized_features_have_mean_0_and_population_std_1(digits: Array) -> None:
    varies = digits.std(axis=0) > 0
    assert 0 < varies.sum() < 64  # both kinds are tested
    standardized = Standardize().fit(digits, LEVELS)(digits)
    assert standardized.mean(axis=0) == pytest.approx(0, abs=1e-12)
    assert standardized.std(axis=0) == pytest.approx(varies.astype(float), abs=1e-12)
    assert Standardize().fit(np.array([[1.0], [3.0]]), LEVELS)(np.array([[3.0], [6.0]])).tolist() == [
        [1],
        [4],
    ]


def test_minmax_agrees_with_scikit_learn(digits: Array) -> None:
    train, other = digits[:300], digits[300:]
    ours, theirs = MinMax().fit(train, LEVELS), MinMaxScaler(feature_range=(-1, 1)).fit(train)
    varies = np.ptp(train, axis=0) > 0
    for x in (train, other):
        assert ours(x)[:, varies] == pytest.approx(theirs.transform(x)[:, varies], abs=1e-12)
    assert ours(train)[:, varies].min(axis=0) == pytest.approx(-1)
    assert ours(train)[:, varies].max(axis=0) == pytest.approx(1)


@pytest.mark.parametrize("entry", FITTED, ids=str)
def test_constant_features_of_the_training_split_become_0(entry: Preprocessing) -> None:
    # The mean of three times 0.1 is not 0.1 in floating point: a std of 1e-17 must not be divided by.
    train = np.column_stack([np.full(3, 0.1), [1.0, 2.0, 4.0]])
    assert np.mean([0.1] * 3) != 0.1
    fitted = entry.fit(train, LEVELS)
    mapped, of_feature = fitted(train), fitted(np.array([[0.1, 2.0], [9.1, 2.0]]))
    assert np.isfinite(mapped).all()
    if entry.name in ("center", "standardize", "minmax"):
        assert mapped[:, 0].tolist() == [0, 0, 0]
    if entry.name != "center":  # what was constant has no influence in other splits either
        assert np.array_equal(of_feature[0], of_feature[1])


# --- principal components


def test_pca_agrees_with_scikit_learn(digits: Array) -> None:
    train, other = digits[:300], digits[300:]
    for ours, wanted in ((Pca(), 0.95), (Pca(variance=0.5), 0.5), (Pca(components=7), 7)):
        theirs = PCA(n_components=wanted, svd_solver="full").fit(train)
        mapped, expected = ours.fit(train, LEVELS)(other), theirs.transform(other)
        assert mapped.shape == expected.shape
        signs = np.sign((mapped * expected).sum(axis=0))  # which way a component points is a convention
        assert mapped * signs == pytest.approx(expected, abs=1e-9)


def test_pca_data_are_uncorrelated_with_descending_variances(digits: Array) -> None:
    result = covariance(Pca().fit(digits, LEVELS)(digits))
    variances = np.diagonal(result)
    assert result == pytest.approx(np.diag(variances), abs=1e-10 * variances[0])
    assert (np.diff(variances) < 0).all()
    assert variances == pytest.approx(eigenvalues(digits)[: len(variances)])


@pytest.mark.parametrize("variance", [0.01, 0.3, 0.5, 0.9, 0.95, 0.999, 1.0])
def test_pca_keeps_the_wanted_variance_with_the_fewest_components(digits: Array, variance: float) -> None:
    mapped = Pca(variance=variance).fit(digits, LEVELS)(digits)
    shares = mapped.var(axis=0) / digits.var(axis=0).sum()
    assert shares.sum() >= variance - 1e-12
    assert shares[:-1].sum() < variance
    if variance == 1.0:
        assert mapped.shape[1] == rank(digits)


def test_a_share_that_is_reached_exactly_is_enough() -> None:
    x = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])  # both eigenvalues are 1/2
    assert Pca(variance=0.5).fit(x, LEVELS)(x).shape == (4, 1)
    assert Pca(variance=0.51).fit(x, LEVELS)(x).shape == (4, 2)


@pytest.mark.parametrize("cls", [Pca, PcaWhiten])
def test_components_are_the_leading_ones(digits: Array, cls: Callable[..., Preprocessing]) -> None:
    every, some = (cls(components=components).fit(digits, LEVELS) for components in (64, 3))
    assert some.matrix is not None
    assert every.matrix is not None
    assert every.matrix.shape == (64, rank(digits))  # null directions are not kept, whatever was asked for
    assert np.array_equal(some.matrix, every.matrix[:, :3])


@pytest.mark.parametrize("cls", [Pca, PcaWhiten, ZcaWhiten])
def test_more_components_than_features_are_refused(digits: Array, cls: Callable[..., Preprocessing]) -> None:
    with pytest.raises(ValueError, match=r"components=65\): an example has 64 features"):
        cls(components=65).fit(digits, LEVELS)


@pytest.mark.parametrize("entry", [Pca(variance=1.0), PcaWhiten(), ZcaWhiten()], ids=str)
def test_signs_do_not_depend_on_lapack(full_rank: Array, entry: Preprocessing, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = entry.fit(full_rank, LEVELS).matrix
    plain = np.linalg.eigh

    def flipped(matrix: Array) -> tuple[Array, Array]:
        values, vectors = plain(matrix)
        return values, vectors * [-1, 1, -1, 1, -1]

    monkeypatch.setattr(np.linalg, "eigh", flipped)
    matrix = entry.fit(full_rank, LEVELS).matrix
    assert matrix is not None
    assert expected is not None
    assert np.array_equal(matrix, expected)
    if entry.name == "pca":
        assert (matrix[np.abs(matrix).argmax(axis=0), range(5)] > 0).all()


@pytest.mark.parametrize("row", [0, 1])
def test_the_first_of_equal_entries_decides_the_sign(row: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where rounding, here in one row, makes a later entry the larger one by a bit."""
    plain = np.linalg.eigh

    def rounded(matrix: Array) -> tuple[Array, Array]:
        values, vectors = plain(matrix)
        vectors[row] *= 1 + 1e-15
        return values, vectors

    monkeypatch.setattr(np.linalg, "eigh", rounded)
    x = np.array([[0.0, 0.0], [3.0, 3.0], [1.0, 2.0], [2.0, 1.0]])  # eigenvectors (1, 1) and (1, -1)
    matrix = Pca(variance=1.0).fit(x, LEVELS).matrix
    assert matrix == pytest.approx(np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2))


# --- whitening


@pytest.mark.parametrize("cls", [PcaWhiten, ZcaWhiten])
def test_whitened_data_have_the_unit_covariance(full_rank: Array, cls: Callable[..., Preprocessing]) -> None:
    whitened = cls(epsilon=0.0).fit(full_rank, LEVELS)(full_rank)
    assert covariance(whitened) == pytest.approx(np.eye(5), abs=1e-9)
    nearly = cls().fit(full_rank, LEVELS)(full_rank)
    assert covariance(nearly) == pytest.approx(np.eye(5), abs=0.02)


@pytest.mark.parametrize("epsilon", [0.0, 1e-5, 0.1])
def test_epsilon_is_relative_to_the_largest_eigenvalue(digits: Array, epsilon: float) -> None:
    values = eigenvalues(digits)[: rank(digits)]
    expected = values / (values + epsilon * values[0])
    whitened = PcaWhiten(epsilon=epsilon).fit(digits, LEVELS)(digits)
    assert covariance(whitened) == pytest.approx(np.diag(expected), abs=1e-8)
    rotated = ZcaWhiten(epsilon=epsilon).fit(digits, LEVELS)(digits)
    assert eigenvalues(rotated) == pytest.approx(np.pad(expected, (0, 64 - len(expected))), abs=1e-8)


def test_pca_whitening_agrees_with_scikit_learn(digits: Array) -> None:
    train, other = digits[:300], digits[300:]
    kept = rank(train)
    theirs = PCA(n_components=kept, whiten=True, svd_solver="full").fit(train)
    expected = theirs.transform(other) * np.sqrt(300 / 299)  # scikit-learn divides by n - 1
    mapped = PcaWhiten(epsilon=0.0).fit(train, LEVELS)(other)
    assert mapped.shape == (300, kept)
    signs = np.sign((mapped * expected).sum(axis=0))
    assert mapped * signs == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_zca_is_the_inverse_root_of_the_covariance(full_rank: Array) -> None:
    root = scipy.linalg.inv(scipy.linalg.sqrtm(covariance(full_rank)))
    expected = (full_rank - full_rank.mean(axis=0)) @ root
    assert ZcaWhiten(epsilon=0.0).fit(full_rank, LEVELS)(full_rank) == pytest.approx(expected, abs=1e-9)


def test_zca_maps_null_directions_to_0(digits: Array) -> None:
    fitted = ZcaWhiten(epsilon=0.0).fit(digits, LEVELS)
    null = scipy.linalg.null_space(digits - digits.mean(axis=0))
    assert null.shape == (64, 64 - rank(digits))
    assert null.size
    assert fitted(fitted.shift + 100 * null.T) == pytest.approx(0, abs=1e-6)
    assert fitted.matrix == pytest.approx(fitted.matrix.T, abs=1e-12)  # type: ignore[union-attr]


def test_zca_stays_closest_to_the_images_among_whitenings(full_rank: Array) -> None:
    centred = full_rank - full_rank.mean(axis=0)
    zca = ZcaWhiten(epsilon=0.0).fit(full_rank, LEVELS)(full_rank)
    whitened = PcaWhiten(epsilon=0.0).fit(full_rank, LEVELS)(full_rank)
    nearest = np.square(zca - centred).sum()
    for rotation in [np.eye(5), *ortho_group.rvs(5, size=200, random_state=3)]:
        other = whitened @ rotation
        assert covariance(other) == pytest.approx(np.eye(5), abs=1e-9)  # a whitening too
        assert np.square(other - centred).sum() > nearest


# --- properties


@ENTRIES
@given(
    train=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.integers(0, 16)),
    other=st.integers(0, 16),
)
@settings(max_examples=40, deadline=None)
def test_degenerate_data_give_finite_numbers(entry: Preprocessing, train: Any, other: int) -> None:
    """Few examples, one example, duplicates, constant features: uint8 pixels of every kind."""
    x = train.astype(np.float64)
    fitted = entry.fit(x, LEVELS)
    mapped = fitted(x)
    assert len(mapped) == len(x)
    assert mapped.shape[1] >= 1
    assert np.isfinite(mapped).all()
    assert np.isfinite(fitted(np.full((1, x.shape[1]), other))).all()
    summary = statistics(train, mapped.astype(np.float32))
    json.dumps(summary, allow_nan=False)
    assert summary["constant_features"] == (np.ptp(train, axis=0) == 0).sum()
    assert summary["before"]["rank"] == (rank(x) if len(x) > 1 else 0)
    assert summary["after"]["rank"] <= summary["before"]["rank"]


@pytest.mark.parametrize("entry", [Standardize(), MinMax()], ids=str)
@given(
    seed=st.integers(0, 1000),
    factor=st.floats(0.01, 100),
    offset=st.floats(-100, 100),
)
@settings(max_examples=25, deadline=None)
def test_scalings_forget_the_units(entry: Preprocessing, seed: int, factor: float, offset: float) -> None:
    x = np.random.default_rng(seed).uniform(0, 16, (12, 4))
    changed = factor * x + offset
    expected = entry.fit(x, LEVELS)(x)
    assert entry.fit(changed, LEVELS)(changed) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("entry", [Center(), Pca(components=3), PcaWhiten(), ZcaWhiten()], ids=str)
@given(seed=st.integers(0, 1000), offset=st.floats(-100, 100))
@settings(max_examples=25, deadline=None)
def test_distances_do_not_depend_on_rotation_and_shift(entry: Preprocessing, seed: int, offset: float) -> None:
    x = np.random.default_rng(seed).normal(0, 4, (12, 4))
    rotated = x @ ortho_group.rvs(4, random_state=seed) + offset
    before, after = entry.fit(x, LEVELS)(x), entry.fit(rotated, LEVELS)(rotated)
    assert after @ after.T == pytest.approx(before @ before.T, abs=1e-6)


@given(seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_whitening_forgets_every_invertible_linear_map(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 4, (12, 4))
    changed = x @ (rng.uniform(-0.5, 0.5, (4, 4)) + 3 * np.eye(4)) + rng.normal(size=4)
    whiten = PcaWhiten(epsilon=0.0)
    before, after = whiten.fit(x, LEVELS)(x), whiten.fit(changed, LEVELS)(changed)
    assert after @ after.T == pytest.approx(before @ before.T, abs=1e-8)


@ENTRIES
def test_blocks_do_not_show(digits: Array, entry: Preprocessing, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = entry.fit(digits, LEVELS)
    monkeypatch.setattr(moments, "BLOCK", 7)  # 600 = 85 x 7 + 5
    assert entry.fit(digits, LEVELS)(digits) == pytest.approx(whole(digits), abs=1e-7)


# --- statistics


def test_condition_number_and_rank_against_numpy(full_rank: Array) -> None:
    fitted = Standardize().fit(full_rank, LEVELS)
    after = fitted(full_rank)
    summary = statistics(full_rank, after)
    for part, x in (("before", full_rank), ("after", after)):
        cov = covariance(x)
        assert summary[part]["condition_number"] == pytest.approx(np.linalg.cond(cov), rel=1e-9)
        assert summary[part]["largest_eigenvalue"] == pytest.approx(np.linalg.norm(cov, 2))
        assert summary[part]["smallest_eigenvalue"] == pytest.approx(np.linalg.norm(cov, -2))
        assert summary[part]["rank"] == np.linalg.matrix_rank(cov) == 5


def test_null_directions_leave_the_condition_number_alone(full_rank: Array) -> None:
    doubled = np.column_stack([full_rank, full_rank[:, 0], np.full(400, 3.0)])
    summary = statistics(doubled, doubled)
    values = eigenvalues(doubled)[:5]
    assert summary["before"]["rank"] == summary["after"]["rank"] == 5
    assert summary["before"]["condition_number"] == pytest.approx(values[0] / values[4])
    assert summary["constant_features"] == 1
    assert summary["kept_variance"] == pytest.approx(1)


def test_statistics_of_data_that_do_not_vary() -> None:
    constant = np.full((4, 3), 7.0)
    fitted = Pca().fit(constant, LEVELS)
    summary = statistics(constant, fitted(constant))
    nothing = {"rank": 0, "largest_eigenvalue": None, "smallest_eigenvalue": None, "condition_number": None}
    assert summary["before"] == summary["after"] == nothing
    assert summary["kept_variance"] is None
    assert (summary["output_features"], summary["mean"], summary["std"]) == (1, 0, 0)


@ENTRIES
def test_statistics_describe_what_came_out(digits: Array, entry: Preprocessing) -> None:
    fitted = entry.fit(digits, LEVELS)
    after = fitted(digits)
    summary = statistics(digits, after)
    assert (summary["examples"], summary["input_features"]) == digits.shape
    assert summary["output_features"] == after.shape[1]
    assert summary["constant_features"] == (digits.std(axis=0) == 0).sum()
    assert summary["mean"] == pytest.approx(after.mean(), abs=1e-9)
    assert summary["std"] == pytest.approx(after.std())
    assert summary["before"]["rank"] == rank(digits)
    assert summary["after"]["rank"] == (after.shape[1] if entry.name == "pca" else rank(after))
    if entry.name not in ("pca", "contrast"):
        assert rank(after) == rank(digits)
        assert summary["kept_variance"] == pytest.approx(1)


@pytest.mark.parametrize("cls", [Pca, PcaWhiten, ZcaWhiten])
def test_kept_variance_is_that_of_the_kept_components(digits: Array, cls: Callable[..., Preprocessing]) -> None:
    fitted = cls(components=6).fit(digits, LEVELS)
    expected = PCA(n_components=6, svd_solver="full").fit(digits).explained_variance_ratio_.sum()
    kept = statistics(digits, fitted(digits))["kept_variance"]
    assert kept == pytest.approx(expected, rel=1e-9)
    residual = digits - digits.mean(axis=0)  # by least squares: what the output cannot reconstruct
    residual = residual - (after := fitted(digits)) @ np.linalg.lstsq(after, residual, rcond=1e-9)[0]
    assert kept == pytest.approx(1 - residual.var(axis=0).sum() / digits.var(axis=0).sum(), rel=1e-9)


# --- files


def small_splits(seed: int = 0) -> Splits:
    """Images uint8 [n, 2, 3] with values up to 16, of 40 training, 10 validation and 12 test examples."""
    rng = np.random.default_rng(seed)
    parts = [
        array
        for n in (40, 10, 12)
        for array in (rng.integers(0, 17, (n, 2, 3), dtype=np.uint8), rng.integers(0, 10, n, dtype=np.uint8))
    ]
    return Splits(*parts)


def prepared(entry: Preprocessing, splits: Splits, out: Path, patch: pytest.MonkeyPatch) -> Path:
    """Run `prepare` as if a data set's folder held these splits."""
    described = {"label": "small", "decoded_sha256": "5" * 64, "levels": 16, "classes": 10}
    patch.setattr(
        "trainability.prepared.datasets.load",
        lambda folder: (described | {"image_shape": [2, 3]}, splits),
    )
    prepare(entry, Path("nowhere"), out)
    return out


@ENTRIES
def test_prepared_files_hold_the_mapped_splits(
    entry: Preprocessing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits = small_splits()
    manifest, arrays = load(prepared(entry, splits, tmp_path / "out", monkeypatch))
    fitted = load_map(tmp_path / "out")
    refitted = entry.fit(splits.train_images.reshape(40, 6).astype(np.float64), 16)
    for part in ("shift", "scale", "matrix"):
        stored = getattr(fitted, part)
        assert np.array_equal(stored, getattr(refitted, part))
        assert stored is None or stored.dtype == np.float64
    for split in ("train", "validation", "test"):
        images, labels = getattr(splits, f"{split}_images"), getattr(splits, f"{split}_labels")
        x, y = getattr(arrays, f"{split}_x"), getattr(arrays, f"{split}_y")
        assert (x.dtype, y.dtype) == (np.float32, np.int64)
        assert np.array_equal(y, labels)
        assert np.array_equal(x, fitted(images.reshape(-1, 6).astype(np.float64)).astype(np.float32))
    assert manifest["label"] == entry.label
    assert {"name": manifest["name"], **manifest["parameters"]} == entry.model_dump()
    assert (manifest["dataset"], manifest["dataset_sha256"]) == ("small", "5" * 64)
    assert (manifest["classes"], manifest["image_shape"]) == (10, [2, 3])
    assert manifest["statistics"]["examples"] == 40
    assert manifest["statistics"]["output_features"] == arrays.train_x.shape[1]


@ENTRIES
def test_nothing_leaks_into_the_map(entry: Preprocessing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other validation and test data change neither map nor training arrays, other training data both."""
    splits, others = small_splits(0), small_splits(1)
    elsewhere = replace(others, train_images=splits.train_images, train_labels=splits.train_labels)
    first = prepared(entry, splits, tmp_path / "first", monkeypatch)
    second = prepared(entry, elsewhere, tmp_path / "second", monkeypatch)
    third = prepared(entry, others, tmp_path / "third", monkeypatch)
    (described, a), (described_b, b), (_, c) = load(first), load(second), load(third)
    map_of = [(out / "map.npz").read_bytes() for out in (first, second, third)]
    assert map_of[0] == map_of[1]
    assert a.train_x.tobytes() == b.train_x.tobytes()
    assert described["statistics"] == described_b["statistics"]
    assert not np.array_equal(a.validation_x, b.validation_x)
    assert not np.array_equal(a.test_x, b.test_x)
    assert (map_of[1] == map_of[2]) == (entry in (Raw(), Unit(), Contrast()))
    assert not np.array_equal(b.train_x, c.train_x)


def test_preparing_twice_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (
        prepared(ZcaWhiten(), small_splits(), tmp_path / name, monkeypatch) for name in ("first", "second")
    )
    names = sorted(path.name for path in first.iterdir())
    assert names == ["arrays.npz", "map.npz", "preprocessing.json"]
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_the_manifest_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainability.prepared.save_json", lambda path, content: (_ for _ in ()).throw(OSError))
    with pytest.raises(OSError):  # noqa: PT011 (ours, raised just above)
        prepared(Raw(), small_splits(), tmp_path, monkeypatch)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arrays.npz", "map.npz"]
    with pytest.raises(CorruptFileError, match=r"preprocessing\.json is missing"):
        load(tmp_path)


@pytest.mark.parametrize(("file", "read"), [("arrays.npz", load), ("map.npz", load_map)])
def test_damaged_files_are_noticed(file: str, read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = prepared(Standardize(), small_splits(), tmp_path, monkeypatch) / file
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    for damaged, message in (
        (content[:-9], "bytes, expected"),
        (bytes(flipped), "SHA-256"),
        (b"", "0 bytes"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(CorruptFileError, match=message):
            read(tmp_path)
    path.unlink()
    with pytest.raises(CorruptFileError, match="is missing"):
        read(tmp_path)


@pytest.mark.parametrize("read", [load, load_map])
@pytest.mark.parametrize("change", [{"arrays": None, "map": None}, {"arrays": {}, "map": {}}, "exchanged"])
def test_a_manifest_that_describes_something_else_is_noticed(
    read: Any, change: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = prepared(Raw(), small_splits(), tmp_path, monkeypatch) / "preprocessing.json"
    content = json.loads(path.read_text())
    content |= {"arrays": content["map"], "map": content["arrays"]} if change == "exchanged" else change
    path.write_bytes(seal(content))
    with pytest.raises(CorruptFileError, match=r"does not describe preprocessed data|describes no file of this folder"):
        read(tmp_path)


def test_the_digits_from_pixels_to_arrays(tmp_path: Path) -> None:
    datasets.prepare(datasets.Digits(train_examples=300), tmp_path / "data", None, tmp_path)
    prepare(Standardize(), tmp_path / "data", tmp_path / "out")
    manifest, arrays = load(tmp_path / "out")
    assert arrays.train_x.shape == (300, 64)
    assert arrays.validation_x.shape == (285, 64)
    assert arrays.test_x.shape == (360, 64)
    assert manifest["dataset"] == "digits(train_examples=300)"
    assert manifest["dataset_sha256"] == datasets.load(tmp_path / "data")[0]["decoded_sha256"]
    assert manifest["image_shape"] == [8, 8]
    mean, std = arrays.train_x.mean(axis=0), arrays.train_x.std(axis=0)
    assert mean == pytest.approx(0, abs=1e-6)
    assert std == pytest.approx((std > 0).astype(float), abs=1e-5)


def test_importing_the_module_loads_numpy_only() -> None:
    heavy = "{'torch', 'torchvision', 'sklearn', 'scipy', 'pandas', 'matplotlib'}"
    code = f"import sys, trainability.preprocessing; print({heavy} & set(sys.modules) or 'none')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "none"
