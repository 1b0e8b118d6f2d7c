"""A page to PDF, through the Chromium that is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from trainability import files

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS = 300  # for a page of thousands of cells
DATES = re.compile(rb"/(CreationDate|ModDate) \(D:(\d{14})")
EPOCH = b"19800101000000"  # instead of the time of printing, so that the same page gives the same bytes


class PrintError(Exception):
    """The page cannot be printed; the message says why."""


def find_chromium() -> str:
    """The path of Chromium or Chrome: TRAINABILITY_CHROMIUM, else the first of NAMES on the PATH."""
    chosen = os.environ.get("TRAINABILITY_CHROMIUM")
    found = shutil.which(chosen) if chosen else next(filter(None, map(shutil.which, NAMES)), None)
    if found:
        return found
    if chosen:
        raise PrintError(f"TRAINABILITY_CHROMIUM is {chosen}, which is no program")
    raise PrintError(
        f"printing needs Chromium, and none of {', '.join(NAMES)} is on the PATH. Install it (apt-get install "
        "chromium), or set TRAINABILITY_CHROMIUM to its path."
    )


def to_pdf(page: Path, out: Path) -> int:
    """Print a page of the file system to the PDF `out` and return its number of pages; raises PrintError."""
    if not page.is_file():
        raise PrintError(f"{page} is missing. Run snakemake to make the report, or name another page.")
    chromium = find_chromium()
    with tempfile.TemporaryDirectory(prefix="trainability-pdf-") as scratch:
        printed = Path(scratch) / "page.pdf"
        words = [
            chromium,
            "--headless",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            f"--user-data-dir={scratch}/profile",
            "--no-pdf-header-footer",
            f"--print-to-pdf={printed}",
            page.resolve().as_uri(),
        ]
        if os.geteuid() == 0:  # Chromium refuses to sandbox pages for root; this one runs no script but its own
            words.insert(1, "--no-sandbox")
        try:
            run = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise PrintError(f"{chromium} has not printed {page} within {SECONDS} seconds") from None
        if run.returncode or not printed.is_file():
            last = run.stderr.strip().splitlines()[-3:]
            raise PrintError("\n  ".join([f"{chromium} has not printed {page} (exit status {run.returncode}):", *last]))
        content = DATES.sub(rb"/\1 (D:" + EPOCH, printed.read_bytes())
    files.write_atomically(out, content)
    return len(re.findall(rb"/Type /Page\b(?!s)", content))
