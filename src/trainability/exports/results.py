"""A finished experiment as exporters read it: complete, or one message that names what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from trainability import files, manifests, plan, tables
from trainability.config import Config
from trainability.figures import FIGURES
from trainability.plan import Plan
from trainability.report import material
from trainability.report.material import Material

SHOWN = 5  # names in a message; there may be thousands


@dataclass(frozen=True)
class Results:
    """The folder of an experiment's results, with its configuration and plan."""

    folder: Path
    settings: Config
    plan: Plan

    @cached_property
    def material(self) -> Material:
        """What the report is written from."""
        return material.load(
            self.settings, self.plan, self.folder / "tables", self.folder / "cells", self.folder / "data", "snakemake"
        )

    def table(self, name: str) -> pd.DataFrame:
        """One of the tables that are kept as Parquet: runs, cells, curves, layers."""
        return tables.read(self.folder / "tables" / f"{name}.parquet")

    def figures(self) -> dict[str, dict[str, str]]:
        """Title, caption and alternative text of every figure; raises files.CorruptFileError if one is not drawn."""
        paths = {
            name: [self.folder / "figures" / f"{name}.{kind}" for kind in ("json", "svg", "pdf", "csv")]
            for name in FIGURES
        }
        missing = [str(path) for several in paths.values() for path in several if not path.is_file()]
        if missing:
            raise files.CorruptFileError(f"{_some(missing)} cannot be found. Run snakemake to draw the figures.")
        return {name: manifests.load_json(several[0]) for name, several in paths.items()}


def load(folder: Path) -> Results:
    """Read what `snakemake` left in `folder`; raises files.CorruptFileError if it has not finished there."""
    path = folder / "tables" / "config.json"
    if not path.is_file():
        raise files.CorruptFileError(
            f"{folder} holds no results: {path} is missing. Run snakemake first, or name another folder (--results)."
        )
    settings = plan.settings(path)
    found = Results(folder, settings, plan.make_plan(settings))
    planned = plan.included(found.plan)
    tabled = set(found.table("cells")["cell"])
    missing = [key for key in planned if key not in tabled]
    if missing:
        raise files.CorruptFileError(
            f"{folder}: {len(missing)} of {len(planned)} cells are not in its tables ({_some(missing)}). "
            "Run snakemake to finish the experiment."
        )
    return found


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
