"""Pictures of a finished report for the README and these documents, so that they stay true: `make screenshots`.

Each shot names a place on the page by its selector; what is folded up around it is opened. Options: the report and
the folder of the pictures.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
LARGEST = 200_000  # bytes of a picture
CHROMIUM = os.environ.get("TRAINABILITY_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass(frozen=True)
class Shot:
    """A picture: what is at its top, how wide and high the window is, in which colours.

    `clicked` is what a reader clicks first, `drawn` what is there when the picture is ready.
    """

    name: str
    selector: str
    width: int = 1280
    height: int = 800
    scheme: str = "light"
    clicked: str = ""
    drawn: tuple[str, ...] = ()


SHOTS = (
    Shot("top", "h1"),
    Shot("verdicts", "#verdicts"),
    Shot("statement", "#claim-relu-converges-faster", height=760),
    Shot("figure", "#figure-batchnorm", height=1260),
    Shot("explorer", "#explorer", drawn=("#explorer .field",)),
    Shot(
        "cell",
        "#explorer h3",
        height=1400,
        clicked="#explorer .field[aria-label^='kaiming_normal, relu:']",
        drawn=tuple(f"#explorer [data-name={name}] .plot > *" for name in ("rates", "gradients", "activations")),
    ),
    Shot("phone", "h1", width=390, height=800),
    Shot("dark", "#depth", height=1000, scheme="dark"),
)
REVEAL = """
selector => {
  const target = document.querySelector(selector);
  for (let element = target; element; element = element.parentElement) {
    if (element.tagName === "DETAILS") element.open = true;
  }
  target.scrollIntoView();
}
"""


def take(page: Page, shot: Shot) -> Image.Image:
    """The picture as the window shows it, in at most 256 colours."""
    if shot.clicked:
        page.locator(shot.clicked).click()
        page.locator(shot.selector).first.wait_for()
    if not page.locator(shot.selector).count():
        raise SystemExit(f"{shot.name}: the report has no {shot.selector}. Is it the one of the default experiment?")
    page.evaluate(REVEAL, shot.selector)
    for selector in shot.drawn:
        page.locator(selector).first.wait_for()
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    return image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", type=Path, default=ROOT / "results/report.html")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/images")
    options = parser.parse_args()
    if not options.report.is_file():
        raise SystemExit(f"{options.report} is missing. Run snakemake to make it.")
    if not CHROMIUM:
        raise SystemExit("no chromium: install it (apt-get install chromium) or name it in TRAINABILITY_CHROMIUM")
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for shot in SHOTS:
            page = browser.new_page(
                viewport={"width": shot.width, "height": shot.height},
                color_scheme=shot.scheme,
                reduced_motion="reduce",
            )
            page.goto(options.report.resolve().as_uri())
            path = options.out / f"{shot.name}.png"
            take(page, shot).save(path, optimize=True)
            page.close()
            if path.stat().st_size > LARGEST:
                raise SystemExit(f"{path} has {path.stat().st_size:,} bytes; at most {LARGEST:,} are wanted")
            print(f"{path}: {path.stat().st_size:,} bytes")
        browser.close()


if __name__ == "__main__":
    main()
