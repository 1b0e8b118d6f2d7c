"""The verdicts on the page: one table of all statements, and each with its evidence, all in the same shape."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from trainability.claims.verdicts import (
    CONTRADICTED,
    INCONCLUSIVE,
    NOT_TESTABLE,
    NOT_YET,
    OPEN,
    SUPPORTED,
    VERDICTS,
)
from trainability.progress import COMPLETE
from trainability.report import forest, method
from trainability.report.blocks import Column, Entry, Group, Pointers, Prose, Statement, Table
from trainability.report.comparisons import records
from trainability.report.magnitudes import ABSOLUTE, INFINITE, Magnitude
from trainability.report.material import Material
from trainability.report.wording import NONE, PERCENT, count, figure, listing
from trainability.statistics import Estimate

Row = Mapping[Any, Any]
TOPICS = {
    "bounded": "Sigmoid and tanh",
    "centring": "Outputs centred on zero",
    "cost": "Cost of activations",
    "relu": "Speed of ReLU",
    "dying": "Dead units",
    "rates": "Tuned and fixed learning rates",
    "rectifiers": "Relatives of ReLU",
    "maxout": "Maxout",
    "inputs": "Preprocessing",
    "init": "Initialisation",
    "constant": "Constant weights",
    "batchnorm": "Batch normalization",
    "batchnorm-inside": "Inside networks with batch normalization",
    "published": "Settings of papers",
    "glorot": "Glorot & Bengio 2010",
    "born-dead": "Networks that are born dead",
}  # headings of the textbook's families; those of the user's own are their names
SUBJECTS = {
    "interaction": "Effect of the treatment on {}",
    "spread": "Spread of {}",
    "trend": "Kendall's tau of {}",
    "reordering": "Pairs that change places by {}",
}  # of a sentence, where it is not the metric itself


def summary(found: Material) -> str:
    """How many statements came out how."""
    verdicts = list(found.claims["verdict"])
    if not verdicts:
        return "No statement was judged."
    parts = [f"{verdicts.count(verdict)} {verdict}" for verdict in _possible(found)]
    judged = f"{count(len(verdicts), 'statement')} about what lets networks train"
    return f"Verdicts on {judged}: {listing(parts)}."


def _possible(found: Material) -> tuple[str, ...]:
    """The verdicts that there can be: of a complete experiment the four, of an unfinished one also that none is yet."""
    return (*VERDICTS, NOT_YET) if found.progress != COMPLETE else VERDICTS


def overview(found: Material) -> list[Prose | Table]:
    """The table of all statements, in the order of their files."""
    rows = []
    for row in records(found.claims):
        magnitude = Magnitude.of(row)
        effect = f"{row['metric']}: {magnitude.effect(_estimate(row))}"
        entries = (
            Entry(row["statement"]),
            Entry(row["verdict"], _possible(found).index(row["verdict"]), _style(row["verdict"])),
            Entry(row["reason"] if math.isnan(row["estimate"]) else effect, row["estimate"]),
            Entry(", ".join(_changes(row, found)) or NONE),
            Entry(row["claim"], link=f"claim-{row['claim']}"),
        )
        rows.append(entries)
    table = Table(
        "table-verdicts",
        "Verdicts, each with its effect and 95 % interval.",
        (
            Column("statement", long=True),
            Column("verdict", choices=_possible(found)),
            Column("effect", long=True),
            Column("changes with", choices=("rate", "misses", "setting")),
            Column("evidence"),
        ),
        tuple(rows),
        searchable=True,
        noun="statement",
        notes=(
            "Bounds below zero, and factors below 1, which are written as fractions, point the other way; "
            f"{INFINITE}: one side reaches its target and the other never does. Changes with: whether the verdict is "
            "another one with both sides at some fixed learning `rate` instead of tuned ones, with `misses` counted "
            "as arrivals at the end of training, or in some `setting` by itself.",
        ),
    )
    return [Prose((f"{summary(found)} The rules stand in the method.",)), table]


def statements(found: Material) -> list[Prose | Group]:
    """Every statement with its evidence, by family."""
    families: dict[str, list[Row]] = {}
    for row in records(found.claims):
        families.setdefault(row["family"], []).append(row)
    guide = (
        "In the plots each dot is one setting and the diamond all of them, with 95 % intervals; the dashed line is the "
        "smallest effect of interest, and where the statement says that the effect lies is shaded. Arrows lead to "
        "infinity. Statements of one group are corrected for their number together."
    )
    return [Prose((guide,)), *(_group(name, rows, found) for name, rows in families.items())]


def unanswered(found: Material) -> list[Pointers]:
    """The statements that were not testable, and those that stayed open, each with its reason."""
    leads = {
        NOT_TESTABLE: "Not testable with this experiment:",
        INCONCLUSIVE: "Tested, and open:",
    }
    blocks = []
    for verdict, lead in leads.items():
        rows = [row for row in records(found.claims) if row["verdict"] == verdict]
        entries = tuple(
            Entry(row["statement"], note=f"({row['reason']})", link=f"claim-{row['claim']}") for row in rows
        )
        blocks += [Pointers(lead, entries)] if entries else []
    return blocks


def _group(family: str, rows: list[Row], found: Material) -> Group:
    verdicts = [row["verdict"] for row in rows]
    counts = tuple(
        Entry(f"{verdicts.count(verdict)} {verdict}", style=_style(verdict))
        for verdict in _possible(found)
        if verdict in verdicts
    )
    title = TOPICS.get(family, family.replace("-", " ").capitalize())
    return Group(f"family-{family}", title, counts, tuple(_statement(row, found) for row in rows))


def _statement(row: Row, found: Material) -> Statement:
    name, magnitude = f"claim-{row['claim']}", Magnitude.of(row)
    settings = records(found.evidence[found.evidence["claim"] == row["claim"]])
    estimates = [(one["setting"], _estimate(one)) for one in settings]
    plot = forest.draw(name, row["statement"], magnitude, _estimate(row), estimates) if settings else None
    return Statement(
        name,
        row["statement"],
        Entry(row["verdict"], style=_style(row["verdict"])),
        sentence(row, found),
        tuple((term, text) for term, text in _facts(row, magnitude, settings, found) if text),
        plot,
        _numbers(row["claim"], settings, magnitude) if settings else None,
    )


def sentence(row: Row, found: Material) -> str:
    """Why the verdict is what it is, with the effect and its interval."""
    magnitude = Magnitude.of(row)
    if row["verdict"] in OPEN or math.isnan(row["estimate"]):
        return _capital(f"{row['reason']}.")
    subject = SUBJECTS.get(magnitude.kind, "{}").format(row["metric"])
    noun = "seed" if row["evidence"] in found.settings.studies else "repetition"
    over = f"{magnitude.average} over {count(row['settings'], 'setting')} and {count(row['n'], noun)}"
    effect = magnitude.effect(
        _estimate(row), f" with {row['treatment']} than with {row['control']}" * bool(row["control"])
    )
    confidence = f"{100 * method.RULES_IN_USE[row['rule']].confidence:g}{PERCENT}"
    outcome = {
        SUPPORTED: f"which holds in the whole {confidence} interval",
        CONTRADICTED: "which holds nowhere in the interval",
        INCONCLUSIVE: f"but {row['reason']}",
    }[row["verdict"]]
    return _capital(f"{subject}, {over}: {effect}. The statement asks for {magnitude.asked}, {outcome}.")


def _facts(
    row: Row, magnitude: Magnitude, settings: list[dict[Any, Any]], found: Material
) -> Iterator[tuple[str, str]]:
    place = "study" if row["evidence"] in found.settings.studies else "analysis"
    yield "Source", row["source"]
    yield "Compared", f"`{row['compared']}` in {place} `{row['evidence']}`"
    yield "Smallest effect of interest", f"{_capital(magnitude.asked)}: {row['why']}."
    if row["verdict"] not in OPEN:
        yield "Between settings", _heterogeneity(row, magnitude)
        yield "Chance", _chance(row)
        yield "At a fixed learning rate", _at_fixed_rates(row["fixed_rates"])
        yield "Misses counted as arrivals at the end", row["otherwise_counted"]
        yield "Held fixed", row["held_fixed"]
    if row["published"]:
        yield "Published", _published(row, magnitude, settings)
    yield "Note", row["note"]


def _heterogeneity(row: Row, magnitude: Magnitude) -> str:
    if math.isnan(row["lowest_setting"]):
        return row["by_setting"] and f"Verdicts by setting: {row['by_setting']}."
    bounds = (row["lowest_setting"], row["highest_setting"])
    ends = [magnitude.effect(Estimate(bound, bound, bound), beside=bounds) for bound in bounds]
    span = f"from {ends[0]} to {ends[1]}" if ends[0] != ends[1] else ends[0]
    return _capital(f"{span}. Verdicts by setting: {row['by_setting']}.")


def _chance(row: Row) -> str:
    if math.isnan(row["p"]):
        return ""
    size = figure(row["effect_size"])
    infinite = "it is not finite" if math.isinf(row["effect_size"]) else "some effects are infinite"
    size = f"Hedges' g {size}" if size != NONE else f"no Hedges' g, as {infinite}"
    needed = method.RULES_IN_USE[row["rule"]].level
    return (
        f"p = {row['p_holm']:.2g} after Holm's correction, {row['p']:.2g} before; a verdict needs {needed:g} or less. "
        f"Effect size: {size}."
    )


def _at_fixed_rates(text: str) -> str:
    """`0.01: supported; 0.1: supported` as `supported at 0.01 and 0.1`."""
    rates: dict[str, list[str]] = {}
    for part in filter(None, text.split("; ")):
        rate, verdict = part.split(": ", 1)
        rates.setdefault(verdict, []).append(rate)
    return "; ".join(f"{verdict} at {listing(found)}" for verdict, found in rates.items())


def _published(row: Row, magnitude: Magnitude, settings: list[dict[Any, Any]]) -> str:
    """What the source reports, ours beside it, and what of the two agrees."""
    said = f"{_capital(row['published'])}."
    if row["verdict"] in OPEN or math.isnan(row["estimate"]):
        return f"{said} Nothing here stands beside it."
    parts = [said, f"Here, {row['metric']}: {magnitude.effect(_estimate(row))}."]
    compared = [one for one in (row, *settings) if not math.isnan(one["published_estimate"])]
    parts += [_beside(one, magnitude) for one in compared]
    parts.append(_agreement(row, magnitude))
    parts.append("Data, networks and lengths of training differ, so sizes need not agree.")
    return " ".join(parts)


def _beside(one: Row, magnitude: Magnitude) -> str:
    """The source's number in the words of ours, of the whole or of one setting, and where it lies beside ours."""
    theirs, ours = one["published_estimate"], _estimate(one)
    number = f"The source's number, {_source(one, magnitude).text},"
    if "setting" in one:
        number = f"{_capital(one['setting'])}: the{number[3:]} beside {magnitude.effect(ours)},"
    if ours.low <= theirs <= ours.high:
        return f"{number} lies within our interval."
    if magnitude.kind not in ABSOLUTE and theirs * ours.value < 0:
        return f"{number} points the other way."
    return f"{number} lies outside our interval."


