"""Studies to cells: what is trained, what is left out and why."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainability import config as configuration
from trainability import files, manifests
from trainability.cell import FACTORS, MOST_RUNS, Cell, Factors
from trainability.config import Config, ConfigError, Study
from trainability.expressions import Expression, ExpressionError

LARGEST_PLAN = 100_000
MANIFEST = "plan.json"


@dataclass
class Planned:
    """A cell, the studies that ask for it, and the studies that exclude it with their reasons."""

    cell: Cell
    studies: list[str] = field(default_factory=list)
    excluded_by: dict[str, str] = field(default_factory=dict)

    @property
    def included(self) -> bool:
        return bool(self.studies)

    @property
    def reason(self) -> str:
        return "; ".join(f"{study}: {reason}" for study, reason in self.excluded_by.items())


Plan = dict[str, Planned]


def make_plan(config: Config) -> Plan:
    """The union of the studies' cells by key, each once, in the order of the studies."""
    plan: Plan = {}
    problems: list[str] = []
    studies = {name: study for name, study in config.studies.items() if study is not None}
    size = sum(_size(study) for study in studies.values())
    if size > LARGEST_PLAN:
        raise ConfigError([f"studies: they span {size} cells together, at most {LARGEST_PLAN} are allowed"])
    runs = len(config.seeds) * len(config.learning_rates)
    if runs > MOST_RUNS:
        raise ConfigError([f"seeds, learning_rates: {runs} runs in each cell, at most {MOST_RUNS} are allowed"])
    for name, study in studies.items():
        exclusions = [(Expression(item.when, FACTORS), item.reason) for item in study.exclude]
        for factors in _cross(config.base, study):
            cell = _cell(factors, config)
            problems += [f"studies.{name}: {problem}" for problem in _impossible(cell)]
            entry = plan.setdefault(cell.key, Planned(cell))
            try:
                reasons = [reason for applies, reason in exclusions if applies(cell.labels)]
            except ExpressionError as error:
                raise ConfigError([f"studies.{name}.exclude: {error}"]) from None
            if reasons:
                entry.excluded_by[name] = "; ".join(reasons)
            elif name not in entry.studies:
                entry.studies.append(name)
    if not problems and not any(entry.included for entry in plan.values()):
        problems.append("studies: every cell is excluded, nothing is left to train")
    if problems:
        raise ConfigError(dict.fromkeys(problems))
    return plan


class UnknownCellError(Exception):
    """A key that is no cell of the plan."""


def named(cells: Mapping[str, Cell], key: str) -> Cell:
    """The cell of a key; raises UnknownCellError, which says where the keys are."""
    if key not in cells:
        raise UnknownCellError(f"{key} is no cell of this experiment; `trainability cells` lists them")
    return cells[key]


def included(plan: Plan) -> dict[str, Cell]:
    """The cells that are trained, by key."""
    return {key: entry.cell for key, entry in plan.items() if entry.included}


def select(plan: Plan, text: str) -> Plan:
    """The entries whose factors satisfy an expression; raises ExpressionError."""
    expression = Expression(text, FACTORS)
    return {key: entry for key, entry in plan.items() if expression(entry.cell.labels)}


def to_csv(plan: Plan) -> str:
    """The plan as a table: a row per cell, trained or excluded."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["cell", "included", "studies", "reason", *FACTORS, "seeds", "learning_rates"])
    for key, entry in plan.items():
        cell = entry.cell
        seeds, rates = " ".join(map(str, cell.seeds)), " ".join(map(repr, cell.learning_rates))
        studies = " ".join(entry.studies)
        writer.writerow([key, entry.included, studies, entry.reason, *cell.labels.values(), seeds, rates])
    return stream.getvalue()


def _cross(base: Factors, study: Study) -> Iterator[Factors]:
    axes = {name: getattr(study.grid, name) for name in FACTORS if getattr(study.grid, name) is not None}
    fixed = {name: getattr(study.overrides, name) for name in FACTORS if getattr(study.overrides, name) is not None}
    for values in itertools.product(*axes.values()):
        yield base.model_copy(update={**fixed, **dict(zip(axes, values, strict=True))})


def _cell(factors: Factors, config: Config) -> Cell:
    values: Mapping[str, Any] = {name: getattr(factors, name) for name in FACTORS}
    if factors.activation.plain:  # all sizings mean the same: trained once
        values = {**values, "sizing": "width"}
    return Cell(**values, seeds=config.seeds, learning_rates=config.learning_rates)


def _size(study: Study) -> int:
    size = 1
    for name in FACTORS:
        size *= len(getattr(study.grid, name) or [None])
    return size


def _impossible(cell: Cell) -> Iterator[str]:
    """What no network can do, found before any job starts."""
    if cell.batch_size > cell.dataset.train_size:
        yield (
            f"batch_size {cell.batch_size} is larger than the {cell.dataset.train_size} training examples "
            f"of {cell.dataset.label}"
        )
    if problem := cell.preprocessing.impossible(cell.dataset.feature_count):
        yield f"preprocessing {problem} ({cell.dataset.label})"
    if cell.normalization.of_batch and cell.batch_size < 2:
        yield f"normalization {cell.normalization.label} needs a batch_size of at least 2"
    divisor = cell.normalization.divisor
    if cell.width % divisor:
        needs = f"needs a width that is a multiple of {divisor}, not {cell.width}"
        yield f"normalization {cell.normalization.label} {needs}"
    yield from _misshapen(cell)


def _misshapen(cell: Cell) -> Iterator[str]:
    architecture, augmentation = cell.architecture, cell.augmentation
    if not augmentation.identity and not cell.preprocessing.keeps_image:
        yield f"augmentation {augmentation.label} needs images, and {cell.preprocessing.label} leaves none"
    if problem := augmentation.impossible(cell.dataset.image_shape):
        yield f"augmentation {problem} ({cell.dataset.label})"
    if architecture.needs_image and len(cell.dataset.image_shape) < 2:
        yield f"architecture {architecture.label} needs images, and {cell.dataset.label} has none"
    elif architecture.needs_image and not cell.preprocessing.keeps_image:
        yield f"architecture {architecture.label} needs images, and {cell.preprocessing.label} leaves none"
    elif problem := architecture.problem(cell.image, cell.depth):
        yield f"architecture {architecture.label}: {problem}"


def write(plan: Plan, config: Config, table: Path, settings: Path, log: Path) -> None:
    """Write the plan as CSV and the configuration, with all defaults, as JSON, and plan.json, which describes both.

    They are in one folder; the log says how large the plan is.
    """
    contents = {table.name: to_csv(plan).encode(), settings.name: manifests.to_json(config.model_dump(mode="json"))}
    manifests.save_described(settings.with_name(MANIFEST), contents)
    trained = included(plan)
    runs = sum(len(cell.runs) for cell in trained.values())
    summary = f"{len(trained)} cells, {runs} runs, {len(plan) - len(trained)} cells excluded\n"
    files.write_atomically(log, summary.encode())


def settings(path: Path, change: Callable[[Any], Any] = lambda values: values) -> Config:
    """Read the configuration that `write` wrote, after checking it; `change` is done to it before it is understood.

    Raises files.CorruptFileError or ConfigError.
    """
    return configuration.read(change(json.loads(manifests.read_beside(path.with_name(MANIFEST), path.name))))
