"""Two experiments side by side: what changed between two folders of results, as one HTML file.

Data flows one way: `sides` reads, `matching` pairs cells, `moves`, `rankings` and `verdicts` compare, `page` arranges.
The page is drawn from the blocks, the template, the style and the script of the report.
"""

from __future__ import annotations

from pathlib import Path

from trainability import files, report
from trainability.comparison import page, sides
from trainability.comparison.page import Comparison
from trainability.report import links

SOURCES = Path(__file__).parents[3] / "report"


def render(a: Path, b: Path, out: Path, sources: Path = SOURCES) -> Comparison:
    """Write the page to `out` and return what was found; its bytes depend on the two folders and their names alone.

    Raises files.CorruptFileError if a folder does not hold the results of a finished experiment of this version.
    """
    found = page.compare(sides.load("A", a), sides.load("B", b))
    texts = {name: report.read_source(sources / name) for name in report.SOURCES}
    text = report.compose(page.title(found), [page.abstract(found)], links.numbered(page.sections(found)), texts)
    files.write_atomically(out, text.encode())
    return found
