"""How the two were compared: the rules in words, with the numbers that they have here."""

from __future__ import annotations

from trainability.comparison import sentences
from trainability.comparison.matching import CELL, PLACE, SETTING
from trainability.comparison.moves import LEVEL, MEASURES, MISS, Measure, common_seeds
from trainability.comparison.rankings import LEAST
from trainability.comparison.sides import SCALE, Side
from trainability.report.blocks import Items
from trainability.report.wording import count, listing, short
from trainability.statistics import RESAMPLES


def items(a: Side, b: Side) -> Items:
    """The rules, a term each."""
    return Items(
        (
            ("Which cells match", _matching()),
            ("Seeds", _seeds(a, b)),
            (
                "Bit-identical",
                "The digests of two records are equal exactly if all their figures are; such cells are not tested.",
            ),
            ("Moved", _moved()),
            ("Smallest sizes of interest", f"Of {listing(map(_interest, MEASURES.values()))}."),
            (
                "Steps",
                f"Steps to {sentences.target(a, b)}; shown are medians. Differences are ratios of geometric means, in "
                f"which a run that missed its target counts as if it had arrived after {MISS:g} times the training.",
            ),
            (
                "Runs that diverged",
                "They count with accuracy 0, as when the rate is chosen. They have no dead units; a cell with such a "
                "run on either side is not compared on these.",
            ),
            (
                "Order of the activations",
                f"A setting is the values of all other factors; {LEAST} activations in common are the least. Ranked "
                "are means over the seeds that both have.",
            ),
        )
    )


def _matching() -> str:
    scale = listing((name.replace("_", " ") for name in SCALE), "or")
    return (
        f"First those with the same key ({CELL}): all factors, seeds and learning rates are the same. Then those with "
        f"the same factors ({SETTING}), where seeds, rates or the source of a class of one's own differ. Then those in "
        f"the {PLACE}: all factors are the same but for {scale}, and each of these either is the same or has on both "
        "sides the base value of its own experiment. So cells of two data sets stand beside each other."
    )


def _seeds(a: Side, b: Side) -> str:
    seeds = common_seeds(a, b)
    named = f": {short(seeds)}" if seeds else ""
    return (
        f"Compared are the {count(len(seeds), 'seed')} that both have{named}. A seed brings the same batches and draws "
        "to the same setting, so differences are taken seed by seed, each side at its own chosen learning rate. In "
        "experiments of another scale it does not: cells in the same place of these are shown with their difference "
        "(of steps, which have another length there, without), have no interval and are not tested."
    )


def _moved() -> str:
    return (
        f"A cell moved if p is at most {LEVEL:g} and the difference is no smaller than is of interest. Intervals are "
        f"of the mean difference, by the bootstrap over seeds ({RESAMPLES:,} resamples), each for its own cell. p is "
        "that of a test that flips the signs of differences, for one seed in all cells at once, and is adjusted for "
        "all cells that were tested on the same measure by the largest of their statistics (Westfall & Young 1993, "
        "step-down). Like Holm's correction this keeps the chance of any false move at that level; unlike Holm's it "
        f"can show a move with few seeds however many cells there are. It takes {sentences.enough()} seeds."
    )


def _interest(measure: Measure) -> str:
    size = f"a factor of {2**measure.smallest:.3g}" if measure.doublings else f"{100 * measure.smallest:g} points"
    return f"{measure.title}, {size.replace('1 points', '1 point')} ({measure.why})"
