"""Objects that a configuration names as `package.module:Object`: imported, and known by their source.

Modules are looked for among those installed and then in the working directory, which is the same for the command
line, Snakemake and its workers. Nothing but an import happens here: no text is ever run.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import re
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from trainability import sources

PATTERN = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"
INSTALLED = {"site-packages", "dist-packages"}

_first_read: dict[Path, bytes] = {}  # what each source file held when this process first looked


class ForeignError(Exception):
    """A named object cannot be used; the message says why, and where."""


def is_foreign(name: str) -> bool:
    """Whether a name means an object of a module and no entry of a registry."""
    return ":" in name


def load(name: str) -> Any:
    """The object that `package.module:Object` names; raises ForeignError if there is none."""
    if not re.match(PATTERN, name, re.ASCII):
        raise ForeignError("expected a module and a class in it, as in mylab.activations:Snake")
    module_name, _, attribute = name.partition(":")
    module = _module(module_name)
    if not hasattr(module, attribute):
        public = [key for key in vars(module) if not key.startswith("_")]
        near = difflib.get_close_matches(attribute, public, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ForeignError(f"module {module_name} ({_shown(str(module.__file__))}) has no {attribute}{hint}")
    return getattr(module, attribute)


def fingerprint(modules: Iterable[str]) -> str:
    """SHA-256, 16 digits, of the source of these imported modules and of what they import of their own.

    Their own are the modules of the same top-level package and, unless that is installed among others, the modules
    that lie beside it. Raises ForeignError for a module without a file, and if a file is not what it was when this
    process read it first: what is imported would no longer be what is on disk.
    """
    files: dict[str, Path] = {}
    for module in modules:
        files |= _own(module)
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        content = path.read_bytes()
        if _first_read.setdefault(path.resolve(), content) != content:
            raise ForeignError(f"{_shown(str(path))} was changed while it was in use; start again")
        digest.update(name.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()[:16]


def place(error: BaseException, module: str) -> str:
    """`, at mylab/activations.py:3`: the innermost line of the module's package that an error came through."""
    if isinstance(error, SyntaxError) and error.filename:
        return f", at {_shown(error.filename)}:{error.lineno}"
    package = module.partition(".")[0]
    lines = [
        f", at {_shown(frame.f_code.co_filename)}:{number}"
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__", "").partition(".")[0] == package
    ]
    return lines[-1] if lines else ""


def _module(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # at the end, so that no file of a working directory hides a library
    importlib.invalidate_caches()
    # A compiled file knows its source by size and whole seconds only: two versions could pass for one.
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{name}.".startswith(f"{missing}."):
            raise ForeignError(f"there is no module {missing}, neither installed nor in {here}") from None
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ForeignError(f"module {name} raised {reason}{place(error, name)}") from error
    finally:
        sys.dont_write_bytecode = written


def _own(module: str) -> dict[str, Path]:
    """The source file of a module, and of every module of its own that it imports, directly or not."""
    origin = getattr(sys.modules[module], "__file__", None)
    if origin is None:
        raise ForeignError(f"module {module} has no file that could be fingerprinted")
    path = Path(origin)
    depth = module.count(".") + (path.name == "__init__.py")
    root = path.parents[depth]
    package = module.partition(".")[0]
    shared = not INSTALLED.isdisjoint(root.parts)
    found, waiting = {module: path}, [module]
    while waiting:
        name = waiting.pop()
        for item in [*_imported(found[name], name), *sources.parents(name)]:
            top = item.partition(".")[0]
            beside = sources.find(root, item) if top == package or not shared else None
            if beside and item not in found and top != "trainability":
                found[item] = beside
                waiting.append(item)
    return found


def _imported(path: Path, name: str) -> list[str]:
    try:
        return list(sources.imported(path, name)) if path.suffix == ".py" else []
    except SyntaxError:  # of a module that nothing has imported yet
        return []


def _shown(file: str) -> str:
    """A path as short as it can be: from the working directory, where it lies below."""
    path = Path(file)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
