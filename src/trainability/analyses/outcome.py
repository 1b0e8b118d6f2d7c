"""What an analysis leaves: its table, and beside it where that comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import torch

from trainability import devices, files, manifests, provenance
from trainability.analyses import Analysis


def compute(analysis: Analysis) -> pd.DataFrame:
    """An analysis' table, on one thread of the CPU and with the same bits every time, measured times aside."""
    with devices.reproducible(torch.device("cpu")):
        return pd.DataFrame(analysis.rows())


def write(analysis: Analysis, name: str, table: pd.DataFrame, folder: Path, times: dict[str, Any]) -> None:
    """Write `name`.csv, then `name`.json with its checksum, parameters, versions, machine and `times`."""
    content = table.to_csv(index=False, lineterminator="\n").encode()
    path = folder / f"{name}.csv"
    files.write_atomically(path, content)
    origin = {
        "analysis": name,
        "parameters": analysis.model_dump(mode="json"),
        "table": manifests.described(path.name, content) | {"rows": len(table)},
        "code": provenance.code_fingerprint("analyses"),
        "versions": provenance.software(),
        "hardware": provenance.hardware(),
        "threads": 1,
        "times": times,
    }
    manifests.save_json(folder / f"{name}.json", origin)
