"""What was planned: the studies, the cells that were trained, and those left out with the reason."""

from __future__ import annotations

import shlex

from trainability.cell import FACTORS
from trainability.report.blocks import Column, Entry, Table
from trainability.report.comparisons import chosen_rate, estimated, fate, records
from trainability.report.material import Material
from trainability.report.wording import count, estimate_of, goal, listing, plain, seconds, steps


def studies(material: Material) -> Table:
    """The questions of the configuration with the number of cells that answer each."""
    rows = []
    for name, study in material.settings.studies.items():
        if study is None:
            continue
        of_study = [entry for entry in material.plan.values() if name in entry.studies]
        without = [entry for entry in material.plan.values() if name in entry.excluded_by]
        rows.append(
            (
                Entry(name),
                Entry(study.question),
                Entry(listing(plain(name) for name in FACTORS if getattr(study.grid, name) is not None)),
                Entry(str(len(of_study)), len(of_study)),
                Entry(str(len(without)), len(without)),
            )
        )
    return Table(
        "table-studies",
        "The studies. Each crosses all values of its factors, but for the combinations it leaves out; a cell that "
        "several studies need is trained once.",
        (
            Column("study"),
            Column("question", long=True),
            Column("varies"),
            Column("cells", True),
            Column("left out", True),
        ),
        tuple(rows),
    )


def trained(material: Material) -> Table:
    """A row per trained cell with the command that trains it again."""
    target = material.target
    factors = material.varied or ["activation"]
    rows = []
    for row in records(material.cells):
        success = estimate_of(row, f"success_{target:g}").value
        rows.append(
            (
                *(Entry(plain(row[name]), row[name]) for name in factors),
                estimated(row, "test_accuracy"),
                fate(row),
                chosen_rate(row),
                Entry(f"{round(success * row['seeds'])} of {row['seeds']}", success),
                estimated(row, f"median_steps_to_{target:g}", steps),
                estimated(row, "dead_fraction"),
                Entry(seconds(row["train_seconds"]), row["train_seconds"]),
                Entry(rerun(material, row["cell"]), row["cell"], "command"),
                Entry(material.records[row["cell"]]["digest"][:12]),
                *([_agreement(material, row["cell"])] if material.verified else []),
                Entry(row["studies"]),
            )
        )
    return Table(
        "table-cells",
        f"All {count(len(rows), 'trained cell')}, each at its chosen learning rate.",
        (
            *(Column(name, _is_numeric(material, name), choices=_choices(material, name)) for name in factors),
            Column("test accuracy", True),
            Column("seeds", choices=("ok", "diverged", "stalled")),
            Column("learning rate", True),
            Column(f"reached {goal(target)}", True),
            Column("median steps", True),
            Column("dead units", True),
            Column("training, s", True),
            Column("train it again"),
            Column("digest"),
            *([Column("trained again", choices=("agrees", "differs", "not yet"))] if material.verified else []),
            Column("studies", choices=tuple(name for name, study in material.settings.studies.items() if study)),
        ),
        tuple(rows),
        searchable=True,
        notes=(
            "The digest is the beginning of the checksum of all results of the cell: trained again on the same "
            "machine and software, it comes out the same.",
            *(
                (
                    "Trained again, by `trainability verify`: it agrees if all figures of all its runs came out with "
                    "the same bits.",
                )
                if material.verified
                else ()
            ),
        ),
    )


def excluded(material: Material) -> Table:
    """A row per cell that was left out, with the reason."""
    entries = [entry for entry in material.plan.values() if not entry.included]
    labels = [entry.cell.labels for entry in entries]
    base = material.settings.base
    usual = {name: getattr(getattr(base, name), "label", getattr(base, name)) for name in FACTORS}
    factors = [name for name in FACTORS if {label[name] for label in labels} - {usual[name]}] or ["activation"]
    return Table(
        "table-excluded",
        f"Left out on purpose: {count(len(entries), 'cell')}. Factors that are not shown have their base values.",
        (*(Column(name) for name in factors), Column("reason", long=True)),
        tuple(
            (*(Entry(plain(label[name]), label[name]) for name in factors), Entry(entry.reason))
            for entry, label in zip(entries, labels, strict=True)
        ),
    )


def rerun(material: Material, key: str) -> str:
    """The command that trains one cell again."""
    return f"{material.snakemake} -f {shlex.quote(f'results/cells/{key}/record.json')}"


def _agreement(material: Material, key: str) -> Entry:
    """Whether training a cell again gave the same bits."""
    note = material.verified.get(key)
    if note is None:
        return Entry("not yet", 0)
    return (
        Entry("agrees", 2, "agrees")
        if note.equal
        else Entry(f"differs in {count(note.differing, 'run')}", 1, "differs")
    )


def _choices(material: Material, factor: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(plain(cell.labels[factor]) for cell in material.trained.values()))


def _is_numeric(material: Material, factor: str) -> bool:
    return all(isinstance(cell.labels[factor], int | float) for cell in material.trained.values())
