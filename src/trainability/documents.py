"""Files that people write, as YAML or JSON: read whole, within bounds, and without a surprise.

A key is text and stands once. Aliases and merge keys are admitted, but what they stand for is counted before anything
is built, so that ten lines cannot unfold into gigabytes. A tag can name a type of YAML's own and no Python object.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

import yaml

LARGEST = 500_000  # bytes; the statements of the textbook take 40 kB
DEEPEST = 50  # lists and mappings in each other
MOST = 100_000  # keys, values and items, those behind aliases counted each time
TABS = re.compile(r"^ *\t", re.MULTILINE)

Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is the same, and ten times faster


class DocumentError(Exception):
    """A file is not what can be read; the message says what is wrong, without the file's name."""


def read(path: Path) -> Any:
    """What a YAML file holds, or a JSON file (whose 1e-05 would be text in YAML); raises DocumentError."""
    language = "JSON" if path.suffix == ".json" else "YAML"
    try:
        content = _bytes(path)
        text = content.decode("utf-8-sig")  # as some editors write it, with a mark in front
        return _from_json(text) if language == "JSON" else _from_yaml(text)
    except yaml.scanner.ScannerError as error:
        hint = "; indent with spaces, not with tabs" if TABS.search(text) else ""
        raise DocumentError(f"not {language}: {_reason(error)}{hint}") from None
    except DocumentError:
        raise
    except Exception as error:  # PyYAML raises almost anything where a tag and its value do not fit
        raise DocumentError(f"not {language}: {_reason(error)}") from None


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)  # no more, since it may be a device without an end
    except (OSError, ValueError) as error:  # a ValueError if a NUL is in the path
        raise DocumentError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if len(content) > LARGEST:
        raise DocumentError(f"larger than {LARGEST} bytes, the most that such a file can have")
    return content


def _reason(error: Exception) -> str:
    words = str(error) if isinstance(error, (yaml.YAMLError, ValueError)) else f"a value does not fit its tag ({error})"
    return " ".join(words.split())


def _from_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise DocumentError(_too_deep()) from None


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise DocumentError(f"the key {key!r} stands twice in one mapping: keep one of them")
        found[key] = value
    return found


def _from_yaml(text: str) -> Any:
    _bounded(yaml.parse(text, Loader=Loader))
    return yaml.load(text, Loader=_Closed)


def _bounded(events: Iterable[yaml.Event]) -> None:
    """Raise unless a document, with all aliases followed, is small and flat enough."""
    sizes: dict[str, int] = {}  # of what each finished anchor stands for
    open_: list[tuple[str | None, int]] = []  # anchors of the collections around, and what came before each
    total = 0
    for event in events:
        total += isinstance(event, yaml.NodeEvent)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in (anchor for anchor, _ in open_):
                raise DocumentError(f"*{event.anchor} stands within itself{_line(event)}")
            total += sizes.get(str(event.anchor), 0)
        elif isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, total))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_.pop()
            if anchor is not None:
                sizes[anchor] = total - before + 1
        if len(open_) > DEEPEST:
            raise DocumentError(f"{_too_deep()}{_line(event)}")
        if total > MOST:
            raise DocumentError(f"more than {MOST} keys, values and items, with aliases followed{_line(event)}")


def _too_deep() -> str:
    return f"lists and mappings stand more than {DEEPEST} deep in each other"


class _Closed(Loader):  # type: ignore[misc]  # its base is chosen at run time
    """YAML's own types, and mappings whose keys are text and stand once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """A mapping; what a merge key brings may be overruled by a key of the mapping's own."""
        seen = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            name = self.construct_object(key, deep=True)
            if not isinstance(name, str):
                raise DocumentError(
                    f"the key {_written(key)} is no text but {_kind(name)}{_line(key)}: put it in quotes"
                )
            if name in seen:
                raise DocumentError(f"the key {name!r} stands twice in one mapping{_line(key)}: keep one of them")
            seen.add(name)
        return super().construct_mapping(node, deep)


def _written(key: yaml.Node) -> str:
    return str(key.value) if isinstance(key, yaml.ScalarNode) else "of several parts"


def _kind(value: object) -> str:
    """What YAML took something for."""
    return {bool: "true or false", int: "a number", float: "a number", type(None): "nothing"}.get(
        type(value), f"a {type(value).__name__}"
    )


def _line(part: Any) -> str:
    return f" (line {part.start_mark.line + 1})" if part.start_mark else ""
