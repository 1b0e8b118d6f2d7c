"""What a page is made of: sections of blocks, each block plain data that the template knows how to draw.

To add something to the page, write a function that returns a Section and put it in `report.sections`. Text is
plain text and is escaped when it is drawn; only `code` between backticks has a meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from trainability.report.bibliography import Work


@dataclass(frozen=True)
class Prose:
    """Paragraphs."""

    kind: ClassVar[str] = "prose"
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Items:
    """Terms and what there is to say about each."""

    kind: ClassVar[str] = "items"
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Command:
    """What to type, and what it does."""

    text: str
    purpose: str


@dataclass(frozen=True)
class Commands:
    """Commands with a button that copies each."""

    kind: ClassVar[str] = "commands"
    commands: tuple[Command, ...]


@dataclass(frozen=True)
class Listing:
    """A text file, folded up, to read or to save under `filename`; `uri` holds its content as a data URI."""

    kind: ClassVar[str] = "listing"
    summary: str
    text: str
    filename: str
    uri: str


@dataclass(frozen=True)
class Shows:
    """What a figure or a table shows, by which it finds the statements that it bears on.

    `metrics` as statements name them, the `factors` that vary, the one it is `about`, if any, and the keys of `cells`.
    """

    metrics: tuple[str, ...] = ()
    factors: tuple[str, ...] = ()
    about: str = ""
    cells: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Figure:
    """A drawing with the table behind it; `data` repeats that table on the page where it is small."""

    kind: ClassVar[str] = "figure"
    name: str
    title: str
    alt: str
    caption: str
    svg: str  # data URI
    csv: str  # data URI
    width: int  # on the page at most, in CSS pixels
    height: int
    data: Table | None
    lies: str = ""  # where its files are, if there are any
    shows: Shows = Shows()
    label: str = ""  # with its number, from `links`, like the next
    bears: tuple[Entry, ...] = ()  # statements that it bears on

    @property
    def id(self) -> str:
        return f"figure-{self.name}"


@dataclass(frozen=True)
class Column:
    """A table's column; neighbours with the same `group` stand under one heading."""

    label: str
    numeric: bool = False
    group: str = ""
    long: bool = False  # sentences, which need room
    choices: tuple[str, ...] = ()  # offered above the table: rows stay whose field is, or has as a word, the choice


@dataclass(frozen=True)
class Entry:
    """One field of a table: what is read, what it is sorted by if that differs, and how it is to be seen."""

    text: str
    sort: float | str | None = None
    style: str = ""  # ok, diverged, stalled, edge, command, agrees, differs, or a verdict with hyphens
    link: str = ""  # to an id on the page
    note: str = ""  # said after it


@dataclass(frozen=True)
class Table:
    """Rows of entries; the first column heads its row."""

    kind: ClassVar[str] = "table"
    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]
    searchable: bool = False
    noun: str = "cell"  # what a row is
    notes: tuple[str, ...] = ()
    shows: Shows = Shows()
    label: str = ""  # with its number, from `links`, like the next
    bears: tuple[Entry, ...] = ()  # statements that it bears on

    @property
    def id(self) -> str:
        return self.name

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Headings over the columns with the number of columns under each; empty where no column has one."""
        runs: list[tuple[str, int]] = []
        for column in self.columns:
            if runs and runs[-1][0] == column.group:
                runs[-1] = (column.group, runs[-1][1] + 1)
            else:
                runs.append((column.group, 1))
        return runs if any(name for name, _ in runs) else []


@dataclass(frozen=True)
class Statement:
    """A statement with its verdict and what it rests on; `id` is what links point at."""

    id: str
    text: str
    verdict: Entry
    reason: str
    facts: tuple[tuple[str, str], ...]
    plot: Markup | None
    data: Table | None  # the numbers behind the plot
    seen: tuple[Entry, ...] = ()  # figures and tables that bear on it, from `links`


@dataclass(frozen=True)
class Group:
    """Statements, folded up under a title with their verdicts counted."""

    kind: ClassVar[str] = "group"
    id: str
    title: str
    counts: tuple[Entry, ...]
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Pointers:
    """A list of links with what leads to it."""

    kind: ClassVar[str] = "pointers"
    lead: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Works:
    """The list of references."""

    kind: ClassVar[str] = "works"
    works: tuple[Work, ...]


@dataclass(frozen=True)
class Explorer:
    """All cells and runs to be questioned: packed data, as `explorer.packing` writes it, and the library of charts."""

    kind: ClassVar[str] = "explorer"
    index: str
    cells: tuple[str, ...]
    library: str


Block = Prose | Items | Commands | Listing | Figure | Table | Group | Pointers | Works | Explorer


@dataclass(frozen=True)
class Section:
    """A heading with its blocks; `id` is what links point at. An appendix has a letter in place of a number."""

    id: str
    title: str
    blocks: Sequence[Block]
    appendix: bool = False
    number: str = ""  # from `links`
