r"""Tables for a paper: booktabs, each a file to \input, and a document that shows them all."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from trainability import files
from trainability.exports import Choice
from trainability.exports.results import Results
from trainability.report import comparisons, effects, verdicts
from trainability.report.blocks import Column, Table
from trainability.report.material import Material
from trainability.report.wording import goal, steps

SPECIAL = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # What pdfLaTeX has no letters for.
    "\N{NO-BREAK SPACE}": "~",
    "\N{EN DASH}": "--",
    "\N{EM DASH}": "---",
    "\N{MINUS SIGN}": "$-$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{MULTIPLICATION X}": r"$\times$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{INFINITY}": r"$\infty$",
    "\N{LESS-THAN OR EQUAL TO}": r"$\leq$",
    "\N{GREATER-THAN OR EQUAL TO}": r"$\geq$",
    "\N{SQUARE ROOT}": r"$\surd$",
    "\N{WHITE CIRCLE}": r"$\circ$",
    "\N{RIGHTWARDS ARROW}": r"$\to$",
    "\N{GREEK SMALL LETTER KAPPA}": r"$\kappa$",
    "\N{GREEK SMALL LETTER TAU}": r"$\tau$",
}
TABLE = str.maketrans(SPECIAL)
RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
LOWERED = str.maketrans(RAISED, "0123456789-")
MOST_COLUMNS = 6  # at the size of the text
LONG = ">{\\raggedright\\arraybackslash}p{0.25\\linewidth}"  # a column of sentences
PREVIEW = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage[margin=2cm]{geometry}
\usepackage{booktabs,longtable,array,graphicx}
\begin{document}
%s
\end{document}
"""


def export(results: Results, out: Path, choice: Choice) -> str:
    """Write `out`/NAME.tex for each table, and preview.tex, which inputs them all."""
    found = results.material
    made = [activations(found), *(block for block in verdicts.overview(found) if isinstance(block, Table))]
    made.append(effects.cost(found))
    for table in made:
        files.write_atomically(out / f"{table.name}.tex", render(table).encode())
    files.write_atomically(out / "preview.tex", preview(table.name for table in made).encode())
    return f"{len(made)} tables and preview.tex in {out}"


def activations(found: Material) -> Table:
    """The main comparison in one table: accuracy, speed and dead units of every activation at the base setting."""
    target = found.target
    return Table(
        "table-activations",
        f"{comparisons.setting(found)}: mean test accuracy, median steps to {goal(target)} validation accuracy and "
        "mean share of dead units after training, at the learning rate that is best on validation data.",
        (
            *comparisons.names(),
            Column("test accuracy", True),
            Column(f"steps to {goal(target)}", True),
            Column("dead units", True),
            Column("rate", True),
        ),
        tuple(
            (
                *comparisons.named(row),
                comparisons.estimated(row, "test_accuracy"),
                comparisons.estimated(row, f"median_steps_to_{target:g}", steps),
                comparisons.estimated(row, "dead_fraction"),
                comparisons.chosen_rate(row),
            )
            for row in comparisons.records(found.around_base("activation", "normalization"))
        ),
        notes=(f"{len(found.settings.seeds)} seeds. {comparisons.BRACKETS}",),
    )


def render(table: Table) -> str:
    """A table of the report in LaTeX: a `table`, or a `longtable` where columns hold sentences."""
    table = _on_paper(table)
    long = any(column.long for column in table.columns)
    labels = [escape(column.label.replace("_", " ")) for column in table.columns]
    groups = [escape(column.group) for column in table.columns]
    index = pd.MultiIndex.from_arrays([groups, labels]) if table.groups else pd.Index(labels)
    caption = marked(" ".join((table.caption, *table.notes)))
    frame = pd.DataFrame([[escape(entry.text) for entry in row] for row in table.rows], columns=index)
    text = frame.style.hide(axis="index").to_latex(
        environment="longtable" if long else None,
        column_format="".join(LONG if column.long else "r" if column.numeric else "l" for column in table.columns),
        hrules=True,
        multicol_align="c",
        position=None if long else "tbp",
        position_float=None if long else "centering",
        caption=caption,
        label=f"tab:{table.name.removeprefix('table-')}",
    )
    if len(table.columns) > MOST_COLUMNS:
        text = text.replace("\\centering\n", "\\centering\n\\footnotesize\\tabcolsep=4pt\n", 1)
    text = text.replace(rf"\caption[]{{{caption}}}", r"\caption[]{Continued.}")
    packages = "booktabs, longtable, array" if long else "booktabs"
    return f"% Made by: trainability export latex. Needs the packages {packages}.\n{text}"


def _on_paper(table: Table) -> Table:
    """A table without the columns that are links into the page."""
    kept = [index for index in range(len(table.columns)) if not any(row[index].link for row in table.rows)]
    rows = tuple(tuple(row[index] for index in kept) for row in table.rows)
    return replace(table, columns=tuple(table.columns[index] for index in kept), rows=rows)


def preview(names: Iterable[str]) -> str:
    r"""A document that inputs files of these names."""
    return PREVIEW % "\n".join(rf"\input{{{name}}}" for name in names)


def marked(text: str) -> str:
    """Escaped text with `code` between backticks set as code and straight quotation marks as a pair."""
    parts = re.split(r"`([^`]+)`", text)
    words = [rf"\texttt{{{escape(part)}}}" if index % 2 else escape(part) for index, part in enumerate(parts)]
    return re.sub(r'"([^"]*)"', r"``\1''", "".join(words))


def escape(text: str) -> str:
    """Text as LaTeX prints it, without commands."""
    parts = re.split(f"([{RAISED}]+)", text)
    return "".join(
        f"$^{{{part.translate(LOWERED)}}}$" if index % 2 else part.translate(TABLE) for index, part in enumerate(parts)
    )
