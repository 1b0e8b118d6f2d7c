"""Activations compared as a whole on the page: sentences, a table of each, and a table of who beats whom."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from trainability.plan import included
from trainability.report.blocks import Block, Column, Entry, Prose, Table
from trainability.report.material import Material
from trainability.report.overall import Overall, overall
from trainability.report.wording import NONE, PERCENT, count, goal, listing, percent, steps, with_interval
from trainability.statistics import Estimate
from trainability.suite import shared

ABOVE, BELOW = "\N{UPWARDS ARROW}", "\N{DOWNWARDS ARROW}"


def blocks(material: Material, figures: Sequence[Block]) -> list[Block]:
    """Sentences, figures and tables, or one sentence where there is nothing to compare."""
    suite = shared(included(material.plan), material.settings.base, material.progress.cells)
    if suite.problem:
        return [Prose((f"Activations cannot be compared as a whole: {suite.problem}.",)), *figures]
    found = overall(suite, material)
    return [Prose((scope(found), speed(found), accuracy(found))), *figures, table(found), matrix(found)]


def scope(found: Overall) -> str:
    """What is compared, and where nobody arrived."""
    number, unsolved = len(found.suite.settings), found.results.unsolved
    differ = f", which differ in {listing(f'`{name}`' for name in found.suite.varied)}" if number > 1 else ""
    text = (
        f"As a whole, {count(len(found.suite.activations), 'activation')} are compared over "
        f"{'all ' * (number > 1)}{count(number, 'setting')} of the plan that they share{differ}: with "
        f"{count(found.seeds, 'seed')}, {count(found.pairs, 'pair')} of setting and seed."
    )
    if unsolved:
        text += (
            f" In {unsolved} of these settings no run of any activation reached {goal(found.target)} validation "
            "accuracy; such runs count as misses of all."
        )
    return text


def speed(found: Overall) -> str:
    """Who was fastest most often, and whose running time was the shortest."""
    first, twice = found.within(1), found.within(2)
    if not max(first.values()):
        return f"No activation reached {goal(found.target)} validation accuracy in any of these pairs."
    often, share = _leaders(first, max, percent)
    near, near_share = _leaders(twice, max, percent)
    expected = {name: estimate.value for name, estimate in found.expected.items()}
    best, _ = _leaders(expected, min, _steps)
    again = " again" * (near == often)
    return (
        f"Most often the fastest, ties included, {_were(often)}{share} of the pairs; most often within twice the "
        f"fewest steps {_were(near, again)}{near_share}. "
        + _ranked("Expected running time was the shortest", found.expected, best, min, _steps)
    )


def accuracy(found: Overall) -> str:
    """Who was most accurate, how likely a run of it beats one of the next, and how many pairs differ."""
    values = {name: estimate.value for name, estimate in found.accuracy.items()}
    best, _ = _leaders(values, max, percent)
    text = _ranked("The interquartile mean of test accuracy was the highest", found.accuracy, best, max, percent)
    if len(best) == 1:
        rest = {name: value for name, value in values.items() if name not in best}
        other = _leaders(rest, max, percent)[0][0]
        chance = found.improvement[best[0], other]
        text += (
            f" A run of {best[0]} is more accurate than one of {other} with probability "
            f"{with_interval(chance, lambda share: _chance(share) + PERCENT)}"
        )
        if found.decidable:
            beyond = found.better(best[0], other) or found.better(other, best[0])
            text += f", which is {'' if beyond else 'not '}beyond chance"
        text += "."
    return " ".join([text, *_differing(found)])


def table(found: Overall) -> Table:
    """Speed, success and accuracy of each activation over all shared settings."""
    first, twice = found.within(1), found.within(2)
    rows = []
    for name in found.suite.activations:
        success, expected, mean = found.success[name], found.expected[name], found.accuracy[name]
        rows.append(
            (
                Entry(name),
                Entry(percent(first[name]), first[name]),
                Entry(percent(twice[name]), twice[name]),
                Entry(with_interval(success), success.value),
                Entry(with_interval(expected, _steps), expected.value),
                Entry(with_interval(mean), mean.value),
            )
        )
    aim = f"{goal(found.target)} validation accuracy"
    return Table(
        "table-whole",
        f"Activations as a whole, over {count(len(found.suite.settings), 'setting')} that all of them share, "
        f"{count(found.seeds, 'seed')} each, at the learning rates chosen on validation data.",
        (
            Column("activation"),
            Column("fewest steps", True, f"share of pairs, {aim}"),
            Column("within twice the fewest", True, f"share of pairs, {aim}"),
            Column("reached", True, f"share of pairs, {aim}"),
            Column("expected running time", True, aim),
            Column("interquartile mean", True, "test accuracy"),
        ),
        tuple(rows),
        notes=(
            "Expected running time: all steps spent, over all settings and seeds, divided by the successes; `never` "
            "without any. Interquartile mean: of all runs but the lowest and the highest quarter. Runs that diverged "
            "or stalled count as guessing; where they are more than a quarter, some are in it.",
            "Brackets: 95 % intervals, after `reached` Wilson's, else of the bootstrap that draws seeds anew in each "
            "setting (stratified); left out where they have no width.",
        ),
    )


def matrix(found: Overall) -> Table:
    """Probability that the row's activation is more accurate than the column's."""
    names = found.suite.activations
    rows = []
    for one in names:
        entries = [Entry(one)]
        for other in names:
            if one == other:
                entries.append(Entry(NONE))
                continue
            mark = f" {ABOVE}" * found.better(one, other) + f" {BELOW}" * found.better(other, one)
            chance = found.improvement[one, other]
            entries.append(Entry(with_interval(chance, _chance) + mark, chance.value))
        rows.append(tuple(entries))
    marks = f"{ABOVE} the row is better, {BELOW} it is worse: the interval excludes one half, before rounding."
    if not found.decidable:
        marks = f"No pair is marked: {count(found.seeds, 'seed')} cannot tell activations apart."
    return Table(
        "table-improvement",
        "Probability of improvement: the chance that a run of the row's activation is more accurate on test data than "
        "one of the column's in the same setting, ties half, averaged over "
        f"{count(len(found.suite.settings), 'setting')}. Runs that diverged or stalled count as guessing, and tie.",
        (Column("activation"), *(Column(name, True, f"more accurate than, in{PERCENT}") for name in names)),
        tuple(rows),
        notes=(
            marks,
            "Brackets: 95 % bootstrap intervals over seeds, left out where they have no width. They are not corrected "
            "for the number of pairs.",
        ),
    )


def _differing(found: Overall) -> Iterator[str]:
    """How many pairs of activations differ in accuracy beyond chance, and who beats most others."""
    names, total = found.suite.activations, len(found.improvement) // 2
    if not found.decidable:
        yield f"With {count(found.seeds, 'seed')} no difference can be told from chance."
    elif total > 1:
        wins = {one: sum(found.better(one, other) for other in names if other != one) for one in names}
        leaders, most = _leaders(wins, max, str)
        beat = f"{listing(leaders)} {'beats' if len(leaders) == 1 else 'each beat'} the most others, {most}"
        beyond = sum(wins.values())
        text = f"Beyond chance, {beyond} of {total} pairs of activations differ in accuracy"
        yield f"{text}; {beat}." if beyond else f"{text}."


def _leaders(
    values: Mapping[str, float], pick: Callable[..., float], write: Callable[[float], str]
) -> tuple[list[str], str]:
    """Who has the best value, with all that read the same, and how it reads."""
    best = write(pick(values.values()))
    return [name for name, value in values.items() if write(value) == best], best


def _ranked(
    said: str, of: Mapping[str, Estimate], best: list[str], pick: Callable[..., float], write: Callable[[float], str]
) -> str:
    """`Accuracy was the highest with relu, 95.0 % [94.1, 96.0]; next came elu with ... (the intervals overlap).`"""
    text = f"{said} with {listing(best)}, {listing(with_interval(of[name], write) for name in best)}"
    rest = {name: e.value for name, e in of.items() if name not in best and np.isfinite(e.value)}
    if rest:
        names, _ = _leaders(rest, pick, write)
        pairs = itertools.product((of[name] for name in best), (of[name] for name in names))
        apart = all(max(a.low, b.low) > min(a.high, b.high) for a, b in pairs)
        after = listing(with_interval(of[name], write) for name in names)
        text += f"; next came {listing(names)} with {after} (the intervals {'do not ' * apart}overlap)"
    return f"{text}."


def _chance(chance: float) -> str:
    """A probability in whole percent, 0 and 100 only if it is exactly that."""
    rounded = round(100 * chance)
    return str(rounded if chance in (0, 1) else min(max(rounded, 1), 99))


def _were(names: list[str], again: str = "") -> str:
    """`was relu, in `, `were relu and elu, each in `."""
    return f"was {names[0]}{again}, in " if len(names) == 1 else f"were {listing(names)}{again}, each in "


def _steps(number: float) -> str:
    """Expected steps, which are no whole number, without decimals."""
    return steps(round(number)) if np.isfinite(number) else steps(number)
