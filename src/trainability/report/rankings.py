"""Whether the ranking of activations by their speed hangs on how runs that miss the target are counted."""

from __future__ import annotations

import numpy as np

from trainability import statistics
from trainability.report.blocks import Column, Entry, Table
from trainability.report.material import Material
from trainability.report.wording import decimal, goal, listing
from trainability.tables import steps_column


def table(found: Material) -> Table:
    """Ranks of the activations at the base setting, over the normalizations that all have, by the way misses count."""
    if found.lacking("activation", "normalization"):
        return Table("table-rankings", "Rankings by how misses count: withheld until every cell is finished.", (), ())
    names, steps, budget = _steps(found)
    if len(names) < 2:
        return Table("table-rankings", "Rankings by how misses count: there is nothing to rank.", (), ())
    ranked = statistics.sensitivity(steps, budget)
    rows = [
        (Entry(name), *(Entry(decimal(float(rank[index])), float(rank[index])) for rank in ranked.ranks.values()))
        for index, name in enumerate(names)
    ]
    pairs = [f"{names[one]} and {names[other]}" for one, other in ranked.reversals]
    return Table(
        "table-rankings",
        f"Activations ranked by their steps to {goal(found.target)}, 1 the fastest, for each way to count a run that "
        f"never got there: mean ranks over {steps.shape[1]} settings (normalizations at the base setting), "
        f"{steps.shape[2]} seeds.",
        (Column("activation"), *(Column(name, numeric=True) for name in ranked.ranks)),
        tuple(rows),
        notes=(
            f"The way of counting changes the order of {listing(pairs)}."
            if pairs
            else "No pair changes places with the way of counting.",
            f"Kendall's tau between two of these rankings is {decimal(min(ranked.tau.values()))} at the least.",
        ),
    )


def _steps(found: Material) -> tuple[list[str], np.ndarray, float]:
    """Activations, their steps [activations, settings, seeds] under the normalizations that all have, the budget."""
    cells = found.around_base("activation", "normalization")
    runs = found.runs[found.runs["selected"] & found.runs["cell"].isin(cells["cell"])]
    by_seed = runs.set_index(["activation", "normalization", "seed"])[steps_column(found.target)].unstack("seed")
    names = list(dict.fromkeys(cells["activation"]))
    every = dict.fromkeys(cells["normalization"])
    shared = [setting for setting in every if all((name, setting) in by_seed.index for name in names)]
    steps = [[by_seed.loc[(name, setting)].to_numpy(dtype=float) for setting in shared] for name in names]
    return names if shared else [], np.array(steps), float(cells["steps"].max()) if len(cells) else 0.0
