"""What the map is drawn from: every cell of the plan with its factors, its status and its figures, as one block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trainability.cell import FACTORS
from trainability.explorer import metrics, packing
from trainability.explorer.packing import Column, Part
from trainability.report.material import Material
from trainability.report.wording import plain

STATUSES = ("ok", "diverged", "stalled", "not trained", "left out")
NAMING = ("activation", "init", "normalization")  # a cell's name always has these

COLUMNS = {
    "factors": Column("code", ("factors", "cells")),
    "status": Column("code", ("cells",)),
    "metrics": Column("exact", ("metrics", "cells")),
}


def shown(material: Material) -> dict[str, metrics.Metric]:
    """The metrics that the map offers, by column of the table of cells."""
    targets = material.settings.targets
    return metrics.with_intervals(targets) | metrics.expected(targets) | metrics.PLAIN


def block(material: Material, group: int, shared: Mapping[str, Any]) -> str:
    """The index; the cells' own blocks hold `group` trained cells each, in the same order.

    `shared` is what holds for the pages of all cells: the titles of their columns.
    """
    plan, offered, factors = material.plan, shown(material), varied(material)
    rows = {key: row for row, key in enumerate(material.cells["cell"])}
    values = {name: _values(material, name) for name in factors}
    studies = [name for name, study in material.settings.studies.items() if study is not None]
    codes = [[values[name].index(entry.cell.labels[name]) for entry in plan.values()] for name in factors]
    figures = np.full((len(offered), len(plan)), np.nan)
    of_plan = [index for index, key in enumerate(plan) if key in rows]
    for line, name in enumerate(offered):
        figures[line, of_plan] = material.cells[name].to_numpy(float)[[rows[key] for key in plan if key in rows]]
    facts = {
        "keys": list(plan),
        "factors": {name: [plain(value) for value in values[name]] for name in factors},
        "base": {name: plain(_base(material, name)) for name in factors},
        "naming": [name for name in NAMING if name in factors],
        "studies": studies,
        "asked": [[studies.index(name) for name in entry.studies] for entry in plan.values()],
        "reasons": {index: entry.reason for index, entry in enumerate(plan.values()) if not entry.included},
        "metrics": {name: [metric.title, metric.style] for name, metric in offered.items()},
        "statuses": STATUSES,
        "group": group,
        **shared,
        "start": start(material, factors),
    }
    statuses = dict(zip(material.cells["cell"], material.cells["status"], strict=True))
    status = [STATUSES.index(_status(key, entry.included, statuses)) for key, entry in plan.items()]
    lengths = {"factors": len(factors), "cells": len(plan), "metrics": len(offered)}
    part = Part(facts, lengths, {"factors": np.array(codes), "status": np.array(status), "metrics": figures})
    return packing.block(COLUMNS, [part])


def varied(material: Material) -> list[str]:
    """The factors that take more than one value in the plan; where none does, the activation."""
    labels = [entry.cell.labels for entry in material.plan.values()]
    return [name for name in FACTORS if len({label[name] for label in labels}) > 1] or ["activation"]


def start(material: Material, factors: list[str]) -> dict[str, Any]:
    """The view that the page opens with: the two axes with most values of the first study, all else at the base.

    `filters` holds the base's value of every factor, for as long as it is no axis; a factor of which no cell has that
    value is left open.
    """
    study = next(study for study in material.settings.studies.values() if study is not None)
    axes = [name for name in factors if getattr(study.grid, name) is not None]
    axes = sorted(axes, key=lambda name: -len(getattr(study.grid, name)))[:2]
    axes += [name for name in factors if name not in axes][: 2 - len(axes)]
    known = [name for name in factors if _base(material, name) in _values(material, name)]
    filters = {name: [plain(_base(material, name))] for name in known}
    return {"rows": axes[0], "columns": axes[1] if len(axes) > 1 else "", "filters": filters}


def _status(key: str, included: bool, statuses: Mapping[str, str]) -> str:
    if not included:
        return "left out"
    return statuses.get(key, "not trained")


def _base(material: Material, factor: str) -> Any:
    value = getattr(material.settings.base, factor)
    return getattr(value, "label", value)


def _values(material: Material, factor: str) -> list[Any]:
    """A factor's values in the order of the plan, numbers by size."""
    found = list(dict.fromkeys(entry.cell.labels[factor] for entry in material.plan.values()))
    return sorted(found) if all(isinstance(value, int | float) for value in found) else found
