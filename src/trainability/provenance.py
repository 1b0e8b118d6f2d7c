"""Where a result comes from: which code, which software, which machine.

A module's code fingerprint covers the module and everything of this package that it imports, directly or not.
Snakemake gets it as a parameter of the rules, so that a change re-runs exactly what depends on it.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

from trainability import sources

PACKAGE = Path(__file__).parent
LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "pandas", "pyarrow", "matplotlib", "seaborn", "snakemake")


TRAINING = ("training", "record")  # the modules that a cell's record comes from


def code_fingerprint(*modules: str) -> str:
    """SHA-256, 16 digits, of the source of these modules of the package and of all they import from it."""
    digest = hashlib.sha256()
    for name in sorted(frozenset().union(*map(dependencies, modules))):
        digest.update(name.encode() + b"\0" + _path(name).read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@functools.cache
def dependencies(module: str) -> frozenset[str]:
    """The package's modules that `module` needs, itself among them, as names below `trainability`."""
    needed, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += _imports(name)
    return frozenset(needed)


@functools.cache
def version(library: str) -> str:
    """Installed version of a library, without importing it."""
    return importlib.metadata.version(library)


def software() -> dict[str, str]:
    """Versions of Python, of this package and of the libraries that results depend on."""
    from trainability import __version__

    versions = {"python": platform.python_version(), "trainability": __version__}
    return versions | {library: version(library) for library in LIBRARIES}


def hardware() -> dict[str, Any]:
    """The processor as far as it can change bits or times."""
    import torch

    return {
        "processor": _processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": os.cpu_count(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _path(name: str) -> Path:
    path = sources.find(PACKAGE, name)
    if path is None:
        raise ValueError(f"there is no module trainability.{name}")
    return path


def _imports(name: str) -> list[str]:
    """Modules of this package that a module's source imports, with their parents."""
    found = sources.imported(_path(name), f"trainability.{name}")
    inside = [item.removeprefix("trainability.") for item in found if item.startswith("trainability.")]
    return [item for item in inside if sources.find(PACKAGE, item)]
