"""What the workflow costs around the training: `python -m benchmarks.pipeline`, a table of seconds and memory.

A dry run of 10,080 cells, a `snakemake` with nothing to do, and the collection of 2,000 cells into tables. Records
are copies of one trained cell under the names of others, so that their files have the size of real ones.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from trainability import config, datasets, files, plan, preprocessing, record, tables, training
from trainability.cell import Cell

ROOT = Path(__file__).parents[1]
DEFAULT = ("activation_by_init", "preprocessing", "bias", "normalization", "maxout")
GRID: dict[str, list[Any]] = {
    "activation": ["sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "maxout"],
    "init": [
        "zeros", "ones", "small_normal", "lecun_uniform", "lecun_normal", "xavier_uniform", "xavier_normal",
        "kaiming_uniform", "kaiming_normal", "torch_default",
    ],
    "normalization": ["none", "batchnorm"],
    "width": [8, 16, 32, 64, 128, 256, 512, 1024],
    "depth": [1, 2, 3, 5, 8, 10, 20, 30, 40],
}  # fmt: skip


def main() -> int:
    """Time each part once."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description=main.__doc__)
    parser.add_argument("--collected", type=int, default=2000, help="cells that are collected into tables")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pipeline-") as name:
        folder = Path(name)
        overlay = folder / "large.yaml"
        overlay.write_text(yaml.safe_dump(_large()))
        words = ["--configfile", str(overlay), "--directory", str(folder)]
        print(f"dry run of {_cells():,} cells: {_snakemake('-n', '--quiet', 'all', *words):.1f} s", flush=True)
        _snakemake("--quiet", "all", "--directory", str(folder), "--configfile", str(ROOT / "experiments/smoke.yaml"))
        again = _snakemake("--directory", str(folder), "--configfile", str(ROOT / "experiments/smoke.yaml"))
        print(f"snakemake with nothing to do: {again:.1f} s", flush=True)
        planned = _records(folder / "many", arguments.collected)
        clock = time.perf_counter()
        found = tables.collect(planned, folder / "many", (0.8, 0.9, 0.95))
        tables.write(found, folder / "tables")
        seconds = time.perf_counter() - clock
        print(f"collecting {len(planned):,} cells of {len(found['runs']) // len(planned)} runs: {seconds:.1f} s")
    return 0


def _large() -> dict[str, Any]:
    study = {"question": "How long does a plan take?", "grid": GRID}
    return {"title": "Ten thousand cells", "studies": dict.fromkeys(DEFAULT) | {"large": study}}


def _cells() -> int:
    count = 1
    for values in GRID.values():
        count *= len(values)
    return count


def _snakemake(*words: str) -> float:
    clock = time.perf_counter()
    subprocess.run([sys.executable, "-m", "snakemake", *words], cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - clock


def _records(folder: Path, count: int) -> plan.Plan:
    """A plan of `count` cells with a record each."""
    settings = config.read(yaml.safe_load((ROOT / "config.yaml").read_text()) | _large())
    every = plan.make_plan(settings)
    planned = dict(list(every.items())[:count])
    cell = Cell.model_validate(next(iter(planned.values())).cell.model_dump() | {"depth": 5, "width": 16, "epochs": 20})
    data = folder.parent / "data"
    datasets.prepare(cell.dataset, data, None, data)
    preprocessing.prepare(cell.preprocessing, data, data / "prepared")
    manifest, arrays = preprocessing.load(data / "prepared")
    outcome = training.train(cell, arrays, manifest["classes"])
    made = folder.parent / "one"
    content = record.write(made, cell, outcome, manifest, {"started": "", "ended": ""}, 1.0)
    for key, entry in planned.items():
        shutil.copytree(made, folder / key)
        own = {"cell": key, "parameters": json.loads(entry.cell.canonical)}
        files.save_json(folder / key / "record.json", content | own)
    return planned


if __name__ == "__main__":
    sys.exit(main())