def _agreement(row: Row, magnitude: Magnitude) -> str:
    """What agrees with the source's statement, and what does not."""
    if row["verdict"] == SUPPORTED:
        return "The statement holds in both."
    directed = row["rule"] != "equivalent" and magnitude.kind not in ABSOLUTE
    same = directed and row["low"] > 0
    if row["verdict"] == CONTRADICTED:
        if same:
            return "Only the direction agrees: here the effect is smaller than is of interest."
        return "The two do not agree: the statement does not hold here."
    agrees = "The direction agrees, but" if same else "Whether the two agree is open:"
    return f"{agrees} the verdict is inconclusive here."


def _numbers(name: str, settings: list[dict[Any, Any]], magnitude: Magnitude) -> Table:
    """The numbers behind a plot."""
    source = any(not math.isnan(one["published_estimate"]) for one in settings)
    edges = {(True, True): "both", (True, False): "treatment", (False, True): "control", (False, False): NONE}
    return Table(
        f"evidence-{name}",
        "The numbers behind the plot. Edge: on which side a chosen rate lies on the edge of its grid.",
        (
            Column("setting"),
            Column("effect"),
            *([Column("published")] if source else []),
            Column("n", True),
            Column("verdict"),
            Column("edge"),
        ),
        tuple(
            (
                Entry(one["setting"]),
                Entry(magnitude.effect(_estimate(one)), one["estimate"]),
                *([_source(one, magnitude)] if source else []),
                Entry(str(one["n"]), one["n"]),
                Entry(one["verdict"], style=_style(one["verdict"]) if one["verdict"] in VERDICTS else ""),
                Entry(edges[one["treatment_edge"], one["control_edge"]]),
            )
            for one in settings
        ),
    )


def _source(one: Row, magnitude: Magnitude) -> Entry:
    theirs = one["published_estimate"]
    return Entry(magnitude.effect(Estimate(theirs, theirs, theirs)), theirs)


def _changes(row: Row, found: Material) -> list[str]:
    """What another verdict would follow from."""
    if row["verdict"] in OPEN:
        return []
    by_setting = set(found.evidence.loc[found.evidence["claim"] == row["claim"], "verdict"])
    changes = {
        "rate": row["changes_at_fixed_rate"],
        "misses": row["changes_otherwise_counted"],
        "setting": bool(by_setting - {row["verdict"]}),
    }
    return [name for name, changed in changes.items() if changed]


def _estimate(row: Row) -> Estimate:
    return Estimate(row["estimate"], row["low"], row["high"])


def _style(verdict: str) -> str:
    return verdict.replace(" ", "-")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
