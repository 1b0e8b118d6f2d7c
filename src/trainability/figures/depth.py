"""Depth: how accurate a network becomes and how much gradient reaches its first layer, by initialisation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from trainability.figures import canvas, lines, scales
from trainability.figures.canvas import Drawing, Mark
from trainability.figures.experiment import Experiment, NothingToShow, Slice

QUANTITIES = ("test_accuracy", "gradient_ratio")


def draw(experiment: Experiment) -> Drawing:
    """Test accuracy and gradient at the first layer against depth by initialisation, a row an activation."""
    part = _varied(experiment.at_base("depth", "init", "activation"))
    data = table(part)
    panels = part.order("activation")
    marks = canvas.marks(experiment.order("init"))
    figure, grid = canvas.sheet(
        len(panels), 2, heights=[1.25] * len(panels), around=0.25 * len(panels) + 1.1, remarks=part.remarks, sharex=True
    )
    bounds = {name: some[["low", "high"]].to_numpy().ravel() for name, some in data.groupby("quantity")}
    ratios = bounds["gradient_ratio"]
    ratios = ratios[np.isfinite(ratios) & (ratios > 0)]
    for (left, right), panel in zip(grid, panels, strict=True):
        here = data[data["activation"] == panel]
        shown = here[here["quantity"] == "test_accuracy"]
        _lines(left, shown.assign(**{name: scales.within(shown[name]) for name in ("value", "low", "high")}), marks)
        scales.accuracy(left, bounds["test_accuracy"], experiment.chance, horizontal=False)
        shown = here[here["quantity"] == "gradient_ratio"]
        _lines(right, shown[shown["low"] > 0], marks)
        if len(ratios):
            scales.logarithmic(right, float(ratios.min()), float(ratios.max()))
        right.axhline(1, color=canvas.INK, linestyle=":", linewidth=1)
        left.set_title(panel)
        left.set_ylabel("test accuracy (%)")
        right.set_ylabel("gradient, first / last")
        for axes in (left, right):
            _depths(axes, sorted(data["depth"].unique()))
    canvas.below(grid[-1], "hidden layers")
    canvas.key(figure, canvas.line_handles(part.order("init"), marks))
    known = data[data["quantity"] == "gradient_ratio"].dropna(subset="value")["value"]
    facts = {
        "depths": sorted(int(depth) for depth in data["depth"].unique()),
        "cells": data["cell"].nunique(),
        "smallest": float(known.min()) if len(known) else np.nan,
        "largest": float(known.max()) if len(known) else np.nan,
    }
    return Drawing(figure, data, facts, part.remarks)


def _varied(part: Slice) -> Slice:
    """The activations and initialisations that are trained in several depths."""
    rows = part.planned[part.planned["included"]]
    depths = rows.groupby(["activation", "init"])["depth"].transform("nunique")
    rows = rows[depths > 1]
    if rows.empty:
        raise NothingToShow("Nothing to show: no activation and initialisation is trained in several depths.")
    return dataclasses.replace(part, planned=rows)


def table(part: Slice) -> pd.DataFrame:
    """A row per cell and quantity: the mean over seeds with its interval."""
    cells = part["cells"]
    names = ["cell", *part.varying, "seeds", "learning_rate", "status"]
    frames = [
        cells[names].assign(quantity=name, value=cells[name], low=cells[f"{name}_low"], high=cells[f"{name}_high"])
        for name in QUANTITIES
    ]
    return pd.concat(frames, ignore_index=True)


def _lines(axes: Axes, data: pd.DataFrame, marks: dict[str, Mark]) -> None:
    lines.say_if_none(axes, data["value"])
    for init, line in data.groupby("init", sort=False):
        line, mark = line.sort_values("depth"), marks[str(init)]
        axes.plot(line["depth"], line["value"], **mark._asdict())
        axes.vlines(line["depth"], line["low"], line["high"], color=mark.color, linewidth=1)


def _depths(axes: Axes, depths: list[int]) -> None:
    """A logarithmic axis with ticks at the trained depths whose labels do not touch, the deepest among them."""
    axes.set_xscale("log")
    axes.set_xlim(depths[0] / 1.25, depths[-1] * 1.25)
    places: list[int] = []
    for depth in reversed(depths):
        if not places or places[-1] / depth > 1.5:
            places.append(depth)
    scales.ticks(axes.xaxis, places, lambda value: f"{value:g}")
