"""What a module's source imports, read and never run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path


def find(root: Path, name: str) -> Path | None:
    """The source file below `root` of a dotted module name: a module's, or a package's `__init__.py`."""
    stem = root.joinpath(*name.split("."))
    candidates = (stem / "__init__.py", stem.with_name(f"{stem.name}.py"))
    return next((path for path in candidates if path.is_file()), None)


def imported(path: Path, name: str) -> Iterator[str]:
    """Absolute names that the source of module `name` imports anywhere, also inside functions, and their parents.

    `from a.b import c` gives a.b.c, a.b and a, for c may be a module; names that are none are for the caller to drop.
    """
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:  # one dot is the package itself, each further dot its parent
                above = package.split(".")[: package.count(".") + 2 - node.level]
                base = ".".join([*above, *([base] if base else [])])
            found = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        else:
            continue
        for item in filter(None, found):
            yield item
            yield from parents(item)


def parents(name: str) -> Iterator[str]:
    """The packages around a module, the innermost first: a.b and a of a.b.c."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name
