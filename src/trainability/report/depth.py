"""Depth: accuracy and gradients of what was trained in several depths, at the base setting otherwise."""

from __future__ import annotations

import pandas as pd

from trainability.report.blocks import Column, Entry, Shows, Table
from trainability.report.comparisons import BRACKETS, chosen_rate, estimated, fate, records
from trainability.report.material import Material
from trainability.report.wording import count, estimate_of, figure, goal, steps, with_interval


def table(found: Material) -> Table:
    """A row per activation, initialisation and depth."""
    cells = _several(found)
    median = f"median_steps_to_{found.target:g}"
    return Table(
        "table-depth",
        f"Depth. Activations and initialisations that were trained in several depths, n = {len(found.settings.seeds)} "
        "seeds: mean test accuracy, training loss, median steps, dead units, and the gradient's norm at the first "
        "hidden layer over that at the last, before training (geometric mean).",
        (
            Column("activation"),
            Column("initialisation"),
            Column("hidden layers", True),
            Column("test accuracy", True),
            Column("training loss", True),
            Column(f"steps to {goal(found.target)}", True),
            Column("dead units", True),
            Column("gradient, first / last layer", True),
            Column("learning rate", True),
            Column("seeds"),
        ),
        tuple(
            (
                Entry(row["activation"]),
                Entry(row["init"]),
                Entry(str(row["depth"]), row["depth"]),
                estimated(row, "test_accuracy"),
                estimated(row, "train_loss", figure),
                estimated(row, median, steps),
                estimated(row, "dead_fraction"),
                estimated(row, "gradient_ratio", figure),
                chosen_rate(row),
                fate(row),
            )
            for row in records(cells)
        ),
        notes=(BRACKETS,),
        shows=Shows(
            ("test_accuracy", "train_loss", "steps", "dead_fraction", "gradient_ratio"),
            ("activation", "init", "depth"),
            "depth",
            frozenset(cells["cell"]),
        ),
    )


def sentence(found: Material) -> str:
    """At its greatest depth, which initialisation was best and which worst for each activation."""
    cells = _several(found)
    if cells.empty:
        return "No activation and initialisation was trained in several depths at the base setting."
    parts = []
    for activation, some in cells.groupby("activation", sort=False):
        deepest = some[some["depth"] == some["depth"].max()].dropna(subset="test_accuracy")
        if len(deepest) > 1:
            parts.append(_extremes(str(activation), deepest))
    if not parts:
        return "No activation was trained with several initialisations at its greatest depth."
    ratio = "Gradient ratio: the gradient's norm at the first hidden layer over that at the last, before training."
    return " ".join((*parts, ratio))


def _extremes(activation: str, deepest: pd.DataFrame) -> str:
    rows = records(deepest.sort_values("test_accuracy", kind="stable"))
    worst, best = rows[0], rows[-1]
    said = [
        f"`{row['init']}`, {with_interval(estimate_of(row, 'test_accuracy'))} (gradient ratio "
        f"{figure(row['gradient_ratio'])})"
        for row in (best, worst)
    ]
    depth = count(int(best["depth"]), "hidden layer")
    return f"With `{activation}` and {depth}, test accuracy was highest with {said[0]}, and lowest with {said[1]}."


def _several(found: Material) -> pd.DataFrame:
    """The cells of the activations and initialisations that were trained in several depths."""
    cells = found.around_base("depth", "init", "activation")
    depths = cells.groupby(["activation", "init"])["depth"].transform("nunique")
    order = list(dict.fromkeys(zip(cells["activation"], cells["init"], strict=True)))
    places = [order.index(pair) for pair in zip(cells["activation"], cells["init"], strict=True)]
    return cells.assign(place=places)[depths > 1].sort_values(["place", "depth"]).drop(columns="place")
