"""The tables about one factor at a time, initialisation, learning rate and preprocessing, and about cost."""

from __future__ import annotations

from typing import Any

import pandas as pd

from trainability.report.blocks import Column, Entry, Shows, Table
from trainability.report.comparisons import named, names, records
from trainability.report.material import Material
from trainability.report.wording import NONE, decimal, figure, percent, points, seconds, steps


def spreads(material: Material) -> pd.DataFrame:
    """How far apart initialisations lie in mean test accuracy, with and without batch normalization.

    A row per activation with at least two random initialisations that were trained both ways, all else at the base
    setting: activation, inits, keys of the cells, and worst, best and spread for `none` and `batchnorm`. Constant
    weights are left out: they keep the units of a layer equal, which no normalization changes, and would set every
    worst case.
    """
    cells = material.around_base("activation", "init", "normalization")
    cells = cells[~cells["init"].isin(["zeros", "ones"])]
    rows = []
    for activation, group in cells.groupby("activation", sort=False):
        both = group.pivot(index="init", columns="normalization", values="test_accuracy")
        both = both.reindex(columns=["none", "batchnorm"]).dropna()
        if len(both) > 1:
            used = group[group["init"].isin(both.index) & group["normalization"].isin(both.columns)]
            row: dict[str, Any] = {"activation": activation, "inits": len(both), "cells": list(used["cell"])}
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
        "How much the initialisation matters. Mean test accuracy with the worst and with the best random "
        "initialisation (constant weights are left out), over those trained with and without batch normalization.",
        (
            Column("activation"),
            Column("initialisations", True),
            *(Column(part, True, group) for group in groups.values() for part in ("worst", "best", "apart")),
        ),
        tuple(
            (
                Entry(str(row["activation"])),
                Entry(str(row["inits"]), row["inits"]),
                *(
                    Entry(write(row[f"{part}_{name}"]), row[f"{part}_{name}"])
                    for name in groups
                    for part, write in (("worst", percent), ("best", percent), ("spread", points))
                ),
            )
            for row in records(found)
        ),
        shows=Shows(
            ("test_accuracy",),
            ("activation", "init", "normalization"),
            "init",
            frozenset(cell for cells in found["cells"] for cell in cells),
        ),
    )


def rates(material: Material) -> Table:
    """Per learning rate: how many cells chose it, and how the runs at it ended."""
    rows = []
    for rate in material.settings.learning_rates:
        runs = material.runs[material.runs["learning_rate"] == rate]
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
    """What each preprocessing did to the training examples."""
    rows = []
    for (dataset, label), manifest in material.preprocessings.items():
        found = manifest["statistics"]
        numbers = {
            "features": (float(found["output_features"]), steps),
            "kept": (found["kept_variance"], percent),
            "mean": (found["mean"], decimal),
            "std": (found["std"], decimal),
            "condition": (found["after"]["condition_number"], figure),
        }
        entries = [Entry(label), Entry(dataset)]
        for value, write in numbers.values():
            entries.append(Entry(NONE) if value is None else Entry(write(value), value))
        rows.append(tuple(entries))
    labels = ("features", "variance kept", "mean", "standard deviation", "condition number")
    return Table(
        "table-inputs",
        "What preprocessing did to the training examples. The condition number is the ratio of the largest to the "
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
                *named(row),
                Entry(row["sizing"]),
                *(Entry(f"{number:,}", float(number)) for number in numbers),
                Entry(seconds(row["train_seconds"]), row["train_seconds"]),
                Entry(seconds(per_run), per_run),
            )
        )
    return Table(
        "table-cost",
        "Cost. Parameters, floating-point operations of the matrix products in one forward pass, and time to train "
        "all runs of the cell together.",
        (
            *names(),
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
