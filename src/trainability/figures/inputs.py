"""Preprocessing: what it changes in training, and what it does to images."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from trainability import datasets, manifests, prepared
from trainability.figures import canvas, dots, scales, steps
from trainability.figures.canvas import Drawing
from trainability.figures.experiment import Experiment, NothingToShow, Slice

EXAMPLES = 5  # classes with an image each


def effect(experiment: Experiment) -> Drawing:
    """Test accuracy and median steps to the middle target by preprocessing and activation."""
    part = _varied(experiment.at_base("preprocessing", "activation", "normalization"))
    data = _effects(experiment, part)
    panels, order = part.order("normalization"), part.order("preprocessing")
    activations = part.order("activation")
    every = canvas.marks(experiment.order("activation"))
    names = {name: f"{name}\n{_condition(data, name)}" for name in order}
    rows = {panel: part.within("preprocessing", "normalization", panel) for panel in panels}
    heights = [dots.height(len(rows[panel]), max(3, len(activations))) for panel in panels]
    figure, grid = canvas.sheet(len(panels), 2, heights=heights, around=dots.around(len(panels)), remarks=part.remarks)
    accuracy = data[data["quantity"] == "test_accuracy"]
    median = data.loc[data["quantity"] == "median_steps", ["value", "low", "high"]]
    for (left, right), panel in zip(grid, panels, strict=True):
        here = data[data["normalization"] == panel]
        labels = [names[row] for row in rows[panel]]
        scales.accuracy(left, [*accuracy["low"], *accuracy["high"]], experiment.chance, horizontal=True)
        scales.steps_or_never(right, median, experiment.budget)
        for axes, quantity in ((left, "test_accuracy"), (right, "median_steps")):
            some = here[here["quantity"] == quantity]
            place = scales.within if quantity == "test_accuracy" else lambda v: scales.placed(v, experiment.budget)
            points = pd.DataFrame({"row": some["preprocessing"], "series": some["activation"]})
            points = points.assign(**{name: place(some[name]) for name in ("value", "low", "high")})
            dots.dots(axes, points, rows[panel], activations, every, labels)
        right.set_yticklabels([])
        left.set_title(canvas.title(panel))
    grid[-1, 0].set_xlabel("test accuracy (%)")
    grid[-1, 1].set_xlabel(f"steps to {100 * experiment.target:g} %")
    canvas.key(figure, [_mark(name, every[name]) for name in activations])
    return Drawing(figure, data, _spread(data, experiment.base("activation")), part.remarks)


def _varied(part: Slice) -> Slice:
    """Without activations and normalizations that are trained with one preprocessing, if any has more."""
    rows = part.planned[part.planned["included"]]
    for factor in ("normalization", "activation"):
        counts = rows.groupby(factor, sort=False)["preprocessing"].nunique()
        if counts.max() > 1:
            rows = rows[rows[factor].isin(counts.index[counts > 1])]
    return dataclasses.replace(part, planned=rows)


def _effects(experiment: Experiment, part: Slice) -> pd.DataFrame:
    cells = part["cells"]
    names = ["cell", *part.varying, "seeds", "learning_rate"]
    accuracy = cells[names].assign(quantity="test_accuracy", value=cells["test_accuracy"])
    accuracy = accuracy.assign(low=cells["test_accuracy_low"], high=cells["test_accuracy_high"])
    median = steps.table(part, [experiment.target], experiment.budget).assign(quantity="median_steps")
    data = pd.concat([accuracy, median[accuracy.columns]], ignore_index=True)
    return data.assign(condition_number=data["preprocessing"].map(conditions(experiment, part)))


def folders(experiment: Experiment, part: Slice) -> dict[str, Path]:
    """The folder of each preprocessing's data, by label."""
    rows = part.planned[part.planned["included"]]
    return {
        label: experiment.data / folder for label, folder in zip(rows["preprocessing"], rows["folder"], strict=True)
    }


def conditions(experiment: Experiment, part: Slice) -> dict[str, float]:
    """Condition number of the training covariance after each preprocessing, without null directions."""
    found = {}
    for label, folder in folders(experiment, part).items():
        after = manifests.load_json(folder / "preprocessing.json")["statistics"]["after"]
        number = after["condition_number"]
        found[label] = np.nan if number is None else float(number)
    return found


