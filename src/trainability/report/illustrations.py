"""Figures from their files into the page: each as an image with the table behind it, both as data URIs.

An image from a data URI runs no script and shares no identifier and no style with the page.
"""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

from trainability import files, manifests
from trainability.figures import Figure as Listed
from trainability.report.blocks import Column, Entry, Figure, Shows, Table
from trainability.report.wording import count

MOST_ROWS = 200  # of a table that the page repeats; longer ones are a download only
ENLARGED = 1.3  # figures are drawn for a printed column; on a screen their text may be larger
NOTHING = Shows()  # that a statement could rest on
PIXELS = {"": 1.0, "px": 1.0, "pt": 96 / 72, "in": 96.0, "mm": 96 / 25.4, "cm": 96 / 2.54}


def load(folder: Path, entries: Mapping[str, Listed]) -> dict[str, Figure]:
    """The figures by name; raises files.CorruptFileError naming every file that is missing."""
    paths = [folder / f"{name}.{kind}" for name in entries for kind in ("json", "svg", "csv")]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise files.CorruptFileError(
            f"{count(len(missing), 'file')} of figures cannot be found; run snakemake to draw them:\n  "
            + "\n  ".join(missing)
        )
    return {name: _figure(folder, name, entry) for name, entry in entries.items()}


def data_uri(content: bytes, kind: str) -> str:
    """A file's content as an address that needs no network."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _figure(folder: Path, name: str, entry: Listed) -> Figure:
    manifest = folder / f"{name}.json"
    words = manifests.load_json(manifest)
    svg, table = (manifests.read_beside(manifest, f"{name}.{kind}") for kind in ("svg", "csv"))
    shows = Shows(entry.metrics, entry.factors, entry.about, _cells(table.decode()))
    return figure(name, words, svg, table, f"{(folder / name).as_posix()}.svg, .pdf, .csv", shows)


def figure(
    name: str, words: Mapping[str, str], svg: bytes, table: bytes, lies: str = "", shows: Shows = NOTHING
) -> Figure:
    """A figure from its title, alternative text and caption, its drawing and its table; `lies` is where its files are.

    Raises files.CorruptFileError for an SVG without a size.
    """
    width, height = (round(ENLARGED * side) for side in _size(svg.decode()))
    return Figure(
        name,
        words["title"],
        words["alt"],
        words["caption"],
        data_uri(svg, "image/svg+xml"),
        data_uri(table, "text/csv"),
        width,
        height,
        _data(name, table.decode()),
        lies,
        shows,
    )


def _cells(table: str) -> frozenset[str]:
    """The keys of the cells in the table behind a figure, if it has any."""
    return frozenset(row["cell"] for row in csv.DictReader(io.StringIO(table)) if "cell" in row)


def _size(svg: str) -> tuple[int, int]:
    """Width and height of an SVG in CSS pixels."""
    head = svg[svg.index("<svg") :].split(">", 1)[0]
    sides = [re.search(rf'\b{side}="([0-9.]+)([a-z]*)"', head) for side in ("width", "height")]
    width, height = (round(float(m[1]) * PIXELS[m[2]]) if m and m[2] in PIXELS else 0 for m in sides)
    if not width or not height:
        raise files.CorruptFileError("a figure's SVG states no width and height in absolute units")
    return width, height


def _data(name: str, text: str) -> Table | None:
    head, *rows = csv.reader(io.StringIO(text)) or [[]]
    if not head or not 0 < len(rows) <= MOST_ROWS:
        return None
    numeric = [all(_is_number(row[i]) for row in rows) for i in range(len(head))]
    return Table(
        f"data-{name}",
        "The numbers behind the figure.",
        tuple(Column(label, numeric[i]) for i, label in enumerate(head)),
        tuple(
            tuple(Entry(_short(field), field) if numeric[i] else Entry(field) for i, field in enumerate(row))
            for row in rows
        ),
    )


def _is_number(text: str) -> bool:
    try:
        float(text or "nan")
    except ValueError:
        return False
    return True


def _short(text: str) -> str:
    """At most four significant digits of a number that has more; the file has them all."""
    short = f"{float(text or 'nan'):.4g}"
    return text if len(text) <= len(short) else short
