"""Everything to one HTML file that needs no network: what was asked, how it was measured, what came out.

`render` reads, `sections` composes, the template draws. All text of the page is data until the template escapes
it, and the page's own security policy allows no script but its own and no connection at all.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from trainability import files
from trainability.config import Config
from trainability.figures import FIGURES
from trainability.plan import Plan
from trainability.report import (
    catalogue,
    comparisons,
    illustrations,
    material,
    method,
    origin,
    sentences,
)
from trainability.report.blocks import Block, Column, Entry, Figure, Items, Prose, Section, Table
from trainability.report.material import Material
from trainability.report.wording import PERCENT, count, goal, listing

SOURCES = ("template.html.j2", "style.css", "script.js")


def render(
    settings: Config, plan: Plan, tables: Path, figures: Path, cells: Path, data: Path, sources: Path, out: Path
) -> None:
    """Write the page to `out`; its bytes depend on nothing but the files that are read.

    Raises files.CorruptFileError if a table, record, figure or source is missing.
    """
    drawn = illustrations.load(figures, FIGURES)
    loaded = material.load(settings, plan, tables, cells, data)
    texts = {name: _source(sources / name) for name in SOURCES}
    page = compose(settings.title, abstract(loaded), sections(loaded, drawn), texts)
    files.write_atomically(out, page.encode())


def compose(title: str, summary: Prose, parts: list[Section], sources: Mapping[str, str]) -> str:
    """The page as text, drawn by the template in `sources`."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["inline"] = inline
    style, script = sources["style.css"], sources["script.js"]
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    template = environment.from_string(sources["template.html.j2"])
    return template.render(
        title=title,
        summary=summary,
        sections=parts,
        policy=Markup(policy),
        style=Markup(style),
        script=Markup(script),
    )


def inline(text: str) -> Markup:
    """Escaped text in which `code` between backticks is marked up."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def abstract(found: Material) -> Prose:
    """What came out, in sentences whose numbers are those of the tables."""
    base = found.settings.base
    rows = found.around_base("activation")
    seeds = len(found.settings.seeds)
    return Prose(
        (
            " ".join((sentences.scope(found), sentences.fates(found))),
            " ".join(
                (
                    f"At the base setting (`{base.init.label}`, normalization `{base.normalization.label}`):",
                    sentences.fastest(rows, found.target),
                    sentences.deadest(rows),
                    sentences.most_accurate(rows),
                )
            ),
            sentences.forgiveness(comparisons.spreads(found)),
            f"Brackets hold 95{PERCENT} intervals over {count(seeds, 'seed')}; a figure without brackets was the same for all seeds.",
        )
    )


def sections(found: Material, figures: Mapping[str, Figure]) -> list[Section]:
    """The page below its abstract, in reading order. Figures that no section asks for come in one of their own."""
    left = dict(figures)

    def pick(*names: str) -> list[Block]:
        return [left.pop(name) for name in names if name in left]

    spreads = comparisons.spreads(found)
    parts = [
        Section("question", "What was asked", [studies(found)]),
        Section("method", "How it was measured", [Items(method.items(found)), method.glossary(found)]),
        Section(
            "convergence",
            "Convergence speed",
            [*pick("convergence", "steps_to_target"), comparisons.convergence(found)],
        ),
        Section(
            "dead-units",
            "Dead units",
            [*pick("dead_units", "dead_over_time", "dead_threshold"), comparisons.dead_units(found)],
        ),
        Section("accuracy", "Final accuracy", [*pick("final_accuracy"), comparisons.accuracy(found)]),
        Section(
            "initialisation",
            "Activation and initialisation",
            [
                Prose((sentences.forgiveness(spreads),)),
                *pick("accuracy_by_init", "steps_by_init", "dead_by_init", "initial_signal"),
                *([] if spreads.empty else [comparisons.spread_table(spreads)]),
            ],
        ),
        Section("curves", "Learning curves", pick("learning_curves")),
        Section("layers", "Inside the layers", pick("layer_health")),
        Section(
            "inputs",
            "Preprocessing",
            [*pick("preprocessing_images", "preprocessing_effect"), comparisons.inputs(found)],
        ),
        Section(
            "rates",
            "Learning rate",
            [Prose((sentences.edges(found.cells),)), *pick("learning_rate"), comparisons.rates(found)],
        ),
    ]
    more = [Section("more", "More figures", list(left.values()))] if left else []
    return [*parts, *more, *_appendix(found)]


def _appendix(found: Material) -> list[Section]:
    missing = catalogue.excluded(found)
    return [
        Section("cost", "Cost", [comparisons.cost(found)]),
        Section("limits", "Limits", [Prose(limits(found))]),
        Section("cells", "All cells", [catalogue.trained(found), *([missing] if missing.rows else [])]),
        Section(
            "reproduce",
            "Run it again",
            [
                Prose(
                    (
                        "Type these in the project's folder. If the experiment was run with `--configfile`, give the same "
                        "option here. A cell that is trained again on the same machine with the same software has the same "
                        "`digest` in its record; another processor or version of torch may change the last digits.",
                    )
                ),
                origin.commands(found),
            ],
        ),
        Section(
            "provenance",
            "Provenance",
            [origin.items(found), origin.hashes(found), origin.configuration(found)],
        ),
        Section("references", "References", [Prose(origin.REFERENCES)]),
    ]


def studies(found: Material) -> Table:
    """The questions of the configuration with the number of cells that answer each."""
    rows = []
    for name, study in found.settings.studies.items():
        if study is None:
            continue
        of_study = [entry for entry in found.plan.values() if name in entry.studies]
        without = [entry for entry in found.plan.values() if name in entry.excluded_by]
        rows.append(
            (
                Entry(name),
                Entry(study.question),
                Entry(listing(sorted(study.grid.model_fields_set))),
                Entry(str(len(of_study)), len(of_study)),
                Entry(str(len(without)), len(without)),
            )
        )
    return Table(
        "table-studies",
        "The studies. Each crosses all values of its factors, but for the combinations it leaves out; a cell that several "
        "studies need is trained once.",
        (Column("study"), Column("question"), Column("varies"), Column("cells", True), Column("left out", True)),
        tuple(rows),
    )


def limits(found: Material) -> tuple[str, ...]:
    """What the results do not show."""
    settings = found.settings
    first = next(iter(found.trained.values()))
    fixed = [f"{name.replace('_', ' ')} {value}" for name, value in first.labels.items() if name not in found.varied]
    return (
        f"Held fixed in all cells: {listing(fixed)}. What is found here holds for these values; elsewhere it may not.",
        f"{sentences.edges(found.cells)} The grid was {listing(f'{rate:g}' for rate in settings.learning_rates)}.",
        "Steps to a target are known to the next evaluation only. Targets "
        f"({listing(goal(target) for target in settings.targets)}) were set beforehand and are not equally hard for all data.",
        "Intervals are over seeds, with one fixed split of the data; each stands by itself, and among many comparisons some "
        "differences look real by chance.",
    )


def _source(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise files.CorruptFileError(f"{path}: a source of the page cannot be read ({error.strerror})") from None


def _hash(text: str) -> str:
    """A source's hash as the security policy of a page names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
