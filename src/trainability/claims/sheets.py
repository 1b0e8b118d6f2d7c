"""Sheets: tables in one shape for all statements, with a row per unit (a seed, a round) and setting."""

from __future__ import annotations

import io
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trainability import files, manifests
from trainability.claims.evidence import RATE
from trainability.claims.statements import Claim
from trainability.config import Config
from trainability.expressions import Expression
from trainability.tables import largest_rates, steps_column

Setting = tuple[tuple[str, Any], ...]  # (factor, value) pairs


@dataclass(frozen=True)
class Sheet:
    """Rows with the columns `factors`, a column `unit` that pairs them, and measured columns."""

    frame: pd.DataFrame
    unit: str
    factors: tuple[str, ...]

    def where(self, text: str) -> Sheet:
        """The rows that satisfy an expression over the factors; all of them for an empty one."""
        if not text:
            return self
        expression = Expression(text, self.factors)
        rows = self.frame[list(self.factors)].drop_duplicates()
        kept = rows[[expression(row) for row in rows.to_dict("records")]]
        return replace(self, frame=self.frame.merge(kept, on=list(self.factors)))

    def settings(self, free: Sequence[str]) -> dict[Setting, pd.DataFrame]:
        """Rows by the values of all factors but `free`, in the order of their appearance."""
        held = [factor for factor in self.factors if factor not in free]
        if not held:
            return {(): self.frame} if len(self.frame) else {}
        groups = self.frame.groupby(held, sort=False, dropna=False)
        return {tuple(zip(held, key, strict=True)): rows for key, rows in groups}


def analysed(settings: Config, folder: Path, unfinished: Container[str] = ()) -> dict[str, pd.DataFrame]:
    """The tables of an experiment's analyses, by name, but for the unfinished; raises files.CorruptFileError."""
    found = {}
    for name, analysis in settings.analyses.items():
        if analysis is not None and name not in unfinished:
            path = folder / f"{name}.csv"
            content = manifests.read_beside(folder / f"{name}.json", path.name)
            with files.reading(path):
                found[name] = pd.read_csv(io.BytesIO(content))
    return found


class Tables:
    """The tables of an experiment, as sheets."""

    def __init__(
        self, settings: Config, runs: pd.DataFrame, cells: pd.DataFrame, analyses: Mapping[str, pd.DataFrame]
    ) -> None:
        self.settings, self.analyses = settings, analyses
        targets = sorted(settings.targets)
        self.runs = _derived(runs, cells, targets[len(targets) // 2])

    def sheet(self, claim: Claim, rate: float | None = None) -> Sheet:
        """The rows that a claim speaks of: at chosen rates, at one fixed rate, or at every rate where it needs them."""
        if claim.analysis:
            return Sheet(self.analyses[claim.analysis], claim.unit, claim.factors)
        runs = self.runs[[claim.study in studies.split() for studies in self.runs["studies"]]]
        if claim.evidence.every_rate:
            tuned = runs[runs["selected"]].set_index(["cell", "seed"])[claim.metric].rename(f"tuned_{claim.metric}")
            return Sheet(runs.join(tuned, on=["cell", "seed"]), "seed", claim.factors)
        if rate is not None:  # nobody chose it, so that it lies on no edge
            return Sheet(runs[runs[RATE] == rate].assign(rate_edge=""), "seed", claim.factors)
        return Sheet(runs[runs["selected"]], "seed", claim.factors)


def _derived(runs: pd.DataFrame, cells: pd.DataFrame, target: float) -> pd.DataFrame:
    """The table of runs with the metrics that statements speak of."""
    learned = largest_rates(runs)
    runs = runs.merge(cells[["cell", "rate_edge", "steps"]].rename(columns={"steps": "budget"}), on="cell")
    runs = runs.join(learned, on=["cell", "seed"])
    mean, deviation = (runs[name].astype(float) for name in ("activation_mean", "activation_std"))
    size = np.hypot(mean, deviation)
    return runs.assign(
        steps=runs[steps_column(target)],
        learns=(runs["status"] == "ok").astype(float),
        off_centre=(mean.abs() / size.where(size > 0, 1.0)),
    )


def misses_at_budget(sheet: Sheet) -> Sheet:
    """The other way to count a run that never reached its target: as if it had at the end of its budget."""
    steps = np.minimum(sheet.frame["steps"].astype(float), sheet.frame["budget"].astype(float))
    return replace(sheet, frame=sheet.frame.assign(steps=steps))
