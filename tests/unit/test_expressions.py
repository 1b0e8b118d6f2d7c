"""Expressions over factors: what they mean, and that nothing else can be said in them."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainability.expressions import Expression, ExpressionError

NAMES = ["activation", "depth", "bias"]
VALUES: dict[str, Any] = {"activation": "relu", "depth": 5, "bias": 0.0}


@pytest.mark.parametrize(
    "text",
    [
        "activation == 'relu'",
        "activation in ['relu', 'tanh'] and depth > 3",
        "not (activation != 'relu' or bias < 0)",
        "1 < depth <= 5",
        "activation not in ('tanh',)",
        "bias > -1",
        "depth == 5.0",
        "activation != None",
    ],
)
def test_holds(text: str) -> None:
    assert Expression(text, NAMES)(VALUES)
    assert not Expression(f"not ({text})", NAMES)(VALUES)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "not an expression"),
        ("depth", "expected a comparison"),
        ("depth = 5", "not an expression"),
        ("activaton == 'relu'", "did you mean 'activation'"),
        ("depth == __import__('os')", "not allowed"),
        ("depth.real == 5", "not allowed"),
        ("depth + 1 == 6", "not allowed"),
        ("[x for x in depth] == 1", "not allowed"),
        ("depth == 5 if depth else 3", "expected a comparison"),
        ("(lambda: 1) == 1", "not allowed"),
        ("depth is 5", "not allowed"),
        ("depth == b'x'", "not allowed"),
        ("f'{depth}' == '5'", "not allowed"),
        ("depth == 5 and " * 500 + "depth == 5", "longer than"),
        ("(" * 300 + "depth == 5" + ")" * 300, "not an expression"),
        ("depth == '\x00'", "not an expression"),
    ],
)
def test_anything_else_is_refused(text: str, part: str) -> None:
    with pytest.raises(ExpressionError, match=part):
        Expression(text, NAMES)


def test_ordering_text_and_numbers_is_an_error() -> None:
    with pytest.raises(ExpressionError, match="cannot be evaluated"):
        Expression("activation > 3", NAMES)(VALUES)


@given(st.text(max_size=60))
def test_any_text_parses_or_is_refused_clearly(text: str) -> None:
    try:
        expression = Expression(text, NAMES)
    except ExpressionError:
        return
    with contextlib.suppress(ExpressionError):
        assert expression(VALUES) in (True, False)
