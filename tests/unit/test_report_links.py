"""Numbers and links: what a statement rests on is where its figures are, and no link leads nowhere."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from report_sample import SOURCES, Sample

from trainability import config, report
from trainability.cell import FACTORS
from trainability.claims import statements
from trainability.claims.evidence import RATE
from trainability.config import ConfigError
from trainability.figures import FIGURES
from trainability.plan import included, make_plan
from trainability.report import bibliography, illustrations, links, material
from trainability.report.bibliography import Citations
from trainability.report.blocks import Figure, Group, Section, Shows, Table

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return Sample(tmp_path_factory.mktemp("links")).make()


@pytest.fixture(scope="module")
def found(sample: Sample) -> material.Material:
    return material.load(sample.settings, sample.plan, sample.tables, sample.cells, sample.data, "snakemake")


@pytest.fixture(scope="module")
def parts(sample: Sample, found: material.Material) -> list[Section]:
    drawn = illustrations.load(sample.figures, FIGURES)
    return links.linked(found, report.sections(found, drawn))


def exhibits(parts: list[Section]) -> list[Figure | Table]:
    return [block for part in parts for block in part.blocks if isinstance(block, Figure | Table)]


def test_sections_stand_in_a_papers_order(parts: list[Section]) -> None:
    assert [part.id for part in parts] == [
        *("question", "method", "verdicts", "statements", "convergence", "dead-units", "accuracy", "inputs"),
        *("initialisation", "batchnorm", "depth", "layers", "rates", "cost", "limits", "reproduce", "references"),
        *("names", "cells", "provenance"),
    ]
    assert [part.number for part in parts] == [*map(str, range(1, 18)), "A", "B", "C"]


def test_figures_and_tables_are_numbered_in_the_order_of_the_page(parts: list[Section]) -> None:
    for kind, word in ((Figure, "Figure"), (Table, "Table")):
        labels = [one.label for one in exhibits(parts) if isinstance(one, kind)]
        assert labels == [f"{word} {number}" for number in range(1, len(labels) + 1)]


def test_statements_and_exhibits_are_linked_both_ways(parts: list[Section]) -> None:
    seen = {
        (statement.id, entry.link)
        for part in parts
        for block in part.blocks
        if isinstance(block, Group)
        for statement in block.statements
        for entry in statement.seen
    }
    bears = {(entry.link, one.id) for one in exhibits(parts) for entry in one.bears}
    assert seen == bears
    assert ("claim-faster", "figure-steps_to_target") in seen
    assert ("claim-faster", "table-convergence") in seen
    assert ("claim-better", "figure-final_accuracy") in seen
    assert ("claim-level", "table-dead") in seen
    assert not any(claim == "claim-elsewhere" for claim, _ in seen)  # its study is not in the experiment
    assert ("claim-better", "figure-steps_to_target") not in seen  # which shows no accuracy


def test_a_statement_needs_cells_that_differ_in_what_it_compares(found: material.Material) -> None:
    subject = next(one for one in links.subjects(found) if one.claim == "better")
    base = {"init": "kaiming_normal"}
    shows = Shows(("test_accuracy",), ("activation", "init"), cells=frozenset(subject.cells))
    assert subject.seen_in(shows, base)
    assert not subject.seen_in(dataclasses.replace(shows, factors=("init",)), base)
    assert not subject.seen_in(dataclasses.replace(shows, metrics=("dead_fraction",)), base)
    alone = frozenset(key for key, cell in subject.cells.items() if cell.activation.label == "elu")
    assert not subject.seen_in(dataclasses.replace(shows, cells=alone), base)


def test_what_is_about_a_factor_leaves_its_base_or_compares_it(found: material.Material) -> None:
    subject = next(one for one in links.subjects(found) if one.claim == "better")
    both = Shows(("test_accuracy",), ("activation", "init"), "init", frozenset(subject.cells))
    kaiming = frozenset(key for key, cell in subject.cells.items() if cell.init.label == "kaiming_normal")
    assert subject.seen_in(both, {"init": "xavier_normal"})
    assert not subject.seen_in(dataclasses.replace(both, cells=kaiming), {"init": "kaiming_normal"})
    assert not subject.seen_in(dataclasses.replace(both, about=RATE, factors=("activation", RATE)), {})


def test_the_textbooks_statements_find_their_figures() -> None:
    settings = config.load([ROOT / "config.yaml"])
    plan = make_plan(settings)
    base = {name: getattr(value, "label", value) for name, value in dict(settings.base).items()}
    shown = {
        name: Shows(
            entry.metrics,
            entry.factors,
            entry.about,
            frozenset(
                key
                for key, cell in included(plan).items()
                if all(cell.labels[factor] == base[factor] for factor in FACTORS if factor not in entry.factors)
            ),
        )
        for name, entry in FIGURES.items()
    }
    claims = [claim for claim in statements.load([statements.TEXTBOOK]) if claim.study]
    rows = [
        {"claim": claim.id, "verdict": "", "metric": claim.measure.title, "evidence": claim.study}
        | {"factors": " ".join(claim.evidence.free), "sides": json.dumps(claim.evidence.sides)}
        for claim in claims
    ]
    nothing = pd.DataFrame()
    loaded = material.Material(settings, plan, nothing, nothing, pd.DataFrame(rows), nothing, {}, {}, {})
    seen = {
        one.claim: {name for name, shows in shown.items() if one.seen_in(shows, base)} for one in links.subjects(loaded)
    }
    assert seen["relu-converges-faster"] >= {"convergence", "steps_to_target", "steps_by_init"}
    assert seen["centring-helps"] == {"preprocessing_effect"}
    assert seen["small-random-collapses"] == {"depth"}
    assert "batchnorm" in seen["bn-higher-rates"]
    # What no figure shows: biases, dropout and sizes, other depths and widths than the base's, metrics of their own.
    assert {name for name, figures in seen.items() if not figures} == {
        *("positive-bias-helps", "maxout-with-dropout", "maxout-at-equal-width", "maxout-at-equal-parameters"),
        *("whitening-can-hurt", "kaiming-for-deep-relu", "ones-stay-identical", "bn-stops-vanishing"),
        *("ioffe-sigmoid-batchnorm", "clevert-elu-loss", "clevert-elu-centre"),
        *("sigmoid-batch-averages-out", "relu-not-centred", "elu-nearer-zero-mean", "sigmoid-zigzag"),
    }


# References


def test_every_source_of_the_textbook_is_in_the_list() -> None:
    works = bibliography.load(SOURCES / "references.yaml")
    cite = Citations(works)
    for claim in statements.load([statements.TEXTBOOK]):
        unlinked = re.sub(r"<a .*?</a>", "", cite(claim.source))
        assert not re.search(r"\b(19|20)\d\d\b", unlinked), claim.source
    assert [work.authors.lower() for work in works] == sorted(work.authors.lower() for work in works)
    assert len({work.id for work in works}) == len(works)


def test_a_work_is_linked_where_a_text_names_it_and_code_stays_code() -> None:
    works = bibliography.load(SOURCES / "references.yaml")
    text = "As <in> Ioffe & Szegedy 2015; `Ioffe & Szegedy 2015` is code, and Mishkin et al. 20160 is nothing."
    assert Citations(works)(text) == (
        'As &lt;in&gt; <a href="#reference-ioffe2015">Ioffe &amp; Szegedy 2015</a>; '
        "<code>Ioffe &amp; Szegedy 2015</code> is code, and Mishkin et al. 20160 is nothing."
    )
    assert Citations(())("a `b`") == "a <code>b</code>"


def test_a_reference_without_a_title_is_named(tmp_path: Path) -> None:
    path = tmp_path / "references.yaml"
    path.write_text("- {id: a, authors: B, year: 2000, published: C, cited: []}\n")
    with pytest.raises(ConfigError, match=r"references\.yaml: 0\.title: Field required"):
        bibliography.load(path)
