"""The reference: every entry of every registry with formula, parameters, source and, on the page, a chart.

`docs/reference.html` has it all in one file that needs no network; `docs/reference.md` is the table that GitHub
shows. A registry joins by a line in CHAPTERS. No other module imports this package, so that it outdates no cell.
"""
# ruff: noqa: RUF001 (the Greek letters are meant)

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from trainability import files, report
from trainability.activations import ACTIVATIONS
from trainability.architectures import ARCHITECTURES
from trainability.augmentations import AUGMENTATIONS
from trainability.datasets import DATASETS
from trainability.initializers import INITIALIZERS
from trainability.normalizations import NORMALIZATIONS
from trainability.optimizers import OPTIMIZERS
from trainability.preprocessing import PREPROCESSINGS
from trainability.rate_schedules import SCHEDULES
from trainability.reference import entries, exhibits, formulas
from trainability.reference.entries import Entry
from trainability.reference.exhibits import Exhibit
from trainability.registry import Registry
from trainability.report.bibliography import Citations

SOURCES = Path(__file__).parents[3] / "report"


@dataclass(frozen=True)
class Chapter:
    """A registry under its heading; `symbols` says what its formulas mean, `exhibit` what is shown of an entry."""

    id: str
    title: str
    registry: Registry[Any]
    symbols: str
    exhibit: Callable[[Any], Exhibit] = exhibits.none

    @property
    def introduction(self) -> tuple[str, ...]:
        return entries.introduction(self.registry)

    @property
    def entries(self) -> list[Entry]:
        return [entries.entry(self.registry[name]) for name in self.registry]

    @property
    def exhibited(self) -> Iterator[tuple[Entry, Exhibit]]:
        """The entries, each with the exhibit of its default parameters."""
        return ((entry, self.exhibit(self.registry[entry.name]())) for entry in self.entries)


CHAPTERS = (
    Chapter(
        "activation",
        "Activations",
        ACTIVATIONS,
        "z is a unit's pre-activation, z₁, z₂ and so on are those of a unit with several, f(z) its activation and Φ "
        "the normal distribution function. Weights of variance gain² / n_in keep the size of a signal of n_in inputs.",
        exhibits.activation,
    ),
    Chapter(
        "init",
        "Initialisers",
        INITIALIZERS,
        "W has a row per input and a column per unit, n_in inputs and n_out units; N is the normal distribution by "
        "mean and variance, U the uniform one by its ends; s is the activation's slope below zero.",
        exhibits.initializer,
    ),
    Chapter(
        "normalization",
        "Normalizations",
        NORMALIZATIONS,
        "z is a unit's pre-activation, f the activation function, a what the next layer sees, γ and β learned, ε is "
        "`eps`; μ and σ² are mean and variance over the mini-batch (of each unit), over an example's units (layernorm, "
        "rmsnorm; groupnorm: a group of them), or over a unit's incoming weights W from n_in inputs.",
    ),
    Chapter(
        "preprocessing",
        "Preprocessings",
        PREPROCESSINGS,
        "x is an image as a vector, y what the network sees, levels the largest possible pixel value; x̄, σ, min and "
        "max are the training split's, V and Λ the eigenvectors and eigenvalues of its covariance, λ₁ the largest of "
        "them; ε is `epsilon`.",
    ),
    Chapter(
        "augmentation",
        "Augmentations",
        AUGMENTATIONS,
        "x is an image after preprocessing, with rows r and columns c and zeros around it, W its width, p `padding`; u "
        "and v are drawn from 0 to 2 p, c' is c or, as likely, the mirrored column.",
    ),
    Chapter(
        "optimizer",
        "Optimisers",
        OPTIMIZERS,
        "w is a parameter, g its gradient, η the learning rate, t the step, from 1; ε is `eps`.",
    ),
    Chapter(
        "schedule",
        "Learning-rate schedules",
        SCHEDULES,
        "η is the learning rate of a run, η_t that of step t of T, from 1; p is the share of the steps after the "
        "warm-up that is over before step t; f is `final`, γ `gamma`, m a milestone.",
        exhibits.schedule,
    ),
    Chapter("architecture", "Architectures", ARCHITECTURES, "", exhibits.architecture),
    Chapter("dataset", "Data sets", DATASETS, "", exhibits.dataset),
)


def write(out: Path, sources: Path = SOURCES, chapters: Sequence[Chapter] = CHAPTERS) -> None:
    """Write `out`/reference.html, drawn by the template in `sources`, and `out`/reference.md."""
    files.write_atomically(out / "reference.html", page(sources, chapters).encode())
    files.write_atomically(out / "reference.md", table(chapters).encode())


def page(sources: Path = SOURCES, chapters: Sequence[Chapter] = CHAPTERS) -> str:
    """The page as text. It has no script, and its security policy allows none."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"inline": Citations(()), "formula": formulas.svg}
    style = "".join(report.read_source(sources / name) for name in ("style.css", "reference.css"))
    policy = f"default-src 'none'; img-src data:; style-src '{report.policy_hash(style)}'; base-uri 'none'"
    template = environment.from_string(report.read_source(sources / "reference.html.j2"))
    return template.render(chapters=chapters, policy=Markup(policy), style=Markup(style))


def table(chapters: Sequence[Chapter] = CHAPTERS) -> str:
    """The Markdown: a table per registry, formulas as GitHub reads them."""
    lines = [
        "# Reference",
        "",
        "Every name that a configuration can use. Made from the code by `make reference`, which also writes "
        "`docs/reference.html` with plots.",
    ]
    for chapter in chapters:
        lines += ["", f"## {chapter.title}", "", chapter.introduction[0], ""]
        lines += [chapter.symbols, ""] if chapter.symbols else []
        lines += ["| name | definition | parameters | source |", "| --- | --- | --- | --- |"]
        lines += [_row(entry) for entry in chapter.entries]
    return "\n".join(lines) + "\n"


def _row(entry: Entry) -> str:
    """`$` and backtick around a formula keep Markdown from reading its underscores and stars."""
    definition = f"$`{entry.formula}`$" if entry.formula else entry.summary
    parameters = "; ".join(f"`{p.name}` = {p.default} ({p.values})" for p in entry.parameters)
    fields = (f"`{entry.name}`", definition, parameters, entry.reference)
    return "| " + " | ".join(field.replace("|", r"\|") for field in fields) + " |"
