"""The explorer as a block of the report: what is packed into the page, and the sources that draw it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from trainability import tables
from trainability.explorer import SCRIPTS, STYLE, cells, index, library
from trainability.report.blocks import Explorer
from trainability.report.material import Material


def block(material: Material, folder: Path, logs: Path) -> Explorer:
    """The explorer of an experiment whose tables of curves and layers are in `folder`.

    Raises files.CorruptFileError if one of them is missing.
    """
    curves, layers = (tables.read(folder / f"{name}.parquet") for name in ("curves", "layers"))
    shared = {"titles": cells.titles(material, layers)}
    return Explorer(
        index.block(material, cells.GROUP, shared),
        tuple(cells.blocks(material, curves, layers, logs)),
        library.packed(),
    )


def script(sources: Mapping[str, str]) -> Markup:
    """The explorer's parts as one script with a scope of its own."""
    parts = "\n".join(sources[name] for name in SCRIPTS)
    return Markup(f'"use strict";\n(() => {{\n{parts}\n}})();')


def style(sources: Mapping[str, str]) -> Markup:
    """The explorer's style."""
    return Markup(sources[STYLE])
