"""Manifests: arrays come back as they were, damage is named, and only strict JSON is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainability import manifests
from trainability.files import CorruptFileError


def test_arrays_come_back_and_have_reproducible_bytes(tmp_path: Path) -> None:
    arrays = {"x": np.arange(6, dtype=np.float32).reshape(2, 3).T, "y": np.array([1, 2])}
    one, two = manifests.save_arrays(tmp_path / "a.npz", arrays), manifests.save_arrays(tmp_path / "b.npz", arrays)
    assert one["sha256"] == two["sha256"]
    read = manifests.load_arrays(one, tmp_path)
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype


def test_damage_is_named(tmp_path: Path) -> None:
    manifest = manifests.save_arrays(tmp_path / "a.npz", {"x": np.zeros(100)})
    path = tmp_path / "a.npz"
    content = bytearray(path.read_bytes())
    path.write_bytes(content[:-7])
    with pytest.raises(CorruptFileError, match=rf"a.npz has {len(content) - 7} bytes, expected {len(content)}"):
        manifests.load_arrays(manifest, tmp_path)
    content[300] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"a.npz has SHA-256 .* Delete the folder"):
        manifests.load_arrays(manifest, tmp_path)
    path.unlink()
    with pytest.raises(CorruptFileError, match=r"a.npz is missing"):
        manifests.load_arrays(manifest, tmp_path)


@pytest.mark.parametrize(("content", "part"), [("{", "is not JSON"), ("[1]", "does not hold a JSON object")])
def test_broken_json_is_named(tmp_path: Path, content: str, part: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(CorruptFileError, match=part):
        manifests.load_json(tmp_path / "x.json")


def test_json_admits_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        manifests.save_json(tmp_path / "x.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())
