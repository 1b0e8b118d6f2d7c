"""Figures: tables in, SVG, PDF, the data behind as CSV, and title, caption and alternative text as JSON out.

The Snakefile reads the names, so this module imports neither matplotlib nor pandas; drawing modules are
imported when a figure is made. Each holds pure functions from an `Experiment` (tidy tables) to a `Drawing`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from trainability.config import Config
from trainability.plan import Plan, included

if TYPE_CHECKING:
    from trainability.figures.canvas import Drawing
    from trainability.figures.experiment import Experiment
    from trainability.progress import Progress

CAPTIONS = Path(__file__).parents[3] / "report" / "captions.yaml"


MAIN = ("activation", "normalization")
INITS = ("activation", "init", "normalization")
RATES = (*MAIN, "learning_rate")
INSIDE = (
    "dead_fraction", "saturated_fraction", "initial_saturated_fraction", "sign_agreement", "gradient_ratio",
    "final_gradient_ratio",
)  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """One figure of the report: its heading, its section, and which of the preprocessed data it reads.

    `metrics`, as statements name them, and `factors` say what is shown and what varies; all other factors have their
    base values. By them a figure finds the statements that it bears on; where it is `about` a factor, these are only
    those that compare this factor or leave its base.
    """

    title: str
    section: str
    metrics: tuple[str, ...] = ()
    factors: tuple[str, ...] = MAIN
    about: str = ""
    data: Literal["none", "statistics", "images"] = "none"


FIGURES: dict[str, Figure] = {
    "convergence": Figure("Runs that have reached the target", "Training speed", ("steps",)),
    "steps_to_target": Figure("Steps to each target", "Training speed", ("steps",)),
    "performance_profiles": Figure("How close to the fastest", "Training speed"),
    "learning_curves": Figure("Learning curves", "Training speed", ("train_loss",)),
    "final_accuracy": Figure("Final test accuracy", "Accuracy", ("test_accuracy",)),
    # Of validation data, by which rates are chosen: as good for statements about test accuracy at fixed rates.
    "learning_rate": Figure(
        "What the learning rate does", "Accuracy", ("test_accuracy", "dead_fraction"), RATES, "learning_rate"
    ),
    "dead_units": Figure("Dead units at the start and at the end", "Dead units", ("dead_fraction",)),
    "dead_over_time": Figure("Dead units during training", "Dead units", ("dead_fraction",)),
    "dead_threshold": Figure("Dead units by threshold", "Dead units", ("dead_fraction",)),
    "accuracy_by_init": Figure(
        "Accuracy by activation and initialisation", "Initialisation", ("test_accuracy", "learns"), INITS, "init"
    ),
    "steps_by_init": Figure(
        "Steps to the target by activation and initialisation", "Initialisation", ("steps",), INITS
    ),
    "dead_by_init": Figure("Dead units by activation and initialisation", "Initialisation", ("dead_fraction",), INITS),
    "initial_signal": Figure(
        "Signal and gradient before training", "Initialisation", ("gradient_ratio",), ("activation", "init"), "init"
    ),
    "batchnorm": Figure(
        "With and without batch normalization",
        "Batch normalization",
        ("steps", "test_accuracy", "dead_fraction", "largest_rate"),
        about="normalization",
    ),
    "depth": Figure(
        "Accuracy and gradient by depth",
        "Depth",
        ("test_accuracy", "gradient_ratio"),
        ("activation", "init", "depth"),
        "depth",
    ),
    "layer_health": Figure("Signals and units layer by layer", "Inside the layers", INSIDE),
    "preprocessing_effect": Figure(
        "What preprocessing changes",
        "Preprocessing",
        ("steps", "test_accuracy"),
        ("preprocessing", *MAIN),
        "preprocessing",
        data="statistics",
    ),
    "preprocessing_images": Figure("What preprocessing does to images", "Preprocessing", data="images"),
}


def data_files(name: str, settings: Config, plan: Plan) -> list[str]:
    """The files below results/data that a figure reads: those of the base data set's preprocessings."""
    kind = FIGURES[name].data
    dataset = settings.base.dataset
    if kind == "none" or (kind == "images" and not dataset.pictured):
        return []
    used = {cell.preprocessing.slug for cell in included(plan).values() if cell.dataset == dataset}
    files = ["preprocessing.json"] if kind == "statistics" else ["preprocessing.json", "arrays.npz", "map.npz"]
    paths = [f"{dataset.slug}/{preprocessing}/{file}" for preprocessing in sorted(used) for file in files]
    raw = [f"{dataset.slug}/dataset.json", f"{dataset.slug}/splits.npz"] if kind == "images" and used else []
    return raw + paths


def make(
    name: str,
    settings: Config,
    plan: Plan,
    tables: Path,
    data: Path,
    out: Path,
    captions: Path = CAPTIONS,
    progress: Progress | None = None,
) -> None:
    """Draw one figure and write `out`/NAME.svg, .pdf, .csv, .rst and, last, .json.

    `tables` holds the experiment's Parquet tables and `data` its preprocessed data. The bytes depend on the
    inputs and the libraries' versions alone. A figure that has nothing to show says so in a sentence, and so does one
    that lacks cells which are unfinished by `progress`, where it is given.
    """
    from trainability.figures import canvas, experiment, output, text
    from trainability.progress import COMPLETE

    entry = FIGURES[name]
    loaded = experiment.load(settings, plan, tables, data, progress or COMPLETE)
    with canvas.style(name):
        try:
            drawing = drawings()[name](loaded)
        except experiment.NothingToShow as nothing:
            drawing = canvas.sentence(str(nothing))
        words = text.describe(text.load(captions), name, entry.title, loaded, drawing)
        output.write(out, name, drawing, {"name": name, "section": entry.section} | words)


def drawings() -> dict[str, Callable[[Experiment], Drawing]]:
    """The drawing function of each figure, by name."""
    from trainability.figures import (
        accuracy,
        batchnorm,
        convergence,
        dead,
        depth,
        heatmaps,
        inputs,
        layers,
        profiles,
        rates,
        signal,
        steps,
    )

    return {
        "convergence": convergence.draw,
        "steps_to_target": steps.draw,
        "performance_profiles": profiles.draw,
        "learning_curves": accuracy.curves,
        "final_accuracy": accuracy.final,
        "learning_rate": rates.draw,
        "dead_units": dead.units,
        "dead_over_time": dead.over_time,
        "dead_threshold": dead.threshold,
        "accuracy_by_init": heatmaps.accuracy,
        "steps_by_init": heatmaps.steps,
        "dead_by_init": heatmaps.dead,
        "initial_signal": signal.draw,
        "batchnorm": batchnorm.draw,
        "depth": depth.draw,
        "layer_health": layers.draw,
        "preprocessing_effect": inputs.effect,
        "preprocessing_images": inputs.images,
    }
