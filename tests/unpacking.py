"""Reads what `explorer.packing` wrote, written from its description alone."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import numpy as np

WIDTHS = {"fraction": 2, "magnitude": 2, "exact": 8, "code": 2}


def unpack(text: str) -> list[dict[str, Any]]:
    """The parts of a block: their facts, and under `values` an array for each column, shaped by its axes."""
    raw = zlib.decompress(base64.b64decode(text))
    length = int.from_bytes(raw[:4], "little")
    header = json.loads(raw[4 : 4 + length])
    parts = [part | {"values": {}} for part in header["parts"]]
    place = 4 + length
    for name, (kind, *axes) in header["columns"].items():
        shapes = [tuple(part["lengths"][axis] for axis in axes) for part in parts]
        count = sum(int(np.prod(shape)) for shape in shapes)
        width = WIDTHS[kind]
        planes = np.frombuffer(raw, np.uint8, count * width, place).reshape(width, count)
        numbers = _decoded(kind, np.ascontiguousarray(planes.T).tobytes())
        place += count * width
        start = 0
        for part, shape in zip(parts, shapes, strict=True):
            size = int(np.prod(shape))
            part["values"][name] = numbers[start : start + size].reshape(shape)
            start += size
    assert place == len(raw)
    return parts


def _decoded(kind: str, raw: bytes) -> np.ndarray:
    if kind == "exact":
        return np.frombuffer(raw, "<f8")
    codes = np.frombuffer(raw, "<u2")
    if kind == "fraction":
        return np.where(codes == 65535, np.nan, codes / 50_000)
    if kind == "magnitude":
        return (codes.astype("<u4") << 16).view("<f4").astype(float)
    return codes
