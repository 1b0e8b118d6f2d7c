"""The works that the page cites: a list of references, and links to it from every text that names one of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from markupsafe import Markup, escape
from pydantic import TypeAdapter, ValidationError

from trainability.cell import Closed
from trainability.config import ConfigError, parsed


class Work(Closed):
    """One work; `cited` is how texts name it."""

    id: str
    authors: str
    year: int
    title: str
    published: str
    cited: list[str]

    @property
    def anchor(self) -> str:
        return f"reference-{self.id}"

    @property
    def text(self) -> str:
        return f"{self.authors} {self.year}. {self.title}. {self.published}."


def load(path: Path) -> tuple[Work, ...]:
    """The works of a file; raises ConfigError."""
    try:
        return tuple(TypeAdapter(list[Work]).validate_python(parsed(path)))
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError([f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}"]) from None


class Citations:
    """Turns text into markup in which `code` is code and the works that it names are links to the references."""

    def __init__(self, works: Iterable[Work]) -> None:
        self.anchors = {str(escape(name)): work.anchor for work in works for name in work.cited}
        names = sorted(self.anchors, key=len, reverse=True)  # the longest first, of two that begin alike
        self.pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)" if names else r"(?!)")

    def __call__(self, text: str) -> Markup:
        parts = re.split(r"`([^`]+)`", text)
        marked = [
            f"<code>{escape(part)}</code>" if index % 2 else self._linked(part) for index, part in enumerate(parts)
        ]
        return Markup("".join(marked))

    def _linked(self, text: str) -> str:
        return self.pattern.sub(lambda found: f'<a href="#{self.anchors[found[0]]}">{found[0]}</a>', str(escape(text)))
