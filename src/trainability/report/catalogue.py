"""All cells of the plan: those that were trained, with their figures, and those that were left out, with the reason."""

from __future__ import annotations

import shlex

from trainability.cell import FACTORS
from trainability.report.blocks import Column, Entry, Table
from trainability.report.comparisons import chosen_rate, estimated, fate, records
from trainability.report.material import Material
from trainability.report.wording import count, estimate_of, goal, seconds, steps


def trained(material: Material) -> Table:
    """A row per trained cell with the command that trains it again."""
    target = material.target
    factors = material.varied or ["activation"]
    rows = []
    for row in records(material.cells):
        success = estimate_of(row, f"success_{target:g}").value
        rows.append(
            (
                *(Entry(str(row[name]), row[name]) for name in factors),
                Entry(row["studies"]),
                fate(row),
                chosen_rate(row),
                estimated(row, "test_accuracy"),
                Entry(f"{round(success * row['seeds'])} of {row['seeds']}", success),
                estimated(row, f"median_steps_to_{target:g}", steps),
                estimated(row, "dead_fraction"),
                Entry(seconds(row["train_seconds"]), row["train_seconds"]),
                Entry(material.records[row["cell"]]["digest"][:12]),
                Entry(rerun(row["cell"]), row["cell"], "command"),
            )
        )
    return Table(
        "table-cells",
        f"All {count(len(rows), 'trained cell')}, each at its chosen learning rate. The first words of a row name what varies "
        "between cells.",
        (
            *(Column(name, _is_numeric(material, name), filtered=True) for name in factors),
            Column("studies", filtered=True),
            Column("seeds", filtered=True),
            Column("learning rate", True),
            Column("test accuracy", True),
            Column(f"reached {goal(target)}", True),
            Column("median steps", True),
            Column("dead units", True),
            Column("training, s", True),
            Column("digest"),
            Column("train it again"),
        ),
        tuple(rows),
        searchable=True,
        notes=(
            "The digest is the beginning of the checksum of all results of the cell: trained again on the same machine and "
            "software, it comes out the same.",
        ),
    )


def excluded(material: Material) -> Table:
    """A row per cell that was left out, with the reason."""
    entries = [entry for entry in material.plan.values() if not entry.included]
    labels = [entry.cell.labels for entry in entries]
    everything = [entry.cell.labels for entry in material.plan.values()]
    factors = [name for name in FACTORS if len({label[name] for label in everything}) > 1] or ["activation"]
    return Table(
        "table-excluded",
        f"Left out on purpose: {count(len(entries), 'cell')}.",
        (*(Column(name) for name in factors), Column("reason")),
        tuple(
            (*(Entry(str(label[name]), label[name]) for name in factors), Entry(entry.reason))
            for entry, label in zip(entries, labels, strict=True)
        ),
    )


def rerun(key: str) -> str:
    """The command that trains one cell again."""
    return f"snakemake -f {shlex.quote(f'results/cells/{key}/record.json')}"


def _is_numeric(material: Material, factor: str) -> bool:
    return all(isinstance(cell.labels[factor], int | float) for cell in material.trained.values())
