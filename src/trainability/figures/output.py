"""Figures to files, with bytes that depend on the drawing alone."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from trainability import manifests
from trainability.figures.canvas import Drawing


def write(out: Path, name: str, drawing: Drawing, words: Mapping[str, Any]) -> None:
    """Write `out`/NAME.svg, .pdf, .csv, .rst (the caption, for Snakemake's own report) and, last, .json."""
    drawn = svg(drawing.figure, name)
    drawing.figure.set_layout_engine("none")  # the layout stands: the PDF need not find it again
    escaped = re.sub(r"([\\`*_|])", r"\\\1", words["caption"])
    contents = {
        f"{name}.svg": drawn,
        f"{name}.pdf": _rendered(drawing.figure, "pdf", {"CreationDate": None}),
        f"{name}.csv": drawing.data.to_csv(index=False, lineterminator="\n").encode(),
        f"{name}.rst": f"{escaped}\n".encode(),
    }
    manifests.save_described(out / f"{name}.json", contents, words)


def svg(figure: Figure, name: str) -> bytes:
    """A figure as SVG whose identifiers all begin with its name, so that a page can hold many."""
    text = _rendered(figure, "svg", {"Date": None}).decode()
    text = re.sub(r'(\bid="|xlink:href="#|url\(#)', rf"\g<1>{name}-", text)
    return text.replace("*{", f"#{name}-sheet *{{", 1).encode()  # else its style would reach the whole page


def _rendered(figure: Figure, kind: str, metadata: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, metadata=metadata, facecolor="white")
    return buffer.getvalue()
