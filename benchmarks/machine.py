"""What the figures were measured on."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "numpy", "scikit-learn", "lightning", "jax", "jaxlib")
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def describe() -> dict[str, Any]:
    """Processor, cores, caches, memory, system, versions and date; what the system does not tell is left out."""
    found: dict[str, Any] = {
        "processor": _from("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "caches": _caches(),
        "memory": _from("/proc/meminfo", "MemTotal"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
    return {name: value for name, value in found.items() if value}


def versions() -> dict[str, str]:
    """Installed versions of the libraries that are compared."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _from(path: str, key: str) -> str:
    """The value of the first line `key : value` of a file, empty if there is none."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def _caches() -> dict[str, str]:
    """Sizes of the first core's caches, e.g. {"L1 Data": "32K"}."""
    return {
        f"L{(folder / 'level').read_text().strip()} {(folder / 'type').read_text().strip()}": (folder / "size")
        .read_text()
        .strip()
        for folder in sorted(_CACHES.glob("index*"))
        if (folder / "size").exists()
    }