def _condition(data: pd.DataFrame, name: str) -> str:
    number = data.loc[data["preprocessing"] == name, "condition_number"].iloc[0]
    if not np.isfinite(number):
        return "κ undefined"
    return f"κ = {number:.3g}" if number < 1000 else f"κ = {number:.0e}".replace("e+0", "e").replace("e+", "e")


def _mark(label: str, mark: canvas.Mark) -> Line2D:
    return Line2D([], [], color=mark.color, marker=mark.marker, linestyle="none", label=label)


def _spread(data: pd.DataFrame, activation: str) -> dict[str, Any]:
    known = data["condition_number"].dropna()
    return {
        "lowest_condition": float(known.min()) if len(known) else np.nan,
        "highest_condition": float(known.max()) if len(known) else np.nan,
        "preprocessings": int(data["preprocessing"].nunique()),
        "activation": activation,
    }


def images(experiment: Experiment) -> Drawing:
    """One image each of five classes, a row as it is and one after each preprocessing.

    Raises NothingToShow where the examples are no images.
    """
    part, dataset = experiment.at_base("preprocessing"), experiment.settings.base.dataset
    if not dataset.pictured:
        raise NothingToShow(f"Nothing to show: the examples of {dataset.label} are no images.")
    manifest, splits = datasets.load(experiment.data / dataset.slug)
    chosen = _examples(splits.test_labels)
    shape = tuple(manifest["image_shape"])
    where = folders(experiment, part)
    rows: dict[str, tuple[NDArray[np.float64], bool]] = {
        "original": (splits.test_images[chosen].reshape(len(chosen), -1).astype(float), False)
    }
    for label in part.order("preprocessing"):
        rows[label] = seen(where[label], chosen)
    figure, grid = canvas.sheet(
        len(rows),
        len(chosen),
        heights=[0.58] * len(rows),
        around=0.04 * len(rows) + 0.2,
        remarks=part.remarks,
    )
    records = []
    for axes_row, (label, (values, mapped_back)) in zip(grid, rows.items(), strict=True):
        low, high = float(values.min()), float(values.max())
        for axes, example, index in zip(axes_row, values, chosen, strict=True):
            pixels = (example.reshape(shape) - low) / ((high - low) or 1.0)
            axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            records += [
                {"preprocessing": label, "example": int(index), "pixel": p, "value": v} for p, v in enumerate(example)
            ]
        words = f"{label}{' *' if mapped_back else ''}\n{_rounded(low, high - low)} to {_rounded(high, high - low)}"
        axes_row[0].set_ylabel(words, rotation=0, ha="right", va="center", labelpad=6)
    for axes, index in zip(grid[0], chosen, strict=True):
        axes.set_title(_short(manifest["class_names"][splits.test_labels[index]]), loc="center")
    facts = {
        "examples": len(chosen),
        "mapped_back": [label for label, (_, back) in rows.items() if back],
        "names": [manifest["class_names"][splits.test_labels[index]] for index in chosen],
    }
    return Drawing(figure, pd.DataFrame(records), facts, part.remarks)


def seen(folder: Path, chosen: NDArray[np.intp]) -> tuple[NDArray[np.float64], bool]:
    """Test examples [m, d] as the network sees them, in image space, and whether they had to be mapped back.

    What a projection made of an example lives in other coordinates; the pseudo-inverse of its matrix takes it
    back to pixels, and the mean is added again: the picture of what the kept components hold.
    """
    manifest, arrays = prepared.load(folder)
    fitted = prepared.load_map(folder)
    values = arrays.test_x[chosen].astype(float)
    if manifest["keeps_image"] or fitted.matrix is None:
        return values, False
    return values @ np.linalg.pinv(fitted.matrix) + fitted.shift, True


def _examples(labels: NDArray[Any]) -> NDArray[np.intp]:
    """The first test example of each of the first classes."""
    return np.array([np.flatnonzero(labels == name)[0] for name in np.unique(labels)[:EXAMPLES]])


def _short(name: str) -> str:
    return name if len(name) <= 9 else name[:8] + "…"


def _rounded(value: float, span: float) -> str:
    """Three digits, or 0 for what is nothing beside the span of a row."""
    return f"{value:.3g}" if abs(value) > 1e-4 * span else "0"
