"""Everything to one HTML file that needs no network: what was asked, how it was measured, what came out.

`render` reads, `sections` arranges, `links` numbers and links, the template draws. All text of the page is data until
the template escapes it, and the page's security policy allows no script but its own and no connection at all.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup

from trainability import explorer, files, manifests
from trainability.config import Config
from trainability.explorer import library, page
from trainability.figures import FIGURES
from trainability.plan import Plan
from trainability.progress import COMPLETE, Progress
from trainability.report import (
    abstract,
    batchnorm,
    bibliography,
    catalogue,
    comparisons,
    depth,
    effects,
    glossary,
    illustrations,
    links,
    material,
    method,
    origin,
    profiles,
    rankings,
    sentences,
    unfinished,
    verdicts,
)
from trainability.report.bibliography import Citations, Work
from trainability.report.blocks import Block, Explorer, Figure, Items, Prose, Section, Works
from trainability.report.material import Material

SOURCES = ("template.html.j2", "style.css", "script.js")


def render(
    settings: Config,
    plan: Plan,
    tables: Path,
    figures: Path,
    cells: Path,
    data: Path,
    logs: Path,
    sources: Path,
    out: Path,
    snakemake: str = "snakemake",
    progress: Progress = COMPLETE,
) -> None:
    """Write the page to `out` and its manifest beside it; the bytes depend on nothing but the files that are read.

    `snakemake` is the command that runs this experiment, for the commands that the page prints. The tables hold the
    cells that are finished by `progress`; the page says what is missing.

    Raises files.CorruptFileError if a table, record, figure or source is missing.
    """
    drawn = illustrations.load(figures, FIGURES)
    loaded = material.load(settings, plan, tables, cells, data, snakemake, progress)
    texts = {name: read_source(sources / name) for name in (*SOURCES, *explorer.SOURCES)}
    works = bibliography.load(sources / "references.yaml")
    questions = page.block(loaded, tables, logs)
    parts = links.linked(loaded, sections(loaded, drawn, works, questions))
    text = compose(unfinished.title(loaded), abstract.blocks(loaded), parts, texts, works, unfinished.banner(loaded))
    manifests.save_described(out.with_suffix(".json"), {out.name: text.encode()})


def compose(
    title: str,
    summary: Sequence[Block],
    parts: Sequence[Section],
    sources: Mapping[str, str],
    works: tuple[Work, ...] = (),
    banner: tuple[str, ...] = (),
) -> str:
    """The page as text, drawn by the template in `sources`; `parts` are numbered, `works` are those that texts cite.

    `banner` is what must be read before all else.
    """
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.DictLoader(dict(sources)),
    )
    environment.filters["inline"] = Citations(works)
    styles, scripts = [Markup(sources["style.css"])], [Markup(sources["script.js"])]
    admitted: list[str] = [*scripts]
    if explorer.STYLE in sources:
        styles.append(page.style(sources))
        scripts.append(page.script(sources))
        admitted = [*scripts, library.script()]
    policy = (
        f"default-src 'none'; img-src data:; style-src {policy_hashes(*styles)}; "
        f"script-src {policy_hashes(*admitted)}; base-uri 'none'; form-action 'none'"
    )
    template = environment.from_string(sources["template.html.j2"])
    return template.render(
        title=title,
        banner=banner,
        summary=summary,
        sections=parts,
        policy=Markup(policy),
        styles=styles,
        scripts=scripts,
    )


def sections(
    found: Material,
    figures: Mapping[str, Figure],
    works: tuple[Work, ...] = (),
    questions: Explorer | None = None,
) -> list[Section]:
    """The page below its abstract, in reading order. Figures that none asks for get a section of their own."""
    left = dict(figures)

    def pick(*names: str) -> list[Block]:
        return [left.pop(name) for name in names if name in left]

    spreads = effects.spreads(found)
    results = [
        Section("verdicts", "Verdicts", verdicts.overview(found)),
        Section("statements", "Statements and their evidence", verdicts.statements(found)),
        Section(
            "convergence",
            "Convergence speed",
            [
                _by_normalization(found, lambda rows: sentences.fastest(rows, found.target)),
                *pick("convergence", "steps_to_target", "learning_curves"),
                comparisons.convergence(found),
                rankings.table(found),
                *profiles.blocks(found, pick("performance_profiles")),
            ],
        ),
        Section(
            "dead-units",
            "Dead units",
            [
                _by_normalization(found, sentences.deadest),
                *pick("dead_units", "dead_over_time", "dead_threshold"),
                comparisons.dead_units(found),
            ],
        ),
        Section(
            "accuracy",
            "Final accuracy",
            [
                _by_normalization(found, sentences.most_accurate),
                *pick("final_accuracy"),
                comparisons.accuracy(found),
            ],
        ),
        Section(
            "inputs",
            "Preprocessing",
            [*pick("preprocessing_images", "preprocessing_effect"), effects.inputs(found)],
        ),
        Section(
            "initialisation",
            "Activation and initialisation",
            [
                Prose((abstract.forgiveness(found, spreads),)),
                *pick("accuracy_by_init", "steps_by_init", "dead_by_init", "initial_signal"),
                *([] if spreads.empty else [effects.spread_table(spreads)]),
            ],
        ),
        Section(
            "batchnorm",
            "Batch normalization",
            [
                Prose((unfinished.hedged(found, batchnorm.sentence(found), "activation", "normalization"),)),
                *pick("batchnorm"),
                batchnorm.table(found),
            ],
        ),
        Section(
            "depth",
            "Depth",
            [
                Prose((unfinished.hedged(found, depth.sentence(found), "activation", "init", "depth"),)),
                *pick("depth"),
                depth.table(found),
            ],
        ),
        Section("layers", "Inside the layers", [*pick("layer_health"), comparisons.layers(found)]),
        Section(
            "rates",
            "Learning rate",
            [Prose((sentences.edges(found.cells),)), *pick("learning_rate"), effects.rates(found)],
        ),
        Section("cost", "Cost", [effects.cost(found)]),
    ]
    more = [Section("more", "More figures", list(left.values()))] if left else []
    explored = [Section("explorer", "Explorer", [questions])] if questions else []
    parts = [*_asked(found), *results, *more, *explored, *_discussed(found, works), *_appendix(found)]
    return [*unfinished.sections(found), *unfinished.marked(found, parts)]


def _asked(found: Material) -> list[Section]:
    asked = Prose((abstract.question(found), " ".join((sentences.scope(found), sentences.fates(found)))))
    return [
        Section("question", "Question", [asked, catalogue.studies(found)]),
        Section("method", "Method", [Items(method.items(found))]),
    ]


def _by_normalization(found: Material, say: Callable[[pd.DataFrame], str]) -> Prose:
    """What a sentence says of the activations at the base setting, under each normalization in turn."""
    rows = found.around_base("activation", "normalization")
    said = tuple(
        unfinished.hedged(
            found,
            f"Normalization `{name}`. {say(group)}",
            "activation",
            "normalization",
            normalization=str(name),
        )
        for name, group in rows.groupby("normalization", sort=False)
    )
    return Prose(said or (say(rows),))


def _discussed(found: Material, works: tuple[Work, ...]) -> list[Section]:
    return [
        Section("limits", "Limits", [Prose(method.limits(found)), *verdicts.unanswered(found)]),
        Section(
            "reproduce",
            "Reproduction",
            [
                Prose(
                    (
                        "Type these in the project's folder. A cell that is trained again on the same machine with "
                        "the same software has the same `digest` in its record; another processor or version of "
                        "torch may change the last digits, and with them what becomes of runs at the edge of "
                        "stability: a verdict whose interval ends close to its bound can then be another one. "
                        f"{origin.verified(found)}",
                    )
                ),
                origin.commands(found),
            ],
        ),
        Section("references", "References", [Works(works)]),
    ]


def _appendix(found: Material) -> list[Section]:
    missing = catalogue.excluded(found)
    return [
        Section("names", "What the names mean", [glossary.table(found)], appendix=True),
        Section("cells", "All cells", [catalogue.trained(found), *([missing] if missing.rows else [])], appendix=True),
        Section(
            "provenance",
            "Provenance",
            [origin.items(found), origin.hashes(found), origin.configuration(found)],
            appendix=True,
        ),
    ]


def read_source(path: Path) -> str:
    """A template or stylesheet; raises files.CorruptFileError if it is missing."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise files.CorruptFileError(f"{path}: a source of the page cannot be read ({error.strerror})") from None


def policy_hashes(*texts: str) -> str:
    """The hashes of some sources as the security policy of a page names them."""
    return " ".join(f"'{policy_hash(text)}'" for text in texts)


def policy_hash(text: str) -> str:
    """A source's hash as the security policy of a page names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
