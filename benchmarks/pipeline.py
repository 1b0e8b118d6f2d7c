"""What the workflow costs around the training, against the number of cells: `python -m benchmarks.pipeline`.

Dry runs of up to 10,080 cells, a `snakemake` with nothing to do, and collecting up to 2,000 cells into tables. Records
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

import pandas as pd
import yaml
from matplotlib.figure import Figure

from trainability import config, datasets, manifests, plan, prepared, record, tables, training
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


PLANNED = ((2, 2), (4, 5), (8, 9))  # how many of the widths and depths: 560, 2,800 and 10,080 cells
COLLECTED = (250, 1000, 2000)
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Time each part once, and draw time against the number of cells."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for pipeline.csv, .svg and .png")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="pipeline-") as name:
        folder = Path(name)
        for widths, depths in PLANNED:
            overlay = folder / "large.yaml"
            overlay.write_text(yaml.safe_dump(_large(widths, depths)))
            seconds = _snakemake("-n", "--quiet", "all", "--directory", name, "--configfile", str(overlay))
            rows.append({"what": "dry run", "cells": 140 * widths * depths, "seconds": seconds})
        smoke = ["--directory", name, "--configfile", str(ROOT / "experiments/smoke.yaml")]
        _snakemake("--quiet", "all", *smoke)
        rows.append({"what": "nothing to do", "cells": 8, "seconds": _snakemake(*smoke)})
        every = _records(folder / "many", max(COLLECTED))
        for count in COLLECTED:
            planned = dict(list(every.items())[:count])
            clock = time.perf_counter()
            found = tables.collect(planned, folder / "many", (0.8, 0.9, 0.95))
            tables.write(found, folder / "tables")
            rows.append({"what": "collecting", "cells": count, "seconds": time.perf_counter() - clock})
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format="{:.1f}".format))
    arguments.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(arguments.out / "pipeline.csv", index=False, lineterminator="\n")
    _draw(table, arguments.out)
    return 0


def _draw(table: pd.DataFrame, out: Path) -> None:
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for marker, what in (("o", "dry run"), ("s", "collecting")):
        some = table[table["what"] == what]
        axes.loglog(some["cells"], some["seconds"], marker=marker, label=what)
    axes.set(xlabel="cells", ylabel="seconds", title="The workflow around the training")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(out / "pipeline.svg")
    figure.savefig(out / "pipeline.png", dpi=150)


def _large(widths: int, depths: int) -> dict[str, Any]:
    grid = GRID | {"width": GRID["width"][:widths], "depth": GRID["depth"][:depths]}
    study = {"question": "How long does a plan take?", "grid": grid}
    return {"title": "Many cells", "studies": dict.fromkeys(DEFAULT) | {"large": study}}


def _snakemake(*words: str) -> float:
    clock = time.perf_counter()
    subprocess.run([sys.executable, "-m", "snakemake", *words], cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - clock


def _records(folder: Path, count: int) -> plan.Plan:
    """A plan of `count` cells with a record each."""
    settings = config.read(yaml.safe_load((ROOT / "config.yaml").read_text()) | _large(*PLANNED[-1]))
    every = plan.make_plan(settings)
    planned = dict(list(every.items())[:count])
    cell = Cell.model_validate(next(iter(planned.values())).cell.model_dump() | {"depth": 5, "width": 16, "epochs": 20})
    data = folder.parent / "data"
    datasets.prepare(cell.dataset, data, None, data)
    prepared.prepare(cell.preprocessing, data, data / "prepared")
    manifest, arrays = prepared.load(data / "prepared")
    outcome = training.train(cell, arrays, manifest["classes"])
    made = folder.parent / "one"
    content = record.write(made, cell, outcome, manifest, {"started": "", "ended": ""}, 1.0)
    for key, entry in planned.items():
        shutil.copytree(made, folder / key)
        own = {"cell": key, "parameters": json.loads(entry.cell.canonical)}
        manifests.save_json(folder / key / "record.json", content | own)
    return planned


if __name__ == "__main__":
    sys.exit(main())
