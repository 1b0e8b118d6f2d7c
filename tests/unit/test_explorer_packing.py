"""Packed numbers: each kind keeps what it promises, and the same values give the same text."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unpacking import unpack

from trainability.explorer import packing
from trainability.explorer.packing import Column, Part

SMALLEST_NORMAL = 2.0**-126


def through(kind: str, values: list[float]) -> np.ndarray:
    part = Part({}, {"n": len(values)}, {"x": np.array(values, dtype=float)})
    return unpack(packing.block({"x": Column(kind, ("n",))}, [part]))[0]["values"]["x"]


@given(st.lists(st.floats(0, 1) | st.just(math.nan), min_size=1))
def test_a_fraction_is_off_by_a_hundred_thousandth_at_most(values: list[float]) -> None:
    found = through("fraction", values)
    assert np.array_equal(np.isnan(found), np.isnan(values))
    assert np.nanmax(np.abs(found - values), initial=0) <= 1e-5 + 1e-12


@given(st.lists(st.floats(width=32), min_size=1))
def test_a_magnitude_is_off_by_a_two_hundred_and_fiftieth_at_most(values: list[float]) -> None:
    found = through("magnitude", values)
    for value, kept in zip(values, found, strict=True):
        if math.isnan(value):
            assert math.isnan(kept)
        elif math.isinf(value) or value == 0:
            assert kept == value
        elif abs(value) > 3.38e38:  # what rounds up to more than a float32 holds is infinite
            assert kept == math.copysign(math.inf, value) or abs(kept - value) <= 2**-8 * abs(value)
        else:
            assert abs(kept - value) <= 2**-8 * max(abs(value), SMALLEST_NORMAL)


def test_magnitudes_beyond_float32_are_infinite_and_halves_go_to_the_even_one() -> None:
    assert through("magnitude", [1e300, -1e300]).tolist() == [math.inf, -math.inf]
    ulp = 2.0**-7  # between neighbours from 1 to 2
    assert through("magnitude", [1 + ulp / 2, 1 + 1.5 * ulp]).tolist() == [1.0, 1 + 2 * ulp]


@given(st.lists(st.floats(), min_size=1))
def test_exact_numbers_stay_as_they_are(values: list[float]) -> None:
    assert np.array_equal(through("exact", values), values, equal_nan=True)


@given(st.lists(st.integers(0, 65535), min_size=1))
def test_codes_stay_as_they_are(values: list[int]) -> None:
    assert through("code", values).tolist() == values


def test_parts_of_different_lengths_share_their_columns() -> None:
    columns = {"a": Column("code", ("rows", "fields")), "b": Column("exact", ("rows",))}
    parts = [
        Part({"name": "one"}, {"rows": 2, "fields": 3}, {"a": np.arange(6).reshape(2, 3), "b": np.array([0.1, 0.2])}),
        Part({"name": "none"}, {"rows": 0, "fields": 3}, {"a": np.zeros((0, 3)), "b": np.zeros(0)}),
        Part({"name": "two"}, {"rows": 1, "fields": 2}, {"a": np.array([[8, 9]]), "b": np.array([math.inf])}),
    ]
    found = unpack(packing.block(columns, parts))
    assert [part["name"] for part in found] == ["one", "none", "two"]
    for part, back in zip(parts, found, strict=True):
        for name, values in part.values.items():
            assert np.array_equal(back["values"][name], values)


def test_the_same_values_give_the_same_text() -> None:
    part = Part({"z": 1, "a": [None, "é"]}, {"n": 3}, {"x": np.array([0.5, np.nan, 0.25])})
    columns = {"x": Column("fraction", ("n",))}
    assert packing.block(columns, [part]) == packing.block(columns, [part])
    assert unpack(packing.block(columns, [part]))[0]["a"] == [None, "é"]


@pytest.mark.parametrize(("kind", "value", "words"), [("fraction", 1.1, "from 0 to 1"), ("code", 70_000, "65535")])
def test_what_has_no_room_is_refused(kind: str, value: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        through(kind, [0, value])


def test_an_array_of_another_shape_is_refused() -> None:
    part = Part({}, {"n": 3}, {"x": np.zeros(2)})
    with pytest.raises(ValueError, match=r"column x has shape \(2,\)"):
        packing.block({"x": Column("exact", ("n",))}, [part])
