"""The abstract: question, method, results, what contradicts the textbook, limits, with the tables' numbers."""

from __future__ import annotations

import pandas as pd

from trainability.claims.verdicts import CONTRADICTED
from trainability.report import effects, sentences, unfinished, verdicts
from trainability.report.blocks import Entry, Pointers, Prose
from trainability.report.comparisons import records
from trainability.report.material import Material
from trainability.report.wording import PERCENT, count, listing

ASKED = {
    "activation": "activation",
    "init": "weight initialisation",
    "normalization": "normalization",
    "preprocessing": "preprocessing of the inputs",
}  # the factors that the question names, where they are varied


def blocks(found: Material) -> list[Prose | Pointers]:
    """What the page opens with."""
    unfinished_first = unfinished.banner(found)
    return [
        *([Prose((" ".join(unfinished_first),))] if unfinished_first else []),
        Prose((f"{question(found)} {method(found)}", results(found))),
        *contradictions(found),
        Prose((limits(found),)),
    ]


def question(found: Material) -> str:
    """What the experiment asks."""
    asked = [name for factor, name in ASKED.items() if factor in found.varied]
    subject = f"Which {listing(asked)} let{'s' if len(asked) == 1 else ''}" if asked else "What lets"
    return f"{subject} a small network train, how fast, and how many of its units stay alive?"


def method(found: Material) -> str:
    """How it was answered."""
    base, seeds, rates = found.settings.base, len(found.settings.seeds), len(found.settings.learning_rates)
    chosen = ", of which validation data chose one per setting" if rates > 1 else ""
    return (
        f"To answer, {count(len(found.cells), 'setting')} of networks ({count(base.depth, 'hidden layer')} of "
        f"{count(base.width, 'unit')} where nothing else is said) were trained on {_data(found)} with "
        f"{count(seeds, 'seed')} at {count(rates, 'learning rate')}{chosen}: {count(len(found.runs), 'run')} in all, "
        "those that diverged or stalled counted as misses."
    )


def results(found: Material) -> str:
    """Who was fastest, whose units died, who was most accurate at the base setting, and what normalization forgives."""
    base = found.settings.base
    rows = found.around_base("activation")
    spreads = effects.spreads(found)
    said = (sentences.fastest(rows, found.target), sentences.deadest(rows), sentences.most_accurate(rows))
    return " ".join(
        (
            f"With initialisation `{base.init.label}` and normalization `{base.normalization.label}`:",
            *(unfinished.hedged(found, text, "activation") for text in said),
            *([] if spreads.empty else [forgiveness(found, spreads)]),
        )
    )


def forgiveness(found: Material, spreads: pd.DataFrame) -> str:
    """How much of the difference between initialisations normalization takes away."""
    return unfinished.hedged(found, sentences.forgiveness(spreads), "activation", "init", "normalization")


def contradictions(found: Material) -> list[Prose | Pointers]:
    """How many statements came out how, and those that did not hold, each with a link to its evidence."""
    summary = verdicts.summary(found)
    against = [row for row in records(found.claims) if row["verdict"] == CONTRADICTED]
    if not against:
        return [Prose((summary,))]
    entries = tuple(Entry(row["statement"], link=f"claim-{row['claim']}") for row in against)
    return [Pointers(f"{summary} Contradicted here:", entries)]


def limits(found: Material) -> str:
    """What the results hold for, and what the brackets are."""
    seeds = len(found.settings.seeds)
    brackets = f"brackets hold 95{PERCENT} intervals over {seeds} seeds, and where there are none, they have no width."
    if seeds == 1:
        brackets = "with one seed, means and medians have no intervals, and differences cannot be told from chance."
    widest = max(cell.width for cell in found.trained.values())
    return (
        f"All of this holds for {_data(found)}, one split of the data and networks of at most "
        f"{count(widest, 'unit')} a layer; {brackets}"
    )


def _data(found: Material) -> str:
    """The names of the data sets, without their options."""
    return listing(dict.fromkeys(f"`{cell.dataset.name}`" for cell in found.trained.values()))
