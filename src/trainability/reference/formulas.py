"""Formulas as inline SVG: outlines that need no font, take the colour of the text around them and grow with it."""

from __future__ import annotations

import re

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath

EM = 100.0  # units of the drawing in the height of a letter's box
LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z"}


def svg(formula: str) -> Markup:
    r"""A LaTeX formula, with itself as its alternative text; it may break into lines at each \quad.

    All parts are as high as the highest, so that they share a baseline. Raises ValueError if matplotlib cannot
    read it.
    """
    large = formula.replace(r"\frac", r"\dfrac")  # there is room for fractions in full size
    outlines = [_outline(part) for part in re.split(r"\s*\\q?quad\s+", large)]
    # Without the padding the smoothing of the outermost edges is cut off.
    boxes = [outline.get_extents().padded(EM / 50) for outline in outlines]
    top, bottom = max(box.y1 for box in boxes), min(box.y0 for box in boxes)
    height = top - bottom
    parts = [
        Markup(
            '<svg viewBox="{:.1f} {:.1f} {:.1f} {:.1f}" width="{:.3f}em" height="{:.3f}em"><path d="{}"/></svg>'
        ).format(box.x0, -top, box.width, height, box.width / EM, height / EM, _data(outline))
        for box, outline in zip(boxes, outlines, strict=True)
    ]
    return Markup('<p class="formula" role="img" aria-label="{}">{}</p>').format(formula, Markup("\n").join(parts))


def _outline(formula: str) -> Path:
    with matplotlib.rc_context({"mathtext.fontset": "stix"}):
        return TextPath((0, 0), f"${formula}$", size=EM, prop=FontProperties(family="STIXGeneral"))


def _data(outline: Path) -> str:
    """An outline in SVG's path language, whose y points down."""
    return "".join(
        LETTERS[Path.code_type(code)] + ("" if code == Path.CLOSEPOLY else _points(points))
        for points, code in outline.iter_segments(curves=True, simplify=False)
    )


def _points(flat: np.ndarray) -> str:
    return " ".join(f"{x:.1f},{-y:.1f}" for x, y in flat.reshape(-1, 2))
