"""Waiting for a page whose policy forbids what Playwright's own waiting for expressions needs."""

from __future__ import annotations

import time
from typing import Any

PATIENCE = 60.0  # seconds


def until(page: Any, expression: str, arg: Any = None) -> None:
    """Waits until an expression of the page, or a function of `arg`, is true."""
    end = time.monotonic() + PATIENCE
    while not page.evaluate(expression, arg):
        assert time.monotonic() < end, f"never true: {expression}"
        page.wait_for_timeout(20)
