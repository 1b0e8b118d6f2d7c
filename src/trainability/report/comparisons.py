"""The tables of the main comparisons: every activation with every normalization at the base setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from trainability.report.blocks import Column, Entry, Shows, Table
from trainability.report.material import Material
from trainability.report.wording import (
    NONE,
    PERCENT,
    count,
    decimal,
    estimate_of,
    figure,
    goal,
    percent,
    steps,
    with_interval,
)

Row = Mapping[Any, Any]
EDGE = {"low": "lowest", "high": "highest"}
BRACKETS = "Brackets: 95 % interval over seeds, left out where it has no width."


def convergence(material: Material) -> Table:
    """Success, median steps and expected running time for each target."""
    columns = [*names(), *_three_per_target(material)]
    rows = []
    for row in records(material.around_base("activation", "normalization")):
        entries = named(row)
        for target in material.settings.targets:
            success = estimate_of(row, f"success_{target:g}")
            reached = f"{round(success.value * row['seeds'])} of {row['seeds']}"
            bounds = f"[{percent(success.low).removesuffix(PERCENT)}, {percent(success.high)}]"
            expected = float(row[f"expected_steps_to_{target:g}"])
            entries += [
                Entry(f"{reached} {bounds}", success.value),
                estimated(row, f"median_steps_to_{target:g}", steps),
                Entry(steps(round(expected)) if expected < float("inf") else steps(expected), expected),
            ]
        rows.append(tuple(entries))
    return Table(
        "table-convergence",
        f"Convergence speed. {setting(material)}: seeds that reach a validation accuracy, steps they need, and "
        "expected running time (all steps spent, divided by the successes).",
        tuple(columns),
        tuple(rows),
        notes=(
            "Brackets after counts: 95 % Wilson interval of the share of seeds. Brackets after steps: 95 % interval "
            "of the median over seeds. `never`: half of the seeds or more did not reach the target.",
        ),
        shows=shows(material, "steps"),
    )


def dead_units(material: Material) -> Table:
    """Dead, revived and saturated units."""
    columns = {
        "born dead": "born_dead_fraction",
        "dead at the end": "dead_fraction",
        "revived": "revived_fraction",
        "saturated at the end": "saturated_fraction",
    }
    return Table(
        "table-dead",
        f"Dead units. {setting(material)}: shares of hidden units, averaged over layers and seeds.",
        (*names(), *(Column(label, numeric=True) for label in columns)),
        tuple(
            (*named(row), *(estimated(row, name) for name in columns.values()))
            for row in records(material.around_base("activation", "normalization"))
        ),
        notes=(BRACKETS, f"{NONE}: a seed has no figure, because it diverged."),
        shows=shows(material, "dead_fraction", "born_dead_fraction", "saturated_fraction"),
    )


def accuracy(material: Material) -> Table:
    """Accuracies at the last step, and the learning rate they were reached with."""
    return Table(
        "table-accuracy",
        f"Final accuracy. {setting(material)}: mean accuracy after the last step, at the learning rate chosen on "
        "validation data.",
        (
            *names(),
            Column("test", True, "accuracy"),
            Column("validation", True, "accuracy"),
            Column("training", True, "accuracy"),
            Column("learning rate", True),
            Column("seeds"),
        ),
        tuple(
            (
                *named(row),
                *(estimated(row, f"{split}_accuracy") for split in ("test", "validation", "train")),
                chosen_rate(row),
                fate(row),
            )
            for row in records(material.around_base("activation", "normalization"))
        ),
        notes=(
            BRACKETS,
            "Training accuracy is measured on the probe set, with the batch statistics of training.",
        ),
        shows=shows(material, "test_accuracy", "train_accuracy"),
    )


def layers(material: Material) -> Table:
    """Signals inside the layers, before and after training."""
    columns = (
        Column("at the start", True, "gradient, first / last layer"),
        Column("at the end", True, "gradient, first / last layer"),
        Column("mean activation", True),
        Column("same sign, per image", True),
        Column("same sign, per batch", True),
        Column("update / weight", True),
        Column("cosine of updates", True),
        Column("distinct units", True),
    )
    shown: tuple[str, ...] = ("gradient_ratio", "final_gradient_ratio", "activation_mean", "sign_agreement")
    shown += ("sign_agreement_batch", "update_ratio", "update_cosine", "distinct_units")
    shares, decimals = ("sign_agreement", "sign_agreement_batch"), ("activation_mean", "update_cosine")
    writers = dict.fromkeys(shares, percent) | dict.fromkeys(decimals, decimal)
    return Table(
        "table-layers",
        f"Inside the layers. {setting(material)}: means over hidden layers and seeds, after the last step unless said "
        "otherwise.",
        (*names(), *columns),
        tuple(
            (*named(row), *(estimated(row, name, writers.get(name, figure)) for name in shown))
            for row in records(material.around_base("activation", "normalization"))
        ),
        notes=(
            f"{BRACKETS} Ratios are geometric means.",
            "Gradient: norm of the gradient at the first hidden layer over that at the last; far below 1 it "
            "vanishes. Same sign: share of a unit's incoming weights whose gradients have the majority's sign, 100 % "
            "where all inputs of the layer are positive. Update / weight: norm of a step over the norm of the "
            "weights. Cosine of updates: between a step and the one before, the mean over the probes of the training; "
            "below zero steps undo each other. Distinct units: 1 where the symmetry between units was never broken.",
        ),
        shows=shows(
            material,
            "gradient_ratio",
            "final_gradient_ratio",
            "off_centre",
            "sign_agreement",
            "sign_agreement_batch",
            "update_ratio",
            "update_cosine",
            "distinct_units",
        ),
    )


def setting(material: Material) -> str:
    """What the tables of this module compare, with n."""
    n = count(len(material.settings.seeds), "seed")
    return f"Every activation with every normalization at the base setting, n = {n}"


def shows(material: Material, *metrics: str) -> Shows:
    """What a table of these metrics shows, of every activation with every normalization."""
    factors = ("activation", "normalization")
    return Shows(metrics, factors, cells=frozenset(material.around_base(*factors)["cell"]))


def records(table: pd.DataFrame) -> list[dict[Any, Any]]:
    """Rows as mappings with plain Python values."""
    return table.to_dict("records")


def estimated(row: Row, name: str, write: Any = percent) -> Entry:
    """An estimate with its interval."""
    estimate = estimate_of(row, name)
    return Entry(with_interval(estimate, write), estimate.value)


def chosen_rate(row: Row) -> Entry:
    """The selected learning rate, and whether it is at the edge of the grid."""
    edge = EDGE.get(row["rate_edge"], "")
    text = f"{row['learning_rate']:g}" + (f" ({edge})" if edge else "")
    return Entry(text, row["learning_rate"], "edge" if edge else "")


def fate(row: Row) -> Entry:
    """How the seeds ended at the selected rate: `ok`, or what happened to how many."""
    failures = {status: row[status] for status in ("diverged", "stalled") if row[status]}
    if not failures:
        return Entry("ok", "ok", "ok")
    text = ", ".join(f"{number} of {row['seeds']} {status}" for status, number in failures.items())
    return Entry(text, text, row["status"])


def names() -> list[Column]:
    return [Column("activation"), Column("normalization")]


def named(row: Row) -> list[Entry]:
    return [Entry(row["activation"]), Entry(row["normalization"])]


def _three_per_target(material: Material) -> list[Column]:
    parts = ("reached by", "median steps", "expected running time")
    return [
        Column(part, True, f"{goal(target)} validation accuracy")
        for target in material.settings.targets
        for part in parts
    ]
