"""A finished small experiment, every kind of file in it, and what can happen to a file.

`KINDS` names each kind of file below results/ with the job that makes it, so that a test fails where a kind is new.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from project import Project

from trainability import config, files, tables
from trainability.operations import damage
from trainability.operations.cells import Cells

RAW, PLAIN = "raw", "standardize"
EXPERIMENT: dict[str, Any] = {
    "title": "A disturbed experiment",
    "base": {"depth": 2, "width": 8, "epochs": 1, "probe_examples": 64},
    "seeds": 2,
    "learning_rates": [0.1],
    "targets": [0.3],
    "studies": {
        "preprocessing": {
            "grid": {"preprocessing": [RAW, PLAIN], "activation": ["relu"], "normalization": ["none"]},
        }
    },
    "analyses": {"born_dead": {"name": "born_dead", "depths": [2], "widths": [2], "rounds": 1, "trials": 20}},
}


@dataclass(frozen=True)
class Kind:
    """A kind of file: where it lies below results/, and the rule that makes it; without one, nothing depends on it."""

    pattern: str
    rule: str = ""


KINDS: dict[str, Kind] = {
    "data set": Kind("data/*/splits.npz", "data"),
    "data set's manifest": Kind("data/*/dataset.json", "data"),
    "arrays": Kind("data/*/*/arrays.npz", "preprocess"),
    "map": Kind("data/*/*/map.npz", "preprocess"),
    "arrays' manifest": Kind("data/*/*/preprocessing.json", "preprocess"),
    "record": Kind("cells/*/record.json", "train"),
    "curves": Kind("cells/*/curves.parquet", "train"),
    "layers": Kind("cells/*/layers.parquet", "train"),
    "analysis": Kind("analyses/*.csv", "analyse"),
    "analysis' origin": Kind("analyses/*.json", "analyse"),
    "plan": Kind("tables/plan.csv", "plan"),
    "configuration": Kind("tables/config.json", "plan"),
    "plan's manifest": Kind("tables/plan.json", "plan"),
    "table of runs": Kind("tables/runs.parquet", "tables"),
    "table of cells": Kind("tables/cells.parquet", "tables"),
    "table of curves": Kind("tables/curves.parquet", "tables"),
    "table of layers": Kind("tables/layers.parquet", "tables"),
    "runs for people": Kind("tables/runs.csv", "tables"),
    "cells for people": Kind("tables/cells.csv", "tables"),
    "tables' manifest": Kind("tables/tables.json", "tables"),
    "verdicts": Kind("tables/claims.csv", "claims"),
    "evidence": Kind("tables/evidence.csv", "claims"),
    "verdicts' manifest": Kind("tables/claims.json", "claims"),
    "drawing": Kind("figures/*.svg", "figure"),
    "drawing for print": Kind("figures/*.pdf", "figure"),
    "data behind a drawing": Kind("figures/*.csv", "figure"),
    "caption": Kind("figures/*.rst", "figure"),
    "figure's manifest": Kind("figures/*.json", "figure"),
    "report": Kind("report.html", "report"),
    "report's manifest": Kind("report.json", "report"),
    "log": Kind("logs/**/*.log"),
    "time that a job took": Kind("benchmarks/**/*.jsonl"),
}
MADE = {name: kind for name, kind in KINDS.items() if kind.rule}

Change = Callable[[bytes], bytes]
TRUNCATIONS: dict[str, Change] = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "all but a byte": lambda content: content[:-1],
    "zeros": lambda content: bytes(len(content)),
}


def flipped(content: bytes, seed: int) -> bytes:
    """One bit is another; of several seeds one is in the first bytes and one in the last."""
    draw = random.Random(seed)
    place = {0: 0, 1: len(content) - 1}.get(seed, draw.randrange(len(content)))
    changed = bytearray(content)
    changed[place] ^= 1 << draw.randrange(8)
    return bytes(changed)


class Finished(Project):
    """The experiment, run to its end; `work` may be a copy that shares the code."""

    @property
    def results(self) -> Path:
        return self.work / "results"

    def one(self, kind: str) -> Path:
        """A file of a kind; of data and cells those of RAW."""
        found = sorted(self.results.glob(KINDS[kind].pattern))
        return next((path for path in found if f"/{RAW}/" in str(path) or f".{RAW}." in str(path)), found[0])

    def copied(self, folder: Path) -> Finished:
        """The same experiment in a folder of its own, with all times of its files."""
        other = copy.copy(self)
        other.work = Path(shutil.copytree(self.work, folder / "work", symlinks=True))
        return other

    def look(self) -> Cells:
        """What there is of it."""
        return Cells.look(config.load([self.code / "config.yaml", self.code / "experiments/smoke.yaml"]), self.results)

    def damages(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """What `status` says is damaged: problems by rule and name of the job."""
        return {(one.job.rule, one.job.name): tuple(one.problems) for one in damage.damages(self.look())}

    def stamps(self, pattern: str) -> dict[str, int]:
        """When the files were written, by their path below results/."""
        return {str(path.relative_to(self.results)): path.stat().st_mtime_ns for path in self.results.glob(pattern)}


@functools.cache
def finished(folder: Path) -> Finished:
    """The undisturbed experiment below a folder, run once for all modules; no test may leave a change in it."""
    home = folder / "undisturbed"
    home.mkdir()
    project = Finished(home)
    values = yaml.safe_load((project.code / "experiments/smoke.yaml").read_text())
    dropped = {part: dict.fromkeys(values[part]) for part in ("studies", "analyses")}
    values = EXPERIMENT | {part: dropped[part] | EXPERIMENT[part] for part in dropped}
    (project.code / "experiments/smoke.yaml").write_text(yaml.safe_dump(values))
    project.snakemake()
    return project


@contextlib.contextmanager
def changed(path: Path, change: Change) -> Iterator[None]:
    """A file with another content; afterwards it is as it was, with its time."""
    content, before = path.read_bytes(), path.stat()
    try:
        path.write_bytes(change(content))
        yield
    finally:
        path.write_bytes(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def outcome(results: Path) -> dict[str, object]:
    """All that an experiment found out, byte for byte, but for what measures time: how long training took.

    These figures are in records and in the table of cells, and by them in the manifests and on the page.
    """
    found: dict[str, object] = {}
    for kind in MADE.values():
        for path in results.glob(kind.pattern):
            name = str(path.relative_to(results))
            if path.name == "record.json":
                found[name] = json.loads(path.read_bytes())["digest"]
            elif path.stem == "cells":
                read = pd.read_csv if path.suffix == ".csv" else pd.read_parquet
                found[name] = read(path).drop(columns=list(tables.SECONDS)).to_csv()
            elif path.stem in ("report", "tables") or (path.parent.name == "analyses" and path.suffix == ".json"):
                found[name] = path.exists()
            else:
                found[name] = files.checksum(path.read_bytes())
    return found
