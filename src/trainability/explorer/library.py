"""The library that draws the page's charts: Vega-Lite with Vega and vega-embed, taken from the package vl-convert.

The page holds it once, compressed, and runs it when the first chart is drawn. The page's security policy names it by
its hash, so that nothing else can take its place.
"""

from __future__ import annotations

import base64
import functools
import zlib

import vl_convert


@functools.cache
def script() -> str:
    """The library's source as one script, which defines `vega`, `vegaLite` and `vegaEmbed`."""
    return vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub asks for an argument that is optional


@functools.cache
def packed() -> str:
    """The script, compressed by zlib and written in base64."""
    return base64.b64encode(zlib.compress(script().encode(), 9)).decode()
