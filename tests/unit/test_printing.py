"""Printing a page to PDF: which Chromium is taken, what is said without one, and what comes out."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

import pytest
from pypdf import PdfReader
from report_sample import Sample

from trainability import cli, printing, report


def program(path: Path, text: str = "exit 0") -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text("<!doctype html><title>A page</title><p>Some text.")
    return path


@pytest.fixture
def chromium() -> None:
    """What is missing skips the test, but not in CI, where nothing may be skipped."""
    try:
        printing.find_chromium()
    except printing.PrintError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def test_the_environment_goes_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = program(tmp_path / "mine"), program(tmp_path / "google-chrome")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("TRAINABILITY_CHROMIUM", raising=False)
    assert printing.find_chromium() == str(other)
    monkeypatch.setenv("TRAINABILITY_CHROMIUM", str(mine))
    assert printing.find_chromium() == str(mine)
    monkeypatch.setenv("TRAINABILITY_CHROMIUM", str(tmp_path / "gone"))
    with pytest.raises(printing.PrintError, match="gone, which is no program"):
        printing.find_chromium()


def test_without_chromium_there_is_one_message(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(page.parent))
    monkeypatch.delenv("TRAINABILITY_CHROMIUM", raising=False)
    assert cli.main(["pdf", str(page), "--out", str(page.with_suffix(".pdf"))]) == 2
    assert "apt-get install chromium" in capsys.readouterr().err


def test_a_missing_page_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(printing.PrintError, match=r"report\.html is missing. Run snakemake"):
        printing.to_pdf(tmp_path / "report.html", tmp_path / "report.pdf")


def test_a_browser_that_fails_is_quoted(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = program(page.parent / "broken", "echo no display >&2; exit 3")
    monkeypatch.setenv("TRAINABILITY_CHROMIUM", str(broken))
    out = page.with_suffix(".pdf")
    with pytest.raises(printing.PrintError, match=r"exit status 3\):\n  no display"):
        printing.to_pdf(page, out)
    assert not out.exists()


@pytest.mark.usefixtures("chromium")
def test_a_page_is_printed_in_the_same_bytes_every_time(page: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.pdf", tmp_path / "second.pdf"
    assert printing.to_pdf(page, first) == printing.to_pdf(page, second) == 1
    assert first.read_bytes() == second.read_bytes()
    assert "Some text." in PdfReader(first).pages[0].extract_text()


@pytest.mark.usefixtures("chromium")
def test_the_report_on_paper_is_complete(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder: Path = tmp_path_factory.mktemp("report")
    sample = Sample(folder).make()
    report.render(*sample.arguments)
    out = folder / "report.pdf"
    pages = printing.to_pdf(sample.page, out)
    found = PdfReader(out).pages
    assert len(found) == pages > 3
    # Normalised, since fonts write fi as one sign.
    texts = [" ".join(unicodedata.normalize("NFKC", one.extract_text()).split()) for one in found]
    whole = " ".join(texts)
    assert "A small experiment" in texts[0]
    for words in ("Statement better.", "Held fixed", "Caption of dead_units", "Reproduction", "References"):
        assert words in whole, words  # among them what is folded up on the screen
    for words in ("Data of Figure", "Skip to the content", "Copy", "Numbers by setting"):
        assert words not in whole, words
    assert all(f"{number} / {pages}" in text for number, text in enumerate(texts, 1))
    upright = [one for one in found if one.mediabox.height > one.mediabox.width]
    assert {(round(one.mediabox.width), round(one.mediabox.height)) for one in upright} == {(595, 842)}  # A4
    assert 0 < len(upright) < len(found)  # the table of all cells lies on its side


@pytest.mark.usefixtures("chromium")
def test_heads_of_tables_are_repeated(tmp_path: Path) -> None:
    rows = "".join(f"<tr><th scope=row>row {number}</th><td>x</td></tr>" for number in range(200))
    page = tmp_path / "page.html"
    style = (Path(__file__).parents[2] / "report/style.css").read_text()
    head = "<thead><tr><th><button>Name of column</button></th><th>b</th></tr></thead>"
    table = f"<table>{head}<tbody>{rows}</tbody></table>"
    page.write_text(f"<!doctype html><style>{style}</style><main><div class=scroll>{table}</div></main>")
    pages = printing.to_pdf(page, tmp_path / "page.pdf")
    texts = [one.extract_text() for one in PdfReader(tmp_path / "page.pdf").pages]
    assert pages > 1
    assert all("Name of column" in text for text in texts)
    rows_found = [int(number) for text in texts for number in re.findall(r"row (\d+)", text)]
    assert rows_found == list(range(200))  # each once, and none cut in two
