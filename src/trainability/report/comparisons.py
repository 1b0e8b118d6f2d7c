"""The tables of the page that compare cells: the three main comparisons, initialisations, rates, inputs and cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from trainability.report.blocks import Column, Entry, Table
from trainability.report.material import Material
from trainability.report.wording import (
    NONE,
    PERCENT,
    estimate_of,
    figure,
    goal,
    percent,
    points,
    seconds,
    steps,
    with_interval,
)

Row = Mapping[Any, Any]
EDGE = {"low": "lowest", "high": "highest"}
BRACKETS = "Brackets: 95 % interval over seeds; without brackets all seeds agree."
SETTING = "Every activation with every normalization at the base setting"


def convergence(material: Material) -> Table:
    """Success, median steps and expected running time for each target."""
    columns = [*_names(), *_three_per_target(material)]
    rows = []
    for row in records(material.around_base("activation", "normalization")):
        entries = _named(row)
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
        f"Convergence speed. {SETTING}: seeds that reach a validation accuracy, steps they need, and expected "
        "running time (all steps spent, divided by the successes).",
        tuple(columns),
        tuple(rows),
        notes=(
            "Brackets after counts: 95 % Wilson interval of the share of seeds. Brackets after steps: 95 % interval of "
            "the median over seeds. `never`: half of the seeds or more did not reach the target.",
        ),
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
        f"Dead units. {SETTING}: shares of hidden units, averaged over layers and seeds.",
        (*_names(), *(Column(label, numeric=True) for label in columns)),
        tuple(
            (*_named(row), *(estimated(row, name) for name in columns.values()))
            for row in records(material.around_base("activation", "normalization"))
        ),
        notes=(BRACKETS, f"{NONE}: a seed has no figure, because it diverged."),
    )


def accuracy(material: Material) -> Table:
    """Accuracies at the last step, and the learning rate they were reached with."""
    return Table(
        "table-accuracy",
        f"Final accuracy. {SETTING}: mean accuracy after the last step, at the learning rate chosen on validation data.",
        (
            *_names(),
            Column("test", True, "accuracy"),
            Column("validation", True, "accuracy"),
            Column("training", True, "accuracy"),
            Column("learning rate", True),
            Column("seeds"),
        ),
        tuple(
            (
                *_named(row),
                *(estimated(row, f"{split}_accuracy") for split in ("test", "validation", "train")),
                chosen_rate(row),
                fate(row),
            )
            for row in records(material.around_base("activation", "normalization"))
        ),
        notes=(BRACKETS, "Training accuracy is measured on the probe set, with the batch statistics of training."),
    )


def spreads(material: Material) -> pd.DataFrame:
    """How far apart initialisations lie in mean test accuracy, with and without batch normalization.

    A row per activation with at least two initialisations that were trained both ways, everything else at the base
    setting: activation, inits, and worst, best and spread for `none` and `batchnorm`.
    """
    cells = material.around_base("activation", "init", "normalization")
    rows = []
    for activation, group in cells.groupby("activation", sort=False):
        both = group.pivot(index="init", columns="normalization", values="test_accuracy")
        both = both.reindex(columns=["none", "batchnorm"]).dropna()
        if len(both) > 1:
            row: dict[str, Any] = {"activation": activation, "inits": len(both)}
            for name in both.columns:
                row |= {f"worst_{name}": both[name].min(), f"best_{name}": both[name].max()}
                row[f"spread_{name}"] = both[name].max() - both[name].min()
            rows.append(row)
    return pd.DataFrame(rows)


def spread_table(found: pd.DataFrame) -> Table:
    """`spreads` for the page."""
    groups = {"none": "without normalization", "batchnorm": "with batch normalization"}
    return Table(
        "table-spread",
        "How much the initialisation matters. Mean test accuracy with the worst and with the best initialisation, over "
        "those that were trained with and without batch normalization.",
        (
            Column("activation"),
            Column("initialisations", True),
            *(Column(part, True, group) for group in groups.values() for part in ("worst", "best", "apart")),
        ),
        tuple(
            (
                Entry(row["activation"]),
                Entry(str(row["inits"]), row["inits"]),
                *(
                    Entry(write(row[f"{part}_{name}"]), row[f"{part}_{name}"])
                    for name in groups
                    for part, write in (("worst", percent), ("best", percent), ("spread", points))
                ),
            )
            for row in records(found)
        ),
    )


def rates(material: Material) -> Table:
    """Per learning rate: how many cells chose it, and how the runs at it ended."""
    rows = []
    for rate, runs in material.runs.groupby("learning_rate"):
        chosen = int((material.cells["learning_rate"] == rate).sum())
        entries = [Entry(f"{rate:g}", rate), Entry(str(chosen), chosen), Entry(f"{len(runs):,}", len(runs))]
        for status in ("ok", "diverged", "stalled"):
            share = float((runs["status"] == status).mean())
            entries.append(Entry(percent(share), share))
        rows.append(tuple(entries))
    labels = ("learning rate", "cells that chose it", "runs", "ok", "diverged", "stalled")
    return Table(
        "table-rates",
        "Learning rates. How many cells chose each on validation data, and how all runs at it ended.",
        tuple(Column(label, True, "share of runs" if index > 2 else "") for index, label in enumerate(labels)),
        tuple(rows),
    )


def inputs(material: Material) -> Table:
    """What each preprocessing did to the training images."""
    rows = []
    for (dataset, label), manifest in material.preprocessings.items():
        found = manifest["statistics"]
        numbers = {
            "features": (float(found["output_features"]), steps),
            "kept": (found["kept_variance"], percent),
            "mean": (found["mean"], figure),
            "std": (found["std"], figure),
            "condition": (found["after"]["condition_number"], figure),
        }
        entries = [Entry(label), Entry(dataset)]
        for value, write in numbers.values():
            entries.append(Entry(NONE) if value is None else Entry(write(value), value))
        rows.append(tuple(entries))
    labels = ("features", "variance kept", "mean", "standard deviation", "condition number")
    return Table(
        "table-inputs",
        "What preprocessing did to the training images. The condition number is the ratio of the largest to the "
        "smallest eigenvalue of the covariance, directions without variance left out.",
        (Column("preprocessing"), Column("data set"), *(Column(label, True) for label in labels)),
        tuple(rows),
    )


def cost(material: Material) -> Table:
    """Parameters, operations and time."""
    rows = []
    for row in records(material.around_base("activation", "normalization", "sizing")):
        per_run = 1000 * row["train_seconds"] / (row["all_runs"] * row["epochs"])
        numbers = [row["units"], row["parameters"], row["flops_per_example"]]
        rows.append(
            (
                *_named(row),
                Entry(row["sizing"]),
                *(Entry(f"{number:,}", float(number)) for number in numbers),
                Entry(seconds(row["train_seconds"]), row["train_seconds"]),
                Entry(seconds(per_run), per_run),
            )
        )
    return Table(
        "table-cost",
        "Cost. Parameters, floating-point operations of the matrix products in one forward pass, and time to train all "
        "runs of the cell as one stack.",
        (
            *_names(),
            Column("equal in"),
            Column("units a layer", True),
            Column("parameters", True),
            Column("FLOPs an example", True),
            Column("a cell, s", True, "time"),
            Column("a run and epoch, ms", True, "time"),
        ),
        tuple(rows),
        notes=("Times are no benchmark: other cells trained on the same machine at the same time.",),
    )


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


def _names() -> list[Column]:
    return [Column("activation"), Column("normalization")]


def _named(row: Row) -> list[Entry]:
    return [Entry(row["activation"]), Entry(row["normalization"])]


def _three_per_target(material: Material) -> list[Column]:
    parts = ("reached by", "median steps", "expected running time")
    return [
        Column(part, True, f"{goal(target)} validation accuracy")
        for target in material.settings.targets
        for part in parts
    ]

