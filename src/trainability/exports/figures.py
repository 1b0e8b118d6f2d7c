r"""Figures for a paper: PDF and SVG as they were drawn, each with a snippet to \input that has caption and label."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from trainability import files, manifests
from trainability.exports import Choice, latex
from trainability.exports.results import Results

SNIPPET = r"""%% Made by: trainability export figures. Needs the package graphicx.
\begin{figure}[tbp]
\centering
\includegraphics[width=\linewidth,height=0.8\textheight,keepaspectratio]{%(file)s}
\caption{%(title)s. %(caption)s}
\label{fig:%(name)s}
\end{figure}
"""


def export(results: Results, out: Path, choice: Choice) -> str:
    """Write `out`/NAME.pdf, .svg and .tex for each figure, and preview.tex, which inputs them all."""
    drawn = results.figures()
    for name, words in drawn.items():
        for kind in ("pdf", "svg"):
            manifest = results.folder / "figures" / f"{name}.json"
            files.write_atomically(out / f"{name}.{kind}", manifests.read_beside(manifest, f"{name}.{kind}"))
        files.write_atomically(out / f"{name}.tex", snippet(name, words).encode())
    files.write_atomically(out / "preview.tex", latex.preview(drawn).encode())
    return f"{len(drawn)} figures and preview.tex in {out}"


def snippet(name: str, words: Mapping[str, str]) -> str:
    """A figure's environment; names of ours need no escape in file names and labels."""
    title, caption = latex.marked(words["title"]), latex.marked(words["caption"])
    return SNIPPET % {"file": f"{name}.pdf", "name": name.replace("_", "-"), "title": title, "caption": caption}
