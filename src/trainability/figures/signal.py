"""Signal and gradient before training, by activation and initialisation."""

from __future__ import annotations

import math

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm

from trainability.figures import canvas, heatmaps
from trainability.figures.canvas import Drawing
from trainability.figures.experiment import Experiment, Slice

QUANTITIES = {
    "activation_std": "std of the last layer's activations",
    "gradient_ratio": "gradient norm, first layer / last layer",
}
DECADES = 3  # colours end this many powers of ten from 1


def table(part: Slice) -> pd.DataFrame:
    """A row per planned cell and quantity: median over seeds at step 0, lowest and highest seed."""
    layers = part["layers"]
    start = layers[layers["step"] == layers["step"].min()]
    first, last = (start[start["layer"] == end].set_index(["cell", "seed"]) for end in (1, start["layer"].max()))
    with np.errstate(divide="ignore", invalid="ignore"):
        quantities = {
            "activation_std": last["activation_std"].astype(float),
            "gradient_ratio": first["gradient_norm"].astype(float) / last["gradient_norm"].astype(float),
        }
    rows = part.planned[["cell", *part.varying, "included", "reason"]]
    frames = []
    for name, values in quantities.items():
        over_seeds = values.groupby("cell").agg(value="median", low="min", high="max").reset_index()
        frames.append(rows.merge(over_seeds, on="cell", how="left").assign(quantity=name))
    return pd.concat(frames, ignore_index=True)


def draw(experiment: Experiment) -> Drawing:
    """Two heat maps at the base's normalization; 1 is neutral and each colour step is a power of ten."""
    part = experiment.at_base("activation", "init")
    data = table(part)
    inits, activations = (part.order(factor, included=False) for factor in ("init", "activation"))
    height, around = heatmaps.ROW * len(inits), heatmaps.AROUND + 1.0 + 2 * heatmaps.room(activations)
    figure, grid = canvas.sheet(2, heights=[height, height], around=around, remarks=part.remarks)
    norm = LogNorm(10.0**-DECADES, 10.0**DECADES)
    for axes, (quantity, words) in zip(grid[:, 0], QUANTITIES.items(), strict=True):
        some = data[data["quantity"] == quantity]
        heatmaps.heat(axes, some, inits, activations, norm, "PuOr", lambda value, _: short(value))
        axes.set_title(words)
    figure.colorbar(
        ScalarMappable(norm, matplotlib.colormaps["PuOr"]), ax=list(grid[:, 0]), location="bottom", aspect=30,
        pad=0.02, extend="both", label="median over seeds, before training",
    )  # fmt: skip
    if not data["included"].all():
        canvas.key(figure, heatmaps.excluded_key())
    ratios = data.loc[data["quantity"] == "gradient_ratio", "value"].dropna()
    facts = {"smallest": float(ratios.min()), "largest": float(ratios.max()), "decades": DECADES}
    return Drawing(figure, data, facts, part.remarks)


def short(value: float) -> str:
    """At most four characters, for positive values: `0`, `0.87`, `12`, `2e-5`."""
    if value == 0:
        return "0"
    if 0.01 <= abs(value) < 9.95:
        return f"{value:.2f}" if value < 0.995 else f"{value:.1f}"
    if 9.95 <= abs(value) < 9999.5:
        return f"{value:.0f}"
    power = math.floor(math.log10(abs(value)))
    leading = round(value / 10.0**power)
    return f"{leading}e{power}" if leading < 10 else f"1e{power + 1}"
